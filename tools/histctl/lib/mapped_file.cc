#include "tools/histctl/lib/mapped_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "tools/histctl/exit_code.h"

namespace historian::histctl {

absl::StatusOr<MappedFile> MappedFile::Open(const std::string& path) {
  const auto failed = [&] { return LocalFileError(absl::StrCat("reading ", path, ": ", strerror(errno))); };
  const int fd = path == "-" ? dup(STDIN_FILENO) : open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return failed();
  const absl::Cleanup close_it = [fd] { close(fd); };
  struct stat info;
  if (fstat(fd, &info) != 0) return failed();
  MappedFile file;
  if (S_ISREG(info.st_mode) && info.st_size > 0) {
    file.size_ = static_cast<size_t>(info.st_size);
    void* const mapping = mmap(nullptr, file.size_, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapping == MAP_FAILED) return failed();
    madvise(mapping, file.size_, MADV_SEQUENTIAL);
    file.mapping_ = mapping;
    return file;
  }
  char buffer[64 * 1024];
  for (;;) {
    const ssize_t got = read(fd, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed();
    if (got == 0) return file;
    file.read_.append(buffer, static_cast<size_t>(got));
  }
}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(mapping_, other.mapping_);
  std::swap(size_, other.size_);
  std::swap(read_, other.read_);
  return *this;
}

MappedFile::~MappedFile() {
  if (mapping_ != nullptr) munmap(mapping_, size_);
}

}  // namespace historian::histctl
