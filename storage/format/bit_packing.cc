#include "storage/format/bit_packing.h"

#include <bit>
#include <cstring>

#include "storage/format/bit_string.h"
#include "storage/model/simd.h"

namespace historian::format {
namespace {

static_assert(std::endian::native == std::endian::little, "packed words are copied as they lie in memory");

constexpr size_t kLanes = 8;

constexpr uint64_t MaskOf(unsigned width) { return width == 64 ? ~uint64_t{0} : (uint64_t{1} << width) - 1; }

// One run of 256 values, width 1 to 32; takes the bits from `shift` up.
HISTORIAN_SIMD void PackRun(const uint64_t* values, unsigned shift, unsigned width, uint8_t* out) {
  uint32_t words[32 * kLanes];
  uint32_t open[kLanes] = {};  // The word of each lane that is being filled.
  const uint32_t mask = static_cast<uint32_t>(MaskOf(width));
  uint32_t* word = words;
  unsigned used = 0;
  for (size_t row = 0; row < 32; ++row) {
    uint32_t v[kLanes];
    for (size_t l = 0; l < kLanes; ++l)
      v[l] = static_cast<uint32_t>(values[row * kLanes + l] >> shift) & mask;
    for (size_t l = 0; l < kLanes; ++l) open[l] |= v[l] << used;
    used += width;
    if (used < 32) continue;
    for (size_t l = 0; l < kLanes; ++l) word[l] = open[l];
    word += kLanes;
    used -= 32;
    if (used == 0) {
      for (size_t l = 0; l < kLanes; ++l) open[l] = 0;
    } else {
      for (size_t l = 0; l < kLanes; ++l) open[l] = v[l] >> (width - used);
    }
  }
  std::memcpy(out, words, 32 * width);
}

HISTORIAN_SIMD void UnpackRun(const uint8_t* in, unsigned width, uint64_t* values) {
  uint32_t words[33 * kLanes];  // One row more than is ever used, so that a value may be read from two rows.
  std::memcpy(words, in, 32 * width);
  const uint32_t mask = static_cast<uint32_t>(MaskOf(width));
  for (size_t row = 0; row < 32; ++row) {
    const unsigned bit = static_cast<unsigned>(row) * width;
    const uint32_t* word = words + bit / 32 * kLanes;
    const unsigned used = bit % 32;
    uint64_t* v = values + row * kLanes;
    if (used + width <= 32) {
      for (size_t l = 0; l < kLanes; ++l) v[l] = (word[l] >> used) & mask;
    } else {
      for (size_t l = 0; l < kLanes; ++l)
        v[l] = ((word[l] >> used) | (word[l + kLanes] << (32 - used))) & mask;
    }
  }
}

// Fewer than 256 values, width 1 to 32.
void PackRest(const uint64_t* values, size_t size, unsigned shift, unsigned width, uint8_t* out) {
  const uint64_t mask = MaskOf(width);
  uint64_t open = 0;
  unsigned used = 0;
  for (size_t i = 0; i < size; ++i) {
    open |= ((values[i] >> shift) & mask) << used;
    used += width;
    if (used >= 32) {
      const uint32_t word = static_cast<uint32_t>(open);
      std::memcpy(out, &word, 4);
      out += 4;
      open >>= 32;
      used -= 32;
    }
  }
  for (; used > 0; used -= used < 8 ? used : 8) {
    *out++ = static_cast<uint8_t>(open);
    open >>= 8;
  }
}

ABSL_ATTRIBUTE_ALWAYS_INLINE inline void UnpackRestAs(const uint8_t* in, size_t size, unsigned width,
                                                      uint64_t* values) {
  uint8_t padded[kPackedRun * 4 + 8];  // So that eight bytes can be read at every value.
  const size_t bytes = (size * width + 7) / 8;
  std::memcpy(padded, in, bytes);
  std::memset(padded + bytes, 0, 8);
  BitReader bits(padded);
  for (size_t i = 0; i < size; ++i) values[i] = bits.Get(width);
}
void UnpackRestPlain(const uint8_t* in, size_t size, unsigned width, uint64_t* values) {
  UnpackRestAs(in, size, width, values);
}
HISTORIAN_BMI2 void UnpackRestBmi2(const uint8_t* in, size_t size, unsigned width, uint64_t* values) {
  UnpackRestAs(in, size, width, values);
}
void UnpackRest(const uint8_t* in, size_t size, unsigned width, uint64_t* values) {
  HasBmi2() ? UnpackRestBmi2(in, size, width, values) : UnpackRestPlain(in, size, width, values);
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

void PackHalf(const uint64_t* values, size_t size, unsigned shift, unsigned width, uint8_t* out) {
  size_t i = 0;
  for (; i + kPackedRun <= size; i += kPackedRun, out += 32 * width) PackRun(values + i, shift, width, out);
  if (i < size) PackRest(values + i, size - i, shift, width, out);
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
    for (size_t j = 0; j < count; ++j) values[run * kPackedRun + j] |= high_values[j] << 32;
  }
}

}  // namespace historian::format
