// File: storage/calendar/calendar.h
//
// Intervals as a plant counts them, by the clocks of a place: quarter-hours to years, days that begin at six, weeks, months of a
// fiscal year, shifts that rotate.
//
//   Europe/Berlin, days     |--- 24 h ---|----- 25 h -----|--- 24 h ---|      25 October 2026 has 25 hours
//   days that begin at 06:00      |------- 25 h -------|--- 24 h ---|
//   shifts                    06:00 early, 14:00 late, 22:00 night
//
// An interval ends where the next one begins. Local times that do not exist, or exist twice:
//   * An edge at a time that the clocks skip lies at the moment at which they skip it. Edges that fall together are one: a day
//     that a zone leaves out (Pacific/Apia, 30 December 2011) is no interval.
//   * An edge at a time that comes twice lies at the first. Of intervals that are no longer than what is repeated, both are edges:
//     an hour that comes twice is two intervals.
//
// Zones and their rules are those of the machine's tz database (absl::TimeZone).
#ifndef HISTORIAN_STORAGE_CALENDAR_CALENDAR_H_
#define HISTORIAN_STORAGE_CALENDAR_CALENDAR_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "storage/model/timestamp.h"

namespace historian {

struct CalendarStep {
  enum class Unit { kMinute, kHour, kDay, kWeek, kMonth, kYear, kShift };

  // Of days, weeks or years in an interval.
  static constexpr int kCountMax = 1000;
  static constexpr size_t kPlanDaysMax = 400;
  static constexpr size_t kShiftsOfDayMax = 48;
  static constexpr size_t kShiftNameBytesMax = 64;

  // Hours and minutes divide a day: 1, 2, 3, 4, 6, 8, 12 hours; 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30 minutes. Months divide a
  // year: 1, 2, 3 (quarters), 4, 6. Days, weeks and years are counted from 1970-01-01, the Monday 1970-01-05 (or the day on which
  // weeks begin before it), and the year 0. Shifts: 1.
  Unit unit = Unit::kDay;
  int count = 1;
  absl::TimeZone zone = absl::UTCTimeZone();

  // By the clock, after midnight: 6 h for a gas day in Europe. From 0 to before 24 h, whole minutes.
  absl::Duration day_begins = absl::ZeroDuration();
  absl::Weekday week_begins = absl::Weekday::monday;  // As in ISO 8601.
  int month_begins = 1;                               // On this day, 1 to 28.
  int year_begins = 1;                                // In this month, 1 to 12.

  // For kShift. The plan of day d of a rotation of n is plan[d mod n], counted from first_day; a shift lasts until the next
  // one begins.
  struct Shift {
    int minute = 0;  // After midnight, by the clock: 0 to 1439.
    std::string name;
  };
  std::vector<std::vector<Shift>> shift_plan;  // Of each day, ascending. A day may have none.
  absl::CivilDay first_day;
};

// Threads: any number. Errors are InvalidArgument, but for those that are named.
class Calendar {
 public:
  // Errors: what of the step is out of range, and what it may be.
  static absl::StatusOr<Calendar> Create(CalendarStep step);

  struct Edge {
    Timestamp time = 0;
    int32_t shift = -1;  // The shift that begins there, in shift_names(); -1 for all else.

    friend bool operator==(const Edge&, const Edge&) = default;
  };

  // The intervals that [start, end) touches, and `before` more ahead of them, as their edges: of those that are touched the first
  // is at or before start, the last at or behind end. There is one edge more than intervals. Requires start < end.
  // Errors: ResourceExhausted, there are more than intervals_max, without those before; or they leave the times that samples may
  // have.
  absl::StatusOr<std::vector<Edge>> Edges(Timestamp start, Timestamp end, size_t intervals_max,
                                          size_t before = 0) const;
  // About how many edges that is, not too few by far.
  uint64_t EdgesAtMost(Timestamp start, Timestamp end) const;

  const CalendarStep& step() const { return step_; }
  // Each once, in the order of the plan.
  const std::vector<std::string>& shift_names() const { return shift_names_; }
  // "2 days", "shifts".
  std::string Describe() const;

 private:
  explicit Calendar(CalendarStep step);

  // Where interval or day `index` begins, of units of a day and more.
  Timestamp Begin(int64_t index) const;
  // The index of the interval that begins on the day or is under way there.
  int64_t IndexOf(absl::CivilDay day) const;
  absl::CivilDay DayOf(int64_t index) const;
  // So many indexes before that of a time, there are edges of as many intervals ahead of the one in which it lies.
  int64_t IndexesBefore(size_t intervals) const;
  // Appends the edges of the day that begins then, by the clock, ascending.
  void AppendDay(absl::CivilDay day, std::vector<Edge>* edges) const;
  Timestamp At(absl::CivilSecond local) const;
  bool IsWithinDay() const {
    return step_.unit == CalendarStep::Unit::kMinute || step_.unit == CalendarStep::Unit::kHour ||
           step_.unit == CalendarStep::Unit::kShift;
  }

  CalendarStep step_;
  std::vector<std::string> shift_names_;
  std::vector<std::vector<int32_t>> shift_of_;  // As step_.shift_plan: in shift_names_.
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_CALENDAR_CALENDAR_H_
