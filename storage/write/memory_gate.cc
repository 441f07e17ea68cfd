#include "storage/write/memory_gate.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "boost/asio/post.hpp"
#include "storage/platform/monotonic.h"

namespace historian {

MemoryGate::MemoryGate(boost::asio::io_context& io, const Limits& limits, LookAtTails tails)
    : io_(io), limits_(limits), tails_(std::move(tails)), timer_(io) {}

absl::Status MemoryGate::Take(uint64_t bytes) {
  absl::MutexLock lock(&mu_);
  if (!closed_.ok()) return closed_;
  if (!waiting_.empty() || !HasRoom()) return NoRoom();
  frame_bytes_ += bytes;
  return absl::OkStatus();
}

void MemoryGate::Wait(uint64_t bytes, LetIn let_in) {
  absl::MutexLock lock(&mu_);
  waiting_.push_back({bytes, MonotonicTime::Now() + limits_.wait_max, std::move(let_in)});
  if (!closed_.ok()) {
    AnswerFirst(closed_);
    return;
  }
  LetThrough();
  SetTimer();
}

void MemoryGate::Release(uint64_t bytes) {
  absl::MutexLock lock(&mu_);
  frame_bytes_ -= bytes;
  LetThrough();
}

void MemoryGate::Look() {
  absl::MutexLock lock(&mu_);
  LetThrough();
}

void MemoryGate::RefuseWaiting(const absl::Status& why) {
  absl::MutexLock lock(&mu_);
  while (!waiting_.empty()) AnswerFirst(why);
}

void MemoryGate::Close(const absl::Status& why) {
  absl::MutexLock lock(&mu_);
  closed_ = why;
  while (!waiting_.empty()) AnswerFirst(why);
  timer_.cancel();
}

uint64_t MemoryGate::frame_bytes() const {
  absl::MutexLock lock(&mu_);
  return frame_bytes_;
}

bool MemoryGate::HasRoom() const {
  if (frame_bytes_ >= limits_.frame_bytes) return false;
  const Tails tails = tails_();
  return tails.bytes < tails.limit_bytes;
}

absl::Status MemoryGate::NoRoom() const {
  const Tails tails = tails_();
  return absl::ResourceExhaustedError(
      absl::StrCat("no memory for more samples: ", frame_bytes_ >> 20, " of ", limits_.frame_bytes >> 20,
                   " MiB of frames and ", tails.bytes >> 20, " of ", tails.limit_bytes >> 20,
                   " MiB of open samples are taken; the budget is ", limits_.budget_bytes >> 20, " MiB"));
}

void MemoryGate::LetThrough() {
  while (!waiting_.empty() && HasRoom()) {
    frame_bytes_ += waiting_.front().bytes;
    AnswerFirst(absl::OkStatus());
  }
}

void MemoryGate::AnswerFirst(absl::Status status) {
  boost::asio::post(io_, [let_in = std::move(waiting_.front().let_in), status = std::move(status)]() mutable {
    let_in(std::move(status));
  });
  waiting_.pop_front();
}

void MemoryGate::SetTimer() {
  if (waiting_.empty() || timer_set_) return;
  timer_set_ = true;
  timer_.expires_after(absl::ToChronoNanoseconds(waiting_.front().deadline - MonotonicTime::Now()));
  timer_.async_wait([this](boost::system::error_code) { OnTimer(); });
}

void MemoryGate::OnTimer() {
  absl::MutexLock lock(&mu_);
  timer_set_ = false;
  LetThrough();
  while (!waiting_.empty() && waiting_.front().deadline <= MonotonicTime::Now()) AnswerFirst(NoRoom());
  SetTimer();
}

}  // namespace historian
