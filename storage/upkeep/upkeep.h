// File: storage/upkeep/upkeep.h
//
// What an archive does by itself when the time comes, asked for now. All of it goes on beside reads and writes.
//
// Threads: any number. keep_going is asked while a call waits: what it says ends the call, but not what it asked for, of
// which others may wait too.
#ifndef HISTORIAN_STORAGE_UPKEEP_UPKEEP_H_
#define HISTORIAN_STORAGE_UPKEEP_UPKEEP_H_

#include <optional>

#include "absl/status/statusor.h"
#include "storage/model/keep_going.h"
#include "storage/model/timestamp.h"
#include "storage/sealed/results.h"
#include "storage/upkeep/verify.h"

namespace historian {

struct RetentionOrder {
  // Says what would be done, and does nothing.
  bool dry_run = false;
  // What a person's clock says: if the server's says about the same, it is believed (believed_time.h).
  std::optional<Timestamp> witness;
};

class Upkeep {
 public:
  virtual ~Upkeep() = default;

  // Seals everything that is open, also what is too little for a good block, and trims the journal. With
  // `settle` it then settles every partition that has something to gain, which may take minutes.
  // Errors: those of the store; Unavailable, the archive is closing.
  virtual absl::StatusOr<SealResult> Seal(bool settle = false, const KeepGoing& keep_going = nullptr) = 0;

  // Applies the retention rules as of the believed time, just changed ones too, and drops what has expired from the
  // disk.
  // Errors: as Seal; InvalidArgument, the witness does not agree with the server's clock.
  virtual absl::StatusOr<RetentionResult> ApplyRetention(const RetentionOrder& order,
                                                         const KeepGoing& keep_going = nullptr) = 0;

  // Reads all that is stored and checks it (verify.h); what is damaged is in the archive's Stats too from then
  // on. Runs on the calling thread, which should be one that waits for nobody.
  virtual absl::StatusOr<VerifyCounts> Verify(const VerifyOptions& options,
                                              const VerifyObserver& observer) = 0;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_UPKEEP_UPKEEP_H_
