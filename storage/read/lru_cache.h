// File: storage/read/lru_cache.h
//
// What was read, decoded, most recently used first, within a number of bytes.
#ifndef HISTORIAN_STORAGE_READ_LRU_CACHE_H_
#define HISTORIAN_STORAGE_READ_LRU_CACHE_H_

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "storage/model/status_macros.h"

namespace historian {

// Threads: any number; loading happens outside the lock, perhaps twice at the same time.
template <typename Key, typename Value>
class LruCache {
 public:
  struct Loaded {
    std::shared_ptr<const Value> value;
    size_t bytes = 0;
    bool shared = true;  // Else it is for this caller alone.
  };

  // While *closed is true nothing new is kept. Null: it never is.
  explicit LruCache(size_t bytes_max, const std::atomic<bool>* closed = nullptr)
      : closed_(closed), bytes_max_(bytes_max) {}

  absl::StatusOr<std::shared_ptr<const Value>> Get(const Key& key,
                                                   absl::FunctionRef<absl::StatusOr<Loaded>()> load) {
    uint64_t generation;
    {
      absl::MutexLock lock(&mu_);
      if (const std::shared_ptr<const Value>* const value = Use(key); value != nullptr) return *value;
      generation = generation_;
    }
    ASSIGN_OR_RETURN(Loaded loaded, load());
    loaded.bytes += sizeof(Entry) + sizeof(Key) * 2 + 64;  // The entry itself, in map and list.
    absl::MutexLock lock(&mu_);
    // Something changed meanwhile: what was read is right for this caller, but perhaps not for the next.
    const bool closed = closed_ != nullptr && closed_->load(std::memory_order_relaxed);
    if (generation != generation_ || loaded.bytes > bytes_max_ || !loaded.shared || closed ||
        entries_.contains(key)) {
      return loaded.value;
    }
    used_.push_front(key);
    entries_[key] = {loaded.value, loaded.bytes, used_.begin()};
    bytes_ += loaded.bytes;
    while (bytes_ > bytes_max_) Drop(entries_.find(used_.back()));
    return loaded.value;
  }

  // Null when it is not here, or null is.
  std::shared_ptr<const Value> Find(const Key& key) {
    absl::MutexLock lock(&mu_);
    const std::shared_ptr<const Value>* const value = Use(key);
    return value == nullptr ? nullptr : *value;
  }
  bool Has(const Key& key) const {
    absl::MutexLock lock(&mu_);
    return entries_.contains(key);
  }

  // Forget these, and what loads under way have read of anything: call after what they are read from has
  // changed.
  void Invalidate(const std::vector<Key>& keys) {
    absl::MutexLock lock(&mu_);
    ++generation_;
    for (const Key& key : keys) {
      if (const auto found = entries_.find(key); found != entries_.end()) Drop(found);
    }
  }
  void InvalidateIf(absl::FunctionRef<bool(const Key&)> changed) {
    absl::MutexLock lock(&mu_);
    ++generation_;
    for (auto at = used_.begin(); at != used_.end();) {
      const Key key = *at++;
      if (changed(key)) Drop(entries_.find(key));
    }
  }

  // Keeps no more than this from now on.
  void SetBytesMax(size_t bytes_max) {
    absl::MutexLock lock(&mu_);
    bytes_max_ = bytes_max;
    while (bytes_ > bytes_max_) Drop(entries_.find(used_.back()));
  }

  size_t size_bytes() const {
    absl::MutexLock lock(&mu_);
    return bytes_;
  }

 private:
  struct Entry {
    std::shared_ptr<const Value> value;
    size_t bytes = 0;
    typename std::list<Key>::iterator used;
  };
  const std::shared_ptr<const Value>* Use(const Key& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return nullptr;
    used_.splice(used_.begin(), used_, found->second.used);
    return &found->second.value;
  }
  void Drop(typename absl::flat_hash_map<Key, Entry>::iterator entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    bytes_ -= entry->second.bytes;
    used_.erase(entry->second.used);
    entries_.erase(entry);
  }

  const std::atomic<bool>* const closed_;

  mutable absl::Mutex mu_;
  size_t bytes_max_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<Key, Entry> entries_ ABSL_GUARDED_BY(mu_);
  std::list<Key> used_ ABSL_GUARDED_BY(mu_);  // Most recent first.
  size_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t generation_ ABSL_GUARDED_BY(mu_) = 0;  // Counts invalidations.
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_READ_LRU_CACHE_H_
