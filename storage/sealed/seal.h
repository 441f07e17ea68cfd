// File: storage/sealed/seal.h
//
// Turns frozen tails into blocks, and writes down what stays open: one atomic step from the state at one
// journal position to that at a later one.
//
//   kHeads, kPages   the new blocks
//   kCheckpoint      for every frozen tag what stays open of it; the producers; the partitions; the journal
//                    position
//
// A crash before the step leaves the journal to replay; one after it finds the journal's part below the
// position done.
#ifndef HISTORIAN_STORAGE_SEALED_SEAL_H_
#define HISTORIAN_STORAGE_SEALED_SEAL_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/kv/store.h"
#include "storage/sealed/partitions.h"
#include "storage/sealed/results.h"
#include "storage/sealed/retention.h"
#include "storage/tail/frozen_tail.h"

namespace historian {

// What the archive as a whole is at a seal.
struct Checkpoint {
  uint64_t journal_position = 0;
  uint64_t next_seal = 1;
};

struct SealOutcome {
  SealResult result;
  Checkpoint checkpoint;
  std::vector<std::vector<TailRun>> left;             // Of each frozen tag, for Tail::Thaw.
  std::vector<std::pair<int32_t, TagId>> changed;      // Partitions and tags where blocks were added.
  std::vector<PartitionTable::Partition> partitions;  // Those with new blocks, as they are now.
};

// What is worth a block is sealed, unless `everything`: then all of it. `before` is the checkpoint of the
// last seal, with journal_position already that of this one. producers: those whose sequence changed. On
// error nothing has changed.
absl::StatusOr<SealOutcome> WriteSeal(kv::Store& store, const Checkpoint& before,
                                      const PartitionTable& partitions, const ExpiredTable& expired,
                                      const std::vector<std::pair<std::string, uint64_t>>& producers,
                                      const std::vector<FrozenTag>& frozen, bool everything);

// Key and value of the record in kCheckpoint.
std::pair<std::string, std::string> RecordOf(const Checkpoint& checkpoint);
// Zeros and next_seal 1 when nothing was ever sealed.
absl::StatusOr<Checkpoint> ReadCheckpoint(kv::Store& store);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_SEALED_SEAL_H_
