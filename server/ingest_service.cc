#include "server/ingest_service.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/authorize.h"
#include "server/call.h"
#include "server/peer.h"
#include "server/status.h"
#include "server/wire.h"
#include "storage/model/status_macros.h"
#include "storage/platform/monotonic.h"

namespace historian::server {
namespace {

constexpr size_t kHandlesMax = 10'000;

absl::Status Stopping() {
  return absl::UnavailableError("the server is stopping: repeat what is not acknowledged later");
}

// A stream that ends at once.
class RefusedStream final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  explicit RefusedStream(const absl::Status& status) { Finish(ToGrpcStatus(status)); }
  void OnDone() override { delete this; }
};

}  // namespace

IngestService::IngestService(ServiceEnv& env) : env_(env) {}
IngestService::~IngestService() = default;

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* IngestService::Write(
    grpc::CallbackServerContext* context) {
  const std::string peer = context->peer();
  const absl::string_view address = PeerAddress(peer);
  std::shared_ptr<WriteStream> stream, gives_way;
  absl::StatusOr<std::shared_ptr<const Caller>> caller = Authorize(env_, *context, Method::kWrite);
  absl::Status status = caller.status();
  NoteRefusal(env_.metrics, env_.log, status, {.what = MethodName(Method::kWrite), .peer = peer});
  if (status.ok()) {
    absl::MutexLock lock(&mu_);
    status = stopping_ ? Stopping() : MakePlace(address, &gives_way);
    if (status.ok()) {
      stream = std::make_shared<WriteStream>(static_cast<WriteStreamOwner&>(*this), env_, context,
                                             *std::move(caller), ++streams_opened_);
      streams_.insert(stream);
      unnamed_[stream->number()] = stream.get();
      ++streams_by_address_[address];
      env_.metrics.write_streams.store(static_cast<int64_t>(streams_.size()));
    }
  }
  if (!status.ok()) {
    env_.metrics.CountStreamEnd("refused", address, status);
    env_.log.WriteLimited(LogLevel::kWarning, "write_stream_refused", address,
                          {{"peer", peer}, {"message", status.message()}});
    return new RefusedStream(status);
  }
  if (gives_way != nullptr) {
    gives_way->End(absl::ResourceExhaustedError(
                       "the stream gave way to another one, as it had named no producer: name it at once"),
                   StreamEnd::kUnnamed);
  }
  stream->Start();
  return stream.get();
}

absl::Status IngestService::MakePlace(absl::string_view address, std::shared_ptr<WriteStream>* gives_way) {
  const LimitsConfig& limits = env_.config.limits;
  const auto mine = streams_by_address_.find(address);
  const bool peer_is_full =
      mine != streams_by_address_.end() && mine->second >= limits.write_streams_per_peer;
  if (!peer_is_full && streams_.size() < limits.write_streams) return absl::OkStatus();
  // Where the peer has too many, only one of its own helps.
  for (const auto& [number, stream] : unnamed_) {
    if (peer_is_full && PeerAddress(stream->peer()) != address) continue;
    *gives_way = stream->shared_from_this();
    GiveBack(**gives_way);
    return absl::OkStatus();
  }
  const char* setting = peer_is_full ? "limits.write_streams_per_peer" : "limits.write_streams";
  env_.metrics.CountRefusal(setting);
  return absl::ResourceExhaustedError(
      peer_is_full
          ? absl::StrCat(limits.write_streams_per_peer,
                         " write streams of this client are open: "
                         "that is the limit (",
                         setting, ")")
          : absl::StrCat(limits.write_streams, " write streams are open: that is the limit (", setting, ")"));
}

void IngestService::GiveBack(WriteStream& stream) {
  unnamed_.erase(stream.number());
  if (streams_.erase(stream.shared_from_this()) == 0) return;
  const auto it = streams_by_address_.find(PeerAddress(stream.peer()));
  if (--it->second == 0) streams_by_address_.erase(it);
  env_.metrics.write_streams.store(static_cast<int64_t>(streams_.size()));
}

absl::Status IngestService::Claim(const std::string& name, const std::shared_ptr<WriteStream>& stream) {
  // Held over all of it, so that the last to claim is also the one whose handle is valid.
  absl::MutexLock lock(&mu_);
  if (stopping_) return Stopping();
  // It has given its place away, or has ended.
  if (unnamed_.erase(stream->number()) == 0) return absl::CancelledError("the stream is over");
  WriteStream*& holder = by_producer_[name];
  if (holder != nullptr) {
    if (!holder->over()) {
      env_.metrics.CountFenced();
      env_.log.WriteLimited(LogLevel::kWarning, "producer_fenced", name,
                            {{"producer", name}, {"ended", holder->peer()}, {"opened", stream->peer()}});
    }
    // Before its handle is invalid, of which a frame that is on its way would say less.
    holder->End(absl::AbortedError(
                    absl::StrCat("another stream of producer '", name, "' was opened from ", stream->peer())),
                StreamEnd::kFenced);
  }
  holder = stream.get();
  env_.archive.OpenProducer(name, [this, stream](absl::StatusOr<std::shared_ptr<Producer>> producer) {
    env_.pool.Post(
        [stream, producer = std::move(producer)]() mutable { stream->OnOpened(std::move(producer)); });
  });
  if (const auto it = handle_by_name_.find(name); it != handle_by_name_.end()) {
    handles_.erase(it->second);
    handle_by_name_.erase(it);
  }
  return absl::OkStatus();
}

void IngestService::Release(const std::string& name, WriteStream* stream) {
  absl::MutexLock lock(&mu_);
  if (const auto it = by_producer_.find(name); it != by_producer_.end() && it->second == stream)
    by_producer_.erase(it);
  GiveBack(*stream);
}

absl::Status IngestService::CheckNoStream(const std::string& name) const {
  if (const auto it = by_producer_.find(name); it != by_producer_.end() && !it->second->over()) {
    return absl::FailedPreconditionError(
        absl::StrCat("producer '", name, "' has an open write stream: write there, or under another name"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<IngestService::Handle>> IngestService::HandleOf(const std::string& name) {
  absl::MutexLock lock(&mu_);
  RETURN_IF_ERROR(CheckNoStream(name));
  if (const auto it = handle_by_name_.find(name); it != handle_by_name_.end()) {
    handles_.splice(handles_.begin(), handles_, it->second);
    return it->second->second;
  }
  if (handles_.size() >= kHandlesMax) {
    handle_by_name_.erase(handles_.back().first);
    handles_.pop_back();
  }
  handles_.emplace_front(name, std::make_shared<Handle>(name));
  handle_by_name_[name] = handles_.begin();
  return handles_.front().second;
}

void IngestService::WriteInOrder(const std::shared_ptr<Handle>& handle, Once once) {
  absl::MutexLock lock(&handle->mu);
  handle->waiting.push_back(std::move(once));
  if (!handle->opening) WriteWaiting(handle);
}

void IngestService::WriteWaiting(const std::shared_ptr<Handle>& handle) {
  while (!handle->waiting.empty()) {
    // A frame is repeated, or one failed: a new handle knows what of it was stored.
    const bool again =
        handle->stale.exchange(false) || handle->waiting.front().frame.sequence <= handle->last_sequence;
    if (handle->producer != nullptr && !again) {
      WriteFirst(*handle);
    } else if (absl::Status status = Open(handle); status.ok()) {
      handle->opening = true;
      return;
    } else {
      RefuseFirst(*handle, status);
    }
  }
}

void IngestService::WriteFirst(Handle& handle) {
  Once once = std::move(handle.waiting.front());
  handle.waiting.pop_front();
  handle.last_sequence = once.frame.sequence;
  env_.archive.Write(handle.producer, std::move(once.frame), std::move(once.done), nullptr,
                     once.caller.get());
}

void IngestService::RefuseFirst(Handle& handle, const absl::Status& why) {
  handle.producer = nullptr;
  WriteDone done = std::move(handle.waiting.front().done);
  handle.waiting.pop_front();
  done(why);
}

absl::Status IngestService::Open(const std::shared_ptr<Handle>& handle) {
  // Held over both, so that it does not fence off a stream.
  absl::MutexLock lock(&mu_);
  RETURN_IF_ERROR(CheckNoStream(handle->name));
  env_.archive.OpenProducer(handle->name, [this, handle](absl::StatusOr<std::shared_ptr<Producer>> producer) {
    env_.pool.Post(
        [this, handle, producer = std::move(producer)]() mutable { OnOpened(handle, std::move(producer)); });
  });
  return absl::OkStatus();
}

void IngestService::OnOpened(const std::shared_ptr<Handle>& handle,
                             absl::StatusOr<std::shared_ptr<Producer>> producer) {
  absl::MutexLock lock(&handle->mu);
  handle->opening = false;
  if (producer.ok()) {
    handle->producer = *std::move(producer);
    WriteFirst(*handle);
  } else {
    RefuseFirst(*handle, producer.status());
  }
  WriteWaiting(handle);
}

grpc::ServerUnaryReactor* IngestService::WriteOnce(grpc::CallbackServerContext* context,
                                                   const grpc::ByteBuffer* in, grpc::ByteBuffer* out) {
  const std::shared_ptr<UnaryCall> call =
      UnaryCall::Begin(env_, context, Method::kWriteOnce, /*is_query=*/false);
  UnaryCall* const reactor = call.get();
  const MonotonicTime received = MonotonicTime::Now();
  const auto finish = [call, received, out](const absl::Status& status, const v1::WriteAck& ack) {
    call->record().AddWork(MonotonicTime::Now() - received);
    call->End(status, &ack, out);
  };
  env_.metrics.CountIngestBytes(in->Length());
  v1::WriteOnceRequest request;
  absl::Status status = call->record().authorized();
  if (status.ok())
    status = CheckLimit(in->Length(), env_.config.limits.message_bytes, "bytes in one message",
                        "limits.message_bytes");
  CallMemory::Hold memory(env_.call_memory, CallMemory::Use::kWrites);
  if (status.ok()) {
    uint64_t needed = 0;
    status = GrowForFrame(*in, v1::WriteOnceRequest::descriptor(), env_.call_memory, &memory, &needed);
  }
  if (status.ok()) status = ParseMessage(*in, &request);
  if (status.ok()) status = CheckProducerName(request.producer());
  if (status.ok()) status = call->record().caller().CheckProducer(request.producer());
  if (status.ok() && request.frame().sequence() == 0) {
    status = absl::InvalidArgumentError("the frame has no sequence; sequences count from 1");
  }
  absl::StatusOr<std::shared_ptr<Handle>> handle = nullptr;
  if (status.ok()) {
    handle = HandleOf(request.producer());
    status = handle.status();
  }
  if (!status.ok()) {
    finish(status, {});
    return reactor;
  }

  Frame frame;
  FrameNotes notes;
  FrameFromWire(request.frame(), &frame, &notes);
  memory.ShrinkTo(frame.MemoryBytes());
  call->record().Take(std::move(memory));
  const uint64_t sequence = frame.sequence;
  auto done = [this, finish, handle = *handle, received, sequence, name = request.producer(),
               notes = std::move(notes)](absl::StatusOr<WriteResult> result) mutable {
    env_.metrics.CountAck(MonotonicTime::Now() - received);
    if (!result.ok()) {
      handle->stale.store(true);
      finish(Annotate(result.status(), absl::StrCat("frame ", sequence, " of producer '", name, "'")), {});
      return;
    }
    AddMalformed(std::move(notes), &*result);
    if (result->rejected > 0) NoteRejections(name, sequence, *result);
    v1::WriteAck ack;
    ack.set_acknowledged(std::max(sequence, env_.archive.DurableSequence(name)));
    AddResult(*result, &ack);
    finish(absl::OkStatus(), ack);
  };
  WriteInOrder(*handle, {std::move(frame), std::move(done), call->record().shared_caller()});
  return reactor;
}

grpc::ServerUnaryReactor* IngestService::GetProducer(grpc::CallbackServerContext* context,
                                                     const grpc::ByteBuffer* in, grpc::ByteBuffer* out) {
  return ServeUnary<v1::GetProducerRequest, v1::GetProducerResponse>(
      env_, context, Method::kGetProducer, /*is_query=*/false, in, out,
      [](const v1::GetProducerRequest&) { return Run::kHere; },
      [this](const v1::GetProducerRequest& request, const KeepGoing&, CallRecord& record,
             v1::GetProducerResponse* response) -> absl::Status {
        RETURN_IF_ERROR(CheckProducerName(request.producer()));
        RETURN_IF_ERROR(record.caller().CheckProducer(request.producer()));
        response->set_acknowledged(env_.archive.DurableSequence(request.producer()));
        return absl::OkStatus();
      });
}

std::optional<std::string> IngestService::PeerOf(const std::string& producer) const {
  absl::MutexLock lock(&mu_);
  const auto it = by_producer_.find(producer);
  if (it == by_producer_.end() || it->second->over()) return std::nullopt;
  return it->second->peer();
}

void IngestService::Stop() {
  std::vector<std::shared_ptr<WriteStream>> streams;
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
    streams.assign(streams_.begin(), streams_.end());
  }
  for (const auto& stream : streams) stream->End(Stopping(), StreamEnd::kStopping);
}

void IngestService::NoteRejections(const std::string& producer, uint64_t sequence,
                                   const WriteResult& result) {
  for (const Rejection& rejection : result.rejections)
    env_.metrics.CountRejections(rejection.reason, rejection.count);
  const bool listed = !result.rejections.empty();
  env_.log.WriteLimited(LogLevel::kWarning, "samples_rejected", producer,
                        {{"producer", producer},
                         {"frame", sequence},
                         {"samples", result.rejected},
                         {"first_tag", listed ? result.rejections[0].tag : 0},
                         {"first_reason", listed ? result.rejections[0].message : ""}});
}

}  // namespace historian::server
