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

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "storage/kv/store.h"
#include "storage/sealed/partitions.h"
#include "storage/sealed/results.h"
#include "storage/sealed/retention.h"
#include "storage/sealed/steps.h"
#include "storage/tail/frozen_tail.h"

namespace historian {

// What a seal is made of: all as of one cut through everything at one position of the journal.
struct SealInput {
  uint64_t journal_position = 0;
  // Names and records of the producers that changed.
  std::vector<std::pair<std::string, std::string>> producers;
  // Records of the versions that closed since the last seal (VersionTable::Unwritten).
  std::vector<std::pair<std::string, std::string>> versions;
  std::vector<FrozenTag> frozen;
  // What has expired is not sealed any more.
  std::shared_ptr<const ExpiredTable> expired;
  // Seals also what is too little for a block worth having.
  bool everything = false;
};

struct SealOutcome {
  SealResult result;
  std::vector<std::vector<PageRun>> left;             // Of each frozen tag, for Tail::Thaw.
  std::vector<PartitionTable::Partition> partitions;  // Those with new blocks, as they are now.
};

// Seals: one step. On error nothing has changed.
absl::StatusOr<SealOutcome> Seal(kv::Store& store, Steps& steps, const SealInput& input)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(steps.mu());

}  // namespace historian

#endif  // HISTORIAN_STORAGE_SEALED_SEAL_H_
