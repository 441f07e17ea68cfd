// File: storage/tags/byte_shelf.h
//
// Very many short byte strings in memory, one behind the other in blocks, each after its length: a string costs its bytes and
// one to three more.
//
// Threads: one that puts; what is put may be read by any, as long as it is there.
#ifndef HISTORIAN_STORAGE_TAGS_BYTE_SHELF_H_
#define HISTORIAN_STORAGE_TAGS_BYTE_SHELF_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "absl/strings/string_view.h"
#include "storage/model/tag.h"

namespace historian {

// Nothing that was put moves or goes while the shelf lives.
class ByteShelf {
 public:
  const char* Put(absl::string_view bytes);
  static absl::string_view At(const char* put);
  size_t memory_bytes() const { return memory_bytes_; }

 private:
  std::vector<std::unique_ptr<char[]>> blocks_;
  char* next_ = nullptr;
  size_t left_ = 0;
  size_t memory_bytes_ = 0;
};

// What there is of each tag, of which each may be replaced. A block of which less than half is still needed is cleared: what
// is needed goes to the newest block. So at most as much as is needed is wasted, and a replacement moves half a block at
// most.
class TagShelf {
 public:
  // (*places)[id - 1] is where the bytes of the tag stand; null: there are none. The vector must outlive the shelf, which
  // alone changes what it was given places for.
  explicit TagShelf(std::vector<const char*>* places) : places_(*places) {}

  // In the place of what the tag had.
  void Put(TagId id, absl::string_view bytes);
  static absl::string_view At(const char* put) { return ByteShelf::At(put).substr(sizeof(TagId)); }
  size_t memory_bytes() const { return memory_bytes_; }

 private:
  struct Block {
    std::unique_ptr<char[]> bytes;
    size_t size = 0;
    size_t used = 0;
    size_t needed = 0;  // Of used.
  };
  using Blocks = std::map<const char*, Block>;  // By where they begin.

  void Place(TagId id, absl::string_view bytes);
  // Notes the block if it is to be cleared.
  void Judge(const char* begin, const Block& block);
  // Moves what is needed of it, and lets it go.
  void Clear(Blocks::iterator block);

  std::vector<const char*>& places_;
  Blocks blocks_;
  const char* newest_ = nullptr;  // The block that takes the next.
  std::vector<const char*> to_clear_;
  size_t memory_bytes_ = 0;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_TAGS_BYTE_SHELF_H_
