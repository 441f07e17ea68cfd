#include "tools/histctl/lib/csv_style.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/time/civil_time.h"
#include "storage/model/status_macros.h"
#include "tools/histctl/lib/time_parser.h"
#include "tools/histctl/lib/time_text.h"

namespace historian::histctl {

absl::StatusOr<TimeFormat> TimeFormat::Create(absl::string_view text, absl::TimeZone zone) {
  // What reads it knows what is wrong with it.
  if (const absl::StatusOr<TimeParser> parser = TimeParser::Create(text, zone); !parser.ok())
    return parser.status();
  TimeFormat format(zone);
  if (text == "rfc3339") return format;
  if (absl::StartsWith(text, "unix")) {
    format.kind_ = Kind::kCount;
    format.count_nanos_ = text == "unix"      ? kNanosPerSecond
                          : text == "unix_ms" ? 1'000'000
                          : text == "unix_us" ? 1'000
                                              : 1;
  } else if (text == "excel") {
    format.kind_ = Kind::kExcel;
  } else {
    format.kind_ = Kind::kPattern;
    format.pattern_ = text == "iso"
                          ? "%Y-%m-%d %H:%M:%E*S"
                          : absl::StrReplaceAll(text, {{"%%", "%%"}, {"%S", "%E*S"}, {"%T", "%H:%M:%E*S"}});
  }
  return format;
}

void TimeFormat::Append(Timestamp t, std::string* out) const {
  switch (kind_) {
    case Kind::kRfc3339:
      AppendTime(t, zone_, out);
      return;
    case Kind::kCount: {
      if (t < 0) out->push_back('-');
      const uint64_t nanos = t < 0 ? 0 - static_cast<uint64_t>(t) : static_cast<uint64_t>(t);
      const auto unit = static_cast<uint64_t>(count_nanos_);
      absl::StrAppend(out, nanos / unit);
      if (nanos % unit == 0) return;
      // The fraction has as many digits as one of the counted has nanoseconds.
      std::string fraction = absl::StrCat(nanos % unit);
      for (uint64_t digit = unit / 10; digit > nanos % unit; digit /= 10)
        fraction.insert(fraction.begin(), '0');
      fraction.erase(fraction.find_last_not_of('0') + 1);
      absl::StrAppend(out, ".", fraction);
      return;
    }
    case Kind::kExcel: {
      const absl::Time time = TimeFromTimestamp(t) + absl::Microseconds(500);
      const absl::TimeZone::CivilInfo local = zone_.At(time);
      const int64_t seconds = local.cs - absl::CivilSecond(1899, 12, 30);
      const double days = (static_cast<double>(seconds) +
                           static_cast<double>(absl::ToInt64Milliseconds(local.subsecond)) / 1e3) /
                          86'400;
      absl::StrAppendFormat(out, "%.9f", days);
      out->erase(out->find_last_not_of('0') + 1);
      if (out->back() == '.') out->pop_back();
      return;
    }
    case Kind::kPattern:
      out->append(absl::FormatTime(pattern_, TimeFromTimestamp(t), zone_));
      return;
  }
}

absl::StatusOr<CsvStyle> ParseCsvStyle(absl::string_view separator, bool decimal_comma,
                                       absl::string_view time_format, absl::TimeZone zone) {
  CsvStyle style{
      .separator = decimal_comma ? ';' : ',', .decimal_comma = decimal_comma, .times = TimeFormat(zone)};
  if (absl::EqualsIgnoreCase(separator, "tab") || separator == "\\t") {
    style.separator = '\t';
  } else if (separator.size() == 1) {
    style.separator = separator[0];
  } else if (!separator.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--separator: '", separator, "' is neither one character nor tab"));
  }
  const char c = style.separator;
  if (absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains("\"\r\n.-+:", c)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--separator: '", separator, "' may be a part of a value; expected , ; | or tab"));
  }
  if (c == ',' && decimal_comma) {
    return absl::InvalidArgumentError("--separator: a comma cannot separate numbers with --decimal-comma");
  }
  if (!time_format.empty()) {
    absl::StatusOr<TimeFormat> times = TimeFormat::Create(time_format, zone);
    if (!times.ok())
      return absl::InvalidArgumentError(absl::StrCat("--time-format: ", times.status().message()));
    style.times = *std::move(times);
  }
  return style;
}

std::string CsvTimeText(Timestamp t, const CsvStyle& style) {
  std::string text;
  style.times.Append(t, &text);
  if (style.decimal_comma && style.times.IsNumber()) text = absl::StrReplaceAll(text, {{".", ","}});
  return text;
}

void AppendCsvTime(Timestamp t, const CsvStyle& style, std::string* out) {
  if (style.times.IsRfc3339()) return style.times.Append(t, out);
  AppendCsvField(CsvTimeText(t, style), out, style.separator);
}

void AppendCsvField(absl::string_view text, std::string* out, char separator) {
  const bool plain = !text.empty() && text.find_first_of("\",;\t\r\n") == absl::string_view::npos &&
                     text.find(separator) == absl::string_view::npos && text.front() != ' ' &&
                     text.back() != ' ';
  if (plain) {
    out->append(text.data(), text.size());
    return;
  }
  out->push_back('"');
  for (const char c : text) {
    if (c == '"') out->push_back('"');
    out->push_back(c);
  }
  out->push_back('"');
}

void AppendCsvNumber(absl::string_view number, const CsvStyle& style, std::string* out) {
  const size_t begin = out->size();
  out->append(number.data(), number.size());
  if (!style.decimal_comma) return;
  if (const size_t point = out->find('.', begin); point != std::string::npos) (*out)[point] = ',';
}

}  // namespace historian::histctl
