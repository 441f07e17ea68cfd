#include "storage/model/turn.h"

#include <atomic>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"

namespace historian {
namespace {

TEST(Turns, OneHasItAtATime) {
  Turns turns;
  std::atomic<int> inside{0}, done{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 1000; ++k) {
        const absl::StatusOr<Turns::Turn> turn = turns.Take(nullptr);
        ASSERT_TRUE(turn.ok());
        ASSERT_EQ(inside.fetch_add(1), 0);
        inside.fetch_sub(1);
        done.fetch_add(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done.load(), 8000);
}

TEST(Turns, WhoWaitsMayGiveUpAndTheNextOneGetsIt) {
  Turns turns;
  auto first = turns.Take(nullptr);
  EXPECT_EQ(turns.Take([] { return absl::CancelledError("gone"); }).status(), absl::CancelledError("gone"));
  absl::Notification waits, got;
  std::thread next([&] {
    const auto turn = turns.Take([&] {
      if (!waits.HasBeenNotified()) waits.Notify();
      return absl::OkStatus();
    });
    EXPECT_TRUE(turn.ok());
    got.Notify();
  });
  waits.WaitForNotification();
  EXPECT_FALSE(got.HasBeenNotified());
  first->reset();
  got.WaitForNotification();
  next.join();
}

}  // namespace
}  // namespace historian
