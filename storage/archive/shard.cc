#include "storage/archive/shard.h"

#include <utility>

#include "boost/asio/post.hpp"

namespace historian {

void Shard::Start() {
  thread_ = std::thread([this] { io_.run(); });
}

void Shard::Stop() {
  work_.reset();
  if (thread_.joinable()) thread_.join();
}

void Shard::Post(absl::AnyInvocable<void()> task) { boost::asio::post(io_, std::move(task)); }

Tail* Shard::Find(TagId tag) {
  const size_t at = tag / shards_;
  return at < tails_.size() ? tails_[at].get() : nullptr;
}

Tail& Shard::FindOrMake(TagId tag, ValueType type) {
  const size_t at = tag / shards_;
  if (at >= tails_.size()) tails_.resize(at + at / 8 + 16);
  if (tails_[at] == nullptr) {
    tails_[at] = std::make_unique<Tail>(type);
    memory_bytes_.fetch_add(tails_[at]->MemoryBytes(), std::memory_order_relaxed);
  }
  return *tails_[at];
}

void Shard::Append(TagId tag, ValueType type, const SamplesView& samples) {
  Tail& tail = FindOrMake(tag, type);
  const size_t samples_before = tail.samples(), bytes_before = tail.MemoryBytes();
  if (!tail.dirty()) dirty_.push_back(tag);
  Superseded superseded;
  tail.Append(samples, &superseded);
  samples_.fetch_add(tail.samples() - samples_before, std::memory_order_relaxed);
  memory_bytes_.fetch_add(tail.MemoryBytes() - bytes_before, std::memory_order_relaxed);
  duplicates_.fetch_add(superseded.duplicates, std::memory_order_relaxed);
}

void Shard::Apply(const Frame& frame) {
  absl::MutexLock lock(&mu_);
  for (const FrameColumn& column : frame.columns) {
    if (static_cast<int>(column.tag % shards_) == index_)
      Append(column.tag, column.type, column.samples.View());
  }
  for (const FrameSnapshot& snapshot : frame.snapshots) {
    for (size_t i = 0; i < snapshot.tags.size(); ++i) {
      if (static_cast<int>(snapshot.tags[i] % shards_) != index_) continue;
      Append(snapshot.tags[i], snapshot.type,
             {&snapshot.time, &snapshot.values[i],
              snapshot.qualities.empty() ? nullptr : &snapshot.qualities[i], &snapshot.strings, 1});
    }
  }
}

void Shard::Restore(TagId tag, std::unique_ptr<Tail> tail) {
  absl::MutexLock lock(&mu_);
  const size_t at = tag / shards_;
  if (at >= tails_.size()) tails_.resize(at + at / 8 + 16);
  samples_.fetch_add(tail->samples(), std::memory_order_relaxed);
  memory_bytes_.fetch_add(tail->MemoryBytes(), std::memory_order_relaxed);
  tails_[at] = std::move(tail);
}

void Shard::Freeze(bool all, std::vector<FrozenTag>* frozen) {
  absl::MutexLock lock(&mu_);
  if (all) {
    dirty_.clear();
    for (size_t at = 0; at < tails_.size(); ++at) {
      if (tails_[at] != nullptr && (tails_[at]->dirty() || tails_[at]->samples() > 0)) {
        dirty_.push_back(static_cast<TagId>(at * shards_ + index_));
      }
    }
  }
  for (const TagId tag : dirty_) {
    Tail& tail = *Find(tag);
    const size_t samples_before = tail.samples(), bytes_before = tail.MemoryBytes();
    FrozenTag& item = frozen->emplace_back();
    item.tag = tag;
    item.tail = tail.Freeze();
    item.frontier = tail.frontier();
    item.latest = tail.latest();
    item.oldest = tail.oldest_time();
    // Freezing sorts what is late, and drops what was said twice.
    samples_.fetch_add(tail.samples() - samples_before, std::memory_order_relaxed);
    memory_bytes_.fetch_add(tail.MemoryBytes() - bytes_before, std::memory_order_relaxed);
  }
  dirty_.clear();
}

void Shard::Thaw(TagId tag, const std::vector<TailRun>* left) {
  absl::MutexLock lock(&mu_);
  Tail& tail = *Find(tag);
  const size_t samples_before = tail.samples(), bytes_before = tail.MemoryBytes();
  const bool was_dirty = tail.dirty();
  tail.Thaw(left);
  if (tail.dirty() && !was_dirty) dirty_.push_back(tag);
  samples_.fetch_add(tail.samples() - samples_before, std::memory_order_relaxed);
  memory_bytes_.fetch_add(tail.MemoryBytes() - bytes_before, std::memory_order_relaxed);
}

TagSources Shard::Sources(TagId tag, ValueType type) {
  TagSources sources;
  sources.tag = tag;
  sources.type = type;
  absl::MutexLock lock(&mu_);
  const Tail* tail = Find(tag);
  if (tail == nullptr || !tail->latest().has_value()) return sources;
  sources.tail = std::make_shared<const TailView>(tail->View(kTimestampMin, kTimestampMax));
  sources.oldest = tail->oldest_time();
  sources.newest = tail->latest()->sample.time;
  return sources;
}

void Shard::Latest(const TagId* tags, const std::vector<size_t>& positions,
                   std::vector<std::optional<LatestSample>>* latest) {
  absl::MutexLock lock(&mu_);
  for (const size_t i : positions) {
    if (const Tail* tail = Find(tags[i]); tail != nullptr) (*latest)[i] = tail->latest();
  }
}

size_t Shard::OpenSamples(TagId tag) {
  absl::MutexLock lock(&mu_);
  const Tail* tail = Find(tag);
  return tail == nullptr ? 0 : tail->samples();
}

}  // namespace historian
