#include "storage/sealed/partition_set.h"

#include <algorithm>
#include <utility>

namespace historian {

bool PartitionSet::Contains(int32_t partition) const {
  const auto behind = std::partition_point(stretches_.begin(), stretches_.end(),
                                           [partition](const Stretch& s) { return s.end <= partition; });
  return behind != stretches_.end() && behind->begin <= partition;
}

bool PartitionSet::Intersects(const PartitionSet& other) const {
  auto a = stretches_.begin(), b = other.stretches_.begin();
  while (a != stretches_.end() && b != other.stretches_.end()) {
    if (a->end <= b->begin) {
      ++a;
    } else if (b->end <= a->begin) {
      ++b;
    } else {
      return true;
    }
  }
  return false;
}

void PartitionSet::Add(const PartitionSet& other) {
  std::vector<Stretch> all;
  std::merge(stretches_.begin(), stretches_.end(), other.stretches_.begin(), other.stretches_.end(),
             std::back_inserter(all));
  stretches_.clear();
  for (const Stretch& stretch : all) {
    if (stretches_.empty() || stretches_.back().end < stretch.begin) {
      stretches_.push_back(stretch);
    } else {
      stretches_.back().end = std::max(stretches_.back().end, stretch.end);
    }
  }
}

void PartitionSet::Remove(const PartitionSet& other) {
  for (const Stretch& hole : other.stretches_) {
    std::vector<Stretch> left;
    for (const Stretch& stretch : stretches_) {
      const Stretch before = {stretch.begin, std::min(stretch.end, hole.begin)};
      const Stretch behind = {std::max(stretch.begin, hole.end), stretch.end};
      if (before.begin < before.end) left.push_back(before);
      if (behind.begin < behind.end) left.push_back(behind);
    }
    stretches_ = std::move(left);
  }
}

}  // namespace historian
