// File: storage/kv/faulty_store.h
//
// A Store that fails on command, around another one, usually in memory:
//
//   auto disk = std::make_shared<MemoryDisk>();
//   auto faults = std::make_shared<Faults>(seed);
//   auto store = NewFaultyStore(OpenMemoryStore(disk), faults);
//   faults->CrashNth(7, Faults::Torn::kPrefix);      // Power fails in the 7th change from now.
//   ... until a call returns Unavailable ...
//   store = NewFaultyStore(OpenMemoryStore(disk), faults);   // What a server finds after the crash.
//
// Changes are counted: Write, Ingest, DeleteRange, Checkpoint, and a Log's Append, Sync, Trim, Truncate.
// What a log was given since its last good Sync is kept back from the store behind, and lost by a crash.
// Everything else is durable when it returns OK; a crash in the middle of it leaves all or nothing of it, at
// random.
//
// There is one command of each kind at a time; a new one replaces it. All randomness comes from the seed.
// Threads: any; the calls of one faulty store run one at a time.
#ifndef HISTORIAN_STORAGE_KV_FAULTY_STORE_H_
#define HISTORIAN_STORAGE_KV_FAULTY_STORE_H_

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "storage/kv/store.h"

namespace historian::kv {

// Controls one faulty store at a time. Outlives it, and may be used for the next one on the same disk.
class Faults {
 public:
  // What a crash leaves of the bytes a log was given since its last good Sync.
  enum class Torn {
    kNothing,
    kPrefix,   // Some of the first of them.
    kSectors,  // Some of the 512-byte sectors they lie in; the others read as zeros.
  };

  explicit Faults(uint64_t seed = 1);
  ~Faults();
  Faults(const Faults&) = delete;
  Faults& operator=(const Faults&) = delete;

  // The nth change from now (1: the next) returns this status and does nothing. A Sync that fails drops all
  // or part of what it should have made durable, and its log must be truncated.
  void FailNth(uint64_t n, absl::Status status);

  // While full, the calls that need room return ResourceExhausted and do nothing: Write, Ingest,
  // RunBuilder::Add, Append and Checkpoint. Deleting and trimming still work.
  void SetFull(bool full);

  // While held, a Sync waits, or a Write; reads go on.
  void HoldSyncs(bool held);
  void HoldWrites(bool held);
  // While it hangs, every call that needs the disk waits: also those that only read, and Stats.
  void Hang(bool hung);
  // How many calls wait.
  int waiting() const;

  // The power fails now, or in the nth change from now. From then on every call returns Unavailable, cursors
  // are not Valid(), and the store behind is closed, so that its disk can be opened again.
  void Crash(Torn torn = Torn::kNothing);
  void CrashNth(uint64_t n, Torn torn = Torn::kNothing);
  bool crashed() const;

  // Changes begun so far, over all stores of these Faults.
  uint64_t changes() const;

  // Flips one bit of the stored byte at the offset. Errors: NotFound, no such key; OutOfRange, no such byte.
  absl::Status DamageValue(Space space, absl::string_view key, size_t offset);
  // The same for a byte of an open log.
  absl::Status DamageLog(absl::string_view name, uint64_t position);

  struct State;

 private:
  friend std::unique_ptr<Store> NewFaultyStore(std::unique_ptr<Store> store, std::shared_ptr<Faults> faults);

  const std::shared_ptr<State> state_;
};

// Returns a store with these faults around `store`. No other open store may use the faults. A crash of the
// previous store is over.
std::unique_ptr<Store> NewFaultyStore(std::unique_ptr<Store> store, std::shared_ptr<Faults> faults);

}  // namespace historian::kv

#endif  // HISTORIAN_STORAGE_KV_FAULTY_STORE_H_
