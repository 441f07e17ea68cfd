// File: storage/format/page.h
//
// A page: a run of up to kPageSamplesMax samples of one tag, in columns (times, values, qualities), each in
// the cheapest of a few exact encodings, chosen by its measured size. What a journal record, an open tail and
// a sealed block are made of. Bytes: storage/format/page.md.
//
// A page does not check its own bytes: whoever stores it does (block.h, journal). Decoding damaged bytes is
// safe all the same: it gives DataLoss or wrong samples, never a crash, an endless loop or more than
// kPageSamplesMax samples and kPageBytesMax of memory.
#ifndef HISTORIAN_STORAGE_FORMAT_PAGE_H_
#define HISTORIAN_STORAGE_FORMAT_PAGE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/format/density.h"
#include "storage/format/encode_hint.h"
#include "storage/model/samples.h"

namespace historian::format {

// Samples of a full page. A thousand: decoding one costs about a microsecond, which is what a query pays at
// each edge of an interval, and its summary adds less than a tenth of a byte to a sample.
inline constexpr size_t kPageSamples = 1024;
// What a page may hold at most (a journal record may carry a longer run than a block's page).
inline constexpr size_t kPageSamplesMax = 65536;

// The distinct strings of one page together, so that a damaged page cannot ask for more memory.
inline constexpr size_t kPageBytesMax = 64 * 1024 * 1024;

// Appends the page of `samples` to *out. Requires 1 to kPageSamplesMax samples, times strictly ascending,
// values canonical (IsCanonical), qualities known (IsKnownQuality), strings at most kStringBytesMax, distinct
// ones at most kPageBytesMax together (any kPageSamples strings are). Any number of samples is encoded well,
// 1 included. A hint kept for each tag saves time; null is fine.
//
// kDense takes, column by column, the dense form where that saves at least 3 % of the column: for pages that
// are written once more when they are cold.
void EncodePage(ValueType type, const SamplesView& samples, std::string* out, EncodeHint* hint = nullptr,
                Density density = Density::kFast);

// Reads a page column by column: a caller that needs no values decodes none.
// The bytes must outlive the reader.
class PageReader {
 public:
  // DataLoss when the bytes are no page.
  static absl::StatusOr<PageReader> Open(ValueType type, absl::string_view bytes);

  size_t size() const { return size_; }
  bool all_good() const { return all_good_; }

  // Each writes size() elements. DataLoss when the column is damaged.
  absl::Status ReadTimes(Timestamp* times) const;
  // For strings, indexes into *strings, which is appended to; else strings is not touched and may be null.
  absl::Status ReadValues(ValueBits* values, StringColumn* strings) const;
  absl::Status ReadQualities(Quality* qualities) const;

 private:
  PageReader() = default;

  ValueType type_ = ValueType::kFloat64;
  size_t size_ = 0;
  bool all_good_ = true;
  absl::string_view times_;
  absl::string_view values_;
  absl::string_view qualities_;
};

// Appends the page's samples to *out; on an error *out has the samples it had.
absl::Status DecodePage(ValueType type, absl::string_view bytes, Samples* out);

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_PAGE_H_
