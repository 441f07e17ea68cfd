#include "server/log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/hash/hash.h"
#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "storage/model/status_macros.h"

namespace historian::server {
namespace {

absl::string_view NameOf(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warn";
    case LogLevel::kError:
      return "error";
  }
  return "";
}

// In double quotes, with what JSON wants escaped; bytes beyond ASCII stay as they are.
void AppendQuoted(std::string* out, absl::string_view text) {
  out->push_back('"');
  for (const char c : text) {
    switch (c) {
      case '"':
        out->append("\\\"");
        break;
      case '\\':
        out->append("\\\\");
        break;
      case '\n':
        out->append("\\n");
        break;
      case '\r':
        out->append("\\r");
        break;
      case '\t':
        out->append("\\t");
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
          absl::StrAppendFormat(out, "\\u%04x", static_cast<unsigned char>(c));
        } else {
          out->push_back(c);
        }
    }
  }
  out->push_back('"');
}

// sd-daemon(3).
absl::string_view JournalPrefix(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "<7>";
    case LogLevel::kInfo:
      return "<6>";
    case LogLevel::kWarning:
      return "<4>";
    case LogLevel::kError:
      return "<3>";
  }
  return "";
}

// systemd.exec(5): the variable says which file it is, as standard error may have been given another since.
bool StandardErrorIsTheJournal() {
  const char* const stream = std::getenv("JOURNAL_STREAM");
  struct stat info;
  return stream != nullptr && fstat(STDERR_FILENO, &info) == 0 &&
         absl::StrCat(info.st_dev, ":", info.st_ino) == stream;
}

bool IsPlain(absl::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7F || c == '"' || c == '=' || c == '\\') return false;
  }
  return true;
}

void AppendValue(std::string* out, bool json, const LogField& field) {
  if (const auto* text = std::get_if<std::string>(&field.value())) {
    if (!json && IsPlain(*text)) {
      out->append(*text);
    } else {
      AppendQuoted(out, *text);
    }
  } else if (const auto* u = std::get_if<uint64_t>(&field.value())) {
    absl::StrAppend(out, *u);
  } else if (const auto* i = std::get_if<int64_t>(&field.value())) {
    absl::StrAppend(out, *i);
  } else {
    const double d = std::get<double>(field.value());
    // JSON has no NaN and no infinity.
    absl::StrAppend(out, std::isfinite(d) ? absl::StrFormat("%.6g", d) : json ? "null" : "nan");
  }
}

}  // namespace

std::string FormatLogLine(bool json, absl::Time time, LogLevel level, absl::string_view event,
                          absl::Span<const LogField> fields) {
  const std::string stamp = absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
  std::string line;
  if (json) {
    absl::StrAppend(&line, "{\"time\":\"", stamp, "\",\"level\":\"", NameOf(level), "\",\"event\":");
    AppendQuoted(&line, event);
    for (const LogField& field : fields) {
      line.push_back(',');
      AppendQuoted(&line, field.name());
      line.push_back(':');
      AppendValue(&line, true, field);
    }
    line.push_back('}');
  } else {
    absl::StrAppend(&line, stamp, " ", absl::StrFormat("%-5s", NameOf(level)), " ", event);
    for (const LogField& field : fields) {
      absl::StrAppend(&line, " ", field.name(), "=");
      AppendValue(&line, false, field);
    }
  }
  return line;
}

absl::StatusOr<std::unique_ptr<Log>> Log::Open(const std::string& file, const std::string& level,
                                               const std::string& format) {
  const LogLevel least = level == "debug"   ? LogLevel::kDebug
                         : level == "warn"  ? LogLevel::kWarning
                         : level == "error" ? LogLevel::kError
                                            : LogLevel::kInfo;
  const bool json = format == "json";
  const bool journal = file.empty() && StandardErrorIsTheJournal();
  const auto line = [json, journal](LogLevel of, absl::string_view event, absl::Span<const LogField> fields) {
    return absl::StrCat(journal ? JournalPrefix(of) : "",
                        FormatLogLine(json, absl::Now(), of, event, fields));
  };
  LogWriter::Words words{
      .dropped =
          [line](uint64_t lines) {
            return line(LogLevel::kWarning, "log_lines_dropped",
                        {{"lines", lines},
                         {"reason",
                          "the log could not be written, or not fast enough: nobody reads the pipe, or the "
                          "disk hangs or is full"}});
          },
      .reopened = [line] { return line(LogLevel::kInfo, "log_reopened", {}); },
      .not_reopened =
          [line](absl::string_view why) {
            return line(LogLevel::kError, "log_reopen_failed", {{"message", why}});
          }};
  auto log = absl::WrapUnique(new Log(least, json, journal));
  ASSIGN_OR_RETURN(log->writer_, LogWriter::Open(file, std::move(words)));
  return log;
}

Log::~Log() = default;

void Log::Write(LogLevel level, absl::string_view event, absl::Span<const LogField> fields) {
  if (level < level_) return;
  const std::string line = FormatLogLine(json_, absl::Now(), level, event, fields);
  writer_->Add(journal_ ? absl::StrCat(JournalPrefix(level), line) : line);
}

void Log::WriteLimited(LogLevel level, absl::string_view event, absl::string_view key,
                       absl::Span<const LogField> fields) {
  if (level < level_) return;
  uint64_t suppressed = 0;
  if (!limiter_.Allow(absl::StrCat(event, " ", key), MonotonicTime::Now(), &suppressed)) return;
  if (const uint64_t others = limiter_.TakeOthers(); others > 0) {
    Write(LogLevel::kWarning, "log_lines_suppressed",
          {{"lines", others}, {"reason", "clients caused more lines than are logged"}});
  }
  std::vector<LogField> all(fields.begin(), fields.end());
  all.emplace_back("lines_suppressed", suppressed);
  Write(level, event, all);
}

bool LogRateLimiter::Allow(absl::string_view key, MonotonicTime now, uint64_t* suppressed) {
  absl::MutexLock lock(&mu_);
  if (now - begin_ >= interval_) {
    begin_ = now;
    allowed_ = 0;
  }
  const size_t hash = absl::Hash<absl::string_view>{}(key);
  const auto it = states_.find(hash);
  const bool known = it != states_.end();
  if (allowed_ >= most_ || (known && now - it->second.last < interval_)) {
    ++(known ? it->second.suppressed : others_);
    return false;
  }
  ++allowed_;
  if (known) {
    *suppressed = std::exchange(it->second.suppressed, 0);
    it->second.last = now;
    return true;
  }
  if (states_.size() >= kKeysMax) {
    // Forgetting everything lets a few lines too many through, and bounds the memory.
    for (const auto& [of, state] : states_) others_ += state.suppressed;
    states_.clear();
  }
  states_[hash] = State{.last = now};
  *suppressed = 0;
  return true;
}

uint64_t LogRateLimiter::TakeOthers() {
  absl::MutexLock lock(&mu_);
  return std::exchange(others_, 0);
}

}  // namespace historian::server
