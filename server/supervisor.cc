#include "server/supervisor.h"

#include <systemd/sd-daemon.h>

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "storage/platform/monotonic.h"

namespace historian::server {
namespace {

// Whether anybody hears it is not ours to know.
void Tell(const std::string& state) { sd_notify(/*unset_environment=*/0, state.c_str()); }

// In one line, as the protocol has it.
std::string Status(absl::string_view text) {
  return absl::StrCat("STATUS=", absl::StrReplaceAll(text, {{"\n", " "}}));
}

absl::Duration Watchdog() {
  uint64_t micros = 0;
  return sd_watchdog_enabled(/*unset_environment=*/0, &micros) > 0
             ? absl::Microseconds(static_cast<int64_t>(micros))
             : absl::InfiniteDuration();
}

}  // namespace

Supervisor::Supervisor() : watchdog_(Watchdog()) {}

void Supervisor::Starting(absl::string_view status) { Tell(Status(status)); }

void Supervisor::Ready(absl::string_view status) {
  absl::MutexLock lock(&mu_);
  ready_ = Status(status);
  Tell(absl::StrCat("READY=1\nWATCHDOG=1\n", ready_));
}

void Supervisor::Reloading() {
  const int64_t micros =
      absl::ToInt64Microseconds(MonotonicTime::Now() - MonotonicTime::FromStart(absl::ZeroDuration()));
  Tell(absl::StrCat("RELOADING=1\nMONOTONIC_USEC=", micros, "\nSTATUS=rereading"));
}

void Supervisor::Reloaded() {
  absl::MutexLock lock(&mu_);
  // Before it is ready there is nothing to go back to.
  if (!ready_.empty()) Tell(absl::StrCat("READY=1\n", ready_));
}

void Supervisor::Stopping(absl::string_view status) { Tell(absl::StrCat("STOPPING=1\n", Status(status))); }

void Supervisor::Alive() {
  if (watchdog_ != absl::InfiniteDuration()) Tell("WATCHDOG=1");
}

}  // namespace historian::server
