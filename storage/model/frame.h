// File: storage/model/frame.h
//
// What a producer writes as one: columns of samples of single tags, and snapshots of many tags at one time.
#ifndef HISTORIAN_STORAGE_MODEL_FRAME_H_
#define HISTORIAN_STORAGE_MODEL_FRAME_H_

#include <cstdint>
#include <string>
#include <vector>

#include "storage/model/samples.h"
#include "storage/model/tag.h"

namespace historian {

// Samples of one tag. Times should rise strictly; those that do not are rejected one by one.
struct FrameColumn {
  TagId tag = 0;
  ValueType type = ValueType::kFloat64;
  Samples samples;     // values as long as times; qualities empty or as long.
  uint32_t index = 0;  // Of the column in the producer's message, for rejections.

  size_t MemoryBytes() const { return sizeof(FrameColumn) + samples.MemoryBytes(); }
};

// One time, one value for each of many tags of one type.
struct FrameSnapshot {
  Timestamp time = 0;
  ValueType type = ValueType::kFloat64;
  std::vector<TagId> tags;
  std::vector<ValueBits> values;   // As long as tags.
  std::vector<Quality> qualities;  // Empty (all Good) or as long as tags.
  StringColumn strings;
  uint32_t index = 0;

  size_t MemoryBytes() const {
    return sizeof(FrameSnapshot) + tags.capacity() * sizeof(TagId) + values.capacity() * sizeof(ValueBits) +
           qualities.capacity() * sizeof(Quality) + strings.MemoryBytes();
  }
};

struct Frame {
  uint64_t sequence = 0;
  std::vector<FrameColumn> columns;
  std::vector<FrameSnapshot> snapshots;

  size_t MemoryBytes() const {
    size_t bytes = 0;
    for (const FrameColumn& column : columns) bytes += column.MemoryBytes();
    for (const FrameSnapshot& snapshot : snapshots) bytes += snapshot.MemoryBytes();
    return bytes;
  }
};

// What one frame may hold, so that its journal record stays within the journal's limit.
inline constexpr size_t kFrameSamplesMax = size_t{4} << 20;
inline constexpr size_t kFrameTextBytesMax = size_t{32} << 20;

enum class RejectionReason : uint8_t {
  kUnknownTag = 1,
  kRetiredTag = 2,
  kWrongType = 3,
  kLengthMismatch = 4,
  kTimeOutOfRange = 5,
  kTimeNotAscending = 6,
  kUnknownQuality = 7,
  kValueTooLarge = 8,
  kExpired = 9,
  kNotPermitted = 10,
};

// Samples [first, first + count) of a column or snapshot that were not stored.
struct Rejection {
  uint64_t sequence = 0;
  uint32_t index = 0;
  bool in_snapshot = false;
  uint32_t first = 0;
  uint32_t count = 0;
  TagId tag = 0;
  Timestamp time = 0;
  RejectionReason reason = RejectionReason::kUnknownTag;
  std::string message;
};

// At most so many are listed for one frame; the others are only counted.
inline constexpr size_t kRejectionsListedMax = 1000;

}  // namespace historian

#endif  // HISTORIAN_STORAGE_MODEL_FRAME_H_
