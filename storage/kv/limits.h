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

// Returns "meta", "heads", "pages", "checkpoint", "rollups" or "superseded".
absl::string_view SpaceName(Space space);

// Returns the key for use in a message: escaped, and cut if it is long.
std::string PrintableKey(absl::string_view key);

absl::Status CheckKey(absl::string_view key);
absl::Status CheckKeyAndValue(absl::string_view key, absl::string_view value);
absl::Status CheckBatch(const Batch& batch);
absl::Status CheckLogName(absl::string_view name);
absl::Status CheckRunSpace(Space space);

// Checks what is added to a run as it grows, in the same way for every store.
class RunChecker {
 public:
  absl::Status CheckReplace(absl::string_view begin, absl::string_view end) const;
  // Checks the next pair: its sizes, that its key follows the previous one, and that it lies in the range
  // that the run replaces.
  absl::Status CheckAdd(absl::string_view key, absl::string_view value) const;
  // To be called after each successful Replace or Add.
  void Replaced(absl::string_view begin, absl::string_view end);
  void Added(absl::string_view key);

  // The range that the run replaces, if it replaces() one.
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
