// File: storage/backup/target.h
//
// Where a repository lies: objects under names, each written whole or not at all. Names are parts of letters, digits, '.', '_'
// and '-' with '/' between them.
//
//   directory_target.h   a directory: a disk, NFS
//   s3_target.h          a bucket of an S3-compatible store
//
// Errors, everywhere: ResourceExhausted, no room. NotFound, no such object; of List and Write: the target itself is not
// there. PermissionDenied and FailedPrecondition, it cannot be written, or was set up wrongly. Unavailable, it does not
// answer. Each names the target.
//
// Calls may take as long as the target does: a disk of the network that hangs holds the thread. So nobody waits for them but
// a thread of their own.
//
// Threads: calls from any thread; a reader or writer from one at a time.
#ifndef HISTORIAN_STORAGE_BACKUP_TARGET_H_
#define HISTORIAN_STORAGE_BACKUP_TARGET_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace historian::backup {

struct StoredObject {
  std::string name;
  uint64_t size_bytes = 0;
};

class ObjectReader {
 public:
  virtual ~ObjectReader() = default;
  // The next bytes, at most `size`; fewer only at the end, none behind it.
  virtual absl::StatusOr<std::string> Read(size_t size) = 0;
};

// An object under construction. Destroyed before Finish it leaves nothing that anybody takes for an object.
class ObjectWriter {
 public:
  virtual ~ObjectWriter() = default;
  virtual absl::Status Append(absl::string_view bytes) = 0;
  // From now on the object is there, durably, in place of one that had the name. A writer that was made with a name takes
  // no other.
  virtual absl::Status Finish(const std::string& name) = 0;
};

// Held by whoever changes the repository, until destroyed or the process ends, however it ends.
class TargetLock {
 public:
  virtual ~TargetLock() = default;
  // Errors: Aborted, somebody else has it now.
  virtual absl::Status Check() { return absl::OkStatus(); }
};

class Target {
 public:
  virtual ~Target() = default;

  // The directory's path, or s3://BUCKET/PREFIX.
  virtual const std::string& name() const = 0;

  // Makes the place itself, for a new repository. It may exist.
  virtual absl::Status Make() = 0;
  // What is there under names that begin with `prefix` (a folder's name and '/', or empty), in order of names.
  virtual absl::StatusOr<std::vector<StoredObject>> List(const std::string& prefix) = 0;
  virtual absl::StatusOr<std::unique_ptr<ObjectReader>> Read(const std::string& name) = 0;
  // `name` and `size` must be right if needs_name().
  virtual absl::StatusOr<std::unique_ptr<ObjectWriter>> Write(const std::string& name, uint64_t size) = 0;
  // Whether a name must be known before the first byte is written.
  virtual bool needs_name() const = 0;
  // One that is not there is removed already.
  virtual absl::Status Remove(const std::string& name) = 0;
  // Removes what writers have left that were never finished. Only with the lock.
  virtual absl::Status Sweep() = 0;

  // `who` is told to others that want the lock meanwhile.
  // Errors: FailedPrecondition, somebody has it; says who.
  virtual absl::StatusOr<std::unique_ptr<TargetLock>> Lock(const std::string& who) = 0;

  // A whole object of at most `size_max` bytes. Errors: DataLoss, it is larger.
  absl::StatusOr<std::string> Get(const std::string& name, size_t size_max);
  absl::Status Put(const std::string& name, absl::string_view bytes);
};

}  // namespace historian::backup

#endif  // HISTORIAN_STORAGE_BACKUP_TARGET_H_
