// File: tools/histctl/exit_code.h
//
// What histctl says to a script that called it. `histctl --help` prints the same list.
#ifndef HISTORIAN_TOOLS_HISTCTL_EXIT_CODE_H_
#define HISTORIAN_TOOLS_HISTCTL_EXIT_CODE_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace historian::histctl {

// DO NOT RENUMBER: scripts stand on it.
enum ExitCode : int {
  kExitOk = 0,
  kExitSomeFailed = 1,   // Done, but some rows, samples or tags failed; each is named on stderr.
  kExitUsage = 2,        // The command line is wrong.
  kExitNotFound = 3,     // No such tag, block, rule or the like, or no tag matches.
  kExitUnreachable = 4,  // The server does not answer, or not in time.
  kExitRefused = 5,      // The server refused for another reason.
  kExitLocalFile = 6,    // A file on this machine cannot be read or written, or is not what it should be.
  kExitDamaged =
      7,  // Stored bytes are not what they should be: found by `verify` or met by a read; `salvage` lost some.
  kExitInterrupted = 130,  // Ctrl-C.
};

inline constexpr absl::string_view kExitCodesHelp =
    "Exit codes:\n"
    "  0    done\n"
    "  1    done, but some rows, samples or tags failed (each is named on stderr)\n"
    "  2    the command line is wrong\n"
    "  3    no such tag, block, rule, hold, producer, token or backup, or no tag matches a pattern\n"
    "  4    the server does not answer\n"
    "  5    the server refused\n"
    "  6    a local file cannot be read or written\n"
    "  7    stored data are damaged: verify found it, a read met it, or salvage could not read everything\n"
    "  130  interrupted\n";

// Errors that are known to be of one kind where they arise; ExitCodeOf finds it again, through Annotate too
// if the marking comes last.
absl::Status UsageError(absl::string_view message);
absl::Status LocalFileError(absl::string_view message);
absl::Status InterruptedError(absl::string_view message);
absl::Status DamagedError(absl::string_view message);
// Ended early because items failed: kExitSomeFailed.
absl::Status StoppedError(absl::string_view message);

// As marked by the functions above; else by the status code, which is then the server's answer.
ExitCode ExitCodeOf(const absl::Status& status);

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_EXIT_CODE_H_
