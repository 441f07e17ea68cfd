#include "tools/histctl/near_tags.h"

#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/tags.h"
#include "storage/model/nearest_name.h"

namespace historian::histctl {
namespace {

constexpr size_t kNamesMax = 3;
constexpr uint32_t kTagsAtOnce = 1000;

std::set<std::string> Matches(const client::Connection& connection, const std::string& pattern) {
  std::set<std::string> names;
  client::TagList list =
      client::Tags(connection).List({.pattern = pattern, .include_retired = true, .page_size = kTagsAtOnce});
  for (const Tag& tag : list) {
    names.insert(tag.name);
    if (names.size() == kTagsAtOnce) break;
  }
  return names;
}

// [fF][lL][oO][wW]
std::string InAnyCase(absl::string_view text) {
  std::string pattern;
  for (const char c : text) {
    const char lower = absl::ascii_tolower(c), upper = absl::ascii_toupper(c);
    absl::StrAppend(&pattern, lower == upper ? std::string(1, c) : std::string{'[', lower, upper, ']'});
  }
  return pattern;
}

}  // namespace

std::vector<std::string> NearTags(const client::Connection& connection, const std::string& typed) {
  if (typed.empty() || typed.find_first_of("*?[") != std::string::npos) return {};
  std::set<std::string> near = Matches(connection, absl::StrCat("*", InAnyCase(typed), "*"));
  if (!near.empty()) {
    std::vector<std::string> names;
    for (const std::string& name : near) {
      if (names.size() < kNamesMax) names.push_back(name);
    }
    return names;
  }
  // Of a name with one or two slips one of its thirds is right.
  const size_t third = typed.size() / 3;
  if (third == 0) return {};
  for (const std::string& pattern : {absl::StrCat(InAnyCase(typed.substr(0, third)), "*"),
                                     absl::StrCat("*", InAnyCase(typed.substr(typed.size() - third))),
                                     absl::StrCat("*", InAnyCase(typed.substr(third, third)), "*")}) {
    near.merge(Matches(connection, pattern));
  }
  return NearestNames(typed, std::vector<std::string>(near.begin(), near.end()), kNamesMax);
}

}  // namespace historian::histctl
