// File: tools/histctl/context.h
//
// What every command has: the options in front of the command, the way to the server, and where to print.
//
// A command's AddXxxCommand declares its options; its callback puts what is to be done into Context::run,
// which main calls when the whole command line has been read.
#ifndef HISTORIAN_TOOLS_HISTCTL_CONTEXT_H_
#define HISTORIAN_TOOLS_HISTCTL_CONTEXT_H_

#include <atomic>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "client/connection.h"
#include "storage/model/timestamp.h"
#include "tools/histctl/lib/output.h"
#include "tools/histctl/lib/row_writer.h"

namespace historian::histctl {

class Context {
 public:
  // As given.
  std::string server = "127.0.0.1:7720";
  std::string ca;
  std::string cert;
  std::string key;
  std::string tls_name;
  std::string token_file;
  bool tls = false;
  std::string tz = "UTC";
  std::string format_name = "table";

  // Made from them by Prepare.
  absl::TimeZone zone;
  Format format = Format::kTable;
  Timestamp now = 0;

  Output* out = nullptr;
  Output* err = nullptr;
  std::function<absl::Status()> run;
  uint64_t failures = 0;  // Items that failed while others were done: exit code 1.
  const std::atomic<bool>* interrupted = nullptr;

  // Errors: UsageError.
  absl::Status Prepare();

  // A call with one answer fails after `deadline`. Errors: LocalFileError, a TLS file or the token's. Does not wait for the
  // server.
  absl::StatusOr<client::Connection> Connect(absl::Duration deadline = absl::Seconds(30)) const;

  // What the names of producers begin with that a command makes up: nothing, or our own name and '/' where the server knows
  // us by one, as it then lets us write only under such names. Errors: those of the server.
  absl::StatusOr<std::string> ProducerPrefix(const client::Connection& connection) const;

  absl::StatusOr<Timestamp> Time(absl::string_view option, absl::string_view text) const;

  bool UsesTls() const { return tls || !ca.empty() || !cert.empty(); }

  bool Interrupted() const { return interrupted != nullptr && interrupted->load(); }

  // A line on stderr, "histctl: ...". Any thread.
  void Note(absl::string_view message);
  // The same, and the exit code will be 1.
  void Fail(absl::string_view message);

 private:
  // The token to show; empty if there is none.
  absl::StatusOr<std::string> Token() const;

  absl::Mutex note_mutex_;  // One line at a time.
};

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_CONTEXT_H_
