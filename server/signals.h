// File: server/signals.h
//
// What signals do to the server.
//
//   TERM, INT, QUIT     the server ends in good order; a second one ends it at once
//   PWR, XCPU           the same (power is failing, or the processor time that the process may use is nearly used up), but a
//                       second one adds nothing
//   HUP                 what may change while the server runs is opened and read anew. Closing the terminal sends it, too
//   USR1, USR2, ALRM, VTALRM, PROF, IO, STKFLT, the real-time signals
//                       a line in the log; none of them is for this server
//   PIPE, XFSZ          nothing: the write that caused them fails (SetUpFilesAndSignals)
//
// Threads: Wait and Stop from one thread, the others from any.
#ifndef HISTORIAN_SERVER_SIGNALS_H_
#define HISTORIAN_SERVER_SIGNALS_H_

#include <atomic>
#include <functional>
#include <initializer_list>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "server/log.h"

namespace historian::server {

class Signals {
 public:
  // For a server that can no longer be reached to stop well. Its calls may hang.
  static constexpr absl::Duration kFailedStop = absl::Seconds(15);

  // Takes signals from now on, and for as long as the process lives: one that comes when Stop has returned does nothing. Never
  // destroyed, as the default of most signals would then be in force again. log must live until Stop.
  static Signals& Take(Log& log);
  void Stop();

  // Adds something that SIGHUP makes the server read or open anew. Called on the thread of the signals, in the order in
  // which they were added.
  void OnHangup(std::function<void()> renew);
  // The server can no longer be reached. Ends the process if it has not stopped within kFailedStop.
  void Fail();
  // Waits for the end: the first signal that asks for it, or a failure. Returns whether it was a failure.
  bool Wait();

 private:
  explicit Signals(Log& log);

  void AwaitEnd();
  void AwaitHangup();
  void AwaitOthers();
  void End();
  void KillNow(std::initializer_list<LogField> fields);

  Log& log_;
  boost::asio::io_context context_;
  boost::asio::signal_set ends_;
  boost::asio::signal_set hangups_;
  boost::asio::signal_set others_;
  boost::asio::steady_timer killer_;
  std::vector<std::function<void()>> renewed_;
  bool told_ = false;  // Somebody has asked for the end.
  std::atomic<bool> failed_{false};
  absl::Notification ended_;
  std::thread thread_;
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_SIGNALS_H_
