#include "storage/aggregate/even_intervals.h"

#include <vector>

#include "gtest/gtest.h"
#include "storage/aggregate/random_samples.h"

namespace historian {
namespace {

TEST(EvenIntervals, OneEndsWhereTheNextBegins) {
  for (uint64_t seed = 1; seed <= 1000; ++seed) {
    RandomSamples random(seed);
    const uint64_t all = Elapsed(kTimestampMin, kTimestampMax);
    const uint64_t step = 1 + random.Below(random.Below(2) == 0 ? 1000 : all / 2);
    const EvenIntervals intervals = {step, random.Below(step)};
    const Timestamp t = static_cast<Timestamp>(static_cast<uint64_t>(kTimestampMin) + random.Below(all));
    const Timestamp begin = intervals.BeginOfInterval(t), end = intervals.EndOfInterval(t);
    SCOPED_TRACE(testing::Message() << "seed " << seed << " step " << step << " phase " << intervals.phase);
    ASSERT_LE(begin, t);
    ASSERT_GT(end, t);
    ASSERT_LE(Elapsed(begin, end), step);
    ASSERT_EQ(intervals.IntervalOf(begin), intervals.IntervalOf(t));
    ASSERT_EQ(intervals.IntervalOf(end - 1), intervals.IntervalOf(t));
    if (end <= kTimestampMax) {
      ASSERT_EQ(intervals.IntervalOf(end), intervals.IntervalOf(t) + 1);
      ASSERT_EQ(intervals.BeginOfInterval(end), end);
    }
    if (begin > kTimestampMin && end <= kTimestampMax) {
      ASSERT_EQ(Elapsed(begin, end), step);
    }
  }
}

TEST(EvenIntervals, AreThoseOfEdgesEquallyFarApartButForTheLast) {
  const auto of = [](std::vector<Timestamp> edges) { return EvenIntervals::Of(edges); };
  EXPECT_EQ(of({10, 20}), std::nullopt);
  EXPECT_EQ(of({10, 20, 31, 40}), std::nullopt);
  const auto intervals = of({10, 20, 30, 33});
  ASSERT_TRUE(intervals.has_value());
  EXPECT_EQ(intervals->step, 10u);
  EXPECT_EQ(intervals->EndOfInterval(15), 20);
  EXPECT_EQ(intervals->BeginOfInterval(15), 10);
  EXPECT_EQ(of({110, 120, 130}), intervals) << "the same over all time";
}

}  // namespace
}  // namespace historian
