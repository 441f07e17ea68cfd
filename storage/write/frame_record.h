// File: storage/write/frame_record.h
//
// A frame as a journal record. Every column is a short page (storage/format/short_page.md) where that suits
// it, else a page (page.md): the journal is nearly as small as the blocks will be, at a fraction of their
// cost. Bytes: storage/write/frame_record.md.
#ifndef HISTORIAN_STORAGE_WRITE_FRAME_RECORD_H_
#define HISTORIAN_STORAGE_WRITE_FRAME_RECORD_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/format/encode_hint.h"
#include "storage/model/frame.h"

namespace historian {

// Requires a validated frame (validate.h). `checksum` is of the frame as it came (frame_checksum.h). *hints has one for each column, then one for each snapshot
// (encode_hints.h).
std::string EncodeFrameRecord(absl::string_view producer, const Frame& frame, uint32_t checksum,
                              std::vector<format::EncodeHint>* hints);

struct FrameRecord {
  std::string producer;
  Frame frame;
  std::optional<uint32_t> checksum;  // Absent in records of kinds 1 to 3.
};

// Decodes the columns of the tags that are `wanted` (null: all) and passes over the others; snapshots come
// whole. DataLoss when the bytes are no record.
absl::StatusOr<FrameRecord> DecodeFrameRecord(
    absl::string_view bytes, absl::FunctionRef<bool(TagId)> wanted = [](TagId) { return true; });

// Producer, sequence and checksum alone.
absl::StatusOr<FrameRecord> DecodeFrameRecordHead(absl::string_view bytes);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_WRITE_FRAME_RECORD_H_
