// File: storage/calendar/zones.h
//
// The time zones of the machine's tz database, which is in $TZDIR or /usr/share/zoneinfo: their names, their rules, and which
// version of the database these are of. Governments change the clocks; the same day of the same zone may have other hours by a
// later version.
//
// A zone keeps the rules it had when the process first asked for it, whatever is installed meanwhile.
//
// Threads: any number.
#ifndef HISTORIAN_STORAGE_CALENDAR_ZONES_H_
#define HISTORIAN_STORAGE_CALENDAR_ZONES_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace historian {

struct Zone {
  absl::TimeZone zone;
  std::string tz_version;  // Of its rules, as TzDatabaseVersion() said when they were loaded.
};

// Errors: InvalidArgument, the database has no such zone; says which may have been meant.
absl::StatusOr<Zone> FindZone(absl::string_view name);

// Sorted: "Africa/Abidjan", ... and "UTC". As of the first call.
const std::vector<std::string>& ZoneNames();
// Those that `typed` may have meant: the zones of a city, or the nearest names.
std::vector<std::string> NearZones(absl::string_view typed);

// The machine's own zone, by $TZ or where /etc/localtime leads. Nothing when that is no zone of the database.
std::optional<std::string> LocalZoneName();

// "2026a", as the database itself says (its file +VERSION or the first line of tzdata.zi); "unknown" where it has neither.
std::string TzDatabaseVersion();

}  // namespace historian

#endif  // HISTORIAN_STORAGE_CALENDAR_ZONES_H_
