#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "storage/model/nearest_name.h"
#include "storage/model/version.h"
#include "tools/histctl/commands.h"
#include "tools/histctl/exit_code.h"

namespace historian::histctl {
namespace {

constexpr char kAbout[] =
    "histctl administers a Historian server: tags, samples, imports and exports, its state and its storage.";

constexpr char kWords[] =
    "Times:      2026-11-23T09:00:00Z; local (--tz) 2026-11-23, '2026-11-23 09:00', 23.11.2026, 09:00,\n"
    "            'yesterday 09:00', monday, today-1d, t+8h, y+8h; now, -2h, *-2h, now-1d12h; and counts\n"
    "            since 1970 with their unit: 1795424400s, ...ms, ...us, ...ns\n"
    "            A local time that the clock skips, or that comes twice, is refused: say its offset.\n"
    "Durations:  500ms, 10s, 1h30m, 6 hours, 90d, 2w, 1y\n"
    "Ranges:     --from is included, --to is not\n"
    "Patterns:   * any run of characters, ? one, [a-z] one of a set; put them in quotes\n"
    "\n"
    "Examples:\n"
    "  histctl tag create plant/area-1/pump-199/flow --unit m3/h --description 'Flow behind the pump'\n"
    "  histctl import --tz Europe/Berlin --prefix plant/area-1/ week-47.csv\n"
    "  histctl get plant/area-1/pump-101/flow --from -1h\n"
    "  histctl aggregate 'plant/area-1/*' --from today --interval 1h --aggregate avg,min,max\n"
    "  histctl plot plant/area-1/pump-101/flow --from -1d --tz Europe/Berlin\n"
    "\n";

// What the environment may say.
constexpr absl::string_view kVariablePrefix = "HISTORIAN_";
constexpr const char* kVariables[] = {"SERVER", "TOKEN", "TOKEN_FILE", "TZ"};

// The command, as far as it was typed.
const CLI::App& CommandOf(const CLI::App& app) {
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  return *at;
}

// "histctl tag list".
std::string PathOf(const CLI::App& command) {
  return command.get_parent() == nullptr
             ? command.get_name()
             : absl::StrCat(PathOf(*command.get_parent()), " ", command.get_name());
}

// What is wrong with the command line, and what may have been meant.
std::string Mistake(const CLI::ParseError& error, const CLI::App& app) {
  const std::vector<std::string> left = app.remaining(/*recurse=*/true);
  if (left.empty()) return error.what();
  const CLI::App& command = CommandOf(app);
  const std::string word = left[0].substr(0, left[0].find('='));
  if (absl::StartsWith(word, "-")) {
    std::vector<std::string> known;
    for (const CLI::App* at = &command; at != nullptr; at = at->get_parent()) {
      for (const CLI::Option* option : at->get_options()) {
        for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
      }
    }
    const std::string typed =
        absl::StrCat("--", word.substr(std::min(word.find_first_not_of('-'), word.size())));
    std::vector<std::string> meant;
    for (const std::string& name : known) {
      if (typed.size() > 2 && absl::StartsWith(name, typed)) meant.push_back(name);
    }
    return absl::StrCat("'", PathOf(command), "' has no option ", word,
                        meant.size() == 1 ? DidYouMean(meant) : DidYouMean(typed, known));
  }
  std::vector<std::string> known;
  for (const CLI::App* below : command.get_subcommands([](const CLI::App*) { return true; })) {
    if (!below->get_group().empty()) known.push_back(below->get_name());
  }
  if (!known.empty()) {
    return absl::StrCat("'", PathOf(command), "' has no command ", word, DidYouMean(word, known));
  }
  std::vector<std::string> takes;
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_positional()) takes.push_back(option->get_name());
  }
  return absl::StrCat("'", left[0], "' was not expected: '", PathOf(command), "' takes ",
                      takes.empty() ? "options only" : absl::StrJoin(takes, " "),
                      "; a text with a space or a * is one with quotes around it");
}

std::string Hint(const absl::Status& status, const CLI::App& app, const Context& context) {
  switch (ExitCodeOf(status)) {
    case kExitUsage:
      return absl::StrCat("  '", PathOf(CommandOf(app)), " --help' explains ",
                          app.get_subcommands().empty() ? "the commands.\n" : "the command.\n");
    case kExitUnreachable: {
      // What a server with TLS does to one who speaks plainly, and the other way round. Later it has gone away.
      const bool closed = absl::StrContains(status.message(), "failed to connect") &&
                          (absl::StrContains(status.message(), "Socket closed") ||
                           absl::StrContains(status.message(), "onnection reset"));
      const bool handshake = absl::StrContains(status.message(), "andshake");
      if (!context.UsesTls() && closed) {
        return absl::StrCat("  Somebody answers at ", context.server,
                            " but hangs up: it may want TLS. Try --tls, or --ca FILE with its authority.\n");
      }
      if (context.UsesTls() && (closed || handshake)) {
        return absl::StrCat(
            "  Somebody answers at ", context.server,
            " but not with TLS that is trusted: see --ca and --tls-name, or leave --tls away.\n");
      }
      return absl::StrCat("  Is the server running at ", context.server,
                          "? Say where it is with --server HOST:PORT or HISTORIAN_SERVER.\n");
    }
    default:
      return "";
  }
}

// A variable that is nearly one of ours. Those of the server are none of ours.
void WarnOfVariables(Context* context) {
  const std::vector<std::string> known(std::begin(kVariables), std::end(kVariables));
  for (char** entry = environ; *entry != nullptr; ++entry) {
    absl::string_view name = *entry;
    name = name.substr(0, name.find('='));
    if (!absl::ConsumePrefix(&name, kVariablePrefix)) continue;
    std::vector<std::string> nearest = NearestNames(name, known, 1);
    if (nearest.empty() || nearest[0] == name) continue;
    nearest[0].insert(0, kVariablePrefix.data(), kVariablePrefix.size());
    context->Note(absl::StrCat("the environment has ", kVariablePrefix, name,
                               ", which says nothing to histctl", DidYouMean(nearest)));
  }
}

// `put TAG -inf` and `put TAG -- -inf --time now`: CLI11 takes -inf for three options, and no option behind --. So the value
// goes to the end, with -- in front of it.
std::vector<std::string> WithNegativeWordsLast(int argc, const char* const* argv) {
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  const auto put = std::find(words.begin(), words.end(), "put");
  for (auto word = put; word != words.end(); ++word) {
    const bool dashes = *word == "--";
    if (dashes ? std::next(word) == words.end()
               : !absl::EqualsIgnoreCase(*word, "-inf") && !absl::EqualsIgnoreCase(*word, "-nan")) {
      continue;
    }
    const auto value = dashes ? std::next(word) : word;
    if (dashes && !(std::next(value) != words.end() && absl::StartsWith(*std::next(value), "--"))) break;
    const std::string text = *value;
    words.erase(word, std::next(value));
    words.insert(words.end(), {"--", text});
    break;
  }
  return words;
}

}  // namespace

int RunHistctl(int argc, const char* const* argv, Context* context) {
  CLI::App app(kAbout, "histctl");
  app.require_subcommand(0, 1);
  app.fallthrough();
  app.footer(absl::StrCat("\n", kWords, std::string(kExitCodesHelp)));
  app.add_option("--server", context->server, "the server's HOST:PORT")
      ->envname("HISTORIAN_SERVER")
      ->capture_default_str();
  app.add_flag("--tls", context->tls, "use TLS, and trust the system's certificate authorities");
  app.add_option("--ca", context->ca, "use TLS, and trust the authorities in this PEM file");
  app.add_option("--cert", context->cert, "our certificate (PEM), for a server that asks for one");
  app.add_option("--key", context->key, "the private key of --cert (PEM)");
  app.add_option("--token-file", context->token_file,
                 "file with the token to show (histctl token create); or the token itself in HISTORIAN_TOKEN")
      ->envname("HISTORIAN_TOKEN_FILE");
  app.add_option("--tls-name", context->tls_name, "the name in the server's certificate, if it is not HOST");
  app.add_option("--tz,--zone", context->tz,
                 "time zone of local times, read and printed: UTC, local, Europe/Berlin, ...")
      ->envname("HISTORIAN_TZ")
      ->capture_default_str();
  app.add_option("--format", context->format_name, "how to print: table, csv or json")->capture_default_str();
  app.set_version_flag("--version", absl::StrCat("histctl ", kVersion));

  AddTagCommand(&app, context);
  AddPutCommand(&app, context);
  AddGetCommand(&app, context);
  AddLatestCommand(&app, context);
  AddAtCommand(&app, context);
  AddAggregateCommand(&app, context);
  AddExplainCommand(&app, context);
  AddPlotCommand(&app, context);
  AddImportCommand(&app, context);
  AddExportCommand(&app, context);
  AddStatusCommand(&app, context);
  AddStorageCommand(&app, context);
  AddSealCommand(&app, context);
  AddRetentionCommand(&app, context);
  AddHoldCommand(&app, context);
  AddVerifyCommand(&app, context);
  AddSalvageCommand(&app, context);
  AddBackupCommand(&app, context);
  AddBlockCommand(&app, context);
  AddCompletionCommand(&app, context);
  AddVersionCommand(&app, context);
  AddProducerCommand(&app, context);
  AddTokenCommand(&app, context);

  if (argc > 1 && absl::string_view(argv[1]) == kCompleteCommand) {
    Complete(&app, std::vector<std::string>(argv + 2, argv + argc), context);
    return context->out->Close().ok() ? kExitOk : kExitLocalFile;
  }
  try {
    std::vector<std::string> words = WithNegativeWordsLast(argc, argv);
    std::reverse(words.begin(), words.end());  // As CLI11 takes them.
    app.parse(std::move(words));
  } catch (const CLI::CallForHelp&) {
    context->out->Append(app.help());
    return context->out->Close().ok() ? kExitOk : kExitLocalFile;
  } catch (const CLI::CallForAllHelp&) {
    context->out->Append(app.help("", CLI::AppFormatMode::All));
    return context->out->Close().ok() ? kExitOk : kExitLocalFile;
  } catch (const CLI::CallForVersion& version) {
    context->out->Append(absl::StrCat(version.what(), "\n"));
    return context->out->Close().ok() ? kExitOk : kExitLocalFile;
  } catch (const CLI::ParseError& error) {
    const absl::Status status = UsageError(Mistake(error, app));
    context->Note(status.message());
    context->err->Append(Hint(status, app, *context));
    context->err->Flush().IgnoreError();
    return kExitUsage;
  }
  if (!context->run) {
    context->out->Append(app.help());
    context->out->Close().IgnoreError();
    return kExitUsage;
  }

  WarnOfVariables(context);
  absl::Status status = context->Prepare();
  if (status.ok()) status = context->run();
  if (const absl::Status printed = context->out->Close(); status.ok()) status = printed;
  const ExitCode code = ExitCodeOf(status);
  if (!status.ok()) {
    context->Note(status.message());
    context->err->Append(Hint(status, app, *context));
    context->err->Flush().IgnoreError();
    return code;
  }
  return context->failures > 0 ? kExitSomeFailed : kExitOk;
}

}  // namespace historian::histctl
