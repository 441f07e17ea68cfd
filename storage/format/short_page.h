// File: storage/format/short_page.h
//
// A page of few samples that is soon forgotten; the journal has one for most columns. It takes one pass over
// times and values, a few more over times with gaps, searches for nothing and compares no encodings. So it
// costs a tenth of a page (page.h) and is a little larger. Bytes: storage/format/short_page.md.
//
// As with a page, whoever stores the bytes checks them; decoding damaged ones is safe.
#ifndef HISTORIAN_STORAGE_FORMAT_SHORT_PAGE_H_
#define HISTORIAN_STORAGE_FORMAT_SHORT_PAGE_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "storage/format/encode_hint.h"
#include "storage/model/samples.h"

namespace historian::format {

inline constexpr size_t kShortPageSamplesMax = 128;
// The most bytes that a short page has.
inline constexpr size_t kShortPageBytesMax = 64 + 16 * kShortPageSamplesMax;

// Writes the samples to `out` and returns the end, or null if they do not suit: they are more than
// kShortPageSamplesMax, strings, not all Good, far apart in time, or floats that are not all decimals of
// hint.decimals places (EncodePage finds out how many those are). Else it requires what EncodePage does.
// `origin` may be any time; the nearer, the fewer bytes.
uint8_t* EncodeShortPage(ValueType type, const SamplesView& samples, Timestamp origin, EncodeHint hint,
                         uint8_t* out);

// Appends the samples to *out. `origin` must be that of encoding.
// Errors: DataLoss, the bytes are not a short page. Then *out does not change.
absl::Status DecodeShortPage(ValueType type, absl::string_view bytes, Timestamp origin, Samples* out);

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_SHORT_PAGE_H_
