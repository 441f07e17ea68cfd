// File: storage/sealed/partition_set.h
//
// A set of partitions, kept as the few stretches it mostly consists of.
#ifndef HISTORIAN_STORAGE_SEALED_PARTITION_SET_H_
#define HISTORIAN_STORAGE_SEALED_PARTITION_SET_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "storage/platform/heap_bytes.h"

namespace historian {

class PartitionSet {
 public:
  // Partitions [begin, end).
  struct Stretch {
    int32_t begin = 0;
    int32_t end = 0;

    friend auto operator<=>(const Stretch&, const Stretch&) = default;
  };

  PartitionSet() = default;
  // Empty when begin >= end.
  PartitionSet(int32_t begin, int32_t end) {
    if (begin < end) stretches_.push_back({begin, end});
  }

  bool empty() const { return stretches_.empty(); }
  bool Contains(int32_t partition) const;
  bool Intersects(const PartitionSet& other) const;
  // One past the last. Requires !empty().
  int32_t end() const { return stretches_.back().end; }
  // Ascending, with a gap between any two.
  const std::vector<Stretch>& stretches() const { return stretches_; }
  // Beside itself.
  size_t MemoryBytes() const { return HeapBytesOf(stretches_); }

  void Add(const PartitionSet& other);
  void Remove(const PartitionSet& other);

  friend auto operator<=>(const PartitionSet&, const PartitionSet&) = default;

 private:
  std::vector<Stretch> stretches_;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_SEALED_PARTITION_SET_H_
