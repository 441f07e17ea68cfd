// File: storage/write/producers.h
//
// Who writes, and how far each is: frames of a producer are numbered, and each is stored once.
//
//   Open   -> the name's earlier handles are fenced off, at once
//          -> what they have under way is settled: it is durable, or refused
//          -> only now it is known where the producer stands: `done` is given the handle
//
// A number that comes again is told from another frame with that number by a checksum of what it says (frame_checksum.h),
// which is kept for the last kRecentFrames frames of each producer, over restarts too.
//
// Names are bounded in number, and in memory: what they take is counted in DefinitionMemory. One that has written no frame is
// kept as long as somebody holds its handle, and one that has not written for ProducerLimits::unused makes room when room is
// needed.
// A producer takes about 400 bytes, and 12 more for each recent frame (measured: 424 bytes with one, 792 with all of them, names
// of 52 bytes; 100,000 take 75 MiB).
#ifndef HISTORIAN_STORAGE_WRITE_PRODUCERS_H_
#define HISTORIAN_STORAGE_WRITE_PRODUCERS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "boost/asio/io_context.hpp"
#include "storage/kv/store.h"
#include "storage/model/clock.h"
#include "storage/model/definition_memory.h"
#include "storage/platform/heap_bytes.h"
#include "storage/platform/monotonic.h"
#include "storage/write/write_result.h"

namespace historian {

// Frames of a producer whose checksums are kept.
inline constexpr size_t kRecentFrames = 32;
// A frame's number is at most so much above the producer's last one, and never above the second.
inline constexpr uint64_t kSequenceJumpMax = uint64_t{1} << 40;
inline constexpr uint64_t kSequenceMax = uint64_t{1} << 63;

class Producer {
 public:
  std::string name;
  uint64_t generation = 0;
  uint64_t durable_at_open = 0;
  uint64_t journal_epoch = 0;
  uint64_t last_sequence = 0;  // Of the calls on this handle; they come from one thread at a time.
};

struct ProducerLimits {
  size_t producers = 100'000;
  absl::Duration unused = absl::Hours(24 * 400);
};

// The checksums of a producer's last frames.
class RecentFrames {
 public:
  enum class Repeat {
    kSame,
    kOther,    // A frame of this number is stored, and says something else.
    kUnknown,  // It is older than what is kept.
  };
  void Add(uint64_t sequence, uint32_t checksum);
  Repeat Check(uint64_t sequence, uint32_t checksum) const;
  size_t MemoryBytes() const { return HeapBytesOf(frames_); }
  static constexpr size_t MemoryBytesMax() { return HeapBytes(kRecentFrames * sizeof(Frame)); }
  // From the oldest to the newest.
  template <typename Visit>
  void ForEach(const Visit& visit) const {
    for (size_t i = 0; i < frames_.size(); ++i) {
      const Frame& frame = frames_[(next_ + i) % frames_.size()];
      visit(frame.sequence(), frame.checksum);
    }
  }

 private:
  struct Frame {
    uint32_t low, high, checksum;  // The number in two halves, for 12 bytes in all.

    uint64_t sequence() const { return uint64_t{high} << 32 | low; }
  };
  std::vector<Frame> frames_;  // At most kRecentFrames.
  uint32_t next_ = 0;          // The oldest one, when there are as many.
};

// Threads: any number. OpenDone is called on the thread of `io`, never within a call.
class Producers {
 public:
  using Record = std::pair<std::string, std::string>;  // A name, and its ProducerRecord.

  // journal_epoch is asked when a handle is made, under the mutex, and must be quick. The memory must outlive them.
  Producers(boost::asio::io_context& io, std::function<uint64_t()> journal_epoch, const Clock& clock,
            const ProducerLimits& limits, DefinitionMemory& memory = DefinitionMemory::Unbounded())
      : io_(io), journal_epoch_(std::move(journal_epoch)), clock_(clock), limits_(limits), memory_(memory) {}

  // Reads what the last seals wrote down. DataLoss: a record is damaged; the others are read.
  absl::Status Load(kv::Store& store);

  // Makes the new handle of the name, from now on the valid one, and hands it to `done` when what an earlier
  // one has under way is settled.
  // Errors: InvalidArgument, no good name. Aborted, opened again meanwhile. Unavailable, closed. ResourceExhausted, the name
  // is new and there are as many as may be, or there is no room for it in the memory.
  void Open(absl::string_view name, OpenDone done) ABSL_LOCKS_EXCLUDED(mu_);
  // Ends the openings that wait, and refuses new ones.
  void Close() ABSL_LOCKS_EXCLUDED(mu_);

  // The number of the last frame that is durable and visible; 0: there is no such frame.
  uint64_t Durable(absl::string_view name) const;
  // Those that have written, with names behind `after`, in order, at most `limit`.
  std::vector<ProducerInfo> List(absl::string_view after, size_t limit) const ABSL_LOCKS_EXCLUDED(mu_);
  // Nothing: it has not written.
  std::optional<ProducerInfo> Find(absl::string_view name) const ABSL_LOCKS_EXCLUDED(mu_);
  size_t size() const ABSL_LOCKS_EXCLUDED(mu_);

  // Whether the frame of that number, which is stored, says what this one says.
  RecentFrames::Repeat CheckRepeat(absl::string_view name, uint64_t sequence, uint32_t checksum) const;

  // A frame goes on its way: false when the handle is not the valid one.
  bool Begin(const Producer& producer);
  // It is in the journal,
  void Journaled(absl::string_view name, uint64_t sequence, uint32_t checksum);
  // and at its end: visible too, or (`durable` false) refused.
  void End(absl::string_view name, uint64_t sequence, bool durable);
  // A frame found in the journal at the start; records of earlier builds have no checksum. True when it does not follow
  // the one that was known: producers count by ones, so frames from *first to before this one are missing, if any of the
  // journal is.
  bool Replayed(absl::string_view name, uint64_t sequence, std::optional<uint32_t> checksum, uint64_t* first);
  // The journal says that the producer begins anew: as if its name had never been heard of.
  void Reset(absl::string_view name);

  // Those that changed since it was asked, for a seal to write down; should that fail, they are handed back.
  std::vector<Record> TakeChanged();
  void PutBack(const std::vector<Record>& changed);

 private:
  struct State {
    uint64_t generation = 0;
    uint64_t journaled = 0;  // Last number in the journal.
    uint64_t durable = 0;    // Last number in the journal and visible.
    uint64_t stored = 0;     // Frames, since the start.
    Timestamp last_seen = 0;
    int in_flight = 0;
    bool changed = false;  // Since the last seal.
    OpenDone opening;      // Waits until nothing is in flight. Null: no opening waits.
    bool had_handle = false;
    std::weak_ptr<const Producer> handle;
    RecentFrames recent;

    // Beside the state itself and the name.
    size_t HeapBytes() const {
      // The last handle's memory stays when the handle itself has gone.
      return recent.MemoryBytes() + (had_handle ? historian::HeapBytes(16 + sizeof(Producer)) : 0);
    }
    bool is_used() const { return in_flight > 0 || opening != nullptr || !handle.expired(); }
  };

  // The state of the name, which is made if there is none.
  State& StateOf(absl::string_view name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void NoteFrame(uint64_t sequence, uint32_t checksum, State& state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void NoteGone(absl::string_view name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Says what all takes, when that has changed.
  void NoteMemory() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // What a producer takes when all its last frames are known.
  static size_t BytesOfOne(absl::string_view name);

  void Answer(OpenDone done, absl::StatusOr<std::shared_ptr<Producer>> result);
  void AnswerOpening(absl::string_view name, State& state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Errors: ResourceExhausted.
  absl::Status MakeRoomFor(absl::string_view name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // What keeps the name out. Errors: ResourceExhausted.
  absl::Status CheckRoomFor(absl::string_view name) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Forgets what nobody uses and has never written; `expired` ones too.
  void Sweep(bool expired) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  ProducerInfo InfoOf(absl::string_view name, const State& state) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  boost::asio::io_context& io_;
  const std::function<uint64_t()> journal_epoch_;
  const Clock& clock_;
  const ProducerLimits limits_;
  DefinitionMemory& memory_;

  mutable absl::Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t generations_ ABSL_GUARDED_BY(mu_) = 0;  // So that a name that comes again has another one.
  absl::flat_hash_map<std::string, State> states_ ABSL_GUARDED_BY(mu_);
  size_t heap_bytes_ ABSL_GUARDED_BY(mu_) = 0;    // Of names and states, beside the table,
  size_t recent_bytes_ ABSL_GUARDED_BY(mu_) = 0;  // and how much of it is of last frames.
  size_t named_since_sweep_ ABSL_GUARDED_BY(mu_) = 0;
  MonotonicTime last_sweep_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> gone_ ABSL_GUARDED_BY(mu_);  // Forgotten since the last seal.
  size_t gone_heap_bytes_ ABSL_GUARDED_BY(mu_) = 0;     // Of these names.
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_WRITE_PRODUCERS_H_
