// File: storage/sealed/block_writer.h
//
// The one place where blocks leave for the store. It writes what a step adds, as sorted runs:
//
//   payloads     kPages, a run for each partition, so that dropping a partition drops files
//   heads        kHeads
//   rollups      kRollups
//   superseded   kSuperseded: statements that are in no block any more
//
// and counts what that is, for the partitions' records. Steps::Commit (steps.h) takes it in.
//
// Threads: one at a time. Errors: the store's; after one the writer is of no use.
#ifndef HISTORIAN_STORAGE_SEALED_BLOCK_WRITER_H_
#define HISTORIAN_STORAGE_SEALED_BLOCK_WRITER_H_

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/format/rollup.h"
#include "storage/kv/store.h"
#include "storage/model/tag.h"
#include "storage/sealed/planned_block.h"
#include "storage/sealed/superseded.h"

namespace historian {

// What a step adds to a partition.
struct Added {
  uint64_t last_seal = 0;  // The highest seal number among its blocks.
  uint64_t samples = 0;
  uint64_t late_samples = 0;  // Those that came late, a part of samples.
  uint64_t blocks = 0;
  uint64_t bytes = 0;  // Heads, payloads and rollups.

  Added& operator+=(const Added& more);
};

// What a writer wrote.
struct WrittenBlocks {
  std::vector<std::unique_ptr<kv::RunBuilder>> runs;
  std::map<int32_t, Added> added;  // By partition.
  // Partitions and tags that have heads beside those they had, ascending. Empty for what replaces a
  // partition.
  std::vector<std::pair<int32_t, TagId>> changed;
};

class BlockWriter {
 public:
  // Blocks with higher seal numbers than in_order_seal hold late samples.
  BlockWriter(kv::Store& store, uint64_t in_order_seal) : store_(store), in_order_seal_(in_order_seal) {}

  // What the partition has of heads and rollups goes in the same step in which what is added comes; what it
  // has of payloads is garbage from then on. Before anything else.
  absl::Status Replace(int32_t partition);

  // As Replace, and superseded statements go too: for a partition of which nothing is kept.
  absl::Status Drop(int32_t partition);

  // Adds blocks in any order. Once, and not together with Add.
  absl::Status AddAll(std::vector<PlannedBlock> blocks);
  // Adds one block, of the same partition and seal as all others; tags, and times of a tag, ascend.
  absl::Status Add(const PlannedBlock& block);
  // Tags ascend.
  absl::Status AddRollup(const format::RollupId& id, absl::string_view bytes);
  // Keys as those of heads, ascending.
  absl::Status AddSuperseded(const SupersededBlock& block);
  // Writes a head that is stored already once more, with its bytes; its payload is where it is. Counts
  // nothing. Keys ascend.
  absl::Status KeepHead(const format::BlockId& id, absl::string_view bytes);

  WrittenBlocks Finish();

 private:
  absl::Status ReplaceIn(int32_t partition, std::initializer_list<kv::Space> spaces);
  absl::StatusOr<kv::RunBuilder*> RunOf(kv::Space space);
  absl::Status AddPayload(const PlannedBlock& block, kv::RunBuilder* run);
  absl::Status AddHead(const PlannedBlock& block, kv::RunBuilder* run);

  kv::Store& store_;
  const uint64_t in_order_seal_;
  std::map<kv::Space, std::unique_ptr<kv::RunBuilder>> runs_;  // Under construction.
  bool replaces_ = false;
  WrittenBlocks written_;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_SEALED_BLOCK_WRITER_H_
