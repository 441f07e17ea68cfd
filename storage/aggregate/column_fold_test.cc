#include "storage/aggregate/column_fold.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "storage/aggregate/exact_sum.h"

namespace historian {
namespace {

using Limits = std::numeric_limits<double>;
constexpr double kHostile[] = {0.0,
                               -0.0,
                               1,
                               -1,
                               0x1p38,
                               -0x1p38,
                               0x1.0000000000001p38,
                               0x1p-64,
                               0x1p-65,
                               0x1p-12,
                               0x1.fffffffffffffp-13,
                               Limits::max(),
                               -Limits::max(),
                               Limits::min(),
                               Limits::denorm_min(),
                               -Limits::denorm_min(),
                               0x1.fffffffffffffp-1023,
                               0x1p1021,
                               0x1p-511,
                               0x1p-921,
                               Limits::infinity(),
                               -Limits::infinity(),
                               Limits::quiet_NaN(),
                               -Limits::quiet_NaN()};

// Columns of one sort each, so that most fit a grid.
class Columns {
 public:
  explicit Columns(uint64_t seed) : random_(seed) {}
  uint64_t Below(uint64_t n) { return random_() % n; }
  double Uniform() { return std::uniform_real_distribution<double>(-1, 1)(random_); }
  size_t Size() { return 1 + Below(Below(4) == 0 ? kColumnChunk : 70); }

  std::vector<double> Doubles(size_t size) {
    const uint64_t kind = Below(8);
    const int exponent = static_cast<int>(Below(2046)) - 1022;
    std::vector<double> values(size);
    for (double& v : values) {
      const double u = Uniform();
      v = kind == 0   ? kHostile[Below(std::size(kHostile))]
          : kind == 1 ? (Below(size) == 0 ? kHostile[Below(std::size(kHostile))] : u)
          : kind == 2 ? std::ldexp(u, exponent)
          : kind == 3 ? std::ldexp(u, exponent / 20)
          : kind == 4 ? std::bit_cast<double>(random_())
          : kind == 5 ? std::ldexp(u, 38)
                      : std::round(u * 1e5) / 100;
    }
    return values;
  }
  std::vector<int64_t> Ints(size_t size) {
    constexpr int64_t kEdges[] = {std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max(), 0,
                                  -1, int64_t{1} << 32};
    const uint64_t kind = Below(3);
    std::vector<int64_t> values(size);
    for (int64_t& v : values) {
      v = kind == 0   ? kEdges[Below(std::size(kEdges))]
          : kind == 1 ? static_cast<int64_t>(random_())
                      : static_cast<int64_t>(Below(2000)) - 1000;
    }
    return values;
  }
  std::vector<uint64_t> Weights(size_t size) {
    const uint64_t bits = 1 + Below(54);
    std::vector<uint64_t> weights(size);
    for (uint64_t& w : weights) w = random_() >> (64 - bits);
    return weights;
  }
  // The default, the one that just reaches, or any.
  SumGrid Grid(double magnitude) {
    const uint64_t kind = Below(3);
    if (kind == 0) return SumGrid();
    if (kind == 1 && std::isfinite(magnitude)) return SumGrid::Reaching(magnitude);
    return SumGrid::Reaching(std::ldexp(1.0, static_cast<int>(Below(2090)) - 1070));
  }

 private:
  std::mt19937_64 random_;
};

bool AllFinite(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

double MagnitudeOf(const std::vector<double>& values) {
  double magnitude = 0;
  for (const double v : values) magnitude = std::max(magnitude, std::fabs(v));
  return magnitude;
}

ExactSum OnGrid(const DoublesFold& fold, const SumGrid& grid) {
  ExactSum sum;
  sum.AddScaled(fold.sum, grid.exponent());
  sum.AddScaled(fold.lowest, grid.exponent_lowest());
  return sum;
}

// What FoldSum promises of a column, whatever the grid.
bool Fits(const std::vector<double>& values, const SumGrid& grid) {
  for (const double v : values) {
    if (!std::isfinite(v) || std::fabs(v) > grid.limit()) return false;
    if (v == 0) continue;
    int exponent;
    const auto mantissa = static_cast<int64_t>(std::ldexp(std::frexp(v, &exponent), 53));
    if (exponent - 53 + std::countr_zero(static_cast<uint64_t>(mantissa)) < grid.exponent()) return false;
  }
  return true;
}

TEST(ColumnFold, SumsAndExtremesOfDoublesEqualOneByOne) {
  int exact = 0;
  for (uint64_t seed = 1; seed <= 20'000; ++seed) {
    SCOPED_TRACE(seed);
    Columns columns(seed);
    const std::vector<double> values = columns.Doubles(columns.Size());
    const SumGrid grid = columns.Grid(MagnitudeOf(values));
    const bool finite = AllFinite(values);
    ASSERT_EQ(AreFinite(values.data(), values.size()), finite);
    const DoublesFold sum = FoldSum(values.data(), values.size(), grid);
    const DoublesFold both = FoldExtremesAndSum(values.data(), values.size(), grid);
    const DoublesFold extremes = FoldExtremes(values.data(), values.size());
    ASSERT_EQ(sum.exact, Fits(values, grid));
    ASSERT_EQ(both.exact, sum.exact);
    ASSERT_EQ(extremes.exact, finite);
    if (!finite) continue;
    const double min = *std::min_element(values.begin(), values.end());
    const double max = *std::max_element(values.begin(), values.end());
    for (const DoublesFold* fold : {&both, &extremes}) {
      ASSERT_EQ(fold->min, min);
      ASSERT_EQ(fold->max, max);
    }
    for (const DoublesFold* fold : {&sum, &both, &extremes}) ASSERT_EQ(fold->magnitude, MagnitudeOf(values));
    const ExtremesAt at = PlacesOf(values.data(), values.size(), min, max);
    ASSERT_EQ(at.min, std::min_element(values.begin(), values.end()) - values.begin());
    ASSERT_EQ(at.max, std::max_element(values.begin(), values.end()) - values.begin());
    if (!sum.exact) continue;
    ++exact;
    ExactSum expected;
    for (const double v : values) expected.Add(v);
    ASSERT_EQ(OnGrid(sum, grid), expected);
    ASSERT_EQ(OnGrid(both, grid), expected);
  }
  EXPECT_GT(exact, 5'000);
}

TEST(ColumnFold, ProductsThatFitEqualOneByOne) {
  int exact_squares = 0;
  int exact_products = 0;
  for (uint64_t seed = 1; seed <= 20'000; ++seed) {
    SCOPED_TRACE(seed);
    Columns columns(seed);
    const std::vector<double> values = columns.Doubles(columns.Size());
    const std::vector<uint64_t> weights = columns.Weights(values.size());
    const double magnitude = MagnitudeOf(values);
    const SumGrid squares_grid = columns.Grid(magnitude * magnitude);
    const DoublesFold squares = FoldSquares(values.data(), values.size(), squares_grid);
    ExactSum expected_squares, expected_products;
    if (AllFinite(values)) {
      for (size_t i = 0; i < values.size(); ++i) {
        expected_squares.AddSquare(values[i]);
        expected_products.AddProduct(values[i], weights[i]);
      }
    }
    if (squares.exact) {
      ++exact_squares;
      ASSERT_TRUE(AllFinite(values));
      ASSERT_EQ(OnGrid(squares, squares_grid), expected_squares);
    }
    const SumGrid products_grid =
        columns.Grid(magnitude * static_cast<double>(*std::max_element(weights.begin(), weights.end())));
    const DoublesFold products = FoldProducts(values.data(), weights.data(), values.size(), products_grid);
    if (products.exact) {
      ++exact_products;
      ASSERT_TRUE(AllFinite(values));
      ASSERT_EQ(OnGrid(products, products_grid), expected_products);
    }
  }
  EXPECT_GT(exact_squares, 4'000);
  EXPECT_GT(exact_products, 4'000);
}

TEST(ColumnFold, PlantDataFitTheDefaultGrid) {
  Columns columns(1);
  std::vector<double> values(kColumnChunk);
  std::vector<uint64_t> weights(kColumnChunk);
  for (size_t i = 0; i < kColumnChunk; ++i) {
    values[i] = std::round(columns.Uniform() * 10'000) / 100;
    weights[i] = 1'000'000'000 + columns.Below(1'000'000);
  }
  EXPECT_TRUE(FoldSum(values.data(), kColumnChunk, SumGrid()).exact);
  EXPECT_TRUE(FoldSquares(values.data(), kColumnChunk, SumGrid()).exact);
  EXPECT_TRUE(FoldProducts(values.data(), weights.data(), kColumnChunk, SumGrid()).exact);
}

TEST(ColumnFold, SumsAndExtremesOfIntegersEqualOneByOne) {
  for (uint64_t seed = 1; seed <= 5'000; ++seed) {
    SCOPED_TRACE(seed);
    Columns columns(seed);
    const std::vector<int64_t> values = columns.Ints(columns.Size());
    const IntsFold sum = FoldSum(values.data(), values.size());
    const IntsFold both = FoldExtremesAndSum(values.data(), values.size());
    const IntsFold extremes = FoldExtremes(values.data(), values.size());
    const auto min = std::min_element(values.begin(), values.end());
    const auto max = std::max_element(values.begin(), values.end());
    __int128 expected = 0;
    for (const int64_t v : values) expected += v;
    ASSERT_TRUE(sum.sum == expected);
    ASSERT_TRUE(both.sum == expected);
    for (const IntsFold* fold : {&both, &extremes}) {
      ASSERT_EQ(fold->min, *min);
      ASSERT_EQ(fold->max, *max);
    }
    const ExtremesAt at = PlacesOf(values.data(), values.size(), *min, *max);
    ASSERT_EQ(at.min, min - values.begin());
    ASSERT_EQ(at.max, max - values.begin());
  }
}

}  // namespace
}  // namespace historian
