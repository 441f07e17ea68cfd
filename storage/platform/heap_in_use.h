// File: storage/platform/heap_in_use.h
//
// For tests: what the program has on the heap, so that what is counted can be held against it.
#ifndef HISTORIAN_STORAGE_PLATFORM_HEAP_IN_USE_H_
#define HISTORIAN_STORAGE_PLATFORM_HEAP_IN_USE_H_

#include <malloc.h>

#include <cstdint>

namespace historian {

// False where the allocator is not glibc's, and tells nothing.
inline constexpr bool kHeapIsKnown =
#ifdef HISTORIAN_SANITIZED
    false;
#else
    true;
#endif

// Of all threads, in bytes. What threads keep for their next allocations is in it.
inline int64_t HeapInUse() {
  const struct mallinfo2 info = ::mallinfo2();
  return static_cast<int64_t>(info.uordblks + info.hblkhd);
}

// Within 15 %: what is said of memory is as good as that.
inline bool IsAbout(uint64_t counted, int64_t in_use) {
  return static_cast<double>(counted) >= 0.85 * static_cast<double>(in_use) &&
         static_cast<double>(counted) <= 1.15 * static_cast<double>(in_use);
}

}  // namespace historian

#endif  // HISTORIAN_STORAGE_PLATFORM_HEAP_IN_USE_H_
