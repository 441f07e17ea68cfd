// The backups of a server by themselves: when they are taken, what is said of them, and a target that hangs.
#include "server/backups.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/backup/directory_target.h"
#include "storage/backup/repository.h"
#include "storage/kv/rocksdb_store.h"
#include "storage/platform/eventually.h"

namespace historian::server {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

constexpr Timestamp kBegin = 1'767'225'600'000'000'000;  // 2026-01-01.
constexpr int64_t kHour = 3600 * kNanosPerSecond;

// A directory of which each call waits while it hangs.
class HangingTarget final : public backup::Target {
 public:
  HangingTarget(std::unique_ptr<backup::Target> target, std::shared_ptr<std::atomic<bool>> hangs,
                std::shared_ptr<std::atomic<int>> hanging)
      : target_(std::move(target)), hangs_(std::move(hangs)), hanging_(std::move(hanging)) {}

  const std::string& name() const override { return target_->name(); }
  absl::Status Make() override { return Wait(), target_->Make(); }
  absl::StatusOr<std::vector<backup::StoredObject>> List(const std::string& prefix) override {
    return Wait(), target_->List(prefix);
  }
  absl::StatusOr<std::unique_ptr<backup::ObjectReader>> Read(const std::string& name) override {
    return Wait(), target_->Read(name);
  }
  absl::StatusOr<std::unique_ptr<backup::ObjectWriter>> Write(const std::string& name,
                                                              uint64_t size) override {
    return Wait(), target_->Write(name, size);
  }
  bool needs_name() const override { return target_->needs_name(); }
  absl::Status Remove(const std::string& name) override { return Wait(), target_->Remove(name); }
  absl::Status Sweep() override { return Wait(), target_->Sweep(); }
  absl::StatusOr<std::unique_ptr<backup::TargetLock>> Lock(const std::string& who) override {
    return target_->Lock(who);
  }

 private:
  void Wait() {
    if (!*hangs_) return;
    ++*hanging_;
    while (*hangs_) absl::SleepFor(absl::Milliseconds(5));
    --*hanging_;
  }

  const std::unique_ptr<backup::Target> target_;
  const std::shared_ptr<std::atomic<bool>> hangs_;
  const std::shared_ptr<std::atomic<int>> hanging_;
};

class BackupsTest : public ::testing::Test {
 protected:
  BackupsTest() : scratch_(absl::StrCat(::testing::TempDir(), "/backups")), clock_(kBegin) {
    fs::remove_all(scratch_);
    fs::create_directories(scratch_);
    config_.data_dir = scratch_ + "/data";
    config_.backup.target = scratch_ + "/repository";
    config_.archive.disk_reserve = 0;
    log_ = *Log::Open(scratch_ + "/log", "debug", "text");
    archive_ = *Archive::Open(*kv::OpenRocksDbStore({.path = config_.data_dir}), {.shards = 1}, clock_);
    target_ = backup::NewDirectoryTarget(config_.backup.target);
  }
  ~BackupsTest() override {
    if (backups_ != nullptr) backups_->Stop();
    backups_.reset();
    archive_.reset();
    fs::remove_all(scratch_);
  }

  void Start() {
    backups_ = std::make_unique<Backups>(
        config_, *archive_, clock_, *log_, [this]() -> absl::StatusOr<std::unique_ptr<backup::Target>> {
          return std::make_unique<HangingTarget>(backup::NewDirectoryTarget(config_.backup.target), hangs_,
                                                 hanging_);
        });
  }
  void MakeRepository() {
    const auto made = backup::Repository::Create(*target_, *archive_->Id(), clock_.Now());
    ASSERT_TRUE(made.ok()) << made.status();
  }
  // Looks again and again, so that what is due by now is done.
  void LookUntilIdle() {
    for (int i = 0; i < 5; ++i) {
      backups_->Look();
      ASSERT_TRUE(Eventually([&] { return backups_->State().running.empty(); }));
    }
  }
  absl::Status Finish(const absl::StatusOr<Backups::Job>& job) {
    if (!job.ok()) return job.status();
    while (true) {
      const BackupJob::News news = (*job)->Await(absl::Seconds(1));
      if (news.ended.has_value()) return *news.ended;
    }
  }
  size_t Count() { return backup::Repository::Open(*target_)->BackupIds()->size(); }
  std::string LogText() {
    EXPECT_TRUE(log_->Flush(absl::Seconds(10)));
    std::ifstream in(scratch_ + "/log");
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }

  const std::string scratch_;
  Config config_;
  SimulatedClock clock_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<Archive> archive_;
  std::unique_ptr<backup::Target> target_;
  std::shared_ptr<std::atomic<bool>> hangs_ = std::make_shared<std::atomic<bool>>(false);
  std::shared_ptr<std::atomic<int>> hanging_ = std::make_shared<std::atomic<int>>(0);
  std::unique_ptr<Backups> backups_;
};

TEST_F(BackupsTest, AreTakenWhenTheyAreDueAndPrunedByTheRules) {
  config_.backup.at = "02:30";
  config_.backup.keep_last = 2;
  config_.backup.keep_daily = config_.backup.keep_weekly = config_.backup.keep_monthly = 0;
  MakeRepository();
  Start();
  LookUntilIdle();
  EXPECT_EQ(Count(), 0) << "it is midnight";
  EXPECT_EQ(backups_->State().next, kBegin + kHour * 5 / 2);
  for (int day = 1; day <= 4; ++day) {
    clock_.Advance(24 * kHour);
    ASSERT_TRUE(Eventually([&] {
      backups_->Look();
      return backups_->State().taken == day && backups_->State().running.empty();
    }));
    // What is too many goes in a turn of its own.
    EXPECT_TRUE(Eventually([&] {
      backups_->Look();
      return backups_->State().running.empty() && Count() == std::min(day, 2);
    }));
    EXPECT_EQ(backups_->State().taken, day) << "one a day";
  }
  EXPECT_EQ(backups_->State().newest->taken, clock_.Now());
  EXPECT_THAT(LogText(), HasSubstr("backup_taken"));
  EXPECT_THAT(LogText(), HasSubstr("backup_pruned"));
}

TEST_F(BackupsTest, AStartKnowsWhatThereIs) {
  MakeRepository();
  Start();
  ASSERT_EQ(Finish(backups_->BeginBackup("a test")), absl::OkStatus());
  const std::string newest = backups_->State().newest->id;
  ASSERT_EQ(Finish(backups_->BeginDrill("", "a test")), absl::OkStatus());
  EXPECT_TRUE(backups_->State().drill->passed()) << backups_->State().drill->what;
  backups_->Stop();
  Start();
  EXPECT_FALSE(backups_->State().newest.has_value());
  ASSERT_TRUE(Eventually([&] {
    backups_->Look();
    return backups_->State().newest.has_value();
  }));
  EXPECT_EQ(backups_->State().newest->id, newest);
  EXPECT_TRUE(backups_->State().drill->passed());
  EXPECT_EQ(backups_->State().taken, 0);
}

TEST_F(BackupsTest, AFailureIsToldAndWhatIsOverdueToo) {
  config_.backup.alert_after = absl::Hours(30);
  MakeRepository();
  Start();
  ASSERT_EQ(Finish(backups_->BeginBackup("a test")), absl::OkStatus());
  EXPECT_FALSE(backups_->State().overdue);
  fs::rename(config_.backup.target, config_.backup.target + ".away");
  clock_.Advance(31 * kHour);
  ASSERT_TRUE(Eventually([&] {
    backups_->Look();
    return backups_->State().failures == 1;
  }));
  const BackupState state = backups_->State();
  EXPECT_TRUE(state.overdue);
  EXPECT_THAT(state.last_error, HasSubstr("is its disk mounted?"));
  EXPECT_EQ(state.last_failure, clock_.Now());
  backups_->Look();
  EXPECT_EQ(backups_->State().running, "") << "it is not tried again at once";
  EXPECT_THAT(LogText(), HasSubstr("backup_failed"));
  EXPECT_THAT(LogText(), HasSubstr("backup_overdue"));
  fs::rename(config_.backup.target + ".away", config_.backup.target);
  ASSERT_EQ(Finish(backups_->BeginBackup("a test")), absl::OkStatus());
  backups_->Look();
  EXPECT_FALSE(backups_->State().overdue);
  EXPECT_EQ(backups_->State().last_error, "");
  EXPECT_THAT(LogText(), HasSubstr("backup_in_time"));
}

TEST_F(BackupsTest, OneThatWasTakenWhileTheClockWasAheadHoldsUpNoOther) {
  MakeRepository();
  Start();
  clock_.Set(kBegin + 24 * 365 * kHour);
  ASSERT_EQ(Finish(backups_->BeginBackup("a test")), absl::OkStatus());
  clock_.Set(kBegin + 25 * kHour);
  ASSERT_TRUE(Eventually([&] {
    backups_->Look();
    return backups_->State().taken == 2;
  }));
  EXPECT_EQ(backups_->State().newest->begun, clock_.Now());
}

TEST_F(BackupsTest, WithoutATargetEachCallSaysSo) {
  config_.backup.target.clear();
  Start();
  backups_->Look();
  for (const absl::StatusOr<Backups::Job>& job :
       {backups_->BeginInit(""), backups_->BeginList(), backups_->BeginBackup("")}) {
    EXPECT_EQ(job.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(job.status().message()), HasSubstr("backup.target"));
  }
  EXPECT_FALSE(backups_->State().overdue);
}

TEST_F(BackupsTest, OneWorksOnTheRepositoryAtATime) {
  MakeRepository();
  Start();
  *hangs_ = true;
  const absl::StatusOr<Backups::Job> first = backups_->BeginBackup("a test");
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(backups_->State().running, "a backup");
  for (const absl::StatusOr<Backups::Job>& second :
       {backups_->BeginBackup("x"), backups_->BeginVerify({}, "x"), backups_->BeginPrune({}, "x"),
        backups_->BeginDrill("", "x")}) {
    EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(second.status().message()),
                HasSubstr("a backup is running since 2026-01-01T00:00:00Z"));
  }
  // Lists do not change it; but a target that does not answer is not asked without end.
  std::vector<Backups::Job> lists;
  absl::StatusOr<Backups::Job> list = backups_->BeginList();
  for (; list.ok() && lists.size() < 100; list = backups_->BeginList()) lists.push_back(*list);
  EXPECT_EQ(list.status().code(), absl::StatusCode::kResourceExhausted);
  *hangs_ = false;
  EXPECT_EQ(Finish(first), absl::OkStatus());
  for (const Backups::Job& one : lists) EXPECT_EQ(Finish(one), absl::OkStatus());
}

// The archive is read and written, and the server ends, whatever the target does.
TEST_F(BackupsTest, ATargetThatHangsHoldsUpNobody) {
  MakeRepository();
  Start();
  *hangs_ = true;
  const absl::StatusOr<Backups::Job> job = backups_->BeginBackup("a test");
  ASSERT_TRUE(job.ok());
  ASSERT_TRUE(Eventually([&] { return *hanging_ > 0; }));
  const auto made = archive_->tags().Create({{.name = "a", .type = ValueType::kInt64}});
  EXPECT_TRUE(made[0].ok());
  EXPECT_TRUE(archive_->upkeep().Seal().ok());
  // Whoever waits for it may give up at once.
  (*job)->Cancel(absl::CancelledError("enough"));
  EXPECT_EQ(Finish(job).code(), absl::StatusCode::kCancelled);
  backups_->Stop();
  EXPECT_THAT(LogText(), HasSubstr("backup_left_behind"));
  backups_.reset();
  archive_.reset();
  // It comes back when nobody is there any more.
  *hangs_ = false;
  ASSERT_TRUE(Eventually([&] { return (*job)->has_ended(); }));
  EXPECT_EQ(Count(), 0);
}

TEST_F(BackupsTest, AStopEndsABackupThatGoesOn) {
  config_.backup.rate_limit = 1;  // It would take for ever.
  MakeRepository();
  Start();
  const absl::StatusOr<Backups::Job> job = backups_->BeginBackup("a test");
  ASSERT_TRUE(job.ok());
  backups_->Stop();
  EXPECT_EQ(Finish(job).code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(LogText(), Not(HasSubstr("backup_left_behind")));
  EXPECT_EQ(backups_->BeginBackup("a test").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Count(), 0);
  EXPECT_TRUE(fs::is_empty(config_.data_dir + "/runs"));
}

TEST_F(BackupsTest, DrillsFollowWhenTheyAreDue) {
  config_.backup.drill_every = absl::Hours(24 * 7);
  config_.backup.every = absl::Hours(24);
  config_.backup.at = "never";
  MakeRepository();
  Start();
  ASSERT_TRUE(Eventually([&] {
    backups_->Look();
    return backups_->State().drill.has_value() && backups_->State().running.empty();
  }));
  EXPECT_TRUE(backups_->State().drill->passed()) << backups_->State().drill->what;
  const std::string first = backups_->State().drill->id;
  clock_.Advance(24 * kHour);
  ASSERT_TRUE(Eventually([&] {
    backups_->Look();
    return backups_->State().taken == 2;
  }));
  LookUntilIdle();
  EXPECT_EQ(backups_->State().drill->id, first) << "that is not a week";
  EXPECT_TRUE(fs::is_empty(config_.data_dir + "/runs"));
}

}  // namespace
}  // namespace historian::server
