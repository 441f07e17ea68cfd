// File: storage/write/write_result.h
//
// What became of a frame that was written, and of a producer that was opened.
#ifndef HISTORIAN_STORAGE_WRITE_WRITE_RESULT_H_
#define HISTORIAN_STORAGE_WRITE_WRITE_RESULT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "storage/model/frame.h"
#include "storage/model/timestamp.h"

namespace historian {

// One writer. The newest handle of a name is the valid one.
class Producer;

// What is known of a producer.
struct ProducerInfo {
  std::string name;
  uint64_t sequence = 0;  // Of its last durable frame.
  Timestamp last_seen =
      0;  // When the server last stored a frame of it, by its clock; at the start for what was in the journal.
  uint64_t frames = 0;  // Stored since the start.
};

struct WriteResult {
  uint64_t stored = 0;    // Samples.
  uint64_t rejected = 0;  // Samples, those beyond kRejectionsListedMax included.
  bool repeated = false;  // The frame was stored before; nothing was stored now.
  std::vector<Rejection> rejections;
  Frame spent;  // What was written, of use for its memory alone: the next frame can be read into it.
};

// How a write ended. Called once, from a thread of the archive's or the caller's own, in the order of a
// producer's calls.
using WriteDone = absl::AnyInvocable<void(absl::StatusOr<WriteResult>)>;
// Says that a frame waits for memory no longer: it is on its way, or was refused.
using WriteTaken = absl::AnyInvocable<void()>;
// How an opening ended. Called once, from a thread of the archive's, never within the call that opens.
using OpenDone = absl::AnyInvocable<void(absl::StatusOr<std::shared_ptr<Producer>>)>;
// How a reset ended: the number of the last frame until then. Called as OpenDone is, or on the journal's thread.
using ResetDone = absl::AnyInvocable<void(absl::StatusOr<uint64_t>)>;

}  // namespace historian

#endif  // HISTORIAN_STORAGE_WRITE_WRITE_RESULT_H_
