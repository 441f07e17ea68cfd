// File: server/log.h
//
// The server's log: one line an event, for people and for machines.
//
//   text   2026-11-23T09:55:42.123Z info  server_started grpc=127.0.0.1:7720 tags=1024
//   json
//   {"time":"2026-11-23T09:55:42.123Z","level":"info","event":"server_started","grpc":"127.0.0.1:7720","tags":1024}
//
// On standard error, where that is systemd's journal, each line has its level in front as the journal wants it (<4> for a
// warning): journalctl -p warning finds it.
//
// Event names and field names do not change once released: dashboards are built on them.
//
// Nobody who logs waits for the disk or for a pipe's reader (server/log_writer.h): lines that find no room are dropped,
// and a line "log_lines_dropped" says how many. What a client can cause at will goes through WriteLimited.
//
// Threads: any number.
#ifndef HISTORIAN_SERVER_LOG_H_
#define HISTORIAN_SERVER_LOG_H_

#include <cstdint>
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
#include "absl/types/span.h"
#include "server/log_writer.h"
#include "storage/platform/monotonic.h"

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

// Says yes once in a while for each key, and not too often for all keys together: a client that makes up keys, such as
// producers' names, cannot fill the disk with lines either.
class LogRateLimiter {
 public:
  // At most one yes per key, and `most` for all keys, in an interval.
  LogRateLimiter(absl::Duration interval, uint64_t most) : interval_(interval), most_(most) {}
  // *suppressed gets how many were refused for the key since its last yes. Those of keys that had no yes yet are not
  // kept apart: TakeOthers has them.
  bool Allow(absl::string_view key, MonotonicTime now, uint64_t* suppressed);
  // Returns how many were refused of keys that never had a yes, and forgets them.
  uint64_t TakeOthers();

 private:
  static constexpr size_t kKeysMax = 10'000;
  struct State {
    MonotonicTime last;
    uint64_t suppressed = 0;
  };
  const absl::Duration interval_;
  const uint64_t most_;
  absl::Mutex mu_;
  // By the key's hash: keys may be long, and two that share one only share their lines.
  absl::flat_hash_map<size_t, State> states_ ABSL_GUARDED_BY(mu_);
  MonotonicTime begin_ ABSL_GUARDED_BY(mu_);  // Of the interval that allowed_ counts.
  uint64_t allowed_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t others_ ABSL_GUARDED_BY(mu_) = 0;
};

class Log {
 public:
  // Of WriteLimited: a line for each event and key in kLimitInterval, and kLimitedMost for all of them together.
  static constexpr absl::Duration kLimitInterval = absl::Seconds(10);
  static constexpr uint64_t kLimitedMost = 50;

  // file: appended to, made if it is missing; empty: standard error. Its directory must exist: the log makes no
  // directories. level and format as in LogConfig.
  // Errors: InvalidArgument, the directory is missing or the file cannot be opened; says what to do.
  static absl::StatusOr<std::unique_ptr<Log>> Open(const std::string& file, const std::string& level,
                                                   const std::string& format);
  // Writes what is not written yet, within LogWriter::kLastWait.
  ~Log();

  void Write(LogLevel level, absl::string_view event, absl::Span<const LogField> fields);
  void Debug(absl::string_view event, absl::Span<const LogField> fields) {
    Write(LogLevel::kDebug, event, fields);
  }
  void Info(absl::string_view event, absl::Span<const LogField> fields) {
    Write(LogLevel::kInfo, event, fields);
  }
  void Warning(absl::string_view event, absl::Span<const LogField> fields) {
    Write(LogLevel::kWarning, event, fields);
  }
  void Error(absl::string_view event, absl::Span<const LogField> fields) {
    Write(LogLevel::kError, event, fields);
  }

  // For events that a client can cause at will. Adds a field lines_suppressed: how many lines of this event and key
  // were left out since the one before. A line "log_lines_suppressed" counts those of keys that had no line at all.
  void WriteLimited(LogLevel level, absl::string_view event, absl::string_view key,
                    absl::Span<const LogField> fields);

  // Opens the file anew, so that one that was renamed is let go of. Does not wait.
  void Reopen() { writer_->Reopen(); }
  // Waits until everything logged before is written or dropped. Returns false if that takes longer.
  bool Flush(absl::Duration timeout) { return writer_->Flush(timeout); }
  // Lines that found no room, or could not be written, since the start.
  uint64_t lines_dropped() const { return writer_->dropped(); }

 private:
  Log(LogLevel level, bool json, bool journal) : level_(level), json_(json), journal_(journal) {}

  const LogLevel level_;
  const bool json_;
  const bool journal_;
  LogRateLimiter limiter_{kLimitInterval, kLimitedMost};
  std::unique_ptr<LogWriter> writer_;  // Set by Open.
};

// A line as Write puts it, without the newline. For tests.
std::string FormatLogLine(bool json, absl::Time time, LogLevel level, absl::string_view event,
                          absl::Span<const LogField> fields);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_LOG_H_
