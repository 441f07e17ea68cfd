#include "server/answer_unit.h"

#include <cmath>
#include <limits>
#include <random>

#include "gtest/gtest.h"
#include "storage/units/unit.h"

namespace historian::server {
namespace {

UnitConversion Between(absl::string_view from, absl::string_view to) {
  return *UnitConversion::Between(*Unit::Parse(from), *Unit::Parse(to));
}

TEST(AnswerUnitTest, TypesOfValues) {
  const UnitConversion fahrenheit = Between("Cel", "[degF]");
  EXPECT_EQ(AnswerUnit(ValueType::kFloat64, fahrenheit).type(), ValueType::kFloat64);
  EXPECT_EQ(AnswerUnit(ValueType::kFloat32, fahrenheit).type(), ValueType::kFloat32);
  EXPECT_EQ(AnswerUnit(ValueType::kInt64, fahrenheit).type(), ValueType::kFloat64);
  // The same unit.
  EXPECT_EQ(AnswerUnit(ValueType::kInt64, UnitConversion()).type(), ValueType::kInt64);
  EXPECT_EQ(Float64OfBits(AnswerUnit(ValueType::kInt64, fahrenheit).Of(BitsOfInt64(-40))), -40);
  EXPECT_EQ(Float32OfBits(AnswerUnit(ValueType::kFloat32, fahrenheit).Of(BitsOfFloat32(20.1F))), 68.18F);
  EXPECT_EQ(AnswerUnit(ValueType::kInt64, UnitConversion()).Of(BitsOfInt64(-40)), BitsOfInt64(-40));
}

TEST(AnswerUnitTest, WhatHasNoValueStays) {
  Samples samples;
  samples.Add(1, BitsOfFloat64(20));
  samples.Add(2, BitsOfFloat64(0), kBadNoData | kInfoCalculated);
  samples.Add(3, BitsOfFloat64(0), kBad);
  AnswerUnit(ValueType::kFloat64, Between("Cel", "[degF]")).Convert(&samples);
  EXPECT_EQ(Float64OfBits(samples.values[0]), 68);
  EXPECT_EQ(Float64OfBits(samples.values[1]), 0);
  EXPECT_EQ(Float64OfBits(samples.values[2]), 32);
}

// A value is between the limits in the answer if and only if it is between those of its own.
TEST(AnswerUnitTest, LimitsOfItsOwnAreThoseOfTheAnswer) {
  const uint64_t seed = 23;
  std::mt19937_64 random(seed);
  const double infinity = std::numeric_limits<double>::infinity();
  for (const auto& [from, to] :
       {std::pair{"Cel", "[degF]"}, {"[degF]", "K"}, {"psi", "kPa"}, {"t/h", "kg/s"}, {"m", "m"}}) {
    for (const ValueType type : {ValueType::kFloat64, ValueType::kFloat32, ValueType::kInt64}) {
      const AnswerUnit unit(type, Between(from, to));
      for (int i = 0; i < 500; ++i) {
        const auto some = [&] {
          return static_cast<double>(static_cast<int64_t>(random() % 4'001) - 2'000) / 8;
        };
        double minimum = some(), maximum = minimum + std::abs(some());
        if (i % 10 == 0) minimum = -infinity;
        if (i % 11 == 0) maximum = infinity;
        if (i % 12 == 0) maximum = minimum;
        const auto [low, high] = unit.OwnRange(minimum, maximum);
        for (int k = 0; k < 20; ++k) {
          double own = some();
          if (k == 0 && std::isfinite(low)) own = low;
          if (k == 1 && std::isfinite(high)) own = high;
          if (k == 2 && std::isfinite(low)) own = std::nextafter(low, -infinity);
          if (k == 3 && std::isfinite(high)) own = std::nextafter(high, infinity);
          if (k == 4) own = infinity;
          if (k == 5) own = -infinity;
          ValueBits bits = BitsOfFloat64(own);
          if (type == ValueType::kFloat32) {
            bits = BitsOfFloat32(static_cast<float>(own));
          } else if (type == ValueType::kInt64) {
            if (!std::isfinite(own)) continue;
            bits = BitsOfInt64(static_cast<int64_t>(own));
          }
          own = ToDouble(type, bits);
          const double answered = ToDouble(unit.type(), unit.Of(bits));
          EXPECT_EQ(own >= low && own <= high, answered >= minimum && answered <= maximum)
              << own << " " << from << " in " << to << ", " << minimum << " to " << maximum << ", seed "
              << seed;
        }
      }
    }
  }
  const auto [low, high] = AnswerUnit(ValueType::kFloat64, Between("K", "Cel")).OwnRange(5, -5);
  EXPECT_GT(low, high);
}

}  // namespace
}  // namespace historian::server
