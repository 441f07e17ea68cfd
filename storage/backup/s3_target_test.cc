// A bucket as a target. With a real S3 server where there is one: a path to versitygw in HISTORIAN_S3_SERVER (tools/s3_test
// makes one with Go and runs this). What needs none is tried everywhere.
#include "storage/backup/s3_target.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/backup/backup_fixture.h"
#include "storage/backup/backup_maker.h"
#include "storage/backup/open_target.h"
#include "storage/backup/prune.h"
#include "storage/backup/repository.h"
#include "storage/backup/restore.h"
#include "storage/backup/verify_repository.h"
#include "storage/platform/monotonic.h"

namespace historian::backup {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<std::string> NamesOf(const absl::StatusOr<std::vector<StoredObject>>& objects) {
  EXPECT_TRUE(objects.ok()) << objects.status();
  std::vector<std::string> names;
  if (objects.ok()) {
    for (const StoredObject& object : *objects) names.push_back(object.name);
  }
  return names;
}

std::string RandomBytes(size_t size) {
  std::mt19937_64 random(size);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

// versitygw on a directory, with a bucket named plant.
class S3TargetTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* const program = std::getenv("HISTORIAN_S3_SERVER");
    if (program == nullptr || *program == '\0') {
      GTEST_SKIP()
          << "there is no S3 server here (HISTORIAN_S3_SERVER): tools/s3_test makes one, where there is Go";
    }
    program_ = program;
    scratch_ = ScratchDirectory("s3");
    fs::create_directories(scratch_ + "/buckets/plant");
    fs::create_directories(scratch_ + "/meta");
    // A port that is free by chance; if it is not, the server ends and another is tried.
    for (int tries = 0; tries < 20 && pid_ == 0; ++tries) {
      port_ = 20'000 + static_cast<int>(std::random_device{}() % 30'000);
      StartServer();
    }
    ASSERT_NE(pid_, 0) << "the S3 server did not start";
  }
  void TearDown() override {
    StopServer();
    if (!scratch_.empty()) fs::remove_all(scratch_);
  }

  void StartServer() {
    pid_ = ::fork();
    if (pid_ == 0) {
      const int log = ::open((scratch_ + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0640);
      ::dup2(log, 1);
      ::dup2(log, 2);
      const std::string address = absl::StrCat("127.0.0.1:", port_), meta = scratch_ + "/meta",
                        buckets = scratch_ + "/buckets";
      ::execl(program_.c_str(), program_.c_str(), "--access", "key", "--secret", "secret", "--port",
              address.c_str(), "posix", "--sidecar", meta.c_str(), buckets.c_str(), nullptr);
      ::_exit(99);
    }
    const MonotonicTime deadline = MonotonicTime::Now() + absl::Seconds(20);
    while (MonotonicTime::Now() < deadline) {
      int status = 0;
      if (::waitpid(pid_, &status, WNOHANG) != 0) break;
      if (Open()->List("").ok()) return;
    }
    StopServer();
  }
  void StopServer() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  S3Options Options() const {
    return {.endpoint = absl::StrCat("http://127.0.0.1:", port_),
            .region = "us-east-1",
            .bucket = "plant",
            .prefix = "backups/historian",
            .access_key = "key",
            .secret_key = "secret",
            .pause = absl::Milliseconds(20)};
  }
  std::unique_ptr<Target> Open() const { return *NewS3Target(Options()); }

  std::string program_;
  std::string scratch_;
  int port_ = 0;
  pid_t pid_ = 0;
};

TEST_F(S3TargetTest, WhatIsWrittenIsReadAndListed) {
  const std::unique_ptr<Target> target = Open();
  EXPECT_EQ(target->name(), "s3://plant/backups/historian");
  EXPECT_THAT(NamesOf(target->List("")), IsEmpty());
  EXPECT_EQ(target->Get("files/x", 100).status().code(), absl::StatusCode::kNotFound);
  // Around the sizes of ranges and parts.
  constexpr size_t kMiB = 1 << 20;
  const size_t sizes[] = {
      0, 1, 8 * kMiB - 1, 8 * kMiB, 8 * kMiB + 1, 16 * kMiB, 16 * kMiB + 1, 40 * kMiB + 5};
  std::vector<std::string> names;
  for (const size_t size : sizes) {
    const std::string name = absl::StrCat("files/ab/", size), bytes = RandomBytes(size);
    const auto writer = target->Write(name, size);
    ASSERT_TRUE(writer.ok()) << writer.status();
    for (size_t at = 0; at < size; at += 300'000)
      ASSERT_EQ((*writer)->Append(absl::string_view(bytes).substr(at, 300'000)), absl::OkStatus());
    ASSERT_EQ((*writer)->Finish(name), absl::OkStatus()) << size;
    const auto reader = target->Read(name);
    ASSERT_TRUE(reader.ok()) << reader.status();
    std::string read;
    while (true) {
      const absl::StatusOr<std::string> more = (*reader)->Read(777'777);
      ASSERT_TRUE(more.ok()) << more.status();
      if (more->empty()) break;
      read += *more;
    }
    ASSERT_TRUE(read == bytes) << size;
    names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(NamesOf(target->List("files/")), names);
  EXPECT_THAT(NamesOf(target->List("backups/")), IsEmpty());
  const auto listed = target->List("files/");
  for (const StoredObject& object : *listed)
    EXPECT_EQ(absl::StrCat("files/ab/", object.size_bytes), object.name);
  EXPECT_EQ(target->Remove("files/ab/0"), absl::OkStatus());
  EXPECT_EQ(target->Remove("files/ab/0"), absl::OkStatus());
  EXPECT_EQ(target->List("files/")->size(), names.size() - 1);
}

TEST_F(S3TargetTest, AListHasAllPages) {
  const std::unique_ptr<Target> target = Open();
  for (int i = 0; i < 1100; ++i)
    ASSERT_EQ(target->Put(absl::StrCat("files/", 10'000 + i), "x"), absl::OkStatus());
  const std::vector<std::string> names = NamesOf(target->List("files/"));
  ASSERT_EQ(names.size(), 1100u);
  EXPECT_EQ(names.back(), "files/11099");
}

TEST_F(S3TargetTest, WhatWasNotFinishedIsNotThereAndIsSwept) {
  const std::unique_ptr<Target> target = Open();
  const std::string bytes = RandomBytes(20 << 20);
  {
    const auto writer = target->Write("files/gone", bytes.size());
    ASSERT_EQ((*writer)->Append(bytes), absl::OkStatus());
  }
  EXPECT_THAT(NamesOf(target->List("")), IsEmpty());
  EXPECT_EQ(target->Sweep(), absl::OkStatus());
  // Of somebody who was killed.
  auto left = target->Write("files/left", bytes.size());
  ASSERT_EQ((*left)->Append(bytes), absl::OkStatus());
  left->release();
  EXPECT_EQ(target->Sweep(), absl::OkStatus());
  EXPECT_THAT(NamesOf(target->List("")), IsEmpty());
}

TEST_F(S3TargetTest, WrongKeysAndBucketsAreTold) {
  S3Options options = Options();
  options.secret_key = "wrong";
  const absl::Status denied = (*NewS3Target(options))->List("").status();
  EXPECT_EQ(denied.code(), absl::StatusCode::kPermissionDenied) << denied;
  EXPECT_THAT(std::string(denied.message()), HasSubstr("s3://plant/backups/historian"));
  options = Options();
  options.bucket = "nobody";
  const absl::Status none = (*NewS3Target(options))->List("").status();
  EXPECT_EQ(none.code(), absl::StatusCode::kNotFound) << none;
  EXPECT_THAT(std::string(none.message()), HasSubstr("NoSuchBucket"));
}

TEST_F(S3TargetTest, OneHasTheLock) {
  const std::unique_ptr<Target> target = Open(), other = Open();
  {
    const auto lock = target->Lock("process 1");
    ASSERT_TRUE(lock.ok()) << lock.status();
    const absl::Status refused = other->Lock("process 2").status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(refused.message()), HasSubstr("process 1"));
    EXPECT_THAT(NamesOf(target->List("")), IsEmpty()) << "it is no object of the repository";
  }
  EXPECT_TRUE(other->Lock("process 2").ok());
}

TEST_F(S3TargetTest, TheLockOfSomebodyWhoIsGoneIsTakenOver) {
  const std::unique_ptr<Target> target = Open();
  ASSERT_EQ(target->Put("LOCK", "process 1\n"), absl::OkStatus());
  EXPECT_EQ(target->Lock("process 2").status().code(), absl::StatusCode::kFailedPrecondition);
  // As if it had not been renewed for long.
  const fs::path path = scratch_ + "/buckets/plant/backups/historian/LOCK";
  fs::last_write_time(path, fs::last_write_time(path) - std::chrono::minutes(11));
  const auto lock = target->Lock("process 2");
  ASSERT_TRUE(lock.ok()) << lock.status();
  EXPECT_THAT(std::string(target->Lock("process 3").status().message()), HasSubstr("process 2"));
}

TEST_F(S3TargetTest, BackupsAreTakenVerifiedPrunedAndRestored) {
  SimulatedClock clock(kStart + 400 * 86'400 * kNanosPerSecond);
  const std::string data_dir = scratch_ + "/data";
  const auto archive = OpenArchive(data_dir, clock);
  ASSERT_TRUE(archive.ok()) << archive.status();
  const std::unique_ptr<Target> target = Open();
  ASSERT_TRUE(Repository::Create(*target, *(*archive)->Id(), clock.Now()).ok());
  const auto repository = Repository::Open(*target);
  ASSERT_TRUE(repository.ok()) << repository.status();
  RandomWriter writer(**archive, 1);
  std::vector<BackupInfo> taken;
  std::string said;
  for (int i = 0; i < 3; ++i) {
    for (int step = 0; step < 20; ++step) writer.DoSomething();
    clock.Advance(3600 * kNanosPerSecond);
    const auto info = MakeBackup(**archive, *repository, OptionsFor(data_dir), clock, {});
    ASSERT_TRUE(info.ok()) << info.status();
    taken.push_back(*info);
    said = SayAll(**archive);
  }
  EXPECT_LT(taken[2].new_files, taken[2].files);
  const auto pruned =
      Prune(*repository, {.keep = {.last = 1, .daily = 0, .weekly = 0, .monthly = 0}}, nullptr);
  ASSERT_TRUE(pruned.ok()) << pruned.status();
  EXPECT_THAT(pruned->removed, ElementsAre(taken[0].id, taken[1].id));
  std::vector<std::string> damages;
  const auto counts = VerifyRepository(*repository, {}, {.on_damage = [&](const RepositoryDamage& damage) {
    damages.push_back(damage.object);
  }});
  ASSERT_TRUE(counts.ok()) << counts.status();
  EXPECT_THAT(damages, IsEmpty());
  const auto manifest = repository->FindNewest();
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  ASSERT_EQ(Restore(*repository, *manifest, {.to = scratch_ + "/new"}), absl::OkStatus());
  const auto restored = OpenArchive(scratch_ + "/new", clock);
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(SayAll(**restored), said);
}

TEST_F(S3TargetTest, AStoreThatGoesAwayEndsTheBackupAndOlderOnesAreWhole) {
  SimulatedClock clock(kStart + 400 * 86'400 * kNanosPerSecond);
  const std::string data_dir = scratch_ + "/data";
  const auto archive = OpenArchive(data_dir, clock);
  const std::unique_ptr<Target> target = Open();
  ASSERT_TRUE(Repository::Create(*target, *(*archive)->Id(), clock.Now()).ok());
  const auto repository = Repository::Open(*target);
  RandomWriter writer(**archive, 1);
  for (int step = 0; step < 20; ++step) writer.DoSomething();
  const auto first = MakeBackup(**archive, *repository, OptionsFor(data_dir), clock, {});
  ASSERT_TRUE(first.ok()) << first.status();
  for (int step = 0; step < 20; ++step) writer.DoSomething();
  clock.Advance(3600 * kNanosPerSecond);
  {
    auto maker = BackupMaker::Begin(**archive, repository->archive_id(), OptionsFor(data_dir), clock);
    ASSERT_TRUE(maker.ok()) << maker.status();
    StopServer();
    const absl::Status failed = maker->Copy(*repository, {}).status();
    EXPECT_EQ(failed.code(), absl::StatusCode::kUnavailable) << failed;
  }
  EXPECT_TRUE(fs::is_empty(data_dir + "/runs"));
  StartServer();
  ASSERT_NE(pid_, 0);
  EXPECT_THAT(*repository->BackupIds(), ElementsAre(first->id));
  const auto counts = VerifyRepository(*repository, {}, {});
  ASSERT_TRUE(counts.ok()) << counts.status();
  EXPECT_EQ(counts->damages, 0);
}

// ---- Without a server

TEST(S3Target, NobodyThereIsToldAfterSomeTries) {
  const auto target = NewS3Target({.endpoint = "http://127.0.0.1:1",
                                   .region = "us-east-1",
                                   .bucket = "plant",
                                   .access_key = "key",
                                   .secret_key = "secret",
                                   .pause = absl::Milliseconds(1)});
  ASSERT_TRUE(target.ok()) << target.status();
  const absl::Status status = (*target)->List("").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("s3://plant"));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("secret")));
}

TEST(S3Target, WhatCannotBeOneIsRefused) {
  const S3Options good{.endpoint = "https://s3.example", .region = "eu", .bucket = "plant", .prefix = "a/b"};
  EXPECT_TRUE(NewS3Target(good).ok());
  for (const char* bucket : {"", "a/b", "a b", "a?", "a#"}) {
    S3Options options = good;
    options.bucket = bucket;
    EXPECT_EQ(NewS3Target(options).status().code(), absl::StatusCode::kInvalidArgument) << bucket;
  }
  for (const char* prefix : {"/a", "a/", "a//b", "a b", "a?b"}) {
    S3Options options = good;
    options.prefix = prefix;
    EXPECT_EQ(NewS3Target(options).status().code(), absl::StatusCode::kInvalidArgument) << prefix;
  }
  S3Options options = good;
  options.endpoint = "s3.example";
  EXPECT_EQ(NewS3Target(options).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(S3Options, AreReadFromANameAndAFile) {
  const std::string scratch = ScratchDirectory("s3_options");
  Spit(scratch + "/keys", "AKIA \n s3cr3t\n");
  const absl::StatusOr<S3Options> options =
      S3OptionsOf("s3://plant/a/b/", "https://s3.example", "eu", scratch + "/keys");
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->bucket, "plant");
  EXPECT_EQ(options->prefix, "a/b");
  EXPECT_EQ(options->access_key, "AKIA");
  EXPECT_EQ(options->secret_key, "s3cr3t");
  EXPECT_EQ(S3OptionsOf("s3://plant", "", "eu", scratch + "/keys")->prefix, "");
  EXPECT_EQ(S3OptionsOf("/plant", "", "eu", scratch + "/keys").status().code(),
            absl::StatusCode::kInvalidArgument);
  Spit(scratch + "/one", "AKIA\n");
  for (const std::string& file : {scratch + "/one", scratch + "/none"}) {
    const absl::Status status = S3OptionsOf("s3://plant", "", "eu", file).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(status.message()), HasSubstr(file));
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("AKIA")));
  }
  ::unsetenv("AWS_ACCESS_KEY_ID");
  EXPECT_EQ(OpenTarget({.target = "s3://plant", .s3_region = "eu"}).status().code(),
            absl::StatusCode::kFailedPrecondition);
  ::setenv("AWS_ACCESS_KEY_ID", "id", 1);
  ::setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
  EXPECT_TRUE(OpenTarget({.target = "s3://plant", .s3_region = "eu"}).ok());
  EXPECT_EQ((*OpenTarget({.target = "/mnt/x/"}))->name(), "/mnt/x");
}

}  // namespace
}  // namespace historian::backup
