// File: storage/tail/shard.h
//
// The tails of a part of the tags (tag id modulo the number of shards), with a thread of their own that adds
// what has become durable. Readers look at tails from their own threads, under the shard's mutex, for as long
// as it takes to copy a few pointers.
#ifndef HISTORIAN_STORAGE_TAIL_SHARD_H_
#define HISTORIAN_STORAGE_TAIL_SHARD_H_

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "boost/asio/executor_work_guard.hpp"
#include "boost/asio/io_context.hpp"
#include "storage/model/frame.h"
#include "storage/tail/frozen_tail.h"
#include "storage/tail/tag_sources.h"
#include "storage/tail/tail.h"

namespace historian {

class Shard {
 public:
  Shard(int index, int shards);
  // Runs what was posted, then stops.
  ~Shard() { Stop(); }

  void Start();
  void Stop();

  // Calls task on the shard's thread, in order of posting.
  void Post(absl::AnyInvocable<void()> task);

  // What Apply adds from now on is stated in this version, which is not below the one before.
  void BeginVersion(Version version) ABSL_LOCKS_EXCLUDED(mu_);
  // Adds the frame's samples of this shard's tags.
  void Apply(const Frame& frame) ABSL_LOCKS_EXCLUDED(mu_);

  // For recovery.
  void Restore(std::vector<std::pair<TagId, Tail>> tails) ABSL_LOCKS_EXCLUDED(mu_);

  // On the shard's thread: freezes the tails that changed since the last freeze; with `all` also those that
  // merely have open samples. Readers get in between.
  void Freeze(bool all, std::vector<FrozenTag>* frozen) ABSL_LOCKS_EXCLUDED(mu_);
  // See Tail::Thaw.
  void Thaw(TagId tag, const std::vector<PageRun>* left) ABSL_LOCKS_EXCLUDED(mu_);

  // The tail's share of what a reader reads of the tag; as_of as in Tail::View.
  TagSources Sources(TagId tag, ValueType type, Version as_of) ABSL_LOCKS_EXCLUDED(mu_);
  // Newest samples of the tags at [positions] that are this shard's, of those that are not after `now`, into the same
  // places of *latest. Positions of which the tail alone does not tell, or not the text, are added to *elsewhere.
  void Latest(const TagId* tags, const std::vector<size_t>& positions, Timestamp now,
              std::vector<std::optional<LatestSample>>* latest, std::vector<size_t>* elsewhere)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Adds the tags with a sample after `now`, and raises *farthest to the newest of them.
  void CountAhead(Timestamp now, uint64_t* tags, Timestamp* farthest) ABSL_LOCKS_EXCLUDED(mu_);
  size_t OpenSamples(TagId tag) ABSL_LOCKS_EXCLUDED(mu_);

  uint64_t samples() const { return samples_.load(std::memory_order_relaxed); }
  // Of open samples: what a seal can give back. The tails themselves are not in it: see kTagStateBytes.
  uint64_t memory_bytes() const { return memory_bytes_.load(std::memory_order_relaxed); }
  uint64_t duplicates() const { return duplicates_.load(std::memory_order_relaxed); }

 private:
  // Tails stand side by side in chunks, in order of their tags: a snapshot walks through memory as it goes
  // through its tags.
  static constexpr size_t kChunk = 1024;
  using Chunk = std::array<Tail, kChunk>;

  // The place of a tag among this shard's. One multiplication: a division takes as long as all the rest of
  // an addition.
  size_t PlaceOf(TagId tag) const {
    return shards_ == 1 ? tag : static_cast<size_t>(static_cast<unsigned __int128>(per_shard_) * tag >> 64);
  }
  bool IsMine(TagId tag) const { return tag - PlaceOf(tag) * shards_ == static_cast<size_t>(index_); }
  // Null when the tag has no tail.
  Tail* Find(TagId tag) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Tail& Slot(TagId tag) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Tail& FindOrMake(TagId tag, ValueType type) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Adds to one tail, in the open version; what is added up in *change and *superseded goes to the counters with Count.
  void Append(Tail& tail, TagId tag, SamplesView samples, Tail::Change* change, Superseded* superseded)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ApplySnapshot(const FrameSnapshot& snapshot, Tail::Change* change, Superseded* superseded)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Count(const Tail::Change& change);
  void FreezeOne(TagId tag, std::vector<FrozenTag>* frozen) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const int index_;
  const int shards_;
  const uint64_t per_shard_;  // 2^64 / shards_, rounded up: exact for 32-bit tags. Not for one shard.
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread thread_;

  std::atomic<uint64_t> samples_{0};
  std::atomic<uint64_t> memory_bytes_{0};
  std::atomic<uint64_t> duplicates_{0};

  absl::Mutex mu_;
  std::vector<std::unique_ptr<Chunk>> chunks_ ABSL_GUARDED_BY(mu_);  // [PlaceOf(tag) / kChunk]; may be null.
  std::vector<TagId> dirty_ ABSL_GUARDED_BY(mu_);
  uint32_t version_ ABSL_GUARDED_BY(mu_) = 1;              // The open one.
  Timestamp newest_ ABSL_GUARDED_BY(mu_) = kTimestampMin;  // Of all samples that were ever added.
};

// Of all together.
uint64_t OpenSamplesOf(const std::vector<std::unique_ptr<Shard>>& shards);
uint64_t OpenBytesOf(const std::vector<std::unique_ptr<Shard>>& shards);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_TAIL_SHARD_H_
