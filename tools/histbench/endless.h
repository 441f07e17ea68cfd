// File: tools/histbench/endless.h
//
// A plant that never ends, sent by several connections: the frames of some thousand seconds are made once and
// sent over and over, their times moved on each time, so that making samples costs next to nothing while the
// server is measured.
//
// Threads: Begin, SetPace and End from one; the figures from any.
#ifndef HISTORIAN_TOOLS_HISTBENCH_ENDLESS_H_
#define HISTORIAN_TOOLS_HISTBENCH_ENDLESS_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "client/writer.h"
#include "storage/platform/monotonic.h"
#include "tools/histbench/workload.h"

namespace historian::histbench {

// A frame whose times can be moved.
struct MovableFrame {
  std::string bytes;
  uint64_t samples = 0;
  std::vector<size_t>
      times;  // Places of the 8-byte times that all others in the frame count from; ascending.

  // The bytes with all times so much later.
  std::string Moved(int64_t ns) const;
};

// Frames of columns, whatever form their times have, and of snapshots. Internal: its own frame cannot be understood.
absl::StatusOr<MovableFrame> MakeMovable(EncodedFrame frame);

class EndlessWriter {
 public:
  struct Options {
    std::string target;
    size_t connections = 4;
    size_t frames_in_flight = 4;
  };
  struct Ack {
    MonotonicTime at;
    double ms;
  };

  // Of a workload whose tags have their ids. Sends from now on, as fast as it can.
  static absl::StatusOr<std::unique_ptr<EndlessWriter>> Begin(const Workload& workload,
                                                              const Options& options);
  ~EndlessWriter();

  // Samples a second, of all connections together; 0: as fast as it can.
  void SetPace(double samples_per_second) { pace_.store(samples_per_second); }
  // Waits until everything is acknowledged. The first error of any connection.
  absl::Status End();

  uint64_t acknowledged() const { return acknowledged_.load(); }  // Samples that are stored.
  uint64_t rejected() const { return rejected_.load(); }
  // A time up to which every connection has sent its samples.
  Timestamp sent_until() const;
  // What was acknowledged since the last call.
  std::vector<Ack> TakeAcks();

 private:
  struct Lane {
    std::vector<MovableFrame> frames;
    std::unique_ptr<client::Writer> writer;
    std::atomic<Timestamp> sent_until{0};
    absl::Status status;
    std::thread thread;
  };

  EndlessWriter() = default;
  void Send(Lane& lane);

  int64_t round_ns_ = 0;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::atomic<double> pace_{0};
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> acknowledged_{0};
  std::atomic<uint64_t> rejected_{0};
  absl::Mutex mutex_;
  std::vector<Ack> acks_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace historian::histbench

#endif  // HISTORIAN_TOOLS_HISTBENCH_ENDLESS_H_
