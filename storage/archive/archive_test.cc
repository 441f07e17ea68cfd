// What an archive promises: durable once acknowledged, each sample once, answers that equal the fold over the
// raw samples whatever is sealed, open or late, and precise refusals.
#include "storage/archive/archive.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <random>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/record/v1/records.pb.h"
#include "storage/aggregate/aggregates.h"
#include "storage/aggregate/at_time.h"
#include "storage/aggregate/direct_aggregates.h"
#include "storage/aggregate/direct_interval.h"
#include "storage/archive/archive_fixture.h"
#include "storage/archive/archive_model.h"
#include "storage/archive/folded.h"
#include "storage/format/archive_format.h"
#include "storage/format/record_keys.h"

namespace historian {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Samples Reversed(ValueType type, const Samples& samples) {
  Samples reversed;
  for (size_t i = samples.size(); i-- > 0;) reversed.Append(type, samples.View(), i, 1);
  return reversed;
}

ValueBits RandomValue(std::mt19937_64& random, ValueType type) {
  switch (type) {
    case ValueType::kFloat64:
      switch (random() % 12) {
        case 0:
          return BitsOfFloat64(-0.0);
        case 1:
          return BitsOfFloat64(std::numeric_limits<double>::infinity());
        case 2:
          return 0x7FF8000000000000 | (random() & 0xFFFF);  // NaN with a payload.
        case 3:
          return random();
        default:
          return BitsOfFloat64(static_cast<double>(random() % 10000) / 100);
      }
    case ValueType::kFloat32:
      return BitsOfFloat32(static_cast<float>(random() % 1000) * 0.1f);
    case ValueType::kInt64:
      return random() % 10 == 0 ? BitsOfInt64(std::numeric_limits<int64_t>::min()) : random() % 1000;
    case ValueType::kBool:
      return random() % 2;
    case ValueType::kDigital:
      return random() % 5;
    case ValueType::kString:
      return 0;
  }
  return 0;
}

Quality RandomQuality(std::mt19937_64& random) {
  switch (random() % 40) {
    case 0:
      return 0x80310000;
    case 1:
      return kUncertainDataSubNormal;
    default:
      return kGood;
  }
}

TEST_F(ArchiveTest, HostileValuesComeBackBitForBit) {
  const double nan_with_payload = Float64OfBits(0x7FF80000DEADBEEF);
  Samples floats, ints, strings;
  const double doubles[] = {0.0,
                            -0.0,
                            nan_with_payload,
                            std::numeric_limits<double>::infinity(),
                            -std::numeric_limits<double>::infinity(),
                            std::numeric_limits<double>::denorm_min(),
                            std::numeric_limits<double>::max(),
                            0.1,
                            1.2345678901234567,
                            94.79799999999999};
  Timestamp t = kTimestampMin;
  for (double v : doubles) {
    t += 3;
    floats.Add(t, BitsOfFloat64(v), t % 2 == 0 ? kGood : Quality{0x80310000});
  }
  ints.Add(kTimestampMin, BitsOfInt64(std::numeric_limits<int64_t>::min()));
  ints.Add(0, 0);
  ints.Add(clock_.Now(), BitsOfInt64(std::numeric_limits<int64_t>::max()));
  strings.AddString(1, "");
  strings.AddString(2, std::string(kStringBytesMax, 'x'));
  strings.AddString(3, std::string("\0\xff", 2), kUncertain);
  const TagId f = MakeTag("f", ValueType::kFloat64), i = MakeTag("i", ValueType::kInt64),
              s = MakeTag("s", ValueType::kString);
  ASSERT_EQ(WriteColumn(f, ValueType::kFloat64, floats)->stored, floats.size());
  ASSERT_EQ(WriteColumn(i, ValueType::kInt64, ints)->stored, ints.size());
  ASSERT_EQ(WriteColumn(s, ValueType::kString, strings)->stored, strings.size());
  for (const char* state : {"open", "sealed", "reopened"}) {
    ExpectSame(ValueType::kFloat64, ReadAll(f), floats, state);
    ExpectSame(ValueType::kInt64, ReadAll(i), ints, state);
    ExpectSame(ValueType::kString, ReadAll(s), strings, state);
    if (state == std::string("open")) {
      ASSERT_TRUE(archive_->upkeep().Seal().ok());
    } else {
      Reopen();
    }
  }
}

TEST_F(ArchiveTest, ALaterStatementWinsAndTheFirstIsKept) {
  const TagId tag = MakeTag("t", ValueType::kInt64);
  for (const bool seal_between : {false, true}) {
    const Timestamp t = seal_between ? kStart + kSecond : kStart;
    for (const int64_t value : {1, 2, 2, 1}) {
      Samples samples;
      samples.Add(t, BitsOfInt64(value));
      ASSERT_TRUE(WriteColumn(tag, ValueType::kInt64, samples).ok());
      if (seal_between) {
        ASSERT_TRUE(archive_->upkeep().Seal().ok());
      }
      const Samples read = *ReadAll({.tag = tag, .start = t, .end = t + 1});
      ASSERT_THAT(read.values, testing::ElementsAre(BitsOfInt64(value)));
      EXPECT_EQ((*archive_->ReadLatest({&tag, 1}))[0]->sample.value, BitsOfInt64(value));
    }
  }
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  EXPECT_GE(archive_->StorageOf(tag)->samples,
            6);  // 1, 2, 1 at both times; what repeats its predecessor may be dropped.
  EXPECT_THAT(ReadAll(tag).times, SizeIs(2));
}

TEST_F(ArchiveTest, RejectsSampleBySampleAndStoresTheRest) {
  const TagId tag = MakeTag("t", ValueType::kFloat64), retired = MakeTag("r", ValueType::kFloat64);
  ASSERT_TRUE(archive_->tags().SetRetired(retired, true).ok());
  Frame frame;
  FrameColumn column{.tag = tag, .type = ValueType::kFloat64, .index = 7};
  column.samples.Add(kStart, BitsOfFloat64(1));
  column.samples.Add(kStart, BitsOfFloat64(2));                             // Not after the one before.
  column.samples.Add(kStart - 1, BitsOfFloat64(3));                         // Likewise.
  column.samples.Add(kStart + 1, BitsOfFloat64(4), 0xC0000000);             // Unknown quality.
  column.samples.Add(clock_.Now() + 2 * 3600 * kSecond, BitsOfFloat64(5));  // Future.
  column.samples.Add(kStart + 2, BitsOfFloat64(6));
  frame.columns.push_back(column);
  FrameColumn other{.tag = 999, .type = ValueType::kFloat64, .index = 8};
  other.samples.Add(kStart, 0);
  frame.columns.push_back(other);
  other.tag = retired;
  other.index = 9;
  frame.columns.push_back(other);
  other.tag = tag;
  other.type = ValueType::kInt64;
  other.index = 10;
  frame.columns.push_back(other);
  FrameSnapshot snapshot{
      .time = kStart + 5, .type = ValueType::kFloat64, .tags = {tag, tag, 999}, .values = {1, 2, 3}};
  frame.snapshots.push_back(snapshot);
  const absl::StatusOr<WriteResult> result = Write(frame);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->stored, 3);
  EXPECT_EQ(result->rejected, 4 + 1 + 1 + 1 + 2);
  std::vector<std::pair<uint32_t, RejectionReason>> reasons;
  for (const Rejection& r : result->rejections) reasons.emplace_back(r.index, r.reason);
  using R = RejectionReason;
  EXPECT_THAT(reasons,
              testing::ElementsAre(std::pair(7u, R::kTimeNotAscending), std::pair(7u, R::kUnknownQuality),
                                   std::pair(7u, R::kTimeOutOfRange), std::pair(8u, R::kUnknownTag),
                                   std::pair(9u, R::kRetiredTag), std::pair(10u, R::kWrongType),
                                   std::pair(0u, R::kUnknownTag), std::pair(0u, R::kTimeNotAscending)));
  EXPECT_EQ(result->rejections[0].first, 1);
  EXPECT_EQ(result->rejections[0].count, 2);
  EXPECT_THAT(ReadAll(tag).times, testing::ElementsAre(kStart, kStart + 2, kStart + 5));
}

TEST_F(ArchiveTest, ARepeatedFrameStoresNothing) {
  const TagId tag = MakeTag("t", ValueType::kFloat64);
  Frame frame{.sequence = 5};
  frame.columns.push_back({.tag = tag, .type = ValueType::kFloat64});
  frame.columns[0].samples.Add(kStart, BitsOfFloat64(1));
  ASSERT_FALSE(Write(frame)->repeated);
  EXPECT_EQ(Write(frame).status().code(), absl::StatusCode::kInvalidArgument) << "on the same handle";
  for (const bool reopen : {false, true}) {
    if (reopen) {
      Reopen();
    } else {
      producer_ = *archive_->OpenProducer("test");
    }
    const absl::StatusOr<WriteResult> result = Write(frame);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_TRUE(result->repeated);
    EXPECT_THAT(ReadAll(tag).values, testing::ElementsAre(BitsOfFloat64(1)));
  }
}

TEST_F(ArchiveTest, AnotherFrameWithAStoredNumberIsToldSo) {
  const TagId tag = MakeTag("t", ValueType::kInt64);
  const auto frame = [&](uint64_t sequence, int64_t value) {
    Frame made;
    made.sequence = sequence;
    FrameColumn& column = made.columns.emplace_back();
    column.tag = tag;
    column.type = ValueType::kInt64;
    column.samples.Add(kStart + static_cast<Timestamp>(sequence) * kSecond, BitsOfInt64(value));
    // Of a tag that there is not: refused, and yet a part of what the frame said.
    FrameColumn& unknown = made.columns.emplace_back(column);
    unknown.tag = tag + 100;
    return made;
  };
  constexpr uint64_t kRecentFrames = 32;  // As proto/historian/v1/ingest.proto says.
  constexpr uint64_t kFrames = 2 * kRecentFrames;
  for (uint64_t i = 1; i <= kFrames; ++i) ASSERT_TRUE(Write(frame(i, 1)).ok());
  // From memory, from the journal, from what a seal wrote down.
  for (int round = 0; round < 3; ++round) {
    if (round == 2) {
      ASSERT_TRUE(archive_->upkeep().Seal().ok());
    }
    if (round > 0) Reopen();
    const uint64_t unchecked = archive_->Stats().frames_unchecked,
                   conflicting = archive_->Stats().frames_conflicting;
    for (uint64_t i = 1; i <= kFrames; ++i) {
      producer_ = *archive_->OpenProducer("test");
      const absl::StatusOr<WriteResult> again = Write(frame(i, 1));
      ASSERT_TRUE(again.ok()) << again.status();
      EXPECT_TRUE(again->repeated);
      producer_ = *archive_->OpenProducer("test");
      const absl::StatusOr<WriteResult> other = Write(frame(i, 2));
      if (i <= kFrames - kRecentFrames) {
        EXPECT_TRUE(other.ok()) << "it is not known any more";
      } else {
        EXPECT_EQ(other.status().code(), absl::StatusCode::kAlreadyExists)
            << "round " << round << " frame " << i;
      }
    }
    EXPECT_EQ(archive_->Stats().frames_conflicting - conflicting, kRecentFrames);
    EXPECT_EQ(archive_->Stats().frames_unchecked - unchecked, 2 * (kFrames - kRecentFrames));
  }
  EXPECT_EQ(ReadAll(tag).size(), kFrames);
}

TEST_F(ArchiveTest, ANumberThatJumpsAbsurdlyIsRefused) {
  const TagId tag = MakeTag("t", ValueType::kInt64);
  const auto write = [&](uint64_t sequence) {
    Frame frame;
    frame.sequence = sequence;
    FrameColumn& column = frame.columns.emplace_back();
    column.tag = tag;
    column.type = ValueType::kInt64;
    column.samples.Add(kStart, BitsOfInt64(1));
    return Write(std::move(frame)).status();
  };
  constexpr uint64_t kJump = uint64_t{1} << 40;
  for (const uint64_t sequence : {UINT64_MAX, uint64_t{1} << 63, kJump + 1}) {
    const absl::Status refused = write(sequence);
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(refused.message()), testing::HasSubstr(absl::StrCat("frame ", sequence)));
    EXPECT_THAT(std::string(refused.message()), testing::HasSubstr("above frame 0"));
    EXPECT_THAT(std::string(refused.message()), testing::HasSubstr("histctl producer reset 'test'"));
  }
  EXPECT_TRUE(write(kJump).ok());
  EXPECT_EQ(write(2 * kJump + 1).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(write(2 * kJump).ok());
  Reopen();
  EXPECT_EQ(write(3 * kJump + 1).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(write(2 * kJump + 1).ok());
}

TEST_F(ArchiveTest, AProducerThatIsResetBeginsAnew) {
  const TagId tag = MakeTag("t", ValueType::kInt64);
  const auto write = [&](uint64_t sequence, Timestamp time) {
    Frame frame;
    frame.sequence = sequence;
    FrameColumn& column = frame.columns.emplace_back();
    column.tag = tag;
    column.type = ValueType::kInt64;
    column.samples.Add(time, BitsOfInt64(1));
    return Write(std::move(frame)).status();
  };
  ASSERT_TRUE(write(1000, kStart).ok());
  EXPECT_EQ(archive_->FindProducer("test")->sequence, 1000u);
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  EXPECT_EQ(*archive_->ResetProducer("test"), 1000u);
  EXPECT_EQ(write(1001, kStart + 1).code(), absl::StatusCode::kAborted) << "its handle is fenced off";
  // The journal knows it, and then what the next seal writes down.
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(archive_->DurableSequence("test"), 0u) << round;
    EXPECT_EQ(archive_->FindProducer("test"), std::nullopt) << round;
    EXPECT_TRUE(archive_->ListProducers("", 10).empty()) << round;
    if (round == 1) {
      ASSERT_TRUE(archive_->upkeep().Seal().ok());
    }
    Reopen();
  }
  ASSERT_TRUE(write(1, kStart + 2).ok());
  EXPECT_EQ(archive_->DurableSequence("test"), 1u);
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  Reopen();
  EXPECT_EQ(archive_->DurableSequence("test"), 1u);
  EXPECT_EQ(ReadAll(tag).size(), 2u) << "what it stored stays";
}

// A server whose clock was ahead took samples of then: they do not hide what comes now.
TEST_F(ArchiveTest, WhatLiesAheadOfTheClockDoesNotHideTheNewestOfNow) {
  const Timestamp now = clock_.Now();
  std::vector<TagId> tags;
  for (int i = 0; i < 5; ++i) tags.push_back(MakeTag(absl::StrCat("t", i), ValueType::kInt64));
  const TagId texts = MakeTag("texts", ValueType::kString);
  tags.push_back(texts);
  const auto write = [&](TagId tag, std::vector<Timestamp> times) {
    Samples samples;
    for (const Timestamp t : times) {
      if (tag == texts) {
        samples.AddString(t, absl::StrCat(t - now));
      } else {
        samples.Add(t, BitsOfInt64(t - now));
      }
    }
    const ValueType type = tag == texts ? ValueType::kString : ValueType::kInt64;
    ASSERT_EQ(WriteColumn(tag, type, samples)->stored, times.size());
  };
  constexpr Timestamp kDay = 86400 * kSecond;
  clock_.Advance(30 * kDay);
  write(tags[0], {now - 3, now + 29 * kDay, now + 30 * kDay});  // Waits.
  write(tags[1], {now + 30 * kDay});
  write(tags[3], {now + 29 * kDay});  // Nothing is of now or earlier.
  write(texts, {now - 5, now + 30 * kDay});
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  clock_.Set(now);
  write(tags[1], {now - 4});  // Late, behind a sealed one.
  write(tags[2], {now - 2, now});
  const std::vector<std::optional<Timestamp>> expected = {now - 3,      now - 4,      now,
                                                          std::nullopt, std::nullopt, now - 5};
  for (int round = 0; round < 4; ++round) {
    const auto latest = archive_->ReadLatest(tags);
    ASSERT_TRUE(latest.ok());
    for (size_t i = 0; i < tags.size(); ++i) {
      ASSERT_EQ((*latest)[i].has_value(), expected[i].has_value()) << "round " << round << " tag " << i;
      if (!expected[i].has_value()) continue;
      EXPECT_EQ((*latest)[i]->sample.time, *expected[i]) << "round " << round << " tag " << i;
      if (tags[i] == texts) {
        EXPECT_EQ((*latest)[i]->text, "-5");
      } else {
        EXPECT_EQ(Int64OfBits((*latest)[i]->sample.value), *expected[i] - now);
      }
    }
    EXPECT_EQ(archive_->FindAheadOfClock().tags, 4u);
    EXPECT_EQ(archive_->FindAheadOfClock().farthest, now + 30 * kDay);
    if (round == 0) {
      ASSERT_TRUE(archive_->upkeep().Seal().ok());
    }
    if (round == 1) Reopen();
    if (round == 2) {
      ASSERT_TRUE(archive_->upkeep().Seal(/*settle=*/true).ok());
    }
  }
  clock_.Advance(30 * kDay);
  EXPECT_EQ((*archive_->ReadLatest(tags))[0]->sample.time, now + 30 * kDay) << "its time has come";
  EXPECT_EQ(archive_->FindAheadOfClock().tags, 0u);
}

TEST_F(ArchiveTest, TheLimitOnFutureSamplesIsOfEachTagsPattern) {
  options_.future_limit = absl::Seconds(5);
  options_.future_limits = {{"lab/forecast*", absl::Hours(240)}, {"lab/*", absl::ZeroDuration()}};
  Reopen();
  const Timestamp now = clock_.Now();
  const struct {
    std::string name;
    Timestamp limit;
  } cases[] = {{"plant/a", 5 * kSecond}, {"lab/a", 0}, {"lab/forecast 1", 864'000 * kSecond}};
  Frame snapshots;
  for (const auto& c : cases) {
    const TagId tag = MakeTag(c.name, ValueType::kInt64);
    Samples samples;
    for (const Timestamp ahead : {c.limit - kSecond, c.limit, c.limit + 1, c.limit + kSecond}) {
      samples.Add(now + ahead, BitsOfInt64(1));
    }
    const absl::StatusOr<WriteResult> result = WriteColumn(tag, ValueType::kInt64, samples);
    EXPECT_EQ(result->stored, 2u) << c.name;
    ASSERT_EQ(result->rejections.size(), 1u) << c.name;
    EXPECT_EQ(result->rejections[0].reason, RejectionReason::kTimeOutOfRange);
    EXPECT_THAT(result->rejections[0].message, testing::HasSubstr("limit on future samples"));
    for (FrameSnapshot& snapshot : snapshots.snapshots) snapshot.tags.push_back(tag);
    if (snapshots.snapshots.empty()) {
      for (const Timestamp ahead : {Timestamp{0}, 4 * kSecond, 6 * kSecond, 864'001 * kSecond}) {
        snapshots.snapshots.push_back({.time = now + ahead, .type = ValueType::kInt64, .tags = {tag}});
      }
    }
  }
  for (FrameSnapshot& snapshot : snapshots.snapshots) snapshot.values.assign(3, 1);
  const absl::StatusOr<WriteResult> result = Write(std::move(snapshots));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->stored, 3u + 2u + 1u + 0u);
}

TEST_F(ArchiveTest, AFrameThatIsTooLargeIsRefused) {
  const TagId tag = MakeTag("t", ValueType::kBool);
  Frame frame;
  frame.columns.push_back({.tag = tag, .type = ValueType::kBool});
  for (size_t i = 0; i <= kFrameSamplesMax; ++i)
    frame.columns[0].samples.Add(kStart + static_cast<int64_t>(i), 1);
  const absl::Status refused = Write(frame).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()), HasSubstr(absl::StrCat("limits are ", kFrameSamplesMax)));
  frame.columns[0].samples.times.pop_back();
  frame.columns[0].samples.values.pop_back();
  EXPECT_EQ(Write(frame)->stored, kFrameSamplesMax);
  EXPECT_EQ(ReadAll(tag).size(), kFrameSamplesMax);
}

TEST_F(ArchiveTest, ANewerHandleFencesOffTheOlder) {
  MakeTag("t", ValueType::kFloat64);
  const std::shared_ptr<Producer> old = producer_;
  const std::shared_ptr<Producer> newer = *archive_->OpenProducer("test");
  EXPECT_EQ(Write({}).status().code(), absl::StatusCode::kAborted);
  producer_ = newer;
  EXPECT_TRUE(Write({}).ok());
}

// An archive with room for one frame, which is on its way and does not get there, and another frame behind it.
class FullMemoryTest : public ArchiveTest {
 protected:
  void SetUp() override {
    options_.memory_budget_bytes = uint64_t{1} << 20;
    Reopen();
    tag_ = MakeTag("t", ValueType::kFloat64);
    faults_->HoldSyncs(true);
    WriteBehind(1);
    ASSERT_TRUE(taken_.HasBeenNotified()) << "the first need not wait";
    WriteBehind(2);
  }

  void WriteBehind(uint64_t sequence) {
    Frame frame{.sequence = sequence};
    frame.columns.push_back({.tag = tag_, .type = ValueType::kFloat64});
    // As much as all frames may take.
    for (int i = 0; i < kSamples; ++i) {
      frame.columns[0].samples.Add(kStart + static_cast<int64_t>(sequence) * kSamples + i, BitsOfFloat64(i));
    }
    if (sequence == 1) {
      archive_->Write(
          producer_, std::move(frame), [this](absl::StatusOr<WriteResult>) { first_done_.Notify(); },
          [this] { taken_.Notify(); });
    } else {
      archive_->Write(
          producer_, std::move(frame),
          [this](absl::StatusOr<WriteResult> result) {
            EXPECT_FALSE(second_taken_.HasBeenNotified() && !result.ok()) << "it is done, then taken";
            second_ = result.status();
            second_done_.Notify();
          },
          [this] { second_taken_.Notify(); });
    }
  }

  static constexpr int kSamples = 10'000;
  TagId tag_ = 0;
  absl::Notification taken_, first_done_, second_taken_, second_done_;
  absl::Status second_;
};

TEST_F(FullMemoryTest, AFrameWaitsUntilThoseBeforeItAreStored) {
  EXPECT_FALSE(second_taken_.HasBeenNotified());
  Frame frame{.sequence = 1};
  const absl::Status refused = [&] {
    std::shared_ptr<Producer> other = *archive_->OpenProducer("other");
    std::swap(producer_, other);
    const absl::Status status = Write(frame).status();
    std::swap(producer_, other);
    return status;
  }();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted) << "for it does not wait";
  EXPECT_THAT(std::string(refused.message()), HasSubstr("no memory for more samples"));
  faults_->HoldSyncs(false);
  second_taken_.WaitForNotification();
  second_done_.WaitForNotification();
  EXPECT_TRUE(first_done_.HasBeenNotified());
  EXPECT_TRUE(second_.ok()) << second_;
  EXPECT_EQ(ReadAll(tag_).size(), 2u * kSamples);
  EXPECT_EQ(archive_->DurableSequence("test"), 2u);
}

TEST_F(FullMemoryTest, AFrameThatWaitsIsFencedOffByANewerHandle) {
  absl::Notification opened;
  std::shared_ptr<Producer> newer;
  archive_->OpenProducer("test", [&](absl::StatusOr<std::shared_ptr<Producer>> result) {
    newer = *std::move(result);
    opened.Notify();
  });
  EXPECT_FALSE(opened.HasBeenNotified());
  faults_->HoldSyncs(false);
  opened.WaitForNotification();
  second_done_.WaitForNotification();
  EXPECT_EQ(second_.code(), absl::StatusCode::kAborted);
  producer_ = newer;
  sequence_ = 1;
  second_taken_.WaitForNotification();
  EXPECT_TRUE(Write({}).ok());
}

TEST_F(FullMemoryTest, ADiskThatIsFullRefusesWhatWaits) {
  faults_->SetFull(true);  // The archive looks once in a while.
  second_done_.WaitForNotification();
  second_taken_.WaitForNotification();
  EXPECT_EQ(second_.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(second_.message()), HasSubstr("the disk is full"));
  faults_->SetFull(false);
  faults_->HoldSyncs(false);
  first_done_.WaitForNotification();
}

TEST_F(FullMemoryTest, ClosingRefusesWhatWaits) {
  std::thread disk([&] {
    second_done_.WaitForNotification();
    faults_->HoldSyncs(false);
  });
  archive_.reset();
  disk.join();
  EXPECT_TRUE(second_taken_.HasBeenNotified());
  EXPECT_TRUE(first_done_.HasBeenNotified());
  EXPECT_EQ(second_.code(), absl::StatusCode::kUnavailable);
}

TEST_F(ArchiveTest, AFullDiskRefusesWritesServesReadsAndResumes) {
  const TagId tag = MakeTag("t", ValueType::kFloat64);
  Samples one;
  one.Add(kStart, BitsOfFloat64(1));
  ASSERT_TRUE(WriteColumn(tag, ValueType::kFloat64, one).ok());
  faults_->SetFull(true);
  one.times[0] = kStart + 1;
  EXPECT_EQ(WriteColumn(tag, ValueType::kFloat64, one).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(archive_->upkeep().Seal().ok());
  EXPECT_THAT(ReadAll(tag).times, SizeIs(1));
  faults_->SetFull(false);
  // It resumes by itself; the writer begins again behind what was acknowledged.
  absl::StatusOr<WriteResult> result = absl::UnknownError("");
  for (int i = 0; i < 100 && !result.ok(); ++i) {
    producer_ = *archive_->OpenProducer("test");
    sequence_ = archive_->DurableSequence("test");
    result = WriteColumn(tag, ValueType::kFloat64, one);
    if (!result.ok()) absl::SleepFor(absl::Milliseconds(20));
  }
  EXPECT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(archive_->upkeep().Seal().ok());
  EXPECT_THAT(ReadAll(tag).times, SizeIs(2));
}

TEST_F(ArchiveTest, LateSamplesSaidTwiceAreNotCountedAsOpenForEver) {
  const TagId tag = MakeTag("t", ValueType::kInt64);
  Samples samples;
  for (int i = 0; i < 2000; ++i) samples.Add(kStart + i, i);
  ASSERT_TRUE(WriteColumn(tag, ValueType::kInt64, samples).ok());
  Samples late;
  late.Add(kStart + 5, 5);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(WriteColumn(tag, ValueType::kInt64, late).ok());
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  EXPECT_EQ(archive_->Stats().samples_open, 0);
  EXPECT_EQ(ReadAll(tag).size(), 2000);
}

// What stays open of a tag is written down with every seal, so the journal need not keep it.
TEST_F(ArchiveTest, ASilentTagDoesNotPinTheJournal) {
  options_.journal_bytes_max = 64 << 10;
  Reopen();
  const TagId silent = MakeTag("silent", ValueType::kInt64);
  const TagId busy = MakeTag("busy", ValueType::kFloat64);
  Samples one;
  one.Add(kStart, 17);
  ASSERT_TRUE(WriteColumn(silent, ValueType::kInt64, one).ok());
  std::mt19937_64 random(1);
  Timestamp time = kStart;
  uint64_t written = 0;
  while (archive_->Stats().seals < 3) {
    Samples samples;
    for (int i = 0; i < 500; ++i) samples.Add(++time, random());
    written += samples.size();
    ASSERT_TRUE(WriteColumn(busy, ValueType::kFloat64, std::move(samples)).ok());
  }
  // Many times as much went through it.
  EXPECT_LT(archive_->Stats().journal_bytes, written * 8 / 2);
  EXPECT_EQ(archive_->StorageOf(silent)->samples_open, 1);
  Reopen();
  EXPECT_EQ(archive_->StorageOf(silent)->samples_open, 1);
  EXPECT_EQ(ReadAll(silent).values, one.values);
  EXPECT_EQ(ReadAll(busy).size(), written);
}

TEST_F(ArchiveTest, ADamagedPageIsReportedAndTheRestIsServed) {
  const TagId tag = MakeTag("t", ValueType::kFloat64), other = MakeTag("u", ValueType::kFloat64);
  Samples samples;
  std::mt19937_64 random(1);
  for (int i = 0; i < 5000; ++i) samples.Add(kStart + i * kSecond, random() >> 2);
  ASSERT_TRUE(WriteColumn(tag, ValueType::kFloat64, samples).ok());
  ASSERT_TRUE(WriteColumn(other, ValueType::kFloat64, samples).ok());
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  const std::vector<BlockInfo> blocks = *archive_->ListBlocks(tag, kTimestampMin, kTimestampMax);
  ASSERT_THAT(blocks, SizeIs(1));
  ASSERT_TRUE(
      faults_->DamageValue(kv::Space::kPages, format::PagesKey(blocks[0].id), blocks[0].payload_bytes / 2)
          .ok());

  auto reader = archive_->ReadRaw({.tag = tag, .start = kTimestampMin, .end = kTimestampMax});
  ASSERT_TRUE(reader.ok());
  size_t read = 0;
  Samples batch;
  absl::StatusOr<bool> more = true;
  while ((more = (*reader)->Next(&batch)).ok() && *more) read += batch.size();
  EXPECT_EQ(more.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(more.status().message()), HasSubstr(absl::StrCat("tag ", tag)));
  EXPECT_THAT(std::string(more.status().message()), HasSubstr("2023-11-1"));
  EXPECT_EQ(read, 5000 - 1024);
  ExpectSame(ValueType::kFloat64, ReadAll(other), samples, "the other tag");
  EXPECT_THAT(archive_->Stats().damage, SizeIs(1));
}

TEST_F(ArchiveTest, FiguresThatLackADamagedBlockAreNotKept) {
  const TagId tag = MakeTag("t", ValueType::kFloat64);
  const Timestamp start = format::PartitionStart(format::PartitionOf(kStart));
  Samples samples;
  for (int i = 0; i < 3 * 7 * 1440; ++i) samples.Add(start + i * 60 * kSecond, BitsOfFloat64(i % 100));
  ASSERT_TRUE(WriteColumn(tag, ValueType::kFloat64, samples).ok());
  ASSERT_TRUE(archive_->upkeep().Seal(/*settle=*/true).ok());
  const std::vector<BlockInfo> blocks = *archive_->ListBlocks(tag, kTimestampMin, kTimestampMax);
  ASSERT_THAT(blocks, SizeIs(3)) << "one a week";
  Reopen();
  ASSERT_TRUE(faults_->DamageValue(kv::Space::kHeads, format::HeadKey(blocks[1].id), 10).ok());

  // The neighbours of the range are in sound weeks, and edges cut the slots of the rollup.
  std::vector<Timestamp> edges;
  for (int k = 0; k <= 1'800; ++k) edges.push_back(start + (5'000 + k * 1'000) * kSecond);
  std::vector<ValueBits> values(edges.size() - 1);
  std::vector<Quality> statuses(edges.size() - 1);
  const FigureColumn column = {values.data(), statuses.data()};
  const FigureMaker maker = {
      .id = "count", .columns = 1, .make = [](const Interval& interval, size_t i, FigureTable to) {
        to[0].Set(i, interval.samples.count, kGood);
      }};
  for (const char* time : {"the first time", "when what was made is in memory"}) {
    const absl::Status status =
        FoldedFigures(*archive_, tag, edges, Interpolation::kStepped, maker, {&column, 1});
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << time << ": " << status;
  }
}

TEST_F(ArchiveTest, ANewerFormatIsRefused) {
  archive_.reset();
  auto store = kv::OpenMemoryStore(disk_);
  kv::Batch batch;
  record::v1::ArchiveRecord record;
  record.set_version(kArchiveFormat + 1);
  batch.Put(kArchiveKey, record.SerializeAsString());
  ASSERT_TRUE(store->Write(batch).ok());
  const auto opened = Archive::Open(std::move(store), options_, clock_);
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr("newer version"));
}

// So many that a start reads them with several threads.
TEST_F(ArchiveTest, HasAnIdOfItsOwnThatItKeeps) {
  const std::string id = archive_->Id().value();
  EXPECT_EQ(id.size(), 32u);
  Reopen();
  EXPECT_EQ(*archive_->Id(), id);
  disk_ = std::make_shared<kv::MemoryDisk>();
  Reopen();
  EXPECT_NE(*archive_->Id(), id);
}

TEST_F(ArchiveTest, ACheckpointClosesAVersionAndHasWhatWasAcknowledged) {
  const TagId tag = MakeTag("a", ValueType::kInt64);
  Samples samples;
  samples.Add(kStart, 7);
  ASSERT_TRUE(WriteColumn(tag, ValueType::kInt64, samples).ok());
  const Version open = archive_->versions().open();
  const absl::StatusOr<ClosedVersion> closed =
      archive_->WriteCheckpoint("copy", "somebody", "before the shutdown");
  ASSERT_TRUE(closed.ok()) << closed.status();
  EXPECT_EQ(closed->version, open);
  EXPECT_EQ(closed->comment, "before the shutdown");
  EXPECT_EQ(archive_->WriteCheckpoint("copy", "", "").status().code(), absl::StatusCode::kAlreadyExists);
  // When as many versions are marked as may be it is of the newest that has closed.
  options_.version_marks_max = 1;
  Reopen();
  const absl::StatusOr<ClosedVersion> again = archive_->WriteCheckpoint("another", "", "");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->version, archive_->versions().open() - 1);
}

TEST_F(ArchiveTest, ManyTagsAreThereAgainAfterAStart) {
  constexpr size_t kTags = 45'000;
  std::vector<Tag> tags;
  for (size_t i = 0; i < kTags; ++i) {
    tags.push_back(
        {.name = absl::StrCat("tag ", i), .type = ValueType::kInt64, .unit = i % 2 == 0 ? "bar" : ""});
  }
  for (const auto& created : archive_->tags().Create(tags)) ASSERT_TRUE(created.ok()) << created.status();
  // A third of them is sealed, a third stays open, a third has no sample.
  for (const TagId third : {1u, 2u}) {
    Frame frame;
    FrameSnapshot& snapshot = frame.snapshots.emplace_back();
    snapshot.time = kStart + third * kSecond;
    snapshot.type = ValueType::kInt64;
    for (TagId id = third; id <= kTags; id += 3) {
      snapshot.tags.push_back(id);
      snapshot.values.push_back(BitsOfInt64(id * 7));
    }
    const auto result = Write(std::move(frame));
    ASSERT_TRUE(result.ok()) << result.status();
    ASSERT_EQ(result->stored, kTags / 3);
    if (third == 1) {
      ASSERT_TRUE(archive_->upkeep().Seal().ok());
    }
  }
  for (int starts = 0; starts < 2; ++starts) {
    Reopen();
    ASSERT_EQ(archive_->tags().size(), kTags);
    std::vector<TagId> ids(kTags);
    for (size_t i = 0; i < kTags; ++i) ids[i] = static_cast<TagId>(i + 1);
    const std::vector<std::optional<LatestSample>> latest = *archive_->ReadLatest(ids);
    for (const TagId id : ids) {
      const std::shared_ptr<const Tag> tag = archive_->tags().Find(id);
      ASSERT_NE(tag, nullptr) << id;
      ASSERT_EQ(tag->name, absl::StrCat("tag ", id - 1));
      ASSERT_EQ(tag->unit, id % 2 == 1 ? "bar" : "");
      ASSERT_EQ(archive_->tags().Find(tag->name), tag);
      ASSERT_EQ(latest[id - 1].has_value(), id % 3 != 0) << id;
      if (id % 3 == 0) continue;
      ASSERT_EQ(latest[id - 1]->sample.time, kStart + (id % 3) * kSecond);
      ASSERT_EQ(latest[id - 1]->sample.value, BitsOfInt64(id * 7));
    }
    ASSERT_TRUE(archive_->upkeep().Seal().ok());  // Then there is no journal to replay.
  }
}

TEST_F(ArchiveTest, ManyWritersAndReadersAndSealsAtOnce) {
  std::vector<TagId> tags;
  for (int i = 0; i < 8; ++i) tags.push_back(MakeTag(absl::StrCat("t", i), ValueType::kInt64));
  constexpr int kFrames = 60, kSamples = 100;
  std::vector<std::thread> threads;
  std::atomic<int> writing{4};
  for (int w = 0; w < 4; ++w) {
    threads.emplace_back([&, w] {
      const auto producer = *archive_->OpenProducer(absl::StrCat("writer ", w));
      absl::BlockingCounter acknowledged(kFrames);
      for (int f = 0; f < kFrames; ++f) {
        Frame frame{.sequence = static_cast<uint64_t>(f + 1)};
        for (const TagId tag : {tags[2 * w], tags[2 * w + 1]}) {
          FrameColumn& column = frame.columns.emplace_back();
          column.tag = tag;
          column.type = ValueType::kInt64;
          for (int i = 0; i < kSamples; ++i) column.samples.Add(kStart + (f * kSamples + i) * kSecond, i);
        }
        archive_->Write(producer, std::move(frame), [&](absl::StatusOr<WriteResult> result) {
          EXPECT_TRUE(result.ok()) << result.status();
          acknowledged.DecrementCount();
        });
      }
      acknowledged.Wait();
      --writing;
    });
  }
  threads.emplace_back([&] {
    for (bool settle = false; writing > 0; settle = !settle)
      EXPECT_TRUE(archive_->upkeep().Seal(settle).ok());
  });
  threads.emplace_back([&] {
    size_t before = 0;
    while (writing > 0) {
      const Samples samples = ReadAll(tags[0]);
      EXPECT_GE(samples.size(), before) << "a sample that was seen must stay";
      EXPECT_TRUE(IsStrictlyAscending(samples.times.data(), samples.size()));
      before = samples.size();
    }
  });
  for (std::thread& thread : threads) thread.join();
  for (const TagId tag : tags) EXPECT_EQ(ReadAll(tag).size(), kFrames * kSamples);
}

// Random frames of all types, late and repeated and contradicting, with random seals, marks, reopenings and power
// cuts; after every few steps every kind of read must give what the model gives, and as of versions that closed, what
// it gave then.
class ArchiveSimulation : public ArchiveTest, public testing::WithParamInterface<int> {
 protected:
  struct SimulatedTag {
    TagId id;
    ValueType type;
    Interpolation interpolation;
    Timestamp now;     // Where its in-order samples have come to.
    Timestamp period;  // Between them.
  };

  Frame RandomFrame() {
    Frame frame;
    const size_t columns = random_() % 4;
    for (size_t c = 0; c < columns; ++c) {
      SimulatedTag& tag = tags_[random_() % tags_.size()];
      FrameColumn& column = frame.columns.emplace_back();
      column.tag = tag.id;
      column.type = tag.type;
      const size_t count = random_() % 8 == 0 ? 1 + random_() % 3000 : 1 + random_() % 80;
      const bool late = random_() % 4 == 0;
      Timestamp t = late ? tag.now - static_cast<int64_t>(random_() % (3000 * tag.period)) : tag.now;
      t = std::max(t, kTimestampMin);
      for (size_t i = 0; i < count; ++i) {
        // Late ones often hit a stored time.
        t += late && random_() % 2 == 0 ? tag.period * static_cast<int64_t>(1 + random_() % 3)
                                        : 1 + static_cast<int64_t>(random_() % (2 * tag.period));
        if (t >= clock_.Now()) break;
        if (tag.type == ValueType::kString) {
          column.samples.AddString(t, std::string(random_() % 20, static_cast<char>('a' + random_() % 3)),
                                   RandomQuality(random_));
        } else {
          column.samples.Add(t, RandomValue(random_, tag.type), RandomQuality(random_));
        }
      }
      if (!late && !column.samples.empty()) tag.now = column.samples.times.back();
      if (column.samples.empty()) frame.columns.pop_back();
    }
    if (random_() % 3 == 0) {
      FrameSnapshot& snapshot = frame.snapshots.emplace_back();
      snapshot.time = tags_[random_() % tags_.size()].now;
      snapshot.type = ValueType::kFloat64;
      for (const SimulatedTag& tag : tags_) {
        if (tag.type != ValueType::kFloat64 || random_() % 2 == 0) continue;
        snapshot.tags.push_back(tag.id);
        snapshot.values.push_back(RandomValue(random_, tag.type));
      }
      if (snapshot.tags.empty()) frame.snapshots.pop_back();
    }
    return frame;
  }

  // A time near the tag's samples: at one, beside one, between, far out.
  Timestamp RandomTime(const SimulatedTag& tag) {
    const ArchiveModel::TagSamples& samples = seen_->Of(tag.id);
    if (samples.empty() || random_() % 10 == 0) {
      return std::clamp(kStart + static_cast<int64_t>(random_() % (40 * 86400)) * kSecond, kTimestampMin,
                        clock_.Now());
    }
    auto it = samples.begin();
    std::advance(it, random_() % samples.size());
    return it->first + static_cast<int64_t>(random_() % 5) - 2;
  }

  // The model is what the version saw.
  void NoteClosed(Version version) {
    closed_[version] = model_;
    // Some are enough to remember.
    if (closed_.size() > 10) closed_.erase(std::next(closed_.begin(), random_() % closed_.size()));
  }

  void Check() {
    seen_ = &model_;
    as_of_ = kVersionNow;
    CheckSeen();
    for (int i = 0; i < 2 && !closed_.empty() && !HasFatalFailure(); ++i) {
      auto& [version, model] = *std::next(closed_.begin(), random_() % closed_.size());
      seen_ = &model;
      as_of_ = version;
      CheckSeen();
    }
  }

  void CheckSeen() {
    for (const SimulatedTag& tag : tags_) {
      const std::string where =
          absl::StrCat("seed ", GetParam(), ", tag ", tag.id, " ", ValueTypeName(tag.type),
                       as_of_ == kVersionNow ? "" : absl::StrCat(" as of ", as_of_));
      Timestamp a = RandomTime(tag), b = RandomTime(tag);
      if (a > b) std::swap(a, b);
      const Samples expected = seen_->Raw(tag.id, tag.type, a, b);
      absl::StatusOr<Samples> raw = ReadAll({.tag = tag.id, .start = a, .end = b, .as_of = as_of_});
      ASSERT_TRUE(raw.ok()) << raw.status();
      ExpectSame(tag.type, *raw, expected, where);
      raw = ReadAll({.tag = tag.id, .start = a, .end = b, .reverse = true, .as_of = as_of_});
      ASSERT_TRUE(raw.ok()) << raw.status();
      ExpectSame(tag.type, *raw, Reversed(tag.type, expected), where + " reversed");
      CheckBoundsAndResume(tag, a, b, where);
      CheckLatest(tag, where);
      if (a < b) CheckFold(tag, a, b, where);
      CheckAtTimes(tag, where);
      CheckJoined(tag, a, b, where);
    }
  }

  void CheckBoundsAndResume(const SimulatedTag& tag, Timestamp a, Timestamp b, const std::string& where) {
    const ArchiveModel::TagSamples& samples = seen_->Of(tag.id);
    auto from = samples.lower_bound(a);
    auto to = samples.lower_bound(b);
    const Timestamp first = from == samples.begin() ? a : std::prev(from)->first;
    const Timestamp last = to == samples.end() ? b : to->first + 1;
    Samples expected = seen_->Raw(tag.id, tag.type, first, last);
    for (const bool reverse : {false, true}) {
      if (reverse) expected = Reversed(tag.type, expected);
      RawRequest request{
          .tag = tag.id, .start = a, .end = b, .bounds = true, .reverse = reverse, .as_of = as_of_};
      absl::StatusOr<Samples> raw = ReadAll(request);
      ASSERT_TRUE(raw.ok()) << raw.status();
      ExpectSame(tag.type, *raw, expected, where + " with bounds");
      if (expected.empty()) continue;
      const size_t cut = random_() % expected.size();
      request.resume_after = expected.times[cut];
      raw = ReadAll(request);
      ASSERT_TRUE(raw.ok()) << raw.status();
      Samples rest;
      rest.Append(tag.type, expected.View(), cut + 1, expected.size() - cut - 1);
      ExpectSame(tag.type, *raw, rest, where + " resumed");
    }
  }

  void CheckLatest(const SimulatedTag& tag, const std::string& where) {
    const ArchiveModel::TagSamples& samples = seen_->Of(tag.id);
    const std::optional<LatestSample> latest = (*archive_->ReadLatest({&tag.id, 1}, as_of_))[0];
    ASSERT_EQ(latest.has_value(), !samples.empty()) << where;
    if (samples.empty()) return;
    EXPECT_EQ(latest->sample.time, samples.rbegin()->first) << where;
    EXPECT_EQ(latest->sample.value, samples.rbegin()->second.value) << where;
    EXPECT_EQ(latest->sample.quality, samples.rbegin()->second.quality) << where;
    EXPECT_EQ(latest->text, samples.rbegin()->second.text) << where;
  }

  void CheckFold(const SimulatedTag& tag, Timestamp a, Timestamp b, const std::string& where) {
    std::set<Timestamp> edges = {a, b};
    const size_t intervals = random_() % 20;
    if (random_() % 2 == 0) {
      for (size_t i = 0; i < intervals; ++i) edges.insert(std::clamp(RandomTime(tag), a, b));
    } else {
      // Equally long, but for the last.
      const Timestamp step = std::max<Timestamp>(1, (b - a) / static_cast<Timestamp>(intervals + 1));
      for (Timestamp t = a; t < b && edges.size() < 100; t += step) edges.insert(t);
    }
    const std::vector<Timestamp> sorted(edges.begin(), edges.end());
    CheckAggregates(tag, sorted, where);
    if (HasFatalFailure()) return;
    for (const Interpolation interpolation : {Interpolation::kStepped, Interpolation::kSloped}) {
      if (interpolation == Interpolation::kSloped && !IsNumeric(tag.type)) continue;
      const auto actual = Folded(*archive_, tag.id, sorted, interpolation, kAllParts, as_of_);
      ASSERT_TRUE(actual.ok()) << actual.status();
      const std::vector<Interval> expected = seen_->Fold(tag.id, tag.type, sorted, interpolation);
      ASSERT_EQ(actual->size(), expected.size()) << where;
      for (size_t i = 0; i < expected.size(); ++i) {
        const Interval &x = (*actual)[i], &y = expected[i];
        ASSERT_TRUE(x.samples == y.samples)
            << where << ": summary of " << FormatTimestamp(y.start) << " to " << FormatTimestamp(y.end)
            << ", count " << x.samples.count << ", expected " << y.samples.count;
        ASSERT_TRUE(x.good_ns == y.good_ns && x.uncertain_ns == y.uncertain_ns && x.bad_ns == y.bad_ns &&
                    x.area == y.area)
            << where << ": time-weighted figures of " << FormatTimestamp(y.start) << " to "
            << FormatTimestamp(y.end);
      }
      // The first time they are made, and kept where that is worthwhile.
      for (const char* time : {"first", "again"}) {
        const std::vector<ValueBits> figures = FiguresOf(tag.id, sorted, interpolation);
        for (size_t i = 0; i < expected.size(); ++i) {
          EXPECT_EQ(
              std::vector<ValueBits>(figures.begin() + i * kFigures, figures.begin() + (i + 1) * kFigures),
              FiguresOf(expected[i]))
              << where << ": figures of " << FormatTimestamp(expected[i].start) << ", " << time;
        }
      }
    }
  }

  // Some aggregates in some configuration, against their definitions over all samples.
  void CheckAggregates(const SimulatedTag& tag, const std::vector<Timestamp>& edges,
                       const std::string& where) {
    AggregateConfig config;
    config.treat_uncertain_as_bad = random_() % 2 == 0;
    config.use_sloped_extrapolation = random_() % 2 == 0;
    config.stepped = random_() % 2 == 0;
    config.percent_data_good = 50 + static_cast<int>(random_() % 51);
    config.percent_data_bad = 50 + static_cast<int>(random_() % 51);
    std::vector<Aggregate> aggregates;
    while (aggregates.size() < 3) {
      const AggregateInfo& info = kAggregates[random_() % std::size(kAggregates)];
      // Answers have no texts.
      const bool is_text = !IsNumeric(tag.type) && (info.result == AggregateResult::kSource ||
                                                    info.id == Aggregate::kNumberOfTransitions);
      if (IsDefinedFor(info.id, tag.type) && !is_text) aggregates.push_back(info.id);
    }
    const bool backward = random_() % 4 == 0;
    const FigureMaker maker = MakerOf(aggregates, tag.type, config, backward);
    const Samples stored = seen_->Raw(tag.id, tag.type, kTimestampMin, kTimestampMax + 1);
    const SamplesView view = stored.View();
    const DirectSamples samples(tag.type, view, ExtentOf(view, config.resolution_ns), config);
    const size_t rows = edges.size() - 1;
    for (const char* time : {"first", "again"}) {
      std::vector<ValueBits> values(rows * maker.columns);
      std::vector<Quality> statuses(rows * maker.columns);
      std::vector<FigureColumn> table;
      for (size_t k = 0; k < maker.columns; ++k) table.push_back({&values[k * rows], &statuses[k * rows]});
      const absl::Status status = FoldedFigures(
          *archive_, tag.id, edges, FoldConfigOf(config, tag.type, backward), maker, table, as_of_);
      ASSERT_TRUE(status.ok()) << status;
      size_t column = 0;
      for (const Aggregate aggregate : aggregates) {
        const AggregateInfo& info = InfoOf(aggregate);
        const ValueType result = ResultTypeOf(aggregate, tag.type);
        for (size_t i = 0; i < rows; ++i) {
          const StandardValue expected =
              ComputeDirectly(aggregate, samples, edges[i + backward], edges[i + !backward]);
          const std::string what =
              absl::StrCat(where, ": ", info.standard_name, " of ", FormatTimestamp(edges[i]), ", ", time);
          EXPECT_EQ(QualityName(statuses[column * rows + i]), QualityName(expected.status)) << what;
          const ValueBits got = values[column * rows + i];
          if (!expected.value.has_value()) {
            EXPECT_TRUE(IsFloat(result) ? std::isnan(Float64OfBits(got)) : got == 0) << what;
          } else if (IsFloat(result)) {
            EXPECT_EQ(got, BitsOfFloat64(ToDouble(result, *expected.value))) << what;
          } else {
            EXPECT_EQ(got, *expected.value) << what;
          }
          if (info.has_own_time) {
            EXPECT_EQ(Int64OfBits(values[(column + 1) * rows + i]), expected.time) << what;
          }
        }
        column += info.has_own_time ? 2 : 1;
      }
    }
  }

  // What tells intervals apart.
  static std::vector<ValueBits> FiguresOf(const Interval& interval) {
    const Tally& samples = interval.samples;
    std::vector<ValueBits> figures = {interval.unsure_ns,
                                      samples.count,
                                      samples.good,
                                      samples.uncertain,
                                      interval.good_ns,
                                      interval.uncertain_ns,
                                      interval.bad_ns,
                                      BitsOfFloat64(samples.sum.ToDouble()),
                                      BitsOfFloat64(samples.sum_of_squares.ToDouble()),
                                      BitsOfFloat64(interval.area.ToDouble())};
    for (const Sample& sample : {samples.first, samples.last, samples.min, samples.max}) {
      figures.insert(figures.end(), {static_cast<ValueBits>(sample.time), sample.value, sample.quality});
    }
    return figures;
  }
  static constexpr size_t kFigures = 22;

  // Interval by interval.
  std::vector<ValueBits> FiguresOf(TagId tag, const std::vector<Timestamp>& edges,
                                   Interpolation interpolation) {
    const size_t rows = edges.size() - 1;
    std::vector<ValueBits> values(rows * kFigures), in_order;
    std::vector<Quality> statuses(rows * kFigures);
    std::vector<FigureColumn> table;
    for (size_t k = 0; k < kFigures; ++k) table.push_back({&values[k * rows], &statuses[k * rows]});
    const FigureMaker maker = {.id = "all",
                               .columns = kFigures,
                               .parts = kAllParts,
                               .make = [](const Interval& interval, size_t i, FigureTable to) {
                                 const std::vector<ValueBits> figures = FiguresOf(interval);
                                 for (size_t k = 0; k < kFigures; ++k) {
                                   to[k].Set(i, figures[k], static_cast<Quality>(k));
                                 }
                               }};
    const absl::Status status = FoldedFigures(*archive_, tag, edges, interpolation, maker, table, as_of_);
    EXPECT_TRUE(status.ok()) << status;
    for (size_t i = 0; i < rows; ++i) {
      for (size_t k = 0; k < kFigures; ++k) {
        in_order.push_back(values[k * rows + i]);
        EXPECT_EQ(statuses[k * rows + i], k);
      }
    }
    return in_order;
  }

  void CheckAtTimes(const SimulatedTag& tag, const std::string& where) {
    std::vector<Timestamp> times;
    for (int i = 0; i < 10; ++i) times.push_back(RandomTime(tag));
    const ArchiveModel::TagSamples& samples = seen_->Of(tag.id);
    const bool uncertain_as_bad = random_() % 2 == 0;
    const absl::StatusOr<Samples> actual =
        archive_->ReadAtTimes(tag.id, times, tag.interpolation, uncertain_as_bad, nullptr, as_of_);
    ASSERT_TRUE(actual.ok()) << actual.status();
    ASSERT_EQ(actual->size(), times.size());
    for (size_t i = 0; i < times.size(); ++i) {
      Neighbours neighbours;
      std::string text;
      const auto sample = [&](const auto& entry) {
        return Sample{entry.first, entry.second.value, entry.second.quality};
      };
      const auto counts = [&](const auto& entry) {
        return CountsAsBound(tag.type, entry.second.value, entry.second.quality, uncertain_as_bad);
      };
      for (const auto& entry : samples) {
        if (entry.first < times[i]) {
          if (counts(entry)) {
            neighbours.before = sample(entry);
            neighbours.skipped = false;
            text = entry.second.text;
          } else {
            neighbours.skipped = true;
          }
        } else if (entry.first == times[i]) {
          neighbours.exact = sample(entry);
          if (counts(entry)) {
            text = entry.second.text;
            break;
          }
          neighbours.skipped = true;
        } else if (counts(entry)) {
          neighbours.after = sample(entry);
          break;
        } else {
          neighbours.skipped = true;
        }
      }
      const ValueAtTime expected =
          InterpolateAt(tag.type, tag.interpolation, times[i], neighbours, uncertain_as_bad);
      EXPECT_EQ(actual->qualities.empty() ? kGood : actual->qualities[i], expected.quality)
          << where << " at " << FormatTimestamp(times[i]);
      if (tag.type == ValueType::kString) {
        EXPECT_EQ(actual->View().StringAt(i), expected.value.has_value() ? text : "") << where;
      } else {
        EXPECT_EQ(actual->values[i], expected.value.value_or(0))
            << where << " at " << FormatTimestamp(times[i]);
      }
    }
  }

  // Times that rise, a grid or chance's, read in pieces: the values at each, read by itself, in whichever order.
  void CheckJoined(const SimulatedTag& tag, Timestamp a, Timestamp b, const std::string& where) {
    std::vector<Timestamp> times;
    if (random_() % 2 == 0) {
      const Timestamp step = std::max<Timestamp>(1, (b - a) / (1 + static_cast<Timestamp>(random_() % 50)));
      for (Timestamp t = a; t <= b && times.size() < 50; t += step) times.push_back(t);
    } else {
      for (int i = 0; i < 30; ++i) times.push_back(RandomTime(tag));
      std::sort(times.begin(), times.end());
    }
    const bool uncertain_as_bad = random_() % 2 == 0;
    const Interpolation interpolation =
        IsNumeric(tag.type) && random_() % 2 == 0 ? Interpolation::kSloped : tag.interpolation;
    const auto expected =
        archive_->ReadAtTimes(tag.id, times, interpolation, uncertain_as_bad, nullptr, as_of_);
    ASSERT_TRUE(expected.ok()) << expected.status();
    const auto reader = archive_->ReadJoined(tag.id, interpolation, uncertain_as_bad, nullptr, as_of_);
    ASSERT_TRUE(reader.ok()) << reader.status();
    Samples actual;
    while (actual.size() < times.size()) {
      const absl::Span<const Timestamp> rest =
          absl::MakeConstSpan(times).subspan(actual.size(), 1 + random_() % 20);
      const absl::StatusOr<size_t> read = (*reader)->Read(rest, random_() % 100, &actual);
      ASSERT_TRUE(read.ok()) << read.status();
      ASSERT_GT(*read, 0);
      ASSERT_LE(*read, rest.size());
      ASSERT_EQ(*read == rest.size() || tag.type == ValueType::kString, true);
    }
    ExpectSame(tag.type, actual, *expected, where + " joined");

    const std::vector<Timestamp> all = seen_->Raw(tag.id, tag.type, a, b).times;
    std::vector<Timestamp> changes;
    while (true) {
      const size_t max = 1 + random_() % 2000, before = changes.size();
      const Timestamp start = changes.empty() ? a : changes.back() + 1;
      const absl::Status status = (*reader)->AppendTimes(start, b, max, &changes);
      ASSERT_TRUE(status.ok()) << status;
      ASSERT_LE(changes.size() - before, max);
      if (changes.size() - before < max) break;
    }
    EXPECT_EQ(changes, all) << where;
  }

  std::mt19937_64 random_{static_cast<uint64_t>(GetParam())};
  std::vector<SimulatedTag> tags_;
  ArchiveModel model_;
  std::map<Version, ArchiveModel> closed_;  // What some versions saw.
  // What is checked.
  ArchiveModel* seen_ = &model_;
  Version as_of_ = kVersionNow;
};

// Nothing, little, and all but the fastest tags go to long partitions.
constexpr uint64_t kSlowSamples[] = {0, 40, 500, 4096};

TEST_P(ArchiveSimulation, EveryReadEqualsTheModel) {
  options_.slow_samples_max = kSlowSamples[GetParam() % std::size(kSlowSamples)];
  Reopen();
  const Timestamp periods[] = {kSecond / 100, kSecond, 60 * kSecond, 7200 * kSecond};
  for (uint8_t type = 1; IsKnownValueType(type); ++type) {
    for (int i = 0; i < 2; ++i) {
      SimulatedTag tag{.type = static_cast<ValueType>(type), .now = kStart, .period = periods[random_() % 4]};
      tag.id = MakeTag(absl::StrCat("tag ", type, " ", i), tag.type);
      tag.interpolation = DefaultInterpolation(tag.type);
      tags_.push_back(tag);
    }
  }
  // Samples that are a year old, or such as come when they are measured.
  const bool live = GetParam() % 2 == 0;
  if (live) clock_.Set(kStart + 3600 * kSecond);
  for (int step = 0; step < 120; ++step) {
    if (live) clock_.Set(clock_.Now() + static_cast<int64_t>(random_() % 3600) * kSecond);
    Frame frame = RandomFrame();
    switch (random_() % 14) {
      case 0: {
        const absl::StatusOr<SealResult> sealed = archive_->upkeep().Seal(random_() % 2 == 0);
        ASSERT_TRUE(sealed.ok()) << sealed.status();
        if (const Version last = archive_->versions().open() - 1; last > 0) NoteClosed(last);
        break;
      }
      case 3:
      case 4: {
        const absl::StatusOr<ClosedVersion> marked = archive_->MarkVersion("test", "");
        ASSERT_TRUE(marked.ok()) << marked.status();
        NoteClosed(marked->version);
        break;
      }
      case 1:
        // What is a slow tag may change.
        options_.slow_samples_max = kSlowSamples[random_() % std::size(kSlowSamples)];
        Reopen();
        break;
      case 2: {
        // The power fails at some point of the next few changes; whatever was acknowledged must be there.
        faults_->CrashNth(1 + random_() % 9, static_cast<kv::Faults::Torn>(random_() % 3));
        frame.sequence = sequence_ + 1;
        if (random_() % 2 == 0) (void)archive_->upkeep().Seal(random_() % 2 == 0);
        const absl::StatusOr<WriteResult> result = Write(frame);
        if (random_() % 2 == 0) (void)archive_->upkeep().Seal(random_() % 2 == 0);
        Reopen();
        if (result.ok()) {
          ASSERT_GE(sequence_, frame.sequence) << "an acknowledged frame is gone";
        }
        if (sequence_ >= frame.sequence) model_.Apply(frame);  // Unacknowledged ones may be there, whole.
        continue;
      }
      default:
        break;
    }
    const absl::StatusOr<WriteResult> result = Write(frame);
    ASSERT_TRUE(result.ok()) << result.status();
    ASSERT_THAT(result->rejections, IsEmpty()) << result->rejections[0].message;
    model_.Apply(frame);
    if (step % 10 == 9) {
      Check();
      if (HasFatalFailure()) return;
    }
  }
  const absl::StatusOr<VerifyCounts> verified = archive_->upkeep().Verify(
      {}, {.on_damage = [](const Damage& damage) { ADD_FAILURE() << DescribeDamage(damage); }});
  ASSERT_TRUE(verified.ok()) << verified.status();
}

// HISTORIAN_SEEDS=1000 runs so many simulations instead of a few.
int Seeds(int usual) {
  const char* wanted = std::getenv("HISTORIAN_SEEDS");
  return 1 + (wanted == nullptr ? usual : std::atoi(wanted));
}

INSTANTIATE_TEST_SUITE_P(Seeds, ArchiveSimulation, testing::Range(1, Seeds(8)));

// The same with tails that are sealed by themselves all the time, because hardly any memory or journal is
// allowed, and settled as soon as that.
class CrampedArchiveSimulation : public ArchiveSimulation {
 protected:
  CrampedArchiveSimulation() {
    options_.journal_bytes_max = 2000;
    options_.settle_delay = absl::ZeroDuration();
    Reopen();
  }
};

TEST_P(CrampedArchiveSimulation, EveryReadEqualsTheModel) {
  for (uint8_t type = 1; IsKnownValueType(type); ++type) {
    SimulatedTag tag{.type = static_cast<ValueType>(type), .now = kStart, .period = kSecond};
    tag.id = MakeTag(absl::StrCat("tag ", type), tag.type);
    tag.interpolation = DefaultInterpolation(tag.type);
    tags_.push_back(tag);
  }
  for (int step = 0; step < 150; ++step) {
    const Frame frame = RandomFrame();
    const absl::StatusOr<WriteResult> result = Write(frame);
    ASSERT_TRUE(result.ok()) << result.status();
    model_.Apply(frame);
    if (step % 5 == 4) absl::SleepFor(absl::Milliseconds(20));  // Time for seals to come in between.
    if (step % 6 == 5) NoteClosed(archive_->MarkVersion("test", "").value().version);
    if (step % 15 == 14) Check();
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(archive_->Stats().seals, 0);
  // All of it is a year old, so it is settled without being asked.
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  while (archive_->Stats().settles == 0) absl::SleepFor(absl::Milliseconds(10));
}

INSTANTIATE_TEST_SUITE_P(Seeds, CrampedArchiveSimulation, testing::Range(1, Seeds(2)));

}  // namespace
}  // namespace historian
