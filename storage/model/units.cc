#include "storage/model/units.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace historian {
namespace {

struct SizeUnit {
  absl::string_view name;
  uint64_t bytes;
};
constexpr SizeUnit kSizeUnits[] = {
    {"", 1},
    {"b", 1},
    {"k", uint64_t{1} << 10},
    {"m", uint64_t{1} << 20},
    {"g", uint64_t{1} << 30},
    {"t", uint64_t{1} << 40},
    {"kib", uint64_t{1} << 10},
    {"mib", uint64_t{1} << 20},
    {"gib", uint64_t{1} << 30},
    {"tib", uint64_t{1} << 40},
    {"kb", 1'000},
    {"mb", 1'000'000},
    {"gb", 1'000'000'000},
    {"tb", 1'000'000'000'000},
};

struct TimeUnit {
  absl::string_view name;
  absl::string_view other_names;  // Between commas.
  int64_t nanos;
};
constexpr int64_t kSecond = 1'000'000'000;
// From the longest on, as PrintDuration takes them.
constexpr TimeUnit kTimeUnits[] = {
    {"y", "year,years", 365 * 86400 * kSecond},
    {"w", "week,weeks", 7 * 86400 * kSecond},
    {"d", "day,days", 86400 * kSecond},
    {"h", "hr,hrs,hour,hours", 3600 * kSecond},
    {"m", "min,mins,minute,minutes", 60 * kSecond},
    {"s", "sec,secs,second,seconds", kSecond},
    {"ms", "msec,millisecond,milliseconds", 1'000'000},
    {"us", "usec,microsecond,microseconds", 1'000},
    {"ns", "nsec,nanosecond,nanoseconds", 1},
};

struct Number {
  long double value = 0;
  uint64_t whole = 0;  // If is_whole.
  bool is_whole = false;
};

// Takes "12" or "1.5" off the front. Returns false for anything else.
bool TakeNumber(absl::string_view* text, Number* number) {
  const size_t end = std::min(text->find_first_not_of("0123456789."), text->size());
  const char* const first = text->data();
  const char* const last = first + end;
  if (end == 0) return false;
  const auto [whole_stop, whole_error] = std::from_chars(first, last, number->whole);
  number->is_whole = whole_error == std::errc() && whole_stop == last;
  const auto [stop, error] = std::from_chars(first, last, number->value);
  text->remove_prefix(end);
  return error == std::errc() && stop == last;
}

// Takes what is no digit off the front.
std::string TakeUnit(absl::string_view* text) {
  const size_t end = std::min(text->find_first_of("0123456789."), text->size());
  const absl::string_view unit = absl::StripAsciiWhitespace(text->substr(0, end));
  text->remove_prefix(end);
  return std::string(unit);
}

absl::Status NoSize(absl::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat("'", text,
                   "' is not a size such as 512MiB, 2G or 4096; its units are K, M, G, T (or KiB, MiB, GiB, "
                   "TiB), and kB, MB, GB, TB for powers of 1000"));
}

absl::Status NoDuration(absl::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "' is not a duration such as 500ms, 10s, 1h30m, 6 hours, 90d, 2w or 1y"));
}

const TimeUnit* FindTimeUnit(const std::string& name) {
  for (const TimeUnit& unit : kTimeUnits) {
    if (unit.name == name) return &unit;
    const std::string lower = absl::AsciiStrToLower(name);
    for (const absl::string_view other : absl::StrSplit(unit.other_names, ',')) {
      if (other == lower) return &unit;
    }
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<uint64_t> ParseSize(absl::string_view text) {
  absl::string_view rest = absl::StripAsciiWhitespace(text);
  Number number;
  if (!TakeNumber(&rest, &number)) return NoSize(text);
  const std::string name = absl::AsciiStrToLower(TakeUnit(&rest));
  const SizeUnit* const unit = std::find_if(std::begin(kSizeUnits), std::end(kSizeUnits),
                                            [&](const SizeUnit& known) { return known.name == name; });
  if (unit == std::end(kSizeUnits) || !rest.empty()) return NoSize(text);
  // A part of a byte is none.
  if (unit->bytes == 1 && !number.is_whole) return NoSize(text);
  if (number.is_whole) {
    const unsigned __int128 bytes = static_cast<unsigned __int128>(number.whole) * unit->bytes;
    if (bytes < (static_cast<unsigned __int128>(1) << 63)) return static_cast<uint64_t>(bytes);
  } else if (const long double bytes = number.value * static_cast<long double>(unit->bytes);
             bytes < 0x1p63L) {
    return static_cast<uint64_t>(std::llround(bytes));
  }
  return absl::OutOfRangeError(absl::StrCat("'", text, "' is more than 2^63 bytes"));
}

std::string FormatSize(uint64_t bytes) {
  constexpr absl::string_view kNames[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  int unit = 0;
  while (unit < 4 && bytes != 0 && bytes % 1024 == 0) {
    bytes /= 1024;
    ++unit;
  }
  return absl::StrCat(bytes, kNames[unit]);
}

absl::StatusOr<absl::Duration> ParseDuration(absl::string_view text) {
  absl::string_view rest = absl::StripAsciiWhitespace(text);
  if (rest == "0") return absl::ZeroDuration();
  if (rest.empty()) return NoDuration(text);
  __int128 total = 0;
  bool too_long = false;
  while (!rest.empty()) {
    Number number;
    if (!TakeNumber(&rest, &number)) return NoDuration(text);
    const TimeUnit* const unit = FindTimeUnit(TakeUnit(&rest));
    if (unit == nullptr) return NoDuration(text);
    const long double nanos = number.value * static_cast<long double>(unit->nanos);
    too_long |= nanos >= 0x1p63L;
    if (too_long) continue;
    total += number.is_whole ? static_cast<__int128>(number.whole) * unit->nanos : std::llround(nanos);
    too_long |= total > std::numeric_limits<int64_t>::max();
  }
  if (too_long) return absl::OutOfRangeError(absl::StrCat("'", text, "' is more than 292 years"));
  return absl::Nanoseconds(static_cast<int64_t>(total));
}

std::string PrintDuration(absl::Duration duration) {
  int64_t nanos = absl::ToInt64Nanoseconds(duration);
  if (nanos <= 0) return "0s";
  std::string text;
  for (const TimeUnit& unit : kTimeUnits) {
    // Weeks are not how anybody says 90 or 365 days.
    if (unit.name == "w") continue;
    const int64_t count = nanos / unit.nanos;
    if (count == 0) continue;
    nanos -= count * unit.nanos;
    absl::StrAppend(&text, count, unit.name);
  }
  return text;
}

}  // namespace historian
