#include "storage/versions/version_table.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "storage/format/record_keys.h"
#include "storage/model/status_macros.h"
#include "storage/versions/version_mark.h"

namespace historian {

absl::Status VersionTable::Load() {
  absl::MutexLock lock(&mu_);
  const std::unique_ptr<kv::Cursor> cursor = store_.NewCursor(kv::Space::kCheckpoint);
  for (cursor->Seek(kVersionKeyPrefix); cursor->Valid(); cursor->Next()) {
    if (cursor->key().substr(0, kVersionKeyPrefix.size()) != kVersionKeyPrefix) break;
    ASSIGN_OR_RETURN(const ClosedVersion closed, ReadVersionRecord(cursor->value()));
    if (!known_.empty() && closed.version <= known_.back().version) {
      return absl::DataLossError(absl::StrCat("the record of version ", closed.version, " is damaged"));
    }
    known_.push_back({closed.version, closed.time});
  }
  return cursor->status();
}

Version VersionTable::open() const {
  absl::MutexLock lock(&mu_);
  return known_.empty() ? 1 : known_.back().version + 1;
}

ClosedVersion VersionTable::Next(VersionCause cause, Timestamp now) const {
  absl::MutexLock lock(&mu_);
  ClosedVersion next{.version = 1, .time = now, .clock = now, .cause = cause};
  if (!known_.empty()) {
    next.version = known_.back().version + 1;
    next.time = std::max(now, known_.back().time);
  }
  return next;
}

void VersionTable::Add(const ClosedVersion& closed) {
  absl::MutexLock lock(&mu_);
  if (!known_.empty() && closed.version <= known_.back().version) return;
  known_.push_back({closed.version, closed.time});
  unwritten_.push_back(closed);
}

absl::StatusOr<std::vector<ClosedVersion>> VersionTable::List(Timestamp start, Timestamp end, Version before,
                                                              size_t max) const {
  std::vector<ClosedVersion> listed;
  size_t in_memory = 0;  // Of listed, at its front; of the others the store has all but the number.
  {
    absl::MutexLock lock(&mu_);
    const auto end_of_range = std::partition_point(known_.begin(), known_.end(), [&](const Known& known) {
      return known.version < before && known.time < end;
    });
    for (auto at = end_of_range; at != known_.begin() && listed.size() < max && (at - 1)->time >= start;
         --at) {
      const size_t from_newest = static_cast<size_t>(known_.end() - at);
      if (from_newest < unwritten_.size()) {
        listed.push_back(unwritten_[unwritten_.size() - 1 - from_newest]);
        ++in_memory;
      } else {
        listed.push_back({.version = (at - 1)->version});
      }
    }
  }
  for (size_t i = in_memory; i < listed.size(); ++i) {
    const Version version = listed[i].version;
    ASSIGN_OR_RETURN(const std::optional<std::string> value,
                     store_.Get(kv::Space::kCheckpoint, VersionKey(version)));
    if (!value.has_value()) {
      return absl::DataLossError(absl::StrCat("the record of version ", version, " is missing"));
    }
    ASSIGN_OR_RETURN(listed[i], ReadVersionRecord(*value));
  }
  return listed;
}

std::vector<std::pair<std::string, std::string>> VersionTable::Unwritten(Version* last) const {
  absl::MutexLock lock(&mu_);
  std::vector<std::pair<std::string, std::string>> records;
  for (const ClosedVersion& closed : unwritten_) records.push_back(VersionRecordOf(closed));
  *last = unwritten_.empty() ? 0 : unwritten_.back().version;
  return records;
}

void VersionTable::Written(Version last) {
  absl::MutexLock lock(&mu_);
  std::erase_if(unwritten_, [last](const ClosedVersion& closed) { return closed.version <= last; });
}

}  // namespace historian
