#include "server/intervals.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "server/call.h"
#include "server/read_plan.h"
#include "server/trend_interval.h"
#include "storage/calendar/calendar.h"
#include "storage/calendar/zones.h"
#include "storage/model/status_macros.h"

namespace historian::server {
namespace {

constexpr uint32_t kDayMinutes = 24 * 60;

absl::Status Wrong(absl::string_view what) { return absl::InvalidArgumentError(what); }

absl::StatusOr<CalendarStep::Unit> UnitFromWire(const v1::Calendar& calendar) {
  using Unit = CalendarStep::Unit;
  switch (calendar.unit()) {
    case v1::Calendar::UNIT_MINUTE:
      return Unit::kMinute;
    case v1::Calendar::UNIT_HOUR:
      return Unit::kHour;
    case v1::Calendar::UNIT_DAY:
      return Unit::kDay;
    case v1::Calendar::UNIT_WEEK:
      return Unit::kWeek;
    case v1::Calendar::UNIT_MONTH:
      return Unit::kMonth;
    case v1::Calendar::UNIT_YEAR:
      return Unit::kYear;
    case v1::Calendar::UNIT_SHIFT:
      return Unit::kShift;
    default:
      return Wrong(absl::StrCat("calendar.unit ", static_cast<int>(calendar.unit()),
                                " is none of UNIT_MINUTE (1) to UNIT_SHIFT (7)"));
  }
}

absl::Status AddShifts(const v1::Calendar& calendar, CalendarStep* step) {
  for (const v1::Calendar::ShiftDay& day : calendar.shift_plan()) {
    std::vector<CalendarStep::Shift>& to = step->shift_plan.emplace_back();
    // No more than it takes to refuse them.
    if (step->shift_plan.size() > CalendarStep::kPlanDaysMax) break;
    for (const v1::Calendar::Shift& shift : day.shifts()) {
      if (to.size() > CalendarStep::kShiftsOfDayMax) break;
      to.push_back({static_cast<int>(std::min(shift.begins(), kDayMinutes)), shift.name()});
    }
  }
  if (!calendar.first_day().empty()) {
    if (!absl::ParseCivilTime(calendar.first_day(), &step->first_day) || step->first_day.year() < 1900 ||
        step->first_day.year() > 2200) {
      return Wrong(absl::StrCat("calendar.first_day '", calendar.first_day().substr(0, 40),
                                "' is no day such as 2026-01-05, of 1900 to 2200"));
    }
  } else if (calendar.shift_plan_size() > 1) {
    return Wrong(absl::StrCat("calendar.first_day: a rotation of ", calendar.shift_plan_size(),
                              " days needs the day on which it begins"));
  }
  return absl::OkStatus();
}

// *tz_version: of its zone's rules.
absl::StatusOr<Calendar> CalendarFromWire(const v1::Calendar& wire, std::string* tz_version) {
  CalendarStep step;
  ASSIGN_OR_RETURN(step.unit, UnitFromWire(wire));
  const bool is_shifts = step.unit == CalendarStep::Unit::kShift;
  step.count = static_cast<int>(std::min<uint32_t>(wire.count(), std::numeric_limits<int>::max()));
  const absl::StatusOr<Zone> zone = FindZone(wire.zone().empty() ? "UTC" : absl::string_view(wire.zone()));
  if (!zone.ok()) return Annotate(zone.status(), "calendar.zone");
  step.zone = zone->zone;
  *tz_version = zone->tz_version;
  if (wire.day_begins() >= kDayMinutes) {
    return Wrong(absl::StrCat("calendar.day_begins ", wire.day_begins(), ": minutes after midnight, 0 to ",
                              kDayMinutes - 1));
  }
  if (is_shifts && wire.day_begins() > 0) {
    return Wrong("calendar.day_begins has no meaning for shifts, which begin when their plan says");
  }
  if (!is_shifts && (wire.shift_plan_size() > 0 || !wire.first_day().empty())) {
    return Wrong("calendar.shift_plan and calendar.first_day are for UNIT_SHIFT only");
  }
  step.day_begins = absl::Minutes(wire.day_begins());
  if (wire.week_begins() > 7) {
    return Wrong(
        absl::StrCat("calendar.week_begins ", wire.week_begins(), ": 1 (Monday) to 7 (Sunday), or 0"));
  }
  if (wire.week_begins() > 0) step.week_begins = static_cast<absl::Weekday>(wire.week_begins() - 1);
  const auto number = [](uint32_t given) {
    return given == 0 ? 1 : static_cast<int>(std::min(given, 1000U));
  };
  step.month_begins = number(wire.month_begins());
  step.year_begins = number(wire.year_begins());
  if (is_shifts) RETURN_IF_ERROR(AddShifts(wire, &step));
  absl::StatusOr<Calendar> calendar = Calendar::Create(std::move(step));
  if (!calendar.ok()) return Annotate(calendar.status(), "calendar");
  return calendar;
}

absl::Status Take(const TakeMemory& take, uint64_t bytes) {
  return take == nullptr ? absl::OkStatus() : take(bytes);
}

absl::StatusOr<size_t> WindowOf(const v1::ReadProcessedRequest& request) {
  if (request.window() <= 1) return size_t{1};
  if (request.window() > kWindowMax) {
    return Wrong(absl::StrCat("a window of ", request.window(), " intervals: at most ", kWindowMax,
                              "; longer intervals make it longer"));
  }
  if (request.interval_ns() == 0 && !request.has_calendar()) {
    return Wrong("window: it goes with interval_ns or calendar, whose intervals it counts");
  }
  return size_t{request.window()};
}

absl::StatusOr<Intervals> OfCalendar(const v1::ReadProcessedRequest& request, size_t window,
                                     uint64_t intervals_max, const TakeMemory& take) {
  if (request.interval_ns() > 0 || request.intervals_max() > 0) {
    return Wrong("calendar, interval_ns and intervals_max: only one of them can be given");
  }
  Intervals intervals{.window = window};
  ASSIGN_OR_RETURN(const Calendar calendar, CalendarFromWire(request.calendar(), &intervals.tz_version));
  // As they are found, in the plan, and twice in the answer.
  constexpr uint64_t kBytesOfEdge = sizeof(Calendar::Edge) + 3 * (sizeof(Timestamp) + sizeof(uint32_t));
  const uint64_t edges =
      std::min(calendar.EdgesAtMost(request.start(), request.end()), intervals_max + 1) + window;
  RETURN_IF_ERROR(Take(take, edges * kBytesOfEdge));
  absl::StatusOr<std::vector<Calendar::Edge>> found =
      calendar.Edges(request.start(), request.end(), intervals_max, window - 1);
  if (absl::IsResourceExhausted(found.status())) {
    return absl::ResourceExhaustedError(absl::StrCat(found.status().message(), " (limits.intervals)"));
  }
  RETURN_IF_ERROR(found.status());
  intervals.edges.reserve(found->size());
  for (const Calendar::Edge& edge : *found) intervals.edges.push_back(edge.time);
  intervals.shift_names = calendar.shift_names();
  if (intervals.shift_names.empty()) return intervals;
  intervals.shifts.reserve(intervals.size());
  for (size_t k = 0; k < intervals.size(); ++k) {
    intervals.shifts.push_back(static_cast<uint32_t>((*found)[k + window - 1].shift));
  }
  return intervals;
}

// [start, end) in intervals of so many nanoseconds, with the others of the first one's window before it.
absl::StatusOr<Intervals> Even(Timestamp start, Timestamp end, uint64_t interval_ns, size_t window,
                               uint64_t intervals_max, const TakeMemory& take) {
  const uint64_t span = Elapsed(start, end), whole = span / interval_ns;
  Intervals intervals{.window = window, .interval_ns = interval_ns, .last_is_cut = span % interval_ns != 0};
  RETURN_IF_ERROR(
      CheckLimit(whole + (intervals.last_is_cut ? 1 : 0), intervals_max, "intervals", "limits.intervals"));
  const uint64_t before = window - 1;
  if (const uint64_t room = Elapsed(kTimestampMin, start); before > 0 && interval_ns > room / before) {
    return Wrong(absl::StrCat("window: the ", before, " intervals before start ", FormatTimestamp(start),
                              " leave the times samples may have, 1900-01-01 to 2200-01-01"));
  }
  RETURN_IF_ERROR(Take(take, (whole + window + 1) * 3 * sizeof(Timestamp)));
  intervals.edges.reserve(whole + window + 1);
  const uint64_t first = static_cast<uint64_t>(start) - before * interval_ns;
  for (uint64_t i = 0; i <= before + whole; ++i) {
    intervals.edges.push_back(static_cast<Timestamp>(first + i * interval_ns));
  }
  if (intervals.last_is_cut) intervals.edges.push_back(end);
  return intervals;
}

}  // namespace

absl::StatusOr<Intervals> IntervalsOf(const v1::ReadProcessedRequest& request, uint64_t intervals_max,
                                      const TakeMemory& take) {
  Timestamp start = request.start(), end = request.end();
  RETURN_IF_ERROR(CheckRange(start, end));
  ASSIGN_OR_RETURN(const size_t window, WindowOf(request));
  if (request.has_calendar()) return OfCalendar(request, window, intervals_max, take);
  if (request.interval_ns() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return Wrong(absl::StrCat("interval_ns ", request.interval_ns(),
                              " is above 2^63 - 1 (a negative number?); 0 is one interval over all"));
  }
  if (request.intervals_max() == 0) {
    return Even(start, end, request.interval_ns() == 0 ? Elapsed(start, end) : request.interval_ns(), window,
                intervals_max, take);
  }
  if (request.interval_ns() > 0) {
    return Wrong("interval_ns and intervals_max: only one of them can be given");
  }
  if (request.intervals_max() == 1) {
    return Wrong("intervals_max is 1: at least 2; for one interval over all give neither");
  }
  const uint64_t interval_ns = TrendInterval(start, end, request.intervals_max());
  if (!WidenToMultiples(interval_ns, &start, &end)) {
    return Wrong(absl::StrCat(FormatTimestamp(start), " to ", FormatTimestamp(end),
                              ", widened to whole intervals of ", interval_ns / 1'000'000'000,
                              " s, leaves the times samples may have, 1900-01-01 to 2200-01-01: ask for a "
                              "shorter range, or more intervals"));
  }
  return Even(start, end, interval_ns, window, intervals_max, take);
}

void IntervalsToWire(const Intervals& intervals, v1::ProcessedIntervals* to) {
  to->mutable_edges()->Add(intervals.edges.begin(), intervals.edges.end());
  to->set_window(static_cast<uint32_t>(intervals.window));
  for (const std::string& name : intervals.shift_names) to->add_shift_names(name);
  to->mutable_shifts()->Add(intervals.shifts.begin(), intervals.shifts.end());
  to->set_tz_version(intervals.tz_version);
}

}  // namespace historian::server
