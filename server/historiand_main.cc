// historiand: the server of Historian.
//
// Exit codes
//   0   stopped as asked (SIGTERM, SIGINT), everything sealed; or the printing that was asked for is done
//   1   could not start, failed while stopping, was told twice to stop, or can no longer be reached by clients, so that
//       whoever supervises it must start it anew: the log says why
//   2   a mistake in the configuration or on the command line: standard error lists all of them
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "server/config.h"
#include "server/grpc_log.h"
#include "server/log.h"
#include "server/process.h"
#include "server/server.h"
#include "storage/kv/rocksdb_store.h"
#include "storage/model/clock.h"
#include "storage/model/nearest_name.h"
#include "storage/model/status_macros.h"
#include "storage/model/version.h"

namespace historian::server {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitMistake = 2;

// What the log has not written yet when the process ends at once.
constexpr absl::Duration kLastWords = absl::Seconds(1);
// For a server that can no longer be reached to stop well. Its calls may hang.
constexpr absl::Duration kFailedStop = absl::Seconds(15);

// Waits for the end: the first SIGTERM or SIGINT, or a failure of the server. A second signal ends the process at once.
class Ending {
 public:
  explicit Ending(Log& log) : log_(log), ends_(context_, SIGTERM, SIGINT), hangups_(context_, SIGHUP) {
    AwaitEnd();
    AwaitHangup();
    thread_ = std::thread([this] { context_.run(); });
  }
  ~Ending() {
    context_.stop();
    thread_.join();
  }

  // Adds something that SIGHUP makes the server read or open anew. Called on the thread of the signals, in the order
  // in which they were added.
  void OnHangup(std::function<void()> renew) {
    boost::asio::post(context_, [this, renew = std::move(renew)] { renewed_.push_back(renew); });
  }

  // The server can no longer be reached.
  void Fail() {
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

  // Returns whether it was a failure.
  bool Wait() {
    ended_.WaitForNotification();
    return failed_.load();
  }

 private:
  void AwaitEnd() {
    ends_.async_wait([this](boost::system::error_code error, int signal) {
      if (error) return;
      if (told_) {
        KillNow({{"number", signal}, {"reason", "second signal: not waiting for calls or a seal"}});
      }
      told_ = true;
      log_.Info("signal", {{"number", signal}});
      End();
      AwaitEnd();
    });
  }

  void AwaitHangup() {
    hangups_.async_wait([this](boost::system::error_code error, int) {
      if (error) return;
      for (const auto& renew : renewed_) renew();
      AwaitHangup();
    });
  }

  void End() {
    if (!ended_.HasBeenNotified()) ended_.Notify();
  }

  void KillNow(std::initializer_list<LogField> fields) {
    log_.Error("killed", fields);
    log_.Flush(kLastWords);
    std::_Exit(kExitFailed);
  }

  Log& log_;
  boost::asio::io_context context_;
  boost::asio::signal_set ends_;
  boost::asio::signal_set hangups_;
  boost::asio::steady_timer killer_{context_};
  std::vector<std::function<void()>> renewed_;
  bool told_ = false;
  std::atomic<bool> failed_{false};
  absl::Notification ended_;
  std::thread thread_;
};

// In one step: whoever sees the file sees all of it.
absl::Status WritePortFile(const std::string& path, const Server& server) {
  const std::string temporary = absl::StrCat(path, ".tmp");
  {
    std::ofstream out(temporary, std::ios::trunc);
    out << "grpc=" << server.grpc_address() << "\nhttp=" << server.http_address() << "\n";
    out.flush();
    if (!out) return absl::UnavailableError(absl::StrCat("--port-file: cannot write ", temporary));
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0) {
    return absl::UnavailableError(absl::StrCat("--port-file: cannot rename ", temporary, " to ", path));
  }
  return absl::OkStatus();
}

int Serve(const Config& config, const std::vector<std::string>& warnings, const std::string& port_file) {
  absl::StatusOr<std::unique_ptr<Log>> log = Log::Open(config.log.file, config.log.level, config.log.format);
  if (!log.ok()) {
    std::cerr << "historiand: log.file: " << log.status().message() << "\n";
    return kExitMistake;
  }
  for (const std::string& warning : warnings) (*log)->Warning("configuration", {{"message", warning}});
  const GrpcLog grpc_log_here(**log);
  WarnOfOpenDirectory(config.data_dir, **log);
  Ending ending(**log);
  ending.OnHangup([&log] { (*log)->Reopen(); });
  const auto open_store = [&config] {
    return kv::OpenRocksDbStore({.path = config.data_dir, .block_cache_bytes = config.block_cache_bytes()});
  };
  auto server = Server::Start(config, open_store, Clock::System(), **log, [&ending] { ending.Fail(); });
  absl::Status status = server.status();
  if (status.ok() && !port_file.empty()) status = WritePortFile(port_file, **server);
  if (!status.ok()) {
    (*log)->Error("start_failed",
                  {{"code", absl::StatusCodeToString(status.code())}, {"message", status.message()}});
    return kExitFailed;
  }
  // A signal may still be on its way when the server is gone.
  const std::shared_ptr<Server> serving = *std::move(server);
  ending.OnHangup([weak = std::weak_ptr<Server>(serving)] {
    if (const std::shared_ptr<Server> there = weak.lock()) there->Reread();
  });
  const bool failed = ending.Wait();
  return serving->Stop().ok() && !failed ? 0 : kExitFailed;
}

int Main(int argc, char** argv) {
  CLI::App app{
      "historiand, the server of Historian: stores samples of a plant and answers questions about them.\n"
      "Every setting can stand in the file, in the environment and on the command line; the latter wins.\n"
      "Exit codes: 0 stopped as asked; 1 could not start or stop well, or could no longer be reached; 2 a "
      "mistake in "
      "the configuration.\n"
      "SIGTERM and SIGINT stop it; SIGHUP opens log.file anew and rereads certificates."};
  app.set_version_flag("--version", absl::StrCat("historiand ", kVersion));
  std::string file, port_file;
  bool print = false, check = false;
  app.add_option("--config", file, "TOML file of the configuration")->type_name("FILE");
  app.add_option("--port-file", port_file, "Write grpc=HOST:PORT and http=HOST:PORT here when ready")
      ->type_name("FILE");
  app.add_flag("--print-config", print, "Print the configuration in force, with comments, and exit");
  app.add_flag("--check-config", check, "Report every mistake of the configuration and exit");
  FlagValues given;
  for (const SettingInfo& setting : Settings()) {
    app.add_option_function<std::string>(
           setting.flag, [&given, name = setting.name](const std::string& value) { given[name] = value; },
           absl::StrCat(setting.help, setting.value.empty() ? "" : absl::StrCat(" [", setting.value, "]"),
                        " (", setting.environment, ")"))
        ->type_name("");
  }
  app.add_flag_callback(
      "--insecure", [&given] { given["access.insecure"] = "true"; }, "The same as --access-insecure true");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);  // --help, --version.
  } catch (const CLI::ParseError& error) {
    app.exit(error);
    if (const std::vector<std::string> left = app.remaining(); !left.empty()) {
      std::vector<std::string> flags;
      for (const CLI::Option* option : app.get_options()) flags.push_back(option->get_name());
      const std::string flag = left[0].substr(0, left[0].find('='));
      std::cerr << "historiand: " << flag << ": no such flag" << DidYouMean(flag, flags) << "\n";
    }
    return kExitMistake;
  }

  const LoadedConfig loaded = LoadConfig(file, SystemEnvironment(), given);
  if (!loaded.mistakes.empty()) {
    for (const std::string& mistake : loaded.mistakes) std::cerr << mistake << "\n";
    std::cerr << "historiand: " << loaded.mistakes.size()
              << (loaded.mistakes.size() == 1 ? " mistake" : " mistakes") << " in the configuration\n";
    // What is in force may still be wanted, to see what to write.
    if (print) std::cout << PrintConfig(loaded.config);
    return kExitMistake;
  }
  if (print) {
    std::cout << PrintConfig(loaded.config);
    return 0;
  }
  if (check) {
    for (const std::string& warning : loaded.warnings) std::cerr << warning << "\n";
    std::cout << "the configuration is good\n";
    return 0;
  }
  return Serve(loaded.config, loaded.warnings, port_file);
}

// The system's Abseil looks for deadlocks whenever a mutex is taken while another is held, in one graph for
// all threads. That is for tests, which do; in operation it is a tenth of what a small frame costs.
void LookForNoDeadlocks() { absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore); }

}  // namespace
}  // namespace historian::server

int main(int argc, char** argv) {
  historian::server::LookForNoDeadlocks();
  historian::server::RaiseDescriptorLimit();
  historian::server::SetUpFilesAndSignals();
  return historian::server::Main(argc, argv);
}
