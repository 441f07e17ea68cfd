// ExactSum over columns of doubles, in vector instructions: on a grid (column_fold.h) where one fits, which
// is nearly always; else sums level by level, squares and products one by one.
//
// A level takes from every number what lies above one bit, the same for all of them, and leaves the rest:
//
//   number     1001110101100011
//   taken      10011101            a multiple of unit; so few bits that a double sums all of them exactly
//   rest               01100011    taken by the next level, at a lower unit
//
// Adding and subtracting sigma = 1.5 * 2^s rounds to multiples of unit = 2^(s - 52), and both the difference
// and the rest are exact. Source: as for the grid.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "storage/aggregate/column_fold.h"
#include "storage/aggregate/exact_sum.h"
#include "storage/model/check.h"
#include "storage/platform/simd.h"

namespace historian {
namespace {

constexpr size_t kChunk = kColumnChunk;

typedef double Four __attribute__((vector_size(32)));
typedef double FourAnywhere __attribute__((vector_size(32), aligned(8), may_alias));  // See NumberAt.
typedef uint64_t FourBits __attribute__((vector_size(32)));

inline constexpr FourBits kMagnitudeMask = {~uint64_t{0} >> 1, ~uint64_t{0} >> 1, ~uint64_t{0} >> 1,
                                            ~uint64_t{0} >> 1};

#define HISTORIAN_ABS(v) ((Four)((FourBits)(v)&kMagnitudeMask))
#define HISTORIAN_LOAD(p) (*reinterpret_cast<const FourAnywhere*>(p))
#define HISTORIAN_STORE(p, v) (*reinterpret_cast<FourAnywhere*>(p) = (v))

double MaxOf(const Four& v) { return std::max(std::max(v[0], v[1]), std::max(v[2], v[3])); }

// Returns the sum of what the level takes. `rests` may be `values`. Eight at a time, for an addition must
// wait for the one before it.
HISTORIAN_SIMD double TakeLevel(const double* values, size_t size, double sigma, double* rests,
                                double* max_rest) {
  Four sum[2] = {};
  Four max[2] = {};
  size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    for (size_t k = 0; k < 2; ++k) {
      const Four v = HISTORIAN_LOAD(values + i + 4 * k);
      const Four taken = (v + sigma) - sigma;
      const Four rest = v - taken;
      sum[k] += taken;
      HISTORIAN_STORE(rests + i + 4 * k, rest);
      const Four a = HISTORIAN_ABS(rest);
      max[k] = a > max[k] ? a : max[k];
    }
  }
  sum[0] += sum[1];
  double total = (sum[0][0] + sum[0][1]) + (sum[0][2] + sum[0][3]);
  double highest = std::max(MaxOf(max[0]), MaxOf(max[1]));
  for (; i < size; ++i) {
    const double value = NumberAt(values, i);
    const double taken = (value + sigma) - sigma;
    rests[i] = value - taken;
    total += taken;
    highest = std::max(highest, std::fabs(rests[i]));
  }
  *max_rest = highest;
  return total;
}

// Adds at most kChunk numbers, the greatest magnitude among them being `max`.
void AddLevels(const double* values, size_t size, double max, ExactSum* sum) {
  alignas(64) double rests[kChunk];
  const int log_size = std::max<int>(std::bit_width(size - 1), 2);
  while (max > 0) {
    // |value| < 2^(exponent), so what is taken sums to at most 2^(s + 1), 53 bits above the unit 2^(s - 52).
    int exponent;
    std::frexp(max, &exponent);
    const int s = std::max(exponent + log_size - 1, -1022);
    if (s > 1022) {
      for (size_t i = 0; i < size; ++i) sum->Add(NumberAt(values, i));
      return;
    }
    sum->Add(TakeLevel(values, size, std::ldexp(1.5, s), rests, &max));
    values = rests;
  }
}

}  // namespace

void ExactSum::AddAll(const double* values, size_t size) {
  SumGrid grid;
  for (size_t begin = 0; begin < size; begin += kChunk) {
    const size_t count = std::min(kChunk, size - begin);
    const double* chunk = values + begin;
    DoublesFold fold = FoldSum(chunk, count, grid);
    if (!fold.exact) {
      HISTORIAN_CHECK(AreFinite(chunk, count));
      grid = SumGrid::Reaching(fold.magnitude);
      fold = FoldSum(chunk, count, grid);
    }
    if (fold.exact) {
      AddFold(fold, grid);
    } else {
      AddLevels(chunk, count, fold.magnitude, this);
    }
  }
}

void ExactSum::AddAllSquares(const double* values, size_t size, SumGrid* grid) {
  for (size_t begin = 0; begin < size; begin += kChunk) {
    const size_t count = std::min(kChunk, size - begin);
    const double* chunk = values + begin;
    DoublesFold fold = FoldSquares(chunk, count, *grid);
    if (!fold.exact && std::isfinite(fold.magnitude)) {
      *grid = SumGrid::Reaching(fold.magnitude);
      fold = FoldSquares(chunk, count, *grid);
    }
    if (fold.exact) {
      AddFold(fold, *grid);
    } else {
      for (size_t i = 0; i < count; ++i) AddSquare(NumberAt(chunk, i));
    }
  }
}

void ExactSum::AddScaledProducts(const double* values, const uint64_t* weights, size_t size, int exponent,
                                 SumGrid* grid) {
  for (size_t begin = 0; begin < size; begin += kChunk) {
    const size_t count = std::min(kChunk, size - begin);
    const double* chunk = values + begin;
    const uint64_t* w = weights + begin;
    DoublesFold fold = FoldProducts(chunk, w, count, *grid);
    if (!fold.exact && std::isfinite(fold.magnitude)) {
      *grid = SumGrid::Reaching(fold.magnitude);
      fold = FoldProducts(chunk, w, count, *grid);
    }
    if (fold.exact) {
      AddFold(fold, *grid, exponent);
    } else {
      for (size_t i = 0; i < count; ++i) AddScaledProduct(NumberAt(chunk, i), w[i], exponent);
    }
  }
}

}  // namespace historian
