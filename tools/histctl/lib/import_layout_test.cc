#include "tools/histctl/lib/import_layout.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace historian::histctl {
namespace {

// "tag" or "tag [unit]" of each column.
std::vector<std::string> TagsOf(const ImportLayout& layout) {
  std::vector<std::string> tags;
  for (const ImportColumn& column : layout.columns) {
    tags.push_back(column.tag + (column.unit.empty() ? "" : " [" + column.unit + "]"));
  }
  return tags;
}

ImportOptions Options() {
  ImportOptions options;
  options.zone = absl::UTCTimeZone();
  return options;
}

using Names = std::vector<std::string>;

TEST(ExpandColumns, RangesCountUp) {
  EXPECT_EQ(*ExpandColumns("time, XMEAS 1..3,XMV 1..2"),
            (Names{"time", "XMEAS 1", "XMEAS 2", "XMEAS 3", "XMV 1", "XMV 2"}));
  EXPECT_EQ(*ExpandColumns("s08..10"), (Names{"s08", "s09", "s10"}));
  EXPECT_EQ(*ExpandColumns("a..b"), (Names{"a..b"}));
  for (const char* columns : {"", "a,,b", "x5..4", "x..9", "x1..999999999"})
    EXPECT_FALSE(ExpandColumns(columns).ok()) << columns;
}

TEST(FindLayout, WideFileByItsHeader) {
  ImportOptions options = Options();
  options.prefix = "bench/{file}/";
  options.map = {{"Volume Flow RateRMS", "flow"}};
  options.units = {{"Volume Flow RateRMS", "l/min"}};
  options.skip_columns = {"anomaly"};
  const auto layout = FindLayout(options, "/data/run.7.csv",
                                 "datetime;Pressure;Temperature [degC];Volume Flow RateRMS;anomaly\n"
                                 "2020-02-08 13:30:47;0.38;90.6;122.6;0.0\n");
  ASSERT_TRUE(layout.ok()) << layout.status();
  EXPECT_EQ(layout->separator, ';');
  EXPECT_FALSE(layout->is_long);
  EXPECT_EQ(layout->time_column, 0);
  EXPECT_EQ(layout->time_format, "iso");
  EXPECT_EQ(TagsOf(*layout),
            (Names{"bench/run.7/Pressure", "bench/run.7/Temperature [degC]", "bench/run.7/flow [l/min]"}));
}

TEST(FindLayout, ColumnNamedAfterTheFile) {
  ImportOptions options = Options();
  options.prefix = "nab/";
  options.map = {{"value", "{file}"}};
  const auto layout = FindLayout(options, "nyc_taxi.csv", "timestamp,value\n2014-07-01 00:00:00,10844\n");
  ASSERT_TRUE(layout.ok()) << layout.status();
  EXPECT_EQ(TagsOf(*layout), (Names{"nab/nyc_taxi"}));
}

TEST(FindLayout, MatrixWithoutHeaderAndTimes) {
  ImportOptions options = Options();
  options.header = false;
  options.start = 0;
  options.step_nanos = 1;
  const char* text = "   2.5e-01   3.7e+03\n   2.6e-01   3.8e+03\n";
  auto layout = FindLayout(options, "d00.dat", text);
  ASSERT_TRUE(layout.ok()) << layout.status();
  EXPECT_EQ(layout->separator, ' ');
  EXPECT_FALSE(layout->time_column.has_value());
  EXPECT_EQ(TagsOf(*layout), (Names{"column-01", "column-02"}));
  options.columns = "XMEAS 1..2";
  EXPECT_EQ(TagsOf(*FindLayout(options, "d00.dat", text)), (Names{"XMEAS 1", "XMEAS 2"}));
  options.columns = "XMEAS 1..3";
  EXPECT_FALSE(FindLayout(options, "d00.dat", text).ok());
  options.columns.clear();
  options.start.reset();
  const auto no_time = FindLayout(options, "d00.dat", text);
  EXPECT_NE(no_time.status().message().find("--start"), absl::string_view::npos);
}

TEST(FindLayout, LongFileByItsHeader) {
  const auto layout =
      FindLayout(Options(), "x.csv", "Time,Tag,Value,Quality\n2020-01-01T00:00:00Z,a,1,Good\n");
  ASSERT_TRUE(layout.ok()) << layout.status();
  EXPECT_TRUE(layout->is_long);
  EXPECT_EQ(layout->tag_column, 1);
  EXPECT_EQ(layout->value_column, 2);
  EXPECT_EQ(layout->quality_column, 3);
}

TEST(FindLayout, LongFileWithoutHeader) {
  ImportOptions options = Options();
  options.header = false;
  options.layout = "long";
  const auto layout = FindLayout(options, "x.csv", "1581168647,a,1\n1581168648,a,2\n");
  ASSERT_TRUE(layout.ok()) << layout.status();
  EXPECT_TRUE(layout->is_long);
  EXPECT_EQ(layout->time_format, "unix");
  EXPECT_FALSE(layout->quality_column.has_value());
}

TEST(FindLayout, TimeColumnIsFoundOrGiven) {
  const struct {
    const char* text;
    const char* time_column;
    int found;  // -1: an error.
  } kCases[] = {
      {"a,ts\n1,1581168647\n", "", 1}, {"when,a\n2020-01-01 00:00,1\n", "", 0},
      {"n,a\n1,2\n", "", -1},          {"n,a\n1581168647,2\n", "1", 0},
      {"n,a\n1,1581168647\n", "a", 1}, {"n,a\n1,2\n", "b", -1},
      {"n,a\n1,2\n", "3", -1},         {"n,a\n1,2\n", "1", -1},
  };
  for (const auto& c : kCases) {
    ImportOptions options = Options();
    options.time_column = c.time_column;
    const auto layout = FindLayout(options, "x.csv", c.text);
    EXPECT_EQ(layout.ok() ? static_cast<int>(*layout->time_column) : -1, c.found)
        << c.text << layout.status();
  }
}

TEST(FindLayout, OneBrokenTimeDoesNotHideTheFormat) {
  const auto layout =
      FindLayout(Options(), "x.csv", "time,a\nrubbish,1\n1581168647,2\n1581168648,2\n1581168649,2\n");
  ASSERT_TRUE(layout.ok()) << layout.status();
  EXPECT_EQ(layout->time_format, "unix");
}

TEST(FindLayout, TrailingSeparatorIsNoColumn) {
  const auto layout = FindLayout(Options(), "x.csv", "time;a;\n2020-01-01;1;\n");
  ASSERT_TRUE(layout.ok()) << layout.status();
  EXPECT_EQ(TagsOf(*layout), (Names{"a"}));
}

TEST(FindLayout, WhatCannotBeIsSaidWithTheFile) {
  ImportOptions both = Options();
  both.start = 0;
  both.time_column = "time";
  ImportOptions separator = Options();
  separator.separator = "ab";
  ImportOptions format = Options();
  format.time_format = "german";
  ImportOptions layout = Options();
  layout.layout = "tall";
  const struct {
    ImportOptions options;
    const char* text;
  } kCases[] = {
      {Options(), ""},
      {Options(), "time\n2020-01-01\n"},
      {Options(), "time,a,a\n2020-01-01,1,2\n"},
      {Options(), "time,a*b\n2020-01-01,1\n"},
      {both, "time,a\n2020-01-01,1\n"},
      {separator, "time,a\n2020-01-01,1\n"},
      {format, "time,a\n2020-01-01,1\n"},
      {layout, "time,a\n2020-01-01,1\n"},
      {Options(), "time,\"a\n"},
  };
  for (const auto& c : kCases) EXPECT_FALSE(FindLayout(c.options, "x.csv", c.text).ok()) << c.text;
}

TEST(CheckNamedColumns, ANameMustBeInOneOfTheFiles) {
  ImportOptions options = Options();
  options.skip_columns = {"anomaly"};
  std::vector<ImportLayout> layouts = {*FindLayout(options, "a.csv", "time,x,anomaly\n2020-01-01,1,0\n"),
                                       *FindLayout(options, "b.csv", "time,x\n2020-01-01,1\n")};
  EXPECT_TRUE(CheckNamedColumns(options, layouts).ok());
  options.map = {{"y", "z"}};
  EXPECT_FALSE(CheckNamedColumns(options, layouts).ok());
}

TEST(IsMissing, NothingAndWhatTheCallerSays) {
  ImportOptions options;
  options.missing = {"NA", "-", "-999"};
  const auto in_number = [&](absl::string_view text, bool quoted = false) {
    return IsMissing(options, {text, quoted}, &kDecimalPoint);
  };
  const auto in_text = [&](absl::string_view text, bool quoted = false) {
    return IsMissing(options, {text, quoted}, nullptr);
  };
  for (const bool quoted : {false, true}) {
    EXPECT_TRUE(in_number("", quoted));
    EXPECT_TRUE(in_number(" NA ", quoted));
    EXPECT_TRUE(in_text("NA", quoted));
    for (const char* text : {"-999", "-999.0", "-999.00", "-9.99E+02"})
      EXPECT_TRUE(in_number(text, quoted)) << text;
    for (const char* text : {"NaN", "-999.5", "999", "nan"}) EXPECT_FALSE(in_number(text, quoted)) << text;
    EXPECT_FALSE(in_text("-999.0", quoted));
  }
  EXPECT_TRUE(in_text("  "));
  EXPECT_FALSE(in_text("", true));
}

}  // namespace
}  // namespace historian::histctl
