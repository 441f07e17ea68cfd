#include "storage/write/write_path.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "storage/model/closing.h"
#include "storage/model/status_macros.h"
#include "storage/platform/monotonic.h"
#include "storage/tail/shard_work.h"
#include "storage/versions/version_mark.h"
#include "storage/write/frame_checksum.h"
#include "storage/write/frame_record.h"
#include "storage/write/producer_reset.h"
#include "storage/write/validate.h"

namespace historian {
namespace {

// Parts of frames that recovery holds in memory at once.
constexpr int kReplayTasksMax = 64;
// Small frames of one commit go through the shards together until they have this many samples.
constexpr uint64_t kTogetherSamples = 8192;
// How long writes are refused after the journal could not be written.
constexpr absl::Duration kRetryPeriod = absl::Milliseconds(500);
// A disk that has not written the journal for this long is said to hang.
constexpr absl::Duration kHangs = absl::Seconds(2);

// What a writer is told when the journal could not be written: a code upon which it repeats.
absl::Status NotWritten(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
    case absl::StatusCode::kInvalidArgument:  // The frame's own fault.
      return status;
    case absl::StatusCode::kAborted:  // The end of an epoch, behind a write that failed.
      return absl::UnavailableError(status.message());
    case absl::StatusCode::kResourceExhausted:
      return Annotate(status, "the disk is full; writes are refused until there is room");
    default:
      return absl::UnavailableError(
          absl::StrCat("the journal cannot be written; writes are refused until it can: ", status.message()));
  }
}

absl::Status OpenedElsewhere(absl::string_view producer) {
  return absl::AbortedError(absl::StrCat("producer '", producer, "' was opened again elsewhere"));
}

// A number far away would be the producer's last one: all that its owner sends from then on would be taken for repeated.
absl::Status CheckJump(const Producer& producer, uint64_t sequence) {
  const uint64_t last = std::max(producer.durable_at_open, producer.last_sequence);
  if (sequence <= kSequenceMax && sequence - last <= kSequenceJumpMax) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "producer '", producer.name, "': frame ", sequence, " is too far above frame ", last,
      ", its last one: numbers count from 1, rise by ", kSequenceJumpMax, " at most and end at ",
      kSequenceMax, ". To let the producer begin anew: histctl producer reset '", producer.name, "'"));
}

}  // namespace

WritePath::WritePath(const Parts& parts)
    : parts_(parts),
      work_(io_.get_executor()),
      gate_(io_, parts.options.memory, parts.look_at_tails),
      producers_(
          io_, [this] { return journal_->epoch(); }, parts.clock, parts.options.producers,
          parts.definitions) {
  thread_ = std::thread([this] { io_.run(); });
}

// This thread reads, the shards' threads decode what is theirs.
absl::Status WritePath::Open(std::optional<uint64_t> position, Recovered* recovered) {
  *recovered = Recovered();
  recovered->producers = producers_.Load(parts_.store);
  if (!recovered->producers.ok() && !absl::IsDataLoss(recovered->producers)) return recovered->producers;
  JournalReplay* const report = &recovered->journal;
  for (const std::unique_ptr<Shard>& shard : parts_.shards) shard->BeginVersion(parts_.versions.open());
  ShardWork work(kReplayTasksMax);
  const auto replay = [&](uint64_t at, absl::string_view bytes) -> absl::Status {
    if (IsVersionMark(bytes)) {
      absl::StatusOr<ClosedVersion> closed = DecodeVersionMark(bytes);
      if (!closed.ok()) return Annotate(closed.status(), absl::StrCat("journal at ", at));
      closed->journal_position = at;
      parts_.versions.Add(*closed);
      has_arrived_ = false;
      const Version open = parts_.versions.open();
      for (const std::unique_ptr<Shard>& shard : parts_.shards) {
        RETURN_IF_ERROR(work.Post(*shard, [shard = shard.get(), open] {
          shard->BeginVersion(open);
          return absl::OkStatus();
        }));
      }
      return absl::OkStatus();
    }
    if (IsProducerReset(bytes)) {
      const absl::StatusOr<std::string> name = DecodeProducerReset(bytes);
      if (!name.ok()) return Annotate(name.status(), absl::StrCat("journal at ", at));
      producers_.Reset(*name);
      return absl::OkStatus();
    }
    has_arrived_ = true;
    absl::StatusOr<FrameRecord> head = DecodeFrameRecordHead(bytes);
    if (!head.ok()) return Annotate(head.status(), absl::StrCat("journal at ", at));
    if (uint64_t first = 0;
        producers_.Replayed(head->producer, head->frame.sequence, head->checksum, &first) &&
        !report->damage.empty() && recovered->missing.size() < kMissingListedMax) {
      recovered->missing.push_back({std::string(head->producer), first, head->frame.sequence - 1});
    }
    const auto record = std::make_shared<const std::string>(bytes);
    for (size_t s = 0; s < parts_.shards.size(); ++s) {
      RETURN_IF_ERROR(work.Post(*parts_.shards[s], [this, s, at, record]() -> absl::Status {
        const absl::StatusOr<FrameRecord> decoded =
            DecodeFrameRecord(*record, [&](TagId tag) { return tag % parts_.shards.size() == s; });
        if (!decoded.ok()) return Annotate(decoded.status(), absl::StrCat("journal at ", at));
        parts_.shards[s]->Apply(decoded->frame);
        return absl::OkStatus();
      }));
    }
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(journal_,
                   Journal::Open(parts_.store, position, replay, report, [this] { AfterCommit(); }));
  RETURN_IF_ERROR(work.Finish());
  parts_.versions.NoteVisible(parts_.versions.open() - 1);
  absl::MutexLock lock(&mu_);
  if (report->records > 0) dirty_since_ = MonotonicTime::Now();
  return absl::OkStatus();
}

absl::Status WritePath::CheckOpen() const {
  absl::MutexLock lock(&mu_);
  if (refusing_) return ArchiveIsClosing();
  if (!no_room_.ok()) return no_room_;
  return failure_.ok() || MonotonicTime::Now() >= retry_at_ ? absl::OkStatus() : failure_;
}

void WritePath::Write(const std::shared_ptr<Producer>& producer, Frame frame, WriteDone done,
                      WriteTaken taken, const WriteFilter* filter) {
  const auto end = [&done, &taken](absl::StatusOr<WriteResult> result) {
    done(std::move(result));
    if (taken != nullptr) taken();
  };
  if (frame.sequence == 0 || frame.sequence <= producer->last_sequence) {
    end(absl::InvalidArgumentError(absl::StrCat("producer '", producer->name, "': frame ", frame.sequence,
                                                " does not come after frame ", producer->last_sequence)));
    return;
  }
  if (frame.sequence <= producer->durable_at_open) {
    producer->last_sequence = frame.sequence;
    end(Repeat(*producer, std::move(frame)));
    return;
  }
  if (absl::Status status = CheckJump(*producer, frame.sequence); !status.ok()) {
    end(std::move(status));
    return;
  }
  if (absl::Status size = CheckFrameSize(frame); !size.ok()) {
    end(std::move(size));
    return;
  }
  if (absl::Status refusal = CheckOpen(); !refusal.ok()) {
    end(std::move(refusal));
    return;
  }
  auto applying = std::make_unique<Applying>();
  applying->checksum = FrameChecksum(frame);
  const Timestamp now = parts_.clock.Now();
  ValidateFrame(parts_.tags, parts_.retention.too_old(parts_.tags, parts_.retention_now()),
                parts_.time_limits, filter, now, &frame, &applying->result);
  NoteReceived(frame);
  applying->bytes = frame.MemoryBytes();
  absl::Status memory = gate_.Take(applying->bytes);
  const bool waits = absl::IsResourceExhausted(memory) && taken != nullptr;
  if (!memory.ok() && !waits) {
    end(std::move(memory));
    return;
  }
  producer->last_sequence = frame.sequence;
  std::vector<format::EncodeHint> hints = hints_.Of(frame);
  std::string record = EncodeFrameRecord(producer->name, frame, applying->checksum, &hints);
  if (!hints.empty()) hints_.Keep(frame, hints);
  applying->frame = std::move(frame);
  applying->producer = producer;
  applying->done = std::move(done);
  if (!waits) {
    SendOff(std::move(applying), std::move(record));
    if (taken != nullptr) taken();
    return;
  }
  const size_t bytes = applying->bytes;
  gate_.Wait(bytes, [this, applying = std::move(applying), record = std::move(record),
                     taken = std::move(taken)](absl::Status status) mutable {
    if (status.ok()) {
      SendOff(std::move(applying), std::move(record));
    } else {
      applying->done(std::move(status));
    }
    taken();
  });
}

void WritePath::NoteReceived(const Frame& frame) {
  Timestamp newest = INT64_MIN;
  for (const FrameColumn& column : frame.columns) newest = std::max(newest, column.samples.times.back());
  for (const FrameSnapshot& snapshot : frame.snapshots) newest = std::max(newest, snapshot.time);
  Timestamp before = newest_received_.load(std::memory_order_relaxed);
  while (newest > before &&
         !newest_received_.compare_exchange_weak(before, newest, std::memory_order_relaxed)) {
  }
}

absl::StatusOr<WriteResult> WritePath::Repeat(const Producer& producer, Frame frame) {
  frames_repeated_.fetch_add(1, std::memory_order_relaxed);
  switch (producers_.CheckRepeat(producer.name, frame.sequence, FrameChecksum(frame))) {
    case RecentFrames::Repeat::kSame:
      break;
    case RecentFrames::Repeat::kUnknown:
      frames_unchecked_.fetch_add(1, std::memory_order_relaxed);
      break;
    case RecentFrames::Repeat::kOther:
      frames_conflicting_.fetch_add(1, std::memory_order_relaxed);
      return absl::AlreadyExistsError(absl::StrCat(
          "producer '", producer.name, "': another frame ", frame.sequence,
          " is stored already, and this one is not; the last one stored is ", producer.durable_at_open,
          ". Do two writers share the name, or has one begun to count anew?"));
  }
  return WriteResult{.repeated = true, .spent = std::move(frame)};
}

// Fences off all handles, waits for what they have under way, and says in the journal that the producer begins anew. That
// record is the new handle's one frame.
void WritePath::ResetProducer(absl::string_view name, ResetDone done) {
  producers_.Open(
      name, [this, done = std::move(done)](absl::StatusOr<std::shared_ptr<Producer>> opened) mutable {
        if (!opened.ok()) {
          done(opened.status());
          return;
        }
        const std::shared_ptr<Producer> producer = *std::move(opened);
        if (!producers_.Begin(*producer)) {
          done(OpenedElsewhere(producer->name));
          return;
        }
        journal_->Append(
            EncodeProducerReset(producer->name), producer->journal_epoch,
            [this, producer, done = std::move(done)](absl::StatusOr<uint64_t> position) mutable {
              if (position.ok()) producers_.Reset(producer->name);
              producers_.End(producer->name, 0, /*durable=*/false);
              if (position.ok()) {
                done(producer->durable_at_open);
              } else {
                done(Annotate(position.status(), absl::StrCat("resetting producer '", producer->name, "'")));
              }
            });
      });
}

void WritePath::SendOff(std::unique_ptr<Applying> applying, std::string record) {
  {
    absl::MutexLock lock(&mu_);
    if (dirty_since_ == MonotonicTime::InfiniteFuture()) dirty_since_ = MonotonicTime::Now();
  }
  const Producer& producer = *applying->producer;
  if (!producers_.Begin(producer)) {
    gate_.Release(applying->bytes);
    applying->done(OpenedElsewhere(producer.name));
    return;
  }
  journal_->Append(std::move(record), producer.journal_epoch,
                   [this, applying = std::move(applying)](absl::StatusOr<uint64_t> position) mutable {
                     OnJournaled(std::move(applying), position.status());
                   });
}

void WritePath::NoteFailure(const absl::Status& journaled) {
  if (journaled.ok() || absl::IsInvalidArgument(journaled) || absl::IsAborted(journaled)) return;
  const absl::Status failure = NotWritten(journaled);
  {
    absl::MutexLock lock(&mu_);
    if (failure_.ok()) {
      failure_ = last_failure_ = failure;
      ++failures_;
    }
    retry_at_ = MonotonicTime::Now() + kRetryPeriod;
  }
  gate_.RefuseWaiting(failure);
}

void WritePath::OnJournaled(std::unique_ptr<Applying> applying, const absl::Status& journaled) {
  if (!journaled.ok()) {
    NoteFailure(journaled);
    const absl::Status status = NotWritten(journaled);
    const auto refused = std::make_shared<Together>();
    refused->ticket = completions_.NextTicket();
    refused->frames.push_back(std::move(applying));
    Finish(refused, status);
    return;
  }
  if (journaled_ == nullptr) {
    journaled_ = std::make_shared<Together>();
    journaled_->ticket = completions_.NextTicket();
  }
  journaled_->samples += applying->result.stored;
  journaled_->frames.push_back(std::move(applying));
  if (journaled_->samples >= kTogetherSamples) ApplyJournaled();
}

void WritePath::AfterCommit() {
  {
    absl::MutexLock lock(&mu_);
    failure_ = absl::OkStatus();
  }
  if (journaled_ != nullptr) ApplyJournaled();
}

absl::StatusOr<ClosedVersion> WritePath::CloseVersion(VersionCause cause, absl::string_view author,
                                                      absl::string_view comment,
                                                      Journal::Boundary at_boundary) {
  ClosedVersion closed;
  absl::Notification visible;
  {
    absl::WriterMutexLock closing(&parts_.versions.closing_mu());
    RETURN_IF_ERROR(CheckOpen());
    ASSIGN_OR_RETURN(closed, parts_.versions.Next(cause, parts_.clock.Now()));
    closed.author = std::string(author);
    closed.comment = std::string(comment);
    absl::Status status;
    absl::Notification marked;
    const auto done = [&](absl::StatusOr<uint64_t> position) {
      NoteFailure(position.status());
      status = NotWritten(position.status());
      if (position.ok()) {
        closed.journal_position = *position;
        OnVersionJournaled(closed, [&visible] { visible.Notify(); });
      }
      marked.Notify();
    };
    journal_->Append(EncodeVersionMark(closed), journal_->epoch(), done, std::move(at_boundary));
    marked.WaitForNotification();
    RETURN_IF_ERROR(Annotate(status, absl::StrCat("closing version ", closed.version)));
  }
  visible.WaitForNotification();
  absl::MutexLock lock(&mu_);
  last_closed_ = MonotonicTime::Now();
  return closed;
}

void WritePath::OnVersionJournaled(const ClosedVersion& closed, absl::AnyInvocable<void()> done) {
  if (journaled_ != nullptr) ApplyJournaled();
  parts_.versions.Add(closed);
  has_arrived_.store(false, std::memory_order_release);
  // It goes the way of a frame, behind those that it closes.
  auto mark = std::make_shared<Together>();
  mark->ticket = completions_.NextTicket();
  mark->closes = closed.version;
  mark->after = [this, version = closed.version, done = std::move(done)]() mutable {
    parts_.versions.NoteVisible(version);
    done();
  };
  Apply(std::move(mark));
}

void WritePath::ApplyJournaled() {
  has_arrived_.store(true, std::memory_order_release);
  Apply(std::exchange(journaled_, nullptr));
}

void WritePath::Apply(std::shared_ptr<Together> together) {
  for (const std::unique_ptr<Applying>& applying : together->frames) {
    producers_.Journaled(applying->producer->name, applying->frame.sequence, applying->checksum);
  }
  // Every shard takes part, also one without samples here, so that frames are finished in order.
  together->shards_left.store(static_cast<int>(parts_.shards.size()), std::memory_order_relaxed);
  for (const std::unique_ptr<Shard>& shard : parts_.shards) {
    shard->Post([this, shard = shard.get(), together] {
      for (const std::unique_ptr<Applying>& applying : together->frames) shard->Apply(applying->frame);
      if (together->closes != 0) shard->BeginVersion(together->closes + 1);
      if (together->shards_left.fetch_sub(1, std::memory_order_acq_rel) == 1)
        Finish(together, absl::OkStatus());
    });
  }
}

void WritePath::Finish(const std::shared_ptr<Together>& together, const absl::Status& status) {
  if (status.ok()) {
    frames_stored_.fetch_add(together->frames.size(), std::memory_order_relaxed);
    for (const std::unique_ptr<Applying>& applying : together->frames) {
      samples_stored_.fetch_add(applying->result.stored, std::memory_order_relaxed);
      samples_rejected_.fetch_add(applying->result.rejected, std::memory_order_relaxed);
    }
  }
  completions_.Complete(together->ticket, [this, together, status] {
    size_t bytes = 0;
    for (const std::unique_ptr<Applying>& applying : together->frames) {
      producers_.End(applying->producer->name, applying->frame.sequence, status.ok());
      bytes += applying->bytes;
    }
    gate_.Release(bytes);
    for (const std::unique_ptr<Applying>& applying : together->frames) {
      if (status.ok()) {
        applying->result.spent = std::move(applying->frame);
        applying->done(std::move(applying->result));
      } else {
        applying->done(status);
      }
    }
    if (together->after != nullptr) together->after();
  });
}

void WritePath::Refuse() {
  {
    absl::MutexLock lock(&mu_);
    refusing_ = true;
  }
  gate_.Close(ArchiveIsClosing());
  producers_.Close();
}

void WritePath::Close() {
  Refuse();
  // What was let in is given to the journal first.
  work_.reset();
  if (thread_.joinable()) thread_.join();
  journal_.reset();
}

void WritePath::SetRoom(absl::Status room) {
  if (!room.ok()) gate_.RefuseWaiting(room);
  absl::MutexLock lock(&mu_);
  no_room_ = std::move(room);
}

MonotonicTime WritePath::last_closed() const {
  absl::MutexLock lock(&mu_);
  return last_closed_;
}

MonotonicTime WritePath::dirty_since() const {
  absl::MutexLock lock(&mu_);
  return dirty_since_;
}

void WritePath::NoteSealed(MonotonicTime cut) {
  {
    // A frame takes its memory before it makes the tails dirty.
    absl::MutexLock lock(&mu_);
    dirty_since_ =
        gate_.frame_bytes() > 0 || OpenSamplesOf(parts_.shards) > 0 ? cut : MonotonicTime::InfiniteFuture();
  }
  gate_.Look();
}

WritePath::Stats WritePath::GetStats() const {
  Stats stats;
  stats.samples_stored = samples_stored_.load(std::memory_order_relaxed);
  stats.samples_rejected = samples_rejected_.load(std::memory_order_relaxed);
  stats.frames_stored = frames_stored_.load(std::memory_order_relaxed);
  stats.frames_repeated = frames_repeated_.load(std::memory_order_relaxed);
  stats.frames_conflicting = frames_conflicting_.load(std::memory_order_relaxed);
  stats.frames_unchecked = frames_unchecked_.load(std::memory_order_relaxed);
  stats.producers = producers_.size();
  stats.in_flight_bytes = gate_.frame_bytes();
  absl::Status hangs;
  if (const absl::Duration since = journal_->CommittingFor(); since > kHangs) {
    hangs = absl::UnavailableError(absl::StrCat("the disk has not written the journal for ",
                                                absl::FormatDuration(absl::Trunc(since, absl::Seconds(1))),
                                                "; writers wait"));
  }
  absl::MutexLock lock(&mu_);
  stats.failures = failures_;
  stats.last_failure = last_failure_;
  stats.ingest = refusing_        ? ArchiveIsClosing()
                 : !no_room_.ok() ? no_room_
                 : !failure_.ok() ? failure_
                                  : hangs;
  return stats;
}

}  // namespace historian
