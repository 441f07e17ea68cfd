// File: storage/model/future_limit.h
//
// How far ahead of the clock samples of some tags may lie.
#ifndef HISTORIAN_STORAGE_MODEL_FUTURE_LIMIT_H_
#define HISTORIAN_STORAGE_MODEL_FUTURE_LIMIT_H_

#include <string>

#include "absl/time/time.h"

namespace historian {

struct FutureLimit {
  std::string pattern;  // Over tag names (tag_pattern.h).
  absl::Duration limit;

  friend bool operator==(const FutureLimit&, const FutureLimit&) = default;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_MODEL_FUTURE_LIMIT_H_
