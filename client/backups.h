// File: client/backups.h
//
// The server's backups. Requests and answers are the wire messages themselves: proto/historian/v1/backup.proto says what each
// field means. Errors: as there.
//
// Threads: any number.
#ifndef HISTORIAN_CLIENT_BACKUPS_H_
#define HISTORIAN_CLIENT_BACKUPS_H_

#include <functional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/connection.h"
#include "proto/historian/v1/backup.pb.h"

namespace historian::client {

class Backups {
 public:
  explicit Backups(Connection connection) : connection_(std::move(connection)) {}

  absl::StatusOr<v1::InitBackupsResponse> Init() const;
  absl::StatusOr<std::vector<v1::ListedBackup>> List() const;
  absl::StatusOr<v1::PruneBackupsResponse> Prune(const v1::PruneBackupsRequest& request,
                                                 absl::Duration deadline = absl::Hours(1)) const;

  // These take as long as they take. Each answer goes to on_answer, which may return false to end the call, and with it the
  // work. Returns the last answer. Cancelled: on_answer ended it.
  absl::StatusOr<v1::CreateBackupResponse> Create(
      const std::function<bool(const v1::CreateBackupResponse&)>& on_answer) const;
  absl::StatusOr<v1::VerifyBackupsResponse> Verify(
      const v1::VerifyBackupsRequest& request,
      const std::function<bool(const v1::VerifyBackupsResponse&)>& on_answer) const;
  absl::StatusOr<v1::DrillBackupResponse> Drill(
      const v1::DrillBackupRequest& request,
      const std::function<bool(const v1::DrillBackupResponse&)>& on_answer) const;

 private:
  Connection connection_;
};

}  // namespace historian::client

#endif  // HISTORIAN_CLIENT_BACKUPS_H_
