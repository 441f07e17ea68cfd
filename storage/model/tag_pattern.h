// File: storage/model/tag_pattern.h
//
// Patterns over the names of tags, as people write them: in selections, lists, retention rules, legal holds.
//
//   *        any run of bytes, '/' too
//   ?        any one byte
//   [a-z_]   one byte of a set; [!a-z] or [^a-z]: one that is not in it. A ']' that comes first is in the set.
//
// Everything else stands for itself, and so does a '[' without a ']'.
//
// A pattern is compiled once, with each set as 256 bits, and then matched against many names. Cost of a match: tens of
// nanoseconds for what people write; at worst 512 x 512 steps, a fraction of a millisecond.
//
// Threads: any number.
#ifndef HISTORIAN_STORAGE_MODEL_TAG_PATTERN_H_
#define HISTORIAN_STORAGE_MODEL_TAG_PATTERN_H_

#include <bitset>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/model/tag.h"

namespace historian {

// The longest pattern there is, wherever one is taken: as long as the longest name.
inline constexpr size_t kTagPatternBytesMax = kTagNameBytesMax;

class TagPattern {
 public:
  // Errors: InvalidArgument, the pattern is longer than kTagPatternBytesMax, or is not UTF-8.
  static absl::StatusOr<TagPattern> Compile(absl::string_view pattern);

  bool Matches(absl::string_view name) const;

  // What it takes beside itself: at worst 8 KiB.
  size_t MemoryBytes() const;

 private:
  enum class Kind : uint8_t { kByte, kAnyByte, kAnyRun, kSet };
  struct Token {
    Kind kind = Kind::kByte;
    uint8_t byte = 0;
    uint16_t set = 0;  // An index into sets_.
  };
  using Set = std::bitset<256>;

  TagPattern() = default;
  // Adds the set that opens at pattern[at] == '[', and returns the index behind its ']'. Returns `at` and adds nothing
  // when no ']' follows.
  size_t AddSet(absl::string_view pattern, size_t at);
  bool Takes(const Token& token, uint8_t byte) const;

  std::vector<Token> tokens_;
  std::vector<Set> sets_;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_MODEL_TAG_PATTERN_H_
