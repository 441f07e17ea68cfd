#include "storage/write/producers.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "boost/asio/post.hpp"
#include "proto/record/v1/records.pb.h"
#include "storage/format/record_keys.h"
#include "storage/model/closing.h"
#include "storage/model/tag.h"
#include "storage/model/timestamp.h"

namespace historian {
namespace {

constexpr size_t kNameBytesMax = 128;
// Names without a frame that nobody uses are looked for when so many new ones have come.
constexpr size_t kNamedBetweenSweeps = 1024;
// With as many names as may be, each new one looks for room, but all of them together no more often than this.
constexpr absl::Duration kSweepInterval = absl::Seconds(1);

}  // namespace

void RecentFrames::Add(uint64_t sequence, uint32_t checksum) {
  const Frame frame{static_cast<uint32_t>(sequence), static_cast<uint32_t>(sequence >> 32), checksum};
  if (frames_.size() < kRecentFrames) {
    frames_.push_back(frame);
  } else {
    frames_[next_] = frame;
    next_ = (next_ + 1) % kRecentFrames;
  }
}

RecentFrames::Repeat RecentFrames::Check(uint64_t sequence, uint32_t checksum) const {
  Repeat found = Repeat::kUnknown;
  ForEach([&](uint64_t kept, uint32_t its_checksum) {
    if (kept == sequence) found = its_checksum == checksum ? Repeat::kSame : Repeat::kOther;
  });
  return found;
}

absl::Status Producers::Load(kv::Store& store) {
  absl::Status damage;
  const std::unique_ptr<kv::Cursor> cursor = store.NewCursor(kv::Space::kCheckpoint);
  for (cursor->Seek(kProducerKeyPrefix); cursor->Valid(); cursor->Next()) {
    const absl::string_view key = cursor->key();
    if (key.substr(0, 1) != kProducerKeyPrefix) break;
    const absl::string_view name = key.substr(1);
    record::v1::ProducerRecord record;
    if (!record.ParseFromArray(cursor->value().data(), static_cast<int>(cursor->value().size())) ||
        record.recent_checksums_size() != record.recent_below_size()) {
      damage.Update(absl::DataLossError(absl::StrCat("the record of producer '", name, "' is damaged")));
      continue;
    }
    if (record.gone() || record.sequence() == 0) continue;
    absl::MutexLock lock(&mu_);
    State& state = StateOf(name);
    state.journaled = state.durable = record.sequence();
    state.last_seen = record.last_seen() != 0 ? record.last_seen() : clock_.Now();
    for (int i = 0; i < record.recent_below_size(); ++i) {
      NoteFrame(record.sequence() - record.recent_below(i), record.recent_checksums(i), state);
    }
  }
  const absl::Status status = cursor->status();
  return status.ok() ? damage : status;
}

size_t Producers::BytesOfOne(absl::string_view name) {
  // Twice its place in the table, which may be half empty.
  return 2 * sizeof(std::pair<const std::string, State>) + HeapBytes(name.size() + 1) +
         HeapBytes(16 + sizeof(Producer)) + RecentFrames::MemoryBytesMax();
}

Producers::State& Producers::StateOf(absl::string_view name) {
  const auto [place, is_new] = states_.try_emplace(name);
  if (is_new) {
    heap_bytes_ += HeapBytesOf(place->first);
    NoteMemory();
  }
  return place->second;
}

void Producers::NoteFrame(uint64_t sequence, uint32_t checksum, State& state) {
  const size_t before = state.recent.MemoryBytes();
  state.recent.Add(sequence, checksum);
  if (const size_t after = state.recent.MemoryBytes(); after != before) {
    heap_bytes_ += after - before;
    recent_bytes_ += after - before;
    NoteMemory();
  }
}

void Producers::NoteGone(absl::string_view name) {
  gone_heap_bytes_ += HeapBytesOf(gone_.emplace_back(name));
  NoteMemory();
}

void Producers::NoteMemory() {
  memory_.Set(DefinitionKind::kProducers,
              TableBytes(states_) + heap_bytes_ + HeapBytesOf(gone_) + gone_heap_bytes_);
}

void Producers::Answer(OpenDone done, absl::StatusOr<std::shared_ptr<Producer>> result) {
  boost::asio::post(
      io_, [done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
}

void Producers::AnswerOpening(absl::string_view name, State& state) {
  auto producer = std::make_shared<Producer>();
  producer->name = std::string(name);
  producer->generation = state.generation;
  producer->durable_at_open = state.durable;
  producer->journal_epoch = journal_epoch_();
  heap_bytes_ -= state.HeapBytes();
  state.handle = producer;
  state.had_handle = true;
  heap_bytes_ += state.HeapBytes();
  NoteMemory();
  Answer(std::exchange(state.opening, nullptr), std::move(producer));
}

void Producers::Open(absl::string_view name, OpenDone done) {
  if (name.empty() || name.size() > kNameBytesMax || !IsValidUtf8(name)) {
    Answer(std::move(done),
           absl::InvalidArgumentError(absl::StrCat("a producer's name has 1 to ", kNameBytesMax,
                                                   " bytes of UTF-8; this one has ", name.size(), " bytes")));
    return;
  }
  absl::MutexLock lock(&mu_);
  if (closed_) {
    Answer(std::move(done), ArchiveIsClosing());
    return;
  }
  if (!states_.contains(name)) {
    if (absl::Status room = MakeRoomFor(name); !room.ok()) {
      Answer(std::move(done), std::move(room));
      return;
    }
  }
  State& state = StateOf(name);
  if (state.opening != nullptr) {
    Answer(std::exchange(state.opening, nullptr),
           absl::AbortedError(absl::StrCat("producer '", name, "' was opened again at the same time")));
  }
  state.generation = ++generations_;
  state.opening = std::move(done);
  if (state.in_flight == 0) AnswerOpening(name, state);
}

void Producers::Close() {
  absl::MutexLock lock(&mu_);
  closed_ = true;
  for (auto& [name, state] : states_) {
    if (state.opening != nullptr) Answer(std::exchange(state.opening, nullptr), ArchiveIsClosing());
  }
}

uint64_t Producers::Durable(absl::string_view name) const {
  absl::MutexLock lock(&mu_);
  const auto found = states_.find(name);
  return found == states_.end() ? 0 : found->second.durable;
}

absl::Status Producers::MakeRoomFor(absl::string_view name) {
  const bool full = !CheckRoomFor(name).ok();
  if (full ? MonotonicTime::Now() - last_sweep_ >= kSweepInterval
           : ++named_since_sweep_ >= kNamedBetweenSweeps) {
    Sweep(/*expired=*/full);
  }
  return CheckRoomFor(name);
}

absl::Status Producers::CheckRoomFor(absl::string_view name) const {
  if (states_.size() >= limits_.producers) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "there are ", states_.size(),
        " producers, and that is the limit (limits.producers): a new one is taken when one has not "
        "written for ",
        absl::FormatDuration(limits_.unused),
        " (limits.producer_unused), or when somebody says 'histctl producer reset NAME' of one that is not "
        "needed"));
  }
  // Those that are here will know all their last frames, and cannot be refused that.
  const size_t to_come = states_.size() * RecentFrames::MemoryBytesMax() - recent_bytes_;
  return memory_.CheckRoom(to_come + BytesOfOne(name), absl::StrCat("producer '", name, "'"));
}

void Producers::Sweep(bool expired) {
  named_since_sweep_ = 0;
  last_sweep_ = MonotonicTime::Now();
  const Timestamp now = clock_.Now();
  for (auto it = states_.begin(); it != states_.end();) {
    const auto here = it++;
    const State& state = here->second;
    if (state.is_used()) continue;
    if (state.journaled > 0) {
      if (!expired || TimeFromTimestamp(now) - TimeFromTimestamp(state.last_seen) <= limits_.unused) continue;
      NoteGone(here->first);
    }
    heap_bytes_ -= HeapBytesOf(here->first) + state.HeapBytes();
    recent_bytes_ -= state.recent.MemoryBytes();
    states_.erase(here);
  }
  NoteMemory();
}

ProducerInfo Producers::InfoOf(absl::string_view name, const State& state) const {
  return {.name = std::string(name),
          .sequence = state.durable,
          .last_seen = state.last_seen,
          .frames = state.stored};
}

std::vector<ProducerInfo> Producers::List(absl::string_view after, size_t limit) const {
  std::vector<std::string> names;
  {
    absl::MutexLock lock(&mu_);
    for (const auto& [name, state] : states_) {
      if (state.durable > 0 && name > after) names.push_back(name);
    }
  }
  limit = std::min(limit, names.size());
  std::partial_sort(names.begin(), names.begin() + static_cast<ptrdiff_t>(limit), names.end());
  std::vector<ProducerInfo> listed;
  absl::MutexLock lock(&mu_);
  for (size_t i = 0; i < limit; ++i) {
    if (const auto found = states_.find(names[i]); found != states_.end()) {
      listed.push_back(InfoOf(found->first, found->second));
    }
  }
  return listed;
}

std::optional<ProducerInfo> Producers::Find(absl::string_view name) const {
  absl::MutexLock lock(&mu_);
  const auto found = states_.find(name);
  if (found == states_.end() || found->second.durable == 0) return std::nullopt;
  return InfoOf(found->first, found->second);
}

size_t Producers::size() const {
  absl::MutexLock lock(&mu_);
  return states_.size();
}

RecentFrames::Repeat Producers::CheckRepeat(absl::string_view name, uint64_t sequence,
                                            uint32_t checksum) const {
  absl::MutexLock lock(&mu_);
  const auto found = states_.find(name);
  return found == states_.end() ? RecentFrames::Repeat::kUnknown
                                : found->second.recent.Check(sequence, checksum);
}

bool Producers::Begin(const Producer& producer) {
  absl::MutexLock lock(&mu_);
  const auto found = states_.find(producer.name);
  if (found == states_.end() || found->second.generation != producer.generation) return false;
  ++found->second.in_flight;
  return true;
}

void Producers::Journaled(absl::string_view name, uint64_t sequence, uint32_t checksum) {
  const Timestamp now = clock_.Now();
  absl::MutexLock lock(&mu_);
  State& state = StateOf(name);
  state.journaled = sequence;
  state.last_seen = now;
  NoteFrame(sequence, checksum, state);
  state.changed = true;
}

void Producers::End(absl::string_view name, uint64_t sequence, bool durable) {
  absl::MutexLock lock(&mu_);
  State& state = StateOf(name);
  if (durable) {
    state.durable = sequence;
    ++state.stored;
  }
  if (--state.in_flight == 0 && state.opening != nullptr) AnswerOpening(name, state);
}

bool Producers::Replayed(absl::string_view name, uint64_t sequence, std::optional<uint32_t> checksum,
                         uint64_t* first) {
  absl::MutexLock lock(&mu_);
  State& state = StateOf(name);
  *first = state.journaled + 1;
  const bool jumps = sequence > *first;
  state.journaled = state.durable = sequence;
  state.last_seen = clock_.Now();
  if (checksum.has_value()) NoteFrame(sequence, *checksum, state);
  state.changed = true;
  return jumps;
}

void Producers::Reset(absl::string_view name) {
  absl::MutexLock lock(&mu_);
  NoteGone(name);
  const auto found = states_.find(name);
  if (found == states_.end()) return;
  State& state = found->second;
  // Whoever has it open goes on: an opening that waits, and the reset itself.
  state.journaled = state.durable = state.stored = 0;
  heap_bytes_ -= state.recent.MemoryBytes();
  recent_bytes_ -= state.recent.MemoryBytes();
  state.recent = RecentFrames();
  state.changed = false;
  NoteMemory();
}

std::vector<Producers::Record> Producers::TakeChanged() {
  std::vector<Record> changed;
  absl::MutexLock lock(&mu_);
  record::v1::ProducerRecord record;
  for (auto& [name, state] : states_) {
    if (!state.changed) continue;
    record.Clear();
    record.set_sequence(state.journaled);
    record.set_last_seen(state.last_seen);
    state.recent.ForEach([&, sequence = state.journaled](uint64_t kept, uint32_t checksum) {
      record.add_recent_checksums(checksum);
      record.add_recent_below(sequence - kept);
    });
    changed.emplace_back(name, record.SerializeAsString());
    state.changed = false;
  }
  record.Clear();
  record.set_gone(true);
  // A name may have gone more than once, and may be back.
  std::sort(gone_.begin(), gone_.end());
  gone_.erase(std::unique(gone_.begin(), gone_.end()), gone_.end());
  for (std::string& name : gone_) {
    const auto found = states_.find(name);
    if (found == states_.end() || found->second.journaled == 0) {
      changed.emplace_back(std::move(name), record.SerializeAsString());
    }
  }
  gone_ = std::vector<std::string>();
  gone_heap_bytes_ = 0;
  NoteMemory();
  return changed;
}

void Producers::PutBack(const std::vector<Record>& changed) {
  absl::MutexLock lock(&mu_);
  for (const auto& [name, record] : changed) {
    const auto found = states_.find(name);
    if (found != states_.end() && found->second.journaled > 0) {
      found->second.changed = true;
    } else {
      NoteGone(name);
    }
  }
}

}  // namespace historian
