#include "server/trend_interval.h"

#include <random>

#include "gtest/gtest.h"
#include "storage/model/timestamp.h"

namespace historian::server {
namespace {

constexpr int64_t kMinute = 60 * kNanosPerSecond, kHour = 60 * kMinute, kDay = 24 * kHour;

TEST(TrendInterval, IsTheShortestRoundLength) {
  const Timestamp noon = *ParseTimestamp("2026-11-28T12:00:00Z"),
                  odd = *ParseTimestamp("2026-11-28T11:59:58.7Z");
  const struct {
    Timestamp start;
    int64_t length;
    uint64_t intervals_max;
    int64_t expected;
  } cases[] = {
      {noon, 365 * kDay, 2000, 6 * kHour},
      {noon, 365 * kDay, 8760, kHour},
      {noon, kDay, 2000, kMinute},
      {noon, 6 * kHour, 1000, 30 * kNanosPerSecond},
      {noon, kHour, 3600, kNanosPerSecond},
      // What is not round itself has one interval more.
      {odd, kHour, 3600, 2 * kNanosPerSecond},
      {odd, kHour, 3601, kNanosPerSecond},
      {noon, 1, 2, 1},
      {noon, 30, 2, 20},
      {noon, kNanosPerSecond, 1000, 1'000'000},
      {noon, kNanosPerSecond, 999, 2'000'000},
      {noon, kNanosPerSecond - 1, 2, 500'000'000},
      {noon, 20 * 365 * kDay, 100, 16 * 7 * kDay},
      {kTimestampMin, 106'000 * kDay, 1'000'000, 3 * kHour},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(TrendInterval(c.start, c.start + c.length, c.intervals_max), static_cast<uint64_t>(c.expected))
        << FormatTimestamp(c.start) << " " << c.length << " ns in " << c.intervals_max;
  }
}

TEST(TrendInterval, CoversAnyRangeWithNoMoreThanAsked) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 100'000; ++i) {
    const uint64_t all = Elapsed(kTimestampMin, kTimestampMax);
    Timestamp start = static_cast<Timestamp>(static_cast<uint64_t>(kTimestampMin) + random() % all);
    Timestamp end =
        static_cast<Timestamp>(static_cast<uint64_t>(start) + 1 +
                               (random() % (Elapsed(start, kTimestampMax))) / (uint64_t{1} << random() % 63));
    const uint64_t intervals_max = 2 + random() % (uint64_t{1} << random() % 20);
    const Timestamp first = start, behind = end;
    const uint64_t length = TrendInterval(start, end, intervals_max);
    if (!WidenToMultiples(length, &start, &end)) {
      ASSERT_TRUE(start == first && end == behind);
      continue;
    }
    ASSERT_LE(start, first);
    ASSERT_GE(end, behind);
    ASSERT_LT(Elapsed(start, first), length);
    ASSERT_LT(Elapsed(behind, end), length);
    ASSERT_EQ(static_cast<__int128>(start) % static_cast<__int128>(length), 0);
    ASSERT_EQ(Elapsed(start, end) % length, 0u);
    ASSERT_LE(Elapsed(start, end) / length, intervals_max);
  }
}

TEST(TrendInterval, IntervalsThatLeaveAllTimeAreNone) {
  Timestamp start = kTimestampMin + 1, end = kTimestampMin + 2;
  EXPECT_TRUE(WidenToMultiples(1, &start, &end));
  EXPECT_FALSE(WidenToMultiples(uint64_t{7} * kDay, &start, &end));
  EXPECT_EQ(start, kTimestampMin + 1);
}

}  // namespace
}  // namespace historian::server
