#include "tools/histctl/lib/file_kind.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace historian::histctl {
namespace {

using std::string_literals::operator""s;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Bytes(uint32_t value, int size) {
  std::string bytes;
  for (int i = 0; i < size; ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
  return bytes;
}

// An archive of empty members of these names, in this order; behind the first one's name is `data`.
std::string Zip(const std::vector<std::string>& names, const std::string& data = "") {
  std::string bytes, directory;
  for (const std::string& name : names) {
    const std::string& member = bytes.empty() ? data : "";
    absl::StrAppend(&directory, "PK\x01\x02", std::string(24, '\0'),
                    Bytes(static_cast<uint32_t>(name.size()), 2), Bytes(5, 2), Bytes(7, 2),
                    std::string(12, '\0'), name, "extra", "comment");
    absl::StrAppend(&bytes, "PK\x03\x04", std::string(22, '\0'), Bytes(static_cast<uint32_t>(name.size()), 2),
                    Bytes(0, 2), name, member);
  }
  return absl::StrCat(bytes, directory, "PK\x05\x06", std::string(12, '\0'),
                      Bytes(static_cast<uint32_t>(bytes.size()), 4), Bytes(0, 2));
}

TEST(RefuseOtherKinds, SaysWhatAFileIsAndWhatToDo) {
  const std::string in_tar = "week.csv" + std::string(249, '\0');
  const struct {
    std::string bytes;
    const char* what;
    const char* advice;
  } kCases[] = {
      {Zip({"[Content_Types].xml", "_rels/.rels", "xl/workbook.xml"}), "a spreadsheet of Excel (.xlsx)",
       "save each sheet as CSV"},
      {Zip({"mimetype", "content.xml"}, "application/vnd.oasis.opendocument.spreadsheet"),
       "a spreadsheet of LibreOffice (.ods)", "save each sheet as CSV"},
      {Zip({"week.csv", "about xl/workbook.xml"}), "a ZIP archive", "unzip"},
      {Zip({}), "a ZIP archive", "unzip"},
      {Zip({"xl/workbook.xml"}).substr(0, 40), "a ZIP archive", "unzip"},  // Cut off.
      {"PK\x03\x04PK\x05\x06" + std::string(12, '\0') + Bytes(UINT32_MAX, 4) + Bytes(0, 2), "a ZIP archive",
       "unzip"},
      {"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"s, "a spreadsheet of Excel 97 to 2003 (.xls)",
       "save each sheet as CSV"},
      {"%PDF-1.7\n%\xE2\xE3\n", "a PDF", "as CSV"},
      {"PAR1\x15\x04\x15\x00..PAR1"s, "a Parquet file", "CSV"},
      {"\x1F\x8B\x08"s, "compressed with gzip", "gunzip --keep FILE"},
      {"BZh61AY&SY", "compressed with bzip2", "bunzip2"},
      {"\xFD\x37zXZ\0"s, "compressed with xz", "unxz"},
      {"\x28\xB5\x2F\xFD", "compressed with zstd", "unzstd"},
      {"7z\xBC\xAF\x27\x1C", "a 7-Zip archive", "7z x"},
      {"Rar!\x1A\x07\x01", "a RAR archive", "unrar x"},
      {in_tar + "ustar\0"s, "a tar archive", "tar -xf"},
      {in_tar + "ustar  \0"s, "a tar archive", "tar -xf"},
      {"\x89HDF\r\n\x1A\n", "an HDF5 file", "CSV"},
      {"MATLAB 5.0 MAT-file, Platform: PCWIN64", "a MATLAB file (.mat)", "CSV"},
      {"ARROW1\0\0"s, "an Arrow file", "CSV"},
      {"SQLite format 3\0"s, "an SQLite database", "sqlite3 -csv"},
      {"\xEF\xBB\xBF\r\n<!DOCTYPE html><html>", "a page of HTML", "save each sheet as CSV"},
      {"<TABLE border=1>", "a page of HTML", "save each sheet as CSV"},
      {"<?xml version=\"1.0\"?>\n<?mso-application progid=\"Excel.Sheet\"?>", "XML",
       "save each sheet as CSV"},
  };
  for (const auto& c : kCases) {
    const absl::Status refused = RefuseOtherKinds(c.bytes);
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << c.what;
    EXPECT_THAT(std::string(refused.message()), StartsWith(absl::StrCat("is ", c.what))) << c.what;
    EXPECT_THAT(std::string(refused.message()), HasSubstr(", not text: ")) << c.what;
    EXPECT_THAT(std::string(refused.message()), HasSubstr(c.advice)) << c.what;
  }
}

TEST(RefuseOtherKinds, LetsTextsPass) {
  for (const std::string& text :
       {""s, "time,a\n"s, "\xEF\xBB\xBFtime,a\n"s, "\xFF\xFEt\0i\0"s, "time\nTemp [\xB0\x43]\n"s,
        "PAR1,PAR2\n1,2\n"s, "PK1,PK2\n"s, "<time>,<value>\n"s, "BZh9,a\n"s, "%PDF,%H2O\n"s,
        std::string(257, 'x') + "ustar\n"}) {
    EXPECT_EQ(RefuseOtherKinds(text), absl::OkStatus()) << text;
  }
}

}  // namespace
}  // namespace historian::histctl
