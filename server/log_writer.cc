#include "server/log_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "storage/model/status_macros.h"
#include "storage/platform/monotonic.h"

namespace historian::server {
namespace {

// A pipe that poll() calls writable takes this much at once.
constexpr size_t kPipeBytes = 4096;
// How often a writer that waits for a pipe's reader looks whether it is told to stop.
constexpr int kLookMillis = 100;

absl::StatusOr<int> OpenLogFile(const std::string& file) {
  // Missing directories are not made: with root's rights a typing error would become a directory anywhere.
  const std::filesystem::path directory = std::filesystem::absolute(file).parent_path();
  std::error_code error;
  if (!std::filesystem::is_directory(directory, error)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "opening the log file ", file, ": ", directory.string(), " is not a directory",
        error ? absl::StrCat(" (", error.message(), ")") : "",
        "; make the directory, name a file in one that exists, or leave log.file empty for standard error"));
  }
  const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  if (fd < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("opening the log file ", file, ": ", std::strerror(errno)));
  }
  return fd;
}

}  // namespace

struct LogWriter::State {
  State(std::string file, int fd, Words words) : file(std::move(file)), words(std::move(words)), fd(fd) {}
  ~State() {
    if (!file.empty()) close(fd);
  }

  void Run() {
    std::string batch;
    while (true) {
      uint64_t missing = 0;
      bool reopen_now = false;
      {
        absl::MutexLock lock(&mu);
        settled = added;
        changed.SignalAll();
        while (queue.empty() && !reopen && !stop) changed.Wait(&mu);
        if (queue.empty() && !reopen) break;
        batch.clear();
        batch.swap(queue);
        added += std::exchange(queued, 0);
        reopen_now = std::exchange(reopen, false);
        missing = not_said;
      }
      if (reopen_now) Reopen();
      CountDropped(Write(batch));
      if (missing > 0 && Write(absl::StrCat(words.dropped(missing), "\n")) == 0) {
        absl::MutexLock lock(&mu);
        not_said -= missing;
      }
    }
    absl::MutexLock lock(&mu);
    ended = true;
    changed.SignalAll();
  }

  void Reopen() {
    if (file.empty()) return;
    const absl::StatusOr<int> opened = OpenLogFile(file);
    if (opened.ok()) close(std::exchange(fd, *opened));
    Write(absl::StrCat(opened.ok() ? words.reopened() : words.not_reopened(opened.status().message()), "\n"));
  }

  // Returns how many lines could not be written.
  uint64_t Write(absl::string_view text) {
    struct stat info;
    const bool is_file = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    while (!text.empty()) {
      if (!is_file && !WaitUntilWritable()) break;
      const ssize_t n = ::write(fd, text.data(), is_file ? text.size() : std::min(text.size(), kPipeBytes));
      if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (n <= 0) break;
      text.remove_prefix(static_cast<size_t>(n));
    }
    return static_cast<uint64_t>(std::count(text.begin(), text.end(), '\n'));
  }

  // Returns false when the writer was told to stop, and nothing was writable for long enough.
  bool WaitUntilWritable() {
    pollfd it{.fd = fd, .events = POLLOUT, .revents = 0};
    while (poll(&it, 1, kLookMillis) == 0) {
      absl::MutexLock lock(&mu);
      if (stop && MonotonicTime::Now() - stopped_at > kLastWait / 2) return false;
    }
    return true;
  }

  void CountDropped(uint64_t lines) {
    if (lines == 0) return;
    absl::MutexLock lock(&mu);
    not_said += lines;
    dropped += lines;
  }

  const std::string file;  // Empty: standard error.
  const Words words;
  int fd;  // The thread's.

  absl::Mutex mu;
  CondVar changed;
  std::string queue ABSL_GUARDED_BY(mu);      // Lines, each with its newline.
  uint64_t queued ABSL_GUARDED_BY(mu) = 0;    // How many they are.
  uint64_t added ABSL_GUARDED_BY(mu) = 0;     // Lines that the thread ever took from the queue.
  uint64_t settled ABSL_GUARDED_BY(mu) = 0;   // Of these, those that are written or dropped.
  uint64_t dropped ABSL_GUARDED_BY(mu) = 0;   // Lines.
  uint64_t not_said ABSL_GUARDED_BY(mu) = 0;  // Of these, those of which no line has told yet.
  bool reopen ABSL_GUARDED_BY(mu) = false;
  bool stop ABSL_GUARDED_BY(mu) = false;
  MonotonicTime stopped_at ABSL_GUARDED_BY(mu);
  bool ended ABSL_GUARDED_BY(mu) = false;
};

absl::StatusOr<std::unique_ptr<LogWriter>> LogWriter::Open(const std::string& file, Words words) {
  int fd = STDERR_FILENO;
  if (!file.empty()) {
    ASSIGN_OR_RETURN(fd, OpenLogFile(file));
  }
  return absl::WrapUnique(new LogWriter(std::make_shared<State>(file, fd, std::move(words))));
}

LogWriter::LogWriter(std::shared_ptr<State> state)
    : state_(std::move(state)), thread_([state = state_] { state->Run(); }) {}

LogWriter::~LogWriter() {
  bool ended;
  {
    absl::MutexLock lock(&state_->mu);
    state_->stop = true;
    state_->stopped_at = MonotonicTime::Now();
    state_->changed.SignalAll();
    ended = state_->changed.AwaitFor(&state_->mu, kLastWait,
                                     [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return state_->ended; });
  }
  if (ended) {
    thread_.join();
  } else {
    // It hangs in a system call. It keeps what it needs.
    thread_.detach();
  }
}

void LogWriter::Add(absl::string_view line) {
  absl::MutexLock lock(&state_->mu);
  if (state_->queue.size() + line.size() >= kQueueBytesMax) {
    ++state_->dropped;
    ++state_->not_said;
    return;
  }
  const bool was_empty = state_->queue.empty();
  absl::StrAppend(&state_->queue, line, "\n");
  ++state_->queued;
  if (was_empty) state_->changed.SignalAll();
}

void LogWriter::Reopen() {
  absl::MutexLock lock(&state_->mu);
  state_->reopen = true;
  state_->changed.SignalAll();
}

bool LogWriter::Flush(absl::Duration timeout) {
  absl::MutexLock lock(&state_->mu);
  const uint64_t all = state_->added + state_->queued;
  return state_->changed.AwaitFor(&state_->mu, timeout,
                                  [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return state_->settled >= all; });
}

uint64_t LogWriter::dropped() const {
  absl::MutexLock lock(&state_->mu);
  return state_->dropped;
}

}  // namespace historian::server
