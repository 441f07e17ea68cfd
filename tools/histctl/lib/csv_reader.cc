#include "tools/histctl/lib/csv_reader.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace historian::histctl {
namespace {

size_t FindByte(absl::string_view text, size_t from, char c) {
  const void* found = std::memchr(text.data() + from, c, text.size() - from);
  return found == nullptr ? absl::string_view::npos
                          : static_cast<size_t>(static_cast<const char*>(found) - text.data());
}

}  // namespace

CsvReader::CsvReader(absl::string_view text, char separator, uint64_t skip_lines)
    : text_(text), separator_(separator), offset_(absl::StartsWith(text, "\xEF\xBB\xBF") ? 3 : 0) {
  for (; skip_lines > 0 && offset_ < text_.size(); --skip_lines) {
    offset_ = std::min(FindByte(text_, offset_, '\n'), text_.size() - 1) + 1;
    ++next_line_;
  }
}

CsvReader::Result CsvReader::Next() {
  for (;;) {
    if (offset_ >= text_.size()) return Result::kEnd;
    const size_t line_end = FindByte(text_, offset_, '\n');
    const size_t next = line_end == absl::string_view::npos ? text_.size() : line_end + 1;
    absl::string_view line = text_.substr(offset_, next - offset_);
    if (!line.empty() && line.back() == '\n') line.remove_suffix(1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);

    line_ = next_line_;
    fields_.clear();
    if (line.size() > kRecordBytesMax) {
      error_ = "a line above 4 MiB";
    } else if (FindByte(line, 0, '\0') != absl::string_view::npos) {
      error_ = "a NUL byte: this is not text, or it is damaged";
    } else if (separator_ == ' ') {
      offset_ = next;
      ++next_line_;
      SplitSpaces(line);
      if (fields_.empty()) continue;
      return Result::kRecord;
    } else if (FindByte(line, 0, '"') != absl::string_view::npos) {
      error_ = SplitQuoted();
      if (error_ == nullptr) return Result::kRecord;
    } else {
      offset_ = next;
      ++next_line_;
      if (line.empty()) continue;
      SplitPlain(line);
      return Result::kRecord;
    }
    offset_ = next;
    ++next_line_;
    return Result::kBad;
  }
}

void CsvReader::SplitPlain(absl::string_view line) {
  size_t begin = 0;
  for (;;) {
    // Fields are short: a plain loop beats a call for each.
    size_t end = begin;
    while (end < line.size() && line[end] != separator_) ++end;
    fields_.push_back({line.substr(begin, end - begin), false});
    if (end == line.size()) return;
    begin = end + 1;
  }
}

void CsvReader::SplitSpaces(absl::string_view line) {
  size_t at = 0;
  const auto is_space = [&](size_t i) { return line[i] == ' ' || line[i] == '\t'; };
  for (;;) {
    while (at < line.size() && is_space(at)) ++at;
    if (at == line.size()) return;
    const size_t begin = at;
    while (at < line.size() && !is_space(at)) ++at;
    fields_.push_back({line.substr(begin, at - begin), false});
  }
}

const char* CsvReader::SplitQuoted() {
  // Fields with doubled quotes are copied without them; the copies move while they grow, so their places are
  // kept until the record is whole.
  struct Copy {
    size_t field, begin, size;
  };
  std::vector<Copy> copies;
  unquoted_.clear();
  fields_.clear();
  const absl::string_view text = text_.substr(0, std::min(text_.size(), offset_ + kRecordBytesMax));
  const bool cut = text.size() < text_.size();
  size_t at = offset_;
  uint64_t lines = 0;
  for (;;) {
    if (at < text.size() && text[at] == '"') {
      const size_t begin = ++at;
      const size_t copy_begin = unquoted_.size();
      bool doubled = false;
      size_t piece = begin;
      for (;;) {
        const size_t quote = at > text.size() ? absl::string_view::npos : FindByte(text, at, '"');
        if (quote == absl::string_view::npos) {
          return cut ? "a quoted field that is not closed within 4 MiB"
                     : "a quoted field that is never closed";
        }
        if (quote + 1 < text.size() && text[quote + 1] == '"') {
          doubled = true;
          unquoted_.append(text.data() + piece, quote + 1 - piece);
          at = piece = quote + 2;
          continue;
        }
        if (doubled) unquoted_.append(text.data() + piece, quote - piece);
        lines += static_cast<uint64_t>(std::count(text.data() + begin, text.data() + quote, '\n'));
        if (std::memchr(text.data() + begin, '\0', quote - begin) != nullptr) {
          return "a NUL byte: this is not text, or it is damaged";
        }
        if (doubled) copies.push_back({fields_.size(), copy_begin, unquoted_.size() - copy_begin});
        fields_.push_back({text.substr(begin, quote - begin), true});
        at = quote + 1;
        break;
      }
    } else {
      const size_t begin = at;
      while (at < text.size() && text[at] != separator_ && text[at] != '\n') ++at;
      absl::string_view field = text.substr(begin, at - begin);
      if (at == text.size() || text[at] == '\n') absl::ConsumeSuffix(&field, "\r");
      if (FindByte(field, 0, '\0') != absl::string_view::npos)
        return "a NUL byte: this is not text, or it is damaged";
      fields_.push_back({field, false});
    }
    if (at == text.size()) {
      if (cut) return "a record above 4 MiB";
      break;
    }
    if (text[at] == separator_) {
      ++at;
      continue;
    }
    if (text[at] == '\r' && (at + 1 == text.size() || text[at + 1] == '\n')) ++at;
    if (at < text.size() && text[at] != '\n') return "text behind a closing quote";
    break;
  }
  for (const Copy& copy : copies) {
    fields_[copy.field].text = absl::string_view(unquoted_).substr(copy.begin, copy.size);
  }
  next_line_ += lines + 1;
  offset_ = std::min(at + 1, text_.size());
  return nullptr;
}

char DetectSeparator(absl::string_view text) {
  constexpr size_t kRecords = 80;
  constexpr size_t kBytes = 1024 * 1024;
  // A record that is cut off must not count.
  const bool cut = text.size() > kBytes;
  for (const char candidate : {'\t', ';', '|', ',', ' '}) {
    CsvReader reader(text.substr(0, kBytes), candidate);
    std::vector<size_t> widths;
    while (widths.size() < kRecords) {
      const CsvReader::Result result = reader.Next();
      if (result == CsvReader::Result::kEnd || (cut && reader.offset() >= kBytes)) break;
      if (result == CsvReader::Result::kRecord) widths.push_back(reader.fields().size());
    }
    // A broken line among the first must not decide, and spaces are also in times.
    const size_t last_start = candidate == ' ' ? 0 : widths.size() / 2;
    for (size_t start = 0; start < widths.size() && start <= last_start; ++start) {
      const auto same =
          std::count(widths.begin() + static_cast<ptrdiff_t>(start), widths.end(), widths[start]);
      if (widths[start] >= 2 && static_cast<size_t>(same) * 5 >= (widths.size() - start) * 4)
        return candidate;
    }
  }
  return ',';
}

}  // namespace historian::histctl
