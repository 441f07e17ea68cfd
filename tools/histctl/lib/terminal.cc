#include "tools/histctl/lib/terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/platform/monotonic.h"
#include "tools/histctl/lib/time_text.h"

namespace historian::histctl {
namespace {

constexpr int kBarWidth = 24;

int FromEnvironment(const char* name, int otherwise) {
  const char* text = getenv(name);
  int value = 0;
  return text != nullptr && absl::SimpleAtoi(text, &value) && value > 0 ? std::min(value, 10'000) : otherwise;
}

std::string Short(double count) {
  if (count >= 1e9) return absl::StrFormat("%.2f G ", count / 1e9);
  if (count >= 1e6) return absl::StrFormat("%.2f M ", count / 1e6);
  if (count >= 1e4) return absl::StrFormat("%.1f k ", count / 1e3);
  return absl::StrFormat("%.0f ", count);
}

}  // namespace

bool IsTerminal(int fd) { return isatty(fd) == 1; }

TerminalSize SizeOfTerminal(int fd) {
  TerminalSize size{FromEnvironment("COLUMNS", 80), FromEnvironment("LINES", 24)};
  struct winsize window = {};
  if (IsTerminal(fd) && ioctl(fd, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 && window.ws_row > 0) {
    size = {window.ws_col, window.ws_row};
  }
  return size;
}

bool LocaleIsUtf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = getenv(name);
    if (value == nullptr || *value == 0) continue;
    const std::string lower = absl::AsciiStrToLower(value);
    return absl::StrContains(lower, "utf-8") || absl::StrContains(lower, "utf8");
  }
  return false;
}

std::string ProgressLine(uint64_t done_bytes, uint64_t all_bytes, uint64_t samples, absl::Duration elapsed) {
  const double share =
      all_bytes == 0 ? 1 : std::min(1.0, static_cast<double>(done_bytes) / static_cast<double>(all_bytes));
  const int filled = static_cast<int>(share * kBarWidth);
  const double seconds = std::max(1e-3, absl::ToDoubleSeconds(elapsed));
  std::string line =
      absl::StrFormat("[%s%s] %3.0f %%  %ssamples  %ssamples/s", std::string(filled, '#'),
                      std::string(kBarWidth - filled, ' '), share * 100, Short(static_cast<double>(samples)),
                      Short(static_cast<double>(samples) / seconds));
  if (share > 0.01 && share < 1) {
    const double left = seconds / share * (1 - share);
    absl::StrAppend(&line, "  ", DurationText(static_cast<uint64_t>(left + 0.5) * kNanosPerSecond), " left");
  }
  return line;
}

std::string FitLine(absl::string_view line, absl::string_view label, size_t columns) {
  constexpr size_t kLabelMin = 8;
  const auto characters = [](absl::string_view text) {
    std::vector<size_t> begins;
    for (size_t i = 0; i < text.size(); ++i) {
      if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) begins.push_back(i);
    }
    return begins;
  };
  const std::vector<size_t> of_line = characters(line), of_label = characters(label);
  if (of_line.size() > columns) return std::string(line.substr(0, of_line[columns]));
  if (of_line.size() + 2 + of_label.size() <= columns) return absl::StrCat(line, "  ", label);
  const size_t room = columns - of_line.size();
  if (room < 2 + kLabelMin) return std::string(line);
  return absl::StrCat(line, "  ...", label.substr(of_label[of_label.size() - (room - 5)]));
}

Progress::Progress(bool enabled) : enabled_(enabled), begin_(MonotonicTime::Now()) {}

void Progress::Update(absl::string_view label, uint64_t done_bytes, uint64_t all_bytes, uint64_t samples) {
  if (!enabled_) return;
  absl::MutexLock lock(&mutex_);
  const MonotonicTime now = MonotonicTime::Now();
  if (now - drawn_ < absl::Milliseconds(100)) return;
  drawn_ = now;
  visible_ = true;
  const std::string line =
      absl::StrCat("\r",
                   FitLine(ProgressLine(done_bytes, all_bytes, samples, now - begin_), label,
                           static_cast<size_t>(SizeOfTerminal(STDERR_FILENO).columns - 1)),
                   "\x1b[K");
  fputs(line.c_str(), stderr);
  fflush(stderr);
}

void Progress::Clear() {
  absl::MutexLock lock(&mutex_);
  if (!visible_) return;
  visible_ = false;
  fputs("\r\x1b[K", stderr);
  fflush(stderr);
}

}  // namespace historian::histctl
