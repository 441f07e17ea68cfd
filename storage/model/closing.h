// File: storage/model/closing.h
//
// What every part of an archive says to callers once it closes.
#ifndef HISTORIAN_STORAGE_MODEL_CLOSING_H_
#define HISTORIAN_STORAGE_MODEL_CLOSING_H_

#include "absl/status/status.h"

namespace historian {

inline absl::Status ArchiveIsClosing() { return absl::UnavailableError("the archive is closing"); }

}  // namespace historian

#endif  // HISTORIAN_STORAGE_MODEL_CLOSING_H_
