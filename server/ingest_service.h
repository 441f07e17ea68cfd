// File: server/ingest_service.h
//
// Writing samples, as proto/historian/v1/ingest.proto promises.
//
// A write stream reads frames while fewer than limits.stream_in_flight_bytes of it wait to become durable,
// and while none of it waits for the archive's memory; otherwise it asks gRPC for no more, and the writer comes
// to a stop by flow control. A frame that waits for memory too long (Archive::Write says how long) ends its
// stream. WriteOnce has no flow control: its frame is refused at once when memory is short. Acknowledgements
// are gathered while one is being sent, so a writer that never reads them costs one message and a bounded
// summary.
//
// A stream must name its producer within LimitsConfig::naming_time. Until then it gives its place to another stream if
// there is no place left, the oldest first, so that silent streams keep nobody out.
//
// Threads: gRPC's, and nothing waits on them. What has to wait (a frame for memory, the opening of a producer
// for the frames that its handle before has under way) is called back, and holds up no other producer.
#ifndef HISTORIAN_SERVER_INGEST_SERVICE_H_
#define HISTORIAN_SERVER_INGEST_SERVICE_H_

#include <atomic>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "proto/historian/v1/ingest.grpc.pb.h"
#include "server/service_env.h"
#include "server/write_stream.h"

namespace historian::server {

using RawIngest = v1::Ingest::WithRawCallbackMethod_Write<v1::Ingest::WithRawCallbackMethod_WriteOnce<
    v1::Ingest::WithRawCallbackMethod_GetProducer<v1::Ingest::Service>>>;

// Who has a write stream open. Threads: any number.
class OpenStreams {
 public:
  virtual ~OpenStreams() = default;
  // Nothing: nobody.
  virtual std::optional<std::string> PeerOf(const std::string& producer) const = 0;
};

class IngestService final : public RawIngest, public OpenStreams, private WriteStreamOwner {
 public:
  // env must outlive it.
  explicit IngestService(ServiceEnv& env);
  ~IngestService() override;

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Write(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* WriteOnce(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetProducer(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override;

  std::optional<std::string> PeerOf(const std::string& producer) const override;

  // Ends every stream with UNAVAILABLE, after acknowledging what is stored, and refuses new ones.
  void Stop();

 private:
  // A frame of WriteOnce.
  struct Once {
    Frame frame;
    WriteDone done;
    std::shared_ptr<const Caller> caller;
  };
  // A producer that writes frame by frame. Its mutex is taken before the service's.
  struct Handle {
    explicit Handle(std::string name) : name(std::move(name)) {}

    const std::string name;
    absl::Mutex mu;
    std::shared_ptr<Producer> producer ABSL_GUARDED_BY(mu);  // Null: it is not open.
    uint64_t last_sequence ABSL_GUARDED_BY(mu) = 0;
    bool opening ABSL_GUARDED_BY(mu) = false;      // For the first of `waiting`.
    std::deque<Once> waiting ABSL_GUARDED_BY(mu);  // In the order of their calls. Empty unless it is opening.
    // Set when a write failed: the archive takes nothing more of this handle, or not until it knows where the
    // producer stands.
    std::atomic<bool> stale{false};
  };

  // Makes a place for one more stream from this address, if one that has named no producer can give way. Returns it
  // as `gives_way`.
  // Errors: ResourceExhausted, limits.write_streams or limits.write_streams_per_peer are open.
  absl::Status MakePlace(absl::string_view address, std::shared_ptr<WriteStream>* gives_way)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The stream takes no place any more.
  void GiveBack(WriteStream& stream) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  absl::Status Claim(const std::string& name, const std::shared_ptr<WriteStream>& stream) override;
  void Release(const std::string& name, WriteStream* stream) override;
  void NoteRejections(const std::string& producer, uint64_t sequence, const WriteResult& result) override;

  // Returns the handle with which WriteOnce writes for the producer.
  // Errors: FailedPrecondition, the producer has an open stream.
  absl::StatusOr<std::shared_ptr<Handle>> HandleOf(const std::string& name);
  absl::Status CheckNoStream(const std::string& name) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Writes the frame once those before it are written. Opens the producer when it must.
  void WriteInOrder(const std::shared_ptr<Handle>& handle, Once once) ABSL_LOCKS_EXCLUDED(handle->mu);
  void WriteWaiting(const std::shared_ptr<Handle>& handle) ABSL_EXCLUSIVE_LOCKS_REQUIRED(handle->mu);
  // Writes the first of those that wait, and takes it from them.
  void WriteFirst(Handle& handle) ABSL_EXCLUSIVE_LOCKS_REQUIRED(handle.mu);
  void RefuseFirst(Handle& handle, const absl::Status& why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(handle.mu);
  // OnOpened is called later, on the pool, if this returns OK.
  absl::Status Open(const std::shared_ptr<Handle>& handle) ABSL_LOCKS_EXCLUDED(mu_);
  void OnOpened(const std::shared_ptr<Handle>& handle, absl::StatusOr<std::shared_ptr<Producer>> producer)
      ABSL_LOCKS_EXCLUDED(handle->mu);

  ServiceEnv& env_;

  mutable absl::Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  absl::flat_hash_set<std::shared_ptr<WriteStream>> streams_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, uint64_t> streams_by_address_ ABSL_GUARDED_BY(mu_);
  uint64_t streams_opened_ ABSL_GUARDED_BY(mu_) = 0;
  // Those that have named no producer yet, by number: the oldest first.
  std::map<uint64_t, WriteStream*> unnamed_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, WriteStream*> by_producer_ ABSL_GUARDED_BY(mu_);
  // Handles of WriteOnce, the longest unused last; at most kHandlesMax.
  using Handles = std::list<std::pair<std::string, std::shared_ptr<Handle>>>;
  Handles handles_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, Handles::iterator> handle_by_name_ ABSL_GUARDED_BY(mu_);
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_INGEST_SERVICE_H_
