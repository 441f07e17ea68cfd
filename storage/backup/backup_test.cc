// Backups of a running archive, and what is restored of them: taken, listed, verified, pruned, refused.
#include <sys/mount.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/backup/backup_fixture.h"
#include "storage/backup/backup_maker.h"
#include "storage/backup/directory_target.h"
#include "storage/backup/prune.h"
#include "storage/backup/repository.h"
#include "storage/backup/restore.h"
#include "storage/backup/verify_repository.h"
#include "storage/kv/small_disk.h"

namespace historian::backup {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Every file below the directory with its bytes, but for the lock.
std::map<std::string, std::string> AllIn(const std::string& directory) {
  std::map<std::string, std::string> all;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file() && entry.path().filename() != "LOCK")
      all[entry.path().lexically_relative(directory)] = Slurp(entry.path());
  }
  return all;
}

void FlipMiddleByte(const std::string& path) {
  std::string bytes = Slurp(path);
  ASSERT_FALSE(bytes.empty()) << path;
  bytes[bytes.size() / 2] ^= 0x40;
  Spit(path, bytes);
}

// The times of each tag's samples in what SayAll says.
std::map<TagId, std::set<Timestamp>> TimesIn(const std::string& said) {
  std::map<TagId, std::set<Timestamp>> times;
  std::istringstream in(said);
  std::set<Timestamp>* of_tag = nullptr;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    if (absl::StartsWith(line, "tag ")) {
      std::string word;
      TagId tag;
      words >> word >> tag;
      of_tag = &times[tag];
    } else {
      Timestamp time;
      words >> time;
      of_tag->insert(time);
    }
  }
  return times;
}

class BackupTest : public ::testing::Test {
 protected:
  BackupTest() : scratch_(ScratchDirectory("backup")), clock_(kStart + 400 * 86'400 * kNanosPerSecond) {
    data_dir_ = scratch_ + "/data";
    UseTarget(scratch_ + "/repository");
    Open();
  }
  ~BackupTest() override {
    archive_.reset();
    fs::remove_all(scratch_);
  }

  void UseTarget(const std::string& path) {
    path_ = path;
    target_ = NewDirectoryTarget(path);
  }
  void Open() {
    archive_.reset();
    auto archive = OpenArchive(data_dir_, clock_);
    ASSERT_TRUE(archive.ok()) << archive.status();
    archive_ = *std::move(archive);
  }
  void MakeRepository() {
    const absl::StatusOr<std::string> id = archive_->Id();
    ASSERT_TRUE(id.ok()) << id.status();
    const auto made = Repository::Create(*target_, *id, clock_.Now());
    ASSERT_TRUE(made.ok()) << made.status();
  }
  Repository OpenRepository() {
    auto repository = Repository::Open(*target_);
    EXPECT_TRUE(repository.ok()) << repository.status();
    return *repository;
  }
  absl::StatusOr<BackupInfo> TryBackup(const BackupObserver& observer = {}) {
    const absl::StatusOr<Repository> repository = Repository::Open(*target_);
    if (!repository.ok()) return repository.status();
    clock_.Advance(60 * kNanosPerSecond);
    return MakeBackup(*archive_, *repository, OptionsFor(data_dir_), clock_, observer);
  }
  BackupInfo Backup() {
    const absl::StatusOr<BackupInfo> info = TryBackup();
    EXPECT_TRUE(info.ok()) << info.status();
    return info.ok() ? *info : BackupInfo();
  }
  void WriteSome(uint64_t seed, int steps = 40) {
    RandomWriter writer(*archive_, seed);
    for (int i = 0; i < 4; ++i) writer.MakeTag();
    for (int i = 0; i < steps; ++i) writer.DoSomething();
  }
  absl::Status TryRestore(const std::string& id, const std::string& to, KeepGoing keep_going = nullptr) {
    const absl::StatusOr<Repository> repository = Repository::Open(*target_);
    if (!repository.ok()) return repository.status();
    const absl::StatusOr<Manifest> manifest = repository->ReadManifest(id);
    if (!manifest.ok()) return manifest.status();
    return Restore(*repository, *manifest, {.to = to, .keep_going = std::move(keep_going)});
  }
  // What the backup says as of the version.
  std::string SayBackup(const std::string& id, Version as_of = kVersionNow) {
    const std::string to = absl::StrCat(scratch_, "/restored-", ++restores_);
    const absl::Status restored = TryRestore(id, to);
    EXPECT_TRUE(restored.ok()) << restored;
    if (!restored.ok()) return "";
    const auto archive = OpenArchive(to, clock_);
    EXPECT_TRUE(archive.ok()) << archive.status();
    if (!archive.ok()) return "";
    EXPECT_THAT((*archive)->Stats().damage, IsEmpty());
    uint64_t damages = 0;
    EXPECT_TRUE((*archive)->upkeep().Verify({}, {.on_damage = [&](const Damage&) { ++damages; }}).ok());
    EXPECT_EQ(damages, 0);
    return SayAll(**archive, as_of);
  }
  std::vector<RepositoryDamage> Verify() {
    std::vector<RepositoryDamage> found;
    const auto counts =
        VerifyRepository(OpenRepository(), {},
                         {.on_damage = [&](const RepositoryDamage& damage) { found.push_back(damage); }});
    EXPECT_TRUE(counts.ok()) << counts.status();
    return found;
  }

  const std::string scratch_;
  SimulatedClock clock_;
  std::string data_dir_;
  std::string path_;
  std::unique_ptr<Target> target_;
  std::unique_ptr<Archive> archive_;
  int restores_ = 0;
};

TEST_F(BackupTest, WhatIsRestoredSaysWhatTheArchiveSaid) {
  WriteSome(1);
  Spit(data_dir_ + "/tokens.toml", "# tokens\n");
  MakeRepository();
  const BackupInfo info = Backup();
  EXPECT_EQ(info.archive_id, *archive_->Id());
  EXPECT_GT(info.version, 0);
  EXPECT_GT(info.files, 0);
  EXPECT_LE(info.new_files, info.files);
  EXPECT_GT(info.new_files, 0);
  const std::string said = SayAll(*archive_);
  WriteSome(2);  // Comes too late for it.
  EXPECT_EQ(SayBackup(info.id), said);
  EXPECT_EQ(SayAll(*archive_, info.version), said);
  const fs::path tokens = scratch_ + "/restored-1/tokens.toml";
  EXPECT_EQ(Slurp(tokens), "# tokens\n");
  EXPECT_EQ(fs::status(tokens).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_THAT(Verify(), IsEmpty());
  EXPECT_TRUE(fs::is_empty(data_dir_ + "/runs")) << "the checkpoint is gone";
}

TEST_F(BackupTest, OfARestoredArchiveTheIdIsTheSameAndItsBackupsGoToTheSameRepository) {
  WriteSome(1);
  MakeRepository();
  const BackupInfo first = Backup();
  ASSERT_TRUE(TryRestore(first.id, scratch_ + "/new").ok());
  data_dir_ = scratch_ + "/new";
  Open();
  EXPECT_EQ(*archive_->Id(), first.archive_id);
  // It goes its own way from there, with names of files that the other one used too.
  WriteSome(9);
  const std::string said = SayAll(*archive_);
  const BackupInfo second = Backup();
  EXPECT_EQ(SayBackup(second.id), said);
}

// Random histories, with writes, seals and settling going on all the time. What was acknowledged before a backup is in it,
// and as of its version it says what the archive says.
TEST_F(BackupTest, OfManyHistoriesWithWritesGoingOn) {
  const uint64_t seed = std::random_device{}();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  MakeRepository();
  for (uint64_t round = 0; round < 4; ++round) {
    SCOPED_TRACE(absl::StrCat("seed ", seed, ", round ", round));
    std::atomic<bool> stop{false};
    RandomWriter writer(*archive_, seed + round);
    std::thread writing([&] {
      while (!stop) writer.DoSomething();
    });
    std::vector<std::pair<BackupInfo, std::vector<RandomWriter::Acknowledged>>> taken;
    for (int i = 0; i < 3; ++i) {
      std::vector<RandomWriter::Acknowledged> before = writer.acknowledged();
      taken.emplace_back(Backup(), std::move(before));
    }
    stop = true;
    writing.join();
    for (const auto& [info, acknowledged] : taken) {
      EXPECT_NE(info.version, 0);
      const std::string of_backup = SayBackup(info.id, info.version);
      EXPECT_EQ(of_backup, SayAll(*archive_, info.version));
      const std::map<TagId, std::set<Timestamp>> times = TimesIn(of_backup);
      for (const RandomWriter::Acknowledged& run : acknowledged) {
        for (Timestamp time = run.first; time <= run.last; time += 30 * kNanosPerSecond)
          ASSERT_TRUE(times.at(run.tag).contains(time)) << run.tag << " " << FormatTimestamp(time);
      }
    }
    writer.Release();
    if (round == 1) Open();
    if (HasFailure()) return;
  }
  EXPECT_THAT(Verify(), IsEmpty());
}

TEST_F(BackupTest, TheSecondOneCopiesOnlyWhatIsNew) {
  WriteSome(1);
  ASSERT_TRUE(archive_->upkeep().Seal(/*settle=*/true).ok());
  MakeRepository();
  const BackupInfo first = Backup();
  // Files that never change are not even read: of one that cannot be read nobody notices.
  BackupProgress last;
  const auto second = TryBackup({.on_progress = [&](const BackupProgress& progress) { last = progress; }});
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_LT(second->new_bytes, first.new_bytes / 2);
  EXPECT_EQ(last.files, second->files);
  EXPECT_EQ(last.bytes, second->bytes);
  EXPECT_EQ(last.new_bytes, second->new_bytes);
  const auto files = target_->List(kFilesPrefix);
  ASSERT_TRUE(files.ok());
  EXPECT_EQ(files->size(), first.new_files + second->new_files);
  EXPECT_EQ(SayBackup(first.id), SayBackup(second->id));
}

TEST_F(BackupTest, PrunedAreTheRightOnesAndTheOthersAreWhole) {
  MakeRepository();
  std::vector<BackupInfo> taken;
  std::vector<std::string> said;
  for (int i = 0; i < 4; ++i) {
    WriteSome(10 + i, 10);
    ASSERT_TRUE(archive_->upkeep().Seal().ok());
    taken.push_back(Backup());
    said.push_back(SayAll(*archive_));
  }
  PruneOptions options{.keep = {.last = 2, .daily = 0, .weekly = 0, .monthly = 0}, .dry_run = true};
  const auto before = AllIn(path_);
  const auto planned = Prune(OpenRepository(), options, nullptr);
  ASSERT_TRUE(planned.ok()) << planned.status();
  EXPECT_EQ(AllIn(path_), before) << "a dry run changes nothing";
  EXPECT_THAT(planned->removed, ElementsAre(taken[0].id, taken[1].id));
  EXPECT_THAT(planned->kept, ElementsAre(taken[2].id, taken[3].id));
  options.dry_run = false;
  const auto pruned = Prune(OpenRepository(), options, nullptr);
  ASSERT_TRUE(pruned.ok()) << pruned.status();
  EXPECT_EQ(pruned->removed, planned->removed);
  EXPECT_EQ(pruned->files, planned->files);
  EXPECT_EQ(pruned->bytes, planned->bytes);
  EXPECT_GT(pruned->files, 0);
  EXPECT_THAT(Verify(), IsEmpty());
  EXPECT_EQ(SayBackup(taken[2].id), said[2]);
  EXPECT_EQ(SayBackup(taken[3].id), said[3]);
  EXPECT_EQ(TryRestore(taken[0].id, scratch_ + "/gone").code(), absl::StatusCode::kNotFound);
  std::set<std::string> needed;
  for (const BackupInfo& info : {taken[2], taken[3]}) {
    const absl::StatusOr<Manifest> manifest = OpenRepository().ReadManifest(info.id);
    for (const BackedUpFile& file : manifest->files) needed.insert(ObjectOf(file));
  }
  EXPECT_EQ(target_->List(kFilesPrefix)->size(), needed.size()) << "nothing is left that nobody needs";
}

TEST_F(BackupTest, EveryDamagedFileIsFoundAndRefused) {
  WriteSome(1, 20);
  MakeRepository();
  const BackupInfo info = Backup();
  const BackupInfo later = Backup();
  const absl::StatusOr<Manifest> manifest = OpenRepository().ReadManifest(info.id);
  ASSERT_TRUE(manifest.ok());
  const absl::StatusOr<Manifest> later_manifest = OpenRepository().ReadManifest(later.id);
  for (const BackedUpFile& file : manifest->files) {
    if (file.size_bytes == 0) continue;
    SCOPED_TRACE(file.path);
    const std::string path = absl::StrCat(path_, "/", ObjectOf(file));
    const std::string whole = Slurp(path);
    const bool is_shared =
        std::any_of(later_manifest->files.begin(), later_manifest->files.end(),
                    [&](const BackedUpFile& other) { return ObjectOf(other) == ObjectOf(file); });
    for (const char* how : {"flipped", "cut", "missing"}) {
      SCOPED_TRACE(how);
      if (how == absl::string_view("flipped")) FlipMiddleByte(path);
      if (how == absl::string_view("cut")) Spit(path, whole.substr(0, whole.size() - 1));
      if (how == absl::string_view("missing")) fs::remove(path);
      const std::vector<RepositoryDamage> found = Verify();
      ASSERT_THAT(found, SizeIs(1));
      EXPECT_EQ(found[0].object, ObjectOf(file));
      EXPECT_EQ(found[0].path, file.path);
      if (is_shared) {
        EXPECT_THAT(found[0].backups, ElementsAre(info.id, later.id));
      } else {
        EXPECT_THAT(found[0].backups, ElementsAre(info.id));
      }
      const std::string to = scratch_ + "/damaged";
      const absl::Status restored = TryRestore(info.id, to);
      EXPECT_EQ(restored.code(), absl::StatusCode::kDataLoss) << restored;
      EXPECT_THAT(std::string(restored.message()), HasSubstr(file.path));
      EXPECT_EQ(OpenArchive(to, clock_).status().code(), absl::StatusCode::kFailedPrecondition)
          << "what was restored half way is not served";
      Spit(path, whole);
      EXPECT_EQ(TryRestore(info.id, to), absl::OkStatus());
      fs::remove_all(to);
    }
  }
}

TEST_F(BackupTest, ADamagedManifestIsRefusedAndHoldsFilesBack) {
  WriteSome(1, 20);
  MakeRepository();
  const BackupInfo first = Backup();
  WriteSome(2, 20);
  const BackupInfo second = Backup();
  const std::string path = absl::StrCat(path_, "/backups/", second.id);
  const std::string whole = Slurp(path);
  for (size_t i = 0; i < whole.size(); i += 97) {
    std::string damaged = whole;
    damaged[i] ^= 0x01;
    Spit(path, damaged);
    ASSERT_EQ(OpenRepository().ReadManifest(second.id).status().code(), absl::StatusCode::kDataLoss) << i;
  }
  EXPECT_EQ(OpenRepository().FindNewest().status().code(), absl::StatusCode::kDataLoss)
      << "an older one is not taken for it";
  EXPECT_EQ(OpenRepository().FindNewest(first.taken)->info.id, first.id);
  const std::vector<RepositoryDamage> found = Verify();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].object, absl::StrCat("backups/", second.id));
  const PruneOptions keep_one{.keep = {.last = 1, .daily = 0, .weekly = 0, .monthly = 0}};
  const size_t files = target_->List(kFilesPrefix)->size();
  const auto pruned = Prune(OpenRepository(), keep_one, nullptr);
  ASSERT_TRUE(pruned.ok()) << pruned.status();
  EXPECT_THAT(pruned->damaged, ElementsAre(second.id));
  EXPECT_EQ(target_->List(kFilesPrefix)->size(), files);
  // Mended, it is as before; else it is removed when somebody says so.
  Spit(path, whole);
  EXPECT_THAT(Verify(), IsEmpty());
  Spit(path, "");
  PruneOptions all = keep_one;
  all.remove_damaged = true;
  EXPECT_THAT(Prune(OpenRepository(), all, nullptr)->removed, ElementsAre(second.id));
  EXPECT_LT(target_->List(kFilesPrefix)->size(), files);
  EXPECT_THAT(Verify(), IsEmpty());
  EXPECT_EQ(OpenRepository().FindNewest()->info.id, first.id);
}

TEST_F(BackupTest, AnotherArchivesRepositoryIsRefused) {
  WriteSome(1, 10);
  MakeRepository();
  Backup();
  const auto before = AllIn(path_);
  data_dir_ = scratch_ + "/other";
  Open();
  const absl::StatusOr<BackupInfo> refused = TryBackup();
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("is of the archive"));
  EXPECT_EQ(AllIn(path_), before);
  EXPECT_TRUE(fs::is_empty(data_dir_ + "/runs"));
}

TEST_F(BackupTest, APlaceWithSomethingElseInItBecomesNoRepository) {
  fs::create_directories(path_);
  Spit(path_ + "/report.pdf", "x");
  const auto made = Repository::Create(*target_, *archive_->Id(), clock_.Now());
  EXPECT_EQ(made.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(made.status().message()), HasSubstr("report.pdf"));
  fs::remove(path_ + "/report.pdf");
  MakeRepository();
  EXPECT_EQ(Repository::Create(*target_, *archive_->Id(), clock_.Now()).status().code(),
            absl::StatusCode::kAlreadyExists);
}

TEST_F(BackupTest, ATargetThatIsNotThereIsNotMade) {
  const absl::StatusOr<BackupInfo> refused = TryBackup();
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("is its disk mounted?"));
  EXPECT_FALSE(fs::exists(path_));
  // An empty mount point neither.
  fs::create_directories(path_);
  EXPECT_EQ(TryBackup().status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(fs::is_empty(path_));
}

TEST_F(BackupTest, ATargetThatVanishesHalfWayEndsTheBackup) {
  WriteSome(1);
  MakeRepository();
  bool moved = false;
  const absl::StatusOr<BackupInfo> failed = TryBackup({.keep_going = [&] {
    if (!std::exchange(moved, true)) fs::rename(path_, path_ + ".away");
    return absl::OkStatus();
  }});
  EXPECT_FALSE(failed.ok());
  EXPECT_FALSE(fs::exists(path_)) << "nothing was made in its place";
  EXPECT_TRUE(fs::is_empty(data_dir_ + "/runs"));
  fs::rename(path_ + ".away", path_);
  EXPECT_THAT(*OpenRepository().BackupIds(), IsEmpty());
  const BackupInfo info = Backup();
  EXPECT_EQ(SayBackup(info.id), SayAll(*archive_));
}

TEST_F(BackupTest, AFullTargetEndsTheBackupAndOlderOnesAreWhole) {
  kv::SmallDisk disk(uint64_t{64} << 20);
  if (!disk.mounted()) GTEST_SKIP() << disk.reason();
  UseTarget(disk / "repository");
  WriteSome(1);
  MakeRepository();
  const BackupInfo first = Backup();
  const std::string said = SayAll(*archive_);
  WriteSome(2);
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  disk.Fill();
  const absl::StatusOr<BackupInfo> failed = TryBackup();
  EXPECT_EQ(failed.status().code(), absl::StatusCode::kResourceExhausted) << failed.status();
  EXPECT_THAT(std::string(failed.status().message()), HasSubstr(disk.path()));
  EXPECT_THAT(*OpenRepository().BackupIds(), ElementsAre(first.id));
  EXPECT_TRUE(fs::is_empty(data_dir_ + "/runs"));
  WriteSome(3, 5);  // The archive goes on.
  // Room is made as always.
  EXPECT_TRUE(Prune(OpenRepository(), {}, nullptr).ok());
  disk.Empty();
  EXPECT_THAT(Verify(), IsEmpty());
  EXPECT_EQ(SayBackup(first.id), said);
  const BackupInfo second = Backup();
  EXPECT_EQ(SayBackup(second.id), SayAll(*archive_));
}

TEST_F(BackupTest, AReadOnlyTargetIsToldAndCanBeRestoredFrom) {
  kv::SmallDisk disk(uint64_t{64} << 20);
  if (!disk.mounted()) GTEST_SKIP() << disk.reason();
  UseTarget(disk / "repository");
  WriteSome(1);
  MakeRepository();
  const BackupInfo first = Backup();
  ASSERT_EQ(::mount(nullptr, disk.path().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0)
      << strerror(errno);
  const absl::StatusOr<BackupInfo> failed = TryBackup();
  EXPECT_EQ(failed.status().code(), absl::StatusCode::kFailedPrecondition) << failed.status();
  EXPECT_THAT(std::string(failed.status().message()), HasSubstr("Read-only file system"));
  EXPECT_THAT(Verify(), IsEmpty());
  EXPECT_EQ(SayBackup(first.id), SayAll(*archive_));
  ASSERT_EQ(::mount(nullptr, disk.path().c_str(), nullptr, MS_REMOUNT, nullptr), 0);
}

TEST_F(BackupTest, OneThatIsEndedLeavesNothingAndTheNextGoesOn) {
  WriteSome(1);
  MakeRepository();
  int steps = 0;
  const absl::StatusOr<BackupInfo> ended = TryBackup({.keep_going = [&] {
    return ++steps > 10 ? absl::CancelledError("the server is stopping") : absl::OkStatus();
  }});
  EXPECT_EQ(ended.status().code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(fs::is_empty(data_dir_ + "/runs"));
  EXPECT_THAT(*OpenRepository().BackupIds(), IsEmpty());
  const BackupInfo info = Backup();
  EXPECT_LT(info.new_files, info.files);
  EXPECT_EQ(SayBackup(info.id), SayAll(*archive_));
}

TEST_F(BackupTest, WhileOneIsTakenAnotherIsToldSo) {
  WriteSome(1, 10);
  MakeRepository();
  const auto lock = target_->Lock("process 4711 on plant-7");
  ASSERT_TRUE(lock.ok()) << lock.status();
  const absl::StatusOr<BackupInfo> refused = TryBackup();
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("process 4711 on plant-7"));
}

TEST_F(BackupTest, ACheckpointThatAKillLeftIsGoneAtTheNextStart) {
  WriteSome(1, 10);
  ASSERT_TRUE(archive_->WriteCheckpoint(data_dir_ + "/runs/backup-x", "", "").ok());
  EXPECT_FALSE(fs::is_empty(data_dir_ + "/runs"));
  Open();
  EXPECT_TRUE(fs::is_empty(data_dir_ + "/runs"));
}

TEST_F(BackupTest, NothingIsRestoredOverAnArchive) {
  WriteSome(1, 20);
  MakeRepository();
  const BackupInfo info = Backup();
  archive_.reset();
  const auto before = AllIn(data_dir_);
  const absl::Status refused = TryRestore(info.id, data_dir_);
  EXPECT_EQ(refused.code(), absl::StatusCode::kAlreadyExists) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("it holds an archive"));
  EXPECT_EQ(AllIn(data_dir_), before);
  const std::string other = ScratchDirectory("backup/other");
  Spit(other + "/notes", "x");
  EXPECT_EQ(TryRestore(info.id, other).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(AllIn(other), (std::map<std::string, std::string>{{"notes", "x"}}));
  Open();
}

TEST_F(BackupTest, ARestoreThatIsEndedAnywhereIsNotServedAndGoesOn) {
  WriteSome(1, 20);
  MakeRepository();
  const BackupInfo other = Backup();
  const BackupInfo info = Backup();
  const std::string said = SayAll(*archive_);
  for (int end_at = 1;; end_at += 7) {
    SCOPED_TRACE(end_at);
    const std::string to = absl::StrCat(scratch_, "/ended");
    fs::remove_all(to);
    int steps = 0;
    const absl::Status ended = TryRestore(
        info.id, to, [&] { return ++steps >= end_at ? absl::CancelledError("") : absl::OkStatus(); });
    if (ended.ok()) break;
    const auto refused = OpenArchive(to, clock_);
    ASSERT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition) << refused.status();
    EXPECT_THAT(std::string(refused.status().message()), HasSubstr("is not finished"));
    EXPECT_EQ(TryRestore(other.id, to).code(), absl::StatusCode::kAlreadyExists);
    ASSERT_EQ(TryRestore(info.id, to), absl::OkStatus());
    const auto archive = OpenArchive(to, clock_);
    ASSERT_TRUE(archive.ok()) << archive.status();
    EXPECT_EQ(SayAll(**archive), said);
  }
}

TEST_F(BackupTest, ARestoreThatHasNoRoomWritesNothing) {
  kv::SmallDisk disk(uint64_t{4} << 20);
  if (!disk.mounted()) GTEST_SKIP() << disk.reason();
  WriteSome(1);
  MakeRepository();
  const BackupInfo info = Backup();
  disk.Fill(/*but_bytes=*/64 << 10);
  const absl::Status refused = TryRestore(info.id, disk / "new");
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("there is no room to restore"));
  EXPECT_FALSE(fs::exists(disk / "new"));
}

TEST_F(BackupTest, TheNewestAtATimeIsFound) {
  MakeRepository();
  WriteSome(1, 5);
  const BackupInfo first = Backup();
  clock_.Advance(3600 * kNanosPerSecond);
  const BackupInfo second = Backup();
  const Repository repository = OpenRepository();
  EXPECT_EQ(repository.FindNewest()->info.id, second.id);
  EXPECT_EQ(repository.FindNewest(second.taken)->info.id, second.id);
  EXPECT_EQ(repository.FindNewest(second.taken - 1)->info.id, first.id);
  EXPECT_EQ(repository.FindNewest(first.taken - 1).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(repository.ReadManifest("../REPOSITORY").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(repository.ReadManifest("20261129T101500Z-7f3a").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(BackupTest, ASampleOfTheFilesIsVerifiedAndAllAreLookedFor) {
  WriteSome(1, 20);
  MakeRepository();
  const BackupInfo info = Backup();
  const auto nothing_read = VerifyRepository(OpenRepository(), {.sample = 0}, {});
  ASSERT_TRUE(nothing_read.ok());
  EXPECT_EQ(nothing_read->bytes, 0);
  EXPECT_EQ(nothing_read->files, info.new_files);
  const auto all_read = VerifyRepository(OpenRepository(), {.backups = {info.id}}, {});
  ASSERT_TRUE(all_read.ok());
  EXPECT_EQ(all_read->bytes, info.new_bytes);
  EXPECT_EQ(VerifyRepository(OpenRepository(), {.backups = {"20261129T101500Z-7f3a"}}, {}).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(BackupTest, WhatIsMissingInTheRepositoryIsCopiedAgain) {
  WriteSome(1, 20);
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  MakeRepository();
  const BackupInfo info = Backup();
  const absl::StatusOr<Manifest> manifest = OpenRepository().ReadManifest(info.id);
  for (const BackedUpFile& file : manifest->files) {
    if (file.written_ns == 0) continue;
    ASSERT_TRUE(fs::remove(absl::StrCat(path_, "/", ObjectOf(file))));
    EXPECT_THAT(Verify(), SizeIs(1));
    Backup();
    EXPECT_THAT(Verify(), IsEmpty()) << file.path;
  }
  EXPECT_EQ(SayBackup(info.id), SayAll(*archive_));
}

TEST_F(BackupTest, OfAnArchiveThatHasFoundDamageTheBackupSaysSo) {
  WriteSome(1, 20);
  MakeRepository();
  EXPECT_EQ(Backup().damages, 0);
  archive_.reset();
  for (const auto& entry : fs::directory_iterator(data_dir_ + "/rocksdb")) {
    // It has a twin, so that nothing is lost by it.
    if (absl::StartsWith(entry.path().filename().string(), "MANIFEST-")) FlipMiddleByte(entry.path());
  }
  Open();
  ASSERT_THAT(archive_->Stats().damage, SizeIs(1));
  const BackupInfo info = Backup();
  EXPECT_EQ(info.damages, 1);
  EXPECT_EQ(SayBackup(info.id), SayAll(*archive_));
}

}  // namespace
}  // namespace historian::backup
