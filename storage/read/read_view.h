// File: storage/read/read_view.h
//
// What one read of one tag sees, from its beginning to its end, and what it works with.
//
//   Archive -> ReadView -> raw_reader.h       samples, batch by batch
//                       -> at_times_reader.h  values at times
//                       -> fold_reader.h      intervals, figures, neighbours
//
// All three go over the view by a cursor (cluster_cursor.h).
#ifndef HISTORIAN_STORAGE_READ_READ_VIEW_H_
#define HISTORIAN_STORAGE_READ_READ_VIEW_H_

#include <functional>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/format/key.h"
#include "storage/kv/store.h"
#include "storage/model/keep_going.h"
#include "storage/read/figure_cache.h"
#include "storage/read/head_cache.h"
#include "storage/read/page_cache.h"
#include "storage/sealed/partitions.h"
#include "storage/sealed/reader_pins.h"
#include "storage/sealed/retention.h"
#include "storage/tail/tag_sources.h"
#include "storage/versions/version_table.h"

namespace historian {

// What the reads of an archive share.
struct ReadCaches {
  HeadCache& heads;
  PageCache& pages;
  FigureCache& figures;
};

// The tail as it was when the view was made, and every block there was then; as of an earlier version, what it saw of
// them. Immutable, so that several threads may read it; the store, the caches and the tables must outlive it.
struct ReadView : TagSources {
  ReadView(ReaderPins::Pin reader_pin, Version as_of_version, TagSources sources,
           std::shared_ptr<const ExpiredTable> expired_table, kv::Store& read_store, ReadCaches read_caches,
           const PartitionTable& partition_table, const VersionTable& version_table)
      : TagSources(std::move(sources)),
        pin(std::move(reader_pin)),
        as_of(as_of_version),
        expired(std::move(expired_table)),
        store(read_store),
        caches(read_caches),
        partitions(partition_table),
        versions(version_table) {}

  // Keeps the blocks that may be read: it must have been taken before the sources.
  ReaderPins::Pin pin;
  // What was stated later is not seen. The tail has been left without it (TailView::AsOf).
  Version as_of;
  std::shared_ptr<const ExpiredTable> expired;
  kv::Store& store;
  ReadCaches caches;
  const PartitionTable& partitions;
  const VersionTable& versions;
  // DataLoss when something of the tail is lost; then oldest and newest tell how far its blocks may reach.
  absl::Status damage;
  KeepGoing keep_going;
  // Told how each read ended, on the reading thread; null: nobody is.
  std::function<void(const absl::Status&)> note_end;

  bool empty() const { return oldest > newest; }

  // Readers see no samples of the partition; nor do folds.
  bool HasExpired(int32_t partition) const {
    const Expired* const of_tag = expired->Of(tag);
    return of_tag != nullptr && of_tag->HasRaw(partition);
  }
  bool HasAllExpired(int32_t partition) const {
    const Expired* const of_tag = expired->Of(tag);
    return of_tag != nullptr && of_tag->HasAll(partition);
  }
  // The tail may have samples in the partition.
  bool TailReaches(int32_t partition) const {
    return tail != nullptr &&
           tail->Reaches(format::PartitionStart(partition), format::PartitionEnd(partition) - 1);
  }

  absl::Status GoOn() const { return keep_going == nullptr ? absl::OkStatus() : keep_going(); }
  // Tells how a read ended, and hands that on.
  absl::Status Ended(absl::Status status) const {
    if (note_end != nullptr) note_end(status);
    return status;
  }
  template <typename T>
  absl::StatusOr<T> Ended(absl::StatusOr<T> result) const {
    if (note_end != nullptr) note_end(result.status());
    return result;
  }
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_READ_READ_VIEW_H_
