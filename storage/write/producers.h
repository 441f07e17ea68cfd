// File: storage/write/producers.h
//
// Who writes, and how far each is: frames of a producer are numbered, and each is stored once.
#ifndef HISTORIAN_STORAGE_WRITE_PRODUCERS_H_
#define HISTORIAN_STORAGE_WRITE_PRODUCERS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "storage/kv/store.h"

namespace historian {

class Producer {
 public:
  std::string name;
  uint64_t generation = 0;
  uint64_t durable_at_open = 0;
  uint64_t journal_epoch = 0;
  uint64_t last_sequence = 0;  // Of the calls on this handle; they come from one thread at a time.
};

// Threads: any number.
class Producers {
 public:
  using Position = std::pair<std::string, uint64_t>;  // A name, and the number of its last frame.

  // Reads what the last seals wrote down.
  absl::Status Load(kv::Store& store);

  // The new handle of the name, from now on the valid one. Waits until what an earlier one has under way is
  // settled. journal_epoch is asked when it is. InvalidArgument: no good name; Aborted: opened again
  // meanwhile.
  absl::StatusOr<std::shared_ptr<Producer>> Open(absl::string_view name,
                                                 absl::FunctionRef<uint64_t()> journal_epoch);

  // The number of the last frame that is durable and visible; 0: none.
  uint64_t Durable(absl::string_view name) const;

  // A frame goes on its way: false when the handle is not the valid one.
  bool Begin(const Producer& producer);
  // It is in the journal,
  void Journaled(absl::string_view name, uint64_t sequence);
  // and at its end: visible too, or (`durable` false) refused.
  void End(absl::string_view name, uint64_t sequence, bool durable);
  // A frame found in the journal at the start.
  void Replayed(absl::string_view name, uint64_t sequence);

  // Those whose last frame in the journal changed since it was asked, for a seal to write down; should that
  // fail, they are handed back.
  std::vector<Position> TakeChanged();
  void PutBack(const std::vector<Position>& changed);

 private:
  struct State {
    uint64_t generation = 0;
    uint64_t journaled = 0;  // Last number in the journal.
    uint64_t durable = 0;    // Last number in the journal and visible.
    int in_flight = 0;
    bool changed = false;  // Since the last seal.
  };

  mutable absl::Mutex mu_;
  absl::flat_hash_map<std::string, State> states_ ABSL_GUARDED_BY(mu_);
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_WRITE_PRODUCERS_H_
