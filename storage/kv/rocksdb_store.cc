#include "storage/kv/rocksdb_store.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
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
#include "rocksdb/experimental.h"
#include "rocksdb/metadata.h"
#include "rocksdb/sst_file_writer.h"
#include "rocksdb/utilities/checkpoint.h"
#include "storage/kv/db_gate.h"
#include "storage/kv/file_log.h"
#include "storage/kv/in_memory_only.h"
#include "storage/kv/limits.h"
#include "storage/kv/message_file.h"
#include "storage/kv/posix_files.h"
#include "storage/kv/rescue.h"
#include "storage/kv/rocksdb_tuning.h"
#include "storage/kv/store_directory.h"
#include "storage/kv/twin_files.h"
#include "storage/model/status_macros.h"

namespace historian::kv {
namespace {

namespace fs = std::filesystem;

// Room that stays free, so that RocksDB can note a deletion in its manifest, and a tag can still be changed,
// when logs and runs have filled the disk. RocksDB that finds no room for its own notes stops until it is
// resumed.
constexpr uint64_t kReserveForBatchesBytes = uint64_t{2} << 20;
constexpr uint64_t kReserveForRunsBytes = uint64_t{4} << 20;
// The longest key that a walk looks for behind damage; longer ones are passed over.
constexpr size_t kSearchedKeyBytesMax = 160;
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

// Keys as numbers, for the search for the end of damage: all of one width, cut or filled up with zeros.
using WideKey = std::vector<uint8_t>;

WideKey WideKeyOf(absl::string_view key, size_t width) {
  WideKey wide(width);
  std::copy(key.begin(), key.begin() + std::min(key.size(), width), wide.begin());
  return wide;
}
// a + 2^bit; false when that is no key of the width any more.
bool AddBit(size_t bit, WideKey* a) {
  for (size_t i = a->size() - 1 - bit / 8, carry = size_t{1} << bit % 8; carry > 0; --i) {
    carry += (*a)[i];
    (*a)[i] = static_cast<uint8_t>(carry);
    carry >>= 8;
    if (i == 0) return carry == 0;
  }
  return true;
}
WideKey Middle(const WideKey& a, const WideKey& b) {
  WideKey middle(a.size());
  unsigned carry = 0;  // Of the sum, which is halved from its first digit on.
  std::vector<uint16_t> sum(a.size());
  for (size_t i = a.size(); i-- > 0;) {
    const unsigned digit = a[i] + b[i] + carry;
    sum[i] = digit & 0xFF;
    carry = digit >> 8;
  }
  for (size_t i = 0; i < a.size(); ++i) {
    const unsigned digit = (carry << 8) | sum[i];
    middle[i] = static_cast<uint8_t>(digit >> 1);
    carry = digit & 1;
  }
  return middle;
}

// The records of these spaces are written again under their keys. Without a file that may hold a later one, an earlier
// one must not pass for it.
bool IsRewritten(Space space) { return space == Space::kCheckpoint || space == Space::kRollups; }

class RocksDbCursor : public Cursor {
 public:
  // lost: what is missing of the space; outlives it.
  RocksDbCursor(DbGate::Use use, Space space, std::string path, absl::string_view end,
                const std::vector<StoreDamage>& lost)
      : use_(std::move(use)),
        space_(space),
        path_(std::move(path)),
        end_(end),
        end_slice_(SliceOf(end_)),
        lost_(lost) {
    rocksdb::ReadOptions options = ReadOptionsOf(space, /*cursor=*/true);
    if (!end_.empty()) options.iterate_upper_bound = &end_slice_;
    it_.reset(use_->NewIterator(options, use_.family(space)));
  }

  void SeekToFirst() override { Seek(absl::string_view()); }
  void Seek(absl::string_view key) override {
    from_ = std::string(key);
    SeekAnew(SliceOf(key));
    Land();
  }
  void SeekForPrev(absl::string_view key) override {
    firsts_.reset();
    it_->SeekForPrev(SliceOf(key));
  }
  void Next() override {
    from_.assign(it_->key().data(), it_->key().size());
    it_->Next();
    if (it_->status().ok()) LookForSkipped();
    Land();
  }
  void Prev() override {
    firsts_.reset();
    it_->Prev();
  }
  bool Valid() const override { return it_->Valid(); }
  absl::string_view key() const override { return ViewOf(it_->key()); }
  absl::string_view value() const override { return ViewOf(it_->value()); }
  absl::Status status() const override {
    return damage_.ok() ? StatusOf(it_->status(), "walking", path_) : damage_;
  }

 private:
  // After a move forward from from_.
  void Land() {
    while (true) {
      if (!it_->Valid() && it_->status().IsCorruption()) {
        damage_.Update(StatusOf(it_->status(), "walking", path_));
        if (!PassDamage()) return;
      }
      if (lost_.empty() || !PassLost()) return;
    }
  }

  // RocksDB 7.8 forgets that it could not open a file, or not read its first block, when it comes there from the file before, of
  // the same level: it then goes on as if that file and all behind it in the level were empty. A seek to a file's first key
  // does not forget. So after a step over the first keys of files these are asked for one by one. It stays at the first key,
  // or error, that was passed over.
  void LookForSkipped() {
    if (firsts_ == nullptr) {
      firsts_ = use_.FirstKeys(space_);
      next_first_ = std::upper_bound(firsts_->begin(), firsts_->end(), from_);
    }
    const auto is_before = [this](const std::optional<std::string>& here) {
      if (next_first_ == firsts_->end()) return false;
      return here.has_value() ? *next_first_ < *here : end_.empty() || *next_first_ < end_;
    };
    if (it_->Valid() && (next_first_ == firsts_->end() || it_->key().compare(*next_first_) < 0)) return;
    const std::optional<std::string> here =
        it_->Valid() ? std::optional(it_->key().ToString()) : std::nullopt;
    bool moved = false;
    for (; is_before(here); ++next_first_) {
      it_->Seek(*next_first_);
      moved = true;
      if (!it_->status().ok() || (it_->Valid() && (!here.has_value() || it_->key() != *here))) {
        firsts_.reset();  // It stands elsewhere now.
        return;
      }
    }
    // Nothing was.
    if (moved && here.has_value()) it_->Seek(*here);
    if (here.has_value()) {
      while (next_first_ != firsts_->end() && *next_first_ <= *here) ++next_first_;
    }
  }

  // RocksDB 7.8 forgets in which block it stands when that is damaged, and may take the next one for it: so it is led
  // behind all keys first.
  void SeekAnew(const rocksdb::Slice& key) {
    firsts_.reset();
    if (!damage_.ok()) it_->Seek(rocksdb::Slice("\xff\xff\xff\xff\xff", 5));
    it_->Seek(key);
  }

  bool IsDamagedAt(const WideKey& key) {
    SeekAnew({reinterpret_cast<const char*>(key.data()), key.size()});
    return !it_->Valid() && it_->status().IsCorruption();
  }
  // RocksDB does not say where a damaged block ends: the first key behind it is searched for. False if there is none, or
  // it is not found.
  bool PassDamage() {
    if (from_.size() >= kSearchedKeyBytesMax) return false;
    // Wide enough for the fixed keys of blocks, and for a step behind the key at hand.
    const size_t width = std::max<size_t>(from_.size() + 1, 28);
    WideKey damaged = WideKeyOf(from_, width), good;
    for (size_t bit = 0;; ++bit) {
      good = damaged;
      if (bit == 8 * width || !AddBit(bit, &good)) return false;
      if (!IsDamagedAt(good)) break;
      damaged = good;
    }
    while (true) {
      const WideKey middle = Middle(damaged, good);
      if (middle == damaged) break;
      (IsDamagedAt(middle) ? damaged : good) = middle;
    }
    if (IsDamagedAt(good))
      return false;  // Not a second time: it is gone, or the disk reads differently each time.
    if (it_->Valid()) from_.assign(it_->key().data(), it_->key().size());
    return true;
  }

  // Notes what is missing between from_ and here. True if it has moved on.
  bool PassLost() {
    for (const StoreDamage& lost : lost_) {
      if (lost.last < from_) continue;
      if (it_->Valid() ? it_->key().compare(SliceOf(lost.first)) < 0 : !end_.empty() && lost.first >= end_)
        continue;
      damage_.Update(absl::DataLossError(lost.what));
      if (!it_->Valid() || !IsRewritten(space_) || it_->key().compare(SliceOf(lost.last)) > 0) continue;
      from_ = lost.last + '\0';
      SeekAnew(SliceOf(from_));
      return true;
    }
    return false;
  }

  const DbGate::Use use_;  // Outlives the iterator.
  const Space space_;
  const std::string path_;
  const std::string end_;
  const rocksdb::Slice end_slice_;
  const std::vector<StoreDamage>& lost_;
  std::unique_ptr<rocksdb::Iterator> it_;
  std::string from_;  // Where the last move forward began.
  // Of the space's files, and the first of them behind where it stands; null: not known.
  std::shared_ptr<const std::vector<std::string>> firsts_;
  std::vector<std::string>::const_iterator next_first_;
  absl::Status damage_;  // The first that was met.
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
  // The ranges it replaces, from and to before.
  const std::vector<std::pair<std::string, std::string>>& replaced() const { return replaced_; }

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
    replaced_.emplace_back(begin, end);
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
  std::vector<std::pair<std::string, std::string>> replaced_;
  RunChecker checker_;
  uint64_t size_bytes_ = 0;
  uint64_t next_room_check_ = 0;
  absl::Status failure_;
};

// The logs of a store. A log once opened stays so, whether or not a handle is out: a checkpoint copies all.
class LogShelf {
 public:
  LogShelf(const StoreDirectory& directory, uint64_t segment_bytes, bool read_only)
      : directory_(directory), segment_bytes_(segment_bytes), read_only_(read_only) {}

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
  const bool read_only_;
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
  uint64_t synced_end() const override { return log_->synced_end(); }
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
    if (!read_only_ && fs::create_directory(path, error))
      RETURN_IF_ERROR(SyncDirectory(directory_.path() + "/log"));
    if (error) return ErrnoStatus(error.value(), "creating the directory", path);
    ASSIGN_OR_RETURN(entry.log, FileLog::Open(path, segment_bytes_, kReserveForRunsBytes, read_only_));
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
  using Store::NewCursor;
  std::unique_ptr<Cursor> NewCursor(Space space, absl::string_view end) override;
  absl::Status Write(const Batch& batch) override;
  absl::StatusOr<std::unique_ptr<RunBuilder>> NewRun(Space space) override;
  absl::Status Ingest(std::vector<std::unique_ptr<RunBuilder>> runs, const Batch& batch) override;
  absl::Status DeleteRange(Space space, absl::string_view begin, absl::string_view end) override;
  absl::StatusOr<std::unique_ptr<Log>> OpenLog(absl::string_view name) override { return logs_.Open(name); }
  absl::Status Checkpoint(const std::string& path) override;
  StoreStats Stats() override;
  std::vector<StoreDamage> Damages() override {
    absl::MutexLock lock(&damages_mutex_);
    return damages_;
  }

 private:
  RocksDbStore(const RocksDbOptions& options, std::unique_ptr<StoreDirectory> directory)
      : options_(options),
        directory_(std::move(directory)),
        cache_(rocksdb::NewLRUCache(options.block_cache_bytes, /*num_shard_bits=*/-1,
                                    /*strict_capacity_limit=*/false,
                                    /*high_pri_pool_ratio=*/0.3)),
        messages_(options.read_only ? nullptr : std::make_shared<MessageFile>(directory_->messages_path())),
        logs_(*directory_, options.log_segment_bytes, options.read_only) {}

  absl::Status Mapped(const rocksdb::Status& status, absl::string_view doing) const {
    return StatusOf(status, doing, directory_->path());
  }
  rocksdb::DBOptions DbOptions() const;
  std::vector<rocksdb::ColumnFamilyDescriptor> Families() const;
  absl::StatusOr<std::unique_ptr<OpenDb>> OpenSpaces();
  // For reading only, because of the status.
  absl::StatusOr<std::unique_ptr<OpenDb>> OpenForReading(const absl::Status& why);
  // What an OpenDb is made with.
  std::unique_ptr<OpenDb> NewOpenDb();
  // Opens the spaces in whichever way they can be opened.
  absl::Status OpenSomehow();
  // Learns what is lost, lets it be left out, and refuses changes if it must.
  absl::Status LeaveOutWhatIsLost();
  void NoteDamage(StoreDamage damage) {
    absl::MutexLock lock(&damages_mutex_);
    damages_.push_back(std::move(damage));
  }
  // DataLoss if the key may be missing.
  absl::Status CheckLost(Space space, absl::string_view key) const;
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
  // What the run has replaced is merged away in the background now. RocksDB would wait for three more runs.
  void ReturnReplaced(const RocksDbRun& run) ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mutex_);

  const RocksDbOptions options_;
  const std::unique_ptr<StoreDirectory> directory_;  // Holds the lock until all else is gone.
  const std::shared_ptr<rocksdb::Cache> cache_;
  const std::shared_ptr<MessageFile> messages_;
  LogShelf logs_;
  std::shared_ptr<TwinFiles> files_;  // After Open.
  std::unique_ptr<rocksdb::Env> env_;
  // By space: what is missing, constant after Open.
  std::vector<StoreDamage> lost_[kSpaces];
  bool log_is_damaged_ = false;
  DbGate gate_;
  std::atomic<uint64_t> next_run_{0};

  // Held shared by batches, exclusively by what adds or drops files and by a checkpoint's capture.
  absl::Mutex change_mutex_;

  absl::Mutex damages_mutex_;
  std::vector<StoreDamage> damages_ ABSL_GUARDED_BY(damages_mutex_);
};

absl::StatusOr<std::unique_ptr<Store>> RocksDbStore::Open(const RocksDbOptions& options) {
  if (options.log_segment_bytes == 0) return absl::FailedPreconditionError("log_segment_bytes must not be 0");
  ASSIGN_OR_RETURN(
      std::unique_ptr<StoreDirectory> directory,
      StoreDirectory::Open(options.path, options.create_if_missing && !options.read_only, options.read_only));
  auto store = absl::WrapUnique(new RocksDbStore(options, std::move(directory)));
  RETURN_IF_ERROR(store->OpenSomehow());
  return store;
}

absl::Status RocksDbStore::OpenSomehow() {
  files_ =
      std::make_shared<TwinFiles>(directory_->rocksdb_path(), directory_->twins_path(), !options_.read_only);
  env_ = rocksdb::NewCompositeEnv(files_);
  if (!directory_->is_new()) {
    for (std::string& used : files_->UseTwins()) NoteDamage({.what = std::move(used)});
  }
  if (options_.read_only) {
    Refuse(absl::FailedPreconditionError(
        absl::StrCat("the store ", directory_->path(), " is open for reading only, as it was asked for")));
  }
  const auto open = [this] { return refusal().ok() ? OpenSpaces() : OpenForReading(refusal()); };
  const auto read = [this] {
    return directory_->is_new()
               ? absl::UnavailableError("there is nothing to read")
               : OpenForReading(absl::UnavailableError("it could not be opened for writing"));
  };
  absl::Status status = gate_.Mend(open, [] { return absl::UnavailableError("not for reading either"); });
  if (status.ok()) return status;
  if (!absl::IsDataLoss(status)) {
    // Without room, for example. The first change that can be made opens it for writing.
    gate_.Mend([&status] { return absl::StatusOr<std::unique_ptr<OpenDb>>(status); }, read).IgnoreError();
    return gate_.Enter().ok() ? absl::OkStatus() : status;
  }
  if (const absl::Status found = LeaveOutWhatIsLost(); !found.ok()) return status;
  return gate_.Mend(open, read);
}

absl::Status RocksDbStore::LeaveOutWhatIsLost() {
  ASSIGN_OR_RETURN(std::vector<StoreDamage> damages,
                   FindLostFiles(DbOptions(), directory_->rocksdb_path(), Families(), *files_));
  if (absl::IsDataLoss(OpenForReading(absl::UnavailableError("to see what is wrong still")).status())) {
    // It has records of kMeta, of which nobody knows which.
    log_is_damaged_ = true;
    damages.push_back(
        {Space::kMeta, "", std::string(1, '\xff'),
         "RocksDB's log is damaged, and so is its twin: what was last changed of tags, rules and "
         "legal holds is lost"});
  }
  std::string first;
  for (StoreDamage& damage : damages) {
    if (damage.space != Space::kPages && first.empty()) first = damage.what;
    lost_[static_cast<int>(damage.space)].push_back(damage);
    NoteDamage(std::move(damage));
  }
  if (first.empty()) return absl::OkStatus();
  // A compaction would forget that something is missing, and new records would mix with what old ones it left behind.
  Refuse(absl::UnavailableError(
      absl::StrCat("the store ", directory_->path(), " is damaged and open for reading only: ", first,
                   ". Restore it from a backup, or stop the server, run 'histctl salvage --data-dir ",
                   directory_->path(), " --to NEWDIR' and start it with NEWDIR")));
  return absl::OkStatus();
}

rocksdb::DBOptions RocksDbStore::DbOptions() const {
  rocksdb::DBOptions options = DbOptionsOf(options_.meta_buffer_bytes);
  options.env = env_.get();
  options.info_log = messages_;
  // A file that stands in for another has an identity of its own.
  options.verify_sst_unique_id_in_manifest = false;
  std::error_code error;
  uint64_t files = 0;
  for (auto file = fs::directory_iterator(directory_->rocksdb_path(), error);
       !error && file != fs::directory_iterator(); file.increment(error)) {
    if (file->path().extension() == ".sst") ++files;
  }
  options.max_manifest_file_size = ManifestBytesFor(files);
  if (log_is_damaged_) options.wal_recovery_mode = rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords;
  return options;
}

std::vector<rocksdb::ColumnFamilyDescriptor> RocksDbStore::Families() const {
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (int i = 0; i < kSpaces; ++i) {
    const Space space = static_cast<Space>(i);
    families.emplace_back(FamilyNameOf(space), FamilyOptionsOf(space, options_.meta_buffer_bytes, cache_));
    families.back().options.disable_auto_compactions = true;  // Until something changes, see OpenDb.
  }
  return families;
}

std::unique_ptr<OpenDb> RocksDbStore::NewOpenDb() {
  auto open = std::make_unique<OpenDb>();
  open->watch = std::make_shared<ErrorWatch>([this](const rocksdb::Status& status) {
    NoteDamage({.what = absl::StrCat("files cannot be merged any more, so that reads become slower: ",
                                     Mapped(status, "compacting").message())});
  });
  return open;
}

absl::StatusOr<std::unique_ptr<OpenDb>> RocksDbStore::OpenSpaces() {
  std::error_code error;
  const bool is_new = directory_->is_new() && !fs::exists(directory_->rocksdb_path() + "/CURRENT", error);
  if (is_new) RETURN_IF_ERROR(CheckRoom(directory_->path(), kReserveForBatchesBytes));
  std::unique_ptr<OpenDb> open = NewOpenDb();
  rocksdb::DBOptions db_options = DbOptions();
  db_options.create_if_missing = is_new;
  db_options.listeners.push_back(open->watch);
  rocksdb::DB* db = nullptr;
  RETURN_IF_ERROR(
      Mapped(rocksdb::DB::Open(db_options, directory_->rocksdb_path(), Families(), &open->families, &db),
             "opening the spaces"));
  open->db.reset(db);
  return open;
}

absl::StatusOr<std::unique_ptr<OpenDb>> RocksDbStore::OpenForReading(const absl::Status& why) {
  std::unique_ptr<OpenDb> open = NewOpenDb();
  open->read_only = why;
  const rocksdb::DBOptions db_options = DbOptions();
  // A store that an earlier release wrote may have fewer spaces.
  std::vector<std::string> names;
  RETURN_IF_ERROR(Mapped(rocksdb::DB::ListColumnFamilies(db_options, directory_->rocksdb_path(), &names),
                         "listing the spaces"));
  std::vector<rocksdb::ColumnFamilyDescriptor> there;
  for (const rocksdb::ColumnFamilyDescriptor& family : Families()) {
    if (std::find(names.begin(), names.end(), family.name) != names.end()) there.push_back(family);
  }
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  RETURN_IF_ERROR(
      Mapped(rocksdb::DB::OpenForReadOnly(db_options, directory_->rocksdb_path(), there, &handles, &db),
             "opening the spaces for reading"));
  open->db.reset(db);
  open->families.assign(kSpaces, nullptr);
  for (size_t i = 0; i < there.size(); ++i) {
    open->families[static_cast<int>(SpaceOfFamily(there[i].name))] = handles[i];
  }
  return open;
}

absl::Status RocksDbStore::CheckLost(Space space, absl::string_view key) const {
  for (const StoreDamage& lost : lost_[static_cast<int>(space)]) {
    if (lost.first <= key && key <= lost.last) return absl::DataLossError(lost.what);
  }
  return absl::OkStatus();
}

absl::Status RocksDbStore::Mend() {
  RETURN_IF_ERROR(refusal());
  // Opening flushes what batches have left in the log; until that fits, reading goes on as it is.
  RETURN_IF_ERROR(CheckRoom(directory_->path(), kReserveForRunsBytes + 2 * options_.meta_buffer_bytes));
  absl::Status status;
  status =
      gate_.Mend([this] { return OpenSpaces(); },
                 [this] { return OpenForReading(absl::UnavailableError("it could not be opened again")); });
  return Annotate(status, "going on after an error");
}

absl::Status RocksDbStore::Change(const std::function<absl::Status()>& change) {
  RETURN_IF_ERROR(refusal());
  if (gate_.stopped()) RETURN_IF_ERROR(Mend());
  if (const absl::StatusOr<DbGate::Use> db = gate_.Enter(); db.ok()) db->LetCompact();
  const absl::Status status = change();
  if (status.ok() || !gate_.hampered()) return status;
  RETURN_IF_ERROR(Mend());
  return change();
}

absl::StatusOr<std::optional<std::string>> RocksDbStore::Get(Space space, absl::string_view key) {
  RETURN_IF_ERROR(CheckKey(key));
  RETURN_IF_ERROR(CheckLost(space, key));
  ASSIGN_OR_RETURN(const DbGate::Use db, gate_.Enter());
  if (db.family(space) == nullptr) return std::optional<std::string>();
  std::string value;
  const rocksdb::Status status =
      db->Get(ReadOptionsOf(space, /*cursor=*/false), db.family(space), SliceOf(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  RETURN_IF_ERROR(Mapped(status, "reading"));
  return std::optional<std::string>(std::move(value));
}

std::unique_ptr<Cursor> RocksDbStore::NewCursor(Space space, absl::string_view end) {
  // A walk in memory alone may pass over files that are not there, and not know it: see LookForSkipped.
  if (InMemoryOnly::here()) return std::make_unique<FailedCursor>(NotInMemory());
  absl::StatusOr<DbGate::Use> db = gate_.Enter();
  if (!db.ok() || db->family(space) == nullptr) return std::make_unique<FailedCursor>(db.status());
  return std::make_unique<RocksDbCursor>(*std::move(db), space, directory_->path(), end,
                                         lost_[static_cast<int>(space)]);
}

absl::Status RocksDbStore::Write(const Batch& batch) {
  RETURN_IF_ERROR(CheckBatch(batch));
  RETURN_IF_ERROR(refusal());
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
  RETURN_IF_ERROR(refusal());
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
  return Change([this, &taken, &files, has_batch]() -> absl::Status {
    absl::WriterMutexLock lock(&change_mutex_);
    if (has_batch) {
      // See IngestFiles: nothing may be in the memtable, and nobody writes to it meanwhile.
      ASSIGN_OR_RETURN(const DbGate::Use db, gate_.Enter());
      RETURN_IF_ERROR(
          Mapped(db->Flush(rocksdb::FlushOptions(), db.family(Space::kMeta)), "writing small records"));
    }
    RETURN_IF_ERROR(IngestFiles(files));
    for (const RocksDbRun* run : taken) ReturnReplaced(*run);
    return absl::OkStatus();
  });
}

void RocksDbStore::ReturnReplaced(const RocksDbRun& run) {
  const absl::StatusOr<DbGate::Use> db = gate_.Enter();
  if (!db.ok()) return;
  for (const auto& [from, to] : run.replaced()) {
    const rocksdb::Slice begin = SliceOf(from), end = SliceOf(to);
    // If it cannot, the next merging does.
    rocksdb::experimental::SuggestCompactRange(db->get(), db->family(run.space()), &begin, &end)
        .PermitUncheckedError();
  }
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
  RETURN_IF_ERROR(refusal());
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
      if (family == nullptr) continue;
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
