// File: tools/histctl/lib/tag_csv.h
//
// Tags as CSV, for keeping and copying: what is exported imports again as the same tags.
//
//   column          what
//   name            required
//   type            float64, float32, int64, bool, digital or string; required
//   interpolation   stepped or sloped; empty: as usual for the type
//   unit, description
//   states          digital tags: "0=Off|1=On", by code; | = and \ in a name are written \| \= and \\ .
//   attributes      "key=value|key=value", written likewise
//   stale_after     a duration such as 10m; empty: never
//   retired         true or false; empty: false
//
// The first line names the columns, in any order; those not named are empty; others are an error.
#ifndef HISTORIAN_TOOLS_HISTCTL_LIB_TAG_CSV_H_
#define HISTORIAN_TOOLS_HISTCTL_LIB_TAG_CSV_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/model/tag.h"

namespace historian::histctl {

// With a line feed.
std::string TagCsvHeader();
std::string TagCsvRow(const Tag& tag);

struct TagRow {
  uint64_t line = 0;
  absl::Status status;  // Why the row is not a tag.
  Tag tag;
};
// Every row, good or not. Errors: InvalidArgument, the header is missing or wrong.
absl::StatusOr<std::vector<TagRow>> ParseTagCsv(absl::string_view text);

std::string StatesText(const std::map<uint32_t, std::string>& states);
std::string AttributesText(const std::map<std::string, std::string>& attributes);
// Empty for never.
std::string StaleAfterText(absl::Duration stale_after);
absl::StatusOr<std::map<uint32_t, std::string>> ParseStates(absl::string_view text);
absl::StatusOr<std::map<std::string, std::string>> ParseAttributes(absl::string_view text);

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_LIB_TAG_CSV_H_
