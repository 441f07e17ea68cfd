// File: storage/backup/checked_text.h
//
// The small files of a repository: lines of text, of which the last is "end " and the SHA-256 of all bytes before it. So a
// person can read them, and a tool of any system check them (storage/backup/backup.md).
#ifndef HISTORIAN_STORAGE_BACKUP_CHECKED_TEXT_H_
#define HISTORIAN_STORAGE_BACKUP_CHECKED_TEXT_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/model/timestamp.h"

namespace historian::backup {

// Adds the last line. `lines` end with a line end.
std::string WithEnd(std::string lines);

// Reads such a file line by line: a word, a space, and what it says.
class CheckedLines {
 public:
  // `first` is what the first line must be but for the format's number behind it, which may be up to `format_max`. `what`
  // names the file in errors. The text must outlive it.
  // Errors: DataLoss, it is damaged. FailedPrecondition, a newer program wrote it.
  static absl::StatusOr<CheckedLines> Open(absl::string_view text, absl::string_view first, int format_max,
                                           std::string what);

  // The next line's word and the rest; false at the end.
  bool Next(absl::string_view* word, absl::string_view* rest);
  // DataLoss: the line that Next gave last is not as it should be.
  absl::Status Damaged() const;
  absl::StatusOr<uint64_t> Number(absl::string_view text) const;
  absl::StatusOr<Timestamp> Time(absl::string_view text) const;

 private:
  CheckedLines(absl::string_view lines, std::string what) : lines_(lines), what_(std::move(what)) {}

  absl::string_view lines_;
  absl::string_view line_;
  std::string what_;
};

}  // namespace historian::backup

#endif  // HISTORIAN_STORAGE_BACKUP_CHECKED_TEXT_H_
