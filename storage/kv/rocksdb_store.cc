#include "storage/kv/rocksdb_store.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "rocksdb/cache.h"
#include "rocksdb/convenience.h"
#include "rocksdb/db.h"
#include "rocksdb/metadata.h"
#include "rocksdb/sst_file_writer.h"
#include "rocksdb/utilities/checkpoint.h"
#include "storage/kv/db_gate.h"
#include "storage/kv/file_log.h"
#include "storage/kv/limits.h"
#include "storage/kv/message_file.h"
#include "storage/kv/posix_files.h"
#include "storage/kv/rocksdb_tuning.h"
#include "storage/kv/store_directory.h"
#include "storage/model/status_macros.h"

namespace historian::kv {
namespace {

namespace fs = std::filesystem;

// Room that stays free, so that RocksDB can note a deletion in its manifest, and a tag can still be changed,
// when logs and runs have filled the disk. RocksDB that finds no room for its own notes stops until it is
// resumed.
constexpr uint64_t kReserveForBatchesBytes = uint64_t{2} << 20;
constexpr uint64_t kReserveForRunsBytes = uint64_t{4} << 20;
// What a walk over payloads reads at once: several times what the kernel would.
constexpr size_t kReadAheadBytes = size_t{512} << 10;
// How often a growing run asks whether there is still room.
constexpr uint64_t kRoomCheckBytes = uint64_t{1} << 20;

rocksdb::Slice SliceOf(absl::string_view s) { return {s.data(), s.size()}; }
absl::string_view ViewOf(const rocksdb::Slice& s) { return {s.data(), s.size()}; }

absl::Status CheckRoom(const std::string& path, uint64_t reserve_bytes) {
  ASSIGN_OR_RETURN(const DiskRoom room, RoomAt(path));
  if (room.free_bytes >= reserve_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("the disk of the store ", path,
                                                   " is full: ", room.free_bytes, " bytes are free, ",
                                                   reserve_bytes, " stay in reserve"));
}

class RocksDbCursor : public Cursor {
 public:
  RocksDbCursor(DbGate::Use use, Space space, std::string path)
      : use_(std::move(use)),
        it_(use_->NewIterator(OptionsFor(space), use_.family(space))),
        path_(std::move(path)) {}

  void SeekToFirst() override { it_->SeekToFirst(); }
  void Seek(absl::string_view key) override { it_->Seek(SliceOf(key)); }
  void SeekForPrev(absl::string_view key) override { it_->SeekForPrev(SliceOf(key)); }
  void Next() override { it_->Next(); }
  void Prev() override { it_->Prev(); }
  bool Valid() const override { return it_->Valid(); }
  absl::string_view key() const override { return ViewOf(it_->key()); }
  absl::string_view value() const override { return ViewOf(it_->value()); }
  absl::Status status() const override { return StatusOf(it_->status(), "walking", path_); }

 private:
  static rocksdb::ReadOptions OptionsFor(Space space) {
    rocksdb::ReadOptions options;
    // Who walks payloads or records wants many of them, and once; heads are walked again and again.
    if (space != Space::kHeads) {
      options.readahead_size = kReadAheadBytes;
      options.fill_cache = false;
    }
    return options;
  }

  const DbGate::Use use_;  // Outlives the iterator.
  const std::unique_ptr<rocksdb::Iterator> it_;
  const std::string path_;
};

// When there is nothing to walk.
class FailedCursor : public Cursor {
 public:
  explicit FailedCursor(absl::Status status) : status_(std::move(status)) {}
  void SeekToFirst() override {}
  void Seek(absl::string_view) override {}
  void SeekForPrev(absl::string_view) override {}
  void Next() override {}
  void Prev() override {}
  bool Valid() const override { return false; }
  absl::string_view key() const override { return {}; }
  absl::string_view value() const override { return {}; }
  absl::Status status() const override { return status_; }

 private:
  const absl::Status status_;
};

class RocksDbRun : public RunBuilder {
 public:
  RocksDbRun(const void* owner, Space space, std::string path, std::unique_ptr<rocksdb::SstFileWriter> writer)
      : owner_(owner), space_(space), path_(std::move(path)), writer_(std::move(writer)) {}

  // Ingestion moves the file away; else it goes with its builder.
  ~RocksDbRun() override {
    writer_.reset();
    if (opened_) ::unlink(path_.c_str());
  }

  Space space() const override { return space_; }
  uint64_t size_bytes() const override { return size_bytes_; }

  absl::Status Replace(absl::string_view begin, absl::string_view end) override {
    RETURN_IF_ERROR(failure_);
    RETURN_IF_ERROR(checker_.CheckReplace(begin, end));
    failure_ = ReplaceChecked(begin, end);
    return failure_;
  }
  absl::Status Add(absl::string_view key, absl::string_view value) override {
    RETURN_IF_ERROR(failure_);
    RETURN_IF_ERROR(checker_.CheckAdd(key, value));
    failure_ = AddChecked(key, value);
    return failure_;
  }

  // Keys ascend, as in Add. What the key had is deleted.
  absl::Status Delete(absl::string_view key) {
    RETURN_IF_ERROR(failure_);
    RETURN_IF_ERROR(checker_.CheckAdd(key, ""));
    failure_ = OpenOnce();
    if (failure_.ok()) failure_ = StatusOf(writer_->Delete(SliceOf(key)), "adding to a run", path_);
    if (failure_.ok()) checker_.Added(key);
    return failure_;
  }

  // Only for runs that are not empty.
  absl::Status Finish() {
    RETURN_IF_ERROR(failure_);
    return StatusOf(writer_->Finish(), "finishing a run", path_);
  }

  const void* owner() const { return owner_; }
  bool empty() const { return checker_.empty(); }
  const std::string& path() const { return path_; }

 private:
  absl::Status OpenOnce() {
    if (!opened_) RETURN_IF_ERROR(StatusOf(writer_->Open(path_), "beginning a run", path_));
    opened_ = true;
    return absl::OkStatus();
  }

  // The keys of a file and its range tombstones get one number on ingestion, and a tombstone hides only what
  // has a lower one.
  absl::Status ReplaceChecked(absl::string_view begin, absl::string_view end) {
    RETURN_IF_ERROR(OpenOnce());
    RETURN_IF_ERROR(StatusOf(writer_->DeleteRange(SliceOf(begin), SliceOf(end)), "adding to a run", path_));
    checker_.Replaced(begin, end);
    return absl::OkStatus();
  }

  absl::Status AddChecked(absl::string_view key, absl::string_view value) {
    if (size_bytes_ >= next_room_check_) {
      RETURN_IF_ERROR(CheckRoom(fs::path(path_).parent_path(), kReserveForRunsBytes + value.size()));
      next_room_check_ = size_bytes_ + kRoomCheckBytes;
    }
    RETURN_IF_ERROR(OpenOnce());
    RETURN_IF_ERROR(StatusOf(writer_->Put(SliceOf(key), SliceOf(value)), "adding to a run", path_));
    checker_.Added(key);
    size_bytes_ += key.size() + value.size();
    return absl::OkStatus();
  }

  const void* const owner_;
  const Space space_;
  const std::string path_;
  std::unique_ptr<rocksdb::SstFileWriter> writer_;
  bool opened_ = false;
  RunChecker checker_;
  uint64_t size_bytes_ = 0;
  uint64_t next_room_check_ = 0;
  absl::Status failure_;
};

// The logs of a store. A log once opened stays so, whether or not a handle is out: a checkpoint copies all.
class LogShelf {
 public:
  LogShelf(const StoreDirectory& directory, uint64_t segment_bytes)
      : directory_(directory), segment_bytes_(segment_bytes) {}

  absl::StatusOr<std::unique_ptr<Log>> Open(absl::string_view name);
  absl::StatusOr<std::map<std::string, std::shared_ptr<FileLog>>> All();

 private:
  class Handle;
  struct Entry {
    std::shared_ptr<FileLog> log;
    bool taken = false;
  };

  absl::StatusOr<Entry*> Find(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const StoreDirectory& directory_;
  const uint64_t segment_bytes_;
  absl::Mutex mutex_;
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);
};

class LogShelf::Handle : public Log {
 public:
  Handle(LogShelf* shelf, std::string name, FileLog* log)
      : shelf_(shelf), name_(std::move(name)), log_(log) {}
  ~Handle() override {
    absl::MutexLock lock(&shelf_->mutex_);
    shelf_->entries_[name_].taken = false;
  }
  absl::Status Append(absl::string_view bytes) override { return log_->Append(bytes); }
  absl::Status Sync() override { return log_->Sync(); }
  uint64_t begin() const override { return log_->begin(); }
  uint64_t end() const override { return log_->end(); }
  absl::StatusOr<std::string> Read(uint64_t position, size_t size) const override {
    return log_->Read(position, size);
  }
  absl::Status Trim(uint64_t position) override { return log_->Trim(position); }
  absl::Status Truncate(uint64_t position) override { return log_->Truncate(position); }

 private:
  LogShelf* const shelf_;
  const std::string name_;
  FileLog* const log_;
};

absl::StatusOr<LogShelf::Entry*> LogShelf::Find(const std::string& name) {
  Entry& entry = entries_[name];
  if (entry.log == nullptr) {
    const std::string path = directory_.log_path(name);
    std::error_code error;
    if (fs::create_directory(path, error)) RETURN_IF_ERROR(SyncDirectory(directory_.path() + "/log"));
    if (error) return ErrnoStatus(error.value(), "creating the directory", path);
    ASSIGN_OR_RETURN(entry.log, FileLog::Open(path, segment_bytes_, kReserveForRunsBytes));
  }
  return &entry;
}

absl::StatusOr<std::unique_ptr<Log>> LogShelf::Open(absl::string_view name) {
  RETURN_IF_ERROR(CheckLogName(name));
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(Entry* const entry, Find(std::string(name)));
  if (entry->taken) return absl::FailedPreconditionError(absl::StrCat("the log ", name, " is open already"));
  entry->taken = true;
  return std::make_unique<Handle>(this, std::string(name), entry->log.get());
}

absl::StatusOr<std::map<std::string, std::shared_ptr<FileLog>>> LogShelf::All() {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, directory_.LogNames());
  std::map<std::string, std::shared_ptr<FileLog>> logs;
  absl::MutexLock lock(&mutex_);
  for (const std::string& name : names) {
    if (!CheckLogName(name).ok()) continue;
    ASSIGN_OR_RETURN(Entry* const entry, Find(name));
    logs[name] = entry->log;
  }
  return logs;
}

class RocksDbStore : public Store {
 public:
  static absl::StatusOr<std::unique_ptr<Store>> Open(const RocksDbOptions& options);

  absl::StatusOr<std::optional<std::string>> Get(Space space, absl::string_view key) override;
  std::unique_ptr<Cursor> NewCursor(Space space) override;
  absl::Status Write(const Batch& batch) override;
  absl::StatusOr<std::unique_ptr<RunBuilder>> NewRun(Space space) override;
  absl::Status Ingest(std::vector<std::unique_ptr<RunBuilder>> runs, const Batch& batch) override;
  absl::Status DeleteRange(Space space, absl::string_view begin, absl::string_view end) override;
  absl::StatusOr<std::unique_ptr<Log>> OpenLog(absl::string_view name) override { return logs_.Open(name); }
  absl::Status Checkpoint(const std::string& path) override;
  StoreStats Stats() override;

 private:
  RocksDbStore(const RocksDbOptions& options, std::unique_ptr<StoreDirectory> directory)
      : options_(options),
        directory_(std::move(directory)),
        cache_(rocksdb::NewLRUCache(options.block_cache_bytes, /*num_shard_bits=*/-1,
                                    /*strict_capacity_limit=*/false,
                                    /*high_pri_pool_ratio=*/0.3)),
        messages_(std::make_shared<MessageFile>(directory_->messages_path())),
        logs_(*directory_, options.log_segment_bytes) {}

  absl::Status Mapped(const rocksdb::Status& status, absl::string_view doing) const {
    return StatusOf(status, doing, directory_->path());
  }
  absl::StatusOr<std::unique_ptr<OpenDb>> OpenSpaces() const;
  // Goes on after an error of RocksDB, if there is room now.
  absl::Status Mend();
  // Makes the change, once more when RocksDB turns out to have been stopped by something else in the
  // background.
  absl::Status Change(const std::function<absl::Status()>& change);
  std::string NewRunPath() { return absl::StrCat(directory_->runs_path(), "/", next_run_++, ".sst"); }
  std::unique_ptr<rocksdb::SstFileWriter> NewWriter(Space space) const;
  // A run of kMeta that does what the batch does.
  absl::StatusOr<std::unique_ptr<RocksDbRun>> RunOf(const Batch& batch);
  absl::Status IngestFiles(const std::map<Space, std::vector<std::string>>& files)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mutex_);
  absl::Status DeleteRangeOfRuns(Space space, absl::string_view begin, absl::string_view end)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mutex_);
  absl::Status LayTombstone(Space space, absl::string_view begin, absl::string_view end)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mutex_);
  absl::Status WriteCheckpoint(const std::string& path);

  const RocksDbOptions options_;
  const std::unique_ptr<StoreDirectory> directory_;  // Holds the lock until all else is gone.
  const std::shared_ptr<rocksdb::Cache> cache_;
  const std::shared_ptr<MessageFile> messages_;
  LogShelf logs_;
  DbGate gate_;
  std::atomic<uint64_t> next_run_{0};

  // Held shared by batches, exclusively by what adds or drops files and by a checkpoint's capture.
  absl::Mutex change_mutex_;
};

absl::StatusOr<std::unique_ptr<Store>> RocksDbStore::Open(const RocksDbOptions& options) {
  if (options.log_segment_bytes == 0) return absl::FailedPreconditionError("log_segment_bytes must not be 0");
  ASSIGN_OR_RETURN(std::unique_ptr<StoreDirectory> directory,
                   StoreDirectory::Open(options.path, options.create_if_missing));
  auto store = absl::WrapUnique(new RocksDbStore(options, std::move(directory)));
  RETURN_IF_ERROR(store->gate_.Mend([&store] { return store->OpenSpaces(); }));
  return store;
}

absl::StatusOr<std::unique_ptr<OpenDb>> RocksDbStore::OpenSpaces() const {
  std::error_code error;
  const bool is_new = directory_->is_new() && !fs::exists(directory_->rocksdb_path() + "/CURRENT", error);
  if (is_new) RETURN_IF_ERROR(CheckRoom(directory_->path(), kReserveForBatchesBytes));
  auto open = std::make_unique<OpenDb>();
  rocksdb::DBOptions db_options = DbOptionsOf(options_.meta_buffer_bytes);
  db_options.create_if_missing = is_new;
  db_options.listeners.push_back(open->watch);
  db_options.info_log = messages_;
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (int i = 0; i < kSpaces; ++i) {
    const Space space = static_cast<Space>(i);
    descriptors.emplace_back(FamilyNameOf(space), FamilyOptionsOf(space, options_.meta_buffer_bytes, cache_));
    descriptors.back().options.disable_auto_compactions = true;  // Until something changes, see OpenDb.
  }
  rocksdb::DB* db = nullptr;
  RETURN_IF_ERROR(
      Mapped(rocksdb::DB::Open(db_options, directory_->rocksdb_path(), descriptors, &open->families, &db),
             "opening the spaces"));
  open->db.reset(db);
  return open;
}

absl::Status RocksDbStore::Mend() {
  // Opening flushes what batches have left in the log; until that fits, reading goes on as it is.
  RETURN_IF_ERROR(CheckRoom(directory_->path(), kReserveForRunsBytes + 2 * options_.meta_buffer_bytes));
  return Annotate(gate_.Mend([this] { return OpenSpaces(); }), "going on after an error");
}

absl::Status RocksDbStore::Change(const std::function<absl::Status()>& change) {
  if (gate_.stopped()) RETURN_IF_ERROR(Mend());
  if (const absl::StatusOr<DbGate::Use> db = gate_.Enter(); db.ok()) db->LetCompact();
  const absl::Status status = change();
  if (status.ok() || !gate_.hampered()) return status;
  RETURN_IF_ERROR(Mend());
  return change();
}

absl::StatusOr<std::optional<std::string>> RocksDbStore::Get(Space space, absl::string_view key) {
  RETURN_IF_ERROR(CheckKey(key));
  ASSIGN_OR_RETURN(const DbGate::Use db, gate_.Enter());
  std::string value;
  const rocksdb::Status status = db->Get(rocksdb::ReadOptions(), db.family(space), SliceOf(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  RETURN_IF_ERROR(Mapped(status, "reading"));
  return std::optional<std::string>(std::move(value));
}

std::unique_ptr<Cursor> RocksDbStore::NewCursor(Space space) {
  absl::StatusOr<DbGate::Use> db = gate_.Enter();
  if (!db.ok()) return std::make_unique<FailedCursor>(db.status());
  return std::make_unique<RocksDbCursor>(*std::move(db), space, directory_->path());
}

absl::Status RocksDbStore::Write(const Batch& batch) {
  RETURN_IF_ERROR(CheckBatch(batch));
  uint64_t size_bytes = 0;
  for (const Batch::Op& op : batch.ops())
    size_bytes += op.key.size() + (op.value.has_value() ? op.value->size() : 0);
  RETURN_IF_ERROR(CheckRoom(directory_->path(), kReserveForBatchesBytes + size_bytes));
  return Change([this, &batch] {
    absl::ReaderMutexLock lock(&change_mutex_);
    ASSIGN_OR_RETURN(const DbGate::Use db, gate_.Enter());
    rocksdb::WriteBatch writes;
    for (const Batch::Op& op : batch.ops()) {
      RETURN_IF_ERROR(Mapped(op.value.has_value() ? writes.Put(db.family(Space::kMeta), op.key, *op.value)
                                                  : writes.Delete(db.family(Space::kMeta), op.key),
                             "collecting a batch"));
    }
    rocksdb::WriteOptions synced;
    synced.sync = true;
    return Mapped(db->Write(synced, &writes), "writing a batch");
  });
}

std::unique_ptr<rocksdb::SstFileWriter> RocksDbStore::NewWriter(Space space) const {
  const rocksdb::Options options(DbOptionsOf(options_.meta_buffer_bytes),
                                 FamilyOptionsOf(space, options_.meta_buffer_bytes, cache_));
  rocksdb::EnvOptions env_options(options);
  // What was just sealed is what trends show: it stays in the page cache.
  return std::make_unique<rocksdb::SstFileWriter>(env_options, options, /*column_family=*/nullptr,
                                                  /*invalidate_page_cache=*/false);
}

absl::StatusOr<std::unique_ptr<RunBuilder>> RocksDbStore::NewRun(Space space) {
  RETURN_IF_ERROR(CheckRunSpace(space));
  return std::make_unique<RocksDbRun>(this, space, NewRunPath(), NewWriter(space));
}

absl::StatusOr<std::unique_ptr<RocksDbRun>> RocksDbStore::RunOf(const Batch& batch) {
  std::map<absl::string_view, const Batch::Op*>
      last;  // Of each key: that is what applying them in order leaves.
  for (const Batch::Op& op : batch.ops()) last[op.key] = &op;
  auto run = std::make_unique<RocksDbRun>(this, Space::kMeta, NewRunPath(), NewWriter(Space::kMeta));
  for (const auto& [key, op] : last) {
    RETURN_IF_ERROR(op->value.has_value() ? run->Add(key, *op->value) : run->Delete(key));
  }
  return run;
}

absl::Status RocksDbStore::Ingest(std::vector<std::unique_ptr<RunBuilder>> runs, const Batch& batch) {
  RETURN_IF_ERROR(CheckBatch(batch));
  if (!batch.ops().empty()) {
    ASSIGN_OR_RETURN(std::unique_ptr<RocksDbRun> changes, RunOf(batch));
    runs.push_back(std::move(changes));
  }
  std::vector<RocksDbRun*> taken;
  for (const std::unique_ptr<RunBuilder>& builder : runs) {
    auto* run = dynamic_cast<RocksDbRun*>(builder.get());
    if (run == nullptr || run->owner() != this)
      return absl::InvalidArgumentError("a run was not built by this store");
    if (!run->empty()) taken.push_back(run);
  }
  if (taken.empty()) return absl::OkStatus();
  std::map<Space, std::vector<std::string>> files;
  for (RocksDbRun* run : taken) {
    RETURN_IF_ERROR(run->Finish());
    files[run->space()].push_back(run->path());
  }
  const bool has_batch = !batch.ops().empty();
  RETURN_IF_ERROR(
      CheckRoom(directory_->path(), kReserveForBatchesBytes + (has_batch ? options_.meta_buffer_bytes : 0)));
  return Change([this, &files, has_batch]() -> absl::Status {
    absl::WriterMutexLock lock(&change_mutex_);
    if (has_batch) {
      // See IngestFiles: nothing may be in the memtable, and nobody writes to it meanwhile.
      ASSIGN_OR_RETURN(const DbGate::Use db, gate_.Enter());
      RETURN_IF_ERROR(
          Mapped(db->Flush(rocksdb::FlushOptions(), db.family(Space::kMeta)), "writing small records"));
    }
    return IngestFiles(files);
  });
}

absl::Status RocksDbStore::IngestFiles(const std::map<Space, std::vector<std::string>>& files) {
  ASSIGN_OR_RETURN(const DbGate::Use db, gate_.Enter());
  std::vector<rocksdb::IngestExternalFileArg> args;
  for (const auto& [space, paths] : files) {
    rocksdb::IngestExternalFileArg& arg = args.emplace_back();
    arg.column_family = db.family(space);
    arg.external_files = paths;
    arg.options.move_files = true;
    arg.options.write_global_seqno = false;
    // There is nothing to flush in these families; if there were, overlapping it corrupts RocksDB 7.8.
    arg.options.allow_blocking_flush = false;
  }
  return Mapped(db->IngestExternalFiles(args), "taking in runs");
}

absl::Status RocksDbStore::DeleteRange(Space space, absl::string_view begin, absl::string_view end) {
  RETURN_IF_ERROR(CheckKey(begin));
  RETURN_IF_ERROR(CheckKey(end));
  if (begin >= end) return absl::OkStatus();
  return Change([this, space, begin, end] {
    absl::WriterMutexLock lock(&change_mutex_);
    if (space != Space::kMeta) return DeleteRangeOfRuns(space, begin, end);
    ASSIGN_OR_RETURN(const DbGate::Use db, gate_.Enter());
    rocksdb::WriteOptions synced;
    synced.sync = true;
    return Mapped(db->DeleteRange(synced, db.family(space), SliceOf(begin), SliceOf(end)),
                  "deleting a range");
  });
}

// Files that lie inside are dropped with one note in the manifest. When other files reach in, their keys are
// hidden first, by a run that holds nothing but a range tombstone: it must not go through the memtable (see
// IngestFiles).
absl::Status RocksDbStore::DeleteRangeOfRuns(Space space, absl::string_view begin, absl::string_view end) {
  ASSIGN_OR_RETURN(const DbGate::Use db, gate_.Enter());
  rocksdb::ColumnFamilyMetaData meta;
  db->GetColumnFamilyMetaData(db.family(space), &meta);
  bool files_reach_in = false;
  for (const rocksdb::LevelMetaData& level : meta.levels) {
    for (const rocksdb::SstFileMetaData& file : level.files) {
      if (file.largestkey < begin || file.smallestkey >= end) continue;
      // RocksDB does not drop files of level 0 or under compaction.
      files_reach_in |=
          level.level == 0 || file.being_compacted || file.smallestkey < begin || file.largestkey >= end;
    }
  }
  if (files_reach_in) {
    const std::unique_ptr<Cursor> cursor = NewCursor(space);
    cursor->Seek(begin);
    RETURN_IF_ERROR(cursor->status());
    // Nothing to delete, and files inside may be what hides older keys of those that reach in.
    if (!cursor->Valid() || cursor->key() >= end) return absl::OkStatus();
    RETURN_IF_ERROR(LayTombstone(space, begin, end));
  }
  const rocksdb::Slice first = SliceOf(begin);
  const rocksdb::Slice last = SliceOf(end);
  RETURN_IF_ERROR(
      Mapped(rocksdb::DeleteFilesInRange(db.get(), db.family(space), &first, &last, /*include_end=*/false),
             "deleting runs"));
  if (files_reach_in) return absl::OkStatus();
  // A compaction may have begun since we looked.
  const std::unique_ptr<Cursor> cursor = NewCursor(space);
  cursor->Seek(begin);
  RETURN_IF_ERROR(cursor->status());
  return cursor->Valid() && cursor->key() < end ? LayTombstone(space, begin, end) : absl::OkStatus();
}

absl::Status RocksDbStore::LayTombstone(Space space, absl::string_view begin, absl::string_view end) {
  const std::string path = NewRunPath();
  const std::unique_ptr<rocksdb::SstFileWriter> writer = NewWriter(space);
  absl::Status status = Mapped(writer->Open(path), "deleting a range");
  if (status.ok()) status = Mapped(writer->DeleteRange(SliceOf(begin), SliceOf(end)), "deleting a range");
  if (status.ok()) status = Mapped(writer->Finish(), "deleting a range");
  if (status.ok()) status = IngestFiles({{space, {path}}});
  ::unlink(path.c_str());
  return status;
}

absl::Status RocksDbStore::Checkpoint(const std::string& path) {
  std::error_code error;
  if (fs::exists(path, error)) {
    return absl::AlreadyExistsError(absl::StrCat("cannot write a checkpoint to ", path, ": it exists"));
  }
  RETURN_IF_ERROR(CheckRoom(directory_->path(), kReserveForBatchesBytes));
  if (gate_.stopped()) RETURN_IF_ERROR(Mend());
  // Under another name until complete.
  const std::string partial = path + ".partial";
  fs::remove_all(partial, error);
  absl::Status status = WriteCheckpoint(partial);
  if (status.ok() && std::rename(partial.c_str(), path.c_str()) != 0) {
    status = ErrnoStatus(errno, "renaming to", path);
  }
  if (!status.ok()) {
    fs::remove_all(partial, error);
    return Annotate(status, absl::StrCat("writing a checkpoint to ", path));
  }
  const std::string parent = fs::path(path).parent_path();
  return SyncDirectory(parent.empty() ? "." : parent);
}

absl::Status RocksDbStore::WriteCheckpoint(const std::string& path) {
  RETURN_IF_ERROR(StoreDirectory::Create(path));
  std::map<std::string, std::pair<std::shared_ptr<FileLog>, FileLog::Capture>> captures;
  {
    absl::WriterMutexLock lock(&change_mutex_);
    ASSIGN_OR_RETURN(const auto logs, logs_.All());
    for (const auto& [name, log] : logs) captures.emplace(name, std::make_pair(log, log->TakeCapture()));
    ASSIGN_OR_RETURN(const DbGate::Use db, gate_.Enter());
    rocksdb::Checkpoint* raw = nullptr;
    RETURN_IF_ERROR(Mapped(rocksdb::Checkpoint::Create(db.get(), &raw), "preparing a checkpoint"));
    const std::unique_ptr<rocksdb::Checkpoint> checkpoint(raw);
    // 0: batches are flushed into files first, for RocksDB 7.8 may link a log of which not all is synced.
    RETURN_IF_ERROR(Mapped(checkpoint->CreateCheckpoint(path + "/rocksdb", /*log_size_for_flush=*/0),
                           "linking the spaces"));
  }
  for (const auto& [name, capture] : captures) {
    const std::string log_path = absl::StrCat(path, "/log/", name);
    std::error_code error;
    if (!fs::create_directory(log_path, error))
      return ErrnoStatus(error.value(), "creating the directory", log_path);
    RETURN_IF_ERROR(capture.first->CopyTo(capture.second, log_path));
  }
  return SyncDirectory(path + "/log");
}

StoreStats RocksDbStore::Stats() {
  StoreStats stats;
  if (const absl::StatusOr<DbGate::Use> entered = gate_.Enter(); entered.ok()) {
    const DbGate::Use& db = *entered;
    for (int i = 0; i < kSpaces; ++i) {
      rocksdb::ColumnFamilyHandle* const family = db.family(static_cast<Space>(i));
      SpaceStats& space = stats.spaces[i];
      db->GetIntProperty(family, rocksdb::DB::Properties::kEstimateNumKeys, &space.keys_estimate);
      rocksdb::ColumnFamilyMetaData meta;
      db->GetColumnFamilyMetaData(family, &meta);
      space.bytes_on_disk = meta.size;
      space.files = meta.file_count;
    }
    for (const std::string& property :
         {rocksdb::DB::Properties::kCurSizeAllMemTables, rocksdb::DB::Properties::kEstimateTableReadersMem}) {
      uint64_t bytes = 0;
      if (db->GetAggregatedIntProperty(property, &bytes)) stats.memory_bytes += bytes;
    }
  }
  stats.memory_bytes += cache_->GetUsage();
  std::error_code error;
  for (fs::recursive_directory_iterator it(directory_->path() + "/log", error), end; !error && it != end;
       it.increment(error)) {
    std::error_code gone;  // A segment may be trimmed meanwhile.
    const uint64_t size = it->is_regular_file(gone) ? it->file_size(gone) : 0;
    if (!gone) stats.log_bytes += size;
  }
  if (const absl::StatusOr<DiskRoom> room = RoomAt(directory_->path()); room.ok()) {
    stats.free_bytes = room->free_bytes;
    stats.capacity_bytes = room->capacity_bytes;
  }
  return stats;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenRocksDbStore(const RocksDbOptions& options) {
  return RocksDbStore::Open(options);
}

}  // namespace historian::kv
