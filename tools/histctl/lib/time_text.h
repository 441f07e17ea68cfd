// File: tools/histctl/lib/time_text.h
//
// Times and durations as people type and read them.
//
//   2026-11-23T09:00:00.25Z, ...+01:00                     RFC 3339
//   2026-11-23, 2026-11-23 09:00, 2026-11-23T09:00:00.25   local time in the given zone; a date is
//                                                          its midnight
//   23.11.2026, 23.11.2026 09:00                           the same as it is written in many countries
//   09:00, 09:00:30                                        local time of today
//   today, t, yesterday, y, tomorrow, monday, mon, ...     their midnights; of a day of the week, the last one that has begun
//   yesterday 08:00, monday 06:30                          a time of that day
//   today-1d, t+8h, monday+6h                              counted on that day's clock: t+8h is 08:00 also when it is changed
//   now, *, -2h, -1d12h, +30m, now-2h, *-2h                relative to now
//   1795424400s, ...ms, ...us, ...ns                       since 1970, UTC; the unit is never guessed
//
// Local times and clock changes: what is typed can be typed again. A time of day that the clock of the zone skips, or that comes
// twice, is refused; the error says what to type instead. A day, and midnight, is where the day begins, which there always is: at
// the first midnight of two, and where the clock skips midnight, at the moment at which it does. That is where calendars
// (storage/calendar/calendar.h) have its edge, too. Files have a rule of their own: time_parser.h.
//
// Durations are those of storage/model/units.h.
#ifndef HISTORIAN_TOOLS_HISTCTL_LIB_TIME_TEXT_H_
#define HISTORIAN_TOOLS_HISTCTL_LIB_TIME_TEXT_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "storage/model/timestamp.h"

namespace historian::histctl {

// "UTC", "local", or a name of the tz database (storage/calendar/zones.h) such as Europe/Berlin.
absl::StatusOr<absl::TimeZone> LoadZone(absl::string_view name);

// Errors: InvalidArgument, no such form, or not one moment; OutOfRange, outside 1900 to 2200.
absl::StatusOr<Timestamp> ParseTimeText(absl::string_view text, absl::TimeZone zone, Timestamp now);

// Whether the text counts from this moment: now, *, -2h.
bool IsRelativeToNow(absl::string_view text);

// The last time, at or before t, where an interval of this length begins: counted from local midnight if a day has a whole
// number of them, weeks from Monday, days one by one; others from 1970, UTC. Requires interval > 0.
Timestamp AlignDown(Timestamp t, int64_t interval_ns, absl::TimeZone zone);

// As ParseDuration of storage/model/units.h. Returns nanoseconds, above zero.
absl::StatusOr<int64_t> ParseDurationText(absl::string_view text);

// "0s", "1.5s", "2h 5m", "3d 4h": the two largest units.
std::string DurationText(uint64_t nanos);

// Appends as FormatTimestamp prints it, several times faster. A zone's offset that is not whole minutes
// (local mean time, before about 1920) cannot be written in RFC 3339: such times are written in UTC.
void AppendTime(Timestamp t, absl::TimeZone zone, std::string* out);
std::string TimeText(Timestamp t, absl::TimeZone zone);

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_LIB_TIME_TEXT_H_
