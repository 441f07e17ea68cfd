#include "storage/backup/restore.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/backup/digest.h"
#include "storage/backup/throttle.h"
#include "storage/kv/posix_files.h"
#include "storage/kv/store_directory.h"
#include "storage/model/status_macros.h"

namespace historian::backup {
namespace {

namespace fs = std::filesystem;

constexpr size_t kPieceBytes = size_t{256} << 10;
constexpr uint64_t kProgressBytes = uint64_t{1} << 20;
constexpr char kUnfinished[] = ".restoring";
constexpr mode_t kFileMode = 0640;
constexpr mode_t kSecretMode = 0600;  // Of what is beside the store: the tokens.
constexpr mode_t kDirectoryMode = 0750;

// Files of the store lie in folders, but for FORMAT.
mode_t ModeOf(const std::string& path) {
  return path.find('/') == std::string::npos && path != "FORMAT" ? kSecretMode : kFileMode;
}

class Restorer {
 public:
  Restorer(const Repository& repository, const Manifest& manifest, const RestoreOptions& options)
      : repository_(repository),
        manifest_(manifest),
        options_(options),
        throttle_(options.bytes_per_second) {}

  absl::Status Run() {
    RETURN_IF_ERROR(Begin());
    progress_.files_total = manifest_.files.size();
    progress_.bytes_total = manifest_.info.bytes;
    std::set<std::string> folders;
    for (const BackedUpFile& file : manifest_.files) {
      RETURN_IF_ERROR(GoOn(options_.keep_going));
      const std::string path = PathOf(file.path);
      const std::string folder = fs::path(path).parent_path();
      if (folders.insert(folder).second) RETURN_IF_ERROR(MakeFolders(folder));
      ASSIGN_OR_RETURN(const bool is_there, IsThere(file, path));
      if (!is_there) RETURN_IF_ERROR(Annotate(Copy(file, path), absl::StrCat("restoring ", file.path)));
      ++progress_.files;
      Tell(is_there ? file.size_bytes : 0);
    }
    for (const std::string& folder : folders) RETURN_IF_ERROR(kv::SyncDirectory(folder));
    if (options_.on_progress != nullptr) options_.on_progress(progress_);
    // From now on a server takes it.
    RETURN_IF_ERROR(kv::Unlink(MarkerPath()));
    return kv::SyncDirectory(options_.to);
  }

 private:
  std::string PathOf(absl::string_view name) const { return absl::StrCat(options_.to, "/", name); }
  std::string MarkerPath() const { return PathOf(kv::kRestoringName); }
  void Tell(uint64_t bytes) {
    progress_.bytes += bytes;
    if (options_.on_progress == nullptr || progress_.bytes < told_ + kProgressBytes) return;
    told_ = progress_.bytes;
    options_.on_progress(progress_);
  }

  absl::Status MakeFolders(const std::string& path) {
    if (::mkdir(path.c_str(), kDirectoryMode) == 0 || errno == EEXIST) return absl::OkStatus();
    if (errno != ENOENT) return kv::ErrnoStatus(errno, "making the directory", path);
    const std::string parent = fs::path(path).parent_path();
    if (parent.empty() || parent == path) return kv::ErrnoStatus(ENOENT, "making the directory", path);
    RETURN_IF_ERROR(MakeFolders(parent));
    if (::mkdir(path.c_str(), kDirectoryMode) != 0 && errno != EEXIST)
      return kv::ErrnoStatus(errno, "making the directory", path);
    return kv::SyncDirectory(parent);
  }

  // Finds out whether the restore may be made there, and marks the directory.
  absl::Status Begin() {
    const std::string marker_text = absl::StrCat("historian restore 1\narchive ", manifest_.info.archive_id,
                                                 "\nbackup ", manifest_.info.id, "\n");
    std::error_code error;
    const bool goes_on = fs::exists(MarkerPath(), error);
    if (!goes_on && fs::exists(options_.to, error)) {
      const bool is_empty = fs::is_empty(options_.to, error);
      if (error) return kv::ErrnoStatus(error.value(), "looking into", options_.to);
      if (!is_empty) {
        const bool is_archive = fs::exists(PathOf("FORMAT"), error);
        return absl::AlreadyExistsError(absl::StrCat(
            "cannot restore into ", options_.to, ": ", is_archive ? "it holds an archive" : "it is not empty",
            "; nothing in it was changed. Give a directory that does not exist or is empty"));
      }
    }
    if (!goes_on) {
      // Of the place where it is going to be.
      std::string there = options_.to;
      while (!fs::exists(there, error)) {
        const std::string parent = fs::path(there).parent_path();
        there = parent.empty() ? std::string(1, '.') : parent;
      }
      RETURN_IF_ERROR(CheckRoom(there));
      RETURN_IF_ERROR(MakeFolders(options_.to));
    }
    const int opened = ::open(MarkerPath().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kFileMode);
    if (opened < 0) return kv::ErrnoStatus(errno, "making", MarkerPath());
    marker_ = kv::Fd(opened);
    if (::flock(marker_.get(), LOCK_EX | LOCK_NB) != 0) {
      return absl::FailedPreconditionError(absl::StrCat("another process restores into ", options_.to));
    }
    ASSIGN_OR_RETURN(const std::string text, kv::ReadAt(marker_, 0, marker_text.size() + 1, MarkerPath()));
    // An empty one: it was ended before it began.
    if (!text.empty() && text != marker_text && marker_text.substr(0, text.size()) != text) {
      return absl::AlreadyExistsError(absl::StrCat(
          "cannot restore backup ", manifest_.info.id, " into ", options_.to,
          ": a restore of another one was begun there. Finish that with --backup, or remove the directory"));
    }
    RETURN_IF_ERROR(kv::WriteAt(marker_, marker_text, 0, MarkerPath()));
    if (::fsync(marker_.get()) != 0) return kv::ErrnoStatus(errno, "syncing", MarkerPath());
    return kv::SyncDirectory(options_.to);
  }

  absl::Status CheckRoom(const std::string& there) const {
    ASSIGN_OR_RETURN(const kv::DiskRoom room, kv::RoomAt(there));
    const uint64_t wanted = manifest_.info.bytes + options_.room_left;
    if (room.free_bytes >= wanted) return absl::OkStatus();
    return absl::ResourceExhaustedError(absl::StrCat(
        "there is no room to restore into ", options_.to, ": backup ", manifest_.info.id, " has ",
        manifest_.info.bytes, " bytes",
        options_.room_left == 0 ? "" : absl::StrCat(", ", options_.room_left, " are to stay free"), ", and ",
        room.free_bytes, " are free"));
  }

  // Whether a restore before has brought the whole file.
  absl::StatusOr<bool> IsThere(const BackedUpFile& file, const std::string& path) {
    const absl::StatusOr<kv::Fd> fd = kv::OpenFile(path, O_RDONLY);
    if (absl::IsNotFound(fd.status())) return false;
    RETURN_IF_ERROR(fd.status());
    Digester digester;
    uint64_t offset = 0;
    while (true) {
      RETURN_IF_ERROR(GoOn(options_.keep_going));
      ASSIGN_OR_RETURN(const std::string bytes, kv::ReadAt(*fd, offset, kPieceBytes, path));
      digester.Add(bytes);
      offset += bytes.size();
      if (bytes.size() < kPieceBytes) break;
    }
    return offset == file.size_bytes && digester.Finish() == file.digest;
  }

  absl::Status Copy(const BackedUpFile& file, const std::string& path) {
    const std::string name = ObjectOf(file);
    absl::StatusOr<std::unique_ptr<ObjectReader>> reader = repository_.target().Read(name);
    if (absl::IsNotFound(reader.status())) {
      return absl::DataLossError(absl::StrCat(name, " is missing in ", repository_.target().name(),
                                              ", so backup ", manifest_.info.id, " cannot be restored"));
    }
    RETURN_IF_ERROR(reader.status());
    const std::string unfinished = path + kUnfinished;
    const int opened =
        ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, ModeOf(file.path));
    if (opened < 0) return kv::ErrnoStatus(errno, "making", unfinished);
    const kv::Fd fd(opened);
    Digester digester;
    uint64_t offset = 0;
    while (true) {
      RETURN_IF_ERROR(throttle_.Take(kPieceBytes, options_.keep_going));
      ASSIGN_OR_RETURN(const std::string bytes, (*reader)->Read(kPieceBytes));
      if (bytes.empty()) break;
      digester.Add(bytes);
      RETURN_IF_ERROR(kv::WriteAt(fd, bytes, offset, unfinished));
      offset += bytes.size();
      Tell(bytes.size());
    }
    if (offset != file.size_bytes || digester.Finish() != file.digest) {
      return absl::DataLossError(absl::StrCat(name, " in ", repository_.target().name(),
                                              " is damaged, so backup ", manifest_.info.id,
                                              " cannot be restored"));
    }
    if (::fsync(fd.get()) != 0) return kv::ErrnoStatus(errno, "syncing", unfinished);
    if (std::rename(unfinished.c_str(), path.c_str()) != 0)
      return kv::ErrnoStatus(errno, "renaming to", path);
    return absl::OkStatus();
  }

  const Repository& repository_;
  const Manifest& manifest_;
  const RestoreOptions& options_;
  Throttle throttle_;
  kv::Fd marker_;
  RestoreProgress progress_;
  uint64_t told_ = 0;
};

}  // namespace

absl::Status Restore(const Repository& repository, const Manifest& manifest, const RestoreOptions& options) {
  return Restorer(repository, manifest, options).Run();
}

}  // namespace historian::backup
