#include "server/log.h"

#include <limits>
#include <string>

#include "gtest/gtest.h"

namespace historian::server {
namespace {

const absl::Time kTime = absl::FromUnixMillis(1'767'225'600'123);

TEST(LogTest, LinesAsTextAndAsJson) {
  EXPECT_EQ(FormatLogLine(
                false, kTime, LogLevel::kInfo, "started",
                {{"grpc", "127.0.0.1:1"}, {"tags", 7}, {"what", "a \"b\"\n=c"}, {"ms", 1.5}, {"empty", ""}}),
            "2026-01-01T00:00:00.123Z info  started grpc=127.0.0.1:1 tags=7 what=\"a \\\"b\\\"\\n=c\" ms=1.5 "
            "empty=\"\"");
  EXPECT_EQ(
      FormatLogLine(
          true, kTime, LogLevel::kWarning, "slow",
          {{"who", "x\x01\\"}, {"n", uint64_t{1} << 63}, {"nan", std::numeric_limits<double>::quiet_NaN()}}),
      "{\"time\":\"2026-01-01T00:00:00.123Z\",\"level\":\"warn\",\"event\":\"slow\",\"who\":\"x\\u0001\\\\\","
      "\"n\":9223372036854775808,\"nan\":null}");
}

TEST(LogTest, FileThatCannotBeOpenedIsAnError) {
  EXPECT_FALSE(Log::Open("/no/such/dir/log", "info", "text").ok());
}

TEST(LogRateLimiterTest, OneLineAnIntervalAndKeyAndTheRestCounted) {
  LogRateLimiter limiter(absl::Seconds(10));
  uint64_t suppressed = 0;
  EXPECT_TRUE(limiter.Allow("a", kTime, &suppressed));
  EXPECT_TRUE(limiter.Allow("b", kTime, &suppressed));
  EXPECT_FALSE(limiter.Allow("a", kTime + absl::Seconds(1), &suppressed));
  EXPECT_FALSE(limiter.Allow("a", kTime + absl::Seconds(9), &suppressed));
  EXPECT_TRUE(limiter.Allow("a", kTime + absl::Seconds(10), &suppressed));
  EXPECT_EQ(suppressed, 2u);
}

}  // namespace
}  // namespace historian::server
