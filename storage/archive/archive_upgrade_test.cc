// What earlier builds wrote is read: testdata/archive_1.golden has every key and the journal of an archive of format 1, with
// settled blocks, rollups and superseded statements, blocks that are not settled, open samples, and frames in the journal.
// It was written by the last build before samples kept their versions. DO NOT CHANGE it.
//
//   samples TAG COUNT CHECKSUM   what it says of a tag
//   key SPACE KEY VALUE          in hexadecimal; - is nothing
//   log BEGIN BYTES              the journal
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/record/v1/records.pb.h"
#include "storage/archive/archive_fixture.h"
#include "storage/archive/folded.h"
#include "storage/checksum/checksum.h"
#include "storage/model/value.h"

namespace historian {
namespace {

constexpr char kGolden[] = "storage/archive/testdata/archive_1.golden";

std::string BytesOf(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; hex != "-" && i < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}
std::string HexOf(absl::string_view bytes) {
  std::string hex;
  char two[3];
  for (const unsigned char c : bytes) {
    std::snprintf(two, sizeof(two), "%02x", c);
    hex += two;
  }
  return hex.empty() ? "-" : hex;
}

class UpgradeTest : public ArchiveTest {
 protected:
  void SetUp() override {
    archive_.reset();
    disk_ = std::make_shared<kv::MemoryDisk>();
    clock_.Set(kStart + 30 * 86400 * kSecond);
    const std::unique_ptr<kv::Store> store = kv::OpenMemoryStore(disk_);
    std::ifstream in(kGolden);
    ASSERT_TRUE(in.good());
    std::vector<std::unique_ptr<kv::RunBuilder>> runs(kv::kSpaces);
    kv::Batch meta;
    std::string kind;
    while (in >> kind) {
      if (kind == "samples") {
        TagId tag;
        std::pair<size_t, uint32_t> stated;
        in >> tag >> stated.first >> stated.second;
        stated_[tag] = stated;
      } else if (kind == "key") {
        int space;
        std::string key, value;
        in >> space >> key >> value;
        if (space == static_cast<int>(kv::Space::kMeta)) {
          meta.Put(BytesOf(key), BytesOf(value));
          continue;
        }
        if (runs[space] == nullptr) runs[space] = *store->NewRun(static_cast<kv::Space>(space));
        ASSERT_TRUE(runs[space]->Add(BytesOf(key), BytesOf(value)).ok());
      } else {
        ASSERT_EQ(kind, "log");
        uint64_t begin;
        std::string bytes;
        in >> begin >> bytes;
        const std::unique_ptr<kv::Log> log = *store->OpenLog("journal");
        ASSERT_TRUE(log->Append(std::string(begin, 'x') + BytesOf(bytes)).ok());
        ASSERT_TRUE(log->Sync().ok());
        ASSERT_TRUE(log->Trim(begin).ok());
      }
    }
    std::erase(runs, nullptr);
    ASSERT_TRUE(store->Ingest(std::move(runs), meta).ok());
  }

  // Every sample is what the build that wrote it read.
  void ExpectAllSamples(const std::string& when) {
    ASSERT_EQ(stated_.size(), 4u);
    for (const auto& [tag, stated] : stated_) {
      const ValueType type = archive_->tags().Find(tag)->type;
      const Samples all = ReadAll(tag);
      std::string text;
      for (size_t i = 0; i < all.size(); ++i) {
        char line[128];
        std::snprintf(line, sizeof(line), "sample %u %lld %llx %x ", tag,
                      static_cast<long long>(all.times[i]),
                      static_cast<unsigned long long>(type == ValueType::kString ? 0 : all.values[i]),
                      all.View().QualityAt(i));
        text += line + (type == ValueType::kString ? HexOf(all.View().StringAt(i)) : "-") + "\n";
      }
      EXPECT_EQ(all.size(), stated.first) << when << ", tag " << tag;
      EXPECT_EQ(Checksum(text), stated.second) << when << ", tag " << tag;
    }
  }

  std::map<TagId, std::pair<size_t, uint32_t>>
      stated_;  // By tag: how many samples, and the checksum of their text.
};

TEST_F(UpgradeTest, EverySampleIsThereAndStaysThroughSealSettlingAndRestarts) {
  Reopen();
  ExpectAllSamples("opened");
  EXPECT_THAT(archive_->Stats().damage, testing::IsEmpty());
  uint64_t damages = 0;
  ASSERT_TRUE(archive_->upkeep().Verify({}, {.on_damage = [&](const Damage&) { ++damages; }}).ok());
  EXPECT_EQ(damages, 0u);
  Reopen();
  ExpectAllSamples("opened again");
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  ExpectAllSamples("sealed");
  ASSERT_TRUE(archive_->upkeep().Seal(/*settle=*/true).ok());
  ExpectAllSamples("settled");
  Reopen();
  ExpectAllSamples("settled and opened again");
  ASSERT_TRUE(archive_->upkeep().Verify({}, {.on_damage = [&](const Damage&) { ++damages; }}).ok());
  EXPECT_EQ(damages, 0u);
}

TEST_F(UpgradeTest, ItGetsAnIdAndKeepsIt) {
  Reopen();
  const std::string id = archive_->Id().value();
  EXPECT_EQ(id.size(), 32u);
  Reopen();
  EXPECT_EQ(*archive_->Id(), id);
}

// On a disk that is full it opens all the same, and has one when there is room.
TEST_F(UpgradeTest, WithoutRoomForAnIdItGetsOneLater) {
  Reopen();
  const std::string id = archive_->Id().value();
  // As it is when a build of before ids has opened it.
  const std::optional<std::string> record = store_->Get(kv::Space::kMeta, "archive").value();
  record::v1::ArchiveRecord without;
  ASSERT_TRUE(without.ParseFromString(*record));
  without.clear_id();
  kv::Batch batch;
  batch.Put("archive", without.SerializeAsString());
  ASSERT_TRUE(store_->Write(batch).ok());
  producer_.reset();
  archive_.reset();
  faults_->SetFull(true);
  auto archive = Archive::Open(kv::NewFaultyStore(kv::OpenMemoryStore(disk_), faults_), options_, clock_);
  ASSERT_TRUE(archive.ok()) << archive.status();
  archive_ = *std::move(archive);
  EXPECT_EQ(archive_->Id().status().code(), absl::StatusCode::kResourceExhausted);
  faults_->SetFull(false);
  EXPECT_NE(archive_->Id().value(), id);
}

TEST_F(UpgradeTest, WhatWasStatedBeforeCannotBeReadAsOfThatTimeAndLaterOnItCan) {
  Reopen();
  const Version open = archive_->versions().open();
  ASSERT_GT(open, 1u) << "it has closed versions";
  for (const AsOf& before : {AsOf{.version = open - 1}, AsOf{.time = clock_.Now()}}) {
    const absl::StatusOr<Version> resolved = archive_->versions().Resolve(before);
    EXPECT_EQ(resolved.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(
        std::string(resolved.status().message()),
        testing::HasSubstr(absl::StrCat("version ", open, " will be the first that can be read as-of")));
  }
  EXPECT_EQ(ReadAll({.tag = 1, .start = 0, .end = kTimestampMax, .as_of = open - 1}).status().code(),
            absl::StatusCode::kFailedPrecondition);
  // From the first mark on.
  const Samples before = ReadAll(1);
  const ClosedVersion marked = archive_->MarkVersion("", "").value();
  EXPECT_EQ(marked.version, open);
  Samples changed;
  changed.Add(before.times[0], BitsOfFloat64(1000));
  ASSERT_TRUE(WriteColumn(1, ValueType::kFloat64, changed).ok());
  const std::vector<Timestamp> edges = {before.times.front(), before.times.back() + 1};
  const double sum_before =
      (*Folded(*archive_, 1, edges, Interpolation::kStepped, kAllParts, marked.version))[0]
          .samples.sum.ToDouble();
  for (const char* when : {"open", "sealed", "settled", "opened again"}) {
    const absl::string_view now = when;
    if (now == "opened again") Reopen();
    if (now == "sealed" || now == "settled") {
      ASSERT_TRUE(archive_->upkeep().Seal(/*settle=*/now == "settled").ok());
    }
    const absl::StatusOr<Samples> then =
        ReadAll({.tag = 1, .start = kTimestampMin, .end = kTimestampMax + 1, .as_of = marked.version});
    ASSERT_TRUE(then.ok()) << then.status();
    ExpectSame(ValueType::kFloat64, *then, before, when);
    EXPECT_EQ(ReadAll(1).values[0], BitsOfFloat64(1000)) << when;
    EXPECT_EQ((*Folded(*archive_, 1, edges, Interpolation::kStepped, kAllParts, marked.version))[0]
                  .samples.sum.ToDouble(),
              sum_before)
        << when;
  }
  EXPECT_EQ(archive_->versions().Resolve({.version = open - 1}).status().code(),
            absl::StatusCode::kFailedPrecondition)
      << "it is known after a restart, too";
}

}  // namespace
}  // namespace historian
