// File: storage/read/head_cache.h
//
// The decoded block heads and rollups of (week, tag), within a number of bytes: heads of blocks of the week, and of those
// of its long partition that have something of the week. A week without blocks of a tag is remembered too: that is what
// makes looking back over a silent year cheap. And what earlier versions saw of heads, where that is not all of them.
//
// Threads: any number.
#ifndef HISTORIAN_STORAGE_READ_HEAD_CACHE_H_
#define HISTORIAN_STORAGE_READ_HEAD_CACHE_H_

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "storage/format/key.h"
#include "storage/format/rollup.h"
#include "storage/kv/store.h"
#include "storage/read/lru_cache.h"
#include "storage/read/page_cache.h"
#include "storage/read/partition_view.h"
#include "storage/sealed/stored_heads.h"

namespace historian {

// What is stored of a tag in a week.
struct TagHeads {
  std::shared_ptr<const StoredHeads> stored;
  std::shared_ptr<const PartitionView> view;  // Of these heads alone, without a tail.
  // The highest version of the samples. As of this one and later ones everything is as it is now.
  uint32_t highest_version = 0;
  uint64_t number = 0;  // No other heads that were read have it.
};

// What an earlier version saw of them.
struct TagHeadsAsOf {
  std::shared_ptr<const PagesAsOf> pages;
  std::shared_ptr<const PartitionView> view;  // Without a tail.
};

class HeadCache {
 public:
  // closed: see LruCache.
  HeadCache(kv::Store& store, size_t bytes_max, const std::atomic<bool>* closed = nullptr)
      : store_(store),
        heads_(bytes_max / 2, closed),
        rollups_(bytes_max / 4, closed),
        as_of_(bytes_max / 4, closed) {}

  void SetBytesMax(size_t bytes_max) {
    heads_.SetBytesMax(bytes_max / 2);
    rollups_.SetBytesMax(bytes_max / 4);
    as_of_.SetBytesMax(bytes_max / 4);
  }

  // The store's errors. A damaged head is in the result, as `damage`, and is not remembered; so is a damaged page that
  // reaches out of the week. Such pages are read by `pages`.
  absl::StatusOr<std::shared_ptr<const TagHeads>> Get(int32_t week, TagId tag, PageFetcher& pages);

  // What the version saw of the heads. `read` is called when it is not here; what it could read in part only, with *damage,
  // is not remembered.
  absl::StatusOr<std::shared_ptr<const TagHeadsAsOf>> AsOf(
      const TagHeads& heads, TagId tag, ValueType type, int32_t partition, Version version,
      absl::FunctionRef<absl::StatusOr<PagesAsOf>(absl::Status* damage)> read, absl::Status* damage);

  // The rollup as stored; null when the tag has no rollup there. DataLoss: it is damaged.
  absl::StatusOr<std::shared_ptr<const format::Rollup>> Rollup(int32_t partition, TagId tag);

  // Forget these, and what loads under way have read of them: call after the store has changed. By weeks and tags.
  using Key = std::pair<int32_t, TagId>;
  void Invalidate(const std::vector<Key>& keys) { heads_.Invalidate(keys); }
  // Of all tags.
  void InvalidatePartition(int32_t partition) {
    const auto changed = [begin = format::FirstWeek(partition), end = format::EndWeek(partition)](
                             const Key& key) { return key.first >= begin && key.first < end; };
    heads_.InvalidateIf(changed);
    rollups_.InvalidateIf(changed);
  }

  size_t size_bytes() const { return heads_.size_bytes() + rollups_.size_bytes() + as_of_.size_bytes(); }

 private:
  using Heads = LruCache<Key, TagHeads>;
  using Rollups = LruCache<Key, format::Rollup>;
  // By the number of the heads and the version: nothing in it is ever out of date.
  using HeadsAsOf = LruCache<std::pair<uint64_t, Version>, TagHeadsAsOf>;
  absl::StatusOr<Heads::Loaded> Load(int32_t week, TagId tag, PageFetcher& pages);

  kv::Store& store_;
  Heads heads_;
  Rollups rollups_;
  HeadsAsOf as_of_;
  std::atomic<uint64_t> last_number_{0};
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_READ_HEAD_CACHE_H_
