// File: storage/sealed/partitions.h
//
// What the archive knows of its partitions beside their blocks: how far each is settled, and what it holds.
// One small record of each, rewritten in the same atomic step as what it speaks of.
#ifndef HISTORIAN_STORAGE_SEALED_PARTITIONS_H_
#define HISTORIAN_STORAGE_SEALED_PARTITIONS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "storage/kv/store.h"

namespace historian {

struct PartitionState {
  // The seal number under which the partition was last settled (rewritten as a whole); 0: never. Payloads of
  // lower numbers are garbage.
  uint64_t settled = 0;
  bool garbage = false;    // Perhaps there are such.
  uint64_t last_seal = 0;  // The highest seal number of its blocks.

  // Of all its blocks and rollups.
  uint64_t samples = 0;
  uint64_t blocks = 0;
  uint64_t bytes = 0;
  // Of these, samples in blocks newer than the last settling; and of those, samples that came late.
  uint64_t unsettled_samples = 0;
  uint64_t late_samples = 0;
  uint64_t seals = 0;  // That put blocks into it since the last settling: each has files of its own.

  // Newer blocks than the settled ones: its rollups do not tell all.
  bool dirty() const { return last_seal > settled; }
};

// Threads: any number.
class PartitionTable {
 public:
  using Partition = std::pair<int32_t, PartitionState>;

  // Reads all records. An archive from before there were such gets them from its blocks' heads, and so does one of which
  // records are damaged. DataLoss: some are, or heads are too; the table has what could be read, and says of no partition
  // that it is settled.
  absl::Status Load(kv::Store& store);

  // All zeros when there is nothing in it.
  PartitionState Get(int32_t partition) const;
  std::vector<Partition> All() const;  // In order of time.
  void Set(const std::vector<Partition>& partitions);

  size_t MemoryBytes() const;

  // Sums over all partitions.
  PartitionState Totals() const;

  // Key and value of a partition's record in kCheckpoint.
  static std::pair<std::string, std::string> RecordOf(const Partition& partition);

 private:
  mutable absl::Mutex mu_;
  std::map<int32_t, PartitionState> states_ ABSL_GUARDED_BY(mu_);
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_SEALED_PARTITIONS_H_
