#include "storage/kv/message_file.h"

#include <fcntl.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace historian::kv {
namespace {

constexpr uint64_t kFileBytesMax = uint64_t{1} << 20;
constexpr int kMessageBytesMax = 4096;

}  // namespace

MessageFile::MessageFile(std::string path) : rocksdb::Logger(rocksdb::WARN_LEVEL), path_(std::move(path)) {
  absl::MutexLock lock(&mutex_);
  absl::StatusOr<Fd> file = OpenFile(path_, O_WRONLY | O_CREAT);
  if (!file.ok()) return;
  file_ = *std::move(file);
  size_bytes_ = FileSize(file_, path_).value_or(0);
}

void MessageFile::Logv(const char* format, va_list arguments) {
  char message[kMessageBytesMax];
  const int size = std::vsnprintf(message, sizeof(message), format, arguments);
  if (size < 0) return;
  const std::string line =
      absl::StrCat(absl::FormatTime(absl::Now(), absl::UTCTimeZone()), " ",
                   absl::string_view(message, std::min(size, kMessageBytesMax - 1)), "\n");
  absl::MutexLock lock(&mutex_);
  if (size_bytes_ + line.size() > kFileBytesMax) {
    if (std::rename(path_.c_str(), absl::StrCat(path_, ".old").c_str()) != 0) return;
    absl::StatusOr<Fd> file = OpenFile(path_, O_WRONLY | O_CREAT | O_TRUNC);
    if (!file.ok()) return;
    file_ = *std::move(file);
    size_bytes_ = 0;
  }
  if (WriteAt(file_, line, size_bytes_, path_).ok()) size_bytes_ += line.size();
}

}  // namespace historian::kv
