#include "storage/versions/version_table.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/kv/memory_store.h"

namespace historian {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<Version> Numbers(const VersionTable& table, Timestamp start = INT64_MIN,
                             Timestamp end = INT64_MAX, Version before = UINT64_MAX, size_t max = 100) {
  const absl::StatusOr<std::vector<ClosedVersion>> listed = table.List(start, end, before, max);
  EXPECT_TRUE(listed.ok()) << listed.status();
  std::vector<Version> numbers;
  if (listed.ok()) {
    for (const ClosedVersion& closed : *listed) numbers.push_back(closed.version);
  }
  return numbers;
}

// As a seal does.
void WriteDown(kv::Store& store, VersionTable& table) {
  Version last = 0;
  std::vector<std::unique_ptr<kv::RunBuilder>> runs;
  runs.push_back(*store.NewRun(kv::Space::kCheckpoint));
  for (const auto& [key, value] : table.Unwritten(&last)) ASSERT_TRUE(runs.back()->Add(key, value).ok());
  ASSERT_TRUE(store.Ingest(std::move(runs)).ok());
  table.Written(last);
}

TEST(VersionTable, BeginsWithOneThatIsOpen) {
  const auto store = kv::NewMemoryStore();
  VersionTable table(*store);
  ASSERT_TRUE(table.Load().ok());
  EXPECT_EQ(table.open(), 1);
  EXPECT_THAT(Numbers(table), IsEmpty());
}

TEST(VersionTable, TimesDoNotFallWhenTheClockIsSetBack) {
  const auto store = kv::NewMemoryStore();
  VersionTable table(*store);
  for (const Timestamp now : {100, 50, 200}) table.Add(*table.Next(VersionCause::kPeriod, now));
  const std::vector<ClosedVersion> listed = *table.List(INT64_MIN, INT64_MAX, UINT64_MAX, 10);
  ASSERT_EQ(listed.size(), 3);
  EXPECT_EQ(listed[0].time, 200);
  EXPECT_EQ(listed[1].time, 100);
  EXPECT_EQ(listed[1].clock, 50);
  EXPECT_EQ(listed[2].time, 100);
}

TEST(VersionTable, ListsByTimeAndNumberTheNewestFirst) {
  const auto store = kv::NewMemoryStore();
  VersionTable table(*store);
  for (const Timestamp now : {100, 200, 300, 400}) {
    table.Add(*table.Next(VersionCause::kPeriod, now));
    if (now == 200) WriteDown(*store, table);  // Some are written down, the others are not.
  }
  EXPECT_THAT(Numbers(table), ElementsAre(4, 3, 2, 1));
  EXPECT_THAT(Numbers(table, 200, 400), ElementsAre(3, 2));
  EXPECT_THAT(Numbers(table, INT64_MIN, INT64_MAX, 3), ElementsAre(2, 1));
  EXPECT_THAT(Numbers(table, INT64_MIN, INT64_MAX, UINT64_MAX, 2), ElementsAre(4, 3));
  EXPECT_THAT(Numbers(table, 500, 600), IsEmpty());
}

TEST(VersionTable, GoesOnWhereSealAndJournalLeftIt) {
  const auto store = kv::NewMemoryStore();
  ClosedVersion second;
  {
    VersionTable table(*store);
    ClosedVersion first = *table.Next(VersionCause::kMark, 100);
    first.author = "ada";
    table.Add(first);
    WriteDown(*store, table);
    second = *table.Next(VersionCause::kPeriod, 200);
    table.Add(second);
  }
  VersionTable table(*store);
  ASSERT_TRUE(table.Load().ok());
  EXPECT_EQ(table.open(), 2);
  EXPECT_EQ((*table.List(0, 1000, UINT64_MAX, 1))[0].author, "ada");
  // The journal may still have what the seal wrote down.
  table.Add({.version = 1, .time = 100});
  table.Add(second);
  EXPECT_THAT(Numbers(table), ElementsAre(2, 1));
  EXPECT_EQ(table.open(), 3);
}

}  // namespace
}  // namespace historian
