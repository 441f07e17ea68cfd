// File: storage/backup/open_target.h
//
// The target of a name: a path, or s3://BUCKET/PREFIX.
#ifndef HISTORIAN_STORAGE_BACKUP_OPEN_TARGET_H_
#define HISTORIAN_STORAGE_BACKUP_OPEN_TARGET_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "storage/backup/target.h"

namespace historian::backup {

struct TargetOptions {
  std::string target;
  // Of s3:// alone: s3_target.h.
  std::string s3_endpoint;  // Empty: AWS'.
  std::string s3_region;
  std::string s3_credentials;  // A file; empty: the environment.
};

// Asks nobody yet whether it is there. Errors: InvalidArgument, the name. FailedPrecondition, there are no credentials.
absl::StatusOr<std::unique_ptr<Target>> OpenTarget(const TargetOptions& options);

}  // namespace historian::backup

#endif  // HISTORIAN_STORAGE_BACKUP_OPEN_TARGET_H_
