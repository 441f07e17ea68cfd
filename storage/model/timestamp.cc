#include "storage/model/timestamp.h"

#include "absl/strings/str_cat.h"

namespace historian {

absl::Time TimeFromTimestamp(Timestamp t) { return absl::UnixEpoch() + absl::Nanoseconds(t); }

absl::StatusOr<Timestamp> TimestampFromTime(absl::Time t) {
  if (t < TimeFromTimestamp(kTimestampMin) || t > TimeFromTimestamp(kTimestampMax)) {
    return absl::OutOfRangeError(absl::StrCat("time ", absl::FormatTime(t, absl::UTCTimeZone()),
                                              " is outside 1900-01-01 to 2200-01-01"));
  }
  return absl::ToUnixNanos(t);
}

std::string FormatTimestamp(Timestamp t, absl::TimeZone zone) {
  const int64_t nanos = ((t % kNanosPerSecond) + kNanosPerSecond) % kNanosPerSecond;
  const char* seconds = nanos == 0             ? "%ET%H:%M:%S"
                        : nanos % 1000000 == 0 ? "%ET%H:%M:%E3S"
                        : nanos % 1000 == 0    ? "%ET%H:%M:%E6S"
                                               : "%ET%H:%M:%E9S";
  const std::string format = absl::StrCat("%Y-%m-%d", "T", seconds + 3);
  const absl::Time time = TimeFromTimestamp(t);
  std::string text = absl::FormatTime(format, time, zone);
  if (zone == absl::UTCTimeZone()) return text + "Z";
  return text + absl::FormatTime("%Ez", time, zone);
}

absl::StatusOr<Timestamp> ParseTimestamp(absl::string_view text) {
  const auto invalid = [&] {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is not an RFC 3339 time such as 2026-11-23T09:00:00.25Z"));
  };
  // absl accepts more than RFC 3339 allows (infinity, leading spaces, any number of digits): look first.
  if (text.size() < 20 || text.size() > 35) return invalid();
  std::string normal(text);
  if (normal[10] == ' ' || normal[10] == 't') normal[10] = 'T';
  if (normal.back() == 'z') normal.back() = 'Z';
  for (size_t i = 0; i < 19; ++i) {
    const char shape = "dddd-dd-ddTdd:dd:dd"[i];
    if (shape == 'd' ? !(normal[i] >= '0' && normal[i] <= '9') : normal[i] != shape) return invalid();
  }
  size_t zone_at = 19;
  if (normal[zone_at] == '.') {
    ++zone_at;
    while (zone_at < normal.size() && normal[zone_at] >= '0' && normal[zone_at] <= '9') ++zone_at;
    if (zone_at == 20 || zone_at > 29) return invalid();
  }
  if (normal.substr(zone_at) != "Z" && normal.size() - zone_at != 6) return invalid();
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, normal, &time, &error)) return invalid();
  return TimestampFromTime(time);
}

}  // namespace historian
