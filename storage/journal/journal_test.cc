#include "storage/journal/journal.h"

#include <random>
#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/kv/faulty_store.h"
#include "storage/kv/memory_store.h"

namespace historian {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Replayed {
  std::vector<std::string> records;
  JournalReplay report;
};

std::unique_ptr<Journal> OpenJournal(kv::Store& store, Replayed* replayed, uint64_t from = 0) {
  *replayed = Replayed();
  absl::StatusOr<std::unique_ptr<Journal>> journal = Journal::Open(
      store, from,
      [&](uint64_t, absl::string_view record) {
        replayed->records.emplace_back(record);
        return absl::OkStatus();
      },
      &replayed->report);
  EXPECT_TRUE(journal.ok()) << journal.status();
  return journal.ok() ? *std::move(journal) : nullptr;
}

absl::StatusOr<uint64_t> AppendAndWait(Journal& journal, std::string record, uint64_t epoch) {
  absl::StatusOr<uint64_t> result = absl::UnknownError("");
  absl::Notification done;
  journal.Append(std::move(record), epoch, [&](absl::StatusOr<uint64_t> position) {
    result = std::move(position);
    done.Notify();
  });
  done.WaitForNotification();
  return result;
}

// Keeps the journal from writing what is queued, until Release.
class Hold {
 public:
  explicit Hold(Journal& journal) {
    journal.AtBoundary([this](uint64_t) {
      held_.Notify();
      release_.WaitForNotification();
    });
    held_.WaitForNotification();
  }
  void Release() { release_.Notify(); }

 private:
  absl::Notification held_, release_;
};

TEST(Journal, GivesBackWhatWasAcknowledgedInOrder) {
  auto disk = std::make_shared<kv::MemoryDisk>();
  Replayed replayed;
  {
    auto store = kv::OpenMemoryStore(disk);
    auto journal = OpenJournal(*store, &replayed);
    for (const char* record : {"a", "bb", "ccc"})
      ASSERT_TRUE(AppendAndWait(*journal, record, journal->epoch()).ok());
  }
  auto store = kv::OpenMemoryStore(disk);
  auto journal = OpenJournal(*store, &replayed);
  EXPECT_THAT(replayed.records, ElementsAre("a", "bb", "ccc"));
  EXPECT_EQ(replayed.report.torn_bytes, 0);
  EXPECT_THAT(replayed.report.damage, IsEmpty());
}

TEST(Journal, RecordsQueuedTogetherShareACommit) {
  auto store = kv::NewMemoryStore();
  Replayed replayed;
  auto journal = OpenJournal(*store, &replayed);
  absl::Notification done;
  Hold hold(*journal);
  std::vector<int> order;
  for (int i = 0; i < 100; ++i) {
    journal->Append(std::string(100, 'x'), journal->epoch(), [&, i](absl::StatusOr<uint64_t> position) {
      ASSERT_TRUE(position.ok());
      order.push_back(i);
      if (i == 99) done.Notify();
    });
  }
  hold.Release();
  done.WaitForNotification();
  EXPECT_LE(journal->commits(), 2);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[i], i);
}

TEST(Journal, ARecordWithABoundaryEndsItsBatch) {
  auto store = kv::NewMemoryStore();
  Replayed replayed;
  auto journal = OpenJournal(*store, &replayed);
  absl::Notification done;
  Hold hold(*journal);
  std::vector<int> order;
  uint64_t boundary = 0;
  std::vector<uint64_t> positions;
  for (int i = 0; i < 10; ++i) {
    const auto noted = [&, i](absl::StatusOr<uint64_t> position) {
      ASSERT_TRUE(position.ok());
      positions.push_back(*position);
      order.push_back(i);
      if (i == 9) done.Notify();
    };
    if (i == 4) {
      journal->Append("mark", journal->epoch(), noted, [&](uint64_t next_position) {
        boundary = next_position;
        order.push_back(100);
      });
    } else {
      journal->Append("record", journal->epoch(), noted);
    }
  }
  hold.Release();
  done.WaitForNotification();
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 3, 4, 100, 5, 6, 7, 8, 9));
  EXPECT_LT(positions[4], boundary);
  EXPECT_EQ(positions[5], boundary) << "what comes behind begins a batch";
  EXPECT_EQ(journal->commits(), 2u);
}

TEST(Journal, TrimDropsWhatASealCovers) {
  auto disk = std::make_shared<kv::MemoryDisk>();
  Replayed replayed;
  uint64_t boundary = 0;
  {
    auto store = kv::OpenMemoryStore(disk);
    auto journal = OpenJournal(*store, &replayed);
    ASSERT_TRUE(AppendAndWait(*journal, "old", journal->epoch()).ok());
    absl::Notification done;
    journal->AtBoundary([&](uint64_t next) {
      boundary = next;
      done.Notify();
    });
    done.WaitForNotification();
    ASSERT_TRUE(AppendAndWait(*journal, "new", journal->epoch()).ok());
    ASSERT_TRUE(journal->Trim(boundary).ok());
  }
  auto store = kv::OpenMemoryStore(disk);
  auto journal = OpenJournal(*store, &replayed, boundary);
  EXPECT_THAT(replayed.records, ElementsAre("new"));
}

TEST(Journal, AFailureEndsTheEpochSoThatNoHoleIsLeft) {
  auto disk = std::make_shared<kv::MemoryDisk>();
  auto faults = std::make_shared<kv::Faults>();
  auto store = kv::NewFaultyStore(kv::OpenMemoryStore(disk), faults);
  Replayed replayed;
  auto journal = OpenJournal(*store, &replayed);
  const uint64_t epoch = journal->epoch();
  ASSERT_TRUE(AppendAndWait(*journal, "first", epoch).ok());
  faults->SetFull(true);
  EXPECT_EQ(AppendAndWait(*journal, "lost", epoch).status().code(), absl::StatusCode::kResourceExhausted);
  faults->SetFull(false);
  EXPECT_EQ(AppendAndWait(*journal, "behind the hole", epoch).status().code(), absl::StatusCode::kAborted);
  ASSERT_TRUE(AppendAndWait(*journal, "again", journal->epoch()).ok());
  journal.reset();
  store.reset();
  auto again = kv::OpenMemoryStore(disk);
  journal = OpenJournal(*again, &replayed);
  EXPECT_THAT(replayed.records, ElementsAre("first", "again"));
}

// Cuts the log of one acknowledged and one unacknowledged batch at every byte of the second.
TEST(Journal, ATornLastBatchIsDroppedWholeAtEveryCut) {
  auto whole = std::make_shared<kv::MemoryDisk>();
  Replayed replayed;
  uint64_t first_end = 0;
  std::string bytes;
  {
    auto store = kv::OpenMemoryStore(whole);
    {
      auto journal = OpenJournal(*store, &replayed);
      ASSERT_TRUE(AppendAndWait(*journal, "kept", journal->epoch()).ok());
      first_end = journal->size_bytes();
      ASSERT_TRUE(AppendAndWait(*journal, "torn record", journal->epoch()).ok());
    }
    auto log = store->OpenLog("journal");
    ASSERT_TRUE(log.ok());
    bytes = *(*log)->Read(0, (*log)->end());
  }
  for (size_t cut = first_end; cut < bytes.size(); ++cut) {
    auto store = kv::NewMemoryStore();
    {
      auto log = store->OpenLog("journal");
      ASSERT_TRUE((*log)->Append(bytes.substr(0, cut)).ok());
      ASSERT_TRUE((*log)->Append(std::string(100, '\0')).ok());  // A segment preallocated ahead.
      ASSERT_TRUE((*log)->Sync().ok());
    }
    auto journal = OpenJournal(*store, &replayed);
    EXPECT_THAT(replayed.records, ElementsAre("kept")) << "cut at " << cut;
    EXPECT_THAT(replayed.report.damage, IsEmpty());
    ASSERT_TRUE(AppendAndWait(*journal, "next", journal->epoch()).ok());
  }
}

TEST(Journal, DamageInsideIsReportedAndWhatIsBehindItSurvives) {
  std::string bytes;
  uint64_t second = 0, third = 0;
  Replayed replayed;
  {
    auto store = kv::NewMemoryStore();
    {
      auto journal = OpenJournal(*store, &replayed);
      ASSERT_TRUE(AppendAndWait(*journal, "one", journal->epoch()).ok());
      second = journal->size_bytes();
      ASSERT_TRUE(AppendAndWait(*journal, "two", journal->epoch()).ok());
      third = journal->size_bytes();
      ASSERT_TRUE(AppendAndWait(*journal, "three", journal->epoch()).ok());
    }
    auto log = store->OpenLog("journal");
    bytes = *(*log)->Read(0, (*log)->end());
  }
  for (size_t at = second; at < third; ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    auto store = kv::NewMemoryStore();
    {
      auto log = store->OpenLog("journal");
      ASSERT_TRUE((*log)->Append(damaged).ok());
      ASSERT_TRUE((*log)->Sync().ok());
    }
    auto journal = OpenJournal(*store, &replayed);
    EXPECT_THAT(replayed.records, ElementsAre("one", "three")) << "byte " << at;
    ASSERT_EQ(replayed.report.damage.size(), 1);
    EXPECT_EQ(replayed.report.damage[0].from, second);
    EXPECT_EQ(replayed.report.damage[0].to, third);
  }
}

}  // namespace
}  // namespace historian
