#include "tools/histctl/lib/table_shape.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "storage/model/status_macros.h"
#include "tools/histctl/lib/csv_reader.h"
#include "tools/histctl/lib/time_parser.h"
#include "tools/histctl/lib/type_inference.h"

namespace historian::histctl {
namespace {

using Record = TableShape::Record;

constexpr size_t kFirstRows = 100;
// Lines that may stand in front of a table, rows below its header.
constexpr size_t kLinesBeforeMax = 60;
constexpr size_t kRowsBelowMax = 3;
// Rows that are looked at behind the first ones, from places all over the file.
constexpr size_t kSpreadRows = 200;

struct Line {
  uint64_t line = 0;
  Record record;
};

Record RecordOf(const CsvReader& reader) {
  Record record;
  for (const CsvField& field : reader.fields()) record.emplace_back(absl::StripAsciiWhitespace(field.text));
  return record;
}

absl::StatusOr<char> SeparatorOf(absl::string_view name, absl::string_view text) {
  if (name == "auto") return DetectSeparator(text);
  if (name == "whitespace" || name == "space" || name == " ") return ' ';
  if (name == "tab" || name == "\\t") return '\t';
  if (name.size() == 1 && name != "\"" && name != "\n" && name != "\r") return name[0];
  return absl::InvalidArgumentError(
      absl::StrCat("separator '", name, "': expected auto, whitespace, tab, or one character"));
}

bool IsNumber(absl::string_view text) {
  const TypeInference::Form form = TypeInference::FormOf(text);
  return form < TypeInference::kBool;
}

// A date or time has four digits at least: 1/1/26 too.
bool MayBeTime(absl::string_view text) {
  return std::count_if(text.begin(), text.end(), absl::ascii_isdigit) >= 4 &&
         text.find_first_of("_[(") == absl::string_view::npos;
}

bool HasValues(const Record& record) {
  return std::any_of(record.begin(), record.end(),
                     [](const std::string& field) { return IsNumber(field) || MayBeTime(field); });
}

bool IsEmpty(const Record& record) {
  return std::all_of(record.begin(), record.end(), [](const std::string& field) { return field.empty(); });
}

// How a data logger has made one value of many.
bool IsProcessing(const Record& record) {
  static constexpr absl::string_view kWords[] = {
      "",       "avg", "average", "max", "maximum", "mean", "med", "min", "minimum", "smp",
      "sample", "std", "sum",     "tot", "total",   "inst", "wvc", "cov", "etsz"};
  return !IsEmpty(record) && std::all_of(record.begin(), record.end(), [](const std::string& field) {
    return std::any_of(std::begin(kWords), std::end(kWords),
                       [&](absl::string_view word) { return absl::EqualsIgnoreCase(word, field); });
  });
}

// How many fields most of these have.
size_t UsualWidth(const std::vector<Line>& lines) {
  std::map<size_t, size_t> widths;
  for (const Line& line : lines) ++widths[line.record.size()];
  return std::max_element(widths.begin(), widths.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

bool IsEpaHeader(const Record& record) {
  bool facility = false, unit = false, date = false, hour = false;
  for (const std::string& field : record) {
    const std::string name = absl::AsciiStrToLower(field);
    facility = facility || absl::StartsWith(name, "facility id") || absl::StartsWith(name, "orispl");
    unit = unit || name == "unit id" || name == "unitid";
    date = date || name == "date" || name == "op_date";
    hour = hour || name == "hour" || name == "op_hour";
  }
  return facility && unit && date && hour;
}

// Of a data logger, also where somebody took its first line away.
bool IsLoggerHeader(const Record& record) {
  return record.size() > 2 && record[0] == "TIMESTAMP" && record[1] == "RECORD";
}

bool IsNiagaraHeader(const Record& record) {
  return record.size() == 4 && absl::EqualsIgnoreCase(record[0], "timestamp") &&
         absl::EqualsIgnoreCase(record[1], "trend flags") && absl::EqualsIgnoreCase(record[2], "status") &&
         absl::StartsWithIgnoreCase(record[3], "value");
}

// "Point_3:" in front of a Siemens trend; the header has it without the colon.
void NameSiemensPoints(const std::vector<Line>& lines, size_t header, Record* names) {
  for (size_t i = 0; i < header; ++i) {
    const Record& record = lines[i].record;
    if (record.size() < 2 || record[1].empty() || !absl::EndsWith(record[0], ":")) continue;
    const absl::string_view key = absl::StripSuffix(record[0], ":");
    const auto found = std::find(names->begin(), names->end(), key);
    if (found != names->end()) *found = record[1];
  }
}

// Lines of many widths stand in front of a building management system's trend.
bool IsTrend(absl::string_view text) {
  const absl::string_view begin = text.substr(0, 64 * 1024);
  return absl::StrContains(begin, "<>Date\"") ||
         absl::StrContains(begin, "Timestamp,Trend Flags,Status,Value");
}

// Which of the lines is the header, and of which program.
struct Header {
  size_t at = 0;
  Program program = Program::kUnknown;
};

absl::StatusOr<Header> FindHeader(const ShapeOptions& options, const std::vector<Line>& lines) {
  const auto is = [&](Program program) { return !options.program || *options.program == program; };
  if (is(Program::kToa5) && lines.size() > 1 && lines[0].record[0] == "TOA5")
    return Header{1, Program::kToa5};
  if (is(Program::kToa5) && IsLoggerHeader(lines[0].record)) return Header{0, Program::kToa5};
  for (size_t i = 0; i < std::min(lines.size(), kLinesBeforeMax); ++i) {
    const Record& record = lines[i].record;
    if (is(Program::kSiemens) && record[0] == "<>Date") return Header{i, Program::kSiemens};
    if (is(Program::kSiemens) && IsNiagaraHeader(record)) return Header{i, Program::kNiagara};
  }
  if (options.program == Program::kSiemens) {
    return absl::InvalidArgumentError(
        "is no trend of a building management system that is known: no line begins with <>Date (Siemens) or "
        "Timestamp,Trend Flags,Status,Value (Niagara)");
  }
  if (is(Program::kEpa) && IsEpaHeader(lines[0].record)) return Header{0, Program::kEpa};
  if (options.program == Program::kEpa) {
    return absl::InvalidArgumentError(
        "is no file of hourly emissions: its header lacks some of Facility ID, Unit ID, Date and Hour");
  }
  const Program program = options.program.value_or(Program::kUnknown);
  if (options.skip_lines.has_value()) return Header{0, program};
  // What stands in front has another width, and the header has no values.
  const size_t width = UsualWidth(lines);
  if (lines[0].record.size() == width) return Header{0, program};
  for (size_t i = 1; i < std::min(lines.size(), kLinesBeforeMax); ++i) {
    if (lines[i].record.size() != width) continue;
    if (!HasValues(lines[i].record)) return Header{i, program};
    break;
  }
  return Header{0, program};
}

void AddRowsFromEverywhere(absl::string_view text, const CsvReader& reader, TableShape* shape) {
  const absl::string_view rest = text.substr(reader.offset());
  size_t last = 0;
  for (size_t i = 1; i <= kSpreadRows; ++i) {
    const size_t end = rest.find('\n', rest.size() / (kSpreadRows + 1) * i);
    if (end == absl::string_view::npos || (i > 1 && end == last)) continue;
    last = end;
    CsvReader one(rest.substr(end + 1, rest.find('\n', end + 1) - end), shape->separator);
    if (one.Next() != CsvReader::Result::kRecord || one.fields().size() != shape->width) continue;
    shape->rows.push_back(RecordOf(one));
  }
}

}  // namespace

absl::string_view ProgramName(Program program) {
  switch (program) {
    case Program::kUnknown:
      return "";
    case Program::kToa5:
      return "toa5";
    case Program::kPi:
      return "pi";
    case Program::kEpa:
      return "epa";
    case Program::kScada:
      return "scada";
    case Program::kSiemens:
    case Program::kNiagara:
      return "bms";
  }
  return "";
}

absl::StatusOr<TableShape> FindShape(const ShapeOptions& options, absl::string_view text) {
  const auto invalid = [](auto... what) { return absl::InvalidArgumentError(absl::StrCat(what...)); };
  TableShape shape;
  shape.lines_before = options.skip_lines.value_or(0);
  {
    CsvReader skipping(text, ',', shape.lines_before);
    ASSIGN_OR_RETURN(shape.separator, SeparatorOf(options.separator, text.substr(skipping.offset())));
    if (options.separator == "auto" && IsTrend(text)) shape.separator = ',';
  }
  CsvReader reader(text, shape.separator, shape.lines_before);
  std::vector<Line> lines;
  while (lines.size() < kFirstRows + kLinesBeforeMax + kRowsBelowMax) {
    const CsvReader::Result result = reader.Next();
    if (result == CsvReader::Result::kEnd) break;
    if (result == CsvReader::Result::kBad) {
      if (lines.empty() && options.header)
        return invalid("line ", reader.line(), ": the header is ", reader.error());
      continue;
    }
    lines.push_back({.line = reader.line(), .record = RecordOf(reader)});
  }
  if (lines.empty()) {
    if (shape.lines_before > 0)
      return invalid("has nothing behind the ", shape.lines_before, " lines to skip");
    return invalid("the file is empty");
  }

  size_t first = 0;
  if (options.header) {
    ASSIGN_OR_RETURN(const Header header, FindHeader(options, lines));
    for (const std::string& field : lines[header.at].record) {
      const absl::string_view one = field;
      const bool digits =
          std::all_of(one.begin(), one.end(), [](char c) { return absl::ascii_isdigit(c) || c == '.'; });
      if (digits || !TimeParser::Detect(absl::MakeConstSpan(&one, 1), TimeParser::DateOrder::kDayFirst).ok())
        continue;
      return invalid("line ", lines[header.at].line, " has a time, '", field,
                     "', where the names of the columns should be: is there no header? Then say --no-header, "
                     "and --layout "
                     "long or --columns 'time,...'");
    }
    shape.program = header.program;
    shape.lines_before = lines[header.at].line - 1;
    shape.header = lines[header.at].record;
    // Writers that end every line with a separator do so in the header too: that is no column.
    shape.width = shape.header.size();
    first = header.at + 1;
    if (shape.program == Program::kSiemens) {
      NameSiemensPoints(lines, header.at, &shape.header);
      shape.header[0] = "Date";
      shape.footer = "****";
    }
    if (shape.program == Program::kNiagara) {
      for (size_t i = 0; i < header.at; ++i) {
        absl::string_view name = lines[i].record[0];
        if (absl::ConsumePrefix(&name, "history:")) shape.series = std::string(absl::StripPrefix(name, "/"));
      }
    }
    // Rows below the names, if there are values at all behind them.
    size_t below = first;
    while (below < lines.size() && below < first + kRowsBelowMax &&
           lines[below].record.size() == shape.width && !HasValues(lines[below].record)) {
      ++below;
    }
    const bool values = below < lines.size() && HasValues(lines[below].record);
    for (; values && first < below; ++first) {
      Record& record = lines[first].record;
      if (IsProcessing(record) || IsEmpty(record)) continue;
      const bool words = std::any_of(record.begin(), record.end(),
                                     [](const std::string& field) { return field.size() > 16; });
      Record& to = words && shape.descriptions.empty() ? shape.descriptions : shape.units;
      if (to.empty()) to = std::move(record);
    }
    shape.header_records = 1 + (values ? first - header.at - 1 : 0);
  } else {
    shape.width = UsualWidth(lines);
    shape.program = options.program.value_or(Program::kUnknown);
  }
  for (size_t i = first; i < lines.size() && shape.rows.size() < kFirstRows; ++i) {
    if (lines[i].record.size() == shape.width) shape.rows.push_back(std::move(lines[i].record));
  }
  shape.first_rows = shape.rows.size();
  AddRowsFromEverywhere(text, reader, &shape);
  return shape;
}

}  // namespace historian::histctl
