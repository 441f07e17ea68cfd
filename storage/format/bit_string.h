// File: storage/format/bit_string.h
//
// A string of bits, the first in the lowest bit of the first byte.
#ifndef HISTORIAN_STORAGE_FORMAT_BIT_STRING_H_
#define HISTORIAN_STORAGE_FORMAT_BIT_STRING_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/base/attributes.h"

// A function that shifts by variable amounts all the time is compiled twice, once with HISTORIAN_BMI2: its
// shifts take a third of the steps. HasBmi2() tells whether that one may be called.
#if defined(__x86_64__) && defined(__GNUC__)
#define HISTORIAN_BMI2 __attribute__((target("bmi,bmi2")))
#else
#define HISTORIAN_BMI2
#endif

namespace historian::format {

inline bool HasBmi2() {
#if defined(__x86_64__) && defined(__GNUC__)
  static const bool has = __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  return has;
#else
  return false;
#endif
}

static_assert(std::endian::native == std::endian::little, "bits are copied as they lie in memory");

// The lowest `width` bits; width 0 to 63.
ABSL_ATTRIBUTE_ALWAYS_INLINE constexpr uint64_t LowBits(uint64_t v, unsigned width) {
  return v & ((uint64_t{1} << width) - 1);
}

// What one Put or one read at a time may move: a word less the bits of a byte that is in use.
inline constexpr unsigned kBitsAtOnce = 57;

class BitWriter {
 public:
  // Writes to `out`, and up to 7 bytes past the end of the string.
  explicit BitWriter(uint8_t* out) : p_(out) {}

  // The lowest `width` bits of v, whose others must be 0; width up to kBitsAtOnce.
  void Put(uint64_t v, unsigned width) {
    open_ |= v << used_;
    used_ += width;
    std::memcpy(p_, &open_, 8);
    const unsigned whole = used_ / 8;
    p_ += whole;
    used_ -= whole * 8;
    open_ = whole == 8 ? 0 : open_ >> (whole * 8);
  }
  // Any width up to 64.
  void PutLong(uint64_t v, unsigned width) {
    if (width <= 32) return Put(v, width);
    Put(v & 0xFFFFFFFF, 32);
    Put(v >> 32, width - 32);
  }
  // The number of bits of v + 1, less one, as as many zeros and a one; then those bits but the highest.
  // 0, 1, 2, 3 ... cost 1, 3, 3, 5 ... bits. v below 2^32 - 1.
  void PutGamma(uint64_t v) {
    const unsigned width = static_cast<unsigned>(std::bit_width(v + 1)) - 1;
    Put(uint64_t{1} << width, width + 1);
    Put(LowBits(v + 1, width), width);
  }

  // Fills the last byte with zeros; the end of the string.
  uint8_t* End() const { return used_ > 0 ? p_ + 1 : p_; }

 private:
  uint8_t* p_;
  uint64_t open_ = 0;
  unsigned used_ = 0;
};

// Reads bits of memory that has 8 bytes more than the string. It does not know the end: the caller looks at
// position() now and then.
class BitReader {
 public:
  explicit BitReader(const uint8_t* bytes) : bytes_(bytes) {}

  // The next bits; kBitsAtOnce of them are true.
  ABSL_ATTRIBUTE_ALWAYS_INLINE uint64_t Peek() const {
    uint64_t word;
    std::memcpy(&word, bytes_ + position_ / 8, 8);
    return word >> (position_ % 8);
  }
  ABSL_ATTRIBUTE_ALWAYS_INLINE void Skip(unsigned width) { position_ += width; }
  // Up to kBitsAtOnce bits.
  ABSL_ATTRIBUTE_ALWAYS_INLINE uint64_t Get(unsigned width) {
    const uint64_t v = LowBits(Peek(), width);
    Skip(width);
    return v;
  }
  // Up to 64 bits.
  ABSL_ATTRIBUTE_ALWAYS_INLINE uint64_t GetLong(unsigned width) {
    if (width <= 32) return Get(width);
    const uint64_t low = Get(32);
    return low | Get(width - 32) << 32;
  }
  // False for more than 31 zeros.
  bool GetGamma(uint64_t* v) {
    const unsigned width = static_cast<unsigned>(std::countr_zero(Peek()));
    if (width > 31) return false;
    Skip(width + 1);
    *v = (uint64_t{1} << width | Get(width)) - 1;
    return true;
  }

  ABSL_ATTRIBUTE_ALWAYS_INLINE size_t position() const { return position_; }

 private:
  const uint8_t* bytes_;
  size_t position_ = 0;  // In bits.
};

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_BIT_STRING_H_
