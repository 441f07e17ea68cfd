// File: tools/histctl/lib/csv_style.h
//
// How CSV is written: for import, or for a spreadsheet of a country. What is written in a style `histctl import` reads with the
// same options, but for days of a spreadsheet with a decimal comma.
#ifndef HISTORIAN_TOOLS_HISTCTL_LIB_CSV_STYLE_H_
#define HISTORIAN_TOOLS_HISTCTL_LIB_CSV_STYLE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "storage/model/timestamp.h"

namespace historian::histctl {

// How times are written, in the words of the importer (time_parser.h): rfc3339, iso (local, without a zone), unix, unix_ms,
// unix_us, unix_ns, excel (days since 1899-12-30, local), or a pattern such as %d.%m.%Y %H:%M:%S, local; %S has the fraction of
// a second where there is one. excel has milliseconds; all others write times exactly, except a pattern without seconds.
class TimeFormat {
 public:
  // rfc3339; the former in UTC.
  TimeFormat() : zone_(absl::UTCTimeZone()) {}
  explicit TimeFormat(absl::TimeZone zone) : zone_(zone) {}
  // Errors: InvalidArgument, no such format; one that the importer would not read.
  static absl::StatusOr<TimeFormat> Create(absl::string_view text, absl::TimeZone zone);

  void Append(Timestamp t, std::string* out) const;
  bool IsRfc3339() const { return kind_ == Kind::kRfc3339; }
  bool IsNumber() const { return kind_ == Kind::kCount || kind_ == Kind::kExcel; }

 private:
  enum class Kind { kRfc3339, kCount, kExcel, kPattern };

  absl::TimeZone zone_;
  Kind kind_ = Kind::kRfc3339;
  int64_t count_nanos_ = 1;  // kCount: what one of the counted is.
  std::string pattern_;      // kPattern: as absl::FormatTime takes it.
};

inline constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";

struct CsvStyle {
  char separator = ',';
  bool decimal_comma = false;
  bool byte_order_mark = false;  // In front, by which Excel knows UTF-8.
  TimeFormat times;
};

// As options say it: one character or "tab", empty for the usual one (a semicolon with decimal commas, else a comma); a format
// of TimeFormat, empty for rfc3339. Errors: InvalidArgument, names the option.
absl::StatusOr<CsvStyle> ParseCsvStyle(absl::string_view separator, bool decimal_comma,
                                       absl::string_view time_format, absl::TimeZone zone);

// Quoted when it must be: separators, quotes, line ends, spaces at an end, or nothing at all.
void AppendCsvField(absl::string_view text, std::string* out, char separator = ',');
// A number, which is printed with a point elsewhere.
void AppendCsvNumber(absl::string_view number, const CsvStyle& style, std::string* out);

// Days and counts are numbers of the style. The former does not quote.
std::string CsvTimeText(Timestamp t, const CsvStyle& style);
void AppendCsvTime(Timestamp t, const CsvStyle& style, std::string* out);

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_LIB_CSV_STYLE_H_
