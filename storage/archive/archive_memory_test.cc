// The archive's memory: one account of everything, and definitions that take their part first.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/archive/archive_fixture.h"
#include "storage/archive/memory_shares.h"
#include "storage/model/definition_memory.h"

namespace historian {
namespace {

using testing::HasSubstr;

class ArchiveMemoryTest : public ArchiveTest {
 protected:
  // Until one is refused; returns why, and how many there are.
  absl::Status FillWithTags(size_t* made) {
    for (*made = 0; *made < 10'000; ++*made) {
      Tag tag{.name = absl::StrCat("valve-", *made),
              .type = ValueType::kDigital,
              .interpolation = Interpolation::kStepped};
      for (uint32_t code = 0; code < 1'000; ++code) tag.states[code] = absl::StrCat("state number ", code);
      if (const auto created = archive_->tags().Create({tag}); !created[0].ok()) return created[0].status();
    }
    return absl::OkStatus();
  }
  absl::Status WriteOne(TagId tag, ValueType type, Timestamp time) {
    Samples samples;
    samples.Add(time, type == ValueType::kFloat64 ? BitsOfFloat64(1) : BitsOfInt64(1));
    const absl::StatusOr<WriteResult> written = WriteColumn(tag, type, std::move(samples));
    EXPECT_TRUE(!written.ok() || written->rejected == 0);
    return written.status();
  }
  // Of the archive as it is now, within a second: caches shrink when it has looked.
  bool CachesKeepToTheirShare() {
    const MemoryShares shares(options_.memory_budget_bytes, archive_->Stats().memory.definitions());
    for (int i = 0; i < 100; ++i) {
      if (archive_->Stats().memory.caches <= shares.cache_bytes) return true;
      absl::SleepFor(absl::Milliseconds(50));
    }
    return false;
  }
};

TEST_F(ArchiveMemoryTest, EveryKindIsCounted) {
  const ArchiveMemory before = archive_->Stats().memory;
  const TagId tag = MakeTag("a", ValueType::kFloat64);
  ASSERT_TRUE(WriteOne(tag, ValueType::kFloat64, kStart).ok());
  const ArchiveMemory after = archive_->Stats().memory;
  EXPECT_GT(after.tags, before.tags);
  EXPECT_GT(after.tag_states, before.tag_states);
  EXPECT_GT(after.producers, 0u);
  EXPECT_GT(after.tails, before.tails);
  ASSERT_TRUE(archive_->retention().SetRule({.name = "r", .pattern = "*"}).ok());
  EXPECT_GT(archive_->Stats().memory.retention, before.retention);
  ASSERT_TRUE(archive_->MarkVersion("somebody", "a month").ok());
  EXPECT_GT(archive_->Stats().memory.versions, before.versions);
  EXPECT_EQ(after.total(), after.definitions() + after.tails + after.frames + after.caches);
}

TEST_F(ArchiveMemoryTest, WhatThereIsNoMemoryForIsRefusedAndNothingElse) {
  const TagId tag = MakeTag("a", ValueType::kFloat64);
  options_.memory_budget_bytes = uint64_t{16} << 20;
  Reopen();
  EXPECT_TRUE(archive_->Stats().definitions.ok());
  size_t made = 0;
  const absl::Status refused = FillWithTags(&made);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(refused.message(), HasSubstr("limits.memory_budget"));
  EXPECT_GT(made, 100u);
  const ArchiveStats stats = archive_->Stats();
  EXPECT_LE(stats.memory.definitions(), stats.definition_bytes_max);
  EXPECT_EQ(stats.definitions.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(stats.definitions.message(), HasSubstr("limits.memory_budget"));

  // Small ones take the rest.
  std::vector<std::shared_ptr<Producer>> held;
  absl::Status producer;
  for (int i = 0; producer.ok() && i < 100'000; ++i) {
    auto opened = archive_->OpenProducer(absl::StrCat("producer ", i));
    producer = opened.status();
    if (opened.ok()) held.push_back(*std::move(opened));
  }
  EXPECT_EQ(producer.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(producer.message(), HasSubstr("limits.memory_budget"));
  absl::Status hold;
  for (int i = 0; hold.ok() && i < 1'000; ++i) {
    hold = archive_->retention()
               .PlaceHold({.name = "h",
                           .pattern = "*",
                           .start = kStart,
                           .end = kStart + kSecond,
                           .reason = std::string(4'000, 'r'),
                           .placed_by = "somebody"})
               .status();
  }
  EXPECT_EQ(hold.code(), absl::StatusCode::kResourceExhausted);

  // What there is goes on: samples, reads, seals, versions that close by themselves.
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(WriteOne(tag, ValueType::kFloat64, kStart + i * kSecond).ok());
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  for (int i = 100; i < 200; ++i) ASSERT_TRUE(WriteOne(tag, ValueType::kFloat64, kStart + i * kSecond).ok());
  EXPECT_EQ(ReadAll(tag).size(), 200u);
  EXPECT_TRUE(archive_->OpenProducer("test").ok());
  EXPECT_TRUE(archive_->tags().SetRetired(tag, true).ok());
  EXPECT_TRUE(CachesKeepToTheirShare());
}

TEST_F(ArchiveMemoryTest, AStartWithABudgetThatIsTooSmallServes) {
  const TagId tag = MakeTag("a", ValueType::kFloat64);
  ASSERT_TRUE(WriteOne(tag, ValueType::kFloat64, kStart).ok());
  options_.memory_budget_bytes = uint64_t{16} << 20;
  Reopen();
  size_t made = 0;
  EXPECT_FALSE(FillWithTags(&made).ok());
  options_.memory_budget_bytes = uint64_t{2} << 20;
  Reopen();
  const ArchiveStats stats = archive_->Stats();
  EXPECT_GT(stats.memory.definitions(), options_.memory_budget_bytes);
  EXPECT_FALSE(stats.definitions.ok());
  EXPECT_EQ(archive_->tags().size(), made + 1);
  for (int i = 1; i < 2'000; ++i) ASSERT_TRUE(WriteOne(tag, ValueType::kFloat64, kStart + i * kSecond).ok());
  EXPECT_EQ(ReadAll(tag).size(), 2'000u);
  EXPECT_EQ(archive_->tags().Create({Tag{.name = "b"}})[0].status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(archive_->MarkVersion("somebody", "a month").status().code(),
            absl::StatusCode::kResourceExhausted);
  // With more again it takes new ones again.
  options_.memory_budget_bytes = uint64_t{64} << 20;
  Reopen();
  EXPECT_TRUE(archive_->Stats().definitions.ok());
  EXPECT_TRUE(archive_->tags().Create({Tag{.name = "b"}})[0].ok());
}

TEST_F(ArchiveMemoryTest, MarksAreBoundedInNumber) {
  options_.version_marks_max = 2;
  Reopen();
  EXPECT_TRUE(archive_->MarkVersion("somebody", "one").ok());
  EXPECT_TRUE(archive_->MarkVersion("somebody", "two").ok());
  const absl::Status refused = archive_->MarkVersion("somebody", "three").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(refused.message(), HasSubstr("limits.version_marks"));
  Reopen();
  EXPECT_FALSE(archive_->MarkVersion("somebody", "three").ok());
}

TEST_F(ArchiveMemoryTest, ALongNewestTextIsReadWhenItIsAskedFor) {
  const TagId tag = MakeTag("text", ValueType::kString);
  const auto write = [&](Timestamp time, const std::string& text) {
    Samples samples;
    samples.AddString(time, text, kGood);
    ASSERT_TRUE(WriteColumn(tag, ValueType::kString, std::move(samples)).ok());
  };
  const auto expect = [&](Timestamp time, const std::string& text, const std::string& when) {
    const auto latest = archive_->ReadLatest({&tag, 1});
    ASSERT_TRUE(latest.ok()) << latest.status();
    ASSERT_TRUE((*latest)[0].has_value()) << when;
    EXPECT_EQ((*latest)[0]->sample.time, time) << when;
    EXPECT_EQ((*latest)[0]->text, text) << when;
  };
  Timestamp time = kStart;
  for (const size_t size : {1, 128, 129, 60'000, 20}) {
    const std::string text(size, static_cast<char>('a' + size % 26));
    write(time += kSecond, text);
    expect(time, text, absl::StrCat(size, " bytes, open"));
    write(kStart - 100 * kSecond + static_cast<Timestamp>(size), "late");
    expect(time, text, "with one that is late");
    Reopen();
    expect(time, text, absl::StrCat(size, " bytes, from the journal"));
    ASSERT_TRUE(archive_->upkeep().Seal().ok());
    expect(time, text, absl::StrCat(size, " bytes, sealed"));
    EXPECT_EQ(archive_->Stats().memory.tails, 0u);
    Reopen();
    expect(time, text, absl::StrCat(size, " bytes, sealed and read again"));
    write(kStart - 200 * kSecond + static_cast<Timestamp>(size), "late");
    ASSERT_TRUE(archive_->upkeep().Seal().ok());
    Reopen();
    expect(time, text, absl::StrCat(size, " bytes, sealed again"));
  }
}

TEST_F(ArchiveMemoryTest, TextsThatAreSealedTakeNoShareOfOpenSamples) {
  options_.memory_budget_bytes = uint64_t{4} << 20;
  Reopen();
  std::vector<TagId> tags;
  for (int i = 0; i < 1'000; ++i) tags.push_back(MakeTag(absl::StrCat("text ", i), ValueType::kString));
  for (int round = 0; round < 3; ++round) {
    for (const TagId tag : tags) {
      Samples samples;
      samples.AddString(kStart + round * kSecond, std::string(10'000, 'x'), kGood);
      absl::StatusOr<WriteResult> written = absl::ResourceExhaustedError("");
      while (absl::IsResourceExhausted(written.status()))
        written = WriteColumn(tag, ValueType::kString, samples);
      ASSERT_TRUE(written.ok()) << written.status();
    }
  }
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  EXPECT_EQ(archive_->Stats().memory.tails, 0u);
  const uint64_t seals = archive_->Stats().seals;
  absl::SleepFor(absl::Seconds(1));
  EXPECT_EQ(archive_->Stats().seals, seals) << "there is nothing to seal";
}

}  // namespace
}  // namespace historian
