#include "storage/write/encode_hints.h"

namespace historian {

namespace {

// Whose hint the i-th of a frame is: columns first, then snapshots. Those of a snapshot as a whole are kept
// with its first tag: scanners repeat their snapshots.
TagId TagOf(const Frame& frame, size_t i) {
  const size_t columns = frame.columns.size();
  return i < columns ? frame.columns[i].tag : frame.snapshots[i - columns].tags.front();
}

}  // namespace

std::vector<format::EncodeHint> EncodeHints::Of(const Frame& frame) const {
  std::vector<format::EncodeHint> hints(frame.columns.size() + frame.snapshots.size());
  absl::ReaderMutexLock lock(&mu_);
  for (size_t i = 0; i < hints.size(); ++i) {
    if (const TagId tag = TagOf(frame, i); tag < hints_.size()) hints[i] = hints_[tag];
  }
  return hints;
}

void EncodeHints::Keep(const Frame& frame, const std::vector<format::EncodeHint>& hints) {
  absl::MutexLock lock(&mu_);
  for (size_t i = 0; i < hints.size(); ++i) {
    const TagId tag = TagOf(frame, i);
    if (tag >= hints_.size()) {
      hints_.reserve(tag + tag / 8 + 16);  // Else it would be doubled.
      hints_.resize(tag + tag / 8 + 16);
    }
    hints_[tag] = hints[i];
  }
}

}  // namespace historian
