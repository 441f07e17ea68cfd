// File: storage/sealed/results.h
//
// What sealing and retention did.
#ifndef HISTORIAN_STORAGE_SEALED_RESULTS_H_
#define HISTORIAN_STORAGE_SEALED_RESULTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "storage/model/timestamp.h"

namespace historian {

struct SealResult {
  uint64_t samples = 0;
  uint64_t blocks = 0;
  uint64_t bytes = 0;
  uint64_t partitions_settled = 0;
};

// What applying the retention rules did, or would do.
struct RetentionResult {
  enum class Action {
    kDrop = 1,     // All of the partition has expired.
    kRewrite = 2,  // A part has, and is large enough to rewrite the rest.
    kWait = 3,     // A small part has; its space returns with more.
  };
  struct Partition {
    int32_t partition = 0;
    Action action = Action::kWait;
    uint64_t samples = 0;  // That have expired in it, and their bytes: of blocks and rollups.
    uint64_t bytes = 0;
  };
  Timestamp as_of = 0;  // What was taken for now.
  // What expires now, by the rule that says so. By rules in the order of their names.
  struct ByRule {
    std::string rule;
    uint64_t tags = 0;  // With samples that expire.
    uint64_t samples = 0;
    std::vector<int32_t> partitions;  // Ascending.
  };
  std::vector<ByRule> rules;
  uint64_t tags = 0;     // With samples that expire now.
  uint64_t samples = 0;  // Dropped.
  uint64_t bytes = 0;    // Returned.
  std::vector<Partition>
      partitions;  // Those with something expired in them: weeks in order of time, then long ones.
};

// What one rule let expire when it was applied.
struct Expiry {
  uint64_t number = 0;  // Counts from 1, without gaps, since the start.
  std::string rule;
  uint64_t tags = 0;
  uint64_t samples = 0;
  uint64_t weeks = 0;
  Timestamp first = 0;  // When the first of the weeks begins, and when the last one ends.
  Timestamp end = 0;
};
// So many are held for who looks once in a while: there are no more rules.
inline constexpr size_t kExpiriesMax = 1000;

}  // namespace historian

#endif  // HISTORIAN_STORAGE_SEALED_RESULTS_H_
