// File: storage/format/binned.h
//
// Integers by how often they occur: each is a bin, a range of 2^width numbers, and an offset in it. Frequent
// numbers have a bin each and cost no offset, rare ones share wide bins. Bins are entropy-coded (tANS: table
// asymmetric numeral systems, Duda, arXiv:1311.2540), so that a bin of probability p costs log2(1/p) bits,
// fractions included. Four states take turns, so that one value need not wait for the one before.
//
// What is left over by a prediction (integer_column.h) is what it is for: a bell around 0 with a few strays.
// Bytes: storage/format/page.md, "Binned integers". Why so: docs/decisions/2026-11-23-entropy-coding.md.
#ifndef HISTORIAN_STORAGE_FORMAT_BINNED_H_
#define HISTORIAN_STORAGE_FORMAT_BINNED_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "storage/format/bytes.h"

namespace historian::format {

inline constexpr size_t kBinsMax = 64;

// The numbers `lower` to lower + 2^width - 1, seen as signed.
struct Bin {
  uint64_t lower = 0;
  uint8_t width = 0;     // 0 to 64.
  int8_t frequency = 0;  // In half octaves, compared with the other bins of the column.
};

struct BinPlan {
  size_t count = 0;
  unsigned table_bits = 0;  // The states of the coder: 2^table_bits.
  Bin bins[kBinsMax];       // In ascending order of lower.
  size_t bytes = 0;         // What PutBinned will take, within some bytes.
};

// Chooses the bins for 1 to kBinnedSizeMax values.
inline constexpr size_t kBinnedSizeMax = 65536;
BinPlan PlanBins(const uint64_t* values, size_t size);

// The most bytes that PutBinned writes.
constexpr size_t BinnedBytesMax(size_t size) { return 2048 + 10 * size; }

// Writes the values that the plan was made for; returns the end.
uint8_t* PutBinned(const uint64_t* values, size_t size, const BinPlan& plan, uint8_t* out);

// Reads `size` values, 1 or more. Errors: DataLoss, the bytes are damaged in a way that shows.
absl::Status GetBinned(ByteReader* in, size_t size, uint64_t* values);

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_BINNED_H_
