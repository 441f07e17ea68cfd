// File: storage/format/value_column.h
//
// A column of values of one type but string (and of quality codes, which are stored as digital values):
// constant, runs, decimals, float32 in float64, dictionary, integers or raw, whichever is smallest.
// Bytes: storage/format/page.md, "Value column".
#ifndef HISTORIAN_STORAGE_FORMAT_VALUE_COLUMN_H_
#define HISTORIAN_STORAGE_FORMAT_VALUE_COLUMN_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "storage/format/bytes.h"
#include "storage/format/density.h"
#include "storage/format/encode_hint.h"
#include "storage/model/value.h"

namespace historian::format {

// The most bytes that EncodeValues writes.
constexpr size_t ValueColumnBytesMax(size_t size) { return 512 + 24 * size; }

// Writes the column of 1 or more canonical values; returns the end.
uint8_t* EncodeValues(ValueType type, const ValueBits* values, size_t size, EncodeHint* hint, Density density,
                      uint8_t* out);

// Reads `size` canonical values. Errors: DataLoss, the bytes are damaged in a way that shows.
absl::Status DecodeValues(ValueType type, ByteReader* in, size_t size, ValueBits* values);

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_VALUE_COLUMN_H_
