#include "storage/format/decimal.h"

#include <bit>
#include <cmath>
#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace historian::format {
namespace {

std::vector<uint64_t> Mantissas(std::mt19937_64& random, size_t size) {
  std::vector<uint64_t> mantissas(size);
  for (uint64_t& m : mantissas) {
    const int64_t signed_one = static_cast<int64_t>(random() >> (13 + random() % 51));
    m = static_cast<uint64_t>(random() % 2 == 0 ? signed_one : -signed_one);
  }
  return mantissas;
}

TEST(Decimals, EveryMantissaIsDividedAsOneDivisionWould) {
  const uint64_t seed = 19;
  std::mt19937_64 random(seed);
  for (int decimals = 0; decimals <= kDecimalsMax; ++decimals) {
    const double scale = std::pow(10, decimals);
    const std::vector<uint64_t> mantissas = Mantissas(random, 50'000);
    std::vector<uint64_t> wide = mantissas;
    FromDecimals(false, decimals, wide.size(), wide.data());
    std::vector<uint64_t> narrow = mantissas;
    FromDecimals(true, decimals, narrow.size(), narrow.data());
    for (size_t i = 0; i < mantissas.size(); ++i) {
      volatile double quotient = static_cast<double>(static_cast<int64_t>(mantissas[i])) / scale;
      ASSERT_EQ(wide[i], std::bit_cast<uint64_t>(double{quotient})) << mantissas[i] << " / 10^" << decimals;
      ASSERT_EQ(narrow[i], std::bit_cast<uint32_t>(static_cast<float>(quotient))) << "seed " << seed;
    }
  }
}

TEST(Decimals, WhatIsExactComesBack) {
  std::mt19937_64 random(20);
  for (int decimals = 0; decimals <= kDecimalsMax; ++decimals) {
    std::vector<uint64_t> bits = Mantissas(random, 1000);
    FromDecimals(false, decimals, bits.size(), bits.data());
    std::vector<uint64_t> mantissas(bits.size());
    EXPECT_EQ(ToDecimals(bits.data(), bits.size(), false, decimals, mantissas.data()), 0u);
    FromDecimals(false, decimals, mantissas.size(), mantissas.data());
    EXPECT_EQ(mantissas, bits);
  }
}

}  // namespace
}  // namespace historian::format
