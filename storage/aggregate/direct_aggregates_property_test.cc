// The direct implementation against rules that hold whatever the samples are.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "storage/aggregate/direct_aggregates.h"
#include "storage/aggregate/direct_interval.h"
#include "storage/aggregate/random_samples.h"
#include "storage/model/aggregate.h"
#include "storage/model/aggregate_config.h"

namespace historian {
namespace {

using A = Aggregate;
using Config = AggregateConfig;

Config AnyConfig(RandomSamples* random) {
  Config config;
  config.treat_uncertain_as_bad = random->Below(2) == 0;
  config.percent_data_bad = static_cast<int>(random->Below(101));
  config.percent_data_good =
      100 - config.percent_data_bad + static_cast<int>(random->Below(config.percent_data_bad + 1));
  config.use_sloped_extrapolation = random->Below(2) == 0;
  config.stepped = random->Below(2) == 0;
  config.resolution_ns = random->Below(2) == 0 ? 1'000'000 : 1;
  return config;
}

// Of a time among the samples, on one, or a little outside.
Timestamp AnyTime(RandomSamples* random, const Samples& samples) {
  if (samples.empty()) return static_cast<Timestamp>(random->Below(1000));
  const Timestamp t = samples.times[random->Below(samples.size())];
  const uint64_t choice = random->Below(4);
  if (choice == 0) return t;
  const int64_t step = 1 + static_cast<int64_t>(random->Below(choice == 1 ? 3 : 4'000'000'000));
  return random->Below(2) == 0 ? t + step : t - step;
}

struct RandomCase {
  ValueType type = ValueType::kFloat64;
  Config config;
  Samples samples;
  Timestamp a = 0, b = 0, c = 0;  // In order, a < c, a <= b <= c.

  DirectSamples Direct() const {
    return DirectSamples(type, samples.View(), ExtentOf(samples.View(), config.resolution_ns), config);
  }
};

RandomCase AnyCase(RandomSamples* random, bool plant_like = false) {
  RandomCase made;
  made.type = kAllTypes[random->Below(std::size(kAllTypes))];
  made.config = AnyConfig(random);
  RandomSamples::Flavour flavour = random->AnyFlavour();
  if (plant_like) {
    flavour.hostile_values = flavour.long_gaps = false;
  }
  made.samples = made.config.resolution_ns == 1 || random->Below(20) != 0
                     ? random->Run(made.type, random->Below(30), flavour)
                     : Samples();
  do {
    Timestamp times[] = {AnyTime(random, made.samples), AnyTime(random, made.samples),
                         AnyTime(random, made.samples)};
    std::sort(std::begin(times), std::end(times));
    made.a = times[0], made.b = times[1], made.c = times[2];
  } while (made.a == made.c);
  return made;
}

template <typename F>
void ForCases(bool plant_like, F f) {
  for (uint64_t seed = 0; seed < 4000 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomSamples random(seed);
    f(AnyCase(&random, plant_like));
  }
}

double NumberOf(A aggregate, ValueType type, const StandardValue& value) {
  return ToDouble(ResultTypeOf(aggregate, type), *value.value);
}
double NumberOf(A aggregate, const DirectSamples& samples, Timestamp from, Timestamp to) {
  const StandardValue value = ComputeDirectly(aggregate, samples, from, to);
  return value.value.has_value() ? NumberOf(aggregate, samples.type(), value) : 0;
}
bool IsNear(double a, double b, double scale) { return std::fabs(a - b) <= 1e-9 * std::max(1.0, scale); }

TEST(DirectAggregates, AValueIsThereUnlessTheStatusIsBad) {
  ForCases(false, [](const RandomCase& made) {
    const DirectSamples samples = made.Direct();
    for (const AggregateInfo& info : kAggregates) {
      if (!IsDefinedFor(info.id, made.type)) continue;
      for (const bool backward : {false, true}) {
        const Timestamp from = backward ? made.c : made.a, to = backward ? made.a : made.c;
        const StandardValue value = ComputeDirectly(info.id, samples, from, to);
        ASSERT_EQ(value.value.has_value(), !IsBad(value.status)) << info.name;
        ASSERT_TRUE(IsKnownQuality(value.status)) << info.name;
        ASSERT_GE(value.time, made.a) << info.name;
        ASSERT_LE(value.time, made.c) << info.name;
        if (!info.has_own_time) {
          ASSERT_EQ(value.time, from) << info.name;
        }
        if (!info.sets_partial) {
          ASSERT_EQ(value.status & kInfoPartial & 0xFF, 0u) << info.name;
        }
        if (value.value.has_value() && ResultTypeOf(info.id, made.type) != ValueType::kString) {
          ASSERT_TRUE(IsCanonical(ResultTypeOf(info.id, made.type), *value.value)) << info.name;
        }
      }
    }
  });
}

TEST(DirectAggregates, RegionsAreAllOfTheMeasuredTime) {
  ForCases(false, [](const RandomCase& made) {
    const DirectSamples samples = made.Direct();
    const DirectInterval interval(&samples, made.a, made.c);
    if (interval.OutsideData()) return;
    for (const bool stepped : {false, true}) {
      uint64_t ns = 0;
      Timestamp t = made.a;
      uint64_t of[3] = {};
      for (const Region& region : interval.RegionsWithSimpleBounds(stepped)) {
        ASSERT_EQ(region.start, t);
        t = static_cast<Timestamp>(static_cast<uint64_t>(t) + region.ns);
        ns += region.ns;
        of[static_cast<int>(region.sureness)] += region.ns;
      }
      ASSERT_EQ(ns, interval.MeasuredNs());
      if (!stepped) continue;
      const double ms = 1e6, whole = static_cast<double>(ns);
      const double good = NumberOf(A::kDurationGood, samples, made.a, made.c);
      const double bad = NumberOf(A::kDurationBad, samples, made.a, made.c);
      ASSERT_TRUE(IsNear(good + bad + static_cast<double>(of[1]) / ms, whole / ms, whole / ms));
      ASSERT_TRUE(IsNear(NumberOf(A::kPercentGood, samples, made.a, made.c), good * ms / whole * 100, 100));
      ASSERT_TRUE(IsNear(NumberOf(A::kPercentBad, samples, made.a, made.c), bad * ms / whole * 100, 100));
      if (made.type == ValueType::kString) continue;
      const double in_state = NumberOf(A::kDurationInStateZero, samples, made.a, made.c) +
                              NumberOf(A::kDurationInStateNonZero, samples, made.a, made.c);
      if (!IsBad(ComputeDirectly(A::kDurationInStateZero, samples, made.a, made.c).status)) {
        ASSERT_TRUE(IsNear(in_state, good, good));
      }
    }
  });
}

// With PercentDataGood 0 every status by shares is Good, so values are there to be compared.
RandomCase AlwaysGood(RandomCase made) {
  made.config.percent_data_good = 0;
  made.config.percent_data_bad = 100;
  return made;
}

TEST(DirectAggregates, CountsAndTotalsOfAnIntervalAreThoseOfItsParts) {
  ForCases(true, [](const RandomCase& any) {
    const RandomCase made = AlwaysGood(any);
    if (made.b == made.a || made.b == made.c) return;
    const DirectSamples samples = made.Direct();
    for (const A aggregate : {A::kCount, A::kAnnotationCount, A::kNumberOfTransitions}) {
      for (const bool backward : {false, true}) {
        const Timestamp from = backward ? made.c : made.a, to = backward ? made.a : made.c;
        ASSERT_EQ(NumberOf(aggregate, samples, from, to),
                  NumberOf(aggregate, samples, from, made.b) + NumberOf(aggregate, samples, made.b, to))
            << InfoOf(aggregate).name;
      }
    }
    if (made.type == ValueType::kString) return;
    const double whole = NumberOf(A::kTotal2, samples, made.a, made.c);
    const double first = NumberOf(A::kTotal2, samples, made.a, made.b);
    const double second = NumberOf(A::kTotal2, samples, made.b, made.c);
    ASSERT_TRUE(IsNear(whole, first + second, std::fabs(first) + std::fabs(second)))
        << whole << " " << first << " " << second;
    // Time before the data is Bad, and measured only where there are data behind it.
    if (!samples.stepped() || made.config.treat_uncertain_as_bad || made.a < samples.extent().start) return;
    for (const A aggregate : {A::kDurationGood, A::kDurationBad, A::kDurationInStateZero}) {
      const double sum =
          NumberOf(aggregate, samples, made.a, made.b) + NumberOf(aggregate, samples, made.b, made.c);
      ASSERT_TRUE(IsNear(NumberOf(aggregate, samples, made.a, made.c), sum, sum)) << InfoOf(aggregate).name;
    }
  });
}

TEST(DirectAggregates, ATotalIsTheAverageTimesTheLength) {
  ForCases(true, [](const RandomCase& any) {
    const RandomCase made = AlwaysGood(any);
    if (made.type == ValueType::kString) return;
    const DirectSamples samples = made.Direct();
    const StandardValue average = ComputeDirectly(A::kTimeAverage, samples, made.a, made.c);
    const StandardValue total = ComputeDirectly(A::kTotal, samples, made.a, made.c);
    ASSERT_EQ(average.status, total.status);
    if (!average.value.has_value() || !samples.InterpolatedBound(made.a, false).has_value) return;
    const double seconds = static_cast<double>(Elapsed(made.a, made.c)) / 1e9;
    const double product = Float64OfBits(*average.value) * seconds;
    ASSERT_TRUE(IsNear(Float64OfBits(*total.value), product, std::fabs(product)));
    if (ComputeDirectly(A::kDurationGood, samples, made.a, made.c) !=
        StandardValue{BitsOfFloat64(seconds * 1000), kGood | kInfoCalculated, made.a}) {
      return;
    }
    const double average2 = NumberOf(A::kTimeAverage2, samples, made.a, made.c);
    ASSERT_TRUE(
        IsNear(NumberOf(A::kTotal2, samples, made.a, made.c), average2 * seconds, std::fabs(product)));
  });
}

TEST(DirectAggregates, WhatGoesByTimeIsTheSameBackward) {
  constexpr A kByTime[] = {A::kTimeAverage,  A::kTimeAverage2,        A::kTotal,
                           A::kTotal2,       A::kDurationInStateZero, A::kDurationInStateNonZero,
                           A::kDurationGood, A::kDurationBad,         A::kPercentGood,
                           A::kPercentBad,   A::kWorstQuality2};
  ForCases(false, [&](const RandomCase& made) {
    const DirectSamples samples = made.Direct();
    const Timestamp end = samples.extent().end;
    // On the edges of the data it matters which edge belongs to the interval.
    if (made.c <= samples.extent().start || made.a >= end) return;
    for (const A aggregate : kByTime) {
      if (!IsDefinedFor(aggregate, made.type)) continue;
      StandardValue forward = ComputeDirectly(aggregate, samples, made.a, made.c);
      const StandardValue backward = ComputeDirectly(aggregate, samples, made.c, made.a);
      forward.time = made.c;
      ASSERT_EQ(forward, backward) << InfoOf(aggregate).name;
    }
    const auto on_edge = [&](Timestamp t) { return t == made.a || t == made.c; };
    if (std::any_of(made.samples.times.begin(), made.samples.times.end(), on_edge)) return;
    for (const AggregateInfo& info : kAggregates) {
      if (info.bounds != AggregateBounds::kNone || !IsDefinedFor(info.id, made.type)) continue;
      const StandardValue forward = ComputeDirectly(info.id, samples, made.a, made.c);
      const StandardValue backward = ComputeDirectly(info.id, samples, made.c, made.a);
      ASSERT_EQ(forward.value, backward.value) << info.name;
      ASSERT_EQ(forward.status, backward.status) << info.name;
    }
  });
}

TEST(DirectAggregates, AveragesLieBetweenMinimumAndMaximum) {
  ForCases(false, [](const RandomCase& any) {
    const RandomCase made = AlwaysGood(any);
    if (made.type == ValueType::kString) return;
    const DirectSamples samples = made.Direct();
    const auto between = [&](A least, A middle, A greatest) {
      const StandardValue value = ComputeDirectly(middle, samples, made.a, made.c);
      if (!value.value.has_value()) return true;
      const double low = NumberOf(least, samples, made.a, made.c);
      const double high = NumberOf(greatest, samples, made.a, made.c);
      const double number = Float64OfBits(*value.value);
      // A value on a line of float32s or int64s is rounded as the type has it.
      const double slack =
          made.type == ValueType::kInt64     ? 0.5 + 1e-15 * std::max(std::fabs(low), std::fabs(high))
          : made.type == ValueType::kFloat32 ? 1e-6 * std::max(std::fabs(low), std::fabs(high))
                                             : 0;
      return low - slack <= number && number <= high + slack;
    };
    ASSERT_TRUE(between(A::kMinimum, A::kAverage, A::kMaximum));
    if (made.config.treat_uncertain_as_bad) return;
    ASSERT_TRUE(between(A::kMinimum2, A::kTimeAverage2, A::kMaximum2));
  });
}

TEST(DirectAggregates, SurelyGoodDataHaveOneAverageOverTime) {
  ForCases(false, [](const RandomCase& made) {
    if (made.type == ValueType::kString || (CanSlope(made.type) && made.config.stepped)) return;
    const DirectSamples samples = made.Direct();
    const DirectInterval interval(&samples, made.a, made.c);
    if (interval.OutsideData() || interval.IsPartial()) return;
    const StandardValue average = ComputeDirectly(A::kTimeAverage, samples, made.a, made.c);
    if (average.status != (kGood | kInfoCalculated)) return;
    ASSERT_EQ(average, ComputeDirectly(A::kTimeAverage2, samples, made.a, made.c));
    ASSERT_EQ(ComputeDirectly(A::kTotal, samples, made.a, made.c),
              ComputeDirectly(A::kTotal2, samples, made.a, made.c));
  });
}

TEST(DirectAggregates, VarianceIsTheSquareOfDeviation) {
  ForCases(true, [](const RandomCase& made) {
    if (made.type == ValueType::kString) return;
    const DirectSamples samples = made.Direct();
    for (const auto& [deviation, variance] :
         {std::pair(A::kStandardDeviationSample, A::kVarianceSample),
          std::pair(A::kStandardDeviationPopulation, A::kVariancePopulation)}) {
      const double root = NumberOf(deviation, samples, made.a, made.c);
      const double square = NumberOf(variance, samples, made.a, made.c);
      ASSERT_TRUE(IsNear(root * root, square, square));
    }
    const StandardValue count = ComputeDirectly(A::kCount, samples, made.a, made.c);
    if (!count.value.has_value() || *count.value < 2) return;
    const double n = static_cast<double>(*count.value);
    const double sample = NumberOf(A::kVarianceSample, samples, made.a, made.c);
    ASSERT_TRUE(
        IsNear(sample * (n - 1) / n, NumberOf(A::kVariancePopulation, samples, made.a, made.c), sample));
  });
}

// Where the standard and the fold say the same, they say it bit for bit.
}  // namespace
}  // namespace historian
