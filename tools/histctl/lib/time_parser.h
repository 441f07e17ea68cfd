// File: tools/histctl/lib/time_parser.h
//
// Reads the times of a file, all of one format, at tens of millions a second.
//
//   iso       2026-11-23[T ]09:00[:00[.25]][Z|+01:00]; without a zone it is local time; a comma may stand for
//             the dot
//   rfc3339   the same, but a zone is required
//   unix, unix_ms, unix_us, unix_ns   a count since 1970, UTC; fractions are read exactly
//   %...      a pattern as of strptime: %Y %m %d %H %M %S %y %b %p %j %z, %E*S for seconds with fractions
//
// Local times and clock changes
//   skipped    (02:30 in the night the clock goes forward) is read with the offset from before the change.
//   repeated   (02:30 in the night the clock goes back) is the first of the two, unless that would lie before
//              the time parsed before it and the second would not: so an ascending file reads right.
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

class TimeParser {
 public:
  // Errors: InvalidArgument, no such format.
  static absl::StatusOr<TimeParser> Create(absl::string_view format, absl::TimeZone zone,
                                           bool strict_clock_changes = false);

  // The format that reads all of these texts: iso, one of two patterns (2026/11/23 09:00:00 and 23.11.2026
  // 09:00:00), or a unix count, its unit guessed from its size (below 1e11 seconds, 1e14 ms, 1e17 us).
  // 01/02/2026 is never guessed. Errors: InvalidArgument, none does; names the first text.
  static absl::StatusOr<std::string> Detect(absl::Span<const absl::string_view> texts);

  // False: *error says why, without the text. Surrounding spaces are ignored.
  bool Parse(absl::string_view text, Timestamp* time, std::string* error);

  uint64_t skipped() const { return skipped_; }
  uint64_t repeated() const { return repeated_; }

 private:
  enum class Format { kIso, kRfc3339, kCount, kPattern };

  TimeParser() = default;
  bool ParseIso(absl::string_view text, Timestamp* time, std::string* error);
  bool ParseCount(absl::string_view text, Timestamp* time, std::string* error) const;
  bool ParsePattern(absl::string_view text, Timestamp* time, std::string* error);
  // `local` counts seconds since 1970 as if the local clock were UTC's.
  bool FromLocal(int64_t local, int64_t nanos, Timestamp* time, std::string* error);

  Format format_ = Format::kIso;
  absl::TimeZone zone_;
  bool strict_clock_changes_ = false;
  int64_t count_nanos_ = 1;  // kCount: what one of the counted is.
  std::string pattern_;
  bool pattern_has_zone_ = false;

  Timestamp previous_ = std::numeric_limits<Timestamp>::min();
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
