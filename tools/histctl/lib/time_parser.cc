#include "tools/histctl/lib/time_parser.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

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

}  // namespace

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
  } else if (absl::StrContains(format, '%')) {
    parser.format_ = Format::kPattern;
    // absl's %Y takes all digits there are; strptime's four.
    parser.pattern_ = absl::StrReplaceAll(format, {{"%%", "%%"}, {"%Y", "%E4Y"}});
    parser.pattern_has_zone_ = absl::StrContains(format, "%z") || absl::StrContains(format, "%Ez") ||
                               absl::StrContains(format, "%E*z") || absl::StrContains(format, "%s");
  } else {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", format, "' is not a time format: expected auto, iso, rfc3339, unix, unix_ms, unix_us, ",
        "unix_ns, or a pattern such as %d.%m.%Y %H:%M:%S"));
  }
  return parser;
}

absl::StatusOr<std::string> TimeParser::Detect(absl::Span<const absl::string_view> texts) {
  if (texts.empty()) return absl::InvalidArgumentError("there is no time to find the format from");
  if (std::all_of(texts.begin(), texts.end(),
                  [](absl::string_view text) { return IsCount(absl::StripAsciiWhitespace(text)); })) {
    absl::string_view digits = absl::StripAsciiWhitespace(texts[0]);
    if (!digits.empty() && digits[0] == '-') digits.remove_prefix(1);
    const size_t whole = digits.substr(0, digits.find('.')).size();
    return std::string(whole <= 11 ? "unix" : whole <= 14 ? "unix_ms" : whole <= 17 ? "unix_us" : "unix_ns");
  }
  for (const absl::string_view format :
       {"iso", "%Y/%m/%d %H:%M:%E*S", "%Y/%m/%d %H:%M", "%d.%m.%Y %H:%M:%E*S", "%d.%m.%Y %H:%M"}) {
    absl::StatusOr<TimeParser> parser = Create(format, absl::UTCTimeZone());
    const bool all = std::all_of(texts.begin(), texts.end(), [&](absl::string_view text) {
      Timestamp time = 0;
      std::string error;
      return parser->Parse(text, &time, &error);
    });
    if (all) return std::string(format);
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "'", texts[0].substr(0, 60), "' is in no time format that is found by itself: give --time-format"));
}

bool TimeParser::Parse(absl::string_view text, Timestamp* time, std::string* error) {
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
    case Format::kPattern:
      ok = ParsePattern(text, time, error);
      break;
  }
  if (ok) previous_ = *time;
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
  if (hour > 23 || minute > 59 || second > 59) {
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

bool TimeParser::ParsePattern(absl::string_view text, Timestamp* time, std::string* error) {
  absl::Time parsed;
  std::string why;
  if (!absl::ParseTime(pattern_, text, absl::UTCTimeZone(), &parsed, &why) ||
      parsed == absl::InfiniteFuture() || parsed == absl::InfinitePast()) {
    *error = absl::StrCat("does not match the pattern ", absl::StrReplaceAll(pattern_, {{"%E4Y", "%Y"}}));
    return false;
  }
  const int64_t seconds = absl::ToUnixSeconds(parsed);
  const int64_t nanos = absl::ToInt64Nanoseconds(parsed - absl::FromUnixSeconds(seconds));
  if (pattern_has_zone_) return FromSeconds(seconds, nanos, time, error);
  return FromLocal(seconds, nanos, time, error);
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
    *error = skips ? "does not exist in this time zone: the clock went forward"
                   : "comes twice in this time zone: the clock went back";
    return false;
  }
  ++(skips ? skipped_ : repeated_);
  if (!FromSeconds(absl::ToUnixSeconds(info.pre), nanos, time, error)) return false;
  if (skips || *time >= previous_) return true;
  const Timestamp second = absl::ToUnixSeconds(info.post) * kNanosPerSecond + nanos;
  if (second >= previous_) *time = second;
  return true;
}

}  // namespace historian::histctl
