#include "storage/write/producers.h"

#include "absl/strings/str_cat.h"
#include "boost/asio/post.hpp"
#include "proto/record/v1/records.pb.h"
#include "storage/format/record_keys.h"
#include "storage/model/closing.h"
#include "storage/model/tag.h"

namespace historian {
namespace {

constexpr size_t kNameBytesMax = 128;

}  // namespace

absl::Status Producers::Load(kv::Store& store) {
  absl::Status damage;
  const std::unique_ptr<kv::Cursor> cursor = store.NewCursor(kv::Space::kCheckpoint);
  for (cursor->Seek(kProducerKeyPrefix); cursor->Valid(); cursor->Next()) {
    const absl::string_view key = cursor->key();
    if (key.substr(0, 1) != kProducerKeyPrefix) break;
    const absl::string_view name = key.substr(1);
    record::v1::ProducerRecord record;
    if (!record.ParseFromArray(cursor->value().data(), static_cast<int>(cursor->value().size()))) {
      damage.Update(absl::DataLossError(absl::StrCat("the record of producer '", name, "' is damaged")));
      continue;
    }
    absl::MutexLock lock(&mu_);
    State& state = states_[name];
    state.journaled = state.durable = record.sequence();
  }
  const absl::Status status = cursor->status();
  return status.ok() ? damage : status;
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
  State& state = states_[name];
  if (state.opening != nullptr) {
    Answer(std::exchange(state.opening, nullptr),
           absl::AbortedError(absl::StrCat("producer '", name, "' was opened again at the same time")));
  }
  ++state.generation;
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

bool Producers::Begin(const Producer& producer) {
  absl::MutexLock lock(&mu_);
  State& state = states_[producer.name];
  if (state.generation != producer.generation) return false;
  ++state.in_flight;
  return true;
}

void Producers::Journaled(absl::string_view name, uint64_t sequence) {
  absl::MutexLock lock(&mu_);
  State& state = states_[name];
  state.journaled = sequence;
  state.changed = true;
}

void Producers::End(absl::string_view name, uint64_t sequence, bool durable) {
  absl::MutexLock lock(&mu_);
  State& state = states_[name];
  if (durable) state.durable = sequence;
  if (--state.in_flight == 0 && state.opening != nullptr) AnswerOpening(name, state);
}

bool Producers::Replayed(absl::string_view name, uint64_t sequence, uint64_t* first) {
  absl::MutexLock lock(&mu_);
  State& state = states_[name];
  *first = state.journaled + 1;
  const bool jumps = sequence > *first;
  state.journaled = state.durable = sequence;
  state.changed = true;
  return jumps;
}

std::vector<Producers::Position> Producers::TakeChanged() {
  std::vector<Position> changed;
  absl::MutexLock lock(&mu_);
  for (auto& [name, state] : states_) {
    if (!state.changed) continue;
    changed.emplace_back(name, state.journaled);
    state.changed = false;
  }
  return changed;
}

void Producers::PutBack(const std::vector<Position>& changed) {
  absl::MutexLock lock(&mu_);
  for (const auto& [name, sequence] : changed) states_[name].changed = true;
}

}  // namespace historian
