// File: storage/versions/version_mark.h
//
// A version's closing, as a record of the journal and as one of the store. Bytes: storage/versions/version_mark.md.
#ifndef HISTORIAN_STORAGE_VERSIONS_VERSION_MARK_H_
#define HISTORIAN_STORAGE_VERSIONS_VERSION_MARK_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/versions/closed_version.h"

namespace historian {

// As a journal record.
std::string EncodeVersionMark(const ClosedVersion& closed);
// Whether a journal record is a mark; others are frames (storage/write/frame_record.h).
bool IsVersionMark(absl::string_view record);
// Without the journal's position, which the record does not hold. DataLoss: the bytes are not a mark.
absl::StatusOr<ClosedVersion> DecodeVersionMark(absl::string_view record);

// Key and value of the record in kCheckpoint.
std::pair<std::string, std::string> VersionRecordOf(const ClosedVersion& closed);
// DataLoss: it is damaged.
absl::StatusOr<ClosedVersion> ReadVersionRecord(absl::string_view value);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_VERSIONS_VERSION_MARK_H_
