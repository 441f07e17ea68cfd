#include "tools/histctl/lib/text_encoding.h"

#include <errno.h>
#include <iconv.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/model/tag.h"

namespace historian::histctl {
namespace {

// As people write them, for iconv.
std::string CanonicalName(absl::string_view name) {
  std::string folded = absl::AsciiStrToUpper(name);
  std::erase_if(folded, [](char c) { return c == '-' || c == '_' || c == ' '; });
  if (folded == "LATIN1" || folded == "ISO88591") return "ISO-8859-1";
  if (folded == "ANSI" || folded == "WINDOWS1252" || folded == "CP1252") return "WINDOWS-1252";
  if (folded == "UTF16") return "UTF-16";
  if (folded == "UTF8") return "UTF-8";
  return std::string(name);
}

uint64_t LineAt(absl::string_view text, size_t offset) {
  return 1 +
         static_cast<uint64_t>(std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(offset), '\n'));
}

absl::string_view LineAround(absl::string_view text, size_t offset) {
  const size_t begin = offset == 0 ? 0 : text.rfind('\n', offset - 1) + 1;  // npos + 1 is 0.
  const absl::string_view line = text.substr(begin, text.find('\n', offset) - begin);
  return absl::StripAsciiWhitespace(line.substr(0, 60));
}

}  // namespace

absl::StatusOr<std::string> FindEncoding(absl::string_view text) {
  using std::string_literals::operator""s;
  const struct {
    std::string mark;
    const char* name;
  } kMarks[] = {{"\xEF\xBB\xBF", "UTF-8"},
                {"\xFF\xFE\0\0"s, "UTF-32LE"},
                {"\0\0\xFE\xFF"s, "UTF-32BE"},
                {"\xFF\xFE", "UTF-16LE"},
                {"\xFE\xFF", "UTF-16BE"}};
  for (const auto& [mark, name] : kMarks) {
    if (absl::StartsWith(text, mark)) return name;
  }
  // Of plain text in UTF-16 every other byte is zero.
  constexpr size_t kLook = 4096;
  const absl::string_view begin = text.substr(0, std::min(text.size(), kLook) & ~size_t{1});
  size_t zeros[2] = {};
  for (size_t i = 0; i < begin.size(); ++i) zeros[i % 2] += begin[i] == '\0';
  for (const size_t odd : {0, 1}) {
    if (zeros[odd] * 2 > begin.size() / 2 && zeros[1 - odd] == 0) return odd == 1 ? "UTF-16LE" : "UTF-16BE";
  }
  if (IsValidUtf8(text)) return "UTF-8";
  // The first line that is not.
  size_t at = 0;
  for (size_t line_end = 0; at < text.size(); at = line_end + 1) {
    line_end = std::min(text.find('\n', at), text.size());
    if (!IsValidUtf8(text.substr(at, line_end - at))) break;
  }
  const absl::string_view line = LineAround(text, at);
  const absl::StatusOr<std::string> western = ToUtf8(line, "WINDOWS-1252");
  return absl::InvalidArgumentError(absl::StrCat(
      "line ", LineAt(text, at), " is not UTF-8: say with --encoding how the file is written",
      western.ok() ? absl::StrCat("; as windows-1252 (Western Europe) the line reads '", *western, "'")
                   : absl::StrCat("; the line is '", absl::CHexEscape(line), "'"),
      ". If it is UTF-8 and only this line is damaged, --encoding utf-8 takes the others"));
}

absl::StatusOr<std::string> ToUtf8(absl::string_view text, const std::string& encoding) {
  const std::string from = CanonicalName(encoding);
  const iconv_t conversion = iconv_open("UTF-8", from.c_str());
  if (conversion == reinterpret_cast<iconv_t>(-1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", encoding,
                     "' is not an encoding: expected UTF-8, UTF-16, windows-1252, ISO-8859-1, "
                     "Shift_JIS or another of `iconv --list`"));
  }
  const absl::Cleanup close = [&] { iconv_close(conversion); };
  std::string result;
  result.reserve(text.size() + text.size() / 8);
  char buffer[16 * 1024];
  char* from_at = const_cast<char*>(text.data());  // iconv does not write there.
  size_t from_left = text.size();
  while (from_left > 0) {
    char* to_at = buffer;
    size_t to_left = sizeof(buffer);
    const size_t done = iconv(conversion, &from_at, &from_left, &to_at, &to_left);
    const int error = done == static_cast<size_t>(-1) ? errno : 0;
    result.append(buffer, sizeof(buffer) - to_left);
    if (error == 0 || error == E2BIG) continue;
    return absl::InvalidArgumentError(absl::StrCat("line ", LineAt(result, result.size()),
                                                   " cannot be read as ", encoding, ", behind '",
                                                   LineAround(result, result.size()), "'"));
  }
  if (absl::StartsWith(result, "\xEF\xBB\xBF")) result.erase(0, 3);
  return result;
}

}  // namespace historian::histctl
