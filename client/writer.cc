#include "client/writer.h"

#include <algorithm>
#include <deque>
#include <random>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "client/gatherer.h"
#include "client/wire.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/impl/codegen/proto_utils.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/client_callback.h"
#include "grpcpp/support/slice.h"
#include "storage/model/status_macros.h"
#include "storage/platform/monotonic.h"

namespace historian::client {
namespace {

// The server's limit of a message.
constexpr size_t kMessageBytesMax = 8 * 1024 * 1024;
constexpr size_t kFrameBytesMin = 1024;
constexpr size_t kFrameBytesMax = 4 * 1024 * 1024;
// Frames smaller than this go out together with the next one.
constexpr size_t kHintBytesMax = 16 * 1024;
// About what a sample takes.
constexpr size_t kSampleBytes = 16;

constexpr char kWriteMethod[] = "/historian.v1.Ingest/Write";

using WriteStub = grpc::TemplatedGenericStub<grpc::ByteBuffer, v1::WriteAck>;
using WriteReactor = grpc::ClientBidiReactor<grpc::ByteBuffer, v1::WriteAck>;

// Whether trying again cannot help.
bool IsFinal(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAlreadyExists:
      return true;
    default:
      return false;
  }
}

absl::Status Validate(const WriterOptions& options) {
  const auto bad = [](auto... what) {
    return absl::InvalidArgumentError(absl::StrCat("writer options: ", what...));
  };
  if (options.producer.empty() || options.producer.size() > 128 || !IsValidUtf8(options.producer)) {
    return bad("a producer is 1 to 128 bytes of UTF-8; this one has ", options.producer.size());
  }
  if (options.frame_bytes < kFrameBytesMin || options.frame_bytes > kFrameBytesMax) {
    return bad("frame_bytes is ", options.frame_bytes, "; it is ", kFrameBytesMin, " to ", kFrameBytesMax);
  }
  if (options.frames_in_flight_max == 0) return bad("frames_in_flight_max is 0");
  if (options.memory_bytes_max < options.frame_bytes) {
    return bad("memory_bytes_max is ", options.memory_bytes_max, "; it must hold a frame of ",
               options.frame_bytes);
  }
  if (options.flush_interval <= absl::ZeroDuration() || options.backoff_min <= absl::ZeroDuration() ||
      options.backoff_max < options.backoff_min || options.ack_timeout <= absl::ZeroDuration()) {
    return bad(
        "flush_interval, backoff_min and ack_timeout are above zero, backoff_max is not below backoff_min");
  }
  return absl::OkStatus();
}

absl::Status CheckValue(ValueType type, ValueBits value) {
  if (IsCanonical(type, value)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("0x", absl::Hex(value), " is not the bits of a ", ValueTypeName(type)));
}

absl::Status CheckString(absl::string_view s) {
  if (s.size() <= kStringBytesMax) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("a string of ", s.size(), " bytes; the limit is ", kStringBytesMax));
}

absl::Status CheckValues(ValueType type, absl::Span<const ValueBits> values, const StringColumn* strings) {
  if (type == ValueType::kString) {
    for (const ValueBits index : values) {
      if (strings == nullptr || index >= strings->size()) {
        return absl::InvalidArgumentError(absl::StrCat("string ", index, " is not in its column"));
      }
      RETURN_IF_ERROR(CheckString((*strings)[index]));
    }
    return absl::OkStatus();
  }
  if (!IsKnownValueType(static_cast<uint8_t>(type))) {
    return absl::InvalidArgumentError(absl::StrCat("unknown value type ", static_cast<int>(type)));
  }
  if (type == ValueType::kFloat64 || type == ValueType::kInt64) return absl::OkStatus();
  for (const ValueBits value : values) RETURN_IF_ERROR(CheckValue(type, value));
  return absl::OkStatus();
}

// The memory of frames that are acknowledged, for the next ones: fresh memory costs a page fault every 300
// samples. Slices of frames give theirs back when gRPC has let go of them, which may be after the writer's
// end. Threads: any number.
class FrameMemory {
 public:
  std::string Get() {
    absl::MutexLock lock(&mutex_);
    if (free_.empty()) return std::string();
    std::string memory = std::move(free_.back());
    free_.pop_back();
    return memory;
  }
  void Put(std::string memory) {
    absl::MutexLock lock(&mutex_);
    if (free_.size() < kFreeMax) free_.push_back(std::move(memory));
  }

 private:
  static constexpr size_t kFreeMax = 8;  // Of frames_in_flight_max, those that come and go at the busiest.
  absl::Mutex mutex_;
  std::vector<std::string> free_ ABSL_GUARDED_BY(mutex_);
};

// A frame's bytes on their way: what a slice owns.
struct FrameBytes {
  std::string bytes;
  std::shared_ptr<FrameMemory> memory;

  static grpc::Slice Slice(std::string bytes, std::shared_ptr<FrameMemory> memory) {
    auto* const owned = new FrameBytes{std::move(bytes), std::move(memory)};
    return grpc::Slice(
        owned->bytes.data(), owned->bytes.size(),
        [](void* p) {
          const std::unique_ptr<FrameBytes> frame(static_cast<FrameBytes*>(p));
          if (frame->memory != nullptr) frame->memory->Put(std::move(frame->bytes));
        },
        owned);
  }
};

}  // namespace

// One queue of closed frames, oldest first:
//
//     frames_   [ sent ... | waiting ... ]  gatherer_
//                          ^ next_
//
// An acknowledgement takes frames from the front. A lost stream sets next_ back to 0; what its successor's
// first acknowledgement covers is taken from the front, the rest is sent again. A frame gets its number when
// it is sent for the first time, because only then is it known where this producer's numbers stand.
class Writer::Core {
 public:
  Core(Connection connection, WriterOptions options)
      : connection_(std::move(connection)), options_(std::move(options)), stub_(connection_.channel()) {}

  void Start() {
    thread_ = std::thread([this] { Run(); });
  }

  // Ends the stream and the thread; no callback comes after it.
  void Stop() {
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
      if (stream_ != nullptr) stream_->Cancel();
      wake_.Signal();
      changed_.SignalAll();
      while (streaming_) changed_.Wait(&mutex_);
    }
    if (thread_.joinable()) thread_.join();
  }

  // Adds one sample of about `bytes`.
  template <typename AddTo>
  absl::Status AddOne(size_t bytes, AddTo add) {
    absl::MutexLock lock(&mutex_);
    RETURN_IF_ERROR(MakeRoom(bytes));
    Gather(1, /*columns=*/true, add);
    return absl::OkStatus();
  }

  // Adds many samples, a part of a frame at a time, so that frames keep their size and memory its limit. A
  // writer that may not wait takes all or nothing.
  //   add(gatherer, begin, count)
  template <typename AddTo>
  absl::Status AddPieces(ValueType type, absl::Span<const ValueBits> values, const StringColumn* strings,
                         bool columns, AddTo add) {
    const auto bytes_of = [&](size_t i) {
      return kSampleBytes + (type == ValueType::kString ? (*strings)[values[i]].size() : 0);
    };
    const size_t piece_max = std::max(kSampleBytes, options_.frame_bytes / 2);
    absl::MutexLock lock(&mutex_);
    if (!options_.block_when_full) {
      size_t bytes = 0;
      for (size_t i = 0; i < values.size(); ++i) bytes += bytes_of(i);
      RETURN_IF_ERROR(MakeRoom(bytes));
    }
    for (size_t begin = 0, end = 0; begin < values.size(); begin = end) {
      size_t bytes = 0;
      while (end < values.size() && bytes < piece_max) bytes += bytes_of(end++);
      if (options_.block_when_full) RETURN_IF_ERROR(MakeRoom(bytes));
      Gather(end - begin, columns, [&](Gatherer* gatherer) { add(gatherer, begin, end - begin); });
    }
    return absl::OkStatus();
  }

  absl::Status AddEncoded(std::string encoded, uint64_t samples) {
    if (encoded.size() > kMessageBytesMax - 1024) {
      return absl::InvalidArgumentError(
          absl::StrCat("a frame of ", encoded.size(), " bytes; the limit is ", kMessageBytesMax - 1024));
    }
    absl::MutexLock lock(&mutex_);
    RETURN_IF_ERROR(MakeRoom(encoded.size()));
    if (!gatherer_.empty()) CloseFrame();  // It was added before.
    counters_.samples_added += samples;
    Enqueue(FrameBytes::Slice(std::move(encoded), nullptr), samples);
    return absl::OkStatus();
  }

  absl::Status Flush(absl::Duration timeout, bool close) {
    const MonotonicTime deadline = MonotonicTime::Now() + timeout;
    absl::MutexLock lock(&mutex_);
    if (closed_) return absl::OkStatus();
    if (!gatherer_.empty()) CloseFrame();
    const uint64_t target = frames_closed_;
    if (close) {
      closing_ = true;
      changed_.SignalAll();
    }
    while (final_.ok() && !stopping_ && frames_acknowledged_ < target) {
      if (changed_.WaitUntil(&mutex_, deadline)) break;
    }
    RETURN_IF_ERROR(final_);
    if (frames_acknowledged_ < target) {
      closing_ = false;
      return absl::DeadlineExceededError(
          absl::StrCat("flushing: after ", absl::FormatDuration(timeout), ", ", target - frames_acknowledged_,
                       " frames are not acknowledged; the link is ",
                       open_ ? "up" : absl::StrCat("down: ", lost_.ok() ? "connecting" : lost_.ToString())));
    }
    if (!close) return absl::OkStatus();
    closed_ = true;
    Pump();  // Half-closes.
    wake_.Signal();
    if (!open_ && stream_ != nullptr) stream_->Cancel();
    // All is durable; that the stream ends well is mere politeness, so a server that hangs is not waited for.
    while (streaming_ && !changed_.WaitUntil(&mutex_, deadline)) {
    }
    if (stream_ != nullptr) stream_->Cancel();
    return absl::OkStatus();
  }

  absl::Status status() const {
    absl::MutexLock lock(&mutex_);
    return final_;
  }

  WriterCounters counters() const {
    absl::MutexLock lock(&mutex_);
    WriterCounters counters = counters_;
    counters.frames_acknowledged = frames_acknowledged_;
    counters.frames_waiting = frames_.size();
    counters.memory_bytes = memory();
    counters.connected = open_;
    return counters;
  }

 private:
  struct Frame {
    grpc::Slice body;
    uint64_t samples = 0;
    uint64_t sequence = 0;  // 0: not sent yet.
    MonotonicTime sent;
  };

  // One attempt at a stream; the core owns it. Its reactions come from gRPC's threads, one after another but
  // for OnWriteDone, which comes beside OnReadDone. OnDone is the last of them; Cancel may be called as long
  // as the stream lives, Write and HalfClose only until OnReadsEnd.
  class Stream : public WriteReactor {
   public:
    explicit Stream(Core* core) : core_(core) {}

    void Open(grpc::ByteBuffer opening) {
      out_ = std::move(opening);
      core_->connection_.Prepare(&context_, absl::InfiniteDuration());
      core_->stub_.PrepareBidiStreamingCall(&context_, kWriteMethod, grpc::StubOptions(), this);
      AddHold();  // For the writes that Pump starts from elsewhere; dropped with the last read.
      StartWrite(&out_);
      StartRead(&ack_);
      StartCall();
    }
    void Write(grpc::ByteBuffer request, bool more) {
      out_ = std::move(request);
      grpc::WriteOptions options;
      if (more) options.set_buffer_hint();
      StartWrite(&out_, options);
    }
    void HalfClose() { StartWritesDone(); }
    void Cancel() { context_.TryCancel(); }

    void OnWriteDone(bool ok) override { core_->OnWriteDone(ok); }
    void OnReadDone(bool ok) override {
      if (!ok || !core_->OnAck(ack_)) {
        core_->OnReadsEnd();
        RemoveHold();
        return;
      }
      StartRead(&ack_);
    }
    // Destroys this stream.
    void OnDone(const grpc::Status& status) override { core_->OnDone(FromGrpc(status, "writing")); }

   private:
    Core* const core_;
    grpc::ClientContext context_;
    grpc::ByteBuffer out_;
    v1::WriteAck ack_;
  };

  size_t memory() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return frames_bytes_ + gatherer_.bytes(); }

  // Waits, or refuses, until `bytes` more can be taken. A single addition larger than the limit is taken when
  // there is nothing else.
  absl::Status MakeRoom(size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (;;) {
      RETURN_IF_ERROR(final_);
      if (closed_ || closing_ || stopping_) return absl::FailedPreconditionError("the writer is closed");
      const size_t used = memory();
      if (used == 0 || used + bytes <= options_.memory_bytes_max) return absl::OkStatus();
      if (!options_.block_when_full) {
        return absl::ResourceExhaustedError(
            absl::StrCat("the writer holds ", used, " bytes not acknowledged, of ", options_.memory_bytes_max,
                         "; the link is ", open_ ? "up" : "down"));
      }
      if (!gatherer_.empty()) CloseFrame();
      changed_.Wait(&mutex_);
    }
  }

  template <typename AddTo>
  void Gather(uint64_t samples, bool columns, AddTo add) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (columns && !gatherer_.TakesColumns()) CloseFrame();
    if (gatherer_.empty()) {
      open_since_ = MonotonicTime::Now();
      wake_.Signal();
    }
    add(&gatherer_);
    counters_.samples_added += samples;
    if (gatherer_.bytes() >= options_.frame_bytes) CloseFrame();
  }

  void CloseFrame() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const uint64_t samples = gatherer_.samples();
    Enqueue(FrameBytes::Slice(gatherer_.Take(memory_->Get()), memory_), samples);
  }

  void Enqueue(grpc::Slice body, uint64_t samples) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    frames_bytes_ += body.size();
    frames_.push_back({.body = std::move(body), .samples = samples});
    ++frames_closed_;
    Pump();
  }

  // Sends the next frame if it may go out now; half-closes behind the last.
  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!open_ || writing_) return;
    const size_t end = std::min(frames_.size(), options_.frames_in_flight_max);
    if (next_ >= end) {
      if (closed_ && frames_.empty() && !half_closed_) {
        half_closed_ = true;
        stream_->HalfClose();
      }
      return;
    }
    Frame& frame = frames_[next_++];
    if (frame.sequence == 0) {
      frame.sequence = ++last_sequence_;
    } else {
      ++counters_.frames_resent;
    }
    frame.sent = MonotonicTime::Now();
    if (next_ == 1) last_progress_ = frame.sent;
    const grpc::Slice slices[] = {grpc::Slice(WriteRequestPrefix(frame.sequence, frame.body.size())),
                                  frame.body};
    writing_ = true;
    stream_->Write(grpc::ByteBuffer(slices, 2), next_ < end && frame.body.size() < kHintBytesMax);
  }

  void OnWriteDone(bool ok) {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    if (ok) Pump();
  }

  // False: the stream must end, its end is under way.
  bool OnAck(const v1::WriteAck& ack) {
    WriteAcknowledgement event;
    std::vector<absl::Duration> latencies;
    bool opened = false;
    {
      absl::MutexLock lock(&mutex_);
      const MonotonicTime now = MonotonicTime::Now();
      if (!numbered_) {
        numbered_ = true;
        last_sequence_ = ack.acknowledged();
      } else if (ack.acknowledged() > last_sequence_) {
        refused_ = absl::FailedPreconditionError(absl::StrCat(
            "writing: the server has frame ", ack.acknowledged(), " of producer '", options_.producer,
            "', this writer's last is ", last_sequence_, ": another writer uses its name"));
        stream_->Cancel();
        return false;
      }
      opened = !open_;
      open_ = true;
      if (opened) {
        ++counters_.connects;
        last_progress_ = now;
      }
      while (!frames_.empty() && frames_[0].sequence != 0 && frames_[0].sequence <= ack.acknowledged()) {
        latencies.push_back(now - frames_[0].sent);
        frames_bytes_ -= frames_[0].body.size();
        counters_.samples_acknowledged += frames_[0].samples;
        frames_.pop_front();
        if (next_ > 0) --next_;
      }
      if (!latencies.empty()) {
        last_progress_ = now;
        failures_ = 0;
      }
      counters_.samples_stored += ack.samples_stored();
      counters_.samples_rejected += ack.samples_rejected();
      counters_.frames_repeated += ack.frames_repeated();
      Pump();
    }
    if (opened && options_.on_state) options_.on_state({.connected = true});
    if (options_.on_ack && (!latencies.empty() || ack.rejections_size() > 0)) {
      event.acknowledged = ack.acknowledged();
      event.samples_stored = ack.samples_stored();
      event.samples_rejected = ack.samples_rejected();
      event.frames_repeated = ack.frames_repeated();
      for (const v1::Rejection& rejection : ack.rejections()) event.rejections.push_back(FromWire(rejection));
      event.latencies = latencies;
      options_.on_ack(event);
    }
    // Only now: who has flushed has had its callbacks.
    absl::MutexLock lock(&mutex_);
    frames_acknowledged_ += latencies.size();
    changed_.SignalAll();
    return true;
  }

  // After it Pump starts no write any more.
  void OnReadsEnd() {
    absl::MutexLock lock(&mutex_);
    open_ = false;
  }

  // In this order: nobody can reach the stream any more; it is destroyed; the loss is told; who waits for its
  // end is woken. The stream goes while the core is sure to live, because it holds a share of the channel:
  // one of gRPC's own threads may not be the one that drops the last share, as it would have to join itself.
  void OnDone(absl::Status reason) {
    WriterState state;
    std::unique_ptr<Stream> ended;
    {
      absl::MutexLock lock(&mutex_);
      ended = std::move(stream_);
      open_ = false;
      if (!refused_.ok()) {
        reason = refused_;
      } else if (stalled_) {
        reason = absl::UnavailableError(
            absl::StrCat("writing: nothing acknowledged for ", absl::FormatDuration(options_.ack_timeout)));
      } else if (reason.ok() && !closed_) {
        reason = absl::UnavailableError("writing: the server ended the stream");
      }
      if (closed_ || stopping_) reason = absl::OkStatus();
      stalled_ = false;
      lost_ = reason;
      state.reason = reason;
      state.final = closed_ || stopping_ || IsFinal(reason.code());
      if (IsFinal(reason.code())) {
        final_ = reason;
        frames_.clear();
        frames_bytes_ = 0;
        gatherer_.Take();
      }
      // A link that held for long was a good one: the next pause is a short one again.
      if (MonotonicTime::Now() - opened_at_ > options_.backoff_max) failures_ = 0;
      const absl::Duration pause = std::min(
          options_.backoff_max, options_.backoff_min * static_cast<double>(1 << std::min(failures_, 20)));
      ++failures_;
      retry_at_ = MonotonicTime::Now() + pause * std::uniform_real_distribution<double>(0.5, 1.0)(random_);
    }
    ended.reset();
    if (options_.on_state) options_.on_state(state);
    absl::MutexLock lock(&mutex_);
    streaming_ = false;
    wake_.Signal();
    changed_.SignalAll();
  }

  void OpenStream() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    next_ = 0;
    writing_ = true;  // The opening message.
    half_closed_ = false;
    opened_at_ = last_progress_ = MonotonicTime::Now();
    streaming_ = true;
    stream_ = std::make_unique<Stream>(this);
    v1::WriteRequest opening;
    opening.set_producer(options_.producer);
    const grpc::Slice slice(opening.SerializeAsString());
    stream_->Open(grpc::ByteBuffer(&slice, 1));
  }

  // Opens streams, closes frames that have grown old, ends streams that have died.
  void Run() {
    absl::MutexLock lock(&mutex_);
    while (!stopping_) {
      const MonotonicTime now = MonotonicTime::Now();
      MonotonicTime next = MonotonicTime::InfiniteFuture();
      if (!gatherer_.empty() && final_.ok()) {
        if (now >= open_since_ + options_.flush_interval) {
          CloseFrame();
        } else {
          next = std::min(next, open_since_ + options_.flush_interval);
        }
      }
      if (stream_ != nullptr) {
        const bool waiting = !open_ || next_ > 0;
        if (waiting && !stalled_ && now - last_progress_ > options_.ack_timeout) {
          stalled_ = true;
          stream_->Cancel();
        }
        next = std::min(next, now + options_.ack_timeout / 4);
      } else if (!streaming_ && final_.ok() && !closed_) {
        if (now >= retry_at_) {
          OpenStream();
          continue;
        }
        next = std::min(next, retry_at_);
      }
      wake_.WaitUntil(&mutex_, next);
    }
  }

  const Connection connection_;
  const WriterOptions options_;
  WriteStub stub_;
  const std::shared_ptr<FrameMemory> memory_ = std::make_shared<FrameMemory>();
  std::thread thread_;

  mutable absl::Mutex mutex_;
  CondVar wake_;     // For Run.
  CondVar changed_;  // For those who add, flush and close.

  Gatherer gatherer_ ABSL_GUARDED_BY(mutex_);
  MonotonicTime open_since_ ABSL_GUARDED_BY(mutex_);  // When gatherer_ got its first sample.
  std::deque<Frame> frames_ ABSL_GUARDED_BY(mutex_);
  size_t frames_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t next_ ABSL_GUARDED_BY(mutex_) = 0;  // Of frames_: before it sent on this stream.
  uint64_t frames_closed_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t frames_acknowledged_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t last_sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  bool numbered_ ABSL_GUARDED_BY(mutex_) = false;  // The server has said where this producer stands.

  std::unique_ptr<Stream> stream_ ABSL_GUARDED_BY(mutex_);
  bool streaming_ ABSL_GUARDED_BY(mutex_) =
      false;                                      // From the opening of stream_ until its end has been told.
  bool open_ ABSL_GUARDED_BY(mutex_) = false;     // stream_ has acknowledged its opening.
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;  // A write is under way on stream_.
  bool half_closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool stalled_ ABSL_GUARDED_BY(mutex_) = false;  // stream_ is being cancelled because nothing came.
  MonotonicTime opened_at_ ABSL_GUARDED_BY(mutex_);
  MonotonicTime last_progress_ ABSL_GUARDED_BY(mutex_);
  MonotonicTime retry_at_ ABSL_GUARDED_BY(mutex_) = MonotonicTime::InfinitePast();
  int failures_ ABSL_GUARDED_BY(mutex_) = 0;  // Streams lost since the last progress.
  std::mt19937_64 random_ ABSL_GUARDED_BY(mutex_){std::random_device()()};

  bool closing_ ABSL_GUARDED_BY(mutex_) = false;   // Close is waiting.
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;    // Everything is acknowledged, nothing more is taken.
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;  // The writer is being destroyed.
  absl::Status final_ ABSL_GUARDED_BY(mutex_);
  absl::Status refused_ ABSL_GUARDED_BY(mutex_);  // What we hold against the server's acknowledgement.
  absl::Status lost_ ABSL_GUARDED_BY(mutex_);     // Why the last stream ended.
  WriterCounters counters_ ABSL_GUARDED_BY(mutex_);
};

Writer::Writer(std::unique_ptr<Core> core) : core_(std::move(core)) {}
Writer::~Writer() { core_->Stop(); }

absl::StatusOr<std::unique_ptr<Writer>> Writer::Open(Connection connection, WriterOptions options) {
  RETURN_IF_ERROR(Validate(options));
  auto core = std::make_unique<Core>(std::move(connection), std::move(options));
  core->Start();
  return std::unique_ptr<Writer>(new Writer(std::move(core)));
}

absl::Status Writer::Add(TagId tag, ValueType type, Timestamp time, ValueBits value, Quality quality) {
  if (type == ValueType::kString) return absl::InvalidArgumentError("a string is added with AddString");
  RETURN_IF_ERROR(CheckValue(type, value));
  return core_->AddOne(kSampleBytes,
                       [&](Gatherer* gatherer) { gatherer->Add(tag, type, time, value, quality); });
}

absl::Status Writer::AddString(TagId tag, Timestamp time, absl::string_view value, Quality quality) {
  RETURN_IF_ERROR(CheckString(value));
  return core_->AddOne(kSampleBytes + value.size(),
                       [&](Gatherer* gatherer) { gatherer->AddString(tag, time, value, quality); });
}

absl::Status Writer::AddColumn(TagId tag, ValueType type, const SamplesView& samples) {
  RETURN_IF_ERROR(CheckValues(type, absl::MakeConstSpan(samples.values, samples.size), samples.strings));
  return core_->AddPieces(type, absl::MakeConstSpan(samples.values, samples.size), samples.strings,
                          /*columns=*/true, [&](Gatherer* gatherer, size_t begin, size_t count) {
                            gatherer->AddColumn(tag, type, samples.Slice(begin, count));
                          });
}

absl::Status Writer::AddSnapshot(Timestamp time, ValueType type, absl::Span<const TagId> tags,
                                 absl::Span<const ValueBits> values, absl::Span<const Quality> qualities,
                                 const StringColumn* strings) {
  if (values.size() != tags.size() || (!qualities.empty() && qualities.size() != tags.size())) {
    return absl::InvalidArgumentError(absl::StrCat("a snapshot of ", tags.size(), " tags with ",
                                                   values.size(), " values and ", qualities.size(),
                                                   " qualities"));
  }
  RETURN_IF_ERROR(CheckValues(type, values, strings));
  return core_->AddPieces(
      type, values, strings, /*columns=*/false, [&](Gatherer* gatherer, size_t begin, size_t count) {
        gatherer->AddSnapshot(time, type, tags.subspan(begin, count), values.subspan(begin, count),
                              qualities.empty() ? qualities : qualities.subspan(begin, count), strings);
      });
}

absl::Status Writer::WriteFrame(v1::Frame frame) {
  uint64_t samples = 0;
  for (const v1::Column& column : frame.columns()) {
    ASSIGN_OR_RETURN(const ValuesShape shape, ShapeOf(column.values()));
    samples += shape.size;
  }
  for (const v1::Snapshot& snapshot : frame.snapshots())
    samples += static_cast<uint64_t>(snapshot.tag_ids_size());
  return core_->AddEncoded(EncodedFrame(std::move(frame)), samples);
}

absl::Status Writer::WriteEncodedFrame(std::string encoded_frame, uint64_t samples) {
  return core_->AddEncoded(std::move(encoded_frame), samples);
}

absl::Status Writer::Flush(absl::Duration timeout) { return core_->Flush(timeout, /*close=*/false); }
absl::Status Writer::Close(absl::Duration timeout) { return core_->Flush(timeout, /*close=*/true); }
absl::Status Writer::status() const { return core_->status(); }
WriterCounters Writer::counters() const { return core_->counters(); }

}  // namespace historian::client
