#include "storage/format/scale.h"

#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace historian::format {
namespace {

uint64_t BitsOf(double v, bool narrow) {
  return narrow ? std::bit_cast<uint32_t>(static_cast<float>(v)) : std::bit_cast<uint64_t>(v);
}

TEST(Scale, FindsWhatAnEngineerWrote) {
  const struct {
    const char* what;
    bool narrow;
    double (*value)(double count);
    Scale scale;
  } cases[] = {
      {"a product", false, [](double n) { return n * 0.0054; }, {0.0054, 0, false}},
      {"a quotient", false, [](double n) { return n / 184.32; }, {184.32, 0, true}},
      {"a float32 product", true, [](double n) { return n * 0.0054; }, {0.0054, 0, false}},
      {"a float32 of 27648 counts", true, [](double n) { return n * 150.0 / 27648.0; }, {184.32, 0, true}},
  };
  for (const auto& c : cases) {
    std::mt19937_64 random(13);
    std::vector<uint64_t> bits(500);
    for (uint64_t& b : bits) b = BitsOf(c.value(static_cast<double>(random() % 4096)), c.narrow);
    Scale scale;
    ASSERT_TRUE(FindScale(bits.data(), bits.size(), c.narrow, &scale)) << c.what;
    EXPECT_EQ(scale.factor, c.scale.factor) << c.what;
    EXPECT_EQ(scale.offset, c.scale.offset) << c.what;
    EXPECT_EQ(scale.divides, c.scale.divides) << c.what;
    std::vector<uint64_t> counts(bits.size());
    ToCounts(scale, c.narrow, bits.data(), bits.size(), counts.data());
    for (const uint64_t n : counts) ASSERT_LT(n, 4096u);
    FromCounts(scale, c.narrow, counts.size(), counts.data());
    EXPECT_EQ(counts, bits) << c.what;
  }
}

TEST(Scale, AnOffsetLeavesAFewUnitsAtMost) {
  std::mt19937_64 random(14);
  std::vector<uint64_t> bits(500);
  for (uint64_t& b : bits) b = BitsOf(4 + static_cast<double>(random() % 4096) * 16 / 4095, false);
  Scale scale;
  ASSERT_TRUE(FindScale(bits.data(), bits.size(), false, &scale));
  std::vector<uint64_t> values(bits.size());
  ToCounts(scale, false, bits.data(), bits.size(), values.data());
  FromCounts(scale, false, values.size(), values.data());
  for (size_t i = 0; i < bits.size(); ++i) {
    EXPECT_LE(std::llabs(static_cast<int64_t>(bits[i] - values[i])), 8);
  }
}

TEST(Scale, ThereIsNoneForNoiseAndHostileValuesAreSafe) {
  std::mt19937_64 random(15);
  std::vector<uint64_t> bits(500);
  Scale scale;
  for (uint64_t& b : bits) b = BitsOf(static_cast<double>(random()) * 0x1p-64, false);
  EXPECT_FALSE(FindScale(bits.data(), bits.size(), false, &scale));
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double strange[] = {0.0, -0.0, kInfinity, -kInfinity, std::nan(""), 1e308, -1e308, 5e-324, 1, 2, 3};
  for (int round = 0; round < 300; ++round) {
    const bool narrow = round % 2 == 0;
    for (uint64_t& b : bits) {
      b = random() % 3 == 0 ? BitsOf(strange[random() % std::size(strange)], narrow)
          : narrow          ? random() & 0xFFFFFFFF
                            : random();
    }
    if (!FindScale(bits.data(), 1 + random() % bits.size(), narrow, &scale)) continue;
    std::vector<uint64_t> counts(bits.size());
    ToCounts(scale, narrow, bits.data(), bits.size(), counts.data());
    FromCounts(scale, narrow, counts.size(), counts.data());
  }
}

}  // namespace
}  // namespace historian::format
