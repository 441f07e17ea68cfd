#include "storage/model/tag_pattern.h"

#include <random>
#include <string>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace historian {
namespace {

bool Matches(absl::string_view pattern, absl::string_view name) {
  const absl::StatusOr<TagPattern> compiled = TagPattern::Compile(pattern);
  EXPECT_TRUE(compiled.ok()) << compiled.status();
  return compiled.ok() && compiled->Matches(name);
}

TEST(TagPattern, Matches) {
  const struct {
    const char* pattern;
    const char* name;
    bool matches;
  } cases[] = {
      {"", "", true},
      {"", "a", false},
      {"*", "", true},
      {"*", "a/b", true},
      {"a*", "ba", false},
      {"*.PV", "FIC.PV", true},
      {"a?c", "abc", true},
      {"a?c", "ac", false},
      {"[a-c]1", "b1", true},
      {"[!a-c]1", "b1", false},
      {"[!a-c]1", "d1", true},
      {"[^a-c]1", "d1", true},
      {"a*b*c", "aXbYbZc", true},
      {"a*b*c", "aXbYbZ", false},
      {"[", "[", true},
      {"[a", "[a", true},
      {"[a", "a", false},
      {"[]", "[]", true},
      {"[]a]x", "]x", true},
      {"[!]a]x", "]x", false},
      {"[a-]", "-", true},
      {"[-a]", "-", true},
      {"[z-a]", "m", false},
      {"[!z-a]", "m", true},
      {"[a][", "a[", true},
      {"**a", "bca", true},
      {"a**", "a", true},
      {"a/*/c", "a/b/x/c", true},
      {"K\xC3\xBChlung*", "K\xC3\xBChlung/1", true},
  };
  for (const auto& c : cases)
    EXPECT_EQ(Matches(c.pattern, c.name), c.matches) << c.pattern << " ~ " << c.name;
}

// What a pattern means, said as plainly as can be: its first part takes a byte, or a run of them, and the rest follows.
bool MatchesSlowly(absl::string_view pattern, absl::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern[0] == '*') {
    for (size_t n = 0; n <= name.size(); ++n) {
      if (MatchesSlowly(pattern.substr(1), name.substr(n))) return true;
    }
    return false;
  }
  if (name.empty()) return false;
  size_t end = 1;
  bool takes = pattern[0] == '?' || pattern[0] == name[0];
  if (pattern[0] == '[') {
    const bool negated = pattern.size() > 1 && (pattern[1] == '!' || pattern[1] == '^');
    const size_t first = negated ? 2 : 1;
    const size_t close = pattern.find(']', first + 1);
    if (first < pattern.size() && close != absl::string_view::npos) {
      bool found = false;
      for (size_t i = first; i < close; ++i) {
        if (i + 2 < close && pattern[i + 1] == '-') {
          found |= pattern[i] <= name[0] && name[0] <= pattern[i + 2];
          i += 2;
        } else {
          found |= pattern[i] == name[0];
        }
      }
      takes = found != negated;
      end = close + 1;
    }
  }
  return takes && MatchesSlowly(pattern.substr(end), name.substr(1));
}

TEST(TagPattern, MeansWhatThePlainRuleSays) {
  constexpr unsigned kSeed = 20261128;
  std::mt19937 random(kSeed);
  const auto text = [&random](absl::string_view letters, size_t size_max) {
    std::string out(random() % (size_max + 1), 0);
    for (char& c : out) c = letters[random() % letters.size()];
    return out;
  };
  int matches = 0;
  for (int round = 0; round < 200'000; ++round) {
    const std::string pattern = text("ab-]![?*", 8), name = text("ab-]!", 5);
    const bool expected = MatchesSlowly(pattern, name);
    matches += expected;
    ASSERT_EQ(Matches(pattern, name), expected) << "seed " << kSeed << ": " << pattern << " ~ " << name;
  }
  EXPECT_GT(matches, 1000) << "the test says something of matches too";
}

TEST(TagPattern, OneThatIsTooLongIsRefused) {
  EXPECT_TRUE(TagPattern::Compile(std::string(kTagPatternBytesMax, 'a')).ok());
  const absl::Status status = TagPattern::Compile(std::string(kTagPatternBytesMax + 1, '*')).status();
  EXPECT_EQ(status, absl::InvalidArgumentError("the pattern has 513 bytes; the limit is 512"));
  EXPECT_EQ(TagPattern::Compile("\xff").status(), absl::InvalidArgumentError("the pattern is not UTF-8"));
}

// Cost is bounded by the lengths: with exponential cost these would not end.
TEST(TagPattern, TheWorstOnesEnd) {
  std::string stars, sets = "*";
  while (stars.size() + 2 < kTagPatternBytesMax) stars += "*a";
  while (sets.size() + 6 < kTagPatternBytesMax) sets += "[!b-z]";
  const std::string name(kTagNameBytesMax, 'a');
  for (const std::string& pattern : {stars + "b", "*" + name.substr(2) + "b", sets + "b"}) {
    EXPECT_FALSE(Matches(pattern, name)) << pattern;
  }
}

}  // namespace
}  // namespace historian
