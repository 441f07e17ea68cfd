#include "tools/histctl/lib/file_kind.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace historian::histctl {
namespace {

struct Kind {
  absl::string_view what;
  absl::string_view advice;
};

constexpr absl::string_view kSaveAsCsv =
    "open it in Excel or LibreOffice, save each sheet as CSV (UTF-8), and import that";
constexpr absl::string_view kConvert =
    "convert it to CSV, with the program that wrote it or with Python's pandas";

constexpr Kind kExcel = {"a spreadsheet of Excel (.xlsx)", kSaveAsCsv};
constexpr Kind kOpenDocument = {"a spreadsheet of LibreOffice (.ods)", kSaveAsCsv};
constexpr Kind kZip = {"a ZIP archive", "unpack it first (unzip FILE), and import the tables in it"};
constexpr Kind kBzip2 = {"compressed with bzip2", "unpack it first (bunzip2 --keep FILE)"};
constexpr Kind kParquet = {"a Parquet file", kConvert};
constexpr Kind kTar = {"a tar archive", "unpack it first (tar -xf FILE), and import the tables in it"};
constexpr Kind kHtml = {"a page of HTML, which spreadsheets open as if it were one of theirs", kSaveAsCsv};
constexpr Kind kXml = {"XML",
                       "if Excel or LibreOffice opens it, save each sheet as CSV (UTF-8), and import that"};

// No text begins like these.
constexpr struct {
  absl::string_view begin;
  Kind kind;
} kBeginnings[] = {
    {"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1",
     {"a spreadsheet of Excel 97 to 2003 (.xls), one with a password, or another document of Office",
      kSaveAsCsv}},
    {"%PDF-", {"a PDF", "get the table that it was printed from, as CSV, and import that"}},
    {"\x1F\x8B", {"compressed with gzip", "unpack it first (gunzip --keep FILE)"}},
    {"\xFD\x37zXZ", {"compressed with xz", "unpack it first (unxz --keep FILE)"}},
    {"\x28\xB5\x2F\xFD", {"compressed with zstd", "unpack it first (unzstd FILE)"}},
    {"7z\xBC\xAF\x27\x1C", {"a 7-Zip archive", "unpack it first (7z x FILE), and import the tables in it"}},
    {"Rar!\x1A\x07", {"a RAR archive", "unpack it first (unrar x FILE), and import the tables in it"}},
    {"\x89HDF\r\n\x1A\n", {"an HDF5 file, as MATLAB and NetCDF write them", kConvert}},
    {"MATLAB 5.0 MAT-file", {"a MATLAB file (.mat)", kConvert}},
    {absl::string_view("ARROW1\0\0", 8), {"an Arrow file (Feather)", kConvert}},
    {"SQLite format 3",
     {"an SQLite database", "write the table as CSV (sqlite3 -csv -header FILE 'SELECT ...')"}},
};

uint32_t LittleEndian(absl::string_view bytes, size_t at, size_t size) {
  uint32_t value = 0;
  for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

// Source: PKWARE's APPNOTE.TXT, 4.3.12 (entries of the central directory) and 4.3.16 (its end); OpenDocument 1.3, part 2, 3.3.
Kind KindOfZip(absl::string_view bytes) {
  constexpr size_t kName = 30, kEntryBytes = 46, kEndBytes = 22;
  if (absl::StartsWith(bytes.substr(std::min(bytes.size(), kName)),
                       "mimetypeapplication/vnd.oasis.opendocument.spreadsheet")) {
    return kOpenDocument;
  }
  const size_t end = bytes.rfind("PK\x05\x06");
  if (end == absl::string_view::npos || bytes.size() - end < kEndBytes) return kZip;
  size_t at = LittleEndian(bytes, end + 16, 4);
  while (at < end && end - at >= kEntryBytes && absl::StartsWith(bytes.substr(at), "PK\x01\x02")) {
    const size_t name_bytes = LittleEndian(bytes, at + 28, 2);
    if (absl::StartsWith(bytes.substr(at + kEntryBytes, name_bytes), "xl/")) return kExcel;
    at += kEntryBytes + name_bytes + LittleEndian(bytes, at + 30, 2) + LittleEndian(bytes, at + 32, 2);
  }
  return kZip;
}

std::optional<Kind> KindOf(absl::string_view bytes) {
  for (const auto& [begin, kind] : kBeginnings) {
    if (absl::StartsWith(bytes, begin)) return kind;
  }
  if (absl::StartsWith(bytes, "PK\x03\x04") || absl::StartsWith(bytes, "PK\x05\x06")) return KindOfZip(bytes);
  // The fourth byte is the level.
  if (bytes.size() >= 10 && absl::StartsWith(bytes, "BZh") && absl::StartsWith(bytes.substr(4), "1AY&SY"))
    return kBzip2;
  // A header of columns may be called so, too.
  if (bytes.size() >= 12 && absl::StartsWith(bytes, "PAR1") && absl::EndsWith(bytes, "PAR1")) return kParquet;
  const absl::string_view tar_magic = bytes.substr(std::min<size_t>(bytes.size(), 257));
  if (absl::StartsWith(tar_magic, absl::string_view("ustar\0", 6)) ||
      absl::StartsWith(tar_magic, absl::string_view("ustar  \0", 8)))
    return kTar;
  absl::string_view text = bytes.substr(0, 256);
  absl::ConsumePrefix(&text, "\xEF\xBB\xBF");
  text = absl::StripLeadingAsciiWhitespace(text);
  for (const absl::string_view tag : {"<!doctype html", "<html", "<head", "<table"}) {
    if (absl::StartsWithIgnoreCase(text, tag)) return kHtml;
  }
  if (absl::StartsWith(text, "<?xml")) return kXml;
  return std::nullopt;
}

}  // namespace

absl::Status RefuseOtherKinds(absl::string_view bytes) {
  const std::optional<Kind> kind = KindOf(bytes);
  if (!kind.has_value()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("is ", kind->what, ", not text: ", kind->advice));
}

}  // namespace historian::histctl
