// File: tools/histctl/commands.h
//
// All commands. Each adds itself to the application; `context` must outlive it.
#ifndef HISTORIAN_TOOLS_HISTCTL_COMMANDS_H_
#define HISTORIAN_TOOLS_HISTCTL_COMMANDS_H_

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "tools/histctl/context.h"

namespace historian::histctl {

void AddTagCommand(CLI::App* app, Context* context);
void AddPutCommand(CLI::App* app, Context* context);
void AddGetCommand(CLI::App* app, Context* context);
void AddLatestCommand(CLI::App* app, Context* context);
void AddAtCommand(CLI::App* app, Context* context);
void AddAggregateCommand(CLI::App* app, Context* context);
void AddExplainCommand(CLI::App* app, Context* context);
void AddPlotCommand(CLI::App* app, Context* context);
void AddImportCommand(CLI::App* app, Context* context);
void AddExportCommand(CLI::App* app, Context* context);
void AddStatusCommand(CLI::App* app, Context* context);
void AddStorageCommand(CLI::App* app, Context* context);
void AddSealCommand(CLI::App* app, Context* context);
void AddRetentionCommand(CLI::App* app, Context* context);
void AddHoldCommand(CLI::App* app, Context* context);
void AddVerifyCommand(CLI::App* app, Context* context);
void AddSalvageCommand(CLI::App* app, Context* context);
void AddBackupCommand(CLI::App* app, Context* context);
void AddBlockCommand(CLI::App* app, Context* context);
void AddCompletionCommand(CLI::App* app, Context* context);
void AddVersionCommand(CLI::App* app, Context* context);
void AddProducerCommand(CLI::App* app, Context* context);
// `token` and `whoami`.
void AddTokenCommand(CLI::App* app, Context* context);

// What shells ask with `histctl __complete WORD...` (completion_command.cc): prints what may stand for the last word. Says nothing
// where it knows nothing, and when no server answers.
inline constexpr char kCompleteCommand[] = "__complete";
void Complete(CLI::App* app, const std::vector<std::string>& words, Context* context);

// Parses and runs a command line (argv[0] is the program). Help goes to context->out. The exit code.
int RunHistctl(int argc, const char* const* argv, Context* context);

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_COMMANDS_H_
