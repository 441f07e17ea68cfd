// A process is killed (SIGKILL) at each step of a backup, of pruning and of a restore. Afterwards the older backups are whole, the
// repository can be used at once, and what was half done is finished by doing it again.
//
// Strategy: the program runs itself anew as the one that is killed, with the number of the step at which it kills itself. Where
// there are many steps some are chosen at random, with a seed of its own each time, which is printed; the last ones always.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/backup/backup_fixture.h"
#include "storage/backup/backup_maker.h"
#include "storage/backup/directory_target.h"
#include "storage/backup/prune.h"
#include "storage/backup/restore.h"
#include "storage/backup/verify_repository.h"
#include "storage/model/status_macros.h"

namespace historian::backup {
namespace {

namespace fs = std::filesystem;
using ::testing::IsEmpty;

constexpr int kStepsTried = 20;
constexpr int kLastSteps = 8;
const PruneOptions kKeepOne{.keep = {.last = 1, .daily = 0, .weekly = 0, .monthly = 0}};

char* program = nullptr;

// Counts steps, and ends the process at one of them.
class Killer {
 public:
  explicit Killer(int at) : at_(at) {}
  void Step() {
    if (++steps_ == at_) ::raise(SIGKILL);
  }
  int steps() const { return steps_; }

 private:
  const int at_;
  int steps_ = 0;
};

absl::Status Do(const std::string& what, const std::string& scratch, Killer& killer) {
  const auto target = NewDirectoryTarget(scratch + "/repository", [&](absl::string_view) { killer.Step(); });
  const KeepGoing keep_going = [&] {
    killer.Step();
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(const Repository repository, Repository::Open(*target));
  if (what == "backup") {
    ASSIGN_OR_RETURN(const std::unique_ptr<Archive> archive, OpenArchive(scratch + "/data", Clock::System()));
    return MakeBackup(*archive, repository, OptionsFor(scratch + "/data"), Clock::System(),
                      {.keep_going = keep_going})
        .status();
  }
  if (what == "prune") {
    ASSIGN_OR_RETURN(const std::unique_ptr<TargetLock> lock, target->Lock("prune"));
    return Prune(repository, kKeepOne, keep_going).status();
  }
  ASSIGN_OR_RETURN(const Manifest manifest, repository.FindNewest());
  return Restore(repository, manifest, {.to = scratch + "/restored", .keep_going = keep_going});
}

// Of the process that is killed. Its exit code is 0 if it came to the end; the number of steps is in a file then.
int RunChild(const std::string& what, const std::string& scratch, int at) {
  Killer killer(at);
  const absl::Status status = Do(what, scratch, killer);
  std::fprintf(stderr, "%s", status.ok() ? "" : status.ToString().c_str());
  Spit(scratch + "/steps", absl::StrCat(killer.steps()));
  return status.ok() ? 0 : 1;
}

class BackupKillTest : public ::testing::Test {
 protected:
  BackupKillTest()
      : scratch_(ScratchDirectory("backup_kill")), target_(NewDirectoryTarget(scratch_ + "/repository")) {
    auto archive = OpenArchive(scratch_ + "/data", Clock::System());
    EXPECT_TRUE(archive.ok()) << archive.status();
    EXPECT_TRUE(Repository::Create(*target_, *(*archive)->Id(), Clock::System().Now()).ok());
    WriteAndBackUp(**archive, 1);
  }
  ~BackupKillTest() override { fs::remove_all(scratch_); }

  void WriteAndBackUp(Archive& archive, uint64_t seed) {
    RandomWriter writer(archive, seed);
    for (int i = 0; i < 20; ++i) writer.DoSomething();
    const auto info =
        MakeBackup(archive, *Repository::Open(*target_), OptionsFor(scratch_ + "/data"), Clock::System(), {});
    ASSERT_TRUE(info.ok()) << info.status();
    said_[info->id] = SayAll(archive);
  }

  // Returns whether it was killed, and not at the end.
  bool Run(const std::string& what, int at) {
    const pid_t child = ::fork();
    if (child == 0) {
      const std::string number = absl::StrCat(at);
      ::execl(program, program, "--child", what.c_str(), scratch_.c_str(), number.c_str(), nullptr);
      ::_exit(99);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return true;
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << what << " " << at << ": " << status;
    return false;
  }

  // The steps at which to kill it, of which the last one is the end.
  std::vector<int> StepsOf(const std::string& what) {
    EXPECT_FALSE(Run(what, 0));
    int steps = 0;
    EXPECT_TRUE(absl::SimpleAtoi(Slurp(scratch_ + "/steps"), &steps));
    const uint64_t seed = std::random_device{}();
    std::printf("%s: %d steps, seed %llu\n", what.c_str(), steps, static_cast<unsigned long long>(seed));
    std::mt19937_64 random(seed);
    std::set<int> tried;
    for (int i = 0; i < kLastSteps && i < steps; ++i) tried.insert(steps - i);
    while (static_cast<int>(tried.size()) < std::min(steps, kStepsTried))
      tried.insert(1 + static_cast<int>(random() % steps));
    return {tried.begin(), tried.end()};
  }

  // All that there are can be restored, and say what they should.
  void CheckBackups() {
    const auto repository = Repository::Open(*target_);
    ASSERT_TRUE(repository.ok()) << repository.status();
    std::vector<std::string> found;
    const auto counts = VerifyRepository(*repository, {}, {.on_damage = [&](const RepositoryDamage& damage) {
      found.push_back(damage.object);
    }});
    ASSERT_TRUE(counts.ok()) << counts.status();
    ASSERT_THAT(found, IsEmpty());
    const absl::StatusOr<std::vector<std::string>> ids = repository->BackupIds();
    ASSERT_TRUE(ids.ok()) << ids.status();
    for (const std::string& id : *ids) {
      const auto said = said_.find(id);
      if (said == said_.end()) continue;
      ASSERT_NO_FATAL_FAILURE(CheckSays(id, said->second));
    }
  }
  void CheckSays(const std::string& id, const std::string& said) {
    const std::string to = scratch_ + "/checked";
    fs::remove_all(to);
    const auto repository = Repository::Open(*target_);
    const absl::StatusOr<Manifest> manifest = repository->ReadManifest(id);
    ASSERT_TRUE(manifest.ok()) << manifest.status();
    ASSERT_EQ(Restore(*repository, *manifest, {.to = to}), absl::OkStatus());
    const auto archive = OpenArchive(to, Clock::System());
    ASSERT_TRUE(archive.ok()) << archive.status();
    EXPECT_EQ(SayAll(**archive), said);
  }

  const std::string scratch_;
  const std::unique_ptr<Target> target_;
  std::map<std::string, std::string> said_;  // By backup.
};

TEST_F(BackupKillTest, OfABackupLeavesTheOlderOnesWhole) {
  const std::string older = said_.begin()->first;
  {
    const auto archive = OpenArchive(scratch_ + "/data", Clock::System());
    ASSERT_TRUE(archive.ok()) << archive.status();
    RandomWriter writer(**archive, 2);
    for (int i = 0; i < 20; ++i) writer.DoSomething();
  }
  // Each time as if nothing of it had been copied yet.
  const std::string before = scratch_ + "/before";
  fs::copy(scratch_ + "/repository", before, fs::copy_options::recursive);
  for (const int step : StepsOf("backup")) {
    SCOPED_TRACE(step);
    fs::remove_all(scratch_ + "/repository");
    fs::copy(before, scratch_ + "/repository", fs::copy_options::recursive);
    Run("backup", step);
    ASSERT_NO_FATAL_FAILURE(CheckBackups());
    ASSERT_TRUE(fs::exists(absl::StrCat(scratch_, "/repository/backups/", older)));
    // The archive lost nothing, and the next backup is as good as any. It sweeps.
    const auto archive = OpenArchive(scratch_ + "/data", Clock::System());
    ASSERT_TRUE(archive.ok()) << archive.status();
    EXPECT_TRUE(fs::is_empty(scratch_ + "/data/runs"));
    const auto info = MakeBackup(**archive, *Repository::Open(*target_), OptionsFor(scratch_ + "/data"),
                                 Clock::System(), {});
    ASSERT_TRUE(info.ok()) << info.status();
    EXPECT_TRUE(fs::is_empty(scratch_ + "/repository/incoming"));
    ASSERT_NO_FATAL_FAILURE(CheckSays(info->id, SayAll(**archive)));
  }
}

TEST_F(BackupKillTest, OfPruningLeavesThoseThatAreThereWhole) {
  for (uint64_t seed = 2; seed < 5; ++seed) {
    const auto archive = OpenArchive(scratch_ + "/data", Clock::System());
    ASSERT_TRUE(archive.ok()) << archive.status();
    ASSERT_NO_FATAL_FAILURE(WriteAndBackUp(**archive, seed));
  }
  const std::string newest = said_.rbegin()->first;
  const std::string before = scratch_ + "/before";
  fs::copy(scratch_ + "/repository", before, fs::copy_options::recursive);
  for (const int step : StepsOf("prune")) {
    SCOPED_TRACE(step);
    fs::remove_all(scratch_ + "/repository");
    fs::copy(before, scratch_ + "/repository", fs::copy_options::recursive);
    Run("prune", step);
    ASSERT_NO_FATAL_FAILURE(CheckBackups());
    ASSERT_TRUE(fs::exists(absl::StrCat(scratch_, "/repository/backups/", newest)));
    // The rest is removed by the next one.
    const auto pruned = Prune(*Repository::Open(*target_), kKeepOne, nullptr);
    ASSERT_TRUE(pruned.ok()) << pruned.status();
    const auto manifest = Repository::Open(*target_)->ReadManifest(newest);
    std::set<std::string> needed;
    for (const BackedUpFile& file : manifest->files) needed.insert(ObjectOf(file));
    EXPECT_EQ(target_->List(kFilesPrefix)->size(), needed.size());
  }
}

TEST_F(BackupKillTest, OfARestoreLeavesADirectoryThatIsNotServedAndCanBeFinished) {
  const std::string to = scratch_ + "/restored";
  for (const int step : StepsOf("restore")) {
    SCOPED_TRACE(step);
    fs::remove_all(to);
    if (Run("restore", step) && fs::exists(to)) {
      EXPECT_EQ(OpenArchive(to, Clock::System()).status().code(), absl::StatusCode::kFailedPrecondition);
    }
    // Again, to the end, unless it was at the end.
    if (!fs::exists(to) || fs::exists(to + "/RESTORING")) {
      EXPECT_FALSE(Run("restore", 0));
    }
    const auto archive = OpenArchive(to, Clock::System());
    ASSERT_TRUE(archive.ok()) << archive.status();
    EXPECT_EQ(SayAll(**archive), said_.begin()->second);
  }
}

}  // namespace
}  // namespace historian::backup

int main(int argc, char** argv) {
  historian::backup::program = argv[0];
  int at = 0;
  if (argc == 5 && absl::string_view(argv[1]) == "--child" && absl::SimpleAtoi(argv[4], &at))
    return historian::backup::RunChild(argv[2], argv[3], at);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
