#include "storage/aggregate/interval_fold.h"

#include <vector>

#include "gtest/gtest.h"

namespace historian {
namespace {

constexpr Timestamp kSecond = kNanosPerSecond;

TEST(IntervalFold, RunsInOneIntervalFit) {
  const std::vector<Timestamp> edges = {10, 20, 21, 40};
  const IntervalFold fold(ValueType::kFloat64, Interpolation::kStepped, edges, kAllParts,
                          [](size_t, const Interval&) {});
  const struct {
    Timestamp first;
    Timestamp last;
    bool fits;
  } cases[] = {{10, 19, true}, {10, 10, true}, {10, 20, false}, {20, 20, true},  {20, 21, false},
               {9, 12, false}, {21, 39, true}, {21, 40, false}, {40, 41, false}, {1, 5, false}};
  for (const auto& c : cases)
    EXPECT_EQ(fold.FitsOneInterval(c.first, c.last), c.fits) << c.first << " " << c.last;
}

TEST(IntervalFold, AGapCostsOneStepPerInterval) {
  std::vector<Timestamp> edges;
  for (int i = 0; i <= 10'000; ++i) edges.push_back(i * kSecond);
  Samples run;
  run.Add(-kSecond, BitsOfFloat64(7.3));
  run.Add(20'000 * kSecond, BitsOfFloat64(7.3));
  for (const Interpolation interpolation : {Interpolation::kStepped, Interpolation::kSloped}) {
    std::vector<Interval> intervals;
    IntervalFold fold(ValueType::kFloat64, interpolation, edges, kAllParts, AppendTo(&intervals));
    fold.Add(run.View());
    fold.Finish();
    for (const Interval& interval : intervals) {
      ASSERT_EQ(interval.good_ns, kSecond);
      ASSERT_EQ(interval.area.DividedBy(kSecond), 7.3) << "a constant's average is the constant";
      ASSERT_EQ(interval.samples.count, 0u);
    }
  }
}

}  // namespace
}  // namespace historian
