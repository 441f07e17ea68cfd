// File: storage/upkeep/verify.h
//
// Reads everything that is stored and checks it, while everything else goes on:
//
//   journal      every batch's checksum, every record of it decoded
//   records      tags, producers, the checkpoint, partitions
//   tails        what was open at the last seal: pages against their heads
//   blocks       head: checksum, key against content, tag and type
//                pages: checksum, decoding, canonical values, and against the head: count, times, and the
//                Summary recomputed from the samples, field by field
//   rollups      against the summaries recomputed from the settled blocks' pages
//   superseded   as blocks
//
// In this order, in which samples move too, so that no sample is missed. What a seal or settling replaces
// meanwhile is no damage: before anything is reported it is looked up again, and read anew when it changed.
// Damage does not end it: what is behind is checked all the same.
//
// Threads: the calling one, for as long as it takes. Memory: one block, and the rollup of one tag and week.
#ifndef HISTORIAN_STORAGE_UPKEEP_VERIFY_H_
#define HISTORIAN_STORAGE_UPKEEP_VERIFY_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/model/tag.h"
#include "storage/model/timestamp.h"

namespace historian {

namespace kv {
class Store;
}
class Journal;
class PartitionTable;
class TagRegistry;
class VersionTable;

struct VerifyOptions {
  // Of these tags only, what is sealed and superseded. Empty: of all, and records, tails and journal too.
  std::vector<TagId> tags;
  // Blocks and rollups of the partitions (weeks) that start <= time < end touches.
  Timestamp start = kTimestampMin;
  Timestamp end = kTimestampMax + 1;
  uint64_t bytes_per_second = 0;  // Reads no faster. 0: as fast as it can.
};

enum class StoredPart : uint8_t { kBlock, kPage, kRollup, kSuperseded, kTail, kRecord, kJournal };

struct Damage {
  StoredPart part = StoredPart::kBlock;
  TagId tag = 0;  // 0: of no tag in particular.
  // What is damaged lies from here to there, both included; both 0 when that is not known.
  Timestamp first_time = 0;
  Timestamp last_time = 0;
  std::string what;
};

// In one line: where it is, of which tag and times as far as these are known, and what it is.
std::string DescribeDamage(const Damage& damage);

struct VerifyCounts {
  uint64_t tags = 0;  // With blocks, once for each partition.
  uint64_t blocks = 0;
  uint64_t pages = 0;  // Of blocks, tails and superseded statements.
  uint64_t samples = 0;
  uint64_t rollups = 0;
  uint64_t records = 0;
  uint64_t bytes = 0;
  uint64_t damages = 0;
};

struct VerifyObserver {
  // Each may be null. on_progress: about once a second.
  std::function<void(const Damage&)> on_damage;
  std::function<void(const VerifyCounts&)> on_progress;
  std::function<absl::Status()> keep_going;  // Anything but OK ends it with that status.
};

// What is verified; all must outlive the call.
struct VerifySources {
  kv::Store& store;
  const TagRegistry& tags;
  const VersionTable& versions;
  const PartitionTable& partitions;
  Journal& journal;
};

// The counts at the end. Errors: keep_going's; the store's, when it cannot be read at all (Unavailable).
absl::StatusOr<VerifyCounts> Verify(const VerifySources& sources, const VerifyOptions& options,
                                    const VerifyObserver& observer);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_UPKEEP_VERIFY_H_
