#include "server/signals.h"

#include <unistd.h>

#include <csignal>
#include <cstring>
#include <string>
#include <utility>

#include <boost/asio/post.hpp>

#include "absl/strings/str_cat.h"
#include "server/process.h"

namespace historian::server {
namespace {

// What the log has not written yet when the process ends at once.
constexpr absl::Duration kLastWords = absl::Seconds(1);

std::string NameOf(int signal) {
  const char* const name = sigabbrev_np(signal);
  return name != nullptr ? absl::StrCat("SIG", name) : absl::StrCat("SIGRTMIN+", signal - SIGRTMIN);
}

}  // namespace

Signals& Signals::Take(Log& log) {
  static Signals* const signals = new Signals(log);
  return *signals;
}

Signals::Signals(Log& log)
    : log_(log),
      ends_(context_, SIGTERM, SIGINT, SIGQUIT),
      hangups_(context_, SIGHUP),
      others_(context_),
      killer_(context_) {
  ends_.add(SIGPWR);
  ends_.add(SIGXCPU);
  for (const int signal : StraySignals()) others_.add(signal);
  AwaitEnd();
  AwaitHangup();
  AwaitOthers();
  thread_ = std::thread([this] { context_.run(); });
}

void Signals::Stop() {
  context_.stop();
  thread_.join();
  renewed_.clear();
}

void Signals::OnHangup(std::function<void()> renew) {
  boost::asio::post(context_, [this, renew = std::move(renew)] { renewed_.push_back(renew); });
}

void Signals::Fail() {
  boost::asio::post(context_, [this] {
    failed_.store(true);
    End();
    // Whatever hangs, the process ends.
    killer_.expires_after(absl::ToChronoMilliseconds(kFailedStop));
    killer_.async_wait([this](boost::system::error_code error) {
      if (!error) KillNow({{"reason", "the server did not stop in time"}});
    });
  });
}

bool Signals::Wait() {
  ended_.WaitForNotification();
  return failed_.load();
}

void Signals::AwaitEnd() {
  ends_.async_wait([this](boost::system::error_code error, int signal) {
    if (error) return;
    const bool somebody_asks = signal != SIGPWR && signal != SIGXCPU;
    if (told_ && somebody_asks) {
      KillNow({{"number", signal}, {"reason", "second signal: not waiting for calls or a seal"}});
    }
    if (somebody_asks || !ended_.HasBeenNotified())
      log_.Info("signal", {{"number", signal}, {"name", NameOf(signal)}});
    told_ = told_ || somebody_asks;
    End();
    AwaitEnd();
  });
}

void Signals::AwaitHangup() {
  hangups_.async_wait([this](boost::system::error_code error, int) {
    if (error) return;
    for (const auto& renew : renewed_) renew();
    AwaitHangup();
  });
}

void Signals::AwaitOthers() {
  others_.async_wait([this](boost::system::error_code error, int signal) {
    if (error) return;
    log_.WriteLimited(
        LogLevel::kWarning, "signal_ignored", NameOf(signal),
        {{"number", signal},
         {"name", NameOf(signal)},
         {"meaning",
          "this signal is nothing to the server: SIGHUP opens log.file anew and rereads certificates and "
          "permissions, SIGTERM ends it"}});
    AwaitOthers();
  });
}

void Signals::End() {
  if (!ended_.HasBeenNotified()) ended_.Notify();
}

void Signals::KillNow(std::initializer_list<LogField> fields) {
  log_.Error("killed", fields);
  log_.Flush(kLastWords);
  std::_Exit(1);
}

}  // namespace historian::server
