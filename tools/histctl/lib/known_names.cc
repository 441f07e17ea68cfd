#include "tools/histctl/lib/known_names.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>
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

constexpr size_t kZonesMax = 3;

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

std::vector<std::string> ZoneNames() {
  namespace fs = std::filesystem;
  const char* const given = std::getenv("TZDIR");
  const fs::path root = given != nullptr && *given != 0 ? given : "/usr/share/zoneinfo";
  std::vector<std::string> names = {"UTC", "local"};
  // What is no zone in there (posix, right, zone.tab, ...) begins with a small letter.
  std::error_code error;
  fs::recursive_directory_iterator at(root, fs::directory_options::skip_permission_denied, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    const std::string file = at->path().filename().string();
    const bool is_directory = at->is_directory(error) && !error;
    if (!absl::ascii_isupper(static_cast<unsigned char>(file[0])) && at.depth() == 0) {
      if (is_directory) at.disable_recursion_pending();
      continue;
    }
    if (!is_directory && !absl::StrContains(file, '.'))
      names.push_back(at->path().lexically_relative(root).string());
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::vector<std::string> NearZones(absl::string_view typed) {
  const std::vector<std::string> zones = ZoneNames();
  const std::string city = absl::StrCat("/", absl::StrReplaceAll(typed, {{" ", "_"}}));
  std::vector<std::string> near;
  for (const std::string& zone : zones) {
    if (near.size() < kZonesMax && absl::EndsWithIgnoreCase(absl::StrCat("/", zone), city))
      near.push_back(zone);
  }
  return near.empty() ? NearestNames(typed, zones, kZonesMax) : near;
}

}  // namespace historian::histctl
