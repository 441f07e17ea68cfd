// File: storage/kv/file_log.h
//
// A Log (store.h) on files of one directory.
//
//   00000000000000000000.seg   00000000000016777216.seg   00000000000033554432.seg
//   |======= full =======|     |======= full =======|     |=== filled ===|000000|
//   ^ begin()                                             end() while open ^    ^ end() after reopening
//
// A segment is named by its first position (20 digits) and holds as many positions as its file has bytes; the
// next begins where it ends; if that one is missing, or this one was cut, what lies between reads as zeros, as damage
// that the reader recognises like any other. Segments are allocated whole and empty before they get their name, so that the
// fdatasync of an append has no file size to write. Nothing but the bytes appended is stored: after
// reopening, end() is the end of the last segment, and what was never written reads as zeros (see Log::end).
//
// Append writes only to room that is allocated: a full disk is noticed before a byte is written, the log
// stays as it was, and appends succeed again once there is room. Truncate zeroes what lies behind its
// position, so that bytes of an abandoned record can never be taken for a later one.
//
// Beside the segments there is a file SYNCED: the end of the log as of its last Sync, 8 bytes, and their complement. It is
// written behind each Sync and not synced itself: after a power cut it may say less than is true, never more. So what a
// killed process had synced and a disk has lost is noticed, even where it reads as zeros, like what was never written.
//
// Errors: ResourceExhausted, no room for another segment.
//         DataLoss at open, a segment reaches into the next.
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
  // read_only: nothing in the directory is changed, which may be missing; every change is FailedPrecondition.
  static absl::StatusOr<std::unique_ptr<FileLog>> Open(std::string directory, uint64_t segment_bytes,
                                                       uint64_t reserve_bytes, bool read_only = false);

  absl::Status Append(absl::string_view bytes) override;
  absl::Status Sync() override;
  uint64_t begin() const override;
  uint64_t end() const override;
  absl::StatusOr<std::string> Read(uint64_t position, size_t size) const override;
  uint64_t synced_end() const override { return synced_at_open_; }
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
    const std::string path;  // Empty: it is missing, and reads as zeros.
    const uint64_t start;
    uint64_t size;       // Positions it holds: the length of its file. Guarded by the log's mutex_.
    bool dirty = false;  // Written since its last sync. Guarded by the log's mutex_.
  };
  using Segments = std::deque<std::shared_ptr<Segment>>;

  FileLog(std::string directory, uint64_t segment_bytes, uint64_t reserve_bytes, bool read_only);

  std::string SegmentPath(uint64_t start) const;
  absl::Status Load();
  absl::Status CheckWritable() const;
  // Takes 0 for what is not known.
  uint64_t ReadSynced() const;
  void WriteSynced(uint64_t position);
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
  const bool read_only_;
  Fd synced_;                    // Of SYNCED; constant after Open.
  uint64_t synced_at_open_ = 0;  // Constant after Open.

  // Taken in this order. While append_mutex_ is held only Trim changes the list of segments. sync_mutex_
  // makes the OK of a Sync cover an earlier one that is still under way. mutex_ is held only for moments.
  absl::Mutex append_mutex_;
  absl::Mutex sync_mutex_ ABSL_ACQUIRED_AFTER(append_mutex_);
  mutable absl::Mutex mutex_ ABSL_ACQUIRED_AFTER(sync_mutex_);
  Segments segments_ ABSL_GUARDED_BY(mutex_);  // Ascending, without gaps; missing ones are in it.
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
