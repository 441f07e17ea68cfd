// A real server whose clock is set: back, ahead, by a day, a year, to the ends of time, while it works and while it is
// stopped. It stores what it is given, goes on sealing, ends clients that do not read, and lets nothing expire.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/client.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/historian/v1/query.grpc.pb.h"
#include "storage/model/clock.h"
#include "storage/platform/eventually.h"
#include "storage/platform/monotonic.h"
#include "tests/server_process.h"

namespace historian {
namespace {

using ::historian::testing::ScratchDirectory;
using ::historian::testing::ServerProcess;
using ::testing::HasSubstr;

constexpr int64_t kHour = 3600 * kNanosPerSecond, kDay = 24 * kHour, kYear = 365 * kDay;

class ClockTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const int file = open(clock_file_.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
    ASSERT_GE(file, 0);
    ASSERT_EQ(ftruncate(file, sizeof(int64_t)), 0);
    void* const map = mmap(nullptr, sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ASSERT_NE(map, MAP_FAILED);
    close(file);
    ahead_ = static_cast<std::atomic<int64_t>*>(map);
    Start();
  }

  // The server's clock is ahead of the machine's by so much.
  void SetClock(int64_t ahead) { ahead_->store(ahead); }

  void Start() {
    auto server = ServerProcess::Start(
        {.data_dir = data_dir_,
         .flags = {"--archive-journal-bytes-max=1MiB", "--limits-memory-budget=64MiB",
                   "--limits-reader-idle=2s", "--archive-future-limit=1h"},
         .environment = {
             absl::StrCat("HISTORIAN_CLOCK_FILE=", clock_file_),
             absl::StrCat("LD_PRELOAD=", std::filesystem::absolute("tests/clock_shim.so").string())}});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    connection_ = client::Connection::Open({.target = server_->target()}).value();
  }
  void Restart() {
    connection_
        .reset();  // A client that does nothing hears of the end late, and the server would wait for it.
    ASSERT_TRUE(server_->Terminate()) << server_->LogTail();
    Start();
  }

  v1::GetStatusResponse Status() {
    const auto status = client::Admin(*connection_).Status();
    EXPECT_TRUE(status.ok()) << status.status() << "\n" << server_->LogTail();
    return status.ok() ? *status : v1::GetStatusResponse();
  }

  TagId MakeTag(const std::string& name) {
    const auto tags = client::Tags(*connection_).Ensure({{.name = name, .type = ValueType::kFloat64}});
    EXPECT_TRUE(tags.ok()) << tags.status();
    return tags.ok() ? tags->front().id : 0;
  }

  // Writes until the server has sealed by itself this many times more, from `time` on.
  void WriteUntilSealed(TagId tag, Timestamp time, uint64_t seals) {
    const uint64_t enough = Status().seals() + seals;
    auto writer = *client::Writer::Open(*connection_, {.producer = absl::StrCat("clock test ", ++writers_)});
    uint64_t noise = 88172645463325252;
    const MonotonicTime begin = MonotonicTime::Now();
    while (Status().seals() < enough && MonotonicTime::Now() - begin < absl::Seconds(60)) {
      for (int i = 0; i < 20'000; ++i) {
        noise ^= noise << 13, noise ^= noise >> 7, noise ^= noise << 17;
        ASSERT_TRUE(writer->Add(tag, ValueType::kFloat64, time++, noise >> 12).ok());
        ++written_;
      }
      ASSERT_TRUE(writer->Flush(absl::Seconds(60)).ok());
    }
    EXPECT_GE(Status().seals(), enough) << server_->LogTail();
    ASSERT_TRUE(writer->Close(absl::Seconds(60)).ok());
    EXPECT_EQ(writer->counters().samples_rejected, 0);
  }

  uint64_t StoredSamples(TagId tag) {
    client::RawSamples raw = client::Reader(*connection_).Raw(tag, kTimestampMin, kTimestampMax);
    uint64_t count = 0;
    for (const auto& batch : raw) count += batch.samples.size();
    EXPECT_TRUE(raw.status().ok()) << raw.status();
    return count;
  }

  const std::string scratch_ = ScratchDirectory("clock");
  const std::string clock_file_ = scratch_ + "/ahead";
  const std::string data_dir_ = scratch_ + "/data";
  std::atomic<int64_t>* ahead_ = nullptr;
  std::unique_ptr<ServerProcess> server_;
  std::optional<client::Connection> connection_;
  uint64_t written_ = 0;
  int writers_ = 0;
};

TEST_F(ClockTest, SealsAndStoresWhereverTheClockGoes) {
  const TagId tag = MakeTag("a");
  Timestamp time = Clock::System().Now() - 2 * kYear;
  WriteUntilSealed(tag, time, 1);
  uint64_t steps = 0;
  for (const int64_t ahead : {-kDay, kDay, -kYear, kYear, -10 * kYear, 30 * kYear, int64_t{0}}) {
    SCOPED_TRACE(absl::StrCat("ahead by ", ahead / kDay, " days"));
    SetClock(ahead);
    ++steps;
    EXPECT_TRUE(Eventually([&] { return Status().clock_steps() >= steps; }));
    // Late enough to be accepted by any of these clocks.
    time = Clock::System().Now() - 20 * kYear + static_cast<int64_t>(steps) * kDay;
    WriteUntilSealed(tag, time, 2);
    const v1::GetStatusResponse status = Status();
    EXPECT_EQ(status.state(), v1::GetStatusResponse::STATE_SERVING) << status.message();
    EXPECT_EQ(status.clock_steps(), steps);
    EXPECT_NEAR(static_cast<double>(status.clock_stepped_to() - Clock::System().Now() - ahead), 0, 60e9);
  }
  EXPECT_THAT(server_->LogTail(), HasSubstr("clock_stepped"));
  EXPECT_EQ(StoredSamples(tag), written_);
}

TEST_F(ClockTest, ASetClockIsReadAtOnce) {
  // Abseil estimates the time by processor cycles once a program has run for half a second.
  const auto ran_for = [this] {
    const v1::GetStatusResponse status = Status();
    return status.now() - status.started() > kNanosPerSecond;
  };
  ASSERT_TRUE(Eventually(ran_for));
  for (const int64_t ahead : {kYear, -kYear, int64_t{0}}) {
    SetClock(ahead);
    EXPECT_NEAR(static_cast<double>(Status().now() - Clock::System().Now() - ahead), 0, 60e9);
  }
}

TEST_F(ClockTest, AClockThatIsSetBackStopsNoUpkeep) {
  const TagId tag = MakeTag("a");
  WriteUntilSealed(tag, Clock::System().Now() - kHour, 3);
  SetClock(-kDay);
  // A reader that takes nothing is ended all the same.
  client::Connection other = client::Connection::Open({.target = server_->target()}).value();
  auto stub = v1::Query::NewStub(other.channel());
  v1::ReadRawRequest request;
  request.set_tag_id(tag);
  request.set_start(kTimestampMin);
  request.set_end(kTimestampMax);
  grpc::ClientContext context;
  auto reader = stub->ReadRaw(&context, request);
  v1::RawFrame frame;
  ASSERT_TRUE(reader->Read(&frame));
  EXPECT_TRUE(Eventually([&] { return Status().queries_running() == 0; }));
  context.TryCancel();
  reader->Finish();
}

TEST_F(ClockTest, NothingExpiresByAWrongClock) {
  const TagId tag = MakeTag("a");
  const Timestamp now = Clock::System().Now();
  WriteUntilSealed(tag, now - 80 * kDay, 1);
  v1::SetRuleRequest rule;
  rule.mutable_rule()->set_name("all");
  rule.mutable_rule()->set_pattern("*");
  rule.mutable_rule()->set_keep_raw_s(90 * 86400);
  rule.mutable_rule()->set_keep_rollups_s(90 * 86400);
  ASSERT_TRUE(client::Retention(*connection_).SetRule(rule).ok());

  const auto apply = [&] {
    const auto applied = client::Retention(*connection_).Apply({});
    ASSERT_TRUE(applied.ok()) << applied.status();
    EXPECT_LT(applied->as_of(), Clock::System().Now() + kHour);
    EXPECT_EQ(StoredSamples(tag), written_);
  };
  for (const int64_t ahead : {kYear, 27 * kDay, 54 * kDay, 81 * kDay, 108 * kDay, -kYear, 10 * kYear}) {
    SCOPED_TRACE(absl::StrCat("ahead by ", ahead / kDay, " days"));
    SetClock(ahead);
    apply();  // While it runs,
    Restart();
    apply();  // and after a start.
  }
  SetClock(0);
  Restart();
  apply();

  // Somebody whose clock says otherwise is asked to look; somebody whose clock agrees is believed.
  SetClock(kYear);
  v1::ApplyRetentionRequest request;
  request.set_witness(Clock::System().Now());
  EXPECT_EQ(client::Retention(*connection_).Apply(request).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(StoredSamples(tag), written_);
  request.set_witness(Clock::System().Now() + kYear);
  EXPECT_EQ(client::Retention(*connection_).Apply(request).status(), absl::OkStatus());
  EXPECT_EQ(StoredSamples(tag), 0);
}

}  // namespace
}  // namespace historian
