// File: storage/format/sum_column.h
//
// A column of exact sums, one for each page of a block.
//
// Sums of decimals are not decimals: 0.1 as a double is a little more, and an exact sum keeps what the
// thousand little errors add up to. Written out, a sum has 64 bits and one of squares 115. But the decimal
// sum is a small integer, and what is left beside it is small too, so both together take half the room:
//
//   sum = round(quotient * numerator / denominator, in units of 2^exponent) + rest
//
// Bytes: storage/format/block.md, "Sum column".
#ifndef HISTORIAN_STORAGE_FORMAT_SUM_COLUMN_H_
#define HISTORIAN_STORAGE_FORMAT_SUM_COLUMN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "storage/aggregate/exact_sum.h"
#include "storage/format/bytes.h"

namespace historian::format {

// The fraction of which the sums are likely to be whole multiples. A denominator of 0: not known. Writer and
// reader must use the same.
struct Granularity {
  uint64_t numerator = 1;
  uint64_t denominator = 0;
};

// Appends the column of 1 or more sums.
void EncodeSums(const std::vector<const ExactSum*>& sums, const Granularity& granularity, std::string* out);

// Reads as many sums as there are pointers. Errors: DataLoss, the bytes are damaged in a way that shows.
absl::Status DecodeSums(ByteReader* in, const Granularity& granularity, const std::vector<ExactSum*>& sums);

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_SUM_COLUMN_H_
