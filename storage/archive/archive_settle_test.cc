// What settling promises: the same answers, from less; nothing that was stated is lost, nobody is disturbed.
#include "storage/upkeep/settle.h"

#include <algorithm>
#include <atomic>
#include <climits>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/archive/archive_fixture.h"
#include "storage/archive/archive_model.h"
#include "storage/archive/folded.h"
#include "storage/format/block.h"
#include "storage/format/key.h"
#include "storage/format/page.h"
#include "storage/sealed/steps.h"
#include "storage/sealed/superseded.h"

namespace historian {
namespace {

using SettleTest = ArchiveTest;

TEST_F(SettleTest, SettlingLeavesLateSamplesAsDenseAsIfTheyHadComeInOrder) {
  const TagId in_order = MakeTag("in order", ValueType::kFloat64),
              late = MakeTag("late", ValueType::kFloat64);
  constexpr size_t kSize = 100'000;
  Samples all, even, odd;
  for (size_t i = 0; i < kSize; ++i) {
    const Timestamp t = kStart + static_cast<Timestamp>(i) * kSecond;
    const ValueBits value = BitsOfFloat64(static_cast<double>(i * i % 1000) / 10);
    all.Add(t, value);
    (i % 2 == 0 ? even : odd).Add(t, value);
  }
  ASSERT_TRUE(WriteColumn(in_order, ValueType::kFloat64, all).ok());
  ASSERT_TRUE(WriteColumn(late, ValueType::kFloat64, even).ok());
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  ASSERT_TRUE(WriteColumn(late, ValueType::kFloat64, odd).ok());
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  ASSERT_TRUE(archive_->upkeep().Seal(/*settle=*/true).ok());
  const TagStorage a = *archive_->StorageOf(in_order), b = *archive_->StorageOf(late);
  // But for their versions: every other sample is of another one.
  EXPECT_LE(b.payload_bytes, a.payload_bytes * 102 / 100);
  EXPECT_LE(b.head_bytes, a.head_bytes * 102 / 100);
  EXPECT_EQ(a.rollup_bytes, b.rollup_bytes);
  EXPECT_EQ(b.samples, kSize);
  ExpectSame(ValueType::kFloat64, ReadAll(late), all, "settled");
  EXPECT_EQ(archive_->Stats().samples_unsettled, 0);
  EXPECT_EQ(archive_->upkeep().Seal(true)->partitions_settled, 0) << "there is nothing more to gain";
}

TEST_F(SettleTest, SettlingKeepsReplacedStatementsOutOfTheWay) {
  const TagId tag = MakeTag("t", ValueType::kInt64);
  for (const int64_t value : {1, 2, 2, 3}) {
    Samples samples;
    for (int i = 0; i < 10; ++i) samples.Add(kStart + i * kSecond, BitsOfInt64(value));
    ASSERT_TRUE(WriteColumn(tag, ValueType::kInt64, samples).ok());
    ASSERT_TRUE(archive_->upkeep().Seal().ok());
  }
  ASSERT_TRUE(archive_->upkeep().Seal(/*settle=*/true).ok());
  EXPECT_EQ(archive_->StorageOf(tag)->samples, 10);
  EXPECT_THAT(ReadAll(tag).values, testing::Each(BitsOfInt64(3)));
  archive_.reset();
  const std::unique_ptr<kv::Store> store = kv::OpenMemoryStore(disk_);
  // What said 1 until version 2, and what said 2 until version 4; and that version 3 said 2 again.
  const std::unique_ptr<kv::Cursor> cursor = store->NewCursor(kv::Space::kSuperseded);
  std::vector<ValueBits> replaced;
  int repeats = 0;
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
    const absl::StatusOr<SupersededBlock> block = ReadSupersededRecord(cursor->value());
    ASSERT_TRUE(block.ok()) << block.status();
    ASSERT_EQ(block->block.pages.size(), 1u);
    Samples samples;
    ASSERT_TRUE(format::DecodePage(ValueType::kInt64, block->block.pages[0]->bytes, &samples).ok());
    EXPECT_EQ(samples.size(), 10);
    if (block->repeats) {
      EXPECT_THAT(samples.values, testing::Each(3)) << "the version of the second 2";
      ++repeats;
      continue;
    }
    replaced.push_back(samples.values[0]);
    EXPECT_EQ(block->block.pages[0]->versions.lowest, replaced.size());
    EXPECT_EQ(block->block.pages[0]->versions.highest, replaced.size());
    EXPECT_THAT(block->until, testing::Each(replaced.size() == 1 ? 2u : 4u));
  }
  EXPECT_EQ(repeats, 1);
  EXPECT_THAT(replaced, testing::ElementsAre(BitsOfInt64(1), BitsOfInt64(2)));
}

TEST_F(SettleTest, WhatWeeksHaveOfSlowTagsComesTogether) {
  constexpr int kWeeks = 36;
  constexpr Timestamp kHour = 3600 * kSecond, kWeek = 7 * 24 * kHour;
  const int32_t first_week = format::FirstWeek(format::LongPartitionOf(kStart));
  const Timestamp start = format::PartitionStart(first_week);
  clock_.Set(start + kWeeks * kWeek);
  const TagId slow = MakeTag("slow", ValueType::kFloat64), fast = MakeTag("fast", ValueType::kFloat64);
  Samples hours, minutes;
  for (Timestamp t = start; t < start + kWeeks * kWeek; t += kHour) {
    hours.Add(t, BitsOfFloat64(static_cast<double>(t / kHour * 7919 % 1000) / 10));
  }
  for (Timestamp t = start; t < start + 2 * kWeek; t += 60 * kSecond) minutes.Add(t, BitsOfFloat64(1));
  // A week after the other, as they come.
  for (int week = 0; week < kWeeks; ++week) {
    Samples of_week;
    const size_t begin = hours.size() * week / kWeeks, end = hours.size() * (week + 1) / kWeeks;
    of_week.Append(ValueType::kFloat64, hours.View(), begin, end - begin);
    ASSERT_TRUE(WriteColumn(slow, ValueType::kFloat64, of_week).ok());
    if (week == 0) {
      ASSERT_TRUE(WriteColumn(fast, ValueType::kFloat64, minutes).ok());
    }
    ASSERT_TRUE(archive_->upkeep().Seal(/*settle=*/true).ok());
  }
  const auto check = [&](const char* when) {
    SCOPED_TRACE(when);
    ExpectSame(ValueType::kFloat64, ReadAll(slow), hours, "slow");
    const auto blocks = archive_->ListBlocks(slow, kTimestampMin, kTimestampMax);
    ASSERT_TRUE(blocks.ok()) << blocks.status();
    EXPECT_EQ(blocks->size(), 3u);  // Of 16, 16 and 4 weeks.
    for (const BlockInfo& block : *blocks) EXPECT_TRUE(format::IsLongPartition(block.id.partition));
    const TagStorage storage = *archive_->StorageOf(slow);
    EXPECT_EQ(storage.samples, hours.size());
    EXPECT_EQ(storage.blocks, 3u);
    // In a week each, heads alone were a third of that.
    EXPECT_LT(storage.head_bytes + storage.payload_bytes, 2 * hours.size());
    EXPECT_LT(storage.head_bytes, hours.size() / 10);
    const auto of_fast = archive_->ListBlocks(fast, kTimestampMin, kTimestampMax);
    ASSERT_TRUE(of_fast.ok()) << of_fast.status();
    for (const BlockInfo& block : *of_fast) {
      EXPECT_FALSE(format::IsLongPartition(block.id.partition));
    }
    // What it costs to fold them is known.
    const std::vector<Timestamp> edges = {start, start + 3 * kWeek + kHour / 2, start + 30 * kWeek};
    const FigureMaker maker = {
        .id = "count", .columns = 1, .make = [](const Interval&, size_t, FigureTable) {}};
    EXPECT_GT((*archive_->ReadFolded(slow))->NanosToFold(edges, Interpolation::kStepped, maker), 0u);
  };
  check("settled");
  EXPECT_EQ(archive_->upkeep().Seal(/*settle=*/true)->partitions_settled, 0)
      << "there is nothing more to gain";
  Reopen();
  check("reopened");
}

TEST_F(SettleTest, ALongRangeIsFoldedFromRollupsWithoutLookingAtPages) {
  const TagId tag = MakeTag("t", ValueType::kFloat64);
  Samples samples;
  const Timestamp start = format::PartitionStart(format::PartitionOf(kStart));
  for (size_t i = 0; i < 200'000; ++i) {
    samples.Add(start + static_cast<Timestamp>(i) * 5 * kSecond, BitsOfFloat64(static_cast<double>(i % 777)));
  }
  ASSERT_TRUE(WriteColumn(tag, ValueType::kFloat64, samples).ok());
  ASSERT_TRUE(archive_->upkeep().Seal(/*settle=*/true).ok());
  std::vector<Timestamp> edges;
  for (int day = 0; day <= 12; ++day) edges.push_back(start + day * 86400 * kSecond);
  std::vector<Interval> expected;
  IntervalFold fold(ValueType::kFloat64, Interpolation::kSloped, edges, kAllParts, AppendTo(&expected));
  fold.Add(samples.View());
  fold.Finish();
  // All payloads are gone.
  {
    archive_.reset();
    const std::unique_ptr<kv::Store> store = kv::OpenMemoryStore(disk_);
    ASSERT_TRUE(store->DeleteRange(kv::Space::kPages, "", std::string(25, '\xff')).ok());
  }
  Reopen();
  const absl::StatusOr<std::vector<Interval>> actual =
      Folded(*archive_, tag, absl::MakeSpan(edges).subspan(1), Interpolation::kSloped, kAllParts);
  // The neighbours outside are told by heads.
  ASSERT_TRUE(actual.ok()) << actual.status();
  for (size_t i = 1; i < expected.size() - 1; ++i) {
    EXPECT_TRUE((*actual)[i - 1].samples == expected[i].samples) << i;
    EXPECT_TRUE((*actual)[i - 1].area == expected[i].area) << i;
  }
  // Where an edge cuts a page, the page is missed.
  edges[3] += 1;
  EXPECT_EQ(Folded(*archive_, tag, edges, Interpolation::kSloped, kAllParts).status().code(),
            absl::StatusCode::kDataLoss);
}

// So that a client who goes away, or whose deadline passes, costs no more than a few pages.
TEST_F(SettleTest, AFoldAsksAtEveryPageAndPartitionAndEndsWhenItIsTold) {
  const TagId tag = MakeTag("t", ValueType::kFloat64);
  Samples samples;
  for (size_t i = 0; i < 200'000; ++i) {
    samples.Add(kStart + static_cast<Timestamp>(i) * 60 * kSecond,
                BitsOfFloat64(static_cast<double>(i % 777)));
  }
  ASSERT_TRUE(WriteColumn(tag, ValueType::kFloat64, samples).ok());
  std::vector<Timestamp> edges;
  for (int i = 0; i <= 1000; ++i) edges.push_back(kStart + i * 11'999'999'999'989);
  for (const bool settled : {false, true}) {
    ASSERT_TRUE(archive_->upkeep().Seal(settled).ok());
    int asked = 0;
    const auto fold = [&](int answers) {
      asked = 0;
      const auto reader = archive_->ReadFolded(tag, [&asked, answers]() -> absl::Status {
        return asked++ < answers ? absl::OkStatus() : absl::CancelledError("told to end");
      });
      return (*reader)->Fold(edges, Interpolation::kSloped, kExtremes | kSums,
                             [](size_t, const Interval&) {});
    };
    ASSERT_TRUE(fold(INT_MAX).ok());
    ASSERT_TRUE(fold(INT_MAX).ok());  // As all that follow: some of it is remembered.
    const int of_all = asked;
    EXPECT_GE(of_all, 20) << "a time for each week";
    for (const int answers : {0, 1, of_all / 2, of_all - 1}) {
      EXPECT_EQ(fold(answers).code(), absl::StatusCode::kCancelled) << answers << " of " << of_all;
      EXPECT_EQ(asked, answers + 1) << "went on after it was told";
    }
  }
}

TEST_F(SettleTest, AReaderGoesOnOverWhatItBeganWithWhileThatIsSettled) {
  const TagId tag = MakeTag("t", ValueType::kInt64);
  Samples samples;
  for (int i = 0; i < 100'000; ++i) samples.Add(kStart + i * kSecond, BitsOfInt64(i));
  ASSERT_TRUE(WriteColumn(tag, ValueType::kInt64, samples).ok());
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  auto reader = *archive_->ReadRaw({.tag = tag, .start = kTimestampMin, .end = kTimestampMax});
  Samples read, batch;
  ASSERT_TRUE(*reader->Next(&batch));
  read.Append(ValueType::kInt64, batch.View());
  for (int i = 0; i < 3; ++i) {
    Samples late;
    late.Add(kStart + i * kSecond + 1, BitsOfInt64(0));
    ASSERT_TRUE(WriteColumn(tag, ValueType::kInt64, late).ok());
    ASSERT_TRUE(archive_->upkeep().Seal(/*settle=*/true).ok());
  }
  while (true) {
    const absl::StatusOr<bool> more = reader->Next(&batch);
    ASSERT_TRUE(more.ok()) << more.status();
    if (!*more) break;
    read.Append(ValueType::kInt64, batch.View());
  }
  ExpectSame(ValueType::kInt64, read, samples, "the reader from before");
  reader.reset();
  // Now nobody needs the old payloads any more.
  ASSERT_TRUE(archive_->upkeep().Seal(/*settle=*/true).ok());
  const uint64_t needed = archive_->StorageOf(tag)->payload_bytes;
  archive_.reset();
  const std::unique_ptr<kv::Store> store = kv::OpenMemoryStore(disk_);
  uint64_t held = 0;
  const std::unique_ptr<kv::Cursor> cursor = store->NewCursor(kv::Space::kPages);
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) held += cursor->value().size();
  EXPECT_EQ(held, needed);
}

// Each seal has files of its own: somebody who seals all the time must not pile them up until the week is over.
TEST_F(SettleTest, ManySmallSealsAreSettledAlthoughTheyGoOn) {
  options_.settle_delay = absl::Hours(1);
  options_.retention_period = absl::Milliseconds(10);  // Housekeeping looks as often.
  Reopen();
  const TagId tag = MakeTag("t", ValueType::kInt64);
  Samples all;
  for (int i = 0; archive_->Stats().settles == 0; ++i) {
    ASSERT_LT(i, 10'000);
    Samples one;
    one.Add(clock_.Now() + i, BitsOfInt64(i));
    all.Add(clock_.Now() + i, BitsOfInt64(i));
    ASSERT_TRUE(WriteColumn(tag, ValueType::kInt64, one).ok());
    ASSERT_TRUE(archive_->upkeep().Seal().ok());
  }
  ExpectSame(ValueType::kInt64, ReadAll(tag), all, "settled");
  EXPECT_LT(archive_->StorageOf(tag)->blocks, all.size());
  const uint64_t seals = all.size();
  Reopen();
  EXPECT_GE(seals, 256u);
  ExpectSame(ValueType::kInt64, ReadAll(tag), all, "opened again");
}

// Numbers are for ever: they must not run out, however often something is settled.
TEST_F(SettleTest, SealsTakeFewNumbersHoweverOftenSomethingIsSettled) {
  const TagId tag = MakeTag("t", ValueType::kInt64);
  const Timestamp start = format::PartitionStart(format::PartitionOf(kStart));
  ArchiveModel model;
  for (int week = 0; week < 40; ++week) {
    // In order, late, and late once more about the same times.
    for (const int back : {0, 1, 1}) {
      Frame frame;
      Samples samples;
      for (int i = 0; i < 10; ++i) {
        samples.Add(start + std::max(week - back, 0) * format::kPartitionNanos + i * kSecond,
                    BitsOfInt64(week + i));
      }
      frame.columns.push_back({.tag = tag, .type = ValueType::kInt64, .samples = std::move(samples)});
      model.Apply(frame);
      ASSERT_TRUE(Write(std::move(frame)).ok());
      ASSERT_TRUE(archive_->upkeep().Seal().ok());
    }
    ASSERT_TRUE(archive_->upkeep().Seal(/*settle=*/true).ok());
  }
  ExpectSame(ValueType::kInt64, ReadAll(tag), model.Raw(tag, ValueType::kInt64, 0, kTimestampMax), "settled");
  archive_.reset();
  const absl::StatusOr<Checkpoint> checkpoint = ReadCheckpoint(*kv::OpenMemoryStore(disk_));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_LT(checkpoint->next_seal, 1000);
}

TEST_F(SettleTest, ADamagedHeadInALongPartitionKeepsNoWeekFromBeingSettled) {
  const TagId tags[] = {MakeTag("damaged", ValueType::kInt64), MakeTag("other", ValueType::kInt64)};
  const auto write = [&](int value) {
    for (const TagId tag : tags) {
      Samples samples;
      for (int i = 0; i < 10; ++i) samples.Add(kStart + i * kSecond, BitsOfInt64(value));
      ASSERT_TRUE(WriteColumn(tag, ValueType::kInt64, std::move(samples)).ok());
    }
  };
  write(1);
  ASSERT_TRUE(archive_->upkeep().Seal(/*settle=*/true).ok());
  const std::string prefix = format::HeadPrefix(format::LongPartitionOf(kStart), tags[0]);
  {
    const std::unique_ptr<kv::Cursor> cursor = store_->NewCursor(kv::Space::kHeads);
    cursor->Seek(prefix);
    ASSERT_TRUE(cursor->Valid() && cursor->key().substr(0, prefix.size()) == prefix);
    std::vector<std::unique_ptr<kv::RunBuilder>> runs;
    runs.push_back(*store_->NewRun(kv::Space::kHeads));
    ASSERT_TRUE(runs.back()->Add(cursor->key(), "damaged").ok());
    ASSERT_TRUE(store_->Ingest(std::move(runs)).ok());
  }
  write(2);
  EXPECT_EQ(archive_->upkeep().Seal(/*settle=*/true).status().code(), absl::StatusCode::kDataLoss)
      << "the long partition cannot";
  EXPECT_EQ(archive_->Stats().settles, 3) << "the week again";
  EXPECT_THAT(ReadAll(tags[1]).values, testing::Each(BitsOfInt64(2)));
  const auto damaged = ReadAll({.tag = tags[0], .start = kTimestampMin, .end = kTimestampMax});
  EXPECT_EQ(damaged.status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(SettleTest, AWeekThatCannotBeSettledDoesNotHoldUpItsLongPartition) {
  const TagId damaged = MakeTag("damaged", ValueType::kInt64), tag = MakeTag("t", ValueType::kInt64);
  const int32_t first = format::FirstWeek(format::LongPartitionOf(kStart));
  for (int week = 0; week < 4; ++week) {
    for (const TagId id : {damaged, tag}) {
      Samples samples;
      for (int i = 0; i < 10; ++i) {
        samples.Add(format::PartitionStart(first + week) + i * kSecond, BitsOfInt64(i));
      }
      if (id == tag || week == 0) {
        ASSERT_TRUE(WriteColumn(id, ValueType::kInt64, std::move(samples)).ok());
      }
    }
  }
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  {
    const std::unique_ptr<kv::Cursor> cursor = store_->NewCursor(kv::Space::kHeads);
    cursor->Seek(format::HeadPrefix(first, damaged));
    ASSERT_TRUE(cursor->Valid());
    std::vector<std::unique_ptr<kv::RunBuilder>> runs;
    runs.push_back(*store_->NewRun(kv::Space::kHeads));
    ASSERT_TRUE(runs.back()->Add(cursor->key(), "damaged").ok());
    ASSERT_TRUE(store_->Ingest(std::move(runs)).ok());
  }
  options_.settle_delay = absl::ZeroDuration();
  clock_.Set(format::PartitionStart(first + 4) + 3600 * kSecond);
  Reopen();
  // That of the damaged week, and that of the others.
  while (archive_->StorageOf(tag)->blocks != 2) absl::SleepFor(absl::Milliseconds(10));
  EXPECT_EQ(ReadAll(tag).size(), 40);
}

// Readers see all that was written, at every moment, while weeks and long partitions are settled.
TEST_F(SettleTest, ReadersSeeAllWhileWeeksMoveToLongPartitions) {
  constexpr int kTags = 3, kWeeks = 20;
  const Timestamp start = format::PartitionStart(format::PartitionOf(kStart));
  std::vector<TagId> tags;
  for (int i = 0; i < kTags; ++i) tags.push_back(MakeTag(absl::StrCat("t", i), ValueType::kInt64));
  // Every sample is written again and again, with rising values.
  const auto write = [&](int week, int value) {
    for (const TagId tag : tags) {
      Samples samples;
      for (int i = 0; i < 100; ++i) {
        samples.Add(start + week * format::kPartitionNanos + i * 6000 * kSecond, BitsOfInt64(value));
      }
      ASSERT_TRUE(WriteColumn(tag, ValueType::kInt64, std::move(samples)).ok());
    }
  };
  for (int week = 0; week < kWeeks; ++week) write(week, 1);
  const Version first = archive_->MarkVersion("test", "")->version;
  std::atomic<int> written = 1;
  std::atomic<bool> end = false;
  std::vector<std::thread> readers;
  for (int k = 0; k < 3; ++k) {
    readers.emplace_back([&, k] {
      std::mt19937_64 random(k);
      while (!end && !HasFailure()) {
        const TagId tag = tags[random() % tags.size()];
        const int from = static_cast<int>(random() % kWeeks), to = from + 1 + static_cast<int>(random() % 18);
        const int least = written;
        RawRequest request{.tag = tag,
                           .start = start + from * format::kPartitionNanos,
                           .end = start + to * format::kPartitionNanos,
                           .reverse = random() % 2 == 0};
        const size_t expected = 100 * static_cast<size_t>(std::min(to, kWeeks) - from);
        const bool as_of_first = random() % 3 == 0;
        if (as_of_first) request.as_of = first;
        const absl::StatusOr<Samples> raw = ReadAll(request);
        EXPECT_TRUE(raw.ok()) << raw.status();
        if (!raw.ok()) return;
        EXPECT_EQ(raw->size(), expected);
        for (const ValueBits value : raw->values) {
          if (as_of_first) {
            EXPECT_EQ(value, BitsOfInt64(1));
          } else {
            EXPECT_GE(static_cast<int64_t>(value), least);
          }
        }
        const std::vector<Timestamp> edges = {request.start, request.end};
        const auto folded = Folded(*archive_, tag, edges, Interpolation::kStepped, kAllParts,
                                   as_of_first ? first : kVersionNow);
        EXPECT_TRUE(folded.ok()) << folded.status();
        if (folded.ok()) {
          EXPECT_EQ((*folded)[0].samples.count, expected);
        }
      }
    });
  }
  for (int value = 2; value < 8; ++value) {
    for (int week = 0; week < kWeeks; ++week) {
      write(week, value);
      if (week % 7 == 6) {
        ASSERT_TRUE(archive_->upkeep().Seal(/*settle=*/true).ok());
      }
    }
    written = value;
    ASSERT_TRUE(archive_->upkeep().Seal(/*settle=*/value % 2 == 0).ok());
  }
  end = true;
  for (std::thread& reader : readers) reader.join();
}

// Although samples of the present week come all the time.
TEST_F(SettleTest, WhatWeeksMoveToALongPartitionIsMergedThereBeforeItIsOver) {
  options_.settle_delay = absl::ZeroDuration();
  Reopen();
  const TagId tag = MakeTag("t", ValueType::kInt64);
  const int32_t first = format::FirstWeek(format::LongPartitionOf(kStart));
  Samples all;
  for (int week = 0; week < 5; ++week) {
    const Timestamp start = format::PartitionStart(first + week);
    clock_.Set(start + format::kPartitionNanos / 2);
    Samples samples;
    for (int i = 0; i < 200; ++i) samples.Add(start + i * 600 * kSecond, BitsOfInt64(week * i));
    all.Append(ValueType::kInt64, samples.View());
    ASSERT_TRUE(WriteColumn(tag, ValueType::kInt64, std::move(samples)).ok());
    ASSERT_TRUE(archive_->upkeep().Seal().ok());
  }
  // That of four weeks, and that of the last.
  while (archive_->StorageOf(tag)->blocks != 2) absl::SleepFor(absl::Milliseconds(10));
  ExpectSame(ValueType::kInt64, ReadAll(tag), all, "settled");
}

}  // namespace
}  // namespace historian
