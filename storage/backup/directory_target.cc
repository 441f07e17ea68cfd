#include "storage/backup/directory_target.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/kv/posix_files.h"
#include "storage/model/status_macros.h"

namespace historian::backup {
namespace {

namespace fs = std::filesystem;
using kv::ErrnoStatus;
using kv::Fd;

constexpr char kIncoming[] = "incoming";
constexpr char kLockName[] = "LOCK";
constexpr mode_t kFileMode = 0640;
constexpr mode_t kDirectoryMode = 0750;
// Of the text in LOCK.
constexpr size_t kWhoBytesMax = 1000;

// A file is written behind the page cache's back as far as that goes: what is copied should not push out what is read.
constexpr uint64_t kDropBytes = uint64_t{8} << 20;

class FileReader final : public ObjectReader {
 public:
  FileReader(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  absl::StatusOr<std::string> Read(size_t size) override {
    ASSIGN_OR_RETURN(std::string bytes, kv::ReadAt(fd_, offset_, size, path_));
    offset_ += bytes.size();
    if (offset_ - dropped_ >= kDropBytes || bytes.size() < size) {
      ::posix_fadvise(fd_.get(), static_cast<off_t>(dropped_), static_cast<off_t>(offset_ - dropped_),
                      POSIX_FADV_DONTNEED);
      dropped_ = offset_;
    }
    return bytes;
  }

 private:
  const Fd fd_;
  const std::string path_;
  uint64_t offset_ = 0;
  uint64_t dropped_ = 0;
};

class DirectoryTarget final : public Target {
 public:
  DirectoryTarget(std::string path, std::function<void(absl::string_view)> at_step)
      : path_(std::move(path)), at_step_(std::move(at_step)) {}

  const std::string& name() const override { return path_; }
  absl::Status Make() override {
    Step("making the directory");
    std::error_code error;
    fs::create_directories(path_, error);
    if (error) return ErrnoStatus(error.value(), "making the directory", path_);
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<StoredObject>> List(const std::string& prefix) override;
  absl::StatusOr<std::unique_ptr<ObjectReader>> Read(const std::string& name) override {
    const std::string path = PathOf(name);
    ASSIGN_OR_RETURN(Fd fd, kv::OpenFile(path, O_RDONLY));
    return std::make_unique<FileReader>(std::move(fd), path);
  }
  absl::StatusOr<std::unique_ptr<ObjectWriter>> Write(const std::string& name, uint64_t size) override;
  bool needs_name() const override { return false; }
  absl::Status Remove(const std::string& name) override {
    Step("removing");
    const std::string path = PathOf(name);
    if (::unlink(path.c_str()) == 0) return kv::SyncDirectory(fs::path(path).parent_path());
    return errno == ENOENT ? absl::OkStatus() : ErrnoStatus(errno, "removing", path);
  }
  absl::Status Sweep() override;
  absl::StatusOr<std::unique_ptr<TargetLock>> Lock(const std::string& who) override;

 private:
  class FileWriter;
  class FileLock;

  void Step(absl::string_view step) const {
    if (at_step_ != nullptr) at_step_(step);
  }
  std::string PathOf(absl::string_view name) const { return absl::StrCat(path_, "/", name); }
  // Makes a folder of the directory, and it durable, unless it is there.
  absl::Status MakeFolder(const std::string& path);
  // NotFound: the directory itself is not there.
  absl::Status CheckThere() const {
    ASSIGN_OR_RETURN(const Fd fd, kv::OpenFile(path_, O_RDONLY | O_DIRECTORY));
    return absl::OkStatus();
  }

  const std::string path_;
  const std::function<void(absl::string_view)> at_step_;
  std::atomic<uint64_t> next_{0};
};

class DirectoryTarget::FileWriter final : public ObjectWriter {
 public:
  FileWriter(DirectoryTarget& target, Fd fd, std::string path)
      : target_(target), fd_(std::move(fd)), path_(std::move(path)) {}
  ~FileWriter() override {
    if (!finished_) ::unlink(path_.c_str());
  }

  absl::Status Append(absl::string_view bytes) override {
    target_.Step("writing");
    RETURN_IF_ERROR(kv::WriteAt(fd_, bytes, offset_, path_));
    offset_ += bytes.size();
    if (offset_ - synced_ < kDropBytes) return absl::OkStatus();
    // In steps, so that a rate is kept on the disk too, and a full NFS is noticed soon.
    RETURN_IF_ERROR(kv::SyncData(fd_, path_));
    ::posix_fadvise(fd_.get(), static_cast<off_t>(synced_), static_cast<off_t>(offset_ - synced_),
                    POSIX_FADV_DONTNEED);
    synced_ = offset_;
    return absl::OkStatus();
  }

  absl::Status Finish(const std::string& name) override {
    target_.Step("syncing");
    if (::fsync(fd_.get()) != 0) return ErrnoStatus(errno, "syncing", path_);
    const std::string to = target_.PathOf(name);
    const std::string folder = fs::path(to).parent_path();
    RETURN_IF_ERROR(target_.MakeFolder(folder));
    target_.Step("renaming");
    if (std::rename(path_.c_str(), to.c_str()) != 0) return ErrnoStatus(errno, "renaming to", to);
    finished_ = true;
    target_.Step("syncing the directory");
    return kv::SyncDirectory(folder);
  }

 private:
  DirectoryTarget& target_;
  const Fd fd_;
  const std::string path_;
  uint64_t offset_ = 0;
  uint64_t synced_ = 0;
  bool finished_ = false;
};

class DirectoryTarget::FileLock final : public TargetLock {
 public:
  explicit FileLock(Fd fd) : fd_(std::move(fd)) {}

 private:
  const Fd fd_;
};

absl::Status DirectoryTarget::MakeFolder(const std::string& path) {
  if (path == path_) return absl::OkStatus();
  if (::mkdir(path.c_str(), kDirectoryMode) == 0) return kv::SyncDirectory(fs::path(path).parent_path());
  if (errno == EEXIST) return absl::OkStatus();
  if (errno != ENOENT) return ErrnoStatus(errno, "making the directory", path);
  RETURN_IF_ERROR(CheckThere());
  RETURN_IF_ERROR(MakeFolder(fs::path(path).parent_path()));
  if (::mkdir(path.c_str(), kDirectoryMode) != 0 && errno != EEXIST)
    return ErrnoStatus(errno, "making the directory", path);
  return kv::SyncDirectory(fs::path(path).parent_path());
}

absl::StatusOr<std::vector<StoredObject>> DirectoryTarget::List(const std::string& prefix) {
  RETURN_IF_ERROR(CheckThere());
  std::vector<StoredObject> objects;
  std::error_code error;
  const std::string from = prefix.empty() ? path_ : PathOf(prefix.substr(0, prefix.size() - 1));
  fs::recursive_directory_iterator it(from, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    std::error_code gone;  // Removed meanwhile.
    if (it->is_directory(gone)) {
      if (prefix.empty() && it.depth() == 0 && it->path().filename() == kIncoming)
        it.disable_recursion_pending();
      continue;
    }
    if (!it->is_regular_file(gone)) continue;
    const uint64_t size = it->file_size(gone);
    if (gone) continue;
    const std::string name = it->path().lexically_relative(path_);
    if (name != kLockName) objects.push_back({name, size});
  }
  if (error && error.value() != ENOENT) return ErrnoStatus(error.value(), "listing", from);
  std::sort(objects.begin(), objects.end(),
            [](const StoredObject& a, const StoredObject& b) { return a.name < b.name; });
  return objects;
}

absl::StatusOr<std::unique_ptr<ObjectWriter>> DirectoryTarget::Write(const std::string&, uint64_t) {
  const std::string folder = PathOf(kIncoming);
  Step("making a file");
  RETURN_IF_ERROR(MakeFolder(folder));
  // Of this process alone, as it has the lock; but for the one that makes a repository.
  const std::string path = absl::StrCat(folder, "/", ::getpid(), "-", next_++);
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kFileMode);
  if (fd < 0) return ErrnoStatus(errno, "making the file", path);
  return std::make_unique<FileWriter>(*this, Fd(fd), path);
}

absl::Status DirectoryTarget::Sweep() {
  std::error_code error;
  fs::directory_iterator it(PathOf(kIncoming), error);
  for (; !error && it != fs::directory_iterator(); it.increment(error)) {
    Step("sweeping");
    if (::unlink(it->path().c_str()) != 0) return ErrnoStatus(errno, "removing", it->path().string());
  }
  if (error && error.value() != ENOENT) return ErrnoStatus(error.value(), "listing", PathOf(kIncoming));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<TargetLock>> DirectoryTarget::Lock(const std::string& who) {
  RETURN_IF_ERROR(CheckThere());
  const std::string path = PathOf(kLockName);
  Step("locking");
  const int opened = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kFileMode);
  if (opened < 0) return ErrnoStatus(errno, "opening", path);
  Fd fd(opened);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return ErrnoStatus(errno, "locking", path);
    const absl::StatusOr<std::string> holder = kv::ReadAt(fd, 0, kWhoBytesMax, path);
    return absl::FailedPreconditionError(
        absl::StrCat("the repository ", path_, " is being changed by ",
                     holder.ok() && !holder->empty() ? absl::StripAsciiWhitespace(*holder) : "somebody",
                     "; wait until that is done"));
  }
  // For that message alone: a full disk is noticed later, where it matters.
  if (::ftruncate(fd.get(), 0) == 0)
    kv::WriteAt(fd, absl::StrCat(absl::string_view(who).substr(0, kWhoBytesMax - 1), "\n"), 0, path)
        .IgnoreError();
  return std::make_unique<FileLock>(std::move(fd));
}

}  // namespace

std::unique_ptr<Target> NewDirectoryTarget(std::string path,
                                           std::function<void(absl::string_view step)> at_step) {
  while (path.size() > 1 && absl::EndsWith(path, "/")) path.pop_back();
  return std::make_unique<DirectoryTarget>(std::move(path), std::move(at_step));
}

}  // namespace historian::backup
