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
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"
#include "server/backup_state.h"
#include "storage/archive/archive.h"

namespace historian::server {

// Every call of the wire contract.
enum class Method {
  kWrite,
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
  kReadJoined,
  kReadProcessed,
  kPlot,
  kExplain,
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
  kListProducers,
  kResetProducer,
  kWhoAmI,
  kCreateToken,
  kListAccess,
  kRevokeToken,
  kInitBackups,
  kCreateBackup,
  kListBackups,
  kVerifyBackups,
  kPruneBackups,
  kDrillBackup,
};
inline constexpr int kMethods = static_cast<int>(Method::kDrillBackup) + 1;
const char* MethodName(Method method);

// The certificates of a setting such as tls.cert.
struct CertificateState {
  std::string setting;
  double seconds_left = 0;  // Until the first of them expires.
  bool refused = false;     // What is in the files now could not be taken.
};

class Metrics {
 public:
  Metrics();

  // Counts a call that ended. `took` is the server's own work on it.
  void CountCall(Method method, const absl::Status& status, absl::Duration took);
  // Counts a write stream that ended: as a call, and by reason and peer's address. Its work is not observed, as it
  // lasts as long as its writer likes.
  void CountStreamEnd(absl::string_view reason, absl::string_view address, const absl::Status& status);
  // Counts what was refused because a limit was reached. `setting` is the limit's name.
  void CountRefusal(absl::string_view setting);
  // Counts a stream that ended because another one of its producer was opened.
  void CountFenced() { fenced_->Increment(); }
  // Connections to the gRPC port: those that were taken, those that were closed before gRPC had them, and failures
  // of the system's accept.
  void CountConnection() { connections_taken_->Increment(); }
  void CountConnectionRefused(absl::string_view reason);
  void CountAcceptFailure() { accept_failures_->Increment(); }
  // Counts what was refused because of who asked: "unauthenticated" or "permission_denied".
  void CountAccessRefused(absl::string_view reason);
  void CountHttpShed() { http_shed_->Increment(); }
  // Counts a TLS handshake that failed (server/handshakes.h has the reasons).
  void CountHandshakeFailure(absl::string_view reason);
  // Counts certificates, or authorities, that were taken into force or refused. `setting` names the file.
  void CountCertificateChange(absl::string_view setting, bool taken);
  // Counts an acknowledged frame; `took` is the time since it was received.
  void CountAck(absl::Duration took) { ack_seconds_->Observe(absl::ToDoubleSeconds(took)); }
  void CountRejections(RejectionReason reason, uint64_t samples);
  void CountIngestBytes(uint64_t bytes) { ingest_bytes_->Increment(static_cast<double>(bytes)); }

  std::atomic<int64_t> write_streams{0};
  std::atomic<int64_t> queries_running{0};  // Long ones.
  std::atomic<int64_t> short_queries_running{0};
  std::atomic<int64_t> connections{0};  // That gRPC has.
  std::atomic<int64_t> clock_steps{0};

  // What others count.
  struct More {
    uint64_t log_lines_dropped = 0;
    uint64_t call_bytes = 0;  // Memory of requests and answers.
    std::vector<CertificateState> certificates;
    std::optional<BackupState> backup;  // Of a server that is configured to take backups.
    Timestamp now = 0;
  };
  // Returns everything in Prometheus' text format, with the archive's statistics unless `archive` is null (it
  // is not open yet).
  std::string Render(Archive* archive, bool ready, const More& more) const;

 private:
  void CountCode(Method method, const absl::Status& status);

  // Clients choose their addresses: so many are told apart, the others are "other".
  static constexpr size_t kAddressesMax = 64;
  static constexpr int kCodes = 17;  // gRPC's.
  static constexpr int kReasons = 11;

  prometheus::Registry registry_;
  prometheus::Family<prometheus::Counter>* calls_;
  std::array<std::array<std::atomic<prometheus::Counter*>, kCodes>, kMethods> calls_by_code_{};
  std::array<prometheus::Histogram*, kMethods> call_seconds_;
  std::array<prometheus::Counter*, kReasons> rejected_;
  prometheus::Histogram* ack_seconds_;
  prometheus::Counter* ingest_bytes_;
  prometheus::Family<prometheus::Counter>* stream_ends_;
  prometheus::Family<prometheus::Counter>* refusals_;
  prometheus::Family<prometheus::Counter>* connections_refused_;
  prometheus::Family<prometheus::Counter>* access_refused_;
  prometheus::Family<prometheus::Counter>* handshake_failures_;
  prometheus::Family<prometheus::Counter>* certificate_changes_;
  prometheus::Counter* fenced_;
  prometheus::Counter* connections_taken_;
  prometheus::Counter* accept_failures_;
  prometheus::Counter* http_shed_;
  absl::Mutex mu_;
  absl::flat_hash_set<std::string> addresses_ ABSL_GUARDED_BY(mu_);
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_METRICS_H_
