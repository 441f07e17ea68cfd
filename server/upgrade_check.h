// File: server/upgrade_check.h
//
// What a server of this build would make of an archive that another one has written: historiand --upgrade-check.
#ifndef HISTORIAN_SERVER_UPGRADE_CHECK_H_
#define HISTORIAN_SERVER_UPGRADE_CHECK_H_

#include <string>

#include "absl/status/statusor.h"

namespace historian::server {

struct UpgradeCheck {
  std::string text;  // Lines for a person.
  bool ok = false;   // A server of this build can be started with it, and nothing of it is damaged.
};

// Opens the archive for reading only, which replays its journal, and changes nothing. The server must be stopped.
// Errors: NotFound, there is no archive. FailedPrecondition, a server holds it, or it was written by a newer build. DataLoss, not
// even the list of its files can be read.
absl::StatusOr<UpgradeCheck> CheckUpgrade(const std::string& data_dir);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_UPGRADE_CHECK_H_
