#include "tools/histctl/lib/time_text.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/civil_time.h"
#include "storage/calendar/zones.h"
#include "storage/model/status_macros.h"
#include "storage/model/units.h"
#include "tools/histctl/lib/time_parser.h"

namespace historian::histctl {
namespace {

struct Unit {
  absl::string_view name;
  int64_t nanos;
};
constexpr Unit kUnits[] = {
    {"w", 7 * 86400 * kNanosPerSecond},
    {"d", 86400 * kNanosPerSecond},
    {"h", 3600 * kNanosPerSecond},
    {"m", 60 * kNanosPerSecond},
    {"s", kNanosPerSecond},
    {"ms", 1'000'000},
    {"us", 1'000},
    {"ns", 1},
};

constexpr int64_t kDay = 86400 * kNanosPerSecond;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

absl::Status NoTime(absl::string_view text) {
  return absl::InvalidArgumentError(absl::StrCat("'", text,
                                                 "' is not a time: expected 2026-11-23T09:00:00Z; local "
                                                 "2026-11-23, '2026-11-23 09:00', 23.11.2026, 09:00, "
                                                 "'yesterday 09:00' or monday; now, -2h, today-1d, t+8h; or "
                                                 "a count since 1970 with its unit such as 1795424400s"));
}

absl::StatusOr<Timestamp> Relative(absl::string_view text, Timestamp base) {
  if (text.empty()) return base;
  const bool back = text[0] == '-';
  ASSIGN_OR_RETURN(const int64_t nanos, ParseDurationText(absl::StripLeadingAsciiWhitespace(text.substr(1))));
  return TimestampFromTime(TimeFromTimestamp(base) + absl::Nanoseconds(back ? -nanos : nanos));
}

constexpr const char* kWeekdays[] = {"monday", "tuesday",  "wednesday", "thursday",
                                     "friday", "saturday", "sunday"};

// The day at the front of `text`, taken away; the texts are of lower case.
std::optional<absl::CivilDay> TakeDay(absl::string_view* text, Timestamp now, absl::TimeZone zone) {
  const absl::CivilDay today(absl::ToCivilDay(TimeFromTimestamp(now), zone));
  size_t end = 0;
  while (end < text->size() && absl::ascii_isalpha(static_cast<unsigned char>((*text)[end]))) ++end;
  const absl::string_view word = text->substr(0, end);
  std::optional<absl::CivilDay> day;
  if (word == "today" || word == "t") day = today;
  if (word == "yesterday" || word == "y") day = today - 1;
  if (word == "tomorrow") day = today + 1;
  for (size_t i = 0; i < std::size(kWeekdays); ++i) {
    if (word != kWeekdays[i] && word != absl::string_view(kWeekdays[i], 3)) continue;
    day = absl::PrevWeekday(today + 1, static_cast<absl::Weekday>(i));
  }
  if (day.has_value()) text->remove_prefix(end);
  return day;
}

// Reads "09:00", "09:00:30.5" as nanoseconds of a day.
std::optional<int64_t> ParseClock(absl::string_view text) {
  if (text.empty() || !IsDigit(text[0])) return std::nullopt;
  absl::Time time;
  std::string error;
  for (const char* format : {"%H:%M", "%H:%M:%E*S"}) {
    if (absl::ParseTime(format, text, absl::UTCTimeZone(), &time, &error)) return absl::ToUnixNanos(time);
  }
  return std::nullopt;
}

// So many nanoseconds on the clock behind the midnight of a day. At midnight, where the day begins.
// Errors: InvalidArgument, not one moment; OutOfRange.
absl::StatusOr<Timestamp> OnClock(absl::CivilDay day, int64_t nanos, absl::TimeZone zone) {
  int64_t seconds = nanos / kNanosPerSecond, rest = nanos % kNanosPerSecond;
  if (rest < 0) {
    rest += kNanosPerSecond;
    --seconds;
  }
  const absl::CivilSecond local = absl::CivilSecond(day) + seconds;
  const absl::TimeZone::TimeInfo info = zone.At(local);
  const bool is_midnight = nanos % kDay == 0;
  if (info.kind != absl::TimeZone::TimeInfo::UNIQUE && !is_midnight) {
    return absl::InvalidArgumentError(
        absl::StrCat(absl::FormatCivilTime(local), " ", NotOneMoment(zone, info)));
  }
  return TimestampFromTime(absl::FromCivil(local, zone) + absl::Nanoseconds(rest));
}

void AppendDigits(uint64_t value, int digits, std::string* out) {
  const size_t at = out->size();
  out->resize(at + static_cast<size_t>(digits));
  for (int i = digits - 1; i >= 0; --i) {
    (*out)[at + static_cast<size_t>(i)] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

}  // namespace

absl::StatusOr<absl::TimeZone> LoadZone(absl::string_view name) {
  if (name == "UTC" || name == "Z") return absl::UTCTimeZone();
  if (name == "local") return absl::LocalTimeZone();
  ASSIGN_OR_RETURN(const Zone zone, FindZone(name));
  return zone.zone;
}

absl::StatusOr<int64_t> ParseDurationText(absl::string_view text) {
  ASSIGN_OR_RETURN(const absl::Duration duration, ParseDuration(text));
  if (duration <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is no time at all; expected a duration above zero"));
  }
  return absl::ToInt64Nanoseconds(duration);
}

absl::StatusOr<Timestamp> ParseTimeText(absl::string_view text, absl::TimeZone zone, Timestamp now) {
  const absl::string_view trimmed = absl::StripAsciiWhitespace(text);
  if (trimmed.empty()) return NoTime(text);
  const std::string lower = absl::AsciiStrToLower(trimmed);
  if (IsRelativeToNow(trimmed)) {
    absl::string_view rest = lower;
    if (!absl::ConsumePrefix(&rest, "now")) absl::ConsumePrefix(&rest, "*");
    rest = absl::StripLeadingAsciiWhitespace(rest);
    const absl::StatusOr<Timestamp> time = Relative(rest, now);
    if (!time.ok()) return Annotate(time.status(), absl::StrCat("'", text, "'"));
    return time;
  }
  if (absl::string_view rest = lower; const std::optional<absl::CivilDay> day = TakeDay(&rest, now, zone)) {
    rest = absl::StripLeadingAsciiWhitespace(rest);
    if (rest.empty()) return OnClock(*day, 0, zone);
    if (const std::optional<int64_t> clock = ParseClock(rest)) {
      const absl::StatusOr<Timestamp> time = OnClock(*day, *clock, zone);
      if (!time.ok()) return Annotate(time.status(), absl::StrCat("'", text, "'"));
      return time;
    }
    if (rest[0] != '-' && rest[0] != '+') return NoTime(text);
    const absl::StatusOr<int64_t> nanos =
        ParseDurationText(absl::StripLeadingAsciiWhitespace(rest.substr(1)));
    if (!nanos.ok()) return Annotate(nanos.status(), absl::StrCat("'", text, "'"));
    const int64_t days = *nanos / kDay * (rest[0] == '-' ? -1 : 1);
    const int64_t part = *nanos % kDay * (rest[0] == '-' ? -1 : 1);
    const absl::StatusOr<Timestamp> time = OnClock(*day + days, part, zone);
    if (!time.ok()) return Annotate(time.status(), absl::StrCat("'", text, "'"));
    return time;
  }
  if (const std::optional<int64_t> clock = ParseClock(trimmed)) {
    const absl::StatusOr<Timestamp> time =
        OnClock(absl::ToCivilDay(TimeFromTimestamp(now), zone), *clock, zone);
    if (!time.ok()) return Annotate(time.status(), absl::StrCat("'", text, "'"));
    return time;
  }

  size_t digits = 0;
  while (digits < trimmed.size() && (IsDigit(trimmed[digits]) || trimmed[digits] == '.')) ++digits;
  const absl::string_view suffix = trimmed.substr(digits);
  const absl::string_view format = suffix == "s"    ? "unix"
                                   : suffix == "ms" ? "unix_ms"
                                   : suffix == "us" ? "unix_us"
                                   : suffix == "ns" ? "unix_ns"
                                                    : "";
  const bool is_count = digits > 0 && !format.empty();
  for (const absl::string_view one :
       is_count ? std::vector<absl::string_view>{format}
                : std::vector<absl::string_view>{"iso", "%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S"}) {
    const absl::string_view what = is_count ? trimmed.substr(0, digits) : trimmed;
    ASSIGN_OR_RETURN(TimeParser parser, TimeParser::Create(one, zone, /*strict_clock_changes=*/true));
    Timestamp time = 0;
    std::string error;
    if (parser.Parse(what, &time, &error)) return time;
    if (absl::StrContains(error, "1900")) {
      return absl::OutOfRangeError(absl::StrCat("'", text, "' is outside 1900-01-01 to 2200-01-01"));
    }
    // A time that UTC has is one that the zone's clock skips or repeats.
    ASSIGN_OR_RETURN(TimeParser of_utc, TimeParser::Create(one, absl::UTCTimeZone()));
    if (std::string ignored; !of_utc.Parse(what, &time, &ignored)) continue;
    if (time % kDay == 0) return OnClock(absl::CivilDay(1970, 1, 1) + time / kDay, 0, zone);
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' ", error));
  }
  return NoTime(text);
}

bool IsRelativeToNow(absl::string_view text) {
  const std::string lower = absl::AsciiStrToLower(absl::StripAsciiWhitespace(text));
  absl::string_view rest = lower;
  const bool named = absl::ConsumePrefix(&rest, "now") || absl::ConsumePrefix(&rest, "*");
  rest = absl::StripLeadingAsciiWhitespace(rest);
  return rest.empty() ? named : rest[0] == '-' || rest[0] == '+';
}

Timestamp AlignDown(Timestamp t, int64_t interval_ns, absl::TimeZone zone) {
  constexpr int64_t kWeek = 7 * kDay;
  if (kDay % interval_ns == 0 || interval_ns == kWeek) {
    absl::CivilDay day(absl::ToCivilDay(TimeFromTimestamp(t), zone));
    if (interval_ns == kWeek) day = absl::PrevWeekday(day + 1, absl::Weekday::monday);
    const Timestamp begin = absl::ToUnixNanos(absl::FromCivil(day, zone));
    return std::max(kTimestampMin, t - (t - begin) % interval_ns);
  }
  const int64_t past = t % interval_ns;
  return std::max(kTimestampMin, t - (past < 0 ? past + interval_ns : past));
}

std::string DurationText(uint64_t nanos) {
  if (nanos < static_cast<uint64_t>(kNanosPerSecond) * 60) {
    const char* unit = nanos < 1'000 ? "ns" : nanos < 1'000'000 ? "us" : nanos < 1'000'000'000 ? "ms" : "s";
    const double scale = nanos < 1'000 ? 1 : nanos < 1'000'000 ? 1e3 : nanos < 1'000'000'000 ? 1e6 : 1e9;
    if (nanos == 0) return "0s";
    return absl::StrCat(
        static_cast<double>(static_cast<uint64_t>(static_cast<double>(nanos) / scale * 100)) / 100, unit);
  }
  std::string text;
  int parts = 0;
  for (const Unit& unit : kUnits) {
    if (unit.name == "ms" || parts == 2) break;
    const uint64_t count = nanos / static_cast<uint64_t>(unit.nanos);
    if (count == 0) {
      if (parts > 0) break;
      continue;
    }
    nanos %= static_cast<uint64_t>(unit.nanos);
    absl::StrAppend(&text, parts++ > 0 ? " " : "", count, unit.name);
  }
  return text;
}

void AppendTime(Timestamp t, absl::TimeZone zone, std::string* out) {
  const bool utc = zone == absl::UTCTimeZone();
  int64_t seconds = t / kNanosPerSecond;
  int64_t nanos = t % kNanosPerSecond;
  if (nanos < 0) {
    nanos += kNanosPerSecond;
    --seconds;
  }
  int offset = 0;
  if (!utc) {
    offset = zone.At(absl::FromUnixSeconds(seconds)).offset;
    if (offset % 60 != 0) return AppendTime(t, absl::UTCTimeZone(), out);
  }
  const int64_t local = seconds + offset;
  const int64_t days = local / 86400 - (local % 86400 < 0 ? 1 : 0);
  const auto second = static_cast<uint64_t>(local - days * 86400);
  const absl::CivilDay day = absl::CivilDay(1970, 1, 1) + days;
  AppendDigits(static_cast<uint64_t>(day.year()), 4, out);
  out->push_back('-');
  AppendDigits(static_cast<uint64_t>(day.month()), 2, out);
  out->push_back('-');
  AppendDigits(static_cast<uint64_t>(day.day()), 2, out);
  out->push_back('T');
  AppendDigits(second / 3600, 2, out);
  out->push_back(':');
  AppendDigits(second / 60 % 60, 2, out);
  out->push_back(':');
  AppendDigits(second % 60, 2, out);
  if (nanos != 0) {
    out->push_back('.');
    if (nanos % 1'000'000 == 0) {
      AppendDigits(static_cast<uint64_t>(nanos / 1'000'000), 3, out);
    } else if (nanos % 1'000 == 0) {
      AppendDigits(static_cast<uint64_t>(nanos / 1'000), 6, out);
    } else {
      AppendDigits(static_cast<uint64_t>(nanos), 9, out);
    }
  }
  if (utc) {
    out->push_back('Z');
    return;
  }
  out->push_back(offset < 0 ? '-' : '+');
  const auto minutes = static_cast<uint64_t>(offset < 0 ? -offset : offset) / 60;
  AppendDigits(minutes / 60, 2, out);
  out->push_back(':');
  AppendDigits(minutes % 60, 2, out);
}

std::string TimeText(Timestamp t, absl::TimeZone zone) {
  std::string text;
  AppendTime(t, zone, &text);
  return text;
}

}  // namespace historian::histctl
