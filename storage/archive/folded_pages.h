// File: storage/archive/folded_pages.h
//
// Pages of blocks folded into intervals of equal length: for each interval that a page touches, the summary
// of its samples there. A screen that is refreshed asks for the same intervals of the same pages again and
// again; merging a few summaries a page is then all there is to do. Summaries merge exactly, so answers are
// those of the samples; blocks never change, so nothing here is ever out of date.
#ifndef HISTORIAN_STORAGE_ARCHIVE_FOLDED_PAGES_H_
#define HISTORIAN_STORAGE_ARCHIVE_FOLDED_PAGES_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/aggregate/summary.h"
#include "storage/archive/head_cache.h"
#include "storage/archive/lru_cache.h"
#include "storage/archive/page_cache.h"
#include "storage/format/key.h"

namespace historian {

// Intervals of equal length: [phase + k * step, phase + (k + 1) * step) for whole k; 0 <= phase < step.
struct IntervalGrid {
  uint64_t step = 0;
  uint64_t phase = 0;

  // The grid of all edges but the last; nothing when they are not equally far apart, or fewer than three.
  static std::optional<IntervalGrid> Of(absl::Span<const Timestamp> edges);

  friend bool operator==(const IntervalGrid&, const IntervalGrid&) = default;
};

// The summaries of one page's samples by interval, in order; of their parts only those that were asked for.
// Immutable.
class FoldedPage {
 public:
  FoldedPage(ValueType type, const SamplesView& samples, const IntervalGrid& grid, uint32_t parts);

  size_t size() const { return runs_.size(); }
  // Overwrites what this page holds of a summary; the rest must be zero.
  void Get(size_t i, Summary* summary) const;
  size_t MemoryBytes() const;

 private:
  struct Run {
    Sample first;
    Sample last;
    uint64_t good_ns = 0;
    uint64_t uncertain_ns = 0;
    uint32_t count = 0;
    uint32_t good = 0;
    uint32_t uncertain = 0;
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

// Threads: any number.
class FoldedPages {
 public:
  explicit FoldedPages(size_t bytes_max) : pages_(bytes_max) {}

  // Whether keeping page i folded is worth its memory: intervals hold many samples each.
  static bool IsWorthwhile(const IntervalGrid& grid, const Summary& page);
  // Errors of PageReader::Read.
  absl::StatusOr<std::shared_ptr<const FoldedPage>> Get(const StoredHead& head, size_t i,
                                                        const IntervalGrid& grid, uint32_t parts,
                                                        PageReader& pages);

  size_t size_bytes() const { return pages_.size_bytes(); }

 private:
  struct Key {
    format::BlockId block;
    uint32_t page = 0;
    uint32_t parts = 0;
    IntervalGrid grid;

    friend bool operator==(const Key&, const Key&) = default;
    template <typename H>
    friend H AbslHashValue(H h, const Key& key) {
      return H::combine(std::move(h), key.block.tag, key.block.first_time, key.block.seal, key.page,
                        key.parts, key.grid.step, key.grid.phase);
    }
  };

  LruCache<Key, FoldedPage> pages_;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_ARCHIVE_FOLDED_PAGES_H_
