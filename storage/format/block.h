// File: storage/format/block.h
//
// A block: a sealed, immutable run of one tag's samples, up to kBlockPagesMax pages. Stored in two parts:
//
//   head      (space kHeads)  what is in it: count, time range, and for every page its place in the payload,
//                             its checksum and its Summary. Enough to answer most of a dashboard query.
//   payload   (space kPages)  the pages, one after another, and behind them the columns of their samples' versions.
//
// Bytes of both: storage/format/block.md. Keys: key.h.
#ifndef HISTORIAN_STORAGE_FORMAT_BLOCK_H_
#define HISTORIAN_STORAGE_FORMAT_BLOCK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/aggregate/summary.h"
#include "storage/checksum/checksum.h"
#include "storage/model/data_version.h"
#include "storage/model/tag.h"
#include "storage/model/value.h"

namespace historian::format {

inline constexpr size_t kBlockPagesMax = 16;

// Written into every head. A reader refuses one it does not know. Before 2, versions of samples were
// not kept; before 3, details of summaries.
inline constexpr uint32_t kBlockFormat = 3;

struct PageInfo {
  uint32_t offset = 0;    // In the payload.
  uint32_t size = 0;      // Bytes.
  uint32_t checksum = 0;  // Checksum() (storage/checksum/checksum.h) of the page's bytes.
  Summary summary;        // All parts. first.time and last.time bound the page.
  // The lowest and the highest version of its samples, and the size of their column: 0 when both are the same.
  uint32_t lowest_version = 0;
  uint32_t highest_version = 0;
  uint32_t versions_size = 0;
};

struct BlockHead {
  ValueType type = ValueType::kFloat64;
  std::vector<PageInfo> pages;     // 1 to kBlockPagesMax, in time order, not overlapping.
  uint32_t versions_checksum = 0;  // Of all columns of versions; 0 without any.

  Timestamp first_time() const { return pages.front().summary.first.time; }
  Timestamp last_time() const { return pages.back().summary.last.time; }
  uint64_t count() const;
  uint32_t highest_version() const;
  // Where the columns of versions begin in the payload, and where it ends.
  uint64_t pages_size() const { return uint64_t{pages.back().offset} + pages.back().size; }
  uint64_t payload_size() const;
};

// Appends the head to *out, its own checksum included.
void EncodeBlockHead(const BlockHead& head, std::string* out);

// Errors: DataLoss, the checksum or anything else is wrong. FailedPrecondition, a newer program wrote it.
absl::StatusOr<BlockHead> DecodeBlockHead(absl::string_view bytes);

// Returns the bytes of page i in the payload. Errors: DataLoss, it is cut short or its checksum is wrong.
absl::StatusOr<absl::string_view> PageBytes(const BlockHead& head, absl::string_view payload, size_t i);

// Returns the column of the versions of page i (version_column.h), empty when it has none. Errors: DataLoss, the columns
// are cut short or their checksum is wrong.
absl::StatusOr<absl::string_view> VersionBytes(const BlockHead& head, absl::string_view payload, size_t i);

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_BLOCK_H_
