// Holds the journal to the worked example of its page.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/format/worked_examples.h"
#include "storage/journal/journal.h"
#include "storage/kv/memory_store.h"

namespace historian {
namespace {

constexpr char kDirectory[] = "storage/journal/";

std::string Example() {
  const absl::StatusOr<std::map<std::string, std::string>> examples =
      format::ReadWorkedExamples(std::string(kDirectory) + "journal.md");
  EXPECT_TRUE(examples.ok()) << examples.status();
  if (!examples.ok()) return "";
  EXPECT_THAT(*examples, testing::ElementsAre(testing::Pair("example", testing::_)));
  return examples->count("example") == 0 ? "" : examples->at("example");
}

std::unique_ptr<Journal> OpenJournal(kv::Store& store, std::vector<std::string>* records) {
  JournalReplay report;
  absl::StatusOr<std::unique_ptr<Journal>> journal = Journal::Open(
      store, 0,
      [&](uint64_t, absl::string_view record) {
        records->emplace_back(record);
        return absl::OkStatus();
      },
      &report);
  EXPECT_TRUE(journal.ok()) << journal.status();
  EXPECT_EQ(report.torn_bytes, 0);
  EXPECT_THAT(report.damage, testing::IsEmpty());
  return journal.ok() ? *std::move(journal) : nullptr;
}

TEST(JournalPage, EveryPageHereIsChecked) {
  EXPECT_THAT(format::SpecificationsIn(kDirectory), testing::ElementsAre("journal.md"));
}

TEST(JournalPage, TheExampleIsWhatIsWritten) {
  const auto store = kv::NewMemoryStore();
  std::vector<std::string> records;
  {
    const std::unique_ptr<Journal> journal = OpenJournal(*store, &records);
    ASSERT_NE(journal, nullptr);
    // Both are queued while the journal's thread is held, so that they share a batch.
    absl::Notification held, hold;
    journal->AtBoundary([&](uint64_t) {
      held.Notify();
      hold.WaitForNotification();
    });
    held.WaitForNotification();
    for (const char* record : {"ab", "c"}) {
      journal->Append(record, journal->epoch(),
                      [](const absl::StatusOr<uint64_t>& position) { EXPECT_TRUE(position.ok()); });
    }
    hold.Notify();
  }
  const auto log = store->OpenLog("journal");
  ASSERT_TRUE(log.ok()) << log.status();
  const absl::StatusOr<std::string> bytes = (*log)->Read(0, (*log)->end());
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  EXPECT_EQ(absl::BytesToHexString(*bytes), absl::BytesToHexString(Example()));
}

TEST(JournalPage, TheExampleIsRead) {
  const auto store = kv::NewMemoryStore();
  {
    const auto log = store->OpenLog("journal");
    ASSERT_TRUE(log.ok()) << log.status();
    ASSERT_TRUE((*log)->Append(Example()).ok());
    ASSERT_TRUE((*log)->Sync().ok());
  }
  std::vector<std::string> records;
  ASSERT_NE(OpenJournal(*store, &records), nullptr);
  EXPECT_THAT(records, testing::ElementsAre("ab", "c"));
}

}  // namespace
}  // namespace historian
