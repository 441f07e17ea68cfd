// File: storage/sealed/steps.h
//
// What is sealed changes in steps, one at a time, each of them all or nothing: a seal, the end of a settling,
// a partition dropped, garbage gone. The code that makes a step writes its blocks with a BlockWriter and
// commits them here. This class alone numbers seals, keeps the partitions' records and the checkpoint, and hands a step to the
// store.
//
//   Step{blocks, records, ...} -> Commit -> one Store::Ingest: blocks, records, partitions, checkpoint
//                                             |
//                                        `forget`: what is cached of it
//                                             |
//                                        the partition table says so
//
// Threads: any number. The mutex is held during a step, and taken before all other locks of the archive.
#ifndef HISTORIAN_STORAGE_SEALED_STEPS_H_
#define HISTORIAN_STORAGE_SEALED_STEPS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "storage/kv/store.h"
#include "storage/sealed/block_writer.h"
#include "storage/sealed/partitions.h"

namespace historian {

// What the archive as a whole is at a step.
struct Checkpoint {
  uint64_t journal_position = 0;  // What the journal has below it is in blocks and records.
  uint64_t next_seal = 1;         // No seal number from here on was given to anything that is stored.
};
// That of the last step; of a new archive, the first. DataLoss: the record is damaged.
absl::StatusOr<Checkpoint> ReadCheckpoint(kv::Store& store);

struct Step {
  WrittenBlocks blocks;
  // A partition, and a seal number in it.
  struct Place {
    int32_t partition = 0;
    uint64_t seal = 0;
  };
  // The partition was rewritten under the number: the step replaces its blocks with lower numbers (the
  // writer's Replace or Drop). Blocks that were sealed into it meanwhile, with higher numbers, stay.
  std::optional<Place> rewritten;
  // The partition's payloads with lower numbers are gone.
  std::optional<Place> cleaned;
  // Keys and values for kCheckpoint, in any order.
  std::vector<std::pair<std::string, std::string>> records;
  // Everything the journal has below this position is in blocks and records from now on. Nothing: as before.
  std::optional<uint64_t> journal_position;
};

class Steps {
 public:
  // forget: called in each step after the store has taken it in, before anybody can learn of it elsewhere.
  // The store and the table must outlive the steps.
  Steps(kv::Store& store, PartitionTable& partitions, std::function<void(const Step&)> forget)
      : store_(store), partitions_(partitions), forget_(std::move(forget)) {}

  // Before anything else: reads the checkpoint and the partitions. DataLoss: some of it is damaged, so that no step may be
  // committed; what could be read is there.
  absl::Status Load() ABSL_LOCKS_EXCLUDED(mu_);

  // Hold it from when a step looks at what there is until its Commit.
  absl::Mutex& mu() ABSL_LOCK_RETURNED(mu_) { return mu_; }

  // The first of `count` consecutive seal numbers that nobody else gets, above all that were given before.
  uint64_t TakeSeals(uint64_t count = 1) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Takes the step in. Returns the partitions it changed, as they are now. After an error nothing has
  // changed; the step is used up, and its numbers are.
  absl::StatusOr<std::vector<PartitionTable::Partition>> Commit(Step step) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // That of the last step that gave one. Nothing: the checkpoint is damaged.
  std::optional<uint64_t> journal_position() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // The partitions as the step leaves them.
  absl::StatusOr<std::vector<PartitionTable::Partition>> PartitionsAfter(Step* step)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  kv::Store& store_;
  PartitionTable& partitions_;
  const std::function<void(const Step&)> forget_;

  mutable absl::Mutex mu_;
  Checkpoint checkpoint_ ABSL_GUARDED_BY(mu_);
  bool checkpoint_is_damaged_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_SEALED_STEPS_H_
