// File: storage/kv/posix_files.h
//
// The few system calls file_log and rocksdb_store share, with errors that name the path and say errno's text.
//
// Errors: ResourceExhausted for ENOSPC and EDQUOT, PermissionDenied for EACCES and EPERM, NotFound for
// ENOENT, AlreadyExists for EEXIST, DataLoss for EIO, FailedPrecondition for what an administrator set up
// wrongly (read-only file system, no such device, not a directory), else Unavailable.
#ifndef HISTORIAN_STORAGE_KV_POSIX_FILES_H_
#define HISTORIAN_STORAGE_KV_POSIX_FILES_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace historian::kv {

absl::Status ErrnoStatus(int error, absl::string_view doing, absl::string_view path);

// Owns a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd();
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

absl::StatusOr<Fd> OpenFile(const std::string& path, int flags);
// Writes all bytes.
absl::Status WriteAt(const Fd& fd, absl::string_view bytes, uint64_t offset, const std::string& path);
// Reads `size` bytes; fewer only at the end of the file.
absl::StatusOr<std::string> ReadAt(const Fd& fd, uint64_t offset, size_t size, const std::string& path);
absl::StatusOr<uint64_t> FileSize(const Fd& fd, const std::string& path);
// Makes the file at least this long, with zeros, and reserves room for all of it where the file system can.
absl::Status Allocate(const Fd& fd, uint64_t size, const std::string& path);
absl::Status SyncData(const Fd& fd, const std::string& path);
// Makes the names in the directory durable.
absl::Status SyncDirectory(const std::string& path);
absl::Status Unlink(const std::string& path);

struct DiskRoom {
  uint64_t free_bytes;  // For this process.
  uint64_t capacity_bytes;
};
// Returns the room on the file system that holds the path.
absl::StatusOr<DiskRoom> RoomAt(const std::string& path);

absl::StatusOr<std::string> ReadFileToString(const std::string& path);
// Writes the file whole or not at all, even if the power fails: through a temporary file beside it.
absl::Status WriteFileDurably(const std::string& path, absl::string_view contents);
// Copies the first `size` bytes of the file to a new file, durably. The caller must sync its directory.
absl::Status CopyPrefix(const Fd& from, const std::string& from_path, uint64_t size,
                        const std::string& to_path);

}  // namespace historian::kv

#endif  // HISTORIAN_STORAGE_KV_POSIX_FILES_H_
