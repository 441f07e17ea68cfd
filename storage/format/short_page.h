// File: storage/format/short_page.h
//
// A page of few samples that is soon forgotten: what the journal has of most columns. One pass over times and
// values, a few more over times with gaps; nothing searched for and no encodings compared, so it costs a
// tenth of a page (page.h) and is a little larger. Bytes: storage/format/short_page.md.
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
// Room that any short page fits in.
inline constexpr size_t kShortPageBytesMax = 64 + 16 * kShortPageSamplesMax;

// Writes the samples to out and returns the end; null when they do not suit: more than kShortPageSamplesMax,
// strings, not all Good, times far apart, floats that are not all decimals of hint.decimals places
// (EncodePage finds out how many those are). Else requires what EncodePage does. `origin`: any time; the
// nearer, the fewer bytes.
uint8_t* EncodeShortPage(ValueType type, const SamplesView& samples, Timestamp origin, EncodeHint hint,
                         uint8_t* out);

// Appends the samples to *out; origin as at encoding. DataLoss when the bytes are no short page; *out is
// unchanged then.
absl::Status DecodeShortPage(ValueType type, absl::string_view bytes, Timestamp origin, Samples* out);

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_SHORT_PAGE_H_
