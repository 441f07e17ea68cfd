// File: storage/kv/in_memory_only.h
//
// How a thread that must not wait for a disk reads from a store: it gets what is in memory, and hears of the rest that it
// is not. Another thread, which may wait, then does the work anew.
//
// A store may know of a walk only that it would perhaps have to wait, as RocksDB does: then every walk is not in memory.
//
//   kv::InMemoryOnly here;
//   absl::Status status = work();
//   if (kv::IsNotInMemory(status)) ...             // Elsewhere.
//
// Threads: each has its own.
#ifndef HISTORIAN_STORAGE_KV_IN_MEMORY_ONLY_H_
#define HISTORIAN_STORAGE_KV_IN_MEMORY_ONLY_H_

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"

namespace historian::kv {

class InMemoryOnly {
 public:
  InMemoryOnly() { ++depth_; }
  ~InMemoryOnly() { --depth_; }
  InMemoryOnly(const InMemoryOnly&) = delete;
  InMemoryOnly& operator=(const InMemoryOnly&) = delete;

  // True while one lives on this thread.
  static bool here() { return depth_ > 0; }

 private:
  static inline thread_local int depth_ = 0;
};

inline constexpr absl::string_view kNotInMemory = "historian/not-in-memory";

// What a read gets that would have to wait. Nobody but the code that made the InMemoryOnly ever sees it.
inline absl::Status NotInMemory() {
  absl::Status status = absl::UnavailableError("not in memory");
  status.SetPayload(kNotInMemory, absl::Cord());
  return status;
}
inline bool IsNotInMemory(const absl::Status& status) { return status.GetPayload(kNotInMemory).has_value(); }

}  // namespace historian::kv

#endif  // HISTORIAN_STORAGE_KV_IN_MEMORY_ONLY_H_
