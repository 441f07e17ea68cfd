#include "tools/histctl/lib/csv_style.h"

#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/histctl/lib/time_parser.h"
#include "tools/histctl/lib/time_text.h"

namespace historian::histctl {
namespace {

using ::testing::HasSubstr;

absl::TimeZone Berlin() { return *LoadZone("Europe/Berlin"); }

std::string Written(const char* format, Timestamp t) {
  const auto times = TimeFormat::Create(format, Berlin());
  EXPECT_TRUE(times.ok()) << format << ": " << times.status();
  std::string text;
  times->Append(t, &text);
  return text;
}

TEST(TimeFormat, WritesTimesInTheImportersWords) {
  constexpr Timestamp kWhole = 1'795'424'400 * kNanosPerSecond;  // 2026-11-23T09:00:00Z
  const struct {
    const char* format;
    const char* whole;
    const char* part;  // 12.345678901 s later.
  } kCases[] = {
      {"rfc3339", "2026-11-23T10:00:00+01:00", "2026-11-23T10:00:12.345678901+01:00"},
      {"iso", "2026-11-23 10:00:00", "2026-11-23 10:00:12.345678901"},
      {"unix", "1795424400", "1795424412.345678901"},
      {"unix_ms", "1795424400000", "1795424412345.678901"},
      {"unix_us", "1795424400000000", "1795424412345678.901"},
      {"unix_ns", "1795424400000000000", "1795424412345678901"},
      {"excel", "46349.416666667", "46349.41680956"},
      {"%d.%m.%Y %H:%M:%S", "23.11.2026 10:00:00", "23.11.2026 10:00:12.345678901"},
      {"%d/%m/%y %H:%M", "23/11/26 10:00", "23/11/26 10:00"},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(Written(c.format, kWhole), c.whole) << c.format;
    EXPECT_EQ(Written(c.format, kWhole + 12'345'678'901), c.part) << c.format;
  }
  EXPECT_EQ(Written("unix", -1), "-0.000000001");
  EXPECT_EQ(Written("unix_ms", 5), "0.000005");
  EXPECT_EQ(Written("excel", *ParseTimestamp("2026-11-22T23:00:00Z")), "46349");
}

TEST(TimeFormat, RefusesWhatTheImporterWouldNotRead) {
  for (const char* format : {"", "german", "%H:%M", "%d.%m", "%d.%m.%Y %f", "auto"}) {
    EXPECT_FALSE(TimeFormat::Create(format, Berlin()).ok()) << format;
  }
}

TEST(TimeFormat, WhatIsWrittenReadsBack) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<Timestamp> times(*ParseTimestamp("1950-01-01T00:00:00Z"),
                                                 *ParseTimestamp("2150-01-01T00:00:00Z"));
  const struct {
    const char* format;
    int64_t grain;
  } kCases[] = {{"rfc3339", 1}, {"iso", 1},     {"unix", 1},          {"unix_ms", 1},
                {"unix_us", 1}, {"unix_ns", 1}, {"excel", 1'000'000}, {"%d.%m.%Y %H:%M:%S", 1}};
  for (const auto& c : kCases) {
    for (int i = 0; i < 1000; ++i) {
      const Timestamp t = times(random) / c.grain * c.grain;
      // A zone whose clock is not changed: no time comes twice.
      const absl::TimeZone zone = absl::FixedTimeZone(5 * 3600 + 1800);
      const auto format = TimeFormat::Create(c.format, zone);
      auto parser = TimeParser::Create(c.format, zone);
      ASSERT_TRUE(format.ok() && parser.ok());
      std::string text, error;
      format->Append(t, &text);
      Timestamp back = 0;
      ASSERT_TRUE(parser->Parse(text, &back, &error)) << c.format << " " << text << ": " << error;
      ASSERT_EQ(back, t) << c.format << " " << text;
    }
  }
}

TEST(CsvStyle, IsAsOptionsSay) {
  const auto style = [](absl::string_view separator, bool comma) {
    return ParseCsvStyle(separator, comma, "", Berlin());
  };
  EXPECT_EQ(style("", false)->separator, ',');
  EXPECT_EQ(style("", true)->separator, ';');
  EXPECT_EQ(style("tab", true)->separator, '\t');
  EXPECT_EQ(style("|", false)->separator, '|');
  for (const char* bad : {"ab", "x", "1", ".", "-", "\"", "\n", ":"}) {
    EXPECT_THAT(style(bad, false).status().message(), HasSubstr("--separator")) << bad;
  }
  EXPECT_THAT(style(",", true).status().message(), HasSubstr("--decimal-comma"));
  EXPECT_THAT(ParseCsvStyle("", false, "german", Berlin()).status().message(),
              HasSubstr("--time-format: 'german'"));
}

TEST(CsvStyle, FieldsAreQuotedWhereTheyMustBe) {
  const auto field = [](absl::string_view text, char separator) {
    std::string out;
    AppendCsvField(text, &out, separator);
    return out;
  };
  EXPECT_EQ(field("a", ','), "a");
  EXPECT_EQ(field("a,b", ','), "\"a,b\"");
  EXPECT_EQ(field("a|b", ','), "a|b");
  EXPECT_EQ(field("a|b", '|'), "\"a|b\"");
  EXPECT_EQ(field("", '|'), "\"\"");
  EXPECT_EQ(field("\"", '|'), "\"\"\"\"");
  EXPECT_EQ(field(" a", ','), "\" a\"");
}

TEST(CsvStyle, NumbersHaveItsPoint) {
  const CsvStyle comma{
      .separator = ';', .decimal_comma = true, .times = *TimeFormat::Create("excel", Berlin())};
  std::string out;
  for (const char* number : {"1.5", "-2", "1e+300", "1.25e-07"}) {
    AppendCsvNumber(number, comma, &out);
    out.push_back(' ');
  }
  EXPECT_EQ(out, "1,5 -2 1e+300 1,25e-07 ");
  EXPECT_EQ(CsvTimeText(1'795'424'400 * kNanosPerSecond, comma), "46349,416666667");
  out.clear();
  AppendCsvNumber("1.5", CsvStyle(), &out);
  EXPECT_EQ(out, "1.5");
}

}  // namespace
}  // namespace historian::histctl
