// File: storage/format/encode_hint.h
#ifndef HISTORIAN_STORAGE_FORMAT_ENCODE_HINT_H_
#define HISTORIAN_STORAGE_FORMAT_ENCODE_HINT_H_

#include <cstdint>

namespace historian::format {

// What was learned from one page of a tag for the next: keep one for each tag and pass it to EncodePage. It
// saves time, mostly on small pages. It never changes a sample, but may change a few bytes of the encoding.
// Two bytes.
struct EncodeHint {
  static constexpr int8_t kUnknown = -1;
  static constexpr int8_t kNoDecimals = -2;
  int8_t decimals = kUnknown;  // Decimal places of the values, 0 to 15.
  bool narrow = false;         // float64 tag whose values went through float32.
};

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_ENCODE_HINT_H_
