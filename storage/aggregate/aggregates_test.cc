// Aggregates made from folds against their definitions, over all samples of a tag.
#include "storage/aggregate/aggregates.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "storage/aggregate/direct_aggregates.h"
#include "storage/aggregate/direct_interval.h"
#include "storage/aggregate/even_intervals.h"
#include "storage/aggregate/random_samples.h"
#include "storage/aggregate/samples_source.h"

namespace historian {
namespace {

using A = Aggregate;

bool IsText(A aggregate, ValueType type) {
  return type == ValueType::kString &&
         (InfoOf(aggregate).result == AggregateResult::kSource || aggregate == A::kNumberOfTransitions);
}

std::vector<A> AggregatesOf(ValueType type) {
  std::vector<A> all;
  for (const AggregateInfo& info : kAggregates) {
    if (IsDefinedFor(info.id, type) && !IsText(info.id, type)) all.push_back(info.id);
  }
  return all;
}

AggregateConfig AnyConfig(RandomSamples* random) {
  AggregateConfig config;
  config.treat_uncertain_as_bad = random->Below(2) == 0;
  config.percent_data_bad = static_cast<int>(random->Below(101));
  config.percent_data_good =
      100 - config.percent_data_bad + static_cast<int>(random->Below(config.percent_data_bad + 1));
  config.use_sloped_extrapolation = random->Below(2) == 0;
  config.stepped = random->Below(2) == 0;
  const uint64_t units[] = {1, 1'000'000, 5'000'000'000};
  config.resolution_ns = units[random->Below(3)];
  return config;
}

// What the definition says, as a figure has it.
Figure Defined(A aggregate, const DirectSamples& samples, Timestamp start, Timestamp end) {
  const StandardValue value = ComputeDirectly(aggregate, samples, start, end);
  const ValueType result = ResultTypeOf(aggregate, samples.type());
  Figure figure = {0, value.status, value.time};
  if (!value.value.has_value()) {
    figure.value = IsFloat(result) ? BitsOfFloat64(std::numeric_limits<double>::quiet_NaN()) : 0;
  } else {
    figure.value = IsFloat(result) ? BitsOfFloat64(ToDouble(result, *value.value)) : *value.value;
  }
  return figure;
}

void ExpectFigure(A aggregate, ValueType type, const Figure& got, const Figure& expected) {
  SCOPED_TRACE(InfoOf(aggregate).standard_name);
  const auto text = [&](ValueBits bits) {
    return HasIntegers(aggregate, type) ? std::to_string(Int64OfBits(bits))
                                        : testing::PrintToString(Float64OfBits(bits));
  };
  EXPECT_EQ(text(got.value), text(expected.value));
  EXPECT_EQ(got.value, expected.value);
  EXPECT_EQ(QualityName(got.status), QualityName(expected.status));
  EXPECT_EQ(got.time, expected.time);
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
        t = random->Below(2) == 0 ? std::max(first - kNanosPerSecond, kTimestampMin)
                                  : std::min(last + kNanosPerSecond, kTimestampMax);
    }
    edges.insert(t);
    if (random->Below(4) == 0) edges.insert(t + 1);
  }
  return std::vector<Timestamp>(edges.begin(), edges.end());
}

// Some runs begin or end with entries that say that there are no data.
void AddPlaceholders(ValueType type, RandomSamples* random, Samples* run) {
  if (random->Below(4) != 0) return;
  Samples with;
  const size_t before = random->Below(4), behind = random->Below(4);
  for (size_t i = 0; i < run->size(); ++i) {
    const SamplesView view = run->View();
    const bool placeholder = i < before || i + behind >= run->size();
    if (type == ValueType::kString) {
      with.AddString(view.times[i], view.StringAt(i), placeholder ? kBadNoData : view.QualityAt(i));
    } else {
      with.Add(view.times[i], view.values[i], placeholder ? kBadNoData : view.QualityAt(i));
    }
  }
  *run = with;
}

TEST(Aggregates, OfAnyMixtureOfSamplesAndSummariesAreAsDefined) {
  size_t summaries = 0;
  for (uint64_t seed = 1; seed <= 2500; ++seed) {
    RandomSamples random(seed);
    const ValueType type = kAllTypes[random.Below(6)];
    const AggregateConfig config = AnyConfig(&random);
    Samples run = random.Run(type, 1 + random.Below(50), random.AnyFlavour());
    AddPlaceholders(type, &random, &run);
    const std::vector<Timestamp> edges = AnyEdges(run, &random);
    const bool backward = random.Below(3) == 0;
    SCOPED_TRACE(testing::Message() << "seed " << seed << " " << ValueTypeName(type)
                                    << (backward ? " backward" : ""));
    // All of them, or a few, so that no part is there only because another aggregate needs it.
    std::vector<A> aggregates = AggregatesOf(type);
    while (aggregates.size() > 3 && random.Below(8) != 0) {
      aggregates.erase(aggregates.begin() + static_cast<ptrdiff_t>(random.Below(aggregates.size())));
    }
    uint32_t parts = 0;
    for (const A aggregate : aggregates) parts |= PartsOf(aggregate);

    SamplesSource source(type, run.View());
    std::vector<Interval> intervals;
    IntervalFold fold(type, FoldConfigOf(config, type, backward), edges, parts, AppendTo(&intervals),
                      &source);
    // Everything, or only what the contract asks for.
    size_t begin = 0;
    size_t end = run.size();
    if (random.Below(2) == 0) {
      begin =
          std::lower_bound(run.times.begin(), run.times.end(), edges.front() + backward) - run.times.begin();
      if (begin > 0) --begin;
      end = std::lower_bound(run.times.begin(), run.times.end(), edges.back() + backward) - run.times.begin();
      if (end < run.size()) ++end;
    }
    while (begin < end) {
      const size_t size = 1 + random.Below(std::min<size_t>(end - begin, 1 + random.Below(20)));
      const SamplesView view = run.View().Slice(begin, size);
      // With more parts than asked for, as a stored summary has.
      const Summary summary = Summarize(type, view);
      if (fold.FitsOneInterval(view.times[0], view.times[size - 1]) && random.Below(3) > 0 &&
          fold.Suffices(summary)) {
        fold.AddSummary(summary);
        ++summaries;
      } else {
        fold.Add(view);
      }
      begin += size;
    }
    fold.Finish();
    ASSERT_EQ(intervals.size(), edges.size() - 1);
    const SamplesView all = run.View();
    const DirectSamples samples(type, all, ExtentOf(all, config.resolution_ns), config);
    for (size_t i = 0; i < intervals.size(); ++i) {
      SCOPED_TRACE(i);
      const Timestamp from = edges[i + backward], to = edges[i + !backward];
      for (const A aggregate : aggregates) {
        ExpectFigure(aggregate, type, FigureOf(aggregate, type, config, intervals[i], backward),
                     Defined(aggregate, samples, from, to));
      }
    }
    ASSERT_FALSE(testing::Test::HasFailure());
  }
  EXPECT_GT(summaries, 2000u);
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
    const Summary summary = Summarize(type, piece, kAllParts);
    if (fits && random->Below(3) > 0 && builder->Suffices(summary)) {
      builder->AddSummary(summary);
    } else {
      builder->Add(piece);
    }
    begin += size;
  }
}

// Long runs in intervals of one width, as a trend asks for, where the next edge is guessed and figures of runs are kept.
TEST(Aggregates, OfTrendsOfLongRunsAreAsDefined) {
  size_t kept = 0;
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    RandomSamples random(seed);
    const ValueType type = kAllTypes[random.Below(6)];
    AggregateConfig config = AnyConfig(&random);
    RandomSamples::Flavour flavour = random.AnyFlavour();
    flavour.long_gaps = false;
    Samples run = random.Run(type, 1 + random.Below(700), flavour);
    AddPlaceholders(type, &random, &run);
    // Regular but for a little, or as random as they came; some of them missing.
    const uint64_t jitter = random.Below(3);
    for (size_t i = 0; jitter < 2 && i < run.size(); ++i) {
      const size_t missing = i > run.size() / 2 ? 100 : 0;
      run.times[i] = static_cast<Timestamp>(i + missing) * kNanosPerSecond +
                     static_cast<Timestamp>(jitter * random.Below(kNanosPerSecond));
    }
    const Timestamp width = 1 + static_cast<Timestamp>(random.Below(100 * kNanosPerSecond));
    std::vector<Timestamp> edges = {run.times.front() - static_cast<Timestamp>(random.Below(3 * width)) +
                                    width};
    while (edges.size() < 2 || (edges.size() < 60 && edges.back() < run.times.back())) {
      edges.push_back(edges.back() + width);
    }
    std::vector<A> aggregates;
    const std::vector<A> all = AggregatesOf(type);
    for (int i = 0; i < 3; ++i) aggregates.push_back(all[random.Below(all.size())]);
    SCOPED_TRACE(testing::Message() << "seed " << seed << " " << ValueTypeName(type));

    const FoldConfig fold_config = FoldConfigOf(config, type);
    const FigureMaker maker = MakerOf(aggregates, type, config);
    const size_t size_of_table = edges.size() - 1;
    std::vector<std::vector<ValueBits>> values(maker.columns, std::vector<ValueBits>(size_of_table));
    std::vector<std::vector<Quality>> statuses(maker.columns, std::vector<Quality>(size_of_table));
    std::vector<FigureColumn> table;
    for (size_t k = 0; k < maker.columns; ++k) table.push_back({values[k].data(), statuses[k].data()});
    SamplesSource source(type, run.View());
    IntervalFold fold(
        type, fold_config, edges, maker.parts,
        [&](size_t i, const Interval& interval) { maker.make(interval, i, table); }, &source);
    for (size_t begin = 0; begin < run.size();) {
      const size_t size = 1 + random.Below(run.size() - begin);
      const SamplesView view = run.View().Slice(begin, size);
      const std::optional<EvenIntervals> even = EvenIntervals::Of(edges);
      const auto sample_at = [&](size_t i) { return Sample{view.times[i], 0, view.QualityAt(i)}; };
      const bool uncertain = Summarize(type, view).uncertain > 0;
      if (even.has_value() && random.Below(3) != 0 && IntervalFold::CanCache(fold_config, maker.parts) &&
          FigureRunBuilder::CanCache(sample_at(0), sample_at(size - 1)) &&
          (config.treat_uncertain_as_bad || !uncertain)) {
        // As a range sees it that may begin and end within the run.
        FigureRunBuilder builder(type, fold_config, *even, fold.parts(), maker, view.times[0],
                                 view.times[size - 1]);
        FeedInPieces(type, *even, view, &random, &builder);
        const FigureRun figures = builder.Finish();
        kept += figures.finished();
        EXPECT_EQ(figures.head().first.time, view.times[0]);
        const Timestamp from = std::max(view.times[0], edges.front());
        const Timestamp to = std::min(view.times[size - 1] + 1, edges.back());
        if (view.times[0] < edges.front()) {
          const Timestamp* const inside = std::lower_bound(view.times, view.times + size, edges.front());
          fold.Add(view.Slice(0, inside - view.times));
        }
        if (from < to) fold.AddFigures(figures, from, to, table);
        if (view.times[size - 1] >= edges.back()) {
          const Timestamp* const outside = std::lower_bound(view.times, view.times + size, edges.back());
          fold.Add(view.Slice(outside - view.times, view.times + size - outside));
        }
      } else {
        fold.Add(view);
      }
      begin += size;
    }
    fold.Finish();
    const SamplesView view = run.View();
    const DirectSamples samples(type, view, ExtentOf(view, config.resolution_ns), config);
    for (size_t i = 0; i < size_of_table; ++i) {
      SCOPED_TRACE(i);
      size_t column = 0;
      for (const A aggregate : aggregates) {
        const Figure expected = Defined(aggregate, samples, edges[i], edges[i + 1]);
        Figure got = {values[column][i], statuses[column][i], edges[i]};
        ++column;
        if (InfoOf(aggregate).has_own_time) got.time = Int64OfBits(values[column++][i]);
        ExpectFigure(aggregate, type, got, expected);
      }
      const Figure good = Defined(A::kDurationGood, samples, edges[i], edges[i + 1]);
      const double good_ms = IsBad(good.status) ? 0 : Float64OfBits(good.value);
      const double share = Float64OfBits(values[column][i]);
      EXPECT_NEAR(share, good_ms * 1e6 / static_cast<double>(width), 1e-9);
      EXPECT_EQ(share == 1, std::round(good_ms * 1e6) == static_cast<double>(width));
    }
    ASSERT_FALSE(testing::Test::HasFailure());
  }
  EXPECT_GT(kept, 500u);
}

Figure OfValues(A aggregate, const std::vector<double>& values) {
  Samples run;
  for (size_t i = 0; i < values.size(); ++i) run.Add(static_cast<Timestamp>(i), BitsOfFloat64(values[i]));
  const std::vector<Timestamp> edges = {0, 1'000'000};
  std::vector<Interval> intervals;
  const AggregateConfig config;
  IntervalFold fold(ValueType::kFloat64, FoldConfigOf(config, ValueType::kFloat64), edges, PartsOf(aggregate),
                    AppendTo(&intervals));
  fold.Add(run.View());
  fold.Finish();
  return FigureOf(aggregate, ValueType::kFloat64, config, intervals.front());
}

TEST(Aggregates, NoDigitsCancel) {
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
    const auto value = [&](A aggregate) { return Float64OfBits(OfValues(aggregate, c.values).value); };
    EXPECT_EQ(value(A::kSum), c.sum);
    EXPECT_EQ(value(A::kAverage), c.average);
    EXPECT_DOUBLE_EQ(value(A::kStandardDeviationSample), c.sample_deviation);
    EXPECT_DOUBLE_EQ(value(A::kStandardDeviationPopulation), c.population_deviation);
    EXPECT_EQ(value(A::kRange), c.range);
  }
}

TEST(Aggregates, MakersOfOneIdMakeTheSame) {
  AggregateConfig other;
  other.percent_data_good = 90;
  const A average[] = {A::kAverage}, total[] = {A::kTotal};
  const ValueType type = ValueType::kFloat64;
  EXPECT_EQ(MakerOf(average, type, {}).id, MakerOf(average, type, {}).id);
  EXPECT_NE(MakerOf(average, type, {}).id, MakerOf(total, type, {}).id);
  EXPECT_NE(MakerOf(average, type, {}).id, MakerOf(average, type, other).id);
  EXPECT_NE(MakerOf(average, type, {}).id, MakerOf(average, type, {}, true).id);
  other = AggregateConfig();
  other.resolution_ns = 1;
  EXPECT_NE(MakerOf(average, type, {}).id, MakerOf(average, type, other).id);
}

}  // namespace
}  // namespace historian
