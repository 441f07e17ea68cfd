// File: server/write_stream.h
//
// One write stream (Ingest.Write). For ingest_service alone.
//
//   opening  OnReadDone -> Claim -> OnOpened            the first message, which names the producer
//   frames   OnReadDone -> Archive::Write -> OnStored   in flight between the last two
//                                         -> OnTaken    only then the next message is read: not before the
//                                                       archive has memory for this one
//   acks     pending_, gathered while another is being sent
//   end      end_ is set once: half-closed, an error, the server stops, or no producer was named in time. Then
//            nothing more is read, what is in flight is awaited, the last ack is sent, and the status follows it.
#ifndef HISTORIAN_SERVER_WRITE_STREAM_H_
#define HISTORIAN_SERVER_WRITE_STREAM_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "google/protobuf/arena.h"
#include "grpcpp/grpcpp.h"
#include "proto/historian/v1/ingest.pb.h"
#include "server/service_env.h"
#include "server/wire.h"
#include "storage/platform/monotonic.h"

namespace historian::server {

class WriteStream;

// Why a stream ended. Metrics and the log have the names.
enum class StreamEnd {
  kFinished,   // The writer half-closed it, and everything is acknowledged.
  kCancelled,  // The writer is gone.
  kFenced,     // Another stream of its producer was opened.
  kUnnamed,    // It named no producer in time, or gave way to another stream before it did.
  kInvalid,    // A message was not what the contract says.
  kFailed,     // A frame could not be stored.
  kRefused,    // Whoever opened it may not write as this producer, or not any more.
  kIdle,       // It was over, and the writer did not take the status.
  kStopping,   // The server stops.
};
const char* StreamEndName(StreamEnd end);

// What a stream asks of the service that it belongs to.
class WriteStreamOwner {
 public:
  virtual ~WriteStreamOwner() = default;
  // Makes the stream the only one of its producer; the previous one ends with ABORTED. The stream's OnOpened is
  // called later, on the pool, if this returns OK.
  virtual absl::Status Claim(const std::string& name, const std::shared_ptr<WriteStream>& stream) = 0;
  // The stream is done. Its name is empty if it made no claim.
  virtual void Release(const std::string& name, WriteStream* stream) = 0;
  // Counts the rejections and, at most once in a while for each producer, logs them.
  virtual void NoteRejections(const std::string& producer, uint64_t sequence, const WriteResult& result) = 0;
};

// Takes the memory of a message of this type, which holds one frame, while it is parsed and becomes a frame. Where memory is
// plenty nobody looks into the message.
// Errors: ResourceExhausted; *needed is what it takes. InvalidArgument, somebody has looked and it is malformed.
absl::Status GrowForFrame(const grpc::ByteBuffer& bytes, const google::protobuf::Descriptor* type,
                          const CallMemory& memory, CallMemory::Hold* hold, uint64_t* needed);

// Errors: InvalidArgument, the name is not 1 to 128 bytes. (The parser has checked that it is UTF-8.)
absl::Status CheckProducerName(absl::string_view name);

class WriteStream final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                          public IdleStream,
                          public std::enable_shared_from_this<WriteStream> {
 public:
  // Streams are numbered as they are opened.
  WriteStream(WriteStreamOwner& owner, ServiceEnv& env, grpc::CallbackServerContext* context,
              std::shared_ptr<const Caller> caller, uint64_t number);

  void Start();
  // Ends the stream with this status once nothing is in flight. Only the first status counts.
  void End(const absl::Status& status, StreamEnd why) ABSL_LOCKS_EXCLUDED(mu_);
  const std::string& peer() const { return peer_; }
  uint64_t number() const { return number_; }
  // True once the stream was given its status. Its client may see that before gRPC calls OnDone.
  bool over() const { return over_.load(); }

  // The producer is open, or why it is not.
  void OnOpened(absl::StatusOr<std::shared_ptr<Producer>> producer) ABSL_LOCKS_EXCLUDED(mu_);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;
  void EndIfIdle(MonotonicTime now, absl::Duration patience) override;

 private:
  // Each hands on to the next, and at last to OnTaken: once for each message that was read. Admit waits for memory.
  void Admit() ABSL_LOCKS_EXCLUDED(mu_);
  void Take() ABSL_LOCKS_EXCLUDED(mu_);
  void TakeFrame() ABSL_LOCKS_EXCLUDED(mu_);
  // The next message can be read. Not OK: this one ends the stream.
  void OnTaken(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status ParseIncoming();
  // Its memory is given back, or is there for the next.
  void DropRequest();
  absl::Status CheckSequence(uint64_t sequence) const;
  // The caller may go on writing as this producer. Errors: Unauthenticated, PermissionDenied.
  absl::Status CheckCaller();
  void OnStored(uint64_t sequence, uint64_t bytes, MonotonicTime received, FrameNotes notes,
                absl::StatusOr<WriteResult> result);

  // Keeps the memory of a stored frame for the next ones.
  void KeepSpent(Frame frame) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void EndLocked(const absl::Status& status, StreamEnd why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Counts and logs how it ended.
  void NoteEnd() ABSL_LOCKS_EXCLUDED(mu_);
  // Does whatever can be done next: reads, sends an ack, or finishes.
  void Advance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  WriteStreamOwner& owner_;
  ServiceEnv& env_;
  const std::string peer_;
  const uint64_t number_;
  const MonotonicTime opened_at_ = MonotonicTime::Now();

  std::atomic<bool> over_{false};

  // Used by one read at a time, until OnTaken.
  grpc::ByteBuffer incoming_;
  uint64_t incoming_bytes_ = 0;
  CallMemory::Hold
      memory_;  // What the message takes: parsed, then as a frame, until the archive has taken it.
  std::unique_ptr<char[]> arena_block_;
  std::unique_ptr<google::protobuf::Arena> arena_;
  v1::WriteRequest* request_ = nullptr;  // The arena's.
  std::shared_ptr<const Caller> caller_;
  std::string name_;
  std::shared_ptr<Producer> producer_;
  uint64_t last_sequence_ = 0;

  absl::Mutex mu_;
  grpc::CallbackServerContext* context_ ABSL_GUARDED_BY(mu_);  // Null when done.
  bool reading_ ABSL_GUARDED_BY(mu_) = false;                  // From the start of a read until OnTaken.
  bool sending_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  bool named_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mu_);
  StreamEnd why_ ABSL_GUARDED_BY(mu_) = StreamEnd::kCancelled;  // Of end_.
  MonotonicTime ended_at_ ABSL_GUARDED_BY(mu_);
  uint64_t frames_in_flight_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t bytes_in_flight_ ABSL_GUARDED_BY(mu_) = 0;
  struct Spent {
    Frame frame;
    CallMemory::Hold memory;
  };
  std::vector<Spent> spent_ ABSL_GUARDED_BY(mu_);
  bool has_pending_ ABSL_GUARDED_BY(mu_) = false;
  v1::WriteAck pending_ ABSL_GUARDED_BY(mu_);
  grpc::ByteBuffer outgoing_;                               // gRPC reads it while sending_.
  std::shared_ptr<WriteStream> self_ ABSL_GUARDED_BY(mu_);  // gRPC's share, until OnDone.
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_WRITE_STREAM_H_
