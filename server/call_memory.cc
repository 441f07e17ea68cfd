#include "server/call_memory.h"

#include "absl/strings/str_cat.h"

namespace historian::server {
namespace {

// Rounded up, so that nothing is said to take 0 MiB.
uint64_t MiB(uint64_t bytes) { return (bytes + (uint64_t{1} << 20) - 1) >> 20; }

}  // namespace

absl::Status CallMemory::TooLarge(uint64_t bytes, absl::string_view what) const {
  return absl::ResourceExhaustedError(
      absl::StrCat(what, " takes ", MiB(bytes), " MiB of memory; all calls together have ", MiB(limit_bytes_),
                   " MiB, an eighth of limits.memory_budget: ask for less, or send less, at once"));
}

absl::Status CallMemory::Hold::Grow(uint64_t bytes, absl::string_view what) {
  if (bytes_ + bytes > memory_->limit_bytes_) return memory_->TooLarge(bytes_ + bytes, what);
  absl::MutexLock lock(&memory_->mu_);
  if (memory_->used_bytes_ + bytes > memory_->limit_bytes_) {
    return absl::ResourceExhaustedError(
        absl::StrCat(what, " takes ", MiB(bytes), " MiB of memory, and other calls have ",
                     MiB(memory_->used_bytes_), " of the ", MiB(memory_->limit_bytes_),
                     " MiB there are (an eighth of limits.memory_budget): repeat the call later"));
  }
  memory_->used_bytes_ += bytes;
  bytes_ += bytes;
  return absl::OkStatus();
}

bool CallMemory::Hold::GrowIfPlenty(uint64_t bytes) {
  absl::MutexLock lock(&memory_->mu_);
  if (memory_->used_bytes_ + bytes > memory_->limit_bytes_ / 2) return false;
  memory_->used_bytes_ += bytes;
  bytes_ += bytes;
  return true;
}

void CallMemory::Hold::Note(uint64_t bytes) {
  absl::MutexLock lock(&memory_->mu_);
  memory_->used_bytes_ += bytes;
  bytes_ += bytes;
}

void CallMemory::Hold::ShrinkTo(uint64_t bytes) {
  if (bytes < bytes_) memory_->GiveBack(std::exchange(bytes_, bytes) - bytes);
}

void CallMemory::Hold::Release() {
  if (bytes_ > 0) memory_->GiveBack(std::exchange(bytes_, 0));
}

absl::Status CallMemory::Wait(Hold* hold, uint64_t bytes, absl::string_view what,
                              absl::AnyInvocable<void()> ready) {
  if (bytes > limit_bytes_) return TooLarge(bytes, what);
  absl::MutexLock lock(&mu_);
  waiting_.push_back({hold, bytes, std::move(ready)});
  LetThrough();
  return absl::OkStatus();
}

void CallMemory::GiveBack(uint64_t bytes) {
  absl::MutexLock lock(&mu_);
  used_bytes_ -= bytes;
  LetThrough();
}

void CallMemory::LetThrough() {
  while (!waiting_.empty() && used_bytes_ + waiting_.front().bytes <= limit_bytes_) {
    Waiting first = std::move(waiting_.front());
    waiting_.pop_front();
    used_bytes_ += first.bytes;
    first.hold->bytes_ += first.bytes;
    post_(std::move(first.ready));
  }
}

uint64_t CallMemory::used_bytes() const {
  absl::MutexLock lock(&mu_);
  return used_bytes_;
}

}  // namespace historian::server
