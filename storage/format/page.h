// File: storage/format/page.h
//
// A page: a run of up to kPageSamplesMax samples of one tag, in columns (times, values, qualities), each in
// the cheapest of a few exact encodings, chosen by its measured size. Journal records, open tails and sealed
// blocks are made of pages. Bytes: storage/format/page.md.
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
// The most samples that a page may hold. A journal record may carry a longer run than a block's page.
inline constexpr size_t kPageSamplesMax = 65536;

// The most bytes of distinct strings in one page, so that a damaged page cannot ask for more memory.
inline constexpr size_t kPageBytesMax = 64 * 1024 * 1024;

// Appends the page of `samples` to *out. Requires 1 to kPageSamplesMax samples, times strictly ascending,
// values canonical (IsCanonical), qualities known (IsKnownQuality), strings at most kStringBytesMax, distinct
// ones at most kPageBytesMax together (any kPageSamples strings are). Encodes any number of samples well,
// even 1. A hint that is kept for each tag saves time; it may be null.
//
// kDense takes the dense form of each column for which that saves at least 3 %. It is meant for pages that
// are written once more when they are cold.
void EncodePage(ValueType type, const SamplesView& samples, std::string* out, EncodeHint* hint = nullptr,
                Density density = Density::kFast);

// Reads a page column by column: a caller that does not need the values does not decode them.
// The bytes must outlive the reader.
class PageReader {
 public:
  // Errors: DataLoss, the bytes are not a page.
  static absl::StatusOr<PageReader> Open(ValueType type, absl::string_view bytes);

  size_t size() const { return size_; }
  bool all_good() const { return all_good_; }

  // Each writes size() elements. Errors: DataLoss, the column is damaged.
  absl::Status ReadTimes(Timestamp* times) const;
  // For strings it appends the texts to *strings and writes their indexes; else `strings` may be null.
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

// Appends the page's samples to *out, which does not change on an error.
absl::Status DecodePage(ValueType type, absl::string_view bytes, Samples* out);

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_PAGE_H_
