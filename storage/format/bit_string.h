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

// A function that does many shifts by variable amounts is compiled twice, once with HISTORIAN_BMI2: then its
// shifts take a third of the steps. That version may be called only if HasBmi2().
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

// Returns the lowest `width` bits of v; width is 0 to 63.
ABSL_ATTRIBUTE_ALWAYS_INLINE constexpr uint64_t LowBits(uint64_t v, unsigned width) {
  return v & ((uint64_t{1} << width) - 1);
}

// The most bits that one Put or one read moves: a word less the bits of a byte that is in use.
inline constexpr unsigned kBitsAtOnce = 57;

class BitWriter {
 public:
  // Writes the string to `out`, and may overwrite up to 7 bytes behind it.
  explicit BitWriter(uint8_t* out) : p_(out) {}

  // Appends the lowest `width` bits of v; the others must be 0. width is at most kBitsAtOnce.
  void Put(uint64_t v, unsigned width) {
    open_ |= v << used_;
    used_ += width;
    std::memcpy(p_, &open_, 8);
    const unsigned whole = used_ / 8;
    p_ += whole;
    used_ -= whole * 8;
    open_ = whole == 8 ? 0 : open_ >> (whole * 8);
  }
  // The same for any width up to 64.
  void PutLong(uint64_t v, unsigned width) {
    if (width <= 32) return Put(v, width);
    Put(v & 0xFFFFFFFF, 32);
    Put(v >> 32, width - 32);
  }
  // Appends v in Elias gamma code: with n the number of bits of v + 1, n - 1 zeros, a one, and the bits of v
  // + 1 but the highest. 0, 1, 2, 3 ... cost 1, 3, 3, 5 ... bits. Requires v < 2^32 - 1.
  void PutGamma(uint64_t v) {
    const unsigned width = static_cast<unsigned>(std::bit_width(v + 1)) - 1;
    Put(uint64_t{1} << width, width + 1);
    Put(LowBits(v + 1, width), width);
  }

  // Returns the end of the string, whose last byte is filled with zeros.
  uint8_t* End() const { return used_ > 0 ? p_ + 1 : p_; }

 private:
  uint8_t* p_;
  uint64_t open_ = 0;
  unsigned used_ = 0;
};

// Reads a string of bits, behind which 8 more bytes of memory must be readable. It does not know where the
// string ends: the caller must compare position() once in a while.
class BitReader {
 public:
  explicit BitReader(const uint8_t* bytes) : bytes_(bytes) {}

  // Returns the next bits, of which the lowest kBitsAtOnce are valid.
  ABSL_ATTRIBUTE_ALWAYS_INLINE uint64_t Peek() const {
    uint64_t word;
    std::memcpy(&word, bytes_ + position_ / 8, 8);
    return word >> (position_ % 8);
  }
  ABSL_ATTRIBUTE_ALWAYS_INLINE void Skip(unsigned width) { position_ += width; }
  // Takes up to kBitsAtOnce bits.
  ABSL_ATTRIBUTE_ALWAYS_INLINE uint64_t Get(unsigned width) {
    const uint64_t v = LowBits(Peek(), width);
    Skip(width);
    return v;
  }
  // Takes up to 64 bits.
  ABSL_ATTRIBUTE_ALWAYS_INLINE uint64_t GetLong(unsigned width) {
    if (width <= 32) return Get(width);
    const uint64_t low = Get(32);
    return low | Get(width - 32) << 32;
  }
  // Takes a number as PutGamma wrote it; false if it begins with more than 31 zeros.
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
