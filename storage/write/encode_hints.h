// File: storage/write/encode_hints.h
//
// What the journal's pages of each tag taught about the next ones (format::EncodeHint): two bytes a tag.
//
// Threads: any number. Two frames with one tag may teach different things; the last one stays.
#ifndef HISTORIAN_STORAGE_WRITE_ENCODE_HINTS_H_
#define HISTORIAN_STORAGE_WRITE_ENCODE_HINTS_H_

#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "storage/format/encode_hint.h"
#include "storage/model/frame.h"

namespace historian {

class EncodeHints {
 public:
  // Those of the frame's columns, then of its snapshots, which must not be empty.
  std::vector<format::EncodeHint> Of(const Frame& frame) const ABSL_LOCKS_EXCLUDED(mu_);
  // What became of them. Tags must exist: there is room for every id up to the highest.
  void Keep(const Frame& frame, const std::vector<format::EncodeHint>& hints) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  mutable absl::Mutex mu_;
  std::vector<format::EncodeHint> hints_ ABSL_GUARDED_BY(mu_);  // [tag]; beyond its end nothing is known.
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_WRITE_ENCODE_HINTS_H_
