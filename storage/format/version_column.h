// File: storage/format/version_column.h
//
// The versions of a page's samples, as a column of its own: reads that do not ask for it never touch it. It is
// written in the cheapest of these forms:
//
//   steps       a few runs in which versions rise: a minute's samples, an import. Quick, so open pages have it where they can
//   versions    themselves
//   distances   from the version that was open at each sample's own time: all 0 for what came as it was measured, at any
//               rate
//
// Where all samples are of one version there is no column: the page's lowest and highest say it.
// Bytes: storage/format/block.md, "Version column".
#ifndef HISTORIAN_STORAGE_FORMAT_VERSION_COLUMN_H_
#define HISTORIAN_STORAGE_FORMAT_VERSION_COLUMN_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "storage/format/density.h"
#include "storage/model/data_version.h"
#include "storage/model/samples.h"

namespace historian::format {

// The versions of a page.
struct PageVersions {
  uint32_t lowest = 0;
  uint32_t highest = 0;
  std::string column;  // Empty when both are the same.
};

// Of 1 or more samples. kFast writes steps or versions themselves and does not call open_at.
PageVersions EncodeVersions(const SamplesView& samples, Density density, OpenAt open_at);

// Makes *versions those of the samples with these times. open_at must give what it gave the writer for all versions that
// had closed by then. Errors: DataLoss, the bytes are damaged in a way that shows.
absl::Status DecodeVersions(uint32_t lowest, uint32_t highest, absl::string_view column,
                            const Timestamp* times, size_t size, OpenAt open_at,
                            std::vector<uint32_t>* versions);

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_VERSION_COLUMN_H_
