// What closing versions promises: numbers and times that only rise, durable when they are told of, through power cuts,
// full disks and clocks that are set back; and that definitions as of a closed version never change.
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/archive/archive_fixture.h"

namespace historian {
namespace {

class VersionsTest : public ArchiveTest {
 protected:
  VersionsTest() : tag_(MakeTag("t", ValueType::kFloat64)) {}

  void WriteOne() {
    Samples samples;
    ++written_;
    samples.Add(kStart + written_ * kSecond, BitsOfFloat64(static_cast<double>(written_)));
    ASSERT_TRUE(WriteColumn(tag_, ValueType::kFloat64, samples).ok());
  }
  // The newest first.
  std::vector<ClosedVersion> Listed() {
    const auto listed = archive_->versions().List(INT64_MIN, INT64_MAX, UINT64_MAX, 1000);
    EXPECT_TRUE(listed.ok()) << listed.status();
    return listed.ok() ? *listed : std::vector<ClosedVersion>();
  }
  std::vector<VersionCause> Causes() {
    std::vector<VersionCause> causes;
    for (const ClosedVersion& closed : Listed()) causes.push_back(closed.cause);
    return causes;
  }

  const TagId tag_;
  int written_ = 0;
};

using testing::ElementsAre;
using testing::IsEmpty;

TEST_F(VersionsTest, AMarkClosesTheOpenVersion) {
  EXPECT_EQ(archive_->versions().open(), 1);
  WriteOne();
  const ClosedVersion first = archive_->MarkVersion("ada", "batch 12").value();
  EXPECT_EQ(first.version, 1);
  EXPECT_EQ(first.time, clock_.Now());
  EXPECT_EQ(first.cause, VersionCause::kMark);
  EXPECT_EQ(archive_->versions().open(), 2);
  EXPECT_EQ(archive_->MarkVersion("", "").value().version, 2) << "a mark closes one even if nothing arrived";
  EXPECT_EQ(Listed().back(), first);
}

TEST_F(VersionsTest, VersionsOfTheTzDatabaseAreKeptFromWhenOnTheyWereUsed) {
  EXPECT_THAT(archive_->Stats().tz_uses, testing::IsEmpty());
  std::vector<TzUse> uses;
  for (const char* const tz_version : {"2025b", "2025b", "2026a", "2025b"}) {
    options_.tz_version = tz_version;
    Reopen();
    if (uses.empty() || uses.back().tz_version != tz_version) {
      uses.push_back({tz_version, archive_->versions().open(), clock_.Now()});
    }
    EXPECT_EQ(archive_->Stats().tz_uses, uses);
    ASSERT_TRUE(archive_->MarkVersion("ann", "").ok());
    clock_.Advance(kSecond);
  }
  for (int i = 0; i < 120; ++i) {
    options_.tz_version = std::to_string(i);
    Reopen();
  }
  ASSERT_EQ(archive_->Stats().tz_uses.size(), 100u);
  EXPECT_EQ(archive_->Stats().tz_uses.back().tz_version, "119");
  options_.tz_version.clear();
  Reopen();
  EXPECT_EQ(archive_->Stats().tz_uses.size(), 100u);
}

TEST_F(VersionsTest, ASealClosesOneIfSomethingArrived) {
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  EXPECT_THAT(Causes(), IsEmpty());
  WriteOne();
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  EXPECT_THAT(Causes(), ElementsAre(VersionCause::kSeal));
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  EXPECT_THAT(Causes(), ElementsAre(VersionCause::kSeal));
}

TEST_F(VersionsTest, OneClosesByItselfSomeTimeAfterSomethingArrived) {
  options_.version_period = absl::Milliseconds(1);
  Reopen();
  WriteOne();
  while (archive_->versions().open() == 1) absl::SleepFor(absl::Milliseconds(5));
  EXPECT_EQ(Causes().back(), VersionCause::kPeriod);
}

TEST_F(VersionsTest, WhatWasToldOfIsThereAfterAPowerCut) {
  WriteOne();
  const ClosedVersion in_journal = archive_->MarkVersion("ada", "in the journal").value();
  WriteOne();
  faults_->Crash();
  Reopen();
  EXPECT_THAT(Listed(), ElementsAre(in_journal));
  EXPECT_EQ(archive_->versions().open(), 2);
  // What arrived behind the mark is open still: a seal closes it.
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  EXPECT_THAT(Causes(), ElementsAre(VersionCause::kSeal, VersionCause::kMark));
  const std::vector<ClosedVersion> sealed = Listed();
  faults_->Crash();
  Reopen();
  EXPECT_EQ(Listed(), sealed);
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  EXPECT_EQ(Listed(), sealed) << "nothing has arrived since";
  EXPECT_EQ(ReadAll(tag_).size(), 2);
}

TEST_F(VersionsTest, ClosingUnderLoadLosesNothing) {
  for (int round = 0; round < 50; ++round) {
    WriteOne();
    if (round % 3 == 0) {
      ASSERT_TRUE(archive_->MarkVersion("", std::to_string(round)).ok());
    }
    if (round % 11 == 0) {
      ASSERT_TRUE(archive_->upkeep().Seal().ok());
    }
    if (round % 17 == 0) {
      const std::vector<ClosedVersion> before = Listed();
      Reopen();
      EXPECT_EQ(Listed(), before);
    }
  }
  const std::vector<ClosedVersion> listed = Listed();
  for (size_t i = 1; i < listed.size(); ++i) {
    EXPECT_EQ(listed[i - 1].version, listed[i].version + 1);
    EXPECT_GE(listed[i - 1].journal_position, listed[i].journal_position);
  }
  EXPECT_EQ(ReadAll(tag_).size(), 50);
}

TEST_F(VersionsTest, MarksAloneDoNotLetTheJournalGrow) {
  options_.journal_bytes_max = uint64_t{64} << 10;
  Reopen();
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(archive_->MarkVersion("", std::string(kVersionCommentBytesMax, 'a')).ok());
  }
  while (archive_->Stats().journal_bytes > options_.journal_bytes_max) absl::SleepFor(absl::Milliseconds(10));
  Reopen();
  EXPECT_EQ(Listed().size(), 100);
}

TEST_F(VersionsTest, AClockThatIsSetBackRepeatsTheTime) {
  const Timestamp before = clock_.Now();
  ASSERT_TRUE(archive_->MarkVersion("", "").ok());
  clock_.Set(before - 3600 * kSecond);
  const ClosedVersion closed = archive_->MarkVersion("", "").value();
  EXPECT_EQ(closed.time, before);
  EXPECT_EQ(closed.clock, before - 3600 * kSecond);
}

TEST_F(VersionsTest, WhatCannotBeWrittenIsNotClosed) {
  WriteOne();
  faults_->SetFull(true);
  EXPECT_EQ(archive_->MarkVersion("", "").status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(archive_->versions().open(), 1);
  faults_->SetFull(false);
  while (!archive_->MarkVersion("", "").ok()) absl::SleepFor(absl::Milliseconds(10));
  EXPECT_EQ(archive_->versions().open(), 2);
}

TEST_F(VersionsTest, DefinitionsAsOfAMarkAreAsTheyWereThroughPowerCutsAndRestarts) {
  const TagId valve = MakeTag("valve", ValueType::kDigital);
  std::map<Version, std::string> state_as_of;
  std::map<Version, size_t> rules_as_of;
  const auto check = [&] {
    for (const auto& [version, state] : state_as_of) {
      const auto tag = archive_->tags().FindAsOf(valve, version);
      ASSERT_TRUE(tag.ok()) << tag.status();
      EXPECT_EQ((*tag)->states.at(1), state) << "as of " << version;
      EXPECT_EQ(archive_->retention().RulesAsOf(version)->size(), rules_as_of[version]) << version;
      EXPECT_EQ(archive_->retention().HoldsAsOf(version)->size(), rules_as_of[version]) << version;
    }
  };
  for (int round = 0; round < 20; ++round) {
    SCOPED_TRACE(testing::Message() << "round " << round);
    const std::string name = "state " + std::to_string(round);
    ASSERT_TRUE(archive_->tags().Update(valve, {.set_states = {{1, "replaced in the same version"}}}).ok());
    ASSERT_TRUE(archive_->tags().Update(valve, {.set_states = {{1, name}}}).ok());
    ASSERT_TRUE(archive_->retention().SetRule({.name = name, .pattern = "none"}).ok());
    ASSERT_TRUE(
        archive_->retention()
            .PlaceHold(
                {.name = name, .pattern = "none", .start = 0, .end = 1, .reason = "r", .placed_by = "p"})
            .ok());
    WriteOne();
    if (round % 5 == 1) faults_->Crash();
    if (round % 5 == 1 || round % 5 == 3) Reopen();
    const Version marked = archive_->MarkVersion("", name).value().version;
    state_as_of[marked] = name;
    rules_as_of[marked] = round + 1;
    check();
    if (round % 4 == 0) {
      ASSERT_TRUE(archive_->upkeep().Seal().ok());
    }
    if (round % 5 == 2) faults_->Crash();
    if (round % 5 == 2 || round % 5 == 4) Reopen();
    check();
  }
}

TEST_F(VersionsTest, DefinitionsAsOfAMarkNeverChangeWhileTheyAreChangedAndVersionsMarked) {
  constexpr int kTags = 3, kMarks = 100, kChangesPerMark = 6;
  std::vector<TagId> tags;
  for (int i = 0; i < kTags; ++i) {
    tags.push_back(MakeTag("changing/" + std::to_string(i), ValueType::kFloat64));
  }
  // Every change counts on.
  const auto count_of = [](const Tag& tag) { return tag.unit.empty() ? 0 : std::stoi(tag.unit); };
  const auto count_now = [&](TagId tag) { return count_of(*archive_->tags().Find(tag)); };
  // With each mark come some changes of each definition, and it comes after ever more of them have begun.
  constexpr int kAllChangesPerMark = (kTags + 1) * kChangesPerMark + 1;
  absl::Mutex mu;
  int marks_begun = 0, changes_begun = 0;
  const auto change = [&](int changes_per_mark, const std::function<void(int count)>& change_to) {
    for (int count = 1; count <= kMarks * changes_per_mark; ++count) {
      {
        const auto may = [&] { return count <= marks_begun * changes_per_mark; };
        absl::MutexLock lock(&mu, absl::Condition(&may));
        ++changes_begun;
      }
      change_to(count);
    }
  };
  std::vector<std::thread> changers;
  for (const TagId tag : tags) {
    changers.emplace_back(change, kChangesPerMark, [&, tag](int count) {
      EXPECT_TRUE(archive_->tags().Update(tag, {.unit = std::to_string(count)}).ok());
    });
  }
  changers.emplace_back(change, kChangesPerMark, [&](int count) {
    EXPECT_TRUE(archive_->retention().SetRule({.name = "r", .pattern = std::to_string(count)}).ok());
  });
  changers.emplace_back(change, 1,
                        [&](int count) { MakeTag("new/" + std::to_string(count), ValueType::kFloat64); });

  // The counts of `tags`, then that of the rule (-1: there is none), then how many tags had been created.
  const auto look = [&](Version version) {
    std::vector<int> seen;
    for (const TagId tag : tags) seen.push_back(count_of(**archive_->tags().FindAsOf(tag, version)));
    const std::vector<RetentionRule> rules = archive_->retention().RulesAsOf(version).value();
    seen.push_back(rules.empty() ? -1 : std::stoi(rules[0].pattern));
    TagId created = 0;
    while (*archive_->tags().FindAsOf(created + 1, version) != nullptr) ++created;
    seen.push_back(static_cast<int>(created));
    return seen;
  };
  std::map<Version, std::vector<int>> seen_as_of;
  for (int mark = 0; mark < kMarks; ++mark) {
    std::vector<int> before;
    for (const TagId tag : tags) before.push_back(count_now(tag));
    {
      const int begun = mark * kAllChangesPerMark + mark % kAllChangesPerMark;
      const auto enough_begun = [&] { return changes_begun >= begun; };
      absl::MutexLock lock(&mu);
      ++marks_begun;
      mu.Await(absl::Condition(&enough_begun));
    }
    const Version version = archive_->MarkVersion("", "").value().version;
    const std::vector<int> seen = look(version);
    for (int i = 0; i < kTags; ++i) {
      EXPECT_GE(seen[i], before[i]) << "what was changed before the mark is in it";
      EXPECT_LE(seen[i], count_now(tags[i]));
    }
    seen_as_of[version] = seen;
    const auto earlier = std::next(seen_as_of.begin(), mark / 2);
    EXPECT_EQ(look(earlier->first), earlier->second) << "as of " << earlier->first;
  }
  for (std::thread& changer : changers) changer.join();
  for (int i = 0; i < 3; ++i) {
    for (const auto& [version, seen] : seen_as_of) EXPECT_EQ(look(version), seen) << "as of " << version;
    if (i == 0) faults_->Crash();
    Reopen();
  }
}

TEST_F(VersionsTest, AClosingWaitsForAChangeAndAChangeForAClosing) {
  // Long enough to be noticed where nobody waits.
  constexpr absl::Duration kAWhile = absl::Milliseconds(50);
  absl::Notification done;
  std::thread waiting;
  {
    absl::ReaderMutexLock changing(&archive_->versions().closing_mu());
    waiting = std::thread([&] {
      EXPECT_TRUE(archive_->MarkVersion("", "").ok());
      done.Notify();
    });
    EXPECT_FALSE(done.WaitForNotificationWithTimeout(kAWhile));
  }
  waiting.join();
  absl::Notification changed;
  {
    absl::WriterMutexLock closing(&archive_->versions().closing_mu());
    waiting = std::thread([&] {
      EXPECT_TRUE(archive_->tags().Update(tag_, {.unit = "bar"}).ok());
      EXPECT_TRUE(archive_->retention().SetRule({.name = "r", .pattern = "none"}).ok());
      changed.Notify();
    });
    EXPECT_FALSE(changed.WaitForNotificationWithTimeout(kAWhile));
  }
  waiting.join();
}

TEST_F(VersionsTest, AFullDiskHoldsUpNeitherChangesNorClosing) {
  faults_->SetFull(true);
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(archive_->tags().Update(tag_, {.unit = "bar"}).ok());
    EXPECT_FALSE(archive_->MarkVersion("", "").ok());
  }
  faults_->SetFull(false);
  ASSERT_TRUE(archive_->tags().Update(tag_, {.unit = "bar"}).ok());
  while (!archive_->MarkVersion("", "").ok()) absl::SleepFor(absl::Milliseconds(10));
  EXPECT_EQ((*archive_->tags().FindAsOf(tag_, 1))->unit, "bar");
}

TEST_F(VersionsTest, TextsThatAreTooLongAreRefused) {
  EXPECT_EQ(archive_->MarkVersion(std::string(kVersionAuthorBytesMax + 1, 'a'), "").status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(archive_->MarkVersion("", std::string(kVersionCommentBytesMax + 1, 'a')).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(archive_->MarkVersion("\xff", "").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(archive_->versions().open(), 1);
}

}  // namespace
}  // namespace historian
