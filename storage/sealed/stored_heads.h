// File: storage/sealed/stored_heads.h
//
// The heads of the blocks that a tag has in a week, decoded.
#ifndef HISTORIAN_STORAGE_SEALED_STORED_HEADS_H_
#define HISTORIAN_STORAGE_SEALED_STORED_HEADS_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "storage/format/block.h"
#include "storage/format/key.h"

namespace historian {

struct StoredHead {
  format::BlockId id;
  format::BlockHead head;  // Of a long partition's block only the pages that reach into the week are held.
  size_t head_bytes = 0;   // As stored.
  // The index in the block of the first page that is held; and the head as stored when there are others, else empty.
  size_t first_page = 0;
  std::string whole;

  bool has_all_pages() const { return whole.empty(); }
};

// What a page that reaches out of the week has in it: the times of the first and the last of these samples.
struct PagePart {
  Timestamp first = 0;
  Timestamp last = 0;
};

struct StoredHeads {
  // Those of the long partition, then those of the week, each in order of seals: later statements come later.
  std::vector<StoredHead> heads;
  // By head and page, of pages that reach out of the week. Missing: it has nothing in the week, or cannot be read.
  absl::flat_hash_map<std::pair<size_t, size_t>, PagePart> parts;
  absl::Status damage;  // DataLoss when a head could not be read: which tag, which time. The others are here.
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_SEALED_STORED_HEADS_H_
