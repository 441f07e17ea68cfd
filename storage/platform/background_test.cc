#include "storage/platform/background.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace historian {
namespace {

constexpr uint64_t kMs = 1'000'000;

TEST(BackgroundPace, WorkThatNobodyWaitedForGoesOn) {
  EXPECT_EQ(BackgroundPace::RestNs({10 * kMs, 0}), 0);
  EXPECT_EQ(BackgroundPace::RestNs({10 * kMs, 2 * kMs}), 0);
  EXPECT_EQ(BackgroundPace::RestNs({0, 0}), 0);
}

TEST(BackgroundPace, WorkIsATenthOfTheTimeWhenItHadToWait) {
  EXPECT_EQ(BackgroundPace::RestNs({10 * kMs, 10 * kMs}), 80 * kMs);
  EXPECT_EQ(BackgroundPace::RestNs({10 * kMs, 50 * kMs}), 40 * kMs);
  EXPECT_EQ(BackgroundPace::RestNs({10 * kMs, 90 * kMs}), 0);
  EXPECT_EQ(BackgroundPace::RestNs({10 * kMs, 900 * kMs}), 0);
}

TEST(BackgroundPace, ARestHasAnEnd) {
  EXPECT_EQ(BackgroundPace::RestNs({1000 * kMs, 1000 * kMs}), BackgroundPace::kRestNsMax);
}

// More threads than processors, each with work for ten looks: all come to their end.
TEST(BackgroundPace, WorkComesToItsEnd) {
  std::atomic<unsigned> ended{0};
  std::vector<std::thread> threads;
  const unsigned count = 2 * std::max(1u, std::thread::hardware_concurrency());
  for (unsigned k = 0; k < count; ++k) {
    threads.emplace_back([&ended] {
      BackgroundPace pace;
      volatile uint64_t work = 0;
      for (int i = 0; i < 20'000; ++i) {
        for (int j = 0; j < 5'000; ++j) work = work + 1;
        pace.MayRest();
      }
      ++ended;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ended, count);
}

}  // namespace
}  // namespace historian
