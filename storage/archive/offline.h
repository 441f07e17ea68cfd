// File: storage/archive/offline.h
//
// A data directory whose server is stopped: looked at, and what can be read of it written into another.
//
// Both take the directory's LOCK, so that no server starts meanwhile, and change nothing else in it.
#ifndef HISTORIAN_STORAGE_ARCHIVE_OFFLINE_H_
#define HISTORIAN_STORAGE_ARCHIVE_OFFLINE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "storage/archive/archive.h"
#include "storage/upkeep/salvage.h"

namespace historian {

// The archive in the directory, open for reading only. What was found damaged is in its Stats().damage.
// Errors: NotFound, there is no archive. FailedPrecondition, a server holds it, or a newer one wrote it. DataLoss, not even
// the list of its files can be read.
absl::StatusOr<std::unique_ptr<Archive>> OpenOffline(const std::string& data_dir);

// The format of the archive in the directory (storage/format/archive_format.h). Errors: as OpenOffline.
absl::StatusOr<uint32_t> FormatOffline(const std::string& data_dir);

// Writes what can be read into the directory `to`, which must not exist or be empty; a server can be started with it then.
// Errors: as OpenOffline, and those of Salvage. AlreadyExists, `to` is in use. What was written before an error stays.
absl::StatusOr<SalvageCounts> SalvageDirectory(const std::string& data_dir, const std::string& to,
                                               const SalvageObserver& observer);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_ARCHIVE_OFFLINE_H_
