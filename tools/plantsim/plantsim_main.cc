// plantsim: a simulated plant that writes to a historian.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/client.h"
#include "storage/model/clock.h"
#include "storage/model/status_macros.h"
#include "storage/model/units.h"
#include "storage/platform/monotonic.h"
#include "tools/plant/sensor.h"
#include "tools/plantsim/simulation.h"

namespace historian::plantsim {
namespace {

constexpr char kDescription[] =
    R"(A simulated plant that writes to a historian: pumps, tanks, heat exchangers and feeders, with
units, descriptions and states, under names such as plant/area-1/pump-101/discharge-pressure.

  plantsim                                      200 tags, one sample a second each, in real time
  plantsim --backfill 24h                       a day of history first, then real time
  plantsim --fast --from 2026-01-01T00:00:00Z --to 2026-02-01T00:00:00Z --tags 1000
                                                a month, as fast as the server takes it
  plantsim --speed 60 --from 2026-01-01T00:00:00Z
                                                a minute a second; at the present it falls into step

It has the troubles of a plant: sensors that stick, bursts of Bad and Uncertain samples, gateways
that lose their link for minutes and deliver late, gateways whose clock is wrong for a while.

The same seed gives the same tags and, for the same time, the same samples: writing a range twice
changes nothing. It stops at Ctrl-C when all that it measured is acknowledged; a second Ctrl-C
stops it at once. When the server goes away it waits for it, and goes on where it was.)";

// Simulated time is delivered in steps: small ones look alive, large ones are cheap.
constexpr int64_t kStep = kNanosPerSecond;
constexpr int64_t kFastStep = 256 * kNanosPerSecond;
constexpr absl::Duration kStatusInterval = absl::Seconds(1);
constexpr absl::Duration kStatusIntervalNoTerminal = absl::Seconds(10);
constexpr absl::Duration kCloseTimeout = absl::Seconds(60);

std::atomic<bool> interrupted{false};

void OnSignal(int signal) {
  interrupted = true;
  // The next one ends the process.
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  sigaction(signal, &action, nullptr);
}

struct Options {
  client::ConnectionOptions connection;
  client::TlsFiles tls;
  size_t tags = 200;
  uint64_t seed = 1;
  double rate = 1;
  double speed = 1;
  bool fast = false;
  bool quiet = false;
  std::string from, to, backfill, producer;
};

// What is going on, in one line.
class StatusLine {
 public:
  StatusLine(const Simulation& simulation, const client::Writer& writer, bool quiet)
      : simulation_(simulation), writer_(writer), quiet_(quiet), terminal_(isatty(STDERR_FILENO) == 1) {}

  void MaybePrint() {
    const MonotonicTime now = MonotonicTime::Now();
    if (!quiet_ && now - printed_ >= (terminal_ ? kStatusInterval : kStatusIntervalNoTerminal)) Print(now);
  }
  // A new line for what follows.
  void End() {
    if (!quiet_ && terminal_) std::fputc('\n', stderr);
  }

 private:
  void Print(MonotonicTime now) {
    const client::WriterCounters counters = writer_.counters();
    const double seconds = absl::ToDoubleSeconds(now - printed_);
    const double rate = printed_ == MonotonicTime::InfinitePast()
                            ? 0
                            : static_cast<double>(counters.samples_acknowledged - acknowledged_) / seconds;
    acknowledged_ = counters.samples_acknowledged;
    printed_ = now;
    const std::string line = absl::StrFormat(
        "%s  %d tags  %.0f samples/s  %d acknowledged  %d on their way  %d refused  link %s%s",
        FormatTimestamp(simulation_.now() / kNanosPerSecond * kNanosPerSecond), simulation_.sensors().size(),
        rate, counters.samples_acknowledged, counters.samples_added - counters.samples_acknowledged,
        counters.samples_rejected, counters.connected ? "up" : "down",
        simulation_.outages() > 0 ? absl::StrCat("  ", simulation_.outages(), " gateways out") : "");
    std::fprintf(stderr, terminal_ ? "\r\033[K%s" : "%s\n", line.c_str());
  }

  const Simulation& simulation_;
  const client::Writer& writer_;
  const bool quiet_;
  const bool terminal_;
  MonotonicTime printed_ = MonotonicTime::InfinitePast();
  uint64_t acknowledged_ = 0;
};

// The first refusals are worth a line each; thousands are not.
class RefusalLog {
 public:
  void Add(const client::WriteAcknowledgement& ack) {
    absl::MutexLock lock(&mutex_);
    for (const client::WriteRejection& rejection : ack.rejections) {
      if (++count_ > 5) return;
      std::fprintf(stderr, "\nrefused: tag %u at %s: %s\n", rejection.tag_id,
                   FormatTimestamp(rejection.time).c_str(), rejection.message.c_str());
    }
  }

 private:
  absl::Mutex mutex_;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
};

// From when to when. `to` of the end of time: until interrupted.
struct Range {
  Timestamp from = 0;
  Timestamp to = kTimestampMax;
};

absl::StatusOr<Range> ParseRange(const Options& options) {
  const Timestamp now = Clock::System().Now() / kNanosPerSecond * kNanosPerSecond;
  Range range{.from = now};
  if (!options.backfill.empty()) {
    const absl::StatusOr<absl::Duration> backfill = ParseDuration(options.backfill);
    if (!backfill.ok()) return Annotate(backfill.status(), "--backfill");
    if (*backfill > absl::Hours(24 * 366 * 50)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--backfill ", options.backfill, ": is more than 50 years"));
    }
    range.from = now - absl::ToInt64Nanoseconds(*backfill);
  }
  if (!options.from.empty()) {
    const absl::StatusOr<Timestamp> from = ParseTimestamp(options.from);
    if (!from.ok()) return Annotate(from.status(), "--from");
    range.from = *from;
  }
  if (!options.to.empty()) {
    const absl::StatusOr<Timestamp> to = ParseTimestamp(options.to);
    if (!to.ok()) return Annotate(to.status(), "--to");
    range.to = *to;
  } else if (options.fast) {
    range.to = now;
  }
  if (range.from >= range.to) {
    return absl::InvalidArgumentError(absl::StrCat("nothing lies from ", FormatTimestamp(range.from), " to ",
                                                   FormatTimestamp(range.to),
                                                   "; --fast wants --from, or --backfill"));
  }
  return range;
}

absl::Status Run(const Options& options) {
  ASSIGN_OR_RETURN(const Range range, ParseRange(options));
  ASSIGN_OR_RETURN(const client::Connection connection, client::Connection::Open(options.connection));

  std::vector<plant::Sensor> sensors = plant::SimulatedPlant(options.seed, options.tags);
  std::vector<Tag> tags;
  for (plant::Sensor& sensor : sensors) {
    sensor.period = SamplePeriod(options.rate);
    sensor.jitter = std::min(sensor.jitter, sensor.period / 3 / 1'000'000 * 1'000'000);
    tags.push_back(sensor.tag);
  }
  // A server that is just starting is waited for.
  for (bool said = false; !interrupted;) {
    absl::StatusOr<std::vector<Tag>> ensured = client::Tags(connection).Ensure(tags);
    if (ensured.ok()) {
      tags = *std::move(ensured);
      break;
    }
    if (!absl::IsUnavailable(ensured.status())) return ensured.status();
    if (!said)
      std::fprintf(stderr, "waiting for %s: %s\n", options.connection.target.c_str(),
                   std::string(ensured.status().message()).c_str());
    said = true;
    // gRPC's blocking client connects only while somebody waits for it.
    if (connection.WaitUntilConnected(absl::Milliseconds(500)).ok()) absl::SleepFor(absl::Milliseconds(100));
  }
  if (interrupted) return absl::OkStatus();

  RefusalLog refusals;
  client::WriterOptions writer_options;
  writer_options.producer =
      options.producer.empty() ? absl::StrCat("plantsim/", options.seed) : options.producer;
  writer_options.on_ack = [&refusals](const client::WriteAcknowledgement& ack) { refusals.Add(ack); };
  ASSIGN_OR_RETURN(const std::unique_ptr<client::Writer> writer,
                   client::Writer::Open(connection, writer_options));
  Simulation simulation(std::move(sensors), options.seed, range.from);
  const Simulation::Sink sink = [&](size_t sensor, const SamplesView& samples) {
    return writer->AddColumn(tags[sensor].id, tags[sensor].type, samples);
  };
  StatusLine status(simulation, *writer, options.quiet);

  // Simulated time may run as fast as it likes through history, but never ahead of the clock on the wall.
  const MonotonicTime begun = MonotonicTime::Now();
  const bool history_first = !options.backfill.empty();
  const Timestamp history_end = history_first ? Clock::System().Now() : range.from;
  while (!interrupted && simulation.now() < range.to) {
    const Timestamp wall = Clock::System().Now();
    Timestamp to;
    if (options.fast || simulation.now() < history_end) {
      to = std::min(simulation.now() + kFastStep, options.fast ? range.to : std::min(range.to, wall));
    } else {
      const double elapsed = absl::ToDoubleNanoseconds(MonotonicTime::Now() - begun);
      const Timestamp wanted =
          history_first ? wall : range.from + static_cast<int64_t>(elapsed * options.speed);
      to = std::min({wanted, wall, range.to, simulation.now() + kFastStep});
      if (to != range.to) to = to / kStep * kStep;
    }
    if (to > simulation.now()) {
      RETURN_IF_ERROR(simulation.Advance(to, sink));
    } else {
      absl::SleepFor(absl::Milliseconds(20));
    }
    status.MaybePrint();
  }
  RETURN_IF_ERROR(simulation.DeliverHeld(sink));
  RETURN_IF_ERROR(writer->Close(kCloseTimeout));
  status.End();
  const client::WriterCounters counters = writer->counters();
  const double seconds = absl::ToDoubleSeconds(MonotonicTime::Now() - begun);
  std::printf("%s to %s: %lu samples acknowledged in %.1f s (%.0f a second), %lu refused\n",
              FormatTimestamp(range.from).c_str(), FormatTimestamp(simulation.now()).c_str(),
              counters.samples_acknowledged, seconds,
              static_cast<double>(counters.samples_acknowledged) / seconds, counters.samples_rejected);
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  CLI::App app{kDescription};
  Options options;
  app.add_option("--server", options.connection.target, "HOST:PORT of the historian")->capture_default_str();
  app.add_option("--tags", options.tags, "How many")->check(CLI::Range(1, 1'000'000))->capture_default_str();
  app.add_option("--seed", options.seed, "Same seed, same tags and samples")->capture_default_str();
  app.add_option("--rate", options.rate, "Samples a second of each tag; 0.016666667 is one a minute")
      ->check(CLI::Range(0.0001, 1000.0))
      ->capture_default_str();
  app.add_option("--from", options.from, "Begin at this time (RFC 3339) instead of now");
  app.add_option("--to", options.to, "End at this time; default: never, or with --fast now");
  CLI::Option* fast =
      app.add_flag("--fast", options.fast, "As fast as the server takes it; needs --from or --backfill");
  app.add_option("--speed", options.speed, "Simulated seconds a second; never runs ahead of the clock")
      ->check(CLI::Range(0.001, 1e9))
      ->capture_default_str()
      ->excludes(fast);
  app.add_option("--backfill", options.backfill, "So much history first, as fast as it goes: 24h, 90d, 6 hours")
      ->excludes("--from");
  app.add_option("--producer", options.producer,
                 "The name this writer has at the server; default plantsim/SEED");
  app.add_flag("--quiet", options.quiet, "No status line");
  CLI::Option* ca = app.add_option("--tls-ca", options.tls.ca, "Speak TLS; believe this CA (PEM file)")
                        ->check(CLI::ExistingFile);
  CLI::Option* cert =
      app.add_option("--tls-cert", options.tls.cert, "Our certificate")->check(CLI::ExistingFile);
  CLI::Option* key =
      app.add_option("--tls-key", options.tls.key, "Its key")->check(CLI::ExistingFile)->needs(cert);
  cert->needs(key)->needs(ca);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (!options.tls.ca.empty()) options.connection.tls = options.tls;
  options.connection.client_name = "plantsim";

  struct sigaction action = {};
  action.sa_handler = OnSignal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  const absl::Status status = Run(options);
  if (status.ok()) return 0;
  std::fprintf(stderr, "\nplantsim: %s\n", status.ToString().c_str());
  return absl::IsInvalidArgument(status) ? 2 : 1;
}

}  // namespace
}  // namespace historian::plantsim

int main(int argc, char** argv) {
  // Looking for deadlocks is for tests (server/historiand_main.cc).
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return historian::plantsim::Main(argc, argv);
}
