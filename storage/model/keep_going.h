// File: storage/model/keep_going.h
//
// How a long piece of work is ended by who asked for it.
#ifndef HISTORIAN_STORAGE_MODEL_KEEP_GOING_H_
#define HISTORIAN_STORAGE_MODEL_KEEP_GOING_H_

#include <functional>

#include "absl/status/status.h"

namespace historian {

// Called between the steps of long work, at least every few hundredths of a second; anything but OK ends it with that
// status. Null: nobody ends it.
using KeepGoing = std::function<absl::Status()>;

inline absl::Status GoOn(const KeepGoing& keep_going) {
  return keep_going == nullptr ? absl::OkStatus() : keep_going();
}

}  // namespace historian

#endif  // HISTORIAN_STORAGE_MODEL_KEEP_GOING_H_
