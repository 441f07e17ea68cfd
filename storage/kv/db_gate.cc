#include "storage/kv/db_gate.h"

#include <algorithm>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "storage/kv/in_memory_only.h"
#include "storage/model/status_macros.h"

namespace historian::kv {
namespace {

constexpr absl::Duration kReopenPatience = absl::Seconds(1);

}  // namespace

std::shared_ptr<const std::vector<std::string>> OpenDb::FirstKeys(Space space) {
  const uint64_t changes = watch->changes();
  absl::MutexLock lock(&firsts_mu_);
  Firsts& firsts = firsts_[static_cast<int>(space)];
  if (firsts.keys != nullptr && firsts.changes == changes) return firsts.keys;
  rocksdb::ColumnFamilyMetaData meta;
  db->GetColumnFamilyMetaData(family(space), &meta);
  auto keys = std::make_shared<std::vector<std::string>>();
  for (const rocksdb::LevelMetaData& level : meta.levels) {
    for (const rocksdb::SstFileMetaData& file : level.files) keys->push_back(file.smallestkey);
  }
  std::sort(keys->begin(), keys->end());
  firsts = {changes, std::move(keys)};
  return firsts.keys;
}

OpenDb::~OpenDb() {
  if (db == nullptr) return;
  for (rocksdb::ColumnFamilyHandle* family : families) {
    if (family != nullptr) db->DestroyColumnFamilyHandle(family).PermitUncheckedError();
  }
  // Everything was durable before; an error has no one left to tell.
  db->Close().PermitUncheckedError();
}

absl::StatusOr<DbGate::Use> DbGate::Enter() {
  if (!InMemoryOnly::here()) {
    mutex_.Lock();
  } else if (!mutex_.TryLock()) {
    return NotInMemory();  // It may be held while RocksDB is opened.
  }
  const absl::Cleanup unlock = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex_.Unlock(); };
  if (open_ == nullptr) return closed_because_;
  ++users_;
  return Use(this, open_);
}

void DbGate::Leave(std::shared_ptr<OpenDb> open) {
  absl::MutexLock lock(&mutex_);
  if (open != open_) return;  // Its last user closes it.
  open.reset();  // Before anybody who waits for the users may go on: then nothing else holds it open.
  if (--users_ == 0) left_.SignalAll();
}

void DbGate::Use::StopCompacting() const {
  for (rocksdb::ColumnFamilyHandle* const family : open_->families) {
    open_->db->SetOptions(family, {{"disable_auto_compactions", "true"}}).PermitUncheckedError();
  }
}

bool DbGate::stopped() {
  absl::MutexLock lock(&mutex_);
  return open_ == nullptr || !open_->read_only.ok() || open_->watch->stopped();
}

bool DbGate::hampered() {
  absl::MutexLock lock(&mutex_);
  return open_ == nullptr || !open_->read_only.ok() || open_->watch->hampered();
}

absl::Status DbGate::Mend(const Opener& opener, const Opener& reader) {
  absl::MutexLock mending(&mend_mutex_);
  const bool is_reading = [this] {
    absl::MutexLock lock(&mutex_);
    return open_ != nullptr && !open_->read_only.ok();
  }();
  if (is_reading) {
    absl::StatusOr<std::unique_ptr<OpenDb>> opened = opener();
    RETURN_IF_ERROR(opened.status());
    absl::MutexLock lock(&mutex_);
    open_ = *std::move(opened);  // The last of its users closes the old one.
    users_ = 0;
    return absl::OkStatus();
  }
  absl::MutexLock lock(&mutex_);
  const auto unused = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return users_ == 0; };
  if (!left_.AwaitFor(&mutex_, kReopenPatience, unused)) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the store ran out of room and goes on when its ", users_, " cursors are closed"));
  }
  // Another writer may have done it meanwhile.
  if (open_ != nullptr && !open_->watch->hampered()) return absl::OkStatus();
  open_.reset();
  absl::StatusOr<std::unique_ptr<OpenDb>> opened = opener();
  const absl::Status status = closed_because_ = opened.status();
  if (!opened.ok()) opened = reader();
  if (opened.ok()) open_ = *std::move(opened);
  return status;
}

}  // namespace historian::kv
