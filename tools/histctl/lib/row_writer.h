// File: tools/histctl/lib/row_writer.h
//
// Rows of cells as a table for people, as CSV, or as JSON. Every command that reads prints with it.
//
//   table  aligned columns, units in the header; what is absent is "-". Widths come from the first 1,000
//          rows. On a terminal that is narrower, heads go over several lines, then texts and names are cut.
//   csv    RFC 4180; a header; what is absent is empty. Rows end with a line feed. In a style, if one is given.
//   json   an array of one object a row; what is absent is null. Numbers in their shortest form that reads
//          back as the same bits; NaN and the infinities are the strings "nan", "inf" and "-inf".
#ifndef HISTORIAN_TOOLS_HISTCTL_LIB_ROW_WRITER_H_
#define HISTORIAN_TOOLS_HISTCTL_LIB_ROW_WRITER_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "tools/histctl/lib/csv_style.h"
#include "tools/histctl/lib/output.h"

namespace historian::histctl {

enum class Format { kTable, kCsv, kJson };

struct Cell {
  enum class Kind : uint8_t { kAbsent, kText, kNumber, kBool, kNotFinite };
  Kind kind = Kind::kAbsent;
  std::string text;
  // What people see instead, when it is not empty.
  std::string shown;

  static Cell Absent() { return {}; }
  static Cell Text(absl::string_view text) { return {Kind::kText, std::string(text), {}}; }
  static Cell Bool(bool value) { return {Kind::kBool, value ? "true" : "false", {}}; }
  static Cell Integer(int64_t value) { return {Kind::kNumber, std::to_string(value), {}}; }
  static Cell Unsigned(uint64_t value) { return {Kind::kNumber, std::to_string(value), {}}; }
  // digits: how many significant ones people see; 0: as many as the value has.
  static Cell Float64(double value, int digits = 0);
  static Cell Float32(float value);
  // "1.5 MiB" for people, 1572864 for machines.
  static Cell Bytes(uint64_t bytes);

  Cell Shown(absl::string_view text) && {
    shown = std::string(text);
    return std::move(*this);
  }
};

// Texts lose their end, before names lose their beginning, which many have in common.
enum class Cut : uint8_t { kNever, kText, kName };

struct Heading {
  std::string name;           // The key in JSON.
  std::string unit;           // Table: "name [unit]". CSV and JSON leave it out.
  bool right = false;         // Table: aligned to the right.
  bool machine_only = false;  // Not in tables.
  Cut cut = Cut::kNever;      // Table: what may be left out where the terminal is too narrow.
};

class RowWriter {
 public:
  RowWriter(Format format, std::vector<Heading> headings, Output* out, CsvStyle style = {});

  // As many cells as headings.
  void AddRow(std::vector<Cell> cells);
  // After the last row. Prints the head of an empty table too. Does not flush the output.
  void Finish();

 private:
  void PrintTableRow(const std::vector<std::string>& texts);
  void PrintHead(const std::vector<std::string>& head);
  // Makes columns of the table narrower until they fit the terminal, or cannot be.
  void FitWidths(const std::vector<std::string>& head, const std::vector<size_t>& data);
  void PrintHeld();

  const Format format_;
  const std::vector<Heading> headings_;
  Output* const out_;
  const CsvStyle style_;
  std::vector<std::vector<std::string>> held_;  // Table rows whose widths are not known yet.
  std::vector<size_t> widths_;
  bool printing_ = false;
  uint64_t rows_ = 0;
  std::string line_;
};

// One thing with many properties: "name: value" lines for people; one row otherwise.
class RecordWriter {
 public:
  RecordWriter(Format format, Output* out) : format_(format), out_(out) {}
  void Add(absl::string_view name, Cell cell);
  void Finish();

 private:
  const Format format_;
  Output* const out_;
  std::vector<std::pair<std::string, Cell>> fields_;
};

// As the value of a key.
void AppendJsonCell(const Cell& cell, std::string* out);
// With its quotes. Bytes that are not UTF-8 become U+FFFD.
void AppendJsonString(absl::string_view text, std::string* out);
// Terminal columns, about: one per character.
size_t DisplayWidth(absl::string_view text);
// No more than width of the text: its beginning, or of a name its end, and "..." for the rest, or U+2026 where the locale is
// UTF-8. Requires width >= 4.
std::string Shorten(absl::string_view text, size_t width, Cut cut);
// The text in lines that are no longer than width if it has spaces or - _ / . to break behind; a unit begins a line.
std::vector<std::string> BreakHead(absl::string_view text, size_t width);
// Control characters as \n, \x1b and the like, so that no value can steer the terminal.
std::string Printable(absl::string_view text);

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_LIB_ROW_WRITER_H_
