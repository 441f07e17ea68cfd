// File: storage/format/nearness.h
//
// Doubles that would be simple numbers if a program had not changed them a little: a sum of decimals is a few
// units in the last place off (51.846000000000004), a float32 was printed with some number of digits and
// read as a double (5.31133604049682). The simple number, how it was printed, and how many units the double
// is off take much less room than its bits.
//
// Distances are between bit patterns, as integers, modulo 2^64: any double has a distance from any other.
#ifndef HISTORIAN_STORAGE_FORMAT_NEARNESS_H_
#define HISTORIAN_STORAGE_FORMAT_NEARNESS_H_

#include <cstddef>
#include <cstdint>

namespace historian::format {

// What was done to a number before it became what it is.
struct Printing {
  enum Form : uint8_t {  // DO NOT CHANGE THESE VALUES: stored.
    kAsIs = 0,
    kDecimals = 1,   // Rounded to `digits` decimal places, 0 to 15.
    kRounded = 2,    // Rounded to `digits` significant digits, 1 to 17.
    kTruncated = 3,  // Cut off after `digits` significant digits.
  };
  Form form = kAsIs;
  uint8_t digits = 0;

  bool IsValid() const {
    return form == kAsIs       ? digits == 0
           : form == kDecimals ? digits <= 15
                               : form <= 3 && digits >= 1 && digits <= 17;
  }
};

// Replaces doubles by what printing and reading makes of them: x by round(x 10^k) / 10^k, or trunc, in double
// precision and to nearest even, with k from the digits and the magnitude. Numbers stay as they are if they
// are not finite, or if k would be negative or above 22, the largest exact power.
void Print(Printing printing, size_t size, uint64_t* bits);

// Returns the decimal places that bring most values within a few units of a decimal, or -1. Judged by some of
// the values.
int GuessNearDecimals(const uint64_t* bits, size_t size);

// Returns true if most values are near a printed float32, and sets how those were printed. Judged by some of
// the values.
bool GuessPrintedNarrow(const uint64_t* bits, size_t size, Printing* printing);

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_NEARNESS_H_
