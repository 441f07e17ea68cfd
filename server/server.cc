#include "server/server.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <climits>
#include <optional>
#include <thread>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/resource_quota.h"
#include "proto/grpc_health/v1/health.pb.h"
#include "server/access_service.h"
#include "server/admin_service.h"
#include "server/authorize.h"
#include "server/backup_service.h"
#include "server/backups.h"
#include "server/caller/authority.h"
#include "server/clock_watch.h"
#include "server/grpc_door.h"
#include "server/http_server.h"
#include "server/ingest_service.h"
#include "server/metrics.h"
#include "server/peer.h"
#include "server/process.h"
#include "server/query_service.h"
#include "server/retention_service.h"
#include "server/self_probe.h"
#include "server/service_env.h"
#include "server/tags_service.h"
#include "server/tls.h"
#include "server/watcher.h"
#include "server/work_pool.h"
#include "storage/backup/open_target.h"
#include "storage/calendar/zones.h"
#include "storage/model/status_macros.h"
#include "storage/model/version.h"
#include "storage/platform/freed_memory.h"
#include "storage/platform/monotonic.h"

namespace historian::server {
namespace {

// Queries mostly compute, a few wait for the disk or for a seal.
int PoolThreads() { return std::max(6u, 2 * std::thread::hardware_concurrency()); }

// What a stream may send before it is read: less than the quota of gRPC's buffers even with many streams.
int LookaheadBytes(const Config& config) {
  constexpr uint64_t kLeast = 64 * 1024, kMost = 1024 * 1024;
  return static_cast<int>(
      std::clamp(config.grpc_quota_bytes() / (2 * config.limits.write_streams), kLeast, kMost));
}

// What the heap may have beside the budget before connections are closed. The process may have 256 MiB; in the rest of it goes
// what is not of the heap, and what comes until that has an effect.
constexpr uint64_t kHeapBeside = uint64_t{96} << 20;

// Calls of one connection at once; gRPC's clients keep others back. Each takes memory before anybody has looked at it, and more
// while it waits to be taken away, so that whoever opens thousands and lets go of them again takes gigabytes.
constexpr int kCallsOfConnectionMax = 128;

// When the disk hangs each query may hold one of them.
constexpr uint64_t kMoreThreadsMax = 256;

constexpr absl::Duration kLookInterval = absl::Seconds(2);
// Whoever calls Seal all the time makes no more files than this.
constexpr absl::Duration kAskedSealInterval = absl::Seconds(1);

std::string Address(const std::string& listen, int port) {
  return absl::StrCat(listen.substr(0, listen.rfind(':')), ":", port);
}

ArchiveOptions OptionsOf(const Config& config) {
  ArchiveOptions options;
  options.memory_budget_bytes = config.engine_bytes();
  options.journal_bytes_max = config.archive.journal_bytes_max;
  options.seal_interval = config.archive.seal_interval;
  options.asked_seal_interval = kAskedSealInterval;
  options.settle_delay = config.archive.settle_delay;
  options.version_period = config.archive.version_period;
  options.future_limit = config.archive.future_limit;
  options.future_limits = config.archive.future_limits;
  options.disk_reserve_bytes = config.archive.disk_reserve;
  options.producers_max = config.limits.producers;
  options.producer_unused = config.limits.producer_unused;
  options.version_marks_max = config.limits.version_marks;
  options.tz_version = TzDatabaseVersion();
  return options;
}

void UseGrpcPluginsOnce() {
  [[maybe_unused]] static const bool used = [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    // gRPC serves its health service without a description of it; this links one in.
    return grpc::health::v1::HealthCheckRequest::descriptor() != nullptr;
  }();
}

}  // namespace

class Server::Impl {
 public:
  Impl(const Config& config, const Clock& clock, Log& log, OnFailure on_failure, OnAnswered on_answered)
      : config_(config),
        clock_(clock),
        log_(log),
        on_failure_(std::move(on_failure)),
        on_answered_(std::move(on_answered)),
        clock_watch_(clock),
        busy_(boost::asio::make_work_guard(context_)),
        tick_(context_),
        pool_(PoolThreads(),
              PoolThreads() + static_cast<int>(std::min<uint64_t>(config.limits.queries, kMoreThreadsMax))),
        call_memory_(config.call_bytes(),
                     [this](absl::AnyInvocable<void()> ready) { pool_.Post(std::move(ready)); }),
        tls_(config_.tls, clock, metrics_, log),
        watcher_(log) {}

  ~Impl() {
    if (!stopped_) Stop().IgnoreError();
  }

  absl::Status Start(const OpenStore& open_store) {
    const MonotonicTime begin = MonotonicTime::Now();
    ASSIGN_OR_RETURN(
        http_,
        HttpServer::Listen(
            context_, config_.http.listen,
            {.answer = [this](const HttpRequest& request) { return AnswerHttp(request); },
             .is_quick = [](absl::string_view path) { return path == "/healthz" || path == "/readyz"; }},
            {.shed = [this] { metrics_.CountHttpShed(); },
             .failed =
                 [this](const boost::system::error_code& error) {
                   metrics_.CountAcceptFailure();
                   log_.WriteLimited(LogLevel::kError, "accept_failed", "http",
                                     {{"listener", "http"}, {"message", error.message()}});
                 },
             .dead = [this](const absl::Status& why) { Fail("http.listen", why); }}));
    http_address_ = Address(config_.http.listen, http_->port());
    http_thread_ = std::thread([this] { context_.run(); });
    log_.Info("starting", {{"version", kVersion},
                           {"data_dir", config_.data_dir},
                           {"http", http_address_},
                           {"tz_version", TzDatabaseVersion()}});
    RETURN_IF_ERROR(OpenAuthority());

    RETURN_IF_ERROR(tls_.Load());
    ASSIGN_OR_RETURN(std::unique_ptr<kv::Store> store, open_store());
    absl::StatusOr<std::unique_ptr<Archive>> archive =
        Archive::Open(std::move(store), OptionsOf(config_), clock_);
    if (!archive.ok()) return Annotate(archive.status(), "opening the archive");
    archive_ = *std::move(archive);
    archive_open_.store(archive_.get());
    LogWhatWasFound(archive_->Stats());
    env_.emplace(ServiceEnv{*archive_, config_, clock_, metrics_, log_, pool_, streams_, clock_watch_,
                            call_memory_, *authority_, queries_of_peers_, short_queries_of_peers_});
    backups_.emplace(config_, *archive_, clock_, log_, [backup = config_.backup] {
      return backup::OpenTarget({.target = backup.target,
                                 .s3_endpoint = backup.s3_endpoint,
                                 .s3_region = backup.s3_region,
                                 .s3_credentials = backup.s3_credentials});
    });
    backups_open_.store(&*backups_);
    access_.emplace(*env_);
    ingest_.emplace(*env_);
    tags_.emplace(*env_);
    query_.emplace(*env_);
    admin_.emplace(*env_, *ingest_, *backups_);
    backup_.emplace(*env_, *backups_);
    retention_.emplace(*env_);
    RETURN_IF_ERROR(StartGrpc(tls_.Credentials()));

    tls_.Start();
    Tick();
    probe_.emplace(
        context_,
        SelfProbe::Options{.to = door_->OwnEndpoint(),
                           .tls = !config_.tls.cert.empty(),
                           .interval = config_.limits.probe_interval,
                           .timeout = config_.limits.probe_interval,
                           .announce = [this](unsigned short port) { door_->ExpectOwn(port); },
                           .answered = on_answered_,
                           .failed = [this](const absl::Status& why, bool again) { NoteProbe(why, again); }});
    boost::asio::post(context_, [this] { probe_->Start(); });
    serving_ = true;
    ready_.store(true);
    grpc_->GetHealthCheckService()->SetServingStatus(true);
    log_.Info("started", {{"grpc", grpc_address_},
                          {"http", http_address_},
                          {"tls", config_.tls.cert.empty()        ? "off"
                                  : config_.tls.client_ca.empty() ? "on"
                                                                  : "mutual"},
                          {"tags", uint64_t{archive_->tags().size()}},
                          {"samples_open", archive_->Stats().samples_open},
                          {"took_ms", absl::ToDoubleMilliseconds(MonotonicTime::Now() - begin)}});
    if (const AheadOfClock ahead = archive_->FindAheadOfClock(); ahead.tags > 0) {
      log_.Warning(
          "samples_ahead_of_clock",
          {{"tags", ahead.tags},
           {"farthest", FormatTimestamp(ahead.farthest)},
           {"now", FormatTimestamp(clock_.Now())},
           {"meaning",
            "they were taken while a clock was ahead, or this one is slow now; the newest sample of a tag is "
            "the newest by now, but what lies ahead stays"}});
    }
    return absl::OkStatus();
  }

  absl::Status Stop() {
    stopped_ = true;
    const MonotonicTime begin = MonotonicTime::Now();
    ready_.store(false);
    const bool was_serving = std::exchange(serving_, false);
    if (was_serving) log_.Info("stopping", {});
    OnHttpThread([this] { probe_.reset(); });
    tls_.Stop();
    if (door_ != nullptr) door_->Stop();
    if (grpc_ != nullptr) {
      if (auto* health = grpc_->GetHealthCheckService()) health->SetServingStatus(false);
      admin_->Stop();
      ingest_->Stop();
      backups_->Cancel();
      grpc_->Shutdown(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                   gpr_time_from_seconds(absl::ToInt64Seconds(kDrain), GPR_TIMESPAN)));
      grpc_->Wait();
    }
    pool_.Join();
    if (backups_.has_value()) backups_->Stop();
    absl::Status status;
    if (was_serving && archive_->Stats().read_only.ok()) {
      const absl::StatusOr<SealResult> sealed = archive_->upkeep().Seal();
      if (sealed.ok()) {
        log_.Info("sealed_on_stop",
                  {{"samples", sealed->samples}, {"blocks", sealed->blocks}, {"bytes", sealed->bytes}});
      } else {
        status = Annotate(sealed.status(), "sealing on stop (nothing is lost, the journal has it)");
        log_.Error("seal_failed", {{"message", status.message()}});
      }
    }
    http_.reset();
    context_.stop();
    if (http_thread_.joinable()) http_thread_.join();
    // Before the services: writes on their way are answered by it, though nobody waits for the answers any
    // more.
    archive_open_.store(nullptr);
    backups_open_.store(nullptr);
    archive_.reset();
    if (was_serving)
      log_.Info("stopped", {{"took_ms", absl::ToDoubleMilliseconds(MonotonicTime::Now() - begin)}});
    return status;
  }

  void Reread() {
    tls_.LookSoon();
    LookAtAccess(/*asked=*/true);
  }
  const std::string& grpc_address() const { return grpc_address_; }
  const std::string& http_address() const { return http_address_; }
  Archive& archive() { return *archive_; }

 private:
  absl::Status StartGrpc(std::shared_ptr<grpc::ServerCredentials> credentials) {
    UseGrpcPluginsOnce();
    const uint64_t connections = ConnectionsMax();
    ASSIGN_OR_RETURN(
        door_,
        GrpcDoor::Open({.listen = config_.grpc.listen,
                        .tls = !config_.tls.cert.empty(),
                        .connections = connections,
                        // As large a part of fewer ones.
                        .per_peer = std::max<uint64_t>(1, config_.limits.connections_per_peer * connections /
                                                              config_.limits.connections),
                        .hello_time = config_.limits.hello_time,
                        .memory_excess = [most = config_.limits.memory_budget +
                                                 kHeapBeside] { return HeapBytesAbove(most); },
                        .dead = [this](const absl::Status& why) { Fail("grpc.listen", why); }},
                       metrics_, log_));
    grpc::ServerBuilder builder;
    std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> connections_to =
        builder.experimental().AddExternalConnectionAcceptor(
            grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, std::move(credentials));
    // Twice the limit, so that a frame above it is answered by us, with the limit's name; gRPC cuts off the
    // rest.
    builder.SetMaxReceiveMessageSize(
        static_cast<int>(std::min<uint64_t>(2 * config_.limits.message_bytes, uint64_t{INT_MAX})));
    builder.SetMaxSendMessageSize(-1);
    // For TLS and HTTP/2's settings, of connections whose client has said its first words.
    builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                               static_cast<int>(absl::ToInt64Milliseconds(config_.limits.hello_time)));
    // Finds out about peers that went away without a word, so that their streams do not stay.
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
    // What a stream may send before it is read. gRPC would widen it by measuring the network, until all together are above
    // the quota below: then it ends streams at random, also those of readers.
    builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, LookaheadBytes(config_));
    // Measuring would also let clients send more in one frame of HTTP/2 than the 16 KiB to begin with, of which each costs
    // both sides a little. What has come of a frame is handed on before all of it is there.
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, LookaheadBytes(config_));
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kCallsOfConnectionMax);
    grpc::ResourceQuota quota("historiand");
    quota.Resize(config_.grpc_quota_bytes());
    builder.SetResourceQuota(quota);
    // A small message may be inflated to gigabytes before its size is looked at: none is taken.
    builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
    builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
    builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
    builder.RegisterService(&*ingest_);
    builder.RegisterService(&*tags_);
    builder.RegisterService(&*query_);
    builder.RegisterService(&*admin_);
    builder.RegisterService(&*retention_);
    builder.RegisterService(&*access_);
    builder.RegisterService(&*backup_);
    grpc_ = builder.BuildAndStart();
    if (grpc_ == nullptr) return absl::InternalError("gRPC did not start");
    grpc_->GetHealthCheckService()->SetServingStatus(false);
    grpc_address_ = Address(config_.grpc.listen, door_->port());
    door_->Start(std::move(connections_to));
    return absl::OkStatus();
  }

  // Half of the descriptors are for the store's files (see rocksdb_tuning.cc). Of the others, three quarters are for
  // connections to gRPC: four fifths of these for those that it has, one for those that it has not yet.
  uint64_t ConnectionsMax() {
    const uint64_t descriptors = DescriptorLimit();
    const uint64_t most = std::max<uint64_t>(descriptors / 8 * 3 / 5 * 4, 8);
    if (most >= config_.limits.connections) return config_.limits.connections;
    log_.Warning(
        "descriptors_few",
        {{"descriptors", descriptors},
         {"connections", most},
         {"limits.connections", config_.limits.connections},
         {"reason",
          "the process may open too few files for as many connections as are configured; raise the hard "
          "limit (ulimit -Hn, LimitNOFILE= of systemd)"}});
    return most;
  }

  // Nobody reaches one of our ports any more.
  void Fail(absl::string_view setting, const absl::Status& why) {
    if (stopped_.load() || failed_.exchange(true)) return;
    ready_.store(false);
    log_.Error("unreachable", {{"port", setting},
                               {"message", why.message()},
                               {"consequence", "the server ends, so that it can be started anew"}});
    if (on_failure_) on_failure_();
  }

  void NoteProbe(const absl::Status& why, bool again) {
    if (again) {
      Fail("grpc.listen", absl::UnavailableError(absl::StrCat(
                              "two probes of our own in a row were not answered: ", why.message())));
    } else if (!stopped_.load()) {
      log_.Warning(
          "probe_failed",
          {{"grpc", grpc_address_}, {"message", why.message()}, {"consequence", "another one is made"}});
    }
  }

  void OnHttpThread(std::function<void()> work) {
    if (!http_thread_.joinable()) return;
    absl::Notification done;
    boost::asio::post(context_, [&] {
      work();
      done.Notify();
    });
    done.WaitForNotification();
  }

  // Who may do what. Errors: what is listed cannot be read; FailedPrecondition, other machines would be served without a
  // question.
  absl::Status OpenAuthority() {
    ASSIGN_OR_RETURN(
        authority_,
        Authority::Open({.access_file = config_.access.file, .tokens_file = TokensFileOf(config_.data_dir)},
                        clock_, [this](const std::string& file, const absl::Status& status, size_t entries) {
                          if (status.ok()) {
                            log_.Info("access_reread", {{"file", file}, {"entries", uint64_t{entries}}});
                          } else {
                            log_.Error("access_refused_to_reread", {{"file", file},
                                                                    {"message", status.message()},
                                                                    {"in_force", "what was read before"}});
                          }
                        }));
    RETURN_IF_ERROR(RefuseToBeInsecure(config_, authority_->is_open()));
    SayThatItIsInsecure();
    if (authority_->is_open() && !config_.tls.client_ca.empty()) {
      log_.Warning("certificates_may_do_everything", {{"danger",
                                                       "whoever has a certificate of tls.client_ca may read "
                                                       "and write everything; say in access.file what "
                                                       "each may do"}});
    }
    authority_open_.store(authority_.get());
    return absl::OkStatus();
  }

  // Again and again: nobody is to forget it.
  void SayThatItIsInsecure() {
    constexpr absl::Duration kInterval = absl::Hours(1);
    const MonotonicTime now = MonotonicTime::Now();
    if (now - said_insecure_ < kInterval) return;
    const std::string why = InsecureBecause(config_, authority_->is_open());
    if (why.empty()) return;
    said_insecure_ = now;
    log_.Warning("insecure", {{"grpc", config_.grpc.listen}, {"danger", why}});
  }

  // On the pool, as the disk may hang.
  void LookAtAccess(bool asked) {
    if (looking_at_access_.exchange(true)) return;
    pool_.Post([this, asked] {
      authority_->Look(asked);
      looking_at_access_.store(false);
    });
  }

  // The damage itself is logged by the watcher.
  void LogWhatWasFound(const ArchiveStats& stats) {
    if (stats.journal_torn_bytes > 0) {
      log_.Warning("journal_torn",
                   {{"bytes", stats.journal_torn_bytes}, {"position", stats.journal_torn_position}});
    }
    if (!stats.read_only.ok()) log_.Error("read_only", {{"reason", stats.read_only.message()}});
  }

  // On the HTTP thread, as is everything HTTP.
  void Tick() {
    const absl::Duration interval = std::min(absl::Seconds(1), config_.limits.reader_idle / 4);
    tick_.expires_after(absl::ToChronoMilliseconds(std::max(interval, absl::Milliseconds(10))));
    tick_.async_wait([this](boost::system::error_code error) {
      if (error) return;
      const MonotonicTime now = MonotonicTime::Now();
      streams_.EndIdle(now, config_.limits.reader_idle);
      LookAtClock();
      if (now - looked_ >= kLookInterval) {
        looked_ = now;
        watcher_.Look(archive_->Stats());
        backups_->Look();
        LookAtAccess(/*asked=*/false);
        SayThatItIsInsecure();
        idle_memory_.Look();
      }
      Tick();
    });
  }

  void LookAtClock() {
    const std::optional<ClockWatch::Step> step = clock_watch_.Look();
    if (!step.has_value()) return;
    metrics_.clock_steps.store(static_cast<int64_t>(clock_watch_.steps()));
    log_.Warning("clock_stepped", {{"by_seconds", absl::ToDoubleSeconds(step->by())},
                                   {"from", FormatTimestamp(step->from)},
                                   {"to", FormatTimestamp(step->to)},
                                   {"retention_goes_by", FormatTimestamp(archive_->Stats().believed_time)}});
  }

  // Errors: as an answer, if /metrics is not for whoever asks.
  std::optional<HttpAnswer> RefuseMetrics(const HttpRequest& request) {
    if (config_.http.metrics_open) return std::nullopt;
    const Authority* const authority = authority_open_.load();
    absl::Status why;
    if (!request.from.is_loopback()) {
      why = absl::PermissionDeniedError(
          "metrics are for this machine alone, as a token could be read on its way here: set "
          "http.metrics_open, or "
          "scrape them through a proxy");
    } else if (authority == nullptr || authority->is_open()) {
      return std::nullopt;
    } else {
      Credentials credentials;
      if (!request.authorization.empty()) credentials.token = TokenOfHeader(request.authorization);
      why = authority->Resolve(credentials).status();
      if (why.ok()) return std::nullopt;
    }
    NoteRefusal(metrics_, log_, why, {.what = request.path, .peer = request.from.to_string()});
    return HttpAnswer{.status = absl::IsUnauthenticated(why) ? 401 : 403,
                      .body = absl::StrCat(why.message(), "\n")};
  }

  HttpAnswer AnswerHttp(const HttpRequest& request) {
    const absl::string_view path = request.path;
    const bool ready = ready_.load();
    if (path == "/healthz" && failed_.load()) return {.status = 503, .body = "unreachable\n"};
    if (path == "/healthz") return {.body = "ok\n"};
    if (path == "/readyz") {
      if (ready) return {.body = "ready\n"};
      return {.status = 503, .body = failed_ ? "unreachable\n" : stopped_ ? "stopping\n" : "starting\n"};
    }
    if (path == "/metrics") {
      std::optional<BackupState> backup;
      if (const Backups* const backups = backups_open_.load();
          backups != nullptr && !config_.backup.target.empty()) {
        backup = backups->State();
      }
      if (std::optional<HttpAnswer> refusal = RefuseMetrics(request)) return *std::move(refusal);
      return {.content_type = "text/plain; version=0.0.4; charset=utf-8",
              .body = metrics_.Render(archive_open_.load(), ready,
                                      {.log_lines_dropped = log_.lines_dropped(),
                                       .call_bytes = call_memory_.used_bytes(),
                                       .certificates = tls_.States(),
                                       .backup = std::move(backup),
                                       .now = clock_.Now()})};
    }
    return {.status = 404, .body = "not found; there are /healthz, /readyz and /metrics\n"};
  }

  const Config config_;
  const Clock& clock_;
  Log& log_;
  const OnFailure on_failure_;
  const OnAnswered on_answered_;
  Metrics metrics_;
  StreamRegistry streams_;
  ClockWatch clock_watch_;
  PeerCounts queries_of_peers_;
  PeerCounts short_queries_of_peers_;
  bool serving_ = false;  // From the end of Start to Stop.
  std::atomic<bool> ready_{false};
  std::atomic<bool> stopped_{false};
  std::atomic<bool> failed_{false};

  // The HTTP thread: HTTP, the tick and the probe.
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> busy_;
  boost::asio::steady_timer tick_;
  std::unique_ptr<HttpServer> http_;
  std::optional<SelfProbe> probe_;
  std::thread http_thread_;

  WorkPool pool_;
  CallMemory call_memory_;
  std::unique_ptr<Authority> authority_;
  std::atomic<Authority*> authority_open_{nullptr};  // For HTTP, which is there before it.
  std::atomic<bool> looking_at_access_{false};
  std::unique_ptr<Archive> archive_;
  std::atomic<Archive*> archive_open_{nullptr};  // For HTTP, which is there before it.
  std::optional<Backups> backups_;
  std::atomic<const Backups*> backups_open_{nullptr};  // Likewise.
  std::optional<ServiceEnv> env_;
  std::optional<IngestService> ingest_;
  std::optional<TagsService> tags_;
  std::optional<QueryService> query_;
  std::optional<AdminService> admin_;
  std::optional<RetentionService> retention_;
  std::optional<AccessService> access_;
  std::optional<BackupService> backup_;
  TlsFiles tls_;  // gRPC asks it.
  std::unique_ptr<GrpcDoor> door_;
  std::unique_ptr<grpc::Server> grpc_;
  std::string grpc_address_;
  std::string http_address_;

  // Of the tick.
  IdleMemory idle_memory_;
  Watcher watcher_;
  MonotonicTime looked_ = MonotonicTime::InfinitePast();
  MonotonicTime said_insecure_ = MonotonicTime::InfinitePast();  // From Start on.
};

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const Config& config, OpenStore open_store,
                                                      const Clock& clock, Log& log, OnFailure on_failure,
                                                      OnAnswered on_answered) {
  auto impl = std::make_unique<Impl>(config, clock, log, std::move(on_failure), std::move(on_answered));
  RETURN_IF_ERROR(impl->Start(open_store));
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;
absl::Status Server::Stop() { return impl_->Stop(); }
void Server::Reread() { impl_->Reread(); }
const std::string& Server::grpc_address() const { return impl_->grpc_address(); }
const std::string& Server::http_address() const { return impl_->http_address(); }
Archive& Server::archive() { return impl_->archive(); }

}  // namespace historian::server
