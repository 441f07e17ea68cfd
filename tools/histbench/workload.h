// File: tools/histbench/workload.h
//
// What the load generator sends: encoded frames, made before the clock starts.
//
//   plant  1 Hz of every tag. A frame is a window of seconds of a connection's tags, in columns, about 16,384
//          samples; frames follow in time order.
//   late   the same; 5 % of the samples come up to an hour late: they ride in the frame of the window in
//          which they arrive, in front of their tag's samples of that window.
//   wide   snapshots: all tags of a connection at one second, up to 16,384 tags a frame.
//   small  snapshots of 20 tags.
//
// A connection has a contiguous part of the tags; kinds of sensors alternate, so all connections carry the
// same mixture.
#ifndef HISTORIAN_TOOLS_HISTBENCH_WORKLOAD_H_
#define HISTORIAN_TOOLS_HISTBENCH_WORKLOAD_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "storage/model/samples.h"
#include "storage/model/timestamp.h"
#include "tools/plant/sensor.h"

namespace historian::histbench {

enum class WorkloadKind : uint8_t { kPlant, kLate, kWide, kSmall };

// Monday, 2024-01-01T00:00:00Z: always in the past, and the same in every run.
inline constexpr int64_t kFirstSecond = 1'704'067'200;

struct WorkloadOptions {
  WorkloadKind kind = WorkloadKind::kPlant;
  uint64_t seed = 1;
  size_t tags = 1000;
  int64_t seconds = 6 * 3600;           // Samples of each tag: seconds of the plant, at one sample a second.
  int64_t first_second = kFirstSecond;  // A multiple of period_seconds.
  int64_t period_seconds = 1;           // Seconds from sample to sample of a tag.
  std::string prefix = "bench";         // Of the tags' names.
};

struct EncodedFrame {
  std::string bytes;  // For client::Writer::WriteEncodedFrame.
  uint64_t samples = 0;
};

// Threads: one; but const functions any number.
class Workload {
 public:
  explicit Workload(WorkloadOptions options);

  const WorkloadOptions& options() const { return options_; }
  // Tag ids are 0 until SetTags.
  const std::vector<plant::Sensor>& sensors() const { return sensors_; }
  void SetTags(const std::vector<Tag>& tags);

  Timestamp start() const { return options_.first_second * kNanosPerSecond; }
  // Behind the last sample of [0, seconds), jitter included. Here and below a second is the time of a sample
  // when period_seconds is not 1.
  Timestamp EndOf(int64_t seconds) const {
    return (options_.first_second + seconds * options_.period_seconds) * kNanosPerSecond -
           kNanosPerSecond / 2;
  }
  uint64_t samples() const { return static_cast<uint64_t>(options_.seconds) * options_.tags; }

  // All samples of a tag in seconds [0, seconds), ascending: what must be read back.
  void Expected(size_t sensor, int64_t seconds, Samples* out) const;

  // Frames of `connections` connections, in pieces of bounded memory.
  class Source {
   public:
    // Seconds [begin, end) of the workload.
    Source(const Workload& workload, size_t connections, int64_t begin, int64_t end);
    // Returns the next frames of every connection, about `bytes_max` together; false if there are no more.
    bool Next(size_t bytes_max, std::vector<std::vector<EncodedFrame>>* frames);

   private:
    struct Late {
      uint32_t sensor;
      Quality quality;
      Timestamp time;
      ValueBits value;
    };
    size_t FirstOf(size_t connection) const { return connection * workload_.sensors_.size() / connections_; }
    void MakePiece(int64_t begin, int64_t end, std::vector<std::vector<EncodedFrame>>* frames);
    void Columns(size_t connection, int64_t window, std::vector<EncodedFrame>* frames);
    void Snapshots(size_t connection, int64_t second, std::vector<EncodedFrame>* frames);
    void SetAsideLate(size_t sensor);
    void LateTail(size_t connection, std::vector<EncodedFrame>* frames);

    const Workload& workload_;
    const size_t connections_;
    const int64_t end_;
    int64_t window_ = 1;       // Seconds a frame.
    int64_t at_;               // The next second to make.
    int64_t piece_first_ = 0;  // The seconds that samples_ holds.
    std::vector<Samples> samples_;
    std::vector<size_t> used_;             // Of samples_: those already in frames.
    std::vector<std::vector<Late>> late_;  // By window of arrival.
    int64_t first_window_ = 0;
  };

 private:
  // Of sample 0 of the workload, counted from 1970.
  int64_t FirstSample() const { return options_.first_second / options_.period_seconds; }
  bool IsSnapshots() const {
    return options_.kind == WorkloadKind::kWide || options_.kind == WorkloadKind::kSmall;
  }

  const WorkloadOptions options_;
  std::vector<plant::Sensor> sensors_;
};

}  // namespace historian::histbench

#endif  // HISTORIAN_TOOLS_HISTBENCH_WORKLOAD_H_
