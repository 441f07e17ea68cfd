#include "tools/histctl/lib/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "storage/model/status_macros.h"
#include "tools/histctl/exit_code.h"
#include "tools/histctl/lib/terminal.h"

namespace historian::histctl {
namespace {

class DescriptorOutput : public Output {
 public:
  DescriptorOutput(int fd, absl::string_view name) : fd_(fd), name_(name) {}

  int columns() const override { return IsTerminal(fd_) ? SizeOfTerminal(fd_).columns : 0; }

 protected:
  absl::Status Write(absl::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return LocalFileError(absl::StrCat("writing ", name_, ": ", strerror(errno)));
      bytes.remove_prefix(static_cast<size_t>(written));
    }
    return absl::OkStatus();
  }

  const int fd_;
  const std::string name_;
};

class FileOutput : public DescriptorOutput {
 public:
  // `part` is empty for what keeps its name.
  FileOutput(int fd, const std::string& path, std::string part)
      : DescriptorOutput(fd, path), part_(std::move(part)) {}
  ~FileOutput() override {
    if (closed_) return;
    close(fd_);
    if (!part_.empty()) unlink(part_.c_str());
  }

  absl::Status Close() override {
    RETURN_IF_ERROR(Flush());
    closed_ = true;
    if (close(fd_) != 0) return LocalFileError(absl::StrCat("writing ", name_, ": ", strerror(errno)));
    if (!part_.empty() && rename(part_.c_str(), name_.c_str()) != 0) {
      return LocalFileError(absl::StrCat("renaming ", part_, " to ", name_, ": ", strerror(errno)));
    }
    return absl::OkStatus();
  }

 private:
  const std::string part_;
  bool closed_ = false;
};

}  // namespace

void Output::FlushBuffer() {
  if (status_.ok()) status_ = Write(buffer_);
  buffer_.clear();
}

std::unique_ptr<Output> OutputToDescriptor(int fd, absl::string_view name) {
  return std::make_unique<DescriptorOutput>(fd, name);
}

absl::StatusOr<std::unique_ptr<Output>> OutputToFile(const std::string& path) {
  struct stat info;
  const bool plain = stat(path.c_str(), &info) != 0 || S_ISREG(info.st_mode);
  const std::string part = plain ? path + ".part" : "";
  const int fd = open(plain ? part.c_str() : path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return LocalFileError(absl::StrCat("creating ", path, ": ", strerror(errno)));
  return std::make_unique<FileOutput>(fd, path, part);
}

}  // namespace historian::histctl
