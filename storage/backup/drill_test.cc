// Trials of restoring: what passes, what does not, and what they leave behind.
#include "storage/backup/drill.h"

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/backup/backup_fixture.h"
#include "storage/backup/backup_maker.h"
#include "storage/backup/directory_target.h"
#include "storage/backup/prune.h"
#include "storage/backup/repository.h"
#include "storage/backup/restore.h"
#include "storage/kv/small_disk.h"

namespace historian::backup {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DrillTest : public ::testing::Test {
 protected:
  DrillTest()
      : scratch_(ScratchDirectory("drill")),
        clock_(kStart + 400 * 86'400 * kNanosPerSecond),
        target_(NewDirectoryTarget(scratch_ + "/repository")) {
    Open(scratch_ + "/data");
    EXPECT_TRUE(Repository::Create(*target_, *archive_->Id(), clock_.Now()).ok());
  }
  ~DrillTest() override {
    archive_.reset();
    fs::remove_all(scratch_);
  }

  void Open(const std::string& data_dir) {
    archive_.reset();
    data_dir_ = data_dir;
    auto archive = OpenArchive(data_dir, clock_);
    ASSERT_TRUE(archive.ok()) << archive.status();
    archive_ = *std::move(archive);
  }
  void WriteSome(uint64_t seed) {
    RandomWriter writer(*archive_, seed);
    for (int i = 0; i < 4; ++i) writer.MakeTag();
    for (int i = 0; i < 30; ++i) writer.DoSomething();
  }
  Repository OpenRepository() { return *Repository::Open(*target_); }
  Manifest Backup() {
    clock_.Advance(60 * kNanosPerSecond);
    const auto info = MakeBackup(*archive_, OpenRepository(), OptionsFor(data_dir_), clock_, {});
    EXPECT_TRUE(info.ok()) << info.status();
    return *OpenRepository().ReadManifest(info->id);
  }
  absl::StatusOr<DrillResult> Try(const Manifest& manifest, KeepGoing keep_going = nullptr,
                                  const std::string& scratch = "") {
    const std::string directory = scratch.empty() ? scratch_ + "/scratch" : scratch;
    const absl::StatusOr<DrillResult> result =
        Drill(OpenRepository(), manifest, clock_,
              {.scratch = directory,
               .with_archive = [&](const auto& use) { return use(*archive_); },
               .keep_going = std::move(keep_going)});
    EXPECT_FALSE(fs::exists(directory));
    return result;
  }
  DrillResult Run(const Manifest& manifest) {
    const absl::StatusOr<DrillResult> result = Try(manifest);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *result : DrillResult();
  }

  const std::string scratch_;
  SimulatedClock clock_;
  const std::unique_ptr<Target> target_;
  std::string data_dir_;
  std::unique_ptr<Archive> archive_;
};

TEST_F(DrillTest, PassesWhateverHasBeenWrittenSince) {
  WriteSome(1);
  const Manifest manifest = Backup();
  WriteSome(2);
  ASSERT_TRUE(archive_->upkeep().Seal(/*settle=*/true).ok());
  const DrillResult result = Run(manifest);
  EXPECT_TRUE(result.passed()) << result.what;
  EXPECT_EQ(result.backup, manifest.info.id);
  EXPECT_EQ(result.version, manifest.info.version);
  EXPECT_GT(result.samples, 0);
  EXPECT_GT(result.tags, 0);
  EXPECT_GT(result.compared, 0);
  EXPECT_EQ(result.differences, 0);
  EXPECT_EQ(result.expired, 0);
}

TEST_F(DrillTest, WhatHasExpiredSinceIsToldApart) {
  WriteSome(1);
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  const Manifest manifest = Backup();
  const DrillResult before = Run(manifest);
  ASSERT_TRUE(
      archive_->retention().SetRule({.name = "short", .pattern = "*", .keep_raw = absl::Hours(24)}).ok());
  const auto applied = archive_->upkeep().ApplyRetention({.witness = clock_.Now()});
  ASSERT_TRUE(applied.ok()) << applied.status();
  ASSERT_GT(applied->samples, 0);
  const DrillResult result = Run(manifest);
  EXPECT_TRUE(result.passed()) << result.what;
  EXPECT_EQ(result.expired, before.compared);
  EXPECT_EQ(result.compared, 0);
}

TEST_F(DrillTest, ADifferenceIsFound) {
  WriteSome(1);
  const Manifest first = Backup();
  WriteSome(2);
  const Manifest second = Backup();
  // An archive that went another way from the first backup on.
  ASSERT_EQ(Restore(OpenRepository(), first, {.to = scratch_ + "/other"}), absl::OkStatus());
  Open(scratch_ + "/other");
  WriteSome(3);
  while (archive_->versions().open() <= second.info.version) ASSERT_TRUE(archive_->MarkVersion("", "").ok());
  const DrillResult result = Run(second);
  EXPECT_FALSE(result.passed());
  EXPECT_GT(result.differences, 0);
  EXPECT_THAT(result.what, HasSubstr("differs: "));
  EXPECT_TRUE(Run(first).passed()) << "until then they are the same";
}

TEST_F(DrillTest, ADamagedBackupIsFound) {
  WriteSome(1);
  const Manifest manifest = Backup();
  const std::string path = absl::StrCat(scratch_, "/repository/", ObjectOf(manifest.files.back()));
  std::string bytes = Slurp(path);
  bytes.back() ^= 1;
  Spit(path, bytes);
  const DrillResult result = Run(manifest);
  EXPECT_FALSE(result.passed());
  EXPECT_THAT(result.what, HasSubstr("is damaged, so backup"));
}

TEST_F(DrillTest, WithoutRoomItSaysSoAndTakesNone) {
  kv::SmallDisk disk(uint64_t{1} << 20);
  if (!disk.mounted()) GTEST_SKIP() << disk.reason();
  disk.Fill(/*but_bytes=*/64 << 10);
  WriteSome(1);
  const absl::StatusOr<DrillResult> result = Try(Backup(), nullptr, disk / "scratch");
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(result->what, HasSubstr("there is no room to restore into"));
}

TEST_F(DrillTest, OneThatIsEndedLeavesNothing) {
  WriteSome(1);
  const Manifest manifest = Backup();
  for (int end_at = 1;; end_at += 11) {
    int steps = 0;
    const absl::StatusOr<DrillResult> result =
        Try(manifest, [&] { return ++steps >= end_at ? absl::CancelledError("stop") : absl::OkStatus(); });
    if (result.ok()) break;
    EXPECT_EQ(result.status().code(), absl::StatusCode::kCancelled);
  }
}

TEST_F(DrillTest, ResultsAreKept) {
  EXPECT_THAT(*ListDrills(OpenRepository(), 10), IsEmpty());
  WriteSome(1);
  const DrillResult good = Run(Backup());
  DrillResult bad = good;
  bad.id = NewBackupId(clock_.Now() + kNanosPerSecond);
  bad.what = "damage: something";
  ASSERT_EQ(RecordDrill(OpenRepository(), good), absl::OkStatus());
  ASSERT_EQ(RecordDrill(OpenRepository(), bad), absl::OkStatus());
  EXPECT_THAT(*ListDrills(OpenRepository(), 10), ElementsAre(bad, good));
  EXPECT_THAT(*ListDrills(OpenRepository(), 1), ElementsAre(bad));
  Spit(absl::StrCat(scratch_, "/repository/drills/", bad.id), "x");
  EXPECT_THAT(*ListDrills(OpenRepository(), 10), ElementsAre(good));
}

TEST_F(DrillTest, OfManyResultsTheNewestAreKept) {
  Backup();
  DrillResult result;
  for (int i = 0; i < 103; ++i) {
    result.id = NewBackupId(clock_.Now() + i * kNanosPerSecond);
    ASSERT_EQ(RecordDrill(OpenRepository(), result), absl::OkStatus());
  }
  ASSERT_TRUE(Prune(OpenRepository(), {.dry_run = true}, nullptr).ok());
  EXPECT_EQ(ListDrills(OpenRepository(), 1000)->size(), 103);
  ASSERT_TRUE(Prune(OpenRepository(), {}, nullptr).ok());
  const auto kept = ListDrills(OpenRepository(), 1000);
  ASSERT_EQ(kept->size(), 100);
  EXPECT_EQ(kept->front().id, result.id);
}

}  // namespace
}  // namespace historian::backup
