// File: storage/format/text_column.h
//
// A column of strings: the distinct ones (shrunk by Zstandard when that is shorter) and an index for each
// sample. Bytes: storage/format/page.md, "Text column".
#ifndef HISTORIAN_STORAGE_FORMAT_TEXT_COLUMN_H_
#define HISTORIAN_STORAGE_FORMAT_TEXT_COLUMN_H_

#include <string>

#include "absl/status/status.h"
#include "storage/format/bytes.h"
#include "storage/format/density.h"
#include "storage/model/samples.h"

namespace historian::format {

// Appends the column of 1 or more strings of at most kStringBytesMax each, distinct ones of at most
// `bytes_max` in all.
void EncodeTexts(const SamplesView& samples, size_t bytes_max, Density density, std::string* out);

// Reads `size` strings: appends the distinct ones to *strings and writes their indexes. DataLoss when damage
// shows or the distinct strings have more than bytes_max in all.
absl::Status DecodeTexts(ByteReader* in, size_t size, size_t bytes_max, ValueBits* indexes,
                         StringColumn* strings);

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_TEXT_COLUMN_H_
