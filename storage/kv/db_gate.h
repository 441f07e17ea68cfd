// File: storage/kv/db_gate.h
//
// The open RocksDB and its users, so that it can be closed and opened anew when nobody uses it. Only for
// rocksdb_store.
//
// Why reopen: an error of a flush, log or manifest, as a rule for a full disk, stops RocksDB. DB::Resume is
// no way on in RocksDB 7.8: it leaves the log that could not be written, and the flag that keeps ingestion
// out, as they were, and the next write or ingestion aborts the process.
#ifndef HISTORIAN_STORAGE_KV_DB_GATE_H_
#define HISTORIAN_STORAGE_KV_DB_GATE_H_

#include <atomic>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "rocksdb/db.h"
#include "rocksdb/listener.h"
#include "storage/kv/store.h"
#include "storage/platform/monotonic.h"

namespace historian::kv {

// Notices errors of RocksDB's background work, and keeps it from resuming by itself.
class ErrorWatch : public rocksdb::EventListener {
 public:
  // on_damage: told of damage that a compaction met. That stops nothing but compaction.
  explicit ErrorWatch(std::function<void(const rocksdb::Status&)> on_damage)
      : on_damage_(std::move(on_damage)) {}

  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) override {
    if (reason == rocksdb::BackgroundErrorReason::kCompaction && error->IsCorruption()) {
      if (!met_damage_.exchange(true)) on_damage_(*error);
      *error = rocksdb::Status::OK();  // Reads of what is damaged fail by themselves; writes need not.
      return;
    }
    (error->severity() >= rocksdb::Status::kHardError ? stopped_ : hampered_) = true;
  }
  void OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo&) override { ++changes_; }
  void OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo&) override { ++changes_; }
  void OnExternalFileIngested(rocksdb::DB*, const rocksdb::ExternalFileIngestionInfo&) override {
    ++changes_;
  }
  // Rises when there are other files.
  uint64_t changes() const { return changes_; }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* auto_recovery) override {
    *auto_recovery = false;
  }
  // True once RocksDB takes no more writes.
  bool stopped() const { return stopped_; }
  // True also once a compaction has failed. RocksDB tries that again, but keeps the error, and from then on
  // writes fail where they should only have to wait.
  bool hampered() const { return stopped_ || hampered_; }
  // A compaction met damage, and would meet it again.
  bool met_damage() const { return met_damage_; }

 private:
  const std::function<void(const rocksdb::Status&)> on_damage_;
  std::atomic<bool> stopped_{false};
  std::atomic<bool> hampered_{false};
  std::atomic<bool> met_damage_{false};
  std::atomic<uint64_t> changes_{0};
};

struct OpenDb {
  ~OpenDb();
  // Null: there is no such space, which only happens while it is open for reading.
  rocksdb::ColumnFamilyHandle* family(Space space) const { return families[static_cast<int>(space)]; }
  // The first keys of the space's files, ascending; now and then of some that are gone.
  std::shared_ptr<const std::vector<std::string>> FirstKeys(Space space);

  std::shared_ptr<ErrorWatch> watch;
  // Not OK: it is open for reading only, and this is why.
  absl::Status read_only;
  std::vector<rocksdb::ColumnFamilyHandle*> families;  // By space; owned by db.
  // True once it compacts. It is opened without: compaction gains nothing before something changes, and a
  // start has better use for the processors and the disk.
  std::atomic<bool> compacts{false};
  std::unique_ptr<rocksdb::DB> db;

 private:
  // What FirstKeys returned last, and when that was.
  struct Firsts {
    uint64_t changes = 0;
    std::shared_ptr<const std::vector<std::string>> keys;
  };
  absl::Mutex firsts_mu_;
  Firsts firsts_[kSpaces] ABSL_GUARDED_BY(firsts_mu_);
};

// Threads: any.
class DbGate {
 public:
  using Opener = std::function<absl::StatusOr<std::unique_ptr<OpenDb>>()>;

  // Keeps RocksDB open while it lives.
  class Use {
   public:
    Use(Use&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)), open_(std::move(other.open_)) {}
    ~Use() {
      if (gate_ != nullptr) gate_->Leave(std::move(open_));
    }
    rocksdb::DB* operator->() const { return open_->db.get(); }
    rocksdb::DB* get() const { return open_->db.get(); }
    rocksdb::ColumnFamilyHandle* family(Space space) const { return open_->family(space); }
    std::shared_ptr<const std::vector<std::string>> FirstKeys(Space space) const {
      return open_->FirstKeys(space);
    }
    // Lets it compact from now on, unless that meets damage: then no longer.
    void LetCompact() const {
      if (open_->watch->met_damage()) {
        if (open_->compacts.exchange(false)) StopCompacting();
        return;
      }
      if (open_->compacts.exchange(true)) return;
      // Tried again with the next change.
      if (!open_->db->EnableAutoCompaction(open_->families).ok()) open_->compacts = false;
    }

   private:
    friend class DbGate;
    Use(DbGate* gate, std::shared_ptr<OpenDb> open) : gate_(gate), open_(std::move(open)) {}
    void StopCompacting() const;

    DbGate* gate_;
    std::shared_ptr<OpenDb> open_;
  };

  // Errors: RocksDB is closed; then that of the last Mend.
  absl::StatusOr<Use> Enter();

  // True if RocksDB is closed, open for reading only, or takes no more writes.
  bool stopped();
  // True also if RocksDB may fail writes because of an error that has passed.
  bool hampered();

  // Does nothing unless hampered(). Else waits up to a second for the users to leave, closes RocksDB and
  // opens it anew. New users are let in until it closes, and wait from then on. When it cannot be opened anew it is
  // opened by `reader`, for reading only, so that reads go on. From there the next call opens it anew beside its users,
  // who need not leave.
  // Errors: ResourceExhausted, the users did not leave; else those of the opener.
  absl::Status Mend(const Opener& opener, const Opener& reader);

 private:
  void Leave(std::shared_ptr<OpenDb> open);

  absl::Mutex mend_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);  // Held by who mends.
  absl::Mutex mutex_;
  CondVar left_;  // The last user has.
  std::shared_ptr<OpenDb> open_ ABSL_GUARDED_BY(mutex_);
  int users_ ABSL_GUARDED_BY(mutex_) = 0;  // Of open_.
  absl::Status closed_because_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace historian::kv

#endif  // HISTORIAN_STORAGE_KV_DB_GATE_H_
