// File: storage/format/key.h
//
// Keys of the stored spaces, ordered as bytes. Bytes: storage/format/key.md.
//
//   heads        partition | tag | first time | seal    a tag's range of time is one seek
//   pages        partition | seal | tag | first time    a seal's runs overlap no other seal's, so nothing is
//                                                       ever compacted
//   rollups      partition | tag
//   superseded   as heads                               seal: the one that made the replaced statements
//
// A partition is a week or a long partition (below). All fields are big-endian; signed ones have their sign bit flipped so that bytes sort like numbers.
#ifndef HISTORIAN_STORAGE_FORMAT_KEY_H_
#define HISTORIAN_STORAGE_FORMAT_KEY_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/model/tag.h"
#include "storage/model/timestamp.h"

namespace historian::format {

// A partition is a week from Thursday 1970-01-01T00:00Z: short enough to drop old data by whole partitions.
// Weeks are numbered from 0, and those before 1970 are negative.
inline constexpr int64_t kPartitionNanos = 7 * 86400 * kNanosPerSecond;

constexpr int32_t PartitionOf(Timestamp t) {
  return static_cast<int32_t>(t / kPartitionNanos - (t % kPartitionNanos < 0 ? 1 : 0));
}

// A long partition is sixteen weeks. Tags that have few samples in a week are settled into these, where they fill
// pages worth having. Its weeks are partitions too, of other tags, and of what has not been settled yet.
inline constexpr int32_t kLongPartitionWeeks = 16;
// The long partition that begins with week 0. Those of all times lie above all weeks.
inline constexpr int32_t kLongPartitionZero = 1 << 24;

constexpr bool IsLongPartition(int32_t partition) { return partition >= kLongPartitionZero / 2; }
// The long partition that the week belongs to. Requires !IsLongPartition(week).
constexpr int32_t LongPartitionOfWeek(int32_t week) {
  return kLongPartitionZero + week / kLongPartitionWeeks - (week % kLongPartitionWeeks < 0 ? 1 : 0);
}
constexpr int32_t LongPartitionOf(Timestamp t) { return LongPartitionOfWeek(PartitionOf(t)); }

// The first week of a partition of either length, and one past the last.
constexpr int32_t FirstWeek(int32_t partition) {
  return IsLongPartition(partition) ? (partition - kLongPartitionZero) * kLongPartitionWeeks : partition;
}
constexpr int32_t EndWeek(int32_t partition) {
  return FirstWeek(partition) + (IsLongPartition(partition) ? kLongPartitionWeeks : 1);
}
// When a partition of either length begins, and one past its last moment.
constexpr Timestamp PartitionStart(int32_t partition) { return FirstWeek(partition) * kPartitionNanos; }
constexpr Timestamp PartitionEnd(int32_t partition) { return EndWeek(partition) * kPartitionNanos; }
constexpr bool IsInPartition(Timestamp t, int32_t partition) {
  return (IsLongPartition(partition) ? LongPartitionOf(t) : PartitionOf(t)) == partition;
}

// Names one block. Later seals have higher numbers; where blocks hold the same time, the later seal's sample
// is the one readers see.
struct BlockId {
  int32_t partition = 0;
  TagId tag = 0;
  Timestamp first_time = 0;
  uint64_t seal = 0;

  friend bool operator==(const BlockId&, const BlockId&) = default;
};

std::string HeadKey(const BlockId& id);
std::string PagesKey(const BlockId& id);
// Errors: DataLoss, the bytes are not such a key.
absl::StatusOr<BlockId> ParseHeadKey(absl::string_view key);
absl::StatusOr<BlockId> ParsePagesKey(absl::string_view key);

// Returns the prefix of every head key of the tag in the partition.
std::string HeadPrefix(int32_t partition, TagId tag);

// Names the rollup of a tag in a partition.
struct RollupId {
  int32_t partition = 0;
  TagId tag = 0;

  friend bool operator==(const RollupId&, const RollupId&) = default;
};
std::string RollupKey(const RollupId& id);
// Errors: DataLoss, the bytes are not such a key.
absl::StatusOr<RollupId> ParseRollupKey(absl::string_view key);

// In each space the partition's keys begin with this prefix, and lie before that of the next partition.
std::string PartitionPrefix(int32_t partition);
// Returns the first key behind all that begin with the prefix, one of those of this header.
std::string BehindPrefix(std::string prefix);
// Returns the prefix of the partition's pages keys of this seal. Those of earlier seals lie before it.
std::string PagesPrefix(int32_t partition, uint64_t seal);
// Returns the prefix of those of one tag.
std::string PagesPrefix(int32_t partition, uint64_t seal, TagId tag);

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_KEY_H_
