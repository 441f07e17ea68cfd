// File: storage/sealed/head_walk.h
//
// The heads of a partition's blocks, decoded, in order of their keys: by tag, then time, then seal.
//
// Threads: one at a time. The store must outlive the walk, which sees the state at its beginning.
#ifndef HISTORIAN_STORAGE_SEALED_HEAD_WALK_H_
#define HISTORIAN_STORAGE_SEALED_HEAD_WALK_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/kv/store.h"
#include "storage/sealed/stored_heads.h"

namespace historian {

class HeadWalk {
 public:
  // Blocks with seal_min <= seal number < seal_end.
  HeadWalk(kv::Store& store, int32_t partition, uint64_t seal_min, uint64_t seal_end);

  // Goes to the next head; false at the end. DataLoss: it is damaged; names tag and time. *bytes, as stored,
  // are valid until the next call.
  absl::StatusOr<bool> Next(StoredHead* head, absl::string_view* bytes = nullptr);

 private:
  const std::unique_ptr<kv::Cursor> cursor_;
  const std::string end_;
  const uint64_t seal_min_;
  const uint64_t seal_end_;
  bool fresh_ = true;  // The cursor's place was not handed out yet.
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_SEALED_HEAD_WALK_H_
