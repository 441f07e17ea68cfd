// File: server/backup_schedule.h
//
// When a backup is due.
#ifndef HISTORIAN_SERVER_BACKUP_SCHEDULE_H_
#define HISTORIAN_SERVER_BACKUP_SCHEDULE_H_

#include <optional>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace historian::server {

// Of "02:30" the minutes since midnight; nothing of any other text.
std::optional<int> MinuteOfDay(absl::string_view text);

struct BackupSchedule {
  absl::Duration every;              // So long after the one before; 0: by minute_of_day.
  std::optional<int> minute_of_day;  // Of each day of the zone. Nothing, and `every` 0: never.
  absl::TimeZone zone;

  // When the next one is due that follows one taken at `last`; without one, of a server that started at `started`: at once
  // or, by the time of day, the first time that comes. The infinite future: never. It may have passed, while the server was down.
  absl::Time NextAfter(std::optional<absl::Time> last, absl::Time started) const;
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_BACKUP_SCHEDULE_H_
