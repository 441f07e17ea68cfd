#include "storage/kv/faulty_store.h"

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "storage/kv/in_memory_only.h"
#include "storage/model/check.h"
#include "storage/model/status_macros.h"

namespace historian::kv {
namespace {

constexpr size_t kSectorBytes = 512;

absl::Status Crashed() { return absl::UnavailableError("the power failed (a fault made by a test)"); }
absl::Status Full() { return absl::ResourceExhaustedError("the disk is full (a fault made by a test)"); }

// A cursor, run or log: lets go of what it wraps when the power fails.
class Part {
 public:
  virtual ~Part() = default;
  virtual void PowerFails(Faults::Torn torn) = 0;
};

struct LogState;

// What one store and its parts share; the levers are in Faults::State.
struct Session;

}  // namespace

struct Faults::State {
  explicit State(uint64_t seed) : dice(seed) {}

  mutable absl::Mutex mutex;  // Also guards the session.
  std::mt19937_64 dice ABSL_GUARDED_BY(mutex);
  std::shared_ptr<Session> session ABSL_GUARDED_BY(mutex);  // Of the store that is open now, if any.
  uint64_t changes ABSL_GUARDED_BY(mutex) = 0;
  uint64_t fail_at ABSL_GUARDED_BY(mutex) = 0;
  absl::Status fail_status ABSL_GUARDED_BY(mutex);
  uint64_t crash_at ABSL_GUARDED_BY(mutex) = 0;
  Torn crash_torn ABSL_GUARDED_BY(mutex) = Torn::kNothing;
  bool full ABSL_GUARDED_BY(mutex) = false;
  bool syncs_held ABSL_GUARDED_BY(mutex) = false;
  bool hung ABSL_GUARDED_BY(mutex) = false;
  bool writes_held ABSL_GUARDED_BY(mutex) = false;
  int waiting ABSL_GUARDED_BY(mutex) = 0;
};

namespace {

// All members and calls are guarded by state->mutex.
struct Session {
  Session(std::shared_ptr<Faults::State> state, std::unique_ptr<Store> store)
      : state(std::move(state)), store(std::move(store)) {}

  // Lets go of the mutex until this is over, or the store is gone.
  void AwaitWhile(bool Faults::State::*held) {
    const auto over = [this, held]()
                          ABSL_NO_THREAD_SAFETY_ANALYSIS { return !((*state).*held) || store == nullptr; };
    ++state->waiting;
    mutex.Await(absl::Condition(&over));
    --state->waiting;
  }
  void AwaitDisk() { AwaitWhile(&Faults::State::hung); }

  // Where a change stands before it is made.
  enum class Fate { kGoOn, kCrashAfter };
  absl::StatusOr<Fate> BeginChange(bool needs_room) {
    if (store == nullptr) return Crashed();
    ++state->changes;
    if (state->changes == state->crash_at) {
      if (state->dice() % 2 == 0) {
        PowerFails(state->crash_torn);
        return Crashed();
      }
      return Fate::kCrashAfter;
    }
    if (state->changes == state->fail_at) return state->fail_status;
    if (needs_room && state->full) return Full();
    return Fate::kGoOn;
  }
  absl::Status EndChange(Fate fate, absl::Status status) {
    if (fate == Fate::kGoOn) return status;
    PowerFails(state->crash_torn);
    return Crashed();
  }
  void PowerFails(Faults::Torn torn) {
    for (Part* part : parts) part->PowerFails(torn);
    store.reset();
  }

  const std::shared_ptr<Faults::State> state;
  absl::Mutex& mutex = state->mutex;
  std::unique_ptr<Store> store;  // Null after a crash.
  std::vector<Part*> parts;      // In order of creation, so that the dice fall the same every time.
  std::map<std::string, LogState*, std::less<>> logs;
};

class FaultyCursor : public Cursor, public Part {
 public:
  FaultyCursor(std::shared_ptr<Session> session, std::unique_ptr<Cursor> cursor)
      : session_(std::move(session)), cursor_(std::move(cursor)) {
    session_->parts.push_back(this);
  }
  ~FaultyCursor() override {
    absl::MutexLock lock(&session_->mutex);
    std::erase(session_->parts, this);
    cursor_.reset();
  }
  void SeekToFirst() override {
    absl::MutexLock lock(&session_->mutex);
    session_->AwaitDisk();
    if (cursor_ != nullptr) cursor_->SeekToFirst();
    Remember();
  }
  void Seek(absl::string_view key) override {
    absl::MutexLock lock(&session_->mutex);
    session_->AwaitDisk();
    if (cursor_ != nullptr) cursor_->Seek(key);
    Remember();
  }
  void SeekForPrev(absl::string_view key) override {
    absl::MutexLock lock(&session_->mutex);
    session_->AwaitDisk();
    if (cursor_ != nullptr) cursor_->SeekForPrev(key);
    Remember();
  }
  void Next() override {
    absl::MutexLock lock(&session_->mutex);
    session_->AwaitDisk();
    if (cursor_ != nullptr) cursor_->Next();
    Remember();
  }
  void Prev() override {
    absl::MutexLock lock(&session_->mutex);
    session_->AwaitDisk();
    if (cursor_ != nullptr) cursor_->Prev();
    Remember();
  }
  // The key and value that were seen stay readable until the next move, as promised, also across a crash.
  bool Valid() const override { return valid_; }
  absl::string_view key() const override { return key_; }
  absl::string_view value() const override { return value_; }
  absl::Status status() const override {
    absl::MutexLock lock(&session_->mutex);
    return cursor_ == nullptr ? Crashed() : cursor_->status();
  }
  void PowerFails(Faults::Torn) override { cursor_.reset(); }

 private:
  void Remember() {
    valid_ = cursor_ != nullptr && cursor_->Valid();
    key_ = valid_ ? std::string(cursor_->key()) : std::string();
    value_ = valid_ ? std::string(cursor_->value()) : std::string();
  }

  const std::shared_ptr<Session> session_;
  std::unique_ptr<Cursor> cursor_;
  bool valid_ = false;
  std::string key_;
  std::string value_;
};

class FaultyRun : public RunBuilder, public Part {
 public:
  FaultyRun(std::shared_ptr<Session> session, std::unique_ptr<RunBuilder> run)
      : session_(std::move(session)), space_(run->space()), run_(std::move(run)) {
    session_->parts.push_back(this);
  }
  ~FaultyRun() override {
    absl::MutexLock lock(&session_->mutex);
    std::erase(session_->parts, this);
    run_.reset();
  }
  Space space() const override { return space_; }
  absl::Status Replace(absl::string_view begin, absl::string_view end) override {
    absl::MutexLock lock(&session_->mutex);
    return run_ == nullptr ? Crashed() : run_->Replace(begin, end);
  }
  absl::Status Add(absl::string_view key, absl::string_view value) override {
    absl::MutexLock lock(&session_->mutex);
    session_->AwaitDisk();
    if (run_ == nullptr) return Crashed();
    if (session_->state->full) return Full();
    return run_->Add(key, value);
  }
  uint64_t size_bytes() const override {
    absl::MutexLock lock(&session_->mutex);
    return run_ == nullptr ? 0 : run_->size_bytes();
  }
  void PowerFails(Faults::Torn) override { run_.reset(); }

  bool is_of(const std::shared_ptr<Session>& session) const { return session_ == session; }
  std::unique_ptr<RunBuilder> Release() { return std::move(run_); }

 private:
  const std::shared_ptr<Session> session_;
  const Space space_;
  std::unique_ptr<RunBuilder> run_;
};

// The log behind and what is kept back from it. Everything requires the mutex.
struct LogState {
  std::unique_ptr<Log> log;
  std::string unsynced;         // Follows log->end().
  bool needs_truncate = false;  // A Sync failed.

  uint64_t end() const { return log->end() + unsynced.size(); }

  absl::Status Flush() {
    if (unsynced.empty()) return log->Sync();
    RETURN_IF_ERROR(log->Append(unsynced));
    unsynced.clear();
    return log->Sync();
  }

  // Drops what a crash or a failed Sync loses.
  void Tear(Faults::Torn torn, std::mt19937_64& dice) {
    switch (torn) {
      case Faults::Torn::kNothing:
        unsynced.clear();
        return;
      case Faults::Torn::kPrefix:
        unsynced.resize(dice() % (unsynced.size() + 1));
        return;
      case Faults::Torn::kSectors:
        break;
    }
    size_t kept = 0;
    for (size_t from = 0; from < unsynced.size();) {
      const size_t to =
          std::min<size_t>(unsynced.size(), from + kSectorBytes - (log->end() + from) % kSectorBytes);
      if (dice() % 2 == 0) {
        kept = to;
      } else {
        std::fill(unsynced.begin() + from, unsynced.begin() + to, '\0');
      }
      from = to;
    }
    unsynced.resize(kept);
  }
};

class FaultyLog : public Log, public Part {
 public:
  FaultyLog(std::shared_ptr<Session> session, std::string name, std::unique_ptr<Log> log)
      : session_(std::move(session)), name_(std::move(name)) {
    kept_.log = std::move(log);
    session_->parts.push_back(this);
    session_->logs[name_] = &kept_;
  }
  // Closed without a crash: as when a process ends, the system keeps what it was given.
  ~FaultyLog() override {
    absl::MutexLock lock(&session_->mutex);
    std::erase(session_->parts, this);
    if (kept_.log == nullptr) return;
    session_->logs.erase(name_);
    if (!kept_.needs_truncate) kept_.Flush().IgnoreError();
    kept_.log.reset();
  }

  absl::Status Append(absl::string_view bytes) override {
    absl::MutexLock lock(&session_->mutex);
    session_->AwaitDisk();
    if (kept_.log != nullptr && kept_.needs_truncate) {
      return absl::FailedPreconditionError("the log must be truncated first, for a Sync failed");
    }
    ASSIGN_OR_RETURN(const Session::Fate fate, session_->BeginChange(/*needs_room=*/true));
    kept_.unsynced.append(bytes.data(), bytes.size());
    return session_->EndChange(fate, absl::OkStatus());
  }
  absl::Status Sync() override {
    absl::MutexLock lock(&session_->mutex);
    session_->AwaitDisk();
    session_->AwaitWhile(&Faults::State::syncs_held);
    if (kept_.log != nullptr && kept_.needs_truncate) {
      return absl::FailedPreconditionError("the log must be truncated first, for a Sync failed");
    }
    const absl::StatusOr<Session::Fate> fate = session_->BeginChange(/*needs_room=*/false);
    if (!fate.ok()) {
      if (kept_.log != nullptr) {
        kept_.Tear(Faults::Torn::kPrefix, session_->state->dice);
        kept_.needs_truncate = true;
      }
      return fate.status();
    }
    return session_->EndChange(*fate, kept_.Flush());
  }
  uint64_t begin() const override {
    absl::MutexLock lock(&session_->mutex);
    return kept_.log == nullptr ? 0 : kept_.log->begin();
  }
  uint64_t end() const override {
    absl::MutexLock lock(&session_->mutex);
    return kept_.log == nullptr ? 0 : kept_.end();
  }
  absl::StatusOr<std::string> Read(uint64_t position, size_t size) const override {
    absl::MutexLock lock(&session_->mutex);
    session_->AwaitDisk();
    if (kept_.log == nullptr) return Crashed();
    std::string bytes;
    const uint64_t behind = kept_.log->end();
    if (position < behind) {
      ASSIGN_OR_RETURN(bytes, kept_.log->Read(position, size));
    }
    const uint64_t from = position + bytes.size() - behind;
    if (position + bytes.size() >= behind && from < kept_.unsynced.size()) {
      bytes += kept_.unsynced.substr(from, size - bytes.size());
    }
    return bytes;
  }
  absl::Status Trim(uint64_t position) override {
    absl::MutexLock lock(&session_->mutex);
    session_->AwaitDisk();
    ASSIGN_OR_RETURN(const Session::Fate fate, session_->BeginChange(/*needs_room=*/false));
    if (position > kept_.log->end() && !kept_.unsynced.empty()) {
      // Positions must go on from there: the bytes pass through the log behind.
      if (absl::Status status = kept_.Flush(); !status.ok()) return session_->EndChange(fate, status);
    }
    return session_->EndChange(fate, kept_.log->Trim(position));
  }
  absl::Status Truncate(uint64_t position) override {
    absl::MutexLock lock(&session_->mutex);
    session_->AwaitDisk();
    ASSIGN_OR_RETURN(const Session::Fate fate, session_->BeginChange(/*needs_room=*/false));
    const uint64_t behind = kept_.log->end();
    absl::Status status;
    if (position > kept_.end()) {
      status = absl::OutOfRangeError(
          absl::StrCat("cannot truncate a log at ", position, ", it ends at ", kept_.end()));
    } else if (position >= behind) {
      kept_.unsynced.resize(position - behind);
    } else {
      status = kept_.log->Truncate(position);
      if (status.ok()) kept_.unsynced.clear();
    }
    if (status.ok()) kept_.needs_truncate = false;
    return session_->EndChange(fate, status);
  }

  void PowerFails(Faults::Torn torn) override {
    if (kept_.log == nullptr) return;
    kept_.Tear(torn, session_->state->dice);
    kept_.Flush().IgnoreError();
    session_->logs.erase(name_);
    kept_.log.reset();
  }

 private:
  const std::shared_ptr<Session> session_;
  const std::string name_;
  LogState kept_;
};

class FailedCursor : public Cursor {
 public:
  explicit FailedCursor(absl::Status status) : status_(std::move(status)) {}
  void SeekToFirst() override {}
  void Seek(absl::string_view) override {}
  void SeekForPrev(absl::string_view) override {}
  void Next() override {}
  void Prev() override {}
  bool Valid() const override { return false; }
  absl::string_view key() const override { return {}; }
  absl::string_view value() const override { return {}; }
  absl::Status status() const override { return status_; }

 private:
  const absl::Status status_;
};

class FaultyStore : public Store {
 public:
  explicit FaultyStore(std::shared_ptr<Session> session) : session_(std::move(session)) {}
  ~FaultyStore() override {
    absl::MutexLock lock(&session_->mutex);
    session_->store.reset();
    if (session_->state->session == session_) session_->state->session.reset();
  }

  absl::StatusOr<std::optional<std::string>> Get(Space space, absl::string_view key) override {
    absl::MutexLock lock(&session_->mutex);
    if (session_->state->hung && InMemoryOnly::here()) return NotInMemory();
    session_->AwaitDisk();
    if (session_->store == nullptr) return Crashed();
    return session_->store->Get(space, key);
  }
  using Store::NewCursor;
  std::unique_ptr<Cursor> NewCursor(Space space, absl::string_view end) override {
    absl::MutexLock lock(&session_->mutex);
    if (session_->store == nullptr) return std::make_unique<FailedCursor>(Crashed());
    if (session_->state->hung && InMemoryOnly::here()) return std::make_unique<FailedCursor>(NotInMemory());
    return std::make_unique<FaultyCursor>(session_, session_->store->NewCursor(space, end));
  }
  absl::Status Write(const Batch& batch) override {
    RETURN_IF_ERROR(refusal());
    absl::MutexLock lock(&session_->mutex);
    session_->AwaitDisk();
    session_->AwaitWhile(&Faults::State::writes_held);
    ASSIGN_OR_RETURN(const Session::Fate fate, session_->BeginChange(/*needs_room=*/true));
    return session_->EndChange(fate, session_->store->Write(batch));
  }
  absl::StatusOr<std::unique_ptr<RunBuilder>> NewRun(Space space) override {
    absl::MutexLock lock(&session_->mutex);
    if (session_->store == nullptr) return Crashed();
    ASSIGN_OR_RETURN(std::unique_ptr<RunBuilder> run, session_->store->NewRun(space));
    return std::make_unique<FaultyRun>(session_, std::move(run));
  }
  absl::Status Ingest(std::vector<std::unique_ptr<RunBuilder>> runs, const Batch& batch) override {
    RETURN_IF_ERROR(refusal());
    absl::MutexLock lock(&session_->mutex);
    session_->AwaitDisk();
    ASSIGN_OR_RETURN(const Session::Fate fate, session_->BeginChange(/*needs_room=*/true));
    std::vector<std::unique_ptr<RunBuilder>> behind;
    absl::Status status;
    for (const auto& run : runs) {
      auto* faulty = dynamic_cast<FaultyRun*>(run.get());
      if (faulty == nullptr || !faulty->is_of(session_)) {
        status = absl::InvalidArgumentError("a run was not built by this store");
        break;
      }
      // A run from before a crash has nothing left to give.
      if (std::unique_ptr<RunBuilder> released = faulty->Release()) behind.push_back(std::move(released));
    }
    if (status.ok()) status = session_->store->Ingest(std::move(behind), batch);
    behind.clear();
    return session_->EndChange(fate, status);
  }
  absl::Status DeleteRange(Space space, absl::string_view begin, absl::string_view end) override {
    RETURN_IF_ERROR(refusal());
    absl::MutexLock lock(&session_->mutex);
    session_->AwaitDisk();
    ASSIGN_OR_RETURN(const Session::Fate fate, session_->BeginChange(/*needs_room=*/false));
    return session_->EndChange(fate, session_->store->DeleteRange(space, begin, end));
  }
  absl::StatusOr<std::unique_ptr<Log>> OpenLog(absl::string_view name) override {
    absl::MutexLock lock(&session_->mutex);
    if (session_->store == nullptr) return Crashed();
    ASSIGN_OR_RETURN(std::unique_ptr<Log> log, session_->store->OpenLog(name));
    return std::make_unique<FaultyLog>(session_, std::string(name), std::move(log));
  }
  absl::Status Checkpoint(const std::string& path) override {
    absl::MutexLock lock(&session_->mutex);
    session_->AwaitDisk();
    ASSIGN_OR_RETURN(const Session::Fate fate, session_->BeginChange(/*needs_room=*/true));
    absl::Status status;
    for (const auto& [name, log] : session_->logs) {
      if (status.ok() && !log->needs_truncate) status = log->Flush();
    }
    if (status.ok()) status = session_->store->Checkpoint(path);
    return session_->EndChange(fate, status);
  }
  StoreStats Stats() override {
    absl::MutexLock lock(&session_->mutex);
    session_->AwaitDisk();
    if (session_->store == nullptr) return StoreStats();
    StoreStats stats = session_->store->Stats();
    for (const auto& [name, log] : session_->logs) stats.log_bytes += log->unsynced.size();
    if (session_->state->full) stats.free_bytes = 0;
    return stats;
  }

 private:
  const std::shared_ptr<Session> session_;
};

// In place of one byte of it, the same with a bit flipped.
absl::Status FlipBit(std::string& bytes, size_t offset, absl::string_view of) {
  if (offset >= bytes.size()) {
    return absl::OutOfRangeError(
        absl::StrCat("cannot damage byte ", offset, " of ", of, ": it has ", bytes.size()));
  }
  bytes[offset] = static_cast<char>(bytes[offset] ^ 0x10);
  return absl::OkStatus();
}

}  // namespace

Faults::Faults(uint64_t seed) : state_(std::make_shared<State>(seed)) {}
Faults::~Faults() = default;

void Faults::FailNth(uint64_t n, absl::Status status) {
  HISTORIAN_CHECK(n >= 1 && !status.ok());
  absl::MutexLock lock(&state_->mutex);
  state_->fail_at = state_->changes + n;
  state_->fail_status = std::move(status);
}

void Faults::SetFull(bool full) {
  absl::MutexLock lock(&state_->mutex);
  state_->full = full;
}

int Faults::waiting() const {
  absl::MutexLock lock(&state_->mutex);
  return state_->waiting;
}

void Faults::HoldWrites(bool held) {
  absl::MutexLock lock(&state_->mutex);
  state_->writes_held = held;
}

void Faults::HoldSyncs(bool held) {
  absl::MutexLock lock(&state_->mutex);
  state_->syncs_held = held;
}

void Faults::Hang(bool hung) {
  absl::MutexLock lock(&state_->mutex);
  state_->hung = hung;
}

void Faults::Crash(Torn torn) {
  absl::MutexLock lock(&state_->mutex);
  if (state_->session != nullptr) state_->session->PowerFails(torn);
}

void Faults::CrashNth(uint64_t n, Torn torn) {
  HISTORIAN_CHECK(n >= 1);
  absl::MutexLock lock(&state_->mutex);
  state_->crash_at = state_->changes + n;
  state_->crash_torn = torn;
}

bool Faults::crashed() const {
  absl::MutexLock lock(&state_->mutex);
  return state_->session != nullptr && state_->session->store == nullptr;
}

uint64_t Faults::changes() const {
  absl::MutexLock lock(&state_->mutex);
  return state_->changes;
}

absl::Status Faults::DamageValue(Space space, absl::string_view key, size_t offset) {
  absl::MutexLock lock(&state_->mutex);
  if (state_->session == nullptr || state_->session->store == nullptr) return Crashed();
  Store& store = *state_->session->store;
  ASSIGN_OR_RETURN(std::optional<std::string> value, store.Get(space, key));
  if (!value.has_value()) return absl::NotFoundError("there is no such key to damage");
  RETURN_IF_ERROR(FlipBit(*value, offset, "a value"));
  if (space == Space::kMeta) {
    Batch batch;
    batch.Put(key, *value);
    return store.Write(batch);
  }
  std::vector<std::unique_ptr<RunBuilder>> runs(1);
  ASSIGN_OR_RETURN(runs[0], store.NewRun(space));
  RETURN_IF_ERROR(runs[0]->Add(key, *value));
  return store.Ingest(std::move(runs));
}

absl::Status Faults::DamageLog(absl::string_view name, uint64_t position) {
  absl::MutexLock lock(&state_->mutex);
  if (state_->session == nullptr || state_->session->store == nullptr) return Crashed();
  const auto it = state_->session->logs.find(name);
  if (it == state_->session->logs.end())
    return absl::NotFoundError(absl::StrCat("there is no open log ", name, " to damage"));
  LogState& log = *it->second;
  RETURN_IF_ERROR(log.Flush());
  ASSIGN_OR_RETURN(std::string tail,
                   log.log->Read(position, log.log->end() - std::min(position, log.log->end())));
  RETURN_IF_ERROR(FlipBit(tail, 0, "a log's end"));
  RETURN_IF_ERROR(log.log->Truncate(position));
  RETURN_IF_ERROR(log.log->Append(tail));
  return log.log->Sync();
}

std::unique_ptr<Store> NewFaultyStore(std::unique_ptr<Store> store, std::shared_ptr<Faults> faults) {
  absl::MutexLock lock(&faults->state_->mutex);
  std::shared_ptr<Session>& session = faults->state_->session;
  HISTORIAN_CHECK(session == nullptr || session->store == nullptr);
  session = std::make_shared<Session>(faults->state_, std::move(store));
  return std::make_unique<FaultyStore>(session);
}

}  // namespace historian::kv
