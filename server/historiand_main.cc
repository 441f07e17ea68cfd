// historiand: the server of Historian.
//
// Exit codes
//   0   stopped as asked (SIGTERM, SIGINT, SIGQUIT), everything sealed; or the printing, checking or making that was asked
//       for is done
//   1   could not start, failed while stopping, was told twice to stop, or can no longer be reached by clients, so that
//       whoever supervises it must start it anew: the log says why
//   2   a mistake in the configuration or on the command line: standard error lists all of them
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "server/config.h"
#include "server/grpc_log.h"
#include "server/log.h"
#include "server/new_archive.h"
#include "server/process.h"
#include "server/server.h"
#include "server/signals.h"
#include "server/supervisor.h"
#include "server/surroundings.h"
#include "server/upgrade_check.h"
#include "storage/archive/archive.h"
#include "storage/kv/rocksdb_store.h"
#include "storage/kv/store_directory.h"
#include "storage/model/clock.h"
#include "storage/model/nearest_name.h"
#include "storage/model/units.h"
#include "storage/model/version.h"

namespace historian::server {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitMistake = 2;

// What the program takes beside limits.memory_budget (docs/operations.md, Memory).
constexpr uint64_t kMemoryBeside = uint64_t{256} << 20;

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

// A watchdog that waits for less than two probes would end a server that is well.
void WarnOfWatchdog(const Config& config, const Supervisor& supervisor, Log& log) {
  const absl::Duration least = 4 * config.limits.probe_interval;
  if (supervisor.watchdog() >= least) return;
  log.Warning("watchdog_short",
              {{"watchdog", PrintDuration(supervisor.watchdog())},
               {"least", PrintDuration(least)},
               {"danger",
                "the server shows that it lives whenever it has answered its own probe; raise "
                "WatchdogSec= of its unit"}});
}

// A mistyped data_dir would otherwise look like a loss of everything.
void WarnOfNewArchive(const std::string& data_dir, Log& log) {
  const auto state = kv::StoreDirectory::Look(data_dir);
  if (!state.ok() || *state == kv::StoreDirectory::State::kStore) return;
  log.Warning(
      "new_archive",
      {{"data_dir", data_dir},
       {"meaning",
        "there is no archive at data_dir: a new, empty one is made; if there should be one, data_dir is "
        "wrong, or its disk is not mounted"}});
}

int Serve(const Config& config, const std::vector<std::string>& warnings, const std::string& port_file) {
  absl::StatusOr<std::unique_ptr<Log>> opened =
      Log::Open(config.log.file, config.log.level, config.log.format);
  if (!opened.ok()) {
    std::cerr << "historiand: log.file: " << opened.status().message() << "\n";
    return kExitMistake;
  }
  Log& log = **opened;
  for (const std::string& warning : warnings) log.Warning("configuration", {{"message", warning}});
  const GrpcLog grpc_log_here(log);
  WarnOfOpenDirectory(config.data_dir, log);
  WarnOfMemoryLimit(config.limits.memory_budget + kMemoryBeside, MemoryLimit(), log);
  Supervisor supervisor;
  WarnOfWatchdog(config, supervisor, log);
  supervisor.Starting(absl::StrCat("starting: opening the archive in ", config.data_dir));
  Signals& signals = Signals::Take(log);
  const auto stop_signals = absl::MakeCleanup([&signals] { signals.Stop(); });
  signals.OnHangup([&supervisor] { supervisor.Reloading(); });
  signals.OnHangup([&log] { log.Reopen(); });

  absl::Status status = RefuseToBeRootElsewhere(config.data_dir);
  absl::StatusOr<std::unique_ptr<Server>> server = absl::UnknownError("not started");
  if (status.ok()) {
    const auto open_store = [&config, &log] {
      WarnOfNewArchive(config.data_dir, log);
      return kv::OpenRocksDbStore({.path = config.data_dir, .block_cache_bytes = config.block_cache_bytes()});
    };
    server = Server::Start(
        config, open_store, Clock::System(), log, [&signals] { signals.Fail(); },
        [&supervisor] { supervisor.Alive(); });
    status = server.status();
  }
  if (status.ok() && !port_file.empty()) status = WritePortFile(port_file, **server);
  if (!status.ok()) {
    log.Error("start_failed",
              {{"code", absl::StatusCodeToString(status.code())}, {"message", status.message()}});
    supervisor.Stopping(absl::StrCat("could not start: ", status.message()));
    return kExitFailed;
  }
  // A signal may still be on its way when the server is gone.
  const std::shared_ptr<Server> serving = *std::move(server);
  signals.OnHangup([weak = std::weak_ptr<Server>(serving)] {
    if (const std::shared_ptr<Server> there = weak.lock()) there->Reread();
  });
  signals.OnHangup([&supervisor] { supervisor.Reloaded(); });
  const ArchiveStats stats = serving->archive().Stats();
  supervisor.Ready(stats.read_only.ok() ? absl::StrCat("serving gRPC on ", serving->grpc_address(),
                                                       ", HTTP on ", serving->http_address())
                                        : absl::StrCat("open for reading only: ", stats.read_only.message()));
  const bool failed = signals.Wait();
  supervisor.Stopping(failed ? "no longer reached by clients: sealing and ending" : "sealing and ending");
  return serving->Stop().ok() && !failed ? 0 : kExitFailed;
}

int SayMistakes(const std::vector<std::string>& mistakes) {
  for (const std::string& mistake : mistakes) std::cerr << mistake << "\n";
  std::cerr << "historiand: " << mistakes.size() << (mistakes.size() == 1 ? " mistake" : " mistakes")
            << " in the configuration\n";
  return kExitMistake;
}

int Check(const LoadedConfig& loaded) {
  const Surroundings found = LookAtSurroundings(loaded, Clock::System());
  for (const std::string& warning : loaded.warnings) std::cerr << "warning: " << warning << "\n";
  for (const std::string& warning : found.warnings) std::cerr << "warning: " << warning << "\n";
  if (!found.mistakes.empty()) return SayMistakes(found.mistakes);
  std::cout << "the configuration is good\n";
  return 0;
}

int SayUpgrade(const std::string& data_dir) {
  const absl::StatusOr<UpgradeCheck> check = CheckUpgrade(data_dir);
  if (!check.ok()) {
    std::cerr << "historiand: --upgrade-check: " << check.status().message() << "\n";
    return kExitFailed;
  }
  std::cout << check->text;
  return check->ok ? 0 : kExitFailed;
}

int Init(const LoadedConfig& loaded, const std::string& config_file) {
  const absl::StatusOr<std::string> said = MakeNewArchive(loaded.config, config_file);
  if (!said.ok()) {
    std::cerr << "historiand: --init: " << said.status().message() << "\n";
    return kExitFailed;
  }
  std::cout << "historiand: " << *said;
  return 0;
}

int Main(int argc, char** argv) {
  CLI::App app{
      "historiand, the server of Historian: stores samples of a plant and answers questions about them.\n"
      "Every setting can stand in the file, in the environment and on the command line; the latter wins.\n"
      "Sizes: 512MiB, 2G. Durations: 250ms, 10s, 1h30m, 6 hours, 90d, 1y.\n"
      "Exit codes: 0 stopped as asked; 1 could not start or stop well, or could no longer be reached; 2 a "
      "mistake in the configuration.\n"
      "SIGTERM, SIGINT and SIGQUIT stop it; SIGHUP opens log.file anew and rereads certificates and "
      "permissions."};
  app.set_version_flag("--version", absl::StrCat("historiand ", kVersion));
  std::string file, port_file, init_directory;
  bool print = false, check = false, upgrade_check = false;
  app.add_option("--config", file, "TOML file of the configuration")->type_name("FILE");
  app.add_option("--port-file", port_file, "Write grpc=HOST:PORT and http=HOST:PORT here when ready")
      ->type_name("FILE");
  CLI::Option* const init =
      app.add_option("--init", init_directory,
                     "Make a new, empty archive in DIR (default: data_dir) and a configuration (--config "
                     "FILE, default "
                     "DIR/historian.toml; one that exists stays), say what to do next, and exit")
          ->type_name("DIR")
          ->expected(0, 1);
  app.add_flag("--print-config", print, "Print the configuration in force, with comments, and exit");
  app.add_flag(
      "--check-config", check,
      "Report every mistake of the configuration, and what of it would not do here (files, directories, "
      "addresses), and exit");
  app.add_flag("--upgrade-check", upgrade_check,
               "Say what this build would make of the archive in data_dir, whose server is stopped, change "
               "nothing, and exit");
  FlagValues given;
  std::vector<std::string> flags = {"--config",       "--port-file",     "--init",    "--print-config",
                                    "--check-config", "--upgrade-check", "--insecure"};
  for (const SettingInfo& setting : Settings()) {
    flags.push_back(setting.flag);
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
  } catch (const CLI::ExtrasError&) {
    for (const std::string& unknown : app.remaining()) {
      const std::string name = unknown.substr(0, unknown.find('='));
      std::cerr << "historiand: " << name << ": no such flag" << DidYouMean(name, flags) << "\n";
    }
    std::cerr << "historiand --help lists the flags\n";
    return kExitMistake;
  } catch (const CLI::ParseError& error) {
    app.exit(error);
    return kExitMistake;
  }

  if (!init_directory.empty()) given["data_dir"] = init_directory;
  std::error_code error;
  // That of --init may be still to be written.
  const bool writes_config = init->count() > 0 && !std::filesystem::exists(file, error);
  const LoadedConfig loaded =
      LoadConfig(writes_config ? "" : file, SystemEnvironment(), given, /*needs_data_dir=*/!print);
  if (!loaded.mistakes.empty()) {
    const int code = SayMistakes(loaded.mistakes);
    // What is in force may still be wanted, to see what to write.
    if (print) std::cout << PrintConfig(loaded.config);
    return code;
  }
  if (print) {
    std::cout << PrintConfig(loaded.config);
    return 0;
  }
  if (check) return Check(loaded);
  if (upgrade_check) return SayUpgrade(loaded.config.data_dir);
  if (init->count() > 0) return Init(loaded, file);
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
