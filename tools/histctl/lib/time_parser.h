// File: tools/histctl/lib/time_parser.h
//
// Reads the times of a file, all of one format, at tens of millions a second.
//
//   iso       2026-11-23[T ]09:00[:00[.25]][Z|+01:00]; without a zone it is local time; a comma may stand for
//             the dot
//   rfc3339   the same, but a zone is required
//   unix, unix_ms, unix_us, unix_ns   a count since 1970, UTC; fractions are read exactly
//   excel     days since 1899-12-30, local time, as spreadsheets keep it; read to the millisecond
//   %...      a pattern as of strptime: %Y %m %d %H %M %S %y %b %I %p %j %z; %S reads fractions too. It must have a year, month
//             and day, and %I and %p together or neither. A %Z at its end reads UTC, GMT or what the clock of the time zone is
//             called then (CET, EDT), which also tells the two times apart that come twice
//   24:00 is the end of its day, in iso and in patterns.
//
// Local times and clock changes
//   skipped    (02:30 in the night the clock goes forward) is read with the offset from before the change.
//   repeated   (02:30 in the night the clock goes back) is the one of the two that goes on as the rows of the same tag before it
//              did: that which is nearer to where their last step leads, if steps are about equal; else the first if it lies
//              behind the row before (or the second before it, if times descend). So files read right that ascend or descend,
//              a row an hour as well as a second. A time far from the row before, or without one, is the first.
//   Both are counted. With strict_clock_changes both are errors instead.
//
// Threads: one.
#ifndef HISTORIAN_TOOLS_HISTCTL_LIB_TIME_PARSER_H_
#define HISTORIAN_TOOLS_HISTCTL_LIB_TIME_PARSER_H_

#include <cstdint>
#include <limits>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "storage/model/timestamp.h"

namespace historian::histctl {

// The times before, of one tag (or of a row of a wide file).
struct TimeHistory {
  Timestamp previous = std::numeric_limits<Timestamp>::min();
  int64_t step = 0;      // From the one before it to that; 0: there is none.
  bool regular = false;  // The step before it was about the same.
};

// What is wrong with a local time that is not exactly one moment (info, of zone.At): it does not exist, or comes twice; and what to
// say instead.
std::string NotOneMoment(absl::TimeZone zone, const absl::TimeZone::TimeInfo& info);

class TimeParser {
 public:
  // Errors: InvalidArgument, no such format.
  static absl::StatusOr<TimeParser> Create(absl::string_view format, absl::TimeZone zone,
                                           bool strict_clock_changes = false);

  // The format that reads all of these texts, if there is but one:
  //   iso, 2026/11/23 09:00:00, 23.11.2026 09:00:00, 23-Nov-26 09:00:00 and others with the month's name, with AM or PM too, and
  //   with the name of a clock behind (CET)
  //   01/02/2026 with whatever time: where one of the first two numbers is above 12 somewhere, or as `order` says
  //   digits: 20261123, 202611230900, 20261123090000; a unix count of 1990 to 2100, its unit by its size; days of a spreadsheet
  //   with fractions
  // Errors: InvalidArgument, none does, or several do; names the first text, and what to say.
  enum class DateOrder { kUnknown, kDayFirst, kMonthFirst };
  static absl::StatusOr<std::string> Detect(absl::Span<const absl::string_view> texts,
                                            DateOrder order = DateOrder::kUnknown);

  // False: *error says why, without the text. Surrounding spaces are ignored. `history` is brought up to date; null: that of
  // this parser.
  bool Parse(absl::string_view text, Timestamp* time, std::string* error, TimeHistory* history = nullptr);

  uint64_t skipped() const { return skipped_; }
  uint64_t repeated() const { return repeated_; }

 private:
  enum class Format { kIso, kRfc3339, kCount, kExcel, kPattern };

  TimeParser() = default;
  bool ParseIso(absl::string_view text, Timestamp* time, std::string* error);
  bool ParseCount(absl::string_view text, Timestamp* time, std::string* error) const;
  bool ParseExcel(absl::string_view text, Timestamp* time, std::string* error);
  bool ParsePattern(absl::string_view text, Timestamp* time, std::string* error);
  // `local` counts seconds since 1970 as if the local clock were UTC's.
  bool FromLocal(int64_t local, int64_t nanos, Timestamp* time, std::string* error);
  bool FromNamedClock(int64_t local, int64_t nanos, Timestamp* time, std::string* error) const;

  Format format_ = Format::kIso;
  absl::TimeZone zone_;
  bool strict_clock_changes_ = false;
  int64_t count_nanos_ = 1;  // kCount: what one of the counted is.
  std::string pattern_;
  bool pattern_has_zone_ = false;
  bool pattern_names_clock_ = false;  // It ended with %Z, which is not in pattern_.
  absl::string_view clock_name_;      // Of the text that is parsed: CET.

  TimeHistory own_;
  TimeHistory* history_ = nullptr;  // While something is parsed.
  uint64_t skipped_ = 0;
  uint64_t repeated_ = 0;
  // The day and the hour before: files ascend.
  int day_key_ = -1;
  int64_t day_seconds_ = 0;
  int64_t hour_ = std::numeric_limits<int64_t>::min();
  int64_t hour_offset_ = 0;
};

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_LIB_TIME_PARSER_H_
