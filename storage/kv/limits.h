// File: storage/kv/limits.h
//
// The checks every Store makes before it touches anything, so that all refuse the same calls with the same
// words. All return InvalidArgument naming the limit and what was given.
#ifndef HISTORIAN_STORAGE_KV_LIMITS_H_
#define HISTORIAN_STORAGE_KV_LIMITS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "storage/kv/store.h"

namespace historian::kv {

// "meta", "heads", "pages", "checkpoint".
absl::string_view SpaceName(Space space);

// The key as it may stand in a message: escaped, and cut when long.
std::string PrintableKey(absl::string_view key);

absl::Status CheckKey(absl::string_view key);
absl::Status CheckKeyAndValue(absl::string_view key, absl::string_view value);
absl::Status CheckBatch(const Batch& batch);
absl::Status CheckLogName(absl::string_view name);
absl::Status CheckRunSpace(Space space);

// What a run may be given, checked as it grows: the same for every store.
class RunChecker {
 public:
  absl::Status CheckReplace(absl::string_view begin, absl::string_view end) const;
  // The next pair: its sizes, that the key follows the previous one, and lies in what the run replaces.
  absl::Status CheckAdd(absl::string_view key, absl::string_view value) const;
  // After the one or the other was done.
  void Replaced(absl::string_view begin, absl::string_view end);
  void Added(absl::string_view key);

  // The range to be replaced; not, when end is empty.
  const std::string& replace_begin() const { return replace_begin_; }
  const std::string& replace_end() const { return replace_end_; }
  bool replaces() const { return !replace_end_.empty(); }
  bool empty() const { return !has_keys_ && !replaces(); }

 private:
  bool has_keys_ = false;
  std::string last_key_;
  std::string replace_begin_;
  std::string replace_end_;
};

}  // namespace historian::kv

#endif  // HISTORIAN_STORAGE_KV_LIMITS_H_
