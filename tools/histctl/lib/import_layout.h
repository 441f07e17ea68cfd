// File: tools/histctl/lib/import_layout.h
//
// What a CSV file's columns are: which ones have the times and how they are written, and which tag each of the
// others belongs to. Found from the file's beginning, from where its table is (lib/table_shape.h) and what the caller said.
//
//   wide   time;Pressure;Temperature [degC]      one column per tag
//   long   time,tag,value[,quality]              one row per sample
//   keyed  station,time,PM10,SO2                 one row per device and time, one tag per device and column
//
// The name of a tag: prefix + (keyed: the key columns' texts with slashes behind) + (the name mapped to the column's header, else
// the header). A header "Flow [m3/h]" is the name "Flow" and the unit "m3/h", and so is "Flow (m3/h)" if what is in the
// parentheses is known to be a unit. In the prefix and in mapped names {file} stands for the file's name without directory and
// extension, {column} for the header. Without headers columns are called column-01, column-02, ... (as many digits as the last
// one needs) or as `columns` says.
//
// A wide column may have a column of its qualities beside it: "PT101 quality", "PT101.Q", "PT101_status".
#ifndef HISTORIAN_TOOLS_HISTCTL_LIB_IMPORT_LAYOUT_H_
#define HISTORIAN_TOOLS_HISTCTL_LIB_IMPORT_LAYOUT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "storage/model/quality.h"
#include "storage/model/timestamp.h"
#include "storage/model/value.h"
#include "tools/histctl/lib/csv_reader.h"
#include "tools/histctl/lib/quality_text.h"
#include "tools/histctl/lib/row_time.h"
#include "tools/histctl/lib/table_shape.h"
#include "tools/histctl/lib/value_text.h"

namespace historian::histctl {

// How to read a file, as asked for. Empty or unset: find out.
struct ImportOptions {
  std::string separator = "auto";  // auto, whitespace, tab, or one character.
  std::string layout = "auto";     // auto, wide, long, or the name of a program (lib/table_shape.h).
  bool header = true;
  std::optional<uint64_t> skip_lines;      // In front of the header.
  std::string columns;                     // "time,XMEAS 1..41,XMV 1..11": the names; ranges count up.
  std::map<std::string, std::string> map;  // Header to tag name.
  std::string prefix;
  std::vector<std::string> skip_columns;  // Headers.
  std::vector<std::string> key_columns;   // Headers: which device a row is of.
  std::string time_column;                // A header, or a number from 1; or several, with commas between.
  std::optional<Timestamp> start;         // No time column: row i (from 0) is at start + i * step.
  int64_t step_nanos = 0;
  std::string time_format = "auto";
  absl::TimeZone zone;
  bool strict_clock_changes = false;
  std::optional<NumberStyle> numbers;  // How they are written.
  std::vector<std::string> missing;    // Texts that mean no value, as an empty field does.
  bool missing_as_bad = false;
  std::map<std::string, Quality>
      states;  // Texts in the place of a number that say why there is none; beside the known ones.
  std::optional<QualityCodes> quality_codes;
  std::optional<ValueType> type;             // Of all columns that are not in `types`.
  std::map<std::string, ValueType> types;    // By header (wide) or tag name (long).
  std::string unit;                          // Of all columns that are not in `units`.
  std::map<std::string, std::string> units;  // By header (wide) or tag name (long).
};

struct ImportColumn {
  size_t index = 0;  // In the record.
  std::string header;
  std::string name;  // Of the tag, without prefix and keys.
  std::string tag;   // Empty in a keyed file, whose rows say it.
  // The header as a whole, where `name` is it without a unit in parentheses: the tag may exist by that name.
  std::string whole_tag;
  std::string unit;
  std::string description;
  std::optional<ValueType> type;
  std::optional<size_t> quality;  // The column of its qualities.
};

struct ImportLayout {
  char separator = ',';
  Program program = Program::kUnknown;
  uint64_t lines_before = 0;        // In front of the header, or of the first row.
  size_t header_records = 1;        // The header, and rows of units and the like.
  std::string footer;               // A record that begins with it ends the table.
  std::vector<std::string> header;  // Of all columns, made up or not.
  bool is_long = false;
  size_t width = 0;                    // Fields of a record.
  std::optional<RowTimeLayout> times;  // Nothing: by the rows' number.
  std::vector<std::string> missing;    // Texts that mean no value: as asked for, and the program's.
  NumberStyle numbers;  // As asked for, else as FindNumberStyle says once the file was looked at.
  // Wide: the tags' columns.
  std::vector<ImportColumn> columns;
  // Long:
  size_t tag_column = 0;
  size_t value_column = 0;
  std::optional<size_t> quality_column;
  QualityCodes quality_codes = QualityCodes::kOpcUa;
  bool quality_words = false;  // Some of the first qualities are words that are not OPC UA's.
  std::string prefix;
  std::vector<size_t> key_columns;  // Keyed.

  bool is_keyed() const { return !key_columns.empty(); }
};

// "XMEAS 1..41,XMV 1..11" is "XMEAS 1", "XMEAS 2", ...; "s01..12" keeps the zeros. At most 100,000 names.
absl::StatusOr<std::vector<std::string>> ExpandColumns(absl::string_view columns);

// `text` is the file's, `path` its name. Errors: InvalidArgument, names the file, what is missing and the
// option that says it.
absl::StatusOr<ImportLayout> FindLayout(const ImportOptions& options, absl::string_view path,
                                        absl::string_view text);

// Whether every column that the options name is in one of the files. Errors: InvalidArgument.
absl::Status CheckNamedColumns(const ImportOptions& options, const std::vector<ImportLayout>& layouts);

// Of a long file's tag: prefix and map applied.
std::string LongTagName(const ImportOptions& options, const ImportLayout& layout, absl::string_view tag);

// Of the tag of a column in a keyed file, in a row of these fields. `device`: the texts of the key columns, with slashes between.
std::string KeyedTagName(const ImportLayout& layout, const ImportColumn& column, absl::string_view device);
std::string DeviceOf(const ImportLayout& layout, const std::vector<CsvField>& fields);

// Whether a field says that there is no value: it is empty, or one of `missing`. Numbers among these are compared as
// numbers, -999 is also -999.00 and -9.99E+02, unless the field is a text's (`style` is null). A quoted empty field is a text of
// that.
bool IsMissing(absl::Span<const std::string> missing, const CsvField& field, const NumberStyle* style);

// The quality of a text that stands in the place of a number; nothing if it is not known to be such a one.
std::optional<Quality> StateQuality(const ImportOptions& options, absl::string_view text);

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_LIB_IMPORT_LAYOUT_H_
