#include "storage/format/decimal.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "absl/base/attributes.h"
#include "storage/platform/simd.h"

namespace historian::format {
namespace {

constexpr double kPowers[kDecimalsMax + 1] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                              1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

// Adding it to a double below 2^51 leaves the nearest integer in the low bits: vector units without a
// conversion to 64-bit integers can do that. Adding it to those bits as an integer and subtracting it as a
// double turns the integer back.
constexpr double kShift = 6755399441055744.0;  // 1.5 x 2^52
constexpr uint64_t kShiftBits = std::bit_cast<uint64_t>(kShift);
constexpr double kMantissaMax = 2251799813685248.0;  // 2^51
// A float has 24 bits of its own: a mantissa of more is denser as it is.
constexpr double kNarrowMantissaMax = 16777216.0;  // 2^24

double MantissaOf(uint64_t bits) { return std::bit_cast<double>(bits + kShiftBits) - kShift; }

// x / scale of a whole x below 2^51, rounded; fused without dividing, which takes vector units several times
// as long as multiplying.
//
// Markstein's theorem (IBM Journal of Research and Development 34, 1990): with y the correctly rounded 1 / s,
// and q within a unit in the last place of x / s, x - q s is exact in one fused operation, and q + (x - q s)
// y rounds correctly. The first product may be two units off, so it is corrected once before. A quotient that
// is no number here is none there: x is finite.
template <bool kFused>
ABSL_ATTRIBUTE_ALWAYS_INLINE inline double Quotient(double x, double scale, double reciprocal) {
  if constexpr (!kFused) return x / scale;
  double q = x * reciprocal;
  q = __builtin_fma(__builtin_fma(-q, scale, x), reciprocal, q);
  return __builtin_fma(__builtin_fma(-q, scale, x), reciprocal, q);
}

template <bool kFused>
ABSL_ATTRIBUTE_ALWAYS_INLINE inline size_t ToWide(const uint64_t* bits, size_t size, double scale,
                                                  uint64_t* mantissas) {
  const double reciprocal = 1 / scale;
  uint64_t failed = 0;
  for (size_t i = 0; i < size; ++i) {
    const double scaled = std::bit_cast<double>(bits[i]) * scale;
    const double shifted = scaled + kShift;
    const double value = Quotient<kFused>(shifted - kShift, scale, reciprocal);
    const bool fits = (std::bit_cast<uint64_t>(value) == bits[i]) & (std::fabs(scaled) < kMantissaMax);
    mantissas[i] = std::bit_cast<uint64_t>(shifted) - kShiftBits;
    failed += fits ? 0 : 1;
  }
  return failed;
}

template <bool kFused>
ABSL_ATTRIBUTE_ALWAYS_INLINE inline size_t ToNarrow(const uint64_t* bits, size_t size, double scale,
                                                    uint64_t* mantissas) {
  const double reciprocal = 1 / scale;
  uint64_t failed = 0;
  for (size_t i = 0; i < size; ++i) {
    const uint32_t narrow = static_cast<uint32_t>(bits[i]);
    const double scaled = static_cast<double>(std::bit_cast<float>(narrow)) * scale;
    const double shifted = scaled + kShift;
    const float value = static_cast<float>(Quotient<kFused>(shifted - kShift, scale, reciprocal));
    const bool fits = (std::bit_cast<uint32_t>(value) == narrow) & (std::fabs(scaled) < kNarrowMantissaMax);
    mantissas[i] = std::bit_cast<uint64_t>(shifted) - kShiftBits;
    failed += fits ? 0 : 1;
  }
  return failed;
}

template <bool kFused>
ABSL_ATTRIBUTE_ALWAYS_INLINE inline void FromWide(double scale, size_t size, uint64_t* mantissas) {
  const double reciprocal = 1 / scale;
  for (size_t i = 0; i < size; ++i) {
    mantissas[i] = std::bit_cast<uint64_t>(Quotient<kFused>(MantissaOf(mantissas[i]), scale, reciprocal));
  }
}

template <bool kFused>
ABSL_ATTRIBUTE_ALWAYS_INLINE inline void FromNarrow(double scale, size_t size, uint64_t* mantissas) {
  const double reciprocal = 1 / scale;
  for (size_t i = 0; i < size; ++i) {
    const double value = Quotient<kFused>(MantissaOf(mantissas[i]), scale, reciprocal);
    mantissas[i] = std::bit_cast<uint32_t>(static_cast<float>(value));
  }
}

HISTORIAN_SIMD void FromWideIntegers(size_t size, uint64_t* mantissas) {
  for (size_t i = 0; i < size; ++i) mantissas[i] = std::bit_cast<uint64_t>(MantissaOf(mantissas[i]));
}

HISTORIAN_SIMD size_t ToPlain(const uint64_t* bits, size_t size, bool narrow, double scale,
                              uint64_t* mantissas) {
  return narrow ? ToNarrow<false>(bits, size, scale, mantissas) : ToWide<false>(bits, size, scale, mantissas);
}
HISTORIAN_SIMD size_t ToFused(const uint64_t* bits, size_t size, bool narrow, double scale,
                              uint64_t* mantissas) {
  return narrow ? ToNarrow<true>(bits, size, scale, mantissas) : ToWide<true>(bits, size, scale, mantissas);
}
HISTORIAN_SIMD void FromPlain(bool narrow, double scale, size_t size, uint64_t* mantissas) {
  narrow ? FromNarrow<false>(scale, size, mantissas) : FromWide<false>(scale, size, mantissas);
}
HISTORIAN_SIMD void FromFused(bool narrow, double scale, size_t size, uint64_t* mantissas) {
  narrow ? FromNarrow<true>(scale, size, mantissas) : FromWide<true>(scale, size, mantissas);
}

// One value with every exponent at once: bit e is set where e makes it an integer.
HISTORIAN_SIMD uint32_t ExactWide(uint64_t bits) {
  uint64_t fits[kDecimalsMax + 1];
  const double v = std::bit_cast<double>(bits);
  for (int e = 0; e <= kDecimalsMax; ++e) {
    const double scaled = v * kPowers[e];
    const double value = ((scaled + kShift) - kShift) / kPowers[e];
    fits[e] =
        (std::bit_cast<uint64_t>(value) == bits) & (std::fabs(scaled) < kMantissaMax) ? uint64_t{1} << e : 0;
  }
  uint64_t mask = 0;
  for (int e = 0; e <= kDecimalsMax; ++e) mask |= fits[e];
  return static_cast<uint32_t>(mask);
}

HISTORIAN_SIMD uint32_t ExactNarrow(uint32_t bits) {
  uint64_t fits[kDecimalsMax + 1];
  const double v = static_cast<double>(std::bit_cast<float>(bits));
  for (int e = 0; e <= kDecimalsMax; ++e) {
    const double scaled = v * kPowers[e];
    const float value = static_cast<float>(((scaled + kShift) - kShift) / kPowers[e]);
    fits[e] = (std::bit_cast<uint32_t>(value) == bits) & (std::fabs(scaled) < kNarrowMantissaMax)
                  ? uint64_t{1} << e
                  : 0;
  }
  uint64_t mask = 0;
  for (int e = 0; e <= kDecimalsMax; ++e) mask |= fits[e];
  return static_cast<uint32_t>(mask);
}

// What an exception costs in bits, and what another decimal place costs every value.
constexpr double kExceptionBits = 80;
constexpr double kBitsPerDecimal = 3.32;

}  // namespace

uint32_t ExactDecimals(uint64_t bits, bool narrow) {
  return narrow ? ExactNarrow(static_cast<uint32_t>(bits)) : ExactWide(bits);
}

int GuessDecimals(const uint64_t* bits, size_t size, bool narrow) {
  constexpr size_t kSome = 12;
  const size_t some = std::min(size, kSome);
  int counts[kDecimalsMax + 2] = {};
  size_t not_decimal = 0;
  for (size_t i = 0; i < some; ++i) {
    const uint32_t exact = ExactDecimals(bits[some == 1 ? 0 : i * (size - 1) / (some - 1)], narrow);
    const int decimals = exact == 0 ? kDecimalsMax + 1 : std::countr_zero(exact);
    ++counts[decimals];
    if (decimals <= kDecimalsMax) continue;
    if (++not_decimal > 3) return -1;
  }
  if (not_decimal == some) return -1;
  int best = -1;
  double best_cost = 0;
  size_t beyond = some;
  for (int decimals = 0; decimals <= kDecimalsMax; ++decimals) {
    beyond -= counts[decimals];
    const double cost = kBitsPerDecimal * decimals + kExceptionBits * beyond / some;
    if (best < 0 || cost < best_cost) {
      best = decimals;
      best_cost = cost;
    }
  }
  return best;
}

size_t ToDecimals(const uint64_t* bits, size_t size, bool narrow, int decimals, uint64_t* mantissas) {
  const double scale = kPowers[decimals];
  return HasFused() ? ToFused(bits, size, narrow, scale, mantissas)
                    : ToPlain(bits, size, narrow, scale, mantissas);
}

void FromDecimals(bool narrow, int decimals, size_t size, uint64_t* mantissas) {
  if (!narrow && decimals == 0) return FromWideIntegers(size, mantissas);
  const double scale = kPowers[decimals];
  HasFused() ? FromFused(narrow, scale, size, mantissas) : FromPlain(narrow, scale, size, mantissas);
}

}  // namespace historian::format
