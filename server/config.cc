#include "server/config.h"

#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <limits>
#include <set>
#include <sstream>
#include <toml.hpp>
#include <utility>
#include <variant>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "server/backup_schedule.h"
#include "storage/model/nearest_name.h"
#include "storage/model/tag_pattern.h"
#include "storage/model/units.h"

namespace historian::server {
namespace {

// What a setting holds, and what of it is allowed.
struct Text {
  std::string* to;
};
struct HostPort {
  std::string* to;
};
struct Switch {
  bool* to;
};
struct Choice {
  std::string* to;
  std::vector<std::string> allowed;
};
struct Count {
  uint64_t* to;
  uint64_t min, max;
};
struct Size {
  uint64_t* to;
  uint64_t min, max;
};
struct Period {
  absl::Duration* to;
  absl::Duration min, max;
};
// PATTERN=DURATION; PATTERN=DURATION ...
struct Patterns {
  std::vector<FutureLimit>* to;
  absl::Duration min, max;
};
using Slot = std::variant<Text, HostPort, Switch, Choice, Count, Size, Period, Patterns>;

struct Setting {
  std::string name;
  std::string help;
  Slot slot;
};

constexpr uint64_t kKiB = 1 << 10, kMiB = 1 << 20, kGiB = 1 << 30;
constexpr absl::Duration kFutureMax = absl::Hours(24 * 365 * 100);
constexpr uint64_t kPiB = uint64_t{1} << 50;

// The one list of all settings, bound to a configuration.
std::vector<Setting> Bind(Config* c) {
  return {
      {"data_dir", "Directory of the archive; made when absent. Must be given.", Text{&c->data_dir}},
      {"grpc.listen", "Where clients connect, HOST:PORT; port 0 takes a free one.",
       HostPort{&c->grpc.listen}},
      {"http.listen", "Where /healthz, /readyz and /metrics are served, in plain text, HOST:PORT.",
       HostPort{&c->http.listen}},
      {"http.metrics_open",
       "Whether /metrics is for everybody who reaches http.listen; else from other machines it is for "
       "nobody, and "
       "from this one, once tokens or principals are configured, for who shows a token.",
       Switch{&c->http.metrics_open}},
      {"tls.cert",
       "PEM file of the server's certificate chain, for gRPC; reread when it changes, as the next two. "
       "Empty: no encryption.",
       Text{&c->tls.cert}},
      {"tls.key", "PEM file of its private key.", Text{&c->tls.key}},
      {"tls.client_ca", "PEM file of authorities; when set, clients must show a certificate signed by one.",
       Text{&c->tls.client_ca}},
      {"access.file",
       "TOML file of principals: whose certificates may do what (docs/operations.md). Reread when it "
       "changes. "
       "Tokens need no file: histctl token create.",
       Text{&c->access.file}},
      {"access.insecure",
       "Serve other machines although the server asks nobody who they are, or has no TLS (--insecure).",
       Switch{&c->access.insecure}},
      {"limits.message_bytes", "Largest message a client may send.",
       Size{&c->limits.message_bytes, 64 * kKiB, 32 * kMiB}},
      {"limits.connections",
       "Connections to the gRPC port at once; fewer if the process may not open enough files.",
       Count{&c->limits.connections, 1, 100'000}},
      {"limits.connections_per_peer", "Of these, those of one address.",
       Count{&c->limits.connections_per_peer, 1, 100'000}},
      {"limits.write_streams", "Write streams at once.", Count{&c->limits.write_streams, 1, 100'000}},
      {"limits.write_streams_per_peer", "Of these, those of one address.",
       Count{&c->limits.write_streams_per_peer, 1, 100'000}},
      {"limits.stream_in_flight_bytes",
       "Frames of one write stream received and not yet acknowledged; beyond, the server stops reading it.",
       Size{&c->limits.stream_in_flight_bytes, 64 * kKiB, 4 * kGiB}},
      {"limits.queries", "Long queries running at once: raw and processed samples, plots, storage.",
       Count{&c->limits.queries, 1, 100'000}},
      {"limits.queries_per_peer", "Long queries of one address running at once, and as many short ones.",
       Count{&c->limits.queries_per_peer, 1, 100'000}},
      {"limits.short_queries",
       "Short queries running at once, which have places of their own: newest values, values at times, "
       "versions, "
       "single blocks.",
       Count{&c->limits.short_queries, 1, 100'000}},
      {"limits.query_tags", "Tags of one query.", Count{&c->limits.query_tags, 1, 100'000'000}},
      {"limits.query_values", "Values of one ReadProcessed: tags x intervals x aggregates.",
       Count{&c->limits.query_values, 1, 1'000'000'000}},
      {"limits.intervals", "Intervals of one ReadProcessed.", Count{&c->limits.intervals, 1, 100'000'000}},
      {"limits.at_times", "Values of one ReadAtTimes: tags x times.",
       Count{&c->limits.at_times, 1, 100'000'000}},
      {"limits.joined_tags", "Tags of one ReadJoined.", Count{&c->limits.joined_tags, 1, 10'000}},
      {"limits.plot_columns", "Pixel columns of one Plot.", Count{&c->limits.plot_columns, 1, 10'000'000}},
      {"limits.tags_per_request", "Items of one request to the Tags service.",
       Count{&c->limits.tags_per_request, 1, 1'000'000}},
      {"limits.producers",
       "Names of writers that are known: their last number is kept. A new one beyond is refused.",
       Count{&c->limits.producers, 1, 10'000'000}},
      {"limits.producer_unused",
       "A writer's name that was not used for this long makes room when a new one comes.",
       Period{&c->limits.producer_unused, absl::Hours(1), absl::Hours(24 * 365 * 100)}},
      {"limits.version_marks",
       "Versions that are closed because somebody marks them, in all. They stay for ever; one beyond is "
       "refused.",
       Count{&c->limits.version_marks, 1, 100'000'000}},
      {"limits.query_timeout", "Longest a query runs, whatever its client allows.",
       Period{&c->limits.query_timeout, absl::Milliseconds(100), absl::Hours(24)}},
      {"limits.reader_idle", "A query whose client takes nothing for this long is ended.",
       Period{&c->limits.reader_idle, absl::Milliseconds(100), absl::Hours(24)}},
      {"limits.memory_budget",
       "Memory: half for the engine (tags and other definitions, open samples, frames, what reads keep), a "
       "quarter for RocksDB's cache, an eighth for gRPC's buffers, an eighth for requests and answers.",
       Size{&c->limits.memory_budget, 64 * kMiB, 1024 * kGiB}},
      {"archive.future_limit", "Samples farther ahead of the server's clock are rejected.",
       Period{&c->archive.future_limit, absl::ZeroDuration(), kFutureMax}},
      {"archive.future_limits",
       "The same for tags whose names match a pattern, such as \"*/forecast=240h; lab/*=5s\"; the first that "
       "matches "
       "decides.",
       Patterns{&c->archive.future_limits, absl::ZeroDuration(), kFutureMax}},
      {"archive.disk_reserve",
       "Writes are refused while the disk has less free space (or less than a twentieth of its capacity, if "
       "that is smaller).",
       Size{&c->archive.disk_reserve, 0, kPiB}},
      {"archive.journal_bytes_max",
       "A longer journal is sealed into blocks. Decides how long a restart takes: some 40 ms per MiB.",
       Size{&c->archive.journal_bytes_max, kMiB, 64 * kGiB}},
      {"archive.seal_interval", "Samples are sealed into blocks after this long at the latest.",
       Period{&c->archive.seal_interval, absl::Seconds(1), absl::Hours(24 * 7)}},
      {"archive.settle_delay",
       "A week that is over, or has many late samples, is merged and encoded densely after this long "
       "without new blocks.",
       Period{&c->archive.settle_delay, absl::Seconds(1), absl::Hours(24 * 7)}},
      {"archive.version_period",
       "A version of what is stored closes this long after something arrived in it, if nothing closes it "
       "sooner.",
       Period{&c->archive.version_period, absl::Seconds(1), absl::Hours(24)}},
      {"backup.target",
       "Where backups go: a directory, better not of this disk, or s3://BUCKET/PREFIX. It becomes a "
       "repository "
       "with histctl backup init. Empty: there are none.",
       Text{&c->backup.target}},
      {"backup.at", "When a backup is taken each day, HH:MM; never: only when somebody asks.",
       Text{&c->backup.at}},
      {"backup.zone", "The time zone of backup.at, in which a day begins for the rules below too.",
       Text{&c->backup.zone}},
      {"backup.every", "A backup is taken so long after the one before, in place of backup.at. 0: backup.at.",
       Period{&c->backup.every, absl::ZeroDuration(), absl::Hours(24 * 365)}},
      {"backup.keep_last",
       "Backups that are kept: the newest ones. A backup that no rule keeps is removed after the next one "
       "that is "
       "taken by itself.",
       Count{&c->backup.keep_last, 1, 100'000}},
      {"backup.keep_daily", "Also the newest of each day, for so many days.",
       Count{&c->backup.keep_daily, 0, 100'000}},
      {"backup.keep_weekly", "Also the newest of each week.", Count{&c->backup.keep_weekly, 0, 100'000}},
      {"backup.keep_monthly", "Also the newest of each month.", Count{&c->backup.keep_monthly, 0, 100'000}},
      {"backup.keep_yearly", "Also the newest of each year.", Count{&c->backup.keep_yearly, 0, 100'000}},
      {"backup.rate_limit", "Bytes that a backup, and a drill, reads and copies in a second. 0: no limit.",
       Size{&c->backup.rate_limit, 0, 1024 * kGiB}},
      {"backup.alert_after",
       "When the newest backup is older than this, the log, the status and the metrics say so.",
       Period{&c->backup.alert_after, absl::Minutes(1), absl::Hours(24 * 365 * 10)}},
      {"backup.drill_every",
       "A drill (the newest backup is restored beside the archive, verified and compared) follows a backup "
       "when the "
       "drill before is so old. 0: only when somebody asks.",
       Period{&c->backup.drill_every, absl::ZeroDuration(), absl::Hours(24 * 365)}},
      {"backup.scratch", "Directory in which drills restore. Empty: in the data directory.",
       Text{&c->backup.scratch}},
      {"backup.s3_endpoint", "Of an S3-compatible store, https://HOST[:PORT]. Empty: that of AWS.",
       Text{&c->backup.s3_endpoint}},
      {"backup.s3_region", "Its region.", Text{&c->backup.s3_region}},
      {"backup.s3_credentials",
       "File with two lines, the access key and the secret key. Empty: AWS_ACCESS_KEY_ID and "
       "AWS_SECRET_ACCESS_KEY of the environment.",
       Text{&c->backup.s3_credentials}},
      {"log.level", "Least serious lines that are logged: debug, info, warn or error.",
       Choice{&c->log.level, {"debug", "info", "warn", "error"}}},
      {"log.format", "text (key=value) or json, one line for each event.",
       Choice{&c->log.format, {"text", "json"}}},
      {"log.file", "Log file, appended to; its directory must exist. Empty: standard error.",
       Text{&c->log.file}},
      {"log.slow_query", "Queries that take longer are logged.",
       Period{&c->log.slow_query, absl::ZeroDuration(), absl::Hours(24)}},
  };
}

std::string FlagOf(absl::string_view name) {
  return absl::StrCat("--", absl::StrReplaceAll(name, {{".", "-"}, {"_", "-"}}));
}
std::string EnvironmentOf(absl::string_view name) {
  return absl::StrCat("HISTORIAN_", absl::AsciiStrToUpper(absl::StrReplaceAll(name, {{".", "_"}})));
}

std::string Expected(const Slot& slot) {
  return std::visit(
      [](const auto& s) -> std::string {
        using S = std::decay_t<decltype(s)>;
        if constexpr (std::is_same_v<S, Text>) return "text in quotes";
        if constexpr (std::is_same_v<S, HostPort>) return "HOST:PORT with a port from 0 to 65535";
        if constexpr (std::is_same_v<S, Switch>) return "true or false";
        if constexpr (std::is_same_v<S, Choice>)
          return absl::StrCat("one of ", absl::StrJoin(s.allowed, ", "));
        if constexpr (std::is_same_v<S, Count>)
          return absl::StrCat("a whole number from ", s.min, " to ", s.max);
        if constexpr (std::is_same_v<S, Size>) {
          return absl::StrCat("a size such as \"512MiB\" from ", FormatSize(s.min), " to ",
                              FormatSize(s.max));
        }
        if constexpr (std::is_same_v<S, Period>) {
          return absl::StrCat("a duration such as \"10s\" from ", PrintDuration(s.min), " to ",
                              PrintDuration(s.max));
        }
        if constexpr (std::is_same_v<S, Patterns>) {
          return absl::StrCat("PATTERN=DURATION, with ; between several, patterns of at most ",
                              kTagPatternBytesMax, " bytes, and durations such as 10s from ",
                              PrintDuration(s.min), " to ", PrintDuration(s.max));
        }
      },
      slot);
}

// False when the text is not what the slot holds.
bool Assign(const Slot& slot, const std::string& text) {
  return std::visit(
      [&](const auto& s) {
        using S = std::decay_t<decltype(s)>;
        if constexpr (std::is_same_v<S, Text>) {
          *s.to = text;
        } else if constexpr (std::is_same_v<S, HostPort>) {
          std::string host;
          int port = 0;
          if (!SplitHostPort(text, &host, &port)) return false;
          *s.to = text;
        } else if constexpr (std::is_same_v<S, Switch>) {
          if (text != "true" && text != "false") return false;
          *s.to = text == "true";
        } else if constexpr (std::is_same_v<S, Choice>) {
          if (std::find(s.allowed.begin(), s.allowed.end(), text) == s.allowed.end()) return false;
          *s.to = text;
        } else if constexpr (std::is_same_v<S, Count>) {
          uint64_t count = 0;
          if (!absl::SimpleAtoi(text, &count) || count < s.min || count > s.max) return false;
          *s.to = count;
        } else if constexpr (std::is_same_v<S, Size>) {
          const absl::StatusOr<uint64_t> size = ParseSize(text);
          if (!size.ok() || *size < s.min || *size > s.max) return false;
          *s.to = *size;
        } else if constexpr (std::is_same_v<S, Period>) {
          const absl::StatusOr<absl::Duration> period = ParseDuration(text);
          if (!period.ok() || *period < s.min || *period > s.max) return false;
          *s.to = *period;
        } else if constexpr (std::is_same_v<S, Patterns>) {
          std::vector<FutureLimit> limits;
          for (absl::string_view item : absl::StrSplit(text, ';')) {
            item = absl::StripAsciiWhitespace(item);
            if (item.empty()) continue;
            // Names may have '=' in them, durations have not.
            const size_t equals = item.rfind('=');
            if (equals == absl::string_view::npos || equals == 0) return false;
            const absl::string_view pattern = absl::StripAsciiWhitespace(item.substr(0, equals));
            const absl::StatusOr<absl::Duration> limit =
                ParseDuration(absl::StripAsciiWhitespace(item.substr(equals + 1)));
            if (!limit.ok() || *limit < s.min || *limit > s.max || !TagPattern::Compile(pattern).ok())
              return false;
            limits.push_back({std::string(pattern), *limit});
          }
          *s.to = std::move(limits);
        }
        return true;
      },
      slot);
}

std::string Quoted(absl::string_view text) { return absl::StrCat("\"", absl::CEscape(text), "\""); }

std::string TomlValueOf(const Slot& slot) {
  return std::visit(
      [](const auto& s) -> std::string {
        using S = std::decay_t<decltype(s)>;
        if constexpr (std::is_same_v<S, Count>) return absl::StrCat(*s.to);
        if constexpr (std::is_same_v<S, Switch>) return *s.to ? "true" : "false";
        if constexpr (std::is_same_v<S, Size>) return Quoted(FormatSize(*s.to));
        if constexpr (std::is_same_v<S, Period>) return Quoted(PrintDuration(*s.to));
        if constexpr (std::is_same_v<S, Patterns>) {
          return Quoted(absl::StrJoin(*s.to, "; ", [](std::string* out, const FutureLimit& limit) {
            absl::StrAppend(out, limit.pattern, "=", PrintDuration(limit.limit));
          }));
        }
        if constexpr (std::is_same_v<S, Text> || std::is_same_v<S, HostPort> || std::is_same_v<S, Choice>) {
          return Quoted(*s.to);
        }
      },
      slot);
}

// What histctl reads of the environment it shares with us.
constexpr absl::string_view kHistctlVariables[] = {"HISTORIAN_SERVER", "HISTORIAN_TOKEN",
                                                   "HISTORIAN_TOKEN_FILE", "HISTORIAN_TZ"};

class Loader {
 public:
  explicit Loader(LoadedConfig* loaded) : loaded_(loaded), settings_(Bind(&loaded->config)) {
    for (const Setting& setting : settings_) {
      if (const size_t dot = setting.name.find('.'); dot != std::string::npos) {
        sections_.insert(setting.name.substr(0, dot));
      }
    }
  }

  void ReadFile(const std::string& file) {
    if (access(file.c_str(), R_OK) != 0) {
      Mistake(file, absl::StrCat("cannot be read: ", strerror(errno)));
      return;
    }
    try {
      const toml::value root = toml::parse(file);
      ReadTable(file, root.as_table(), "");
    } catch (const toml::syntax_error& error) {
      // what() is a drawing over several lines; its first line says what, location() where.
      const std::vector<std::string> lines = absl::StrSplit(error.what(), '\n');
      std::string what = lines[0];
      if (const size_t bracket = what.find("[error] "); bracket != std::string::npos)
        what.erase(0, bracket + 8);
      Mistake(absl::StrCat(file, ":", error.location().line()), absl::StrCat("not TOML: ", what));
    } catch (const std::exception& error) {
      Mistake(file, absl::StrCat("not TOML: ", error.what()));
    }
  }

  void ReadEnvironment(const Environment& environment) {
    for (const auto& [variable, value] : environment) {
      if (variable.rfind("HISTORIAN_", 0) != 0) continue;
      const Setting* found = nullptr;
      for (const Setting& setting : settings_) {
        if (EnvironmentOf(setting.name) == variable) found = &setting;
      }
      if (found != nullptr) {
        Set(*found, value, variable);
      } else if (!absl::c_linear_search(kHistctlVariables, variable)) {
        std::vector<std::string> names;
        for (const Setting& setting : settings_) names.push_back(EnvironmentOf(setting.name));
        loaded_->warnings.push_back(absl::StrCat("the environment has ", variable,
                                                 ", which is not a setting; ignored",
                                                 DidYouMean(variable, names)));
      }
    }
  }

  void ReadFlags(const FlagValues& flags) {
    for (const auto& [name, value] : flags) {
      for (const Setting& setting : settings_) {
        if (setting.name == name) Set(setting, value, FlagOf(name));
      }
    }
  }

  // What only shows when everything is known.
  void CheckTogether(bool needs_data_dir) {
    const Config& c = loaded_->config;
    if (c.data_dir.empty() && needs_data_dir) {
      Mistake(Where("data_dir"), "data_dir: must be given: the directory of the archive");
    }
    if (c.tls.cert.empty() != c.tls.key.empty()) {
      const char* given = c.tls.cert.empty() ? "tls.key" : "tls.cert";
      Mistake(Where(given), absl::StrCat(given, ": expected tls.cert and tls.key together, and ",
                                         c.tls.cert.empty() ? "tls.cert" : "tls.key", " is not given"));
    }
    if (!c.tls.client_ca.empty() && c.tls.cert.empty()) {
      Mistake(Where("tls.client_ca"), "tls.client_ca: expected tls.cert and tls.key with it");
    }
    if (c.limits.stream_in_flight_bytes < c.limits.message_bytes) {
      Mistake(Where("limits.stream_in_flight_bytes"),
              absl::StrCat("limits.stream_in_flight_bytes: expected at least limits.message_bytes (",
                           FormatSize(c.limits.message_bytes), "), not ",
                           FormatSize(c.limits.stream_in_flight_bytes)));
    }
    if (c.archive.journal_bytes_max > c.limits.memory_budget) {
      Mistake(Where("archive.journal_bytes_max"),
              absl::StrCat("archive.journal_bytes_max: expected at most limits.memory_budget (",
                           FormatSize(c.limits.memory_budget), "), not ",
                           FormatSize(c.archive.journal_bytes_max)));
    }
    CheckBackup(c);
    std::string grpc_host, http_host;
    int grpc_port = 0, http_port = 0;
    if (SplitHostPort(c.grpc.listen, &grpc_host, &grpc_port) &&
        SplitHostPort(c.http.listen, &http_host, &http_port) && grpc_port != 0 && grpc_port == http_port &&
        grpc_host == http_host) {
      Mistake(Where("http.listen"),
              absl::StrCat("http.listen: expected another address than grpc.listen (", c.grpc.listen, ")"));
    }
  }

 private:
  void CheckBackup(const Config& c) {
    const auto is_in = [](const std::string& path, const std::string& directory) {
      return path == directory || absl::StartsWith(path, directory + "/");
    };
    const std::string& target = c.backup.target;
    if (!target.empty() && target[0] != '/' && !absl::StartsWith(target, "s3://")) {
      Mistake(Where("backup.target"),
              absl::StrCat("backup.target: expected a path that begins with / or s3://BUCKET/PREFIX, not '",
                           target, "'"));
    } else if (!target.empty() && (is_in(target, c.data_dir) || is_in(c.data_dir, target))) {
      Mistake(Where("backup.target"), absl::StrCat("backup.target: expected a place apart from data_dir (",
                                                   c.data_dir, "), not '", target, "'"));
    }
    if (c.backup.at != "never" && !MinuteOfDay(c.backup.at).has_value()) {
      Mistake(Where("backup.at"),
              absl::StrCat("backup.at: expected HH:MM or never, not '", c.backup.at, "'"));
    }
    if (absl::TimeZone zone; !absl::LoadTimeZone(c.backup.zone, &zone)) {
      Mistake(
          Where("backup.zone"),
          absl::StrCat("backup.zone: expected a time zone such as Europe/Berlin, not '", c.backup.zone, "'"));
    }
  }

  void ReadTable(const std::string& file, const toml::table& table, const std::string& section) {
    // In the order of the file, so that mistakes are too.
    std::vector<std::pair<uint32_t, const toml::table::value_type*>> entries;
    for (const auto& entry : table) entries.push_back({entry.second.location().line(), &entry});
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
      return std::pair(a.first, a.second->first) < std::pair(b.first, b.second->first);
    });
    for (const auto& [line, entry] : entries) {
      const auto& [key, value] = *entry;
      const std::string name = section.empty() ? key : absl::StrCat(section, ".", key);
      const std::string where = absl::StrCat(file, ":", line);
      const Setting* found = nullptr;
      for (const Setting& setting : settings_) {
        if (setting.name == name) found = &setting;
      }
      if (found != nullptr) {
        SetFromToml(*found, value, where);
      } else if (section.empty() && sections_.contains(key)) {
        if (value.is_table()) {
          ReadTable(file, value.as_table(), key);
        } else {
          Mistake(where, absl::StrCat(key, ": expected a table, [", key, "]"));
        }
      } else if (value.is_table() && section.empty()) {
        Mistake(where, absl::StrCat("[", key, "]: no such section",
                                    Suggest(key, {sections_.begin(), sections_.end()})));
      } else {
        std::vector<std::string> names;
        for (const Setting& setting : settings_) names.push_back(setting.name);
        Mistake(where, absl::StrCat(name, ": no such setting", Suggest(name, names)));
      }
    }
  }

  void SetFromToml(const Setting& setting, const toml::value& value, const std::string& where) {
    const bool is_number =
        std::holds_alternative<Count>(setting.slot) || std::holds_alternative<Size>(setting.slot);
    if (value.is_boolean() && std::holds_alternative<Switch>(setting.slot)) {
      Set(setting, value.as_boolean() ? "true" : "false", where);
    } else if (value.is_string() && !std::holds_alternative<Count>(setting.slot)) {
      Set(setting, value.as_string().str, where);
    } else if (value.is_integer() && is_number) {
      Set(setting, absl::StrCat(value.as_integer()), where);
    } else {
      std::ostringstream shown;
      shown << value;
      Mistake(where,
              absl::StrCat(setting.name, ": expected ", Expected(setting.slot), ", not ", shown.str()));
      loaded_->where[setting.name] = where;
    }
  }

  void Set(const Setting& setting, const std::string& text, const std::string& where) {
    if (!Assign(setting.slot, text)) {
      Mistake(where, absl::StrCat(setting.name, ": expected ", Expected(setting.slot), ", not '", text, "'"));
    }
    loaded_->where[setting.name] = where;
  }

  std::string Where(const std::string& name) const {
    const auto it = loaded_->where.find(name);
    return it == loaded_->where.end() ? "configuration" : it->second;
  }

  static std::string Suggest(const std::string& name, const std::vector<std::string>& known) {
    const auto key_of = [](const std::string& of) { return of.substr(of.find('.') + 1); };
    // A key in the wrong section is as good as a slip of the finger.
    for (const std::string& candidate : known) {
      if (candidate.find('.') != std::string::npos && key_of(candidate) == key_of(name))
        return DidYouMean({candidate});
    }
    return DidYouMean(name, known);
  }

  void Mistake(const std::string& where, const std::string& what) {
    loaded_->mistakes.push_back(absl::StrCat(where, ": ", what));
  }

  LoadedConfig* const loaded_;
  const std::vector<Setting> settings_;
  std::set<std::string> sections_;
};

}  // namespace

bool SplitHostPort(absl::string_view text, std::string* host, int* port) {
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos || colon == 0) return false;
  absl::string_view name = text.substr(0, colon);
  const absl::string_view number = text.substr(colon + 1);
  if (number.empty() || number.find_first_not_of("0123456789") != absl::string_view::npos ||
      !absl::SimpleAtoi(number, port) || *port > 65535) {
    return false;
  }
  if (name.front() == '[' && name.back() == ']') {
    name = name.substr(1, name.size() - 2);
  } else if (name.find(':') != absl::string_view::npos) {
    return false;
  }
  if (name.empty() || name.find_first_of(" \t/[]") != absl::string_view::npos) return false;
  *host = std::string(name);
  return true;
}

Environment SystemEnvironment() {
  Environment result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::pair<std::string, std::string> pair = absl::StrSplit(*entry, absl::MaxSplits('=', 1));
    result.insert(pair);
  }
  return result;
}

LoadedConfig LoadConfig(const std::string& file, const Environment& environment, const FlagValues& flags,
                        bool needs_data_dir) {
  LoadedConfig loaded;
  Loader loader(&loaded);
  if (!file.empty()) loader.ReadFile(file);
  loader.ReadEnvironment(environment);
  loader.ReadFlags(flags);
  loader.CheckTogether(needs_data_dir);
  return loaded;
}

std::string PrintConfig(const Config& config) {
  Config copy = config;
  Config defaults;
  const std::vector<Setting> by_default = Bind(&defaults);
  size_t number = 0;
  std::string out =
      "# Configuration of historiand: every setting, with what it does. Lines that begin with #NAME = show "
      "the default.\n"
      "# Sizes: 512MiB, 2G. Durations: 250ms, 10s, 1h30m, 6 hours, 90d, 1y.\n";
  std::string section;
  for (const Setting& setting : Bind(&copy)) {
    const size_t dot = setting.name.find('.');
    std::string key = setting.name;
    if (dot != std::string::npos) {
      key = setting.name.substr(dot + 1);
      if (const std::string in = setting.name.substr(0, dot); in != section) {
        section = in;
        absl::StrAppend(&out, "\n[", section, "]\n");
      }
    } else {
      absl::StrAppend(&out, "\n");
    }
    const std::string value = TomlValueOf(setting.slot);
    const bool is_default = value == TomlValueOf(by_default[number++].slot);
    const std::string shown = is_default && setting.name == "data_dir" ? Quoted(kUsualDataDir) : value;
    absl::StrAppend(&out, "# ", setting.help, "\n", is_default ? "#" : "", key, " = ", shown, "\n");
  }
  return out;
}

std::vector<SettingInfo> Settings() {
  Config config;
  std::vector<SettingInfo> result;
  for (const Setting& setting : Bind(&config)) {
    std::string value = TomlValueOf(setting.slot);
    if (value.front() == '"') value = value.substr(1, value.size() - 2);
    result.push_back(
        {setting.name, FlagOf(setting.name), EnvironmentOf(setting.name), setting.help, std::move(value)});
  }
  return result;
}

}  // namespace historian::server
