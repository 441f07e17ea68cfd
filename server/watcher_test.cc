#include "server/watcher.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace historian::server {
namespace {

using ::testing::HasSubstr;

class WatcherTest : public ::testing::Test {
 protected:
  std::string LogText() {
    EXPECT_TRUE(log_->Flush(absl::Seconds(10)));
    std::ifstream in(file_);
    return std::string((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  }

  const std::string file_ = absl::StrCat(::testing::TempDir(), "watcher.",
                                         ::testing::UnitTest::GetInstance()->current_test_info()->name());
  const std::unique_ptr<Log> log_ = *Log::Open(file_, "info", "text");
  Watcher watcher_{*log_};
  ArchiveStats stats_;
};

TEST_F(WatcherTest, LogsEachChangeOnce) {
  watcher_.Look(stats_);
  stats_.ingest = absl::ResourceExhaustedError("the disk has 5 bytes left");
  watcher_.Look(stats_);
  watcher_.Look(stats_);
  stats_.ingest = absl::OkStatus();
  stats_.seals = 1;
  stats_.damage = {"tag 7: page at 5"};
  stats_.expiries.push_back(
      {.number = 1, .rule = "short", .tags = 3, .samples = 5, .weeks = 2, .first = 0, .end = 1});
  watcher_.Look(stats_);
  watcher_.Look(stats_);
  const std::string text = LogText();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 5) << text;
  EXPECT_THAT(text, HasSubstr("writes_refused reason=\"the disk has 5 bytes left\""));
  EXPECT_THAT(text, HasSubstr("writes_resumed"));
  EXPECT_THAT(text, HasSubstr("sealed seals=1"));
  EXPECT_THAT(text, HasSubstr("expired rule=short tags=3 samples=5 weeks=2 from=1970-01-01T00:00:00Z"));
  EXPECT_THAT(text, HasSubstr("damage what=\"tag 7: page at 5\""));
}

TEST_F(WatcherTest, LogsWhenDefinitionsAreRefusedAndTakenAgain) {
  watcher_.Look(stats_);
  stats_.definitions = absl::ResourceExhaustedError("definitions take 5 of the 4 MiB");
  watcher_.Look(stats_);
  watcher_.Look(stats_);
  stats_.definitions = absl::OkStatus();
  watcher_.Look(stats_);
  const std::string text = LogText();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << text;
  EXPECT_THAT(text, HasSubstr("definitions_refused reason=\"definitions take 5 of the 4 MiB\""));
  EXPECT_THAT(text, HasSubstr("definitions_taken"));
}

TEST_F(WatcherTest, LogsAFailureThatWasOverBeforeItLooked) {
  watcher_.Look(stats_);
  stats_.write_failures = 1;
  stats_.last_write_failure = absl::UnavailableError("the journal cannot be written");
  watcher_.Look(stats_);
  watcher_.Look(stats_);
  const std::string text = LogText();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << text;
  EXPECT_THAT(text, HasSubstr("writes_refused reason=\"the journal cannot be written\""));
  EXPECT_THAT(text, HasSubstr("writes_resumed"));
}

}  // namespace
}  // namespace historian::server
