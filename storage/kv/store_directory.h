// File: storage/kv/store_directory.h
//
// The directory of a RocksDB store: which process holds it, which version wrote it, what lies where.
//
//   LOCK       held (flock) while a store is open; says the process that held it last
//   FORMAT     "historian store 1": the version of this layout and of the spaces
//   MESSAGES   what RocksDB had to warn of (message_file.h)
//   rocksdb/   the spaces
//   twins/     the files of rocksdb/ on which all others hang, once more (twin_files.h)
//   runs/      runs under construction, and the checkpoint that a backup is taken of; emptied at open
//   log/       one directory per log (file_log.h)
//   RESTORING  a backup is being restored here, or that was ended half way (storage/backup/restore.h): no store opens it
#ifndef HISTORIAN_STORAGE_KV_STORE_DIRECTORY_H_
#define HISTORIAN_STORAGE_KV_STORE_DIRECTORY_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/kv/posix_files.h"

namespace historian::kv {

inline constexpr int kStoreFormatVersion = 1;
inline constexpr char kRestoringName[] = "RESTORING";

class StoreDirectory {
 public:
  // Holds the directory until destroyed. Creates it, with its parents, if create_if_missing.
  // read_only: changes nothing in it, but makes the LOCK if there is none. It must exist.
  //
  // Errors: NotFound, it does not exist and is not to be created.
  //         FailedPrecondition, another store holds it, a newer Historian wrote it, a restore of it is not finished, or it
  //         holds other files.
  //         PermissionDenied or FailedPrecondition, it cannot be created or written; says why.
  //         DataLoss, its FORMAT is missing or unreadable.
  static absl::StatusOr<std::unique_ptr<StoreDirectory>> Open(const std::string& path, bool create_if_missing,
                                                              bool read_only = false);

  enum class State { kAbsent, kUnused, kStore };
  // What Open would find there. Changes nothing.
  // Errors: those of Open, but not that another store holds it.
  static absl::StatusOr<State> Look(const std::string& path);
  // Whether a store has it open. False also where that cannot be found out.
  static bool IsHeld(const std::string& path);

  // Creates a directory of this layout, without rocksdb/, and does not hold it. Checkpoints are written into
  // it.
  static absl::Status Create(const std::string& path);

  const std::string& path() const { return path_; }
  std::string messages_path() const { return path_ + "/MESSAGES"; }
  std::string rocksdb_path() const { return path_ + "/rocksdb"; }
  std::string twins_path() const { return path_ + "/twins"; }
  std::string runs_path() const { return path_ + "/runs"; }
  std::string log_path(absl::string_view name) const { return path_ + "/log/" + std::string(name); }
  // True if rocksdb/ was never completed.
  bool is_new() const { return is_new_; }

  absl::StatusOr<std::vector<std::string>> LogNames() const;

 private:
  StoreDirectory(std::string path, Fd lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  const std::string path_;
  const Fd lock_;
  bool is_new_ = false;
};

}  // namespace historian::kv

#endif  // HISTORIAN_STORAGE_KV_STORE_DIRECTORY_H_
