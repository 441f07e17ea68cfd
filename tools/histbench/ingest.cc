#include "tools/histbench/ingest.h"

#include <sys/resource.h>

#include <atomic>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/barrier.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "client/connection.h"
#include "client/writer.h"
#include "storage/model/status_macros.h"
#include "storage/platform/monotonic.h"
#include "tools/histbench/server_process.h"

namespace historian::histbench {
namespace {

constexpr absl::Duration kConnectTimeout = absl::Seconds(30);
// A server that acknowledges nothing for so long is not slow but broken.
constexpr absl::Duration kFlushTimeout = absl::Minutes(10);

// One connection and its writer.
struct Lane {
  std::unique_ptr<client::Writer> writer;
  absl::Mutex mutex;
  std::vector<double> ack_ms ABSL_GUARDED_BY(mutex);
  absl::Status status;
  // Sent.
  uint64_t samples = 0;
  uint64_t frames = 0;
  uint64_t bytes = 0;
};

}  // namespace

absl::StatusOr<IngestResult> Ingest(const Workload& workload, int64_t begin, int64_t end,
                                    const IngestOptions& options) {
  IngestResult result;
  std::atomic<uint64_t> acknowledged{0};
  std::vector<std::unique_ptr<Lane>> lanes;
  for (size_t c = 0; c < options.connections; ++c) {
    ASSIGN_OR_RETURN(const client::Connection connection,
                     client::Connection::Open({.target = options.target}));
    RETURN_IF_ERROR(connection.WaitUntilConnected(kConnectTimeout));
    auto lane = std::make_unique<Lane>();
    client::WriterOptions writer_options;
    writer_options.producer = absl::StrCat(options.producer, "/", c);
    writer_options.frames_in_flight_max = options.frames_in_flight;
    // The sender waits when twice the frames in flight are queued.
    writer_options.memory_bytes_max = options.frames_in_flight * 2 * 512 * 1024;
    writer_options.backoff_max = absl::Milliseconds(500);
    writer_options.on_ack = [&, lane = lane.get()](const client::WriteAcknowledgement& ack) {
      {
        absl::MutexLock lock(&lane->mutex);
        for (const absl::Duration latency : ack.latencies)
          lane->ack_ms.push_back(absl::ToDoubleMilliseconds(latency));
      }
      const uint64_t samples = ack.samples_stored + ack.samples_rejected;
      const uint64_t sum = acknowledged.fetch_add(samples) + samples;
      if (options.on_progress) options.on_progress(sum);
    };
    ASSIGN_OR_RETURN(lane->writer, client::Writer::Open(connection, std::move(writer_options)));
    // One link up before the clock starts: an empty frame is acknowledged like any other.
    RETURN_IF_ERROR(lane->writer->WriteEncodedFrame("", 0));
    RETURN_IF_ERROR(lane->writer->Flush(kConnectTimeout));
    {
      absl::MutexLock lock(&lane->mutex);
      lane->ack_ms.clear();
    }
    lanes.push_back(std::move(lane));
  }

  Workload::Source source(workload, options.connections, begin, end);
  std::vector<std::vector<EncodedFrame>> frames;
  for (;;) {
    const MonotonicTime make_begin = MonotonicTime::Now();
    const bool more = source.Next(options.memory_bytes, &frames);
    result.make_seconds += absl::ToDoubleSeconds(MonotonicTime::Now() - make_begin);
    if (!more) break;
    if (++result.pieces == 1 && options.on_ready) options.on_ready();
    std::vector<std::thread> threads;
    // Two barriers: the clock starts when all threads stand at the line.
    auto* const ready = new absl::Barrier(static_cast<int>(lanes.size()) + 1);
    auto* const go = new absl::Barrier(static_cast<int>(lanes.size()) + 1);
    for (size_t c = 0; c < lanes.size(); ++c) {
      threads.emplace_back([&, c] {
        if (ready->Block()) delete ready;
        if (go->Block()) delete go;
        Lane& lane = *lanes[c];
        uint64_t sent = 0;
        const MonotonicTime start = MonotonicTime::Now();
        for (EncodedFrame& frame : frames[c]) {
          if (options.stop != nullptr && options.stop->load()) break;
          if (options.samples_per_second > 0) {
            const double share = options.samples_per_second / static_cast<double>(options.connections);
            absl::SleepFor(start + absl::Seconds(static_cast<double>(sent) / share) - MonotonicTime::Now());
          }
          sent += frame.samples;
          ++lane.frames;
          lane.bytes += frame.bytes.size();
          lane.status = lane.writer->WriteEncodedFrame(std::move(frame.bytes), frame.samples);
          if (!lane.status.ok()) return;
        }
        lane.samples += sent;
        lane.status = lane.writer->Flush(kFlushTimeout);
      });
    }
    if (ready->Block()) delete ready;
    double server_cpu = 0;
    if (options.server_pid >= 0) {
      ASSIGN_OR_RETURN(server_cpu, CpuSeconds(options.server_pid));
    }
    const double client_cpu = OwnCpuSeconds();
    const MonotonicTime sent = MonotonicTime::Now();
    if (go->Block()) delete go;
    for (std::thread& thread : threads) thread.join();
    result.seconds += absl::ToDoubleSeconds(MonotonicTime::Now() - sent);
    result.client_cpu_seconds += OwnCpuSeconds() - client_cpu;
    if (options.server_pid >= 0) {
      // A server that was killed meanwhile has no CPU time any more.
      const absl::StatusOr<double> now = CpuSeconds(options.server_pid);
      if (now.ok()) result.server_cpu_seconds = std::max(0.0, result.server_cpu_seconds) + *now - server_cpu;
    }
    for (const std::unique_ptr<Lane>& lane : lanes) RETURN_IF_ERROR(lane->status);
  }
  for (const std::unique_ptr<Lane>& lane : lanes) {
    RETURN_IF_ERROR(lane->writer->Close(kFlushTimeout));
    const client::WriterCounters counters = lane->writer->counters();
    result.samples += lane->samples;
    result.frames += lane->frames;
    result.bytes += lane->bytes;
    result.rejected += counters.samples_rejected;
    result.reconnects += counters.connects - 1;
    absl::MutexLock lock(&lane->mutex);
    result.ack_ms.insert(result.ack_ms.end(), lane->ack_ms.begin(), lane->ack_ms.end());
  }
  return result;
}

double OwnCpuSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace historian::histbench
