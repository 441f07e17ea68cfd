// File: storage/model/keep_going.h
//
// How a long piece of work is ended by who asked for it.
#ifndef HISTORIAN_STORAGE_MODEL_KEEP_GOING_H_
#define HISTORIAN_STORAGE_MODEL_KEEP_GOING_H_

#include <functional>

#include "absl/status/status.h"

namespace historian {

// Called between the steps of a long read; anything but OK ends it with that status. Null: never.
using KeepGoing = std::function<absl::Status()>;

}  // namespace historian

#endif  // HISTORIAN_STORAGE_MODEL_KEEP_GOING_H_
