#include "storage/calendar/calendar.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace historian {
namespace {

using Unit = CalendarStep::Unit;

constexpr int kMinutesOfDay = 24 * 60;
constexpr int kMonthsOfYear = 12;

int64_t FloorDiv(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

Timestamp TimestampOf(absl::Time time) { return absl::ToUnixNanos(time); }

absl::Status Wrong(absl::string_view what) { return absl::InvalidArgumentError(what); }

}  // namespace

absl::StatusOr<Calendar> Calendar::Create(CalendarStep step) {
  if (step.count < 1) return Wrong(absl::StrCat("an interval of ", step.count, " units has no length"));
  if (step.unit == Unit::kMinute && (step.count > 30 || 60 % step.count != 0)) {
    return Wrong(absl::StrCat("intervals of ", step.count,
                              " minutes do not divide an hour: 1, 2, 3, 4, 5, 6, 10, 12, 15, 20 and 30 do"));
  }
  if (step.unit == Unit::kHour && (step.count > 12 || 24 % step.count != 0)) {
    return Wrong(
        absl::StrCat("intervals of ", step.count, " hours do not divide a day: 1, 2, 3, 4, 6, 8 and 12 do"));
  }
  if (step.unit == Unit::kMonth && (step.count > 6 || kMonthsOfYear % step.count != 0)) {
    return Wrong(
        absl::StrCat("intervals of ", step.count, " months do not divide a year: 1, 2, 3, 4 and 6 do"));
  }
  if (step.day_begins < absl::ZeroDuration() || step.day_begins >= absl::Hours(24) ||
      step.day_begins % absl::Minutes(1) != absl::ZeroDuration()) {
    return Wrong(absl::StrCat("a day cannot begin ", absl::FormatDuration(step.day_begins),
                              " after midnight: whole minutes from 0 to 23h59m"));
  }
  if (step.month_begins < 1 || step.month_begins > 28) {
    return Wrong(
        absl::StrCat("a month cannot begin on day ", step.month_begins, ": every month has days 1 to 28"));
  }
  if (step.year_begins < 1 || step.year_begins > kMonthsOfYear) {
    return Wrong(absl::StrCat("a year cannot begin in month ", step.year_begins, ": 1 to 12"));
  }
  if (step.unit == Unit::kShift) {
    if (step.count != 1) return Wrong("shifts are counted one by one");
    bool any = false;
    for (const std::vector<CalendarStep::Shift>& day : step.shift_plan) {
      int after = -1;
      for (const CalendarStep::Shift& shift : day) {
        if (shift.minute <= after || shift.minute >= kMinutesOfDay) {
          return Wrong(absl::StrCat("shift '", shift.name, "' begins at minute ", shift.minute,
                                    " of its day: the shifts of a day ascend, from 0 to 1439"));
        }
        after = shift.minute;
        any = true;
      }
    }
    if (!any) return Wrong("the plan has no shift");
  }
  return Calendar(std::move(step));
}

Timestamp Calendar::At(absl::CivilSecond local) const {
  const absl::TimeZone::TimeInfo at = step_.zone.At(local);
  return TimestampOf(at.kind == absl::TimeZone::TimeInfo::SKIPPED ? at.trans : at.pre);
}

int64_t Calendar::IndexOf(absl::CivilDay day) const {
  const int64_t days = day - absl::CivilDay(1970, 1, 1);
  switch (step_.unit) {
    case Unit::kWeek: {
      // The last first day of a week at or before Monday, 1970-01-05.
      const absl::CivilDay first = absl::PrevWeekday(absl::CivilDay(1970, 1, 6), step_.week_begins);
      return FloorDiv(day - first, int64_t{7} * step_.count);
    }
    case Unit::kMonth:
    case Unit::kYear: {
      const absl::CivilMonth month(absl::CivilDay(day - (step_.month_begins - 1)));
      const int64_t months = month.year() * kMonthsOfYear + month.month() - step_.year_begins;
      return FloorDiv(months,
                      step_.unit == Unit::kMonth ? step_.count : int64_t{kMonthsOfYear} * step_.count);
    }
    case Unit::kDay:
      return FloorDiv(days, step_.count);
    case Unit::kMinute:
    case Unit::kHour:
    case Unit::kShift:
      return days;
  }
  return days;
}

absl::CivilDay Calendar::DayOf(int64_t index) const {
  const absl::CivilDay epoch(1970, 1, 1);
  switch (step_.unit) {
    case Unit::kWeek:
      return absl::PrevWeekday(absl::CivilDay(1970, 1, 6), step_.week_begins) + index * 7 * step_.count;
    case Unit::kMonth:
    case Unit::kYear: {
      const int64_t months =
          index * (step_.unit == Unit::kMonth ? step_.count : int64_t{kMonthsOfYear} * step_.count) +
          step_.year_begins - 1;
      const int64_t year = FloorDiv(months, kMonthsOfYear);
      return absl::CivilDay(year, months - year * kMonthsOfYear + 1, step_.month_begins);
    }
    case Unit::kDay:
      return epoch + index * step_.count;
    case Unit::kMinute:
    case Unit::kHour:
    case Unit::kShift:
      return epoch + index;
  }
  return epoch + index;
}

Timestamp Calendar::Begin(int64_t index) const {
  return At(absl::CivilSecond(DayOf(index)) + absl::ToInt64Seconds(step_.day_begins));
}

void Calendar::AppendDay(absl::CivilDay day, std::vector<Edge>* edges) const {
  if (!IsWithinDay()) {
    edges->push_back({Begin(IndexOf(day)), ""});
    return;
  }
  const size_t before = edges->size();
  const absl::CivilSecond midnight(day);
  if (step_.unit == Unit::kShift) {
    const int64_t days = static_cast<int64_t>(step_.shift_plan.size());
    const int64_t of_plan = (day - step_.first_day) % days;
    for (const CalendarStep::Shift& shift : step_.shift_plan[of_plan < 0 ? of_plan + days : of_plan]) {
      edges->push_back({At(midnight + int64_t{60} * shift.minute), shift.name});
    }
  } else {
    const int minutes = step_.count * (step_.unit == Unit::kHour ? 60 : 1);
    for (int minute = 0; minute < kMinutesOfDay; minute += minutes) {
      const absl::CivilSecond local =
          midnight + absl::ToInt64Seconds(step_.day_begins) + int64_t{60} * minute;
      const absl::TimeZone::TimeInfo at = step_.zone.At(local);
      edges->push_back({At(local), ""});
      if (at.kind == absl::TimeZone::TimeInfo::REPEATED && absl::Minutes(minutes) <= at.post - at.pre) {
        edges->push_back({TimestampOf(at.post), ""});
      }
    }
  }
  std::stable_sort(edges->begin() + static_cast<ptrdiff_t>(before), edges->end(),
                   [](const Edge& a, const Edge& b) { return a.time < b.time; });
}

absl::StatusOr<std::vector<Calendar::Edge>> Calendar::Edges(Timestamp start, Timestamp end,
                                                            size_t intervals_max) const {
  std::vector<Edge> edges;
  // Of edges that fall together the last one counts: its interval is the one that has a length. Where clocks go back over
  // midnight, edges of two days are mixed.
  const auto add_day = [&](absl::CivilDay day) {
    const size_t before = edges.size();
    AppendDay(day, &edges);
    const auto by_time = [](const Edge& a, const Edge& b) { return a.time < b.time; };
    const auto mixed = before == edges.size()
                           ? edges.end()
                           : std::lower_bound(edges.begin(), edges.begin() + static_cast<ptrdiff_t>(before),
                                              edges[before], by_time);
    std::stable_sort(mixed, edges.end(), by_time);
    const auto last_of_each = [](const Edge& a, const Edge& b) { return a.time == b.time; };
    // From behind, unique keeps the last.
    edges.erase(edges.begin(), std::unique(edges.rbegin(), edges.rend(), last_of_each).base());
  };
  const auto local_day = [this](Timestamp t) {
    return absl::CivilDay(step_.zone.At(absl::FromUnixNanos(t)).cs);
  };
  // From far enough before that an edge at or before `start` is certain, whatever the clocks do there, and a plan leaves out.
  const int64_t days_before =
      step_.unit == Unit::kShift ? static_cast<int64_t>(step_.shift_plan.size()) + 3 : 3;
  int64_t index = IndexOf(local_day(start)) - (IsWithinDay() ? days_before : 2);
  while (edges.empty() || edges.back().time < end) {
    add_day(DayOf(index++));
    // Those before the interval in which `start` lies are not wanted.
    const auto behind = std::upper_bound(edges.begin(), edges.end(), start,
                                         [](Timestamp t, const Edge& edge) { return t < edge.time; });
    if (behind - edges.begin() > 1) edges.erase(edges.begin(), behind - 1);
    if (edges.size() > intervals_max + 1 && edges[intervals_max].time < end) {
      return Wrong(absl::StrCat(
          "from ", FormatTimestamp(start), " to ", FormatTimestamp(end), " there are more than ",
          intervals_max, " intervals, the most in one request: ask for a shorter range or longer intervals"));
    }
  }
  while (edges.size() > 2 && edges[edges.size() - 2].time >= end) edges.pop_back();
  return edges;
}

}  // namespace historian
