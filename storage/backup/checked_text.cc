#include "storage/backup/checked_text.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "storage/backup/digest.h"
#include "storage/model/status_macros.h"

namespace historian::backup {
namespace {

constexpr absl::string_view kEnd = "end ";
constexpr size_t kEndBytes = kEnd.size() + kDigestDigits + 1;

}  // namespace

std::string WithEnd(std::string lines) {
  const std::string digest = DigestOf(lines);
  absl::StrAppend(&lines, kEnd, digest, "\n");
  return lines;
}

absl::StatusOr<CheckedLines> CheckedLines::Open(absl::string_view text, absl::string_view first,
                                                int format_max, std::string what) {
  const auto damaged = [&](absl::string_view why) {
    return absl::DataLossError(absl::StrCat(what, " is damaged: ", why));
  };
  if (text.size() < kEndBytes) return damaged("it is too short");
  absl::string_view end = text.substr(text.size() - kEndBytes);
  const absl::string_view lines = text.substr(0, text.size() - kEndBytes);
  if (!absl::ConsumePrefix(&end, kEnd) || !absl::ConsumeSuffix(&end, "\n"))
    return damaged("its end is missing");
  if (end != DigestOf(lines)) return damaged("its checksum does not match");
  CheckedLines checked(lines, what);
  absl::string_view word, rest;
  int format = 0;
  if (!checked.Next(&word, &rest) || !absl::ConsumePrefix(&checked.line_, first) ||
      !absl::ConsumePrefix(&checked.line_, " ") || !absl::SimpleAtoi(checked.line_, &format) || format < 1) {
    return damaged(absl::StrCat("it does not begin with '", first, "'"));
  }
  if (format > format_max) {
    return absl::FailedPreconditionError(absl::StrCat(what,
                                                      " was written by a newer Historian: its format is ",
                                                      format, ", this one reads up to ", format_max));
  }
  return checked;
}

bool CheckedLines::Next(absl::string_view* word, absl::string_view* rest) {
  if (lines_.empty()) return false;
  line_ = lines_.substr(0, lines_.find('\n'));
  lines_.remove_prefix(std::min(line_.size() + 1, lines_.size()));
  const size_t space = line_.find(' ');
  *word = line_.substr(0, space);
  *rest = space == absl::string_view::npos ? absl::string_view() : line_.substr(space + 1);
  return true;
}

absl::Status CheckedLines::Damaged() const {
  return absl::DataLossError(
      absl::StrCat(what_, " is damaged: it has the line '", line_.substr(0, 200), "'"));
}

absl::StatusOr<uint64_t> CheckedLines::Number(absl::string_view text) const {
  uint64_t number = 0;
  if (!absl::SimpleAtoi(text, &number)) return Damaged();
  return number;
}

absl::StatusOr<Timestamp> CheckedLines::Time(absl::string_view text) const {
  const absl::StatusOr<Timestamp> time = ParseTimestamp(text);
  if (!time.ok()) return Damaged();
  return *time;
}

}  // namespace historian::backup
