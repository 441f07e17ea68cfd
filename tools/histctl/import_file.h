// File: tools/histctl/import_file.h
//
// One file of an import: what is in it, and what became of it.
#ifndef HISTORIAN_TOOLS_HISTCTL_IMPORT_FILE_H_
#define HISTORIAN_TOOLS_HISTCTL_IMPORT_FILE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "storage/model/tag.h"
#include "tools/histctl/lib/import_frames.h"
#include "tools/histctl/lib/import_layout.h"
#include "tools/histctl/lib/mapped_file.h"

namespace historian::histctl {

struct ImportFile {
  std::string path;
  MappedFile mapped;
  std::string encoding;  // "UTF-8", or what it was turned into that from.
  std::optional<std::string> decoded;
  ImportLayout layout;
  ImportScan scan;
  std::vector<Tag> columns;         // Wide: of layout.columns; id 0: no values, no tag.
  std::map<std::string, Tag> tags;  // Else: as scan.tags.

  // In UTF-8.
  absl::string_view text() const { return decoded ? absl::string_view(*decoded) : mapped.text(); }
};

struct ImportOutcome {
  std::string producer;
  ImportCounts counts;
  uint64_t stored = 0;
  uint64_t rejected = 0;
  uint64_t earlier = 0;       // Samples that an earlier run has stored.
  uint64_t acknowledged = 0;  // Samples that this run has sent.
  uint64_t reconnects = 0;
  absl::Duration elapsed;
};

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_IMPORT_FILE_H_
