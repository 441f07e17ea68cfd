#include "storage/format/prediction.h"

#include <cmath>
#include <cstdlib>
#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace historian::format {
namespace {

// What AddPrediction must say, step by step.
std::vector<uint64_t> SlowlyAdded(const Prediction& p, uint64_t first, uint64_t unit,
                                  const std::vector<uint64_t>& residuals) {
  std::vector<uint64_t> d = {0, 0, 0};
  std::vector<uint64_t> out;
  uint64_t level = 0;
  for (const uint64_t residual : residuals) {
    uint64_t sum = static_cast<uint64_t>(int64_t{p.taps[3]}) * (level - p.centre);
    for (size_t k = 0; k < 3; ++k) sum += static_cast<uint64_t>(int64_t{p.taps[k]}) * d[d.size() - 1 - k];
    d.push_back(residual + static_cast<uint64_t>(static_cast<int64_t>(sum) >> 5));
    level += d.back();
    out.push_back(first + unit * level);
  }
  return out;
}

TEST(Prediction, AnyTapsAndAnyNumbersComeBack) {
  const uint64_t seed = 16;
  std::mt19937_64 random(seed);
  for (int round = 0; round < 500; ++round) {
    Prediction p;
    for (int8_t& tap : p.taps) tap = static_cast<int8_t>(random());
    p.centre = random() >> (random() % 64);
    std::vector<uint64_t> differences(1 + random() % 100);
    const unsigned shift = random() % 64;
    for (uint64_t& d : differences) d = static_cast<uint64_t>(static_cast<int64_t>(random()) >> shift);
    std::vector<uint64_t> residuals(differences.size());
    SubtractPrediction(p, differences.data(), differences.size(), residuals.data());
    const uint64_t first = random();
    const uint64_t unit = 1 + random() % 1000;
    EXPECT_EQ(SlowlyAdded(p, first, unit, residuals).back(),
              [&] {
                uint64_t sum = first;
                for (const uint64_t d : differences) sum += unit * d;
                return sum;
              }())
        << "seed " << seed << ", round " << round;
    const std::vector<uint64_t> expected = SlowlyAdded(p, first, unit, residuals);
    AddPrediction(p, first, unit, residuals.size(), residuals.data());
    ASSERT_EQ(residuals, expected) << "seed " << seed << ", round " << round;
  }
}

TEST(Prediction, HelpsWhereThereIsSomethingToExpect) {
  std::mt19937_64 random(17);
  const auto spread_of = [](const std::vector<uint64_t>& v) {
    double sum = 0;
    for (const uint64_t x : v) sum += std::abs(static_cast<double>(static_cast<int64_t>(x)));
    return sum;
  };
  const auto share_left = [&](auto next) {
    std::vector<uint64_t> differences(1000);
    int64_t before = 0;
    for (uint64_t& d : differences) {
      const int64_t v = next();
      d = static_cast<uint64_t>(v - before);
      before = v;
    }
    Prediction p;
    if (!FitPrediction(differences.data(), differences.size(), &p)) return 1.0;
    std::vector<uint64_t> residuals(differences.size());
    SubtractPrediction(p, differences.data(), differences.size(), residuals.data());
    return spread_of(residuals) / spread_of(differences);
  };
  int64_t level = 0, slope = 900;
  EXPECT_LT(share_left([&] { return level += slope += static_cast<int64_t>(random() % 11) - 5; }), 0.1);
  EXPECT_LT(share_left([&] { return static_cast<int64_t>(random() % 1000); }), 0.8);  // A level: back to it.
  level = 0;
  EXPECT_NEAR(share_left([&] { return level += static_cast<int64_t>(random() % 1000) - 500; }), 1, 0.02);
  EXPECT_EQ(share_left([&] { return random() % 50 == 0 ? 1 : 0; }), 1.0);  // Mostly nothing happens.
}

TEST(Prediction, HostileDifferencesAreSafe) {
  std::mt19937_64 random(18);
  for (int round = 0; round < 300; ++round) {
    std::vector<uint64_t> differences(1 + random() % 100);
    const unsigned shift = random() % 64;
    for (uint64_t& d : differences) {
      d = random() % 9 == 0 ? uint64_t{1} << 63
                            : static_cast<uint64_t>(static_cast<int64_t>(random()) >> shift);
    }
    Prediction p;
    FitPrediction(differences.data(), differences.size(), &p);
  }
}

}  // namespace
}  // namespace historian::format
