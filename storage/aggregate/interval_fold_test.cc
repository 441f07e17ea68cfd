#include "storage/aggregate/interval_fold.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <vector>

#include "gtest/gtest.h"
#include "storage/aggregate/even_intervals.h"
#include "storage/aggregate/figures.h"
#include "storage/aggregate/random_samples.h"

namespace historian {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr Timestamp kSecond = kNanosPerSecond;

// One interval from all samples of the tag, by the definitions: no streams, no merges, no search.
Interval Reference(ValueType type, Interpolation interpolation, const SamplesView& all, Timestamp start,
                   Timestamp end, uint32_t parts) {
  Interval interval;
  interval.start = start;
  interval.end = end;
  Samples inside;
  for (size_t i = 0; i < all.size; ++i) {
    if (all.times[i] >= start && all.times[i] < end) inside.Append(type, all, i, 1);
  }
  if (parts & kAreas)
    parts = (parts & ~kAreas) | (interpolation == Interpolation::kSloped ? kAreaSloped : kAreaStepped);
  interval.samples = Summarize(type, inside.View(), parts);
  for (size_t i = 0; i + 1 < all.size; ++i) {
    const Timestamp ta = all.times[i];
    const Timestamp tb = all.times[i + 1];
    const Timestamp from = std::max(ta, start);
    const Timestamp to = std::min(tb, end);
    if (from >= to) continue;
    const uint64_t ns = Elapsed(from, to);
    if (!IsUsable(type, all.values[i], all.QualityAt(i))) {
      (IsUncertain(all.QualityAt(i)) ? interval.uncertain_ns : interval.bad_ns) += ns;
      continue;
    }
    interval.good_ns += ns;
    if (type == ValueType::kString || !(parts & kAreas)) continue;
    const auto add = [&](Timestamp t) {
      ExactSum product;
      const bool slopes =
          interpolation == Interpolation::kSloped && IsUsable(type, all.values[i + 1], all.QualityAt(i + 1));
      const ValueBits bits = t == tb && slopes ? all.values[i + 1] : all.values[i];
      const double a = ToDouble(type, all.values[i]);
      const double b = ToDouble(type, all.values[i + 1]);
      if (slopes && t != ta && t != tb) {
        const double share = static_cast<double>(Elapsed(ta, t)) / static_cast<double>(Elapsed(ta, tb));
        double v = std::isinf(b - a) ? a * (1 - share) + b * share : a + (b - a) * share;
        v = std::min(std::max(v, std::min(a, b)), std::max(a, b));
        product.AddProduct(v, ns);
      } else if (IsFloat(type)) {
        product.AddProduct(ToDouble(type, bits), ns);
      } else {
        product.AddIntProduct(Int64OfBits(bits), ns);
      }
      product.Halve();
      interval.area.Add(product);
    };
    add(from);
    add(to);
  }
  return interval;
}

void ExpectEqual(const Interval& got, const Interval& expected) {
  EXPECT_EQ(got.start, expected.start);
  EXPECT_EQ(got.end, expected.end);
  EXPECT_EQ(got.good_ns, expected.good_ns);
  EXPECT_EQ(got.uncertain_ns, expected.uncertain_ns);
  EXPECT_EQ(got.bad_ns, expected.bad_ns);
  EXPECT_EQ(got.area, expected.area) << got.area.ToDouble() << " for " << expected.area.ToDouble();
  EXPECT_TRUE(got.samples == expected.samples) << got.samples.count << " for " << expected.samples.count;
}

// Edges at random, on samples, beside samples and a nanosecond apart.
std::vector<Timestamp> AnyEdges(const Samples& run, RandomSamples* random) {
  std::set<Timestamp> edges;
  const Timestamp first = run.times.front();
  const Timestamp last = run.times.back();
  while (edges.size() < 2 + random->Below(12)) {
    Timestamp t = run.times[random->Below(run.size())];
    switch (random->Below(5)) {
      case 0:
        break;
      case 1:
        t -= 1;
        break;
      case 2:
        t += 1;
        break;
      case 3:
        t = static_cast<Timestamp>(static_cast<uint64_t>(first) + random->Below(Elapsed(first, last) + 1));
        break;
      case 4:
        t = random->Below(2) == 0 ? std::max(first - kSecond, kTimestampMin)
                                  : std::min(last + kSecond, kTimestampMax);
    }
    edges.insert(t);
    if (random->Below(4) == 0) edges.insert(t + 1);
  }
  return std::vector<Timestamp>(edges.begin(), edges.end());
}

TEST(IntervalFold, AnyMixtureOfSamplesAndSummariesEqualsTheReference) {
  for (uint64_t seed = 1; seed <= 1500; ++seed) {
    RandomSamples random(seed);
    const ValueType type = kAllTypes[random.Below(6)];
    const Interpolation interpolation =
        random.Below(2) == 0 ? Interpolation::kStepped : Interpolation::kSloped;
    const Samples run = random.Run(type, 1 + random.Below(60), random.AnyFlavour());
    const std::vector<Timestamp> edges = AnyEdges(run, &random);
    const uint32_t choices[] = {kAllParts, kCounts, kExtremes | kSums, kAreas, kSums | kAreas};
    const uint32_t parts = choices[random.Below(std::size(choices))];
    SCOPED_TRACE(testing::Message() << "seed " << seed << " " << ValueTypeName(type) << " parts " << parts);

    std::vector<Interval> intervals;
    IntervalFold fold(type, interpolation, edges, parts, AppendTo(&intervals));
    // Everything, or only what the contract asks for.
    size_t begin = 0;
    size_t end = run.size();
    if (random.Below(2) == 0) {
      begin = std::lower_bound(run.times.begin(), run.times.end(), edges.front()) - run.times.begin();
      if (begin > 0) --begin;
      end = std::lower_bound(run.times.begin(), run.times.end(), edges.back()) - run.times.begin();
      if (end < run.size()) ++end;
    }
    while (begin < end) {
      const size_t size = 1 + random.Below(std::min<size_t>(end - begin, 1 + random.Below(20)));
      const SamplesView view = run.View().Slice(begin, size);
      if (fold.FitsOneInterval(view.times[0], view.times[size - 1]) && random.Below(3) > 0) {
        // With more parts than asked for, as a stored summary has.
        fold.AddSummary(Summarize(type, view));
      } else {
        fold.Add(view);
      }
      begin += size;
    }
    fold.Finish();
    ASSERT_EQ(intervals.size(), edges.size() - 1);
    for (size_t i = 0; i < intervals.size(); ++i) {
      SCOPED_TRACE(i);
      ExpectEqual(intervals[i], Reference(type, interpolation, run.View(), edges[i], edges[i + 1], parts));
      EXPECT_LE(intervals[i].good_ns + intervals[i].uncertain_ns + intervals[i].bad_ns,
                Elapsed(edges[i], edges[i + 1]));
    }
    ASSERT_FALSE(testing::Test::HasFailure());
  }
}

// Feeds samples, and summaries of those that lie in one interval.
void FeedInPieces(ValueType type, const EvenIntervals& even, const SamplesView& run, RandomSamples* random,
                  FigureRunBuilder* builder) {
  for (size_t begin = 0; begin < run.size;) {
    const size_t size = 1 + random->Below(std::min<size_t>(run.size - begin, 1 + random->Below(200)));
    const SamplesView piece = run.Slice(begin, size);
    const Timestamp first = piece.times[0], last = piece.times[size - 1];
    const bool fits = builder->FitsOneInterval(first, last);
    EXPECT_EQ(fits, even.IntervalOf(first) == even.IntervalOf(last));
    if (fits && random->Below(3) > 0) {
      // With more parts than asked for, as a stored summary has.
      builder->AddSummary(Summarize(type, piece));
    } else {
      builder->Add(piece);
    }
    begin += size;
  }
}

// Long runs in intervals of one width, as a trend asks for, where the next edge is guessed.
TEST(IntervalFold, TrendsOfLongRunsEqualTheReference) {
  // Finished intervals, which figures are numbers of.
  std::vector<Interval> finished;
  const FigureMaker maker = {
      .id = "number", .columns = 1, .make = [&](const Interval& interval, size_t i, FigureTable to) {
        to[0].Set(i, finished.size(), StatusOf(interval));
        finished.push_back(interval);
      }};
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    RandomSamples random(seed);
    const ValueType type = kAllTypes[random.Below(6)];
    const Interpolation interpolation =
        random.Below(2) == 0 ? Interpolation::kStepped : Interpolation::kSloped;
    RandomSamples::Flavour flavour = random.AnyFlavour();
    flavour.long_gaps = false;
    Samples run = random.Run(type, 1 + random.Below(1500), flavour);
    // Regular but for a little, or as random as they came; some of them missing.
    const uint64_t jitter = random.Below(3);
    for (size_t i = 0; jitter < 2 && i < run.size(); ++i) {
      const size_t missing = i > run.size() / 2 ? 100 : 0;
      run.times[i] = static_cast<Timestamp>(i + missing) * kSecond +
                     static_cast<Timestamp>(jitter * random.Below(kSecond));
    }
    const Timestamp width = 1 + static_cast<Timestamp>(random.Below(100 * kSecond));
    std::vector<Timestamp> edges = {run.times.front() - static_cast<Timestamp>(random.Below(3 * width)) +
                                    width};
    while (edges.size() < 2 || (edges.size() < 60 && edges.back() < run.times.back())) {
      edges.push_back(edges.back() + width);
    }
    const uint32_t choices[] = {kAllParts, kCounts, kExtremes, kSums, kExtremes | kSums, kAreas};
    const uint32_t parts = choices[random.Below(std::size(choices))];
    SCOPED_TRACE(testing::Message() << "seed " << seed << " " << ValueTypeName(type) << " parts " << parts);
    std::vector<Interval> intervals(edges.size() - 1);
    std::vector<ValueBits> numbers(intervals.size(), UINT64_MAX);
    std::vector<Quality> statuses(intervals.size());
    const FigureColumn column = {numbers.data(), statuses.data()};
    IntervalFold fold(type, interpolation, edges, parts,
                      [&](size_t i, const Interval& interval) { intervals[i] = interval; });
    for (size_t begin = 0; begin < run.size();) {
      const size_t size = 1 + random.Below(run.size() - begin);
      const SamplesView view = run.View().Slice(begin, size);
      const std::optional<EvenIntervals> even = EvenIntervals::Of(edges);
      if (even.has_value() && random.Below(2) == 0) {
        // As a range sees it that may begin and end within the run.
        FigureRunBuilder builder(type, interpolation, *even, fold.parts(), maker, view.times[0],
                                 view.times[size - 1]);
        FeedInPieces(type, *even, view, &random, &builder);
        const FigureRun figures = builder.Finish();
        EXPECT_EQ(figures.head().first.time, view.times[0]);
        const Timestamp from = std::max(view.times[0], edges.front());
        const Timestamp to = std::min(view.times[size - 1] + 1, edges.back());
        if (view.times[0] < edges.front()) {
          const Timestamp* const inside = std::lower_bound(view.times, view.times + size, edges.front());
          fold.Add(view.Slice(0, inside - view.times));
        }
        if (from < to) fold.AddFigures(figures, from, to, {&column, 1});
        if (view.times[size - 1] >= edges.back()) {
          const Timestamp* const outside = std::lower_bound(view.times, view.times + size, edges.back());
          fold.Add(view.Slice(outside - view.times, view.times + size - outside));
        }
        begin += size;
        continue;
      }
      fold.Add(view);
      begin += size;
    }
    fold.Finish();
    for (size_t i = 0; i < intervals.size(); ++i) {
      SCOPED_TRACE(i);
      if (numbers[i] != UINT64_MAX) {
        ASSERT_EQ(intervals[i].end, 0) << "both finished and folded";
        intervals[i] = finished[numbers[i]];
        EXPECT_EQ(statuses[i], StatusOf(intervals[i]));
      }
      EXPECT_EQ(intervals[i].start, edges[i]);
      ExpectEqual(intervals[i], Reference(type, interpolation, run.View(), edges[i], edges[i + 1], parts));
    }
    ASSERT_FALSE(testing::Test::HasFailure());
  }
  EXPECT_GT(finished.size(), 500u);
}

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

Samples Example() {
  // seconds   2    6     12    15     18    26
  // value     10   20    30    bad    40    50
  Samples run;
  run.Add(2 * kSecond, BitsOfFloat64(10));
  run.Add(6 * kSecond, BitsOfFloat64(20));
  run.Add(12 * kSecond, BitsOfFloat64(30));
  run.Add(15 * kSecond, BitsOfFloat64(kNan), kBad);
  run.Add(18 * kSecond, BitsOfFloat64(40));
  run.Add(26 * kSecond, BitsOfFloat64(50));
  return run;
}

TEST(IntervalFold, HandComputedExample) {
  const std::vector<Timestamp> edges = {
      0, 5 * kSecond, 10 * kSecond, 15 * kSecond, 18 * kSecond, 30 * kSecond, 35 * kSecond};
  constexpr Quality kGoodStatus = kGood | kInfoCalculated;
  constexpr Quality kUncertainStatus = kUncertainDataSubNormal | kInfoCalculated;
  constexpr Quality kBadStatus = kBad | kInfoCalculated;
  const struct {
    uint64_t count;
    std::optional<double> average;
    double good_seconds;
    double bad_seconds;
    double no_data_seconds;
    double stepped_area;  // Value x seconds.
    double sloped_area;
    Quality status;
  } expected[] = {
      // Begins before the first sample; at 5 s the line from 10 to 20 is at 17.5.
      {1, 10, 3, 0, 2, 30, 13.75 * 3, kUncertainStatus},
      // From 17.5 by 20 at 6 s to 26.666 at 10 s.
      {1, 20, 5, 0, 0, 10 + 20 * 4, 18.75 + (20 + (20 + 10 * (4.0 / 6))) / 2 * 4, kGoodStatus},
      // No slope from 30 towards what is Bad.
      {1, 30, 5, 0, 0, 20 * 2 + 30 * 3, ((20 + 10 * (4.0 / 6)) + 30) / 2 * 2 + 30 * 3, kGoodStatus},
      {1, std::nullopt, 0, 3, 0, 0, 0, kBadStatus},
      {2, 45, 8, 0, 4, 320, 360, kUncertainStatus},
      {0, std::nullopt, 0, 0, 5, 0, 0, kBadNoData},
  };
  for (const Interpolation interpolation : {Interpolation::kStepped, Interpolation::kSloped}) {
    const bool sloped = interpolation == Interpolation::kSloped;
    std::vector<Interval> intervals;
    IntervalFold fold(ValueType::kFloat64, interpolation, edges, kAllParts, AppendTo(&intervals));
    const Samples run = Example();
    fold.Add(run.View());
    fold.Finish();
    for (size_t i = 0; i < intervals.size(); ++i) {
      SCOPED_TRACE(testing::Message() << "interval " << i << (sloped ? " sloped" : " stepped"));
      const Interval& interval = intervals[i];
      EXPECT_EQ(interval.samples.count, expected[i].count);
      EXPECT_EQ(AverageOf(interval), expected[i].average);
      EXPECT_EQ(interval.good_ns / 1e9, expected[i].good_seconds);
      EXPECT_EQ(interval.bad_ns / 1e9, expected[i].bad_seconds);
      EXPECT_EQ(interval.no_data_ns() / 1e9, expected[i].no_data_seconds);
      const double area = sloped ? expected[i].sloped_area : expected[i].stepped_area;
      EXPECT_NEAR(interval.area.ToDouble() / 1e9, area, 1e-9);
      if (expected[i].good_seconds == 0) {
        EXPECT_EQ(TimeWeightedAverageOf(interval), std::nullopt);
      } else {
        EXPECT_NEAR(*TimeWeightedAverageOf(interval), area / expected[i].good_seconds, 1e-9);
      }
      EXPECT_DOUBLE_EQ(GoodShareOf(interval),
                       interval.good_ns / static_cast<double>(Elapsed(edges[i], edges[i + 1])));
      EXPECT_EQ(StatusOf(interval), expected[i].status) << QualityName(StatusOf(interval));
    }
  }
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
      ASSERT_EQ(TimeWeightedAverageOf(interval), 7.3) << "a constant's average is the constant";
      ASSERT_EQ(StatusOf(interval), kGood | kInfoCalculated);
      ASSERT_EQ(AverageOf(interval), std::nullopt);
    }
  }
}

Interval OfValues(const std::vector<double>& values) {
  Samples run;
  for (size_t i = 0; i < values.size(); ++i) run.Add(static_cast<Timestamp>(i), BitsOfFloat64(values[i]));
  const std::vector<Timestamp> edges = {0, 1'000'000};
  std::vector<Interval> intervals;
  IntervalFold fold(ValueType::kFloat64, Interpolation::kStepped, edges, kAllParts, AppendTo(&intervals));
  fold.Add(run.View());
  fold.Finish();
  return intervals.front();
}

TEST(Figures, SmallExamples) {
  const struct {
    std::vector<double> values;
    double sum;
    double average;
    double sample_deviation;
    double population_deviation;
    double range;
  } cases[] = {
      {{5}, 5, 5, 0, 0, 0},
      {{2, 4, 4, 4, 5, 5, 7, 9}, 40, 5, std::sqrt(32.0 / 7), 2, 7},
      {{0.1, 0.1, 0.1}, 0.30000000000000004, 0.1, 0, 0, 0},
      // A small spread on a large level, where sums of squares in double cancel to nothing.
      {{1e9, 1e9 + 1, 1e9 + 2}, 3e9 + 3, 1e9 + 1, 1, std::sqrt(2.0 / 3), 2},
      // The sum exceeds a double; the others do not.
      {{1.5e308, 1.5e308}, INFINITY, 1.5e308, 0, 0, 0},
      {{0, 1.5e308}, 1.5e308, 0.75e308, 1.5e308 / std::sqrt(2.0), 0.75e308, 1.5e308},
      {{0, 0x1p-1000}, 0x1p-1000, 0x1p-1001, 0x1p-1000 / std::sqrt(2.0), 0x1p-1001, 0x1p-1000},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(testing::PrintToString(c.values));
    const Interval interval = OfValues(c.values);
    EXPECT_EQ(SumOf(interval), c.sum);
    EXPECT_EQ(AverageOf(interval), c.average);
    EXPECT_DOUBLE_EQ(*SampleDeviationOf(interval), c.sample_deviation);
    EXPECT_DOUBLE_EQ(*PopulationDeviationOf(interval), c.population_deviation);
    EXPECT_EQ(RangeOf(ValueType::kFloat64, interval), c.range);
  }
}

TEST(Figures, OfNothingAreNothing) {
  const Interval interval = OfValues({kNan});
  EXPECT_EQ(SumOf(interval), std::nullopt);
  EXPECT_EQ(AverageOf(interval), std::nullopt);
  EXPECT_EQ(TimeWeightedAverageOf(interval), std::nullopt);
  EXPECT_EQ(SampleDeviationOf(interval), std::nullopt);
  EXPECT_EQ(PopulationDeviationOf(interval), std::nullopt);
  EXPECT_EQ(RangeOf(ValueType::kFloat64, interval), std::nullopt);
  EXPECT_EQ(GoodShareOf(interval), 0);
  EXPECT_EQ(StatusOf(interval), kBad | kInfoCalculated);
}

TEST(Figures, TheRangeOfIntegersIsExactAtTheirLimits) {
  Samples run;
  run.Add(0, BitsOfInt64(std::numeric_limits<int64_t>::min()));
  run.Add(1, BitsOfInt64(std::numeric_limits<int64_t>::max()));
  const std::vector<Timestamp> edges = {0, 10};
  std::vector<Interval> intervals;
  IntervalFold fold(ValueType::kInt64, Interpolation::kStepped, edges, kExtremes, AppendTo(&intervals));
  fold.Add(run.View());
  fold.Finish();
  EXPECT_EQ(RangeOf(ValueType::kInt64, intervals.front()), 0x1p64);
}

TEST(Figures, StatusOfATagsOnlySampleIsItsOwn) {
  EXPECT_EQ(StatusOf(OfValues({1})), kGood | kInfoCalculated);
  EXPECT_EQ(StatusOf(OfValues({1, 2})), kUncertainDataSubNormal | kInfoCalculated)
      << "most of the time has no data";
}

}  // namespace
}  // namespace historian
