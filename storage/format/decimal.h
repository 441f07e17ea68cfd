// File: storage/format/decimal.h
//
// Floating-point values as decimal integers: what an instrument sends as 20.4 is 204 / 10^1.
//
// The quotient of two integers below 2^51 and 10^15 is correctly rounded, so every decimal of up to 15 digits
// comes back with the very bits that reading its text gives; multiplying by 0.1 would not do that. Whether it
// does is checked for every value when it is encoded; the few that do not become exceptions.
//
// `narrow` is for values that went through float32: the quotient is rounded once more, to float.
// For a float32 tag `bits` are the float's, for a float64 tag the double's.
#ifndef HISTORIAN_STORAGE_FORMAT_DECIMAL_H_
#define HISTORIAN_STORAGE_FORMAT_DECIMAL_H_

#include <cstddef>
#include <cstdint>

namespace historian::format {

inline constexpr int kDecimalsMax = 15;

// Returns the exponent that makes most of the values integers at the least cost, judged by a few of them, or
// -1 if they are not decimals.
int GuessDecimals(const uint64_t* bits, size_t size, bool narrow);

// Writes the mantissas of the values for that exponent. Returns how many values are not exact; their
// mantissas are arbitrary.
size_t ToDecimals(const uint64_t* bits, size_t size, bool narrow, int decimals, uint64_t* mantissas);

// Replaces mantissas with the bits of their values. Any mantissas are safe.
void FromDecimals(bool narrow, int decimals, size_t size, uint64_t* mantissas);

// Returns the exponents that make the value an exact integer: bit e for exponent e, 0 to kDecimalsMax.
uint32_t ExactDecimals(uint64_t bits, bool narrow);

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_DECIMAL_H_
