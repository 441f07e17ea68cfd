#include "server/units.h"

#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace historian::server {
namespace {

struct Unit {
  absl::string_view name;
  uint64_t bytes;
};

constexpr Unit kUnits[] = {
    {"kib", uint64_t{1} << 10},
    {"mib", uint64_t{1} << 20},
    {"gib", uint64_t{1} << 30},
    {"tib", uint64_t{1} << 40},
    {"kb", 1'000},
    {"mb", 1'000'000},
    {"gb", 1'000'000'000},
    {"tb", 1'000'000'000'000},
    {"b", 1},
    {"", 1},
};

}  // namespace

absl::StatusOr<uint64_t> ParseSize(absl::string_view text) {
  const std::string lower = absl::AsciiStrToLower(absl::StripAsciiWhitespace(text));
  const size_t digits = lower.find_first_not_of("0123456789.");
  const absl::string_view number = absl::string_view(lower).substr(0, digits);
  const absl::string_view unit =
      digits == std::string::npos ? "" : absl::StripAsciiWhitespace(absl::string_view(lower).substr(digits));
  double value = 0;
  if (number.empty() || !absl::SimpleAtod(number, &value)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is not a size; expected 512MiB or the like"));
  }
  for (const Unit& known : kUnits) {
    if (known.name != unit) continue;
    uint64_t whole = 0;
    if (absl::SimpleAtoi(number, &whole)) {
      const unsigned __int128 bytes = static_cast<unsigned __int128>(whole) * known.bytes;
      if (bytes < (static_cast<unsigned __int128>(1) << 63)) return static_cast<uint64_t>(bytes);
    } else if (value * static_cast<double>(known.bytes) < 0x1p63) {
      return static_cast<uint64_t>(std::llround(value * static_cast<double>(known.bytes)));
    }
    return absl::OutOfRangeError(absl::StrCat("'", text, "' is more than 2^63 bytes"));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "'", text, "' is not a size; expected 512MiB or the like. Units: KiB, MiB, GiB, TiB, kB, MB, GB, TB"));
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
  absl::Duration duration;
  const absl::string_view trimmed = absl::StripAsciiWhitespace(text);
  if (!absl::ParseDuration(trimmed, &duration) || duration < absl::ZeroDuration()) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is not a duration; expected 10s or the like. Units: ms, s, m, h"));
  }
  return duration;
}

}  // namespace historian::server
