// File: server/call.h
//
// What all calls have in common: bytes to message and back, deadline and cancellation, a slot among the
// running queries, counting and logging at the end.
//
// Services take raw bytes, so that bytes that are not a message get the answer the contract promises
// (INVALID_ARGUMENT; gRPC itself would say UNIMPLEMENTED), and so that work can be moved to another thread
// with its request.
#ifndef HISTORIAN_SERVER_CALL_H_
#define HISTORIAN_SERVER_CALL_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <boost/asio/post.hpp>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "google/protobuf/message_lite.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/support/byte_buffer.h"
#include "server/metrics.h"
#include "server/service_env.h"
#include "server/status.h"
#include "storage/archive/archive.h"

namespace historian::server {

// Errors: InvalidArgument, the bytes are not a message of this type; names the type.
absl::Status ParseMessage(const grpc::ByteBuffer& bytes, google::protobuf::MessageLite* message);
grpc::ByteBuffer SerializeMessage(const google::protobuf::MessageLite& message);

// Errors: ResourceExhausted, `count` is above `limit`; names what is counted and the setting.
absl::Status CheckLimit(uint64_t count, uint64_t limit, absl::string_view what, absl::string_view setting);

// One call from its arrival to its end.
class CallRecord {
 public:
  CallRecord(ServiceEnv& env, grpc::CallbackServerContext* context, Method method, bool is_query);
  ~CallRecord();
  CallRecord(const CallRecord&) = delete;
  CallRecord& operator=(const CallRecord&) = delete;

  // Takes one of the places for running queries. Always OK for calls that are not queries.
  // Errors: ResourceExhausted, limits.queries are running.
  absl::Status Admit();

  // Returns OK until the client's deadline or the server's limits.query_timeout has passed.
  absl::Status CheckDeadline() const;

  // Adds to the server's own work, which is without waiting for the client. One thread at a time.
  void AddWork(absl::Duration took) { work_ += took; }

  // Counts the call, and logs it if it was slow. Only the first call has an effect.
  void End(const absl::Status& status);

  // Says which tags and which range the call reads. Called only if the call is logged.
  void Describe(std::function<std::string()> what) {
    absl::MutexLock lock(&mu_);
    what_ = std::move(what);
  }

 private:
  ServiceEnv& env_;
  const Method method_;
  const bool is_query_;
  const std::string peer_;
  const absl::Time started_;
  const absl::Time client_deadline_;
  const absl::Time server_deadline_;
  absl::Duration work_ = absl::ZeroDuration();
  bool admitted_ = false;
  bool ended_ = false;

  absl::Mutex mu_;  // A stream may be ended while its first frame is made.
  std::function<std::string()> what_ ABSL_GUARDED_BY(mu_);
};

// Where the work of a call runs.
enum class Run { kHere, kOnPool };

// Serves a call with one answer.
//
//   where(request)                                  kHere only if the work is surely quick
//   serve(request, keep_going, record, &response)   the work; its status ends the call
template <class Request, class Response, class Where, class Serve>
grpc::ServerUnaryReactor* ServeUnary(ServiceEnv& env, grpc::CallbackServerContext* context, Method method,
                                     bool is_query, const grpc::ByteBuffer* in, grpc::ByteBuffer* out,
                                     Where where, Serve serve) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  auto record = std::make_shared<CallRecord>(env, context, method, is_query);
  const auto finish = [reactor, record](const absl::Status& status) {
    record->End(status);
    reactor->Finish(ToGrpcStatus(status));
  };
  auto request = std::make_shared<Request>();
  if (absl::Status status = ParseMessage(*in, request.get()); !status.ok()) {
    finish(status);
    return reactor;
  }
  if (absl::Status status = record->Admit(); !status.ok()) {
    finish(status);
    return reactor;
  }
  auto work = [context, out, record, request, finish, serve = std::move(serve)]() {
    const absl::Time begin = absl::Now();
    const KeepGoing keep_going = [context, record = record.get()]() -> absl::Status {
      if (context->IsCancelled()) return absl::CancelledError("the client cancelled the call");
      return record->CheckDeadline();
    };
    Response response;
    absl::Status status = keep_going();
    if (status.ok()) status = serve(*request, keep_going, *record, &response);
    if (status.ok()) *out = SerializeMessage(response);
    record->AddWork(absl::Now() - begin);
    finish(status);
  };
  if (where(*request) == Run::kHere) {
    work();
  } else {
    boost::asio::post(env.pool, std::move(work));
  }
  return reactor;
}

// Makes the frames of a stream of answers. Called by one thread at a time, but not always the same.
class FrameSource {
 public:
  virtual ~FrameSource() = default;
  enum class Step {
    kFrame,      // *frame is the next one.
    kLastFrame,  // *frame is the last one.
    kEnd,        // There are no more frames.
  };
  virtual absl::StatusOr<Step> Next(grpc::ByteBuffer* frame) = 0;
  // Whether the first frame is surely made within a fraction of a millisecond. Asked once, where the source
  // was opened on the thread on which the call arrived.
  virtual bool IsQuick() const { return true; }
};

// Checks the request, finds what it names, and makes the source of its frames.
using OpenSource =
    std::function<absl::StatusOr<std::unique_ptr<FrameSource>>(KeepGoing keep_going, CallRecord& record)>;

// Serves a call with a stream of answers. While a frame is being sent at most one more is made. A client that
// takes nothing for limits.reader_idle gets RESOURCE_EXHAUSTED, and is cut off if it does not take that
// either. `where` says where the source is opened. Its first frame is made there too, unless that is here and
// the source is not quick; all others are made on the pool.
grpc::ServerWriteReactor<grpc::ByteBuffer>* ServeStream(ServiceEnv& env, grpc::CallbackServerContext* context,
                                                        Method method, bool is_query, Run where,
                                                        OpenSource open);

// Ends the stream at once with this status.
grpc::ServerWriteReactor<grpc::ByteBuffer>* RefuseStream(ServiceEnv& env,
                                                         grpc::CallbackServerContext* context, Method method,
                                                         const absl::Status& status);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_CALL_H_
