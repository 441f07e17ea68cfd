// ExactSum over columns of doubles, in vector instructions.
//
// A level takes from every number what lies above one bit, the same for all of them, and leaves the rest:
//
//   number     1001110101100011
//   taken      10011101            a multiple of unit; so few bits that a double sums all of them exactly
//   rest               01100011    taken by the next level, at a lower unit
//
// Adding and subtracting sigma = 1.5 * 2^s rounds to multiples of unit = 2^(s - 52), and both the difference
// and the rest are exact. Two levels take all of usual data. Source: S. M. Rump, T. Ogita, S. Oishi, Accurate
// Floating-Point Summation Part I, SIAM J. Sci. Comput. 31(1), 2008.
//
// A product of doubles is the sum of two doubles, found by splitting the factors into halves of 26 bits.
// Source: T. J. Dekker, A floating-point technique for extending the available precision, Numer. Math. 18,
// 1971.
//
// All of it needs rounding to nearest and gradual underflow, as C++ programs start with.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "storage/aggregate/exact_sum.h"
#include "storage/model/check.h"
#include "storage/model/simd.h"

namespace historian {
namespace {

constexpr size_t kChunk = 1024;

// Columns shorter than this are added one by one.
constexpr size_t kColumnMin = 4;

// Splitting multiplies by 2^27; the error of a product has its lowest bit 106 below the product's highest.
// Factors within these bounds, or zero, keep clear of overflow and underflow, products and squares both.
constexpr double kFactorMin = 0x1p-400;
constexpr double kFactorMax = 0x1p400;
// Weights below this become doubles by planting them in the fraction of 2^52.
constexpr uint64_t kWeightEnd = uint64_t{1} << 52;

typedef double Four __attribute__((vector_size(32)));
typedef double FourAnywhere __attribute__((vector_size(32), aligned(8)));
typedef uint64_t FourBits __attribute__((vector_size(32)));
typedef uint64_t FourBitsAnywhere __attribute__((vector_size(32), aligned(8)));

inline constexpr FourBits kMagnitudeMask = {~uint64_t{0} >> 1, ~uint64_t{0} >> 1, ~uint64_t{0} >> 1,
                                            ~uint64_t{0} >> 1};

#define HISTORIAN_ABS(v) ((Four)((FourBits)(v)&kMagnitudeMask))
#define HISTORIAN_LOAD(p) (*reinterpret_cast<const FourAnywhere*>(p))
#define HISTORIAN_STORE(p, v) (*reinterpret_cast<FourAnywhere*>(p) = (v))

double MaxOf(const Four& v) { return std::max(std::max(v[0], v[1]), std::max(v[2], v[3])); }

struct Magnitudes {
  double max = 0;
  bool factors = true;  // Each is zero or within the bounds of factors; so none is infinite or NaN.
};

HISTORIAN_SIMD Magnitudes Scan(const double* values, size_t size) {
  Four max[2] = {};
  FourBits outside[2] = {};
  size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    for (size_t k = 0; k < 2; ++k) {
      const Four a = HISTORIAN_ABS(HISTORIAN_LOAD(values + i + 4 * k));
      max[k] = a > max[k] ? a : max[k];
      outside[k] |= ~(FourBits)(a <= kFactorMax) | ((FourBits)(a < kFactorMin) & (FourBits)(a != 0.0));
    }
  }
  outside[0] |= outside[1];
  uint64_t any_outside = outside[0][0] | outside[0][1] | outside[0][2] | outside[0][3];
  Magnitudes found;
  found.max = std::max(MaxOf(max[0]), MaxOf(max[1]));
  for (; i < size; ++i) {
    const double a = std::fabs(values[i]);
    found.max = a > found.max ? a : found.max;
    any_outside |= !(a <= kFactorMax) || (a < kFactorMin && a != 0);
  }
  found.factors = any_outside == 0;
  return found;
}

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
    const double taken = (values[i] + sigma) - sigma;
    rests[i] = values[i] - taken;
    total += taken;
    highest = std::max(highest, std::fabs(rests[i]));
  }
  *max_rest = highest;
  return total;
}

struct Maxima {
  double product = 0;
  double error = 0;
};

// products[i] + errors[i] == values[i]^2.
HISTORIAN_SIMD Maxima SplitSquares(const double* values, size_t size, double* products, double* errors) {
  constexpr double kSplit = 0x1p27 + 1;
  Four max_product = {};
  Four max_error = {};
  // The last step may go over some numbers twice, so that none is left over.
  for (size_t step = 0; step < size; step += 4) {
    const size_t i = std::min(step, size - 4);
    const Four v = HISTORIAN_LOAD(values + i);
    const Four scaled = v * kSplit;
    const Four high = scaled - (scaled - v);
    const Four low = v - high;
    const Four product = v * v;
    const Four error = ((high * high - product) + 2.0 * high * low) + low * low;
    HISTORIAN_STORE(products + i, product);
    HISTORIAN_STORE(errors + i, error);
    const Four a = HISTORIAN_ABS(error);
    max_product = product > max_product ? product : max_product;
    max_error = a > max_error ? a : max_error;
  }
  return {MaxOf(max_product), MaxOf(max_error)};
}

// products[i] + errors[i] == values[i] * weights[i].
HISTORIAN_SIMD Maxima SplitProducts(const double* values, const uint64_t* weights, size_t size,
                                    double* products, double* errors) {
  constexpr double kSplit = 0x1p27 + 1;
  constexpr uint64_t kLowHalf = (uint64_t{1} << 26) - 1;
  const FourBits exponent = {0x4330000000000000, 0x4330000000000000, 0x4330000000000000, 0x4330000000000000};
  Four max_product = {};
  Four max_error = {};
  for (size_t step = 0; step < size; step += 4) {
    const size_t i = std::min(step, size - 4);
    const Four v = HISTORIAN_LOAD(values + i);
    const Four scaled = v * kSplit;
    const Four high = scaled - (scaled - v);
    const Four low = v - high;
    const FourBits w = *reinterpret_cast<const FourBitsAnywhere*>(weights + i);
    const Four weight = (Four)(w | exponent) - 0x1p52;
    const Four weight_low = (Four)((w & kLowHalf) | exponent) - 0x1p52;
    const Four weight_high = weight - weight_low;
    const Four product = v * weight;
    const Four error =
        ((high * weight_high - product) + high * weight_low + low * weight_high) + low * weight_low;
    HISTORIAN_STORE(products + i, product);
    HISTORIAN_STORE(errors + i, error);
    const Four a = HISTORIAN_ABS(product);
    const Four b = HISTORIAN_ABS(error);
    max_product = a > max_product ? a : max_product;
    max_error = b > max_error ? b : max_error;
  }
  return {MaxOf(max_product), MaxOf(max_error)};
}

HISTORIAN_SIMD uint64_t AllBits(const uint64_t* weights, size_t size) {
  uint64_t bits = 0;
  for (size_t i = 0; i < size; ++i) bits |= weights[i];
  return bits;
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
      for (size_t i = 0; i < size; ++i) sum->Add(values[i]);
      return;
    }
    sum->Add(TakeLevel(values, size, std::ldexp(1.5, s), rests, &max));
    values = rests;
  }
}

}  // namespace

void ExactSum::AddAll(const double* values, size_t size) {
  for (size_t begin = 0; begin < size; begin += kChunk) {
    const size_t count = std::min(kChunk, size - begin);
    const double* chunk = values + begin;
    const Magnitudes found = Scan(chunk, count);
    HISTORIAN_CHECK(found.factors ||
                    std::all_of(chunk, chunk + count, [](double v) { return std::isfinite(v); }));
    if (count < kColumnMin) {
      for (size_t i = 0; i < count; ++i) Add(chunk[i]);
    } else {
      AddLevels(chunk, count, found.max, this);
    }
  }
}

void ExactSum::AddAllSquares(const double* values, size_t size) {
  alignas(64) double products[kChunk];
  alignas(64) double errors[kChunk];
  for (size_t begin = 0; begin < size; begin += kChunk) {
    const size_t count = std::min(kChunk, size - begin);
    const double* chunk = values + begin;
    if (count < kColumnMin || !Scan(chunk, count).factors) {
      for (size_t i = 0; i < count; ++i) AddSquare(chunk[i]);
      continue;
    }
    const Maxima max = SplitSquares(chunk, count, products, errors);
    AddLevels(products, count, max.product, this);
    AddLevels(errors, count, max.error, this);
  }
}

void ExactSum::AddAllProducts(const double* values, const uint64_t* weights, size_t size) {
  alignas(64) double products[kChunk];
  alignas(64) double errors[kChunk];
  for (size_t begin = 0; begin < size; begin += kChunk) {
    const size_t count = std::min(kChunk, size - begin);
    const double* chunk = values + begin;
    const uint64_t* w = weights + begin;
    if (count < kColumnMin || AllBits(w, count) >= kWeightEnd || !Scan(chunk, count).factors) {
      for (size_t i = 0; i < count; ++i) AddProduct(chunk[i], w[i]);
      continue;
    }
    const Maxima max = SplitProducts(chunk, w, count, products, errors);
    AddLevels(products, count, max.product, this);
    AddLevels(errors, count, max.error, this);
  }
}

}  // namespace historian
