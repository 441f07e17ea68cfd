#include "tools/histctl/lib/row_writer.h"

#include <cmath>
#include <limits>
#include <string>

#include "gtest/gtest.h"
#include "tools/histctl/lib/output.h"

namespace historian::histctl {
namespace {

std::string Print(Format format) {
  StringOutput out;
  RowWriter rows(format,
                 {{.name = "time"},
                  {.name = "value", .unit = "m3/h", .right = true},
                  {.name = "state", .machine_only = true},
                  {.name = "quality"}},
                 &out);
  rows.AddRow({Cell::Text("2026-11-23T09:00:00Z"), Cell::Float64(0.1), Cell::Absent(),
               Cell::Text("Good").Shown(" ")});
  rows.AddRow(
      {Cell::Text("2026-11-23T09:00:01Z"), Cell::Float64(std::nan("")), Cell::Text("On"), Cell::Text("Bad")});
  rows.AddRow({Cell::Text("x\"y,z"), Cell::Absent(), Cell::Text(""), Cell::Text("\x1b[31mred\n")});
  rows.Finish();
  return out.text();
}

TEST(RowWriter, TableIsAligned) {
  EXPECT_EQ(Print(Format::kTable),
            "time                  value [m3/h]  quality\n"
            "2026-11-23T09:00:00Z           0.1\n"
            "2026-11-23T09:00:01Z           nan  Bad\n"
            "x\"y,z                            -  \\x1b[31mred\\n\n");
}

TEST(RowWriter, CsvQuotesWhatMustBe) {
  EXPECT_EQ(Print(Format::kCsv),
            "time,value,state,quality\n"
            "2026-11-23T09:00:00Z,0.1,,Good\n"
            "2026-11-23T09:00:01Z,nan,On,Bad\n"
            "\"x\"\"y,z\",,\"\",\"\x1b[31mred\n\"\n");
}

TEST(RowWriter, JsonIsValid) {
  EXPECT_EQ(
      Print(Format::kJson),
      "[\n"
      "{\"time\": \"2026-11-23T09:00:00Z\", \"value\": 0.1, \"state\": null, \"quality\": \"Good\"},\n"
      "{\"time\": \"2026-11-23T09:00:01Z\", \"value\": \"nan\", \"state\": \"On\", \"quality\": \"Bad\"},\n"
      "{\"time\": \"x\\\"y,z\", \"value\": null, \"state\": \"\", \"quality\": \"\\u001b[31mred\\n\"}\n"
      "]\n");
}

TEST(RowWriter, NothingHasItsForm) {
  const struct {
    Format format;
    const char* text;
  } kCases[] = {{Format::kTable, "a\n"}, {Format::kCsv, "a\n"}, {Format::kJson, "[]\n"}};
  for (const auto& c : kCases) {
    StringOutput out;
    RowWriter rows(c.format, {{.name = "a"}}, &out);
    rows.Finish();
    EXPECT_EQ(out.text(), c.text);
  }
}

TEST(RowWriter, LongTablesStreamAndStayAligned) {
  StringOutput out;
  RowWriter rows(Format::kTable, {{.name = "n", .right = true}, {.name = "x"}}, &out);
  for (int i = 0; i < 5000; ++i) rows.AddRow({Cell::Integer(i), Cell::Text("y")});
  rows.Finish();
  EXPECT_NE(out.text().find("\n  7  y\n"), std::string::npos);
  EXPECT_NE(out.text().find("\n4999  y\n"), std::string::npos);
}

TEST(RowWriter, CharactersCountOnceForAlignment) {
  StringOutput out;
  RowWriter rows(Format::kTable, {{.name = "t"}, {.name = "v"}}, &out);
  rows.AddRow({Cell::Text("K\xC3\xBChler"), Cell::Text("1")});
  rows.AddRow({Cell::Text("Pumpe1"), Cell::Text("2")});
  rows.Finish();
  EXPECT_EQ(out.text(), "t       v\nK\xC3\xBChler  1\nPumpe1  2\n");
}

TEST(RecordWriter, PeopleSeeLinesMachinesARow) {
  for (const Format format : {Format::kTable, Format::kCsv, Format::kJson}) {
    StringOutput out;
    RecordWriter record(format, &out);
    record.Add("state", Cell::Text("serving"));
    record.Add("disk_free", Cell::Bytes(1536));
    record.Finish();
    EXPECT_EQ(out.text(), format == Format::kTable ? "state      serving\ndisk_free  1.5 KiB\n"
                          : format == Format::kCsv ? "state,disk_free\nserving,1536\n"
                                                   : "[\n{\"state\": \"serving\", \"disk_free\": 1536}\n]\n");
  }
}

TEST(Json, BytesThatAreNoTextBecomeReplacements) {
  std::string text;
  AppendJsonString(
      "a\xFF"
      "b\xC3\xBC",
      &text);
  EXPECT_EQ(text, "\"a\\ufffdb\xC3\xBC\"");
}

TEST(Cell, PeopleSeeFewerDigitsMachinesAll) {
  const Cell cell = Cell::Float64(1.0 / 3, 8);
  EXPECT_EQ(cell.shown, "0.33333333");
  EXPECT_EQ(cell.text, "0.3333333333333333");
  EXPECT_EQ(Cell::Float64(-std::nan("")).text, "nan");
  EXPECT_EQ(Cell::Float64(-std::numeric_limits<double>::infinity()).text, "-inf");
  EXPECT_EQ(Cell::Float32(0.1f).text, "0.1");
}

TEST(Table, FitsTheTerminal) {
  const auto table = [](int columns) {
    StringOutput out(columns);
    RowWriter rows(Format::kTable,
                   {{.name = "tag", .cut = Cut::kName},
                    {.name = "time-weighted-average", .unit = "bar", .right = true},
                    {.name = "good-share", .right = true},
                    {.name = "quality", .cut = Cut::kText}},
                   &out);
    rows.AddRow({Cell::Text("plant/area-1/pump-101/discharge-pressure"), Cell::Float64(4.8150821),
                 Cell::Float64(1), Cell::Text("UncertainDataSubNormal")});
    rows.Finish();
    return "\n" + out.text();
  };
  const std::string whole = R"(
tag                                       time-weighted-average [bar]  good-share  quality
plant/area-1/pump-101/discharge-pressure                    4.8150821           1  UncertainDataSubNormal
)";
  EXPECT_EQ(table(0), whole);
  EXPECT_EQ(table(200), whole);
  // Heads over several lines first.
  EXPECT_EQ(table(85), R"(
                                              time-
                                          weighted-
                                            average  good-
tag                                           [bar]  share  quality
plant/area-1/pump-101/discharge-pressure  4.8150821      1  UncertainDataSubNormal
)");
  // Then texts lose their end, and names their beginning.
  setenv("LC_ALL", "C", 1);
  EXPECT_EQ(table(78), R"(
                                              time-
                                          weighted-
                                            average  good-
tag                                           [bar]  share  quality
plant/area-1/pump-101/discharge-pressure  4.8150821      1  UncertainDataSu...
)");
  EXPECT_EQ(table(60), R"(
                                  time-
                              weighted-
                                average  good-
tag                               [bar]  share  quality
...mp-101/discharge-pressure  4.8150821      1  Uncertain...
)");
  unsetenv("LC_ALL");
  // Numbers are never cut.
  const std::string narrow = table(10);
  EXPECT_NE(narrow.find("4.8150821"), std::string::npos) << narrow;
}

TEST(Shorten, KeepsTheBeginningOrOfANameTheEnd) {
  setenv("LC_ALL", "C.UTF-8", 1);
  EXPECT_EQ(Shorten("abcdef", 6, Cut::kText), "abcdef");
  EXPECT_EQ(Shorten("abcdefg", 6, Cut::kText), "abcde…");
  EXPECT_EQ(Shorten("abcdefg", 6, Cut::kName), "…cdefg");
  EXPECT_EQ(Shorten("abcdefg", 6, Cut::kNever), "abcdefg");
  EXPECT_EQ(Shorten("äöüßäöüß", 4, Cut::kName), "…öüß");
  setenv("LC_ALL", "C", 1);
  EXPECT_EQ(Shorten("abcdefgh", 7, Cut::kText), "abcd...");
  unsetenv("LC_ALL");
}

}  // namespace
}  // namespace historian::histctl
