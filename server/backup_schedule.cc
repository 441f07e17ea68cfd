#include "server/backup_schedule.h"

#include "absl/strings/ascii.h"
#include "absl/time/civil_time.h"

namespace historian::server {

std::optional<int> MinuteOfDay(absl::string_view text) {
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  for (const size_t i : {0, 1, 3, 4}) {
    if (!absl::ascii_isdigit(text[i])) return std::nullopt;
  }
  const int hour = (text[0] - '0') * 10 + (text[1] - '0'), minute = (text[3] - '0') * 10 + (text[4] - '0');
  if (hour > 23 || minute > 59) return std::nullopt;
  return hour * 60 + minute;
}

absl::Time BackupSchedule::NextAfter(std::optional<absl::Time> last, absl::Time started) const {
  if (every > absl::ZeroDuration()) return last.has_value() ? *last + every : started;
  if (!minute_of_day.has_value()) return absl::InfiniteFuture();
  const absl::Time from = last.value_or(started);
  // A time that the clocks leave out is taken as if they had not been put forward.
  for (absl::CivilDay day = absl::ToCivilDay(from, zone);; ++day) {
    const absl::Time due = zone.At(absl::CivilSecond(absl::CivilMinute(day) + *minute_of_day)).pre;
    if (due > from) return due;
  }
}

}  // namespace historian::server
