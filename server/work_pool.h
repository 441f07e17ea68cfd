// File: server/work_pool.h
//
// The threads on which calls do what may take long or wait for the disk.
//
// A few are enough while they compute. But a disk that hangs may hold all of them, and then what needs no disk would
// wait too. So a pool in which work waits while the processors are idle gets another thread, up to a limit; a thread
// once made stays.
//
// Threads: any number.
#ifndef HISTORIAN_SERVER_WORK_POOL_H_
#define HISTORIAN_SERVER_WORK_POOL_H_

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"

namespace historian::server {

class WorkPool {
 public:
  // Work that has waited for this long, while nothing else began, gets another thread.
  static constexpr absl::Duration kPatience = absl::Milliseconds(20);

  explicit WorkPool(int threads) : WorkPool(threads, threads) {}
  WorkPool(int threads, int threads_max);
  ~WorkPool() { Join(); }

  // Runs the work soon, in the order of the posts. Never waits.
  template <class Work>
  void Post(Work work) {
    waiting_.fetch_add(1, std::memory_order_relaxed);
    boost::asio::post(pool_, [this, work = std::move(work)]() mutable {
      waiting_.fetch_sub(1, std::memory_order_relaxed);
      begun_.fetch_add(1, std::memory_order_relaxed);
      work();
    });
  }

  // Waits until everything that was posted is done. No more may be posted then.
  void Join();

  int threads() const { return threads_.load(std::memory_order_relaxed); }

 private:
  void Watch();

  const int threads_max_;
  boost::asio::thread_pool pool_;
  std::atomic<int64_t> waiting_{0};
  std::atomic<uint64_t> begun_{0};
  std::atomic<int> threads_;
  std::atomic<bool> ending_{false};
  std::vector<std::thread> more_;  // Of the watcher, until Join.
  std::thread watcher_;
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_WORK_POOL_H_
