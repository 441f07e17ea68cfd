// File: server/log.h
//
// The server's log: one line an event, for people and for machines.
//
//   text   2026-11-23T09:55:42.123Z info  server_started grpc=127.0.0.1:7720 tags=1024
//   json
//   {"time":"2026-11-23T09:55:42.123Z","level":"info","event":"server_started","grpc":"127.0.0.1:7720","tags":1024}
//
// Event names and field names do not change once released: dashboards are built on them.
// Threads: any number.
#ifndef HISTORIAN_SERVER_LOG_H_
#define HISTORIAN_SERVER_LOG_H_

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "storage/platform/monotonic.h"

namespace spdlog {
class logger;
}

namespace historian::server {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

class LogField {
 public:
  LogField(absl::string_view name, absl::string_view value) : name_(name), value_(std::string(value)) {}
  LogField(absl::string_view name, const char* value) : name_(name), value_(std::string(value)) {}
  LogField(absl::string_view name, const std::string& value) : name_(name), value_(value) {}
  LogField(absl::string_view name, uint64_t value) : name_(name), value_(value) {}
  LogField(absl::string_view name, int64_t value) : name_(name), value_(value) {}
  LogField(absl::string_view name, int value) : name_(name), value_(int64_t{value}) {}
  LogField(absl::string_view name, uint32_t value) : name_(name), value_(uint64_t{value}) {}
  LogField(absl::string_view name, double value) : name_(name), value_(value) {}

  absl::string_view name() const { return name_; }
  const std::variant<std::string, uint64_t, int64_t, double>& value() const { return value_; }

 private:
  absl::string_view name_;
  std::variant<std::string, uint64_t, int64_t, double> value_;
};

class Log {
 public:
  // file: appended to, made if it is missing; empty: standard error. Its directory must exist: the log makes no
  // directories. level and format as in LogConfig.
  // Errors: InvalidArgument, the directory is missing or the file cannot be opened; says what to do.
  static absl::StatusOr<std::unique_ptr<Log>> Open(const std::string& file, const std::string& level,
                                                   const std::string& format);
  ~Log();

  void Write(LogLevel level, absl::string_view event, std::initializer_list<LogField> fields);
  void Debug(absl::string_view event, std::initializer_list<LogField> fields) {
    Write(LogLevel::kDebug, event, fields);
  }
  void Info(absl::string_view event, std::initializer_list<LogField> fields) {
    Write(LogLevel::kInfo, event, fields);
  }
  void Warning(absl::string_view event, std::initializer_list<LogField> fields) {
    Write(LogLevel::kWarning, event, fields);
  }
  void Error(absl::string_view event, std::initializer_list<LogField> fields) {
    Write(LogLevel::kError, event, fields);
  }

 private:
  Log(std::shared_ptr<spdlog::logger> logger, bool json);

  const std::shared_ptr<spdlog::logger> logger_;
  const bool json_;
};

// A line as Write puts it, without the newline. For tests.
std::string FormatLogLine(bool json, absl::Time time, LogLevel level, absl::string_view event,
                          std::initializer_list<LogField> fields);

// Says yes once in a while for each key, so that a broken client cannot fill the disk with lines.
class LogRateLimiter {
 public:
  explicit LogRateLimiter(absl::Duration interval) : interval_(interval) {}
  // True at most once per interval and key; *suppressed gets how many were refused since the last yes.
  bool Allow(absl::string_view key, MonotonicTime now, uint64_t* suppressed);

 private:
  static constexpr size_t kKeysMax = 10'000;
  struct State {
    MonotonicTime last;
    uint64_t suppressed = 0;
  };
  const absl::Duration interval_;
  absl::Mutex mu_;
  absl::flat_hash_map<std::string, State> states_ ABSL_GUARDED_BY(mu_);
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_LOG_H_
