#include "tools/histctl/lib/calendar_text.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace historian::histctl {
namespace {

using ::testing::HasSubstr;

v1::Calendar Parsed(const CalendarTexts& texts) {
  const auto calendar = ParseCalendar(texts);
  EXPECT_TRUE(calendar.ok()) << calendar.status();
  return calendar.value_or(v1::Calendar());
}

std::string Refused(const CalendarTexts& texts) {
  return std::string(ParseCalendar(texts).status().message());
}

TEST(ParseCalendar, LengthsByTheClock) {
  const struct {
    const char* text;
    v1::Calendar::Unit unit;
    uint32_t count;
  } kCases[] = {
      {"15m", v1::Calendar::UNIT_MINUTE, 15},  {"1h", v1::Calendar::UNIT_HOUR, 1},
      {"8 hours", v1::Calendar::UNIT_HOUR, 8}, {"1d", v1::Calendar::UNIT_DAY, 1},
      {"2 days", v1::Calendar::UNIT_DAY, 2},   {"1w", v1::Calendar::UNIT_WEEK, 1},
      {"3mo", v1::Calendar::UNIT_MONTH, 3},    {"1month", v1::Calendar::UNIT_MONTH, 1},
      {"1y", v1::Calendar::UNIT_YEAR, 1},
  };
  for (const auto& c : kCases) {
    const v1::Calendar calendar = Parsed({.every = c.text});
    EXPECT_EQ(calendar.unit(), c.unit) << c.text;
    EXPECT_EQ(calendar.count(), c.count) << c.text;
  }
  for (const char* const text : {"0d", "d", "1", "-1d", "1.5h", "1dd", "1s", "99999999999d", "day"}) {
    EXPECT_THAT(Refused({.every = text}), HasSubstr("is no length by the clock")) << text;
  }
}

TEST(ParseCalendar, Beginnings) {
  const v1::Calendar calendar = Parsed({.every = "1d",
                                        .day_begins = "6:30",
                                        .week_begins = "Sunday",
                                        .month_begins = "26",
                                        .year_begins = "apr"});
  EXPECT_EQ(calendar.day_begins(), 390u);
  EXPECT_EQ(calendar.week_begins(), 7u);
  EXPECT_EQ(calendar.month_begins(), 26u);
  EXPECT_EQ(calendar.year_begins(), 4u);
  EXPECT_EQ(Parsed({.every = "1y", .year_begins = "10"}).year_begins(), 10u);
  for (const char* const text : {"6", "24:00", "06:60", "6:5", "006:00", "-1:00", "six"}) {
    EXPECT_THAT(Refused({.every = "1d", .day_begins = text}), HasSubstr("--day-begins: '")) << text;
  }
  EXPECT_THAT(Refused({.every = "1w", .week_begins = "8"}), HasSubstr("--week-begins: '8' is no day"));
  EXPECT_THAT(Refused({.every = "1mo", .month_begins = "29"}), HasSubstr("1 to 28"));
  EXPECT_THAT(Refused({.every = "1y", .year_begins = "13"}), HasSubstr("--year-begins: '13' is no month"));
}

TEST(ParseCalendar, ShiftsAndRotations) {
  const v1::Calendar day = Parsed({.shifts = "early=06:00, late=14:00,night=22:00"});
  EXPECT_EQ(day.unit(), v1::Calendar::UNIT_SHIFT);
  ASSERT_EQ(day.shift_plan_size(), 1);
  ASSERT_EQ(day.shift_plan(0).shifts_size(), 3);
  EXPECT_EQ(day.shift_plan(0).shifts(1).name(), "late");
  EXPECT_EQ(day.shift_plan(0).shifts(1).begins(), 840u);
  const v1::Calendar rotation = Parsed({.rotation = "# Two crews\n"
                                                    "first-day 2026-01-05\r\n"
                                                    "A=06:00,B=18:00\n"
                                                    "\n"
                                                    "-\n"
                                                    "B=06:00,A=18:00\n"});
  EXPECT_EQ(rotation.first_day(), "2026-01-05");
  ASSERT_EQ(rotation.shift_plan_size(), 3);
  EXPECT_EQ(rotation.shift_plan(1).shifts_size(), 0);
  EXPECT_THAT(Refused({.shifts = "early=6"}), HasSubstr("--shifts: '6' is no time of day"));
  EXPECT_THAT(Refused({.shifts = "06:00,14:00"}), HasSubstr("'06:00' is no shift such as early=06:00"));
  EXPECT_THAT(Refused({.rotation = "# nothing\n"}), HasSubstr("--rotation: it has no day"));
  EXPECT_THAT(Refused({.rotation = "A=06:00\nB=06:00\n"}), HasSubstr("first-day 2026-01-05"));
  EXPECT_THAT(Refused({.rotation = "A=06:00\nB\n"}), HasSubstr("--rotation: line 2: 'B' is no shift"));
}

TEST(ParseWindow, IsAWholeNumberOfIntervals) {
  const struct {
    const char* window;
    const char* every;
    uint32_t intervals;
  } kCases[] = {{"24h", "1h", 24}, {"1h", "15m", 4}, {"24h", "8h", 3}, {"4w", "1d", 28},
                {"1y", "1mo", 12}, {"1y", "3mo", 4}, {"7", "1d", 7},   {"3", "", 3}};
  for (const auto& c : kCases) {
    const auto window = ParseWindow(c.window, c.every);
    ASSERT_TRUE(window.ok()) << c.window << ": " << window.status();
    EXPECT_EQ(*window, c.intervals) << c.window;
  }
  EXPECT_THAT(ParseWindow("1d", "1h").status().message(), HasSubstr("is not always the same number of '1h'"));
  EXPECT_THAT(ParseWindow("1mo", "1d").status().message(), HasSubstr("is not always"));
  EXPECT_THAT(ParseWindow("3h", "2h").status().message(), HasSubstr("no whole number of '2h'"));
  EXPECT_THAT(ParseWindow("1h", "2h").status().message(), HasSubstr("no whole number"));
  EXPECT_THAT(ParseWindow("0", "2h").status().message(), HasSubstr("no interval"));
  EXPECT_THAT(ParseWindow("soon", "2h").status().message(), HasSubstr("'soon' is no length"));
  EXPECT_THAT(ParseWindow("24h", "").status().message(), HasSubstr("how many shifts"));
}

}  // namespace
}  // namespace historian::histctl
