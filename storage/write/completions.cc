#include "storage/write/completions.h"

#include <utility>

namespace historian {

uint64_t Completions::NextTicket() {
  absl::MutexLock lock(&mu_);
  waiting_.emplace_back();
  return first_ + waiting_.size() - 1;
}

void Completions::Complete(uint64_t ticket, Callback callback) {
  {
    absl::MutexLock lock(&mu_);
    waiting_[ticket - first_] = std::move(callback);
    if (running_) return;  // That thread sees it when its turn comes.
    running_ = true;
  }
  while (true) {
    Callback next;
    {
      absl::MutexLock lock(&mu_);
      if (waiting_.empty() || waiting_.front() == nullptr) {
        running_ = false;
        return;
      }
      next = std::move(waiting_.front());
      waiting_.pop_front();
      ++first_;
    }
    next();
  }
}

}  // namespace historian
