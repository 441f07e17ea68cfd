// File: tools/histctl/lib/terminal.h
//
// What is known of the terminal, and the progress line of long commands.
#ifndef HISTORIAN_TOOLS_HISTCTL_LIB_TERMINAL_H_
#define HISTORIAN_TOOLS_HISTCTL_LIB_TERMINAL_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "storage/platform/monotonic.h"

namespace historian::histctl {

bool IsTerminal(int fd);

struct TerminalSize {
  int columns = 80;
  int rows = 24;
};
// Of the terminal behind fd; else as COLUMNS and LINES say; else 80 x 24.
TerminalSize SizeOfTerminal(int fd);

// Whether LC_ALL, LC_CTYPE or LANG (the first that is set) promises UTF-8.
bool LocaleIsUtf8();

// "[#####     ] 45 %  12.3 M samples  4.1 M/s  2 s left": pure, for tests.
std::string ProgressLine(uint64_t done_bytes, uint64_t all_bytes, uint64_t samples, absl::Duration elapsed);

// The line with two spaces and the label behind it, no longer than columns: the label loses its beginning, or is left out, and
// the line its end.
std::string FitLine(absl::string_view line, absl::string_view label, size_t columns);

// One line on stderr, drawn over itself at most ten times a second. Threads: any number.
class Progress {
 public:
  explicit Progress(bool enabled);
  ~Progress() { Clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Update(absl::string_view label, uint64_t done_bytes, uint64_t all_bytes, uint64_t samples);
  // Takes the line away, so that something else can be printed.
  void Clear();

 private:
  const bool enabled_;
  const MonotonicTime begin_;
  absl::Mutex mutex_;
  MonotonicTime drawn_ ABSL_GUARDED_BY(mutex_) = MonotonicTime::InfinitePast();
  bool visible_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_LIB_TERMINAL_H_
