// File: tools/histctl/lib/known_names.h
//
// Names that options take: types, aggregates.
#ifndef HISTORIAN_TOOLS_HISTCTL_LIB_KNOWN_NAMES_H_
#define HISTORIAN_TOOLS_HISTCTL_LIB_KNOWN_NAMES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/model/aggregate.h"

namespace historian::histctl {

std::vector<std::string> ValueTypeNames();

// The name of each aggregate and, behind it, its short name.
std::vector<std::string> AggregateNames();
// "avg, Min,mean": names, short names, those of OPC UA, and mean, mode of writing aside. Errors: InvalidArgument, one is none
// of them; says which may have been meant.
absl::StatusOr<std::vector<Aggregate>> ParseAggregates(absl::string_view text);

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_LIB_KNOWN_NAMES_H_
