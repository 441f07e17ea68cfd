#include "server/call.h"

#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "grpcpp/support/proto_buffer_writer.h"
#include "server/message_memory.h"
#include "server/slice_stream.h"
#include "storage/model/status_macros.h"
#include "storage/platform/monotonic.h"

namespace historian::server {

namespace {

// An answer of one message that is not worth to be watched while the client takes it.
constexpr size_t kSmallAnswer = 64 * 1024;
// How long a client may take nothing of its answer while others have no place.
constexpr absl::Duration kCrowdedPatience = absl::Seconds(1);
// What a stream of answers works with, beside its frames.
constexpr uint64_t kStreamBytes = 256 * 1024;

}  // namespace

absl::Status NotAMessage(const grpc::ByteBuffer& bytes, const google::protobuf::Descriptor* type) {
  return absl::InvalidArgumentError(absl::StrCat("the ", bytes.Length(), " bytes received are not a ",
                                                 type->full_name(), " (or text in them is not UTF-8)"));
}

absl::Status ParseMessage(const grpc::ByteBuffer& bytes, google::protobuf::Message* message) {
  SliceStream stream(bytes);
  // Bounded: else a text's memory is taken for as long as its length says it is, which may be 50 MB of 6 bytes.
  if (!stream.ok() || !message->ParseFromBoundedZeroCopyStream(&stream, static_cast<int>(bytes.Length()))) {
    return NotAMessage(bytes, message->GetDescriptor());
  }
  return absl::OkStatus();
}

absl::Status ParseRequest(ServiceEnv& env, const grpc::ByteBuffer& bytes, google::protobuf::Message* message,
                          CallMemory::Hold* hold) {
  RETURN_IF_ERROR(CheckLimit(bytes.Length(), env.config.limits.message_bytes, "bytes in one message",
                             "limits.message_bytes"));
  const ParsedSize size =
      SizeWhenParsed(bytes, message->GetDescriptor(), /*enough=*/env.call_memory.limit_bytes() + 1);
  if (size.malformed) return NotAMessage(bytes, message->GetDescriptor());
  RETURN_IF_ERROR(hold->Grow(kCallBytes + size.bytes, "the request"));
  return ParseMessage(bytes, message);
}

grpc::ByteBuffer SerializeMessage(const google::protobuf::Message& message) {
  grpc::ByteBuffer bytes;
  const size_t size = message.ByteSizeLong();
  // One slice of the exact size: what is sent is then one piece of memory.
  grpc::Slice slice(size);
  uint8_t* begin = const_cast<uint8_t*>(slice.begin());
  HISTORIAN_CHECK(message.SerializeWithCachedSizesToArray(begin) == begin + size);
  bytes = grpc::ByteBuffer(&slice, 1);
  return bytes;
}

absl::Status CheckLimit(uint64_t count, uint64_t limit, absl::string_view what, absl::string_view setting) {
  if (count <= limit) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat(count, " ", what, ": the limit is ", limit, " (", setting, ")"));
}

namespace {

// gRPC keeps the deadline on its monotonic clock, and only its C++ door turns it into a time of the machine's.
absl::Duration TimeLeft(const grpc::CallbackServerContext& context) {
  const gpr_timespec deadline = gpr_convert_clock_type(context.raw_deadline(), GPR_CLOCK_MONOTONIC);
  if (gpr_time_cmp(deadline, gpr_inf_future(GPR_CLOCK_MONOTONIC)) == 0) return absl::InfiniteDuration();
  const gpr_timespec left = gpr_time_sub(deadline, gpr_now(GPR_CLOCK_MONOTONIC));
  return absl::Seconds(left.tv_sec) + absl::Nanoseconds(left.tv_nsec);
}

}  // namespace

CallRecord::CallRecord(ServiceEnv& env, grpc::CallbackServerContext* context, Method method, bool is_query,
                       absl::StatusOr<std::shared_ptr<const Caller>> caller, CallMemory::Hold memory)
    : env_(env),
      method_(method),
      is_query_(is_query),
      peer_(context->peer()),
      caller_(std::move(caller)),
      started_(MonotonicTime::Now()),
      client_deadline_(started_ + TimeLeft(*context)),
      server_deadline_(is_query ? started_ + env.config.limits.query_timeout
                                : MonotonicTime::InfiniteFuture()),
      memory_(std::move(memory)) {}

CallRecord::~CallRecord() {
  if (!ended_) End(absl::CancelledError("abandoned"));
}

bool IsShortQuery(Method method) {
  switch (method) {
    case Method::kReadLatest:
    case Method::kReadAtTimes:
    case Method::kReadBlock:
    case Method::kListVersions:
      return true;
    default:
      return false;
  }
}

absl::Status CallRecord::Admit() {
  if (!is_query_) return absl::OkStatus();
  const LimitsConfig& limits = env_.config.limits;
  const bool is_short = IsShortQuery(method_);
  const absl::string_view kind = is_short ? "short queries" : "queries";
  const auto refuse = [&](uint64_t limit, absl::string_view whose, absl::string_view setting) {
    env_.metrics.CountRefusal(setting);
    return absl::ResourceExhaustedError(
        absl::StrCat(limit, " ", kind, whose, " are running: that is the limit (", setting, ")"));
  };
  const uint64_t limit = is_short ? limits.short_queries : limits.queries;
  std::atomic<int64_t>& running = Running();
  const auto take_place = [&] {
    if (running.fetch_add(1) < static_cast<int64_t>(limit)) return true;
    running.fetch_sub(1);
    return false;
  };
  if (!take_place()) {
    // Who takes nothing of an answer gives way.
    env_.streams.EndIdle(MonotonicTime::Now(), std::min(kCrowdedPatience, limits.reader_idle));
    if (!take_place()) return refuse(limit, "", is_short ? "limits.short_queries" : "limits.queries");
  }
  if (!PeersQueries().TryAdd(PeerAddress(peer_), limits.queries_per_peer)) {
    running.fetch_sub(1);
    return refuse(limits.queries_per_peer, " of this client", "limits.queries_per_peer");
  }
  admitted_ = true;
  return absl::OkStatus();
}

void CallRecord::NotePart(const absl::Status& status) const {
  NoteRefusal(
      env_.metrics, env_.log, status,
      {.what = MethodName(method_), .peer = peer_, .caller = caller_.ok() ? caller_->get() : nullptr});
}

absl::Status CallRecord::Grow(uint64_t bytes, absl::string_view what) {
  absl::MutexLock lock(&mu_);
  return memory_.Grow(bytes, what);
}

void CallRecord::Leave() {
  if (!std::exchange(admitted_, false)) return;
  Running().fetch_sub(1);
  PeersQueries().Remove(PeerAddress(peer_));
}

std::atomic<int64_t>& CallRecord::Running() {
  return IsShortQuery(method_) ? env_.metrics.short_queries_running : env_.metrics.queries_running;
}

PeerCounts& CallRecord::PeersQueries() {
  return IsShortQuery(method_) ? env_.short_queries_of_peers : env_.queries_of_peers;
}

absl::Status CallRecord::CheckDeadline() const {
  if (caller_.ok() && !env_.authority.IsCurrent(**caller_)) {
    RETURN_IF_ERROR(env_.authority.Renew(*caller_).status());
    return absl::AbortedError("the caller's permissions were changed while the call ran: repeat it");
  }
  const MonotonicTime now = MonotonicTime::Now();
  if (now > client_deadline_) return absl::DeadlineExceededError("the client's deadline passed");
  if (now > server_deadline_) {
    return absl::DeadlineExceededError(absl::StrCat(MethodName(method_), " ran longer than ",
                                                    absl::FormatDuration(env_.config.limits.query_timeout),
                                                    " (limits.query_timeout)"));
  }
  return absl::OkStatus();
}

void CallRecord::End(const absl::Status& status) {
  if (ended_) return;
  ended_ = true;
  Leave();
  env_.metrics.CountCall(method_, status, work_);
  NotePart(status);
  absl::MutexLock lock(&mu_);
  if (is_query_ && work_ >= env_.config.log.slow_query) {
    env_.log.WriteLimited(LogLevel::kWarning, "slow_query",
                          absl::StrCat(MethodName(method_), " ", PeerAddress(peer_)),
                          {{"method", MethodName(method_)},
                           {"what", what_ == nullptr ? "" : what_()},
                           {"peer", peer_},
                           {"work_ms", absl::ToDoubleMilliseconds(work_)},
                           {"total_ms", absl::ToDoubleMilliseconds(MonotonicTime::Now() - started_)},
                           {"status", absl::StatusCodeToString(status.code())}});
  }
  if (status.code() == absl::StatusCode::kDataLoss || status.code() == absl::StatusCode::kInternal) {
    env_.log.WriteLimited(LogLevel::kError, "call_failed",
                          absl::StrCat(MethodName(method_), " ", status.message()),
                          {{"method", MethodName(method_)},
                           {"what", what_ == nullptr ? "" : what_()},
                           {"peer", peer_},
                           {"status", absl::StatusCodeToString(status.code())},
                           {"message", status.message()}});
  }
}

UnaryCall::UnaryCall(ServiceEnv& env, grpc::CallbackServerContext* context, Method method, bool is_query)
    : env_(env),
      context_(context),
      record_(env, context, method, is_query, Authorize(env, *context, method),
              CallMemory::Hold(env.call_memory)) {}

std::shared_ptr<UnaryCall> UnaryCall::Begin(ServiceEnv& env, grpc::CallbackServerContext* context,
                                            Method method, bool is_query) {
  std::shared_ptr<UnaryCall> call(new UnaryCall(env, context, method, is_query));
  call->self_ = call;
  return call;
}

absl::Status UnaryCall::Parse(const grpc::ByteBuffer& bytes, google::protobuf::Message* request) {
  RETURN_IF_ERROR(record_.authorized());
  CallMemory::Hold memory(env_.call_memory);
  RETURN_IF_ERROR(ParseRequest(env_, bytes, request, &memory));
  record_.Take(std::move(memory));
  return absl::OkStatus();
}

absl::Status UnaryCall::KeepGoing() const {
  if (context_->IsCancelled()) return absl::CancelledError("the client cancelled the call");
  return record_.CheckDeadline();
}

void UnaryCall::End(absl::Status status, const google::protobuf::Message* answer, grpc::ByteBuffer* out) {
  if (status.ok()) {
    const size_t bytes = answer->ByteSizeLong();
    if (bytes > kSmallAnswer) {
      status = record_.Grow(bytes);
      // A client that does not take it would keep it here.
      if (status.ok()) env_.streams.Add(shared_from_this());
    }
  }
  if (status.ok()) *out = SerializeMessage(*answer);
  record_.End(status);
  {
    absl::MutexLock lock(&mu_);
    ended_at_ = MonotonicTime::Now();
  }
  Finish(ToGrpcStatus(status));
}

void UnaryCall::OnDone() {
  env_.streams.Remove(this);
  std::shared_ptr<UnaryCall> self;
  absl::MutexLock lock(&mu_);
  done_ = true;
  // Let go of after the lock, which is declared later and so goes first.
  self = std::move(self_);
}

void UnaryCall::EndIfIdle(MonotonicTime now, absl::Duration patience) {
  absl::MutexLock lock(&mu_);
  if (!done_ && now - ended_at_ >= patience) context_->TryCancel();
}

namespace {

// gRPC owns the reactor until OnDone; work on the pool and the registry share it, hence the shared pointer to
// itself.
class StreamCall final : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                         public IdleStream,
                         public std::enable_shared_from_this<StreamCall> {
 public:
  StreamCall(ServiceEnv& env, grpc::CallbackServerContext* context, Method method, bool is_query,
             absl::StatusOr<std::shared_ptr<const Caller>> caller, CallMemory::Hold memory, OpenSource open)
      : env_(env),
        context_(context),
        record_(env, context, method, is_query, std::move(caller), std::move(memory)),
        open_(std::move(open)),
        ready_memory_(env.call_memory),
        sending_memory_(env.call_memory) {}

  void Start(Run where) {
    self_ = shared_from_this();
    env_.streams.Add(self_);
    absl::Status status = record_.Admit();
    if (status.ok()) status = record_.Grow(kStreamBytes);
    if (!status.ok()) {
      absl::MutexLock lock(&mu_);
      Finish(status);
      return;
    }
    {
      absl::MutexLock lock(&mu_);
      producing_ = true;
    }
    if (where == Run::kHere) {
      Produce(Run::kHere);
    } else {
      ProduceOnPool();
    }
  }

  void OnWriteDone(bool ok) override {
    absl::MutexLock lock(&mu_);
    writing_ = false;
    sending_memory_.Release();
    if (!ok) {
      Finish(absl::CancelledError("the client is gone"));
    } else {
      Advance();
    }
  }

  void OnCancel() override {
    cancelled_.store(true, std::memory_order_relaxed);
    absl::MutexLock lock(&mu_);
    Finish(absl::CancelledError("the client cancelled the call"));
  }

  void OnDone() override {
    env_.streams.Remove(this);
    std::shared_ptr<StreamCall> self;
    absl::MutexLock lock(&mu_);
    done_ = true;
    // Let go of after the lock, which is declared later and so goes first.
    self = std::move(self_);
  }

  void EndIfIdle(MonotonicTime now, absl::Duration patience) override {
    absl::MutexLock lock(&mu_);
    if (done_ || now - waiting_since_ < patience) return;
    if (finished_) {
      // Not even the status was taken.
      context_->TryCancel();
    } else if (writing_) {
      const bool crowded = patience < env_.config.limits.reader_idle;
      Finish(absl::ResourceExhaustedError(
          absl::StrCat("the client took nothing for ", absl::FormatDuration(patience),
                       crowded ? ", and others had no place (limits.queries)" : " (limits.reader_idle)",
                       ": the query was ended")));
    }
  }

 private:
  void ProduceOnPool() {
    env_.pool.Post([self = shared_from_this()] { self->Produce(Run::kOnPool); });
  }

  // Makes one frame: opens the source if it is the first, and leaves the rest to the pool if this is not the
  // place. One at a time: producing_ is set.
  void Produce(Run where) {
    const MonotonicTime begin = MonotonicTime::Now();
    grpc::ByteBuffer frame;
    absl::StatusOr<FrameSource::Step> step = FrameSource::Step::kEnd;
    bool elsewhere = false;
    if (where == Run::kHere) {
      // gRPC has few threads: they wait for no disk.
      const kv::InMemoryOnly here;
      step = Open();
      if (step.ok() && !source_->IsQuick()) {
        elsewhere = true;
      } else if (step.ok()) {
        step = source_->Next(&frame);
      }
      if (kv::IsNotInMemory(step.status())) {
        source_.reset();
        elsewhere = true;
      }
    } else if (step = Open(); step.ok()) {
      step = source_->Next(&frame);
    }
    if (elsewhere) {
      work_here_ = MonotonicTime::Now() - begin;
      ProduceOnPool();
      return;
    }
    open_ = nullptr;
    std::unique_ptr<FrameSource> dropped;  // Destroyed after the lock.
    absl::MutexLock lock(&mu_);
    producing_ = false;
    if (finished_) {
      dropped = std::move(source_);
      return;
    }
    record_.AddWork(MonotonicTime::Now() - begin + std::exchange(work_here_, absl::ZeroDuration()));
    if (!step.ok()) {
      ended_ = step.status();
    } else {
      if (*step != FrameSource::Step::kFrame) ended_ = absl::OkStatus();
      if (*step != FrameSource::Step::kEnd) {
        ready_memory_.Note(frame.Length());
        ready_ = std::move(frame);
      }
    }
    Advance();
  }

  // Opens the source, if it is not open.
  absl::StatusOr<FrameSource::Step> Open() {
    // Not the context's own flag: that must not be asked once the call is done, and another thread may end
    // it.
    const auto keep_going = [this]() -> absl::Status {
      if (cancelled_.load(std::memory_order_relaxed))
        return absl::CancelledError("the client cancelled the call");
      return record_.CheckDeadline();
    };
    RETURN_IF_ERROR(keep_going());
    if (source_ == nullptr) {
      auto opened = open_(keep_going, record_);
      if (!opened.ok()) return opened.status();
      source_ = *std::move(opened);
    }
    return FrameSource::Step::kFrame;
  }

  void Advance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (finished_) return;
    if (!writing_ && ready_.has_value()) {
      sending_ = *std::move(ready_);
      sending_memory_ = std::move(ready_memory_);
      ready_.reset();
      waiting_since_ = MonotonicTime::Now();
      if (ended_.has_value() && ended_->ok()) {
        // Frame and status in one piece: a short answer costs one packet.
        finished_ = true;
        EndCall(absl::OkStatus());
        StartWriteAndFinish(&sending_, grpc::WriteOptions(), grpc::Status::OK);
        return;
      }
      writing_ = true;
      StartWrite(&sending_);
    }
    if (ended_.has_value()) {
      if (!writing_ && !ready_.has_value()) Finish(*ended_);
    } else if (!producing_ && !ready_.has_value()) {
      producing_ = true;
      ProduceOnPool();
    }
  }

  // Also while a frame is being sent: the status then follows it.
  void Finish(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (finished_) return;
    finished_ = true;
    cancelled_.store(true, std::memory_order_relaxed);  // Ends what is being made.
    waiting_since_ = MonotonicTime::Now();
    EndCall(status);
    grpc::ServerWriteReactor<grpc::ByteBuffer>::Finish(ToGrpcStatus(status));
  }

  void EndCall(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    record_.End(status);
    ready_.reset();
    ready_memory_.Release();
    if (!producing_) source_.reset();
  }

  ServiceEnv& env_;
  grpc::CallbackServerContext* const context_;  // Until done_.
  std::atomic<bool> cancelled_{false};

  CallRecord record_;
  // Used by whoever produces.
  OpenSource open_;
  std::unique_ptr<FrameSource> source_;
  absl::Duration work_here_ = absl::ZeroDuration();  // Where the call arrived, before the pool took over.

  absl::Mutex mu_;
  bool producing_ ABSL_GUARDED_BY(mu_) = false;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;  // The status was given to gRPC.
  bool done_ ABSL_GUARDED_BY(mu_) = false;
  MonotonicTime waiting_since_ ABSL_GUARDED_BY(mu_) =
      MonotonicTime::Now();  // For the client, when writing_ or finished_.
  std::optional<grpc::ByteBuffer> ready_ ABSL_GUARDED_BY(mu_);
  CallMemory::Hold ready_memory_ ABSL_GUARDED_BY(mu_);
  CallMemory::Hold sending_memory_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Status> ended_ ABSL_GUARDED_BY(mu_);  // No frame follows those at hand.
  grpc::ByteBuffer sending_;                                // gRPC reads it while writing_.
  std::shared_ptr<StreamCall> self_;
};

}  // namespace

grpc::ServerWriteReactor<grpc::ByteBuffer>* ServeStreamOf(
    ServiceEnv& env, grpc::CallbackServerContext* context, Method method, bool is_query, Run where,
    absl::StatusOr<std::shared_ptr<const Caller>> caller, CallMemory::Hold memory, OpenSource open) {
  auto call = std::make_shared<StreamCall>(env, context, method, is_query, std::move(caller),
                                           std::move(memory), std::move(open));
  StreamCall* const reactor = call.get();
  call->Start(where);
  return reactor;
}

}  // namespace historian::server
