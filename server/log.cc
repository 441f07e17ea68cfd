#include "server/log.h"

#include <cmath>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "spdlog/sinks/basic_file_sink.h"
#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

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

spdlog::level::level_enum LevelOf(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
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
                          std::initializer_list<LogField> fields) {
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
  std::shared_ptr<spdlog::logger> logger;
  try {
    if (file.empty()) {
      logger =
          std::make_shared<spdlog::logger>("historiand", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    } else {
      // spdlog would make what is missing, with root's rights anywhere: a typing error became a directory.
      const std::filesystem::path directory = std::filesystem::absolute(file).parent_path();
      std::error_code error;
      if (!std::filesystem::is_directory(directory, error)) {
        return absl::InvalidArgumentError(absl::StrCat("opening the log file ", file, ": ",
                                                       directory.string(), " is not a directory",
                                                       error ? absl::StrCat(" (", error.message(), ")") : "",
                                                       "; make the directory, name a file in one that "
                                                       "exists, or leave log.file empty for standard error"));
      }
      logger = std::make_shared<spdlog::logger>("historiand",
                                                std::make_shared<spdlog::sinks::basic_file_sink_mt>(file));
    }
  } catch (const spdlog::spdlog_ex& error) {
    return absl::InvalidArgumentError(absl::StrCat("opening the log file: ", error.what()));
  }
  logger->set_pattern("%v");
  logger->set_level(level == "debug"   ? spdlog::level::debug
                    : level == "warn"  ? spdlog::level::warn
                    : level == "error" ? spdlog::level::err
                                       : spdlog::level::info);
  logger->flush_on(spdlog::level::debug);
  return std::unique_ptr<Log>(new Log(std::move(logger), format == "json"));
}

Log::Log(std::shared_ptr<spdlog::logger> logger, bool json) : logger_(std::move(logger)), json_(json) {}
Log::~Log() = default;

void Log::Write(LogLevel level, absl::string_view event, std::initializer_list<LogField> fields) {
  if (!logger_->should_log(LevelOf(level))) return;
  const std::string line = FormatLogLine(json_, absl::Now(), level, event, fields);
  logger_->log(LevelOf(level), spdlog::string_view_t(line.data(), line.size()));
}

bool LogRateLimiter::Allow(absl::string_view key, MonotonicTime now, uint64_t* suppressed) {
  absl::MutexLock lock(&mu_);
  auto it = states_.find(key);
  if (it == states_.end()) {
    // Forgetting everything lets a few lines too many through, and bounds the memory.
    if (states_.size() >= kKeysMax) states_.clear();
    states_[key] = State{.last = now};
    *suppressed = 0;
    return true;
  }
  if (now - it->second.last < interval_) {
    ++it->second.suppressed;
    return false;
  }
  *suppressed = std::exchange(it->second.suppressed, 0);
  it->second.last = now;
  return true;
}

}  // namespace historian::server
