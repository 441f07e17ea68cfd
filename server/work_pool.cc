#include "server/work_pool.h"

#include <sys/resource.h>

#include "absl/time/clock.h"
#include "storage/platform/monotonic.h"

namespace historian::server {
namespace {

// Of the whole process.
absl::Duration ProcessorTime() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return absl::DurationFromTimeval(usage.ru_utime) + absl::DurationFromTimeval(usage.ru_stime);
}

}  // namespace

WorkPool::WorkPool(int threads, int threads_max)
    : threads_max_(threads_max), pool_(static_cast<size_t>(threads)), threads_(threads) {
  if (threads_max > threads) watcher_ = std::thread([this] { Watch(); });
}

void WorkPool::Watch() {
  uint64_t begun = 0;
  MonotonicTime looked = MonotonicTime::Now();
  absl::Duration used = ProcessorTime();
  while (!ending_.load() && threads() < threads_max_) {
    absl::SleepFor(kPatience);
    const uint64_t begun_now = begun_.load(std::memory_order_relaxed);
    const bool stands_still = waiting_.load(std::memory_order_relaxed) > 0 && begun_now == begun;
    begun = begun_now;
    const MonotonicTime now = MonotonicTime::Now();
    const absl::Duration used_now = ProcessorTime();
    // Threads that compute are not helped by more of them.
    const bool computes = used_now - used > (now - looked) * 0.75;
    looked = now;
    used = used_now;
    if (!stands_still || computes) continue;
    threads_.fetch_add(1, std::memory_order_relaxed);
    more_.emplace_back([this] { pool_.attach(); });
  }
}

void WorkPool::Join() {
  if (ending_.exchange(true)) return;
  if (watcher_.joinable()) watcher_.join();
  pool_.join();
  for (std::thread& thread : more_) thread.join();
}

}  // namespace historian::server
