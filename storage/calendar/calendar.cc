#include "storage/calendar/calendar.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "storage/model/check.h"
#include "storage/model/status_macros.h"

namespace historian {
namespace {

using Unit = CalendarStep::Unit;

constexpr int kMinutesOfDay = 24 * 60;
constexpr int kMonthsOfYear = 12;

int64_t FloorDiv(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

Timestamp TimestampOf(absl::Time time) { return absl::ToUnixNanos(time); }

absl::Status Wrong(absl::string_view what) { return absl::InvalidArgumentError(what); }

// Days before the one in which an edge at or before any time of it is certain, whatever the clocks do there.
constexpr int64_t kDaysBefore = 3;

absl::Status CheckPlan(const CalendarStep& step) {
  if (step.shift_plan.size() > CalendarStep::kPlanDaysMax) {
    return Wrong(absl::StrCat("a rotation of more than ", CalendarStep::kPlanDaysMax, " days"));
  }
  bool any = false;
  for (size_t d = 0; d < step.shift_plan.size(); ++d) {
    const std::vector<CalendarStep::Shift>& day = step.shift_plan[d];
    if (day.size() > CalendarStep::kShiftsOfDayMax) {
      return Wrong(absl::StrCat("day ", d + 1, " of the rotation has more than ",
                                CalendarStep::kShiftsOfDayMax, " shifts"));
    }
    int after = -1;
    for (const CalendarStep::Shift& shift : day) {
      if (shift.name.empty() || shift.name.size() > CalendarStep::kShiftNameBytesMax) {
        return Wrong(absl::StrCat("a shift of day ", d + 1, " has a name of ", shift.name.size(),
                                  " bytes: 1 to ", CalendarStep::kShiftNameBytesMax));
      }
      if (shift.minute <= after || shift.minute >= kMinutesOfDay) {
        return Wrong(absl::StrCat("shift '", shift.name, "' begins at minute ", shift.minute,
                                  " of its day: the shifts of a day ascend, from 0 to 1439"));
      }
      after = shift.minute;
      any = true;
    }
  }
  return any ? absl::OkStatus() : Wrong("the plan has no shift");
}

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
  if (step.count > CalendarStep::kCountMax) {
    return Wrong(absl::StrCat("intervals of ", step.count, " days, weeks or years: at most ",
                              CalendarStep::kCountMax));
  }
  if (step.unit == Unit::kShift) {
    if (step.count != 1) return Wrong("shifts are counted one by one");
    RETURN_IF_ERROR(CheckPlan(step));
  }
  return Calendar(std::move(step));
}

Calendar::Calendar(CalendarStep step) : step_(std::move(step)) {
  if (step_.unit != Unit::kShift) return;
  absl::flat_hash_map<absl::string_view, int32_t> known;
  for (const std::vector<CalendarStep::Shift>& day : step_.shift_plan) {
    std::vector<int32_t>& of_day = shift_of_.emplace_back();
    for (const CalendarStep::Shift& shift : day) {
      const auto [at, is_new] = known.try_emplace(shift.name, static_cast<int32_t>(shift_names_.size()));
      if (is_new) shift_names_.push_back(shift.name);
      of_day.push_back(at->second);
    }
  }
}

std::string Calendar::Describe() const {
  constexpr absl::string_view kNames[] = {"minute", "hour", "day", "week", "month", "year", "shift"};
  const absl::string_view name = kNames[static_cast<int>(step_.unit)];
  if (step_.unit == Unit::kShift) return "shifts";
  return step_.count == 1 ? absl::StrCat(name, "s") : absl::StrCat(step_.count, " ", name, "s");
}

uint64_t Calendar::EdgesAtMost(Timestamp start, Timestamp end) const {
  constexpr uint64_t kMinute = uint64_t{60} * kNanosPerSecond, kDay = uint64_t{kMinutesOfDay} * kMinute;
  const uint64_t count = static_cast<uint64_t>(step_.count), span = Elapsed(start, end);
  const auto of_length = [span](uint64_t nanos) { return span / nanos + span / (nanos * 8) + 8; };
  switch (step_.unit) {
    case Unit::kMinute:
      return of_length(count * kMinute);
    case Unit::kHour:
      return of_length(count * 60 * kMinute);
    case Unit::kDay:
      return of_length(count * kDay);
    case Unit::kWeek:
      return of_length(count * 7 * kDay);
    case Unit::kMonth:
      return of_length(count * 28 * kDay);
    case Unit::kYear:
      return of_length(count * 365 * kDay);
    case Unit::kShift: {
      uint64_t shifts = 0;
      for (const auto& day : step_.shift_plan) shifts += day.size();
      return (span / (step_.shift_plan.size() * kDay) + 2) * shifts;
    }
  }
  return 0;
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
    edges->push_back({Begin(IndexOf(day))});
    return;
  }
  const size_t before = edges->size();
  const absl::CivilSecond midnight(day);
  if (step_.unit == Unit::kShift) {
    const int64_t days = static_cast<int64_t>(step_.shift_plan.size());
    const int64_t past = (day - step_.first_day) % days;
    const size_t of_plan = static_cast<size_t>(past < 0 ? past + days : past);
    for (size_t i = 0; i < step_.shift_plan[of_plan].size(); ++i) {
      edges->push_back(
          {At(midnight + int64_t{60} * step_.shift_plan[of_plan][i].minute), shift_of_[of_plan][i]});
    }
  } else {
    const int minutes = step_.count * (step_.unit == Unit::kHour ? 60 : 1);
    for (int minute = 0; minute < kMinutesOfDay; minute += minutes) {
      const absl::CivilSecond local =
          midnight + absl::ToInt64Seconds(step_.day_begins) + int64_t{60} * minute;
      const absl::TimeZone::TimeInfo at = step_.zone.At(local);
      edges->push_back({At(local)});
      if (at.kind == absl::TimeZone::TimeInfo::REPEATED && absl::Minutes(minutes) <= at.post - at.pre) {
        edges->push_back({TimestampOf(at.post)});
      }
    }
  }
  std::stable_sort(edges->begin() + static_cast<ptrdiff_t>(before), edges->end(),
                   [](const Edge& a, const Edge& b) { return a.time < b.time; });
}

int64_t Calendar::IndexesBefore(size_t intervals) const {
  const auto n = static_cast<int64_t>(intervals);
  if (!IsWithinDay()) return n + 2;
  if (step_.unit == Unit::kShift) {
    int64_t shifts = 0;
    for (const auto& day : step_.shift_plan) shifts += static_cast<int64_t>(day.size());
    return (n / shifts + 1) * static_cast<int64_t>(step_.shift_plan.size()) + kDaysBefore;
  }
  return n * step_.count * (step_.unit == Unit::kHour ? 60 : 1) / kMinutesOfDay + kDaysBefore;
}

absl::StatusOr<std::vector<Calendar::Edge>> Calendar::Edges(Timestamp start, Timestamp end,
                                                            size_t intervals_max, size_t before) const {
  std::vector<Edge> edges;
  const auto by_time = [](const Edge& a, const Edge& b) { return a.time < b.time; };
  // Of edges that fall together the last one counts: its interval is the one that has a length. Where clocks go back over
  // midnight, edges of two days are mixed.
  const auto add_day = [&](absl::CivilDay day) {
    const size_t had = edges.size();
    AppendDay(day, &edges);
    if (had == edges.size()) return;
    const auto mixed =
        std::lower_bound(edges.begin(), edges.begin() + static_cast<ptrdiff_t>(had), edges[had], by_time);
    std::stable_sort(mixed, edges.end(), by_time);
    auto to = mixed;
    for (auto at = mixed; at != edges.end(); ++at) {
      if (at + 1 == edges.end() || at->time != (at + 1)->time) *to++ = *at;
    }
    edges.erase(to, edges.end());
  };
  const auto local_day = [this](Timestamp t) {
    return absl::CivilDay(step_.zone.At(absl::FromUnixNanos(t)).cs);
  };
  int64_t index = IndexOf(local_day(start)) - IndexesBefore(before);
  const size_t ahead = before + 1;
  while (edges.empty() || edges.back().time < end) {
    add_day(DayOf(index++));
    // Those ahead of the ones that are wanted.
    const auto behind = static_cast<size_t>(
        std::upper_bound(edges.begin(), edges.end(), Edge{start}, by_time) - edges.begin());
    if (behind > ahead) edges.erase(edges.begin(), edges.begin() + static_cast<ptrdiff_t>(behind - ahead));
    if (edges.size() > intervals_max + ahead && edges[intervals_max + before].time < end) {
      return absl::ResourceExhaustedError(
          absl::StrCat("from ", FormatTimestamp(start), " to ", FormatTimestamp(end), " there are more than ",
                       intervals_max, " intervals (", Describe(),
                       "), the most in one request: ask for a shorter range or longer intervals"));
    }
  }
  while (edges.size() > 2 && edges[edges.size() - 2].time >= end) edges.pop_back();
  if (edges.front().time < kTimestampMin || edges.back().time > kTimestampMax + 1) {
    return Wrong(absl::StrCat(FormatTimestamp(start), " to ", FormatTimestamp(end),
                              ", widened to whole intervals (", Describe(),
                              before > 0 ? absl::StrCat(", and ", before, " before them") : "",
                              "), leaves the times samples may have, 1900-01-01 to 2200-01-01"));
  }
  HISTORIAN_CHECK(edges.size() > ahead && edges[before].time <= start && start < edges[ahead].time);
  return edges;
}

}  // namespace historian
