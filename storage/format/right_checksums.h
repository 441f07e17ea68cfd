// File: storage/format/right_checksums.h
//
// For fuzz targets: puts checksums right, so that mutations get past them.
#ifndef HISTORIAN_STORAGE_FORMAT_RIGHT_CHECKSUMS_H_
#define HISTORIAN_STORAGE_FORMAT_RIGHT_CHECKSUMS_H_

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/checksum/checksum.h"
#include "storage/format/block.h"

namespace historian::format {

// The bytes and the checksum of them behind, as heads and rollups end.
inline std::string WithChecksum(std::string body) {
  const uint32_t checksum = Checksum(body);
  for (int shift = 0; shift < 32; shift += 8) body.push_back(static_cast<char>(checksum >> shift));
  return body;
}

// The head with a right checksum in the place of its own, and right ones for what there is of the payload.
inline std::string RightHead(absl::string_view head, absl::string_view payload) {
  const std::string bytes =
      WithChecksum(std::string(head.substr(0, head.size() - std::min(head.size(), size_t{4}))));
  absl::StatusOr<BlockHead> decoded = DecodeBlockHead(bytes);
  if (!decoded.ok() || decoded->payload_size() > payload.size()) return bytes;
  for (PageInfo& page : decoded->pages) page.checksum = Checksum(payload.substr(page.offset, page.size));
  if (decoded->payload_size() > decoded->pages_size()) {
    decoded->versions_checksum = Checksum(payload.substr(decoded->pages_size()));
  }
  std::string again;
  EncodeBlockHead(*decoded, &again);
  return again;
}

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_RIGHT_CHECKSUMS_H_
