#include "tools/histctl/lib/known_names.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "storage/model/nearest_name.h"
#include "storage/model/value.h"

namespace historian::histctl {
namespace {

// What people call some of them elsewhere.
constexpr std::pair<absl::string_view, absl::string_view> kOtherNames[] = {
    {"mean", "average"},
    {"std", "stddev"},
    {"n", "count"},
    {"time-weighted-average", "time-average2"},
    {"first-time", "start"},
    {"last-time", "end"},
    {"minimum-time", "min-time"},
    {"maximum-time", "max-time"}};

const AggregateInfo* Find(absl::string_view typed) {
  const std::string name = absl::StrReplaceAll(absl::AsciiStrToLower(typed), {{" ", "-"}});
  for (const auto& [other, ours] : kOtherNames) {
    if (name == other) return FindAggregate(ours);
  }
  return FindAggregate(name);
}

}  // namespace

std::vector<std::string> ValueTypeNames() {
  return {"float64", "float32", "int64", "bool", "digital", "string"};
}

std::vector<std::string> AggregateNames() {
  std::vector<std::string> names;
  for (const AggregateInfo& one : kAggregates) {
    names.emplace_back(one.name);
    if (!one.short_name.empty()) names.emplace_back(one.short_name);
  }
  return names;
}

absl::StatusOr<std::vector<Aggregate>> ParseAggregates(absl::string_view text) {
  std::vector<Aggregate> aggregates;
  for (absl::string_view name : absl::StrSplit(text, ',')) {
    name = absl::StripAsciiWhitespace(name);
    const AggregateInfo* const aggregate = Find(name);
    if (aggregate == nullptr) {
      const std::string meant = DidYouMean(name, AggregateNames());
      return absl::InvalidArgumentError(absl::StrCat(
          "unknown aggregate '", name, "'",
          meant.empty()
              ? absl::StrCat("; there are ", absl::StrJoin(kAggregates, ", ",
                                                           [](std::string* out, const AggregateInfo& one) {
                                                             absl::StrAppend(out, one.name);
                                                           }))
              : meant));
    }
    aggregates.push_back(aggregate->id);
  }
  return aggregates;
}

}  // namespace historian::histctl
