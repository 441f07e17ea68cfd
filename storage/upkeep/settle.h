// File: storage/upkeep/settle.h
//
// Settling rewrites one partition: blocks that overlap are merged into one sequence, pages are cut where
// rollup slots end and encoded in the densest form, rollups are computed, and all of it takes the place of
// the old blocks in one atomic step.
//
//   before   |--seal 3--||--seal 5--|            after   |--------seal 9--------|  + rollups
//               |late, seal 7|
//
// Statements that a later one replaced are no longer in the way of readers, but not lost: they move to space
// kSuperseded with the versions between which they were visible (storage/sealed/superseded.h), and what repeats the
// statement before it, as a reference. Every statement keeps its version. Blocks sealed while this goes on keep their place, above what is settled.
#ifndef HISTORIAN_STORAGE_UPKEEP_SETTLE_H_
#define HISTORIAN_STORAGE_UPKEEP_SETTLE_H_

#include <cstdint>
#include <optional>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "storage/kv/store.h"
#include "storage/model/keep_going.h"
#include "storage/model/tag.h"
#include "storage/sealed/steps.h"
#include "storage/versions/version_table.h"

namespace historian {

// What a rewritten partition keeps of a tag.
enum class Keep {
  kAll,
  kRollups,  // Raw samples have expired: their summaries, by the hour and the day at least.
  kNothing,
};

// Rewrites the blocks of the partition whose seal numbers are below `seal`, which no other block has or will
// have; `settled` is the number of the settling before. The result is the step that puts them in force, for
// Steps::Commit, which keeps what was sealed meanwhile. Damage stops it: DataLoss, and everything stays as it
// is. type_of: nothing when there is no such tag.
// Threads: any; takes as long as reading and encoding all of it, memory for a few blocks of one tag.
absl::StatusOr<Step> SettlePartition(kv::Store& store, const VersionTable& versions, int32_t partition,
                                     uint64_t settled, uint64_t seal,
                                     absl::FunctionRef<std::optional<ValueType>(TagId)> type_of,
                                     absl::FunctionRef<Keep(TagId)> keep, const KeepGoing& keep_going);

// The step that leaves nothing of the partition's blocks below `seal`.
absl::StatusOr<Step> DropPartition(kv::Store& store, int32_t partition, uint64_t seal);

// Deletes the superseded statements of tags of which raw samples are not kept.
absl::Status DropSuperseded(kv::Store& store, int32_t partition, absl::FunctionRef<Keep(TagId)> keep);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_UPKEEP_SETTLE_H_
