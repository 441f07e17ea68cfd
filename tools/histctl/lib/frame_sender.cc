#include "tools/histctl/lib/frame_sender.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/wire.h"
#include "storage/model/status_macros.h"
#include "storage/platform/monotonic.h"
#include "tools/histctl/exit_code.h"
#include "tools/histctl/lib/time_text.h"

namespace historian::histctl {
namespace {

constexpr absl::Duration kWatchInterval = absl::Milliseconds(100);
constexpr absl::Duration kBackoffMin = absl::Milliseconds(100);
constexpr absl::Duration kBackoffMax = absl::Seconds(3);

// Whether trying again may help.
bool MayPass(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kInternal:  // How gRPC calls a connection that broke in the middle of a message.
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kCancelled:
      return true;
    default:
      return false;
  }
}

absl::Status Interruption() { return InterruptedError("interrupted"); }

}  // namespace

FrameSender::FrameSender(const client::Connection& connection, FrameSenderOptions options)
    : options_(std::move(options)),
      connection_(connection),
      stub_(v1::Ingest::NewStub(connection.channel())) {
  watcher_ = std::thread([this] { Watch(); });
}

FrameSender::~FrameSender() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.SignalAll();
    if (context_ != nullptr) context_->TryCancel();
  }
  if (stream_ != nullptr) Disconnect().IgnoreError();
  watcher_.join();
}

// The server answered when the tags were resolved, so one that does not now is restarting: it is waited for,
// too.
absl::Status FrameSender::Open(uint64_t* acknowledged) {
  absl::Duration pause = kBackoffMin;
  const MonotonicTime give_up = MonotonicTime::Now() + options_.retry_for;
  for (bool told = false;; told = true) {
    const absl::Status status = Connect(acknowledged);
    if (status.ok() || Interrupted() || !MayPass(status) || MonotonicTime::Now() > give_up) return status;
    if (!told) TellLost(status);
    Pause(&pause);
    if (Interrupted()) return Interruption();
  }
}

void FrameSender::TellLost(const absl::Status& status) {
  if (!options_.on_notice) return;
  options_.on_notice(
      absl::StrCat("the link to the server is lost (", status.message(), "); trying again for ",
                   DurationText(static_cast<uint64_t>(absl::ToInt64Nanoseconds(options_.retry_for)))));
}

void FrameSender::Pause(absl::Duration* pause) {
  // gRPC's blocking client does nothing between two calls, and a call fails at once while there is no connection: so
  // the connection is made here, or it never would be.
  const MonotonicTime until = MonotonicTime::Now() + *pause;
  while (!Interrupted() && MonotonicTime::Now() < until) {
    if (connection_.WaitUntilConnected(kWatchInterval).ok()) absl::SleepFor(kWatchInterval);
  }
  *pause = std::min(*pause * 2, kBackoffMax);
}

absl::Status FrameSender::Send(ImportFrame frame) {
  const size_t bytes = frame.request.ByteSizeLong();
  const auto shared = std::make_shared<const ImportFrame>(std::move(frame));
  bool lost = false;
  {
    absl::MutexLock lock(&mutex_);
    while (reading_ && bytes_in_flight_ > 0 && bytes_in_flight_ + bytes > options_.bytes_in_flight_max) {
      changed_.Wait(&mutex_);
    }
    lost = !reading_;
    if (bytes_in_flight_ == 0) last_progress_ = MonotonicTime::Now();
    waiting_.push_back({shared, bytes});
    bytes_in_flight_ += bytes;
  }
  if (Interrupted()) return Interruption();
  if (!lost && stream_->Write(shared->request)) return absl::OkStatus();
  return Reconnect();
}

absl::Status FrameSender::Finish() {
  for (;;) {
    if (Interrupted()) return Interruption();
    {
      absl::MutexLock lock(&mutex_);
      while (reading_ && !waiting_.empty()) changed_.Wait(&mutex_);
      if (waiting_.empty()) break;
    }
    RETURN_IF_ERROR(Reconnect());
  }
  // All is durable: how the stream ends is no matter any more.
  stream_->WritesDone();
  Disconnect().IgnoreError();
  return absl::OkStatus();
}

FrameSenderCounts FrameSender::counts() const {
  absl::MutexLock lock(&mutex_);
  return counts_;
}

absl::Status FrameSender::Connect(uint64_t* acknowledged) {
  grpc::ClientContext* context = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    context_ = std::make_unique<grpc::ClientContext>();
    connection_.Prepare(context_.get(), absl::InfiniteDuration());
    context = context_.get();
    reading_ = opening_ = true;
    stalled_ = false;
    last_progress_ = MonotonicTime::Now();
  }
  stream_ = stub_->Write(context);
  v1::WriteRequest opening;
  opening.set_producer(options_.producer);
  v1::WriteAck first;
  if (!stream_->Write(opening) || !stream_->Read(&first)) {
    {
      absl::MutexLock lock(&mutex_);
      reading_ = opening_ = false;
    }
    absl::Status status = Disconnect();
    return status.ok() ? absl::UnavailableError("writing: the server ended the stream at once") : status;
  }
  *acknowledged = first.acknowledged();
  {
    absl::MutexLock lock(&mutex_);
    opening_ = false;
    last_progress_ = MonotonicTime::Now();
    OnAck(first);
  }
  reader_ = std::thread([this] { ReadAcks(); });
  return absl::OkStatus();
}

absl::Status FrameSender::Disconnect() {
  if (reader_.joinable()) reader_.join();
  const grpc::Status status = stream_->Finish();
  stream_.reset();
  absl::MutexLock lock(&mutex_);
  context_.reset();
  if (stalled_) {
    return absl::UnavailableError(
        absl::StrCat("writing: nothing acknowledged for ", absl::FormatDuration(options_.ack_timeout)));
  }
  return client::FromGrpc(status, "writing");
}

absl::Status FrameSender::Reconnect() {
  absl::Duration pause = kBackoffMin;
  MonotonicTime give_up = MonotonicTime::Now() + options_.retry_for;
  for (;;) {
    if (stream_ != nullptr) {
      // A failed write means a stream that has ended: the reading thread meets its end too. Cancelling here
      // would put a status of our own in the place of the server's.
      const absl::Status lost = Disconnect();
      if (Interrupted()) return Interruption();
      if (!lost.ok() && !MayPass(lost)) return lost;
      TellLost(lost);
    }
    Pause(&pause);
    if (Interrupted()) return Interruption();

    uint64_t acknowledged = 0;
    const absl::Status status = Connect(&acknowledged);
    if (Interrupted()) return Interruption();
    if (!status.ok()) {
      if (!MayPass(status)) return status;
      if (MonotonicTime::Now() > give_up) {
        return Annotate(status, absl::StrCat("gave up after ", absl::FormatDuration(options_.retry_for)));
      }
      continue;
    }
    if (options_.on_notice) options_.on_notice("the server is back");
    std::deque<Waiting> again;
    {
      absl::MutexLock lock(&mutex_);
      ++counts_.reconnects;
      again = waiting_;
    }
    bool sent = true;
    for (const Waiting& waiting : again) sent = sent && stream_->Write(waiting.frame->request);
    if (sent) return absl::OkStatus();
  }
}

void FrameSender::ReadAcks() {
  v1::WriteAck ack;
  while (stream_->Read(&ack)) {
    absl::MutexLock lock(&mutex_);
    OnAck(ack);
    changed_.SignalAll();
  }
  absl::MutexLock lock(&mutex_);
  reading_ = false;
  changed_.SignalAll();
}

void FrameSender::OnAck(const v1::WriteAck& ack) {
  if (options_.on_rejection) {
    for (const v1::Rejection& rejection : ack.rejections()) {
      const auto frame = std::find_if(waiting_.begin(), waiting_.end(), [&](const Waiting& waiting) {
        return waiting.frame->number() == rejection.sequence();
      });
      if (frame != waiting_.end()) options_.on_rejection(rejection, *frame->frame);
    }
  }
  counts_.samples_stored += ack.samples_stored();
  counts_.samples_rejected += ack.samples_rejected();
  while (!waiting_.empty() && waiting_.front().frame->number() <= ack.acknowledged()) {
    last_progress_ = MonotonicTime::Now();
    ++counts_.frames_acknowledged;
    counts_.samples_acknowledged += waiting_.front().frame->samples;
    bytes_in_flight_ -= waiting_.front().bytes;
    waiting_.pop_front();
  }
}

// gRPC's blocking calls hear nothing of Ctrl-C and believe in a silent link for long.
void FrameSender::Watch() {
  absl::MutexLock lock(&mutex_);
  while (!stopping_) {
    changed_.WaitFor(&mutex_, kWatchInterval);
    if (context_ == nullptr) continue;
    if (reading_ && (opening_ || !waiting_.empty()) &&
        MonotonicTime::Now() - last_progress_ > options_.ack_timeout && !stalled_) {
      stalled_ = true;
      context_->TryCancel();
    }
    if (Interrupted()) context_->TryCancel();
  }
}

}  // namespace historian::histctl
