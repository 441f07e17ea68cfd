// File: storage/model/units.h
//
// Sizes and durations as people write them: in a configuration, on a command line, in a retention rule.
//
//   size        512MiB   2G   64 KiB   1.5GB   4096
//               K, M, G, T and KiB, MiB, GiB, TiB are powers of 1024; kB, MB, GB, TB of 1000; B or nothing is bytes.
//               Case does not matter.
//   duration    10s   250ms   1h30m   6 hours   1d 12h   90d   1y
//               ns, us, ms, s, m, h, d, w, y, or their names (seconds, sec, minutes, min, hours, days, weeks, years, ...).
//               A day is 24 hours, a week 7 days and a year 365 days: durations know no calendar. There are no months.
//               0 needs no unit; any other number does.
#ifndef HISTORIAN_STORAGE_MODEL_UNITS_H_
#define HISTORIAN_STORAGE_MODEL_UNITS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace historian {

// Errors: InvalidArgument, any other text; OutOfRange, 2^63 bytes or more.
absl::StatusOr<uint64_t> ParseSize(absl::string_view text);
// Writes a size in the largest unit of 1024 that divides it: "512MiB", "1000B".
std::string FormatSize(uint64_t bytes);

// Returns a duration of zero or more.
// Errors: InvalidArgument, any other text, such as a number without a unit or a negative one; OutOfRange, more than 292
// years (2^63 nanoseconds).
absl::StatusOr<absl::Duration> ParseDuration(absl::string_view text);
// Writes a duration of zero or more exactly, to the nanosecond, so that ParseDuration reads it back: "1h30m", "90d", "1y",
// "1s500ms", "0s".
std::string PrintDuration(absl::Duration duration);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_MODEL_UNITS_H_
