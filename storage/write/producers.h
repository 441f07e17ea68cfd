// File: storage/write/producers.h
//
// Who writes, and how far each is: frames of a producer are numbered, and each is stored once.
//
//   Open   -> the name's earlier handles are fenced off, at once
//          -> what they have under way is settled: it is durable, or refused
//          -> only now it is known where the producer stands: `done` is given the handle
#ifndef HISTORIAN_STORAGE_WRITE_PRODUCERS_H_
#define HISTORIAN_STORAGE_WRITE_PRODUCERS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "boost/asio/io_context.hpp"
#include "storage/kv/store.h"
#include "storage/write/write_result.h"

namespace historian {

class Producer {
 public:
  std::string name;
  uint64_t generation = 0;
  uint64_t durable_at_open = 0;
  uint64_t journal_epoch = 0;
  uint64_t last_sequence = 0;  // Of the calls on this handle; they come from one thread at a time.
};

// Threads: any number. OpenDone is called on the thread of `io`, never within a call.
class Producers {
 public:
  using Position = std::pair<std::string, uint64_t>;  // A name, and the number of its last frame.

  // journal_epoch is asked when a handle is made, under the mutex, and must be quick.
  Producers(boost::asio::io_context& io, std::function<uint64_t()> journal_epoch)
      : io_(io), journal_epoch_(std::move(journal_epoch)) {}

  // Reads what the last seals wrote down. DataLoss: a record is damaged; the others are read.
  absl::Status Load(kv::Store& store);

  // Makes the new handle of the name, from now on the valid one, and hands it to `done` when what an earlier
  // one has under way is settled.
  // Errors: InvalidArgument, no good name. Aborted, opened again meanwhile. Unavailable, closed.
  void Open(absl::string_view name, OpenDone done) ABSL_LOCKS_EXCLUDED(mu_);
  // Ends the openings that wait, and refuses new ones.
  void Close() ABSL_LOCKS_EXCLUDED(mu_);

  // The number of the last frame that is durable and visible; 0: there is no such frame.
  uint64_t Durable(absl::string_view name) const;

  // A frame goes on its way: false when the handle is not the valid one.
  bool Begin(const Producer& producer);
  // It is in the journal,
  void Journaled(absl::string_view name, uint64_t sequence);
  // and at its end: visible too, or (`durable` false) refused.
  void End(absl::string_view name, uint64_t sequence, bool durable);
  // A frame found in the journal at the start. True when it does not follow the one that was known: producers count by
  // ones, so frames from *first to before this one are missing, if any of the journal is.
  bool Replayed(absl::string_view name, uint64_t sequence, uint64_t* first);

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
    OpenDone opening;      // Waits until nothing is in flight. Null: no opening waits.
  };

  void Answer(OpenDone done, absl::StatusOr<std::shared_ptr<Producer>> result);
  void AnswerOpening(absl::string_view name, State& state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  boost::asio::io_context& io_;
  const std::function<uint64_t()> journal_epoch_;

  mutable absl::Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  absl::flat_hash_map<std::string, State> states_ ABSL_GUARDED_BY(mu_);
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_WRITE_PRODUCERS_H_
