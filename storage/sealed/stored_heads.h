// File: storage/sealed/stored_heads.h
//
// The heads of the blocks that a tag has in a partition, decoded.
#ifndef HISTORIAN_STORAGE_SEALED_STORED_HEADS_H_
#define HISTORIAN_STORAGE_SEALED_STORED_HEADS_H_

#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "storage/format/block.h"
#include "storage/format/key.h"

namespace historian {

struct StoredHead {
  format::BlockId id;
  format::BlockHead head;
  size_t head_bytes = 0;  // As stored.
};

struct StoredHeads {
  std::vector<StoredHead> heads;  // In order of seals, oldest first.
  absl::Status damage;  // DataLoss when a head could not be read: which tag, which time. The others are here.
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_SEALED_STORED_HEADS_H_
