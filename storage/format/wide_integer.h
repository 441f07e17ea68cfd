// File: storage/format/wide_integer.h
//
// Unsigned 256-bit integers with the arithmetic that exact sums need. Operations report results that do not
// fit.
#ifndef HISTORIAN_STORAGE_FORMAT_WIDE_INTEGER_H_
#define HISTORIAN_STORAGE_FORMAT_WIDE_INTEGER_H_

#include <bit>
#include <cstddef>
#include <cstdint>

namespace historian::format {

struct Wide {
  static constexpr size_t kLimbs = 4;
  uint64_t limbs[kLimbs] = {};  // Lowest first.

  friend bool operator==(const Wide&, const Wide&) = default;

  // The number of bits needed; 0 for zero.
  unsigned width() const {
    for (size_t i = kLimbs; i-- > 0;) {
      if (limbs[i] != 0)
        return static_cast<unsigned>(64 * i) + static_cast<unsigned>(std::bit_width(limbs[i]));
    }
    return 0;
  }
  unsigned trailing_zeros() const {
    for (size_t i = 0; i < kLimbs; ++i) {
      if (limbs[i] != 0)
        return static_cast<unsigned>(64 * i) + static_cast<unsigned>(std::countr_zero(limbs[i]));
    }
    return 256;
  }

  // Returns false if the result has more than 256 bits. Then *this is undefined.
  [[nodiscard]] bool ShiftLeft(unsigned bits) {
    if (width() == 0) return true;
    if (bits > 256 - width()) return false;
    for (size_t i = kLimbs; i-- > 0;) limbs[i] = Word(static_cast<int>(64 * i) - static_cast<int>(bits));
    return true;
  }
  void ShiftRight(unsigned bits) {
    for (size_t i = 0; i < kLimbs; ++i) {
      limbs[i] = bits >= 256 ? 0 : Word(static_cast<int>(64 * i) + static_cast<int>(bits));
    }
  }
  [[nodiscard]] bool Multiply(uint64_t factor) {
    uint64_t carry = 0;
    for (uint64_t& limb : limbs) {
      const unsigned __int128 product = static_cast<unsigned __int128>(limb) * factor + carry;
      limb = static_cast<uint64_t>(product);
      carry = static_cast<uint64_t>(product >> 64);
    }
    return carry == 0;
  }
  [[nodiscard]] bool Add(const Wide& other) {
    unsigned char carry = 0;
    for (size_t i = 0; i < kLimbs; ++i) {
      const unsigned __int128 sum = static_cast<unsigned __int128>(limbs[i]) + other.limbs[i] + carry;
      limbs[i] = static_cast<uint64_t>(sum);
      carry = static_cast<unsigned char>(sum >> 64);
    }
    return carry == 0;
  }
  // Returns false if the result would be negative. Then *this is 2^256 too much.
  bool Subtract(const Wide& other) {
    unsigned char borrow = 0;
    for (size_t i = 0; i < kLimbs; ++i) {
      const unsigned __int128 difference = static_cast<unsigned __int128>(limbs[i]) - other.limbs[i] - borrow;
      limbs[i] = static_cast<uint64_t>(difference);
      borrow = static_cast<unsigned char>((difference >> 64) & 1);
    }
    return borrow == 0;
  }
  void Negate() {
    const Wide self = *this;
    *this = Wide();
    Subtract(self);
  }
  // Rounds to nearest, halves up. Requires divisor > 0.
  [[nodiscard]] bool Divide(uint64_t divisor) {
    if (divisor == 1) return true;
    if (!Add(Wide{{divisor / 2}})) return false;
    uint64_t rest = 0;
    for (size_t i = kLimbs; i-- > 0;) {
      if (rest == 0) {  // As in the highest limbs, which are usually zero. 128-bit division is slow.
        rest = limbs[i] % divisor;
        limbs[i] /= divisor;
        continue;
      }
      const unsigned __int128 v = static_cast<unsigned __int128>(rest) << 64 | limbs[i];
      limbs[i] = static_cast<uint64_t>(v / divisor);
      rest = static_cast<uint64_t>(v - static_cast<unsigned __int128>(limbs[i]) * divisor);
    }
    return true;
  }

 private:
  // Returns the 64 bits from bit `at` on. Bits outside the integer are zeros.
  uint64_t Word(int at) const {
    const int index = at < 0 ? (at - 63) / 64 : at / 64;
    const unsigned shift = static_cast<unsigned>(at - 64 * index);
    const auto limb = [this](int i) { return i >= 0 && i < static_cast<int>(kLimbs) ? limbs[i] : 0; };
    return shift == 0 ? limb(index) : limb(index) >> shift | limb(index + 1) << (64 - shift);
  }
};

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_WIDE_INTEGER_H_
