#include "storage/format/integer_column.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <numeric>

#include "storage/format/binned.h"
#include "storage/format/bit_packing.h"
#include "storage/format/prediction.h"
#include "storage/format/scratch.h"
#include "storage/platform/simd.h"

namespace historian::format {
namespace {

// The first byte of the column. DO NOT CHANGE: stored.
enum Kind : uint8_t { kRamp = 0, kOffset = 1, kDelta = 2, kLine = 3 };
constexpr uint8_t kKindMask = 0x03;
constexpr uint8_t kHasUnit = 0x04;
constexpr uint8_t kHasOutliers = 0x08;
constexpr uint8_t kBinned = 0x10;
constexpr uint8_t kPredicted = 0x20;  // Of kDelta and kBinned only.

// Differences below this are divided exactly in double precision.
constexpr int64_t kExactDivisionMax = int64_t{1} << 51;

struct Range {
  int64_t min;
  int64_t max;
  uint64_t span() const { return static_cast<uint64_t>(max) - static_cast<uint64_t>(min); }
  unsigned width() const { return WidthOf(span()); }
};

HISTORIAN_SIMD Range RangeOf(const uint64_t* v, size_t size) {
  int64_t min = static_cast<int64_t>(v[0]);
  int64_t max = min;
  for (size_t i = 0; i < size; ++i) {
    const int64_t x = static_cast<int64_t>(v[i]);
    min = x < min ? x : min;
    max = x > max ? x : max;
  }
  return {min, max};
}

// Of the values in [low, high] only.
HISTORIAN_SIMD Range RangeWithin(const uint64_t* v, size_t size, int64_t low, int64_t high) {
  int64_t min = high;
  int64_t max = low;
  for (size_t i = 0; i < size; ++i) {
    const int64_t x = static_cast<int64_t>(v[i]);
    const bool in = x >= low && x <= high;
    const int64_t for_min = in ? x : high;
    const int64_t for_max = in ? x : low;
    min = for_min < min ? for_min : min;
    max = for_max > max ? for_max : max;
  }
  return {min, max};
}

HISTORIAN_SIMD void Differences(const uint64_t* v, size_t size, uint64_t* d) {
  for (size_t i = 0; i + 1 < size; ++i) d[i] = v[i + 1] - v[i];
}

HISTORIAN_SIMD void Subtract(const uint64_t* v, size_t size, uint64_t base, uint64_t* out) {
  for (size_t i = 0; i < size; ++i) out[i] = v[i] - base;
}

HISTORIAN_SIMD void SubtractLine(const uint64_t* v, size_t size, uint64_t first, uint64_t step,
                                 uint64_t* out) {
  for (size_t i = 0; i < size; ++i) out[i] = v[i] - (first + i * step);
}

// Whether all are multiples of unit; |d| < kExactDivisionMax. The product with the inverse is within an ulp
// or two of the quotient, so what it is rounded to is the quotient, if that is an integer.
HISTORIAN_SIMD bool AllMultiples(const uint64_t* d, size_t size, double unit) {
  constexpr double kShift = 6755399441055744.0;  // 1.5 x 2^52: adding it rounds to an integer.
  const uint64_t shift_bits = std::bit_cast<uint64_t>(kShift);
  const double inverse = 1 / unit;
  uint64_t wrong = 0;
  for (size_t i = 0; i < size; ++i) {
    const double x = std::bit_cast<double>(d[i] + shift_bits) - kShift;
    const double q = (x * inverse + kShift) - kShift;
    wrong |= std::bit_cast<uint64_t>(q * unit - x) << 1;  // Anything but a zero of either sign.
  }
  return wrong == 0;
}

// d / unit, all multiples, |d| < kExactDivisionMax.
HISTORIAN_SIMD void DivideAll(uint64_t* d, size_t size, double unit) {
  constexpr double kShift = 6755399441055744.0;
  const uint64_t shift_bits = std::bit_cast<uint64_t>(kShift);
  const double inverse = 1 / unit;
  for (size_t i = 0; i < size; ++i) {
    const double x = std::bit_cast<double>(d[i] + shift_bits) - kShift;
    d[i] = std::bit_cast<uint64_t>(x * inverse + kShift) - shift_bits;
  }
}

uint64_t Magnitude(uint64_t v) { return static_cast<int64_t>(v) < 0 ? 0 - v : v; }

// std::gcd, but quick when the first divides the second.
uint64_t CommonDivisor(uint64_t a, uint64_t b) { return a != 0 && b % a == 0 ? a : std::gcd(a, b); }

// A common divisor of the differences, 1 when there is none that is worth its bytes.
uint64_t FindUnit(const uint64_t* d, size_t size, const Range& range) {
  if (size < 2 || range.min <= -kExactDivisionMax || range.max >= kExactDivisionMax) return 1;
  // A few tell most columns: unrelated numbers share no divisor.
  uint64_t unit = 0;
  const size_t stride = size / 8 + 1;
  for (size_t i = 0; i < size && unit != 1; i += stride) unit = CommonDivisor(unit, Magnitude(d[i]));
  if (unit == 1) return 1;
  if (unit == 0 || !AllMultiples(d, size, static_cast<double>(unit))) {
    for (size_t i = 0; i < size && unit != 1; ++i) unit = CommonDivisor(unit, Magnitude(d[i]));
  }
  return unit * size >= 16 ? unit : 1;
}

// The largest power of ten up to 10^15 that divides a step, 1 for none or a step of 0.
uint64_t PowerOfTenIn(uint64_t step) {
  uint64_t power = 1;
  if (step == 0) return power;
  for (uint64_t rest = Magnitude(step); rest % 10 == 0 && power < 1'000'000'000'000'000; rest /= 10)
    power *= 10;
  return power;
}

// Where to put the base and how many bits to pack.
struct Packing {
  uint64_t base = 0;
  unsigned width = 0;
  size_t outliers = 0;
  size_t bits = 0;  // Of the packed values and the outliers.
};

// A few values, sorted, that tell what most are like.
struct Some {
  static constexpr size_t kSize = 7;
  int64_t sorted[kSize];

  // Without values there is nothing to tell.
  Some() : sorted{} {}
  Some(const uint64_t* v, size_t size) {
    for (size_t i = 0; i < kSize; ++i) {
      int64_t x = static_cast<int64_t>(v[i * (size - 1) / (kSize - 1)]);
      size_t at = i;
      for (; at > 0 && sorted[at - 1] > x; --at) sorted[at] = sorted[at - 1];
      sorted[at] = x;
    }
  }
  uint64_t median() const { return static_cast<uint64_t>(sorted[kSize / 2]); }
  // Bits that the values need at least if they are alike: the lowest and the highest may be outliers.
  unsigned width() const {
    return WidthOf(static_cast<uint64_t>(sorted[kSize - 2]) - static_cast<uint64_t>(sorted[1]));
  }
};

// How many of at most kCounted values need b bits as signed distance from the center, for each b up to
// the widest.
constexpr size_t kCounted = 256;
using WidthCounts = uint16_t[65];
HISTORIAN_SIMD size_t CountWidths(const uint64_t* v, size_t size, uint64_t center, unsigned widest,
                                  WidthCounts& counts) {
  const size_t stride = (size + kCounted - 1) / kCounted;
  const size_t counted = size / stride;
  uint8_t some[4][65] = {};  // Counting neighbours in one place would make each wait for the one before.
  const uint64_t* const end = v + counted * stride;
  const auto width = [center](uint64_t x) { return WidthOf(ZigZag(x - center)); };
  for (; v + 4 * stride <= end; v += 4 * stride) {
    for (size_t k = 0; k < 4; ++k) ++some[k][width(v[k * stride])];
  }
  for (; v < end; v += stride) ++some[0][width(*v)];
  for (size_t b = 0; b <= widest; ++b) {
    counts[b] = static_cast<uint16_t>(some[0][b] + some[1][b] + some[2][b] + some[3][b]);
  }
  return counted;
}

HISTORIAN_SIMD size_t CountOutliers(const uint64_t* v, size_t size, uint64_t base, unsigned width) {
  const uint64_t max = (uint64_t{1} << width) - 1;
  uint64_t outliers = 0;
  for (size_t i = 0; i < size; ++i) outliers += ((v[i] - base) & ~max) != 0;
  return outliers;
}

// Columns shorter than this are packed as they are.
constexpr size_t kPlannedMin = Some::kSize + 1;

// The bits of an outlier: where it is, and its high part, which has a sign and is written in sevens.
size_t OutlierBits(unsigned widest, unsigned width) { return 8 + 8 * ((widest - width) / 7 + 1); }

// `some` of the values; null for a column too short to plan.
Packing PlanPacking(const uint64_t* v, size_t size, const Range& range, const Some* some) {
  const Packing plain{static_cast<uint64_t>(range.min), range.width(), 0, range.width() * size};
  // An outlier costs two bytes or more, so what few values or few bits can save is not worth the search.
  if (plain.width < 2 || some == nullptr) return plain;
  if (some->width() + (size < kPackedRun ? 1 : 0) >= plain.width) return plain;
  const uint64_t center = some->median();
  WidthCounts counts;
  const unsigned widest = std::min(plain.width + 1, 64u);  // One more for the sign.
  const size_t counted = CountWidths(v, size, center, widest, counts);
  size_t best_bits = plain.width * counted;
  unsigned best_width = 65;
  size_t outliers = 0;
  for (unsigned width = widest; width-- > 0;) {
    outliers += counts[width + 1];
    if (outliers * 4 > counted) break;
    const size_t bits = width * counted + outliers * OutlierBits(widest, width);
    if (bits < best_bits) {
      best_bits = bits;
      best_width = width;
    }
  }
  if (best_width == 65) return plain;
  Packing packing;
  if (best_width == 0) {
    packing.base = center;
  } else {
    const int64_t half = int64_t{1} << (best_width - 1);
    int64_t low, high;
    if (__builtin_sub_overflow(static_cast<int64_t>(center), half, &low))
      low = std::numeric_limits<int64_t>::min();
    if (__builtin_add_overflow(static_cast<int64_t>(center), half - 1, &high)) {
      high = std::numeric_limits<int64_t>::max();
    }
    const Range inner = RangeWithin(v, size, low, high);
    packing.base = static_cast<uint64_t>(inner.min);
    packing.width = inner.width();
  }
  packing.outliers = CountOutliers(v, size, packing.base, packing.width);
  packing.bits = packing.width * size + packing.outliers * OutlierBits(widest, packing.width);
  return packing.bits < plain.bits ? packing : plain;
}

// The packed values and the outliers. Overwrites v with what is packed.
uint8_t* PutPacked(uint8_t* p, uint64_t* v, size_t size, const Packing& packing) {
  *p++ = static_cast<uint8_t>(packing.width);
  if (packing.outliers > 0) p = PutVarint(p, packing.outliers);
  Subtract(v, size, packing.base, v);
  PackBits(v, size, packing.width, p);
  p += PackedBytes(size, packing.width);
  if (packing.outliers == 0) return p;
  size_t next = 0;
  ForEachWider(v, size, packing.width, [&](size_t i) {
    p = PutVarint(p, i - next);
    p = PutSignedVarint(p, static_cast<uint64_t>(static_cast<int64_t>(v[i]) >> packing.width));
    next = i + 1;
  });
  return p;
}

absl::Status Damaged(const char* what) { return absl::DataLossError(what); }

absl::Status GetPacked(ByteReader* in, size_t size, bool has_outliers, uint64_t* v) {
  uint8_t width;
  uint64_t outliers = 0;
  if (!in->Byte(&width) || width > 64) return Damaged("integer column: width is missing or above 64 bits");
  if (has_outliers && (!in->VarintUpTo(size, &outliers) || width == 64)) {
    return Damaged("integer column: more outliers than values");
  }
  absl::string_view packed;
  if (!in->Bytes(PackedBytes(size, width), &packed))
    return Damaged("integer column: packed values are cut short");
  UnpackBits(reinterpret_cast<const uint8_t*>(packed.data()), size, width, v);
  size_t next = 0;
  for (uint64_t i = 0; i < outliers; ++i) {
    uint64_t gap, high;
    if (!in->Varint(&gap) || !in->SignedVarint(&high) || gap >= size - next) {
      return Damaged("integer column: an outlier is cut short or lies outside");
    }
    next += gap;
    v[next++] += high << width;
  }
  return absl::OkStatus();
}

// The step of a clock: the mean, rounded to as few digits as the ends allow, since clocks are set to round
// numbers and an exact one keeps the residuals small.
uint64_t LineStep(const uint64_t* v, size_t size, uint64_t unit, const Range& d) {
  const uint64_t mean = (v[size - 1] - v[0]) / (size - 1);
  const uint64_t slack = d.span() / (size - 1);
  uint64_t step = mean / unit * unit;
  for (uint64_t round = unit; round <= mean; round *= 10) {
    const uint64_t rounded = (mean + round / 2) / round * round;
    if ((rounded > mean ? rounded - mean : mean - rounded) > slack) break;
    step = rounded;
    if (round > (uint64_t{1} << 58)) break;
  }
  return step;
}

struct Owner {};

uint8_t* EncodePacked(const uint64_t* values, size_t size, uint64_t origin, bool try_line, uint8_t* out) {
  if (size == 1) return PutSignedVarint(out, values[0] - origin);
  uint8_t* head = out++;
  uint64_t* d = ThreadScratch<Owner, 0, uint64_t>(size);
  Differences(values, size, d);
  Range range = RangeOf(d, size - 1);
  if (range.min == range.max) {
    const uint64_t unit = PowerOfTenIn(d[0]);
    *head = kRamp | (unit > 1 ? kHasUnit : 0);
    if (unit > 1) out = PutUnit(out, unit);
    out = PutSignedVarint(out, values[0] - origin);
    return PutSignedVarint(out,
                           static_cast<uint64_t>(static_cast<int64_t>(d[0]) / static_cast<int64_t>(unit)));
  }

  const uint64_t unit = FindUnit(d, size - 1, range);
  const uint8_t with_unit = unit > 1 ? kHasUnit : 0;
  const auto divide = [unit](uint64_t* v, size_t count, Range* r) {
    if (unit == 1) return;
    DivideAll(v, count, static_cast<double>(unit));
    r->min /= static_cast<int64_t>(unit);
    r->max /= static_cast<int64_t>(unit);
  };
  divide(d, size - 1, &range);

  // The line or the level, unless a few values show that differences must be narrower.
  uint64_t* other = ThreadScratch<Owner, 1, uint64_t>(size);
  uint64_t step = 0;
  uint64_t base = values[0];
  if (try_line) {
    step = LineStep(values, size, unit,
                    Range{range.min * static_cast<int64_t>(unit), range.max * static_cast<int64_t>(unit)});
    SubtractLine(values, size, base, step, other);
  } else if (unit > 1) {
    Subtract(values, size, base, other);
  } else {
    base = 0;
    std::memcpy(other, values, size * sizeof(*other));
  }
  Range other_range = RangeOf(other, size);
  bool has_other =
      size > 2 &&
      (unit == 1 || (other_range.min > -kExactDivisionMax && other_range.max < kExactDivisionMax));
  if (has_other) divide(other, size, &other_range);
  const bool is_planned = size > kPlannedMin;
  const Some other_some = has_other && is_planned ? Some(other, size) : Some();
  if (is_planned) has_other &= other_some.width() <= range.width();
  Packing packing;
  if (has_other) packing = PlanPacking(other, size, other_range, is_planned ? &other_some : nullptr);

  // The differences, unless a few of them show that they must be wider.
  const Some some = is_planned ? Some(d, size - 1) : Some();
  if (!has_other || some.width() * size <= packing.bits) {
    const Packing differences = PlanPacking(d, size - 1, range, is_planned ? &some : nullptr);
    if (!has_other || differences.bits < packing.bits) {
      *head = kDelta | with_unit | (differences.outliers > 0 ? kHasOutliers : 0);
      if (unit > 1) out = PutUnit(out, unit);
      out = PutSignedVarint(out, values[0] - origin);
      out = PutSignedVarint(out, differences.base);
      return PutPacked(out, d, size - 1, differences);
    }
  }
  *head = (try_line ? kLine : kOffset) | with_unit | (packing.outliers > 0 ? kHasOutliers : 0);
  if (unit > 1) out = PutUnit(out, unit);
  out = PutSignedVarint(out, base + packing.base * unit - origin);
  if (try_line) out = PutSignedVarint(out, step / unit);
  return PutPacked(out, other, size, packing);
}

// Columns that take less than this are as dense as they need be: a table of bins alone costs some of it.
constexpr size_t kDenseBytesMin = 24;

// Replaces the `packed` column by the dense form of the same values when that saves enough.
uint8_t* EncodeDense(const uint64_t* values, size_t size, uint64_t origin, bool try_line, uint8_t* out,
                     uint8_t* packed_end) {
  const size_t packed_bytes = static_cast<size_t>(packed_end - out);
  if (packed_bytes < kDenseBytesMin || size > kBinnedSizeMax) return packed_end;
  uint64_t* d = ThreadScratch<Owner, 0, uint64_t>(size);
  Differences(values, size, d);
  const Range range = RangeOf(d, size - 1);
  const uint64_t unit = FindUnit(d, size - 1, range);
  const auto divide = [unit](uint64_t* v, size_t count) {
    if (unit == 1) return true;
    const Range r = RangeOf(v, count);
    if (r.min <= -kExactDivisionMax || r.max >= kExactDivisionMax) return false;
    DivideAll(v, count, static_cast<double>(unit));
    return true;
  };

  // The line or the level.
  uint64_t* other = ThreadScratch<Owner, 1, uint64_t>(size);
  uint64_t step = 0;
  if (try_line) {
    step = LineStep(values, size, unit, range);
    SubtractLine(values, size, values[0], step, other);
  } else {
    Subtract(values, size, values[0], other);
  }
  size_t best_bytes = packed_bytes - packed_bytes / 32;
  uint8_t kind = kRamp;  // None.
  BinPlan best;
  const auto propose = [&](uint8_t proposed, const uint64_t* residuals, size_t count) {
    const BinPlan plan = PlanBins(residuals, count);
    const size_t bytes = plan.bytes + 16;
    if (bytes >= best_bytes) return;
    best_bytes = bytes;
    best = plan;
    kind = proposed | kBinned;
  };
  if (divide(other, size)) propose(try_line ? kLine : kOffset, other, size);

  divide(d, size - 1);
  propose(kDelta, d, size - 1);
  Prediction prediction;
  uint64_t* residuals = ThreadScratch<Owner, 2, uint64_t>(size);
  // What lies along a line has no memory but the line.
  if ((kind & kKindMask) != kLine && FitPrediction(d, size - 1, &prediction)) {
    SubtractPrediction(prediction, d, size - 1, residuals);
    // It takes as long to decode as the bins do.
    if (kind != kRamp) best_bytes -= best_bytes / 32;
    propose(kDelta | kPredicted, residuals, size - 1);
  }
  if (kind == kRamp) return packed_end;

  *out++ = kind | (unit > 1 ? kHasUnit : 0);
  if (unit > 1) out = PutUnit(out, unit);
  out = PutSignedVarint(out, values[0] - origin);
  if ((kind & kKindMask) == kLine) out = PutSignedVarint(out, step / unit);
  if ((kind & kKindMask) != kDelta) return PutBinned(other, size, best, out);
  if ((kind & kPredicted) == 0) return PutBinned(d, size - 1, best, out);
  for (const int8_t tap : prediction.taps) *out++ = static_cast<uint8_t>(tap);
  out = PutSignedVarint(out, prediction.centre);
  return PutBinned(residuals, size - 1, best, out);
}

}  // namespace

uint8_t* EncodeIntegers(const uint64_t* values, size_t size, uint64_t origin, bool try_line, Density density,
                        uint8_t* out) {
  uint8_t* const end = EncodePacked(values, size, origin, try_line, out);
  return density == Density::kFast ? end : EncodeDense(values, size, origin, try_line, out, end);
}

namespace {

HISTORIAN_SIMD void AddAll(uint64_t* v, size_t size, uint64_t base) {
  for (size_t i = 0; i < size; ++i) v[i] += base;
}

HISTORIAN_SIMD void MultiplyAdd(uint64_t* v, size_t size, uint64_t base, uint64_t unit) {
  for (size_t i = 0; i < size; ++i) v[i] = base + unit * v[i];
}

// Four at a time: their own sums do not wait for what came before, which is added last.
HISTORIAN_SIMD void PrefixSumsOfOnes(uint64_t* v, size_t size, uint64_t first, uint64_t base) {
  using Four = uint64_t __attribute__((vector_size(32)));
  const Four zero = {};
  Four before = zero + first;
  size_t i = 0;
  for (; i + 4 <= size; i += 4) {
    Four sums;
    std::memcpy(&sums, v + i, sizeof(sums));
    sums += base;
    sums += __builtin_shufflevector(sums, zero, 4, 0, 1, 2);
    sums += __builtin_shufflevector(sums, zero, 4, 4, 0, 1);
    const Four out = sums + before;
    std::memcpy(v + i, &out, sizeof(out));
    before += __builtin_shufflevector(sums, sums, 3, 3, 3, 3);
  }
  for (uint64_t sum = before[0]; i < size; ++i) v[i] = sum += base + v[i];
}

HISTORIAN_SIMD void AddLine(uint64_t* v, size_t size, uint64_t first, uint64_t step, uint64_t unit) {
  for (size_t i = 0; i < size; ++i) v[i] = first + unit * (i * step + v[i]);
}

void PrefixSums(uint64_t* v, size_t size, uint64_t first, uint64_t base, uint64_t unit) {
  if (unit == 1) return PrefixSumsOfOnes(v, size, first, base);
  uint64_t sum = first;
  for (size_t i = 0; i < size; ++i) v[i] = sum += unit * (base + v[i]);
}

bool GetPrediction(ByteReader* in, Prediction* prediction) {
  for (int8_t& tap : prediction->taps) {
    uint8_t byte;
    if (!in->Byte(&byte)) return false;
    tap = static_cast<int8_t>(byte);
  }
  return in->SignedVarint(&prediction->centre);
}

}  // namespace

absl::Status DecodeIntegers(ByteReader* in, size_t size, uint64_t origin, uint64_t* values) {
  if (size == 1) {
    if (!in->SignedVarint(values)) return Damaged("integer column: the only value is cut short");
    values[0] += origin;
    return absl::OkStatus();
  }
  uint8_t head;
  if (!in->Byte(&head)) return Damaged("integer column: empty");
  const Kind kind = static_cast<Kind>(head & kKindMask);
  const uint8_t form = head & ~(kKindMask | kHasUnit);
  const bool known = form == 0 || (kind != kRamp && (form == kHasOutliers || form == kBinned)) ||
                     (kind == kDelta && form == (kBinned | kPredicted));
  if (!known) return Damaged("integer column: unknown kind");
  const auto get_residuals = [&](size_t count, uint64_t* v) {
    return (form & kBinned) != 0 ? GetBinned(in, count, v) : GetPacked(in, count, form == kHasOutliers, v);
  };
  uint64_t unit = 1;
  uint64_t first, step;
  if ((head & kHasUnit) != 0 && !GetUnit(in, &unit)) return Damaged("integer column: unit is cut short");
  if (!in->SignedVarint(&first)) return Damaged("integer column: first value is cut short");
  first += origin;
  if (kind == kOffset) {
    if (absl::Status s = get_residuals(size, values); !s.ok()) return s;
    if (unit != 1) {
      MultiplyAdd(values, size, first, unit);
    } else if (first != 0) {
      AddAll(values, size, first);
    }
    return absl::OkStatus();
  }
  if (kind == kDelta && (form & kBinned) != 0) {
    Prediction prediction;
    if ((form & kPredicted) != 0 && !GetPrediction(in, &prediction)) {
      return Damaged("integer column: prediction is cut short");
    }
    values[0] = first;
    if (absl::Status s = GetBinned(in, size - 1, values + 1); !s.ok()) return s;
    if ((form & kPredicted) != 0) {
      AddPrediction(prediction, first, unit, size - 1, values + 1);
    } else {
      PrefixSums(values + 1, size - 1, first, 0, unit);
    }
    return absl::OkStatus();
  }
  if (!in->SignedVarint(&step)) return Damaged("integer column: step is cut short");
  if (kind == kRamp) {
    step *= unit;
    for (size_t i = 0; i < size; ++i) values[i] = first + i * step;
    return absl::OkStatus();
  }
  if (kind == kLine) {
    if (absl::Status s = get_residuals(size, values); !s.ok()) return s;
    AddLine(values, size, first, step, unit);
    return absl::OkStatus();
  }
  values[0] = first;
  if (absl::Status s = GetPacked(in, size - 1, form == kHasOutliers, values + 1); !s.ok()) return s;
  PrefixSums(values + 1, size - 1, first, step, unit);
  return absl::OkStatus();
}

}  // namespace historian::format
