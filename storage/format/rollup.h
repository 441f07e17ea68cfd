// File: storage/format/rollup.h
//
// The rollup of one tag in one partition: summaries of its samples in time slots aligned to UTC, so that a
// long range is folded without looking at pages. Levels are minutes, quarter-hours, hours and days; each level holds the
// slots that have samples. Zones are off UTC by whole quarter-hours, of which the days of all are made. Stored in space
// kRollups under RollupKey (key.h). Bytes: rollup.md.
#ifndef HISTORIAN_STORAGE_FORMAT_ROLLUP_H_
#define HISTORIAN_STORAGE_FORMAT_ROLLUP_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/aggregate/summary.h"
#include "storage/model/value.h"

namespace historian::format {

// Written into every rollup. A reader refuses one it does not know. Before 2, versions of samples were not kept; before 3, there
// were neither quarter-hours nor details of summaries.
inline constexpr uint32_t kRollupFormat = 3;

// The lengths of slots, finest first. Each is a multiple of the one before, and a partition of the last.
inline constexpr uint64_t kMinuteSlotNs = 60'000'000'000, kQuarterHourSlotNs = 15 * kMinuteSlotNs,
                          kHourSlotNs = 60 * kMinuteSlotNs, kDaySlotNs = 24 * kHourSlotNs;
inline constexpr uint64_t kSlotNs[] = {kMinuteSlotNs, kQuarterHourSlotNs, kHourSlotNs, kDaySlotNs};
inline constexpr int kRollupLevels = 4;

struct Rollup {
  struct Level {
    uint64_t slot_ns = 0;  // One of kSlotNs.
    // One summary for each slot that has samples, in order of time. Its slot is SlotOf(first.time, slot_ns).
    std::vector<Summary> slots;
  };
  ValueType type = ValueType::kFloat64;
  std::vector<Level> levels;  // Finest first; at least one.
  // The highest version of the samples: as of this one and later ones the rollup stands for what was stated.
  uint32_t highest_version = 0;

  size_t MemoryBytes() const;
};

// Returns the number of the slot that holds t, counted from 1970.
int64_t SlotOf(Timestamp t, uint64_t slot_ns);

// Requires levels as above, and that all slots lie in one partition.
void EncodeRollup(const Rollup& rollup, std::string* out);

// Errors: DataLoss, the checksum or anything else is wrong. FailedPrecondition, a newer program wrote it.
absl::StatusOr<Rollup> DecodeRollup(absl::string_view bytes);

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_ROLLUP_H_
