#include "tools/histctl/lib/import_layout.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "storage/model/status_macros.h"
#include "storage/model/tag.h"
#include "tools/histctl/lib/header_unit.h"
#include "tools/histctl/lib/time_parser.h"

namespace historian::histctl {
namespace {

constexpr size_t kColumnsMax = 100'000;

using Record = std::vector<std::string>;

std::string FileStem(absl::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash != absl::string_view::npos) path.remove_prefix(slash + 1);
  const size_t dot = path.rfind('.');
  return std::string(dot == absl::string_view::npos || dot == 0 ? path : path.substr(0, dot));
}

std::string Fill(absl::string_view pattern, absl::string_view path, absl::string_view column) {
  return absl::StrReplaceAll(pattern, {{"{file}", FileStem(path)}, {"{column}", column}});
}

std::optional<size_t> FindHeader(const Record& header, absl::string_view name) {
  const auto found = std::find(header.begin(), header.end(), name);
  if (found == header.end()) return std::nullopt;
  return static_cast<size_t>(found - header.begin());
}

std::optional<size_t> FindHeader(const Record& header, std::initializer_list<absl::string_view> names) {
  for (const absl::string_view name : names) {
    for (size_t i = 0; i < header.size(); ++i) {
      if (absl::EqualsIgnoreCase(header[i], name)) return i;
    }
  }
  return std::nullopt;
}

// Without what stands in brackets or parentheses at its end: "Date (MM/DD/YYYY)" is "Date".
absl::string_view BareName(absl::string_view header) {
  const size_t open = header.find_first_of("[(");
  if (open != absl::string_view::npos && open > 0 && (header.back() == ']' || header.back() == ')')) {
    header = header.substr(0, open);
  }
  return absl::StripAsciiWhitespace(header);
}

std::optional<size_t> FindBareHeader(const Record& header, std::initializer_list<absl::string_view> names) {
  if (const std::optional<size_t> found = FindHeader(header, names)) return found;
  Record bare;
  for (const std::string& name : header) bare.emplace_back(BareName(name));
  return FindHeader(bare, names);
}

absl::StatusOr<TableShape> ShapeOf(const ImportOptions& options, absl::string_view text) {
  ShapeOptions shape{
      .separator = options.separator, .header = options.header, .skip_lines = options.skip_lines};
  for (const Program program :
       {Program::kToa5, Program::kPi, Program::kEpa, Program::kScada, Program::kSiemens}) {
    if (options.layout == ProgramName(program)) shape.program = program;
  }
  if (!shape.program && options.layout != "auto" && options.layout != "wide" && options.layout != "long") {
    return absl::InvalidArgumentError(absl::StrCat(
        "layout '", options.layout, "': expected auto, wide, long, toa5, pi, epa, scada or bms"));
  }
  // What PI writes without a header begins with a tag or a time, and has a time in one of its first two columns.
  if (shape.program == Program::kPi && options.columns.empty()) {
    ShapeOptions rows = shape;
    rows.header = false;
    ASSIGN_OR_RETURN(TableShape found, FindShape(rows, text));
    if (!found.rows.empty() && found.width >= 2) {
      const Record& row = found.rows[0];
      for (const size_t i : {0, 1}) {
        const absl::string_view one = row[i];
        if (TimeParser::Detect(absl::MakeConstSpan(&one, 1), TimeParser::DateOrder::kMonthFirst).ok()) {
          return found;
        }
      }
    }
  }
  return FindShape(shape, text);
}

// Wide, long or keyed.
absl::Status FindForm(const ImportOptions& options, const TableShape& shape, absl::string_view path,
                      ImportLayout* layout) {
  const auto invalid = [&](auto... what) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", what...));
  };
  const Record& header = layout->header;
  const bool has_names = !shape.header.empty() || !options.columns.empty();
  const std::optional<size_t> tag =
      FindHeader(header, {"tag", "tag_name", "tagname", "tag name", "point", "pointname", "point name"});
  const std::optional<size_t> value = FindHeader(header, {"value", "tagvalue"});
  const bool is_pi_rows = shape.program == Program::kPi && !has_names && layout->width >= 3;
  if ((options.layout == "long" || is_pi_rows) && !has_names) {
    if (layout->width < 3 || layout->width > 4) {
      return invalid(
          "a long file without a header has the columns time, tag, value and perhaps quality; this one has ",
          layout->width, " columns");
    }
    layout->is_long = true;
    // PI names the tag first.
    std::vector<absl::string_view> first;
    for (const Record& row : shape.rows) first.push_back(row[0]);
    const bool tag_first = is_pi_rows && !TimeParser::Detect(first, TimeParser::DateOrder::kMonthFirst).ok();
    layout->times = RowTimeLayout{.columns = {tag_first ? size_t{1} : 0}};
    layout->tag_column = tag_first ? 0 : 1;
    layout->value_column = 2;
    if (layout->width == 4) layout->quality_column = 3;
    return absl::OkStatus();
  }
  if (options.layout == "long" || (options.layout != "wide" && has_names && tag && value)) {
    if (!tag || !value) return invalid("a long file has columns named tag and value");
    layout->is_long = true;
    layout->tag_column = *tag;
    layout->value_column = *value;
    layout->quality_column = FindHeader(header, {"quality", "status", "opcquality", "qualitycode"});
    return absl::OkStatus();
  }
  for (const std::string& name : options.key_columns) {
    const std::optional<size_t> key = FindHeader(header, name);
    if (!key) return invalid("--key-columns: there is no column '", name, "'");
    layout->key_columns.push_back(*key);
  }
  if (options.key_columns.empty() && shape.program == Program::kEpa) {
    for (size_t i = 0; i < header.size(); ++i) {
      const std::string name = absl::AsciiStrToLower(header[i]);
      if (absl::StartsWith(name, "facility id") || absl::StartsWith(name, "orispl") || name == "unit id" ||
          name == "unitid") {
        layout->key_columns.push_back(i);
      }
    }
  }
  return absl::OkStatus();
}

// "Date (DD/MM/YYYY)".
TimeParser::DateOrder OrderOf(absl::string_view header) {
  const std::string name = absl::AsciiStrToUpper(header);
  const size_t day = name.find("DD"), month = name.find("MM"), year = name.find("YY");
  if (day == std::string::npos || month == std::string::npos || year == std::string::npos || year < month) {
    return TimeParser::DateOrder::kUnknown;
  }
  return day < month ? TimeParser::DateOrder::kDayFirst : TimeParser::DateOrder::kMonthFirst;
}

// Columns of which all say a part of the time: year, month, day, ...
std::vector<size_t> PartColumns(const Record& header) {
  std::vector<size_t> columns;
  const std::initializer_list<absl::string_view> kParts[] = {
      {"year", "yyyy"}, {"month", "mm"}, {"day", "dd"}, {"hour", "hh"}, {"minute", "min"}, {"second", "sec"}};
  for (const auto& names : kParts) {
    const std::optional<size_t> column = FindBareHeader(header, names);
    if (!column) break;
    columns.push_back(*column);
  }
  if (columns.size() < 3) columns.clear();
  return columns;
}

absl::StatusOr<std::vector<size_t>> NamedTimeColumns(const ImportOptions& options, const Record& header,
                                                     absl::string_view path) {
  const auto find = [&](absl::string_view name) {
    std::optional<size_t> column = FindHeader(header, name);
    size_t number = 0;
    if (!column && absl::SimpleAtoi(name, &number) && number >= 1 && number <= header.size()) {
      column = number - 1;
    }
    return column;
  };
  if (const std::optional<size_t> one = find(options.time_column)) return std::vector<size_t>{*one};
  std::vector<size_t> columns;
  for (const absl::string_view name : absl::StrSplit(options.time_column, ',')) {
    const std::optional<size_t> column = find(absl::StripAsciiWhitespace(name));
    if (!column) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": --time-column: there is no column '", absl::StripAsciiWhitespace(name), "'"));
    }
    columns.push_back(*column);
  }
  return columns;
}

// What stands in these columns, joined. `rows` of them from the beginning.
std::vector<std::string> TimeTexts(const TableShape& shape, const RowTimeLayout& times, size_t rows) {
  std::vector<std::string> texts;
  RowTimeText text(times);
  for (size_t i = 0; i < rows; ++i) {
    std::vector<CsvField> fields;
    for (const std::string& field : shape.rows[i]) fields.push_back({field, false});
    const absl::string_view one = text.Of(fields);
    if (!absl::StripAsciiWhitespace(one).empty()) texts.emplace_back(one);
  }
  return texts;
}

void FindClock(const TableShape& shape, RowTimeLayout* times) {
  if (times->columns.size() < 2) return;
  std::vector<absl::string_view> texts;
  for (const Record& row : shape.rows) {
    if (!row[times->columns.back()].empty()) texts.push_back(row[times->columns.back()]);
  }
  times->clock = FindClockDigits(texts);
}

absl::StatusOr<std::string> FindFormat(const TableShape& shape, const RowTimeLayout& times,
                                       TimeParser::DateOrder order) {
  const auto detect = [&](const std::vector<std::string>& texts) {
    const std::vector<absl::string_view> views(texts.begin(), texts.end());
    return TimeParser::Detect(views, order);
  };
  const std::vector<std::string> first = TimeTexts(shape, times, shape.first_rows);
  if (first.empty()) return std::string("iso");
  absl::StatusOr<std::string> format = detect(first);
  if (format.ok()) return format;
  // Further on a day above the twelfth may come.
  if (absl::StatusOr<std::string> all = detect(TimeTexts(shape, times, shape.rows.size())); all.ok())
    return all;
  // A broken time among the first rows must not decide: what nearly all of them have is the format.
  for (size_t i = 0; i < std::min<size_t>(first.size(), 5); ++i) {
    const absl::StatusOr<std::string> one = detect({first[i]});
    if (!one.ok()) continue;
    ASSIGN_OR_RETURN(TimeParser parser, TimeParser::Create(*one, absl::UTCTimeZone()));
    const auto good = std::count_if(first.begin(), first.end(), [&](absl::string_view candidate) {
      Timestamp time = 0;
      std::string error;
      return parser.Parse(candidate, &time, &error);
    });
    if (static_cast<size_t>(good) * 2 > first.size()) format = one;
  }
  return format;
}

// Whether these are days without a time of day.
bool AreDays(const TableShape& shape, size_t column) {
  const std::vector<std::string> texts = TimeTexts(shape, {.columns = {column}}, shape.first_rows);
  return !texts.empty() && std::all_of(texts.begin(), texts.end(), [](absl::string_view text) {
    text = absl::StripAsciiWhitespace(text);
    return text.size() <= 12 && absl::ascii_isdigit(text.back()) && !absl::StrContains(text, ':') &&
           (text.size() == 8 || text.find_first_of("-/. ") != absl::string_view::npos);
  });
}

// Where the times are and how they are written.
absl::Status FindTimes(const ImportOptions& options, const TableShape& shape, absl::string_view path,
                       ImportLayout* layout) {
  const auto invalid = [&](auto... what) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", what...));
  };
  const Record& header = layout->header;
  if (!options.time_column.empty()) {
    if (options.start.has_value()) return invalid("either --time-column or --start and --step, not both");
    ASSIGN_OR_RETURN(std::vector<size_t> columns, NamedTimeColumns(options, header, path));
    layout->times = RowTimeLayout{.columns = std::move(columns)};
  } else if (!options.start.has_value() && !layout->times) {
    std::optional<size_t> column =
        FindBareHeader(header, {"time", "timestamp", "datetime", "date_time", "date time", "date/time", "ts",
                                "t_stamp", "time stamp", "zeit", "zeitstempel"});
    const std::optional<size_t> date = FindBareHeader(header, {"date", "datum", "op_date", "<>date"});
    std::vector<size_t> columns;
    if (date && AreDays(shape, *date)) {
      // A day needs a time of day beside it, if there is one.
      if (!column) column = FindBareHeader(header, {"hour", "op_hour", "hr", "uhrzeit", "time of day"});
      columns.push_back(*date);
      if (column && column != date) columns.push_back(*column);
    } else if (column || date) {
      columns.push_back(column ? *column : *date);
    } else if (columns = PartColumns(header); columns.empty() && !shape.rows.empty()) {
      // The first column, if it is times beyond doubt: plain numbers are not.
      const absl::StatusOr<std::string> format =
          FindFormat(shape, {.columns = {0}}, TimeParser::DateOrder::kUnknown);
      if (format.ok() && !absl::StartsWith(*format, "unix") && !shape.rows[0][0].empty()) columns = {0};
    }
    if (columns.empty()) {
      return invalid(
          "no column is called time or looks like times: give --time-column, or --start and --step");
    }
    layout->times = RowTimeLayout{.columns = std::move(columns)};
  }
  if (!layout->times) return absl::OkStatus();
  RowTimeLayout& times = *layout->times;
  times.format = options.time_format;
  if (times.format == "auto") {
    const TimeParser::DateOrder order = OrderOf(header[times.columns[0]]);
    FindClock(shape, &times);
    absl::StatusOr<std::string> format = FindFormat(shape, times, order);
    if (!format.ok() && times.clock != ClockDigits::kAsIs) {
      // The last column was no hour.
      RowTimeLayout as_is = times;
      as_is.clock = ClockDigits::kAsIs;
      if (absl::StatusOr<std::string> other = FindFormat(shape, as_is, order); other.ok()) {
        times = std::move(as_is);
        format = std::move(other);
      }
    }
    if (!format.ok()) return Annotate(format.status(), path);
    times.format = *format;
  }
  // Also finds a pattern that is none.
  return TimeParser::Create(times.format, options.zone).status();
}

// What a column of emissions is, of those that have amounts.
bool IsEmission(absl::string_view header) {
  std::string name = absl::AsciiStrToLower(BareName(header));
  std::erase_if(name, [](char c) { return !absl::ascii_isalnum(c); });
  for (const absl::string_view one :
       {"operatingtime", "optime", "grossload", "gload", "steamload", "sload", "so2mass", "so2rate", "so2",
        "co2mass", "co2rate", "co2", "noxmass", "noxrate", "nox", "heatinput"}) {
    if (name == one) return true;
  }
  return false;
}

// The columns of qualities, by the columns that they are of.
std::map<size_t, size_t> QualityColumns(const TableShape& shape, const Record& header) {
  std::map<size_t, size_t> found;
  std::map<std::string, size_t> by_name;
  for (size_t i = 0; i < header.size(); ++i) by_name.emplace(absl::AsciiStrToLower(BareName(header[i])), i);
  for (size_t i = 0; i < header.size(); ++i) {
    std::string name = absl::AsciiStrToLower(header[i]);
    bool is_quality = false;
    for (const absl::string_view suffix :
         {"quality", "status", "measure indicator", "measure_flg", "q", "qc"}) {
      absl::string_view rest = name;
      if (!absl::ConsumeSuffix(&rest, suffix) || rest.empty() || absl::ascii_isalnum(rest.back())) continue;
      while (!rest.empty() && absl::string_view(" _.-/:").find(rest.back()) != absl::string_view::npos) {
        rest.remove_suffix(1);
      }
      name = std::string(rest);
      is_quality = true;
      break;
    }
    if (!is_quality) continue;
    const bool reads = std::all_of(shape.rows.begin(), shape.rows.end(), [&](const Record& row) {
      uint32_t code = 0;
      return row[i].empty() || IsQualityWord(row[i]) || absl::SimpleAtoi(row[i], &code);
    });
    const auto value = by_name.find(name);
    if (reads && value != by_name.end() && value->second != i) found.emplace(value->second, i);
  }
  return found;
}

// How the qualities of these columns are meant.
absl::Status FindQualities(const ImportOptions& options, const TableShape& shape, absl::string_view path,
                           const std::vector<size_t>& columns, ImportLayout* layout) {
  if (columns.empty()) return absl::OkStatus();
  std::vector<absl::string_view> texts;
  for (const Record& row : shape.rows) {
    for (const size_t column : columns) {
      if (!row[column].empty()) texts.push_back(row[column]);
    }
  }
  layout->quality_words = std::any_of(texts.begin(), texts.end(), [](absl::string_view text) {
    return IsQualityWord(text) && !ParseQuality(text).ok();
  });
  const std::optional<QualityCodes> codes =
      options.quality_codes.has_value() ? options.quality_codes : FindQualityCodes(texts);
  if (!codes) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": the qualities of column '", layout->header[columns[0]],
        "' are 0, which is Good in OPC UA and Bad in OPC DA: say --quality-codes opc-ua or opc-da"));
  }
  layout->quality_codes = *codes;
  return absl::OkStatus();
}

// The columns of tags.
absl::Status FindTags(const ImportOptions& options, const TableShape& shape, absl::string_view path,
                      ImportLayout* layout) {
  const auto invalid = [&](auto... what) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", what...));
  };
  const Record& header = layout->header;
  const auto contains = [](const auto& all, const auto& one) {
    return std::find(all.begin(), all.end(), one) != all.end();
  };
  const std::map<size_t, size_t> qualities = QualityColumns(shape, header);
  // "Pump (A)" and "Pump (B)" are two pumps, whatever A is.
  std::map<absl::string_view, int> bare_names;
  for (const std::string& name : header) ++bare_names[BareName(name)];
  std::set<std::string> tags;
  for (size_t i = 0; i < header.size(); ++i) {
    if ((layout->times && contains(layout->times->columns, i)) || contains(layout->key_columns, i)) continue;
    const bool is_named = options.map.contains(header[i]) || options.types.contains(header[i]);
    if (contains(options.skip_columns, header[i])) continue;
    if (header[i].empty() && i + 1 == header.size()) continue;  // Every line ends with a separator.
    const bool is_quality = std::any_of(qualities.begin(), qualities.end(),
                                        [&](const auto& quality) { return quality.second == i; });
    const bool is_niagara = shape.program == Program::kNiagara;
    if (!is_named &&
        (is_quality || (is_niagara && i < 3) || (shape.program == Program::kEpa && !IsEmission(header[i])) ||
         (shape.program == Program::kToa5 && header[i] == "RECORD"))) {
      continue;
    }
    ImportColumn column{.index = i, .header = header[i]};
    if (const auto quality = qualities.find(i); quality != qualities.end()) column.quality = quality->second;
    if (is_niagara) column.quality = 2;
    std::string name = header[i];
    const bool brackets = absl::EndsWith(name, "]") || bare_names[BareName(name)] == 1;
    const bool in_parentheses = brackets && TakeUnit(&name, &column.unit);
    if (is_niagara) name = shape.series.empty() ? FileStem(path) : shape.series;
    if (column.unit.empty() && i < shape.units.size()) column.unit = shape.units[i];
    if (i < shape.descriptions.size()) column.description = shape.descriptions[i];
    if (const auto mapped = options.map.find(header[i]); mapped != options.map.end()) {
      name = Fill(mapped->second, path, name);
    } else if (in_parentheses && !is_niagara) {
      column.whole_tag = absl::StrCat(Fill(options.prefix, path, header[i]), header[i]);
    }
    column.name = name;
    column.tag = absl::StrCat(Fill(options.prefix, path, header[i]), name);
    if (!options.unit.empty()) column.unit = options.unit;
    if (const auto unit = options.units.find(header[i]); unit != options.units.end())
      column.unit = unit->second;
    column.type = options.type;
    if (const auto type = options.types.find(header[i]); type != options.types.end())
      column.type = type->second;
    if (absl::Status status = ValidateTagName(column.tag); !status.ok()) {
      return invalid("column ", i + 1, " ('", header[i], "') cannot be a tag: ", status.message(),
                     "; name it with --map, or leave it out with --skip-columns");
    }
    if (!tags.insert(column.tag).second) {
      return invalid("two columns would be tag '", column.tag, "': tell them apart with --map or --columns");
    }
    layout->columns.push_back(std::move(column));
  }
  if (layout->columns.empty()) return invalid("there is no column besides the times");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ExpandColumns(absl::string_view columns) {
  std::vector<std::string> names;
  for (absl::string_view part : absl::StrSplit(columns, ',')) {
    part = absl::StripAsciiWhitespace(part);
    if (part.empty())
      return absl::InvalidArgumentError(absl::StrCat("columns '", columns, "': a name is empty"));
    const size_t dots = part.rfind("..");
    uint32_t first = 0, last = 0;
    if (dots == absl::string_view::npos || !absl::SimpleAtoi(part.substr(dots + 2), &last)) {
      names.emplace_back(part);
      continue;
    }
    size_t digits = dots;
    while (digits > 0 && absl::ascii_isdigit(part[digits - 1])) --digits;
    const absl::string_view from = part.substr(digits, dots - digits);
    if (!absl::SimpleAtoi(from, &first) || first > last || last - first >= kColumnsMax - names.size()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "columns '", part, "': expected a range such as 'XMEAS 1..41' of at most ", kColumnsMax));
    }
    const int zeros = from.size() > 1 && from[0] == '0' ? static_cast<int>(from.size()) : 0;
    for (uint32_t i = first; i <= last; ++i) {
      names.push_back(absl::StrCat(part.substr(0, digits), absl::StrFormat("%0*d", zeros, i)));
    }
  }
  return names;
}

absl::StatusOr<ImportLayout> FindLayout(const ImportOptions& options, absl::string_view path,
                                        absl::string_view text) {
  const auto invalid = [&](auto... what) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", what...));
  };
  absl::StatusOr<TableShape> shape = ShapeOf(options, text);
  if (!shape.ok()) return Annotate(shape.status(), path);
  ImportLayout layout;
  layout.separator = shape->separator;
  layout.program = shape->program;
  layout.lines_before = shape->lines_before;
  layout.header_records = shape->header_records;
  layout.footer = shape->footer;
  layout.width = shape->width;
  layout.numbers = options.numbers.value_or(NumberStyle{});
  layout.missing = options.missing;
  if (shape->program == Program::kToa5) layout.missing.emplace_back("NAN");
  layout.prefix = Fill(options.prefix, path, "{column}");

  Record header = shape->header;
  if (!options.columns.empty()) {
    ASSIGN_OR_RETURN(header, ExpandColumns(options.columns));
    if (header.size() != layout.width) {
      return invalid("has ", layout.width, " columns, but --columns names ", header.size());
    }
  } else if (header.empty()) {
    const int digits = std::max(2, static_cast<int>(absl::StrCat(layout.width).size()));
    for (size_t i = 1; i <= layout.width; ++i) header.push_back(absl::StrFormat("column-%0*d", digits, i));
  }
  layout.header = header;

  RETURN_IF_ERROR(FindForm(options, *shape, path, &layout));
  RETURN_IF_ERROR(FindTimes(options, *shape, path, &layout));
  if (layout.is_long) {
    if (!layout.times) return invalid("a long file has a column of times");
    if (layout.quality_column) {
      RETURN_IF_ERROR(FindQualities(options, *shape, path, {*layout.quality_column}, &layout));
    }
    return layout;
  }
  RETURN_IF_ERROR(FindTags(options, *shape, path, &layout));
  std::vector<size_t> qualities;
  for (const ImportColumn& column : layout.columns) {
    if (column.quality) qualities.push_back(*column.quality);
  }
  RETURN_IF_ERROR(FindQualities(options, *shape, path, qualities, &layout));
  return layout;
}

absl::Status CheckNamedColumns(const ImportOptions& options, const std::vector<ImportLayout>& layouts) {
  std::set<absl::string_view> known;
  for (const ImportLayout& layout : layouts) {
    // A long file names its tags in its rows.
    if (layout.is_long) return absl::OkStatus();
    known.insert(layout.header.begin(), layout.header.end());
  }
  const auto check = [&](absl::string_view option, const std::string& name) {
    if (known.contains(name)) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(option, " names a column '", name, "', but there is none"));
  };
  for (const auto& [name, tag] : options.map) RETURN_IF_ERROR(check("--map", name));
  for (const auto& [name, type] : options.types) RETURN_IF_ERROR(check("--type", name));
  for (const auto& [name, unit] : options.units) RETURN_IF_ERROR(check("--unit", name));
  for (const std::string& name : options.skip_columns) RETURN_IF_ERROR(check("--skip-columns", name));
  return absl::OkStatus();
}

std::string LongTagName(const ImportOptions& options, const ImportLayout& layout, absl::string_view tag) {
  const auto mapped = options.map.find(std::string(tag));
  return absl::StrCat(absl::StrReplaceAll(layout.prefix, {{"{column}", tag}}),
                      mapped == options.map.end() ? tag : absl::string_view(mapped->second));
}

std::string KeyedTagName(const ImportLayout& layout, const ImportColumn& column, absl::string_view device) {
  return absl::StrCat(absl::StrReplaceAll(layout.prefix, {{"{column}", column.header}}), device, "/",
                      column.name);
}

std::string DeviceOf(const ImportLayout& layout, const std::vector<CsvField>& fields) {
  return absl::StrJoin(layout.key_columns, "/", [&](std::string* out, size_t column) {
    absl::StrAppend(out, absl::StripAsciiWhitespace(fields[column].text));
  });
}

bool IsMissing(absl::Span<const std::string> missing, const CsvField& field, const NumberStyle* style) {
  const absl::string_view text = absl::StripAsciiWhitespace(field.text);
  if (text.empty()) return style != nullptr || !field.quoted;
  if (missing.empty()) return false;
  if (std::find(missing.begin(), missing.end(), text) != missing.end()) return true;
  ValueBits bits = 0, other = 0;
  std::string error;
  if (style == nullptr || !ParseValue(ValueType::kFloat64, text, *style, nullptr, &bits, &error))
    return false;
  return std::any_of(missing.begin(), missing.end(), [&](const std::string& one) {
    return ParseValue(ValueType::kFloat64, one, *style, nullptr, &other, &error) &&
           Float64OfBits(other) == Float64OfBits(bits);
  });
}

std::optional<Quality> StateQuality(const ImportOptions& options, absl::string_view text) {
  if (!options.states.empty()) {
    const auto state = options.states.find(std::string(absl::StripAsciiWhitespace(text)));
    if (state != options.states.end()) return state->second;
  }
  return QualityOfState(text);
}

}  // namespace historian::histctl
