#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/model/version.h"
#include "tools/histctl/commands.h"
#include "tools/histctl/exit_code.h"

namespace historian::histctl {
namespace {

constexpr char kAbout[] =
    "histctl administers a Historian server: tags, samples, imports and exports, its state and its storage.";

constexpr char kWords[] =
    "Times:      2026-11-23T09:00:00Z, local 2026-11-23 or '2026-11-23 09:00' (--tz), now, today, "
    "yesterday,\n"
    "            -2h, now-1d12h, and counts since 1970 with their unit: 1795424400s, ...ms, ...us, ...ns\n"
    "Durations:  500ms, 1s, 1m, 1h, 1d, 1w, 1d12h\n"
    "Ranges:     --from is included, --to is not\n"
    "Patterns:   * any run of characters, ? one, [a-z] one of a set; put them in quotes\n"
    "\n"
    "Examples:\n"
    "  histctl tag create area-1/pump-101/flow --unit m3/h --description 'Flow behind the pump'\n"
    "  histctl import --tz Europe/Berlin --prefix area-1/ week-47.csv\n"
    "  histctl get area-1/pump-101/flow --from -1h\n"
    "  histctl aggregate 'area-1/*' --from today --interval 1h --aggregate avg,min,max\n"
    "  histctl plot area-1/pump-101/flow --from -1d --tz Europe/Berlin\n"
    "\n";

// "histctl tag list", as far as it was typed.
std::string CommandOf(const CLI::App& app) {
  std::string command = "histctl";
  for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
    at = at->get_subcommands().front();
    absl::StrAppend(&command, " ", at->get_name());
  }
  return command;
}

std::string Hint(ExitCode code, const CLI::App& app, const Context& context) {
  switch (code) {
    case kExitUsage:
      return absl::StrCat("  '", CommandOf(app), " --help' explains ",
                          app.get_subcommands().empty() ? "the commands.\n" : "the command.\n");
    case kExitNotFound:
      return "  'histctl tag list' lists the tags; add --retired for retired ones.\n";
    case kExitUnreachable:
      return absl::StrCat("  Is the server running at ", context.server,
                          "? Say where it is with --server HOST:PORT or HISTORIAN_SERVER.\n");
    default:
      return "";
  }
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
  app.add_option("--tz", context->tz,
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
  AddBlockCommand(&app, context);
  AddCompletionCommand(&app, context);
  AddVersionCommand(&app, context);
  AddProducerCommand(&app, context);
  AddTokenCommand(&app, context);

  try {
    app.parse(argc, argv);
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
    context->Note(error.what());
    context->err->Append(Hint(kExitUsage, app, *context));
    context->err->Flush().IgnoreError();
    return kExitUsage;
  }
  if (!context->run) {
    context->out->Append(app.help());
    context->out->Close().IgnoreError();
    return kExitUsage;
  }

  absl::Status status = context->Prepare();
  if (status.ok()) status = context->run();
  if (const absl::Status printed = context->out->Close(); status.ok()) status = printed;
  const ExitCode code = ExitCodeOf(status);
  if (!status.ok()) {
    context->Note(status.message());
    context->err->Append(Hint(code, app, *context));
    context->err->Flush().IgnoreError();
    return code;
  }
  return context->failures > 0 ? kExitSomeFailed : kExitOk;
}

}  // namespace historian::histctl
