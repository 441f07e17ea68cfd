#include "storage/model/units.h"

#include <random>
#include <string>

#include "gtest/gtest.h"

namespace historian {
namespace {

TEST(UnitsTest, Sizes) {
  const struct {
    const char* text;
    int64_t bytes;  // -1: none.
  } kTable[] = {
      {"0", 0},
      {"4096", 4096},
      {"512MiB", 512 << 20},
      {"512M", 512 << 20},
      {"2G", int64_t{2} << 30},
      {"2 g", int64_t{2} << 30},
      {"64k", 65536},
      {"1T", int64_t{1} << 40},
      {"64 KiB", 65536},
      {"1.5kB", 1500},
      {"1.5G", int64_t{3} << 29},
      {"2gib", int64_t{2} << 30},
      {"1TB", 1'000'000'000'000},
      {"7B", 7},
      {" 7 ", 7},
      {"9223372036854775807", 9223372036854775807},
      {"", -1},
      {"MiB", -1},
      {"-1", -1},
      {"+1", -1},
      {"1.5", -1},
      {"1.5B", -1},
      {"1MiBs", -1},
      {"1MiB 2KiB", -1},
      {"1e3", -1},
      {"1..5M", -1},
      {"0x10", -1},
      {"9223372036854775808", -1},
      {"9999999999TiB", -1},
  };
  for (const auto& row : kTable) {
    const auto size = ParseSize(row.text);
    EXPECT_EQ(size.ok() ? static_cast<int64_t>(*size) : -1, row.bytes) << row.text;
    if (size.ok()) {
      EXPECT_EQ(*ParseSize(FormatSize(*size)), *size) << row.text;
    }
  }
  EXPECT_EQ(FormatSize(uint64_t{512} << 20), "512MiB");
  EXPECT_EQ(FormatSize(1000), "1000B");
  EXPECT_EQ(FormatSize(0), "0B");
}

TEST(UnitsTest, Durations) {
  const struct {
    const char* text;
    absl::Duration duration;
  } kTable[] = {
      {"0", absl::ZeroDuration()},
      {"0s", absl::ZeroDuration()},
      {"7ns", absl::Nanoseconds(7)},
      {"3us", absl::Microseconds(3)},
      {"250ms", absl::Milliseconds(250)},
      {"10s", absl::Seconds(10)},
      {"10 sec", absl::Seconds(10)},
      {"1m", absl::Minutes(1)},
      {"1h30m", absl::Minutes(90)},
      {"1h 30m", absl::Minutes(90)},
      {"1 hour 30 minutes", absl::Minutes(90)},
      {"1.5h", absl::Minutes(90)},
      {"6 hours", absl::Hours(6)},
      {"6 Hours", absl::Hours(6)},
      {"876000h", absl::Hours(876'000)},
      {"1d", absl::Hours(24)},
      {"1d12h", absl::Hours(36)},
      {"90d", absl::Hours(90 * 24)},
      {"2w", absl::Hours(14 * 24)},
      {"1y", absl::Hours(365 * 24)},
      {"290 years", absl::Hours(290 * 365 * 24)},
      {"9007199254740993ns", absl::Nanoseconds(9007199254740993)},
      {"9223372036854775807ns", absl::Nanoseconds(9223372036854775807)},
  };
  for (const auto& row : kTable) {
    const auto duration = ParseDuration(row.text);
    ASSERT_TRUE(duration.ok()) << row.text << ": " << duration.status();
    EXPECT_EQ(*duration, row.duration) << row.text;
  }
  for (const char* text : {"", " ", "10", "-1s", "+1s", "soon", "1 fortnight", "1M", "1S", "1 month", "s",
                           "1..5s", "1s1", "1e3s", "1h-30m", "1,5h", "inf", "0x1s", "1s s"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseDuration(text).status())) << text;
  }
  for (const char* text : {"300y", "200y 200y", "9223372036854775808ns", "99999999999999999999999y"}) {
    EXPECT_TRUE(absl::IsOutOfRange(ParseDuration(text).status())) << text;
  }
}

TEST(UnitsTest, DurationsAreWrittenAsPeopleSayThem) {
  const struct {
    absl::Duration duration;
    const char* text;
  } kTable[] = {
      {absl::ZeroDuration(), "0s"},  {absl::Nanoseconds(7), "7ns"},    {absl::Milliseconds(1500), "1s500ms"},
      {absl::Seconds(60), "1m"},     {absl::Minutes(90), "1h30m"},     {absl::Hours(24), "1d"},
      {absl::Hours(24 * 90), "90d"}, {absl::Hours(24 * 400), "1y35d"}, {absl::Hours(24 * 365 * 100), "100y"},
  };
  for (const auto& row : kTable) EXPECT_EQ(PrintDuration(row.duration), row.text);
}

TEST(UnitsTest, WrittenDurationsReadBackAsTheSame) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 10'000; ++i) {
    const absl::Duration duration = absl::Nanoseconds(static_cast<int64_t>(random() >> (1 + random() % 63)));
    const auto read = ParseDuration(PrintDuration(duration));
    ASSERT_TRUE(read.ok()) << PrintDuration(duration);
    EXPECT_EQ(*read, duration);
  }
}

}  // namespace
}  // namespace historian
