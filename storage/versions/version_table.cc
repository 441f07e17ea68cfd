#include "storage/versions/version_table.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "storage/format/record_keys.h"
#include "storage/model/status_macros.h"
#include "storage/platform/heap_bytes.h"
#include "storage/versions/version_mark.h"

namespace historian {
namespace {

size_t TextBytes(const ClosedVersion& closed) {
  return HeapBytesOf(closed.author) + HeapBytesOf(closed.comment);
}

}  // namespace

absl::Status VersionTable::Load() {
  absl::MutexLock lock(&mu_);
  absl::Status damage;
  const std::unique_ptr<kv::Cursor> cursor = store_.NewCursor(kv::Space::kCheckpoint);
  for (cursor->Seek(kVersionKeyPrefix); cursor->Valid(); cursor->Next()) {
    if (cursor->key().substr(0, kVersionKeyPrefix.size()) != kVersionKeyPrefix) break;
    const absl::StatusOr<ClosedVersion> closed = ReadVersionRecord(cursor->value());
    if (!closed.ok() && !absl::IsDataLoss(closed.status())) return closed.status();
    if (!closed.ok() || (!known_.empty() && closed->version <= known_.back().version)) {
      damage.Update(closed.ok() ? absl::DataLossError(
                                      absl::StrCat("the record of version ", closed->version, " is damaged"))
                                : closed.status());
      continue;
    }
    AddKnown(*closed);
    visible_ = closed->version;
  }
  NoteMemory();
  const absl::Status status = cursor->status();
  return status.ok() ? damage : status;
}

void VersionTable::AddKnown(const ClosedVersion& closed) {
  // An eighth more at a time: doubling would leave up to half of it unused.
  if (known_.size() == known_.capacity()) known_.reserve(known_.size() + known_.size() / 8 + 16);
  known_.push_back({closed.version, closed.time});
  marks_ += closed.cause == VersionCause::kMark;
}

void VersionTable::NoteMemory() {
  memory_.Set(DefinitionKind::kVersions, HeapBytesOf(known_) + HeapBytesOf(unwritten_) + text_bytes_);
}

Version VersionTable::open() const {
  absl::MutexLock lock(&mu_);
  return known_.empty() ? 1 : known_.back().version + 1;
}

void VersionTable::OpenAt(const Timestamp* times, size_t size, uint32_t* versions) const {
  absl::MutexLock lock(&mu_);
  auto next = known_.begin();
  for (size_t i = 0; i < size; ++i) {
    const auto closed = [t = times[i]](const Known& known) { return known.time <= t; };
    // Most times are in the same version as the one before, or in the next.
    for (int steps = 0; steps < 2 && next != known_.end() && closed(*next); ++steps) ++next;
    if (next != known_.end() && closed(*next)) next = std::partition_point(next, known_.end(), closed);
    versions[i] = static_cast<uint32_t>(next != known_.end() ? next->version
                                        : known_.empty()     ? 1
                                                             : known_.back().version + 1);
  }
}

absl::StatusOr<ClosedVersion> VersionTable::Next(VersionCause cause, Timestamp now) const {
  absl::MutexLock lock(&mu_);
  if (!known_.empty() && known_.back().version >= kVersionMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no version closes any more: numbers end at ", kVersionMax));
  }
  if (cause == VersionCause::kMark) {
    if (marks_ >= marks_max_) {
      return absl::ResourceExhaustedError(absl::StrCat(
          marks_,
          " versions have been marked, and that is the limit (limits.version_marks): raise it to mark more"));
    }
    RETURN_IF_ERROR(memory_.CheckRoom(
        sizeof(Known) + sizeof(ClosedVersion) + kVersionAuthorBytesMax + kVersionCommentBytesMax,
        "the mark of a version"));
  }
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
  AddKnown(closed);
  text_bytes_ += TextBytes(unwritten_.emplace_back(closed));
  NoteMemory();
}

void VersionTable::NoteVisible(Version version) {
  absl::MutexLock lock(&mu_);
  visible_ = std::max(visible_, version);
}

void VersionTable::SetKeptFrom(Version version) {
  absl::MutexLock lock(&mu_);
  kept_from_ = version;
}

Version VersionTable::kept_from() const {
  absl::MutexLock lock(&mu_);
  return kept_from_;
}

std::string VersionTable::DescribeLocked(Version version) const {
  const auto known = std::partition_point(known_.begin(), known_.end(),
                                          [version](const Known& k) { return k.version < version; });
  if (known == known_.end() || known->version != version) return absl::StrCat("version ", version);
  return absl::StrCat("version ", version, ", which closed at ", FormatTimestamp(known->time));
}

absl::StatusOr<Version> VersionTable::Resolve(const AsOf& as_of) const {
  if (as_of.version == kVersionNow && !as_of.time.has_value()) return kVersionNow;
  absl::MutexLock lock(&mu_);
  const auto visible_end = std::partition_point(known_.begin(), known_.end(),
                                                [this](const Known& k) { return k.version <= visible_; });
  const std::string from =
      kept_from_ > visible_
          ? absl::StrCat("version ", kept_from_, " will be the first that can be read as-of")
          : absl::StrCat("the first that can be read as-of is ", DescribeLocked(kept_from_));
  Version version = as_of.version;
  if (as_of.time.has_value()) {
    const auto behind = std::partition_point(known_.begin(), visible_end,
                                             [&](const Known& k) { return k.time <= *as_of.time; });
    if (behind == known_.begin()) {
      return absl::FailedPreconditionError(
          absl::StrCat("no version had closed by ", FormatTimestamp(*as_of.time), "; ", from));
    }
    version = (behind - 1)->version;
  }
  if (version > visible_) {
    return absl::FailedPreconditionError(
        visible_ == 0
            ? absl::StrCat("version ", version, " has not closed; none has")
            : absl::StrCat("version ", version, " has not closed; the last is ", DescribeLocked(visible_)));
  }
  if (version < kept_from_) {
    return absl::FailedPreconditionError(
        absl::StrCat("what was stated by ", DescribeLocked(version), ", is not known any more; ", from));
  }
  return version;
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
  std::erase_if(unwritten_, [&](const ClosedVersion& closed) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    if (closed.version > last) return false;
    text_bytes_ -= TextBytes(closed);
    return true;
  });
  unwritten_.shrink_to_fit();
  NoteMemory();
}

}  // namespace historian
