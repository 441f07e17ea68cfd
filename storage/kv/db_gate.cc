#include "storage/kv/db_gate.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace historian::kv {
namespace {

constexpr absl::Duration kReopenPatience = absl::Seconds(1);

}  // namespace

OpenDb::~OpenDb() {
  if (db == nullptr) return;
  for (rocksdb::ColumnFamilyHandle* family : families)
    db->DestroyColumnFamilyHandle(family).PermitUncheckedError();
  // Everything was durable before; an error has no one left to tell.
  db->Close().PermitUncheckedError();
}

absl::StatusOr<DbGate::Use> DbGate::Enter() {
  absl::MutexLock lock(&mutex_);
  if (open_ == nullptr) return closed_because_;
  ++users_;
  return Use(this, open_.get());
}

void DbGate::Leave() {
  absl::MutexLock lock(&mutex_);
  if (--users_ == 0) left_.SignalAll();
}

bool DbGate::stopped() {
  absl::MutexLock lock(&mutex_);
  return open_ == nullptr || open_->watch->stopped();
}

bool DbGate::hampered() {
  absl::MutexLock lock(&mutex_);
  return open_ == nullptr || open_->watch->hampered();
}

absl::Status DbGate::Mend(const Opener& opener) {
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
  closed_because_ = opened.status();
  if (opened.ok()) open_ = *std::move(opened);
  return closed_because_;
}

}  // namespace historian::kv
