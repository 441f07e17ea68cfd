#include "server/write_stream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/authorize.h"
#include "server/call.h"
#include "server/message_memory.h"
#include "server/peer.h"
#include "server/status.h"
#include "storage/model/status_macros.h"
#include "storage/platform/monotonic.h"

namespace historian::server {
namespace {

// What a message is parsed into, kept from one to the next; a larger message takes more for itself.
constexpr size_t kArenaBlock = 256 * 1024;
// Frames whose memory a stream keeps for the next ones, and what each may hold to be kept.
constexpr size_t kSpentMax = 8;
constexpr size_t kSpentBytesMax = size_t{512} << 10;
constexpr size_t kProducerBytesMax = 128;

// Of a sample in a frame: time, value, quality.
constexpr uint64_t kSampleBytes = sizeof(Timestamp) + sizeof(ValueBits) + sizeof(Quality);

}  // namespace

absl::Status GrowForFrame(const grpc::ByteBuffer& bytes, const google::protobuf::Descriptor* type,
                          const CallMemory& memory, CallMemory::Hold* hold, uint64_t* needed) {
  // A sample has one element at least, a column or snapshot is a message.
  const auto with_frame = [](const ParsedSize& size) {
    return kCallBytes + size.bytes + size.elements * kSampleBytes + size.messages * sizeof(FrameColumn);
  };
  if (hold->GrowIfPlenty(with_frame(MostWhenParsed(bytes.Length(), type)))) return absl::OkStatus();
  const ParsedSize size = SizeWhenParsed(bytes, type, memory.limit_bytes() + 1);
  if (size.malformed) return NotAMessage(bytes, type);
  *needed = with_frame(size);
  return hold->Grow(*needed, "the message");
}

absl::Status CheckProducerName(absl::string_view name) {
  if (name.empty()) return absl::InvalidArgumentError("the first message names no producer");
  if (name.size() > kProducerBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("the producer's name has ", name.size(), " bytes; the limit is ", kProducerBytesMax));
  }
  return absl::OkStatus();
}

const char* StreamEndName(StreamEnd end) {
  switch (end) {
    case StreamEnd::kFinished:
      return "finished";
    case StreamEnd::kCancelled:
      return "cancelled";
    case StreamEnd::kFenced:
      return "fenced";
    case StreamEnd::kUnnamed:
      return "unnamed";
    case StreamEnd::kInvalid:
      return "invalid";
    case StreamEnd::kFailed:
      return "failed";
    case StreamEnd::kRefused:
      return "refused";
    case StreamEnd::kIdle:
      return "idle";
    case StreamEnd::kStopping:
      return "stopping";
  }
  return "";
}

WriteStream::WriteStream(WriteStreamOwner& owner, ServiceEnv& env, grpc::CallbackServerContext* context,
                         std::shared_ptr<const Caller> caller, uint64_t number)
    : owner_(owner),
      env_(env),
      peer_(context->peer()),
      number_(number),
      memory_(env.call_memory, CallMemory::Use::kWrites),
      caller_(std::move(caller)),
      context_(context) {}

void WriteStream::Start() {
  env_.streams.Add(shared_from_this());
  absl::MutexLock lock(&mu_);
  self_ = shared_from_this();
  Advance();
}

void WriteStream::End(const absl::Status& status, StreamEnd why) {
  absl::MutexLock lock(&mu_);
  EndLocked(status, why);
  Advance();
}

void WriteStream::EndLocked(const absl::Status& status, StreamEnd why) {
  if (end_.has_value()) return;
  end_ = status;
  why_ = why;
  ended_at_ = MonotonicTime::Now();
}

void WriteStream::OnReadDone(bool ok) {
  if (ok) {
    Admit();
    return;
  }
  {
    // The writer half-closed, or is gone: OnCancel tells.
    absl::MutexLock lock(&mu_);
    EndLocked(absl::OkStatus(), StreamEnd::kFinished);
  }
  OnTaken(absl::OkStatus());
}

void WriteStream::Admit() {
  incoming_bytes_ = incoming_.Length();
  env_.metrics.CountIngestBytes(incoming_bytes_);
  absl::Status status = CheckLimit(incoming_bytes_, env_.config.limits.message_bytes, "bytes in one message",
                                   "limits.message_bytes");
  if (status.ok()) {
    uint64_t needed = 0;
    status = GrowForFrame(incoming_, v1::WriteRequest::descriptor(), env_.call_memory, &memory_, &needed);
    if (status.ok()) {
      Take();
      return;
    }
    if (absl::IsResourceExhausted(status)) {
      status = env_.call_memory.Wait(&memory_, needed, "the message",
                                     [self = shared_from_this()] { self->Take(); });
    }
    if (status.ok()) return;
  }
  incoming_.Clear();
  OnTaken(status.ok() ? status : Annotate(status, absl::StrCat("the message after frame ", last_sequence_)));
}

void WriteStream::DropRequest() {
  request_ = nullptr;
  if (arena_ != nullptr) arena_->Reset();
}

void WriteStream::OnTaken(const absl::Status& status) {
  DropRequest();
  memory_.Release();
  absl::MutexLock lock(&mu_);
  reading_ = false;
  if (!status.ok()) {
    const bool refused = absl::IsUnauthenticated(status) || absl::IsPermissionDenied(status);
    EndLocked(status, refused                           ? StreamEnd::kRefused
                      : absl::IsInvalidArgument(status) ? StreamEnd::kInvalid
                                                        : StreamEnd::kFailed);
  }
  Advance();
}

void WriteStream::OnWriteDone(bool ok) {
  absl::MutexLock lock(&mu_);
  sending_ = false;
  if (!ok) EndLocked(absl::CancelledError("the writer is gone"), StreamEnd::kCancelled);
  Advance();
}

void WriteStream::OnCancel() {
  absl::MutexLock lock(&mu_);
  if (finished_) return;
  finished_ = true;
  over_.store(true);
  // A half-closed one that did not wait for its last ack is not finished.
  if (end_.has_value() && why_ == StreamEnd::kFinished) end_.reset();
  EndLocked(absl::CancelledError("the writer is gone"), StreamEnd::kCancelled);
  Finish(ToGrpcStatus(absl::CancelledError("the writer cancelled the stream")));
}

void WriteStream::OnDone() {
  env_.streams.Remove(this);
  NoteEnd();
  owner_.Release(name_, this);
  // Let go of after the lock. Frames in flight may still hold it.
  std::shared_ptr<WriteStream> self;
  absl::MutexLock lock(&mu_);
  finished_ = true;
  context_ = nullptr;
  self = std::move(self_);
}

void WriteStream::EndIfIdle(MonotonicTime now, absl::Duration) {
  absl::MutexLock lock(&mu_);
  if (context_ == nullptr) return;
  const absl::Duration naming_time = env_.config.limits.naming_time;
  if (!named_ && !end_.has_value() && now - opened_at_ >= naming_time) {
    EndLocked(absl::DeadlineExceededError(absl::StrCat("the stream named no producer within ",
                                                       absl::FormatDuration(naming_time), ": it was ended")),
              StreamEnd::kUnnamed);
    Advance();
    return;
  }
  if (!end_.has_value() || frames_in_flight_ > 0) return;
  // It is over, and the writer does not take the last ack or the status.
  if (now - ended_at_ >= env_.config.limits.reader_idle) {
    if (why_ == StreamEnd::kFinished) why_ = StreamEnd::kIdle;
    context_->TryCancel();
  }
}

void WriteStream::NoteEnd() {
  absl::Status status;
  StreamEnd why;
  {
    absl::MutexLock lock(&mu_);
    status = end_.value_or(absl::CancelledError("the writer is gone"));
    why = why_;
  }
  const absl::string_view address = PeerAddress(peer_);
  const char* reason = StreamEndName(why);
  env_.metrics.CountStreamEnd(reason, address, status);
  NoteRefusal(env_.metrics, env_.log, status,
              {.what = MethodName(Method::kWrite), .peer = peer_, .caller = caller_.get()});
  if (why == StreamEnd::kFenced) return;  // Whoever fenced it off has logged it.
  const bool ordinary =
      why == StreamEnd::kFinished || why == StreamEnd::kCancelled || why == StreamEnd::kStopping;
  env_.log.WriteLimited(ordinary ? LogLevel::kDebug : LogLevel::kWarning, "write_stream_ended",
                        absl::StrCat(reason, " ", address),
                        {{"reason", reason},
                         {"peer", peer_},
                         {"producer", name_},
                         {"last_frame", last_sequence_},
                         {"message", status.message()}});
}

absl::Status WriteStream::ParseIncoming() {
  if (arena_ == nullptr) {
    arena_block_ = std::make_unique<char[]>(kArenaBlock);
    google::protobuf::ArenaOptions options;
    options.initial_block = arena_block_.get();
    options.initial_block_size = kArenaBlock;
    arena_ = std::make_unique<google::protobuf::Arena>(options);
  }
  request_ = google::protobuf::Arena::CreateMessage<v1::WriteRequest>(arena_.get());
  absl::Status status = ParseMessage(incoming_, request_);
  return status.ok() ? status : Annotate(status, absl::StrCat("the message after frame ", last_sequence_));
}

void WriteStream::Take() {
  bool ended;
  {
    absl::MutexLock lock(&mu_);
    ended = end_.has_value();
  }
  // What comes after the end is not acknowledged any more.
  if (ended) {
    incoming_.Clear();
    OnTaken(absl::OkStatus());
    return;
  }
  absl::Status status = ParseIncoming();
  incoming_.Clear();
  if (status.ok() && name_.empty()) {
    status = CheckProducerName(request_->producer());
    if (status.ok()) status = caller_->CheckProducer(request_->producer());
    if (status.ok()) {
      name_ = request_->producer();
      {
        absl::MutexLock lock(&mu_);
        named_ = true;
      }
      status = owner_.Claim(name_, shared_from_this());
      if (status.ok()) return;  // Goes on in OnOpened.
    }
  } else if (status.ok() && !request_->producer().empty() && request_->producer() != name_) {
    status = absl::InvalidArgumentError(absl::StrCat("the stream of producer '", name_,
                                                     "' cannot become that of '", request_->producer(), "'"));
  }
  if (status.ok()) {
    TakeFrame();
  } else {
    OnTaken(status);
  }
}

void WriteStream::OnOpened(absl::StatusOr<std::shared_ptr<Producer>> producer) {
  if (!producer.ok()) {
    OnTaken(producer.status());
    return;
  }
  producer_ = *std::move(producer);
  bool ended;
  {
    // The first ack tells where to go on. It does not wait with the frame.
    absl::MutexLock lock(&mu_);
    pending_.set_acknowledged(env_.archive.DurableSequence(name_));
    has_pending_ = true;
    ended = end_.has_value();
    Advance();
  }
  if (ended) {
    OnTaken(absl::OkStatus());
  } else {
    TakeFrame();
  }
}

absl::Status WriteStream::CheckSequence(uint64_t sequence) const {
  if (sequence == 0) return absl::InvalidArgumentError("the frame has no sequence; sequences count from 1");
  if (sequence <= last_sequence_) {
    return absl::InvalidArgumentError(absl::StrCat("frame ", sequence, " after frame ", last_sequence_,
                                                   " of producer '", name_, "': sequences must rise"));
  }
  return absl::OkStatus();
}

absl::Status WriteStream::CheckCaller() {
  if (env_.authority.IsCurrent(*caller_)) return absl::OkStatus();
  ASSIGN_OR_RETURN(caller_, env_.authority.Renew(caller_));
  return caller_->CheckProducer(name_);
}

void WriteStream::TakeFrame() {
  if (!request_->has_frame()) {
    OnTaken(absl::OkStatus());
    return;
  }
  const v1::Frame& from = request_->frame();
  const uint64_t sequence = from.sequence();
  absl::Status status = CheckSequence(sequence);
  if (status.ok()) status = CheckCaller();
  if (!status.ok()) {
    OnTaken(status);
    return;
  }
  last_sequence_ = sequence;
  Frame frame;
  {
    absl::MutexLock lock(&mu_);
    if (!spent_.empty()) {
      frame = std::move(spent_.back().frame);
      spent_.pop_back();
    }
  }
  FrameNotes notes;
  FrameFromWire(from, &frame, &notes);
  DropRequest();
  // What it holds, which for bools is much more than was sent.
  const uint64_t bytes = std::max<uint64_t>(incoming_bytes_, frame.MemoryBytes());
  memory_.ShrinkTo(frame.MemoryBytes());
  {
    absl::MutexLock lock(&mu_);
    ++frames_in_flight_;
    bytes_in_flight_ += bytes;
  }
  // After this the next message may be here already.
  env_.archive.Write(
      producer_, std::move(frame),
      [self = shared_from_this(), sequence, bytes, received = MonotonicTime::Now(),
       notes = std::move(notes)](absl::StatusOr<WriteResult> result) mutable {
        self->OnStored(sequence, bytes, received, std::move(notes), std::move(result));
      },
      [self = shared_from_this()] { self->OnTaken(absl::OkStatus()); }, caller_.get());
}

void WriteStream::OnStored(uint64_t sequence, uint64_t bytes, MonotonicTime received, FrameNotes notes,
                           absl::StatusOr<WriteResult> result) {
  env_.metrics.CountAck(MonotonicTime::Now() - received);
  if (result.ok()) AddMalformed(std::move(notes), &*result);
  if (result.ok() && result->rejected > 0) owner_.NoteRejections(name_, sequence, *result);
  absl::MutexLock lock(&mu_);
  --frames_in_flight_;
  bytes_in_flight_ -= bytes;
  if (result.ok()) KeepSpent(std::move(result->spent));
  if (!result.ok()) {
    EndLocked(Annotate(result.status(), absl::StrCat("frame ", sequence, " of producer '", name_, "'")),
              StreamEnd::kFailed);
  } else {
    has_pending_ = true;
    pending_.set_acknowledged(std::max<uint64_t>(pending_.acknowledged(), sequence));
    AddResult(*result, &pending_);
  }
  Advance();
}

void WriteStream::KeepSpent(Frame frame) {
  // As many as are ever on their way at once, but one when none is.
  if (frames_in_flight_ == 0) spent_.clear();
  const size_t bytes = frame.MemoryBytes();
  if (spent_.size() >= kSpentMax || bytes > kSpentBytesMax) return;
  CallMemory::Hold memory(env_.call_memory, CallMemory::Use::kSpares);
  // Only while there is plenty.
  if (!memory.GrowIfPlenty(bytes)) return;
  spent_.push_back({std::move(frame), std::move(memory)});
}

void WriteStream::Advance() {
  if (finished_) return;
  if (!reading_ && !end_.has_value() && bytes_in_flight_ < env_.config.limits.stream_in_flight_bytes) {
    reading_ = true;
    StartRead(&incoming_);
  }
  if (has_pending_ && !sending_) {
    outgoing_ = SerializeMessage(pending_);
    const uint64_t acknowledged = pending_.acknowledged();
    pending_.Clear();
    pending_.set_acknowledged(acknowledged);
    has_pending_ = false;
    sending_ = true;
    StartWrite(&outgoing_);
  }
  // The last ack goes before the status; pending_ is empty when nothing is being sent.
  if (!end_.has_value() || frames_in_flight_ > 0 || sending_) return;
  finished_ = true;
  over_.store(true);
  Finish(ToGrpcStatus(*end_));
}

}  // namespace historian::server
