#include "tools/histctl/lib/time_parser.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <initializer_list>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "storage/model/status_macros.h"

namespace historian::histctl {
namespace {

constexpr int64_t kSecondsMin = kTimestampMin / kNanosPerSecond;
constexpr int64_t kSecondsMax = kTimestampMax / kNanosPerSecond;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Reads `count` digits and takes them away.
bool TakeDigits(absl::string_view* text, size_t count, int* value) {
  if (text->size() < count) return false;
  int result = 0;
  for (size_t i = 0; i < count; ++i) {
    if (!IsDigit((*text)[i])) return false;
    result = result * 10 + ((*text)[i] - '0');
  }
  *value = result;
  text->remove_prefix(count);
  return true;
}

bool Take(absl::string_view* text, char c) {
  if (text->empty() || (*text)[0] != c) return false;
  text->remove_prefix(1);
  return true;
}

bool FromSeconds(int64_t seconds, int64_t nanos, Timestamp* time, std::string* error) {
  if (seconds < kSecondsMin || seconds > kSecondsMax) {
    *error = "outside 1900-01-01 to 2200-01-01";
    return false;
  }
  *time = seconds * kNanosPerSecond + nanos;
  return true;
}

bool IsCount(absl::string_view text) {
  size_t dots = 0, digits = 0;
  if (!text.empty() && text[0] == '-') text.remove_prefix(1);
  for (const char c : text) {
    dots += c == '.';
    digits += IsDigit(c);
  }
  return digits > 0 && dots <= 1 && digits + dots == text.size();
}

// 1990 and 2100, in seconds since 1970 and in days since 1899-12-30.
constexpr int64_t kCountMin = 631'152'000, kCountMax = 4'102'444'800;
constexpr double kExcelMin = 32'874, kExcelMax = 73'051;
// 1970-01-01 in days since 1899-12-30.
constexpr int64_t kExcelEpoch = 25'569;

constexpr absl::string_view kFormats =
    "auto, iso, rfc3339, unix, unix_ms, unix_us, unix_ns, excel, or a pattern such as %d.%m.%Y %H:%M:%S";

// What is wrong with a pattern: it would read times as others than they are.
absl::Status CheckPattern(absl::string_view pattern) {
  const auto has = [&](std::initializer_list<absl::string_view> any) {
    return std::any_of(any.begin(), any.end(),
                       [&](absl::string_view one) { return absl::StrContains(pattern, one); });
  };
  const auto bad = [&](auto... why) {
    return absl::InvalidArgumentError(absl::StrCat("'", pattern, "' ", why...));
  };
  if (has({"%f"})) return bad("has %f: %S reads fractions of seconds too");
  if (has({"%s"})) return absl::OkStatus();
  if (!has({"%Y", "%y", "%E4Y", "%F", "%D", "%c", "%x"}))
    return bad("has no year (%Y or %y): times would be of 1970");
  const bool date = has({"%F", "%D", "%c", "%x", "%j"});
  if (!date && !has({"%m", "%b", "%B", "%h"})) return bad("has no month (%m or %b)");
  if (!date && !has({"%d", "%e"})) return bad("has no day (%d)");
  if (has({"%p"}) && !has({"%I", "%r"}))
    return bad("has %p (AM or PM) without %I: hours of 1 to 12 are %I, not %H");
  if (has({"%I"}) && !has({"%p"})) return bad("has %I without %p (AM or PM): hours of 0 to 23 are %H");
  return absl::OkStatus();
}

constexpr const char* kTimesOfDay[] = {
    " %H:%M:%E*S", " %H:%M", " %I:%M:%E*S %p", " %I:%M %p", " %H", "",
};

// Patterns that leave no doubt of what is the day.
std::vector<std::string> ClearPatterns() {
  const std::vector<std::string> dates = {"%Y/%m/%d", "%d.%m.%Y",  "%Y-%m-%d", "%Y:%m:%d", "%Y.%m.%d",
                                          "%Y %m %d", "%Y%m%d",    "%d-%b-%y", "%d-%b-%Y", "%d %b %Y",
                                          "%d/%b/%Y", "%b %d, %Y", "%b %d %Y"};
  std::vector<std::string> all;
  for (const std::string& date : dates) {
    for (const char* time : kTimesOfDay) all.push_back(absl::StrCat(date, time));
  }
  for (const char* time : {" %H %M %E*S", " %H %M"}) all.push_back(absl::StrCat("%Y %m %d", time));
  return all;
}

// The others: the day first, and the month first.
std::vector<std::pair<std::string, std::string>> UnclearPatterns() {
  std::vector<std::pair<std::string, std::string>> all;
  for (const char sign : {'/', '-', '.', ' '}) {
    for (const char* year : {"%Y", "%y"}) {
      for (const char* time : kTimesOfDay) {
        const auto pattern = [&](const char* first, const char* second) {
          return absl::StrCat(first, std::string(1, sign), second, std::string(1, sign), year, time);
        };
        all.emplace_back(pattern("%d", "%m"), pattern("%m", "%d"));
      }
    }
  }
  return all;
}

bool ReadsAll(absl::string_view format, absl::Span<const absl::string_view> texts) {
  absl::StatusOr<TimeParser> parser = TimeParser::Create(format, absl::UTCTimeZone());
  return parser.ok() && std::all_of(texts.begin(), texts.end(), [&](absl::string_view text) {
           Timestamp time = 0;
           std::string error;
           return parser->Parse(text, &time, &error);
         });
}

// Whether all of these digits are dates of 1900 to 2100, written YYYYMMDD and then HH, MM, SS or nothing.
bool AreCompactDates(absl::Span<const absl::string_view> texts, size_t digits) {
  return std::all_of(texts.begin(), texts.end(), [&](absl::string_view text) {
    text = absl::StripAsciiWhitespace(text);
    if (text.size() != digits || digits < 8) return false;
    int year = 0, month = 0, day = 0, part = 0;
    if (!TakeDigits(&text, 4, &year) || !TakeDigits(&text, 2, &month) || !TakeDigits(&text, 2, &day))
      return false;
    if (year < 1900 || year > 2100 || absl::CivilDay(year, month, day).month() != month || day < 1 ||
        day > 31) {
      return false;
    }
    for (int most = 23; !text.empty(); most = 59) {
      if (!TakeDigits(&text, 2, &part) || part > most) return false;
    }
    return true;
  });
}

// What texts of digits (perhaps with a point) are.
absl::StatusOr<std::string> DetectDigits(absl::Span<const absl::string_view> texts) {
  const absl::string_view first = absl::StripAsciiWhitespace(texts[0]);
  const size_t whole = first.substr(0, first.find('.')).size() - (absl::StartsWith(first, "-") ? 1 : 0);
  const std::string unit = whole <= 11   ? "unix"
                           : whole <= 14 ? "unix_ms"
                           : whole <= 17 ? "unix_us"
                                         : "unix_ns";
  absl::StatusOr<TimeParser> parser = TimeParser::Create(unit, absl::UTCTimeZone());
  bool counts = true, fraction = false, days = true;
  for (const absl::string_view text : texts) {
    Timestamp time = 0;
    std::string error;
    counts = counts && parser->Parse(text, &time, &error) && time >= kCountMin * kNanosPerSecond &&
             time <= kCountMax * kNanosPerSecond;
    double value = 0;
    days = days && absl::SimpleAtod(text, &value) && value >= kExcelMin && value < kExcelMax;
    fraction = fraction || absl::StrContains(text, '.');
  }
  const bool compact = AreCompactDates(texts, whole) && !fraction;
  const std::string compact_format =
      absl::StrCat("%Y%m%d", whole >= 10 ? "%H" : "", whole >= 12 ? "%M" : "", whole >= 14 ? "%S" : "");
  if (compact && counts) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", first, "' may be a date or a count since 1970: say --time-format '", compact_format,
                     "' or --time-format ", unit));
  }
  if (compact) return compact_format;
  if (counts) return unit;
  if (days && fraction) return "excel";
  return absl::InvalidArgumentError(absl::StrCat("'", first.substr(0, 60), "' is no count of 1990 to 2100",
                                                 days ? ", and may be a day of a spreadsheet" : "",
                                                 ": say what it is with --time-format (", kFormats, ")"));
}

// The pattern of texts that are not digits alone, with `suffix` behind.
absl::StatusOr<std::string> DetectPattern(absl::Span<const absl::string_view> texts,
                                          TimeParser::DateOrder order, absl::string_view suffix) {
  for (const std::string& pattern : ClearPatterns()) {
    if (ReadsAll(pattern, texts)) return absl::StrCat(pattern, suffix);
  }
  for (const auto& [day_first, month_first] : UnclearPatterns()) {
    const bool day = ReadsAll(day_first, texts), month = ReadsAll(month_first, texts);
    if (day && month && order != TimeParser::DateOrder::kUnknown) {
      return absl::StrCat(order == TimeParser::DateOrder::kDayFirst ? day_first : month_first, suffix);
    }
    if (day && month) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", absl::StripAsciiWhitespace(texts[0]).substr(0, 60),
                       "' may begin with the day or with the month: say --time-format '",
                       absl::StrReplaceAll(day_first, {{"%E*S", "%S"}}), suffix, "' or --time-format '",
                       absl::StrReplaceAll(month_first, {{"%E*S", "%S"}}), suffix, "'"));
    }
    if (day || month) return absl::StrCat(day ? day_first : month_first, suffix);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", texts[0].substr(0, 60),
                   "' is in no time format that is found by itself: give --time-format (", kFormats, ")"));
}

// "CET" of "25-Oct-26 02:30 CET"; empty: there is no such name.
absl::string_view ClockNameOf(absl::string_view text) {
  text = absl::StripTrailingAsciiWhitespace(text);
  const size_t space = text.rfind(' ');
  if (space == absl::string_view::npos) return {};
  const absl::string_view name = text.substr(space + 1);
  if (name == "AM" || name == "PM" || name.size() < 2 || name.size() > 5) return {};
  return std::all_of(name.begin(), name.end(), absl::ascii_isupper) ? name : absl::string_view();
}

}  // namespace

std::string NotOneMoment(absl::TimeZone zone, const absl::TimeZone::TimeInfo& info) {
  const auto text = [zone](absl::Time time) { return absl::FormatTime(absl::RFC3339_sec, time, zone); };
  if (info.kind != absl::TimeZone::TimeInfo::SKIPPED) {
    return absl::StrCat("comes twice in ", zone.name(), ", where the clock is set back then: say ",
                        text(info.pre), " or ", text(info.post));
  }
  return absl::StrCat("does not exist in ", zone.name(), ", where the clock is set forward then, to ",
                      text(info.trans), ": say that, or another time");
}

absl::StatusOr<TimeParser> TimeParser::Create(absl::string_view format, absl::TimeZone zone,
                                              bool strict_clock_changes) {
  TimeParser parser;
  parser.zone_ = zone;
  parser.strict_clock_changes_ = strict_clock_changes;
  if (format == "iso") {
    parser.format_ = Format::kIso;
  } else if (format == "rfc3339") {
    parser.format_ = Format::kRfc3339;
  } else if (format == "unix" || format == "unix_ms" || format == "unix_us" || format == "unix_ns") {
    parser.format_ = Format::kCount;
    parser.count_nanos_ = format == "unix"      ? kNanosPerSecond
                          : format == "unix_ms" ? 1'000'000
                          : format == "unix_us" ? 1'000
                                                : 1;
  } else if (format == "excel") {
    parser.format_ = Format::kExcel;
  } else if (absl::StrContains(format, '%')) {
    parser.format_ = Format::kPattern;
    RETURN_IF_ERROR(CheckPattern(format));
    // absl's %Y takes all digits there are; strptime's four.
    parser.pattern_names_clock_ = absl::ConsumeSuffix(&format, "%Z");
    format = absl::StripTrailingAsciiWhitespace(format);
    if (absl::StrContains(absl::StrReplaceAll(format, {{"%%", ""}}), "%Z")) {
      return absl::InvalidArgumentError(absl::StrCat("'", format, "' has %Z before its end"));
    }
    parser.pattern_ =
        absl::StrReplaceAll(format, {{"%%", "%%"}, {"%Y", "%E4Y"}, {"%S", "%E*S"}, {"%T", "%H:%M:%E*S"}});
    parser.pattern_has_zone_ = absl::StrContains(format, "%z") || absl::StrContains(format, "%Ez") ||
                               absl::StrContains(format, "%E*z") || absl::StrContains(format, "%s");
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat("'", format, "' is not a time format: expected ", kFormats));
  }
  return parser;
}

absl::StatusOr<std::string> TimeParser::Detect(absl::Span<const absl::string_view> texts, DateOrder order) {
  if (texts.empty()) return absl::InvalidArgumentError("there is no time to find the format from");
  if (std::all_of(texts.begin(), texts.end(),
                  [](absl::string_view text) { return !ClockNameOf(text).empty(); })) {
    std::vector<absl::string_view> without;
    for (const absl::string_view text : texts) {
      without.push_back(absl::StripTrailingAsciiWhitespace(
          text.substr(0, static_cast<size_t>(ClockNameOf(text).data() - text.data()))));
    }
    return DetectPattern(without, order, " %Z");
  }
  if (std::all_of(texts.begin(), texts.end(),
                  [](absl::string_view text) { return IsCount(absl::StripAsciiWhitespace(text)); })) {
    return DetectDigits(texts);
  }
  if (ReadsAll("iso", texts)) return "iso";
  return DetectPattern(texts, order, "");
}

bool TimeParser::Parse(absl::string_view text, Timestamp* time, std::string* error, TimeHistory* history) {
  history_ = history == nullptr ? &own_ : history;
  text = absl::StripAsciiWhitespace(text);
  bool ok = false;
  switch (format_) {
    case Format::kIso:
    case Format::kRfc3339:
      ok = ParseIso(text, time, error);
      break;
    case Format::kCount:
      ok = ParseCount(text, time, error);
      break;
    case Format::kExcel:
      ok = ParseExcel(text, time, error);
      break;
    case Format::kPattern:
      ok = ParsePattern(text, time, error);
      break;
  }
  if (ok) {
    const bool is_first = history_->previous == std::numeric_limits<Timestamp>::min();
    // Rows of the same time say nothing of the next one's.
    if (!is_first && *time != history_->previous) {
      const int64_t step = *time - history_->previous;
      history_->regular = std::abs(step - history_->step) <= std::abs(step) / 4;
      history_->step = step;
    }
    history_->previous = *time;
  }
  return ok;
}

bool TimeParser::ParseIso(absl::string_view text, Timestamp* time, std::string* error) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  int64_t nanos = 0;
  const auto invalid = [&] {
    *error = format_ == Format::kRfc3339 ? "not an RFC 3339 time such as 2026-11-23T09:00:00Z"
                                         : "not a time such as 2026-11-23 09:00:00";
    return false;
  };
  if (!TakeDigits(&text, 4, &year) || !Take(&text, '-') || !TakeDigits(&text, 2, &month) ||
      !Take(&text, '-') || !TakeDigits(&text, 2, &day)) {
    return invalid();
  }
  if (!text.empty()) {
    if (!Take(&text, 'T') && !Take(&text, ' ') && !Take(&text, 't')) return invalid();
    if (!TakeDigits(&text, 2, &hour) || !Take(&text, ':') || !TakeDigits(&text, 2, &minute)) return invalid();
    if (Take(&text, ':')) {
      if (!TakeDigits(&text, 2, &second)) return invalid();
      if (Take(&text, '.') || Take(&text, ',')) {
        int digits = 0;
        while (!text.empty() && IsDigit(text[0])) {
          if (++digits > 9) {
            *error = "finer than a nanosecond";
            return false;
          }
          nanos = nanos * 10 + (text[0] - '0');
          text.remove_prefix(1);
        }
        if (digits == 0) return invalid();
        for (; digits < 9; ++digits) nanos *= 10;
      }
    }
  }
  const bool is_end_of_day = hour == 24 && minute == 0 && second == 0 && nanos == 0;
  if ((hour > 23 && !is_end_of_day) || minute > 59 || second > 59) {
    *error = second == 60 ? "a leap second: give it as the second before or after" : "no such time of day";
    return false;
  }
  if (const int key = (year * 16 + month) * 32 + day; key != day_key_) {
    const absl::CivilDay civil(year, month, day);
    if (civil.month() != month || civil.day() != day) {
      *error = "no such date";
      return false;
    }
    day_key_ = key;
    day_seconds_ = (civil - absl::CivilDay(1970, 1, 1)) * 86400;
  }
  const int64_t local = day_seconds_ + hour * 3600 + minute * 60 + second;

  if (text.empty()) {
    if (format_ == Format::kRfc3339) {
      *error = "a time zone is missing (Z or +01:00)";
      return false;
    }
    return FromLocal(local, nanos, time, error);
  }
  if (text == "Z" || text == "z") return FromSeconds(local, nanos, time, error);
  const bool west = text[0] == '-';
  int offset_hours = 0, offset_minutes = 0;
  if (!Take(&text, '+') && !Take(&text, '-')) return invalid();
  if (!TakeDigits(&text, 2, &offset_hours)) return invalid();
  if (!text.empty()) {
    Take(&text, ':');
    if (!TakeDigits(&text, 2, &offset_minutes) || !text.empty()) return invalid();
  }
  if (offset_hours > 23 || offset_minutes > 59) return invalid();
  const int64_t offset = offset_hours * 3600 + offset_minutes * 60;
  return FromSeconds(west ? local + offset : local - offset, nanos, time, error);
}

bool TimeParser::ParseCount(absl::string_view text, Timestamp* time, std::string* error) const {
  const bool negative = Take(&text, '-');
  // 128 bits: 19 digits of seconds are read without overflow, and then refused.
  __int128 nanos = 0;
  int64_t unit = count_nanos_;
  bool fraction = false;
  size_t digits = 0;
  for (const char c : text) {
    if (c == '.' && !fraction) {
      fraction = true;
      continue;
    }
    if (!IsDigit(c) || ++digits > 19 + (fraction ? 9 : 0)) {
      *error = "not a count since 1970";
      return false;
    }
    if (!fraction) {
      nanos = nanos * 10 + (c - '0') * static_cast<__int128>(count_nanos_);
      continue;
    }
    if (unit == 1 && c != '0') {
      *error = "finer than a nanosecond";
      return false;
    }
    unit /= 10;
    nanos += (c - '0') * static_cast<__int128>(unit);
    if (unit == 0) unit = 1;
  }
  if (digits == 0) {
    *error = "not a count since 1970";
    return false;
  }
  if (negative) nanos = -nanos;
  if (nanos < kTimestampMin || nanos > kTimestampMax) {
    *error = "outside 1900-01-01 to 2200-01-01";
    return false;
  }
  *time = static_cast<Timestamp>(nanos);
  return true;
}

bool TimeParser::ParseExcel(absl::string_view text, Timestamp* time, std::string* error) {
  double days = 0;
  if (!absl::SimpleAtod(text, &days) || !(days >= 1) || days > 1e6) {
    *error = "not a spreadsheet's count of days";
    return false;
  }
  // A double has some 1 us of a day of this century; what is written often less.
  const int64_t ms =
      static_cast<int64_t>(std::llround((days - static_cast<double>(kExcelEpoch)) * 86'400'000));
  const int64_t seconds = ms / 1000 - (ms % 1000 < 0 ? 1 : 0);
  return FromLocal(seconds, (ms - seconds * 1000) * 1'000'000, time, error);
}

bool TimeParser::ParsePattern(absl::string_view text, Timestamp* time, std::string* error) {
  if (pattern_names_clock_) {
    clock_name_ = ClockNameOf(text);
    if (clock_name_.empty()) {
      *error = "has no name of a clock such as CET at its end, which the pattern asks for";
      return false;
    }
    text = absl::StripTrailingAsciiWhitespace(
        text.substr(0, static_cast<size_t>(clock_name_.data() - text.data())));
  }
  absl::Time parsed;
  std::string why;
  const auto read = [&](absl::string_view one) {
    return absl::ParseTime(pattern_, one, absl::UTCTimeZone(), &parsed, &why) &&
           parsed != absl::InfiniteFuture() && parsed != absl::InfinitePast();
  };
  bool ok = read(text);
  if (const size_t at = text.find("24:00"); !ok && at != absl::string_view::npos) {
    ok = read(absl::StrCat(text.substr(0, at), "00:00", text.substr(at + 5))) &&
         absl::ToUnixSeconds(parsed) % 86'400 == 0 && absl::ToUnixNanos(parsed) % kNanosPerSecond == 0;
    if (ok) parsed += absl::Hours(24);
  }
  if (!ok) {
    *error = absl::StrCat("does not match the pattern ",
                          absl::StrReplaceAll(pattern_, {{"%E4Y", "%Y"}, {"%E*S", "%S"}}));
    return false;
  }
  const int64_t seconds = absl::ToUnixSeconds(parsed);
  const int64_t nanos = absl::ToInt64Nanoseconds(parsed - absl::FromUnixSeconds(seconds));
  if (pattern_has_zone_) return FromSeconds(seconds, nanos, time, error);
  if (pattern_names_clock_) return FromNamedClock(seconds, nanos, time, error);
  return FromLocal(seconds, nanos, time, error);
}

bool TimeParser::FromNamedClock(int64_t local, int64_t nanos, Timestamp* time, std::string* error) const {
  if (clock_name_ == "UTC" || clock_name_ == "GMT") return FromSeconds(local, nanos, time, error);
  const absl::TimeZone::TimeInfo info = zone_.At(absl::CivilSecond(1970, 1, 1) + local);
  for (const absl::Time candidate : {info.pre, info.post}) {
    if (info.kind != absl::TimeZone::TimeInfo::SKIPPED && zone_.At(candidate).zone_abbr == clock_name_) {
      return FromSeconds(absl::ToUnixSeconds(candidate), nanos, time, error);
    }
  }
  *error = absl::StrCat("the clock of ", zone_.name(), " is not called ", clock_name_,
                        " then: say with --tz whose clock it is");
  return false;
}

bool TimeParser::FromLocal(int64_t local, int64_t nanos, Timestamp* time, std::string* error) {
  const int64_t hour = local / 3600 - (local % 3600 < 0 ? 1 : 0);
  if (hour == hour_) return FromSeconds(local - hour_offset_, nanos, time, error);
  const absl::CivilSecond epoch(1970, 1, 1);
  const absl::TimeZone::TimeInfo info = zone_.At(epoch + local);
  if (info.kind == absl::TimeZone::TimeInfo::UNIQUE) {
    const int64_t offset = local - absl::ToUnixSeconds(info.pre);
    // The offset holds for the whole hour when it holds at both its ends.
    const absl::TimeZone::TimeInfo first = zone_.At(epoch + hour * 3600);
    const absl::TimeZone::TimeInfo last = zone_.At(epoch + (hour * 3600 + 3599));
    if (first.kind == absl::TimeZone::TimeInfo::UNIQUE && last.kind == absl::TimeZone::TimeInfo::UNIQUE &&
        absl::ToUnixSeconds(first.pre) == hour * 3600 - offset &&
        absl::ToUnixSeconds(last.pre) == hour * 3600 + 3599 - offset) {
      hour_ = hour;
      hour_offset_ = offset;
    }
    return FromSeconds(local - offset, nanos, time, error);
  }
  const bool skips = info.kind == absl::TimeZone::TimeInfo::SKIPPED;
  if (strict_clock_changes_) {
    *error = NotOneMoment(zone_, info);
    return false;
  }
  ++(skips ? skipped_ : repeated_);
  if (!FromSeconds(absl::ToUnixSeconds(info.pre), nanos, time, error)) return false;
  const Timestamp previous = history_->previous;
  if (skips || previous == std::numeric_limits<Timestamp>::min()) return true;
  const Timestamp first = *time, second = absl::ToUnixSeconds(info.post) * kNanosPerSecond + nanos;
  const int64_t shift = second - first;
  const bool descends = history_->step < 0;
  // Far from the row before, which may be one of other devices, or irregular and on the way: the one that is plain.
  const int64_t back = previous - first;
  if (std::min(std::abs(back), std::abs(previous - second)) >= 2 * shift) return true;
  if (!history_->regular && (descends ? second < previous : first > previous)) {
    if (descends) *time = second;
    return true;
  }
  // A first step: where the row before is at the same hand of the clock, the clock was set back since.
  const int64_t step = history_->step == 0 ? shift : std::clamp(history_->step, -shift, shift);
  const auto distance = [&](Timestamp candidate) { return std::abs(candidate - (previous + step)); };
  // No row comes more than a step too late.
  if (distance(second) <= distance(first) || (step > 0 && back > step)) *time = second;
  return true;
}

}  // namespace historian::histctl
