// File: storage/sealed/reader_pins.h
//
// How long what was replaced is still read.
#ifndef HISTORIAN_STORAGE_SEALED_READER_PINS_H_
#define HISTORIAN_STORAGE_SEALED_READER_PINS_H_

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace historian {

// Tells when nobody uses any more what was visible earlier: readers hold a pin for as long as they live, and
// what was replaced is deleted when the pins from before are gone.
//
// Threads: any number.
class ReaderPins {
 public:
  using Pin = std::shared_ptr<const void>;
  Pin Take() const {
    absl::MutexLock lock(&mu_);
    return current_;
  }

  // The pins taken since the turn before: gone when this expires. Whoever deletes takes turns in order.
  std::weak_ptr<const void> Turn() {
    absl::MutexLock lock(&mu_);
    const std::weak_ptr<const void> past = current_;
    current_ = std::make_shared<const int>();
    return past;
  }

 private:
  mutable absl::Mutex mu_;
  Pin current_ ABSL_GUARDED_BY(mu_) = std::make_shared<const int>();
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_SEALED_READER_PINS_H_
