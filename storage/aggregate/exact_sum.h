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
  ExactSum() = default;  // Zero. A sum that was moved from is zero, too.

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
  // For many similar columns. *grid is tried first and is then set to the grid that was used.
  void AddAllSquares(const double* values, size_t size, SumGrid* grid);
  void AddAllProducts(const double* values, const uint64_t* weights, size_t size, SumGrid* grid) {
    AddScaledProducts(values, weights, size, 0, grid);
  }
  // Adds half of each product.
  void AddAllHalfProducts(const double* values, const uint64_t* weights, size_t size, SumGrid* grid) {
    AddScaledProducts(values, weights, size, -1, grid);
  }
  void AddAll(const int64_t* values, size_t size);
  void AddAllSquares(const int64_t* values, size_t size);
  void AddAllProducts(const int64_t* values, const uint64_t* weights, size_t size);

  void Clear() { limbs_.Clear(); }
  void Negate();
  void Halve();
  // Returns the exact product, as a variance needs it: n * Sum(x^2) - Sum(x)^2. A product must not be stored
  // (see ParseFrom).
  static ExactSum Product(const ExactSum& a, const ExactSum& b);

  // Returns the sum in units of 2^(64 * base), or nothing if it is not a whole number of them or has a
  // magnitude of 2^127 units or more.
  std::optional<__int128> Units(int base) const;
  static ExactSum OfUnits(__int128 units, int base);
  // Returns limbs * 2^exponent. The limbs, at most four, are a two's complement integer, lowest first.
  static ExactSum OfLimbs(const uint64_t* limbs, size_t size, int exponent);
  // The lowest bit that a stored sum may have: 2^-2150, half of the smallest square.
  static constexpr int kLowestBit = -2150;
  // The highest base for which Units() is a whole number. For zero any base qualifies.
  int LowestBase() const { return limbs_.base(); }

  bool IsZero() const { return limbs_.empty(); }
  // -1, 0 or 1.
  int Sign() const { return IsZero() ? 0 : IsNegative() ? -1 : 1; }

  // Returns the sum rounded to nearest, ties to even; subnormal or infinite if the sum is that small or
  // large.
  double ToDouble() const { return DividedBy(1); }
  // Returns the sum divided by n, rounded once, so the mean of equal numbers is that number. Requires n > 0.
  double DividedBy(uint64_t n) const;
  // Splits the sum into result * 2^exponent, also beyond a double's range (compare std::frexp). The result is
  // rounded to 53 bits; its magnitude is in [0.5, 1), or it is 0.
  double ToFraction(int* exponent) const;

  // Sums are equal if their values are; then their bytes (AppendTo) are equal, too.
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
  // Takes a sum off the front of *bytes. Returns false, and changes nothing, if bytes are missing, if the
  // form is not the one that AppendTo uses, or if adding doubles and int64s cannot reach the number.
  static bool ParseFrom(absl::string_view* bytes, ExactSum* sum);

 private:
  // Adds the numbers on the grid, times 2^exponent.
  void AddFold(const DoublesFold& fold, const SumGrid& grid, int exponent = 0) {
    AddScaled(fold.sum, grid.exponent() + exponent);
    if (fold.lowest != 0) AddScaled(fold.lowest, grid.exponent_lowest() + exponent);
  }
  // Adds the products times 2^exponent.
  void AddScaledProducts(const double* values, const uint64_t* weights, size_t size, int exponent,
                         SumGrid* grid);
  void AddScaledProduct(double v, uint64_t n, int exponent);
  bool IsNegative() const { return static_cast<int64_t>(limbs_.back()) < 0; }
  // Adds two limbs to a sum that has no limbs or two in the same places. Returns false, and adds nothing, if
  // the result would not be two limbs in these places.
  bool AddTwo(uint64_t low, uint64_t high, int base);
  void AddShifted(__int128 mantissa, int exponent);
  // The limbs need not be the shortest form, may be this sum's own, and `size` may be 0.
  void AddLimbs(const uint64_t* limbs, size_t size, int base);
  void Trim();
  // The limbs of the magnitude, with `zeros` limbs of zero below them.
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
