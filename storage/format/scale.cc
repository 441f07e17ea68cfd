#include "storage/format/scale.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "storage/platform/simd.h"

// A product and a sum must be rounded one by one, also where one instruction could do both.
#if defined(__GNUC__) && !defined(__clang__)
#define HISTORIAN_ROUND_EACH __attribute__((optimize("fp-contract=off")))
#else
#define HISTORIAN_ROUND_EACH
#endif

namespace historian::format {
namespace {

// As in decimal.cc: adding it to a double below 2^51 leaves the nearest integer in the low bits.
constexpr double kShift = 6755399441055744.0;  // 1.5 x 2^52
constexpr uint64_t kShiftBits = std::bit_cast<uint64_t>(kShift);
constexpr double kCountMax = 2251799813685248.0;  // 2^51

double ValueOf(uint64_t bits, bool narrow) {
  return narrow ? static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits)))
                : std::bit_cast<double>(bits);
}

// Some values, distinct and ascending.
struct Some {
  static constexpr size_t kSize = 256;
  double values[kSize];
  size_t count = 0;
  double largest = 0;  // Magnitude.

  Some(const uint64_t* bits, size_t size, bool narrow) {
    const size_t stride = (size + kSize - 1) / kSize;
    for (size_t i = 0; i < size; i += stride) {
      const double v = ValueOf(bits[i], narrow);
      if (!std::isfinite(v)) continue;
      values[count++] = v;
      largest = std::max(largest, std::fabs(v));
    }
    std::sort(values, values + count);
    count = static_cast<size_t>(std::unique(values, values + count) - values);
  }
};

// Fewer are a dictionary's.
constexpr size_t kDistinctMin = 12;
// Steps smaller than so many roundings are noise.
constexpr double kRoundingsInStep = 64;

// The largest step that the differences are multiples of, by Euclid on the smallest; 0 for none.
double RoughStep(const Some& some, double rounding) {
  double differences[Some::kSize];
  for (size_t i = 1; i < some.count; ++i) differences[i - 1] = some.values[i] - some.values[i - 1];
  constexpr size_t kCompared = 12;
  const size_t compared = std::min(kCompared, some.count - 1);
  std::partial_sort(differences, differences + compared, differences + some.count - 1);
  double step = differences[0];
  for (size_t i = 1; i < compared; ++i) {
    double rest = std::fmod(differences[i], step);
    // Each division adds the error of the smaller as often as it fits.
    const double tolerance = 4 * rounding * (1 + differences[i] / step);
    while (rest > tolerance && step - rest > tolerance) {
      if (rest < kRoundingsInStep * rounding) return 0;
      const double next = std::fmod(step, rest);
      step = rest;
      rest = next;
    }
  }
  return step < kRoundingsInStep * rounding ? 0 : step;
}

// The step from ever longer distances; false when a value is off the grid.
bool RefineStep(const Some& some, double rounding, double* step, double* steps) {
  const double first = some.values[0];
  *steps = 1;
  for (size_t i = 1; i < some.count; ++i) {
    const double distance = some.values[i] - first;
    const double count = std::nearbyint(distance / *step);
    if (count < 1 ||
        std::fabs(distance - count * *step) > std::min(*step / 4, 4 * rounding * (1 + count / *steps)))
      return false;
    if (count < 2 * *steps && i + 1 < some.count) continue;
    *step = distance / count;
    *steps = count;
  }
  return *steps < kCountMax / 2;
}

// The number of fewest significant digits within the tolerance; x itself when that takes more than 12.
double Shortest(double x, double tolerance) {
  for (int digits = 1; digits <= 12; ++digits) {
    char text[32];
    std::snprintf(text, sizeof(text), "%.*e", digits - 1, x);
    const double rounded = std::strtod(text, nullptr);
    if (std::fabs(rounded - x) <= tolerance) return rounded;
  }
  return x;
}

HISTORIAN_ROUND_EACH double ValueAt(const Scale& scale, double count) {
  const double scaled = scale.divides ? count / scale.factor : count * scale.factor;
  return scaled + scale.offset;
}

double CountAt(const Scale& scale, double value) {
  const double scaled = value - scale.offset;
  return scale.divides ? scaled * scale.factor : scaled / scale.factor;
}

HISTORIAN_SIMD void Multiply(double factor, size_t size, uint64_t* counts) {
  for (size_t i = 0; i < size; ++i) {
    counts[i] = std::bit_cast<uint64_t>((std::bit_cast<double>(counts[i] + kShiftBits) - kShift) * factor);
  }
}
HISTORIAN_SIMD void Divide(double factor, size_t size, uint64_t* counts) {
  for (size_t i = 0; i < size; ++i) {
    counts[i] = std::bit_cast<uint64_t>((std::bit_cast<double>(counts[i] + kShiftBits) - kShift) / factor);
  }
}
// Apart from the products, whose roundings it must not swallow.
HISTORIAN_SIMD void AddOffset(double offset, size_t size, uint64_t* values) {
  for (size_t i = 0; i < size; ++i) {
    values[i] = std::bit_cast<uint64_t>(std::bit_cast<double>(values[i]) + offset);
  }
}
HISTORIAN_SIMD void RoundToNarrow(size_t size, uint64_t* values) {
  for (size_t i = 0; i < size; ++i) {
    values[i] = std::bit_cast<uint32_t>(static_cast<float>(std::bit_cast<double>(values[i])));
  }
}

}  // namespace

bool FindScale(const uint64_t* bits, size_t size, bool narrow, Scale* scale) {
  const Some some(bits, size, narrow);
  if (some.count < kDistinctMin) return false;
  const double rounding = some.largest * (narrow ? 0x1p-24 : 0x1p-52);
  double step = RoughStep(some, rounding);
  double steps;
  if (!(step > 0) || !RefineStep(some, rounding, &step, &steps)) return false;

  // Of all that is as near, what an engineer would have written.
  const double tolerance = 2 * rounding / steps;
  const double reciprocal = 1 / step;
  const Scale candidates[] = {{Shortest(step, tolerance), 0, false},
                              {Shortest(reciprocal, tolerance * reciprocal * reciprocal), 0, true},
                              {step, 0, false}};
  size_t most = 0;
  for (Scale candidate : candidates) {
    const double first = some.values[0];
    const double off = first - ValueAt(candidate, std::nearbyint(CountAt(candidate, first)));
    if (std::fabs(off) > 8 * rounding + tolerance * std::fabs(first / step)) candidate.offset = first;
    size_t exact = 0;
    for (size_t i = 0; i < some.count; ++i) {
      const double v = ValueAt(candidate, std::nearbyint(CountAt(candidate, some.values[i])));
      exact += narrow ? static_cast<float>(v) == static_cast<float>(some.values[i]) : v == some.values[i];
    }
    if (exact <= most) continue;
    most = exact;
    *scale = candidate;
  }
  return most > 0;
}

void ToCounts(const Scale& scale, bool narrow, const uint64_t* bits, size_t size, uint64_t* counts) {
  for (size_t i = 0; i < size; ++i) {
    const double count = CountAt(scale, ValueOf(bits[i], narrow));
    counts[i] = std::fabs(count) < kCountMax ? static_cast<uint64_t>(std::llrint(count)) : 0;
  }
}

void FromCounts(const Scale& scale, bool narrow, size_t size, uint64_t* counts) {
  scale.divides ? Divide(scale.factor, size, counts) : Multiply(scale.factor, size, counts);
  if (scale.offset != 0) AddOffset(scale.offset, size, counts);
  if (narrow) RoundToNarrow(size, counts);
}

}  // namespace historian::format
