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
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* error) override {
    (error->severity() >= rocksdb::Status::kHardError ? stopped_ : hampered_) = true;
  }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* auto_recovery) override {
    *auto_recovery = false;
  }
  // True once RocksDB takes no more writes.
  bool stopped() const { return stopped_; }
  // True also once a compaction has failed. RocksDB tries that again, but keeps the error, and from then on
  // writes fail where they should only have to wait.
  bool hampered() const { return stopped_ || hampered_; }

 private:
  std::atomic<bool> stopped_{false};
  std::atomic<bool> hampered_{false};
};

struct OpenDb {
  ~OpenDb();
  rocksdb::ColumnFamilyHandle* family(Space space) const { return families[static_cast<int>(space)]; }

  std::shared_ptr<ErrorWatch> watch = std::make_shared<ErrorWatch>();
  std::vector<rocksdb::ColumnFamilyHandle*> families;  // By space; owned by db.
  // True once it compacts. It is opened without: compaction gains nothing before something changes, and a
  // start has better use for the processors and the disk.
  std::atomic<bool> compacts{false};
  std::unique_ptr<rocksdb::DB> db;
};

// Threads: any.
class DbGate {
 public:
  using Opener = std::function<absl::StatusOr<std::unique_ptr<OpenDb>>()>;

  // Keeps RocksDB open while it lives.
  class Use {
   public:
    Use(Use&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)), open_(other.open_) {}
    ~Use() {
      if (gate_ != nullptr) gate_->Leave();
    }
    rocksdb::DB* operator->() const { return open_->db.get(); }
    rocksdb::DB* get() const { return open_->db.get(); }
    rocksdb::ColumnFamilyHandle* family(Space space) const { return open_->family(space); }
    // Lets it compact from now on.
    void LetCompact() const {
      if (open_->compacts.exchange(true)) return;
      // Tried again with the next change.
      if (!open_->db->EnableAutoCompaction(open_->families).ok()) open_->compacts = false;
    }

   private:
    friend class DbGate;
    Use(DbGate* gate, OpenDb* open) : gate_(gate), open_(open) {}

    DbGate* gate_;
    OpenDb* open_;
  };

  // Errors: RocksDB is closed; then that of the last Mend.
  absl::StatusOr<Use> Enter();

  // True if RocksDB is closed or takes no more writes.
  bool stopped();
  // True also if RocksDB may fail writes because of an error that has passed.
  bool hampered();

  // Does nothing unless hampered(). Else waits up to a second for the users to leave, closes RocksDB and
  // opens it anew. New users are let in until it closes, and wait from then on.
  // Errors: ResourceExhausted, the users did not leave; else those of the opener.
  absl::Status Mend(const Opener& opener);

 private:
  void Leave();

  absl::Mutex mutex_;
  CondVar left_;  // The last user has.
  std::unique_ptr<OpenDb> open_ ABSL_GUARDED_BY(mutex_);
  int users_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status closed_because_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace historian::kv

#endif  // HISTORIAN_STORAGE_KV_DB_GATE_H_
