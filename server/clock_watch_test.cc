#include "server/clock_watch.h"

#include "gtest/gtest.h"

namespace historian::server {
namespace {

constexpr int64_t kSecond = 1'000'000'000, kDay = 86'400 * kSecond;
constexpr Timestamp kStart = 1'767'225'600 * kSecond;

TEST(ClockWatch, TimeThatPassesIsNoStep) {
  SimulatedClock clock(kStart);
  ClockWatch watch(clock);
  for (const int64_t passed : {int64_t{0}, kSecond, kDay, 400 * kDay}) {
    clock.Advance(passed);
    EXPECT_FALSE(watch.Look().has_value()) << passed;
  }
  EXPECT_EQ(watch.steps(), 0);
}

TEST(ClockWatch, NoticesStepsBothWays) {
  SimulatedClock clock(kStart);
  ClockWatch watch(clock);
  clock.Advance(kSecond);
  clock.Set(kStart + kDay);
  auto step = watch.Look();
  ASSERT_TRUE(step.has_value());
  EXPECT_EQ(step->from, kStart + kSecond);
  EXPECT_EQ(step->to, kStart + kDay);
  EXPECT_FALSE(watch.Look().has_value());
  clock.Set(kStart - 365 * kDay);
  step = watch.Look();
  ASSERT_TRUE(step.has_value());
  EXPECT_EQ(step->by(), absl::Hours(-24 * 366));
  EXPECT_EQ(watch.steps(), 2);
  EXPECT_EQ(watch.last()->to, kStart - 365 * kDay);
}

TEST(ClockWatch, ACreepingClockStepsWhenItHasGoneFarEnough) {
  SimulatedClock clock(kStart);
  ClockWatch watch(clock);
  int noticed = 0;
  for (int i = 0; i < 100; ++i) {
    clock.Advance(kSecond);
    clock.Set(clock.Now() + kSecond / 10);
    noticed += watch.Look().has_value();
  }
  EXPECT_EQ(noticed, 10);
}

}  // namespace
}  // namespace historian::server
