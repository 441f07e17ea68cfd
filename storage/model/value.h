// File: storage/model/value.h
//
// The value of a sample. Every type but string fits in 64 bits, and the engine carries it as those bits, so
// that what came in goes out bit for bit: NaN payloads, -0.0, infinities and all.
#ifndef HISTORIAN_STORAGE_MODEL_VALUE_H_
#define HISTORIAN_STORAGE_MODEL_VALUE_H_

#include <bit>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace historian {

// DO NOT CHANGE THESE VALUES: they are stored in blocks, journals and tag records.
enum class ValueType : uint8_t {
  kFloat64 = 1,
  kFloat32 = 2,
  kInt64 = 3,
  kBool = 4,
  kDigital = 5,  // The code of a state of the tag's state set, 0 to 2^32 - 1.
  kString = 6,   // Any bytes, at most kStringBytesMax.
};

inline constexpr size_t kStringBytesMax = 64 * 1024;

constexpr bool IsKnownValueType(uint8_t type) { return type >= 1 && type <= 6; }
constexpr bool IsNumeric(ValueType type) { return type != ValueType::kString; }
constexpr bool IsFloat(ValueType type) { return type == ValueType::kFloat64 || type == ValueType::kFloat32; }

// Returns "float64", "float32", "int64", "bool", "digital" or "string".
absl::string_view ValueTypeName(ValueType type);
// The reverse; false for any other text.
bool ParseValueType(absl::string_view text, ValueType* type);

// The 64 bits of a value, by type:
//   float64  the IEEE 754 bits           float32  its IEEE 754 bits in the low half, high half zero
//   int64    two's complement            bool     0 or 1
//   digital  the state's code            string   an index into the StringColumn beside it
using ValueBits = uint64_t;

inline ValueBits BitsOfFloat64(double v) { return std::bit_cast<uint64_t>(v); }
inline ValueBits BitsOfFloat32(float v) { return std::bit_cast<uint32_t>(v); }
inline ValueBits BitsOfInt64(int64_t v) { return static_cast<uint64_t>(v); }
inline double Float64OfBits(ValueBits bits) { return std::bit_cast<double>(bits); }
inline float Float32OfBits(ValueBits bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits)); }
inline int64_t Int64OfBits(ValueBits bits) { return static_cast<int64_t>(bits); }

// Returns the value as a double, which is exact except for int64 beyond 2^53. Not for strings.
inline double ToDouble(ValueType type, ValueBits bits) {
  switch (type) {
    case ValueType::kFloat64: return Float64OfBits(bits);
    case ValueType::kFloat32: return Float32OfBits(bits);
    case ValueType::kInt64: return static_cast<double>(Int64OfBits(bits));
    default: return static_cast<double>(bits);
  }
}

// False for bits that no value of the type has, such as a bool of 2 or a float32 with its high half set.
constexpr bool IsCanonical(ValueType type, ValueBits bits) {
  switch (type) {
    case ValueType::kBool: return bits <= 1;
    case ValueType::kFloat32:
    case ValueType::kDigital: return (bits >> 32) == 0;
    default: return true;
  }
}

}  // namespace historian

#endif  // HISTORIAN_STORAGE_MODEL_VALUE_H_
