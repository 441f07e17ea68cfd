// File: tools/histctl/lib/csv_reader.h
//
// Splits separated text into records, about a gigabyte a second where nothing is quoted.
//
//   Records end with LF or CRLF; the last one needs no end. Blank lines are passed over, and a UTF-8 byte
//   order mark too. A field that begins with a double quote goes to the next single one; "" in it is one
//   quote, and separators and line ends in it are text. A quote elsewhere is text. With separator ' ' any run
//   of spaces and tabs separates, those at the ends of a line count for nothing, and nothing is quoted.
//
// A record that cannot be split is reported, and reading goes on at the line after the one it began on: one
// forgotten quote does not swallow the file. That is: a NUL byte, a quoted field that is not closed within
// kRecordBytesMax, text behind a closing quote, a record above kRecordBytesMax.
//
// Threads: one. The text must outlive the reader; a record's fields live until the next one.
#ifndef HISTORIAN_TOOLS_HISTCTL_LIB_CSV_READER_H_
#define HISTORIAN_TOOLS_HISTCTL_LIB_CSV_READER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace historian::histctl {

struct CsvField {
  absl::string_view text;
  bool quoted = false;
};

class CsvReader {
 public:
  static constexpr size_t kRecordBytesMax = 4 * 1024 * 1024;

  // Begins behind `skip_lines` lines, whatever is in them.
  CsvReader(absl::string_view text, char separator, uint64_t skip_lines = 0);

  enum class Result { kRecord, kBad, kEnd };
  // kRecord: fields() has at least one. kBad: error() says why.
  Result Next();

  const std::vector<CsvField>& fields() const { return fields_; }
  const char* error() const { return error_; }
  // Of the record's first byte, from 1.
  uint64_t line() const { return line_; }
  // Where the record after this one begins.
  size_t offset() const { return offset_; }

 private:
  void SplitPlain(absl::string_view line);
  void SplitSpaces(absl::string_view line);
  // At the record's first byte. Null, or why it cannot be split.
  const char* SplitQuoted();

  const absl::string_view text_;
  const char separator_;
  size_t offset_ = 0;
  uint64_t line_ = 0;
  uint64_t next_line_ = 1;
  std::vector<CsvField> fields_;
  std::string unquoted_;  // The record's fields that had doubled quotes.
  const char* error_ = nullptr;
};

// The separator that splits four in five of the first records into the same number of fields, at least two: tab, semicolon, bar,
// comma, then spaces. Up to half of the records may stand in front of those, but not where spaces separate. A comma when none
// does.
char DetectSeparator(absl::string_view text);

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_LIB_CSV_READER_H_
