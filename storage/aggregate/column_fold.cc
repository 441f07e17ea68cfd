#include "storage/aggregate/column_fold.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "storage/platform/simd.h"

// Vectors are passed between functions that are always inlined, so how a call would pass them is no matter.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace historian {
namespace {

// Columns in registers of four numbers; the compiler does not find these loops by itself.
typedef double FourDoubles __attribute__((vector_size(32)));
typedef int64_t FourInts __attribute__((vector_size(32)));
typedef uint64_t FourBits __attribute__((vector_size(32)));

template <typename Number>
using FourOf = std::conditional_t<std::is_same_v<Number, double>, FourDoubles, FourInts>;

#define HISTORIAN_INLINE [[gnu::always_inline]] inline

constexpr uint64_t kMagnitudeBits = ~uint64_t{0} >> 1;
constexpr int kTopMin = -921;  // The lowest unit is that of subnormal doubles.
constexpr int kTopMax = 1021;

// The four from [n] keep the last n of four numbers, those from [8 - n] the first n.
constexpr uint64_t kKeep[12] = {0, 0, 0, 0, ~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0},
                                0, 0, 0, 0};

template <typename Four, typename From>
HISTORIAN_INLINE void Load(const From* from, Four& four) {
  static_assert(sizeof(*from) == 8);
  std::memcpy(&four, from, sizeof(four));
}

// Calls step(four, keep) for every four numbers; in the last some may not be kept: they are numbers of the
// column already seen.
template <typename Number, typename Step>
HISTORIAN_INLINE void ForEachFour(const Number* values, size_t size, const Step& step) {
  FourOf<Number> four;
  FourBits keep = ~FourBits{};
  size_t i = 0;
  for (; i + 4 <= size; i += 4) {
    Load(values + i, four);
    step(four, keep, i);
  }
  if (i == size) return;
  if (size >= 4) {
    Load(kKeep + (size - i), keep);
    Load(values + size - 4, four);
    step(four, keep, size - 4);
    return;
  }
  Load(kKeep + (8 - size), keep);
  for (size_t k = 0; k < 4; ++k) four[k] = NumberAt(values, k < size ? k : 0);
  step(four, keep, 0);
}

HISTORIAN_INLINE uint64_t AnyOf(const FourBits& v) { return (v[0] | v[1]) | (v[2] | v[3]); }
HISTORIAN_INLINE uint64_t TotalOf(const FourBits& v) { return (v[0] + v[1]) + (v[2] + v[3]); }
HISTORIAN_INLINE uint64_t TotalOf(uint64_t v) { return v; }

template <typename Number, typename Four>
HISTORIAN_INLINE Number LeastOf(const Four& v) {
  const Number a = v[0] < v[1] ? v[0] : v[1];
  const Number b = v[2] < v[3] ? v[2] : v[3];
  return a < b ? a : b;
}

template <typename Number, typename Four>
HISTORIAN_INLINE Number GreatestOf(const Four& v) {
  const Number a = v[0] > v[1] ? v[0] : v[1];
  const Number b = v[2] > v[3] ? v[2] : v[3];
  return a > b ? a : b;
}

HISTORIAN_INLINE FourDoubles Abs(const FourDoubles& v) { return (FourDoubles)((FourBits)v & kMagnitudeBits); }

HISTORIAN_INLINE FourDoubles Splat(double v) { return FourDoubles{v, v, v, v}; }

// How many units many numbers hold, taken four at a time or, where the compiler makes vectors of a loop, one.
// Each adds the bits of sigma too.
template <typename Doubles>
struct UnitSum {
  using Bits = std::conditional_t<std::is_same_v<Doubles, double>, uint64_t, FourBits>;

  const double sigma;
  Bits units = {};

  // Returns the rest of v.
  HISTORIAN_INLINE Doubles Take(const Doubles& v) {
    const Doubles moved = v + sigma;
    units += std::bit_cast<Bits>(moved);
    return v - (moved - sigma);
  }
  HISTORIAN_INLINE int64_t Total(uint64_t numbers) const {
    return static_cast<int64_t>(TotalOf(units) - numbers * std::bit_cast<uint64_t>(sigma));
  }
};

// The sign of a zero counts for nothing.
HISTORIAN_INLINE bool AreZeros(const FourBits& v) { return (AnyOf(v) & kMagnitudeBits) == 0; }

template <bool kExtremes, bool kSum>
HISTORIAN_INLINE DoublesFold FoldIn(const double* values, size_t size, const SumGrid& grid) {
  FourDoubles min = Splat(NumberAt(values, 0));
  FourDoubles max = min;
  FourDoubles magnitude = {};
  FourBits left = {};
  UnitSum<FourDoubles> high = {grid.sigma_high()};
  UnitSum<FourDoubles> low = {grid.sigma_low()};
  ForEachFour(
      values, size, [&](const FourDoubles& v, const FourBits& keep, size_t) __attribute__((always_inline)) {
        if (kExtremes) {
          min = v < min ? v : min;
          max = v > max ? v : max;
        } else {
          const FourDoubles a = Abs(v);
          magnitude = a > magnitude ? a : magnitude;
        }
        if (kSum) {
          left |= (FourBits)low.Take(high.Take((FourDoubles)((FourBits)v & keep)));
        } else {
          left |= (FourBits)(v - v);
        }
      });
  DoublesFold fold;
  if (kExtremes) {
    fold.min = LeastOf<double>(min);
    fold.max = GreatestOf<double>(max);
    fold.magnitude = std::max(std::fabs(fold.min), std::fabs(fold.max));
  } else {
    fold.magnitude = GreatestOf<double>(magnitude);
  }
  if (kSum) {
    // What is not finite leaves NaN.
    fold.exact = AreZeros(left) && fold.magnitude <= grid.limit();
    const uint64_t lanes = (size + 3) / 4 * 4;
    fold.sum = grid.Join(high.Total(lanes), low.Total(lanes));
  } else {
    fold.exact = AreZeros(left);
  }
  return fold;
}

// What the rounded product of a and b lost: what a fused multiplication leaves, or else found from the halves
// of both, of 26 bits or fewer. Source: T. J. Dekker, A floating-point technique for extending the available
// precision, Numer. Math. 18, 1971.
template <bool kFused>
HISTORIAN_INLINE double ErrorOf(double a, double b, double product) {
  if constexpr (kFused) return __builtin_fma(a, b, -product);
  constexpr double kSplit = 0x1p27 + 1;
  const double a_high = a * kSplit - (a * kSplit - a), a_low = a - a_high;
  const double b_high = b * kSplit - (b * kSplit - b), b_low = b - b_high;
  return ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low;
}

// A product of doubles is the sum of two doubles, product and error. With whole weights no error is too small
// for a double; squares must keep clear of that.
template <bool kSquares, bool kFused>
HISTORIAN_INLINE DoublesFold FoldProductsIn(const double* values, const uint64_t* weights, size_t size,
                                            const SumGrid& grid) {
  constexpr double kSquaredMin = 0x1p-400;
  UnitSum<double> high = {grid.sigma_high()};
  UnitSum<double> low = {grid.sigma_low()};
  UnitSum<double> lowest = {grid.sigma_lowest()};
  int64_t magnitude = 0;  // Magnitudes rise as their bits do; NaN is above all.
  uint64_t left = 0;
  uint64_t weight_bits = 0;
  uint64_t too_small = 0;
  for (size_t i = 0; i < size; ++i) {
    const double v = NumberAt(values, i);
    double factor = v;
    if constexpr (kSquares) {
      too_small |= static_cast<uint64_t>(std::fabs(v) < kSquaredMin) & static_cast<uint64_t>(v != 0.0);
    } else {
      // Whole numbers below 2^52 planted in the fraction of 2^52 become doubles.
      weight_bits |= weights[i];
      factor = std::bit_cast<double>(weights[i] | std::bit_cast<uint64_t>(0x1p52)) - 0x1p52;
    }
    const double product = v * factor;
    const double error = ErrorOf<kFused>(v, factor, product);
    const int64_t product_magnitude = std::bit_cast<int64_t>(std::fabs(product));
    magnitude = product_magnitude > magnitude ? product_magnitude : magnitude;
    left |= std::bit_cast<uint64_t>(lowest.Take(low.Take(high.Take(product))));
    left |= std::bit_cast<uint64_t>(lowest.Take(low.Take(error)));
  }
  DoublesFold fold;
  fold.magnitude = std::bit_cast<double>(magnitude);
  fold.exact = (left & kMagnitudeBits) == 0 && fold.magnitude <= grid.limit() && weight_bits >> 52 == 0 &&
               too_small == 0;
  fold.sum = grid.Join(high.Total(size), low.Total(2 * size));
  fold.lowest = lowest.Total(2 * size);
  return fold;
}

template <bool kExtremes, bool kSum>
HISTORIAN_INLINE IntsFold FoldIn(const int64_t* values, size_t size) {
  constexpr uint64_t kSign = uint64_t{1} << 63;
  const int64_t first = NumberAt(values, 0);
  FourInts min = {first, first, first, first};
  FourInts max = min;
  // The halves of the numbers, moved up by 2^63 so that they have no sign.
  FourBits high = {};
  FourBits low = {};
  ForEachFour(
      values, size, [&](const FourInts& v, const FourBits& keep, size_t) __attribute__((always_inline)) {
        if (kExtremes) {
          min = v < min ? v : min;
          max = v > max ? v : max;
        }
        if (kSum) {
          const FourBits moved = ((FourBits)v ^ kSign) & keep;
          high += moved >> 32;
          low += moved & 0xFFFFFFFF;
        }
      });
  IntsFold fold;
  if (kExtremes) {
    fold.min = LeastOf<int64_t>(min);
    fold.max = GreatestOf<int64_t>(max);
  }
  if (kSum) {
    fold.sum =
        (static_cast<__int128>(TotalOf(high)) << 32) + TotalOf(low) - static_cast<__int128>(size) * kSign;
  }
  return fold;
}

// In longer columns only the parts of so many that begin with the sixteen that have the value are searched
// for both.
constexpr size_t kPlaceBlock = 64;

// Both in one pass without a branch that depends on where they are. Fewer than 2^50 numbers.
template <typename Number>
HISTORIAN_INLINE ExtremesAt PlacesIn(const Number* values, size_t size, Number min, Number max) {
  constexpr double kLast = 0x1p50;
  // How far before kLast the first one lies; zero where none is.
  FourDoubles found_min = {};
  FourDoubles found_max = {};
  constexpr FourDoubles kAhead = {kLast, kLast - 1, kLast - 2, kLast - 3};
  FourDoubles ahead = kAhead;
  ForEachFour(
      values, size, [&](const FourOf<Number>& v, const FourBits&, size_t i) __attribute__((always_inline)) {
        // The last four may begin before the ones before them end.
        if (i + 4 == size) ahead = kAhead - static_cast<double>(i);
        const FourDoubles at_min = (FourDoubles)((FourBits)(v == min) & (FourBits)ahead);
        const FourDoubles at_max = (FourDoubles)((FourBits)(v == max) & (FourBits)ahead);
        found_min = at_min > found_min ? at_min : found_min;
        found_max = at_max > found_max ? at_max : found_max;
        ahead -= 4.0;
      });
  return {static_cast<size_t>(kLast - GreatestOf<double>(found_min)),
          static_cast<size_t>(kLast - GreatestOf<double>(found_max))};
}

// Where the search may begin: the first has at most kPlaceBlock numbers left, or is among the next sixteen.
template <typename Number>
HISTORIAN_INLINE size_t SixteenOf(const Number* values, size_t size, Number value) {
  size_t i = 0;
  for (; i + kPlaceBlock < size; i += 16) {
    FourBits any = {};
    for (size_t k = 0; k < 4; ++k) {
      FourOf<Number> v;
      Load(values + i + 4 * k, v);
      any |= (FourBits)(v == value);
    }
    if (AnyOf(any) != 0) break;
  }
  return i;
}

template <typename Number>
HISTORIAN_INLINE ExtremesAt PlacesOfIn(const Number* values, size_t size, Number min, Number max) {
  if (size <= kPlaceBlock) return PlacesIn(values, size, min, max);
  const size_t from_min = SixteenOf(values, size, min);
  const size_t from_max = SixteenOf(values, size, max);
  return {from_min + PlacesIn(values + from_min, std::min(kPlaceBlock, size - from_min), min, min).min,
          from_max + PlacesIn(values + from_max, std::min(kPlaceBlock, size - from_max), max, max).max};
}

}  // namespace

SumGrid SumGrid::Reaching(double magnitude) {
  int top;
  std::frexp(magnitude, &top);
  SumGrid grid;
  grid.top_ = std::clamp(top, kTopMin, kTopMax);
  grid.limit_ = top > kTopMax ? -1 : std::ldexp(1.0, grid.top_);
  grid.sigma_high_ = std::ldexp(1.5, grid.top_ + 1);
  grid.sigma_low_ = std::ldexp(1.5, grid.top_ - 50);
  grid.sigma_lowest_ = std::ldexp(1.5, grid.top_ - 101);
  return grid;
}

HISTORIAN_SIMD DoublesFold FoldExtremes(const double* values, size_t size) {
  return FoldIn<true, false>(values, size, SumGrid());
}

HISTORIAN_SIMD DoublesFold FoldSum(const double* values, size_t size, const SumGrid& grid) {
  return FoldIn<false, true>(values, size, grid);
}

HISTORIAN_SIMD DoublesFold FoldExtremesAndSum(const double* values, size_t size, const SumGrid& grid) {
  return FoldIn<true, true>(values, size, grid);
}

namespace {

HISTORIAN_SIMD DoublesFold FoldSquaresPlain(const double* values, size_t size, const SumGrid& grid) {
  return FoldProductsIn<true, false>(values, nullptr, size, grid);
}

HISTORIAN_SIMD DoublesFold FoldSquaresFused(const double* values, size_t size, const SumGrid& grid) {
  return FoldProductsIn<true, true>(values, nullptr, size, grid);
}

HISTORIAN_SIMD DoublesFold FoldProductsPlain(const double* values, const uint64_t* weights, size_t size,
                                             const SumGrid& grid) {
  return FoldProductsIn<false, false>(values, weights, size, grid);
}

HISTORIAN_SIMD DoublesFold FoldProductsFused(const double* values, const uint64_t* weights, size_t size,
                                             const SumGrid& grid) {
  return FoldProductsIn<false, true>(values, weights, size, grid);
}

}  // namespace

DoublesFold FoldSquares(const double* values, size_t size, const SumGrid& grid) {
  return HasFused() ? FoldSquaresFused(values, size, grid) : FoldSquaresPlain(values, size, grid);
}

DoublesFold FoldProducts(const double* values, const uint64_t* weights, size_t size, const SumGrid& grid) {
  return HasFused() ? FoldProductsFused(values, weights, size, grid)
                    : FoldProductsPlain(values, weights, size, grid);
}

HISTORIAN_SIMD IntsFold FoldExtremes(const int64_t* values, size_t size) {
  return FoldIn<true, false>(values, size);
}

HISTORIAN_SIMD IntsFold FoldSum(const int64_t* values, size_t size) {
  return FoldIn<false, true>(values, size);
}

HISTORIAN_SIMD IntsFold FoldExtremesAndSum(const int64_t* values, size_t size) {
  return FoldIn<true, true>(values, size);
}

HISTORIAN_SIMD ExtremesAt PlacesOf(const double* values, size_t size, double min, double max) {
  return PlacesOfIn(values, size, min, max);
}

HISTORIAN_SIMD ExtremesAt PlacesOf(const int64_t* values, size_t size, int64_t min, int64_t max) {
  return PlacesOfIn(values, size, min, max);
}

namespace {

template <typename Number>
[[gnu::always_inline]] inline size_t CountOfIn(const Number* values, size_t size, Number value) {
  uint64_t count = 0;
  for (size_t i = 0; i < size; ++i) count += NumberAt(values, i) == value;
  return count;
}

template <typename Number>
[[gnu::always_inline]] inline size_t CountChangesIn(const Number* values, size_t size) {
  uint64_t count = 0;
  for (size_t i = 1; i < size; ++i) count += NumberAt(values, i) != NumberAt(values, i - 1);
  return count;
}

}  // namespace

HISTORIAN_SIMD size_t CountOf(const double* values, size_t size, double value) {
  return CountOfIn(values, size, value);
}

HISTORIAN_SIMD size_t CountOf(const int64_t* values, size_t size, int64_t value) {
  return CountOfIn(values, size, value);
}

HISTORIAN_SIMD size_t CountChanges(const double* values, size_t size) { return CountChangesIn(values, size); }

HISTORIAN_SIMD size_t CountChanges(const int64_t* values, size_t size) {
  return CountChangesIn(values, size);
}

// A difference of a number from itself is zero but for NaN and the infinities.
HISTORIAN_SIMD bool AreFinite(const double* values, size_t size) {
  uint64_t any = 0;
  for (size_t i = 0; i < size; ++i) {
    const double value = NumberAt(values, i);
    any |= std::bit_cast<uint64_t>(value - value);
  }
  return any == 0;
}

}  // namespace historian
