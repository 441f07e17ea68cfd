// File: tools/histctl/lib/header_unit.h
//
// The unit in a column's header.
#ifndef HISTORIAN_TOOLS_HISTCTL_LIB_HEADER_UNIT_H_
#define HISTORIAN_TOOLS_HISTCTL_LIB_HEADER_UNIT_H_

#include <string>

#include "absl/strings/string_view.h"

namespace historian::histctl {

// "Flow [m3/h]" and "Flow (m3/h)" to "Flow" and "m3/h". What is in parentheses must be a unit (IsUnit): "Pump (north)" stays as it
// is. True: it was in parentheses.
bool TakeUnit(std::string* name, std::string* unit);

// Whether a text is made of units that plants use: "kg/(m2.s)", "°C", "1000 lb/hr", "% RH".
bool IsUnit(absl::string_view text);

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_LIB_HEADER_UNIT_H_
