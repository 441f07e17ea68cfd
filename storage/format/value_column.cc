#include "storage/format/value_column.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "storage/format/decimal.h"
#include "storage/format/integer_column.h"
#include "storage/format/nearness.h"
#include "storage/format/scale.h"
#include "storage/format/scratch.h"
#include "storage/model/check.h"
#include "storage/platform/simd.h"

namespace historian::format {
namespace {

// Low half of the first byte of a column. DO NOT CHANGE THESE VALUES: stored. 11 to 15 are for encodings
// to come.
enum Encoding : uint8_t {
  kConstant = 0,
  kConstantDecimal = 1,  // Decimal places in the high half.
  kIntegers = 2,
  kDecimals = 3,         // Decimal places in the high half.
  kPatchedDecimals = 4,  // Decimal places in the high half.
  kDictionary = 5,
  kRuns = 6,
  kRaw = 7,
  kWidened = 8,
  kNear = 9,     // Form of printing in the high half.
  kScaled = 10,  // kDivides and kHasOffset in the high half.
};

constexpr uint8_t kDivides = 0x10;
constexpr uint8_t kHasOffset = 0x20;

// What the bits are.
enum class Kind { kWide, kNarrow, kInteger };

Kind KindOf(ValueType type) {
  if (type == ValueType::kFloat64) return Kind::kWide;
  return type == ValueType::kFloat32 ? Kind::kNarrow : Kind::kInteger;
}

size_t RawBytes(Kind kind) { return kind == Kind::kNarrow ? 4 : 8; }

// A column may hold columns: of runs' values, of a dictionary's entries, of exceptions. The outermost is
// level 0. Runs appear at level 0 only; what else holds columns, up to level 1; so columns nest three deep at
// most.
constexpr int kInnermost = 2;
// Of what kNear is near to.
constexpr int kBase = 3;

struct Owner {};

HISTORIAN_SIMD size_t CountChanges(const uint64_t* v, size_t size) {
  uint64_t changes = 0;
  for (size_t i = 1; i < size; ++i) changes += v[i] != v[i - 1];
  return changes;
}

HISTORIAN_SIMD bool AllNarrow(const uint64_t* bits, size_t size) {
  uint64_t lost = 0;
  for (size_t i = 0; i < size; ++i) {
    const float narrow = static_cast<float>(std::bit_cast<double>(bits[i]));
    lost |= std::bit_cast<uint64_t>(static_cast<double>(narrow)) ^ bits[i];
  }
  return lost == 0;
}

HISTORIAN_SIMD void Narrow(const uint64_t* wide, size_t size, uint64_t* narrow) {
  for (size_t i = 0; i < size; ++i) {
    narrow[i] = std::bit_cast<uint32_t>(static_cast<float>(std::bit_cast<double>(wide[i])));
  }
}

HISTORIAN_SIMD void Widen(uint64_t* bits, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    const float narrow = std::bit_cast<float>(static_cast<uint32_t>(bits[i]));
    bits[i] = std::bit_cast<uint64_t>(static_cast<double>(narrow));
  }
}

uint8_t* PutRaw(uint8_t* p, Kind kind, const uint64_t* bits, size_t size) {
  if (kind != Kind::kNarrow) {
    std::memcpy(p, bits, 8 * size);
    return p + 8 * size;
  }
  for (size_t i = 0; i < size; ++i) p = PutLittleEndian(p, bits[i], 4);
  return p;
}

uint8_t* PutConstant(uint8_t* p, Kind kind, uint64_t bits) {
  if (kind == Kind::kInteger) {
    *p++ = kConstant;
    return PutSignedVarint(p, bits);
  }
  const bool narrow = kind == Kind::kNarrow;
  if (const uint32_t exact = ExactDecimals(bits, narrow); exact != 0) {
    const int decimals = std::countr_zero(exact);
    uint64_t mantissa;
    ToDecimals(&bits, 1, narrow, decimals, &mantissa);
    uint8_t* const end = PutSignedVarint(p + 1, mantissa);
    if (static_cast<size_t>(end - p) <= RawBytes(kind)) {
      *p = static_cast<uint8_t>(kConstantDecimal | decimals << 4);
      return end;
    }
  }
  if (kind == Kind::kWide && AllNarrow(&bits, 1)) {
    uint64_t narrowed;
    Narrow(&bits, 1, &narrowed);
    *p++ = kWidened;
    return PutConstant(p, Kind::kNarrow, narrowed);
  }
  *p++ = kConstant;
  return PutRaw(p, kind, &bits, 1);
}

template <int kLevel>
uint8_t* Encode(Kind kind, const uint64_t* bits, size_t size, EncodeHint* hint, Density density,
                uint8_t* out);

// Runs of equal bits.
template <int kLevel>
uint8_t* EncodeRuns(Kind kind, const uint64_t* bits, size_t size, size_t runs, EncodeHint* hint,
                    Density density, uint8_t* out) {
  uint64_t* lengths = ThreadScratch<Owner, 10 * kLevel + 0, uint64_t>(runs);
  uint64_t* values = ThreadScratch<Owner, 10 * kLevel + 1, uint64_t>(runs);
  size_t run = 0;
  size_t begin = 0;
  for (size_t i = 1; i <= size; ++i) {
    if (i < size && bits[i] == bits[i - 1]) continue;
    lengths[run] = i - begin;
    values[run++] = bits[begin];
    begin = i;
  }
  *out++ = kRuns;
  out = PutVarint(out, runs);
  out = EncodeIntegers(lengths, runs, 0, false, density, out);
  return Encode<kLevel + 1>(kind, values, runs, hint, density, out);
}

// Fibonacci hashing: the high bits of the product mix all bits of the value.
size_t SlotOf(uint64_t bits, unsigned table_width) {
  return (bits * 0x9E3779B97F4A7C15) >> (64 - table_width);
}

// Distinct values, sorted, and an index for each sample. Returns null when that will need more than
// max_bytes.
template <int kLevel>
uint8_t* EncodeDictionary(Kind kind, const uint64_t* bits, size_t size, size_t max_bytes, EncodeHint* hint,
                          Density density, uint8_t* out) {
  const unsigned table_width = std::max(WidthOf(size) + 1, 6u);
  const size_t table_size = size_t{1} << table_width;
  uint32_t* table = ThreadScratch<Owner, 10 * kLevel + 2, uint32_t>(table_size);  // 1 + place in entries.
  std::memset(table, 0, table_size * sizeof(*table));
  uint64_t* entries = ThreadScratch<Owner, 10 * kLevel + 3, uint64_t>(size);
  uint64_t* indexes = ThreadScratch<Owner, 10 * kLevel + 4, uint64_t>(size);
  size_t count = 0;
  for (size_t i = 0; i < size; ++i) {
    size_t slot = SlotOf(bits[i], table_width);
    while (table[slot] != 0 && entries[table[slot] - 1] != bits[i]) slot = (slot + 1) & (table_size - 1);
    if (table[slot] == 0) {
      entries[count++] = bits[i];
      table[slot] = static_cast<uint32_t>(count);
      // Entries cost two bytes at the very least; a page of mostly new values is no dictionary's.
      if (count * 2 > size || count * 2 + (size * WidthOf(count - 1) >> 3) > max_bytes) return nullptr;
    }
    indexes[i] = table[slot] - 1;
  }
  uint64_t* sorted = ThreadScratch<Owner, 10 * kLevel + 5, uint64_t>(count);
  uint32_t* ranks = ThreadScratch<Owner, 10 * kLevel + 6, uint32_t>(count);
  uint32_t* order = ThreadScratch<Owner, 10 * kLevel + 7, uint32_t>(count);
  for (size_t i = 0; i < count; ++i) order[i] = static_cast<uint32_t>(i);
  std::sort(order, order + count, [&](uint32_t a, uint32_t b) { return entries[a] < entries[b]; });
  for (size_t i = 0; i < count; ++i) {
    sorted[i] = entries[order[i]];
    ranks[order[i]] = static_cast<uint32_t>(i);
  }
  for (size_t i = 0; i < size; ++i) indexes[i] = ranks[indexes[i]];
  *out++ = kDictionary;
  out = PutVarint(out, count);
  out = Encode<kInnermost>(kind, sorted, count, hint, density, out);
  return EncodeIntegers(indexes, size, 0, false, density, out);
}

// Finds the exponent, fills mantissas, and returns how many values are exceptions; *decimals < 0 for none
// fit.
size_t FitDecimals(const uint64_t* bits, size_t size, bool narrow, EncodeHint* hint, uint64_t* mantissas,
                   int* decimals) {
  *decimals = -1;
  if (hint->decimals >= 0 && ToDecimals(bits, size, narrow, hint->decimals, mantissas) == 0) {
    *decimals = hint->decimals;
    return 0;
  }
  if (hint->decimals == EncodeHint::kNoDecimals && ExactDecimals(bits[size / 2], narrow) == 0) return size;
  *decimals = GuessDecimals(bits, size, narrow);
  if (*decimals < 0) return size;
  size_t failed = ToDecimals(bits, size, narrow, *decimals, mantissas);
  // The guess looked at a few values only. More places cost each value 3.3 bits, an exception about 80.
  for (int round = 0; round < 2 && failed > 0; ++round) {
    int higher = *decimals;
    size_t seen = 0;
    for (size_t i = 0; i < size && seen < 4; ++i) {
      const uint32_t exact = ExactDecimals(bits[i], narrow);
      if ((exact >> *decimals & 1) != 0) continue;
      ++seen;
      if (const uint32_t above = exact >> *decimals; above != 0) {
        higher = std::max(higher, *decimals + std::countr_zero(above));
      }
    }
    if (higher == *decimals || failed * 80 < size * 10 * static_cast<size_t>(higher - *decimals) / 3) break;
    const size_t failed_before = failed;
    failed = ToDecimals(bits, size, narrow, higher, mantissas);
    if (failed > failed_before) return ToDecimals(bits, size, narrow, *decimals, mantissas);
    *decimals = higher;
  }
  return failed;
}

template <int kLevel>
uint8_t* EncodeDecimals(Kind kind, const uint64_t* bits, size_t size, size_t failed, int decimals,
                        uint64_t* mantissas, Density density, uint8_t* out) {
  const uint8_t high = static_cast<uint8_t>(decimals << 4);
  if (failed == 0) {
    *out++ = kDecimals | high;
    return EncodeIntegers(mantissas, size, 0, false, density, out);
  }
  uint64_t* decoded = ThreadScratch<Owner, 10 * kLevel + 3, uint64_t>(size);
  uint64_t* places = ThreadScratch<Owner, 10 * kLevel + 4, uint64_t>(size);
  uint64_t* exceptions = ThreadScratch<Owner, 10 * kLevel + 5, uint64_t>(size);
  std::memcpy(decoded, mantissas, size * sizeof(*decoded));
  FromDecimals(kind == Kind::kNarrow, decimals, size, decoded);
  constexpr uint64_t kMantissaMax = uint64_t{1} << 51;
  size_t count = 0;
  uint64_t last_good = 0;
  for (size_t i = 0; i < size; ++i) {
    if (decoded[i] == bits[i] && mantissas[i] + kMantissaMax <= 2 * kMantissaMax) {
      last_good = mantissas[i];
      continue;
    }
    places[count] = i;
    exceptions[count++] = bits[i];
    mantissas[i] = last_good;  // Whatever is cheap to pack.
  }
  for (size_t i = 0; i < count && places[i] == i && count < size; ++i) {
    mantissas[i] = mantissas[count];  // A run of exceptions at the beginning has no good value before it.
  }
  *out++ = (count == 0 ? kDecimals : kPatchedDecimals) | high;
  out = EncodeIntegers(mantissas, size, 0, false, density, out);
  if (count == 0) return out;
  out = PutVarint(out, count);
  out = EncodeIntegers(places, count, 0, false, density, out);
  EncodeHint none;
  return Encode<kInnermost>(kind, exceptions, count, &none, density, out);
}

// The smallest of what fits floats that are not decimals, or are at a price.
template <int kLevel>
uint8_t* EncodeBits(Kind kind, const uint64_t* bits, size_t size, Density density, uint8_t* out) {
  uint8_t* const begin = out;
  *out++ = kIntegers;
  out = EncodeIntegers(bits, size, 0, false, density, out);
  if (kind != Kind::kInteger && static_cast<size_t>(out - begin) > RawBytes(kind) * size) {
    *begin = kRaw;
    return PutRaw(begin + 1, kind, bits, size);
  }
  return out;
}

// Decimals or float32 values near by, how they were printed, and how far off the values are.
template <int kLevel>
uint8_t* EncodeNear(const uint64_t* bits, size_t size, bool are_decimals, Density density, uint8_t* out) {
  uint64_t* base = ThreadScratch<Owner, 130 + kLevel, uint64_t>(size);
  uint64_t* other = ThreadScratch<Owner, 135 + kLevel, uint64_t>(size);
  uint8_t* const head = out++;
  Printing printing;
  if (GuessPrintedNarrow(bits, size, &printing)) {
    if (printing.form != Printing::kAsIs) *out++ = printing.digits;
    *out++ = kWidened;
    Narrow(bits, size, base);
    EncodeHint none;
    out = Encode<kBase>(Kind::kNarrow, base, size, &none, density, out);
    Widen(base, size);
    Print(printing, size, base);
  } else if (const int decimals = are_decimals ? -1 : GuessNearDecimals(bits, size); decimals >= 0) {
    ToDecimals(bits, size, false, decimals, other);
    constexpr uint64_t kMantissaMax = uint64_t{1} << 51;
    uint64_t before = 0;
    for (size_t i = 0; i < size; ++i) {  // What has no such decimal is far from any: from the last one, say.
      before = other[i] = other[i] + kMantissaMax <= 2 * kMantissaMax ? other[i] : before;
    }
    *out++ = static_cast<uint8_t>(kDecimals | decimals << 4);
    out = EncodeIntegers(other, size, 0, false, density, out);
    std::memcpy(base, other, size * sizeof(*base));
    FromDecimals(false, decimals, size, base);
  } else {
    return nullptr;
  }
  *head = static_cast<uint8_t>(kNear | printing.form << 4);
  for (size_t i = 0; i < size; ++i) other[i] = bits[i] - base[i];
  return EncodeIntegers(other, size, 0, false, density, out);
}

// Counts on a linear scale, and how far off the values are when they are.
template <int kLevel>
uint8_t* EncodeScaled(Kind kind, const uint64_t* bits, size_t size, Density density, uint8_t* out) {
  const bool narrow = kind == Kind::kNarrow;
  Scale scale;
  if (!FindScale(bits, size, narrow, &scale)) return nullptr;
  uint64_t* counts = ThreadScratch<Owner, 130 + kLevel, uint64_t>(size);
  uint64_t* distances = ThreadScratch<Owner, 135 + kLevel, uint64_t>(size);
  ToCounts(scale, narrow, bits, size, counts);
  std::memcpy(distances, counts, size * sizeof(*counts));
  FromCounts(scale, narrow, size, distances);
  uint64_t wrong = 0;
  for (size_t i = 0; i < size; ++i) {
    distances[i] = bits[i] - distances[i];
    wrong |= distances[i];
  }
  if (wrong != 0) {
    if (narrow || kLevel > kInnermost) return nullptr;
    *out++ = kNear;
  }
  *out++ =
      static_cast<uint8_t>(kScaled | (scale.divides ? kDivides : 0) | (scale.offset != 0 ? kHasOffset : 0));
  out = PutLittleEndian(out, std::bit_cast<uint64_t>(scale.factor), 8);
  if (scale.offset != 0) out = PutLittleEndian(out, std::bit_cast<uint64_t>(scale.offset), 8);
  out = EncodeIntegers(counts, size, 0, false, density, out);
  return wrong == 0 ? out : EncodeIntegers(distances, size, 0, false, density, out);
}

// Replaces what was written at `begin` by what `encode` writes when that is shorter.
template <int kSlot, typename EncodeFunction>
uint8_t* KeepShorter(uint8_t* begin, uint8_t* end, size_t size, EncodeFunction encode) {
  uint8_t* other = ThreadScratch<Owner, kSlot, uint8_t>(ValueColumnBytesMax(size));
  uint8_t* const other_end = encode(other);
  if (other_end == nullptr || other_end - other >= end - begin) return end;
  std::memcpy(begin, other, static_cast<size_t>(other_end - other));
  return begin + (other_end - other);
}

// Columns of fewer bits a value have no digits to spare.
constexpr size_t kNearBitsMin = 9;
constexpr size_t kScaledBitsMin = 5;

template <int kLevel>
uint8_t* Encode(Kind kind, const uint64_t* bits, size_t size, EncodeHint* hint, Density density,
                uint8_t* out) {
  const size_t runs = CountChanges(bits, size) + 1;
  if (runs == 1) return PutConstant(out, kind, bits[0]);
  if constexpr (kLevel == 0) {
    if (runs * 16 <= size) return EncodeRuns<kLevel>(kind, bits, size, runs, hint, density, out);
  }
  uint8_t* const begin = out;
  const auto bits_per_value = [&] { return static_cast<size_t>(out - begin) * 8 / size; };
  // What is not all decimals is seldom densest as it is: that takes its time only when nothing else will do.
  bool is_postponed = false;
  const bool narrow = kind == Kind::kNarrow;
  uint64_t* mantissas = ThreadScratch<Owner, 10 * kLevel + 8, uint64_t>(size);
  int decimals = -1;
  size_t failed = size;
  if (kind == Kind::kInteger) {
    out = EncodeBits<kLevel>(kind, bits, size, density, out);
  } else {
    if (!(kind == Kind::kWide && hint->narrow))
      failed = FitDecimals(bits, size, narrow, hint, mantissas, &decimals);
    if (decimals >= 0 && failed * 8 <= size && (kLevel < kInnermost || failed == 0)) {
      hint->decimals = static_cast<int8_t>(decimals);
      is_postponed = density == Density::kDense && failed > 0;
      const Density first = is_postponed ? Density::kFast : density;
      out = EncodeDecimals<kLevel>(kind, bits, size, failed, decimals, mantissas, first, out);
      if (bits_per_value() > (narrow ? 18 : 36)) {
        out = KeepShorter<10 * kLevel + 9>(
            begin, out, size, [&](uint8_t* p) { return EncodeBits<kLevel>(kind, bits, size, first, p); });
      }
    } else if (kind == Kind::kWide && AllNarrow(bits, size)) {
      uint64_t* narrowed = ThreadScratch<Owner, 100 + kLevel, uint64_t>(size);
      Narrow(bits, size, narrowed);
      if (!hint->narrow) *hint = EncodeHint{EncodeHint::kUnknown, true};
      *out++ = kWidened;
      return Encode<kLevel>(Kind::kNarrow, narrowed, size, hint, density, out);
    } else {
      if (kind == Kind::kWide && hint->narrow) {
        *hint = EncodeHint();  // It went through float32 no longer.
        return Encode<kLevel>(kind, bits, size, hint, density, out);
      }
      hint->decimals = EncodeHint::kNoDecimals;
      is_postponed = density == Density::kDense;
      decimals = -1;
      out = EncodeBits<kLevel>(kind, bits, size, Density::kFast, out);
    }
  }
  if constexpr (kLevel == 0) {
    if (runs * 4 <= size) {
      out = KeepShorter<110>(begin, out, size, [&](uint8_t* p) {
        return EncodeRuns<kLevel>(kind, bits, size, runs, hint, density, p);
      });
    }
  }
  if constexpr (kLevel <= kInnermost) {
    if (density == Density::kDense && kind == Kind::kWide && bits_per_value() >= kNearBitsMin) {
      const bool are_decimals = (*begin & 15) == kDecimals;
      out = KeepShorter<140 + kLevel>(begin, out, size, [&](uint8_t* p) {
        return EncodeNear<kLevel>(bits, size, are_decimals, density, p);
      });
    }
  }
  // Decimals lie on a scale, too, which would only be found once more; what was printed lies on none.
  const bool is_done =
      (*begin & 15) == kDecimals || ((*begin & 15) == kNear && *begin >> 4 != Printing::kAsIs);
  if (density == Density::kDense && kind != Kind::kInteger && !is_done &&
      bits_per_value() >= kScaledBitsMin) {
    out = KeepShorter<145 + kLevel>(
        begin, out, size, [&](uint8_t* p) { return EncodeScaled<kLevel>(kind, bits, size, density, p); });
  }
  if constexpr (kLevel < kInnermost) {
    if (size >= 16 && bits_per_value() > (density == Density::kDense ? 3 : 7)) {
      const size_t max_bytes = static_cast<size_t>(out - begin);
      out = KeepShorter<120 + kLevel>(begin, out, size, [&](uint8_t* p) {
        EncodeHint none;
        return EncodeDictionary<kLevel>(kind, bits, size, max_bytes, &none, density, p);
      });
    }
  }
  if (is_postponed && (*begin & 15) != kNear && (*begin & 15) != kScaled) {
    out = KeepShorter<150 + kLevel>(begin, out, size, [&](uint8_t* p) {
      return decimals < 0 ? EncodeBits<kLevel>(kind, bits, size, density, p)
                          : EncodeDecimals<kLevel>(kind, bits, size, failed, decimals, mantissas, density, p);
    });
  }
  return out;
}

absl::Status Damaged(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("value column: ", what));
}

absl::Status Decode(Kind kind, int level, ByteReader* in, size_t size, uint64_t* values);

absl::Status DecodeConstant(Kind kind, ByteReader* in, size_t size, uint64_t* values) {
  uint64_t bits;
  const bool ok = kind == Kind::kInteger ? in->SignedVarint(&bits) : in->LittleEndian(RawBytes(kind), &bits);
  if (!ok) return Damaged("the constant is cut short");
  std::fill_n(values, size, bits);
  return absl::OkStatus();
}

absl::Status DecodeRuns(Kind kind, int level, ByteReader* in, size_t size, uint64_t* values) {
  uint64_t runs;
  if (!in->VarintUpTo(size, &runs) || runs == 0) return Damaged("the number of runs is out of range");
  uint64_t* lengths = ThreadScratch<Owner, 200, uint64_t>(runs);
  uint64_t* run_values = ThreadScratch<Owner, 201, uint64_t>(runs);
  if (absl::Status s = DecodeIntegers(in, runs, 0, lengths); !s.ok()) return s;
  if (absl::Status s = Decode(kind, level + 1, in, runs, run_values); !s.ok()) return s;
  size_t left = size;
  for (size_t run = 0; run < runs; ++run) {
    if (lengths[run] == 0 || lengths[run] > left) return Damaged("the runs are longer than the column");
    values = std::fill_n(values, lengths[run], run_values[run]);
    left -= lengths[run];
  }
  return left == 0 ? absl::OkStatus() : Damaged("the runs are shorter than the column");
}

HISTORIAN_SIMD uint64_t Largest(const uint64_t* v, size_t size) {
  uint64_t largest = 0;
  for (size_t i = 0; i < size; ++i) largest = v[i] > largest ? v[i] : largest;
  return largest;
}

// Replaces places by what is there.
HISTORIAN_SIMD void LookUp(const uint64_t* __restrict entries, size_t size, uint64_t* __restrict places) {
  for (size_t i = 0; i < size; ++i) places[i] = entries[places[i]];
}

absl::Status DecodeDictionary(Kind kind, ByteReader* in, size_t size, uint64_t* values) {
  uint64_t count;
  if (!in->VarintUpTo(size, &count) || count == 0)
    return Damaged("the size of the dictionary is out of range");
  uint64_t* entries = ThreadScratch<Owner, 202, uint64_t>(count);
  if (absl::Status s = Decode(kind, kInnermost, in, count, entries); !s.ok()) return s;
  if (absl::Status s = DecodeIntegers(in, size, 0, values); !s.ok()) return s;
  if (Largest(values, size) >= count) return Damaged("an index is outside the dictionary");
  LookUp(entries, size, values);
  return absl::OkStatus();
}

absl::Status DecodeExceptions(Kind kind, ByteReader* in, size_t size, uint64_t* values) {
  uint64_t count;
  if (!in->VarintUpTo(size, &count) || count == 0) return Damaged("the number of exceptions is out of range");
  uint64_t* places = ThreadScratch<Owner, 203, uint64_t>(count);
  uint64_t* exceptions = ThreadScratch<Owner, 204, uint64_t>(count);
  if (absl::Status s = DecodeIntegers(in, count, 0, places); !s.ok()) return s;
  if (absl::Status s = Decode(kind, kInnermost, in, count, exceptions); !s.ok()) return s;
  for (size_t i = 0; i < count; ++i) {
    if (places[i] >= size) return Damaged("an exception lies outside the column");
    values[places[i]] = exceptions[i];
  }
  return absl::OkStatus();
}

HISTORIAN_SIMD void AddTo(const uint64_t* addends, size_t size, uint64_t* sums) {
  for (size_t i = 0; i < size; ++i) sums[i] += addends[i];
}

absl::Status DecodeNear(Printing::Form form, ByteReader* in, size_t size, uint64_t* values) {
  Printing printing;
  printing.form = form;
  if ((form != Printing::kAsIs && !in->Byte(&printing.digits)) || !printing.IsValid()) {
    return Damaged("unknown way of printing");
  }
  if (absl::Status s = Decode(Kind::kWide, kBase, in, size, values); !s.ok()) return s;
  Print(printing, size, values);
  uint64_t* distances = ThreadScratch<Owner, 205, uint64_t>(size);
  if (absl::Status s = DecodeIntegers(in, size, 0, distances); !s.ok()) return s;
  AddTo(distances, size, values);
  return absl::OkStatus();
}

absl::Status Decode(Kind kind, int level, ByteReader* in, size_t size, uint64_t* values) {
  uint8_t head;
  if (!in->Byte(&head)) return Damaged("empty");
  const Encoding encoding = static_cast<Encoding>(head & 15);
  const int decimals = head >> 4;
  const bool has_decimals =
      encoding == kConstantDecimal || encoding == kDecimals || encoding == kPatchedDecimals;
  if (has_decimals ? kind == Kind::kInteger : decimals != 0 && encoding != kNear && encoding != kScaled) {
    return Damaged(absl::StrCat("decimals with encoding ", encoding, ", which takes none"));
  }
  switch (encoding) {
    case kConstant:
      return DecodeConstant(kind, in, size, values);
    case kConstantDecimal: {
      uint64_t mantissa;
      if (!in->SignedVarint(&mantissa)) return Damaged("the constant is cut short");
      FromDecimals(kind == Kind::kNarrow, decimals, 1, &mantissa);
      std::fill_n(values, size, mantissa);
      return absl::OkStatus();
    }
    case kIntegers:
      return DecodeIntegers(in, size, 0, values);
    case kDecimals:
    case kPatchedDecimals:
      if (absl::Status s = DecodeIntegers(in, size, 0, values); !s.ok()) return s;
      FromDecimals(kind == Kind::kNarrow, decimals, size, values);
      if (encoding == kDecimals) return absl::OkStatus();
      if (level >= kInnermost) break;
      return DecodeExceptions(kind, in, size, values);
    case kDictionary:
      if (level >= kInnermost) break;
      return DecodeDictionary(kind, in, size, values);
    case kRuns:
      if (level > 0) break;
      return DecodeRuns(kind, level, in, size, values);
    case kRaw: {
      absl::string_view raw;
      if (kind == Kind::kInteger || !in->Bytes(RawBytes(kind) * size, &raw))
        return Damaged("raw values are cut short");
      if (kind == Kind::kWide) {
        std::memcpy(values, raw.data(), raw.size());
        return absl::OkStatus();
      }
      for (size_t i = 0; i < size; ++i) {
        uint32_t bits;
        std::memcpy(&bits, raw.data() + 4 * i, 4);
        values[i] = bits;
      }
      return absl::OkStatus();
    }
    case kWidened:
      if (kind != Kind::kWide) break;
      if (absl::Status s = Decode(Kind::kNarrow, level, in, size, values); !s.ok()) return s;
      Widen(values, size);
      return absl::OkStatus();
    case kNear:
      if (kind != Kind::kWide || level > kInnermost) break;
      return DecodeNear(static_cast<Printing::Form>(head >> 4), in, size, values);
    case kScaled: {
      uint64_t factor, offset = 0;
      if (kind == Kind::kInteger || (head & ~(15 | kDivides | kHasOffset)) != 0) break;
      if (!in->LittleEndian(8, &factor) || ((head & kHasOffset) != 0 && !in->LittleEndian(8, &offset))) {
        return Damaged("the scale is cut short");
      }
      if (absl::Status s = DecodeIntegers(in, size, 0, values); !s.ok()) return s;
      FromCounts({std::bit_cast<double>(factor), std::bit_cast<double>(offset), (head & kDivides) != 0},
                 kind == Kind::kNarrow, size, values);
      return absl::OkStatus();
    }
  }
  return Damaged(absl::StrCat("encoding ", encoding, " is not known here"));
}

HISTORIAN_SIMD uint64_t AnyBits(const uint64_t* values, size_t size) {
  uint64_t any = 0;
  for (size_t i = 0; i < size; ++i) any |= values[i];
  return any;
}

}  // namespace

uint8_t* EncodeValues(ValueType type, const ValueBits* values, size_t size, EncodeHint* hint, Density density,
                      uint8_t* out) {
  EncodeHint none;
  return Encode<0>(KindOf(type), values, size, hint == nullptr ? &none : hint, density, out);
}

absl::Status DecodeValues(ValueType type, ByteReader* in, size_t size, ValueBits* values) {
  if (absl::Status s = Decode(KindOf(type), 0, in, size, values); !s.ok()) return s;
  if (type == ValueType::kFloat64 || type == ValueType::kInt64) return absl::OkStatus();
  if (!IsCanonical(type, AnyBits(values, size))) {
    return Damaged(absl::StrCat("not the bits of a ", ValueTypeName(type)));
  }
  return absl::OkStatus();
}

}  // namespace historian::format
