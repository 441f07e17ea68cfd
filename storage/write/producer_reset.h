// File: storage/write/producer_reset.h
//
// That a producer begins anew, as a record of the journal. Bytes: storage/write/producer_reset.md.
#ifndef HISTORIAN_STORAGE_WRITE_PRODUCER_RESET_H_
#define HISTORIAN_STORAGE_WRITE_PRODUCER_RESET_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace historian {

std::string EncodeProducerReset(absl::string_view producer);
// Whether a journal record is one; others are frames (frame_record.h) and marks (storage/versions/version_mark.h).
bool IsProducerReset(absl::string_view record);
// The producer's name. DataLoss: the bytes are not such a record.
absl::StatusOr<std::string> DecodeProducerReset(absl::string_view record);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_WRITE_PRODUCER_RESET_H_
