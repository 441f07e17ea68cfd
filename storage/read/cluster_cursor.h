// File: storage/read/cluster_cursor.h
//
// The clusters of a tag (partition_view.h), those of all partitions in one sequence, in which time rises:
//
//   partition   |-----------2817-----------|---2818---|-----------2819-----------|
//   clusters      |--0--||--1--|   |--2--|   (expired)   |--0--|     |-----1-----|
//   Next           ------>------------->------------------>----------->
//   Prev           <------<-------------<------------------<-----------<
//
// What has expired, and partitions without samples, are passed over. All readers of read_view.h stand on it.
#ifndef HISTORIAN_STORAGE_READ_CLUSTER_CURSOR_H_
#define HISTORIAN_STORAGE_READ_CLUSTER_CURSOR_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/aggregate/interval_fold.h"
#include "storage/aggregate/summary.h"
#include "storage/model/samples.h"
#include "storage/read/page_cache.h"
#include "storage/read/partition_view.h"
#include "storage/read/read_view.h"

namespace historian {

// Threads: one at a time. The view must outlive it.
// Errors: those of the view's keep_going and of the store. A damaged head is not among them: the clusters it
// held are missing, and head_damage() tells.
class ClusterCursor {
 public:
  explicit ClusterCursor(const ReadView& view)
      : view_(view), pages_(view.caches.pages), head_damage_(view.damage) {}

  const ReadView& view() const { return view_; }

  // A place in the sequence. Invalid past either end.
  class Position {
   public:
    bool valid() const { return in_ != nullptr; }
    Timestamp first_time() const { return in_->first_time(cluster_); }
    Timestamp last_time() const { return in_->last_time(cluster_); }
    const Summary* summary() const { return in_->summary(cluster_); }
    friend bool operator==(const Position&, const Position&) = default;

   private:
    friend class ClusterCursor;
    int32_t partition_ = 0;
    std::shared_ptr<const PartitionView> in_;
    size_t cluster_ = 0;
  };
  // The first cluster that ends at or after t.
  absl::StatusOr<Position> Seek(Timestamp t);
  // The last cluster that begins before t.
  absl::StatusOr<Position> SeekBefore(Timestamp t);
  // Require a valid position.
  absl::Status Next(Position* position);
  absl::Status Prev(Position* position);
  // See PartitionView::Read.
  absl::Status Read(const Position& position, std::shared_ptr<const Samples>* samples);

  // The newest visible sample of that kind before t, and the first at or after it. Clusters without one are passed over by
  // their summaries.
  using Kind = FoldSource::Kind;
  absl::StatusOr<std::optional<Sample>> SampleBefore(Timestamp t, Kind kind = Kind::kAny);
  absl::StatusOr<std::optional<Sample>> SampleAtOrAfter(Timestamp t, Kind kind = Kind::kAny);

  // The clusters of one partition, also when its raw samples have expired but lie there still.
  absl::StatusOr<std::shared_ptr<const PartitionView>> In(int32_t partition);
  // The nearest samples among those of In().
  absl::StatusOr<std::optional<Sample>> SampleBeforeIn(int32_t partition, Timestamp t);
  absl::StatusOr<std::optional<Sample>> SampleAtOrAfterIn(int32_t partition, Timestamp t);

  // By which pages are read.
  PageFetcher& pages() { return pages_; }
  // The last damage met so far in heads, in what an earlier version saw of blocks, and that of the view; OK without any.
  const absl::Status& head_damage() const { return head_damage_; }

 private:
  // *position becomes the first cluster of the partition or of those behind it, the last one of the partition
  // or of those before it.
  absl::Status Forward(Position* position, int32_t partition);
  absl::Status Backward(Position* position, int32_t partition);
  // The nearest sample in the cluster at the position. It begins before t; it ends at or after t.
  absl::StatusOr<std::optional<Sample>> LastBefore(const Position& position, Timestamp t);
  absl::StatusOr<std::optional<Sample>> FirstAtOrAfter(const Position& position, Timestamp t);

  const ReadView& view_;
  PageFetcher pages_;
  absl::Status head_damage_;
  // What In() returned last, as a reader goes back and forth at the edges of a range.
  int32_t last_partition_ = 0;
  std::shared_ptr<const PartitionView> last_;
};

// The sample i, without its text.
Sample SampleAt(ValueType type, const SamplesView& samples, size_t i);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_READ_CLUSTER_CURSOR_H_
