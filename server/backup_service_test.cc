// Backups as clients ask for them: a whole server on a directory of its own.
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/historian/v1/backup.grpc.pb.h"
#include "server/test_server.h"
#include "storage/kv/rocksdb_store.h"
#include "storage/model/version.h"
#include "storage/platform/eventually.h"

namespace historian::server {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class BackupServiceTest : public ::testing::Test {
 protected:
  BackupServiceTest() : scratch_(absl::StrCat(::testing::TempDir(), "/backup_service")) {
    fs::remove_all(scratch_);
    fs::create_directories(scratch_ + "/data");
  }
  ~BackupServiceTest() override {
    server_.reset();
    fs::remove_all(scratch_);
  }
  void Start(Config config = {}) {
    config.data_dir = scratch_ + "/data";
    config.archive.disk_reserve = 0;
    if (config.backup.target.empty()) config.backup.target = scratch_ + "/repository";
    config.backup.at = "never";
    server_ = std::make_unique<TestServer>(config, [this](std::unique_ptr<kv::Store>) {
      return *kv::OpenRocksDbStore({.path = scratch_ + "/data"});
    });
    stub_ = v1::Backup::NewStub(server_->NewChannel());
  }
  grpc::Status Init() {
    grpc::ClientContext context;
    v1::InitBackupsResponse made;
    return stub_->Init(&context, {}, &made);
  }
  template <class Answer, class Reader>
  std::vector<Answer> ReadAll(const std::unique_ptr<Reader>& reader, grpc::Status* status) {
    std::vector<Answer> answers;
    for (Answer answer; reader->Read(&answer);) answers.push_back(answer);
    *status = reader->Finish();
    return answers;
  }
  v1::BackupInfo Create() {
    grpc::ClientContext context;
    grpc::Status status;
    const auto answers = ReadAll<v1::CreateBackupResponse>(stub_->Create(&context, {}), &status);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return answers.empty() ? v1::BackupInfo() : answers.back().backup();
  }
  // Starts a server and a backup that copies a byte a second; it is under way.
  std::unique_ptr<grpc::ClientReader<v1::CreateBackupResponse>> BeginEndlessBackup(
      grpc::ClientContext* context) {
    Config config;
    config.backup.rate_limit = 1;
    Start(config);
    EXPECT_TRUE(Init().ok());
    auto reader = stub_->Create(context, {});
    v1::CreateBackupResponse answer;
    EXPECT_TRUE(reader->Read(&answer));
    return reader;
  }
  v1::GetStatusResponse Status() {
    grpc::ClientContext context;
    v1::GetStatusResponse response;
    EXPECT_TRUE(server_->admin().GetStatus(&context, {}, &response).ok());
    return response;
  }

  const std::string scratch_;
  std::unique_ptr<TestServer> server_;
  std::unique_ptr<v1::Backup::Stub> stub_;
};

TEST_F(BackupServiceTest, FromTheFirstToADrill) {
  Start();
  {
    grpc::ClientContext context;
    grpc::Status status;
    ReadAll<v1::CreateBackupResponse>(stub_->Create(&context, {}), &status);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
    EXPECT_THAT(status.error_message(), HasSubstr("histctl backup init"));
  }
  ASSERT_TRUE(Init().ok());
  EXPECT_EQ(Init().error_code(), grpc::StatusCode::ALREADY_EXISTS);
  const uint32_t tag = server_->Create("a/1");
  server_->Store(tag, {{kNow, 1}, {kNow + kSecond, 2}});
  const v1::BackupInfo first = Create();
  EXPECT_GT(first.version(), 0);
  EXPECT_GT(first.files(), 0);
  EXPECT_EQ(first.server_version(), kVersion);
  server_->clock().Advance(3600 * kSecond);
  server_->Store(tag, {{kNow + 2 * kSecond, 3}});
  const v1::BackupInfo second = Create();
  {
    grpc::ClientContext context;
    grpc::Status status;
    std::vector<std::string> ids;
    for (const v1::ListedBackup& one : ReadAll<v1::ListedBackup>(stub_->List(&context, {}), &status)) {
      ids.push_back(one.backup().id());
      EXPECT_EQ(one.damage(), "");
    }
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_THAT(ids, ElementsAre(first.id(), second.id()));
  }
  {
    grpc::ClientContext context;
    grpc::Status status;
    const auto answers = ReadAll<v1::DrillBackupResponse>(stub_->Drill(&context, {}), &status);
    ASSERT_TRUE(status.ok()) << status.error_message();
    const v1::DrillInfo& drill = answers.back().drill();
    EXPECT_EQ(drill.what(), "");
    EXPECT_EQ(drill.backup(), second.id());
    EXPECT_EQ(drill.compared(), 3);
    EXPECT_EQ(drill.tags(), 1);
  }
  {
    grpc::ClientContext context;
    v1::PruneBackupsRequest request;
    request.mutable_keep()->set_last(1);
    v1::PruneBackupsResponse pruned;
    const grpc::Status status = stub_->Prune(&context, request, &pruned);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_THAT(pruned.removed(), ElementsAre(first.id()));
    EXPECT_THAT(pruned.kept(), ElementsAre(second.id()));
  }
  {
    grpc::ClientContext context;
    grpc::Status status;
    const auto answers = ReadAll<v1::VerifyBackupsResponse>(stub_->Verify(&context, {}), &status);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_TRUE(answers.back().done());
    EXPECT_EQ(answers.back().damages(), 0);
    EXPECT_EQ(answers.back().backups(), 1);
    EXPECT_GT(answers.back().bytes(), 0);
  }
  const v1::BackupStatus status = Status().backup();
  EXPECT_EQ(status.target(), scratch_ + "/repository");
  EXPECT_EQ(status.newest().id(), second.id());
  EXPECT_EQ(status.backups(), 2);
  EXPECT_EQ(status.failures(), 1) << "the one before there was a repository";
  EXPECT_EQ(status.last_error(), "");
  EXPECT_EQ(status.running(), "");
  EXPECT_FALSE(status.overdue());
  EXPECT_EQ(status.drill().what(), "");
  const std::string metrics = server_->Metrics();
  EXPECT_THAT(metrics, HasSubstr("historian_backups_total 2"));
  EXPECT_THAT(metrics, HasSubstr("historian_backup_failures_total 1"));
  EXPECT_THAT(metrics, HasSubstr("historian_backup_overdue 0"));
  EXPECT_THAT(metrics, HasSubstr("historian_backup_drill_passed 1"));
  EXPECT_THAT(metrics, HasSubstr("historian_backup_age_seconds 0"));
}

TEST_F(BackupServiceTest, DamageIsToldWithTheBackupsThatItHurts) {
  Start();
  ASSERT_TRUE(Init().ok());
  const v1::BackupInfo info = Create();
  std::string object;
  for (const auto& entry : fs::recursive_directory_iterator(scratch_ + "/repository/files")) {
    if (entry.is_regular_file()) object = entry.path();
  }
  fs::remove(object);
  grpc::ClientContext context;
  grpc::Status status;
  std::vector<v1::BackupDamage> found;
  for (const auto& answer : ReadAll<v1::VerifyBackupsResponse>(stub_->Verify(&context, {}), &status))
    found.insert(found.end(), answer.damage().begin(), answer.damage().end());
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(absl::StrCat(scratch_, "/repository/", found[0].object()), object);
  EXPECT_THAT(found[0].backups(), ElementsAre(info.id()));
  EXPECT_NE(found[0].path(), "");
  grpc::ClientContext drill_context;
  const auto drilled = ReadAll<v1::DrillBackupResponse>(stub_->Drill(&drill_context, {}), &status);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(drilled.back().drill().what(), HasSubstr("missing"));
  EXPECT_NE(Status().backup().drill().what(), "");
}

TEST_F(BackupServiceTest, WhoeverGoesAwayEndsWhatWasBegun) {
  {
    grpc::ClientContext context;
    const auto reader = BeginEndlessBackup(&context);
    EXPECT_EQ(Status().backup().running(), "a backup");
    context.TryCancel();
  }
  EXPECT_TRUE(Eventually([&] { return Status().backup().running().empty(); }));
  EXPECT_EQ(Status().backup().failures(), 1);
}

TEST_F(BackupServiceTest, AStopEndsABackup) {
  grpc::ClientContext context;
  const auto reader = BeginEndlessBackup(&context);
  server_->Stop();
  v1::CreateBackupResponse answer;
  while (reader->Read(&answer)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(BackupServiceTest, BadRequestsAreRefused) {
  Start();
  ASSERT_TRUE(Init().ok());
  for (const double sample : {-0.1, 1.1}) {
    grpc::ClientContext context;
    v1::VerifyBackupsRequest request;
    request.set_sample(sample);
    grpc::Status status;
    ReadAll<v1::VerifyBackupsResponse>(stub_->Verify(&context, request), &status);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  }
  for (const char* id : {"../REPOSITORY", "x", "20261129T101500Z-7f3a"}) {
    grpc::ClientContext context;
    v1::DrillBackupRequest request;
    request.set_backup(id);
    grpc::Status status;
    ReadAll<v1::DrillBackupResponse>(stub_->Drill(&context, request), &status);
    EXPECT_TRUE(status.error_code() == grpc::StatusCode::INVALID_ARGUMENT ||
                status.error_code() == grpc::StatusCode::NOT_FOUND)
        << status.error_message();
  }
}

}  // namespace
}  // namespace historian::server
