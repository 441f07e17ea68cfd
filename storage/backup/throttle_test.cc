#include "storage/backup/throttle.h"

#include "gtest/gtest.h"

namespace historian::backup {
namespace {

// Never faster than the rate: how much slower a machine is does not matter.
TEST(Throttle, LetsNoMoreThroughThanItsRateAndABurst) {
  Throttle throttle(1'000'000);
  const MonotonicTime begin = MonotonicTime::Now();
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(throttle.Take(10'000, nullptr).ok());
  // 0.3 s worth of bytes, of which 0.1 s may come at once.
  EXPECT_GE(MonotonicTime::Now() - begin, absl::Milliseconds(199));
}

TEST(Throttle, EndsWhenItIsTold) {
  Throttle throttle(1);
  int asked = 0;
  const absl::Status status = throttle.Take(
      1'000'000, [&] { return ++asked > 3 ? absl::CancelledError("enough") : absl::OkStatus(); });
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(asked, 4);
}

TEST(Throttle, WithoutALimitIsAskedAllTheSame) {
  Throttle throttle(0);
  EXPECT_TRUE(throttle.Take(uint64_t{1} << 60, nullptr).ok());
  EXPECT_FALSE(throttle.Take(1, [] { return absl::CancelledError("enough"); }).ok());
}

}  // namespace
}  // namespace historian::backup
