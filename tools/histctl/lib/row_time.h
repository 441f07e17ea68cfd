// File: tools/histctl/lib/row_time.h
//
// The time of a row, which may stand in several columns: a date and a time of day, a date and an hour, or a year, a month, a day
// and so on.
#ifndef HISTORIAN_TOOLS_HISTCTL_LIB_ROW_TIME_H_
#define HISTORIAN_TOOLS_HISTCTL_LIB_ROW_TIME_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "storage/model/timestamp.h"
#include "tools/histctl/lib/csv_reader.h"
#include "tools/histctl/lib/time_parser.h"

namespace historian::histctl {

// What digits alone in the last of several columns are.
enum class ClockDigits {
  kAsIs,
  kHours,            // 7 is 7:00, and 24 the end of the day.
  kHoursAndMinutes,  // 730 is 7:30, and 0 is 0:00.
};

struct RowTimeLayout {
  std::vector<size_t> columns;  // At least one.
  ClockDigits clock = ClockDigits::kAsIs;
  std::string format = "iso";  // Of their texts, with a space between each two.
};

// The texts of the columns, joined. The fields must reach that far.
class RowTimeText {
 public:
  explicit RowTimeText(const RowTimeLayout& layout) : layout_(layout) {}
  // Until the next one.
  absl::string_view Of(const std::vector<CsvField>& fields);

 private:
  const RowTimeLayout& layout_;
  std::string joined_;
};

// What the digits of the last column are, by the texts that stand there.
ClockDigits FindClockDigits(absl::Span<const absl::string_view> texts);

// Threads: one.
class RowTime {
 public:
  // The layout must outlive it. Errors: as TimeParser::Create.
  static absl::StatusOr<RowTime> Create(const RowTimeLayout& layout, absl::TimeZone zone,
                                        bool strict_clock_changes = false);

  // As TimeParser::Parse; text() is what was read.
  bool Read(const std::vector<CsvField>& fields, Timestamp* time, std::string* error,
            TimeHistory* history = nullptr) {
    last_ = text_.Of(fields);
    return parser_.Parse(last_, time, error, history);
  }
  absl::string_view text() const { return last_; }
  const TimeParser& parser() const { return parser_; }

 private:
  RowTime(const RowTimeLayout& layout, TimeParser parser) : text_(layout), parser_(std::move(parser)) {}

  RowTimeText text_;
  TimeParser parser_;
  absl::string_view last_;
};

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_LIB_ROW_TIME_H_
