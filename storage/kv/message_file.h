// File: storage/kv/message_file.h
//
// The log of RocksDB's warnings: a file of at most 1 MiB, and the one before it (".old"). Only for
// rocksdb_store.
//
// RocksDB's own logger stops the process when it writes once more after a write that found the disk full
// (seen with Debian's 7.8.3). This one loses the message instead.
#ifndef HISTORIAN_STORAGE_KV_MESSAGE_FILE_H_
#define HISTORIAN_STORAGE_KV_MESSAGE_FILE_H_

#include <cstdarg>
#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "rocksdb/env.h"
#include "storage/kv/posix_files.h"

namespace historian::kv {

// Threads: any.
class MessageFile : public rocksdb::Logger {
 public:
  explicit MessageFile(std::string path);

  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override;

 private:
  const std::string path_;
  absl::Mutex mutex_;
  Fd file_ ABSL_GUARDED_BY(mutex_);
  uint64_t size_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace historian::kv

#endif  // HISTORIAN_STORAGE_KV_MESSAGE_FILE_H_
