// File: storage/platform/freed_memory.h
//
// Allocators keep freed memory for the next allocation. After much was freed at once they are told to give it
// back to the system.
#ifndef HISTORIAN_STORAGE_PLATFORM_FREED_MEMORY_H_
#define HISTORIAN_STORAGE_PLATFORM_FREED_MEMORY_H_

namespace historian {

// Gives whole pages of freed memory back to the system, whichever allocator the program was linked with.
// Takes some milliseconds for each hundred megabytes, in steps between which others can allocate.
// Threads: any.
void ReturnFreedMemory();

}  // namespace historian

#endif  // HISTORIAN_STORAGE_PLATFORM_FREED_MEMORY_H_
