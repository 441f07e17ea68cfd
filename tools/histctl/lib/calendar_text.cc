#include "tools/histctl/lib/calendar_text.h"

#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "storage/model/status_macros.h"

namespace historian::histctl {
namespace {

struct UnitName {
  absl::string_view name;  // And its plural with an s, from three letters on.
  v1::Calendar::Unit unit;
};
constexpr UnitName kUnitNames[] = {
    {"m", v1::Calendar::UNIT_MINUTE},      {"min", v1::Calendar::UNIT_MINUTE},
    {"minute", v1::Calendar::UNIT_MINUTE}, {"h", v1::Calendar::UNIT_HOUR},
    {"hour", v1::Calendar::UNIT_HOUR},     {"d", v1::Calendar::UNIT_DAY},
    {"day", v1::Calendar::UNIT_DAY},       {"w", v1::Calendar::UNIT_WEEK},
    {"week", v1::Calendar::UNIT_WEEK},     {"mo", v1::Calendar::UNIT_MONTH},
    {"month", v1::Calendar::UNIT_MONTH},   {"y", v1::Calendar::UNIT_YEAR},
    {"year", v1::Calendar::UNIT_YEAR},
};

constexpr absl::string_view kDays[] = {"monday", "tuesday",  "wednesday", "thursday",
                                       "friday", "saturday", "sunday"};
constexpr absl::string_view kMonths[] = {"january",   "february", "march",    "april",
                                         "may",       "june",     "july",     "august",
                                         "september", "october",  "november", "december"};

struct Length {
  uint32_t count = 0;
  v1::Calendar::Unit unit = v1::Calendar::UNIT_UNSPECIFIED;
};

std::optional<Length> ParseLength(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  size_t digits = 0;
  while (digits < text.size() && absl::ascii_isdigit(static_cast<unsigned char>(text[digits]))) ++digits;
  Length length;
  if (!absl::SimpleAtoi(text.substr(0, digits), &length.count) || length.count == 0) return std::nullopt;
  const absl::string_view name = absl::StripAsciiWhitespace(text.substr(digits));
  for (const UnitName& one : kUnitNames) {
    if (name == one.name || (one.name.size() > 2 && name == absl::StrCat(one.name, "s"))) {
      length.unit = one.unit;
      return length;
    }
  }
  return std::nullopt;
}

absl::Status NoLength(absl::string_view text) {
  return absl::InvalidArgumentError(absl::StrCat(
      "'", text,
      "' is no length by the clock: expected a number above zero and m, h, d, w, mo or y, such as 15m, 1h, "
      "1d, 1w, 1mo or 1y"));
}

// Minutes after midnight.
absl::StatusOr<uint32_t> ParseClock(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits(':', 1));
  uint32_t hour = 0, minute = 0;
  if (parts.first.size() < 1 || parts.first.size() > 2 || parts.second.size() != 2 ||
      !absl::SimpleAtoi(parts.first, &hour) || !absl::SimpleAtoi(parts.second, &minute) || hour > 23 ||
      minute > 59) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is no time of day such as 06:00"));
  }
  return hour * 60 + minute;
}

// The number, from 1 on, of the name that the text is or begins with three letters of.
template <size_t n>
std::optional<uint32_t> IndexIn(const absl::string_view (&names)[n], absl::string_view text) {
  const std::string lower = absl::AsciiStrToLower(absl::StripAsciiWhitespace(text));
  for (size_t i = 0; i < n; ++i) {
    if (lower == names[i] || lower == names[i].substr(0, 3)) return static_cast<uint32_t>(i + 1);
  }
  return std::nullopt;
}

absl::Status AddDay(absl::string_view text, v1::Calendar* calendar) {
  v1::Calendar::ShiftDay* const day = calendar->add_shift_plan();
  if (text == "-") return absl::OkStatus();
  for (const absl::string_view one : absl::StrSplit(text, ',')) {
    const size_t equals = one.rfind('=');
    const absl::string_view name =
        equals == absl::string_view::npos ? "" : absl::StripAsciiWhitespace(one.substr(0, equals));
    if (name.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", absl::StripAsciiWhitespace(one), "' is no shift such as early=06:00"));
    }
    ASSIGN_OR_RETURN(const uint32_t begins, ParseClock(absl::StripAsciiWhitespace(one.substr(equals + 1))));
    v1::Calendar::Shift* const shift = day->add_shifts();
    shift->set_name(std::string(name));
    shift->set_begins(begins);
  }
  return absl::OkStatus();
}

absl::Status AddRotation(absl::string_view text, v1::Calendar* calendar) {
  int number = 0;
  for (const absl::string_view raw : absl::StrSplit(text, '\n')) {
    ++number;
    absl::string_view line = absl::StripAsciiWhitespace(raw);
    if (line.empty() || line[0] == '#') continue;
    if (absl::ConsumePrefix(&line, "first-day")) {
      calendar->set_first_day(std::string(absl::StripAsciiWhitespace(line)));
      continue;
    }
    RETURN_IF_ERROR(Annotate(AddDay(line, calendar), absl::StrCat("line ", number)));
  }
  if (calendar->shift_plan_size() == 0) return absl::InvalidArgumentError("it has no day");
  if (calendar->first_day().empty() && calendar->shift_plan_size() > 1) {
    return absl::InvalidArgumentError("it does not say when its first day is: 'first-day 2026-01-05'");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::Calendar> ParseCalendar(const CalendarTexts& texts) {
  v1::Calendar calendar;
  if (texts.every.empty()) {
    calendar.set_unit(v1::Calendar::UNIT_SHIFT);
    calendar.set_count(1);
    RETURN_IF_ERROR(texts.shifts.empty() ? Annotate(AddRotation(texts.rotation, &calendar), "--rotation")
                                         : Annotate(AddDay(texts.shifts, &calendar), "--shifts"));
    return calendar;
  }
  const std::optional<Length> every = ParseLength(texts.every);
  if (!every.has_value()) return Annotate(NoLength(texts.every), "--every");
  calendar.set_unit(every->unit);
  calendar.set_count(every->count);
  if (!texts.day_begins.empty()) {
    const absl::StatusOr<uint32_t> begins = ParseClock(texts.day_begins);
    if (!begins.ok()) return Annotate(begins.status(), "--day-begins");
    calendar.set_day_begins(*begins);
  }
  if (!texts.week_begins.empty()) {
    const std::optional<uint32_t> day = IndexIn(kDays, texts.week_begins);
    if (!day.has_value()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--week-begins: '", texts.week_begins, "' is no day such as sunday"));
    }
    calendar.set_week_begins(*day);
  }
  if (!texts.month_begins.empty()) {
    uint32_t day = 0;
    if (!absl::SimpleAtoi(texts.month_begins, &day) || day < 1 || day > 28) {
      return absl::InvalidArgumentError(
          absl::StrCat("--month-begins: '", texts.month_begins, "' is no day that every month has, 1 to 28"));
    }
    calendar.set_month_begins(day);
  }
  if (!texts.year_begins.empty()) {
    uint32_t month = IndexIn(kMonths, texts.year_begins).value_or(0);
    if (month == 0 && (!absl::SimpleAtoi(texts.year_begins, &month) || month < 1 || month > 12)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--year-begins: '", texts.year_begins, "' is no month such as april, or 4"));
    }
    calendar.set_year_begins(month);
  }
  return calendar;
}

absl::StatusOr<uint32_t> ParseWindow(absl::string_view window, absl::string_view every) {
  uint32_t intervals = 0;
  if (absl::SimpleAtoi(window, &intervals)) {
    if (intervals > 0) return intervals;
    return absl::InvalidArgumentError("a window of no interval");
  }
  const std::optional<Length> whole = ParseLength(window);
  if (!whole.has_value()) return NoLength(window);
  const std::optional<Length> part = ParseLength(every);
  if (!part.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", window, "' of shifts: say how many shifts, such as 3"));
  }
  // Of the units that are always so many of a smaller one.
  struct Size {
    v1::Calendar::Unit of;
    uint64_t count;
  };
  const auto size_of = [](const Length& length) -> Size {
    switch (length.unit) {
      case v1::Calendar::UNIT_HOUR:
        return {v1::Calendar::UNIT_MINUTE, uint64_t{60} * length.count};
      case v1::Calendar::UNIT_WEEK:
        return {v1::Calendar::UNIT_DAY, uint64_t{7} * length.count};
      case v1::Calendar::UNIT_YEAR:
        return {v1::Calendar::UNIT_MONTH, uint64_t{12} * length.count};
      default:
        return {length.unit, length.count};
    }
  };
  const Size a = size_of(*whole), b = size_of(*part);
  if (a.of != b.of) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", window, "' is not always the same number of '", every,
                     "': by the clock, days have 23 to 25 hours and months 28 to 31 days; "
                     "say 24h for days of hours, or how many intervals"));
  }
  if (a.count % b.count != 0 || a.count / b.count > UINT32_MAX) {
    return absl::InvalidArgumentError(absl::StrCat("'", window, "' is no whole number of '", every, "'"));
  }
  return static_cast<uint32_t>(a.count / b.count);
}

}  // namespace historian::histctl
