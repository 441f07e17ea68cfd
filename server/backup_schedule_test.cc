// When backups are due: a table.
#include "server/backup_schedule.h"

#include <string>

#include "gtest/gtest.h"

namespace historian::server {
namespace {

absl::Time At(const char* text) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, text, &time, &error)) << error;
  return time;
}

TEST(BackupSchedule, Table) {
  struct Row {
    absl::Duration every;
    const char* at;
    const char* zone;
    const char* last;  // Empty: none.
    const char* started;
    const char* next;  // Empty: never.
  };
  const Row rows[] = {
      {absl::Hours(6), "02:30", "UTC", "2026-11-29T10:00:00Z", "2026-11-29T09:00:00Z",
       "2026-11-29T16:00:00Z"},
      {absl::Hours(6), "02:30", "UTC", "", "2026-11-29T09:00:00Z", "2026-11-29T09:00:00Z"},
      // While the server was down one was left out.
      {absl::Hours(6), "", "UTC", "2026-11-20T10:00:00Z", "2026-11-29T09:00:00Z", "2026-11-20T16:00:00Z"},
      {absl::ZeroDuration(), "02:30", "UTC", "2026-11-29T02:31:00Z", "2026-11-01T00:00:00Z",
       "2026-11-30T02:30:00Z"},
      {absl::ZeroDuration(), "02:30", "UTC", "2026-11-29T02:29:00Z", "2026-11-01T00:00:00Z",
       "2026-11-29T02:30:00Z"},
      {absl::ZeroDuration(), "02:30", "UTC", "2026-11-29T02:30:00Z", "2026-11-01T00:00:00Z",
       "2026-11-30T02:30:00Z"},
      {absl::ZeroDuration(), "02:30", "UTC", "", "2026-11-29T09:00:00Z", "2026-11-30T02:30:00Z"},
      {absl::ZeroDuration(), "02:30", "UTC", "2026-11-20T02:30:00Z", "2026-11-29T09:00:00Z",
       "2026-11-21T02:30:00Z"},
      {absl::ZeroDuration(), "02:30", "Europe/Berlin", "2026-11-29T02:00:00Z", "2026-11-01T00:00:00Z",
       "2026-11-30T01:30:00Z"},
      // There is no half past two on that day, and there are two on the other.
      {absl::ZeroDuration(), "02:30", "Europe/Berlin", "2026-03-28T23:00:00Z", "2026-01-01T00:00:00Z",
       "2026-03-29T01:30:00Z"},
      {absl::ZeroDuration(), "02:30", "Europe/Berlin", "2026-10-24T23:00:00Z", "2026-01-01T00:00:00Z",
       "2026-10-25T00:30:00Z"},
      {absl::ZeroDuration(), "02:30", "Europe/Berlin", "2026-10-25T00:31:00Z", "2026-01-01T00:00:00Z",
       "2026-10-26T01:30:00Z"},
      {absl::ZeroDuration(), "", "UTC", "2026-11-29T10:00:00Z", "2026-11-29T09:00:00Z", ""},
  };
  for (const Row& row : rows) {
    BackupSchedule schedule{.every = row.every, .minute_of_day = MinuteOfDay(row.at)};
    ASSERT_TRUE(absl::LoadTimeZone(row.zone, &schedule.zone));
    const std::string last = row.last, next = row.next;
    EXPECT_EQ(schedule.NextAfter(last.empty() ? std::nullopt : std::optional(At(row.last)), At(row.started)),
              next.empty() ? absl::InfiniteFuture() : At(row.next))
        << row.last << " " << row.next;
  }
}

TEST(MinuteOfDay, Table) {
  EXPECT_EQ(MinuteOfDay("00:00"), 0);
  EXPECT_EQ(MinuteOfDay("02:30"), 150);
  EXPECT_EQ(MinuteOfDay("23:59"), 1439);
  for (const char* text : {"", "2:30", "24:00", "12:60", "02:30 ", "02-30", "a2:30", "02:3b", "-1:30"})
    EXPECT_EQ(MinuteOfDay(text), std::nullopt) << text;
}

}  // namespace
}  // namespace historian::server
