// File: storage/platform/freed_memory.h
//
// Allocators keep freed memory for the next allocation. After much was freed at once they are told to give it
// back to the system.
#ifndef HISTORIAN_STORAGE_PLATFORM_FREED_MEMORY_H_
#define HISTORIAN_STORAGE_PLATFORM_FREED_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <deque>

namespace historian {

// Gives whole pages of freed memory back to the system, whichever allocator the program was linked with.
// Takes some milliseconds for each hundred megabytes, in steps between which others can allocate.
// Threads: any.
void ReturnFreedMemory();

// How much of the heap is in use beyond so many bytes; 0 where the allocator does not tell. If what is free would take the
// process beyond them, that is given back first. Takes microseconds otherwise.
// Threads: any.
uint64_t HeapBytesAbove(uint64_t bytes_max);

// Gives back what nobody has needed for a while, so that a peak does not stay. What is used again and again is left: to
// take it anew would cost more than it is worth.
// Threads: one.
class IdleMemory {
 public:
  // To be called every few seconds. Returns how many bytes were given back.
  uint64_t Look();

 private:
  static constexpr size_t kLooks = 5;
  std::deque<uint64_t> free_;  // What was free at the last looks.
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_PLATFORM_FREED_MEMORY_H_
