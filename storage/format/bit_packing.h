// File: storage/format/bit_packing.h
//
// Packs unsigned integers into `width` bits each.
//
// Runs of 256 values are laid out for vector registers: 8 lanes, lane l holding values l, l + 8, l + 16 ...
// as one string of 32 x width bits in 32-bit words, and word k of all lanes side by side. What is left over
// is one string of bits. Widths above 32 are the low halves of all values, then the high ones.
//
// Bytes: storage/format/page.md, "Packed integers".
#ifndef HISTORIAN_STORAGE_FORMAT_BIT_PACKING_H_
#define HISTORIAN_STORAGE_FORMAT_BIT_PACKING_H_

#include <cstddef>
#include <cstdint>

#include "absl/functional/function_ref.h"

namespace historian::format {

inline constexpr size_t kPackedRun = 256;

// Returns the bytes that `size` values take, each of 0 to 64 bits.
constexpr size_t PackedBytes(size_t size, unsigned width) {
  if (width > 32) return PackedBytes(size, 32) + PackedBytes(size, width - 32);
  return size / kPackedRun * 32 * width + (size % kPackedRun * width + 7) / 8;
}

// Writes the low `width` bits of each value to out, PackedBytes(size, width) bytes.
void PackBits(const uint64_t* values, size_t size, unsigned width, uint8_t* out);

// Reads them back from PackedBytes(size, width) bytes.
void UnpackBits(const uint8_t* in, size_t size, unsigned width, uint64_t* values);

// Calls f(i), in order, for each value of 2^width or more; width is 0 to 63. Fast if there are few.
void ForEachWider(const uint64_t* values, size_t size, unsigned width, absl::FunctionRef<void(size_t)> f);

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_BIT_PACKING_H_
