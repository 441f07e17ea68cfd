#include "storage/aggregate/at_time.h"

#include <cmath>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "gtest/gtest.h"

namespace historian {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr Quality kInterpolatedGood = kGood | kInfoInterpolated;
constexpr Quality kInterpolatedUncertain = kUncertainDataSubNormal | kInfoInterpolated;
constexpr int64_t kIntMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kIntMax = std::numeric_limits<int64_t>::max();

Sample At(Timestamp t, double v, Quality quality = kGood) { return {t, BitsOfFloat64(v), quality}; }
Sample IntAt(Timestamp t, int64_t v) { return {t, BitsOfInt64(v), kGood}; }

TEST(AtTime, Rules) {
  using enum Interpolation;
  constexpr Timestamp t = 15;
  const Sample before = At(10, 10);
  const Sample after = At(20, 20);
  const Sample doubtful = At(20, 20, kUncertain);
  const struct {
    const char* name;
    Interpolation interpolation;
    Neighbours around;
    std::optional<double> value;
    Quality quality;
    bool uncertain_as_bad = false;
  } cases[] = {
      {"exact", kSloped, {.exact = At(t, 3), .before = before, .after = after}, 3, kGood},
      {"exact keeps its quality", kSloped, {.exact = At(t, 3, 0x00960000)}, 3, 0x00960000},
      {"exact Bad",
       kSloped,
       {.exact = At(t, 3, kBad), .before = before, .after = after},
       15,
       kInterpolatedUncertain},
      {"exact NaN",
       kSloped,
       {.exact = At(t, kNan), .before = before, .after = after},
       15,
       kInterpolatedUncertain},
      {"exact Uncertain, as bad",
       kSloped,
       {.exact = At(t, 3, kUncertain), .before = before, .after = after},
       15,
       kInterpolatedUncertain,
       true},
      {"exact Uncertain", kSloped, {.exact = At(t, 3, kUncertain), .before = before}, 3, kUncertain},
      {"exact Bad, nothing else", kSloped, {.exact = At(t, 3, kBad)}, std::nullopt, kBadNoData},
      {"between", kSloped, {.before = before, .after = after}, 15, kInterpolatedGood},
      {"skipped", kSloped, {.before = before, .after = after, .skipped = true}, 15, kInterpolatedUncertain},
      {"Uncertain end", kSloped, {.before = before, .after = doubtful}, 15, kInterpolatedUncertain},
      {"held", kStepped, {.before = before, .after = after}, 10, kInterpolatedGood},
      {"held until Uncertain", kStepped, {.before = before, .after = doubtful}, 10, kInterpolatedGood},
      {"held from Uncertain",
       kStepped,
       {.before = At(10, 10, kUncertain), .after = after},
       10,
       kInterpolatedUncertain},
      {"held, skipped",
       kStepped,
       {.before = before, .after = after, .skipped = true},
       10,
       kInterpolatedUncertain},
      {"past the newest, sloped", kSloped, {.before = before}, 10, kInterpolatedUncertain},
      {"past the newest, stepped", kStepped, {.before = before}, 10, kInterpolatedUncertain},
      {"before the first", kSloped, {.after = after}, std::nullopt, kBadNoData},
      {"nothing", kStepped, {}, std::nullopt, kBadNoData},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const ValueAtTime got =
        InterpolateAt(ValueType::kFloat64, c.interpolation, t, c.around, c.uncertain_as_bad);
    ASSERT_EQ(got.value.has_value(), c.value.has_value());
    if (c.value.has_value()) {
      EXPECT_EQ(Float64OfBits(*got.value), *c.value);
    }
    EXPECT_EQ(got.quality, c.quality) << QualityName(got.quality);
  }
}

TEST(AtTime, CountsWhatCanBeABound) {
  const struct {
    double value;
    Quality quality;
    bool strict;
    bool lenient;
  } cases[] = {{1, kGood, true, true},
               {kNan, kGood, false, false},
               {1, kUncertain, false, true},
               {kNan, kUncertain, false, false},
               {1, kBad, false, false}};
  for (const auto& c : cases) {
    EXPECT_EQ(CountsAsBound(ValueType::kFloat64, BitsOfFloat64(c.value), c.quality, true), c.strict);
    EXPECT_EQ(CountsAsBound(ValueType::kFloat64, BitsOfFloat64(c.value), c.quality, false), c.lenient);
  }
  EXPECT_TRUE(CountsAsBound(ValueType::kString, 0, kGood, true));
  EXPECT_FALSE(CountsAsBound(ValueType::kString, 0, kUncertain, true));
}

TEST(AtTime, IntegersRoundToNearestAndNeverOverflow) {
  const struct {
    Sample before;
    Sample after;
    Timestamp t;
    int64_t expected;
  } cases[] = {
      {IntAt(0, 0), IntAt(10, 10), 3, 3},
      {IntAt(0, 0), IntAt(10, 1), 4, 0},
      {IntAt(0, 0), IntAt(10, 1), 5, 1},
      {IntAt(0, 0), IntAt(10, -1), 5, -1},
      {IntAt(0, 0), IntAt(10, -1), 4, 0},
      {IntAt(0, kIntMin), IntAt(2, kIntMax), 1, 0},
      {IntAt(0, kIntMax), IntAt(2, kIntMin), 1, -1},
      {IntAt(kTimestampMin, kIntMin), IntAt(kTimestampMax, kIntMax), kTimestampMax - 1, kIntMax - 2},
      {IntAt(kTimestampMin, kIntMax), IntAt(kTimestampMax, kIntMin), kTimestampMin + 1, kIntMax - 2},
      {IntAt(0, (int64_t{1} << 60) + 1), IntAt(2, (int64_t{1} << 60) + 3), 1, (int64_t{1} << 60) + 2},
  };
  for (const auto& c : cases) {
    const ValueAtTime got = InterpolateAt(ValueType::kInt64, Interpolation::kSloped, c.t,
                                          {.before = c.before, .after = c.after}, false);
    EXPECT_EQ(Int64OfBits(*got.value), c.expected) << c.t;
    EXPECT_EQ(got.quality, kInterpolatedGood);
  }
}

TEST(AtTime, OtherTypesKeepTheirBits) {
  const Neighbours around = {.before = Sample{0, 2, kGood}, .after = Sample{10, 4, kGood}};
  for (const ValueType type : {ValueType::kBool, ValueType::kDigital, ValueType::kString}) {
    const ValueAtTime got = InterpolateAt(type, Interpolation::kSloped, 5, around, false);
    EXPECT_EQ(*got.value, 2) << "states have no values between them";
    EXPECT_EQ(got.quality, kInterpolatedGood);
  }
  const Neighbours floats = {.before = Sample{0, BitsOfFloat32(0), kGood},
                             .after = Sample{3, BitsOfFloat32(1), kGood}};
  EXPECT_EQ(*InterpolateAt(ValueType::kFloat32, Interpolation::kSloped, 1, floats, false).value,
            BitsOfFloat32(static_cast<float>(1.0 / 3)));
}

TEST(AtTime, ALineStaysBetweenItsEndsAndMeetsThem) {
  std::mt19937_64 random(5);
  const double hostile[] = {
      1e308, -1e308, std::numeric_limits<double>::max(),        -std::numeric_limits<double>::max(),
      0,     -0.0,   std::numeric_limits<double>::denorm_min(), 0.1,
      1e16,  -7.3};
  for (int i = 0; i < 20'000; ++i) {
    const double a = hostile[random() % std::size(hostile)];
    const double b = hostile[random() % std::size(hostile)];
    const Timestamp ta = random() % 2 == 0 ? kTimestampMin : static_cast<Timestamp>(random() % 1000);
    const Timestamp tb = random() % 2 == 0 ? kTimestampMax : 1001 + static_cast<Timestamp>(random() % 1000);
    const Timestamp t = static_cast<Timestamp>(static_cast<uint64_t>(ta) + random() % (Elapsed(ta, tb) + 1));
    const double v = OnLine(ta, a, tb, b, t);
    ASSERT_GE(v, std::min(a, b));
    ASSERT_LE(v, std::max(a, b));
    if (std::isfinite(b - a)) {
      const double share = static_cast<double>(Elapsed(ta, t)) / static_cast<double>(Elapsed(ta, tb));
      ASSERT_EQ(v, std::min(std::max(a + (b - a) * share, std::min(a, b)), std::max(a, b)));
    }
    ASSERT_EQ(OnLine(ta, a, tb, b, ta), a);
  }
  EXPECT_EQ(OnLine(0, -1e308, 2, 1e308, 1), 0);
}

}  // namespace
}  // namespace historian
