// File: storage/aggregate/sum_limbs.h
//
// The limbs of an ExactSum: 64-bit words, lowest first, and the place of the lowest. Four are held inline,
// which is what plant data need (a sum two, a sum of squares or an area three), so that copying and clearing
// cost a few stores; more are on the heap.
#ifndef HISTORIAN_STORAGE_AGGREGATE_SUM_LIMBS_H_
#define HISTORIAN_STORAGE_AGGREGATE_SUM_LIMBS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace historian {

class SumLimbs {
 public:
  SumLimbs() = default;
  SumLimbs(const SumLimbs& other) { CopyFrom(other); }
  SumLimbs& operator=(const SumLimbs& other) {
    if (this != &other) {
      Free();
      CopyFrom(other);
    }
    return *this;
  }
  // What was moved from is empty.
  SumLimbs(SumLimbs&& other) noexcept { MoveFrom(other); }
  SumLimbs& operator=(SumLimbs&& other) noexcept {
    if (this != &other) {
      Free();
      MoveFrom(other);
    }
    return *this;
  }
  ~SumLimbs() { Free(); }

  // The lowest limb counts units of 2^(64 * base).
  int base() const { return base_; }
  void set_base(int base) { base_ = base; }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const uint64_t* data() const { return is_inline() ? inline_ : heap_; }
  uint64_t* data() { return is_inline() ? inline_ : heap_; }
  const uint64_t* begin() const { return data(); }
  const uint64_t* end() const { return data() + size_; }
  uint64_t operator[](size_t i) const { return data()[i]; }
  uint64_t& operator[](size_t i) { return data()[i]; }
  uint64_t front() const { return data()[0]; }
  uint64_t back() const { return data()[size_ - 1]; }

  // `limbs` must not be our own.
  void Assign(const uint64_t* limbs, size_t size) {
    if (size > capacity()) Grow(size);
    Copy(limbs, size, data());
    size_ = static_cast<uint16_t>(size);
  }
  void AssignTwo(uint64_t low, uint64_t high, int base) {
    uint64_t* const limbs = data();
    limbs[0] = low;
    limbs[1] = high;
    size_ = 2;
    base_ = base;
  }
  // Cuts the highest limbs off, or adds limbs of `fill` above them.
  void Resize(size_t size, uint64_t fill) {
    if (size > capacity()) Grow(size);
    uint64_t* const limbs = data();
    for (size_t i = size_; i < size; ++i) limbs[i] = fill;
    size_ = static_cast<uint16_t>(size);
  }
  void Clear() { size_ = 0; }
  void PushHighest(uint64_t limb) { Resize(size_ + 1, limb); }
  // These two do not change the base.
  void PushLowestZeros(size_t count) {
    if (size_ + count > capacity()) Grow(size_ + count);
    std::memmove(data() + count, data(), size_ * sizeof(uint64_t));
    std::fill_n(data(), count, 0);
    size_ = static_cast<uint16_t>(size_ + count);
  }
  void DropLowest(size_t count) {
    std::memmove(data(), data() + count, (size_ - count) * sizeof(uint64_t));
    size_ = static_cast<uint16_t>(size_ - count);
  }

  friend bool operator==(const SumLimbs& a, const SumLimbs& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end()) && (a.empty() || a.base_ == b.base_);
  }

 private:
  static constexpr size_t kInline = 4;

  // A few words: not worth a call.
  static void Copy(const uint64_t* from, size_t size, uint64_t* to) {
    for (size_t i = 0; i < size; ++i) to[i] = from[i];
  }
  bool is_inline() const { return heap_capacity_ == 0; }
  size_t capacity() const { return is_inline() ? kInline : heap_capacity_; }

  // Requires size > capacity(). Out of line, as it is rare.
  [[gnu::noinline]] void Grow(size_t size) {
    const size_t more = size + kInline;
    uint64_t* const limbs = new uint64_t[more];
    std::copy_n(data(), size_, limbs);
    Free();
    heap_ = limbs;
    heap_capacity_ = static_cast<uint16_t>(more);
  }
  // These three overwrite everything. The caller must have freed the heap before.
  void CopyFrom(const SumLimbs& other) {
    base_ = other.base_;
    size_ = other.size_;
    heap_capacity_ = 0;
    if (size_ > kInline) {
      const uint16_t size = size_;
      size_ = 0;
      Grow(size);
      size_ = size;
      std::copy_n(other.data(), size, heap_);
    } else {
      Copy(other.data(), size_, inline_);
    }
  }
  void MoveFrom(SumLimbs& other) {
    base_ = other.base_;
    size_ = other.size_;
    heap_capacity_ = other.heap_capacity_;
    if (is_inline()) {
      Copy(other.inline_, size_, inline_);
    } else {
      heap_ = other.heap_;
    }
    other.size_ = 0;
    other.heap_capacity_ = 0;
  }
  void Free() {
    if (!is_inline()) delete[] heap_;
  }

  int32_t base_ = 0;
  uint16_t size_ = 0;
  uint16_t heap_capacity_ = 0;  // Zero: the limbs are inline.
  union {
    uint64_t inline_[kInline];
    uint64_t* heap_;
  };
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_SUM_LIMBS_H_
