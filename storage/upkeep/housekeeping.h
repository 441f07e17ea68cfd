// File: storage/upkeep/housekeeping.h
//
// What an archive does with what it has sealed, on a thread that yields to all others: it settles partitions,
// lets what has expired go, and deletes what no reader can need any more.
#ifndef HISTORIAN_STORAGE_UPKEEP_HOUSEKEEPING_H_
#define HISTORIAN_STORAGE_UPKEEP_HOUSEKEEPING_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "storage/kv/store.h"
#include "storage/model/clock.h"
#include "storage/platform/monotonic.h"
#include "storage/sealed/partitions.h"
#include "storage/sealed/reader_pins.h"
#include "storage/sealed/results.h"
#include "storage/sealed/retention.h"
#include "storage/sealed/steps.h"
#include "storage/tags/tag_registry.h"
#include "storage/tail/tag_sources.h"
#include "storage/upkeep/believed_time.h"
#include "storage/upkeep/errand.h"
#include "storage/upkeep/expiry.h"
#include "storage/upkeep/settle.h"
#include "storage/upkeep/upkeep.h"
#include "storage/versions/version_table.h"

namespace historian {

struct HousekeepingOptions {
  // A partition is settled when nothing was sealed into it for this long, and its time is over or late samples
  // are a quarter of it; a long one, when its time is over or what came since is a quarter of it. One with very many small seals does not wait for their end, but is settled no more often.
  absl::Duration settle_delay = absl::Minutes(10);
  // How often retention rules are applied; and how long a changed rule is left alone, to be thought over.
  absl::Duration retention_period = absl::Minutes(10);
  uint64_t slow_samples_max = 4096;  // See SettleOrder.
};

class Housekeeping {
 public:
  // What it works on. All of it must outlive the housekeeping.
  struct House {
    kv::Store& store;
    const HousekeepingOptions options;
    const Clock& clock;
    const TagRegistry& tags;
    const VersionTable& versions;
    Retention& retention;
    BelievedTime& believed;
    PartitionTable& partitions;
    ReaderPins& pins;
    Steps& steps;
    // Settling leaves this much of the disk free: the reserve in force.
    std::function<uint64_t()> disk_reserve_bytes;
    // What is open of a tag.
    std::function<TagSources(TagId)> open;
    // Seals everything that is open.
    std::function<absl::Status()> seal;
    // The newest time of the samples received since the start; the lowest Timestamp when there are none.
    std::function<Timestamp()> newest_received;
    // Remembers damage, for the archive's status.
    std::function<void(const absl::Status&)> note_damage;
  };
  struct Stats {
    uint64_t settles = 0;
    uint64_t settled_bytes = 0;
    absl::Status retention;        // Not OK: why rules are not applied.
    uint64_t expired_samples = 0;  // Since the start, with the next one.
    uint64_t expired_weeks = 0;    // Each once for each rule.
    std::vector<Expiry> expiries;  // The newest kExpiriesMax.
  };

  explicit Housekeeping(House house) : house_(std::move(house)) {}
  ~Housekeeping() { Stop(); }

  // Begins, with the partitions as they are.
  void Start();
  // Long work under way ends soon, and nobody is let in any more; what was asked before is answered.
  void Close() ABSL_LOCKS_EXCLUDED(mu_);
  // Close, and waits for the end.
  void Stop();

  // Something was sealed into these: they are left alone for a while.
  void NoteSealed(const std::vector<PartitionTable::Partition>& partitions) ABSL_LOCKS_EXCLUDED(mu_);

  // Settles every partition that has something to gain, which may take minutes; how many.
  absl::StatusOr<uint64_t> SettleAll(const KeepGoing& keep_going) ABSL_LOCKS_EXCLUDED(mu_);
  // See Upkeep.
  absl::StatusOr<RetentionResult> ApplyRetention(const RetentionOrder& order, const KeepGoing& keep_going)
      ABSL_LOCKS_EXCLUDED(mu_);

  Stats GetStats() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Run();
  bool SettleIsDue(const PartitionTable::Partition& partition) ABSL_LOCKS_EXCLUDED(mu_);
  // Returns how many weeks that were.
  absl::StatusOr<uint64_t> SettleDirty();
  // What nobody has asked for gives way when processors are short.
  enum class Pace { kSteady, kGivingWay };
  absl::Status Settle(int32_t partition, Pace pace);
  // Of the partition's weeks: superseded statements of tags of which raw samples have expired there.
  absl::Status DropExpiredSuperseded(int32_t partition, const ExpiredTable& expired);
  // Puts a rewritten partition in force.
  absl::Status TakeIn(Step step, bool dropped) ABSL_EXCLUSIVE_LOCKS_REQUIRED(house_.steps.mu());

  bool RetentionIsDue() ABSL_LOCKS_EXCLUDED(mu_);
  // OK, or why the rules are applied as of an earlier time than the clock's, or not at all.
  absl::Status CheckClock() const;
  // What is to be done on the disk when this has expired, and when what is `open` of it has been sealed.
  absl::StatusOr<RetentionResult> Plan(const Retention::Outcome& outcome, ExpiringSamples open,
                                       const KeepGoing& keep_going);
  absl::StatusOr<RetentionResult> Retain();
  // Counts what has expired, for the log.
  void NoteExpired(const std::vector<RetentionResult::ByRule>& rules) ABSL_LOCKS_EXCLUDED(mu_);
  // Unless something was sealed into it since it was `judged`.
  absl::Status Drop(int32_t partition, const PartitionState& judged);

  // Deletes what no reader can need any more.
  void CollectGarbage();

  const House house_;
  std::thread thread_;
  std::atomic<bool> closing_{false};  // Of mu_, and for long work that looks without it.

  // Of the thread. Payloads of the partition below the seal number, until the readers of that time are gone;
  // in order.
  struct Garbage {
    int32_t partition = 0;
    uint64_t seal = 0;
    std::weak_ptr<const void> readers;
    bool dropped = false;  // Nothing was kept of the partition.
  };
  std::deque<Garbage> garbage_;
  MonotonicTime retention_tried_ = MonotonicTime::Now();

  mutable absl::Mutex mu_ ABSL_ACQUIRED_AFTER(house_.steps.mu());
  CondVar wake_;  // When the thread is asked for something or shall end.
  // When something was last sealed into a partition, or settling it failed.
  absl::flat_hash_map<int32_t, MonotonicTime> unsettled_since_ ABSL_GUARDED_BY(mu_);
  // When settling it was last tried; the infinite past when it was not.
  absl::flat_hash_map<int32_t, MonotonicTime> settle_tried_ ABSL_GUARDED_BY(mu_);
  Errand<uint64_t> settle_all_ ABSL_GUARDED_BY(mu_);
  Errand<RetentionResult> retain_ ABSL_GUARDED_BY(mu_);
  Stats stats_ ABSL_GUARDED_BY(mu_);
  uint64_t expiries_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_UPKEEP_HOUSEKEEPING_H_
