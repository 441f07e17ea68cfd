#include "server/metrics.h"

#include <cmath>
#include <initializer_list>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "prometheus/metric_family.h"
#include "prometheus/text_serializer.h"
#include "server/process_usage.h"
#include "storage/model/version.h"

namespace historian::server {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

// From 50 us, what a cheap query takes, to 10 s.
const prometheus::Histogram::BucketBoundaries kSeconds = {
    0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10};

constexpr const char* kReasonNames[] = {
    "unspecified",     "unknown_tag",       "retired_tag",        "wrong_type",
    "length_mismatch", "time_out_of_range", "time_not_ascending", "unknown_quality",
    "value_too_large", "expired",           "not_permitted"};

constexpr const char* kSpaceNames[kv::kSpaces] = {"meta",       "heads",   "pages",
                                                  "checkpoint", "rollups", "superseded"};

class Families {
 public:
  void Counter(const char* name, const char* help, double value) {
    Add(name, help, MetricType::Counter, {}, value);
  }
  void Gauge(const char* name, const char* help, double value) {
    Add(name, help, MetricType::Gauge, {}, value);
  }
  void Add(const char* name, const char* help, MetricType type, std::vector<ClientMetric::Label> labels,
           double value) {
    if (families_.empty() || families_.back().name != name) {
      families_.push_back({});
      families_.back().name = name;
      families_.back().help = help;
      families_.back().type = type;
    }
    ClientMetric metric;
    metric.label = std::move(labels);
    if (type == MetricType::Counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
    families_.back().metric.push_back(std::move(metric));
  }
  const std::vector<MetricFamily>& families() const { return families_; }

 private:
  std::vector<MetricFamily> families_;
};

// Names and units are those that all of Prometheus' clients give.
void AddProcess(const ProcessUsage& usage, Families* to) {
  const auto n = [](uint64_t v) { return static_cast<double>(v); };
  to->Counter("process_cpu_seconds_total", "Seconds of processors used.", usage.cpu_seconds);
  to->Gauge("process_start_time_seconds", "When the process started, in seconds since 1970.",
            usage.start_time_seconds);
  to->Gauge("process_resident_memory_bytes", "Memory that the process has.", n(usage.resident_bytes));
  to->Gauge("process_virtual_memory_bytes", "Addresses that the process has.", n(usage.virtual_bytes));
  to->Gauge("process_open_fds", "File descriptors that the process has open.", n(usage.open_descriptors));
  to->Gauge("process_max_fds", "File descriptors that it may have open.", n(usage.descriptors_max));
}

// Times are 0, and so is all else, of what there is none of.
void AddBackup(const BackupState& state, Timestamp now, Families* to) {
  const backup::BackupInfo newest = state.newest.value_or(backup::BackupInfo());
  const auto seconds = [](Timestamp t) { return static_cast<double>(t) / kNanosPerSecond; };
  to->Gauge("historian_backup_last_timestamp_seconds",
            "When the newest good backup was taken; 0: none is known.", seconds(newest.taken));
  to->Gauge("historian_backup_age_seconds", "How old that is; infinite without one.",
            state.newest.has_value() ? seconds(now) - seconds(newest.taken) : INFINITY);
  to->Gauge("historian_backup_overdue", "1 while that is older than backup.alert_after.",
            state.overdue ? 1 : 0);
  to->Gauge("historian_backup_duration_seconds", "How long the newest took.",
            seconds(newest.ended) - seconds(newest.begun));
  to->Gauge("historian_backup_bytes", "Bytes that the newest has.", static_cast<double>(newest.bytes));
  to->Gauge("historian_backup_new_bytes", "Bytes that the newest had to copy.",
            static_cast<double>(newest.new_bytes));
  to->Gauge("historian_backup_running", "1 while something works on the repository.",
            state.running.empty() ? 0 : 1);
  to->Counter("historian_backups_total", "Backups taken since the start.", static_cast<double>(state.taken));
  to->Counter("historian_backup_failures_total", "Backups that failed since the start.",
              static_cast<double>(state.failures));
  const backup::DrillResult drill = state.drill.value_or(backup::DrillResult());
  to->Gauge("historian_backup_drill_timestamp_seconds", "When the last drill began; 0: none is known.",
            seconds(drill.begun));
  to->Gauge("historian_backup_drill_passed", "1 if the last drill found all in order.",
            state.drill.has_value() && drill.passed() ? 1 : 0);
}

void AddArchive(const ArchiveStats& stats, uint64_t tags, uint64_t call_bytes, Families* to) {
  const auto n = [](uint64_t v) { return static_cast<double>(v); };
  to->Counter("historian_samples_stored_total", "Samples stored.", n(stats.samples_stored));
  to->Counter("historian_samples_repeated_total", "Samples that repeated a stored one.",
              n(stats.samples_repeated));
  to->Counter("historian_frames_stored_total", "Frames stored.", n(stats.frames_stored));
  to->Counter("historian_frames_repeated_total", "Frames that were stored before.", n(stats.frames_repeated));
  to->Counter("historian_frames_conflicting_total",
              "Frames refused because another one with their number is stored.", n(stats.frames_conflicting));
  to->Counter("historian_frames_unchecked_total",
              "Frames that were stored before, so long ago that it is not known what they said.",
              n(stats.frames_unchecked));
  to->Gauge("historian_producers", "Producers whose numbers are kept.", n(stats.producers));
  to->Counter("historian_journal_commits_total", "Group commits of the journal, an fdatasync each.",
              n(stats.journal_commits));
  to->Counter("historian_seals_total", "Seals.", n(stats.seals));
  to->Gauge("historian_last_seal_timestamp_seconds", "When the last seal ended; 0: none since the start.",
            static_cast<double>(stats.last_seal) / 1e9);
  to->Gauge("historian_tags", "Tags.", n(tags));
  to->Gauge("historian_samples_open", "Samples in tails, not yet sealed.", n(stats.samples_open));
  to->Gauge("historian_samples_sealed", "Samples in blocks.", n(stats.samples_sealed));
  to->Gauge("historian_samples_unsettled",
            "Samples in blocks that are still to be merged and encoded densely.", n(stats.samples_unsettled));
  to->Counter("historian_expired_samples_total", "Samples that retention rules let go.",
              n(stats.expired_samples));
  to->Counter("historian_expired_weeks_total",
              "Weeks of which retention rules let something go, once for each rule.", n(stats.expired_weeks));
  to->Counter("historian_settles_total", "Partitions settled.", n(stats.settles));
  to->Counter("historian_settled_bytes_total", "Bytes of blocks and rollups written by settling.",
              n(stats.settled_bytes));
  to->Gauge("historian_tail_bytes", "Memory of open tails.", n(stats.memory.tails));
  to->Gauge("historian_in_flight_bytes", "Memory of frames being written.", n(stats.memory.frames));
  to->Gauge("historian_cache_bytes", "Memory of what is kept because it was read.", n(stats.memory.caches));
  for (const auto& [kind, bytes] :
       std::initializer_list<std::pair<const char*, uint64_t>>{{"tags", stats.memory.tags},
                                                               {"tag_states", stats.memory.tag_states},
                                                               {"producers", stats.memory.producers},
                                                               {"retention", stats.memory.retention},
                                                               {"versions", stats.memory.versions},
                                                               {"weeks", stats.memory.weeks},
                                                               {"open_samples", stats.memory.tails},
                                                               {"frames", stats.memory.frames},
                                                               {"caches", stats.memory.caches},
                                                               {"store", stats.store.memory_bytes},
                                                               {"calls", call_bytes}}) {
    to->Add("historian_memory_bytes", "Memory, by kind.", MetricType::Gauge, {{"kind", kind}}, n(bytes));
  }
  to->Gauge("historian_memory_definitions_bytes",
            "Memory of definitions: of the kinds tags, tag_states, producers, retention, versions and weeks.",
            n(stats.memory.definitions()));
  to->Gauge("historian_memory_definitions_max_bytes", "New definitions that would take more are refused.",
            n(stats.definition_bytes_max));
  to->Gauge("historian_journal_bytes", "Journal not yet trimmed.", n(stats.journal_bytes));
  to->Gauge("historian_blocks", "Blocks.", n(stats.blocks));
  to->Gauge("historian_block_bytes", "Bytes of blocks and rollups.", n(stats.block_bytes));
  to->Gauge("historian_disk_reserve_bytes", "Writes are refused with less free space.",
            n(stats.disk_reserve_bytes));
  to->Gauge("historian_disk_free_bytes", "Free space of the disk.", n(stats.store.free_bytes));
  to->Gauge("historian_disk_capacity_bytes", "Size of the disk.", n(stats.store.capacity_bytes));
  to->Gauge("historian_ingest_accepting", "1 while writes are accepted.", stats.ingest.ok() ? 1 : 0);
  to->Counter("historian_write_failures_total", "Times that the journal could not be written any more.",
              n(stats.write_failures));
  to->Gauge("historian_believed_timestamp_seconds", "What retention takes for now.",
            static_cast<double>(stats.believed_time) / 1e9);
  to->Gauge("historian_damage_found", "Damage found since the start (the newest 100).",
            n(stats.damage.size()));
  to->Gauge("historian_store_log_bytes", "Bytes of the store's logs.", n(stats.store.log_bytes));
  to->Gauge("historian_store_memory_bytes", "Memory of the store: caches, tables, indexes.",
            n(stats.store.memory_bytes));
  for (int i = 0; i < kv::kSpaces; ++i) {
    to->Add("historian_store_space_bytes", "Bytes on disk, by space.", MetricType::Gauge,
            {{"space", kSpaceNames[i]}}, n(stats.store.spaces[i].bytes_on_disk));
  }
  for (int i = 0; i < kv::kSpaces; ++i) {
    to->Add("historian_store_space_files", "Files, by space.", MetricType::Gauge, {{"space", kSpaceNames[i]}},
            n(stats.store.spaces[i].files));
  }
}

}  // namespace

const char* MethodName(Method method) {
  switch (method) {
    case Method::kWrite:
      return "Write";
    case Method::kWriteOnce:
      return "WriteOnce";
    case Method::kGetProducer:
      return "GetProducer";
    case Method::kCreateTags:
      return "CreateTags";
    case Method::kUpdateTags:
      return "UpdateTags";
    case Method::kGetTags:
      return "GetTags";
    case Method::kListTags:
      return "ListTags";
    case Method::kRetireTags:
      return "RetireTags";
    case Method::kReadRaw:
      return "ReadRaw";
    case Method::kReadLatest:
      return "ReadLatest";
    case Method::kReadAtTimes:
      return "ReadAtTimes";
    case Method::kReadJoined:
      return "ReadJoined";
    case Method::kReadProcessed:
      return "ReadProcessed";
    case Method::kPlot:
      return "Plot";
    case Method::kExplain:
      return "Explain";
    case Method::kGetStatus:
      return "GetStatus";
    case Method::kGetStorage:
      return "GetStorage";
    case Method::kSeal:
      return "Seal";
    case Method::kListBlocks:
      return "ListBlocks";
    case Method::kReadBlock:
      return "ReadBlock";
    case Method::kListVersions:
      return "ListVersions";
    case Method::kMarkVersion:
      return "MarkVersion";
    case Method::kListProducers:
      return "ListProducers";
    case Method::kResetProducer:
      return "ResetProducer";
    case Method::kWhoAmI:
      return "WhoAmI";
    case Method::kCreateToken:
      return "CreateToken";
    case Method::kListAccess:
      return "ListAccess";
    case Method::kRevokeToken:
      return "RevokeToken";
    case Method::kListRules:
      return "ListRules";
    case Method::kSetRule:
      return "SetRule";
    case Method::kRemoveRule:
      return "RemoveRule";
    case Method::kListHolds:
      return "ListHolds";
    case Method::kPlaceHold:
      return "PlaceHold";
    case Method::kReleaseHold:
      return "ReleaseHold";
    case Method::kApplyRetention:
      return "ApplyRetention";
    case Method::kWhatIsKept:
      return "WhatIsKept";
    case Method::kVerify:
      return "Verify";
    case Method::kInitBackups:
      return "InitBackups";
    case Method::kCreateBackup:
      return "CreateBackup";
    case Method::kListBackups:
      return "ListBackups";
    case Method::kVerifyBackups:
      return "VerifyBackups";
    case Method::kPruneBackups:
      return "PruneBackups";
    case Method::kDrillBackup:
      return "DrillBackup";
  }
  return "";
}

Metrics::Metrics() {
  calls_ = &prometheus::BuildCounter()
                .Name("historian_calls_total")
                .Help("Calls ended, by method and code.")
                .Register(registry_);
  auto& seconds = prometheus::BuildHistogram()
                      .Name("historian_call_seconds")
                      .Help("The server's work on a call, without waiting for its client.")
                      .Register(registry_);
  for (int i = 0; i < kMethods; ++i) {
    if (static_cast<Method>(i) == Method::kWrite) continue;
    call_seconds_[i] = &seconds.Add({{"method", MethodName(static_cast<Method>(i))}}, kSeconds);
  }
  auto& rejected = prometheus::BuildCounter()
                       .Name("historian_samples_rejected_total")
                       .Help("Samples rejected, by reason (those listed in answers).")
                       .Register(registry_);
  for (int i = 0; i < kReasons; ++i) rejected_[i] = &rejected.Add({{"reason", kReasonNames[i]}});
  ack_seconds_ = &prometheus::BuildHistogram()
                      .Name("historian_ack_seconds")
                      .Help("From receiving a frame until it was durable.")
                      .Register(registry_)
                      .Add({}, kSeconds);
  ingest_bytes_ = &prometheus::BuildCounter()
                       .Name("historian_ingest_bytes_total")
                       .Help("Bytes of frames received.")
                       .Register(registry_)
                       .Add({});
  const auto family = [this](const char* name, const char* help) {
    return &prometheus::BuildCounter().Name(name).Help(help).Register(registry_);
  };
  stream_ends_ =
      family("historian_write_streams_ended_total", "Write streams that ended, by reason and peer.");
  refusals_ = family("historian_refusals_total", "Calls refused because a limit was reached, by limit.");
  connections_refused_ =
      family("historian_connections_refused_total", "Connections closed before gRPC had them, by reason.");
  access_refused_ = family("historian_access_refused_total",
                           "Calls, tags and scrapes refused because of who asked, by reason.");
  handshake_failures_ =
      family("historian_handshake_failures_total", "TLS handshakes that failed, by reason.");
  certificate_changes_ =
      family("historian_certificate_changes_total",
             "Certificates and authorities that were taken into force or refused, by setting.");
  fenced_ = &family("historian_producers_fenced_total",
                    "Write streams that ended because another one of their producer was opened.")
                 ->Add({});
  connections_taken_ =
      &family("historian_connections_total", "Connections to the gRPC port that were taken.")->Add({});
  accept_failures_ = &family("historian_accept_failures_total",
                             "Failures to take a connection, such as for want of descriptors.")
                          ->Add({});
  http_shed_ =
      &family("historian_http_connections_shed_total", "HTTP connections that gave way to newer ones.")
           ->Add({});
}

void Metrics::CountStreamEnd(absl::string_view reason, absl::string_view address,
                             const absl::Status& status) {
  CountCode(Method::kWrite, status);
  std::string label(address);
  {
    absl::MutexLock lock(&mu_);
    if (addresses_.size() >= kAddressesMax && !addresses_.contains(label)) {
      label = "other";
    } else {
      addresses_.insert(label);
    }
  }
  stream_ends_->Add({{"reason", std::string(reason)}, {"peer", label}}).Increment();
}

void Metrics::CountRefusal(absl::string_view setting) {
  refusals_->Add({{"limit", std::string(setting)}}).Increment();
}

void Metrics::CountAccessRefused(absl::string_view reason) {
  access_refused_->Add({{"reason", std::string(reason)}}).Increment();
}

void Metrics::CountConnectionRefused(absl::string_view reason) {
  connections_refused_->Add({{"reason", std::string(reason)}}).Increment();
}

void Metrics::CountHandshakeFailure(absl::string_view reason) {
  handshake_failures_->Add({{"reason", std::string(reason)}}).Increment();
}

void Metrics::CountCertificateChange(absl::string_view setting, bool taken) {
  certificate_changes_->Add({{"setting", std::string(setting)}, {"result", taken ? "taken" : "refused"}})
      .Increment();
}

void Metrics::CountCall(Method method, const absl::Status& status, absl::Duration took) {
  CountCode(method, status);
  call_seconds_[static_cast<int>(method)]->Observe(absl::ToDoubleSeconds(took));
}

void Metrics::CountCode(Method method, const absl::Status& status) {
  const int m = static_cast<int>(method);
  const int code = static_cast<int>(status.code());
  if (code >= 0 && code < kCodes) {
    std::atomic<prometheus::Counter*>& slot = calls_by_code_[m][code];
    prometheus::Counter* counter = slot.load(std::memory_order_acquire);
    if (counter == nullptr) {
      // The family gives the same counter to whoever asks for the same labels.
      counter =
          &calls_->Add({{"method", MethodName(method)}, {"code", absl::StatusCodeToString(status.code())}});
      slot.store(counter, std::memory_order_release);
    }
    counter->Increment();
  }
}

void Metrics::CountRejections(RejectionReason reason, uint64_t samples) {
  const int r = static_cast<int>(reason);
  rejected_[r < kReasons ? r : 0]->Increment(static_cast<double>(samples));
}

std::string Metrics::Render(Archive* archive, bool ready, const More& others) const {
  Families more;
  more.Add("historian_build_info", "The running version.", MetricType::Gauge, {{"version", kVersion}}, 1);
  more.Gauge("historian_ready", "1 while calls are served.", ready ? 1 : 0);
  more.Counter("historian_clock_steps_total", "Times that the machine's clock was set since the start.",
               static_cast<double>(clock_steps.load()));
  more.Gauge("historian_write_streams", "Open write streams.", static_cast<double>(write_streams.load()));
  more.Gauge("historian_queries_running", "Long queries running.",
             static_cast<double>(queries_running.load()));
  more.Gauge("historian_short_queries_running", "Short queries running.",
             static_cast<double>(short_queries_running.load()));
  more.Gauge("historian_connections", "Connections that gRPC has.", static_cast<double>(connections.load()));
  more.Counter("historian_log_lines_dropped_total", "Log lines that could not be written.",
               static_cast<double>(others.log_lines_dropped));
  for (const CertificateState& state : others.certificates) {
    more.Add("historian_certificate_seconds_left", "Until the first certificate expires, by setting.",
             MetricType::Gauge, {{"setting", state.setting}}, state.seconds_left);
  }
  for (const CertificateState& state : others.certificates) {
    more.Add("historian_certificate_refused",
             "1 while what is in the files cannot be taken into force, by setting.", MetricType::Gauge,
             {{"setting", state.setting}}, state.refused ? 1 : 0);
  }
  AddProcess(UsageOfProcess(), &more);
  if (others.backup.has_value()) AddBackup(*others.backup, others.now, &more);
  if (archive != nullptr) AddArchive(archive->Stats(), archive->tags().size(), others.call_bytes, &more);
  std::ostringstream out;
  const prometheus::TextSerializer serializer;
  serializer.Serialize(out, registry_.Collect());
  serializer.Serialize(out, more.families());
  return std::move(out).str();
}

}  // namespace historian::server
