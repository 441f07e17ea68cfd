// File: server/call.h
//
// What all calls have in common: who makes them and whether they may, bytes to message and back, deadline and
// cancellation, a slot among the running queries, counting and logging at the end.
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

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/support/byte_buffer.h"
#include "server/authorize.h"
#include "server/call_memory.h"
#include "server/caller/caller.h"
#include "server/metrics.h"
#include "server/peer.h"
#include "server/service_env.h"
#include "server/status.h"
#include "server/stream_registry.h"
#include "storage/archive/archive.h"
#include "storage/kv/in_memory_only.h"
#include "storage/platform/monotonic.h"

namespace historian::server {

// What a call takes beside its request: gRPC's part and ours. Calls that were cancelled keep it until the pool comes to them.
inline constexpr uint64_t kCallBytes = 16 * 1024;

// Errors: InvalidArgument, the bytes are not a message of this type; names the type.
absl::Status ParseMessage(const grpc::ByteBuffer& bytes, google::protobuf::Message* message);
// The error of bytes that are not a message of this type.
absl::Status NotAMessage(const grpc::ByteBuffer& bytes, const google::protobuf::Descriptor* type);
// The same for a request, once its bytes are within limits.message_bytes and `hold` has the memory that it takes.
// Errors: ResourceExhausted, one of the two; names the limit.
absl::Status ParseRequest(ServiceEnv& env, const grpc::ByteBuffer& bytes, google::protobuf::Message* message,
                          CallMemory::Hold* hold);
grpc::ByteBuffer SerializeMessage(const google::protobuf::Message& message);

// Errors: ResourceExhausted, `count` is above `limit`; names what is counted and the setting.
absl::Status CheckLimit(uint64_t count, uint64_t limit, absl::string_view what, absl::string_view setting);

// Whether a query is answered in one piece and usually soon, so that a client that takes its time holds up nothing.
bool IsShortQuery(Method method);

// One call from its arrival to its end.
class CallRecord {
 public:
  // `caller` is what Authorize says. `memory` is what the call has taken so far. It is given back with the record.
  CallRecord(ServiceEnv& env, grpc::CallbackServerContext* context, Method method, bool is_query,
             absl::StatusOr<std::shared_ptr<const Caller>> caller, CallMemory::Hold memory);
  ~CallRecord();
  CallRecord(const CallRecord&) = delete;
  CallRecord& operator=(const CallRecord&) = delete;

  // Whether the call may be made. What comes below may be called only then.
  const absl::Status& authorized() const { return caller_.status(); }
  const Caller& caller() const { return **caller_; }
  const std::shared_ptr<const Caller>& shared_caller() const { return *caller_; }
  SeenTags tags() const { return {env_.archive.tags(), caller()}; }
  // Who is to be named as the author of what the call does: the caller; where nobody is asked who they are, whom the
  // request names.
  std::string Author(absl::string_view given) const {
    return caller().is_everyone() ? std::string(given) : caller().name();
  }
  // A part of the call was refused, such as one tag of many: counts and logs that, if it was because of who asked.
  void NotePart(const absl::Status& status) const;

  // Takes one of the places for running queries: for short ones there are places that long ones never take. Always OK
  // for calls that are not queries.
  // Errors: ResourceExhausted, limits.queries or limits.short_queries are running, or limits.queries_per_peer of
  // the client's address.
  absl::Status Admit();

  // Returns OK until the client's deadline or the server's limits.query_timeout has passed, or the caller's permissions were
  // changed.
  absl::Status CheckDeadline() const;

  // Takes memory for a part of the answer, or of `what`, when it is known how large it is. Any number of threads.
  // Errors: ResourceExhausted, calls have no more; says what to do.
  absl::Status Grow(uint64_t bytes, absl::string_view what = "the answer") ABSL_LOCKS_EXCLUDED(mu_);

  // What was taken for the call elsewhere.
  void Take(CallMemory::Hold memory) ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    memory_ = std::move(memory);
  }

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
  // Gives the place back.
  void Leave();
  std::atomic<int64_t>& Running();
  PeerCounts& PeersQueries();

  ServiceEnv& env_;
  const Method method_;
  const bool is_query_;
  const std::string peer_;
  const absl::StatusOr<std::shared_ptr<const Caller>> caller_;
  const MonotonicTime started_;
  const MonotonicTime client_deadline_;
  const MonotonicTime server_deadline_;
  absl::Duration work_ = absl::ZeroDuration();
  bool admitted_ = false;
  bool ended_ = false;

  absl::Mutex mu_;  // A stream may be ended while its first frame is made.
  CallMemory::Hold memory_ ABSL_GUARDED_BY(mu_);
  std::function<std::string()> what_ ABSL_GUARDED_BY(mu_);
};

// A call with one answer. gRPC owns it until OnDone; who works on it shares it.
class UnaryCall final : public grpc::ServerUnaryReactor,
                        public IdleStream,
                        public std::enable_shared_from_this<UnaryCall> {
 public:
  static std::shared_ptr<UnaryCall> Begin(ServiceEnv& env, grpc::CallbackServerContext* context,
                                          Method method, bool is_query);

  CallRecord& record() { return record_; }
  // See ParseRequest. Errors: also those of Authorize; then nothing is looked at.
  absl::Status Parse(const grpc::ByteBuffer& bytes, google::protobuf::Message* request);
  // OK until the client has cancelled the call or its time is over.
  absl::Status KeepGoing() const;
  // Ends the call with *answer, unless status is not OK. Its memory is held until the client has taken it.
  void End(absl::Status status, const google::protobuf::Message* answer, grpc::ByteBuffer* out);

  void OnDone() override;
  void EndIfIdle(MonotonicTime now, absl::Duration patience) override;

 private:
  UnaryCall(ServiceEnv& env, grpc::CallbackServerContext* context, Method method, bool is_query);

  ServiceEnv& env_;
  grpc::CallbackServerContext* const context_;
  CallRecord record_;
  std::shared_ptr<UnaryCall> self_;

  absl::Mutex mu_;
  bool done_ ABSL_GUARDED_BY(mu_) = false;
  MonotonicTime ended_at_ ABSL_GUARDED_BY(mu_) = MonotonicTime::InfiniteFuture();
};

// Where the work of a call runs. Here it reads only what is in memory (storage/kv/in_memory_only.h): when it needs the disk
// it is done anew on the pool.
enum class Run { kHere, kOnPool };

// Serves a call with one answer.
//
//   where(request)                                  kHere only if the work is surely quick
//   serve(request, keep_going, record, &response)   the work; its status ends the call
template <class Request, class Response, class Where, class Serve>
grpc::ServerUnaryReactor* ServeUnary(ServiceEnv& env, grpc::CallbackServerContext* context, Method method,
                                     bool is_query, const grpc::ByteBuffer* in, grpc::ByteBuffer* out,
                                     Where where, Serve serve) {
  const std::shared_ptr<UnaryCall> call = UnaryCall::Begin(env, context, method, is_query);
  UnaryCall* const reactor = call.get();
  auto request = std::make_shared<Request>();
  absl::Status status = call->Parse(*in, request.get());
  if (status.ok()) status = call->record().Admit();
  if (!status.ok()) {
    call->End(status, nullptr, nullptr);
    return reactor;
  }
  const bool is_quick = where(*request) == Run::kHere;
  auto work = [call, out, request = std::move(request), serve = std::move(serve)]() {
    const MonotonicTime begin = MonotonicTime::Now();
    const KeepGoing keep_going = [call = call.get()] { return call->KeepGoing(); };
    Response response;
    absl::Status status = keep_going();
    if (status.ok()) status = serve(*request, keep_going, call->record(), &response);
    call->record().AddWork(MonotonicTime::Now() - begin);
    if (kv::IsNotInMemory(status)) return false;
    call->End(std::move(status), &response, out);
    return true;
  };
  if (is_quick) {
    // gRPC has few threads: they wait for no disk.
    const kv::InMemoryOnly here;
    if (work()) return reactor;
  }
  env.pool.Post([work = std::move(work)]() mutable { work(); });
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
// the source is not quick; all others are made on the pool. `memory` is what the request takes.
grpc::ServerWriteReactor<grpc::ByteBuffer>* ServeStreamOf(
    ServiceEnv& env, grpc::CallbackServerContext* context, Method method, bool is_query, Run where,
    absl::StatusOr<std::shared_ptr<const Caller>> caller, CallMemory::Hold memory, OpenSource open);

//   where(request)                        as for ServeUnary
//   open(request, keep_going, record)     as OpenSource
template <class Request, class Where, class Open>
grpc::ServerWriteReactor<grpc::ByteBuffer>* ServeStream(ServiceEnv& env, grpc::CallbackServerContext* context,
                                                        Method method, bool is_query,
                                                        const grpc::ByteBuffer* in, Where where, Open open) {
  CallMemory::Hold memory(env.call_memory);
  auto request = std::make_shared<Request>();
  absl::StatusOr<std::shared_ptr<const Caller>> caller = Authorize(env, *context, method);
  absl::Status status = caller.status();
  if (status.ok()) status = ParseRequest(env, *in, request.get(), &memory);
  if (!status.ok()) {
    return ServeStreamOf(env, context, method, /*is_query=*/false, Run::kHere, std::move(caller),
                         std::move(memory), [status](KeepGoing, CallRecord&) { return status; });
  }
  const Run run = where(*request);
  return ServeStreamOf(env, context, method, is_query, run, std::move(caller), std::move(memory),
                       [request, open = std::move(open)](const KeepGoing& keep_going, CallRecord& record) {
                         return open(*request, keep_going, record);
                       });
}

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_CALL_H_
