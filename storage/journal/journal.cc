#include "storage/journal/journal.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/synchronization/notification.h"
#include "storage/checksum/checksum.h"
#include "storage/format/bytes.h"
#include "storage/model/check.h"
#include "storage/model/status_macros.h"

namespace historian {
namespace {

constexpr char kLogName[] = "journal";
constexpr uint32_t kMagic = 0x4C4A5348;
constexpr size_t kHeaderBytes = 24;
// A batch above this is cut in two, so that a burst does not hold up its first writers, and so that recovery
// knows how much it may have to read at once.
constexpr size_t kBatchBytesMax = size_t{4} << 20;
// A record may be larger than a batch should be; a length above this is damage.
constexpr size_t kPayloadBytesMax = size_t{64} << 20;

void PutU32(uint32_t v, char* at) { std::memcpy(at, &v, 4); }
void PutU64(uint64_t v, char* at) { std::memcpy(at, &v, 8); }
uint32_t GetU32(const char* at) {
  uint32_t v;
  std::memcpy(&v, at, 4);
  return v;
}
uint64_t GetU64(const char* at) {
  uint64_t v;
  std::memcpy(&v, at, 8);
  return v;
}

// The payload's length when the bytes are the header of a batch at `position`.
std::optional<size_t> ParseHeader(absl::string_view bytes, uint64_t position) {
  if (bytes.size() < kHeaderBytes || GetU32(bytes.data()) != kMagic || GetU64(bytes.data() + 8) != position ||
      GetU32(bytes.data() + 20) != Checksum(bytes.substr(0, 20)) ||
      GetU32(bytes.data() + 4) > kPayloadBytesMax) {
    return std::nullopt;
  }
  return GetU32(bytes.data() + 4);
}

// Reads the log through a window, so that recovery holds no more than it needs.
class LogReader {
 public:
  explicit LogReader(const kv::Log& log) : log_(log) {}

  // At most `size` bytes from position, until the next call.
  absl::StatusOr<absl::string_view> Read(uint64_t position, size_t size) {
    if (position < start_ || position + size > start_ + window_.size()) {
      ASSIGN_OR_RETURN(window_, log_.Read(position, std::max(size, kWindowBytes)));
      start_ = position;
    }
    return absl::string_view(window_).substr(position - start_, size);
  }

 private:
  static constexpr size_t kWindowBytes = size_t{1} << 20;
  const kv::Log& log_;
  uint64_t start_ = 0;
  std::string window_;
};

// The first position >= from that has a good header; nothing when there is none.
absl::StatusOr<std::optional<uint64_t>> FindHeader(LogReader& reader, uint64_t from, uint64_t end) {
  for (uint64_t position = from; position + kHeaderBytes <= end; ++position) {
    ASSIGN_OR_RETURN(const absl::string_view bytes, reader.Read(position, kHeaderBytes));
    if (ParseHeader(bytes, position).has_value()) return position;
  }
  return std::nullopt;
}

// Gives the records of all whole batches in [position, end) to `replay`; the position behind the last of
// them. What is broken in between is in *report.
absl::StatusOr<uint64_t> ReadBatches(const kv::Log& log, uint64_t position, uint64_t end,
                                     const Journal::ReplayRecord& replay, JournalReplay* report) {
  LogReader reader(log);
  while (position < end) {
    ASSIGN_OR_RETURN(const absl::string_view head, reader.Read(position, kHeaderBytes));
    const std::optional<size_t> length = ParseHeader(head, position);
    absl::string_view payload;
    bool good = length.has_value() && position + kHeaderBytes + *length <= end;
    if (good) {
      const uint32_t checksum = GetU32(head.data() + 16);
      ASSIGN_OR_RETURN(payload, reader.Read(position + kHeaderBytes, *length));
      good = Checksum(payload) == checksum;
    }
    if (!good) {
      ASSIGN_OR_RETURN(const std::optional<uint64_t> next, FindHeader(reader, position + 1, end));
      if (!next.has_value()) break;
      report->damage.push_back({position, *next});
      position = *next;
      continue;
    }
    const uint64_t batch = position;
    position += kHeaderBytes + *length;
    format::ByteReader records(payload);
    while (!records.done()) {
      uint64_t size = 0;
      absl::string_view record;
      if (!records.Varint(&size) || size == 0 || !records.Bytes(size, &record)) {
        return absl::DataLossError(
            absl::StrCat("journal batch at ", batch, " is intact but holds no records"));
      }
      RETURN_IF_ERROR(replay(batch, record));
      ++report->records;
    }
  }
  return position;
}

// How long a batch at the position can be, by its header if there is one.
absl::StatusOr<uint64_t> LongestBatch(const kv::Log& log, uint64_t position) {
  if (position >= log.end()) return kHeaderBytes + kPayloadBytesMax;
  ASSIGN_OR_RETURN(const std::string head, log.Read(position, kHeaderBytes));
  return kHeaderBytes + ParseHeader(head, position).value_or(kPayloadBytesMax);
}

// Where the zeros begin that nobody has written, at or behind `position`.
absl::StatusOr<uint64_t> EndOfWritten(const kv::Log& log, uint64_t position, uint64_t end) {
  constexpr uint64_t kPiece = uint64_t{1} << 20;
  while (end > position) {
    const uint64_t from = end - position > kPiece ? end - kPiece : position;
    ASSIGN_OR_RETURN(const std::string bytes, log.Read(from, end - from));
    const size_t last = bytes.find_last_not_of('\0');
    if (last != std::string::npos) return from + last + 1;
    end = from;
  }
  return position;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(kv::Store& store, std::optional<uint64_t> from,
                                                       const ReplayRecord& replay, JournalReplay* report,
                                                       std::function<void()> after_commit) {
  ASSIGN_OR_RETURN(std::unique_ptr<kv::Log> log, store.OpenLog(kLogName));
  const uint64_t begin = log->begin(), end = log->end();
  const bool is_read_only = !store.refusal().ok();
  if (from.value_or(0) > end && !is_read_only) {
    return absl::DataLossError(absl::StrCat("the journal ends at ", end,
                                            ", but the archive was sealed up to ", *from,
                                            ": part of the journal is missing"));
  }
  std::vector<JournalReplay::Damage> missing;
  if (from.has_value() && *from < begin) missing.push_back({*from, begin});
  report->damage = missing;
  ASSIGN_OR_RETURN(uint64_t position,
                   ReadBatches(*log, std::max(from.value_or(0), begin), end, replay, report));
  position = std::min(position, end);
  ASSIGN_OR_RETURN(const uint64_t written_end, EndOfWritten(*log, position, end));
  report->torn_position = position;
  report->torn_bytes = written_end - position;
  // What was synced was more than a torn batch, and so is what is longer than one.
  const uint64_t synced = log->synced_end(), behind = std::max(position, from.value_or(0));
  ASSIGN_OR_RETURN(const uint64_t torn_max, LongestBatch(*log, position));
  if (synced > behind) {
    missing.push_back({behind, synced});
    report->damage.push_back(missing.back());
  } else if (report->torn_bytes > torn_max) {
    missing.push_back({position, written_end});
    report->damage.push_back(missing.back());
  }
  const bool cut = position < end || synced > position;
  if (cut && !is_read_only)
    RETURN_IF_ERROR(Annotate(log->Truncate(position), "cutting the torn end of the journal"));
  auto journal = std::unique_ptr<Journal>(new Journal(std::move(log), std::move(after_commit)));
  journal->missing_ = std::move(missing);
  if (cut && is_read_only) journal->read_only_end_ = position;
  journal->thread_ = std::thread([j = journal.get()] { j->Run(); });
  return journal;
}

Journal::~Journal() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  thread_.join();
}

void Journal::Append(std::string record, uint64_t epoch, Done done, Boundary behind) {
  HISTORIAN_CHECK(!record.empty());
  absl::MutexLock lock(&mu_);
  queue_.push_back({std::move(record), epoch, std::move(done), std::move(behind)});
}

void Journal::AtBoundary(Boundary task) {
  absl::MutexLock lock(&mu_);
  queue_.push_back({std::string(), 0, nullptr, std::move(task)});
}

absl::Status Journal::Trim(uint64_t position) { return log_->Trim(position); }

absl::Status Journal::Check(uint64_t from, const ReplayRecord& replay, JournalReplay* report) {
  uint64_t end = 0;
  absl::Notification known;
  AtBoundary([&](uint64_t next_position) {
    end = next_position;
    known.Notify();
  });
  known.WaitForNotification();
  if (read_only_end_.has_value()) end = *read_only_end_;
  for (const JournalReplay::Damage& damage : missing_) {
    if (damage.to > from) report->damage.push_back(damage);
  }
  const bool front_is_missing =
      !missing_.empty() && missing_.front().from <= from && missing_.front().to > from;
  if (from < log_->begin()) {
    if (!front_is_missing) return absl::OkStatus();  // Trimmed: sealed since the caller looked.
    from = log_->begin();
  }
  if (from > end) return absl::OkStatus();  // It was cut off there, and Open has said so.
  const absl::StatusOr<uint64_t> position = ReadBatches(*log_, from, end, replay, report);
  if (absl::IsOutOfRange(position.status())) return absl::OkStatus();  // Trimmed just now.
  RETURN_IF_ERROR(position.status());
  if (*position < end) report->damage.push_back({*position, end});
  return absl::OkStatus();
}

void Journal::Run() {
  std::vector<Entry> entries;
  while (true) {
    entries.clear();
    {
      absl::MutexLock lock(&mu_);
      mu_.Await(absl::Condition(
          +[](Journal* self)
               ABSL_NO_THREAD_SAFETY_ANALYSIS { return self->stopping_ || !self->queue_.empty(); },
          this));
      if (queue_.empty()) return;
      entries.swap(queue_);
    }
    for (size_t begin = 0; begin < entries.size();) {
      if (entries[begin].record.empty()) {
        entries[begin].boundary(log_->end());
        ++begin;
        continue;
      }
      if (entries[begin].epoch != epoch()) {
        entries[begin].done(
            absl::AbortedError("an earlier write failed; begin again behind the last acknowledged one"));
        ++begin;
        continue;
      }
      size_t end = begin, bytes = 0;
      bool ended = false;
      while (!ended && end < entries.size() && !entries[end].record.empty() &&
             entries[end].epoch == epoch() &&
             (end == begin || bytes + entries[end].record.size() <= kBatchBytesMax)) {
        bytes += entries[end].record.size();
        ended = entries[end].boundary != nullptr;
        ++end;
      }
      const uint64_t position = log_->end();
      NoteCommitting(MonotonicTime::Now());
      const absl::Status status = CommitBatch(entries, begin, end);
      NoteCommitting(MonotonicTime::InfiniteFuture());
      if (!status.ok()) epoch_.fetch_add(1, std::memory_order_release);
      for (; begin < end; ++begin) {
        if (status.ok()) {
          entries[begin].done(position);
        } else {
          entries[begin].done(status);
        }
      }
      if (!status.ok()) continue;
      after_commit_();
      if (ended) entries[end - 1].boundary(log_->end());
    }
  }
}

void Journal::NoteCommitting(MonotonicTime since) {
  absl::MutexLock lock(&mu_);
  committing_since_ = since;
}

absl::Status Journal::CommitBatch(const std::vector<Entry>& entries, size_t begin, size_t end) {
  batch_.assign(kHeaderBytes, '\0');
  for (size_t i = begin; i < end; ++i) {
    uint8_t size[format::kVarintBytesMax];
    batch_.append(reinterpret_cast<char*>(size), format::PutVarint(size, entries[i].record.size()) - size);
    batch_.append(entries[i].record);
  }
  const absl::string_view payload = absl::string_view(batch_).substr(kHeaderBytes);
  if (payload.size() > kPayloadBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("a journal record of ", payload.size(),
                                                   " bytes is above the limit of ", kPayloadBytesMax));
  }
  const uint64_t position = log_->end();
  PutU32(kMagic, &batch_[0]);
  PutU32(payload.size(), &batch_[4]);
  PutU64(position, &batch_[8]);
  PutU32(Checksum(payload), &batch_[16]);
  PutU32(Checksum(absl::string_view(batch_).substr(0, 20)), &batch_[20]);
  absl::Status status = log_->Append(batch_);
  if (status.ok()) {
    status = log_->Sync();
    if (status.ok()) {
      commits_.fetch_add(1, std::memory_order_relaxed);
      return status;
    }
  }
  // What the disk has of the batch is unknown: take it back, or a later batch would seem to follow damage.
  if (const absl::Status cut = log_->Truncate(position); !cut.ok()) {
    return Annotate(status, absl::StrCat("the journal cannot be repaired (", cut.message(), ")"));
  }
  return Annotate(status, "writing the journal");
}

}  // namespace historian
