#include "storage/archive/head_cache.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "storage/model/status_macros.h"

namespace historian {

absl::StatusOr<std::shared_ptr<const StoredHeads>> HeadCache::Get(int32_t partition, TagId tag) {
  const Key key = {partition, tag};
  uint64_t generation;
  {
    absl::MutexLock lock(&mu_);
    if (const auto found = entries_.find(key); found != entries_.end()) {
      used_.splice(used_.begin(), used_, found->second.used);
      return found->second.heads;
    }
    generation = generation_;
  }
  ASSIGN_OR_RETURN(std::shared_ptr<const StoredHeads> heads, Load(partition, tag));
  size_t bytes = 200;  // The entry itself.
  for (const StoredHead& head : heads->heads) {
    bytes += sizeof(StoredHead) + head.head.pages.capacity() * sizeof(format::PageInfo);
  }
  absl::MutexLock lock(&mu_);
  // Something was sealed meanwhile: what was read is right for this reader, but perhaps not for the next.
  if (generation != generation_ || bytes > bytes_max_ || !heads->damage.ok() || entries_.contains(key))
    return heads;
  used_.push_front(key);
  entries_[key] = {heads, bytes, used_.begin()};
  bytes_ += bytes;
  while (bytes_ > bytes_max_) Drop(entries_.find(used_.back()));
  return heads;
}

absl::StatusOr<std::shared_ptr<const StoredHeads>> HeadCache::Load(int32_t partition, TagId tag) {
  auto heads = std::make_shared<StoredHeads>();
  const std::string prefix = format::HeadPrefix(partition, tag);
  const std::unique_ptr<kv::Cursor> cursor = store_.NewCursor(kv::Space::kHeads);
  for (cursor->Seek(prefix); cursor->Valid(); cursor->Next()) {
    if (cursor->key().substr(0, prefix.size()) != prefix) break;
    ASSIGN_OR_RETURN(const format::BlockId id, format::ParseHeadKey(cursor->key()));
    absl::StatusOr<format::BlockHead> head = format::DecodeBlockHead(cursor->value());
    if (!head.ok()) {
      heads->damage = Annotate(head.status(),
                               absl::StrCat("block of tag ", tag, " from ", FormatTimestamp(id.first_time)));
      continue;
    }
    heads->heads.push_back({id, *std::move(head), cursor->value().size()});
  }
  RETURN_IF_ERROR(
      Annotate(cursor->status(), absl::StrCat("reading the blocks of tag ", tag, " in the week from ",
                                              FormatTimestamp(format::PartitionStart(partition)))));
  std::stable_sort(heads->heads.begin(), heads->heads.end(),
                   [](const StoredHead& a, const StoredHead& b) { return a.id.seal < b.id.seal; });
  return heads;
}

void HeadCache::Invalidate(const std::vector<Key>& keys) {
  absl::MutexLock lock(&mu_);
  ++generation_;
  for (const Key& key : keys) {
    if (const auto found = entries_.find(key); found != entries_.end()) Drop(found);
  }
}

void HeadCache::Drop(absl::flat_hash_map<Key, Entry>::iterator entry) {
  bytes_ -= entry->second.bytes;
  used_.erase(entry->second.used);
  entries_.erase(entry);
}

size_t HeadCache::size_bytes() const {
  absl::MutexLock lock(&mu_);
  return bytes_;
}

}  // namespace historian
