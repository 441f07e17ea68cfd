// File: tools/histctl/lib/output.h
//
// Where text goes: standard output, a file, or a string in tests. Buffered; the first error is kept and what
// follows it is dropped, so that only Flush need be checked.
//
// Threads: one at a time.
#ifndef HISTORIAN_TOOLS_HISTCTL_LIB_OUTPUT_H_
#define HISTORIAN_TOOLS_HISTCTL_LIB_OUTPUT_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace historian::histctl {

class Output {
 public:
  virtual ~Output() = default;

  void Append(absl::string_view text) {
    buffer_.append(text.data(), text.size());
    if (buffer_.size() >= kBufferBytes) FlushBuffer();
  }
  // Errors: LocalFileError, the first of all writes.
  absl::Status Flush() {
    FlushBuffer();
    return status_;
  }
  // Flushes, and makes it final: a file gets its name only now.
  virtual absl::Status Close() { return Flush(); }
  // Characters of a line, where it goes to a terminal; 0: as many as there are.
  virtual int columns() const { return 0; }

 protected:
  virtual absl::Status Write(absl::string_view bytes) = 0;

 private:
  static constexpr size_t kBufferBytes = 64 * 1024;
  void FlushBuffer();

  std::string buffer_;
  absl::Status status_;
};

// Writes to an open descriptor, which stays open.
std::unique_ptr<Output> OutputToDescriptor(int fd, absl::string_view name);

// Writes FILE.part and renames it to FILE in Close, so that a FILE is never half of one. A pipe or
// a device (/dev/stdout) is written to as it is. Errors: LocalFileError.
absl::StatusOr<std::unique_ptr<Output>> OutputToFile(const std::string& path);

class StringOutput : public Output {
 public:
  explicit StringOutput(int columns = 0) : columns_(columns) {}

  int columns() const override { return columns_; }
  const std::string& text() {
    Flush().IgnoreError();
    return text_;
  }

 protected:
  absl::Status Write(absl::string_view bytes) override {
    text_.append(bytes.data(), bytes.size());
    return absl::OkStatus();
  }

 private:
  const int columns_;
  std::string text_;
};

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_LIB_OUTPUT_H_
