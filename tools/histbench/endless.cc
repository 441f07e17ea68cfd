#include "tools/histbench/endless.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/connection.h"
#include "proto/historian/v1/ingest.pb.h"
#include "storage/model/status_macros.h"
#include "storage/platform/monotonic.h"
#include "tools/histbench/test_bed.h"

namespace historian::histbench {
namespace {

constexpr absl::Duration kFlushTimeout = absl::Minutes(5);
// Key of field 1 with eight bytes, as Times.Offsets.first, Times.Regular.first and Snapshot.time are.
constexpr char kFirstTimeKey = 0x09;

int64_t GetTime(const char* at) {
  int64_t t;
  std::memcpy(&t, at, sizeof(t));
  return t;
}

}  // namespace

std::string MovableFrame::Moved(int64_t ns) const {
  std::string moved = bytes;
  for (const size_t place : times) {
    const int64_t t = GetTime(bytes.data() + place) + ns;
    std::memcpy(moved.data() + place, &t, sizeof(t));
  }
  return moved;
}

absl::StatusOr<MovableFrame> MakeMovable(EncodedFrame encoded) {
  v1::Frame frame;
  if (!frame.ParseFromString(encoded.bytes)) return absl::InternalError("our own frame cannot be parsed");
  MovableFrame movable{.bytes = std::move(encoded.bytes), .samples = encoded.samples};
  size_t at = 0;
  // Finds bytes behind those found before, columns and snapshots being in the order of the message.
  const auto find = [&](const std::string& bytes, size_t first_time) {
    at = movable.bytes.find(bytes, at);
    if (at == std::string::npos)
      return absl::InternalError("a time is not where it should be in our own frame");
    for (size_t place = first_time; place < bytes.size(); place += sizeof(int64_t))
      movable.times.push_back(at + place);
    at += bytes.size();
    return absl::OkStatus();
  };
  const auto one_time = [](int64_t time) {
    std::string field(1 + sizeof(time), kFirstTimeKey);
    std::memcpy(field.data() + 1, &time, sizeof(time));
    return field;
  };
  for (const v1::Column& column : frame.columns()) {
    const v1::Times& times = column.times();
    if (times.has_explicit_()) {
      const auto& each = times.explicit_().at();
      std::string bytes(static_cast<size_t>(each.size()) * sizeof(int64_t), '\0');
      std::memcpy(bytes.data(), each.data(), bytes.size());
      RETURN_IF_ERROR(find(bytes, 0));
    } else {
      RETURN_IF_ERROR(
          find(one_time(times.has_regular() ? times.regular().first() : times.offsets().first()), 1));
    }
  }
  for (const v1::Snapshot& snapshot : frame.snapshots()) RETURN_IF_ERROR(find(one_time(snapshot.time()), 1));
  return movable;
}

absl::StatusOr<std::unique_ptr<EndlessWriter>> EndlessWriter::Begin(const Workload& workload,
                                                                    const Options& options) {
  std::unique_ptr<EndlessWriter> endless(new EndlessWriter());
  const int64_t seconds = workload.options().seconds;
  endless->round_ns_ = seconds * workload.options().period_seconds * kNanosPerSecond;
  Workload::Source source(workload, options.connections, 0, seconds);
  std::vector<std::vector<EncodedFrame>> frames;
  for (size_t c = 0; c < options.connections; ++c) endless->lanes_.push_back(std::make_unique<Lane>());
  while (source.Next(size_t{256} << 20, &frames)) {
    for (size_t c = 0; c < options.connections; ++c) {
      for (EncodedFrame& frame : frames[c]) {
        ASSIGN_OR_RETURN(MovableFrame movable, MakeMovable(std::move(frame)));
        endless->lanes_[c]->frames.push_back(std::move(movable));
      }
    }
  }
  for (size_t c = 0; c < options.connections; ++c) {
    Lane& lane = *endless->lanes_[c];
    ASSIGN_OR_RETURN(const client::Connection connection, Connect(options.target));
    client::WriterOptions writer_options;
    writer_options.producer = absl::StrCat("endless/", c);
    writer_options.frames_in_flight_max = options.frames_in_flight;
    writer_options.memory_bytes_max = options.frames_in_flight * 2 * 512 * 1024;
    writer_options.on_ack = [self = endless.get()](const client::WriteAcknowledgement& ack) {
      self->acknowledged_.fetch_add(ack.samples_stored);
      self->rejected_.fetch_add(ack.samples_rejected);
      const MonotonicTime now = MonotonicTime::Now();
      absl::MutexLock lock(&self->mutex_);
      for (const absl::Duration latency : ack.latencies)
        self->acks_.push_back({now, absl::ToDoubleMilliseconds(latency)});
    };
    ASSIGN_OR_RETURN(lane.writer, client::Writer::Open(connection, std::move(writer_options)));
  }
  for (const std::unique_ptr<Lane>& lane : endless->lanes_) {
    lane->thread = std::thread([self = endless.get(), lane = lane.get()] { self->Send(*lane); });
  }
  return endless;
}

EndlessWriter::~EndlessWriter() { End().IgnoreError(); }

void EndlessWriter::Send(Lane& lane) {
  double pace = -1;
  MonotonicTime paced_since;
  uint64_t paced_samples = 0;
  for (int64_t round = 0;; ++round) {
    for (const MovableFrame& frame : lane.frames) {
      if (stop_.load()) {
        lane.status = lane.writer->Flush(kFlushTimeout);
        return;
      }
      if (const double now = pace_.load() / static_cast<double>(lanes_.size()); now != pace) {
        pace = now;
        paced_since = MonotonicTime::Now();
        paced_samples = 0;
      }
      if (pace > 0) {
        absl::SleepFor(paced_since + absl::Seconds(static_cast<double>(paced_samples) / pace) -
                       MonotonicTime::Now());
      }
      paced_samples += frame.samples;
      std::string bytes = frame.Moved(round * round_ns_);
      const Timestamp until = GetTime(bytes.data() + frame.times.front());
      lane.status = lane.writer->WriteEncodedFrame(std::move(bytes), frame.samples);
      if (!lane.status.ok()) return;
      lane.sent_until.store(until);
    }
  }
}

absl::Status EndlessWriter::End() {
  stop_.store(true);
  absl::Status status;
  for (const std::unique_ptr<Lane>& lane : lanes_) {
    if (lane->thread.joinable()) lane->thread.join();
    status.Update(lane->status);
  }
  return status;
}

Timestamp EndlessWriter::sent_until() const {
  Timestamp until = std::numeric_limits<Timestamp>::max();
  for (const std::unique_ptr<Lane>& lane : lanes_) until = std::min(until, lane->sent_until.load());
  return until;
}

std::vector<EndlessWriter::Ack> EndlessWriter::TakeAcks() {
  absl::MutexLock lock(&mutex_);
  return std::exchange(acks_, {});
}

}  // namespace historian::histbench
