#include "tools/histctl/lib/csv_reader.h"

#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tools/histctl/lib/row_writer.h"

namespace historian::histctl {
namespace {

using Records = std::vector<std::vector<std::string>>;

// A bad record is {"!", its error}.
Records ReadAll(absl::string_view text, char separator, std::vector<uint64_t>* lines = nullptr) {
  Records records;
  CsvReader reader(text, separator);
  for (;;) {
    const CsvReader::Result result = reader.Next();
    if (result == CsvReader::Result::kEnd) return records;
    if (lines != nullptr) lines->push_back(reader.line());
    if (result == CsvReader::Result::kBad) {
      records.push_back({"!", reader.error()});
      continue;
    }
    records.emplace_back();
    for (const CsvField& field : reader.fields()) records.back().emplace_back(field.text);
  }
}

TEST(CsvReader, HostileRows) {
  const std::string nul("a,b\nc\0d,e\nf,g\n", 14);
  const struct {
    std::string text;
    Records records;
  } kCases[] = {
      {"", {}},
      {"\n\n\r\n", {}},
      {"a,b\nc,d\n", {{"a", "b"}, {"c", "d"}}},
      {"a,b\r\nc,d\r\n", {{"a", "b"}, {"c", "d"}}},
      {"a,b", {{"a", "b"}}},
      {"\xEF\xBB\xBF"
       "a,b\n",
       {{"a", "b"}}},
      {"a,,\n,\n", {{"a", "", ""}, {"", ""}}},
      {"\"a,b\",\"c\"\"d\"\n", {{"a,b", "c\"d"}}},
      {"\"a\nb\",c\nd,e\n", {{"a\nb", "c"}, {"d", "e"}}},
      {"\"a\",b\r\n\"c\"\r\n", {{"a", "b"}, {"c"}}},
      {"\"\",x\n", {{"", "x"}}},
      {"\"\"\"\",\"\"\"x\"\"\"\n", {{"\"", "\"x\""}}},
      {"a\"b,c\n", {{"a\"b", "c"}}},
      {"x,\"a\"b\ny,z\n", {{"!", "text behind a closing quote"}, {"y", "z"}}},
      {"x,\"open\ny,z\nu,v\n", {{"!", "a quoted field that is never closed"}, {"y", "z"}, {"u", "v"}}},
      {"x,\"open\ny,\"z\"\nu,v\n", {{"!", "text behind a closing quote"}, {"y", "z"}, {"u", "v"}}},
      {"\"", {{"!", "a quoted field that is never closed"}}},
      {"\"\"", {{""}}},
      {nul, {{"a", "b"}, {"!", "a NUL byte: this is not text, or it is damaged"}, {"f", "g"}}},
      {"a,b\n" + std::string(CsvReader::kRecordBytesMax + 1, 'x') + "\nc,d\n",
       {{"a", "b"}, {"!", "a line above 4 MiB"}, {"c", "d"}}},
      {"a," + std::string(100'000, 'x') + "\n", {{"a", std::string(100'000, 'x')}}},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(ReadAll(c.text, ','), c.records) << c.text.substr(0, 40);
  }
}

TEST(CsvReader, SpacesSeparateInRuns) {
  EXPECT_EQ(ReadAll("   2.5e-01   3.7 \t 4\r\n\n 1 2\n   \n\"a b\"", ' '),
            (Records{{"2.5e-01", "3.7", "4"}, {"1", "2"}, {"\"a", "b\""}}));
}

TEST(CsvReader, LinesAreCountedThroughQuotedLineEnds) {
  std::vector<uint64_t> lines;
  ReadAll("h\n\n\"a\nb\n\",x\nc\n\"open\nd\n", ',', &lines);
  EXPECT_EQ(lines, (std::vector<uint64_t>{1, 3, 6, 7, 8}));
}

TEST(CsvReader, QuotedFieldsAreKnownAsSuch) {
  CsvReader reader("\"\",,\"a\"\n", ',');
  ASSERT_EQ(reader.Next(), CsvReader::Result::kRecord);
  EXPECT_TRUE(reader.fields()[0].quoted);
  EXPECT_FALSE(reader.fields()[1].quoted);
  EXPECT_TRUE(reader.fields()[2].quoted);
}

TEST(CsvReader, WhatIsWrittenReadsBack) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  const std::string alphabet = "ab1,;\"\n\r\t =";
  Records records;
  std::string text;
  for (int i = 0; i < 3000; ++i) {
    records.emplace_back();
    for (uint64_t n = 1 + random() % 5; n > 0; --n) {
      std::string field;
      for (uint64_t k = random() % 8; k > 0; --k) field.push_back(alphabet[random() % alphabet.size()]);
      if (!records.back().empty()) text.push_back(',');
      AppendCsvField(field, &text);
      records.back().push_back(field);
    }
    text.push_back('\n');
  }
  EXPECT_EQ(ReadAll(text, ','), records);
}

TEST(CsvReader, NoiseNeverStopsIt) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  const std::string alphabet("ab\"\"\n,\r\0", 8);
  for (int i = 0; i < 2000; ++i) {
    std::string text;
    for (uint64_t n = random() % 60; n > 0; --n) text.push_back(alphabet[random() % alphabet.size()]);
    CsvReader reader(text, ',');
    size_t before = 0;
    uint64_t line = 0;
    while (reader.Next() != CsvReader::Result::kEnd) {
      EXPECT_GT(reader.offset(), before);
      EXPECT_GT(reader.line(), line);
      before = reader.offset();
      line = reader.line();
    }
  }
}

TEST(DetectSeparator, ByConsistency) {
  const struct {
    const char* text;
    char separator;
  } kCases[] = {
      {"a,b\n1,2\n", ','},
      {"datetime;x\n2020-02-08 13:30:47;0.2\n", ';'},
      {"a;b\n1,5;2,5\n1;2\n", ';'},
      {"a\tb\n1,1\t2\n", '\t'},
      {"a|b\n1|2\n", '|'},
      {"   1   2  3\n  4 5   6\n", ' '},
      {"value\n1\n2\n", ','},
      {"a,b\n1,2\n1,2\n1,2\n1,2\n1,2\nbroken\n", ','},
      {"", ','},
  };
  for (const auto& c : kCases) EXPECT_EQ(DetectSeparator(c.text), c.separator) << c.text;
}

}  // namespace
}  // namespace historian::histctl
