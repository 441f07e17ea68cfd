#include "tools/histctl/lib/plot.h"

#include <cmath>
#include <limits>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tools/histctl/lib/terminal.h"
#include "tools/histctl/lib/time_text.h"

namespace historian::histctl {
namespace {

constexpr Timestamp kStart = 1'795'424'400 * kNanosPerSecond;  // 2026-11-23T09:00:00Z
constexpr int64_t kMinute = 60 * kNanosPerSecond;

PlotPicture Picture(bool ascii) {
  return {.width = 50, .height = 12, .ascii = ascii, .zone = absl::UTCTimeZone()};
}

Samples Ramp() {
  Samples samples;
  for (int i = 0; i <= 60; ++i) samples.Add(kStart + i * kMinute, BitsOfFloat64(i < 30 ? i : 60 - i));
  return samples;
}

PlotLine Line(const Tag& tag, const Samples& samples, std::vector<uint32_t> not_good = {}) {
  PlotLine line{.tag = tag, .label = tag.name, .start = kStart};
  line.series.samples = samples;
  line.series.not_good_columns = std::move(not_good);
  return line;
}

// As the server says which columns are empty.
void AddEmptyColumns(Timestamp end, uint32_t columns, PlotLine* line) {
  std::set<uint32_t> filled;
  const auto span = static_cast<unsigned __int128>(end - line->start);
  for (const Timestamp t : line->series.samples.times) {
    if (t < line->start || t >= end) continue;
    filled.insert(
        static_cast<uint32_t>(((static_cast<unsigned __int128>(t - line->start) + 1) * columns - 1) / span));
  }
  for (uint32_t k = 0; k < columns; ++k) {
    if (filled.contains(k)) continue;
    std::vector<client::ColumnRun>& runs = line->series.empty_columns;
    if (!runs.empty() && runs.back().first + runs.back().count == k) {
      ++runs.back().count;
    } else {
      runs.push_back({k, 1});
    }
  }
}

std::string Draw(const PlotPicture& picture, const Tag& tag, Timestamp start, Timestamp end,
                 const Samples& samples, const std::vector<uint32_t>& not_good) {
  PlotLine line = Line(tag, samples, not_good);
  line.start = start;
  return DrawPlot(picture, start, end, {line});
}

TEST(Plot, SlopedGolden) {
  const Tag tag{.name = "area-1/flow", .unit = "m3/h"};
  const Samples samples = Ramp();
  EXPECT_EQ("\n" + Draw(Picture(true), tag, kStart, kStart + 60 * kMinute, samples, {}),
            R"(
              area-1/flow [m3/h]
          30 +                ****
             |             ****  ****
          20 +          ****        ****
             |       ****              ****
          10 +    ****                    ****
             | ****                          ****
           0 +**                                **
             ++-----------------+----------------+
             09:00            09:30          10:00
              2026-11-23T09:00:00Z to 2026-11-23T10:00:00Z
)");
}

TEST(Plot, BrailleGolden) {
  const Tag tag{.name = "area-1/flow", .unit = "m3/h"};
  const Samples samples = Ramp();
  const std::string picture = Draw(Picture(false), tag, kStart, kStart + 60 * kMinute, samples, {});
  EXPECT_EQ("\n" + picture, R"(
              area-1/flow [m3/h]
          30 ┤                ⡠⠊⠑⢄
             │             ⡠⠊⠉    ⠉⠑⢄
          20 ┤          ⢀⠔⠊          ⠑⠢⡀
             │       ⢀⠔⠒⠁              ⠈⠒⠢⡀
          10 ┤     ⡠⠔⠁                    ⠈⠢⢄
             │  ⡠⠤⠊                          ⠑⠤⢄
           0 ┤⡠⠊                                ⠑⠤
             └┬─────────────────┬────────────────┬
             09:00            09:30          10:00
              2026-11-23T09:00:00Z to 2026-11-23T10:00:00Z
)");
}

TEST(Plot, GapsAndMarks) {
  const Tag tag{.name = "x"};
  Samples samples;
  for (int i = 0; i <= 60; ++i) {
    samples.Add(kStart + i * kMinute, BitsOfFloat64(5), i >= 20 && i < 40 ? kBad : kGood);
  }
  const std::string picture = Draw(Picture(true), tag, kStart, kStart + 60 * kMinute, samples, {15, 16, 30});
  EXPECT_EQ("\n" + picture, R"(
              x
         5.5 +
             |
             |
           5 +************            ************
             |
             |
         4.5 +
             ++-----------------+----------------+
    not good                 !!             !
             09:00            09:30          10:00
              2026-11-23T09:00:00Z to 2026-11-23T10:00:00Z
)");
}

TEST(Plot, SteppedDigitalHasItsStates) {
  Tag tag{.name = "pump", .type = ValueType::kDigital, .interpolation = Interpolation::kStepped};
  tag.states = {{0, "Off"}, {1, "Running"}};
  Samples samples;
  samples.Add(kStart - kMinute, 0);
  samples.Add(kStart + 20 * kMinute, 1);
  samples.Add(kStart + 40 * kMinute, 0);
  samples.Add(kStart + 90 * kMinute, 1);
  EXPECT_EQ("\n" + Draw(Picture(true), tag, kStart, kStart + 60 * kMinute, samples, {}), R"(
              pump
     Running +            *************
             |            *           *
             |            *           *
             |            *           *
             |            *           *
             |            *           *
         Off +*************           ************
             ++-----------------+----------------+
             09:00            09:30          10:00
              2026-11-23T09:00:00Z to 2026-11-23T10:00:00Z
)");
}

TEST(Plot, NothingToDrawIsSaid) {
  const Tag tag{.name = "x"};
  EXPECT_NE(Draw(Picture(true), tag, kStart, kStart + 1, {}, {}).find("(no usable samples)"),
            std::string::npos);
}

TEST(Plot, AnySamplesDrawWithinTheirSize) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  const double kValues[] = {
      0, -0.0, 1e308, -1e308, 5e-324, std::nan(""), std::numeric_limits<double>::infinity(), 1};
  for (int i = 0; i < 300; ++i) {
    Samples samples;
    Timestamp t = i % 2 == 0 ? kTimestampMin : kStart - 1000;
    for (uint64_t n = random() % 200; n > 0 && t < kTimestampMax / 2; --n) {
      samples.Add(t, BitsOfFloat64(kValues[random() % 8]), random() % 5 == 0 ? kBad : kGood);
      t += 1 + static_cast<Timestamp>(random() % (i % 2 == 0 ? 1'000'000'000'000'000'000 : 100));
    }
    const Tag tag{.name = "x",
                  .interpolation = i % 3 == 0 ? Interpolation::kStepped : Interpolation::kSloped};
    const PlotPicture picture = Picture(i % 5 == 0);
    const Timestamp start = i % 2 == 0 ? kTimestampMin + 5 : kStart;
    const Timestamp end = i % 2 == 0 ? kTimestampMax : kStart + 7;
    const std::string text = Draw(picture, tag, start, end, samples, {0, 3, 1'000'000});
    EXPECT_LE(std::count(text.begin(), text.end(), '\n'), picture.height + 1);
  }
}

TEST(Plot, SilenceIsAGap) {
  const Tag tag{.name = "x"};
  Samples samples;
  for (int i = 0; i <= 360; ++i) {
    if (i < 120 || i > 240) samples.Add(kStart + i * kMinute / 6, BitsOfFloat64(5));
  }
  PlotLine line = Line(tag, samples);
  AddEmptyColumns(kStart + 60 * kMinute, PlotColumns(Picture(true)), &line);
  EXPECT_EQ("\n" + DrawPlot(Picture(true), kStart, kStart + 60 * kMinute, {line}), R"(
              x
         5.5 +
             |
             |
           5 +************            ************
             |
             |
         4.5 +
             ++-----------------+----------------+
             09:00            09:30          10:00
              2026-11-23T09:00:00Z to 2026-11-23T10:00:00Z
)");
}

// Which of `times` a gap begins behind, in a picture of `columns` of `end` nanoseconds.
std::vector<size_t> Gaps(const std::vector<Timestamp>& times, Timestamp end, uint32_t columns,
                         Interpolation interpolation = Interpolation::kSloped,
                         std::optional<uint64_t> gap_nanos = std::nullopt) {
  PlotLine line{.tag = {.interpolation = interpolation}};
  for (const Timestamp t : times) line.series.samples.Add(t, 0);
  AddEmptyColumns(end, columns, &line);
  return GapsOf(line, static_cast<uint64_t>(end), columns, gap_nanos);
}

TEST(Gaps, AreDistancesMuchLongerThanUsual) {
  std::vector<Timestamp> dense, slow, slow_with_hole, in_bursts;
  for (Timestamp t = 0; t < 10'000; t += 10) {
    if (t < 5'000 || t >= 5'400) dense.push_back(t);
  }
  for (Timestamp t = 0; t < 10'000; t += 500) {
    slow.push_back(t);
    if (t < 4'000 || t > 6'000) slow_with_hole.push_back(t);
  }
  for (Timestamp t = 0; t < 10'000; t += t % 500 == 0 ? 3 : 497) in_bursts.push_back(t);
  EXPECT_EQ(Gaps(dense, 10'000, 100), std::vector<size_t>{499});
  // Most columns are empty, and that is how it should be.
  EXPECT_EQ(Gaps(slow, 10'000, 1'000), std::vector<size_t>{});
  EXPECT_EQ(Gaps(in_bursts, 10'000, 1'000), std::vector<size_t>{});
  EXPECT_EQ(Gaps(slow_with_hole, 10'000, 1'000), std::vector<size_t>{7});
  // The picture is too coarse to show it.
  EXPECT_EQ(Gaps(dense, 10'000, 10), std::vector<size_t>{});
  // A stepped tag keeps its value.
  EXPECT_EQ(Gaps(dense, 10'000, 100, Interpolation::kStepped), std::vector<size_t>{});
  // As told.
  EXPECT_EQ(Gaps(dense, 10'000, 100, Interpolation::kStepped, 400), std::vector<size_t>{499});
  EXPECT_EQ(Gaps(dense, 10'000, 100, Interpolation::kSloped, 500), std::vector<size_t>{});
  EXPECT_EQ(Gaps(slow, 10'000, 1'000, Interpolation::kSloped, 499).size(), slow.size() - 1);
  // Few samples say nothing of what is usual.
  EXPECT_EQ(Gaps({0, 10, 9'000}, 10'000, 100), std::vector<size_t>{});
  EXPECT_EQ(Gaps({}, 10'000, 100), std::vector<size_t>{});
  EXPECT_EQ(Gaps({5}, 10'000, 100), std::vector<size_t>{});
}

TEST(Gaps, AreFoundWhereNearlyAllIsOne) {
  std::vector<Timestamp> times;
  for (Timestamp t = 0; t < 200; t += 20) times.push_back(t);
  times.push_back(9'990);
  EXPECT_EQ(Gaps(times, 10'000, 100), std::vector<size_t>{9});
}

TEST(Gaps, AreRareWhereSamplesComeAtRandom) {
  std::mt19937_64 random(7);
  std::exponential_distribution<double> distances(1. / 100);
  std::vector<Timestamp> times;
  for (double t = 0; t < 1e6; t += distances(random)) {
    if (times.empty() || static_cast<Timestamp>(t) > times.back()) times.push_back(static_cast<Timestamp>(t));
  }
  EXPECT_LE(Gaps(times, 1'000'000, 20'000).size(), times.size() / 200);
}

TEST(Plot, SeveralLinesHaveMarksOrColours) {
  Samples flat;
  for (int i = 0; i <= 60; ++i) flat.Add(kStart + i * kMinute, BitsOfFloat64(15));
  const std::vector<PlotLine> lines = {Line({.name = "a", .unit = "bar"}, Ramp()),
                                       Line({.name = "b", .unit = "bar"}, flat)};
  EXPECT_EQ("\n" + DrawPlot(Picture(true), kStart, kStart + 60 * kMinute, lines), R"(
              * a [bar]
              o b [bar]
          30 +                ****
             |            ****    ****
          20 +oooooooooooooooooooooooooooooooooooo
          10 +     ****                  ****
             | ****                          ****
           0 +**                                **
             ++-----------------+----------------+
             09:00            09:30          10:00
              2026-11-23T09:00:00Z to 2026-11-23T10:00:00Z
)");
  PlotPicture coloured = Picture(false);
  coloured.colours = true;
  const std::string text = DrawPlot(coloured, kStart, kStart + 60 * kMinute, lines);
  EXPECT_NE(text.find("\x1b[36ma [bar]\x1b[0m\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\x1b[33mb [bar]\x1b[0m\n"), std::string::npos) << text;
  // Colours end with their line.
  EXPECT_EQ(text.find("\n\x1b"), std::string::npos) << text;
}

TEST(Plot, AnotherTimeIsDrawnOverThis) {
  Samples earlier;
  for (int i = 0; i <= 60; ++i) earlier.Add(kStart + (i - 1440) * kMinute, BitsOfFloat64(i));
  PlotLine line = Line({.name = "x"}, earlier);
  line.label = "x, 1d earlier";
  line.start = kStart - 1440 * kMinute;
  const std::string text = DrawPlot(Picture(true), kStart, kStart + 60 * kMinute, {line});
  EXPECT_NE(text.find("x, 1d earlier\n"), std::string::npos);
  EXPECT_EQ(std::count(text.begin(), text.end(), '*'), 36) << text;
}

TEST(TimeTicks, AreRoundOnTheClock) {
  const absl::TimeZone berlin = *LoadZone("Europe/Berlin");
  const auto ticks = [&](const char* from, const char* to, size_t most) {
    std::string text;
    for (const TimeTick& tick : TimeTicks(*ParseTimestamp(from), *ParseTimestamp(to), berlin, most)) {
      absl::StrAppend(&text, text.empty() ? "" : " ", tick.label);
    }
    return text;
  };
  EXPECT_EQ(ticks("2026-11-23T08:43:12.5Z", "2026-11-23T10:03:00Z", 7),
            "09:45 10:00 10:15 10:30 10:45 11:00");
  EXPECT_EQ(ticks("2026-11-01T03:00:00Z", "2026-11-04T03:00:00Z", 7), "12:00 11-02 12:00 11-03 12:00 11-04");
  EXPECT_EQ(ticks("2026-11-23T09:00:00Z", "2026-11-23T09:00:01Z", 7),
            "10:00:00.000 10:00:00.200 10:00:00.400 10:00:00.600 10:00:00.800 10:00:01.000");
  EXPECT_EQ(ticks("2026-01-15T00:00:00Z", "2026-12-15T00:00:00Z", 7),
            "2026-03 2026-05 2026-07 2026-09 2026-11");
  EXPECT_EQ(ticks("1901-01-01T00:00:00Z", "2199-01-01T00:00:00Z", 7), "1950 2000 2050 2100 2150");
  // The clock goes back: 02:00 comes once.
  EXPECT_EQ(ticks("2026-10-24T22:00:00Z", "2026-10-25T06:00:00Z", 8),
            "10-25 01:00 02:00 03:00 04:00 05:00 06:00 07:00");
  for (size_t most = 2; most < 12; ++most) {
    for (int64_t span = 1; span < kTimestampMax / 3; span *= 3) {
      const std::vector<TimeTick> found = TimeTicks(kStart + 1, kStart + 1 + span, berlin, most);
      ASSERT_LE(found.size(), most) << span;
      for (size_t i = 0; i < found.size(); ++i) {
        ASSERT_GE(found[i].time, kStart + 1);
        ASSERT_LE(found[i].time, kStart + 1 + span);
        if (i > 0) {
          ASSERT_GT(found[i].time, found[i - 1].time);
        }
      }
    }
  }
}

TEST(NiceTicks, AreRound) {
  EXPECT_EQ(NiceTicks(0, 30, 4), (std::vector<double>{0, 10, 20, 30}));
  EXPECT_EQ(NiceTicks(-1, 1, 3), (std::vector<double>{-1, 0, 1}));
  EXPECT_GE(NiceTicks(0.11, 0.19, 3).size(), 2);
  EXPECT_EQ(NiceTicks(5, 5, 3), (std::vector<double>{5}));
}

TEST(ProgressLine, TellsShareRateAndTimeLeft) {
  EXPECT_EQ(ProgressLine(50, 100, 12'300'000, absl::Seconds(3)),
            "[############            ]  50 %  12.30 M samples  4.10 M samples/s  3s left");
  EXPECT_EQ(ProgressLine(0, 0, 0, absl::ZeroDuration()),
            "[########################] 100 %  0 samples  0 samples/s");
}

TEST(FitLine, IsNoLongerThanTheTerminal) {
  EXPECT_EQ(FitLine("[##  ] 50 %", "week.csv", 79), "[##  ] 50 %  week.csv");
  EXPECT_EQ(FitLine("[##  ] 50 %", "/data/archive/week.csv", 24), "[##  ] 50 %  ...week.csv");
  EXPECT_EQ(FitLine("[##  ] 50 %", "/data/archive/week.csv", 20), "[##  ] 50 %");
  EXPECT_EQ(FitLine("[##  ] 50 %", "x", 5), "[##  ");
  EXPECT_EQ(FitLine("[##  ] 50 %", "\u00fc\u00fc\u00fc\u00fc", 17), "[##  ] 50 %  \u00fc\u00fc\u00fc\u00fc");
}

}  // namespace
}  // namespace historian::histctl
