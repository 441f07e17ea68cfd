// File: storage/upkeep/salvage.h
//
// Writes what can be read of a damaged archive into a new one.
//
//   from (damaged, open for reading)                        to (new, empty)
//     records       those that are readable            ->     as they are
//     blocks        page by page                       ->     as they are; a block without its damaged pages
//     rollups       of tags without damage             ->     as they are (without one, pages are read)
//     superseded    those that are whole               ->     as they are
//     tails         page by page; lost ones            ->     from the newest sample in the tag's blocks
//     journal       every whole record                 ->     a journal from position 0
//
// Nothing is decoded and encoded anew but heads of blocks that lost a page, so what arrives is bit for bit what was
// there, with its versions. A tag whose definition is lost, but not its samples, is called "salvaged/tag N".
//
// What was stored and cannot be read is reported: which tag, from when to when, and how many samples, as far as that is
// known.
//
// Threads: the calling one. Memory: the keys of a partition's blocks, and all records of kCheckpoint.
#ifndef HISTORIAN_STORAGE_UPKEEP_SALVAGE_H_
#define HISTORIAN_STORAGE_UPKEEP_SALVAGE_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/kv/store.h"
#include "storage/model/tag.h"
#include "storage/model/timestamp.h"
#include "storage/upkeep/verify.h"

namespace historian {

struct Loss {
  Damage damage;
  std::string tag_name;  // Empty: it has none, or it is of no tag.
  uint64_t samples = 0;  // 0: it is not known how many.
};

struct SalvageCounts {
  uint64_t tags = 0;
  uint64_t blocks = 0;
  uint64_t samples = 0;  // In blocks.
  uint64_t records = 0;  // Of the journal too.
  uint64_t bytes = 0;
  uint64_t losses = 0;
  uint64_t samples_lost = 0;  // As far as it is known.
};

struct SalvageObserver {
  // Each may be null. on_progress: after each partition.
  std::function<void(const Loss&)> on_loss;
  std::function<void(const SalvageCounts&)> on_progress;
  std::function<absl::Status()> keep_going;  // Anything but OK ends it with that status.
};

// `from` must refuse changes. Errors: keep_going's; those of writing `to`; Unavailable, `from` cannot be read at all. After
// an error `to` is of no use.
absl::StatusOr<SalvageCounts> Salvage(kv::Store& from, kv::Store& to, const SalvageObserver& observer);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_UPKEEP_SALVAGE_H_
