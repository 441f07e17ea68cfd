#include "storage/aggregate/process_aggregates.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/aggregate/random_samples.h"

namespace historian {
namespace {

using Config = AggregateConfig;
using testing::HasSubstr;

constexpr Timestamp kSecond = kNanosPerSecond;
constexpr Timestamp kHour = 3600 * kSecond;
constexpr Quality kCalculated = kGood | kInfoCalculated;
constexpr Quality kUnsure = kUncertainDataSubNormal | kInfoCalculated;

struct Piece {
  double value;
  Timestamp length;
  Quality quality = kGood;
};

// A tag that has these values one after another from time 0 on, and its interval from 0 to their end.
class Course {
 public:
  explicit Course(absl::Span<const Piece> pieces, bool stepped = true) {
    config_.stepped = stepped;
    for (const Piece& piece : pieces) {
      samples_.Add(end_, BitsOfFloat64(piece.value), piece.quality);
      end_ += piece.length;
    }
    samples_.Add(end_, BitsOfFloat64(pieces.back().value));
  }
  Course(std::initializer_list<Piece> pieces, bool stepped = true)
      : Course(absl::MakeConstSpan(pieces.begin(), pieces.size()), stepped) {}

  Config& config() { return config_; }
  Timestamp end() const { return end_; }
  template <typename F>
  StandardValue Ask(F f, Timestamp to) const {
    const DirectSamples samples(ValueType::kFloat64, samples_.View(),
                                ExtentOf(samples_.View(), config_.resolution_ns), config_);
    return f(DirectInterval(&samples, 0, to));
  }
  StandardValue Percent(double percent, Weighting weighting) const {
    return Ask([&](const DirectInterval& interval) { return Percentile(interval, percent, weighting); },
               end_);
  }
  StandardValue Kinetic() const {
    return Ask([](const DirectInterval& interval) { return MeanKineticTemperature(interval, {}); }, end_);
  }
  StandardValue Lethal(const LethalityModel& model) const { return LethalUntil(model, end_); }
  StandardValue LethalUntil(const LethalityModel& model, Timestamp to) const {
    return Ask([&](const DirectInterval& interval) { return Lethality(interval, model); }, to);
  }

 private:
  Config config_;
  Samples samples_;
  Timestamp end_ = 0;
};

double Number(const StandardValue& value) {
  EXPECT_TRUE(value.value.has_value()) << QualityName(value.status);
  return value.value.has_value() ? Float64OfBits(*value.value) : NAN;
}

// Worked figures for dH / R = 10,000 K.
TEST(MeanKineticTemperature, WorkedFigures) {
  EXPECT_NEAR(Number(Course({{25, 12 * kHour}}).Kinetic()), 25, 1e-12);
  EXPECT_NEAR(Number(Course({{20, 6 * kHour}, {30, 6 * kHour}}).Kinetic()), 26.2599, 5e-5);
  EXPECT_NEAR(Number(Course({{20, 23 * kHour}, {30, kHour}}).Kinetic()), 20.7163, 5e-5);
  EXPECT_NEAR(Number(Course({{25, 364 * 24 * kHour}, {40, 24 * kHour}}).Kinetic()), 25.0966, 5e-5);
  EXPECT_EQ(Course({{25, 12 * kHour}}).Kinetic().status, kCalculated);
}

TEST(MeanKineticTemperature, IsNotForFrozenProductsNorBelowAbsoluteZero) {
  EXPECT_EQ(QualityName(Course({{-20, kHour}, {-18, kHour}}).Kinetic().status),
            "BadNotSupported, Calculated");
  EXPECT_EQ(QualityName(Course({{5, kHour}, {-273.15, kHour}}).Kinetic().status),
            "BadOutOfRange, Calculated");
  // Cold for a while is no frozen product.
  EXPECT_NEAR(Number(Course({{5, 1000 * kHour}, {-3, kHour}}).Kinetic()), 5, 0.01);
}

TEST(MeanKineticTemperature, BadTimeIsLeftOutAndSaid) {
  const StandardValue value = Course({{20, kHour}, {90, kHour, kBad}, {20, kHour}}).Kinetic();
  EXPECT_NEAR(Number(value), 20, 1e-12);
  EXPECT_EQ(value.status, kUnsure);
  EXPECT_EQ(QualityName(Course({{20, kHour, kBad}}).Kinetic().status), "BadNoData");
}

TEST(Lethality, WorkedFigures) {
  EXPECT_NEAR(Number(Course({{121.0, 900 * kSecond}}, false).Lethal(kLethalityF0)), 14.659, 5e-4);
  LethalityModel rounded = kLethalityF0;
  rounded.reference_c = 121.0;
  EXPECT_NEAR(Number(Course({{121.0, 900 * kSecond}}, false).Lethal(rounded)), 15, 1e-12);
  EXPECT_NEAR(Number(Course({{131.1, 180 * kSecond}}, false).Lethal(kLethalityF0)), 30, 1e-11);
  EXPECT_NEAR(Number(Course({{90, 300 * kSecond}}).Lethal(kLethalityA0)), 3000, 1e-9);
  EXPECT_NEAR(Number(Course({{67, 600 * kSecond}}).Lethal(kLethalityPu)), 10 * std::pow(1.393, 7), 1e-9);
  // 3.00 when it is printed, and yet not 3.
  const double short_of = Number(Course({{121.1, 179'760'000'000}}, false).Lethal(kLethalityF0));
  EXPECT_NEAR(short_of, 2.996, 1e-12);
  EXPECT_LT(short_of, 3);
}

TEST(Lethality, TheRateOfASlopeIsATrapezoids) {
  // From 111.1, rate 0.1, to 121.1, rate 1.
  const std::vector<Piece> course = {{111.1, 60 * kSecond}, {121.1, 60 * kSecond}};
  EXPECT_NEAR(Number(Course(course, false).Lethal(kLethalityF0)), 0.55 + 1, 1e-12);
  EXPECT_NEAR(Number(Course(course, true).Lethal(kLethalityF0)), 0.1 + 1, 1e-12);
}

TEST(Lethality, WhatIsColdOrNotKnownAddsNothing) {
  const StandardValue cold = Course({{99.9, 600 * kSecond}, {121.1, 60 * kSecond}}).Lethal(kLethalityF0);
  EXPECT_NEAR(Number(cold), 1, 1e-12);
  EXPECT_EQ(cold.status, kCalculated);
  Course probe({{121.1, 60 * kSecond}, {121.1, 60 * kSecond, kBad}, {121.1, 60 * kSecond}});
  probe.config().percent_data_bad = 30;
  probe.config().percent_data_good = 70;
  EXPECT_NEAR(Number(probe.Lethal(kLethalityF0)), 2, 1e-12);
  EXPECT_EQ(probe.Lethal(kLethalityF0).status, kUnsure);
  // Past the newest sample.
  EXPECT_EQ(Course({{121.1, 60 * kSecond}}).LethalUntil(kLethalityF0, 120 * kSecond).status,
            kUnsure | kInfoPartial);
  EXPECT_EQ(QualityName(Course({{1e6, kSecond}}).Lethal(kLethalityF0).status), "BadOutOfRange, Calculated");
}

TEST(Percentile, OfSamples) {
  const Course course({{15, kSecond}, {20, kSecond}, {35, kSecond}, {40, kSecond}, {50, kSecond}});
  EXPECT_EQ(Number(course.Percent(0, Weighting::kBySample)), 15);
  EXPECT_EQ(Number(course.Percent(25, Weighting::kBySample)), 20);
  EXPECT_EQ(Number(course.Percent(40, Weighting::kBySample)), 29);
  EXPECT_EQ(Number(course.Percent(50, Weighting::kBySample)), 35);
  EXPECT_EQ(Number(course.Percent(100, Weighting::kBySample)), 50);
  EXPECT_EQ(Number(Course({{1, kSecond}, {2, kSecond}}).Percent(50, Weighting::kBySample)), 1.5);
  // A tenth and three tenths are no doubles; their mean rounded once is.
  EXPECT_EQ(Number(Course({{0.1, kSecond}, {0.3, kSecond}}).Percent(50, Weighting::kBySample)), 0.2);
  const StandardValue value = Course({{7, kSecond, kBad}, {1, kSecond}}).Percent(50, Weighting::kBySample);
  EXPECT_EQ(Number(value), 1);
  EXPECT_EQ(value.status, kUnsure);
  EXPECT_EQ(QualityName(Course({{7, kSecond, kBad}}).Percent(50, Weighting::kBySample).status), "BadNoData");
}

TEST(Percentile, OfTime) {
  const Course steps({{10, 60 * kSecond}, {20, 30 * kSecond}, {30, 10 * kSecond}});
  EXPECT_EQ(Number(steps.Percent(0, Weighting::kByTime)), 10);
  EXPECT_EQ(Number(steps.Percent(60, Weighting::kByTime)), 10);
  EXPECT_EQ(Number(steps.Percent(60.1, Weighting::kByTime)), 20);
  EXPECT_EQ(Number(steps.Percent(95, Weighting::kByTime)), 30);
  EXPECT_EQ(Number(steps.Percent(100, Weighting::kByTime)), 30);
  // From 0 to 100 in 100 s, and as long at 100.
  const Course slope({{0, 100 * kSecond}, {100, 100 * kSecond}}, false);
  EXPECT_EQ(Number(slope.Percent(25, Weighting::kByTime)), 50);
  EXPECT_EQ(Number(slope.Percent(50, Weighting::kByTime)), 100);
  EXPECT_EQ(Number(slope.Percent(0, Weighting::kByTime)), 0);
  const StandardValue value = Course({{7, kSecond, kBad}, {1, kSecond}}).Percent(50, Weighting::kByTime);
  EXPECT_EQ(Number(value), 1);
  EXPECT_EQ(value.status, kUnsure);
}

TEST(ProcessAggregates, ParametersThatMakeNoSenseAreRefused) {
  EXPECT_TRUE(ValidatePercentile(0).ok());
  EXPECT_TRUE(ValidatePercentile(100).ok());
  for (const double percent : {-0.1, 100.1, std::nan("")}) EXPECT_FALSE(ValidatePercentile(percent).ok());
  EXPECT_TRUE(ValidateKinetic({}).ok());
  EXPECT_THAT(ValidateKinetic({0}).message(), HasSubstr("must be a number above 0"));
  for (const LethalityModel& model : {kLethalityF0, kLethalityA0, kLethalityPu}) {
    EXPECT_TRUE(ValidateLethality(model).ok());
  }
  for (const LethalityModel& model :
       {LethalityModel{1, 121, 10, 100, 1}, LethalityModel{10, 121, 0, 100, 1},
        LethalityModel{10, INFINITY, 10, 100, 1}, LethalityModel{10, 121, 10, 100, 0}}) {
    EXPECT_FALSE(ValidateLethality(model).ok());
  }
}

TEST(ProcessAggregates, OutsideTheDataThereAreNone) {
  Samples samples;
  samples.Add(kSecond, BitsOfFloat64(20));
  const DirectSamples direct(ValueType::kFloat64, samples.View(), ExtentOf(samples.View(), 1), {});
  const DirectInterval before(&direct, 0, kSecond);
  const StandardValue none = {std::nullopt, kBadNoData, 0};
  EXPECT_EQ(Percentile(before, 50, Weighting::kBySample), none);
  EXPECT_EQ(Percentile(before, 50, Weighting::kByTime), none);
  EXPECT_EQ(MeanKineticTemperature(before, {}), none);
  EXPECT_EQ(Lethality(before, kLethalityF0), none);
}

// The median parts the samples, and the time, in halves; whatever the data.
TEST(ProcessAggregates, APercentilePartsTheData) {
  for (uint64_t seed = 0; seed < 1500 && !HasFailure(); ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    RandomSamples random(seed);
    const ValueType type = kAllTypes[random.Below(5)];
    RandomSamples::Flavour flavour = random.AnyFlavour();
    flavour.hostile_values = false;
    Config config;
    config.percent_data_good = 0;
    config.stepped = random.Below(2) == 0;
    const Samples run = random.Run(type, 2 + random.Below(20), flavour);
    if (run.size() < 2) continue;
    const DirectSamples samples(type, run.View(), ExtentOf(run.View(), config.resolution_ns), config);
    const DirectInterval interval(&samples, run.times.front(), run.times.back());
    const double percent = static_cast<double>(random.Below(101));
    const StandardValue by_time = Percentile(interval, percent, Weighting::kByTime);
    if (by_time.value.has_value()) {
      const double v = Float64OfBits(*by_time.value);
      const double slack = 1e-9 * (1 + std::fabs(v));
      double below = 0, at_or_below = 0, whole = 0;
      for (const Region& region : interval.RegionsWithSimpleBounds(samples.stepped())) {
        if (!region.first.has_value || region.first.from_bad) continue;
        const double ns = static_cast<double>(region.ns);
        const double low = std::min(region.first.number, region.last.number);
        const double high = std::max(region.first.number, region.last.number);
        const auto share = [&](double to) {
          return low == high ? (to >= low ? 1.0 : 0.0) : std::clamp((to - low) / (high - low), 0.0, 1.0);
        };
        below += ns * share(v - slack);
        at_or_below += ns * share(v + slack);
        whole += ns;
      }
      const double target = whole * percent / 100;
      ASSERT_LE(below, target + 1e-6 * whole) << v;
      ASSERT_GE(at_or_below, target - 1e-6 * whole) << v;
    }
    const StandardValue by_sample = Percentile(interval, percent, Weighting::kBySample);
    if (by_sample.value.has_value()) {
      const double v = Float64OfBits(*by_sample.value);
      double less = 0, greater = 0, n = 0;
      for (size_t i = interval.first_member(); i < interval.last_member(); ++i) {
        if (!samples.IsGoodAt(i)) continue;
        const double number = samples.PointAt(i).number;
        less += number < v;
        greater += number > v;
        ++n;
      }
      ASSERT_LE(less, (n - 1) * percent / 100 + 1);
      ASSERT_LE(greater, (n - 1) * (1 - percent / 100) + 1);
    }
  }
}

}  // namespace
}  // namespace historian
