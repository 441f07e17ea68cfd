// File: storage/tail/tail_record.h
//
// What stays open of a tag at a seal, as a record in kCheckpoint (record::v1::TailRecord).
#ifndef HISTORIAN_STORAGE_TAIL_TAIL_RECORD_H_
#define HISTORIAN_STORAGE_TAIL_TAIL_RECORD_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/tail/frozen_tail.h"
#include "storage/tail/tail.h"

namespace historian {

// The value of the tag's record. `left`: what did not become blocks, in the form of FrozenTail::runs.
std::string TailRecordOf(const FrozenTag& frozen, const std::vector<PageRun>& left);

// The tail of a record. DataLoss: the bytes are not one, or of another type.
absl::StatusOr<Tail> ReadTailRecord(ValueType type, absl::string_view record, const VersionTable& versions);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_TAIL_TAIL_RECORD_H_
