// File: storage/upkeep/expiry.h
//
// What retention leaves of one partition on the disk: all of it, a part, or nothing.
#ifndef HISTORIAN_STORAGE_UPKEEP_EXPIRY_H_
#define HISTORIAN_STORAGE_UPKEEP_EXPIRY_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "storage/kv/store.h"
#include "storage/model/tag.h"
#include "storage/sealed/partitions.h"
#include "storage/sealed/results.h"
#include "storage/sealed/retention.h"

namespace historian {

// What is to be done about the partition, given what has expired. Nothing when nothing in it has. `state` is
// its present one, of before the call; last_tag the highest id there is.
//
// Cost: nothing when it has expired of all tags; else a walk over the heads of its blocks. Damaged heads
// count as bytes and no samples.
absl::StatusOr<std::optional<RetentionResult::Partition>> JudgePartition(kv::Store& store, int32_t partition,
                                                                         const PartitionState& state,
                                                                         const ExpiredTable& expired,
                                                                         TagId last_tag);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_UPKEEP_EXPIRY_H_
