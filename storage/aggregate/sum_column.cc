#include "storage/aggregate/sum_column.h"

#include <algorithm>
#include <limits>
#include <optional>

namespace historian {

void SumColumn::Append(const ExactSum& sum) {
  if (!wide_.empty()) {
    wide_.push_back(sum);
    return;
  }
  std::optional<__int128> units = sum.Units(base_);
  if (!units.has_value() && ChangeBase(sum.LowestBase())) units = sum.Units(base_);
  if (units.has_value()) {
    units_.push_back(*units);
    return;
  }
  wide_.reserve(units_.size() + 1);
  for (size_t i = 0; i < units_.size(); ++i) wide_.push_back(ExactSum::OfUnits(units_[i], base_));
  wide_.push_back(sum);
  units_ = {};
}

void SumColumn::ShrinkToFit() {
  units_.shrink_to_fit();
  wide_.shrink_to_fit();
}

bool SumColumn::ChangeBase(int base) {
  const bool all_zero = std::all_of(units_.begin(), units_.end(), [](__int128 u) { return u == 0; });
  if (!all_zero) {
    // A finer unit, a whole limb of it, for numbers that leave room for it.
    if (base != base_ - 1) return false;
    constexpr __int128 kMin = std::numeric_limits<int64_t>::min();
    constexpr __int128 kMax = std::numeric_limits<int64_t>::max();
    if (std::any_of(units_.begin(), units_.end(), [](__int128 u) { return u < kMin || u > kMax; })) {
      return false;
    }
    for (__int128& u : units_) u *= __int128{1} << 64;
  }
  base_ = base;
  return true;
}

}  // namespace historian
