#include "tools/histctl/lib/import_layout.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
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

// "0 iso" or "0,1 %Y-%m-%d %H:%M".
std::string TimesOf(const ImportLayout& layout) {
  if (!layout.times) return "";
  return absl::StrCat(absl::StrJoin(layout.times->columns, ","), " ", layout.times->format);
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
  EXPECT_EQ(TimesOf(*layout), "0 iso");
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
  EXPECT_EQ(TimesOf(*layout), "");
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
  EXPECT_EQ(layout->times->format, "unix");
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
    EXPECT_EQ(layout.ok() ? static_cast<int>(layout->times->columns[0]) : -1, c.found)
        << c.text << layout.status();
  }
}

TEST(FindLayout, OneBrokenTimeDoesNotHideTheFormat) {
  const auto layout =
      FindLayout(Options(), "x.csv", "time,a\nrubbish,1\n1581168647,2\n1581168648,2\n1581168649,2\n");
  ASSERT_TRUE(layout.ok()) << layout.status();
  EXPECT_EQ(layout->times->format, "unix");
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

TEST(FindLayout, TimeInSeveralColumns) {
  const struct {
    const char* text;
    const char* time_column;
    const char* times;  // Or a part of the error.
  } kCases[] = {
      {"Date,Hour,Load (MW)\n2026-03-01,0,200\n2026-03-01,23,201\n", "", "0,1 %Y-%m-%d %H:%M"},
      {"Date,Hour,Load (MW)\n2026-03-01,1,200\n2026-03-01,24,201\n", "", "0,1 %Y-%m-%d %H:%M"},
      {"Date,Time,a\n20.03.2026,12:30,200\n", "", "0,1 %d.%m.%Y %H:%M"},
      {"Date,Time,a\n11/1/2026,12:00:00 AM,1\n11/1/2026,12:05:00 AM,1\n", "",
       "--time-format '%d/%m/%Y %I:%M:%S %p'"},
      {"Date (MM/DD/YYYY),Time (HH:MM),a\n01/01/1988,01:00,1\n01/01/1988,24:00,1\n", "",
       "0,1 %m/%d/%Y %H:%M"},
      {"Date (DD/MM/YYYY),Time,a\n01/02/1988,01:00,1\n", "", "0,1 %d/%m/%Y %H:%M"},
      {"No,year,month,day,hour,PM2.5\n1,2013,3,1,0,4\n2,2013,3,1,10,4\n", "", "1,2,3,4 %Y %m %d %H:%M"},
      {"year,month,day,a\n2013,3,1,4\n", "", "0,1,2 %Y %m %d"},
      {"Year,Month,Day,Hour,Minute,a\n2013,3,1,0,15,4\n", "", "0,1,2,3,4 %Y %m %d %H %M"},
      {"d,t,a\n2026-03-01,100,4\n2026-03-01,2400,4\n", "d,t", "0,1 iso"},
      {"d,t,a\n2026-03-01,10:00,4\n", "1, 2", "0,1 iso"},
      {"d,t,a\n2026-03-01,10:00,4\n", "d,u", "there is no column 'u'"},
      // A date that has a time of its own needs no other.
      {"Date,Hour,a\n2026-03-01 10:00,7,4\n", "", "0 iso"},
  };
  for (const auto& c : kCases) {
    ImportOptions options = Options();
    options.time_column = c.time_column;
    const auto layout = FindLayout(options, "x.csv", c.text);
    if (layout.ok()) {
      EXPECT_EQ(TimesOf(*layout), c.times) << c.text;
    } else {
      EXPECT_NE(layout.status().message().find(c.times), absl::string_view::npos) << layout.status();
    }
  }
}

TEST(FindLayout, ALaterDayTellsTheMonthFromTheDay) {
  std::string text = "time,a\n";
  for (int day = 1; day <= 28; ++day) {
    for (int i = 0; i < 20; ++i) absl::StrAppend(&text, "2/", day, "/2026 10:", 10 + i, ",1\n");
  }
  const auto layout = FindLayout(Options(), "x.csv", text);
  ASSERT_TRUE(layout.ok()) << layout.status();
  EXPECT_EQ(TimesOf(*layout), "0 %m/%d/%Y %H:%M");
}

TEST(FindLayout, LinesInFrontAndRowsOfUnits) {
  const auto layout =
      FindLayout(Options(), "x.csv",
                 "Plant 7\nExported 2026-01-01 by somebody\n\n"
                 "time,PT101,TT101,Flow\n,Pressure of the feed water,Temperature of the steam,\n"
                 ",bar,degC,m3/h\n2026-01-01 00:00,1,2,3\n2026-01-01 00:01,1,2,3\n");
  ASSERT_TRUE(layout.ok()) << layout.status();
  EXPECT_EQ(TagsOf(*layout), (Names{"PT101 [bar]", "TT101 [degC]", "Flow [m3/h]"}));
  EXPECT_EQ(layout->columns[1].description, "Temperature of the steam");
  EXPECT_EQ(layout->lines_before, 3);
  EXPECT_EQ(layout->header_records, 3);
  // A first row that is no row of values is not taken for a header that is broken.
  const auto broken =
      FindLayout(Options(), "x.csv", "time\n2026-01-01,1,5\n2026-01-02,2,6\n2026-01-03,2,6\n");
  EXPECT_FALSE(broken.ok());
  // Nor is a first row of values for a header.
  const auto rows = FindLayout(Options(), "x.csv", "2025-10-25T23:30:03Z,x,0\n2025-10-25T23:40:03Z,x,10\n");
  EXPECT_NE(rows.status().message().find("--no-header"), absl::string_view::npos);
  ImportOptions skip = Options();
  skip.skip_lines = 2;
  EXPECT_EQ(TagsOf(*FindLayout(skip, "x.csv", "a,b\n1,2\ntime,c\n2026-01-01,1\n")), (Names{"c"}));
}

TEST(FindLayout, UnitsInParentheses) {
  const auto layout =
      FindLayout(Options(), "x.csv",
                 "time,Power (kW),Wind Speed (m/s),Pump (A),Pump (B),Temp (inlet),Dir (°),Rain (mm)\n"
                 "2020-01-01,1,2,3,4,5,6,7\n");
  ASSERT_TRUE(layout.ok()) << layout.status();
  EXPECT_EQ(TagsOf(*layout), (Names{"Power [kW]", "Wind Speed [m/s]", "Pump (A)", "Pump (B)", "Temp (inlet)",
                                    "Dir [°]", "Rain [mm]"}));
  EXPECT_EQ(layout->columns[0].whole_tag, "Power (kW)");
  EXPECT_EQ(layout->columns[2].whole_tag, "");
}

TEST(FindLayout, CampbellDataLogger) {
  const auto layout =
      FindLayout(Options(), "x.dat",
                 "\"TOA5\",\"river\",\"CR1000\",\"1\",\"CR1000.Std.01\",\"CPU:a.CR1\",\"1\",\"Hourly\"\n"
                 "\"TIMESTAMP\",\"RECORD\",\"Level_Avg\",\"Batt_V_Min\"\n\"TS\",\"RN\",\"m\",\"Volts\"\n"
                 "\"\",\"\",\"Avg\",\"Min\"\n\"2026-04-21 13:00:00\",146,4.2,13.4\n\"2026-04-21 "
                 "14:00:00\",147,\"NAN\",13.4\n");
  ASSERT_TRUE(layout.ok()) << layout.status();
  EXPECT_EQ(layout->program, Program::kToa5);
  EXPECT_EQ(TagsOf(*layout), (Names{"Level_Avg [m]", "Batt_V_Min [Volts]"}));
  EXPECT_EQ(layout->missing, (Names{"NAN"}));
  // Without its first line it is a table with rows of units.
  const auto tail =
      FindLayout(Options(), "x.dat",
                 "\"TIMESTAMP\",\"RECORD\",\"Level_Avg\"\n\"TS\",\"RN\",\"m\"\n\"\",\"\",\"Avg\"\n"
                 "\"2026-04-21 13:00:00\",146,4.2\n");
  ASSERT_TRUE(tail.ok()) << tail.status();
  EXPECT_EQ(TagsOf(*tail), (Names{"Level_Avg [m]"}));
  EXPECT_EQ(tail->missing, (Names{"NAN"}));
  ImportOptions kept = Options();
  kept.map = {{"RECORD", "rows"}};
  EXPECT_EQ(TagsOf(*FindLayout(kept, "x.dat", "TIMESTAMP,RECORD,a\n2026-04-21 13:00:00,146,4.2\n")),
            (Names{"rows", "a"}));
}

TEST(FindLayout, HourlyEmissions) {
  const auto layout = FindLayout(
      Options(), "x.csv",
      "State,Facility Name,Facility ID,Unit ID,Associated Stacks,Date,Hour,Operating Time,Gross Load (MW),"
      "SO2 Mass (lbs),SO2 Mass Measure Indicator,Primary Fuel Type\n"
      "NY,Plant,2480,3,,2026-03-01,0,1,200,50.1,Measured,Coal\nNY,Plant,2480,3,,2026-03-01,1,1,200,50.1,"
      "Substitute,Coal\n");
  ASSERT_TRUE(layout.ok()) << layout.status();
  EXPECT_EQ(layout->program, Program::kEpa);
  EXPECT_EQ(TimesOf(*layout), "5,6 %Y-%m-%d %H:%M");
  EXPECT_EQ(layout->key_columns, (std::vector<size_t>{2, 3}));
  EXPECT_EQ(TagsOf(*layout), (Names{"Operating Time", "Gross Load [MW]", "SO2 Mass [lbs]"}));
  EXPECT_EQ(layout->columns[2].quality, 10);
  EXPECT_EQ(KeyedTagName(*layout, layout->columns[1], "2480/3"), "2480/3/Gross Load");
}

TEST(FindLayout, BuildingManagementSystems) {
  const auto siemens = FindLayout(
      Options(), "x.csv",
      "\"Key            Name:Suffix            Trend Definitions Used\"\n\"Point_1:\",\"AHU1.SAT\",\"\",\"15 "
      "minutes\"\n"
      "\"Point_2:\",\"AHU1.RAT\",\"\",\"15 minutes\"\n\"Time Interval:\",\"15 Minutes\"\n\"\"\n"
      "\"<>Date\",\"Time\",\"Point_1\",\"Point_2\"\n\"3/13/2026\",\"00:00:00\",\"55.1\",\"No Data\"\n"
      "\"3/13/2026\",\"00:15:00\",\"55.2\",\"70\"\n\" **** End of Report ****\"\n");
  ASSERT_TRUE(siemens.ok()) << siemens.status();
  EXPECT_EQ(TagsOf(*siemens), (Names{"AHU1.SAT", "AHU1.RAT"}));
  EXPECT_EQ(TimesOf(*siemens), "0,1 %m/%d/%Y %H:%M:%E*S");
  const auto niagara = FindLayout(
      Options(), "x.csv",
      "history:/Station/AHU1_SAT\n\nTimestamp,Trend Flags,Status,Value (°F)\n"
      "20-Sep-26 12:00:00 AM EDT,{ },{ok},55.2\n20-Sep-26 12:15:00 AM EDT,{ },{fault,down},55.3\n");
  ASSERT_TRUE(niagara.ok()) << niagara.status();
  EXPECT_EQ(TagsOf(*niagara), (Names{"Station/AHU1_SAT [°F]"}));
  EXPECT_EQ(TimesOf(*niagara), "0 %d-%b-%y %I:%M:%E*S %p %Z");
  EXPECT_EQ(niagara->columns[0].quality, 2);
  ImportOptions bms = Options();
  bms.layout = "bms";
  EXPECT_FALSE(FindLayout(bms, "x.csv", "time,a\n2026-01-01,1\n").ok());
}

TEST(FindLayout, QualitiesBesideTheirValues) {
  const auto layout = FindLayout(Options(), "x.csv",
                                 "time,PT101,PT101 Quality,TT.Value,LT101,LT101_status,Pump status\n"
                                 "2026-01-01 00:00,1,192,2,3,Good,on\n2026-01-01 00:01,1,0,2,3,Bad,off\n");
  ASSERT_TRUE(layout.ok()) << layout.status();
  EXPECT_EQ(TagsOf(*layout), (Names{"PT101", "TT.Value", "LT101", "Pump status"}));
  EXPECT_EQ(layout->columns[0].quality, 2);
  EXPECT_EQ(layout->columns[2].quality, 5);
  EXPECT_EQ(layout->quality_codes, QualityCodes::kOpcDa);
  const auto zeros = FindLayout(Options(), "x.csv", "time,a,a quality\n2026-01-01,1,0\n");
  EXPECT_NE(zeros.status().message().find("--quality-codes"), absl::string_view::npos);
}

TEST(FindLayout, PiRowsWithAndWithoutHeader) {
  ImportOptions pi = Options();
  pi.layout = "pi";
  for (const char* text : {"FIC101.PV,10-Nov-26 00:00:00,12.5\nFIC102.PV,10-Nov-26 01:00:00,I/O Timeout\n",
                           "Tag,Timestamp,Value\nFIC101.PV,10-Nov-26 00:00:00,12.5\n"}) {
    const auto layout = FindLayout(pi, "x.csv", text);
    ASSERT_TRUE(layout.ok()) << layout.status();
    EXPECT_TRUE(layout->is_long);
    EXPECT_EQ(layout->tag_column, 0);
    EXPECT_EQ(TimesOf(*layout), "1 %d-%b-%y %H:%M:%E*S");
  }
  EXPECT_EQ(TagsOf(*FindLayout(pi, "x.csv", "Timestamp,FIC101.PV\n10-Nov-26 00:00:00,12.5\n")),
            (Names{"FIC101.PV"}));
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
  const std::vector<std::string> missing = {"NA", "-", "-999"};
  const auto in_number = [&](absl::string_view text, bool quoted = false) {
    return IsMissing(missing, {text, quoted}, &kDecimalPoint);
  };
  const auto in_text = [&](absl::string_view text, bool quoted = false) {
    return IsMissing(missing, {text, quoted}, nullptr);
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
