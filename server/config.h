// File: server/config.h
//
// The configuration of historiand: what it is, where it comes from, and how its mistakes are told.
//
// A setting has one name, written three ways; a later source wins over an earlier one:
//   file          [limits] queries = 64        TOML, --config FILE
//   environment   HISTORIAN_LIMITS_QUERIES=64
//   flag          --limits-queries 64
// `historiand --print-config` prints all of them, with what they do and what is in force.
//
// Everything is checked once, and every mistake is reported at once, each with where it stands and what was
// expected:
//   historian.toml:12: limits.querys: no such setting; did you mean limits.queries?
//   HISTORIAN_LIMITS_QUERIES: limits.queries: expected a whole number from 1 to 100000, not 'many'
#ifndef HISTORIAN_SERVER_CONFIG_H_
#define HISTORIAN_SERVER_CONFIG_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "storage/model/future_limit.h"

namespace historian::server {

struct GrpcConfig {
  std::string listen = "127.0.0.1:7720";  // HOST:PORT; port 0 takes a free one.
};

struct HttpConfig {
  std::string listen = "127.0.0.1:7721";
  bool metrics_open = false;  // /metrics is for everybody who reaches it.
};

// PEM files for gRPC. Without a certificate gRPC is plain text.
struct TlsConfig {
  std::string cert;       // The server's certificate, and those between it and the root.
  std::string key;        // The certificate's private key.
  std::string client_ca;  // When set, clients must show a certificate signed by one of these.
};

struct AccessConfig {
  std::string file;       // Principals: server/caller/access_list.h. Empty: there is none.
  bool insecure = false;  // Serve everybody beyond this machine without asking who they are.
};

struct LimitsConfig {
  uint64_t message_bytes = uint64_t{8} << 20;
  uint64_t connections = 1000;          // To the gRPC port. Fewer where descriptors are few: Server says so.
  uint64_t connections_per_peer = 250;  // A peer is an address, whatever the port.
  uint64_t write_streams = 64;
  uint64_t write_streams_per_peer = 48;
  uint64_t stream_in_flight_bytes = uint64_t{16} << 20;
  uint64_t queries = 64;           // Long ones at once; see IsShortQuery in call.h.
  uint64_t queries_per_peer = 48;  // Of long ones and of short ones each.
  uint64_t short_queries = 64;
  uint64_t query_tags = 100'000;
  uint64_t query_values = 10'000'000;  // Of one ReadProcessed: tags x intervals x aggregates.
  uint64_t intervals = 1'000'000;
  uint64_t at_times = 1'000'000;  // Tags x times of one ReadAtTimes.
  uint64_t joined_tags = 1'000;
  uint64_t plot_columns = 100'000;
  uint64_t tags_per_request = 10'000;
  uint64_t producers = 100'000;
  absl::Duration producer_unused = absl::Hours(24 * 400);
  uint64_t version_marks = 1'000'000;
  absl::Duration query_timeout = absl::Seconds(60);
  absl::Duration reader_idle = absl::Seconds(60);
  uint64_t memory_budget = uint64_t{1} << 30;

  // Not settings: tests shorten them.
  absl::Duration naming_time = absl::Seconds(10);  // For a write stream to name its producer.
  absl::Duration hello_time =
      absl::Seconds(10);  // For a connection to say its first words, and to finish its handshake.
  absl::Duration probe_interval = absl::Seconds(5);  // Of the own gRPC port; a probe's time limit too.
};

struct ArchiveConfig {
  absl::Duration future_limit = absl::Hours(1);
  std::vector<FutureLimit> future_limits;  // For some tags; the first whose pattern matches decides.
  uint64_t disk_reserve = uint64_t{256} << 20;
  uint64_t journal_bytes_max = uint64_t{16} << 20;
  absl::Duration seal_interval = absl::Hours(6);
  absl::Duration settle_delay = absl::Minutes(10);
  absl::Duration version_period = absl::Minutes(10);
};

// server/backups.h
struct BackupConfig {
  std::string target;        // A directory, or s3://BUCKET/PREFIX. Empty: there are no backups.
  std::string at = "02:30";  // HH:MM of each day; "never": only when somebody asks, or `every`.
  std::string zone = "UTC";
  absl::Duration every;  // In place of `at`, unless it is 0.
  uint64_t keep_last = 7;
  uint64_t keep_daily = 7;
  uint64_t keep_weekly = 4;
  uint64_t keep_monthly = 12;
  uint64_t keep_yearly = 0;
  uint64_t rate_limit = 0;  // Bytes a second; 0: none.
  absl::Duration alert_after = absl::Hours(36);
  absl::Duration drill_every;  // 0: only when somebody asks.
  std::string scratch;         // Of drills. Empty: in the data directory.
  std::string s3_endpoint;     // https://HOST[:PORT]. Empty: AWS'.
  std::string s3_region = "us-east-1";
  std::string s3_credentials;  // A file. Empty: the environment.
};

struct LogConfig {
  std::string level = "info";
  std::string format = "text";
  std::string file;  // Empty: standard error.
  absl::Duration slow_query = absl::Seconds(1);
};

struct Config {
  std::string data_dir;
  GrpcConfig grpc;
  HttpConfig http;
  TlsConfig tls;
  AccessConfig access;
  LimitsConfig limits;
  ArchiveConfig archive;
  BackupConfig backup;
  LogConfig log;

  // How the memory budget is divided. The program itself, and what gRPC, RocksDB and the allocator need beside their
  // buffers, come on top: 256 MiB at most.
  uint64_t engine_bytes() const { return limits.memory_budget / 2; }       // See memory_shares.h.
  uint64_t block_cache_bytes() const { return limits.memory_budget / 4; }  // RocksDB.
  uint64_t grpc_quota_bytes() const { return limits.memory_budget / 8; }   // Buffers of connections.
  uint64_t call_bytes() const { return limits.memory_budget / 8; }  // Requests and answers: call_memory.h.
};

// Splits HOST:PORT or [IPV6]:PORT; false for any other text. Does not look the host up.
bool SplitHostPort(absl::string_view text, std::string* host, int* port);

// "limits.queries" -> value as text, from the command line.
using FlagValues = std::map<std::string, std::string>;
// Name -> value, of all environment variables.
using Environment = std::map<std::string, std::string>;
Environment SystemEnvironment();

struct LoadedConfig {
  Config config;
  std::vector<std::string> mistakes;         // Empty if the configuration is good.
  std::vector<std::string> warnings;         // For example of HISTORIAN_ variables that are not settings.
  std::map<std::string, std::string> where;  // By setting: what set it last, such as historian.toml:12.
};

// Reads the file (unless its name is empty), the environment and the flags, each over the one before and all
// over the defaults, and checks every setting. Opens no other file: what they name is looked at by
// server/surroundings.h, or when it is used. needs_data_dir: that none is given is a mistake.
LoadedConfig LoadConfig(const std::string& file, const Environment& environment, const FlagValues& flags,
                        bool needs_data_dir = true);

// Returns TOML with a comment for every setting; those that have their default are commented out, so that a later release
// may have a better one. LoadConfig reads it back as the same configuration.
std::string PrintConfig(const Config& config);
// What PrintConfig shows where none is given: where Debian's package keeps the archive.
inline constexpr char kUsualDataDir[] = "/var/lib/historian";

// Describes a setting, so that the command line can offer a flag for it.
struct SettingInfo {
  std::string name;         // limits.queries
  std::string flag;         // --limits-queries
  std::string environment;  // HISTORIAN_LIMITS_QUERIES
  std::string help;
  std::string value;  // The default, as text.
};
std::vector<SettingInfo> Settings();

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_CONFIG_H_
