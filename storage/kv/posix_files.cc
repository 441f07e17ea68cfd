#include "storage/kv/posix_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "storage/model/status_macros.h"

namespace historian::kv {
namespace {

constexpr size_t kCopyChunkBytes = size_t{1} << 20;
constexpr size_t kSmallFileBytesMax = size_t{1} << 20;

}  // namespace

absl::Status ErrnoStatus(int error, absl::string_view doing, absl::string_view path) {
  const std::string message = absl::StrCat(doing, " ", path, ": ", std::generic_category().message(error));
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return absl::ResourceExhaustedError(message);
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(message);
    case ENOENT:
      return absl::NotFoundError(message);
    case EEXIST:
    case ENOTEMPTY:
      return absl::AlreadyExistsError(message);
    case EIO:
      return absl::DataLossError(message);
    case EROFS:
    case ENOTDIR:
    case EISDIR:
    case ENODEV:
    case ENXIO:
    case ELOOP:
    case ENAMETOOLONG:
      return absl::FailedPreconditionError(message);
    default:
      return absl::UnavailableError(message);
  }
}

Fd& Fd::operator=(Fd&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

absl::StatusOr<Fd> OpenFile(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
  if (fd < 0) return ErrnoStatus(errno, "opening", path);
  return Fd(fd);
}

absl::Status WriteAt(const Fd& fd, absl::string_view bytes, uint64_t offset, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus(errno, "writing", path);
    bytes.remove_prefix(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadAt(const Fd& fd, uint64_t offset, size_t size, const std::string& path) {
  std::string bytes(size, '\0');
  size_t done = 0;
  while (done < size) {
    const ssize_t n = ::pread(fd.get(), bytes.data() + done, size - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus(errno, "reading", path);
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  bytes.resize(done);
  return bytes;
}

absl::StatusOr<uint64_t> FileSize(const Fd& fd, const std::string& path) {
  struct stat info;
  if (::fstat(fd.get(), &info) != 0) return ErrnoStatus(errno, "asking the size of", path);
  return static_cast<uint64_t>(info.st_size);
}

absl::Status Allocate(const Fd& fd, uint64_t size, const std::string& path) {
  while (::fallocate(fd.get(), 0, 0, static_cast<off_t>(size)) != 0) {
    if (errno == EINTR) continue;
    if (errno != EOPNOTSUPP && errno != ENOSYS) return ErrnoStatus(errno, "allocating", path);
    ASSIGN_OR_RETURN(const uint64_t now, FileSize(fd, path));
    if (now < size && ::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) {
      return ErrnoStatus(errno, "extending", path);
    }
    break;
  }
  return absl::OkStatus();
}

absl::Status SyncData(const Fd& fd, const std::string& path) {
  if (::fdatasync(fd.get()) != 0) return ErrnoStatus(errno, "syncing", path);
  return absl::OkStatus();
}

absl::Status SyncDirectory(const std::string& path) {
  ASSIGN_OR_RETURN(const Fd fd, OpenFile(path, O_RDONLY | O_DIRECTORY));
  if (::fsync(fd.get()) != 0) return ErrnoStatus(errno, "syncing", path);
  return absl::OkStatus();
}

absl::Status Unlink(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return ErrnoStatus(errno, "removing", path);
  return absl::OkStatus();
}

absl::StatusOr<DiskRoom> RoomAt(const std::string& path) {
  struct statvfs info;
  if (::statvfs(path.c_str(), &info) != 0) return ErrnoStatus(errno, "asking for the room at", path);
  const uint64_t unit = info.f_frsize;
  return DiskRoom{info.f_bavail * unit, info.f_blocks * unit};
}

absl::StatusOr<std::string> ReadFileToString(const std::string& path) {
  ASSIGN_OR_RETURN(const Fd fd, OpenFile(path, O_RDONLY));
  return ReadAt(fd, 0, kSmallFileBytesMax, path);
}

absl::Status WriteFileDurably(const std::string& path, absl::string_view contents) {
  const std::string temporary = absl::StrCat(path, ".new");
  {
    ASSIGN_OR_RETURN(const Fd fd, OpenFile(temporary, O_WRONLY | O_CREAT | O_TRUNC));
    RETURN_IF_ERROR(WriteAt(fd, contents, 0, temporary));
    RETURN_IF_ERROR(SyncData(fd, temporary));
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0) return ErrnoStatus(errno, "renaming to", path);
  return SyncDirectory(path.substr(0, path.rfind('/') + 1));
}

absl::Status CopyPrefix(const Fd& from, const std::string& from_path, uint64_t size,
                        const std::string& to_path) {
  ASSIGN_OR_RETURN(const Fd to, OpenFile(to_path, O_WRONLY | O_CREAT | O_EXCL));
  for (uint64_t offset = 0; offset < size; offset += kCopyChunkBytes) {
    const size_t chunk = static_cast<size_t>(std::min<uint64_t>(kCopyChunkBytes, size - offset));
    ASSIGN_OR_RETURN(const std::string bytes, ReadAt(from, offset, chunk, from_path));
    RETURN_IF_ERROR(WriteAt(to, bytes, offset, to_path));
  }
  return SyncData(to, to_path);
}

}  // namespace historian::kv
