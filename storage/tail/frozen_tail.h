// File: storage/tail/frozen_tail.h
//
// Tails as others than their shard see them: frozen for a seal, or as a reader finds them.
//
// Threads: any number; nothing here changes.
#ifndef HISTORIAN_STORAGE_TAIL_FROZEN_TAIL_H_
#define HISTORIAN_STORAGE_TAIL_FROZEN_TAIL_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/model/latest_sample.h"
#include "storage/model/tag.h"
#include "storage/model/timestamp.h"
#include "storage/model/value.h"
#include "storage/tail/page_run.h"
#include "storage/versions/version_table.h"

namespace historian {

struct FrozenTail {
  ValueType type = ValueType::kFloat64;
  std::vector<PageRun> runs;  // [0] is in order (perhaps empty), then late ones, oldest statement first.
  size_t samples = 0;
  size_t memory_bytes = 0;
};

// A tail as it was frozen.
struct FrozenTag {
  TagId tag = 0;
  std::shared_ptr<const FrozenTail> tail;
  std::optional<Timestamp> frontier;
  std::optional<LatestSample> latest;
  bool latest_text_is_long = false;  // It is not in `latest`.
  Timestamp oldest = 0;
};

// What a reader needs of a tail: shares what is immutable, copies what is not.
struct TailView {
  std::shared_ptr<const FrozenTail> frozen;  // May be null.
  std::vector<PageRun> runs;                 // As in FrozenTail.

  // Whether any run spans a time from `first` to `last`.
  bool Reaches(Timestamp first, Timestamp last) const;

  // The view of what was stated by the version. DataLoss: a page is damaged.
  absl::StatusOr<std::shared_ptr<const TailView>> AsOf(ValueType type, Version as_of,
                                                       const VersionTable& versions) const;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_TAIL_FROZEN_TAIL_H_
