#include "server/call_memory.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace historian::server {
namespace {

// What may take of the last sixteenth.
constexpr uint64_t kSmallBytes = uint64_t{64} << 10;

std::string Size(uint64_t bytes) {
  constexpr uint64_t kMiB = uint64_t{1} << 20;
  // Rounded up, so that nothing is said to take nothing.
  return bytes < kMiB ? absl::StrCat((bytes + 1023) >> 10, " KiB")
                      : absl::StrCat((bytes + kMiB - 1) / kMiB, " MiB");
}

}  // namespace

absl::Status CallMemory::TooLarge(uint64_t bytes, absl::string_view what) const {
  return absl::ResourceExhaustedError(
      absl::StrCat(what, " takes ", Size(bytes), " of memory; all calls together have ", Size(limit_bytes_),
                   ", an eighth of limits.memory_budget: ask for less, or send less, at once"));
}

bool CallMemory::HasRoom(const Hold& hold, uint64_t bytes) const {
  if (hold.use_ == Use::kWrites && writes_bytes_ > 0 && writes_bytes_ + bytes > limit_bytes_ / 2)
    return false;
  const bool small = hold.use_ != Use::kWrites && hold.bytes_ + bytes <= kSmallBytes;
  return used_bytes_ + bytes <= limit_bytes_ - (small ? 0 : limit_bytes_ / 16);
}

void CallMemory::Count(Use use, int64_t bytes) {
  used_bytes_ += bytes;
  if (use == Use::kWrites) writes_bytes_ += bytes;
  if (use == Use::kSpares) spares_bytes_ += bytes;
}

void CallMemory::TakeFor(Hold* hold, uint64_t bytes) {
  Count(hold->use_, static_cast<int64_t>(bytes));
  hold->bytes_ += bytes;
}

absl::Status CallMemory::Hold::Grow(uint64_t bytes, absl::string_view what) {
  if (bytes_ + bytes > memory_->most_bytes()) return memory_->TooLarge(bytes_ + bytes, what);
  absl::MutexLock lock(&memory_->mu_);
  if (!memory_->HasRoom(*this, bytes)) {
    return absl::ResourceExhaustedError(
        absl::StrCat(what, " takes ", Size(bytes), " of memory, and other calls have ",
                     Size(memory_->used_bytes_), " of the ", Size(memory_->limit_bytes_),
                     " there are (an eighth of limits.memory_budget): repeat the call later"));
  }
  memory_->TakeFor(this, bytes);
  return absl::OkStatus();
}

bool CallMemory::Hold::GrowIfPlenty(uint64_t bytes) {
  absl::MutexLock lock(&memory_->mu_);
  if (memory_->used_bytes_ + bytes > memory_->limit_bytes_ / 2) return false;
  if (use_ == Use::kSpares && memory_->spares_bytes_ + bytes > memory_->limit_bytes_ / 16) return false;
  memory_->TakeFor(this, bytes);
  return true;
}

void CallMemory::Hold::Note(uint64_t bytes) {
  absl::MutexLock lock(&memory_->mu_);
  memory_->TakeFor(this, bytes);
}

void CallMemory::Hold::ShrinkTo(uint64_t bytes) {
  if (bytes < bytes_) memory_->GiveBack(use_, std::exchange(bytes_, bytes) - bytes);
}

void CallMemory::Hold::Release() {
  if (bytes_ > 0) memory_->GiveBack(use_, std::exchange(bytes_, 0));
}

absl::Status CallMemory::Wait(Hold* hold, uint64_t bytes, absl::string_view what,
                              absl::AnyInvocable<void()> ready) {
  if (bytes > most_bytes()) return TooLarge(bytes, what);
  absl::MutexLock lock(&mu_);
  waiting_.push_back({hold, bytes, std::move(ready)});
  LetThrough();
  return absl::OkStatus();
}

void CallMemory::GiveBack(Use use, uint64_t bytes) {
  absl::MutexLock lock(&mu_);
  Count(use, -static_cast<int64_t>(bytes));
  LetThrough();
}

void CallMemory::LetThrough() {
  while (!waiting_.empty() && HasRoom(*waiting_.front().hold, waiting_.front().bytes)) {
    Waiting first = std::move(waiting_.front());
    waiting_.pop_front();
    TakeFor(first.hold, first.bytes);
    post_(std::move(first.ready));
  }
}

uint64_t CallMemory::used_bytes() const {
  absl::MutexLock lock(&mu_);
  return used_bytes_;
}

}  // namespace historian::server
