// File: storage/format/integer_column.h
//
// A column of 64-bit integers, which is what times, decimals, indexes and counts become in the end.
//
//   ramp      v[i] = first + i * step                                 no bytes per value
//   offset    v[i] = base + unit * u[i]                               levels with noise
//   delta     v[i] = v[i-1] + unit * (base + u[i])                    walks and totals
//   line      v[i] = base + unit * (i * step + u[i])                  clocks with jitter
//
// u are packed at one width; the few that need more bits (outliers) keep their high part aside. Or, in the
// dense form, u are entropy-coded (binned.h), and those of delta may be what a prediction leaves
// (prediction.h). `unit` is a common divisor of all differences: times in nanoseconds that are whole
// milliseconds cost what milliseconds cost, and an analog in steps of 0.25 what its count of steps costs. All
// arithmetic wraps around at 64 bits, so every int64 round-trips, and so does every unsigned.
//
// Bytes: storage/format/page.md, "Integer column".
#ifndef HISTORIAN_STORAGE_FORMAT_INTEGER_COLUMN_H_
#define HISTORIAN_STORAGE_FORMAT_INTEGER_COLUMN_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "storage/format/bytes.h"
#include "storage/format/density.h"

namespace historian::format {

// The most bytes that EncodeIntegers writes.
constexpr size_t IntegerColumnBytesMax(size_t size) { return 64 + 9 * size; }

// Writes the column of 1 or more values; returns the end. The nearer the first value to `origin`, the fewer
// bytes; the reader must give the same origin. try_line lets it try a line: times may lie along one, values
// seldom do. kDense takes the dense form if that saves a thirty-second of the column or more: less does not
// pay for decoding at a third of the speed.
uint8_t* EncodeIntegers(const uint64_t* values, size_t size, uint64_t origin, bool try_line, Density density,
                        uint8_t* out);

// Reads `size` values from the front of *in. Errors: DataLoss, the bytes are damaged in a way that shows.
absl::Status DecodeIntegers(ByteReader* in, size_t size, uint64_t origin, uint64_t* values);

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_INTEGER_COLUMN_H_
