// File: server/metrics.h
//
// What the server counts, and how Prometheus reads it (text format, /metrics). Names begin with historian_
// and do not change once released.
//
// Threads: any number.
#ifndef HISTORIAN_SERVER_METRICS_H_
#define HISTORIAN_SERVER_METRICS_H_

#include <array>
#include <atomic>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"
#include "storage/archive/archive.h"

namespace historian::server {

// Every call of the wire contract except the write stream.
enum class Method {
  kWriteOnce,
  kGetProducer,
  kCreateTags,
  kUpdateTags,
  kGetTags,
  kListTags,
  kRetireTags,
  kReadRaw,
  kReadLatest,
  kReadAtTimes,
  kReadProcessed,
  kPlot,
  kGetStatus,
  kGetStorage,
  kSeal,
  kListBlocks,
  kReadBlock,
  kListRules,
  kSetRule,
  kRemoveRule,
  kListHolds,
  kPlaceHold,
  kReleaseHold,
  kApplyRetention,
  kWhatIsKept,
  kVerify,
  kListVersions,
  kMarkVersion,
};
inline constexpr int kMethods = static_cast<int>(Method::kMarkVersion) + 1;
const char* MethodName(Method method);

class Metrics {
 public:
  Metrics();

  // Counts a call that ended.
  void CountCall(Method method, const absl::Status& status, absl::Duration took);
  // Counts an acknowledged frame; `took` is the time since it was received.
  void CountAck(absl::Duration took) { ack_seconds_->Observe(absl::ToDoubleSeconds(took)); }
  void CountRejections(RejectionReason reason, uint64_t samples);
  void CountIngestBytes(uint64_t bytes) { ingest_bytes_->Increment(static_cast<double>(bytes)); }

  std::atomic<int64_t> write_streams{0};
  std::atomic<int64_t> queries_running{0};
  std::atomic<int64_t> clock_steps{0};

  // Returns everything in Prometheus' text format, with the archive's statistics unless `archive` is null (it
  // is not open yet).
  std::string Render(Archive* archive, bool ready) const;

 private:
  static constexpr int kCodes = 17;  // gRPC's.
  static constexpr int kReasons = 10;

  prometheus::Registry registry_;
  prometheus::Family<prometheus::Counter>* calls_;
  std::array<std::array<std::atomic<prometheus::Counter*>, kCodes>, kMethods> calls_by_code_{};
  std::array<prometheus::Histogram*, kMethods> call_seconds_;
  std::array<prometheus::Counter*, kReasons> rejected_;
  prometheus::Histogram* ack_seconds_;
  prometheus::Counter* ingest_bytes_;
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_METRICS_H_
