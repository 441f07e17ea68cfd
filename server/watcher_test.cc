#include "server/watcher.h"

#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace historian::server {
namespace {

using ::testing::HasSubstr;

TEST(WatcherTest, LogsEachChangeOnce) {
  const std::string file = absl::StrCat(::testing::TempDir(), "watcher.log");
  auto log = Log::Open(file, "info", "text");
  ASSERT_TRUE(log.ok());
  Watcher watcher(**log);
  ArchiveStats stats;
  watcher.Look(stats);
  stats.ingest = absl::ResourceExhaustedError("the disk has 5 bytes left");
  watcher.Look(stats);
  watcher.Look(stats);
  stats.ingest = absl::OkStatus();
  stats.seals = 1;
  stats.damage = {"tag 7: page at 5"};
  stats.expiries.push_back(
      {.number = 1, .rule = "short", .tags = 3, .samples = 5, .weeks = 2, .first = 0, .end = 1});
  watcher.Look(stats);
  watcher.Look(stats);
  ASSERT_TRUE((*log)->Flush(absl::Seconds(10)));
  std::ifstream in(file);
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  int lines = 0;
  for (const char c : text) lines += c == '\n';
  EXPECT_EQ(lines, 5) << text;
  EXPECT_THAT(text, HasSubstr("writes_refused reason=\"the disk has 5 bytes left\""));
  EXPECT_THAT(text, HasSubstr("writes_resumed"));
  EXPECT_THAT(text, HasSubstr("sealed seals=1"));
  EXPECT_THAT(text, HasSubstr("expired rule=short tags=3 samples=5 weeks=2 from=1970-01-01T00:00:00Z"));
  EXPECT_THAT(text, HasSubstr("damage what=\"tag 7: page at 5\""));
}

TEST(WatcherTest, LogsAFailureThatWasOverBeforeItLooked) {
  const std::string file = absl::StrCat(::testing::TempDir(), "watcher_short.log");
  auto log = Log::Open(file, "info", "text");
  ASSERT_TRUE(log.ok());
  Watcher watcher(**log);
  ArchiveStats stats;
  watcher.Look(stats);
  stats.write_failures = 1;
  stats.last_write_failure = absl::UnavailableError("the journal cannot be written");
  watcher.Look(stats);
  watcher.Look(stats);
  ASSERT_TRUE((*log)->Flush(absl::Seconds(10)));
  std::ifstream in(file);
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  int lines = 0;
  for (const char c : text) lines += c == '\n';
  EXPECT_EQ(lines, 2) << text;
  EXPECT_THAT(text, HasSubstr("writes_refused reason=\"the journal cannot be written\""));
  EXPECT_THAT(text, HasSubstr("writes_resumed"));
}

}  // namespace
}  // namespace historian::server
