// File: storage/format/scratch.h
//
// Memory for encoding and decoding one column, kept by each thread for the next one: nothing is allocated
// once a thread has seen its largest page. A page of the usual size needs about 50 KB.
#ifndef HISTORIAN_STORAGE_FORMAT_SCRATCH_H_
#define HISTORIAN_STORAGE_FORMAT_SCRATCH_H_

#include <cstddef>
#include <cstdint>
#include <memory>

namespace historian::format {

// A growing array that is not cleared and does not keep its contents when it grows.
template <typename T>
class ScratchArray {
 public:
  T* Get(size_t size) {
    if (size > size_) {
      data_.reset(new T[size]);  // Not value-initialised.
      size_ = size;
    }
    return data_.get();
  }

 private:
  std::unique_ptr<T[]> data_;
  size_t size_ = 0;
};

// `Owner` is any type of the calling file; `kSlot` tells apart arrays that are in use at the same time.
template <typename Owner, int kSlot, typename T>
T* ThreadScratch(size_t size) {
  static thread_local ScratchArray<T> array;
  return array.Get(size);
}

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_SCRATCH_H_
