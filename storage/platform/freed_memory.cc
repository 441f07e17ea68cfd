#include "storage/platform/freed_memory.h"

#include <malloc.h>

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

}  // namespace

void ReturnFreedMemory() {
  if (MallocExtension_ReleaseToSystem == nullptr || MallocExtension_GetNumericProperty == nullptr) {
    ::malloc_trim(0);
    return;
  }
  // A step that releases more than asked for has the next ones release less.
  const size_t freed = FreedBytes();
  for (size_t released = 0; released < freed; released += kStepBytes)
    MallocExtension_ReleaseToSystem(kStepBytes);
}

}  // namespace historian
