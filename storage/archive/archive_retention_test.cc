// Retention over a whole archive: what has expired is seen by nobody, from that moment and for good, its
// space comes back, and everything else stays as it was, whenever the power fails.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/archive/archive.h"
#include "storage/archive/archive_model.h"
#include "storage/archive/folded.h"
#include "storage/format/key.h"
#include "storage/kv/faulty_store.h"
#include "storage/kv/memory_store.h"
#include "storage/kv/rocksdb_store.h"
#include "storage/platform/monotonic.h"

namespace historian {
namespace {

using format::PartitionOf;
using format::PartitionStart;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Action = RetentionResult::Action;

constexpr int64_t kSecond = kNanosPerSecond;
constexpr int64_t kHour = 3600 * kSecond;
constexpr int64_t kDay = 24 * kHour;
constexpr int64_t kWeek = 7 * kDay;
constexpr int32_t kFirstWeek = 2800;
constexpr int kWeeks = 10;
constexpr Timestamp kStart = PartitionStart(kFirstWeek);
constexpr Timestamp kEnd = PartitionStart(kFirstWeek + kWeeks);
constexpr ValueType kType = ValueType::kFloat64;

// By how many samples a week a slow tag has at most. Those of these tests have some 900.
class ArchiveRetentionTest : public testing::TestWithParam<uint64_t> {
 protected:
  ArchiveRetentionTest() : disk_(std::make_shared<kv::MemoryDisk>()), clock_(kEnd + kHour) {
    options_.shards = 2;
    options_.slow_samples_max = GetParam();
    Reopen();
  }

  void Reopen() {
    producer_.reset();
    archive_.reset();
    faults_ = std::make_shared<kv::Faults>();
    absl::StatusOr<std::unique_ptr<Archive>> archive =
        Archive::Open(kv::NewFaultyStore(kv::OpenMemoryStore(disk_), faults_), options_, clock_);
    ASSERT_TRUE(archive.ok()) << archive.status();
    archive_ = *std::move(archive);
    producer_ = *archive_->OpenProducer("test");
    sequence_ = archive_->DurableSequence("test");
  }

  TagId MakeTag(const std::string& name) {
    auto created = archive_->tags().Create({Tag{.name = name, .type = kType}});
    EXPECT_TRUE(created[0].ok()) << created[0].status();
    return (*created[0])->id;
  }

  WriteResult Write(TagId tag, Samples samples) {
    Frame frame{.sequence = ++sequence_};
    frame.columns.push_back({.tag = tag, .type = kType, .samples = std::move(samples)});
    const Frame copy = frame;
    absl::StatusOr<WriteResult> result = absl::UnknownError("");
    absl::Notification done;
    archive_->Write(producer_, std::move(frame), [&](absl::StatusOr<WriteResult> r) {
      result = std::move(r);
      done.Notify();
    });
    done.WaitForNotification();
    EXPECT_TRUE(result.ok()) << result.status();
    if (!result.ok()) return WriteResult();
    if (result->rejected == 0) model_.Apply(copy);
    return *std::move(result);
  }

  void FillWith(TagId tag, Timestamp from, Timestamp to, int64_t every, int value) {
    Samples samples;
    for (Timestamp t = from; t < to; t += every) samples.Add(t, BitsOfFloat64(value));
    EXPECT_EQ(Write(tag, std::move(samples)).rejected, 0);
  }
  Samples ReadAsOf(TagId tag, Version version) {
    auto reader =
        archive_->ReadRaw({.tag = tag, .start = kTimestampMin, .end = kTimestampMax + 1, .as_of = version});
    EXPECT_TRUE(reader.ok()) << reader.status();
    Samples all, batch;
    absl::StatusOr<bool> more = true;
    while ((more = (*reader)->Next(&batch)).ok() && *more) all.Append(kType, batch.View());
    EXPECT_TRUE(more.ok()) << more.status();
    return all;
  }

  // Samples every ten minutes, sometimes none.
  void Fill(TagId tag, Timestamp from, Timestamp to, uint64_t seed) {
    std::mt19937_64 random(seed);
    Samples samples;
    for (Timestamp t = from; t < to; t += 600 * kSecond) {
      if (random() % 10 == 0) continue;
      samples.Add(t, BitsOfFloat64(static_cast<double>(random() % 10000) / 100),
                  random() % 50 == 0 ? kUncertain : kGood);
    }
    EXPECT_EQ(Write(tag, std::move(samples)).rejected, 0);
  }

  void Keep(const std::string& pattern, int64_t raw_ns, int64_t rollups_ns) {
    const auto set = archive_->retention().SetRule({.name = pattern,
                                                    .pattern = pattern,
                                                    .keep_raw = absl::Nanoseconds(raw_ns),
                                                    .keep_rollups = absl::Nanoseconds(rollups_ns)});
    ASSERT_TRUE(set.ok()) << set.status();
  }
  void Keep(const std::string& pattern, int64_t keep_ns) { Keep(pattern, keep_ns, keep_ns); }

  RetentionResult Apply(bool dry_run = false) {
    const absl::StatusOr<RetentionResult> result =
        archive_->upkeep().ApplyRetention({.dry_run = dry_run, .witness = clock_.Now()});
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *result : RetentionResult();
  }

  Samples ReadAll(TagId tag) {
    auto reader = archive_->ReadRaw({.tag = tag, .start = kTimestampMin, .end = kTimestampMax + 1});
    Samples all, batch;
    absl::StatusOr<bool> more = true;
    while ((more = (*reader)->Next(&batch)).ok() && *more) all.Append(kType, batch.View());
    EXPECT_TRUE(more.ok()) << more.status();
    return all;
  }

  // The tag answers as if it had only samples in [from, to).
  void ExpectOnly(TagId tag, Timestamp from, Timestamp to, const std::string& where) {
    SCOPED_TRACE(absl::StrCat(where, ", tag ", tag));
    const Samples expected = model_.Raw(tag, kType, from, to), actual = ReadAll(tag);
    ASSERT_EQ(actual.size(), expected.size());
    for (size_t i = 0; i < actual.size(); ++i) {
      ASSERT_TRUE(SameSample(kType, actual.View(), i, expected.View(), i))
          << FormatTimestamp(actual.times[i]);
    }
    const std::optional<LatestSample> latest = (*archive_->ReadLatest({&tag, 1}))[0];
    // Of those that are not ahead of the clock.
    const auto by_now = std::upper_bound(expected.times.begin(), expected.times.end(), clock_.Now());
    ASSERT_EQ(latest.has_value(), by_now != expected.times.begin());
    if (latest.has_value()) {
      EXPECT_EQ(latest->sample.time, *(by_now - 1));
    }
    if (expected.empty()) return;
    std::vector<Timestamp> edges;
    for (Timestamp t = kStart - kDay; t <= kEnd + kDay; t += 5 * kHour) edges.push_back(t);
    std::vector<Interval> folded;
    IntervalFold fold(kType, Interpolation::kSloped, edges, kAllParts, AppendTo(&folded));
    fold.Add(expected.View());
    fold.Finish();
    const auto intervals = Folded(*archive_, tag, edges, Interpolation::kSloped, kAllParts);
    ASSERT_TRUE(intervals.ok()) << intervals.status();
    for (size_t i = 0; i < folded.size(); ++i) {
      ASSERT_EQ((*intervals)[i].samples, folded[i].samples) << FormatTimestamp(edges[i]);
      ASSERT_EQ((*intervals)[i].good_ns, folded[i].good_ns) << FormatTimestamp(edges[i]);
      ASSERT_EQ((*intervals)[i].area, folded[i].area) << FormatTimestamp(edges[i]);
    }
  }

  uint64_t PagesBytes() {
    return archive_->Stats().store.spaces[static_cast<int>(kv::Space::kPages)].bytes_on_disk;
  }

  std::shared_ptr<kv::MemoryDisk> disk_;
  std::shared_ptr<kv::Faults> faults_;
  SimulatedClock clock_;
  ArchiveOptions options_;
  std::unique_ptr<Archive> archive_;
  std::shared_ptr<Producer> producer_;
  uint64_t sequence_ = 0;
  ArchiveModel model_;
};

TEST_P(ArchiveRetentionTest, WeeksThatExpiredOfAllTagsAreDropped) {
  if (GetParam() > 0) GTEST_SKIP() << "slow tags: see SpaceReturnsWhenHalfHasExpired";
  for (const bool settled : {false, true}) {
    SCOPED_TRACE(settled);
    const TagId a = MakeTag(absl::StrCat("a", settled)), b = MakeTag(absl::StrCat("b", settled));
    clock_.Set(kEnd + kHour);
    Fill(a, PartitionStart(kFirstWeek + 4) + (settled ? kWeek : 0), kEnd, 1);
    Fill(b, PartitionStart(kFirstWeek + 4) + (settled ? kWeek : 0), kEnd, 2);
    ASSERT_TRUE(archive_->upkeep().Seal(settled).ok());
    const uint64_t before = PagesBytes();
    Keep("*", 5 * kWeek - (settled ? kWeek : 0));
    const RetentionResult trial = Apply(/*dry_run=*/true), result = Apply();
    for (const RetentionResult& r : {trial, result}) {
      ASSERT_THAT(r.partitions, SizeIs(1));
      EXPECT_EQ(r.partitions[0].action, Action::kDrop);
      EXPECT_GT(r.samples, 1000);
      EXPECT_GT(r.bytes, 1000);
    }
    const Timestamp from = PartitionStart(kFirstWeek + 5 + (settled ? 1 : 0));
    for (const char* when : {"applied", "reopened"}) {
      ExpectOnly(a, from, kEnd, when);
      ExpectOnly(b, from, kEnd, when);
      EXPECT_LT(PagesBytes(), before);
      EXPECT_EQ(archive_->StorageOf(a)->first_time, ReadAll(a).times.front());
      EXPECT_THAT(Apply().partitions, IsEmpty()) << "nothing left to do";
      Reopen();
    }
  }
}

TEST_P(ArchiveRetentionTest, SpaceReturnsWhenHalfHasExpired) {
  // Half of it as of summaries, half of it completely.
  const TagId gone = MakeTag("gone"), rollups = MakeTag("rollups");
  Fill(gone, kStart, kEnd, 1);
  Fill(rollups, kStart, kEnd, 2);
  ASSERT_TRUE(archive_->upkeep().Seal(/*settle=*/true).ok());
  std::vector<Timestamp> edges;
  for (Timestamp t = kStart; t <= kEnd; t += kDay) edges.push_back(t);
  const auto before = Folded(*archive_, rollups, edges, Interpolation::kSloped, kAllParts);
  ASSERT_TRUE(before.ok()) << before.status();
  const uint64_t bytes_before = PagesBytes();
  Keep("gone", 5 * kWeek);
  Keep("rollups", 5 * kWeek, 400 * kWeek);
  const RetentionResult trial = Apply(/*dry_run=*/true), result = Apply();
  EXPECT_EQ(trial.samples, result.samples);
  const uint64_t expired = model_.Raw(gone, kType, kStart, kStart + 5 * kWeek).size() +
                           model_.Raw(rollups, kType, kStart, kStart + 5 * kWeek).size();
  EXPECT_EQ(result.rules[0].samples + result.rules[1].samples, expired);
  EXPECT_NEAR(static_cast<double>(result.samples), static_cast<double>(expired), expired / 50);
  for (const char* when : {"applied", "reopened"}) {
    ExpectOnly(gone, kStart + 5 * kWeek, kEnd, when);
    EXPECT_EQ(ReadAll(rollups).times.front(),
              model_.Raw(rollups, kType, kStart + 5 * kWeek, kEnd).times.front());
    const auto after = Folded(*archive_, rollups, edges, Interpolation::kSloped, kAllParts);
    ASSERT_TRUE(after.ok()) << after.status();
    for (size_t i = 0; i + 1 < edges.size(); ++i) {
      EXPECT_EQ((*after)[i].samples, (*before)[i].samples) << when << FormatTimestamp(edges[i]);
      EXPECT_EQ((*after)[i].area, (*before)[i].area) << when << FormatTimestamp(edges[i]);
    }
    EXPECT_LT(PagesBytes(), bytes_before * 3 / 5) << when;
    EXPECT_THAT(Apply().partitions, IsEmpty()) << "nothing left to do";
    Reopen();
  }
}

TEST_P(ArchiveRetentionTest, MonthsGoByWeekByWeek) {
  const TagId a = MakeTag("a"), b = MakeTag("b");
  Fill(a, kStart, kEnd, 1);
  Fill(b, kStart, kEnd, 2);
  ASSERT_TRUE(archive_->upkeep().Seal(true).ok());
  Keep("*", 4 * kWeek);
  clock_.Set(kStart + kDay);
  for (int week = 0; week < kWeeks + 6; ++week) {
    clock_.Advance(kWeek);
    Apply();
    const Timestamp from = PartitionStart(PartitionOf(clock_.Now() - 4 * kWeek));
    ExpectOnly(a, from, kEnd, absl::StrCat("week ", week));
    ExpectOnly(b, from, kEnd, absl::StrCat("week ", week));
    if (week % 5 == 0) Reopen();
  }
  EXPECT_EQ(PagesBytes(), 0);
  EXPECT_EQ(archive_->Stats().samples_sealed, 0);
}

TEST_P(ArchiveRetentionTest, OneTagOfManyWaitsAndAGoodPartIsRewrittenAway) {
  std::vector<TagId> tags;
  for (int i = 0; i < 6; ++i) {
    tags.push_back(MakeTag(absl::StrCat(i)));
    Fill(tags.back(), kStart, kStart + 2 * kWeek, i);
  }
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  Keep("0", 2 * kWeek);
  RetentionResult result = Apply();
  ASSERT_THAT(result.partitions, SizeIs(2));
  EXPECT_EQ(result.partitions[0].action, Action::kWait);
  EXPECT_EQ(result.samples, 0);
  ExpectOnly(tags[0], 0, 0, "waiting");
  const uint64_t before = PagesBytes();
  Keep("[12]", 2 * kWeek);
  result = Apply();
  ASSERT_THAT(result.partitions, SizeIs(2));
  EXPECT_EQ(result.partitions[0].action, Action::kRewrite);
  for (const char* when : {"applied", "reopened"}) {
    for (int i = 0; i < 6; ++i) ExpectOnly(tags[i], i <= 2 ? kEnd : kStart, kEnd, when);
    EXPECT_LT(PagesBytes(), before * 6 / 10);
    Reopen();
  }
  Keep("*", 2 * kWeek);
  EXPECT_EQ(Apply().partitions[0].action, Action::kDrop);
  EXPECT_EQ(PagesBytes(), 0);
}

TEST_P(ArchiveRetentionTest, ALegalHoldKeepsItsWeeksAndNoOthers) {
  const TagId a = MakeTag("a"), b = MakeTag("b");
  Fill(a, kStart, kEnd - 3 * kWeek, 1);
  Fill(b, kStart, kEnd - 3 * kWeek, 2);
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  const Timestamp from = PartitionStart(kFirstWeek + 2), to = PartitionStart(kFirstWeek + 3);
  const auto hold = archive_->retention().PlaceHold(
      {.name = "h", .pattern = "a", .start = from + kDay, .end = to - kDay, .reason = "r", .placed_by = "p"});
  ASSERT_TRUE(hold.ok());
  Keep("*", kWeek);
  for (int i = 0; i < 2; ++i) {
    Apply();
    ExpectOnly(a, from, to, "held");
    ExpectOnly(b, 0, 0, "not held");
    Reopen();
  }
  ASSERT_TRUE(archive_->retention().ReleaseHold(hold->id, {.reason = "r", .by = "p"}).ok());
  Apply();
  ExpectOnly(a, 0, 0, "released");
  EXPECT_EQ(PagesBytes(), 0);
}

TEST_P(ArchiveRetentionTest, WhatHasExpiredIsRejectedAndOpenSamplesGoToo) {
  const TagId tag = MakeTag("a");
  Samples few;
  for (int i = 0; i < 3; ++i) few.Add(kStart + i, 1);
  Write(tag, few);
  Keep("*", kWeek);
  Apply();
  ExpectOnly(tag, 0, 0, "open samples");
  EXPECT_EQ(archive_->Stats().samples_open, 0);
  Samples late;
  late.Add(kStart + 5, 1);
  late.Add(kEnd - kDay, 2);
  const WriteResult result = Write(tag, late);
  EXPECT_EQ(result.stored, 1);
  ASSERT_THAT(result.rejections, SizeIs(1));
  EXPECT_EQ(result.rejections[0].reason, RejectionReason::kExpired);
  EXPECT_THAT(result.rejections[0].message, HasSubstr("older than the retention"));
  EXPECT_THAT(ReadAll(tag).times, testing::ElementsAre(kEnd - kDay));
}

// A sample that the next application would take away is refused at once, so nothing acknowledged vanishes.
TEST_P(ArchiveRetentionTest, ASampleOlderThanTheRuleInForceKeepsIsRefusedAtOnce) {
  const TagId before = MakeTag("r/before");
  Keep("r/*", 3 * kWeek);
  for (const bool applied : {false, true}) {
    if (applied) Apply();
    const TagId made = MakeTag(absl::StrCat("r/made ", applied)),
                other = MakeTag(absl::StrCat("other ", applied));
    for (const TagId tag : {before, made}) {
      Samples samples;
      for (Timestamp t = kStart; t < kEnd; t += kDay) samples.Add(t, BitsOfFloat64(1));
      const WriteResult result = Write(tag, samples);
      // Weeks whose end is more than three weeks ago.
      EXPECT_EQ(result.rejected, 7 * 7) << applied;
      EXPECT_EQ(result.stored, 3 * 7) << applied;
      ASSERT_THAT(result.rejections, SizeIs(1));
      EXPECT_EQ(result.rejections[0].reason, RejectionReason::kExpired);
      EXPECT_THAT(result.rejections[0].message, HasSubstr("it is older than the retention of the tag"));
    }
    Frame frame{.sequence = ++sequence_};
    frame.snapshots.push_back(
        {.time = kStart + kDay, .type = kType, .tags = {before, made, other}, .values = {1, 2, 3}});
    absl::Notification done;
    archive_->Write(producer_, std::move(frame), [&](absl::StatusOr<WriteResult> r) {
      EXPECT_EQ(r->stored, 1) << "the rule says nothing of the last";
      EXPECT_EQ(r->rejected, 2);
      done.Notify();
    });
    done.WaitForNotification();
    EXPECT_THAT(ReadAll(before), SizeIs(3 * 7));
    Apply();
    EXPECT_THAT(ReadAll(before), SizeIs(3 * 7)) << "nothing that was acknowledged has gone";
    EXPECT_THAT(ReadAll(made), SizeIs(3 * 7));
    EXPECT_THAT(ReadAll(other), SizeIs(1));
  }
  // What a hold keeps is taken, as long as it has not expired.
  const TagId held = MakeTag("r/held");
  ASSERT_TRUE(archive_->retention()
                  .PlaceHold({.name = "h",
                              .pattern = "r/held",
                              .start = kStart,
                              .end = kStart + kWeek,
                              .reason = "r",
                              .placed_by = "ann"})
                  .ok());
  Samples samples;
  samples.Add(kStart + kDay, BitsOfFloat64(1));
  samples.Add(kStart + kWeek + kDay, BitsOfFloat64(1));
  EXPECT_EQ(Write(held, samples).stored, 1);
  // And so is everything, when the rule is gone.
  ASSERT_TRUE(archive_->retention().RemoveRule("r/*").ok());
  const TagId late = MakeTag("r/late");
  EXPECT_EQ(Write(late, samples).stored, 2);
}

// What has no samples does not count, and what is open does, sealed or not.
TEST_P(ArchiveRetentionTest, WhatExpiresIsCountedAndTold) {
  const TagId old_and_new = MakeTag("r/a"), only_new = MakeTag("r/b"), kept = MakeTag("s");
  MakeTag("r/empty");
  Fill(old_and_new, kStart, kEnd, 1);
  Fill(only_new, kEnd - kWeek, kEnd, 2);
  Fill(kept, kStart, kEnd, 3);
  Keep("r/*", 2 * kWeek);
  const size_t expected = model_.Raw(old_and_new, kType, kStart, kEnd - 2 * kWeek).size();
  for (const bool sealed : {false, true}) {
    if (sealed) {
      ASSERT_TRUE(archive_->upkeep().Seal().ok());
    }
    const RetentionResult dry = Apply(/*dry_run=*/true);
    EXPECT_EQ(dry.tags, 1) << sealed;
    ASSERT_THAT(dry.rules, SizeIs(1));
    EXPECT_EQ(dry.rules[0].rule, "r/*");
    EXPECT_EQ(dry.rules[0].samples, expected) << sealed;
    EXPECT_THAT(dry.rules[0].partitions, SizeIs(kWeeks - 2));
    EXPECT_THAT(archive_->Stats().expiries, IsEmpty());
  }
  EXPECT_EQ(Apply().tags, 1);
  const ArchiveStats stats = archive_->Stats();
  ASSERT_THAT(stats.expiries, SizeIs(1));
  EXPECT_EQ(stats.expiries[0].number, 1);
  EXPECT_EQ(stats.expiries[0].rule, "r/*");
  EXPECT_EQ(stats.expiries[0].tags, 1);
  EXPECT_EQ(stats.expiries[0].samples, expected);
  EXPECT_EQ(stats.expiries[0].weeks, kWeeks - 2);
  EXPECT_EQ(stats.expiries[0].first, kStart);
  EXPECT_EQ(stats.expiries[0].end, kEnd - 2 * kWeek);
  EXPECT_EQ(stats.expired_samples, expected);
  EXPECT_EQ(stats.expired_weeks, kWeeks - 2);
  EXPECT_EQ(Apply().tags, 0) << "nothing more";
  EXPECT_THAT(archive_->Stats().expiries, SizeIs(1));
}

TEST_P(ArchiveRetentionTest, RollupsOutliveRawSamplesAndAnswerTheSame) {
  const TagId a = MakeTag("a"), other = MakeTag("other"), slow = MakeTag("slow");
  Fill(a, kStart, kStart + 2 * kWeek, 1);
  Fill(other, kStart, kStart + 2 * kWeek, 2);
  Samples few;
  for (int day = 0; day < 14; ++day) few.Add(kStart + day * kDay + day * kHour, BitsOfFloat64(day));
  Write(slow, few);
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  Keep("a", kWeek, 50 * kWeek);
  Keep("slow", kWeek, 50 * kWeek);
  std::vector<Timestamp> hours, days;
  for (Timestamp t = kStart - kDay; t <= kStart + 3 * kWeek; t += kHour) hours.push_back(t);
  for (Timestamp t = kStart - kDay; t <= kStart + 3 * kWeek; t += kDay) days.push_back(t);
  const auto by_hour = Folded(*archive_, a, hours, Interpolation::kSloped, kAllParts);
  // A range within, so that its neighbours are within too.
  const std::vector<Timestamp> inner(hours.begin() + 60, hours.begin() + 260);
  const auto by_inner = Folded(*archive_, a, inner, Interpolation::kSloped, kAllParts);
  const auto slow_by_day = Folded(*archive_, slow, days, Interpolation::kStepped, kAllParts);
  ASSERT_TRUE(by_hour.ok() && slow_by_day.ok());
  // Days in India, in Nepal and on the Chatham Islands.
  struct LocalDays {
    TagId tag;
    std::vector<Timestamp> edges;
    std::vector<Interval> said;
  };
  std::vector<LocalDays> local_days;
  for (const int64_t offset : {22 * kHour / 4, 23 * kHour / 4, 51 * kHour / 4}) {
    for (const TagId tag : {a, slow}) {
      LocalDays& local = local_days.emplace_back();
      local.tag = tag;
      for (const Timestamp t : days) local.edges.push_back(t - offset);
      const auto said = Folded(*archive_, tag, local.edges, Interpolation::kSloped, kAllParts);
      ASSERT_TRUE(said.ok()) << said.status();
      local.said = *said;
    }
  }
  EXPECT_EQ(Apply().partitions[0].action, Action::kRewrite);
  for (const char* when : {"applied", "reopened", "rewritten again"}) {
    SCOPED_TRACE(when);
    EXPECT_THAT(ReadAll(a).times, IsEmpty());
    EXPECT_FALSE((*archive_->ReadLatest({&a, 1}))[0].has_value());
    const auto again = Folded(*archive_, a, hours, Interpolation::kSloped, kAllParts);
    ASSERT_TRUE(again.ok()) << again.status();
    for (size_t i = 0; i < by_hour->size(); ++i) {
      ASSERT_EQ((*again)[i].samples, (*by_hour)[i].samples) << FormatTimestamp(hours[i]);
      ASSERT_EQ((*again)[i].area, (*by_hour)[i].area) << FormatTimestamp(hours[i]);
    }
    const auto inner_again = Folded(*archive_, a, inner, Interpolation::kSloped, kAllParts);
    ASSERT_TRUE(inner_again.ok()) << inner_again.status();
    for (size_t i = 0; i < by_inner->size(); ++i) {
      ASSERT_EQ((*inner_again)[i].good_ns, (*by_inner)[i].good_ns) << FormatTimestamp(inner[i]);
      ASSERT_EQ((*inner_again)[i].area, (*by_inner)[i].area) << FormatTimestamp(inner[i]);
    }
    const auto slow_again = Folded(*archive_, slow, days, Interpolation::kStepped, kAllParts);
    ASSERT_TRUE(slow_again.ok()) << slow_again.status();
    for (size_t i = 0; i < slow_again->size(); ++i) {
      ASSERT_EQ((*slow_again)[i].samples, (*slow_by_day)[i].samples) << FormatTimestamp(days[i]);
    }
    for (const LocalDays& local : local_days) {
      const auto local_again = Folded(*archive_, local.tag, local.edges, Interpolation::kSloped, kAllParts);
      ASSERT_TRUE(local_again.ok()) << local_again.status();
      for (size_t i = 0; i < local.said.size(); ++i) {
        ASSERT_EQ((*local_again)[i].samples, local.said[i].samples) << FormatTimestamp(local.edges[i]);
        ASSERT_EQ((*local_again)[i].area, local.said[i].area) << FormatTimestamp(local.edges[i]);
      }
    }
    const std::vector<Timestamp> odd = {kStart, kStart + kHour / 2 + 1, kStart + kHour};
    const absl::Status cut = Folded(*archive_, a, odd, Interpolation::kSloped, kAllParts).status();
    EXPECT_EQ(cut.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(cut.message()), HasSubstr("only rollups of 15m"));
    ExpectOnly(other, kStart, kEnd, when);
    if (std::string(when) == "applied") Reopen();
    if (std::string(when) == "reopened") {
      Samples late;
      late.Add(kStart + 1, BitsOfFloat64(7));
      Write(other, late);
      ASSERT_TRUE(archive_->upkeep().Seal(true).ok());
    }
  }
  clock_.Advance(60 * kWeek);
  Apply();
  const auto gone = Folded(*archive_, a, hours, Interpolation::kSloped, kAllParts);
  ASSERT_TRUE(gone.ok());
  for (const Interval& interval : *gone) ASSERT_EQ(interval.samples.count, 0);
}

// Between the moment raw samples expire and the one their week is rewritten, here put off by a disk that
// fails.
TEST_P(ArchiveRetentionTest, NeighboursInAWeekThatWaitsToBeRewrittenCostOnePage) {
  const TagId tag = MakeTag("a");
  Samples samples;
  for (Timestamp t = kStart; t < kStart + kWeek; t += 5 * kSecond) {
    samples.Add(t, BitsOfFloat64(static_cast<double>(t / kSecond % 1000)));
  }
  Write(tag, samples);
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  Apply();  // So that the believed time need not be written below.
  Keep("a", kWeek, 50 * kWeek);
  for (int change = 1; !ReadAll(tag).empty(); ++change) {
    faults_->FailNth(change, absl::InternalError("the disk fails"));
    ASSERT_FALSE(archive_->upkeep().ApplyRetention({}).ok()) << change;
  }
  // Intervals that hold no samples, so that only the neighbours tell of them: between two samples, before the
  // first and behind the last.
  for (const Timestamp from : {kStart + kDay + 2 * kSecond, kStart + 6 * kDay + kSecond, kStart - 2 * kSecond,
                               kStart + kWeek - 4 * kSecond}) {
    SCOPED_TRACE(FormatTimestamp(from));
    const std::vector<Timestamp> edges = {from, from + 1, from + 2};
    const std::vector<Interval> expected = model_.Fold(tag, kType, edges, Interpolation::kSloped);
    int asked = 0;
    std::vector<Interval> folded;
    const auto reader = archive_->ReadFolded(tag, [&asked] {
      ++asked;
      return absl::OkStatus();
    });
    const absl::Status status = (*reader)->Fold(edges, Interpolation::kSloped, kAllParts, AppendTo(&folded));
    ASSERT_TRUE(status.ok()) << status;
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(folded[i].good_ns, expected[i].good_ns);
      EXPECT_EQ(folded[i].area, expected[i].area);
    }
    EXPECT_LT(asked, 10) << "of " << samples.size() / 1024 << " pages";
  }
}

TEST_P(ArchiveRetentionTest, AReaderUnderWayMeetsAnEndAndNoError) {
  const TagId tag = MakeTag("a");
  Fill(tag, kStart, kEnd, 1);
  ASSERT_TRUE(archive_->upkeep().Seal(true).ok());
  auto reader = archive_->ReadRaw({.tag = tag, .start = kTimestampMin, .end = kTimestampMax});
  Samples batch;
  ASSERT_TRUE(*(*reader)->Next(&batch));
  Keep("*", kWeek);
  Apply();
  absl::StatusOr<bool> more = true;
  while ((more = (*reader)->Next(&batch)).ok() && *more) {
  }
  EXPECT_TRUE(more.ok()) << more.status();
  reader->reset();
  ExpectOnly(tag, kEnd - kWeek, kEnd, "a new reader");
}

TEST_P(ArchiveRetentionTest, PowerFailsAtAnyMomentOfIt) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  const TagId a = MakeTag("a"), b = MakeTag("b"), c = MakeTag("c");
  Keep("[ab]", 4 * kWeek);
  Keep("c", 6 * kWeek, 100 * kWeek);
  clock_.Set(kStart);
  for (const TagId tag : {a, b, c}) Fill(tag, kStart - kWeek, kStart, seed + tag);
  for (int week = 0; week < 3 * kWeeks; ++week) {
    SCOPED_TRACE(absl::StrCat("week ", week));
    const Timestamp now = clock_.Now();
    clock_.Advance(kWeek);
    for (const TagId tag : {a, b, c}) Fill(tag, now, now + kWeek, seed + week * 10 + tag);
    ASSERT_TRUE(archive_->upkeep().Seal(week % 2 == 0).ok());
    faults_->CrashNth(1 + week % 12);
    (void)archive_->upkeep().ApplyRetention({.witness = clock_.Now()});
    if (!faults_->crashed()) faults_->Crash();
    Reopen();
    if (week % 3 != 0) Apply();
    if (week % 3 == 0) continue;
    const Timestamp from = PartitionStart(PartitionOf(clock_.Now() - 4 * kWeek));
    for (const TagId tag : {a, b}) {
      const Samples expected = model_.Raw(tag, kType, from, clock_.Now()), actual = ReadAll(tag);
      ASSERT_EQ(actual.times, expected.times);
      ASSERT_EQ(actual.values, expected.values);
    }
    const Timestamp from_c = PartitionStart(PartitionOf(clock_.Now() - 6 * kWeek));
    ASSERT_EQ(ReadAll(c).times, model_.Raw(c, kType, from_c, clock_.Now()).times);
    std::vector<Timestamp> days;
    for (Timestamp t = kStart - kWeek; t <= clock_.Now(); t += kDay) days.push_back(t);
    const auto folded = Folded(*archive_, c, days, Interpolation::kSloped, kAllParts);
    ASSERT_TRUE(folded.ok()) << folded.status();
    const std::vector<Interval> expected = model_.Fold(c, kType, days, Interpolation::kSloped);
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ((*folded)[i].samples, expected[i].samples) << FormatTimestamp(days[i]);
    }
  }
}

TEST_P(ArchiveRetentionTest, RulesAreAppliedByThemselvesUnlessTheClockIsNotToBeBelieved) {
  options_.retention_period = absl::Milliseconds(20);
  Reopen();
  const auto eventually = [](const auto& condition) {
    for (int i = 0; i < 1000 && !condition(); ++i) absl::SleepFor(absl::Milliseconds(10));
    return condition();
  };
  const TagId tag = MakeTag("a");
  Fill(tag, kStart, kEnd, 1);
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  Keep("*", 3 * kWeek);
  clock_.Advance(kSecond);  // The rule is no longer fresh.
  const Timestamp from = kEnd - 3 * kWeek;
  EXPECT_TRUE(eventually([&] { return ReadAll(tag).times.front() >= from; }));
  const uint64_t kept = model_.Raw(tag, kType, from, kEnd).size();
  EXPECT_TRUE(eventually([&] { return archive_->Stats().samples_sealed == kept; }));

  clock_.Set(clock_.Now() + 8 * kWeek);
  EXPECT_TRUE(eventually([&] { return !archive_->Stats().retention.ok(); }));
  EXPECT_THAT(std::string(archive_->Stats().retention.message()), HasSubstr("histctl retention apply"));
  ExpectOnly(tag, from, kEnd, "the clock has jumped");
  ASSERT_TRUE(archive_->upkeep().ApplyRetention({}).ok());
  ExpectOnly(tag, from, kEnd, "nor does it expire by an order alone");
  Apply();
  ExpectOnly(tag, 0, 0, "somebody has looked at it");
  EXPECT_TRUE(archive_->Stats().retention.ok());
}

TEST_P(ArchiveRetentionTest, RocksDbReturnsTheSpace) {
  if (GetParam() > 0) GTEST_SKIP() << "slow tags: see SpaceReturnsWhenHalfHasExpired";
  const char* scratch = std::getenv("TEST_TMPDIR");
  const std::string path = absl::StrCat(scratch == nullptr ? "/tmp" : scratch, "/retention.", getpid());
  std::filesystem::remove_all(path);
  const auto open = [&] {
    producer_.reset();
    archive_.reset();
    auto store = kv::OpenRocksDbStore({.path = path});
    ASSERT_TRUE(store.ok()) << store.status();
    archive_ = *Archive::Open(*std::move(store), options_, clock_);
    producer_ = *archive_->OpenProducer("test");
    sequence_ = archive_->DurableSequence("test");
  };
  open();
  std::vector<TagId> tags;
  for (int i = 0; i < 20; ++i) {
    tags.push_back(MakeTag(absl::StrCat(i)));
    Fill(tags.back(), kStart, kEnd, i);
  }
  ASSERT_TRUE(archive_->upkeep().Seal(true).ok());
  const auto bytes = [this] {
    uint64_t sum = 0;
    for (const kv::Space space : {kv::Space::kHeads, kv::Space::kPages, kv::Space::kRollups}) {
      sum += archive_->Stats().store.spaces[static_cast<int>(space)].bytes_on_disk;
    }
    return sum;
  };
  const uint64_t before = bytes(), pages_before = PagesBytes();
  Keep("*", 2 * kWeek);
  const MonotonicTime begin = MonotonicTime::Now();
  const RetentionResult result = Apply();
  std::printf("%zu weeks of %zu tags dropped in %.1f ms; on disk %lu before, %lu after\n",
              result.partitions.size(), tags.size(), absl::ToDoubleMilliseconds(MonotonicTime::Now() - begin),
              before, bytes());
  EXPECT_THAT(result.partitions, SizeIs(kWeeks - 2));
  EXPECT_LT(PagesBytes(), pages_before * 25 / 100);
  EXPECT_LT(bytes(), before * 35 / 100);
  for (const char* when : {"applied", "reopened"}) {
    for (const TagId tag : tags) ExpectOnly(tag, kEnd - 2 * kWeek, kEnd, when);
    open();
  }
  producer_.reset();
  archive_.reset();
  std::filesystem::remove_all(path);
}

// Superseded statements of all tags are in weeks, wherever their blocks are.
TEST_P(ArchiveRetentionTest, WhatIsDroppedTakesNoSupersededStatementsOfOtherTags) {
  for (const bool slow_expires : {true, false}) {
    SCOPED_TRACE(slow_expires);
    clock_.Set(kEnd + kHour);
    const TagId slow = MakeTag(absl::StrCat("slow", slow_expires)),
                fast = MakeTag(absl::StrCat("fast", slow_expires));
    const Timestamp from = slow_expires ? kStart : kStart - 16 * kWeek;
    FillWith(slow, from, from + kWeek, kHour, 1);
    FillWith(fast, from, from + kWeek, 60 * kSecond, 1);
    ASSERT_TRUE(archive_->upkeep().Seal().ok());
    const Version version = archive_->MarkVersion("test", "")->version;
    const TagId kept = slow_expires ? fast : slow;
    const Samples stated = ReadAll(kept);
    FillWith(slow, from, from + kDay, kHour, 2);
    FillWith(fast, from, from + kDay, kHour, 2);
    ASSERT_TRUE(archive_->upkeep().Seal(/*settle=*/true).ok());
    ASSERT_EQ(ReadAsOf(kept, version).values, stated.values);
    ASSERT_NE(ReadAll(kept).values, stated.values);
    Keep(slow_expires ? "slow*" : "fast*", kWeek);
    Apply();
    for (const char* when : {"applied", "reopened"}) {
      EXPECT_THAT(ReadAll(slow_expires ? slow : fast), SizeIs(0));
      EXPECT_EQ(ReadAsOf(kept, version).times, stated.times) << when;
      EXPECT_EQ(ReadAsOf(kept, version).values, stated.values) << when;
      Reopen();
      ASSERT_TRUE(archive_->upkeep().Seal(/*settle=*/true).ok());
    }
    ASSERT_TRUE(archive_->retention().RemoveRule(slow_expires ? "slow*" : "fast*").ok());
  }
}

// A tag that was slow when its week was first settled, and fast later.
TEST_P(ArchiveRetentionTest, ARollupTellsOfWhatIsInTheWeekAndInItsLongPartition) {
  const TagId tag = MakeTag("a");
  FillWith(tag, kStart, kStart + kDay, kHour, 1);
  ASSERT_TRUE(archive_->upkeep().Seal(/*settle=*/true).ok());
  FillWith(tag, kStart + kDay, kStart + kWeek, 60 * kSecond, 2);
  for (int i = 0; i < 4; ++i) {
    const TagId other = MakeTag(absl::StrCat("other", i));
    FillWith(other, kStart, kStart + kWeek, 60 * kSecond, 1);
  }
  ASSERT_TRUE(archive_->upkeep().Seal(/*settle=*/true).ok());
  std::vector<Timestamp> days;
  for (Timestamp t = kStart - kDay; t <= kStart + 2 * kWeek; t += kDay) days.push_back(t);
  const std::vector<Interval> before = model_.Fold(tag, kType, days, Interpolation::kStepped);
  Keep("a", kWeek, 100 * kWeek);
  for (int i = 0; i < 3; ++i) {
    Apply();
    EXPECT_THAT(ReadAll(tag), SizeIs(0));
    const auto after = Folded(*archive_, tag, days, Interpolation::kStepped, kAllParts);
    ASSERT_TRUE(after.ok()) << after.status();
    for (size_t k = 0; k < before.size(); ++k) {
      EXPECT_EQ((*after)[k].samples, before[k].samples) << i << " " << FormatTimestamp(days[k]);
    }
    if (i == 1) {
      Keep("other*", kWeek);
    }
    Reopen();
  }
}

TEST_P(ArchiveRetentionTest, WhatHoldsKeepIsRewrittenOnce) {
  const TagId a = MakeTag("a");
  Fill(a, kStart, kEnd - 3 * kWeek, 1);
  ASSERT_TRUE(archive_->upkeep().Seal(/*settle=*/true).ok());
  for (const int week : {1, 5}) {
    const Timestamp from = kStart + week * kWeek;
    ASSERT_TRUE(archive_->retention()
                    .PlaceHold({.name = absl::StrCat(week),
                                .pattern = "a",
                                .start = from,
                                .end = from + kWeek,
                                .reason = "r",
                                .placed_by = "p"})
                    .ok());
  }
  Keep("*", kWeek);
  Apply();
  const uint64_t settles = archive_->Stats().settles;
  for (int i = 0; i < 3; ++i) EXPECT_THAT(Apply().partitions, IsEmpty());
  EXPECT_EQ(archive_->Stats().settles, settles);
  EXPECT_EQ(ReadAll(a).size(), model_.Raw(a, kType, kStart + kWeek, kStart + 2 * kWeek).size() +
                                   model_.Raw(a, kType, kStart + 5 * kWeek, kStart + 6 * kWeek).size());
}

// Tags that are fast or slow or both by turns, statements that are replaced, rules, holds, power cuts and months that go by:
// what has not expired is read as the model has it, now and as of versions that closed.
class RetentionSimulation : public ArchiveRetentionTest {
 protected:
  struct SimulatedTag {
    TagId id = 0;
    int64_t raw = 0, rollups = 0;  // Kept; 0: for ever.
    std::set<int32_t> expired_raw, expired_all;
  };

  bool IsHeld(const SimulatedTag& tag, int32_t week) const { return held_.contains({tag.id, week}); }
  bool Expires(const SimulatedTag& tag, int64_t keep, int32_t week) const {
    return keep > 0 && !IsHeld(tag, week) && format::PartitionEnd(week) <= clock_.Now() - keep;
  }
  bool MayWrite(const SimulatedTag& tag, int32_t week) const {
    return !tag.expired_raw.contains(week) && !Expires(tag, tag.raw, week);
  }

  void NoteExpired() {
    for (SimulatedTag& tag : simulated_) {
      for (int32_t week = first_; week <= PartitionOf(clock_.Now()); ++week) {
        if (Expires(tag, tag.raw, week)) tag.expired_raw.insert(week);
        if (Expires(tag, tag.rollups, week)) tag.expired_all.insert(week);
      }
    }
  }

  void WriteSome(SimulatedTag& tag, int32_t week) {
    if (!MayWrite(tag, week)) return;
    const int64_t kEvery[] = {50 * kSecond, 1200 * kSecond, kHour, 5 * kHour};
    const int64_t every = kEvery[random_() % 4];
    Samples samples;
    Timestamp t = PartitionStart(week) + static_cast<int64_t>(random_() % 4) * kDay;
    const Timestamp end = std::min(t + static_cast<int64_t>(1 + random_() % 7) * kDay,
                                   std::min(format::PartitionEnd(week), clock_.Now()));
    for (; t < end; t += every) samples.Add(t, BitsOfFloat64(static_cast<double>(random_() % 4)));
    if (samples.empty()) return;
    const WriteResult result = Write(tag.id, std::move(samples));
    ASSERT_EQ(result.rejected, 0) << result.rejections[0].message;
  }

  void CheckTag(const SimulatedTag& tag) {
    const auto visible = [&](ArchiveModel& model, const std::set<int32_t>& expired) {
      const Samples all = model.Raw(tag.id, kType, kTimestampMin, kTimestampMax);
      Samples kept;
      for (size_t i = 0; i < all.size(); ++i) {
        if (!expired.contains(PartitionOf(all.times[i]))) kept.AddFrom(kType, all.View(), i);
      }
      return kept;
    };
    const auto same = [&](const Samples& actual, const Samples& expected) {
      ASSERT_EQ(actual.times, expected.times);
      ASSERT_EQ(actual.values, expected.values);
    };
    same(ReadAll(tag.id), visible(model_, tag.expired_raw));
    for (auto& [version, model] : closed_) {
      SCOPED_TRACE(absl::StrCat("as of ", version));
      same(ReadAsOf(tag.id, version), visible(model, tag.expired_raw));
      if (HasFatalFailure()) return;
    }
    std::vector<Timestamp> days;
    for (Timestamp t = PartitionStart(first_) - kDay; t <= clock_.Now() + kDay; t += kDay) days.push_back(t);
    std::vector<Interval> expected;
    IntervalFold fold(kType, Interpolation::kStepped, days, kAllParts, AppendTo(&expected));
    const Samples summed = visible(model_, tag.expired_all);
    fold.Add(summed.View());
    fold.Finish();
    const auto actual = Folded(*archive_, tag.id, days, Interpolation::kStepped, kAllParts);
    ASSERT_TRUE(actual.ok()) << actual.status();
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ((*actual)[i].samples, expected[i].samples) << FormatTimestamp(days[i]);
    }
  }

  void Check(const std::string& when) {
    SCOPED_TRACE(when);
    for (const SimulatedTag& tag : simulated_) {
      SCOPED_TRACE(absl::StrCat("tag ", tag.id));
      CheckTag(tag);
      if (HasFatalFailure()) return;
    }
  }

  const int32_t first_ = kFirstWeek;
  std::mt19937_64 random_{GetParam()};
  std::vector<SimulatedTag> simulated_;
  std::set<std::pair<TagId, int32_t>> held_;
  std::map<Version, ArchiveModel> closed_;
};

TEST_P(RetentionSimulation, WhatHasNotExpiredIsAsTheModelHasIt) {
  clock_.Set(kStart + kDay);
  const uint64_t kSlow[] = {4096, 500, 0};
  options_.slow_samples_max = kSlow[GetParam() % 3];
  const bool by_itself = GetParam() % 4 == 1;
  if (by_itself) options_.settle_delay = absl::ZeroDuration();
  Reopen();
  for (int i = 0; i < 5; ++i) {
    SimulatedTag& tag = simulated_.emplace_back();
    const std::string name = absl::StrCat("t", i);
    tag.id = MakeTag(name);
    if (i == 0) continue;
    tag.raw = static_cast<int64_t>(3 + random_() % 8) * kWeek;
    tag.rollups = tag.raw + static_cast<int64_t>(random_() % 2 * (random_() % 12)) * kWeek;
    Keep(name, tag.raw, tag.rollups);
    for (int32_t week = first_; i > 2 && week < first_ + 40; ++week) {
      if (random_() % 6 != 0) continue;
      held_.insert({tag.id, week});
      ASSERT_TRUE(archive_->retention()
                      .PlaceHold({.name = absl::StrCat(name, " ", week),
                                  .pattern = name,
                                  .start = PartitionStart(week),
                                  .end = format::PartitionEnd(week),
                                  .reason = "r",
                                  .placed_by = "p"})
                      .ok());
    }
  }
  for (int step = 0; step < 150; ++step) {
    const int32_t now = PartitionOf(clock_.Now());
    SimulatedTag& tag = simulated_[random_() % simulated_.size()];
    const int32_t back = random_() % 3 == 0 ? static_cast<int32_t>(random_() % 14) : 0;
    WriteSome(tag, std::max(first_, now - back));
    switch (random_() % 12) {
      case 0:
        if (const auto marked = archive_->MarkVersion("test", ""); marked.ok())
          closed_[marked->version] = model_;
        if (closed_.size() > 4) closed_.erase(std::next(closed_.begin(), random_() % closed_.size()));
        break;
      case 1:
      case 2:
        ASSERT_TRUE(archive_->upkeep().Seal(random_() % 2 == 0).ok());
        break;
      case 3:
      case 4:
        Apply();
        NoteExpired();
        break;
      case 5:
        // The power fails in the middle of it.
        faults_->CrashNth(1 + random_() % 12);
        if (random_() % 2 == 0) {
          (void)archive_->upkeep().Seal(true);
        } else {
          (void)archive_->upkeep().ApplyRetention({.witness = clock_.Now()});
        }
        if (!faults_->crashed()) faults_->Crash();
        options_.slow_samples_max = random_() % 3 == 0 ? 500 : kSlow[GetParam() % 3];
        Reopen();
        Apply();
        NoteExpired();
        break;
      case 6:
      case 7:
        clock_.Advance(static_cast<int64_t>(1 + random_() % 10) * kDay);
        break;
      default:
        break;
    }
    if (step % 10 == 9) Check(absl::StrCat("step ", step));
    if (HasFatalFailure()) return;
  }
  Apply();
  NoteExpired();
  ASSERT_TRUE(archive_->upkeep().Seal(true).ok());
  Check("settled");
  Apply();
  const uint64_t settles = archive_->Stats().settles;
  for (const RetentionResult::Partition& partition : Apply().partitions) {
    EXPECT_EQ(partition.action, Action::kWait);
  }
  if (!by_itself) {
    EXPECT_EQ(archive_->Stats().settles, settles);
  }
  const absl::StatusOr<VerifyCounts> verified = archive_->upkeep().Verify(
      {}, {.on_damage = [](const Damage& damage) { ADD_FAILURE() << DescribeDamage(damage); }});
  ASSERT_TRUE(verified.ok()) << verified.status();
}

// HISTORIAN_SEEDS=1000 runs so many simulations instead of a few.
uint64_t Seeds(uint64_t usual) {
  const char* wanted = std::getenv("HISTORIAN_SEEDS");
  return 1 + (wanted == nullptr ? usual : std::strtoull(wanted, nullptr, 10));
}
INSTANTIATE_TEST_SUITE_P(Seeds, RetentionSimulation, testing::Range(uint64_t{1}, Seeds(6)));

INSTANTIATE_TEST_SUITE_P(SlowSamples, ArchiveRetentionTest, testing::Values(0, 4096));

}  // namespace
}  // namespace historian
