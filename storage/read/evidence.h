// File: storage/read/evidence.h
//
// What a number over an interval rests on: the samples that an aggregate looks at, and where they are stored.
//
//   samples    first .. c1 .. c2 .. b | members .......... | a .. ac .. newest
//
// Beside the members these are the tag's first sample and its newest, the two before the interval that do not count as Bad, the
// first behind it that does not, and the nearest on either side. With them each aggregate, by its definition
// (storage/aggregate/direct_aggregates.h), is that of all samples of the tag.
#ifndef HISTORIAN_STORAGE_READ_EVIDENCE_H_
#define HISTORIAN_STORAGE_READ_EVIDENCE_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "storage/aggregate/interval_fold.h"
#include "storage/format/key.h"
#include "storage/model/samples.h"
#include "storage/model/timestamp.h"

namespace historian {

struct EvidenceRequest {
  Timestamp start = 0;  // start <= time < end are the members.
  Timestamp end = 0;
  FoldConfig config;         // What counts as Bad, and the unit of time. Not backward.
  uint64_t members_max = 0;  // With more, none is read.
  // Asked before so many more are kept, with so many bytes of text; false: none is. Null: always true.
  std::function<bool(uint64_t samples, uint64_t text_bytes)> take;
};

// A block that has samples in the interval.
struct EvidenceBlock {
  format::BlockId id;
  Timestamp first_time = 0;
  Timestamp last_time = 0;
  uint64_t samples = 0;
  uint32_t pages = 0;
  uint64_t bytes = 0;  // Head and payload.
  // Of its pages those that reach into the interval, and the lowest and highest version of their samples.
  uint32_t first_page_read = 0;
  uint32_t pages_read = 0;
  uint32_t lowest_version = 0;
  uint32_t highest_version = 0;
};

// A week that the interval reaches into and that has something of the tag.
struct EvidencePartition {
  int32_t partition = 0;
  bool raw_has_expired = false;
  bool all_has_expired = false;
  bool has_tail = false;        // Samples that are not sealed yet may lie there.
  bool has_rollup = false;      // One that sums up the whole week, as it is now.
  uint64_t finest_slot_ns = 0;  // Of the rollup.
  uint32_t rollup_version = 0;  // The highest of what it sums up.
};

// Of a long interval no more of either are listed.
inline constexpr size_t kEvidencePartitionsMax = 1000;
inline constexpr size_t kEvidenceBlocksMax = 1000;

struct Evidence {
  // Where raw samples of the interval have expired, or members are too many, there are none, and has_members is false.
  Samples samples;
  bool has_members = false;
  bool too_many = false;
  bool raw_has_expired = false;
  // In order of time.
  std::vector<EvidencePartition> partitions;
  uint64_t partitions_left_off = 0;
  std::vector<EvidenceBlock> blocks;
  uint64_t blocks_left_off = 0;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_READ_EVIDENCE_H_
