#include "tools/histctl/lib/plot.h"

#include <cmath>
#include <limits>
#include <random>
#include <string>

#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "tools/histctl/lib/terminal.h"

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

TEST(Plot, SlopedGolden) {
  const Tag tag{.name = "area-1/flow", .unit = "m3/h"};
  const Samples samples = Ramp();
  EXPECT_EQ("\n" + DrawPlot(Picture(true), tag, kStart, kStart + 60 * kMinute, samples.View(), {}),
            R"(
              area-1/flow [m3/h]
          30 +                ****
             |             ****  ****
          20 +          ****        ****
             |       ****              ****
          10 +    ****                    ****
             | ****                          ****
           0 +**                                **
             +------------------------------------
             09:00           09:30           10:00
              2026-11-23T09:00:00Z to 2026-11-23T10:00:00Z
)");
}

TEST(Plot, BrailleGolden) {
  const Tag tag{.name = "area-1/flow", .unit = "m3/h"};
  const Samples samples = Ramp();
  const std::string picture =
      DrawPlot(Picture(false), tag, kStart, kStart + 60 * kMinute, samples.View(), {});
  EXPECT_EQ("\n" + picture, R"(
              area-1/flow [m3/h]
          30 ┤                ⡠⠊⠑⢄
             │             ⡠⠊⠉    ⠉⠑⢄
          20 ┤          ⢀⠔⠊          ⠑⠢⡀
             │       ⢀⠔⠒⠁              ⠈⠒⠢⡀
          10 ┤     ⡠⠔⠁                    ⠈⠢⢄
             │  ⡠⠤⠊                          ⠑⠤⢄
           0 ┤⡠⠊                                ⠑⠤
             └────────────────────────────────────
             09:00           09:30           10:00
              2026-11-23T09:00:00Z to 2026-11-23T10:00:00Z
)");
}

TEST(Plot, GapsAndMarks) {
  const Tag tag{.name = "x"};
  Samples samples;
  for (int i = 0; i <= 60; ++i) {
    samples.Add(kStart + i * kMinute, BitsOfFloat64(5), i >= 20 && i < 40 ? kBad : kGood);
  }
  const std::string picture =
      DrawPlot(Picture(true), tag, kStart, kStart + 60 * kMinute, samples.View(), {15, 16, 30});
  EXPECT_EQ("\n" + picture, R"(
              x
         5.5 +
             |
             |
           5 +************            ************
             |
             |
         4.5 +
             +------------------------------------
    not good                 !!             !
             09:00           09:30           10:00
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
  EXPECT_EQ("\n" + DrawPlot(Picture(true), tag, kStart, kStart + 60 * kMinute, samples.View(), {}), R"(
              pump
     Running +            *************
             |            *           *
             |            *           *
             |            *           *
             |            *           *
             |            *           *
         Off +*************           ************
             +------------------------------------
             09:00           09:30           10:00
              2026-11-23T09:00:00Z to 2026-11-23T10:00:00Z
)");
}

TEST(Plot, NothingToDrawIsSaid) {
  const Tag tag{.name = "x"};
  EXPECT_NE(DrawPlot(Picture(true), tag, kStart, kStart + 1, {}, {}).find("(no usable samples)"),
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
    const std::string text = DrawPlot(picture, tag, start, end, samples.View(), {0, 3, 1'000'000});
    EXPECT_LE(std::count(text.begin(), text.end(), '\n'), picture.height + 1);
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

}  // namespace
}  // namespace historian::histctl
