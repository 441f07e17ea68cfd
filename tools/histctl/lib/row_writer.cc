#include "tools/histctl/lib/row_writer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/model/check.h"
#include "storage/model/tag.h"
#include "tools/histctl/lib/terminal.h"
#include "tools/histctl/lib/value_text.h"

namespace historian::histctl {
namespace {

constexpr size_t kHeldRows = 1000;
constexpr absl::string_view kGap = "  ";
// Heads are not broken into narrower lines than this, and texts and names not cut to less than these.
constexpr size_t kWidthMin = 6, kTextMin = 12, kNameMin = 24;

std::string ShownText(const Cell& cell) {
  if (!cell.shown.empty()) return Printable(cell.shown);
  return cell.kind == Cell::Kind::kAbsent ? "-" : Printable(cell.text);
}

}  // namespace

Cell Cell::Float64(double value, int digits) {
  Cell cell{std::isfinite(value) ? Kind::kNumber : Kind::kNotFinite, {}, {}};
  AppendFloat64(value, &cell.text);
  if (digits > 0) {
    cell.shown = absl::StrFormat("%.*g", digits, value);
    if (cell.shown.size() > cell.text.size()) cell.shown.clear();
  }
  return cell;
}

Cell Cell::Float32(float value) {
  Cell cell{std::isfinite(value) ? Kind::kNumber : Kind::kNotFinite, {}, {}};
  AppendFloat32(value, &cell.text);
  return cell;
}

Cell Cell::Bytes(uint64_t bytes) {
  Cell cell = Unsigned(bytes);
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  auto value = static_cast<double>(bytes);
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  cell.shown = absl::StrFormat(unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return cell;
}

void AppendJsonCell(const Cell& cell, std::string* out) {
  switch (cell.kind) {
    case Cell::Kind::kAbsent:
      out->append("null");
      return;
    case Cell::Kind::kText:
    case Cell::Kind::kNotFinite:
      AppendJsonString(cell.text, out);
      return;
    case Cell::Kind::kNumber:
    case Cell::Kind::kBool:
      out->append(cell.text);
      return;
  }
}

void AppendJsonString(absl::string_view text, std::string* out) {
  out->push_back('"');
  const bool utf8 = IsValidUtf8(text);
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out->push_back('\\');
      out->push_back(c);
    } else if (c == '\n') {
      out->append("\\n");
    } else if (c == '\t') {
      out->append("\\t");
    } else if (c == '\r') {
      out->append("\\r");
    } else if (byte < 0x20 || byte == 0x7F) {
      absl::StrAppendFormat(out, "\\u%04x", byte);
    } else if (byte >= 0x80 && !utf8) {
      // Bytes that belong to a character stay one.
      size_t length = 1;
      for (size_t n = 2; n <= 4 && i + n <= text.size(); ++n) {
        if (IsValidUtf8(text.substr(i, n))) length = n;
      }
      if (length == 1) {
        out->append("\\ufffd");
      } else {
        out->append(text.data() + i, length);
        i += length - 1;
      }
    } else {
      out->push_back(c);
    }
  }
  out->push_back('"');
}

std::string Shorten(absl::string_view text, size_t width, Cut cut) {
  if (cut == Cut::kNever || DisplayWidth(text) <= width) return std::string(text);
  const absl::string_view dots = LocaleIsUtf8() ? "\xE2\x80\xA6" : "...";
  const size_t kept = width - DisplayWidth(dots);
  // Where characters begin.
  std::vector<size_t> begins;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) begins.push_back(i);
  }
  return cut == Cut::kName ? absl::StrCat(dots, text.substr(begins[begins.size() - kept]))
                           : absl::StrCat(text.substr(0, begins[kept]), dots);
}

std::vector<std::string> BreakHead(absl::string_view text, size_t width) {
  std::vector<std::string> lines(1);
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of(" -_/."), text.size() - 1) + 1;
    const absl::string_view piece = text.substr(0, end);
    text.remove_prefix(end);
    const absl::string_view bare = absl::StripTrailingAsciiWhitespace(piece);
    const bool is_unit = absl::StartsWith(piece, "[");
    if (!lines.back().empty() && (is_unit || DisplayWidth(lines.back()) + DisplayWidth(bare) > width))
      lines.emplace_back();
    absl::StrAppend(&lines.back(), piece);
  }
  for (std::string& line : lines) absl::StripTrailingAsciiWhitespace(&line);
  return lines;
}

size_t DisplayWidth(absl::string_view text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string Printable(absl::string_view text) {
  std::string shown;
  const bool utf8 = IsValidUtf8(text);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      shown.append("\\n");
    } else if (c == '\t') {
      shown.append("\\t");
    } else if (byte < 0x20 || byte == 0x7F || (byte >= 0x80 && !utf8)) {
      absl::StrAppendFormat(&shown, "\\x%02x", byte);
    } else {
      shown.push_back(c);
    }
  }
  return shown;
}

RowWriter::RowWriter(Format format, std::vector<Heading> headings, Output* out, CsvStyle style)
    : format_(format),
      headings_(std::move(headings)),
      out_(out),
      style_(std::move(style)),
      widths_(headings_.size()) {
  if (format_ == Format::kJson) out_->Append("[");
  if (format_ != Format::kCsv) return;
  if (style_.byte_order_mark) line_.append(kByteOrderMark.data(), kByteOrderMark.size());
  for (size_t i = 0; i < headings_.size(); ++i) {
    if (i > 0) line_.push_back(style_.separator);
    AppendCsvField(headings_[i].name, &line_, style_.separator);
  }
  line_.push_back('\n');
  out_->Append(line_);
}

void RowWriter::AddRow(std::vector<Cell> cells) {
  HISTORIAN_CHECK(cells.size() == headings_.size());
  ++rows_;
  line_.clear();
  switch (format_) {
    case Format::kTable: {
      std::vector<std::string> texts;
      texts.reserve(cells.size());
      for (const Cell& cell : cells) texts.push_back(ShownText(cell));
      if (printing_) {
        PrintTableRow(texts);
      } else {
        held_.push_back(std::move(texts));
        if (held_.size() >= kHeldRows) PrintHeld();
      }
      return;
    }
    case Format::kCsv:
      for (size_t i = 0; i < cells.size(); ++i) {
        if (i > 0) line_.push_back(style_.separator);
        // Nothing at all is absent; an empty text is quoted.
        if (cells[i].kind == Cell::Kind::kNumber) {
          AppendCsvNumber(cells[i].text, style_, &line_);
        } else if (cells[i].kind != Cell::Kind::kAbsent) {
          AppendCsvField(cells[i].text, &line_, style_.separator);
        }
      }
      line_.push_back('\n');
      break;
    case Format::kJson:
      line_.append(rows_ == 1 ? "\n{" : ",\n{");
      for (size_t i = 0; i < cells.size(); ++i) {
        if (i > 0) line_.append(", ");
        AppendJsonString(headings_[i].name, &line_);
        line_.append(": ");
        AppendJsonCell(cells[i], &line_);
      }
      line_.push_back('}');
      break;
  }
  out_->Append(line_);
}

void RowWriter::FitWidths(const std::vector<std::string>& head, const std::vector<size_t>& data) {
  const auto total = [&] {
    size_t sum = 0;
    for (size_t i = 0; i < headings_.size(); ++i) {
      if (!headings_[i].machine_only) sum += widths_[i] + (sum > 0 ? kGap.size() : 0);
    }
    return sum;
  };
  const auto columns = static_cast<size_t>(out_->columns());
  if (columns == 0 || total() <= columns) return;
  for (size_t i = 0; i < headings_.size(); ++i) {
    const size_t width = std::max<size_t>(data[i], kWidthMin);
    widths_[i] = data[i];
    for (const std::string& line : BreakHead(head[i], width))
      widths_[i] = std::max(widths_[i], DisplayWidth(line));
  }
  for (const auto& [cut, least] : {std::pair(Cut::kText, kTextMin), std::pair(Cut::kName, kNameMin)}) {
    while (total() > columns) {
      size_t widest = headings_.size();
      for (size_t i = 0; i < headings_.size(); ++i) {
        if (headings_[i].cut != cut || headings_[i].machine_only || widths_[i] <= least) continue;
        if (widest == headings_.size() || widths_[i] > widths_[widest]) widest = i;
      }
      if (widest == headings_.size()) break;
      --widths_[widest];
    }
  }
}

void RowWriter::PrintHeld() {
  printing_ = true;
  std::vector<std::string> head;
  std::vector<size_t> data(headings_.size());
  for (size_t i = 0; i < headings_.size(); ++i) {
    head.push_back(headings_[i].unit.empty()
                       ? Printable(headings_[i].name)
                       : absl::StrCat(Printable(headings_[i].name), " [", Printable(headings_[i].unit), "]"));
    for (const std::vector<std::string>& row : held_) data[i] = std::max(data[i], DisplayWidth(row[i]));
    widths_[i] = std::max(data[i], DisplayWidth(head[i]));
  }
  FitWidths(head, data);
  PrintHead(head);
  for (const std::vector<std::string>& row : held_) PrintTableRow(row);
  held_.clear();
}

void RowWriter::PrintHead(const std::vector<std::string>& head) {
  std::vector<std::vector<std::string>> broken;
  size_t lines = 1;
  for (size_t i = 0; i < head.size(); ++i) {
    broken.push_back(DisplayWidth(head[i]) <= widths_[i] ? std::vector<std::string>{head[i]}
                                                         : BreakHead(head[i], widths_[i]));
    if (!headings_[i].machine_only) lines = std::max(lines, broken[i].size());
  }
  for (size_t line = 0; line < lines; ++line) {
    std::vector<std::string> texts(head.size());
    for (size_t i = 0; i < head.size(); ++i) {
      if (const size_t above = lines - std::min(lines, broken[i].size()); line >= above)
        texts[i] = broken[i][line - above];
    }
    PrintTableRow(texts);
  }
}

void RowWriter::PrintTableRow(const std::vector<std::string>& texts) {
  line_.clear();
  bool first = true;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (headings_[i].machine_only) continue;
    if (!std::exchange(first, false)) line_.append(kGap.data(), kGap.size());
    const std::string text = out_->columns() > 0 ? Shorten(texts[i], widths_[i], headings_[i].cut) : texts[i];
    const size_t width = DisplayWidth(text);
    const size_t padding = widths_[i] > width ? widths_[i] - width : 0;
    if (headings_[i].right) line_.append(padding, ' ');
    line_.append(text);
    if (!headings_[i].right) line_.append(padding, ' ');
  }
  line_.erase(line_.find_last_not_of(' ') + 1);
  line_.push_back('\n');
  out_->Append(line_);
}

void RowWriter::Finish() {
  if (format_ == Format::kTable && !printing_) PrintHeld();
  if (format_ == Format::kJson) out_->Append(rows_ == 0 ? "]\n" : "\n]\n");
}

void RecordWriter::Add(absl::string_view name, Cell cell) { fields_.emplace_back(name, std::move(cell)); }

void RecordWriter::Finish() {
  if (format_ != Format::kTable) {
    std::vector<Heading> headings;
    std::vector<Cell> cells;
    for (auto& [name, cell] : fields_) {
      headings.push_back({.name = name});
      cells.push_back(std::move(cell));
    }
    RowWriter rows(format_, std::move(headings), out_);
    rows.AddRow(std::move(cells));
    rows.Finish();
    return;
  }
  size_t width = 0;
  for (const auto& [name, cell] : fields_) width = std::max(width, DisplayWidth(name));
  for (const auto& [name, cell] : fields_) {
    out_->Append(absl::StrCat(name, std::string(width - DisplayWidth(name) + 2, ' '), ShownText(cell), "\n"));
  }
}

}  // namespace historian::histctl
