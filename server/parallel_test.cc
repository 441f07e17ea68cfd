#include "server/parallel.h"

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/work_pool.h"

namespace historian::server {
namespace {

TEST(ForEachInParallel, CallsEachOnce) {
  WorkPool pool(3);
  for (const size_t n : {size_t{0}, size_t{1}, size_t{2}, size_t{1000}}) {
    std::vector<std::atomic<int>> calls(n);
    EXPECT_TRUE(ForEachInParallel(pool, n, [&](size_t i) {
                  ++calls[i];
                  return absl::OkStatus();
                }).ok());
    for (const std::atomic<int>& c : calls) EXPECT_EQ(c, 1);
  }
}

TEST(ForEachInParallel, AnErrorEndsIt) {
  WorkPool pool(3);
  std::atomic<int> calls{0};
  const absl::Status status = ForEachInParallel(pool, 100'000, [&](size_t i) {
    ++calls;
    return i == 10 ? absl::DataLossError("ten") : absl::OkStatus();
  });
  EXPECT_EQ(status, absl::DataLossError("ten"));
  EXPECT_LT(calls, 100'000);
}

TEST(ForEachInParallel, ABusyPoolKeepsNobodyWaiting) {
  WorkPool pool(1);
  absl::Notification busy;
  pool.Post([&] { busy.WaitForNotification(); });
  int calls = 0;
  EXPECT_TRUE(ForEachInParallel(pool, 100, [&](size_t) {
                ++calls;
                return absl::OkStatus();
              }).ok());
  EXPECT_EQ(calls, 100);
  busy.Notify();
  pool.Join();  // Who came too late has nothing to do.
  EXPECT_EQ(calls, 100);
}

TEST(ForEachInParallel, OtherThreadsHelp) {
  if (ParallelWidth() < 2) GTEST_SKIP() << "one processor";
  WorkPool pool(2);
  std::atomic<int> both{2};
  EXPECT_TRUE(ForEachInParallel(pool, 2, [&](size_t) {
                // Each waits for the other.
                both.fetch_sub(1);
                while (both > 0) std::this_thread::yield();
                return absl::OkStatus();
              }).ok());
}

TEST(ForEachInParallel, OthersHaveTheirTurnInThePool) {
  if (ParallelWidth() < 2) GTEST_SKIP() << "one processor";
  WorkPool pool(1);
  const std::thread::id caller = std::this_thread::get_id();
  absl::Notification other;
  std::once_flag once;
  std::atomic<int> calls{0};
  constexpr int kCalls = 3000;  // Seconds of work.
  const absl::Status status = ForEachInParallel(pool, kCalls, [&](size_t) {
    ++calls;
    if (std::this_thread::get_id() == caller) {
      // Only the pool goes on, until what came later than this work has run.
      other.WaitForNotification();
      return absl::CancelledError("seen");
    }
    std::call_once(once, [&] { pool.Post([&] { other.Notify(); }); });
    absl::SleepFor(absl::Milliseconds(1));
    return absl::OkStatus();
  });
  pool.Join();
  EXPECT_EQ(status, absl::CancelledError("seen"));
  EXPECT_LT(calls, kCalls);
}

}  // namespace
}  // namespace historian::server
