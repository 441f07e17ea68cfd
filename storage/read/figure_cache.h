// File: storage/read/figure_cache.h
//
// Figures (storage/aggregate/figure_run.h) of runs of stored samples - pages, blocks, settled partitions - in
// intervals of equal length. A screen that is refreshed asks for the same figures of the same runs again and
// again; copying them is then all there is to do. They are made of the samples by exact sums, whatever way,
// so answers are those of the samples; what is stored under one seal number never changes, so nothing here is
// ever out of date.
#ifndef HISTORIAN_STORAGE_READ_FIGURE_CACHE_H_
#define HISTORIAN_STORAGE_READ_FIGURE_CACHE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "storage/aggregate/even_intervals.h"
#include "storage/aggregate/figure_run.h"
#include "storage/format/key.h"
#include "storage/model/data_version.h"
#include "storage/read/lru_cache.h"

namespace historian {

// Threads: any number.
class FigureCache {
 public:
  // closed: see LruCache.
  explicit FigureCache(size_t bytes_max, const std::atomic<bool>* closed = nullptr)
      : runs_(bytes_max, closed) {}

  // Whether figures of this many samples, from `first` to `last`, are worth caching: each interval
  // holds many.
  static bool IsWorthwhile(const EvenIntervals& intervals, uint64_t samples, Timestamp first, Timestamp last);

  // A page of a block, or with kWholeBlock all of it; or, with kWholePartition, what a tag has in a partition
  // that was settled under the seal number (first_time is then 0).
  struct Key {
    format::BlockId block;
    uint32_t page = 0;
    uint32_t parts = 0;  // Of the fold.
    EvenIntervals intervals;
    std::string figures;          // Their maker's id.
    Version as_of = kVersionNow;  // Of a whole partition. A block has what it has.

    friend bool operator==(const Key&, const Key&) = default;
    template <typename H>
    friend H AbslHashValue(H h, const Key& key) {
      return H::combine(std::move(h), key.block.partition, key.block.tag, key.block.first_time,
                        key.block.seal, key.page, key.parts, key.intervals.step, key.intervals.phase,
                        key.figures, key.as_of);
    }
  };
  static constexpr uint32_t kWholePartition = UINT32_MAX;
  static constexpr uint32_t kWholeBlock = UINT32_MAX - 1;

  absl::StatusOr<std::shared_ptr<const FigureRun>> Get(const Key& key,
                                                       absl::FunctionRef<absl::StatusOr<FigureRun>()> make);
  // Null when it is not here.
  std::shared_ptr<const FigureRun> Find(const Key& key) { return runs_.Find(key); }
  bool Has(const Key& key) const { return runs_.Has(key); }

  void SetBytesMax(size_t bytes_max) { runs_.SetBytesMax(bytes_max); }
  size_t size_bytes() const { return runs_.size_bytes(); }

 private:
  LruCache<Key, FigureRun> runs_;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_READ_FIGURE_CACHE_H_
