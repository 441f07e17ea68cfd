// File: storage/archive/head_cache.h
//
// The decoded block heads of (partition, tag), most recently used first, within a number of bytes. A
// partition without blocks of a tag is remembered too: that is what makes looking back over a silent year
// cheap.
//
// Threads: any number.
#ifndef HISTORIAN_STORAGE_ARCHIVE_HEAD_CACHE_H_
#define HISTORIAN_STORAGE_ARCHIVE_HEAD_CACHE_H_

#include <list>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "storage/format/block.h"
#include "storage/format/key.h"
#include "storage/kv/store.h"

namespace historian {

struct StoredHead {
  format::BlockId id;
  format::BlockHead head;
  size_t head_bytes = 0;  // As stored.
};
struct StoredHeads {
  std::vector<StoredHead> heads;  // In order of seals, oldest first.
  absl::Status damage;  // DataLoss when a head could not be read: which tag, which time. The others are here.
};

class HeadCache {
 public:
  HeadCache(kv::Store& store, size_t bytes_max) : store_(store), bytes_max_(bytes_max) {}

  // The store's errors. A damaged head is in the result, as `damage`, and is not remembered.
  absl::StatusOr<std::shared_ptr<const StoredHeads>> Get(int32_t partition, TagId tag);

  // Forgets these, and what loads under way have read of them: call after the store has changed.
  using Key = std::pair<int32_t, TagId>;
  void Invalidate(const std::vector<Key>& keys);

  size_t size_bytes() const;

 private:
  struct Entry {
    std::shared_ptr<const StoredHeads> heads;
    size_t bytes = 0;
    std::list<Key>::iterator used;
  };
  absl::StatusOr<std::shared_ptr<const StoredHeads>> Load(int32_t partition, TagId tag);
  void Drop(absl::flat_hash_map<Key, Entry>::iterator entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  kv::Store& store_;
  const size_t bytes_max_;

  mutable absl::Mutex mu_;
  absl::flat_hash_map<Key, Entry> entries_ ABSL_GUARDED_BY(mu_);
  std::list<Key> used_ ABSL_GUARDED_BY(mu_);  // Most recent first.
  size_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t generation_ ABSL_GUARDED_BY(mu_) = 0;  // Counts invalidations.
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_ARCHIVE_HEAD_CACHE_H_
