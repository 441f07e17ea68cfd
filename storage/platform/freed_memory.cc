#include "storage/platform/freed_memory.h"

#include <malloc.h>

#include <algorithm>
#include <cstddef>

// Of gperftools, where the program is linked with its allocator; else null.
extern "C" {
[[gnu::weak]] int MallocExtension_GetNumericProperty(const char* property, size_t* value);
[[gnu::weak]] void MallocExtension_ReleaseToSystem(size_t bytes);
}

namespace historian {
namespace {

// It allocates nothing for others while it gives back so much.
constexpr size_t kStepBytes = size_t{16} << 20;

size_t FreedBytes() {
  size_t bytes = 0;
  return MallocExtension_GetNumericProperty("tcmalloc.pageheap_free_bytes", &bytes) != 0 ? bytes : 0;
}

// So much is kept for the next allocations, and it is not worth the trouble to give back less than as much.
constexpr uint64_t kKeptBytes = uint64_t{16} << 20;

// Of what the allocator keeps. A step that releases more than asked for has the next ones release less.
void Release(uint64_t bytes) {
  for (uint64_t released = 0; released < bytes; released += kStepBytes) {
    MallocExtension_ReleaseToSystem(std::min<uint64_t>(kStepBytes, bytes - released));
  }
}

bool HasExtension() {
  return MallocExtension_ReleaseToSystem != nullptr && MallocExtension_GetNumericProperty != nullptr;
}

}  // namespace

uint64_t IdleMemory::Look() {
  if (!HasExtension()) return 0;
  free_.push_back(FreedBytes());
  if (free_.size() < kLooks) return 0;
  if (free_.size() > kLooks) free_.pop_front();
  const uint64_t idle = *std::min_element(free_.begin(), free_.end());
  if (idle < 2 * kKeptBytes) return 0;
  const uint64_t given = idle - kKeptBytes;
  Release(given);
  free_.clear();
  return given;
}

uint64_t HeapBytesAbove(uint64_t bytes_max) {
  size_t used = 0;
  if (!HasExtension() || MallocExtension_GetNumericProperty("generic.current_allocated_bytes", &used) == 0)
    return 0;
  if (const size_t free = FreedBytes(); used + free > bytes_max && free > kKeptBytes)
    Release(free - kKeptBytes);
  return used > bytes_max ? used - bytes_max : 0;
}

void ReturnFreedMemory() {
  if (HasExtension()) {
    Release(FreedBytes());
  } else {
    ::malloc_trim(0);
  }
}

}  // namespace historian
