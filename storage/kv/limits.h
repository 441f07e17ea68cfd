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

// The next pair of a run: its sizes, and that the key follows the previous one (null before the first).
absl::Status CheckNextOfRun(const std::string* previous_key, absl::string_view key, absl::string_view value);

// The keys one run covers, both inclusive.
struct RunExtent {
  Space space;
  std::string first_key;
  std::string last_key;
};
absl::Status CheckRunsDisjoint(std::vector<RunExtent> runs);

}  // namespace historian::kv

#endif  // HISTORIAN_STORAGE_KV_LIMITS_H_
