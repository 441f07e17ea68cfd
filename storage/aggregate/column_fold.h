// File: storage/aggregate/column_fold.h
//
// One pass over a column of numbers: its extremes and its exact sum, in vector instructions.
//
// An exact sum of doubles is taken on a *grid*: two integers count, for all numbers alike, how many of a high
// and of a low unit they hold.
//
//   number     1001110101100011
//   high       10011101            a multiple of the high unit, 2^(top - 51)
//   low                01100011    the rest, a multiple of the low unit, 2^(top - 102);
//                                  if it is not, the grid does not fit
//
// Adding sigma = 1.5 * 2^s to a number below 2^(s - 1) rounds it to a multiple of 2^(s - 52) that can be read
// off the low bits of the result as an integer; taking sigma away again gives the multiple as a double, and
// the rest of the number is exact. Source: S. M. Rump, T. Ogita, S. Oishi, Accurate Floating-Point Summation
// Part I, SIAM J. Sci. Comput. 31(1), 2008.
//
// All of it needs rounding to nearest and gradual underflow, as C++ programs start with.
#ifndef HISTORIAN_STORAGE_AGGREGATE_COLUMN_FOLD_H_
#define HISTORIAN_STORAGE_AGGREGATE_COLUMN_FOLD_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace historian {

// The most numbers that are folded at a time: the integers on a grid have room for this many.
inline constexpr size_t kColumnChunk = 1024;

class SumGrid {
 public:
  // For magnitudes up to 2^38 that are multiples of 2^-64, as those of plant data: the low unit is that of a
  // limb of ExactSum.
  SumGrid() = default;
  // Returns the grid that reaches the magnitude, which must be finite. No grid reaches the greatest doubles:
  // for them it returns one that fits nothing.
  static SumGrid Reaching(double magnitude);

  double limit() const { return limit_; }
  double sigma_high() const { return sigma_high_; }
  double sigma_low() const { return sigma_low_; }
  double sigma_lowest() const { return sigma_lowest_; }
  int exponent() const { return top_ - 102; }         // Of the low unit.
  int exponent_lowest() const { return top_ - 153; }  // Of the lowest unit.
  __int128 Join(int64_t high, int64_t low) const { return (static_cast<__int128>(high) << 51) + low; }

 private:
  int top_ = 38;
  double limit_ = 0x1p38;
  double sigma_high_ = 0x1.8p39;
  double sigma_low_ = 0x1.8p-12;
  double sigma_lowest_ = 0x1.8p-63;
};

// Number i of a column. A column of numbers may be the bits of samples' values (ValueBits), so nothing in this
// package reads one through a pointer but by this or another copy of bytes.
template <typename Number>
[[gnu::always_inline]] inline Number NumberAt(const Number* values, size_t i) {
  Number number;
  std::memcpy(&number, values + i, sizeof(number));
  return number;
}

struct DoublesFold {
  // False if a number is not finite or does not fit the grid. Then the other fields are undefined, except
  // that the extremes and `magnitude` hold if all numbers are finite.
  bool exact = false;
  double min = 0;
  double max = 0;
  __int128 sum = 0;      // In low units.
  int64_t lowest = 0;    // The rest of a sum of products, in lowest units.
  double magnitude = 0;  // The greatest magnitude.
};

// For columns of 1 to kColumnChunk numbers. The first needs no grid: it is exact when all are finite.
DoublesFold FoldExtremes(const double* values, size_t size);
DoublesFold FoldSum(const double* values, size_t size, const SumGrid& grid);
DoublesFold FoldExtremesAndSum(const double* values, size_t size, const SumGrid& grid);
// Sum values[i]^2, and values[i] * weights[i]. `magnitude` is that of the products.
DoublesFold FoldSquares(const double* values, size_t size, const SumGrid& grid);
DoublesFold FoldProducts(const double* values, const uint64_t* weights, size_t size, const SumGrid& grid);

struct IntsFold {
  int64_t min = 0;
  int64_t max = 0;
  __int128 sum = 0;
};

IntsFold FoldExtremes(const int64_t* values, size_t size);
IntsFold FoldSum(const int64_t* values, size_t size);
IntsFold FoldExtremesAndSum(const int64_t* values, size_t size);

// The first index of each value. Requires that both occur.
struct ExtremesAt {
  size_t min;
  size_t max;
};
ExtremesAt PlacesOf(const double* values, size_t size, double min, double max);
ExtremesAt PlacesOf(const int64_t* values, size_t size, int64_t min, int64_t max);

// How many of them are equal to that value; how many differ from the one before them.
size_t CountOf(const double* values, size_t size, double value);
size_t CountOf(const int64_t* values, size_t size, int64_t value);
size_t CountChanges(const double* values, size_t size);
size_t CountChanges(const int64_t* values, size_t size);

bool AreFinite(const double* values, size_t size);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_COLUMN_FOLD_H_
