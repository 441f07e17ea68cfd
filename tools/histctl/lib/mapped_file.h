// File: tools/histctl/lib/mapped_file.h
//
// A whole file as text, mapped where it can be and read where it cannot (a pipe, /dev/stdin; "-" is standard
// input). A mapped file that is cut short by someone else meanwhile ends the process with SIGBUS.
#ifndef HISTORIAN_TOOLS_HISTCTL_LIB_MAPPED_FILE_H_
#define HISTORIAN_TOOLS_HISTCTL_LIB_MAPPED_FILE_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace historian::histctl {

class MappedFile {
 public:
  // Errors: LocalFileError.
  static absl::StatusOr<MappedFile> Open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept { *this = std::move(other); }
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  absl::string_view text() const {
    return mapping_ != nullptr ? absl::string_view(static_cast<const char*>(mapping_), size_) : read_;
  }

 private:
  MappedFile() = default;
  void* mapping_ = nullptr;
  size_t size_ = 0;
  std::string read_;
};

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_LIB_MAPPED_FILE_H_
