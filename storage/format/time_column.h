// File: storage/format/time_column.h
//
// A column of rising times: the first, shortened by a power of ten, then an integer column that begins at it.
// A clock costs no bytes per sample, one with jitter its jitter, anything else its differences.
// Bytes: storage/format/page.md, "Time column".
#ifndef HISTORIAN_STORAGE_FORMAT_TIME_COLUMN_H_
#define HISTORIAN_STORAGE_FORMAT_TIME_COLUMN_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "storage/format/bytes.h"
#include "storage/format/density.h"
#include "storage/format/integer_column.h"
#include "storage/model/timestamp.h"

namespace historian::format {

// The most bytes that EncodeTimes writes.
constexpr size_t TimeColumnBytesMax(size_t size) { return kScaledBytesMax + IntegerColumnBytesMax(size); }

// Writes a single time, in 5 bytes for whole seconds to 9 for nanoseconds; returns the end.
uint8_t* EncodeTime(Timestamp time, uint8_t* out);
bool DecodeTime(ByteReader* in, Timestamp* time);

// Writes 1 or more strictly ascending times; returns the end.
uint8_t* EncodeTimes(const Timestamp* times, size_t size, Density density, uint8_t* out);

// Reads `size` strictly ascending times. Errors: DataLoss, the bytes are damaged in a way that shows.
absl::Status DecodeTimes(ByteReader* in, size_t size, Timestamp* times);

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_TIME_COLUMN_H_
