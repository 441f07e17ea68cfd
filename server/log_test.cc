#include "server/log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "grpc/support/log.h"
#include "gtest/gtest.h"
#include "server/grpc_log.h"

namespace historian::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::Duration kLong = absl::Seconds(20);

std::string ReadAll(const std::string& path) {
  std::ifstream in(path);
  return std::string((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
}

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

TEST(LogTest, ReopenLetsGoOfAFileThatWasRenamed) {
  const std::string file = absl::StrCat(::testing::TempDir(), "rotated.log");
  const auto log = Log::Open(file, "info", "text");
  ASSERT_TRUE(log.ok()) << log.status();
  (*log)->Info("before", {});
  ASSERT_TRUE((*log)->Flush(kLong));
  std::filesystem::rename(file, file + ".1");
  (*log)->Reopen();
  (*log)->Info("after", {});
  ASSERT_TRUE((*log)->Flush(kLong));
  EXPECT_THAT(ReadAll(file + ".1"), AllOf(HasSubstr(" before"), Not(HasSubstr(" after"))));
  EXPECT_THAT(ReadAll(file), AllOf(HasSubstr(" log_reopened"), HasSubstr(" after")));
}

TEST(LogTest, ReopenThatFailsGoesOnWithTheOldFile) {
  const std::string directory = absl::StrCat(::testing::TempDir(), "moved");
  std::filesystem::create_directory(directory);
  const auto log = Log::Open(directory + "/log", "info", "text");
  ASSERT_TRUE(log.ok()) << log.status();
  std::filesystem::rename(directory, directory + ".1");
  (*log)->Reopen();
  (*log)->Info("after", {});
  ASSERT_TRUE((*log)->Flush(kLong));
  EXPECT_THAT(ReadAll(directory + ".1/log"), AllOf(HasSubstr(" log_reopen_failed"), HasSubstr(" after")));
}

// A log whose file is a pipe, and the pipe's other end.
class PipeLogTest : public ::testing::Test {
 protected:
  PipeLogTest() {
    std::signal(SIGPIPE, SIG_IGN);  // As historiand does.
    const std::string path = absl::StrCat(::testing::TempDir(), "pipe");
    std::remove(path.c_str());
    EXPECT_EQ(mkfifo(path.c_str(), 0600), 0);
    reader_ = open(path.c_str(), O_RDONLY | O_NONBLOCK);
    EXPECT_GE(reader_, 0);
    auto log = Log::Open(path, "info", "text");
    EXPECT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
  }
  ~PipeLogTest() override { StopReading(); }

  void StopReading() {
    if (reader_ >= 0) close(std::exchange(reader_, -1));
  }

  int reader_ = -1;
  std::unique_ptr<Log> log_;
};

TEST_F(PipeLogTest, NobodyWaitsForAReaderAndWhatIsMissingIsCounted) {
  constexpr uint64_t kLines = 50'000;
  // More than the pipe and the queue hold.
  for (uint64_t i = 0; i < kLines; ++i) log_->Info("line", {{"text", std::string(60, 'x')}});
  EXPECT_GT(log_->lines_dropped(), 0);
  log_->Info("last", {});  // Finds no room either.

  std::string text;
  uint64_t read = 0, missing = 0;
  std::array<char, 4096> bytes;
  const MonotonicTime deadline = MonotonicTime::Now() + kLong;
  while (read + missing < kLines + 1 && MonotonicTime::Now() < deadline) {
    const ssize_t n = ::read(reader_, bytes.data(), bytes.size());
    if (n <= 0) {
      log_->Flush(absl::Milliseconds(10));
      continue;
    }
    text.append(bytes.data(), static_cast<size_t>(n));
    read = missing = 0;
    for (const absl::string_view line : absl::StrSplit(text.substr(0, text.rfind('\n')), '\n')) {
      const size_t at = line.find(" log_lines_dropped lines=");
      uint64_t lines = 0;
      if (at == absl::string_view::npos) {
        ++read;
      } else if (absl::SimpleAtoi(line.substr(at + 25, line.find(' ', at + 25) - at - 25), &lines)) {
        missing += lines;
      }
    }
  }
  EXPECT_EQ(read + missing, kLines + 1);
  EXPECT_EQ(missing, log_->lines_dropped());
}

TEST_F(PipeLogTest, ALogThatCannotBeWrittenEndsAllTheSame) {
  for (int i = 0; i < 20'000; ++i) log_->Info("line", {{"text", std::string(60, 'x')}});
  log_.reset();  // With a reader that reads nothing.
}

TEST_F(PipeLogTest, AReaderThatEndsCostsLinesOnly) {
  StopReading();
  log_->Info("nobody reads this", {});
  ASSERT_TRUE(log_->Flush(kLong));
  EXPECT_EQ(log_->lines_dropped(), 1);
}

TEST(LogTest, ClientsWhoMakeUpKeysCauseFewLines) {
  const std::string file = absl::StrCat(::testing::TempDir(), "flood.log");
  const auto log = Log::Open(file, "info", "text");
  ASSERT_TRUE(log.ok()) << log.status();
  for (int i = 0; i < 5000; ++i) {
    (*log)->WriteLimited(LogLevel::kWarning, "flood", absl::StrCat("producer ", i), {{"n", i}});
  }
  ASSERT_TRUE((*log)->Flush(kLong));
  const std::string text = ReadAll(file);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), Log::kLimitedMost);
  EXPECT_THAT(text, HasSubstr(" flood n=0 lines_suppressed=0\n"));
}

TEST(GrpcLogTest, WhatGrpcRepeatsIsALineAndACount) {
  const std::string file = absl::StrCat(::testing::TempDir(), "grpc.log");
  const auto log = Log::Open(file, "info", "text");
  ASSERT_TRUE(log.ok()) << log.status();
  {
    const GrpcLog here(**log);
    for (int i = 0; i < 1000; ++i) gpr_log(GPR_ERROR, "Handshake failed with %d", i);
    gpr_log(GPR_ERROR, "something else");
  }
  gpr_log(GPR_ERROR, "nobody listens");
  ASSERT_TRUE((*log)->Flush(kLong));
  const std::string text = ReadAll(file);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << text;
  EXPECT_THAT(text, AllOf(HasSubstr(" grpc severity=E message=\"Handshake failed with 0\""),
                          HasSubstr("message=\"something else\"")));
}

constexpr MonotonicTime kStart = MonotonicTime::FromStart(absl::Hours(1));

TEST(LogRateLimiterTest, OneLineAnIntervalAndKeyAndTheRestCounted) {
  LogRateLimiter limiter(absl::Seconds(10), 100);
  uint64_t suppressed = 0;
  EXPECT_TRUE(limiter.Allow("a", kStart, &suppressed));
  EXPECT_TRUE(limiter.Allow("b", kStart, &suppressed));
  EXPECT_FALSE(limiter.Allow("a", kStart + absl::Seconds(1), &suppressed));
  EXPECT_FALSE(limiter.Allow("a", kStart + absl::Seconds(9), &suppressed));
  EXPECT_TRUE(limiter.Allow("a", kStart + absl::Seconds(10), &suppressed));
  EXPECT_EQ(suppressed, 2u);
}

TEST(LogRateLimiterTest, FewLinesForAllKeysTogetherAndTheRestCounted) {
  LogRateLimiter limiter(absl::Seconds(10), 3);
  uint64_t suppressed = 0;
  int allowed = 0;
  for (int i = 0; i < 50; ++i) allowed += limiter.Allow(absl::StrCat(i), kStart, &suppressed);
  EXPECT_EQ(allowed, 3);
  EXPECT_EQ(limiter.TakeOthers(), 47u);
  EXPECT_EQ(limiter.TakeOthers(), 0u);
  // A key that had a line counts its own.
  EXPECT_FALSE(limiter.Allow("0", kStart, &suppressed));
  EXPECT_TRUE(limiter.Allow("0", kStart + absl::Seconds(10), &suppressed));
  EXPECT_EQ(suppressed, 1u);
}

}  // namespace
}  // namespace historian::server
