#include "storage/backup/open_target.h"

#include <utility>

#include "absl/strings/match.h"
#include "storage/backup/directory_target.h"
#include "storage/backup/s3_target.h"
#include "storage/model/status_macros.h"

namespace historian::backup {

absl::StatusOr<std::unique_ptr<Target>> OpenTarget(const TargetOptions& options) {
  if (options.target.empty()) return absl::InvalidArgumentError("the name of the repository is empty");
  if (absl::StartsWith(options.target, "s3://")) {
    ASSIGN_OR_RETURN(S3Options s3, S3OptionsOf(options.target, options.s3_endpoint, options.s3_region,
                                               options.s3_credentials));
    return NewS3Target(std::move(s3));
  }
  return NewDirectoryTarget(options.target);
}

}  // namespace historian::backup
