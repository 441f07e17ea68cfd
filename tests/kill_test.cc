// A real server is killed (SIGKILL) again and again while a writer writes. Afterwards every acknowledged
// sample is there, once, and so is all that the writer was given, because it repeated what was not
// acknowledged.
//
//   bazel test //tests:kill_test                               seconds
//   bazel run //tests:kill_test -- --seconds=3600 --seed=7     an hour, other moments
#include <atomic>
#include <filesystem>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/client.h"
#include "gtest/gtest.h"
#include "storage/platform/monotonic.h"
#include "tests/campaign.h"
#include "tests/server_process.h"

namespace historian {
namespace {

using testing::ScratchDirectory;
using testing::ServerProcess;

constexpr Timestamp kStart = 1'700'000'000 * kNanosPerSecond;
constexpr int kTags = 20;

std::vector<Tag> MakeTags(const client::Connection& connection) {
  std::vector<Tag> tags;
  for (int i = 0; i < kTags; ++i) {
    tags.push_back({.name = absl::StrCat("kill/tag ", i),
                    .type = ValueType::kInt64,
                    .interpolation = Interpolation::kStepped});
  }
  auto ensured = client::Tags(connection).Ensure(tags);
  EXPECT_TRUE(ensured.ok()) << ensured.status();
  return ensured.ok() ? *ensured : std::vector<Tag>();
}

class KillTest : public ::testing::Test {
 protected:
  void StartServer(int port = 0) {
    auto server = ServerProcess::Start({.data_dir = data_dir_,
                                        .grpc_port = port,
                                        // Seals all the time, so that kills hit them too.
                                        .flags = {"--archive-journal-bytes-max=1MiB"}});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  // A data directory's life.
  void KillAndCheck(uint64_t seed);

  std::string data_dir_;
  std::unique_ptr<ServerProcess> server_;
};

void KillTest::KillAndCheck(uint64_t seed) {
  std::mt19937_64 random(seed);
  data_dir_ = ScratchDirectory("kill");
  StartServer();
  ASSERT_NE(server_, nullptr);
  const int port = server_->grpc_port();
  const auto connection = *client::Connection::Open({.target = server_->target()});
  const std::vector<Tag> tags = MakeTags(connection);
  ASSERT_EQ(tags.size(), kTags);

  auto writer = *client::Writer::Open(connection, {.producer = "kill test",
                                                   .frame_bytes = 4096,
                                                   .flush_interval = absl::Milliseconds(2),
                                                   .memory_bytes_max = 1 << 20,
                                                   .backoff_min = absl::Milliseconds(10),
                                                   .backoff_max = absl::Milliseconds(100)});
  std::atomic<bool> stop{false};
  std::vector<int64_t> written(kTags, 0);
  std::thread writing([&] {
    for (int64_t i = 0; !stop; ++i) {
      const int tag = static_cast<int>(i % kTags);
      // Each tag's value is its sample's index; one in ten arrives late, before the one added last.
      const int64_t index = written[tag]++;
      const Timestamp time =
          kStart + (index % 10 == 5 ? index - 3 : index) * 1'000'000 + (index % 10 == 5 ? 7 : 0);
      ASSERT_TRUE(writer->Add(tags[tag].id, ValueType::kInt64, time, BitsOfInt64(index)).ok());
    }
  });
  for (int kills = 0; kills < 5; ++kills) {
    absl::SleepFor(absl::Milliseconds(50 + random() % 400));
    server_->Kill();
    StartServer(port);
    ASSERT_NE(server_, nullptr);
  }
  absl::SleepFor(absl::Milliseconds(100));
  stop = true;
  writing.join();
  const absl::Status closed = writer->Close(absl::Seconds(60));
  ASSERT_TRUE(closed.ok()) << closed << "\n" << server_->LogTail();

  const client::Reader reader(connection);
  for (const bool restarted : {false, true}) {
    if (restarted) {
      ASSERT_TRUE(server_->Terminate()) << server_->LogTail();
      StartServer(port);
      ASSERT_TRUE(connection.WaitUntilConnected(absl::Seconds(20)).ok());
    }
    uint64_t total = 0;
    for (int tag = 0; tag < kTags; ++tag) {
      auto raw = reader.Raw(tags[tag].id, kTimestampMin, kTimestampMax).Collect();
      ASSERT_TRUE(raw.ok()) << raw.status();
      std::vector<bool> seen(written[tag], false);
      for (const ValueBits value : raw->samples.values) {
        ASSERT_LT(value, seen.size());
        ASSERT_FALSE(seen[value]) << "sample " << value << " of tag " << tag << " is there twice";
        seen[value] = true;
      }
      for (size_t i = 0; i < seen.size(); ++i)
        ASSERT_TRUE(seen[i]) << "sample " << i << " of tag " << tag << " is lost";
      total += raw->samples.size();
    }
    EXPECT_GT(total, 0);
    std::printf("seed %llu: %llu samples, each there once%s\n", static_cast<unsigned long long>(seed),
                static_cast<unsigned long long>(total), restarted ? " after a restart" : "");
  }
  server_.reset();
  std::filesystem::remove_all(data_dir_);
}

TEST_F(KillTest, EveryAcknowledgedSampleIsThereOnce) {
  const MonotonicTime end = MonotonicTime::Now() + testing::CampaignLength(absl::Seconds(4));
  for (uint64_t seed = testing::CampaignSeed(1); !HasFailure(); ++seed) {
    SCOPED_TRACE(absl::StrCat("--seed=", seed));
    ASSERT_NO_FATAL_FAILURE(KillAndCheck(seed));
    if (MonotonicTime::Now() >= end) break;
  }
}

TEST(TwoServers, CannotOpenOneDataDirectory) {
  const std::string data_dir = ScratchDirectory("two");
  auto first = ServerProcess::Start({.data_dir = data_dir});
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = ServerProcess::Start({.data_dir = data_dir});
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.status().message().find(data_dir), std::string::npos) << second.status();
}

TEST(Terminate, DrainsSealsAndExits) {
  const std::string data_dir = ScratchDirectory("terminate");
  auto server = ServerProcess::Start({.data_dir = data_dir});
  ASSERT_TRUE(server.ok()) << server.status();
  const auto connection = *client::Connection::Open({.target = (*server)->target()});
  const std::vector<Tag> tags = MakeTags(connection);
  auto writer = *client::Writer::Open(connection, {.producer = "terminate test"});
  for (int i = 0; i < 5000; ++i) {
    ASSERT_TRUE(writer->Add(tags[0].id, ValueType::kInt64, kStart + i, BitsOfInt64(i)).ok());
  }
  ASSERT_TRUE(writer->Flush(absl::Seconds(20)).ok());
  const MonotonicTime begin = MonotonicTime::Now();
  EXPECT_TRUE((*server)->Terminate()) << (*server)->LogTail();
  EXPECT_LT(MonotonicTime::Now() - begin, absl::Seconds(20));
  writer.reset();
  auto again = ServerProcess::Start({.data_dir = data_dir});
  ASSERT_TRUE(again.ok()) << again.status();
  const auto to_again = *client::Connection::Open({.target = (*again)->target()});
  auto raw = client::Reader(to_again).Raw(tags[0].id, kTimestampMin, kTimestampMax).Collect();
  ASSERT_TRUE(raw.ok()) << raw.status();
  EXPECT_EQ(raw->samples.size(), 5000);
}

}  // namespace
}  // namespace historian
