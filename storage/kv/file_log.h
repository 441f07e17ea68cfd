// File: storage/kv/file_log.h
//
// A Log (store.h) on files of one directory.
//
//   00000000000000000000.seg   00000000000016777216.seg   00000000000033554432.seg
//   |======= full =======|     |======= full =======|     |=== filled ===|000000|
//   ^ begin()                                             end() while open ^    ^ end() after reopening
//
// A segment is named by its first position (20 digits) and holds as many positions as its file has bytes; the
// next begins where it ends. Segments are allocated whole and empty before they get their name, so that the
// fdatasync of an append has no file size to write. Nothing but the bytes appended is stored: after
// reopening, end() is the end of the last segment, and what was never written reads as zeros (see Log::end).
//
// Append writes only to room that is allocated: a full disk is noticed before a byte is written, the log
// stays as it was, and appends succeed again once there is room. Truncate zeroes what lies behind its
// position, so that bytes of an abandoned record can never be taken for a later one.
//
// Errors: ResourceExhausted, no room for another segment.
//         DataLoss at open, a segment in the middle is missing or of the wrong length.
//         FailedPrecondition, an Append or Sync failed and Truncate was not yet called.
// Threads: as Log. Append does not wait for a Sync in progress.
#ifndef HISTORIAN_STORAGE_KV_FILE_LOG_H_
#define HISTORIAN_STORAGE_KV_FILE_LOG_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "storage/kv/posix_files.h"
#include "storage/kv/store.h"

namespace historian::kv {

class FileLog : public Log {
 public:
  // Opens the log in the directory, which must exist and be used by this log only. New segments have
  // segment_bytes; none is made if that would leave less than reserve_bytes on the file system.
  static absl::StatusOr<std::unique_ptr<FileLog>> Open(std::string directory, uint64_t segment_bytes,
                                                       uint64_t reserve_bytes);

  absl::Status Append(absl::string_view bytes) override;
  absl::Status Sync() override;
  uint64_t begin() const override;
  uint64_t end() const override;
  absl::StatusOr<std::string> Read(uint64_t position, size_t size) const override;
  absl::Status Trim(uint64_t position) override;
  absl::Status Truncate(uint64_t position) override;

  // What the log held at one moment. It stays readable even if the log is trimmed meanwhile.
  class Capture;
  Capture TakeCapture() const;
  // Writes the capture as a log into an existing empty directory, durably.
  // Errors: Aborted, the log was truncated since, so its bytes may have changed.
  absl::Status CopyTo(const Capture& capture, const std::string& directory) const;

 private:
  struct Segment {
    Segment(Fd fd, std::string path, uint64_t start, uint64_t size)
        : fd(std::move(fd)), path(std::move(path)), start(start), size(size) {}
    uint64_t end() const { return start + size; }

    const Fd fd;
    const std::string path;
    const uint64_t start;
    uint64_t size;       // Positions it holds: the length of its file. Guarded by the log's mutex_.
    bool dirty = false;  // Written since its last sync. Guarded by the log's mutex_.
  };
  using Segments = std::deque<std::shared_ptr<Segment>>;

  FileLog(std::string directory, uint64_t segment_bytes, uint64_t reserve_bytes);

  std::string SegmentPath(uint64_t start) const;
  absl::Status Load();
  // Makes the allocated room end at `position` or later.
  absl::Status EnsureRoom(uint64_t position) ABSL_EXCLUSIVE_LOCKS_REQUIRED(append_mutex_);
  absl::Status AddSegment(uint64_t start) ABSL_EXCLUSIVE_LOCKS_REQUIRED(append_mutex_);
  // A stretch of one segment's file.
  struct Part {
    std::shared_ptr<Segment> segment;
    uint64_t offset;
    size_t size;
  };
  // The parts that hold [from, to), in order.
  std::vector<Part> PartsOf(uint64_t from, uint64_t to) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  const std::string directory_;
  const uint64_t segment_bytes_;
  const uint64_t reserve_bytes_;

  // Taken in this order. While append_mutex_ is held only Trim changes the list of segments. sync_mutex_
  // makes the OK of a Sync cover an earlier one that is still under way. mutex_ is held only for moments.
  absl::Mutex append_mutex_;
  absl::Mutex sync_mutex_ ABSL_ACQUIRED_AFTER(append_mutex_);
  mutable absl::Mutex mutex_ ABSL_ACQUIRED_AFTER(sync_mutex_);
  Segments segments_ ABSL_GUARDED_BY(mutex_);  // Ascending, without gaps.
  uint64_t end_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t truncations_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);  // Of an Append or Sync, until Truncate.
};

class FileLog::Capture {
 private:
  friend class FileLog;
  std::vector<std::pair<std::shared_ptr<Segment>, uint64_t>> parts_;  // And how many of its bytes.
  uint64_t truncations_ = 0;
};

}  // namespace historian::kv

#endif  // HISTORIAN_STORAGE_KV_FILE_LOG_H_
