// histctl: see `histctl --help`, and commands.h for what there is.

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <memory>

#include "absl/synchronization/mutex.h"
#include "tools/histctl/commands.h"

namespace {

std::atomic<bool> interrupted{false};

// The first Ctrl-C ends long commands in good order; the second one ends the process.
void OnInterrupt(int signal_number) {
  interrupted.store(true);
  signal(signal_number, SIG_DFL);
}

}  // namespace

int main(int argc, char** argv) {
  // Looking for deadlocks is for tests (server/historiand_main.cc).
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  signal(SIGINT, OnInterrupt);
  signal(SIGTERM, OnInterrupt);
  const std::unique_ptr<historian::histctl::Output> out =
      historian::histctl::OutputToDescriptor(STDOUT_FILENO, "standard output");
  const std::unique_ptr<historian::histctl::Output> err =
      historian::histctl::OutputToDescriptor(STDERR_FILENO, "standard error");
  historian::histctl::Context context;
  context.out = out.get();
  context.err = err.get();
  context.interrupted = &interrupted;
  return historian::histctl::RunHistctl(argc, argv, &context);
}
