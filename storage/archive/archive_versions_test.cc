// What closing versions promises: numbers and times that only rise, durable when they are told of, through power cuts,
// full disks and clocks that are set back.
#include <string>
#include <vector>

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
