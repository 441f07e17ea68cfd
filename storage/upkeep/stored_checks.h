// File: storage/upkeep/stored_checks.h
//
// Whether stored bytes are what they should be, piece by piece: for verify.h and salvage.h.
//
// Threads: pure functions.
#ifndef HISTORIAN_STORAGE_UPKEEP_STORED_CHECKS_H_
#define HISTORIAN_STORAGE_UPKEEP_STORED_CHECKS_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "storage/aggregate/summary.h"
#include "storage/kv/store.h"
#include "storage/model/samples.h"
#include "storage/model/value.h"

namespace historian {

// The first field in which they differ; empty when they are equal.
absl::string_view FirstDifference(const Summary& a, const Summary& b);

// Decodes the page into *samples and holds it against its head; *computed is the summary of its samples. DataLoss says what
// is wrong.
absl::Status CheckPage(ValueType type, const Summary& stated, absl::string_view bytes, Samples* samples,
                       Summary* computed);

// Of kMeta or kCheckpoint. False for a record of a known kind that does not parse; of tails that is not looked at.
bool IsReadableRecord(kv::Space space, absl::string_view key, absl::string_view value);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_UPKEEP_STORED_CHECKS_H_
