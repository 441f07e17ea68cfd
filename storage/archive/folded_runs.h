// File: storage/archive/folded_runs.h
//
// Runs of stored samples - pages, blocks, settled partitions - folded into intervals of equal length: for
// each interval that a run touches, the summary of its samples there. A screen that is refreshed asks for the
// same intervals of the same runs again and again; merging a few summaries is then all there is to do.
// Summaries merge exactly, so answers are those of the samples; what is stored under one seal number never
// changes, so nothing here is ever out of date.
#ifndef HISTORIAN_STORAGE_ARCHIVE_FOLDED_RUNS_H_
#define HISTORIAN_STORAGE_ARCHIVE_FOLDED_RUNS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/aggregate/summary.h"
#include "storage/archive/lru_cache.h"
#include "storage/format/key.h"

namespace historian {

// Intervals of equal length: [phase + k * step, phase + (k + 1) * step) for whole k, counted from the
// earliest time of all; 0 <= phase < step.
struct IntervalGrid {
  uint64_t step = 0;
  uint64_t phase = 0;

  // The grid of all edges but the last; nothing when they are not equally far apart, or fewer than three.
  static std::optional<IntervalGrid> Of(absl::Span<const Timestamp> edges);

  // The same for all times of an interval, and rising.
  uint64_t IntervalOf(Timestamp t) const { return (Elapsed(kTimestampMin, t) + (step - phase)) / step; }

  friend bool operator==(const IntervalGrid&, const IntervalGrid&) = default;
};

// The summaries of one run's samples by interval, in order; of their parts only those that were asked for.
// Immutable.
class FoldedRun {
 public:
  FoldedRun(const std::vector<Summary>& summaries, uint32_t parts);

  size_t size() const { return runs_.size(); }
  // Overwrites what this holds of a summary; the rest must be zero.
  void Get(size_t i, Summary* summary) const;
  size_t MemoryBytes() const;

 private:
  struct Run {
    Sample first;
    Sample last;
    uint64_t good_ns = 0;
    uint64_t uncertain_ns = 0;
    uint64_t count = 0;
    uint64_t good = 0;
    uint64_t uncertain = 0;
  };
  struct Extremes {
    Sample min;
    Sample max;
  };
  std::vector<Run> runs_;
  // As long as runs_, or empty.
  std::vector<Extremes> extremes_;
  std::vector<ExactSum> sums_, squares_, stepped_, sloped_;
};

// Makes a FoldedRun of samples and summaries of them, fed in order of time.
class GridFold {
 public:
  GridFold(ValueType type, const IntervalGrid& grid, uint32_t parts)
      : type_(type), grid_(grid), parts_(parts) {}

  uint32_t parts() const { return parts_; }
  bool FitsOneInterval(Timestamp first, Timestamp last) const {
    return grid_.IntervalOf(first) == grid_.IntervalOf(last);
  }
  // Requires that it fits.
  void AddSummary(const Summary& summary);
  void Add(const SamplesView& samples);

  FoldedRun Finish() const { return FoldedRun(summaries_, parts_); }

 private:
  const ValueType type_;
  const IntervalGrid grid_;
  const uint32_t parts_;
  std::vector<Summary> summaries_;
};

// Threads: any number.
class FoldedRuns {
 public:
  explicit FoldedRuns(size_t bytes_max) : runs_(bytes_max) {}

  // Whether so many samples from `first` to `last` are worth keeping folded: intervals hold many each.
  static bool IsWorthwhile(const IntervalGrid& grid, uint64_t samples, Timestamp first, Timestamp last);

  // A page of a block, or with kWholeBlock all of it; or, with kWholePartition, what a tag has in a partition
  // that was settled under the seal number (first_time is then 0).
  struct Key {
    format::BlockId block;
    uint32_t page = 0;
    uint32_t parts = 0;
    IntervalGrid grid;

    friend bool operator==(const Key&, const Key&) = default;
    template <typename H>
    friend H AbslHashValue(H h, const Key& key) {
      return H::combine(std::move(h), key.block.partition, key.block.tag, key.block.first_time,
                        key.block.seal, key.page, key.parts, key.grid.step, key.grid.phase);
    }
  };
  static constexpr uint32_t kWholePartition = UINT32_MAX;
  static constexpr uint32_t kWholeBlock = UINT32_MAX - 1;

  absl::StatusOr<std::shared_ptr<const FoldedRun>> Get(const Key& key,
                                                       absl::FunctionRef<absl::StatusOr<FoldedRun>()> fold);

  size_t size_bytes() const { return runs_.size_bytes(); }

 private:
  LruCache<Key, FoldedRun> runs_;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_ARCHIVE_FOLDED_RUNS_H_
