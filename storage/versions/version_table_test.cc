#include "storage/versions/version_table.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/kv/memory_store.h"
#include "storage/model/definition_memory.h"
#include "storage/platform/heap_in_use.h"

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

// ---- Memory, and the number of marks

TEST(VersionTable, SaysOfItsMemoryWhatTheHeapSays) {
  if (!kHeapIsKnown) GTEST_SKIP();
  const auto store = kv::NewMemoryStore();
  DefinitionMemory memory(UINT64_MAX);
  const int64_t before = HeapInUse();
  VersionTable table(*store, UINT64_MAX, memory);
  const auto add = [&table](Version from, Version to, const std::string& comment) {
    for (Version version = from; version <= to; ++version) {
      table.Add({.version = version, .author = "somebody with a long name", .comment = comment});
    }
  };
  add(1, 10'000, std::string(500, 'c'));
  int64_t in_use = HeapInUse() - before;
  EXPECT_TRUE(IsAbout(memory.bytes(), in_use)) << "counted " << memory.bytes() << ", in use " << in_use;
  table.Written(10'000);
  for (Version version = 10'001; version <= 1'000'000; version += 1'000) {
    add(version, version + 999, "");
    table.Written(version + 999);
  }
  in_use = HeapInUse() - before;
  EXPECT_TRUE(IsAbout(memory.bytes(), in_use)) << "counted " << memory.bytes() << ", in use " << in_use;
  std::printf("a million versions: %.1f MiB\n", static_cast<double>(in_use) / (1 << 20));
}

TEST(VersionTable, AMarkTooManyIsRefusedAndNothingElseIs) {
  const auto store = kv::NewMemoryStore();
  {
    VersionTable table(*store, 2);
    for (Version version = 1; version <= 3; ++version) {
      table.Add({.version = version, .cause = version == 2 ? VersionCause::kSeal : VersionCause::kMark});
    }
    const absl::Status refused = table.Next(VersionCause::kMark, 5).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(refused.message(), testing::HasSubstr("limits.version_marks"));
    EXPECT_TRUE(table.Next(VersionCause::kSeal, 5).ok());
    EXPECT_TRUE(table.Next(VersionCause::kPeriod, 5).ok());
    WriteDown(*store, table);
  }
  VersionTable again(*store, 2);
  ASSERT_TRUE(again.Load().ok());
  EXPECT_FALSE(again.Next(VersionCause::kMark, 5).ok());
  VersionTable raised(*store, 3);
  ASSERT_TRUE(raised.Load().ok());
  EXPECT_TRUE(raised.Next(VersionCause::kMark, 5).ok());
}

TEST(VersionTable, AMarkForWhichThereIsNoMemoryIsRefused) {
  const auto store = kv::NewMemoryStore();
  DefinitionMemory memory(1000);
  VersionTable table(*store, UINT64_MAX, memory);
  const absl::Status refused = table.Next(VersionCause::kMark, 5).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(refused.message(), testing::HasSubstr("limits.memory_budget"));
  EXPECT_TRUE(table.Next(VersionCause::kSeal, 5).ok());
}

}  // namespace
}  // namespace historian
