#include "storage/format/nearness.h"

#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace historian::format {
namespace {

uint64_t BitsOf(double v) { return std::bit_cast<uint64_t>(v); }

// What reading the text gives that printf makes of v.
double Printf(const char* format, int digits, double v) {
  char text[400];
  std::snprintf(text, sizeof(text), format, digits, v);
  return std::strtod(text, nullptr);
}

double PrintedOnce(Printing printing, double v) {
  uint64_t bits = BitsOf(v);
  Print(printing, 1, &bits);
  return std::bit_cast<double>(bits);
}

TEST(Printing, RoundsNearlyAlwaysAsPrintfDoes) {
  const uint64_t seed = 11;
  std::mt19937_64 random(seed);
  int wrong = 0;
  constexpr int kRounds = 20000;
  for (int i = 0; i < kRounds; ++i) {
    const double v =
        std::pow(10, static_cast<double>(random() % 1000) / 100 - 5) * (random() % 2 == 0 ? -1 : 1);
    const float narrow = static_cast<float>(v);
    for (const int digits : {8, 9, 15}) {
      wrong += PrintedOnce({Printing::kRounded, static_cast<uint8_t>(digits)}, narrow) !=
               Printf("%.*g", digits, narrow);
    }
    if (std::fabs(narrow) < 1e5) {
      wrong += PrintedOnce({Printing::kDecimals, 6}, narrow) != Printf("%.*f", 6, narrow);
    }
  }
  EXPECT_LT(wrong, kRounds / 20) << "seed " << seed;
}

TEST(Printing, TruncatesTowardsZero) {
  EXPECT_EQ(PrintedOnce({Printing::kTruncated, 3}, 5.678), 5.67);
  EXPECT_EQ(PrintedOnce({Printing::kTruncated, 3}, -0.05678), -0.0567);
  EXPECT_EQ(PrintedOnce({Printing::kTruncated, 15}, 380.04779052734375), 380.047790527343);
}

TEST(Printing, LeavesAloneWhatItCannotPrint) {
  for (const double v : {0.0, -0.0, 1e-300, 1e23, 1e300, std::numeric_limits<double>::infinity()}) {
    for (const Printing::Form form : {Printing::kDecimals, Printing::kRounded, Printing::kTruncated}) {
      EXPECT_EQ(BitsOf(PrintedOnce({form, 9}, v)), BitsOf(v));
    }
  }
  uint64_t nan = 0x7FF8DEADBEEF1234;
  Print({Printing::kRounded, 9}, 1, &nan);
  EXPECT_EQ(nan, 0x7FF8DEADBEEF1234);
}

TEST(Printing, KnowsWhichAreValid) {
  EXPECT_TRUE((Printing{Printing::kAsIs, 0}.IsValid()));
  EXPECT_FALSE((Printing{Printing::kAsIs, 1}.IsValid()));
  EXPECT_TRUE((Printing{Printing::kDecimals, 15}.IsValid()));
  EXPECT_FALSE((Printing{Printing::kDecimals, 16}.IsValid()));
  EXPECT_TRUE((Printing{Printing::kRounded, 17}.IsValid()));
  EXPECT_FALSE((Printing{Printing::kRounded, 0}.IsValid()));
  EXPECT_FALSE((Printing{Printing::kTruncated, 18}.IsValid()));
  EXPECT_FALSE((Printing{static_cast<Printing::Form>(4), 3}.IsValid()));
}

template <typename Value>
std::vector<uint64_t> Column(Value value) {
  std::vector<uint64_t> bits(200);
  std::mt19937_64 random(12);
  std::normal_distribution<double> bell(90, 20);
  for (uint64_t& b : bits) b = BitsOf(value(bell(random)));
  return bits;
}

TEST(Nearness, FindsTheDecimalsBehindSums) {
  const auto sums = Column([](double v) { return std::round(v * 100) / 100 + 0.1 + 0.7; });
  EXPECT_EQ(GuessNearDecimals(sums.data(), sums.size()), 2);
  const auto noise = Column([](double v) { return v; });
  EXPECT_EQ(GuessNearDecimals(noise.data(), noise.size()), -1);
}

TEST(Nearness, FindsHowFloat32ValuesWerePrinted) {
  const struct {
    Printing printing;
    std::vector<uint64_t> column;
  } cases[] = {
      {{Printing::kRounded, 15}, Column([](double v) { return Printf("%.*g", 15, static_cast<float>(v)); })},
      {{Printing::kRounded, 9}, Column([](double v) { return Printf("%.*g", 9, static_cast<float>(v)); })},
      {{Printing::kDecimals, 6}, Column([](double v) { return Printf("%.*f", 6, static_cast<float>(v)); })},
      {{Printing::kAsIs, 0}, Column([](double v) { return static_cast<float>(v) * (1 + 0x1p-51); })},
  };
  for (const auto& c : cases) {
    Printing found;
    ASSERT_TRUE(GuessPrintedNarrow(c.column.data(), c.column.size(), &found)) << int{c.printing.form};
    EXPECT_EQ(found.form, c.printing.form);
    EXPECT_EQ(found.digits, c.printing.digits);
  }
  Printing none;
  const auto decimals = Column([](double v) { return std::round(v * 100) / 100; });
  EXPECT_FALSE(GuessPrintedNarrow(decimals.data(), decimals.size(), &none));
  const auto noise = Column([](double v) { return v; });
  EXPECT_FALSE(GuessPrintedNarrow(noise.data(), noise.size(), &none));
}

}  // namespace
}  // namespace historian::format
