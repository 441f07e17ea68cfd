#include "tools/histctl/context.h"

#include <cstdlib>
#include <fstream>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/access.h"
#include "storage/model/clock.h"
#include "storage/model/status_macros.h"
#include "tools/histctl/exit_code.h"
#include "tools/histctl/lib/time_text.h"

namespace historian::histctl {

absl::Status Context::Prepare() {
  absl::StatusOr<absl::TimeZone> loaded = LoadZone(tz);
  if (!loaded.ok()) return UsageError(absl::StrCat("--tz: ", loaded.status().message()));
  zone = *loaded;
  if (format_name == "table") {
    format = Format::kTable;
  } else if (format_name == "csv") {
    format = Format::kCsv;
  } else if (format_name == "json") {
    format = Format::kJson;
  } else {
    return UsageError(absl::StrCat("--format '", format_name, "': expected table, csv or json"));
  }
  if (cert.empty() != key.empty()) return UsageError("--cert and --key go together");
  now = Clock::System().Now();
  return absl::OkStatus();
}

absl::StatusOr<std::string> Context::Token() const {
  if (token_file.empty()) {
    const char* const token = std::getenv("HISTORIAN_TOKEN");
    return token == nullptr ? "" : std::string(absl::StripAsciiWhitespace(token));
  }
  std::ifstream in(token_file);
  std::string text;
  if (!std::getline(in, text)) {
    return LocalFileError(absl::StrCat("--token-file ", token_file, " cannot be read, or is empty"));
  }
  return std::string(absl::StripAsciiWhitespace(text));
}

absl::StatusOr<client::Connection> Context::Connect(absl::Duration deadline) const {
  client::ConnectionOptions options;
  options.deadline = deadline;
  options.target = server;
  options.client_name = "histctl";
  // A page of ten thousand tags with all their states may be large.
  options.message_bytes_max = 64 * 1024 * 1024;
  if (UsesTls()) {
    options.tls = client::TlsFiles{.ca = ca, .cert = cert, .key = key, .server_name = tls_name};
  }
  ASSIGN_OR_RETURN(options.token, Token());
  absl::StatusOr<client::Connection> connection = client::Connection::Open(std::move(options));
  if (!connection.ok()) return LocalFileError(connection.status().message());
  return connection;
}

absl::StatusOr<std::string> Context::ProducerPrefix(const client::Connection& connection) const {
  if (connection.options().token.empty() && cert.empty()) return "";
  ASSIGN_OR_RETURN(const v1::WhoAmIResponse who, client::Access(connection).WhoAmI());
  // Who is told which names to use has one that fits, or says it with --producer.
  if (who.everyone() || !who.caller().permissions().producers().empty()) return "";
  return absl::StrCat(who.caller().name(), "/");
}

absl::StatusOr<Timestamp> Context::Time(absl::string_view option, absl::string_view text) const {
  absl::StatusOr<Timestamp> time = ParseTimeText(text, zone, now);
  if (!time.ok()) return UsageError(absl::StrCat(option, ": ", time.status().message()));
  return time;
}

void Context::Note(absl::string_view message) {
  absl::MutexLock lock(&note_mutex_);
  err->Append(absl::StrCat("histctl: ", message, "\n"));
  err->Flush().IgnoreError();
}

void Context::Fail(absl::string_view message) {
  ++failures;
  Note(message);
}

}  // namespace historian::histctl
