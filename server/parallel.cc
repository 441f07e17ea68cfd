#include "server/parallel.h"

#include <algorithm>
#include <memory>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/work_pool.h"
#include "storage/kv/in_memory_only.h"
#include "storage/platform/monotonic.h"

namespace historian::server {
namespace {

// Outlives the call in threads that come too late to help, which then find nothing to do.
class SharedWork {
 public:
  SharedWork(size_t n, absl::FunctionRef<absl::Status(size_t)> work) : n_(n), work_(work) {}

  // May the caller not wait for the disk, then no helper may, for it waits for them.
  bool in_memory_only() const { return in_memory_only_; }

  // Until nothing is left to begin, or for so long, plus the call then running; whether something is left.
  bool Help(absl::Duration turn) {
    const MonotonicTime end = MonotonicTime::Now() + turn;
    absl::MutexLock lock(&mu_);
    while (next_ < n_ && status_.ok()) {
      const size_t i = next_++;
      ++running_;
      mu_.Unlock();
      const absl::Status status = work_(i);
      mu_.Lock();
      --running_;
      status_.Update(status);
      if (MonotonicTime::Now() >= end) break;
    }
    return next_ < n_ && status_.ok();
  }

  // Requires that this thread has helped to the end.
  absl::Status Wait() {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(
        +[](int* running) { return *running == 0; }, &running_));
    return status_;
  }

 private:
  const size_t n_;
  const bool in_memory_only_ = kv::InMemoryOnly::here();
  const absl::FunctionRef<absl::Status(size_t)> work_;  // Not called after Wait has returned.
  absl::Mutex mu_;
  size_t next_ ABSL_GUARDED_BY(mu_) = 0;
  int running_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status status_ ABSL_GUARDED_BY(mu_);
};

// A thread of the pool helps for so long at a time, then goes to the end of the pool's queue.
constexpr absl::Duration kTurn = absl::Milliseconds(2);

void PostHelper(WorkPool& pool, std::shared_ptr<SharedWork> shared) {
  pool.Post([&pool, shared = std::move(shared)]() mutable {
    bool more;
    if (shared->in_memory_only()) {
      const kv::InMemoryOnly here;
      more = shared->Help(kTurn);
    } else {
      more = shared->Help(kTurn);
    }
    if (more) PostHelper(pool, std::move(shared));
  });
}

}  // namespace

// More than there are processors, for what is not cached waits for the disk.
size_t ParallelWidth() {
  static const size_t width = std::max(4u, std::thread::hardware_concurrency());  // Asks the file system.
  return width;
}

absl::Status ForEachInParallel(WorkPool& pool, size_t n, absl::FunctionRef<absl::Status(size_t)> work) {
  if (n == 0) return absl::OkStatus();
  if (n == 1) return work(0);
  const auto shared = std::make_shared<SharedWork>(n, work);
  for (size_t k = 1; k < std::min(n, ParallelWidth()); ++k) {
    PostHelper(pool, shared);
  }
  shared->Help(absl::InfiniteDuration());
  return shared->Wait();
}

}  // namespace historian::server
