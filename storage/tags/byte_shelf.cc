#include "storage/tags/byte_shelf.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "storage/format/bytes.h"
#include "storage/platform/heap_bytes.h"

namespace historian {
namespace {

constexpr size_t kBlock = size_t{64} << 10;
// What is longer has a block of its own, so that no block ends with much of it unused.
constexpr size_t kOwnBlock = kBlock / 8;

// Writes length and bytes, and returns the end.
char* Write(absl::string_view bytes, char* to) {
  char* const begin =
      reinterpret_cast<char*>(format::PutVarint(reinterpret_cast<uint8_t*>(to), bytes.size()));
  return std::copy(bytes.begin(), bytes.end(), begin);
}

size_t SizeWithLength(size_t bytes) {
  size_t size = bytes + 1;
  for (size_t rest = bytes >> 7; rest > 0; rest >>= 7) ++size;
  return size;
}

}  // namespace

const char* ByteShelf::Put(absl::string_view bytes) {
  const size_t size = SizeWithLength(bytes.size());
  if (size > left_ && size > kOwnBlock) {
    char* const own = blocks_.emplace_back(new char[size]).get();
    memory_bytes_ += HeapBytes(size) + sizeof(blocks_[0]);
    Write(bytes, own);
    return own;
  }
  if (size > left_) {
    next_ = blocks_.emplace_back(new char[kBlock]).get();
    left_ = kBlock;
    memory_bytes_ += HeapBytes(kBlock) + sizeof(blocks_[0]);
  }
  char* const put = std::exchange(next_, Write(bytes, next_));
  left_ -= size;
  return put;
}

absl::string_view ByteShelf::At(const char* put) {
  size_t size = 0;
  unsigned shift = 0;
  for (; (*put & 0x80) != 0; shift += 7) size |= static_cast<size_t>(*put++ & 0x7F) << shift;
  size |= static_cast<size_t>(*put++) << shift;
  return {put, size};
}

void TagShelf::Put(TagId id, absl::string_view bytes) {
  if (const char* const old = places_[id - 1]; old != nullptr) {
    const auto block = std::prev(blocks_.upper_bound(old));
    block->second.needed -= SizeWithLength(ByteShelf::At(old).size());
    places_[id - 1] = nullptr;
    Judge(block->first, block->second);
  }
  Place(id, bytes);
  while (!to_clear_.empty()) {
    const auto block = blocks_.find(to_clear_.back());
    to_clear_.pop_back();
    if (block != blocks_.end() && block->first != newest_) Clear(block);
  }
}

void TagShelf::Place(TagId id, absl::string_view bytes) {
  const size_t content = sizeof(id) + bytes.size(), size = SizeWithLength(content);
  const auto take = [this](size_t block_size) {
    auto block = std::make_unique<char[]>(block_size);
    const char* const begin = block.get();
    blocks_[begin] = {.bytes = std::move(block), .size = block_size};
    memory_bytes_ += HeapBytes(block_size) + MapEntryBytes<Blocks>();
    return begin;
  };
  const char* to = newest_;
  if (size > kOwnBlock) {
    to = take(size);
  } else if (newest_ == nullptr || blocks_[newest_].size - blocks_[newest_].used < size) {
    to = take(kBlock);
    if (const char* const full = std::exchange(newest_, to); full != nullptr) Judge(full, blocks_[full]);
  }
  Block& block = blocks_[to];
  char* const put = block.bytes.get() + block.used;
  char* at = reinterpret_cast<char*>(format::PutVarint(reinterpret_cast<uint8_t*>(put), content));
  std::memcpy(at, &id, sizeof(id));
  std::copy(bytes.begin(), bytes.end(), at + sizeof(id));
  block.used += size;
  block.needed += size;
  places_[id - 1] = put;
}

void TagShelf::Judge(const char* begin, const Block& block) {
  if (begin != newest_ && block.needed * 2 < block.used) to_clear_.push_back(begin);
}

void TagShelf::Clear(Blocks::iterator block) {
  // It stays until all of it is copied: newer blocks come, and none goes.
  const char* const end = block->first + block->second.used;
  for (const char* at = block->first; at < end;) {
    const absl::string_view content = ByteShelf::At(at);
    TagId id;
    std::memcpy(&id, content.data(), sizeof(id));
    if (places_[id - 1] == at) Place(id, content.substr(sizeof(id)));
    at = content.data() + content.size();
  }
  memory_bytes_ -= HeapBytes(block->second.size) + MapEntryBytes<Blocks>();
  blocks_.erase(block);
}

}  // namespace historian
