// File: storage/format/bytes.h
//
// The smallest words of the formats: varints, zigzag, little-endian and big-endian fixed integers, scaled
// integers. Bytes: storage/format/page.md, "Conventions".
//
// Writers take a pointer to enough room and return the end of what they wrote. Readers never read past the
// end.
#ifndef HISTORIAN_STORAGE_FORMAT_BYTES_H_
#define HISTORIAN_STORAGE_FORMAT_BYTES_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/strings/string_view.h"

namespace historian::format {

inline constexpr size_t kVarintBytesMax = 10;
inline constexpr size_t kScaledBytesMax = 9;

// Makes numbers near zero of either sign small: 0, -1, 1, -2, 2 ... become 0, 1, 2, 3, 4 ...
constexpr uint64_t ZigZag(uint64_t v) { return (v << 1) ^ (0 - (v >> 63)); }
constexpr uint64_t UnZigZag(uint64_t v) { return (v >> 1) ^ (0 - (v & 1)); }

// Returns the number of bits that v needs: 0 for 0, 64 for 2^63 and above.
constexpr unsigned WidthOf(uint64_t v) { return static_cast<unsigned>(std::bit_width(v)); }

inline uint8_t* PutVarint(uint8_t* p, uint64_t v) {
  while (v >= 0x80) {
    *p++ = static_cast<uint8_t>(v | 0x80);
    v >>= 7;
  }
  *p++ = static_cast<uint8_t>(v);
  return p;
}
inline uint8_t* PutSignedVarint(uint8_t* p, uint64_t v) { return PutVarint(p, ZigZag(v)); }

// Writes the low `size` bytes of v, lowest first.
inline uint8_t* PutLittleEndian(uint8_t* p, uint64_t v, size_t size) {
  for (size_t i = 0; i < size; ++i) *p++ = static_cast<uint8_t>(v >> (8 * i));
  return p;
}

// Writes a signed integer as mantissa x 10^scale, in 1 to 9 bytes: a byte of (scale << 4 | size), then `size`
// bytes of the mantissa in two's complement, lowest first. The scale, 0 to 15, comes back as it is given.
inline uint8_t* PutScaled(uint8_t* p, uint64_t mantissa, unsigned scale) {
  const size_t size =
      mantissa == 0 ? 0 : WidthOf(ZigZag(mantissa)) / 8 + (WidthOf(ZigZag(mantissa)) % 8 != 0);
  *p++ = static_cast<uint8_t>(scale << 4 | size);
  return PutLittleEndian(p, mantissa, size);
}

// Writes a unit of 1 or more as mantissa x 10^power: a byte of (min(mantissa - 1, 15) << 4 | power), then,
// if the high half is 15, the mantissa as a varint. 1 ms in nanoseconds is the byte 06.
inline constexpr size_t kUnitBytesMax = 1 + kVarintBytesMax;
inline uint8_t* PutUnit(uint8_t* p, uint64_t unit) {
  uint8_t power = 0;
  for (; power < 15 && unit % 10 == 0; ++power) unit /= 10;
  *p++ = static_cast<uint8_t>((unit < 16 ? unit - 1 : 15) << 4 | power);
  return unit < 16 ? p : PutVarint(p, unit);
}

// Reads what the writers wrote. After the first failure every read fails.
class ByteReader {
 public:
  explicit ByteReader(absl::string_view bytes)
      : p_(reinterpret_cast<const uint8_t*>(bytes.data())), end_(p_ + bytes.size()) {}

  size_t left() const { return static_cast<size_t>(end_ - p_); }
  bool done() const { return p_ == end_; }
  absl::string_view rest() const { return absl::string_view(reinterpret_cast<const char*>(p_), left()); }

  bool Byte(uint8_t* v) {
    if (p_ == end_) return false;
    *v = *p_++;
    return true;
  }

  // Refuses more than 64 bits and longer forms than needed: one number has one form.
  bool Varint(uint64_t* v) {
    uint64_t result = 0;
    for (unsigned shift = 0; shift < 64 && p_ != end_; shift += 7) {
      const uint64_t byte = *p_++;
      if (shift == 63 && byte > 1) return Fail();
      result |= (byte & 0x7F) << shift;
      if (byte < 0x80) {
        if (byte == 0 && shift != 0) return Fail();
        *v = result;
        return true;
      }
    }
    return Fail();
  }
  bool SignedVarint(uint64_t* v) {
    if (!Varint(v)) return false;
    *v = UnZigZag(*v);
    return true;
  }
  // As Varint, and at most `max`.
  bool VarintUpTo(uint64_t max, uint64_t* v) { return Varint(v) && (*v <= max || Fail()); }

  bool LittleEndian(size_t size, uint64_t* v) {
    if (left() < size) return Fail();
    uint64_t result = 0;
    for (size_t i = 0; i < size; ++i) result |= uint64_t{p_[i]} << (8 * i);
    p_ += size;
    *v = result;
    return true;
  }

  bool Scaled(uint64_t* mantissa, unsigned* scale) {
    uint8_t head;
    if (!Byte(&head)) return Fail();
    const size_t size = head & 15;
    *scale = head >> 4;
    if (size > 8 || !LittleEndian(size, mantissa)) return Fail();
    if (size > 0 && size < 8) {  // Extend the sign.
      const unsigned shift = 64 - 8 * static_cast<unsigned>(size);
      *mantissa = static_cast<uint64_t>(static_cast<int64_t>(*mantissa << shift) >> shift);
    }
    return true;
  }

  bool Bytes(size_t size, absl::string_view* v) {
    if (left() < size) return Fail();
    *v = absl::string_view(reinterpret_cast<const char*>(p_), size);
    p_ += size;
    return true;
  }

 private:
  bool Fail() {
    p_ = end_;
    return false;
  }

  const uint8_t* p_;
  const uint8_t* end_;
};

// Reads a unit; of one that does not fit 64 bits, its low 64 bits.
inline bool GetUnit(ByteReader* in, uint64_t* unit) {
  uint8_t head;
  if (!in->Byte(&head)) return false;
  *unit = (head >> 4) + 1;
  if (*unit == 16 && !in->Varint(unit)) return false;
  for (unsigned power = head & 15; power > 0; --power) *unit *= 10;
  return true;
}

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_BYTES_H_
