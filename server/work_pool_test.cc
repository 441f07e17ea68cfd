#include "server/work_pool.h"

#include <atomic>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace historian::server {
namespace {

TEST(WorkPool, DoesAllThatWasPosted) {
  std::atomic<int> done{0};
  {
    WorkPool pool(2, 4);
    for (int i = 0; i < 1000; ++i) {
      pool.Post([&] { done.fetch_add(1); });
    }
  }
  EXPECT_EQ(done.load(), 1000);
}

TEST(WorkPool, ThreadsThatWaitForADiskHoldUpNobody) {
  absl::Notification disk_answers;
  WorkPool pool(2, 20);
  for (int i = 0; i < 15; ++i) {
    pool.Post([&] { disk_answers.WaitForNotification(); });
  }
  absl::Notification cached_read;
  pool.Post([&] { cached_read.Notify(); });
  cached_read.WaitForNotification();
  EXPECT_GE(pool.threads(), 16);
  disk_answers.Notify();
}

TEST(WorkPool, HasNoMoreThreadsThanItMay) {
  absl::Notification disk_answers;
  std::atomic<int> begun{0};
  WorkPool pool(1, 3);
  for (int i = 0; i < 10; ++i) {
    pool.Post([&] {
      begun.fetch_add(1);
      disk_answers.WaitForNotification();
    });
  }
  while (begun.load() < 3) absl::SleepFor(absl::Milliseconds(1));
  absl::SleepFor(4 * WorkPool::kPatience);
  EXPECT_EQ(begun.load(), 3);
  EXPECT_EQ(pool.threads(), 3);
  disk_answers.Notify();
}

TEST(WorkPool, KeepsItsFewThreadsWhileTheyAreQuick) {
  WorkPool pool(2, 20);
  std::atomic<int> left{200};
  for (int i = 0; i < 200; ++i) {
    pool.Post([&] { left.fetch_sub(1); });
    absl::SleepFor(absl::Milliseconds(1));
  }
  while (left.load() > 0) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_EQ(pool.threads(), 2);
}

}  // namespace
}  // namespace historian::server
