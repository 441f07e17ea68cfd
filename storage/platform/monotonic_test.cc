#include "storage/platform/monotonic.h"

#include <thread>
#include <type_traits>

#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace historian {
namespace {

static_assert(!std::is_convertible_v<MonotonicTime, absl::Time>);
static_assert(!std::is_constructible_v<MonotonicTime, absl::Time>);

TEST(MonotonicTime, GoesOn) {
  const MonotonicTime before = MonotonicTime::Now();
  absl::SleepFor(absl::Milliseconds(2));
  const MonotonicTime after = MonotonicTime::Now();
  EXPECT_GE(after - before, absl::Milliseconds(2));
  EXPECT_EQ(before + (after - before), after);
  EXPECT_EQ(after - (after - before), before);
}

TEST(MonotonicTime, HasEnds) {
  const MonotonicTime now = MonotonicTime::Now();
  EXPECT_EQ(MonotonicTime(), MonotonicTime::InfinitePast());
  EXPECT_LT(MonotonicTime::InfinitePast(), now);
  EXPECT_GT(MonotonicTime::InfiniteFuture(), now);
  EXPECT_EQ(now - MonotonicTime::InfinitePast(), absl::InfiniteDuration());
  EXPECT_EQ(now + absl::InfiniteDuration(), MonotonicTime::InfiniteFuture());
}

TEST(CondVar, SaysWhenTheTimeIsOver) {
  absl::Mutex mu;
  CondVar changed;
  absl::MutexLock lock(&mu);
  const MonotonicTime begin = MonotonicTime::Now();
  EXPECT_FALSE(changed.AwaitFor(&mu, absl::Milliseconds(20), [] { return false; }));
  EXPECT_GE(MonotonicTime::Now() - begin, absl::Milliseconds(20));
  EXPECT_TRUE(changed.WaitUntil(&mu, begin));
  EXPECT_TRUE(changed.WaitUntil(&mu, MonotonicTime::InfinitePast()));
}

TEST(CondVar, LetsGoOfTheMutexUntilItIsSignalled) {
  absl::Mutex mu;
  CondVar changed;
  bool done = false;
  std::thread other([&] {
    absl::MutexLock lock(&mu);
    done = true;
    changed.SignalAll();
  });
  {
    absl::MutexLock lock(&mu);
    EXPECT_TRUE(changed.AwaitFor(&mu, absl::InfiniteDuration(), [&] { return done; }));
    mu.AssertHeld();
  }
  other.join();
}

}  // namespace
}  // namespace historian
