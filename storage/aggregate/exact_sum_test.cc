// The reference is an integer of any length: every double, square and product is a whole number of 2^-2200.
#include "storage/aggregate/exact_sum.h"

#include <algorithm>
#include <bit>
#include <boost/multiprecision/cpp_int.hpp>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace historian {
namespace {

using boost::multiprecision::cpp_int;

constexpr int kUnitBits = 2200;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kMax = std::numeric_limits<double>::max();
constexpr double kDenorm = std::numeric_limits<double>::denorm_min();
constexpr int64_t kIntMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kIntMax = std::numeric_limits<int64_t>::max();
constexpr uint64_t kUintMax = std::numeric_limits<uint64_t>::max();

// v in units of 2^-1100.
cpp_int WholeOf(double v) {
  int exponent;
  const double fraction = std::frexp(v, &exponent);
  const cpp_int mantissa = static_cast<int64_t>(std::ldexp(fraction, 53));
  const int shift = exponent - 53 + kUnitBits / 2;
  return shift >= 0 ? cpp_int(mantissa << shift) : cpp_int(mantissa / (cpp_int(1) << -shift));
}
cpp_int UnitsOf(double v) { return WholeOf(v) << (kUnitBits / 2); }
cpp_int UnitsOfSquare(double v) { return WholeOf(v) * WholeOf(v); }
cpp_int UnitsOfInt(int64_t v) { return cpp_int(v) << kUnitBits; }

// numerator / denominator, in units, rounded as IEEE 754 asks for, by trying the doubles next to it.
double NearestDouble(const cpp_int& numerator, const cpp_int& denominator = 1) {
  if (numerator < 0) return -NearestDouble(-numerator, denominator);
  // Doubles from 0 up have ascending bits: bisect for the last one not above.
  uint64_t low = 0;
  uint64_t high = std::bit_cast<uint64_t>(kInfinity);
  while (high - low > 1) {
    const uint64_t middle = low + (high - low) / 2;
    (UnitsOf(std::bit_cast<double>(middle)) * denominator <= numerator ? low : high) = middle;
  }
  // What infinity stands for when rounding is 2^1024.
  const cpp_int above = high == std::bit_cast<uint64_t>(kInfinity) ? cpp_int(1) << (kUnitBits + 1024)
                                                                   : UnitsOf(std::bit_cast<double>(high));
  const cpp_int to_low = numerator - UnitsOf(std::bit_cast<double>(low)) * denominator;
  const cpp_int to_high = above * denominator - numerator;
  if (to_low != to_high) return std::bit_cast<double>(to_low < to_high ? low : high);
  return std::bit_cast<double>(low % 2 == 0 ? low : high);
}

class Random {
 public:
  explicit Random(uint64_t seed) : random_(seed) {}
  uint64_t Below(uint64_t n) { return random_() % n; }
  uint64_t Bits() { return random_(); }
  double Finite() {
    switch (Below(10)) {
      case 0:
        return Pick<double>({0.0, -0.0, 1, -1, kMax, -kMax, kDenorm, -kDenorm, 0x1p-1022,
                             0x1.fffffffffffffp-1023, 1e308, -1e308, 0x1p1023, 0x1p53, 0x1p-400, 0x1p400,
                             0x1p64, 1e16, 0.1});
      case 1:
        return std::ldexp(Uniform(), -1040);
      case 2:
        return std::ldexp(Uniform(), 1024);
      case 3: {
        const double any = std::bit_cast<double>(Bits());
        return std::isfinite(any) ? any : 1.5;
      }
      case 4:
        return static_cast<double>(Below(1000));
      default:
        return std::round(Uniform() * 10000) / 100;
    }
  }
  int64_t Int() {
    switch (Below(4)) {
      case 0:
        return Pick<int64_t>(
            {0, 1, -1, kIntMin, kIntMax, kIntMin + 1, int64_t{1} << 32, -(int64_t{1} << 53)});
      case 1:
        return static_cast<int64_t>(Bits());
      default:
        return static_cast<int64_t>(Below(2000)) - 1000;
    }
  }
  uint64_t Weight() {
    switch (Below(8)) {
      case 0:
        return Pick<uint64_t>(
            {0, 1, kUintMax, uint64_t{1} << 63, (uint64_t{1} << 52) - 1, uint64_t{1} << 52});
      case 1:
        return Bits();
      default:
        return 1'000'000'000 + Below(1'000'000);
    }
  }
  double Uniform() { return std::uniform_real_distribution<double>(-1, 1)(random_); }
  template <typename T>
  T Pick(std::initializer_list<T> choices) {
    return choices.begin()[Below(choices.size())];
  }
  template <typename T>
  void Shuffle(std::vector<T>* v) {
    std::shuffle(v->begin(), v->end(), random_);
  }

 private:
  std::mt19937_64 random_;
};

std::string BytesOf(const ExactSum& sum) {
  std::string bytes;
  sum.AppendTo(&bytes);
  return bytes;
}

ExactSum SumOf(const std::vector<double>& values) {
  ExactSum sum;
  for (double v : values) sum.Add(v);
  return sum;
}

TEST(ExactSum, OfLimbsIsTheirIntegerTimesAPowerOfTwo) {
  std::mt19937_64 random(1);
  const uint64_t kSpecial[] = {0, 1, ~uint64_t{0}, uint64_t{1} << 63, ~(uint64_t{1} << 63)};
  for (int i = 0; i < 20'000; ++i) {
    const size_t size = random() % 5;
    const int exponent = static_cast<int>(random() % 1000) - 900;
    uint64_t limbs[4];
    ExactSum expected;
    for (size_t k = 0; k < size; ++k) {
      limbs[k] = random() % 2 == 0 ? kSpecial[random() % std::size(kSpecial)] : random();
      const int64_t signed_limb = static_cast<int64_t>(limbs[k]);
      expected.AddScaled(k + 1 == size ? __int128{signed_limb} : static_cast<__int128>(limbs[k]),
                         exponent + 64 * static_cast<int>(k));
    }
    const ExactSum sum = ExactSum::OfLimbs(limbs, size, exponent);
    ASSERT_EQ(sum, expected);
    ASSERT_EQ(sum.LowestBase(), expected.LowestBase()) << "not the shortest";
  }
}

TEST(ExactSum, SmallExamples) {
  const struct {
    std::vector<double> values;
    double expected;
  } cases[] = {
      {{}, 0},
      {{0.0, -0.0}, 0},
      {{1e308, 1, -1e308}, 1},
      {{1, 1e100, 1, -1e100}, 2},
      {{0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1}, 1},
      {{0x1p53, 1}, 0x1p53},
      {{0x1p53, 1, kDenorm}, 0x1.0000000000001p53},
      {{0x1p53, 3}, 0x1.0000000000002p53},
      {{kDenorm}, kDenorm},
      {{-kDenorm, -kDenorm}, -2 * kDenorm},
      {{kMax, kMax}, kInfinity},
      {{-kMax, -kMax}, -kInfinity},
      {{kMax, kMax, -kMax}, kMax},
      {{kMax, 0x1p969}, kMax},
      {{kMax, 0x1p970}, kInfinity},
      {{kMax, 0x1p970, -kDenorm}, kMax},
  };
  for (const auto& c : cases) EXPECT_EQ(SumOf(c.values).ToDouble(), c.expected);
}

TEST(ExactSum, IsSmall) { EXPECT_LE(sizeof(ExactSum), 64); }

TEST(ExactSum, EqualsTheReferenceAfterEveryStep) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    ExactSum sum;
    cpp_int reference = 0;
    for (int step = 0; step < 40; ++step) {
      const double v = random.Finite();
      const int64_t i = random.Int();
      const uint64_t n = random.Weight();
      switch (random.Below(9)) {
        case 0:
        case 1:
          sum.Add(v), reference += UnitsOf(v);
          break;
        case 2:
          sum.AddSquare(v), reference += UnitsOfSquare(v);
          break;
        case 3:
          sum.AddProduct(v, n), reference += UnitsOf(v) * n;
          break;
        case 4:
          sum.AddInt(i), reference += UnitsOfInt(i);
          break;
        case 5:
          sum.AddIntSquare(i), reference += UnitsOfInt(i) * i;
          break;
        case 6:
          sum.AddIntProduct(i, n), reference += UnitsOfInt(i) * n;
          break;
        case 7:
          sum.Negate(), reference = -reference;
          break;
        case 8:
          sum.Add(sum);
          if (random.Below(2) == 0)
            sum.Halve(), sum.Halve(), reference = reference / 2;
          else
            reference *= 2;
          break;
      }
      if (step % 4 != 0) continue;
      ASSERT_EQ(sum.ToDouble(), NearestDouble(reference)) << step;
      ASSERT_EQ(sum.Sign(), reference.sign());
      ASSERT_EQ(sum.IsZero(), reference == 0);
      const uint64_t divisor = std::max<uint64_t>(random.Weight(), 1);
      ASSERT_EQ(sum.DividedBy(divisor), NearestDouble(reference, divisor)) << step << " / " << divisor;
    }
  }
}

TEST(ExactSum, ColumnsEqualOneByOne) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    // One kind of hostility at a time, as most columns must take the fast way.
    const uint64_t kind = random.Below(6);
    const size_t size = random.Below(random.Below(2) == 0 ? 12 : 2500);
    std::vector<double> values(size);
    std::vector<int64_t> ints(size);
    std::vector<uint64_t> weights(size);
    for (size_t i = 0; i < size; ++i) {
      const double u = random.Uniform();
      values[i] = kind == 0   ? random.Finite()
                  : kind == 1 ? std::round(u * 2000) / 100
                  : kind == 2 ? u * u * u * u * u * 1e-3
                  : kind == 3 ? std::ldexp(u, 1023)
                  : kind == 4 ? std::ldexp(u, -1030)
                              : std::ldexp(u, static_cast<int>(random.Below(790)) - 395);
      ints[i] = kind == 0 ? random.Int() : kind == 1 ? kIntMin : static_cast<int64_t>(u * 1000);
      weights[i] = kind == 0 ? random.Weight() : random.Below(uint64_t{1} << (10 + random.Below(43)));
    }
    ExactSum column[6];
    column[0].AddAll(values.data(), size);
    column[1].AddAllSquares(values.data(), size);
    column[2].AddAllProducts(values.data(), weights.data(), size);
    column[3].AddAll(ints.data(), size);
    column[4].AddAllSquares(ints.data(), size);
    column[5].AddAllProducts(ints.data(), weights.data(), size);
    ExactSum single[6];
    for (size_t i = 0; i < size; ++i) {
      single[0].Add(values[i]);
      single[1].AddSquare(values[i]);
      single[2].AddProduct(values[i], weights[i]);
      single[3].AddInt(ints[i]);
      single[4].AddIntSquare(ints[i]);
      single[5].AddIntProduct(ints[i], weights[i]);
    }
    for (int k = 0; k < 6; ++k) ASSERT_EQ(column[k], single[k]) << k << " of " << size << ", kind " << kind;
  }
}

TEST(ExactSum, IsTheSameInAnyOrderAndPartition) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    std::vector<double> values(1 + random.Below(200));
    for (double& v : values) v = random.Finite();
    const ExactSum expected = SumOf(values);
    random.Shuffle(&values);
    ExactSum parts[4];
    for (double v : values) parts[random.Below(4)].Add(v);
    for (int i = 1; i < 4; ++i) parts[0].Add(parts[i]);
    EXPECT_EQ(parts[0], expected);
    EXPECT_EQ(BytesOf(parts[0]), BytesOf(expected));
    // And back to nothing.
    parts[0].Subtract(expected);
    EXPECT_TRUE(parts[0].IsZero());
    EXPECT_EQ(parts[0], ExactSum());
    EXPECT_EQ(BytesOf(parts[0]), std::string(1, '\0'));
  }
}

TEST(ExactSum, ProductIsExact) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    // (a + b)^2 == a^2 + 2ab + b^2
    ExactSum a, b;
    for (int i = 0; i < 5; ++i) a.Add(random.Finite()), b.AddInt(random.Int());
    ExactSum both = a;
    both.Add(b);
    ExactSum expanded = ExactSum::Product(a, a);
    expanded.Add(ExactSum::Product(b, b));
    expanded.Add(ExactSum::Product(a, b));
    expanded.Add(ExactSum::Product(b, a));
    EXPECT_EQ(ExactSum::Product(both, both), expanded);
    const double v = random.Finite();
    ExactSum one, square;
    one.Add(v);
    square.AddSquare(v);
    EXPECT_EQ(ExactSum::Product(one, one), square);
  }
}

TEST(ExactSum, FractionReachesBeyondDoubles) {
  ExactSum sum;
  sum.AddSquare(-0x1p1000);
  int exponent;
  EXPECT_EQ(sum.ToFraction(&exponent), 0.5);
  EXPECT_EQ(exponent, 2001);
  sum.Negate();
  EXPECT_EQ(sum.ToFraction(&exponent), -0.5);
  sum = ExactSum();
  sum.AddSquare(kDenorm);
  EXPECT_EQ(sum.ToDouble(), 0);
  EXPECT_EQ(sum.ToFraction(&exponent), 0.5);
  EXPECT_EQ(exponent, -2147);
  sum = ExactSum();
  EXPECT_EQ(sum.ToFraction(&exponent), 0);
  // A fraction that rounds up to 1 is one half and the next exponent.
  sum.Add(0x1.fffffffffffffp0);
  sum.Add(0x1p-53);
  EXPECT_EQ(sum.ToFraction(&exponent), 0.5);
  EXPECT_EQ(exponent, 2);
}

TEST(ExactSum, MeanOfEqualNumbersIsTheNumber) {
  for (const double v : {7.3, 0.1, -1e-3, 1e300, kMax, kDenorm, 123456.789}) {
    ExactSum area;
    area.AddProduct(v, 3'000'000'007);
    area.AddProduct(v, 999'999'999'999);
    EXPECT_EQ(area.DividedBy(3'000'000'007 + 999'999'999'999), v);
  }
}

TEST(ExactSum, BytesRoundTrip) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    ExactSum sum;
    const uint64_t size = random.Below(6);
    for (uint64_t i = 0; i < size; ++i) {
      switch (random.Below(3)) {
        case 0:
          sum.Add(random.Finite());
          break;
        case 1:
          sum.AddSquare(random.Finite());
          break;
        case 2:
          sum.AddIntProduct(random.Int(), random.Weight());
          break;
      }
    }
    if (random.Below(4) == 0) sum.Halve();
    const std::string bytes = BytesOf(sum) + "rest";
    absl::string_view left = bytes;
    ExactSum parsed;
    ASSERT_TRUE(ExactSum::ParseFrom(&left, &parsed));
    EXPECT_EQ(parsed, sum);
    EXPECT_EQ(left, "rest");
    for (size_t cut = 0; cut + 4 < bytes.size(); ++cut) {
      absl::string_view missing = absl::string_view(bytes).substr(0, cut);
      EXPECT_FALSE(ExactSum::ParseFrom(&missing, &parsed)) << cut;
      EXPECT_EQ(missing.size(), cut);
    }
  }
}

TEST(ExactSum, BytesOfPlantDataAreFew) {
  Random random(1);
  ExactSum sum;
  for (int i = 0; i < 1024; ++i) sum.Add(std::round(random.Uniform() * 10000) / 100);
  EXPECT_LE(BytesOf(sum).size(), 11);
  EXPECT_EQ(BytesOf(ExactSum()), std::string(1, '\0'));
  sum = ExactSum();
  sum.AddInt(1'000);  // 125 * 2^3
  EXPECT_EQ(BytesOf(sum), std::string({2, 6, 125}));
  sum.Negate();
  EXPECT_EQ(BytesOf(sum), std::string({3, 6, 125}));
  sum = ExactSum();
  sum.Add(0.75);  // 3 * 2^-2
  EXPECT_EQ(BytesOf(sum), std::string({2, 3, 3}));
}

TEST(ExactSum, RefusesOtherBytes) {
  const std::string bad[] = {
      "",
      {1},                             // Minus zero.
      {2},                             // No exponent.
      {2, 0},                          // No magnitude.
      {2, 0, 2},                       // Even.
      {2, 0, 0},                       // Zero.
      {4, 0, 1, 0},                    // Longer than need be.
      {'\x82', 0, 0, 1},               // A varint with a group too many.
      {'\x80', '\x80', '\x80', 0},     // A varint without end.
      {2, '\xff', '\xff', '\x03', 1},  // An exponent out of reach.
      {2, '\xfe', '\xff', '\x03', 1},  // The other way.
      std::string("\xff\x7f\x00", 3) + std::string(8191, '\x01'),
  };
  for (const std::string& bytes : bad) {
    absl::string_view left = bytes;
    ExactSum sum;
    EXPECT_FALSE(ExactSum::ParseFrom(&left, &sum)) << testing::PrintToString(bytes);
  }
}

TEST(ExactSum, DamagedBytesGiveNothingOrTheSumTheySay) {
  Random random(7);
  for (int i = 0; i < 20'000; ++i) {
    ExactSum sum;
    sum.Add(random.Finite());
    sum.Add(random.Finite());
    std::string bytes = BytesOf(sum);
    for (uint64_t hits = 1 + random.Below(3); hits > 0; --hits) {
      bytes[random.Below(std::min<size_t>(bytes.size(), 6))] = static_cast<char>(random.Bits());
    }
    absl::string_view left = bytes;
    ExactSum parsed;
    if (!ExactSum::ParseFrom(&left, &parsed)) continue;
    ASSERT_EQ(BytesOf(parsed), bytes.substr(0, bytes.size() - left.size()));
    parsed.ToDouble();
  }
}

}  // namespace
}  // namespace historian
