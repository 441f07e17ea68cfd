#include "storage/calendar/calendar.h"

#include <algorithm>
#include <map>
#include <random>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace historian {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Unit = CalendarStep::Unit;

constexpr Timestamp kHour = 3600 * kNanosPerSecond;

absl::TimeZone Zone(const char* name) {
  absl::TimeZone zone;
  EXPECT_TRUE(absl::LoadTimeZone(name, &zone)) << name;
  return zone;
}

Timestamp At(const char* utc) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, utc, &time, &error)) << error;
  return absl::ToUnixNanos(time);
}

std::vector<Calendar::Edge> EdgesOf(CalendarStep step, const char* start, const char* end) {
  const auto calendar = Calendar::Create(std::move(step));
  EXPECT_TRUE(calendar.ok()) << calendar.status();
  if (!calendar.ok()) return {};
  const auto edges = calendar->Edges(At(start), At(end), 1'000'000);
  EXPECT_TRUE(edges.ok()) << edges.status();
  return edges.ok() ? *edges : std::vector<Calendar::Edge>();
}

// How long each interval is, in hours.
std::vector<double> HoursOf(CalendarStep step, const char* start, const char* end) {
  const std::vector<Calendar::Edge> edges = EdgesOf(std::move(step), start, end);
  std::vector<double> hours;
  for (size_t i = 0; i + 1 < edges.size(); ++i) {
    hours.push_back(static_cast<double>(edges[i + 1].time - edges[i].time) / static_cast<double>(kHour));
  }
  return hours;
}

std::vector<std::string> LocalOf(CalendarStep step, const char* start, const char* end) {
  const absl::TimeZone zone = step.zone;
  std::vector<std::string> times;
  for (const Calendar::Edge& edge : EdgesOf(std::move(step), start, end)) {
    times.push_back(absl::FormatTime("%Y-%m-%d %H:%M", absl::FromUnixNanos(edge.time), zone));
  }
  return times;
}

TEST(Calendar, DaysHave23And25Hours) {
  const absl::TimeZone berlin = Zone("Europe/Berlin");
  EXPECT_THAT(HoursOf({.zone = berlin}, "2026-10-23T22:00:00Z", "2026-10-26T23:00:00Z"),
              ElementsAre(24, 25, 24));
  EXPECT_THAT(HoursOf({.zone = berlin}, "2026-03-27T23:00:00Z", "2026-03-30T22:00:00Z"),
              ElementsAre(24, 23, 24));
  EXPECT_THAT(LocalOf({.zone = berlin}, "2026-10-25T12:00:00Z", "2026-10-25T12:00:01Z"),
              ElementsAre("2026-10-25 00:00", "2026-10-26 00:00"));
}

TEST(Calendar, AnHourThatComesTwiceIsTwoIntervalsAndOneThatDoesNotExistIsNone) {
  const absl::TimeZone berlin = Zone("Europe/Berlin");
  const CalendarStep hour = {.unit = Unit::kHour, .zone = berlin};
  EXPECT_EQ(HoursOf(hour, "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"), std::vector<double>(25, 1));
  EXPECT_EQ(HoursOf(hour, "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"), std::vector<double>(23, 1));
  const CalendarStep quarter = {.unit = Unit::kMinute, .count = 15, .zone = berlin};
  EXPECT_EQ(HoursOf(quarter, "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"), std::vector<double>(100, 0.25));
  // Longer ones begin at the same times of the day as ever.
  EXPECT_THAT(HoursOf({.unit = Unit::kHour, .count = 6, .zone = berlin}, "2026-10-24T22:00:00Z",
                      "2026-10-25T23:00:00Z"),
              ElementsAre(7, 6, 6, 6));
  EXPECT_THAT(HoursOf({.unit = Unit::kHour, .count = 2, .zone = berlin}, "2026-03-28T23:00:00Z",
                      "2026-03-29T05:00:00Z"),
              ElementsAre(2, 1, 2, 2));
  // Half an hour is set back at Lord Howe.
  const CalendarStep lord_howe = {.unit = Unit::kMinute, .count = 30, .zone = Zone("Australia/Lord_Howe")};
  EXPECT_EQ(HoursOf(lord_howe, "2026-04-04T13:00:00Z", "2026-04-05T13:30:00Z"), std::vector<double>(49, 0.5));
}

TEST(Calendar, ADayThatAZoneLeavesOutIsNoInterval) {
  EXPECT_THAT(LocalOf({.zone = Zone("Pacific/Apia")}, "2011-12-29T12:00:00Z", "2011-12-31T12:00:00Z"),
              ElementsAre("2011-12-29 00:00", "2011-12-31 00:00", "2012-01-01 00:00", "2012-01-02 00:00"));
  // Midnight does not exist: the day begins at one.
  EXPECT_THAT(LocalOf({.zone = Zone("America/Sao_Paulo")}, "2018-11-04T12:00:00Z", "2018-11-04T13:00:00Z"),
              ElementsAre("2018-11-04 01:00", "2018-11-05 00:00"));
  EXPECT_THAT(HoursOf({.zone = Zone("America/Sao_Paulo")}, "2018-11-04T12:00:00Z", "2018-11-04T13:00:00Z"),
              ElementsAre(23));
}

TEST(Calendar, GasDaysWeeksMonthsAndFiscalYears) {
  const absl::TimeZone berlin = Zone("Europe/Berlin");
  EXPECT_THAT(
      LocalOf({.zone = berlin, .day_begins = absl::Hours(6)}, "2026-10-25T03:00:00Z", "2026-10-25T12:00:00Z"),
      ElementsAre("2026-10-24 06:00", "2026-10-25 06:00", "2026-10-26 06:00"));
  EXPECT_THAT(
      HoursOf({.zone = berlin, .day_begins = absl::Hours(6)}, "2026-10-24T12:00:00Z", "2026-10-24T13:00:00Z"),
      ElementsAre(25));
  EXPECT_THAT(LocalOf({.unit = Unit::kWeek, .zone = berlin}, "2026-11-29T12:00:00Z", "2026-11-29T13:00:00Z"),
              ElementsAre("2026-11-23 00:00", "2026-11-30 00:00"));
  EXPECT_THAT(LocalOf({.unit = Unit::kWeek, .zone = berlin, .week_begins = absl::Weekday::sunday},
                      "2026-11-29T12:00:00Z", "2026-11-29T13:00:00Z"),
              ElementsAre("2026-11-29 00:00", "2026-12-06 00:00"));
  EXPECT_THAT(LocalOf({.unit = Unit::kMonth, .zone = berlin}, "2026-01-31T23:30:00Z", "2026-03-31T21:00:00Z"),
              ElementsAre("2026-02-01 00:00", "2026-03-01 00:00", "2026-04-01 00:00"));
  EXPECT_THAT(LocalOf({.unit = Unit::kMonth, .count = 3, .zone = berlin, .year_begins = 4},
                      "2026-02-10T00:00:00Z", "2026-04-10T00:00:00Z"),
              ElementsAre("2026-01-01 00:00", "2026-04-01 00:00", "2026-07-01 00:00"));
  EXPECT_THAT(LocalOf({.unit = Unit::kMonth, .zone = berlin, .month_begins = 26}, "2026-02-25T12:00:00Z",
                      "2026-02-26T12:00:00Z"),
              ElementsAre("2026-01-26 00:00", "2026-02-26 00:00", "2026-03-26 00:00"));
  EXPECT_THAT(LocalOf({.unit = Unit::kYear, .zone = berlin, .year_begins = 10}, "2026-11-29T12:00:00Z",
                      "2026-11-29T13:00:00Z"),
              ElementsAre("2026-10-01 00:00", "2027-10-01 00:00"));
  EXPECT_THAT(LocalOf({.unit = Unit::kYear}, "1969-06-01T00:00:00Z", "1970-06-01T00:00:00Z"),
              ElementsAre("1969-01-01 00:00", "1970-01-01 00:00", "1971-01-01 00:00"));
}

TEST(Calendar, ShiftsRotate) {
  const absl::TimeZone berlin = Zone("Europe/Berlin");
  CalendarStep step = {.unit = Unit::kShift, .zone = berlin};
  step.first_day = absl::CivilDay(2026, 10, 24);
  step.shift_plan = {{{6 * 60, "A early"}, {14 * 60, "B late"}, {22 * 60, "C night"}},
                     {{6 * 60, "B early"}, {14 * 60, "C late"}, {22 * 60, "A night"}},
                     {}};
  const std::vector<std::string> shifts = Calendar::Create(step)->shift_names();
  EXPECT_THAT(shifts, ElementsAre("A early", "B late", "C night", "B early", "C late", "A night"));
  std::vector<std::string> names;
  for (const Calendar::Edge& edge : EdgesOf(step, "2026-10-24T20:00:00Z", "2026-10-27T12:00:00Z")) {
    names.push_back(absl::StrCat(absl::FormatTime("%m-%d %H:%M ", absl::FromUnixNanos(edge.time), berlin),
                                 shifts[edge.shift]));
  }
  EXPECT_THAT(names, ElementsAre("10-24 22:00 C night", "10-25 06:00 B early", "10-25 14:00 C late",
                                 "10-25 22:00 A night", "10-27 06:00 A early", "10-27 14:00 B late"));
  EXPECT_THAT(HoursOf(step, "2026-10-24T20:00:00Z", "2026-10-25T13:00:00Z"), ElementsAre(9, 8));
}

TEST(Calendar, WhatCannotBeIsRefused) {
  const auto refused = [](CalendarStep step) {
    return std::string(Calendar::Create(std::move(step)).status().message());
  };
  EXPECT_THAT(refused({.count = 0}), HasSubstr("no length"));
  EXPECT_THAT(refused({.unit = Unit::kMinute, .count = 7}), HasSubstr("7 minutes do not divide an hour"));
  EXPECT_THAT(refused({.unit = Unit::kHour, .count = 5}), HasSubstr("5 hours do not divide a day"));
  EXPECT_THAT(refused({.unit = Unit::kMonth, .count = 5}), HasSubstr("5 months do not divide a year"));
  EXPECT_THAT(refused({.day_begins = absl::Hours(24)}), HasSubstr("24h"));
  EXPECT_THAT(refused({.month_begins = 31}), HasSubstr("day 31"));
  EXPECT_THAT(refused({.year_begins = 0}), HasSubstr("month 0"));
  EXPECT_THAT(refused({.unit = Unit::kShift}), HasSubstr("no shift"));
  CalendarStep shifts = {.unit = Unit::kShift};
  shifts.shift_plan = {{{360, "early"}, {360, "late"}}};
  EXPECT_THAT(refused(shifts), HasSubstr("'late'"));
  shifts.shift_plan = {{{360, ""}}};
  EXPECT_THAT(refused(shifts), HasSubstr("a name of 0 bytes"));
  shifts.shift_plan = {{}, {}};
  for (int i = 0; i < 49; ++i) shifts.shift_plan[1].push_back({i, "early"});
  EXPECT_THAT(refused(shifts), HasSubstr("day 2 of the rotation has more than 48 shifts"));
  shifts.shift_plan.assign(401, {{360, "early"}});
  EXPECT_THAT(refused(shifts), HasSubstr("a rotation of more than 400 days"));
  EXPECT_THAT(refused({.count = 1001}), HasSubstr("at most 1000"));
  const auto days = Calendar::Create({});
  EXPECT_TRUE(days->Edges(At("2026-01-01T00:00:00Z"), At("2026-01-11T00:00:00Z"), 10).ok());
  EXPECT_THAT(
      std::string(days->Edges(At("2026-01-01T00:00:00Z"), At("2026-01-11T00:00:01Z"), 10).status().message()),
      HasSubstr("more than 10 intervals (days)"));
  // The years of a thousand begin at 1000, 2000 and 3000.
  EXPECT_THAT(std::string(Calendar::Create({.unit = Unit::kYear, .count = 1000})
                              ->Edges(At("2026-01-01T00:00:00Z"), At("2026-01-02T00:00:00Z"), 10)
                              .status()
                              .message()),
              HasSubstr("widened to whole intervals (1000 years), leaves the times"));
}

// The intervals before are those that a longer range would have had.
TEST(Calendar, SoManyIntervalsBefore) {
  CalendarStep rotation = {.unit = Unit::kShift};
  rotation.shift_plan = {{}, {{360, "early"}, {840, "late"}}, {}, {{0, "day"}}};
  const CalendarStep steps[] = {{.unit = Unit::kMinute, .count = 15},
                                {.unit = Unit::kHour},
                                {.unit = Unit::kHour, .count = 12},
                                {.unit = Unit::kDay},
                                {.unit = Unit::kDay, .count = 2},
                                {.unit = Unit::kWeek},
                                {.unit = Unit::kMonth, .count = 3},
                                {.unit = Unit::kYear},
                                rotation};
  for (const char* const zone : {"Europe/Berlin", "Pacific/Apia", "Australia/Lord_Howe"}) {
    for (CalendarStep step : steps) {
      step.zone = Zone(zone);
      const auto calendar = Calendar::Create(step);
      for (const char* const at : {"2012-01-10T12:00:00Z", "2026-10-25T01:30:00Z", "2026-10-26T00:00:00Z"}) {
        const Timestamp start = At(at);
        for (const size_t before : {0, 1, 2, 23, 24, 30}) {
          const auto edges = calendar->Edges(start, start + 1, 1, before);
          ASSERT_TRUE(edges.ok()) << edges.status();
          ASSERT_EQ(edges->size(), before + 2);
          EXPECT_EQ(calendar->Edges(edges->front().time, start + 1, 100).value(), *edges)
              << zone << " " << calendar->Describe() << " " << before;
        }
      }
    }
  }
}

// Made day by day, and none of them looked at again for each that follows.
TEST(Calendar, TheDaysOfAllTimeAreSoon) {
  const auto calendar = Calendar::Create({.unit = Unit::kHour, .zone = Zone("Europe/Berlin")});
  const auto edges = calendar->Edges(kTimestampMin + 48 * kHour, kTimestampMax - 48 * kHour, 10'000'000);
  ASSERT_TRUE(edges.ok()) << edges.status();
  // 300 years of 365.2425 days, but for the four at the ends.
  EXPECT_NEAR(static_cast<double>(edges->size()), 24 * (300 * 365.2425 - 4), 48);
  EXPECT_LE(edges->size(), calendar->EdgesAtMost(kTimestampMin, kTimestampMax));
}

// Every interval of every kind, in zones of all habits, over all their changes of the clock: the slow and obvious way is to look at
// each minute's local time.
TEST(Calendar, EveryMinuteIsInTheIntervalThatItsClockSays) {
  const char* const zones[] = {"UTC",
                               "Europe/Berlin",
                               "Europe/London",
                               "America/New_York",
                               "America/St_Johns",
                               "America/Havana",
                               "America/Sao_Paulo",
                               "America/Santiago",
                               "Asia/Kolkata",
                               "Asia/Kathmandu",
                               "Asia/Tehran",
                               "Asia/Gaza",
                               "Australia/Lord_Howe",
                               "Australia/Sydney",
                               "Pacific/Chatham",
                               "Pacific/Apia",
                               "Africa/Casablanca",
                               "Africa/Cairo",
                               "America/Asuncion",
                               "Antarctica/Troll"};
  for (const char* const name : zones) {
    const absl::TimeZone zone = Zone(name);
    std::vector<CalendarStep> steps = {{.unit = Unit::kMinute, .count = 15},
                                       {.unit = Unit::kHour},
                                       {.unit = Unit::kHour, .count = 8},
                                       {.unit = Unit::kDay},
                                       {.unit = Unit::kDay, .day_begins = absl::Hours(6)},
                                       {.unit = Unit::kWeek},
                                       {.unit = Unit::kMonth}};
    absl::Time from = absl::FromCivil(absl::CivilDay(2000, 1, 1), zone);
    absl::TimeZone::CivilTransition transition;
    int changes = 0;
    while (zone.NextTransition(from, &transition) &&
           from < absl::FromCivil(absl::CivilDay(2036, 1, 1), zone)) {
      from = absl::FromCivil(transition.to, zone) + absl::Hours(3);
      if (++changes % 5 != 0 && changes > 6) continue;  // A year is like the others.
      for (CalendarStep step : steps) {
        step.zone = zone;
        const Timestamp start = absl::ToUnixNanos(from - absl::Hours(30)),
                        end = absl::ToUnixNanos(from + absl::Hours(30));
        const auto edges = Calendar::Create(step)->Edges(start, end, 100'000);
        ASSERT_TRUE(edges.ok()) << edges.status();
        ASSERT_LE(edges->front().time, start);
        ASSERT_GE(edges->back().time, end);
        for (size_t i = 0; i + 1 < edges->size(); ++i) {
          const Timestamp a = (*edges)[i].time, b = (*edges)[i + 1].time;
          ASSERT_LT(a, b) << name;
          ASSERT_TRUE(i == 0 || a > start);
          ASSERT_TRUE(i + 2 == edges->size() || b < end);
        }
        // From anywhere in the range the same edges come.
        const Timestamp middle = absl::ToUnixNanos(from);
        const auto again = Calendar::Create(step)->Edges(middle, middle + 1, 10);
        ASSERT_TRUE(again.ok());
        const auto found = std::find_if(edges->begin(), edges->end(),
                                        [&](const Calendar::Edge& e) { return e.time == (*again)[0].time; });
        ASSERT_NE(found, edges->end()) << name;
        ASSERT_EQ((found + 1)->time, (*again)[1].time) << name;
        // Each edge is at a round time by the clock, or where the clocks leave it out.
        for (const Calendar::Edge& edge : *edges) {
          const absl::CivilSecond local = zone.At(absl::FromUnixNanos(edge.time)).cs;
          const absl::CivilSecond begun = local - absl::ToInt64Seconds(step.day_begins);
          const bool round = begun.second() == 0 &&
                             (step.unit == Unit::kMinute ? begun.minute() % 15 == 0 : begun.minute() == 0) &&
                             (step.unit == Unit::kMinute || step.unit == Unit::kHour
                                  ? begun.hour() % (step.unit == Unit::kHour ? step.count : 1) == 0
                                  : begun.hour() == 0) &&
                             (step.unit != Unit::kMonth || begun.day() == 1) &&
                             (step.unit != Unit::kWeek || absl::GetWeekday(begun) == absl::Weekday::monday);
          absl::TimeZone::CivilTransition at;
          const bool is_change = zone.NextTransition(absl::FromUnixNanos(edge.time - 1), &at) &&
                                 absl::FromCivil(at.to, zone) == absl::FromUnixNanos(edge.time);
          ASSERT_TRUE(round || is_change) << name << " " << local;
        }
      }
    }
    EXPECT_TRUE(changes > 0 || std::string(name) == "UTC" || std::string(name).substr(0, 5) == "Asia/")
        << name;
  }
}

}  // namespace
}  // namespace historian
