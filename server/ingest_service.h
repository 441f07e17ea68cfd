// File: server/ingest_service.h
//
// Writing samples, as proto/historian/v1/ingest.proto promises.
//
// A write stream reads frames while fewer than limits.stream_in_flight_bytes of it wait to become durable;
// otherwise it asks gRPC for no more, and the writer comes to a stop by flow control. Acknowledgements are
// gathered while one is being sent, so a writer that never reads them costs one message and a bounded
// summary.
//
// Threads: gRPC's. They wait in two places: Archive::Write waits up to 10 s when memory is short, and opening
// a producer waits for the frames under way of the producer's handle before.
#ifndef HISTORIAN_SERVER_INGEST_SERVICE_H_
#define HISTORIAN_SERVER_INGEST_SERVICE_H_

#include <atomic>
#include <list>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "proto/historian/v1/ingest.grpc.pb.h"
#include "server/service_env.h"

namespace historian::server {

class WriteStream;

using RawIngest = v1::Ingest::WithRawCallbackMethod_Write<v1::Ingest::WithRawCallbackMethod_WriteOnce<
    v1::Ingest::WithRawCallbackMethod_GetProducer<v1::Ingest::Service>>>;

class IngestService final : public RawIngest {
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

  // Ends every stream with UNAVAILABLE, after acknowledging what is stored, and refuses new ones.
  void Stop();

 private:
  friend class WriteStream;

  // A producer that writes frame by frame.
  struct Handle {
    absl::Mutex mu;
    std::shared_ptr<Producer> producer ABSL_GUARDED_BY(mu);
    uint64_t last_sequence ABSL_GUARDED_BY(mu) = 0;
    // Set when a write failed: the archive takes nothing more of this handle, or not until it knows where the
    // producer stands.
    std::atomic<bool> stale{false};
  };

  // Makes the stream the only one of its producer; the previous one ends with ABORTED.
  absl::StatusOr<std::shared_ptr<Producer>> Claim(const std::string& name,
                                                  const std::shared_ptr<WriteStream>& stream);
  void Release(const std::string& name, WriteStream* stream);
  // Returns the handle with which WriteOnce writes for the producer.
  // Errors: FailedPrecondition, the producer has an open stream.
  absl::StatusOr<std::shared_ptr<Handle>> HandleOf(const std::string& name);
  // Counts the rejections and, at most once in a while for each producer, logs them.
  void NoteRejections(const std::string& producer, uint64_t sequence, const WriteResult& result);

  ServiceEnv& env_;
  LogRateLimiter rejections_logged_;

  absl::Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  absl::flat_hash_set<std::shared_ptr<WriteStream>> streams_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, WriteStream*> by_producer_ ABSL_GUARDED_BY(mu_);
  // Handles of WriteOnce, the longest unused last; at most kHandlesMax.
  using Handles = std::list<std::pair<std::string, std::shared_ptr<Handle>>>;
  Handles handles_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, Handles::iterator> handle_by_name_ ABSL_GUARDED_BY(mu_);
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_INGEST_SERVICE_H_
