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

// Appends the column of 1 or more strings. Requires at most kStringBytesMax bytes in each, and at most
// `bytes_max` in all distinct ones together.
void EncodeTexts(const SamplesView& samples, size_t bytes_max, Density density, std::string* out);

// Reads `size` strings: appends the distinct ones to *strings and writes their indexes. Errors: DataLoss,
// the bytes are damaged in a way that shows, or the distinct strings have more than `bytes_max` together.
absl::Status DecodeTexts(ByteReader* in, size_t size, size_t bytes_max, ValueBits* indexes,
                         StringColumn* strings);

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_TEXT_COLUMN_H_
