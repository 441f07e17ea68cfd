#include "storage/format/bit_packing.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "absl/base/attributes.h"
#include "storage/format/bit_string.h"
#include "storage/platform/simd.h"

namespace historian::format {
namespace {

static_assert(std::endian::native == std::endian::little, "packed words are copied as they lie in memory");

constexpr size_t kLanes = 8;

constexpr uint64_t MaskOf(unsigned width) { return width == 64 ? ~uint64_t{0} : (uint64_t{1} << width) - 1; }

// A row, spelled out for the compiler, which makes of a loop over eight whatever it likes.
using Words = uint32_t __attribute__((vector_size(4 * kLanes)));
using Values = uint64_t __attribute__((vector_size(8 * kLanes)));

// One run of 256 values, width 1 to 32; takes the bits from `shift` up.
HISTORIAN_SIMD void PackRun(const uint64_t* values, unsigned shift, unsigned width, uint8_t* out) {
  Words open = {};  // The word of each lane that is being filled.
  const uint32_t mask = static_cast<uint32_t>(MaskOf(width));
  unsigned used = 0;
  for (size_t row = 0; row < 32; ++row) {
    Values wide;
    std::memcpy(&wide, values + row * kLanes, sizeof(wide));
    const Words v = __builtin_convertvector(wide >> shift, Words) & mask;
    open |= v << used;
    used += width;
    if (used < 32) continue;
    std::memcpy(out, &open, sizeof(open));
    out += sizeof(open);
    used -= 32;
    open = used == 0 ? Words{} : v >> (width - used);
  }
}

HISTORIAN_SIMD void UnpackRun(const uint8_t* in, unsigned width, uint64_t* values) {
  const uint32_t mask = static_cast<uint32_t>(MaskOf(width));
  Words word = {};
  std::memcpy(&word, in, sizeof(word));
  unsigned used = 0;  // Bits of the word.
  for (size_t row = 0; row < 32; ++row) {
    Words v = word >> used;
    used += width;
    if (used >= 32) {
      used -= 32;
      in += sizeof(word);
      if (row < 31) std::memcpy(&word, in, sizeof(word));
      if (used > 0) v |= word << (width - used);
    }
    const Values wide = __builtin_convertvector(v & mask, Values);
    std::memcpy(values + row * kLanes, &wide, sizeof(wide));
  }
}

// Eight values are a whole number of bytes. Up to this width four of them fit into one word, side by side.
constexpr unsigned kNarrowMax = 16;
// Room for what words reach beyond the end.
constexpr size_t kSlack = 16;

ABSL_ATTRIBUTE_ALWAYS_INLINE inline uint64_t PackFour(const uint64_t* v, unsigned shift, unsigned width,
                                                      uint64_t mask) {
  return (v[0] >> shift & mask) | (v[1] >> shift & mask) << width | (v[2] >> shift & mask) << (2 * width) |
         (v[3] >> shift & mask) << (3 * width);
}

ABSL_ATTRIBUTE_ALWAYS_INLINE inline void PackEight(const uint64_t* v, unsigned shift, unsigned width,
                                                   uint64_t mask, uint8_t* out) {
  const uint64_t low = PackFour(v, shift, width, mask), high = PackFour(v + 4, shift, width, mask);
  const unsigned __int128 both = low | static_cast<unsigned __int128>(high) << (4 * width);
  std::memcpy(out, &both, sizeof(both));
}

ABSL_ATTRIBUTE_ALWAYS_INLINE inline void PackNarrow(const uint64_t* values, size_t size, unsigned shift,
                                                    unsigned width, uint8_t* out) {
  const uint64_t mask = MaskOf(width);
  const size_t whole = size / kLanes * kLanes;
  for (size_t i = 0; i < whole; i += kLanes, out += width) PackEight(values + i, shift, width, mask, out);
  if (whole == size) return;
  uint64_t last[kLanes] = {};
  for (size_t i = whole; i < size; ++i) last[i - whole] = values[i];
  PackEight(last, shift, width, mask, out);
}

// Widths up to 32.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline void PackWide(const uint64_t* values, size_t size, unsigned shift,
                                                  unsigned width, uint8_t* out) {
  const uint64_t mask = MaskOf(width);
  uint64_t open = 0;
  unsigned used = 0;
  for (size_t i = 0; i < size; ++i) {
    open |= ((values[i] >> shift) & mask) << used;
    used += width;
    if (used < 32) continue;
    const uint32_t word = static_cast<uint32_t>(open);
    std::memcpy(out, &word, sizeof(word));
    out += sizeof(word);
    open >>= 32;
    used -= 32;
  }
  std::memcpy(out, &open, sizeof(open));
}

ABSL_ATTRIBUTE_ALWAYS_INLINE inline void PackRestAs(const uint64_t* values, size_t size, unsigned shift,
                                                    unsigned width, uint8_t* out) {
  uint8_t packed[kPackedRun * 4 + kSlack];
  width <= kNarrowMax ? PackNarrow(values, size, shift, width, packed)
                      : PackWide(values, size, shift, width, packed);
  std::memcpy(out, packed, (size * width + 7) / 8);
}
void PackRestPlain(const uint64_t* values, size_t size, unsigned shift, unsigned width, uint8_t* out) {
  PackRestAs(values, size, shift, width, out);
}
HISTORIAN_BMI2 void PackRestBmi2(const uint64_t* values, size_t size, unsigned shift, unsigned width,
                                 uint8_t* out) {
  PackRestAs(values, size, shift, width, out);
}
// Fewer than 256 values, width 1 to 32.
void PackRest(const uint64_t* values, size_t size, unsigned shift, unsigned width, uint8_t* out) {
  HasBmi2() ? PackRestBmi2(values, size, shift, width, out) : PackRestPlain(values, size, shift, width, out);
}

// Eight values of up to kNarrowMax bits are in two words, four in each.
HISTORIAN_SIMD void UnpackNarrow(const uint8_t* in, size_t size, unsigned width, uint64_t* values) {
  const uint64_t w = width, skipped = w % 2 * 4;  // Bits before the fifth, which may begin within a byte.
  const Values shifts = {0, w, 2 * w, 3 * w, skipped, skipped + w, skipped + 2 * w, skipped + 3 * w};
  const uint64_t mask = MaskOf(width);
  for (size_t i = 0; i < size; i += kLanes, in += width) {
    uint64_t low, high;
    std::memcpy(&low, in, sizeof(low));
    std::memcpy(&high, in + width / 2, sizeof(high));
    const Values v = Values{low, low, low, low, high, high, high, high} >> shifts & mask;
    if (i + kLanes <= size) {
      std::memcpy(values + i, &v, sizeof(v));
    } else {
      std::memcpy(values + i, &v, (size - i) * sizeof(*values));
    }
  }
}

// Widths up to 32, a word for each value.
HISTORIAN_SIMD void UnpackWide(const uint8_t* in, size_t size, unsigned width, uint64_t* values) {
  const uint64_t mask = MaskOf(width);
  for (size_t i = 0; i < size; ++i) {
    uint64_t word;
    std::memcpy(&word, in + i * width / 8, sizeof(word));
    values[i] = word >> (i * width % 8) & mask;
  }
}

// Fewer than 256 values, width 1 to 32.
void UnpackRest(const uint8_t* in, size_t size, unsigned width, uint64_t* values) {
  uint8_t padded[kPackedRun * 4 + kSlack];  // Room to read words at every value.
  std::memcpy(padded, in, (size * width + 7) / 8);
  width <= kNarrowMax ? UnpackNarrow(padded, size, width, values) : UnpackWide(padded, size, width, values);
}

// A run, or the rest when fewer are left; returns how many.
size_t UnpackPart(const uint8_t* in, size_t left, unsigned width, uint64_t* values) {
  if (left >= kPackedRun) {
    UnpackRun(in, width, values);
    return kPackedRun;
  }
  UnpackRest(in, left, width, values);
  return left;
}

HISTORIAN_SIMD void AddHighHalves(const uint64_t* high, size_t size, uint64_t* values) {
  for (size_t i = 0; i < size; ++i) values[i] |= high[i] << 32;
}

void PackHalf(const uint64_t* values, size_t size, unsigned shift, unsigned width, uint8_t* out) {
  size_t i = 0;
  for (; i + kPackedRun <= size; i += kPackedRun, out += 32 * width) PackRun(values + i, shift, width, out);
  if (i < size) PackRest(values + i, size - i, shift, width, out);
}

// For each value, one or zero.
HISTORIAN_SIMD void FlagWider(const uint64_t* values, size_t size, unsigned width, uint8_t* flags) {
  for (size_t i = 0; i < size; ++i) flags[i] = values[i] >> width != 0;
}

}  // namespace

void PackBits(const uint64_t* values, size_t size, unsigned width, uint8_t* out) {
  if (width == 0) return;
  if (width <= 32) return PackHalf(values, size, 0, width, out);
  PackHalf(values, size, 0, 32, out);
  PackHalf(values, size, 32, width - 32, out + PackedBytes(size, 32));
}

void UnpackBits(const uint8_t* in, size_t size, unsigned width, uint64_t* values) {
  if (width == 0) {
    std::memset(values, 0, size * sizeof(*values));
    return;
  }
  const unsigned low = width < 32 ? width : 32;
  const unsigned above = width - low;
  const uint8_t* const high = in + PackedBytes(size, low);
  for (size_t run = 0; run * kPackedRun < size; ++run) {
    UnpackPart(in + run * 32 * low, size - run * kPackedRun, low, values + run * kPackedRun);
    if (above == 0) continue;
    uint64_t high_values[kPackedRun];
    const size_t count = UnpackPart(high + run * 32 * above, size - run * kPackedRun, above, high_values);
    AddHighHalves(high_values, count, values + run * kPackedRun);
  }
}

void ForEachWider(const uint64_t* values, size_t size, unsigned width, absl::FunctionRef<void(size_t)> f) {
  uint8_t flags[kPackedRun];
  for (size_t begin = 0; begin < size; begin += kPackedRun) {
    const size_t count = std::min(size - begin, kPackedRun);
    FlagWider(values + begin, count, width, flags);
    std::memset(flags + count, 0, (kPackedRun - count) % kLanes);
    for (size_t k = 0; k < count; k += kLanes) {
      uint64_t eight;
      for (std::memcpy(&eight, flags + k, sizeof(eight)); eight != 0; eight &= eight - 1) {
        f(begin + k + static_cast<size_t>(std::countr_zero(eight)) / 8);
      }
    }
  }
}

}  // namespace historian::format
