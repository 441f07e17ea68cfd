// File: storage/backup/s3_target.h
//
// A target that is a bucket of an S3-compatible store, and a prefix in it. Requests are signed (AWS Signature Version 4) and
// addressed by path: ENDPOINT/BUCKET/PREFIX/NAME.
//
//   reading    in ranges of 8 MiB
//   writing    up to 16 MiB in one request, more in parts of 16 MiB or as much as 10,000 parts need; a part is in memory
//   failures   what may pass (no connection, 429, 5xx) is tried five times, over some ten seconds
//   LOCK       an object with who has it, renewed every two minutes. One that was not for ten minutes, by the store's clock, is
//              of somebody who is gone, and is taken over. Where the store knows If-None-Match two that begin at one moment
//              are told apart by it; elsewhere by what is read back
#ifndef HISTORIAN_STORAGE_BACKUP_S3_TARGET_H_
#define HISTORIAN_STORAGE_BACKUP_S3_TARGET_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/backup/target.h"

namespace historian::backup {

struct S3Options {
  std::string
      endpoint;  // https://HOST[:PORT], or http:// for a store on this machine. Empty: https://s3.REGION.amazonaws.com.
  std::string region;
  std::string bucket;
  std::string prefix;  // Without '/' at its ends; may be empty.
  std::string access_key;
  std::string secret_key;
  std::string session_token;  // Of temporary credentials; else empty.
  // Before a request is tried again; then twice as long, and so on.
  absl::Duration pause = absl::Milliseconds(500);
};

// Errors: InvalidArgument, a bucket, prefix or endpoint that cannot be one.
absl::StatusOr<std::unique_ptr<Target>> NewS3Target(S3Options options);

// Of s3://BUCKET/PREFIX. Credentials are read from the file (access key, secret key and perhaps a session token, a line each) or,
// without one, from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.
// Errors: InvalidArgument, the name. FailedPrecondition, there are no credentials.
absl::StatusOr<S3Options> S3OptionsOf(const std::string& name, const std::string& endpoint,
                                      const std::string& region, const std::string& credentials_file);

}  // namespace historian::backup

#endif  // HISTORIAN_STORAGE_BACKUP_S3_TARGET_H_
