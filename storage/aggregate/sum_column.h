// File: storage/aggregate/sum_column.h
//
// Many ExactSums in little memory: sums of one tag's samples are mostly whole numbers of one unit that fit
// sixteen bytes; where one is not, all are kept as they are.
#ifndef HISTORIAN_STORAGE_AGGREGATE_SUM_COLUMN_H_
#define HISTORIAN_STORAGE_AGGREGATE_SUM_COLUMN_H_

#include <cstddef>
#include <vector>

#include "storage/aggregate/exact_sum.h"

namespace historian {

class SumColumn {
 public:
  void Append(const ExactSum& sum);
  // Returns the i-th sum, as it was appended.
  ExactSum Get(size_t i) const { return wide_.empty() ? ExactSum::OfUnits(units_[i], base_) : wide_[i]; }
  // The same, into *sum, which must be zero.
  void Get(size_t i, ExactSum* sum) const {
    if (wide_.empty()) {
      sum->AddScaled(units_[i], 64 * base_);
    } else {
      *sum = wide_[i];
    }
  }

  bool empty() const { return units_.empty() && wide_.empty(); }
  void ShrinkToFit();
  size_t MemoryBytes() const {
    return units_.capacity() * sizeof(units_[0]) + wide_.capacity() * sizeof(ExactSum);
  }

 private:
  // Counts all sums in the unit of `base`; false, and no change, if that is not possible.
  bool ChangeBase(int base);

  int base_ = 0;
  std::vector<__int128> units_;  // Of 2^(64 * base_).
  std::vector<ExactSum> wide_;   // Instead, when not empty.
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_SUM_COLUMN_H_
