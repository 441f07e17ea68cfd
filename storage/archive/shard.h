// File: storage/archive/shard.h
//
// The tails of a part of the tags (tag id modulo the number of shards), with a thread of their own that adds
// what has become durable. Readers look at tails from their own threads, under the shard's mutex, for as long
// as it takes to copy a few pointers.
#ifndef HISTORIAN_STORAGE_ARCHIVE_SHARD_H_
#define HISTORIAN_STORAGE_ARCHIVE_SHARD_H_

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
#include "storage/archive/frame.h"
#include "storage/archive/seal.h"
#include "storage/archive/tag_reader.h"
#include "storage/archive/tail.h"

namespace historian {

class Shard {
 public:
  Shard(int index, int shards) : index_(index), shards_(shards), work_(io_.get_executor()) {}
  // Runs what was posted, then stops.
  ~Shard() { Stop(); }

  void Start();
  void Stop();

  // Calls task on the shard's thread, in order of posting.
  void Post(absl::AnyInvocable<void()> task);

  // Adds the frame's samples of this shard's tags.
  void Apply(const Frame& frame) ABSL_LOCKS_EXCLUDED(mu_);

  // For recovery, before Start.
  void Restore(TagId tag, std::unique_ptr<Tail> tail) ABSL_LOCKS_EXCLUDED(mu_);

  // Freezes the tails that changed since the last freeze; with `all` also those that merely have open
  // samples.
  void Freeze(bool all, std::vector<FrozenTag>* frozen) ABSL_LOCKS_EXCLUDED(mu_);
  // See Tail::Thaw.
  void Thaw(TagId tag, const std::vector<TailRun>* left) ABSL_LOCKS_EXCLUDED(mu_);

  // The tail's share of what a reader reads of the tag.
  TagSources Sources(TagId tag, ValueType type) ABSL_LOCKS_EXCLUDED(mu_);
  // Newest samples of the tags at [positions] that are this shard's, into the same places of *latest.
  void Latest(const TagId* tags, const std::vector<size_t>& positions,
              std::vector<std::optional<LatestSample>>* latest) ABSL_LOCKS_EXCLUDED(mu_);
  size_t OpenSamples(TagId tag) ABSL_LOCKS_EXCLUDED(mu_);

  uint64_t samples() const { return samples_.load(std::memory_order_relaxed); }
  uint64_t memory_bytes() const { return memory_bytes_.load(std::memory_order_relaxed); }
  uint64_t duplicates() const { return duplicates_.load(std::memory_order_relaxed); }

 private:
  Tail* Find(TagId tag) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Tail& FindOrMake(TagId tag, ValueType type) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Append(TagId tag, ValueType type, const SamplesView& samples) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const int index_;
  const int shards_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread thread_;

  std::atomic<uint64_t> samples_{0};
  std::atomic<uint64_t> memory_bytes_{0};
  std::atomic<uint64_t> duplicates_{0};

  absl::Mutex mu_;
  std::vector<std::unique_ptr<Tail>> tails_ ABSL_GUARDED_BY(mu_);  // [tag / shards].
  std::vector<TagId> dirty_ ABSL_GUARDED_BY(mu_);
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_ARCHIVE_SHARD_H_
