// File: storage/kv/memory_store.h
//
// A Store in memory: for tests, and the lesson on how to write one.
//
// A MemoryDisk outlives the stores opened on it, one after another, as a disk outlives processes:
//
//   auto disk = std::make_shared<MemoryDisk>();
//   { auto store = OpenMemoryStore(disk); ... }   // closed, or killed: nothing written is lost
//   { auto store = OpenMemoryStore(disk); ... }   // the same contents
//
// Power loss, full disks and damage: wrap it in a faulty_store.h.
#ifndef HISTORIAN_STORAGE_KV_MEMORY_STORE_H_
#define HISTORIAN_STORAGE_KV_MEMORY_STORE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "storage/kv/store.h"

namespace historian::kv {

// Threads: any. Everything a Store of this disk keeps is here; the Store itself keeps nothing.
class MemoryDisk {
 public:
  MemoryDisk() = default;
  // A log that is opened again shows log_zero_tail_bytes zeros after its last byte, as a log on preallocated
  // files does (see Log::end). A reader must come to the same result with any number of them.
  explicit MemoryDisk(uint64_t log_zero_tail_bytes) : log_zero_tail_bytes_(log_zero_tail_bytes) {}
  MemoryDisk(const MemoryDisk&) = delete;
  MemoryDisk& operator=(const MemoryDisk&) = delete;

  // Returns the disk that Store::Checkpoint(path) wrote, or null if there is no such checkpoint.
  std::shared_ptr<MemoryDisk> checkpoint(const std::string& path) const;

 private:
  friend class MemoryCursor;
  friend class MemoryLog;
  friend class MemoryStore;

  // Copied before a change if a cursor still reads it, else changed in place. Copies share their values.
  using Map = std::map<std::string, std::shared_ptr<const std::string>, std::less<>>;
  struct LogBytes {
    uint64_t begin = 0;
    std::string bytes;  // From begin on.
    bool open = false;
  };

  std::shared_ptr<Map>& MutableMap(Space space) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  static std::vector<std::shared_ptr<Map>> EmptyMaps() {
    std::vector<std::shared_ptr<Map>> maps(kSpaces);
    for (std::shared_ptr<Map>& map : maps) map = std::make_shared<Map>();
    return maps;
  }

  const uint64_t log_zero_tail_bytes_ = 0;

  mutable absl::Mutex mutex_;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::shared_ptr<Map>> maps_ ABSL_GUARDED_BY(mutex_) = EmptyMaps();
  std::map<std::string, LogBytes, std::less<>> logs_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<MemoryDisk>> checkpoints_ ABSL_GUARDED_BY(mutex_);
};

// Opens a store on the disk. Errors: FailedPrecondition, another store is open on it.
absl::StatusOr<std::unique_ptr<Store>> TryOpenMemoryStore(std::shared_ptr<MemoryDisk> disk);

// The same for tests that know that the disk is free; stops the process if it is not.
std::unique_ptr<Store> OpenMemoryStore(std::shared_ptr<MemoryDisk> disk);

// Returns a store on a new disk of its own.
std::unique_ptr<Store> NewMemoryStore();

}  // namespace historian::kv

#endif  // HISTORIAN_STORAGE_KV_MEMORY_STORE_H_
