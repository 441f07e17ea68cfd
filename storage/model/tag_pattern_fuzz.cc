// Strategy: what stands before the first line feed is a pattern, the rest a name. Invariants: patterns that are too
// long or not UTF-8 are refused with InvalidArgument; all others match what the plainest matcher says.
#include <string>
#include <vector>

#include "storage/model/check.h"
#include "storage/model/tag_pattern.h"
#include "tests/fuzz/driver.h"

namespace {

using historian::TagPattern;

// One step of a pattern: where the next begins, and which bytes this one takes.
struct Step {
  size_t next = 0;
  bool any_run = false;
  bool takes[256] = {};
};

Step ReadStep(absl::string_view pattern, size_t at) {
  Step step{.next = at + 1, .any_run = pattern[at] == '*'};
  if (pattern[at] == '?') std::fill(std::begin(step.takes), std::end(step.takes), true);
  step.takes[static_cast<uint8_t>(pattern[at])] = true;
  if (pattern[at] != '[') return step;
  size_t i = at + 1;
  const bool negated = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
  if (negated) ++i;
  Step set;
  for (bool first = true; i < pattern.size(); first = false) {
    if (pattern[i] == ']' && !first) {
      set.next = i + 1;
      for (bool& takes : set.takes) takes = takes != negated;
      return set;
    }
    const uint8_t low = static_cast<uint8_t>(pattern[i]);
    const bool is_range = i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']';
    const uint8_t high = is_range ? static_cast<uint8_t>(pattern[i + 2]) : low;
    for (int byte = low; byte <= high; ++byte) set.takes[byte] = true;
    i += is_range ? 3 : 1;
  }
  return step;  // No ']': it stands for itself.
}

// All places in the name at which the pattern may have got, step by step.
bool PlainlyMatches(absl::string_view pattern, absl::string_view name) {
  std::vector<bool> at(name.size() + 1, false);
  at[0] = true;
  for (size_t i = 0; i < pattern.size();) {
    const Step step = ReadStep(pattern, i);
    std::vector<bool> next(name.size() + 1, false);
    for (size_t n = 0; n <= name.size(); ++n) {
      if (step.any_run) next[n] = at[n] || (n > 0 && next[n - 1]);
      if (!step.any_run && n > 0) next[n] = at[n - 1] && step.takes[static_cast<uint8_t>(name[n - 1])];
    }
    at = std::move(next);
    i = step.next;
  }
  return at[name.size()];
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const size_t line_feed = std::min(bytes.find('\n'), size);
  const absl::string_view pattern = bytes.substr(0, line_feed);
  const absl::string_view name = bytes.substr(std::min(line_feed + 1, size)).substr(0, 512);
  const absl::StatusOr<TagPattern> compiled = TagPattern::Compile(pattern);
  const bool is_good = pattern.size() <= historian::kTagPatternBytesMax && historian::IsValidUtf8(pattern);
  HISTORIAN_CHECK(compiled.ok() == is_good);
  if (!compiled.ok()) {
    HISTORIAN_CHECK(compiled.status().code() == absl::StatusCode::kInvalidArgument);
    return 0;
  }
  HISTORIAN_CHECK(compiled->Matches(name) == PlainlyMatches(pattern, name));
  return 0;
}

std::vector<std::string> historian::fuzz::FuzzSeeds() {
  return {"*\nplant/area/tag",
          "a*b*c\nabbbcbc",
          "[a-c]?[!x]\nbzy",
          "[]a]*[^]]\n]bc",
          "[a-\nx[a-",
          "*[0-9]/*\nunit/7/flow",
          "**a**\nbanana",
          "[z-a]\nm",
          "\xc3\xa4*\n\xc3\xa4pfel",
          "[-a][a-]\n--",
          "\n",
          std::string(520, '*') + "\na"};
}
