// File: storage/upkeep/settle.h
//
// Settling rewrites one partition: blocks that overlap are merged into one sequence, pages are cut where
// rollup slots end and encoded in the densest form, rollups are computed, and all of it takes the place of
// the old blocks in one atomic step.
//
//   before   |--seal 3--||--seal 5--|            after   |--------seal 9--------|  + rollups
//               |late, seal 7|
//
// A page, a head and a key are much for the few samples that a slow tag has in a week. So what a week has of slow tags moves
// to its long partition in the same step, and is merged there with that of the other weeks, again and again as they come:
//
//   weeks            |2817|2818|2819|2820|...           fast tags, rollups, superseded statements, what is late
//   long partition   |---------------176--------...     slow tags
//
// What a week has of a tag is thus always a later statement than what the long partition has of it.
//
// Statements that a later one replaced are no longer in the way of readers, but not lost: they move to space
// kSuperseded with the versions between which they were visible (storage/sealed/superseded.h), and what repeats the
// statement before it, as a reference. Every statement keeps its version. Blocks sealed while this goes on keep their place, above what is settled.
#ifndef HISTORIAN_STORAGE_UPKEEP_SETTLE_H_
#define HISTORIAN_STORAGE_UPKEEP_SETTLE_H_

#include <cstdint>
#include <optional>
#include <vector>

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
  kRollups,  // Raw samples have expired: their summaries, by the quarter of an hour at least.
  kNothing,
};

struct SettleOrder {
  int32_t partition = 0;  // A week, or a long partition whose weeks are settled.
  uint64_t settled = 0;   // The number of its settling before.
  // Its blocks below this number are rewritten. No other block has it or will have it.
  uint64_t seal = 0;
  // The first of as many numbers more, all above `seal`: statements of different seals that move to a long partition in
  // which older ones about the same time lie are told apart by them.
  absl::FunctionRef<uint64_t(uint64_t count)> take_seals;
  // Tags with no more samples than this in a week go from there to the long partition; 0: none does.
  uint64_t slow_samples_max = 0;
  absl::FunctionRef<std::optional<ValueType>(TagId)> type_of;  // Nothing: there is no such tag.
  absl::FunctionRef<Keep(TagId, int32_t week)> keep;
};

// The weeks of a long partition that have blocks of tags of which the long partition would make rollups, ascending. They are
// settled before it, which moves these there: a rollup must tell of all.
// Cost: a walk over the heads of the long partition.
absl::StatusOr<std::vector<int32_t>> WeeksToSettleFirst(kv::Store& store, int32_t long_partition,
                                                        absl::FunctionRef<Keep(TagId, int32_t week)> keep,
                                                        const KeepGoing& keep_going);

// Rewrites a partition. The result is the step that puts it in force, for Steps::Commit, which keeps what was sealed
// meanwhile. Damage stops it: DataLoss, and everything stays as it is.
// Threads: any; takes as long as reading and encoding all of it, memory for a few blocks of one tag, and for late samples of
// slow tags.
absl::StatusOr<Step> SettlePartition(kv::Store& store, const VersionTable& versions, const SettleOrder& order,
                                     const KeepGoing& keep_going);

// The step that leaves nothing of the partition's blocks below `seal`.
absl::StatusOr<Step> DropPartition(kv::Store& store, int32_t partition, uint64_t seal);

// Deletes the superseded statements of tags of which raw samples of the week are not kept.
absl::Status DropSuperseded(kv::Store& store, int32_t week,
                            absl::FunctionRef<Keep(TagId, int32_t week)> keep);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_UPKEEP_SETTLE_H_
