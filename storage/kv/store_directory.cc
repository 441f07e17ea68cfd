#include "storage/kv/store_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "storage/model/status_macros.h"

namespace historian::kv {
namespace {

namespace fs = std::filesystem;

constexpr absl::string_view kFormatWords = "historian store ";

std::string FormatPath(const std::string& path) { return path + "/FORMAT"; }

// A missing parent or a path of the wrong kind is the administrator's to set right, like a missing
// permission.
absl::Status AsSetupError(const absl::Status& status) {
  if (!absl::IsNotFound(status) && !absl::IsAlreadyExists(status) && !absl::IsUnavailable(status))
    return status;
  return absl::FailedPreconditionError(status.message());
}

absl::Status MakeDirectory(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  return error ? AsSetupError(ErrnoStatus(error.value(), "creating the directory", path)) : absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> NamesIn(const std::string& path) {
  std::error_code error;
  std::vector<std::string> names;
  fs::directory_iterator it(path, error);
  for (; !error && it != fs::directory_iterator(); it.increment(error))
    names.push_back(it->path().filename());
  if (error) return ErrnoStatus(error.value(), "listing", path);
  return names;
}

absl::StatusOr<Fd> TakeLock(const std::string& path, bool read_only) {
  const std::string lock_path = path + "/LOCK";
  absl::StatusOr<Fd> lock = absl::NotFoundError("");
  if (read_only) lock = OpenFile(lock_path, O_RDONLY);
  if (absl::IsNotFound(lock.status())) lock = OpenFile(lock_path, O_RDWR | O_CREAT);
  if (!lock.ok()) return AsSetupError(lock.status());
  // flock belongs to the opened file, so that it also keeps out a second store of this process.
  if (::flock(lock->get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return AsSetupError(ErrnoStatus(errno, "locking", lock_path));
    const absl::StatusOr<std::string> holder = ReadAt(*lock, 0, 20, lock_path);
    return absl::FailedPreconditionError(
        absl::StrCat("the store ", path, " is in use: another Historian server holds it (process ",
                     holder.ok() ? absl::StripAsciiWhitespace(*holder) : "unknown", ")"));
  }
  if (read_only) return lock;
  // For the message above alone, so a full disk must not keep the store from opening.
  if (::ftruncate(lock->get(), 0) == 0)
    WriteAt(*lock, absl::StrCat(::getpid(), "\n"), 0, lock_path).IgnoreError();
  return lock;
}

absl::Status WriteFormat(const std::string& path) {
  return AsSetupError(
      WriteFileDurably(FormatPath(path), absl::StrCat(kFormatWords, kStoreFormatVersion, "\n")));
}

absl::Status CheckFormat(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFileToString(FormatPath(path)));
  absl::string_view number = text;
  int version = 0;
  // SimpleAtoi takes spaces, more line ends and signs too.
  if (!absl::ConsumePrefix(&number, kFormatWords) || !absl::ConsumeSuffix(&number, "\n") ||
      !absl::SimpleAtoi(number, &version) || version < 1 || number != absl::StrCat(version)) {
    return absl::DataLossError(absl::StrCat(FormatPath(path), " is damaged: it should read \"", kFormatWords,
                                            kStoreFormatVersion, "\""));
  }
  if (version <= kStoreFormatVersion) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("the store ", path,
                                                    " was written by a newer Historian: its format is ",
                                                    version, ", this one reads up to ", kStoreFormatVersion));
}

// A directory without FORMAT may be used when no one else does.
absl::Status CheckUnused(const std::string& path) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(path));
  for (const std::string& name : names) {
    // A store that was killed while it was created leaves these; a file system of its own has lost+found.
    if (name == "LOCK" || name == "FORMAT.new" || name == "lost+found") continue;
    if (name == "rocksdb" || name == "log") {
      return absl::DataLossError(absl::StrCat("the store ", path, " has lost its file FORMAT"));
    }
    return absl::FailedPreconditionError(
        absl::StrCat(path, " is not a store of Historian and not empty: it holds ", name));
  }
  return absl::OkStatus();
}

// RocksDB makes CURRENT last, and logs come after the spaces: with sorted files, or with a manifest and logs, the store
// was whole once.
bool HasSpaces(const std::string& rocksdb_path, bool has_logs) {
  std::error_code error;
  for (fs::directory_iterator it(rocksdb_path, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".sst") return true;
    if (has_logs && absl::StartsWith(it->path().filename().string(), "MANIFEST-")) return true;
  }
  return false;
}

absl::Status MakeLayout(const std::string& path) {
  RETURN_IF_ERROR(MakeDirectory(path + "/runs"));
  RETURN_IF_ERROR(MakeDirectory(path + "/log"));
  RETURN_IF_ERROR(MakeDirectory(path + "/twins"));
  return SyncDirectory(path);
}

}  // namespace

absl::StatusOr<std::unique_ptr<StoreDirectory>> StoreDirectory::Open(const std::string& path,
                                                                     bool create_if_missing, bool read_only) {
  if (path.empty()) return absl::FailedPreconditionError("the path of the store is empty");
  std::error_code error;
  if (fs::exists(absl::StrCat(path, "/", kRestoringName), error)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "a restore into ", path, " is not finished: run 'histctl backup restore REPOSITORY --to ", path,
        "' again, which goes on where it ended, or remove the directory"));
  }
  if (!create_if_missing && !fs::exists(FormatPath(path), error)) {
    RETURN_IF_ERROR(fs::exists(path, error) ? CheckUnused(path) : absl::OkStatus());
    return absl::NotFoundError(absl::StrCat("there is no store at ", path));
  }
  // Before anything is made: in a directory that is somebody else's nothing is left behind.
  RETURN_IF_ERROR(Look(path).status());
  if (!read_only) RETURN_IF_ERROR(MakeDirectory(path));
  ASSIGN_OR_RETURN(Fd lock, TakeLock(path, read_only));
  auto directory = absl::WrapUnique(new StoreDirectory(path, std::move(lock)));
  absl::Status format = CheckFormat(path);
  if (absl::IsNotFound(format)) {
    RETURN_IF_ERROR(CheckUnused(path));
    format = WriteFormat(path);
  }
  RETURN_IF_ERROR(format);
  if (read_only) return directory;
  RETURN_IF_ERROR(MakeLayout(path));

  if (!fs::exists(directory->rocksdb_path() + "/CURRENT", error)) {
    ASSIGN_OR_RETURN(const std::vector<std::string> logs, directory->LogNames());
    directory->is_new_ = !HasSpaces(directory->rocksdb_path(), !logs.empty());
    if (directory->is_new_ && !logs.empty()) {
      // Creating the spaces anew here would hide that they were lost.
      return absl::DataLossError(absl::StrCat("the store ", path, " has logs, but ",
                                              directory->rocksdb_path(),
                                              " is missing or empty; restore it from a backup"));
    }
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> runs, NamesIn(directory->runs_path()));
  for (const std::string& name : runs) {
    const std::string left = absl::StrCat(directory->runs_path(), "/", name);
    fs::remove_all(left, error);
    if (error) return ErrnoStatus(error.value(), "removing", left);
  }
  return directory;
}

absl::StatusOr<StoreDirectory::State> StoreDirectory::Look(const std::string& path) {
  const absl::Status format = CheckFormat(path);
  if (format.ok()) return State::kStore;
  if (!absl::IsNotFound(format)) return AsSetupError(format);
  std::error_code error;
  if (!fs::exists(path, error)) {
    if (error) return AsSetupError(ErrnoStatus(error.value(), "looking at", path));
    return State::kAbsent;
  }
  RETURN_IF_ERROR(AsSetupError(CheckUnused(path)));
  return State::kUnused;
}

bool StoreDirectory::IsHeld(const std::string& path) {
  const absl::StatusOr<Fd> lock = OpenFile(path + "/LOCK", O_RDONLY);
  return lock.ok() && ::flock(lock->get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

absl::Status StoreDirectory::Create(const std::string& path) {
  RETURN_IF_ERROR(MakeDirectory(path));
  RETURN_IF_ERROR(WriteFormat(path));
  return MakeLayout(path);
}

absl::StatusOr<std::vector<std::string>> StoreDirectory::LogNames() const { return NamesIn(path_ + "/log"); }

}  // namespace historian::kv
