// File: tools/histctl/lib/table_shape.h
//
// Where the table is in a file: what stands in front of it, its header, the rows of units and descriptions under that, and what
// ends it. And which program wrote it, for those whose files are known:
//
//   toa5   Campbell Scientific data loggers (LoggerNet): the station's line, names, units, and how each was processed. NAN is
//          no value. RECORD, the rows' number, is left out
//   pi     AVEVA PI: a column per tag, or rows of tag, time and value with or without a header; system states in the place of
//          values (lib/quality_text.h)
//   epa    hourly emissions of the US EPA's Clean Air Markets, old and new headers: date and hour in two columns, a tag for each
//          unit of each facility and each quantity, with how it was measured as its quality
//   scada  a column per tag, with or without a column of its quality beside it; rows of descriptions and units below the names
//   bms    trends of building management systems: Siemens Apogee (points named in front of the table, dates and times in two
//          columns) and Niagara (time, flags, status, value)
//
// Lines in front of a table that no known program wrote are passed over if they have another number of fields than nearly all
// others, and the first that has not is no row of values.
#ifndef HISTORIAN_TOOLS_HISTCTL_LIB_TABLE_SHAPE_H_
#define HISTORIAN_TOOLS_HISTCTL_LIB_TABLE_SHAPE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace historian::histctl {

enum class Program { kUnknown, kToa5, kPi, kEpa, kScada, kSiemens, kNiagara };

struct TableShape {
  using Record = std::vector<std::string>;  // Fields without spaces around them.

  Program program = Program::kUnknown;
  char separator = ',';
  uint64_t lines_before = 0;  // In front of the header, or of the first row.
  size_t header_records = 0;  // The header, and rows of units and the like.
  Record header;              // Empty: there is none.
  Record units;               // By column, or nothing.
  Record descriptions;        // The same.
  size_t width = 0;           // Fields of a record.
  std::string footer;  // What a record begins with that is behind the table; empty: the file's end ends it.
  std::string series;  // What the whole file is of, if it says so.
  std::vector<Record> rows;  // The first ones of the right width, at most 100, and then some from everywhere.
  size_t first_rows = 0;     // How many of these are the first ones.
};

struct ShapeOptions {
  std::string separator = "auto";      // auto, whitespace, tab, or one character.
  std::optional<Program> program;      // Unset: find out.
  bool header = true;                  // There is one.
  std::optional<uint64_t> skip_lines;  // In front of the header; unset: find out.
};

// Errors: InvalidArgument, says what and, if it is one's, the line; not the file.
absl::StatusOr<TableShape> FindShape(const ShapeOptions& options, absl::string_view text);

// "toa5"; empty: kUnknown. Both of kSiemens and kNiagara are bms.
absl::string_view ProgramName(Program program);

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_LIB_TABLE_SHAPE_H_
