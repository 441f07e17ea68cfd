#include "tools/histctl/lib/row_time.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "storage/model/status_macros.h"

namespace historian::histctl {
namespace {

bool AreDigits(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

}  // namespace

absl::string_view RowTimeText::Of(const std::vector<CsvField>& fields) {
  if (layout_.columns.size() == 1) return fields[layout_.columns[0]].text;
  joined_.clear();
  for (const size_t column : layout_.columns) {
    const absl::string_view text = absl::StripAsciiWhitespace(fields[column].text);
    if (!joined_.empty()) joined_.push_back(' ');
    absl::StrAppend(&joined_, text);
  }
  const absl::string_view last = absl::StripAsciiWhitespace(fields[layout_.columns.back()].text);
  if (layout_.clock == ClockDigits::kAsIs || !AreDigits(last) || last.size() > 4) return joined_;
  if (layout_.clock == ClockDigits::kHours) {
    joined_.append(":00");
  } else {
    joined_.resize(joined_.size() - last.size());
    const std::string padded = absl::StrCat(std::string(4 - last.size(), '0'), last);
    absl::StrAppend(&joined_, padded.substr(0, 2), ":", padded.substr(2));
  }
  return joined_;
}

ClockDigits FindClockDigits(absl::Span<const absl::string_view> texts) {
  ClockDigits clock = ClockDigits::kAsIs;
  for (absl::string_view text : texts) {
    text = absl::StripAsciiWhitespace(text);
    if (!AreDigits(text) || text.size() > 4) return ClockDigits::kAsIs;
    if (clock == ClockDigits::kAsIs) clock = ClockDigits::kHours;
    if (text.size() > 2) clock = ClockDigits::kHoursAndMinutes;
  }
  return clock;
}

absl::StatusOr<RowTime> RowTime::Create(const RowTimeLayout& layout, absl::TimeZone zone,
                                        bool strict_clock_changes) {
  ASSIGN_OR_RETURN(TimeParser parser, TimeParser::Create(layout.format, zone, strict_clock_changes));
  return RowTime(layout, std::move(parser));
}

}  // namespace historian::histctl
