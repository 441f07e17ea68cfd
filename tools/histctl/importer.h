// File: tools/histctl/importer.h
//
// Runs an import of one or many CSV files.
//
//   find each file's layout -> find types over all files -> find or create tags -> file by file:
//   rows -> frames (lib/import_frames.h) -> server (lib/frame_sender.h), going on behind what it already has
//
// A file's producer name is "histctl-import/NAME/DIGEST" (or the given name in front of the digest), where
// the digest is of the file's bytes and of everything that decides what its frames hold: the layout, the
// options and the tags with their types. The same file imported again with the same options stores nothing
// twice and goes on where it was; anything else is another producer and can never be mistaken for it.
#ifndef HISTORIAN_TOOLS_HISTCTL_IMPORTER_H_
#define HISTORIAN_TOOLS_HISTCTL_IMPORTER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tools/histctl/context.h"
#include "tools/histctl/lib/import_layout.h"

namespace historian::histctl {

struct ImportJob {
  std::vector<std::string> files;
  std::string encoding = "auto";  // Or a name that iconv knows.
  ImportOptions options;
  uint64_t infer_rows = 0;  // 0: all.
  bool create = true;
  bool fail_on_error = false;
  uint64_t max_errors = 0;  // 0: no limit.
  std::string producer;     // Empty: by the file's name.
  absl::Duration retry_for = absl::Minutes(10);
  bool dry_run = false;
  uint64_t preview_rows = 0;  // Above 0: show what these rows would be, store nothing; with dry_run.
  bool progress = false;
};

// Bad rows and refused samples are told one by one (the first kErrorsShown of each file) and count as
// failures of the context. Errors: what ends the import: LocalFileError, UsageError (a layout that is not
// found), the server's.
absl::Status RunImport(const ImportJob& job, Context* context);

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_IMPORTER_H_
