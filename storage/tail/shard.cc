#include "storage/tail/shard.h"

#include <algorithm>
#include <utility>

#include "boost/asio/post.hpp"
#include "storage/model/definition_memory.h"

namespace historian {

static_assert(sizeof(Tail) <= kTagStateBytes);

Shard::Shard(int index, int shards)
    : index_(index),
      shards_(shards),
      per_shard_(shards == 1 ? 0 : ~uint64_t{0} / shards + 1),
      work_(io_.get_executor()) {}

void Shard::Start() {
  thread_ = std::thread([this] { io_.run(); });
}

void Shard::Stop() {
  work_.reset();
  if (thread_.joinable()) thread_.join();
}

void Shard::Post(absl::AnyInvocable<void()> task) { boost::asio::post(io_, std::move(task)); }

void Shard::Count(const Tail::Change& change) {
  samples_.fetch_add(static_cast<uint64_t>(change.samples), std::memory_order_relaxed);
  memory_bytes_.fetch_add(static_cast<uint64_t>(change.memory_bytes), std::memory_order_relaxed);
}

Tail* Shard::Find(TagId tag) {
  const size_t place = PlaceOf(tag), chunk = place / kChunk;
  if (chunk >= chunks_.size() || chunks_[chunk] == nullptr) return nullptr;
  Tail& tail = (*chunks_[chunk])[place % kChunk];
  return tail.exists() ? &tail : nullptr;
}

Tail& Shard::Slot(TagId tag) {
  const size_t place = PlaceOf(tag), chunk = place / kChunk;
  if (chunk >= chunks_.size()) chunks_.resize(chunk + 1);
  if (chunks_[chunk] == nullptr) chunks_[chunk] = std::make_unique<Chunk>();
  return (*chunks_[chunk])[place % kChunk];
}

Tail& Shard::FindOrMake(TagId tag, ValueType type) {
  Tail& tail = Slot(tag);
  if (!tail.exists()) tail = Tail(type);
  return tail;
}

void Shard::BeginVersion(Version version) {
  absl::MutexLock lock(&mu_);
  version_ = static_cast<uint32_t>(version);
}

void Shard::Append(Tail& tail, TagId tag, SamplesView samples, Tail::Change* change, Superseded* superseded) {
  if (!tail.dirty()) dirty_.push_back(tag);
  samples.version = version_;
  const Tail::Change one = tail.Append(samples, superseded);
  change->samples += one.samples;
  change->memory_bytes += one.memory_bytes;
  newest_ = std::max(newest_, samples.times[samples.size - 1]);
}

void Shard::ApplySnapshot(const FrameSnapshot& snapshot, Tail::Change* change, Superseded* superseded) {
  // The array of each tail is somewhere in memory: it is prefetched this many tags ahead.
  constexpr size_t kAhead = 12;
  Tail* tails[kAhead];
  size_t places[kAhead];
  size_t begun = 0, ended = 0;
  const auto finish_one = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    const size_t i = places[ended % kAhead];
    Append(*tails[ended % kAhead], snapshot.tags[i],
           {&snapshot.time, &snapshot.values[i],
            snapshot.qualities.empty() ? nullptr : &snapshot.qualities[i], &snapshot.strings, 1},
           change, superseded);
    ++ended;
  };
  for (size_t i = 0; i < snapshot.tags.size(); ++i) {
    if (!IsMine(snapshot.tags[i])) continue;
    if (begun - ended == kAhead) finish_one();
    Tail& tail = FindOrMake(snapshot.tags[i], snapshot.type);
    tail.Prefetch();
    tails[begun % kAhead] = &tail;
    places[begun % kAhead] = i;
    ++begun;
  }
  while (ended < begun) finish_one();
}

void Shard::Apply(const Frame& frame) {
  Tail::Change change;
  Superseded superseded;
  absl::MutexLock lock(&mu_);
  for (const FrameColumn& column : frame.columns) {
    if (!IsMine(column.tag)) continue;
    Append(FindOrMake(column.tag, column.type), column.tag, column.samples.View(), &change, &superseded);
  }
  for (const FrameSnapshot& snapshot : frame.snapshots) ApplySnapshot(snapshot, &change, &superseded);
  Count(change);
  duplicates_.fetch_add(superseded.duplicates, std::memory_order_relaxed);
}

void Shard::Restore(std::vector<std::pair<TagId, Tail>> tails) {
  absl::MutexLock lock(&mu_);
  Tail::Change change;
  for (auto& [tag, tail] : tails) {
    change.samples += static_cast<int64_t>(tail.samples());
    change.memory_bytes += static_cast<int64_t>(tail.MemoryBytes());
    if (const std::optional<LatestSample> latest = tail.latest(); latest.has_value()) {
      newest_ = std::max(newest_, latest->sample.time);
    }
    Slot(tag) = std::move(tail);
  }
  Count(change);
}

void Shard::FreezeOne(TagId tag, std::vector<FrozenTag>* frozen) {
  Tail& tail = *Find(tag);
  const size_t samples_before = tail.samples(), bytes_before = tail.MemoryBytes();
  FrozenTag& item = frozen->emplace_back();
  item.tag = tag;
  item.tail = tail.Freeze();
  item.frontier = tail.frontier();
  item.latest = tail.latest();
  item.latest_text_is_long = tail.latest_text_is_long();
  item.oldest = tail.oldest_time();
  // Freezing sorts what is late, and drops what was said twice.
  Count({static_cast<int64_t>(tail.samples() - samples_before),
         static_cast<int64_t>(tail.MemoryBytes() - bytes_before)});
}

void Shard::Freeze(bool all, std::vector<FrozenTag>* frozen) {
  // Tails frozen under the lock at once: a reader waits for no more.
  constexpr size_t kAtOnce = 1000;
  std::vector<TagId> tags;
  {
    absl::MutexLock lock(&mu_);
    tags.swap(dirty_);
    if (all) {
      tags.clear();
      for (size_t chunk = 0; chunk < chunks_.size(); ++chunk) {
        if (chunks_[chunk] == nullptr) continue;
        for (size_t i = 0; i < kChunk; ++i) {
          const Tail& tail = (*chunks_[chunk])[i];
          if (!tail.exists() || !(tail.dirty() || tail.samples() > 0)) continue;
          tags.push_back(static_cast<TagId>((chunk * kChunk + i) * shards_ + index_));
        }
      }
    }
  }
  frozen->reserve(frozen->size() + tags.size());
  for (size_t begin = 0; begin < tags.size(); begin += kAtOnce) {
    const size_t end = std::min(begin + kAtOnce, tags.size());
    absl::MutexLock lock(&mu_);
    for (size_t i = begin; i < end; ++i) FreezeOne(tags[i], frozen);
  }
}

void Shard::Thaw(TagId tag, const std::vector<PageRun>* left) {
  absl::MutexLock lock(&mu_);
  Tail& tail = *Find(tag);
  const size_t samples_before = tail.samples(), bytes_before = tail.MemoryBytes();
  const bool was_dirty = tail.dirty();
  tail.Thaw(left);
  if (tail.dirty() && !was_dirty) dirty_.push_back(tag);
  Count({static_cast<int64_t>(tail.samples() - samples_before),
         static_cast<int64_t>(tail.MemoryBytes() - bytes_before)});
}

TagSources Shard::Sources(TagId tag, ValueType type, Version as_of) {
  TagSources sources;
  sources.tag = tag;
  sources.type = type;
  absl::MutexLock lock(&mu_);
  const Tail* tail = Find(tag);
  if (tail == nullptr) return sources;
  const std::optional<LatestSample> latest = tail->latest();
  if (!latest.has_value()) return sources;
  sources.tail = std::make_shared<const TailView>(tail->View(kTimestampMin, kTimestampMax, as_of));
  sources.oldest = tail->oldest_time();
  sources.newest = latest->sample.time;
  return sources;
}

void Shard::Latest(const TagId* tags, const std::vector<size_t>& positions, Timestamp now,
                   std::vector<std::optional<LatestSample>>* latest, std::vector<size_t>* elsewhere) {
  absl::MutexLock lock(&mu_);
  for (const size_t i : positions) {
    const Tail* const tail = Find(tags[i]);
    if (tail == nullptr) continue;
    (*latest)[i] = tail->latest();
    if (!(*latest)[i].has_value()) continue;
    if ((*latest)[i]->sample.time > now) {
      (*latest)[i] = tail->WaitingUntil(now);
      if (!(*latest)[i].has_value()) elsewhere->push_back(i);
    } else if (tail->latest_text_is_long()) {
      elsewhere->push_back(i);
    }
  }
}

void Shard::CountAhead(Timestamp now, uint64_t* tags, Timestamp* farthest) {
  size_t chunks;
  {
    absl::MutexLock lock(&mu_);
    if (newest_ <= now) return;
    chunks = chunks_.size();
  }
  // Writers get in between.
  for (size_t chunk = 0; chunk < chunks; ++chunk) {
    absl::MutexLock lock(&mu_);
    if (chunks_[chunk] == nullptr) continue;
    for (const Tail& tail : *chunks_[chunk]) {
      if (!tail.exists() || !tail.is_ahead_of(now)) continue;
      ++*tags;
      *farthest = std::max(*farthest, tail.latest()->sample.time);
    }
  }
}

size_t Shard::OpenSamples(TagId tag) {
  absl::MutexLock lock(&mu_);
  const Tail* tail = Find(tag);
  return tail == nullptr ? 0 : tail->samples();
}

uint64_t OpenSamplesOf(const std::vector<std::unique_ptr<Shard>>& shards) {
  uint64_t samples = 0;
  for (const std::unique_ptr<Shard>& shard : shards) samples += shard->samples();
  return samples;
}

uint64_t OpenBytesOf(const std::vector<std::unique_ptr<Shard>>& shards) {
  uint64_t bytes = 0;
  for (const std::unique_ptr<Shard>& shard : shards) bytes += shard->memory_bytes();
  return bytes;
}

}  // namespace historian
