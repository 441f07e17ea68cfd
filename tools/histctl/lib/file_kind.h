// File: tools/histctl/lib/file_kind.h
//
// Files that are not text, known by their first bytes: spreadsheets, archives, compressed files, PDF, Parquet and others
// that people have where a table is wanted.
#ifndef HISTORIAN_TOOLS_HISTCTL_LIB_FILE_KIND_H_
#define HISTORIAN_TOOLS_HISTCTL_LIB_FILE_KIND_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace historian::histctl {

// Refuses a whole file of a known kind other than CSV; a file of no known kind passes. Pages of HTML and XML, which many
// programs write as .xls, are refused too. Errors: InvalidArgument, says what the file is and how to get CSV from it.
absl::Status RefuseOtherKinds(absl::string_view bytes);

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_LIB_FILE_KIND_H_
