// File: storage/format/scale.h
//
// Values that are a converter's counts on a linear scale:
//
//   count x 0.0054      count / 184.32      4 + count x 16 / 4095
//
// Their steps are equal though they are not decimals; the scale and the counts are much shorter than the
// bits.
//
// `narrow` is for float32: the value is computed as a double and rounded once more.
#ifndef HISTORIAN_STORAGE_FORMAT_SCALE_H_
#define HISTORIAN_STORAGE_FORMAT_SCALE_H_

#include <cstddef>
#include <cstdint>

namespace historian::format {

// value = offset + count x factor, or offset + count / factor, each operation rounded to a double. Counts are
// below 2^51.
struct Scale {
  double factor = 1;
  double offset = 0;
  bool divides = false;
};

// Finds a scale on which some of the values lie, to within a few units in the last place. Returns false if
// there is no such scale. ToCounts and FromCounts show whether all values lie on it.
bool FindScale(const uint64_t* bits, size_t size, bool narrow, Scale* scale);

// Writes the nearest count of each value, or 0 if it has none.
void ToCounts(const Scale& scale, bool narrow, const uint64_t* bits, size_t size, uint64_t* counts);

// Replaces counts with the bits of their values. Any counts are safe.
void FromCounts(const Scale& scale, bool narrow, size_t size, uint64_t* counts);

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_SCALE_H_
