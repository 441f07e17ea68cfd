#include "storage/model/tag_pattern.h"

#include "absl/strings/str_cat.h"
#include "storage/platform/heap_bytes.h"

namespace historian {

absl::StatusOr<TagPattern> TagPattern::Compile(absl::string_view pattern) {
  if (pattern.size() > kTagPatternBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("the pattern has ", pattern.size(), " bytes; the limit is ", kTagPatternBytesMax));
  }
  if (!IsValidUtf8(pattern)) return absl::InvalidArgumentError("the pattern is not UTF-8");
  TagPattern compiled;
  for (size_t i = 0; i < pattern.size();) {
    const char c = pattern[i];
    if (c == '[') {
      if (const size_t after = compiled.AddSet(pattern, i); after != i) {
        i = after;
        continue;
      }
    }
    ++i;
    // A second '*' in a row says nothing new.
    if (c == '*' && !compiled.tokens_.empty() && compiled.tokens_.back().kind == Kind::kAnyRun) continue;
    compiled.tokens_.push_back({.kind = c == '*'   ? Kind::kAnyRun
                                        : c == '?' ? Kind::kAnyByte
                                                   : Kind::kByte,
                                .byte = static_cast<uint8_t>(c)});
  }
  // Those of rules and holds stay.
  compiled.tokens_.shrink_to_fit();
  compiled.sets_.shrink_to_fit();
  return compiled;
}

size_t TagPattern::AddSet(absl::string_view pattern, size_t at) {
  size_t i = at + 1;
  const bool negated = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
  if (negated) ++i;
  Set set;
  for (const size_t first = i; i < pattern.size(); ++i) {
    if (pattern[i] == ']' && i > first) {
      tokens_.push_back({.kind = Kind::kSet, .set = static_cast<uint16_t>(sets_.size())});
      sets_.push_back(negated ? ~set : set);
      return i + 1;
    }
    const uint8_t low = static_cast<uint8_t>(pattern[i]);
    uint8_t high = low;
    if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') {
      high = static_cast<uint8_t>(pattern[i + 2]);
      i += 2;
    }
    for (int byte = low; byte <= high; ++byte) set.set(static_cast<size_t>(byte));
  }
  return at;
}

size_t TagPattern::MemoryBytes() const { return HeapBytesOf(tokens_) + HeapBytesOf(sets_); }

bool TagPattern::Takes(const Token& token, uint8_t byte) const {
  switch (token.kind) {
    case Kind::kByte:
      return token.byte == byte;
    case Kind::kAnyByte:
      return true;
    case Kind::kSet:
      return sets_[token.set][byte];
    case Kind::kAnyRun:
      break;
  }
  return false;
}

bool TagPattern::Matches(absl::string_view name) const {
  constexpr size_t kNone = SIZE_MAX;
  size_t t = 0, n = 0;
  // Where to go back to: one byte more for the last '*'.
  size_t star = kNone, star_n = 0;
  while (n < name.size()) {
    if (t < tokens_.size() && tokens_[t].kind == Kind::kAnyRun) {
      star = t++;
      star_n = n;
    } else if (t < tokens_.size() && Takes(tokens_[t], static_cast<uint8_t>(name[n]))) {
      ++t;
      ++n;
    } else if (star != kNone) {
      t = star + 1;
      n = ++star_n;
    } else {
      return false;
    }
  }
  return t == tokens_.size() || (t + 1 == tokens_.size() && tokens_[t].kind == Kind::kAnyRun);
}

}  // namespace historian
