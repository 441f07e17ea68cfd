#include "server/log.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace historian::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const absl::Time kTime = absl::FromUnixMillis(1'767'225'600'123);

TEST(LogTest, LinesAsTextAndAsJson) {
  EXPECT_EQ(FormatLogLine(
                false, kTime, LogLevel::kInfo, "started",
                {{"grpc", "127.0.0.1:1"}, {"tags", 7}, {"what", "a \"b\"\n=c"}, {"ms", 1.5}, {"empty", ""}}),
            "2026-01-01T00:00:00.123Z info  started grpc=127.0.0.1:1 tags=7 what=\"a \\\"b\\\"\\n=c\" ms=1.5 "
            "empty=\"\"");
  EXPECT_EQ(
      FormatLogLine(
          true, kTime, LogLevel::kWarning, "slow",
          {{"who", "x\x01\\"}, {"n", uint64_t{1} << 63}, {"nan", std::numeric_limits<double>::quiet_NaN()}}),
      "{\"time\":\"2026-01-01T00:00:00.123Z\",\"level\":\"warn\",\"event\":\"slow\",\"who\":\"x\\u0001\\\\\","
      "\"n\":9223372036854775808,\"nan\":null}");
}

TEST(LogTest, FileInAMissingDirectoryIsAnErrorAndNothingIsMade) {
  const std::string directory = absl::StrCat(::testing::TempDir(), "missing");
  const std::string file = absl::StrCat(directory, "/below/log");
  const absl::Status status = Log::Open(file, "info", "text").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr(file), HasSubstr("make the directory"), HasSubstr("log.file")));
  EXPECT_FALSE(std::filesystem::exists(directory));
}

TEST(LogTest, FileThatCannotBeOpenedIsAnError) {
  // A directory in its place and a file in its directory's place stop root as well.
  const std::string directory = absl::StrCat(::testing::TempDir(), "directory");
  std::filesystem::create_directory(directory);
  EXPECT_EQ(Log::Open(directory, "info", "text").status().code(), absl::StatusCode::kInvalidArgument);
  const std::string file = absl::StrCat(::testing::TempDir(), "file");
  std::ofstream(file) << "x";
  EXPECT_EQ(Log::Open(absl::StrCat(file, "/log"), "info", "text").status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(LogTest, FileIsMadeAndAppendedTo) {
  const std::string file = absl::StrCat(::testing::TempDir(), "appended.log");
  for (const char* event : {"first", "second"}) {
    const auto log = Log::Open(file, "info", "text");
    ASSERT_TRUE(log.ok()) << log.status();
    (*log)->Info(event, {});
  }
  std::ifstream in(file);
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  EXPECT_THAT(text, AllOf(HasSubstr(" first"), HasSubstr(" second")));
}

TEST(LogRateLimiterTest, OneLineAnIntervalAndKeyAndTheRestCounted) {
  LogRateLimiter limiter(absl::Seconds(10));
  uint64_t suppressed = 0;
  const MonotonicTime now = MonotonicTime::Now();
  EXPECT_TRUE(limiter.Allow("a", now, &suppressed));
  EXPECT_TRUE(limiter.Allow("b", now, &suppressed));
  EXPECT_FALSE(limiter.Allow("a", now + absl::Seconds(1), &suppressed));
  EXPECT_FALSE(limiter.Allow("a", now + absl::Seconds(9), &suppressed));
  EXPECT_TRUE(limiter.Allow("a", now + absl::Seconds(10), &suppressed));
  EXPECT_EQ(suppressed, 2u);
}

}  // namespace
}  // namespace historian::server
