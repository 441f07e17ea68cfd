// File: storage/tail/shard_work.h
//
// Work for the shards' threads that another thread hands out and waits for.
#ifndef HISTORIAN_STORAGE_TAIL_SHARD_WORK_H_
#define HISTORIAN_STORAGE_TAIL_SHARD_WORK_H_

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "storage/model/status_macros.h"
#include "storage/tail/shard.h"

namespace historian {

// Threads: one that posts. The shards must run until it is destroyed.
class ShardWork {
 public:
  // under_way_max: the most tasks that are under way at once, of all shards together.
  explicit ShardWork(int under_way_max) : under_way_max_(under_way_max) {}
  ~ShardWork() { Finish().IgnoreError(); }

  // Waits for room, then hands `task`, a function that returns a Status, to the shard's thread. After a
  // failure it hands out nothing and returns that.
  template <typename Task>
  absl::Status Post(Shard& shard, Task task) ABSL_LOCKS_EXCLUDED(mu_) {
    {
      absl::MutexLock lock(&mu_);
      mu_.Await(absl::Condition(
          +[](ShardWork* self) { return self->HasRoom(); }, this));
      RETURN_IF_ERROR(failure_);
      ++under_way_;
    }
    shard.Post([this, task = std::move(task)]() mutable {
      const absl::Status status = task();
      absl::MutexLock lock(&mu_);
      failure_.Update(status);
      --under_way_;
    });
    return absl::OkStatus();
  }

  // Waits for all that was handed out. The first failure.
  absl::Status Finish() ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(
        +[](ShardWork* self) { return self->IsIdle(); }, this));
    return failure_;
  }

 private:
  bool HasRoom() const ABSL_SHARED_LOCKS_REQUIRED(mu_) { return under_way_ < under_way_max_; }
  bool IsIdle() const ABSL_SHARED_LOCKS_REQUIRED(mu_) { return under_way_ == 0; }

  const int under_way_max_;
  absl::Mutex mu_;
  int under_way_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_TAIL_SHARD_WORK_H_
