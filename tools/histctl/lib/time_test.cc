#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "storage/model/timestamp.h"
#include "tools/histctl/lib/time_parser.h"
#include "tools/histctl/lib/time_text.h"

namespace historian::histctl {
namespace {

constexpr Timestamp kNow = 1'795'424'400 * kNanosPerSecond;  // 2026-11-23T09:00:00Z

absl::TimeZone Berlin() { return *LoadZone("Europe/Berlin"); }
std::string Utc(Timestamp t) { return FormatTimestamp(t); }

TEST(TimeText, EveryDocumentedFormIsRead) {
  const struct {
    const char* text;
    const char* utc;
  } kCases[] = {
      {"2026-11-23T09:00:00.25Z", "2026-11-23T09:00:00.250Z"},
      {"2026-11-23T09:00:00.123456789+01:00", "2026-11-23T08:00:00.123456789Z"},
      {"2026-11-23", "2026-11-22T23:00:00Z"},
      {"2026-07-23", "2026-07-22T22:00:00Z"},
      {"2026-11-23 09:00", "2026-11-23T08:00:00Z"},
      {"2026-11-23T09:00:00.5", "2026-11-23T08:00:00.500Z"},
      {"now", "2026-11-23T09:00:00Z"},
      {"today", "2026-11-22T23:00:00Z"},
      {"yesterday", "2026-11-21T23:00:00Z"},
      {"-2h", "2026-11-23T07:00:00Z"},
      {"-1d12h", "2026-11-21T21:00:00Z"},
      {"+30m", "2026-11-23T09:30:00Z"},
      {"now-1.5h", "2026-11-23T07:30:00Z"},
      {"1795424400s", "2026-11-23T09:00:00Z"},
      {"1795424400.5s", "2026-11-23T09:00:00.500Z"},
      {"1795424400123ms", "2026-11-23T09:00:00.123Z"},
      {"1795424400123456us", "2026-11-23T09:00:00.123456Z"},
      {"1795424400123456789ns", "2026-11-23T09:00:00.123456789Z"},
  };
  for (const auto& c : kCases) {
    const auto time = ParseTimeText(c.text, Berlin(), kNow);
    ASSERT_TRUE(time.ok()) << c.text << ": " << time.status();
    EXPECT_EQ(Utc(*time), c.utc) << c.text;
  }
}

TEST(TimeText, AnythingElseIsRefused) {
  for (const char* text : {"",
                           " ",
                           "soon",
                           "1795424400",
                           "-2",
                           "-",
                           "now2h",
                           "-2x",
                           "2026-13-01",
                           "2026-02-30",
                           "2026-1-1",
                           "2026-11-23T25:00:00Z",
                           "2026-11-23T09:00:00+1",
                           "31.02.2026",
                           "11.23.2026",
                           "23.11",
                           "9999999999999999999999s",
                           "-400w99999999d",
                           "infinite-future",
                           "24:30",
                           "9",
                           "todayish",
                           "today 25:00",
                           "today+",
                           "today-2",
                           "yesterday-999999w",
                           "monday tuesday",
                           "*2h",
                           "**",
                           "t8h"}) {
    EXPECT_FALSE(ParseTimeText(text, Berlin(), kNow).ok()) << text;
  }
  EXPECT_TRUE(absl::IsOutOfRange(ParseTimeText("1899-12-31T00:00:00Z", Berlin(), kNow).status()));
  EXPECT_TRUE(absl::IsOutOfRange(ParseTimeText("-200d1w", Berlin(), kTimestampMin).status()));
}

TEST(TimeText, WordsAndClocksAreRead) {
  // A Monday, at 10:00 in Berlin.
  const struct {
    const char* text;
    const char* utc;
  } kCases[] = {
      {"08:00", "2026-11-23T07:00:00Z"},
      {"23:59:30.5", "2026-11-23T22:59:30.500Z"},
      {"yesterday 08:00", "2026-11-22T07:00:00Z"},
      {"Today 14:30", "2026-11-23T13:30:00Z"},
      {"tomorrow", "2026-11-23T23:00:00Z"},
      {"monday", "2026-11-22T23:00:00Z"},
      {"Tuesday", "2026-11-16T23:00:00Z"},
      {"sun", "2026-11-21T23:00:00Z"},
      {"mon 06:30", "2026-11-23T05:30:00Z"},
      {"today-1d", "2026-11-21T23:00:00Z"},
      {"t+8h", "2026-11-23T07:00:00Z"},
      {"y+8h", "2026-11-22T07:00:00Z"},
      {"y + 1d8h30m", "2026-11-23T07:30:00Z"},
      {"y-500ms", "2026-11-21T22:59:59.500Z"},
      {"monday-1w", "2026-11-15T23:00:00Z"},
      {"t-30d", "2026-10-23T22:00:00Z"},
      {"*", "2026-11-23T09:00:00Z"},
      {"*-1d", "2026-11-22T09:00:00Z"},
      {"* - 1d", "2026-11-22T09:00:00Z"},
      {"Now-2h", "2026-11-23T07:00:00Z"},
      {"01.11.2026", "2026-10-31T23:00:00Z"},
      {"1.7.2026 08:15", "2026-07-01T06:15:00Z"},
      {"01.11.2026 08:15:30.25", "2026-11-01T07:15:30.250Z"},
  };
  for (const auto& c : kCases) {
    const auto time = ParseTimeText(c.text, Berlin(), kNow);
    ASSERT_TRUE(time.ok()) << c.text << ": " << time.status();
    EXPECT_EQ(Utc(*time), c.utc) << c.text;
  }
}

TEST(TimeText, FromADayTheClockCounts) {
  // The clock goes back on 25 October 2026: that day has 25 hours.
  const Timestamp now = *ParseTimestamp("2026-10-25T18:00:00Z");
  for (const auto& [text, utc] :
       {std::pair("t+8h", "2026-10-25T07:00:00Z"), std::pair("y+8h", "2026-10-24T06:00:00Z"),
        std::pair("today-1d", "2026-10-23T22:00:00Z"), std::pair("t+1d", "2026-10-25T23:00:00Z"),
        std::pair("08:00", "2026-10-25T07:00:00Z")}) {
    const auto time = ParseTimeText(text, Berlin(), now);
    ASSERT_TRUE(time.ok()) << text << ": " << time.status();
    EXPECT_EQ(Utc(*time), utc) << text;
  }
}

TEST(TimeText, ATimeThatDoesNotExistOrComesTwiceIsRefusedHoweverItIsTyped) {
  const struct {
    const char* now;
    std::vector<const char*> texts;
    const char* says;
  } kCases[] = {
      {"2026-10-25T18:00:00Z",
       {"02:30", "today 02:30", "sunday 02:30", "t+2h30m", "2026-10-25 02:30", "2026-10-25T02:30:00",
        "25.10.2026 02:30"},
       "comes twice in Europe/Berlin, where the clock is set back then: say 2026-10-25T02:30:00+02:00 or "
       "2026-10-25T02:30:00+01:00"},
      {"2026-03-29T18:00:00Z",
       {"02:30", "today 02:30", "sun 02:30", "t+2h30m", "2026-03-29 02:30", "2026-03-29T02:30:00",
        "29.3.2026 02:30"},
       "does not exist in Europe/Berlin, where the clock is set forward then, to 2026-03-29T03:00:00+02:00: "
       "say "
       "that, or another time"},
  };
  for (const auto& c : kCases) {
    for (const char* const text : c.texts) {
      const auto time = ParseTimeText(text, Berlin(), *ParseTimestamp(c.now));
      ASSERT_TRUE(absl::IsInvalidArgument(time.status())) << text << ": " << time.status();
      EXPECT_NE(time.status().message().find(c.says), absl::string_view::npos) << time.status();
      EXPECT_NE(time.status().message().find(text), absl::string_view::npos) << time.status();
    }
  }
  // With an offset, and in seconds, there is no doubt.
  EXPECT_EQ(Utc(*ParseTimeText("2026-10-25T02:30:00+01:00", Berlin(), kNow)), "2026-10-25T01:30:00Z");
  EXPECT_EQ(Utc(*ParseTimeText("2026-10-25 03:00", Berlin(), kNow)), "2026-10-25T02:00:00Z");
  EXPECT_EQ(Utc(*ParseTimeText("2026-03-29 03:00", Berlin(), kNow)), "2026-03-29T01:00:00Z");
}

TEST(TimeText, ADayBeginsAlsoWhereMidnightIsSkippedOrComesTwice) {
  const struct {
    const char* zone;
    const char* day;
    const char* utc;
  } kCases[] = {
      {"America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z"},  // At 01:00.
      {"America/Havana", "2026-11-01", "2026-11-01T04:00:00Z"},     // From 01:00 back to 00:00: the first.
      {"Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"},       // A day that was left out.
  };
  for (const auto& c : kCases) {
    const absl::TimeZone zone = *LoadZone(c.zone);
    const Timestamp now = *ParseTimestamp(c.utc) + 3600 * kNanosPerSecond * 12;
    std::vector<std::string> texts = {c.day, std::string(c.day) + " 00:00"};
    if (std::string(c.zone) != "Pacific/Apia") texts.insert(texts.end(), {"today", "00:00", "tomorrow-1d"});
    for (const std::string& text : texts) {
      const auto time = ParseTimeText(text, zone, now);
      ASSERT_TRUE(time.ok()) << text << ": " << time.status();
      EXPECT_EQ(Utc(*time), c.utc) << c.zone << " " << text;
    }
  }
}

TEST(TimeText, OnlyTimesThatMoveAreRelative) {
  for (const char* text : {"now", " NOW ", "-1h", "+1h", "now-1h", "*", "*-8h", "* - 8h"}) {
    EXPECT_TRUE(IsRelativeToNow(text)) << text;
  }
  for (const char* text : {"", "today", "t-1d", "2026-11-23", "08:00", "nowadays", "1795424400s"}) {
    EXPECT_FALSE(IsRelativeToNow(text)) << text;
  }
}

TEST(TimeText, IntervalsBeginWhereTheClockIsRound) {
  const auto aligned = [](const char* time, int64_t interval) {
    return Utc(AlignDown(*ParseTimestamp(time), interval, Berlin()));
  };
  constexpr int64_t kHour = 3600 * kNanosPerSecond;
  EXPECT_EQ(aligned("2026-11-23T09:07:33.335938020Z", kHour), "2026-11-23T09:00:00Z");
  EXPECT_EQ(aligned("2026-11-23T09:07:33Z", 4 * kHour), "2026-11-23T07:00:00Z");
  EXPECT_EQ(aligned("2026-11-23T09:07:33Z", 24 * kHour), "2026-11-22T23:00:00Z");
  EXPECT_EQ(aligned("2026-11-25T09:07:33Z", 7 * 24 * kHour), "2026-11-22T23:00:00Z");
  EXPECT_EQ(aligned("2026-11-23T09:07:33Z", kHour / 4), "2026-11-23T09:00:00Z");
  EXPECT_EQ(aligned("2026-11-23T09:00:00Z", kHour), "2026-11-23T09:00:00Z");
  EXPECT_EQ(AlignDown(-1, 7, Berlin()), -7);
  EXPECT_EQ(AlignDown(kTimestampMin, 7 * 24 * kHour, Berlin()), kTimestampMin);
}

TEST(TimeText, UnknownZoneIsNamed) {
  const auto zone = LoadZone("Europe/Atlantis");
  EXPECT_TRUE(absl::IsInvalidArgument(zone.status()));
  EXPECT_NE(zone.status().message().find("Europe/Atlantis"), absl::string_view::npos);
  EXPECT_TRUE(LoadZone("local").ok());
}

TEST(TimeText, DurationsAreAboveZero) {
  EXPECT_EQ(*ParseDurationText("1d12h"), 129600 * kNanosPerSecond);
  EXPECT_EQ(*ParseDurationText("6 hours"), 21600 * kNanosPerSecond);
  for (const char* text : {"0", "0s", "1", "-1s"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseDurationText(text).status())) << text;
  }
}

TEST(TimeText, DurationsAreShown) {
  EXPECT_EQ(DurationText(0), "0s");
  EXPECT_EQ(DurationText(250'000), "250us");
  EXPECT_EQ(DurationText(1'500'000'000), "1.5s");
  EXPECT_EQ(DurationText(7'500'000'000'000), "2h 5m");
  EXPECT_EQ(DurationText(3'600'000'000'000), "1h");
  EXPECT_EQ(DurationText(uint64_t{14 * 86400} * 1'000'000'000), "2w");
}

TEST(TimeText, TimesPrintAsTheModelPrintsThem) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<Timestamp> times(-1'000'000'000 * kNanosPerSecond, kTimestampMax);
  const int64_t kGrains[] = {1, 1000, 1'000'000, kNanosPerSecond};
  for (int i = 0; i < 2000; ++i) {
    const int64_t grain = kGrains[i % 4];
    const Timestamp t = times(random) / grain * grain;
    EXPECT_EQ(TimeText(t, absl::UTCTimeZone()), FormatTimestamp(t));
    EXPECT_EQ(TimeText(t, Berlin()), FormatTimestamp(t, Berlin()));
  }
}

TEST(TimeText, EveryTimeReadsBackInAnyZone) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<Timestamp> times(kTimestampMin, kTimestampMax);
  for (const char* name :
       {"UTC", "Europe/Berlin", "Europe/Amsterdam", "Australia/Lord_Howe", "America/St_Johns"}) {
    const absl::TimeZone zone = *LoadZone(name);
    for (int i = 0; i < 1000; ++i) {
      const Timestamp t = times(random);
      const auto back = ParseTimestamp(TimeText(t, zone));
      ASSERT_TRUE(back.ok()) << TimeText(t, zone) << ": " << back.status();
      EXPECT_EQ(*back, t) << TimeText(t, zone);
    }
  }
}

TEST(TimeParser, FormatsAreRead) {
  const struct {
    const char* format;
    const char* text;
    const char* utc;  // Empty: refused.
  } kCases[] = {
      {"iso", "2020-02-08 13:30:47", "2020-02-08T12:30:47Z"},
      {"iso", " 2020-02-08T13:30 ", "2020-02-08T12:30:00Z"},
      {"iso", "2020-02-08T13:30:47,5", "2020-02-08T12:30:47.500Z"},
      {"iso", "2020-02-08T13:30:47Z", "2020-02-08T13:30:47Z"},
      {"iso", "2020-02-08T13:30:47-0330", "2020-02-08T17:00:47Z"},
      {"iso", "2020-02-08T13:30:60", ""},
      {"iso", "2020-02-30", ""},
      {"iso", "2020-02-08T13:30:47.1234567890", ""},
      {"iso", "20-02-08", ""},
      {"iso", "2020-02-08T13:30:47 nonsense", ""},
      {"iso", "1800-01-01", ""},
      {"rfc3339", "2020-02-08T13:30:47", ""},
      {"rfc3339", "2020-02-08T13:30:47+00:00", "2020-02-08T13:30:47Z"},
      {"unix", "1581168647", "2020-02-08T13:30:47Z"},
      {"unix", "1581168647.000000001", "2020-02-08T13:30:47.000000001Z"},
      {"unix", "-1", "1969-12-31T23:59:59Z"},
      {"unix", "-0.5", "1969-12-31T23:59:59.500Z"},
      {"unix", "99999999999999", ""},
      {"unix", "1.2.3", ""},
      {"unix", "", ""},
      {"unix_ms", "1581168647250", "2020-02-08T13:30:47.250Z"},
      {"unix_us", "1581168647250001", "2020-02-08T13:30:47.250001Z"},
      {"unix_ns", "1581168647250001002", "2020-02-08T13:30:47.250001002Z"},
      {"unix_ns", "1.5", ""},
      {"unix_ns", "123456789012345678901234567890", ""},
      {"%d.%m.%Y %H:%M:%S", "08.02.2020 13:30:47", "2020-02-08T12:30:47Z"},
      {"%d.%m.%Y %H:%M:%S", "2020-02-08 13:30:47", ""},
      {"%Y%m%dT%H%M%S%z", "20200208T133047+0000", "2020-02-08T13:30:47Z"},
      {"%Y/%m/%d %H:%M:%E*S", "2020/02/08 13:30:47.25", "2020-02-08T12:30:47.250Z"},
      {"%d/%b/%y", "08/Feb/20", "2020-02-07T23:00:00Z"},
      {"%Y-%m-%d", "infinite-future", ""},
      {"%d.%m.%Y %H:%M:%S", "08.02.2020 13:30:47.5", "2020-02-08T12:30:47.500Z"},
      {"%d.%m.%Y %T", "08.02.2020 13:30:47.5", "2020-02-08T12:30:47.500Z"},
      {"%m/%d/%Y %I:%M:%S %p", "2/8/2020 12:00:00 AM", "2020-02-07T23:00:00Z"},
      {"%m/%d/%Y %I:%M:%S %p", "2/8/2020 01:15:00 PM", "2020-02-08T12:15:00Z"},
      {"iso", "2020-02-08 24:00", "2020-02-08T23:00:00Z"},
      {"iso", "2020-12-31T24:00:00", "2020-12-31T23:00:00Z"},
      {"iso", "2020-02-08 24:00:01", ""},
      {"iso", "2020-02-08 24:01", ""},
      {"%d.%m.%Y %H:%M", "08.02.2020 24:00", "2020-02-08T23:00:00Z"},
      {"%d.%m.%Y %H:%M", "08.02.2020 24:01", ""},
      {"%d.%m.%Y %H:%M:%S", "08.02.2020 24:00:01", ""},
      {"excel", "45674.041666667", "2025-01-17T00:00:00Z"},
      {"excel", "45674", "2025-01-16T23:00:00Z"},
      {"excel", "0", ""},
      {"excel", "noon", ""},
  };
  for (const auto& c : kCases) {
    auto parser = TimeParser::Create(c.format, Berlin());
    ASSERT_TRUE(parser.ok()) << c.format;
    Timestamp time = 0;
    std::string error;
    const bool ok = parser->Parse(c.text, &time, &error);
    EXPECT_EQ(ok, *c.utc != 0) << c.format << " " << c.text << " " << error;
    if (ok) {
      EXPECT_EQ(Utc(time), c.utc) << c.format << " " << c.text;
    }
    if (!ok) {
      EXPECT_FALSE(error.empty()) << c.format << " " << c.text;
    }
  }
  EXPECT_FALSE(TimeParser::Create("german", Berlin()).ok());
  for (const char* pattern : {"%b %d %H:%M:%S", "%H:%M", "%Y-%d", "%Y-%m", "%m/%d/%Y %H:%M:%S %p",
                              "%m/%d/%Y %I:%M:%S", "%Y-%m-%d %H:%M:%S.%f"}) {
    const absl::Status status = TimeParser::Create(pattern, Berlin()).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << pattern;
    EXPECT_NE(status.message().find(pattern), std::string::npos) << status;
  }
}

TEST(TimeParser, FormatIsFound) {
  const struct {
    std::vector<absl::string_view> texts;
    const char* format;  // Empty: none.
  } kCases[] = {
      {{"2020-02-08 13:30:47", "2020-02-08"}, "iso"},
      {{"2020-02-08T13:30:47Z"}, "iso"},
      {{"1581168647"}, "unix"},
      {{"1581168647.25", "1581168648"}, "unix"},
      {{"1581168647250"}, "unix_ms"},
      {{"1581168647250000"}, "unix_us"},
      {{"1581168647250000000"}, "unix_ns"},
      {{"2020/02/08 13:30"}, "%Y/%m/%d %H:%M"},
      {{"08.02.2020 13:30:47"}, "%d.%m.%Y %H:%M:%E*S"},
      {{"02/08/2020 13:30"}, ""},
      {{"02/08/2020 13:30", "13/08/2020 13:30"}, "%d/%m/%Y %H:%M"},
      {{"02/08/2020   13:30", "02/13/2020   13:30"}, "%m/%d/%Y %H:%M"},
      {{"10/7/2026 12:00:00 AM", "10/17/2026 12:00:00 PM"}, "%m/%d/%Y %I:%M:%E*S %p"},
      {{"10/7/2026 12:00:00 AM"}, ""},
      {{"10-Nov-26 00:00:00"}, "%d-%b-%y %H:%M:%E*S"},
      {{"10-Nov-2026 00:00"}, "%d-%b-%Y %H:%M"},
      {{"Nov 10, 2026 1:00 PM"}, "%b %d, %Y %I:%M %p"},
      {{"Nov 20 06:00:00"}, ""},
      {{"2026-03-01 0:00", "2026-03-01 12:00"}, "%Y-%m-%d %H:%M"},
      {{"2014:10:07 01:20:00.000"}, "%Y:%m:%d %H:%M:%E*S"},
      {{"2013 3 1 0:00"}, "%Y %m %d %H:%M"},
      {{"13 01 2018 00:10"}, "%d %m %Y %H:%M"},
      {{"13/01/18 07"}, "%d/%m/%y %H"},
      {{"20-Sep-26 12:00:00 AM EDT"}, "%d-%b-%y %I:%M:%E*S %p %Z"},
      {{"2026-11-01 00:00 CET", "2026-07-01 00:00 CEST"}, "%Y-%m-%d %H:%M %Z"},
      {{"20260801", "20260802"}, "%Y%m%d"},
      {{"202608130000"}, "%Y%m%d%H%M"},
      {{"20260813000000"}, "%Y%m%d%H%M%S"},
      {{"2026081301"}, ""},  // Or 2034.
      {{"20260801", "20260832"}, ""},
      {{"45674.000000000", "45674.041666667"}, "excel"},
      {{"45674"}, ""},
      {{"0", "1", "2"}, ""},
      {{"86400"}, ""},
      {{"abc"}, ""},
      {{}, ""},
  };
  for (const auto& c : kCases) {
    const auto format = TimeParser::Detect(c.texts);
    EXPECT_EQ(format.ok() ? *format : "", c.format);
  }
}

TEST(TimeParser, AHeaderMayTellTheOrder) {
  const std::vector<absl::string_view> texts = {"01/02/2026", "01/03/2026"};
  EXPECT_EQ(*TimeParser::Detect(texts, TimeParser::DateOrder::kDayFirst), "%d/%m/%Y");
  EXPECT_EQ(*TimeParser::Detect(texts, TimeParser::DateOrder::kMonthFirst), "%m/%d/%Y");
  // What is there counts for more.
  EXPECT_EQ(*TimeParser::Detect({{"13/02/2026"}}, TimeParser::DateOrder::kMonthFirst), "%d/%m/%Y");
}

TEST(TimeParser, TheNameOfTheClockTellsRepeatedTimesApart) {
  auto parser = TimeParser::Create("%Y-%m-%d %H:%M %Z", Berlin());
  ASSERT_TRUE(parser.ok()) << parser.status();
  const auto read = [&](absl::string_view text) {
    Timestamp time = 0;
    std::string error;
    return parser->Parse(text, &time, &error) ? FormatTimestamp(time) : error;
  };
  EXPECT_EQ(read("2026-10-25 02:30 CET"), "2026-10-25T01:30:00Z");
  EXPECT_EQ(read("2026-10-25 02:30 CEST"), "2026-10-25T00:30:00Z");
  EXPECT_EQ(read("2026-07-01 02:30 UTC"), "2026-07-01T02:30:00Z");
  EXPECT_EQ(read("2026-07-01 02:30 CET"),
            "the clock of Europe/Berlin is not called CET then: say with --tz whose clock it is");
  EXPECT_NE(read("2026-07-01 02:30").find("no name of a clock"), std::string::npos);
  EXPECT_FALSE(TimeParser::Create("%Z %Y-%m-%d", Berlin()).ok());
}

// Berlin 2026: forward on 29 March at 02:00, back on 25 October at 03:00.
TEST(TimeParser, SkippedLocalTimesTakeTheOffsetFromBefore) {
  auto parser = TimeParser::Create("iso", Berlin());
  Timestamp time = 0;
  std::string error;
  ASSERT_TRUE(parser->Parse("2026-03-29 01:59:59", &time, &error));
  EXPECT_EQ(Utc(time), "2026-03-29T00:59:59Z");
  ASSERT_TRUE(parser->Parse("2026-03-29 02:30:00", &time, &error));
  EXPECT_EQ(Utc(time), "2026-03-29T01:30:00Z");
  ASSERT_TRUE(parser->Parse("2026-03-29 03:00:00", &time, &error));
  EXPECT_EQ(Utc(time), "2026-03-29T01:00:00Z");
  EXPECT_EQ(parser->skipped(), 1);
  EXPECT_EQ(parser->repeated(), 0);
}

TEST(TimeParser, RepeatedLocalTimesOfAnAscendingFileAreBothRead) {
  auto parser = TimeParser::Create("iso", Berlin());
  Timestamp previous = 0;
  int rows = 0;
  // What a logger writes over the night: 01:00 ... 02:45, 02:00 ... 02:45 again, 03:00.
  for (const char* text :
       {"01:45", "02:00", "02:15", "02:30", "02:45", "02:00", "02:15", "02:30", "02:45", "03:00"}) {
    Timestamp time = 0;
    std::string error;
    ASSERT_TRUE(parser->Parse(std::string("2026-10-25 ") + text, &time, &error));
    if (rows++ > 0) {
      EXPECT_EQ(time - previous, 900 * kNanosPerSecond) << text;
    }
    previous = time;
  }
  EXPECT_EQ(parser->repeated(), 8);
}

// Whatever the step, up or down, and however late rows are by a little.
TEST(TimeParser, RepeatedLocalTimesGoOnAsThoseBefore) {
  const absl::Time start = absl::FromCivil(absl::CivilHour(2026, 10, 24, 22), Berlin());
  std::mt19937_64 random(5);
  for (const int64_t step_s : {1, 7, 60, 600, 900, 1800, 3600, -1, -60, -600, -1800, -3600}) {
    for (const int64_t jitter_s : {int64_t{0}, std::abs(step_s) / 10}) {
      auto parser = TimeParser::Create("iso", Berlin());
      for (int64_t i = 0; i < 8 * 3600; i += std::abs(step_s)) {
        const int64_t late =
            jitter_s == 0 ? 0 : static_cast<int64_t>(random() % static_cast<uint64_t>(jitter_s));
        const absl::Time time = start + absl::Seconds((step_s > 0 ? i : 8 * 3600 - i) + late);
        Timestamp read = 0;
        std::string error;
        ASSERT_TRUE(parser->Parse(absl::FormatTime("%Y-%m-%d %H:%M:%S", time, Berlin()), &read, &error))
            << error;
        ASSERT_EQ(read, absl::ToUnixNanos(time)) << time << " " << step_s << " " << jitter_s;
      }
    }
  }
}

TEST(TimeParser, RepeatedLocalTimesWithALittleBack) {
  auto parser = TimeParser::Create("iso", Berlin());
  TimeHistory x, y;
  const auto read = [&](const char* text, TimeHistory* history) {
    Timestamp time = 0;
    std::string error;
    EXPECT_TRUE(parser->Parse(std::string("2026-10-25 ") + text, &time, &error, history)) << error;
    return Utc(time);
  };
  // Two tags in turns, one of which is two seconds behind; and one whose rows change places.
  EXPECT_EQ(read("02:00:03", &x), "2026-10-25T00:00:03Z");
  EXPECT_EQ(read("02:00:01", &y), "2026-10-25T00:00:01Z");
  EXPECT_EQ(read("02:10:03", &x), "2026-10-25T00:10:03Z");
  EXPECT_EQ(read("02:10:01", &y), "2026-10-25T00:10:01Z");
  EXPECT_EQ(read("02:10:01", &x), "2026-10-25T00:10:01Z");
  EXPECT_EQ(read("02:20:01", &y), "2026-10-25T00:20:01Z");
  EXPECT_EQ(read("02:00:01", &y), "2026-10-25T01:00:01Z");
}

TEST(TimeParser, RepeatedLocalTimeAloneIsTheFirst) {
  auto parser = TimeParser::Create("iso", Berlin());
  Timestamp time = 0;
  std::string error;
  // A later time before it is no reason: another tag's rows begin anew.
  ASSERT_TRUE(parser->Parse("2026-12-01 00:00", &time, &error));
  ASSERT_TRUE(parser->Parse("2026-10-25 02:30", &time, &error));
  EXPECT_EQ(Utc(time), "2026-10-25T00:30:00Z");
}

TEST(TimeParser, StrictClockChangesAreErrors) {
  auto parser = TimeParser::Create("iso", Berlin(), /*strict_clock_changes=*/true);
  Timestamp time = 0;
  std::string error;
  EXPECT_FALSE(parser->Parse("2026-03-29 02:30", &time, &error));
  EXPECT_NE(error.find("does not exist"), std::string::npos);
  EXPECT_FALSE(parser->Parse("2026-10-25 02:30", &time, &error));
  EXPECT_NE(error.find("twice"), std::string::npos);
}

TEST(TimeParser, LocalTimesAgreeWithTheZoneDatabase) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  // Half an hour of summer time, and changes not on the hour.
  for (const char* name : {"Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns"}) {
    const absl::TimeZone zone = *LoadZone(name);
    auto parser = TimeParser::Create("iso", zone);
    int64_t seconds = 1'500'000'000;
    for (int i = 0; i < 20'000; ++i) {
      seconds += static_cast<int64_t>(random() % 7200);
      const absl::Time instant = absl::FromUnixSeconds(seconds);
      const absl::TimeZone::TimeInfo info = zone.At(absl::ToCivilSecond(instant, zone));
      Timestamp time = 0;
      std::string error;
      ASSERT_TRUE(parser->Parse(absl::FormatTime("%Y-%m-%d %H:%M:%S", instant, zone), &time, &error))
          << error;
      if (info.kind == absl::TimeZone::TimeInfo::UNIQUE) {
        EXPECT_EQ(time, seconds * kNanosPerSecond) << name << " " << seconds;
      }
    }
  }
}

TEST(TimeParser, NoiseIsRefusedOrReadButNeverHarmful) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  const std::string alphabet = "0123456789-:.,TZ +eE%\t\"";
  for (const char* format : {"iso", "rfc3339", "unix", "unix_ns", "%d.%m.%Y %H:%M:%E*S"}) {
    auto parser = TimeParser::Create(format, Berlin());
    for (int i = 0; i < 5000; ++i) {
      std::string text = i % 2 == 0 ? "2026-10-25 02:30:00" : "";
      for (uint64_t n = random() % 20; n > 0; --n) {
        text.insert(text.begin() + static_cast<ptrdiff_t>(random() % (text.size() + 1)),
                    alphabet[random() % alphabet.size()]);
      }
      Timestamp time = 0;
      std::string error;
      if (parser->Parse(text, &time, &error)) {
        EXPECT_TRUE(IsValidTimestamp(time)) << text;
      }
    }
  }
}

}  // namespace
}  // namespace historian::histctl
