#include "tools/histctl/lib/import_layout.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "storage/model/status_macros.h"
#include "storage/model/tag.h"
#include "tools/histctl/lib/csv_reader.h"
#include "tools/histctl/lib/time_parser.h"

namespace historian::histctl {
namespace {

// Records that are looked at to find the time column and its format.
constexpr size_t kSampleRecords = 100;
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

absl::StatusOr<char> SeparatorOf(absl::string_view name, absl::string_view text) {
  if (name == "auto") return DetectSeparator(text);
  if (name == "whitespace" || name == "space" || name == " ") return ' ';
  if (name == "tab" || name == "\\t") return '\t';
  if (name.size() == 1 && name != "\"" && name != "\n" && name != "\r") return name[0];
  return absl::InvalidArgumentError(
      absl::StrCat("separator '", name, "': expected auto, whitespace, tab, or one character"));
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

// "Flow [m3/h]" to its name and unit.
void TakeUnit(std::string* name, std::string* unit) {
  if (name->empty() || name->back() != ']') return;
  const size_t open = name->rfind('[');
  if (open == std::string::npos || open == 0) return;
  *unit = std::string(
      absl::StripAsciiWhitespace(absl::string_view(*name).substr(open + 1, name->size() - open - 2)));
  name->resize(open);
  absl::StripTrailingAsciiWhitespace(name);
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
  ImportLayout layout;
  layout.has_header = options.header;
  layout.numbers = options.numbers.value_or(NumberStyle{});
  layout.prefix = Fill(options.prefix, path, "{column}");
  ASSIGN_OR_RETURN(layout.separator, SeparatorOf(options.separator, text));

  CsvReader reader(text, layout.separator);
  std::vector<Record> records;
  while (records.size() < kSampleRecords) {
    const CsvReader::Result result = reader.Next();
    if (result == CsvReader::Result::kEnd) break;
    if (result == CsvReader::Result::kBad) {
      if (records.empty() && options.header)
        return invalid("line ", reader.line(), ": the header is ", reader.error());
      continue;
    }
    Record record;
    for (const CsvField& field : reader.fields()) record.emplace_back(absl::StripAsciiWhitespace(field.text));
    records.push_back(std::move(record));
  }
  if (records.empty()) return invalid("the file is empty");

  Record header;
  if (options.header) {
    header = std::move(records.front());
    records.erase(records.begin());
    // Writers that end every line with a separator do so in the header too: that is no column.
    layout.width = header.size();
  } else {
    // The usual width: the first record may be the broken one.
    std::map<size_t, size_t> widths;
    for (const Record& record : records) ++widths[record.size()];
    layout.width = std::max_element(widths.begin(), widths.end(), [](const auto& a, const auto& b) {
                     return a.second < b.second;
                   })->first;
  }
  if (!options.columns.empty()) {
    ASSIGN_OR_RETURN(header, ExpandColumns(options.columns));
    if (header.size() != layout.width) {
      return invalid("has ", layout.width, " columns, but --columns names ", header.size());
    }
  } else if (!options.header) {
    const int digits = std::max(2, static_cast<int>(absl::StrCat(layout.width).size()));
    for (size_t i = 1; i <= layout.width; ++i) header.push_back(absl::StrFormat("column-%0*d", digits, i));
  }
  std::erase_if(records, [&](const Record& record) { return record.size() != layout.width; });
  layout.header = header;
  const bool has_names = options.header || !options.columns.empty();

  // Wide or long.
  const std::optional<size_t> tag_column = FindHeader(header, {"tag", "tag_name", "tagname"});
  const std::optional<size_t> value_column = FindHeader(header, {"value"});
  if (options.layout == "long" && !has_names) {
    if (layout.width < 3 || layout.width > 4) {
      return invalid(
          "a long file without a header has the columns time, tag, value and perhaps quality; this one has ",
          layout.width, " columns");
    }
    layout.is_long = true;
    layout.time_column = 0;
    layout.tag_column = 1;
    layout.value_column = 2;
    if (layout.width == 4) layout.quality_column = 3;
  } else if (options.layout == "long" ||
             (options.layout == "auto" && has_names && tag_column && value_column)) {
    if (!tag_column || !value_column) return invalid("a long file has columns named tag and value");
    layout.is_long = true;
    layout.tag_column = *tag_column;
    layout.value_column = *value_column;
    layout.quality_column = FindHeader(header, {"quality"});
  } else if (options.layout != "auto" && options.layout != "wide") {
    return absl::InvalidArgumentError(
        absl::StrCat("layout '", options.layout, "': expected auto, wide or long"));
  }

  // Where the times are.
  if (!options.time_column.empty()) {
    if (options.start.has_value()) return invalid("either --time-column or --start and --step, not both");
    layout.time_column = FindHeader(header, options.time_column);
    size_t number = 0;
    if (!layout.time_column && absl::SimpleAtoi(options.time_column, &number) && number >= 1 &&
        number <= header.size()) {
      layout.time_column = number - 1;
    }
    if (!layout.time_column) return invalid("--time-column: there is no column '", options.time_column, "'");
  } else if (!options.start.has_value() && !layout.time_column) {
    layout.time_column =
        FindHeader(header, {"time", "timestamp", "datetime", "date_time", "date time", "ts", "date"});
    if (!layout.time_column) {
      // The first column, if it is times beyond doubt: plain numbers are not.
      std::vector<absl::string_view> texts;
      for (const Record& record : records) texts.push_back(record[0]);
      const absl::StatusOr<std::string> format = TimeParser::Detect(texts);
      if (format.ok() && !absl::StartsWith(*format, "unix")) layout.time_column = 0;
    }
    if (!layout.time_column) {
      return invalid(
          "no column is called time or looks like times: give --time-column, or --start and --step");
    }
  }
  layout.time_format = options.time_format;
  if (layout.time_column && options.time_format == "auto") {
    std::vector<absl::string_view> texts;
    for (const Record& record : records) {
      if (!record[*layout.time_column].empty()) texts.push_back(record[*layout.time_column]);
    }
    absl::StatusOr<std::string> format = texts.empty() ? "iso" : TimeParser::Detect(texts);
    // A broken time among the first rows must not decide: what nearly all of them have is the format.
    for (size_t i = 0; !format.ok() && i < std::min<size_t>(texts.size(), 5); ++i) {
      const absl::StatusOr<std::string> one = TimeParser::Detect(absl::MakeConstSpan(&texts[i], 1));
      if (!one.ok()) continue;
      ASSIGN_OR_RETURN(TimeParser parser, TimeParser::Create(*one, absl::UTCTimeZone()));
      const auto good = std::count_if(texts.begin(), texts.end(), [&](absl::string_view candidate) {
        Timestamp time = 0;
        std::string error;
        return parser.Parse(candidate, &time, &error);
      });
      if (static_cast<size_t>(good) * 2 > texts.size()) format = one;
    }
    if (!format.ok()) return Annotate(format.status(), path);
    layout.time_format = *std::move(format);
  }
  // Also finds a pattern that is none.
  RETURN_IF_ERROR(TimeParser::Create(layout.time_column ? layout.time_format : "iso", options.zone).status());
  if (!layout.time_column) layout.time_format.clear();
  if (layout.is_long) {
    if (!layout.time_column) return invalid("a long file has a column of times");
    return layout;
  }

  // The tags.
  std::set<std::string> tags;
  for (size_t i = 0; i < header.size(); ++i) {
    if (i == layout.time_column) continue;
    const auto& skipped = options.skip_columns;
    if (std::find(skipped.begin(), skipped.end(), header[i]) != skipped.end()) continue;
    if (header[i].empty() && i + 1 == header.size()) continue;  // Every line ends with a separator.
    ImportColumn column{.index = i, .header = header[i]};
    std::string name = header[i];
    TakeUnit(&name, &column.unit);
    if (const auto mapped = options.map.find(header[i]); mapped != options.map.end()) {
      name = Fill(mapped->second, path, name);
    }
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
    layout.columns.push_back(std::move(column));
  }
  if (layout.columns.empty()) return invalid("there is no column besides the times");
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

bool IsMissing(const ImportOptions& options, const CsvField& field, const NumberStyle* style) {
  const absl::string_view text = absl::StripAsciiWhitespace(field.text);
  if (text.empty()) return style != nullptr || !field.quoted;
  if (options.missing.empty()) return false;
  if (std::find(options.missing.begin(), options.missing.end(), text) != options.missing.end()) return true;
  ValueBits bits = 0, missing = 0;
  std::string error;
  if (style == nullptr || !ParseValue(ValueType::kFloat64, text, *style, nullptr, &bits, &error))
    return false;
  return std::any_of(options.missing.begin(), options.missing.end(), [&](const std::string& one) {
    return ParseValue(ValueType::kFloat64, one, *style, nullptr, &missing, &error) &&
           Float64OfBits(missing) == Float64OfBits(bits);
  });
}

}  // namespace historian::histctl
