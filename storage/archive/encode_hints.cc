#include "storage/archive/encode_hints.h"

namespace historian {

std::vector<format::EncodeHint> EncodeHints::Of(const Frame& frame) const {
  std::vector<format::EncodeHint> hints(frame.columns.size());
  if (hints.empty()) return hints;
  absl::ReaderMutexLock lock(&mu_);
  for (size_t i = 0; i < hints.size(); ++i) {
    if (frame.columns[i].tag < hints_.size()) hints[i] = hints_[frame.columns[i].tag];
  }
  return hints;
}

void EncodeHints::Keep(const Frame& frame, const std::vector<format::EncodeHint>& hints) {
  absl::MutexLock lock(&mu_);
  for (size_t i = 0; i < hints.size(); ++i) {
    const TagId tag = frame.columns[i].tag;
    if (tag >= hints_.size()) hints_.resize(tag + tag / 8 + 16);
    hints_[tag] = hints[i];
  }
}

}  // namespace historian
