// File: storage/versions/closed_version.h
//
// Versions: what the archive says of a tag changes as samples arrive, late ones too, and every statement belongs
// to one version. A version is a number that only rises. It collects statements while it is open, and *closes*
// when a seal is made, when somebody marks it, and from time to time. A statement belongs to the first version that
// closes after it became durable, and so does a change of a definition (storage/versions/kept_definitions.h). So as of a
// closed version the archive says the same for ever.
#ifndef HISTORIAN_STORAGE_VERSIONS_CLOSED_VERSION_H_
#define HISTORIAN_STORAGE_VERSIONS_CLOSED_VERSION_H_

#include <cstdint>
#include <string>

#include "storage/model/data_version.h"
#include "storage/model/timestamp.h"

namespace historian {

// Why a version closed. DO NOT CHANGE the numbers: stored.
enum class VersionCause : uint8_t {
  kSeal = 1,    // Open samples became blocks. At most once a minute, unless the seal was asked for.
  kMark = 2,    // Somebody asked for it.
  kPeriod = 3,  // It was open for ArchiveOptions::version_period, and something had arrived.
};

struct ClosedVersion {
  Version version = 0;
  // When it closed. Never before the version closed that has the number before.
  Timestamp time = 0;
  // What the server's clock said then. It differs from `time` if the clock was set back.
  Timestamp clock = 0;
  // Statements of the version lie in the journal below this position, or in the batch at it.
  uint64_t journal_position = 0;
  VersionCause cause = VersionCause::kMark;
  std::string author;   // Of a mark; as the caller says.
  std::string comment;  // Of a mark.

  friend bool operator==(const ClosedVersion&, const ClosedVersion&) = default;
};

// Of a mark.
inline constexpr size_t kVersionAuthorBytesMax = 128;
inline constexpr size_t kVersionCommentBytesMax = 4096;

}  // namespace historian

#endif  // HISTORIAN_STORAGE_VERSIONS_CLOSED_VERSION_H_
