// File: storage/read/tag_reader.h
//
// All reading of one tag: cluster by cluster (raw_reader.h makes batches of them), folded, at a time. A
// reader sees the tail as it was when the reader was made, and every block there was then.
#ifndef HISTORIAN_STORAGE_READ_TAG_READER_H_
#define HISTORIAN_STORAGE_READ_TAG_READER_H_

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/aggregate/figures.h"
#include "storage/model/keep_going.h"
#include "storage/read/figure_cache.h"
#include "storage/read/head_cache.h"
#include "storage/read/partition_view.h"
#include "storage/read/read_view.h"
#include "storage/sealed/partitions.h"
#include "storage/sealed/reader_pins.h"

namespace historian {

// Threads: one at a time. The caches and the table must outlive it. The pin was taken before the
// sources: it keeps the blocks that may be read.
class TagReader {
 public:
  TagReader(HeadCache& heads, PageCache& pages, FigureCache& figures, const PartitionTable& partitions,
            ReaderPins::Pin pin, ReadView sources, KeepGoing keep_going)
      : heads_(heads),
        figures_(figures),
        partitions_(partitions),
        pin_(std::move(pin)),
        pages_(pages),
        sources_(std::move(sources)),
        keep_going_(std::move(keep_going)) {}

  const ReadView& sources() const { return sources_; }

  absl::Status Fold(absl::Span<const Timestamp> edges, Interpolation interpolation, uint32_t parts,
                    IntervalSink sink);
  absl::Status Figures(absl::Span<const Timestamp> edges, Interpolation interpolation,
                       const FigureMaker& maker, FigureTable to);
  // Whether Figures would find what settled partitions within the edges amount to in the cache.
  bool HasFigures(absl::Span<const Timestamp> edges, Interpolation interpolation,
                  const FigureMaker& maker) const;
  absl::StatusOr<Samples> AtTimes(absl::Span<const Timestamp> times, Interpolation interpolation,
                                  bool uncertain_as_bad);
  absl::StatusOr<std::optional<Sample>> SampleBefore(Timestamp t);
  absl::StatusOr<std::optional<Sample>> SampleAtOrAfter(Timestamp t);

  // A place among the tag's clusters, over all partitions. Invalid past either end.
  class Position {
   public:
    bool valid() const { return view_ != nullptr; }
    Timestamp first_time() const { return view_->first_time(cluster_); }
    Timestamp last_time() const { return view_->last_time(cluster_); }
    const Summary* summary() const { return view_->summary(cluster_); }

   private:
    friend class TagReader;
    int32_t partition_ = 0;
    std::shared_ptr<const PartitionView> view_;
    size_t cluster_ = 0;
  };
  // The first cluster that ends at or after t.
  absl::StatusOr<Position> Seek(Timestamp t);
  // The last cluster that begins before t.
  absl::StatusOr<Position> SeekBefore(Timestamp t);
  absl::Status Next(Position* position);
  absl::Status Prev(Position* position);
  // See PartitionView::Read.
  absl::Status Read(const Position& position, std::shared_ptr<const Samples>* samples);
  // For a long read that will not be repeated soon, see PageFetcher.
  void PassThrough() { pages_.PassThrough(); }

  // Damage met in heads so far; the clusters they held are missing.
  const absl::Status& head_damage() const { return head_damage_; }

 private:
  absl::StatusOr<std::shared_ptr<const PartitionView>> View(int32_t partition);
  bool TailReaches(int32_t partition) const;
  // The seal number under which the partition was settled; 0 when it was not, or something newer lies there.
  uint64_t SettledSeal(int32_t partition) const;
  // The rollup that stands for all of the partition; null when there is none or something newer lies there.
  absl::StatusOr<std::shared_ptr<const format::Rollup>> RollupOf(int32_t partition);
  // What makes figures worth keeping: intervals of equal length.
  struct Kept {
    EvenIntervals intervals;
    Timestamp end = 0;  // Where the intervals asked for leave it: the last may be shorter.
    Interpolation interpolation;
    const FigureMaker& maker;
    FigureTable to;
  };
  static std::optional<Kept> KeptOf(absl::Span<const Timestamp> edges, Interpolation interpolation,
                                    const FigureMaker& maker, FigureTable to);
  FigureCache::Key KeyOf(const Kept& kept, const format::BlockId& block, uint32_t page) const;

  absl::Status FoldAll(absl::Span<const Timestamp> edges, const Kept* kept, IntervalFold* fold);
  // Fold what lies in [from, to), which is within the partition, into a fold or a builder. With `kept`, figures
  // of pages, blocks or all of the partition are copied from the cache.
  template <typename Sink>
  absl::Status FoldSlots(const format::Rollup& rollup, size_t level, int32_t partition, Timestamp from,
                         Timestamp to, const Kept* kept, Sink* sink);
  template <typename Sink>
  absl::Status FoldClusters(int32_t partition, Timestamp from, Timestamp to, const Kept* kept, Sink* sink);
  // Adds the figures of the block, or else the page, that begins at the cluster, if they are worth keeping;
  // returns how many clusters that was.
  absl::StatusOr<size_t> FoldKept(const PartitionView& view, size_t cluster, Timestamp to, const Kept& kept,
                                  IntervalFold* fold);
  // Folds [from, to) of the partition by the shortest way.
  absl::Status FoldPartition(int32_t partition, Timestamp from, Timestamp to, const Kept* kept,
                             IntervalFold* fold);
  // The tag's nearest samples outside a fold, which may be known only as the ends of runs that a rollup sums
  // up.
  absl::StatusOr<std::optional<Sample>> NeighbourBefore(Timestamp t);
  absl::StatusOr<std::optional<Sample>> NeighbourAtOrAfter(Timestamp t);
  // The same in one partition of which raw samples have expired: of those that are known still.
  absl::StatusOr<std::optional<Sample>> LastBeforeIn(int32_t partition, Timestamp t);
  absl::StatusOr<std::optional<Sample>> FirstAtOrAfterIn(int32_t partition, Timestamp t);
  // The same in the cluster at the position, which has one.
  absl::StatusOr<std::optional<Sample>> LastBefore(const Position& position, Timestamp t);
  absl::StatusOr<std::optional<Sample>> FirstAtOrAfter(const Position& position, Timestamp t);
  // What to say when an interval cuts a slot of which nothing else is left.
  absl::Status OnlyRollups(uint64_t slot_ns, int32_t partition) const;

  absl::Status Forward(Position* position, int32_t partition);
  absl::Status Backward(Position* position, int32_t partition);

  HeadCache& heads_;
  FigureCache& figures_;
  const PartitionTable& partitions_;
  const ReaderPins::Pin pin_;
  PageFetcher pages_;
  const ReadView sources_;
  const KeepGoing keep_going_;
  absl::Status head_damage_;
  // The last view made: a reader goes back and forth at the edges of a range.
  int32_t view_partition_ = 0;
  std::shared_ptr<const PartitionView> view_;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_READ_TAG_READER_H_
