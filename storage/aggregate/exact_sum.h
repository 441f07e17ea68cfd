// File: storage/aggregate/exact_sum.h
//
// A sum that never rounds: whatever is added, in whatever order and through whatever partial sums, the result
// is the same number, rounded once when it is asked for. It is what makes a stored summary, a merged one and
// a fold over the raw samples equal bit for bit.
//
// The sum of doubles that ToDouble() gives is the correctly rounded one (Python's math.fsum gives the same).
// Held as a two's complement integer of as many 64-bit limbs as the spread of exponents needs, times a power
// of two; a few limbs inline, so usual plant data allocates nothing.
//
// Method: Kulisch, Computer Arithmetic and Validity, 2nd ed., 2013, ch. 8 (the long accumulator), kept
// sparse.
// Threads: a value type; const methods from any thread.
#ifndef HISTORIAN_STORAGE_AGGREGATE_EXACT_SUM_H_
#define HISTORIAN_STORAGE_AGGREGATE_EXACT_SUM_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"
#include "storage/aggregate/column_fold.h"
#include "storage/aggregate/sum_limbs.h"

namespace historian {

class ExactSum {
 public:
  ExactSum() = default;  // Zero; so is what was moved from.

  // Each adds its exact result. Doubles must be finite.
  void Add(double v);
  void AddSquare(double v);
  void AddProduct(double v, uint64_t n) { AddScaledProduct(v, n, 0); }
  void AddHalfProduct(double v, uint64_t n) { AddScaledProduct(v, n, -1); }
  void AddInt(int64_t v);
  void AddIntSquare(int64_t v);
  void AddIntProduct(int64_t v, uint64_t n);
  void Add(const ExactSum& other) {
    const SumLimbs& limbs = other.limbs_;
    if (limbs.size() != 2 || !AddTwo(limbs[0], limbs[1], limbs.base())) {
      AddLimbs(limbs.data(), limbs.size(), limbs.base());
    }
  }
  // Adds mantissa * 2^exponent.
  void AddScaled(__int128 mantissa, int exponent) {
    const bool aligned = (exponent & 63) == 0;
    if (!aligned ||
        !AddTwo(static_cast<uint64_t>(mantissa), static_cast<uint64_t>(mantissa >> 64), exponent >> 6)) {
      AddShifted(mantissa, exponent);
    }
  }
  void Subtract(const ExactSum& other);

  // The same for whole columns of at most 2^32 numbers; half a nanosecond a number for sums, two for squares
  // and products, when their magnitudes are not spread too far (a factor of 10^9 or so; beyond, slower).
  // Doubles must be finite.
  void AddAll(const double* values, size_t size);
  void AddAllSquares(const double* values, size_t size) {
    SumGrid grid;
    AddAllSquares(values, size, &grid);
  }
  void AddAllProducts(const double* values, const uint64_t* weights, size_t size) {
    SumGrid grid;
    AddAllProducts(values, weights, size, &grid);
  }
  // For many columns alike: *grid is tried first, and is the last one used thereafter.
  void AddAllSquares(const double* values, size_t size, SumGrid* grid);
  void AddAllProducts(const double* values, const uint64_t* weights, size_t size, SumGrid* grid) {
    AddScaledProducts(values, weights, size, 0, grid);
  }
  // Half of each product.
  void AddAllHalfProducts(const double* values, const uint64_t* weights, size_t size, SumGrid* grid) {
    AddScaledProducts(values, weights, size, -1, grid);
  }
  void AddAll(const int64_t* values, size_t size);
  void AddAllSquares(const int64_t* values, size_t size);
  void AddAllProducts(const int64_t* values, const uint64_t* weights, size_t size);

  void Clear() { limbs_.Clear(); }
  void Negate();
  void Halve();
  // The product, itself exact. For a variance: n * Sum(x^2) - Sum(x)^2. Not to be stored (see ParseFrom).
  static ExactSum Product(const ExactSum& a, const ExactSum& b);

  // The sum in units of 2^(64 * base); nothing when it is no whole number of them, or of 2^127 and more.
  std::optional<__int128> Units(int base) const;
  static ExactSum OfUnits(__int128 units, int base);
  // limbs * 2^exponent, the limbs a two's complement integer, lowest first, at most four.
  static ExactSum OfLimbs(const uint64_t* limbs, size_t size, int exponent);
  // The lowest bit that a sum may have to be stored (2^-2150, half of the smallest square).
  static constexpr int kLowestBit = -2150;
  // The highest base of which the sum is a whole number of units. Of zero any.
  int LowestBase() const { return limbs_.base(); }

  bool IsZero() const { return limbs_.empty(); }
  // -1, 0 or 1.
  int Sign() const { return IsZero() ? 0 : IsNegative() ? -1 : 1; }

  // Rounded to nearest, ties to even; subnormal or infinite when the sum is.
  double ToDouble() const { return DividedBy(1); }
  // The sum divided by n, rounded once: the mean of equal numbers is that number. Requires n > 0.
  double DividedBy(uint64_t n) const;
  // The sum is the result times 2^exponent, the result rounded to 53 bits and in [0.5, 1) without its sign,
  // or 0. For what exceeds a double's range (compare std::frexp).
  double ToFraction(int* exponent) const;

  // By value; so are the bytes of AppendTo.
  friend bool operator==(const ExactSum& a, const ExactSum& b) { return a.limbs_ == b.limbs_; }

  // Appends the sum's bytes. The sum is (-1)^sign * magnitude * 2^exponent, magnitude odd:
  //
  //   varint     length * 2 + sign; length counts the bytes of the magnitude. 0: the sum is zero, that is all
  //   varint     exponent, zigzag (0, -1, 1, -2 ...)
  //   length     bytes of the magnitude, little-endian, the last one not zero
  //
  // A varint is little-endian in groups of seven bits, the eighth set when another follows, never longer than
  // needed.
  void AppendTo(std::string* out) const;
  // Takes a sum off the front of *bytes. False, and nothing is changed, when there is none: bytes are
  // missing, another form is used than AppendTo would have, or the number is none that adding doubles and
  // int64s can reach.
  static bool ParseFrom(absl::string_view* bytes, ExactSum* sum);

 private:
  // Adds the numbers on the grid, times 2^exponent.
  void AddFold(const DoublesFold& fold, const SumGrid& grid, int exponent = 0) {
    AddScaled(fold.sum, grid.exponent() + exponent);
    if (fold.lowest != 0) AddScaled(fold.lowest, grid.exponent_lowest() + exponent);
  }
  // The products times 2^exponent.
  void AddScaledProducts(const double* values, const uint64_t* weights, size_t size, int exponent,
                         SumGrid* grid);
  void AddScaledProduct(double v, uint64_t n, int exponent);
  bool IsNegative() const { return static_cast<int64_t>(limbs_.back()) < 0; }
  // Adds two limbs to none or to two in the same places. False, and nothing is added, when they would not
  // stay there.
  bool AddTwo(uint64_t low, uint64_t high, int base);
  void AddShifted(__int128 mantissa, int exponent);
  // The limbs need not be shortest, and may be none or our own.
  void AddLimbs(const uint64_t* limbs, size_t size, int base);
  void Trim();
  // The limbs without the sign, above `zeros` more limbs.
  using WideLimbs = absl::InlinedVector<uint64_t, 8>;
  WideLimbs Magnitude(size_t zeros = 0) const;

  // The sum is their two's complement integer, times 2^(64 * base). Kept shortest: the lowest limb is not
  // zero, the highest is not merely the sign of the one below it. Zero has no limbs, and any base.
  SumLimbs limbs_;
};

inline bool ExactSum::AddTwo(uint64_t low, uint64_t high, int base) {
  int64_t sum_high = static_cast<int64_t>(high);
  if (!limbs_.empty()) {
    if (limbs_.size() != 2 || limbs_.base() != base) return false;
    const bool carry = __builtin_add_overflow(low, limbs_[0], &low);
    if (__builtin_add_overflow(sum_high, static_cast<int64_t>(limbs_[1]), &sum_high) ||
        __builtin_add_overflow(sum_high, static_cast<int64_t>(carry), &sum_high)) {
      return false;
    }
  }
  // Shortest as they are?
  if (low == 0 || sum_high == static_cast<int64_t>(low) >> 63) return false;
  limbs_.AssignTwo(low, static_cast<uint64_t>(sum_high), base);
  return true;
}

inline std::optional<__int128> ExactSum::Units(int base) const {
  if (limbs_.empty()) return 0;
  const int above = limbs_.base() - base;
  if (above < 0 || above + limbs_.size() > 2) return std::nullopt;
  if (limbs_.size() == 2) {
    return static_cast<__int128>(static_cast<unsigned __int128>(limbs_[1]) << 64 | limbs_[0]);
  }
  return static_cast<__int128>(static_cast<int64_t>(limbs_[0])) * (above == 0 ? 1 : __int128{1} << 64);
}

inline ExactSum ExactSum::OfUnits(__int128 units, int base) {
  ExactSum sum;
  const uint64_t low = static_cast<uint64_t>(units), high = static_cast<uint64_t>(units >> 64);
  if (!sum.AddTwo(low, high, base) && units != 0) {
    // One limb is enough.
    sum.limbs_.PushHighest(low != 0 ? low : high);
    sum.limbs_.set_base(low != 0 ? base : base + 1);
  }
  return sum;
}

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_EXACT_SUM_H_
