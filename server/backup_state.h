// File: server/backup_state.h
//
// How things stand with the backups of a server.
#ifndef HISTORIAN_SERVER_BACKUP_STATE_H_
#define HISTORIAN_SERVER_BACKUP_STATE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "storage/backup/drill.h"
#include "storage/backup/manifest.h"
#include "storage/model/timestamp.h"

namespace historian::server {

struct BackupState {
  std::string target;   // Empty: none is configured.
  std::string running;  // "a backup"; empty: nothing that changes the repository.
  Timestamp running_since = 0;
  std::optional<backup::BackupInfo> newest;  // That is known.
  Timestamp next = 0;                        // When one is due; 0: never.
  bool overdue = false;  // The newest is older than backup.alert_after, or there is none for so long.
  uint64_t taken = 0;    // Since the start.
  uint64_t failures = 0;
  Timestamp last_failure = 0;
  std::string last_error;                    // Empty: the last one succeeded.
  std::optional<backup::DrillResult> drill;  // The last one.
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_BACKUP_STATE_H_
