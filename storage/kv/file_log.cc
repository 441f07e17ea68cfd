#include "storage/kv/file_log.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/model/check.h"
#include "storage/model/status_macros.h"

namespace historian::kv {
namespace {

constexpr absl::string_view kSuffix = ".seg";
constexpr absl::string_view kUnfinishedSuffix = ".seg.new";
constexpr size_t kDigits = 20;
constexpr char kSyncedName[] = "/SYNCED";

absl::StatusOr<std::vector<std::string>> FileNames(const std::string& directory) {
  DIR* const dir = ::opendir(directory.c_str());
  if (dir == nullptr) return ErrnoStatus(errno, "listing", directory);
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(dir)) names.emplace_back(entry->d_name);
  ::closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

FileLog::FileLog(std::string directory, uint64_t segment_bytes, uint64_t reserve_bytes, bool read_only)
    : directory_(std::move(directory)),
      segment_bytes_(segment_bytes),
      reserve_bytes_(reserve_bytes),
      read_only_(read_only) {
  HISTORIAN_CHECK(segment_bytes_ > 0);
}

std::string FileLog::SegmentPath(uint64_t start) const {
  return absl::StrFormat("%s/%020u%s", directory_, start, kSuffix);
}

absl::StatusOr<std::unique_ptr<FileLog>> FileLog::Open(std::string directory, uint64_t segment_bytes,
                                                       uint64_t reserve_bytes, bool read_only) {
  auto log = absl::WrapUnique(new FileLog(std::move(directory), segment_bytes, reserve_bytes, read_only));
  log->synced_at_open_ = log->ReadSynced();
  RETURN_IF_ERROR(log->Load());
  if (!read_only) {
    // On a full disk there may be no room for it; then less is known the next time.
    absl::StatusOr<Fd> synced = OpenFile(log->directory_ + kSyncedName, O_RDWR | O_CREAT);
    if (synced.ok()) log->synced_ = *std::move(synced);
  }
  return log;
}

absl::Status FileLog::CheckWritable() const {
  if (!read_only_) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("the log ", directory_, " is open for reading only"));
}

uint64_t FileLog::ReadSynced() const {
  const absl::StatusOr<std::string> bytes = ReadFileToString(directory_ + kSyncedName);
  uint64_t words[2];
  if (!bytes.ok() || bytes->size() != sizeof(words)) return 0;
  std::memcpy(words, bytes->data(), sizeof(words));
  return words[0] == ~words[1] ? words[0] : 0;
}

void FileLog::WriteSynced(uint64_t position) {
  const uint64_t words[2] = {position, ~position};
  if (synced_.get() < 0) return;
  WriteAt(synced_, {reinterpret_cast<const char*>(words), sizeof(words)}, 0, directory_ + kSyncedName)
      .IgnoreError();
}

absl::Status FileLog::Load() {
  absl::StatusOr<std::vector<std::string>> listed = FileNames(directory_);
  if (read_only_ && absl::IsNotFound(listed.status())) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<std::string> names, std::move(listed));
  absl::MutexLock lock(&mutex_);
  for (const std::string& name : names) {
    const std::string path = absl::StrCat(directory_, "/", name);
    if (absl::EndsWith(name, kUnfinishedSuffix)) {
      if (!read_only_) RETURN_IF_ERROR(Unlink(path));
      continue;
    }
    uint64_t start = 0;
    if (name.size() != kDigits + kSuffix.size() || !absl::EndsWith(name, kSuffix) ||
        !absl::SimpleAtoi(name.substr(0, kDigits), &start)) {
      continue;
    }
    ASSIGN_OR_RETURN(Fd fd, OpenFile(path, read_only_ ? O_RDONLY : O_RDWR));
    ASSIGN_OR_RETURN(const uint64_t size, FileSize(fd, path));
    if (const uint64_t before = end_; !segments_.empty() && before != start) {
      if (before > start) {
        return absl::DataLossError(absl::StrCat("log segment ", path, " does not follow ",
                                                segments_.back()->path, ", which ends at ", before));
      }
      segments_.push_back(std::make_shared<Segment>(Fd(), "", before, start - before));
    }
    segments_.push_back(std::make_shared<Segment>(std::move(fd), path, start, size));
    // Whoever wrote here last may have been killed before its sync.
    segments_.back()->dirty = true;
    end_ = start + size;
  }
  return absl::OkStatus();
}

absl::Status FileLog::AddSegment(uint64_t start) {
  const std::string path = SegmentPath(start);
  const std::string unfinished = absl::StrCat(path, ".new");
  absl::StatusOr<Fd> fd = OpenFile(unfinished, O_RDWR | O_CREAT | O_TRUNC);
  RETURN_IF_ERROR(fd.status());
  absl::Status status = Allocate(*fd, segment_bytes_, unfinished);
  // The length must be durable before the next segment's name is: a gap would look like a lost segment.
  if (status.ok()) status = SyncData(*fd, unfinished);
  if (status.ok() && std::rename(unfinished.c_str(), path.c_str()) != 0) {
    status = ErrnoStatus(errno, "renaming to", path);
  }
  if (!status.ok()) {
    ::unlink(unfinished.c_str());
    return status;
  }
  status = SyncDirectory(directory_);
  if (!status.ok()) {
    ::unlink(path.c_str());
    return status;
  }
  absl::MutexLock lock(&mutex_);
  segments_.push_back(std::make_shared<Segment>(*std::move(fd), path, start, segment_bytes_));
  return absl::OkStatus();
}

absl::Status FileLog::EnsureRoom(uint64_t position) {
  while (true) {
    std::shared_ptr<Segment> last;
    {
      absl::MutexLock lock(&mutex_);
      if (!segments_.empty()) last = segments_.back();
      if (last == nullptr ? position == 0 : last->end() >= position) return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(const DiskRoom room, RoomAt(directory_));
    if (room.free_bytes < segment_bytes_ + reserve_bytes_) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "no room for another segment of the log ", directory_, ": ", room.free_bytes, " bytes are free, ",
          segment_bytes_, " and ", reserve_bytes_, " in reserve are needed"));
    }
    if (last != nullptr && last->size < segment_bytes_) {
      // Shortened by Truncate on a full disk, or the end of a checkpoint.
      RETURN_IF_ERROR(Allocate(last->fd, segment_bytes_, last->path));
      RETURN_IF_ERROR(SyncData(last->fd, last->path));
      absl::MutexLock lock(&mutex_);
      last->size = segment_bytes_;
    } else {
      RETURN_IF_ERROR(AddSegment(last == nullptr ? 0 : last->end()));
    }
  }
}

std::vector<FileLog::Part> FileLog::PartsOf(uint64_t from, uint64_t to) const {
  std::vector<Part> parts;
  for (const std::shared_ptr<Segment>& segment : segments_) {
    const uint64_t first = std::max(from, segment->start);
    const uint64_t last = std::min(to, segment->end());
    if (first < last) parts.push_back({segment, first - segment->start, static_cast<size_t>(last - first)});
  }
  return parts;
}

absl::Status FileLog::Append(absl::string_view bytes) {
  RETURN_IF_ERROR(CheckWritable());
  absl::MutexLock append_lock(&append_mutex_);
  uint64_t from = 0;
  {
    absl::MutexLock lock(&mutex_);
    if (!failure_.ok()) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the log ", directory_, " must be truncated first, for it failed: ", failure_.message()));
    }
    from = end_;
  }
  const uint64_t to = from + bytes.size();
  RETURN_IF_ERROR(EnsureRoom(to));
  std::vector<Part> parts;
  {
    absl::MutexLock lock(&mutex_);
    parts = PartsOf(from, to);
  }
  absl::Status status;
  absl::string_view rest = bytes;
  for (const Part& part : parts) {
    status = WriteAt(part.segment->fd, rest.substr(0, part.size), part.offset, part.segment->path);
    if (!status.ok()) break;
    rest.remove_prefix(part.size);
  }
  absl::MutexLock lock(&mutex_);
  // After the bytes: a Sync that runs meanwhile need not cover them, the next one must.
  for (const Part& part : parts) part.segment->dirty = true;
  if (status.ok()) {
    end_ = to;
  } else {
    failure_ = status;
  }
  return status;
}

absl::Status FileLog::Sync() {
  RETURN_IF_ERROR(CheckWritable());
  absl::MutexLock sync_lock(&sync_mutex_);
  std::vector<std::shared_ptr<Segment>> dirty;
  uint64_t end = 0;
  {
    absl::MutexLock lock(&mutex_);
    end = end_;
    if (!failure_.ok()) return Annotate(failure_, "an earlier call failed");
    for (const auto& segment : segments_) {
      if (std::exchange(segment->dirty, false)) dirty.push_back(segment);
    }
  }
  for (const auto& segment : dirty) {
    const absl::Status status = SyncData(segment->fd, segment->path);
    if (!status.ok()) {
      // The kernel reports a lost write once and then forgets it: only rewriting the bytes makes them sure.
      absl::MutexLock lock(&mutex_);
      failure_ = status;
      return status;
    }
  }
  WriteSynced(end);
  return absl::OkStatus();
}

uint64_t FileLog::begin() const {
  absl::MutexLock lock(&mutex_);
  return segments_.empty() ? 0 : segments_.front()->start;
}

uint64_t FileLog::end() const {
  absl::MutexLock lock(&mutex_);
  return end_;
}

absl::StatusOr<std::string> FileLog::Read(uint64_t position, size_t size) const {
  std::vector<Part> parts;
  {
    absl::MutexLock lock(&mutex_);
    const uint64_t begin = segments_.empty() ? 0 : segments_.front()->start;
    if (position < begin) {
      return absl::OutOfRangeError(absl::StrCat("position ", position, " of the log ", directory_,
                                                " is below the first kept, ", begin));
    }
    if (position >= end_) return std::string();
    parts = PartsOf(position, position + std::min<uint64_t>(size, end_ - position));
  }
  std::string bytes;
  for (const Part& part : parts) {
    if (part.segment->path.empty()) {
      bytes.append(part.size, '\0');
      continue;
    }
    ASSIGN_OR_RETURN(std::string read, ReadAt(part.segment->fd, part.offset, part.size, part.segment->path));
    const bool is_short = read.size() < part.size;
    bytes = bytes.empty() ? std::move(read) : bytes + read;
    if (is_short) {
      // Truncate came in between, or the file is damaged.
      absl::MutexLock lock(&mutex_);
      if (end_ <= position + bytes.size()) return bytes;
      return absl::DataLossError(absl::StrCat("log segment ", part.segment->path, " has become shorter"));
    }
  }
  return bytes;
}

absl::Status FileLog::Trim(uint64_t position) {
  RETURN_IF_ERROR(CheckWritable());
  absl::MutexLock append_lock(&append_mutex_);
  std::vector<std::shared_ptr<Segment>> dropped;
  {
    absl::MutexLock lock(&mutex_);
    position = std::min(position, end_);
    // The last one stays: its name remembers the position.
    while (segments_.size() > 1 && segments_.front()->end() <= position) {
      dropped.push_back(segments_.front());
      segments_.pop_front();
    }
  }
  if (dropped.empty()) return absl::OkStatus();
  for (const auto& segment : dropped) {
    if (!segment->path.empty()) RETURN_IF_ERROR(Unlink(segment->path));
  }
  return SyncDirectory(directory_);
}

absl::Status FileLog::Truncate(uint64_t position) {
  RETURN_IF_ERROR(CheckWritable());
  absl::MutexLock append_lock(&append_mutex_);
  absl::MutexLock sync_lock(&sync_mutex_);
  std::shared_ptr<Segment> last;
  {
    absl::MutexLock lock(&mutex_);
    const uint64_t begin = segments_.empty() ? 0 : segments_.front()->start;
    if (position < begin || position > end_) {
      return absl::OutOfRangeError(absl::StrCat("cannot truncate the log ", directory_, " at ", position,
                                                ", it holds [", begin, ", ", end_, ")"));
    }
    ++truncations_;
    end_ = position;
    failure_ = absl::FailedPreconditionError("truncating was interrupted");
  }
  WriteSynced(position);
  // From the last one down, so that a crash in between leaves no gap.
  while (true) {
    std::shared_ptr<Segment> victim;
    {
      absl::MutexLock lock(&mutex_);
      if (segments_.empty()) break;
      last = segments_.back();
      if (last->start < position || segments_.size() == 1) break;
      victim = last;
    }
    if (!victim->path.empty()) RETURN_IF_ERROR(Unlink(victim->path));
    absl::MutexLock lock(&mutex_);
    segments_.pop_back();
  }
  if (last != nullptr) {
    RETURN_IF_ERROR(SyncDirectory(directory_));
    const uint64_t kept = position - last->start;
    uint64_t size = last->size;
    if (::ftruncate(last->fd.get(), static_cast<off_t>(kept)) != 0) {
      return ErrnoStatus(errno, "truncating", last->path);
    }
    // Without room for the rest the segment stays short, until an Append asks for more.
    if (!Allocate(last->fd, size, last->path).ok()) size = kept;
    if (::fsync(last->fd.get()) != 0) return ErrnoStatus(errno, "syncing", last->path);
    ASSIGN_OR_RETURN(const uint64_t length, FileSize(last->fd, last->path));
    absl::MutexLock lock(&mutex_);
    last->size = std::max(size, length);
    last->dirty = false;
  }
  absl::MutexLock lock(&mutex_);
  failure_ = absl::OkStatus();
  return absl::OkStatus();
}

FileLog::Capture FileLog::TakeCapture() const {
  Capture capture;
  absl::MutexLock lock(&mutex_);
  capture.truncations_ = truncations_;
  for (const auto& segment : segments_) {
    if (segment->start > end_) break;
    if (segment->path.empty()) continue;  // The copy has the same hole.
    capture.parts_.emplace_back(segment, std::min(segment->size, end_ - segment->start));
  }
  return capture;
}

absl::Status FileLog::CopyTo(const Capture& capture, const std::string& directory) const {
  for (const auto& [segment, size] : capture.parts_) {
    const std::string to = absl::StrCat(directory, segment->path.substr(segment->path.rfind('/')));
    RETURN_IF_ERROR(CopyPrefix(segment->fd, segment->path, size, to));
  }
  {
    absl::MutexLock lock(&mutex_);
    if (truncations_ != capture.truncations_) {
      return absl::AbortedError(absl::StrCat("the log ", directory_, " was truncated while it was copied"));
    }
  }
  return SyncDirectory(directory);
}

}  // namespace historian::kv
