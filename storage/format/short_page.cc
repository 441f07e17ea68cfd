#include "storage/format/short_page.h"

#include <algorithm>
#include <bit>

#include "absl/strings/str_cat.h"
#include "storage/format/bit_packing.h"
#include "storage/format/bytes.h"
#include "storage/format/decimal.h"
#include "storage/format/time_column.h"
#include "storage/platform/simd.h"

namespace historian::format {
namespace {

// The first byte: the number of samples less one, and whether the times are even.
constexpr uint8_t kUneven = 0x80;
// Added to the power of uneven times: some of them are far from the one before.
constexpr uint8_t kHasGaps = 0x80;

// Steps below this are divided exactly in double precision.
constexpr uint64_t kStepMax = uint64_t{1} << 50;

// Zigzag of how far each step is from `step`; returns all bits that any of them has.
HISTORIAN_SIMD uint64_t Residuals(const uint64_t* v, size_t size, uint64_t step, uint64_t* out) {
  uint64_t any = 0;
  for (size_t i = 0; i + 1 < size; ++i) {
    out[i] = ZigZag(v[i + 1] - v[i] - step);
    any |= out[i];
  }
  return any;
}

// The same in multiples of `unit`; *any gets the bits. False when a residual is none. |residual| < 2^51.
HISTORIAN_SIMD bool ScaledResiduals(const uint64_t* v, size_t size, uint64_t step, double unit, uint64_t* out,
                                    uint64_t* any) {
  constexpr double kShift = 6755399441055744.0;  // 1.5 x 2^52: adding it rounds to an integer.
  const uint64_t shift_bits = std::bit_cast<uint64_t>(kShift);
  const double inverse = 1 / unit;
  uint64_t wrong = 0;
  uint64_t bits = 0;
  for (size_t i = 0; i + 1 < size; ++i) {
    const double residual = std::bit_cast<double>(v[i + 1] - v[i] - step + shift_bits) - kShift;
    const double shifted = residual * inverse + kShift;
    wrong |= std::bit_cast<uint64_t>((shifted - kShift) * unit - residual)
             << 1;  // But a zero of either sign.
    out[i] = ZigZag(std::bit_cast<uint64_t>(shifted) - shift_bits);
    bits |= out[i];
  }
  *any = bits;
  return wrong == 0;
}

// The mean of the steps that are about `mean`, or that when there are none.
HISTORIAN_SIMD uint64_t MeanOfNear(const uint64_t* v, size_t size, uint64_t mean) {
  uint64_t sum = 0;
  uint64_t near = 0;
  for (size_t i = 0; i + 1 < size; ++i) {
    const uint64_t step = v[i + 1] - v[i];
    const bool is_near = step - mean / 2 <= mean;
    sum += is_near ? step : 0;
    near += is_near;
  }
  return near == 0 ? mean : sum / near;
}

// How many are not below the limit; *any gets the bits of those that are.
HISTORIAN_SIMD size_t CountFar(const uint64_t* v, size_t size, uint64_t limit, uint64_t* any) {
  uint64_t far = 0;
  uint64_t bits = 0;
  for (size_t i = 0; i < size; ++i) {
    const bool is_far = v[i] >= limit;
    far += is_far;
    bits |= is_far ? 0 : v[i];
  }
  *any = bits;
  return far;
}

// In place: v[1..size) are packed residuals, v[0] is the first.
void Accumulate(uint64_t* v, size_t size, uint64_t step, uint64_t unit) {
  for (size_t i = 1; i < size; ++i) v[i] = v[i - 1] + step + unit * UnZigZag(v[i]);
}

uint8_t* PutPacked(uint8_t* p, const uint64_t* v, size_t size, unsigned width) {
  *p++ = static_cast<uint8_t>(width);
  PackBits(v, size, width, p);
  return p + PackedBytes(size, width);
}

// The width that what lies below the limit needs, when it is worth to write what the others have more apart;
// else that of all.
unsigned WidthWithGaps(const uint64_t* v, size_t size, uint64_t any, uint64_t limit) {
  const unsigned width = WidthOf(any);
  if (any < limit) return width;
  uint64_t any_near;
  const size_t far = CountFar(v, size, limit, &any_near);
  const unsigned narrow = WidthOf(any_near);
  const size_t of_each = 1 + (width - narrow + 6) / 7;
  return PackedBytes(size, narrow) + 1 + far * of_each < PackedBytes(size, width) ? narrow : width;
}

// What the integers have beyond the width, of those that have something.
uint8_t* PutGaps(uint8_t* p, const uint64_t* v, size_t size, unsigned width) {
  uint8_t* const count = p++;
  *count = 0;
  size_t next = 0;
  ForEachWider(v, size, width, [&](size_t i) {
    ++*count;
    *p++ = static_cast<uint8_t>(i - next);
    p = PutVarint(p, v[i] >> width);
    next = i + 1;
  });
  return p;
}

// Null when the times are too far apart.
uint8_t* PutTimes(uint8_t* p, const uint64_t* times, size_t size, Timestamp origin) {
  uint8_t* const head = p;
  *p++ = static_cast<uint8_t>(size - 1);
  p = EncodeTime(static_cast<Timestamp>(times[0] - static_cast<uint64_t>(origin)), p);
  if (size == 1) return p;
  const uint64_t whole = times[size - 1] - times[0];
  if (whole >= kStepMax) return nullptr;
  uint64_t residuals[kShortPageSamplesMax];
  uint64_t step = whole / (size - 1);
  uint64_t any = Residuals(times, size, step, residuals);
  if (any == 0) return EncodeTime(static_cast<Timestamp>(step), p);
  *head |= kUneven;
  // Where samples are missing the mean is not the step of the others.
  const bool has_gaps = any >= step;
  if (has_gaps) step = MeanOfNear(times, size, step);
  // Clocks tick in seconds, milliseconds or microseconds.
  struct Unit {
    uint8_t power;
    uint64_t ns;
  };
  uint8_t power = 0;
  uint64_t limit = std::max<uint64_t>(step, 1);  // Zigzag of half a step.
  uint64_t scaled[kShortPageSamplesMax];
  for (const Unit unit : {Unit{9, 1'000'000'000}, Unit{6, 1'000'000}, Unit{3, 1'000}}) {
    if ((times[1] - times[0]) % unit.ns != 0) continue;
    const uint64_t even = (step + unit.ns / 2) / unit.ns * unit.ns;
    uint64_t scaled_any;
    if (!ScaledResiduals(times, size, even, static_cast<double>(unit.ns), scaled, &scaled_any)) continue;
    step = even;
    any = scaled_any;
    power = unit.power;
    limit = std::max<uint64_t>(step / unit.ns, 1);
    break;
  }
  if (power == 0 && has_gaps) any = Residuals(times, size, step, residuals);
  const uint64_t* const packed = power == 0 ? residuals : scaled;
  const unsigned width = WidthWithGaps(packed, size - 1, any, limit);
  const bool is_patched = width < WidthOf(any);
  p = EncodeTime(static_cast<Timestamp>(step), p);
  *p++ = static_cast<uint8_t>(power | (is_patched ? kHasGaps : 0));
  p = PutPacked(p, packed, size - 1, width);
  return is_patched ? PutGaps(p, packed, size - 1, width) : p;
}

uint8_t* PutValues(uint8_t* p, ValueType type, const uint64_t* values, size_t size, EncodeHint hint) {
  uint64_t mantissas[kShortPageSamplesMax];
  uint8_t decimals = 0;
  if (type == ValueType::kFloat64 || type == ValueType::kFloat32) {
    if (hint.decimals < 0 || hint.narrow) return nullptr;
    decimals = static_cast<uint8_t>(hint.decimals);
    if (ToDecimals(values, size, type == ValueType::kFloat32, decimals, mantissas) != 0) return nullptr;
    values = mantissas;
  }
  *p++ = decimals;
  p = PutSignedVarint(p, values[0]);
  if (size == 1) return p;
  const uint64_t step = static_cast<uint64_t>(static_cast<int64_t>(values[size - 1] - values[0]) /
                                              static_cast<int64_t>(size - 1));
  uint64_t residuals[kShortPageSamplesMax];
  const uint64_t any = Residuals(values, size, step, residuals);
  p = PutSignedVarint(p, step);
  return PutPacked(p, residuals, size - 1, WidthOf(any));
}

bool AllGood(const SamplesView& samples) {
  if (samples.qualities == nullptr) return true;
  Quality any = 0;
  for (size_t i = 0; i < samples.size; ++i) any |= samples.qualities[i];
  return any == kGood;
}

absl::Status Damaged(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("short page: ", what));
}

// v[0] is set already.
bool GetPacked(ByteReader* in, size_t size, bool has_gaps, uint64_t* v) {
  uint8_t width;
  absl::string_view packed;
  if (!in->Byte(&width) || width > 64 || !in->Bytes(PackedBytes(size - 1, width), &packed)) return false;
  UnpackBits(reinterpret_cast<const uint8_t*>(packed.data()), size - 1, width, v + 1);
  if (!has_gaps) return true;
  uint8_t count;
  if (!in->Byte(&count) || width == 64) return false;
  size_t next = 1;
  for (; count > 0; --count) {
    uint8_t gap;
    uint64_t beyond;
    if (!in->Byte(&gap) || gap >= size - next || !in->Varint(&beyond)) return false;
    next += gap;
    v[next++] += beyond << width;
  }
  return true;
}

}  // namespace

uint8_t* EncodeShortPage(ValueType type, const SamplesView& samples, Timestamp origin, EncodeHint hint,
                         uint8_t* out) {
  if (samples.size == 0 || samples.size > kShortPageSamplesMax || type == ValueType::kString ||
      !AllGood(samples)) {
    return nullptr;
  }
  out = PutTimes(out, reinterpret_cast<const uint64_t*>(samples.times), samples.size, origin);
  return out == nullptr ? nullptr : PutValues(out, type, samples.values, samples.size, hint);
}

absl::Status DecodeShortPage(ValueType type, absl::string_view bytes, Timestamp origin, Samples* out) {
  ByteReader in(bytes);
  uint8_t head;
  if (!in.Byte(&head)) return Damaged("empty");
  const size_t size = (head & ~kUneven) + size_t{1};
  uint64_t times[kShortPageSamplesMax];
  uint64_t values[kShortPageSamplesMax];
  Timestamp first = 0, step = 0;
  uint8_t power = 0;
  if (!DecodeTime(&in, &first)) return Damaged("the first time is cut short");
  times[0] = static_cast<uint64_t>(origin) + static_cast<uint64_t>(first);
  if (size > 1) {
    if (!DecodeTime(&in, &step)) return Damaged("the step of the times is cut short");
    std::fill_n(times + 1, size - 1, 0);
    if ((head & kUneven) != 0) {
      if (!in.Byte(&power)) return Damaged("the times are cut short");
      const bool has_gaps = (power & kHasGaps) != 0;
      power &= ~kHasGaps;
      if (power > 9 || !GetPacked(&in, size, has_gaps, times)) return Damaged("the times are cut short");
    }
    uint64_t unit = 1;
    for (; power > 0; --power) unit *= 10;
    Accumulate(times, size, static_cast<uint64_t>(step), unit);
    if (!IsStrictlyAscending(reinterpret_cast<const Timestamp*>(times), size)) {
      return Damaged("times do not rise");
    }
  }
  uint8_t decimals;
  uint64_t value_step;
  if (!in.Byte(&decimals) || decimals > kDecimalsMax || !in.SignedVarint(&values[0]) ||
      (size > 1 && (!in.SignedVarint(&value_step) || !GetPacked(&in, size, false, values))) || !in.done()) {
    return Damaged("the values are cut short");
  }
  if (size > 1) Accumulate(values, size, value_step, 1);
  if (type == ValueType::kFloat64 || type == ValueType::kFloat32) {
    FromDecimals(type == ValueType::kFloat32, decimals, size, values);
  } else if (decimals != 0 || type == ValueType::kString) {
    return Damaged(absl::StrCat("decimals of a ", ValueTypeName(type)));
  }
  for (size_t i = 0; i < size; ++i) {
    if (!IsCanonical(type, values[i])) {
      return Damaged(absl::StrCat("not the bits of a ", ValueTypeName(type)));
    }
  }
  const auto* const as_times = reinterpret_cast<const Timestamp*>(times);
  out->Append(type, {as_times, values, nullptr, nullptr, size});
  return absl::OkStatus();
}

}  // namespace historian::format
