// File: server/supervisor.h
//
// Tells systemd, or whoever else started the server and speaks sd_notify's protocol, how it is. Without $NOTIFY_SOCKET all of
// it does nothing.
//
//   Starting -> Ready -> (Reloading -> Ready)... -> Stopping
//
// Watchdog ($WATCHDOG_USEC, WatchdogSec= of a unit): the server calls Alive whenever a probe of its own gRPC port was
// answered (self_probe.h). One that answers nobody is silent, and is killed and started anew.
//
// Threads: any number.
#ifndef HISTORIAN_SERVER_SUPERVISOR_H_
#define HISTORIAN_SERVER_SUPERVISOR_H_

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace historian::server {

class Supervisor {
 public:
  Supervisor();

  // What it does meanwhile, for `systemctl status`.
  void Starting(absl::string_view status);
  // It serves. From now on the watchdog waits for Alive.
  void Ready(absl::string_view status) ABSL_LOCKS_EXCLUDED(mu_);
  // It rereads what may change while it runs; it goes on serving meanwhile.
  void Reloading();
  void Reloaded() ABSL_LOCKS_EXCLUDED(mu_);
  void Stopping(absl::string_view status);

  void Alive();
  // How long it may be silent. Infinite: there is no watchdog.
  absl::Duration watchdog() const { return watchdog_; }

 private:
  const absl::Duration watchdog_;
  absl::Mutex mu_;
  std::string ready_ ABSL_GUARDED_BY(mu_);  // What Ready said.
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_SUPERVISOR_H_
