// File: storage/model/timestamp.h
//
// Time in Historian is UTC nanoseconds since 1970-01-01T00:00:00Z, without leap seconds, in 64 bits.
#ifndef HISTORIAN_STORAGE_MODEL_TIMESTAMP_H_
#define HISTORIAN_STORAGE_MODEL_TIMESTAMP_H_

#include <cstdint>
#include <limits>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace historian {

// UTC nanoseconds since 1970. An alias rather than a class, because columns of it are handed to codecs and
// summed by vector instructions.
using Timestamp = int64_t;

// The times a sample may have: [1900-01-01, 2200-01-01). That is 300 years, more than a signed 64-bit count
// of nanoseconds spans: take differences with Elapsed().
inline constexpr Timestamp kTimestampMin = -2'208'988'800'000'000'000;
inline constexpr Timestamp kTimestampMax = 7'258'118'400'000'000'000 - 1;  // Last valid nanosecond.

inline constexpr int64_t kNanosPerSecond = 1'000'000'000;

// Nanoseconds from `from` to `to`; requires from <= to.
constexpr uint64_t Elapsed(Timestamp from, Timestamp to) {
  return static_cast<uint64_t>(to) - static_cast<uint64_t>(from);
}

constexpr bool IsValidTimestamp(Timestamp t) { return t >= kTimestampMin && t <= kTimestampMax; }

// Returns RFC 3339 with as many fractional digits (0, 3, 6 or 9) as the time needs:
// 2026-11-23T09:00:00.250+01:00. UTC prints "Z". Works for every Timestamp, valid or not.
std::string FormatTimestamp(Timestamp t, absl::TimeZone zone = absl::UTCTimeZone());

// Reads RFC 3339, with 0 to 9 fractional digits and a zone ("Z" or +hh:mm); "T" may be a space.
// Errors: InvalidArgument, any other text; OutOfRange, outside [kTimestampMin, kTimestampMax].
absl::StatusOr<Timestamp> ParseTimestamp(absl::string_view text);

// Rounds down to whole nanoseconds. Errors: OutOfRange, outside [kTimestampMin, kTimestampMax].
absl::StatusOr<Timestamp> TimestampFromTime(absl::Time t);
absl::Time TimeFromTimestamp(Timestamp t);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_MODEL_TIMESTAMP_H_
