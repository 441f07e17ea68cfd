// File: storage/read/page_cache.h
//
// Pages of blocks: fetched, checked, decoded, and held in memory, the most recently used ones, within a
// number of bytes. Blocks never change, so nothing here is ever out of date.
#ifndef HISTORIAN_STORAGE_READ_PAGE_CACHE_H_
#define HISTORIAN_STORAGE_READ_PAGE_CACHE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/format/key.h"
#include "storage/kv/store.h"
#include "storage/model/samples.h"
#include "storage/read/lru_cache.h"
#include "storage/sealed/stored_heads.h"
#include "storage/versions/version_table.h"

namespace historian {

// Threads: any number.
class PageCache {
 public:
  // closed: see LruCache.
  PageCache(kv::Store& store, size_t bytes_max, const std::atomic<bool>* closed = nullptr)
      : store_(store), pages_(bytes_max, closed) {}

  void SetBytesMax(size_t bytes_max) { pages_.SetBytesMax(bytes_max); }
  size_t size_bytes() const { return pages_.size_bytes(); }

 private:
  friend class PageFetcher;
  struct Key {
    format::BlockId block;
    uint32_t page = 0;

    friend bool operator==(const Key&, const Key&) = default;
    template <typename H>
    friend H AbslHashValue(H h, const Key& key) {
      return H::combine(std::move(h), key.block.tag, key.block.first_time, key.block.seal, key.page);
    }
  };

  kv::Store& store_;
  LruCache<Key, Samples> pages_;
};

// One reader's way to pages. Keeps the payload it fetched last, as a reader takes a block's pages one after
// another.
//
// Threads: one at a time. The cache must outlive it.
class PageFetcher {
 public:
  explicit PageFetcher(PageCache& cache) : cache_(cache) {}

  // The samples of page i. DataLoss when the payload is missing, the page is damaged, or contradicts its
  // head; names tag and times.
  absl::StatusOr<std::shared_ptr<const Samples>> Read(const StoredHead& head, size_t i);

  // The same with the samples' versions, not by way of the cache.
  absl::StatusOr<Samples> ReadStated(const StoredHead& head, size_t i, const VersionTable& versions);

  // Until Forget(), pages of the tag under the seal number will be asked for in order of time, from most of
  // its blocks in the partition: payloads are then walked over in long reads.
  void WalkAhead(int32_t partition, TagId tag, uint64_t seal);
  void Forget();

  // From now on pages that are not in the cache are not put there: for reading that is long, and once.
  void PassThrough() { pass_through_ = true; }

 private:
  // Without versions when there is no table.
  absl::StatusOr<Samples> Decode(const StoredHead& head, size_t i, const VersionTable* versions);
  // The payload, valid until the next call.
  absl::StatusOr<absl::string_view> Payload(const format::BlockId& block);
  bool IsAhead(const format::BlockId& block) const;

  PageCache& cache_;
  bool pass_through_ = false;
  std::optional<format::BlockId> block_;  // Whose payload this is, in the string or at the cursor.
  absl::string_view payload_;             // Of block_.
  std::string fetched_;                   // What payload_ points into, when it is not at cursor_.
  format::BlockId ahead_;                 // What is walked over, see WalkAhead; nothing when its seal is 0.
  std::unique_ptr<kv::Cursor> cursor_;    // Where WalkAhead has come to; null before the first payload.
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_READ_PAGE_CACHE_H_
