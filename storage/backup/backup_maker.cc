#include "storage/backup/backup_maker.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <memory>
#include <system_error>
#include <unordered_set>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/backup/digest.h"
#include "storage/backup/throttle.h"
#include "storage/kv/posix_files.h"
#include "storage/model/status_macros.h"

namespace historian::backup {
namespace {

namespace fs = std::filesystem;

// So much is read, and goes, at a time.
constexpr size_t kPieceBytes = size_t{256} << 10;
constexpr uint64_t kProgressBytes = uint64_t{1} << 20;
constexpr uint64_t kMoreFileBytesMax = uint64_t{64} << 20;

// RocksDB's sorted files are written once, under a number that it never uses again.
bool NeverChanges(absl::string_view path) { return absl::EndsWith(path, ".sst"); }

absl::StatusOr<int64_t> WrittenNs(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return kv::ErrnoStatus(errno, "looking at", path);
  return int64_t{info.st_mtim.tv_sec} * kNanosPerSecond + info.st_mtim.tv_nsec;
}

absl::Status CopyMoreFile(const std::string& from, const std::string& to) {
  const absl::StatusOr<kv::Fd> fd = kv::OpenFile(from, O_RDONLY);
  if (absl::IsNotFound(fd.status())) return absl::OkStatus();
  RETURN_IF_ERROR(fd.status());
  ASSIGN_OR_RETURN(const uint64_t size, kv::FileSize(*fd, from));
  if (size > kMoreFileBytesMax) {
    return absl::FailedPreconditionError(absl::StrCat(
        from, " has ", size, " bytes, and a backup takes such a file up to ", kMoreFileBytesMax));
  }
  return kv::CopyPrefix(*fd, from, size, to);
}

}  // namespace

struct BackupMaker::Checkpoint {
  ~Checkpoint() {
    std::error_code error;
    fs::remove_all(directory, error);
  }

  std::string directory;
  BackupOptions options;
  const Clock* clock;
  Manifest manifest;  // What is known so far.

  // Finds all files. Without digests.
  absl::Status FindFiles();
  // What is being copied.
  BackupProgress progress;
  uint64_t told_bytes = 0;
  const BackupObserver* observer = nullptr;
  std::unique_ptr<Throttle> throttle;

  std::string PathOf(const BackedUpFile& file) const { return absl::StrCat(directory, "/", file.path); }
  void Tell(uint64_t bytes) {
    progress.bytes += bytes;
    if (observer->on_progress == nullptr || progress.bytes < told_bytes + kProgressBytes) return;
    told_bytes = progress.bytes;
    observer->on_progress(progress);
  }
  // Calls `take` with the file's bytes, piece by piece, and fills in its digest.
  template <class Take>
  absl::Status Read(BackedUpFile& file, Take take);
  absl::Status CopyFile(Target& target, std::unordered_set<std::string>& there, BackedUpFile& file);
};

absl::Status BackupMaker::Checkpoint::FindFiles() {
  std::error_code error;
  fs::recursive_directory_iterator it(directory, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    if (!it->is_regular_file(error) || error) continue;
    BackedUpFile file{.path = it->path().lexically_relative(directory), .size_bytes = it->file_size(error)};
    if (error) break;
    if (NeverChanges(file.path)) {
      ASSIGN_OR_RETURN(file.written_ns, WrittenNs(it->path()));
    }
    progress.bytes_total += file.size_bytes;
    manifest.files.push_back(std::move(file));
  }
  if (error) return kv::ErrnoStatus(error.value(), "listing", directory);
  std::sort(manifest.files.begin(), manifest.files.end(),
            [](const BackedUpFile& a, const BackedUpFile& b) { return a.path < b.path; });
  progress.files_total = manifest.files.size();
  manifest.info.files = progress.files_total;
  manifest.info.bytes = progress.bytes_total;
  return absl::OkStatus();
}

template <class Take>
absl::Status BackupMaker::Checkpoint::Read(BackedUpFile& file, Take take) {
  const std::string path = PathOf(file);
  ASSIGN_OR_RETURN(const kv::Fd fd, kv::OpenFile(path, O_RDONLY));
  Digester digester;
  for (uint64_t offset = 0; offset < file.size_bytes;) {
    const size_t size = static_cast<size_t>(std::min<uint64_t>(kPieceBytes, file.size_bytes - offset));
    RETURN_IF_ERROR(throttle->Take(size, observer->keep_going));
    ASSIGN_OR_RETURN(const std::string bytes, kv::ReadAt(fd, offset, size, path));
    if (bytes.size() < size) return absl::DataLossError(absl::StrCat(path, " has become shorter"));
    digester.Add(bytes);
    RETURN_IF_ERROR(take(bytes));
    offset += size;
  }
  const std::string digest = digester.Finish();
  if (!file.digest.empty() && file.digest != digest) {
    return absl::DataLossError(absl::StrCat(path, " does not read the same twice: its disk fails"));
  }
  file.digest = digest;
  return absl::OkStatus();
}

absl::Status BackupMaker::Checkpoint::CopyFile(Target& target, std::unordered_set<std::string>& there,
                                               BackedUpFile& file) {
  std::string name;
  if (target.needs_name()) {
    RETURN_IF_ERROR(Read(file, [](absl::string_view) { return absl::OkStatus(); }));
    name = ObjectOf(file);
    if (there.contains(name)) {
      Tell(file.size_bytes);
      return absl::OkStatus();
    }
  }
  {
    ASSIGN_OR_RETURN(const std::unique_ptr<ObjectWriter> writer, target.Write(name, file.size_bytes));
    RETURN_IF_ERROR(Read(file, [&](absl::string_view bytes) {
      RETURN_IF_ERROR(writer->Append(bytes));
      Tell(bytes.size());
      return absl::OkStatus();
    }));
    name = ObjectOf(file);
    if (there.contains(name)) return absl::OkStatus();
    RETURN_IF_ERROR(writer->Finish(name));
  }
  there.insert(name);
  ++progress.new_files;
  progress.new_bytes += file.size_bytes;
  return absl::OkStatus();
}

BackupMaker::BackupMaker(std::unique_ptr<Checkpoint> checkpoint) : checkpoint_(std::move(checkpoint)) {}
BackupMaker::BackupMaker(BackupMaker&&) noexcept = default;
BackupMaker::~BackupMaker() = default;

absl::StatusOr<BackupMaker> BackupMaker::Begin(Archive& archive, const std::string& repository_archive_id,
                                               BackupOptions options, const Clock& clock) {
  auto checkpoint = std::make_unique<Checkpoint>();
  BackupInfo& info = checkpoint->manifest.info;
  info.begun = clock.Now();
  info.id = NewBackupId(info.begun);
  info.server_version = options.server_version;
  ASSIGN_OR_RETURN(info.archive_id, archive.Id());
  if (info.archive_id != repository_archive_id) {
    return absl::FailedPreconditionError(
        absl::StrCat("the repository is of the archive ", repository_archive_id, ", and this is the archive ",
                     info.archive_id, ": each archive needs a repository of its own"));
  }
  // Before it begins: what is acknowledged from now on may be in it or not.
  info.taken = clock.Now();
  checkpoint->directory = absl::StrCat(options.work_dir, "/backup-", info.id);
  checkpoint->clock = &clock;
  checkpoint->options = std::move(options);
  ASSIGN_OR_RETURN(const ClosedVersion closed,
                   archive.WriteCheckpoint(checkpoint->directory, checkpoint->options.author,
                                           absl::StrCat("backup ", info.id)));
  info.version = closed.version;
  info.version_time = closed.time;
  info.damages = archive.Stats().damage.size();
  for (const std::string& name : checkpoint->options.more_files) {
    RETURN_IF_ERROR(CopyMoreFile(absl::StrCat(checkpoint->options.data_dir, "/", name),
                                 absl::StrCat(checkpoint->directory, "/", name)));
  }
  RETURN_IF_ERROR(checkpoint->FindFiles());
  return BackupMaker(std::move(checkpoint));
}

absl::StatusOr<BackupInfo> BackupMaker::Copy(const Repository& repository, const BackupObserver& observer) {
  Checkpoint& checkpoint = *checkpoint_;
  Target& target = repository.target();
  checkpoint.observer = &observer;
  checkpoint.throttle = std::make_unique<Throttle>(checkpoint.options.bytes_per_second);
  RETURN_IF_ERROR(target.Sweep());
  std::unordered_set<std::string> there;
  {
    ASSIGN_OR_RETURN(const std::vector<StoredObject> objects, target.List(kFilesPrefix));
    for (const StoredObject& object : objects) {
      // One of another size is none: it is written again.
      if (absl::EndsWith(object.name, absl::StrCat("-", object.size_bytes))) there.insert(object.name);
    }
  }
  std::map<std::string, BackedUpFile> known;
  // Without one all is read.
  if (absl::StatusOr<Manifest> newest = repository.FindNewest(); newest.ok()) {
    for (BackedUpFile& file : newest->files) {
      if (file.written_ns != 0) known.emplace(file.path, std::move(file));
    }
  }
  BackupProgress& progress = checkpoint.progress;
  for (BackedUpFile& file : checkpoint.manifest.files) {
    RETURN_IF_ERROR(GoOn(observer.keep_going));
    const auto same = known.find(file.path);
    if (same != known.end() && file.written_ns == same->second.written_ns &&
        file.size_bytes == same->second.size_bytes && there.contains(ObjectOf(same->second))) {
      file.digest = same->second.digest;
      checkpoint.Tell(file.size_bytes);
    } else {
      RETURN_IF_ERROR(
          Annotate(checkpoint.CopyFile(target, there, file), absl::StrCat("backing up ", file.path)));
    }
    ++progress.files;
    // What is copied need not stay on the archive's disk.
    ::unlink(checkpoint.PathOf(file).c_str());
  }
  if (observer.on_progress != nullptr) observer.on_progress(progress);
  BackupInfo& info = checkpoint.manifest.info;
  info.new_files = progress.new_files;
  info.new_bytes = progress.new_bytes;
  info.ended = checkpoint.clock->Now();
  // A directory that was unmounted meanwhile is not the one that the files went to.
  RETURN_IF_ERROR(repository.CheckIsThere());
  RETURN_IF_ERROR(GoOn(observer.keep_going));
  RETURN_IF_ERROR(
      Annotate(target.Put(absl::StrCat(kBackupsPrefix, info.id), EncodeManifest(checkpoint.manifest)),
               "writing the manifest"));
  return info;
}

absl::StatusOr<BackupInfo> MakeBackup(Archive& archive, const Repository& repository,
                                      const BackupOptions& options, const Clock& clock,
                                      const BackupObserver& observer) {
  ASSIGN_OR_RETURN(const std::unique_ptr<TargetLock> lock,
                   repository.target().Lock(absl::StrCat("process ", ::getpid(), ", a backup since ",
                                                         FormatTimestamp(clock.Now()))));
  ASSIGN_OR_RETURN(BackupMaker maker, BackupMaker::Begin(archive, repository.archive_id(), options, clock));
  return maker.Copy(repository, observer);
}

}  // namespace historian::backup
