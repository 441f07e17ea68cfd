// File: storage/platform/heap_bytes.h
//
// What the heap takes for what is allocated on it.
#ifndef HISTORIAN_STORAGE_PLATFORM_HEAP_BYTES_H_
#define HISTORIAN_STORAGE_PLATFORM_HEAP_BYTES_H_

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

namespace historian {

// Of one allocation. glibc takes a word more and rounds up to 16 bytes, 32 at least; the size classes of tcmalloc give away
// as much for small ones, and an eighth at most for large ones.
constexpr size_t HeapBytes(size_t bytes) {
  return bytes == 0 ? 0 : std::max<size_t>(32, (bytes + sizeof(void*) + 15) / 16 * 16);
}

// Of what a string or a vector has beside itself; elements that allocate are not looked into.
inline size_t HeapBytesOf(const std::string& text) {
  static const size_t kInPlace = std::string().capacity();
  return text.capacity() <= kInPlace ? 0 : HeapBytes(text.capacity() + 1);
}
template <typename T>
size_t HeapBytesOf(const std::vector<T>& items) {
  return HeapBytes(items.capacity() * sizeof(T));
}

// Of a std::map's entry: three pointers and a colour stand before it.
template <typename Map>
constexpr size_t MapEntryBytes() {
  return HeapBytes(4 * sizeof(void*) + sizeof(typename Map::value_type));
}

// Of an absl::flat_hash_map or flat_hash_set: places, and a byte for each.
template <typename Table>
size_t TableBytes(const Table& table) {
  return HeapBytes(table.capacity() * (sizeof(typename Table::value_type) + 1));
}

}  // namespace historian

#endif  // HISTORIAN_STORAGE_PLATFORM_HEAP_BYTES_H_
