// File: tools/histctl/lib/import_layout.h
//
// What a CSV file's columns are: which one has the times and how they are written, and which tag each of the
// others belongs to. Found from the file's beginning and what the caller said.
//
//   wide   time;Pressure;Temperature [degC]      one column per tag
//   long   time,tag,value[,quality]              one row per sample
//
// The name of a tag: prefix + (the name mapped to the column's header, else the header). A header "Flow
// [m3/h]" is the name "Flow" and the unit "m3/h". In the prefix and in mapped names {file} stands for the
// file's name without directory and extension, {column} for the header. Without headers columns are called
// column-01, column-02, ... (as many digits as the last one needs) or as `columns` says.
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
#include "storage/model/timestamp.h"
#include "storage/model/value.h"
#include "tools/histctl/lib/csv_reader.h"
#include "tools/histctl/lib/value_text.h"

namespace historian::histctl {

// How to read a file, as asked for. Empty or unset: find out.
struct ImportOptions {
  std::string separator = "auto";  // auto, whitespace, tab, or one character.
  std::string layout = "auto";     // auto, wide, long.
  bool header = true;
  std::string columns;                     // "time,XMEAS 1..41,XMV 1..11": the names; ranges count up.
  std::map<std::string, std::string> map;  // Header to tag name.
  std::string prefix;
  std::vector<std::string> skip_columns;  // Headers.
  std::string time_column;                // A header, or a number from 1.
  std::optional<Timestamp> start;         // No time column: row i (from 0) is at start + i * step.
  int64_t step_nanos = 0;
  std::string time_format = "auto";
  absl::TimeZone zone;
  bool strict_clock_changes = false;
  std::optional<NumberStyle> numbers;  // How they are written.
  std::vector<std::string> missing;    // Texts that mean no value, as an empty field does.
  bool missing_as_bad = false;
  std::optional<ValueType> type;             // Of all columns that are not in `types`.
  std::map<std::string, ValueType> types;    // By header (wide) or tag name (long).
  std::string unit;                          // Of all columns that are not in `units`.
  std::map<std::string, std::string> units;  // By header (wide) or tag name (long).
};

struct ImportColumn {
  size_t index = 0;  // In the record.
  std::string header;
  std::string tag;
  std::string unit;
  std::optional<ValueType> type;
};

struct ImportLayout {
  char separator = ',';
  bool has_header = true;
  std::vector<std::string> header;  // Of all columns, made up or not.
  bool is_long = false;
  size_t width = 0;  // Fields of a record.
  std::optional<size_t> time_column;
  std::string time_format;
  NumberStyle numbers;  // As asked for, else as FindNumberStyle says once the file was looked at.
  // Wide: the tags' columns.
  std::vector<ImportColumn> columns;
  // Long:
  size_t tag_column = 0;
  size_t value_column = 0;
  std::optional<size_t> quality_column;
  std::string prefix;
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

// Whether a field says that there is no value: it is empty, or one of options.missing. Numbers among these are compared as
// numbers, -999 is also -999.00 and -9.99E+02, unless the field is a text's (`style` is null). A quoted empty field is a text of
// that.
bool IsMissing(const ImportOptions& options, const CsvField& field, const NumberStyle* style);

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_LIB_IMPORT_LAYOUT_H_
