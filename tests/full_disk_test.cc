// A real server on a small disk that fills up: writes are refused with a clear error, reads go on, and when
// there is room again everything the writer holds is stored, by itself, once.
#include <filesystem>
#include <fstream>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "client/client.h"
#include "gtest/gtest.h"
#include "storage/kv/small_disk.h"
#include "tests/server_process.h"

namespace historian {
namespace {

using testing::ServerProcess;

constexpr Timestamp kStart = 1'700'000'000 * kNanosPerSecond;
constexpr size_t kDiskBytes = 64 << 20;
constexpr size_t kFillerBytes = 24 << 20;
constexpr size_t kColumn = 4096;

TEST(FullDisk, RefusesWritesServesReadsAndResumesByItself) {
  kv::SmallDisk disk(kDiskBytes);
  if (!disk.mounted()) GTEST_SKIP() << disk.reason();
  const std::string filler = disk / "filler";
  std::ofstream(filler) << std::string(kFillerBytes, 'x');

  auto server =
      ServerProcess::Start({.data_dir = disk / "data", .flags = {"--archive-journal-bytes-max=2MiB"}});
  ASSERT_TRUE(server.ok()) << server.status();
  const auto connection = *client::Connection::Open({.target = (*server)->target()});
  const auto tags = client::Tags(connection).Ensure({{.name = "full/a"}});
  ASSERT_TRUE(tags.ok()) << tags.status();
  const TagId tag = (*tags)[0].id;

  absl::Mutex mu;
  absl::Status refusal;
  auto writer = *client::Writer::Open(connection, {.producer = "full disk test",
                                                   .memory_bytes_max = 2 << 20,
                                                   .block_when_full = false,
                                                   .backoff_min = absl::Milliseconds(20),
                                                   .backoff_max = absl::Milliseconds(200),
                                                   .on_state = [&](const client::WriterState& state) {
                                                     if (state.connected || state.reason.ok()) return;
                                                     absl::MutexLock lock(&mu);
                                                     if (refusal.ok()) refusal = state.reason;
                                                   }});
  // Random bits, eight bytes a sample whatever the encoding, until the server says no.
  std::mt19937_64 random(1);
  uint64_t written = 0;
  const auto refused = [&] {
    absl::MutexLock lock(&mu);
    return !refusal.ok();
  };
  const auto add = [&] {
    Samples samples;
    for (size_t i = 0; i < kColumn; ++i)
      samples.Add(kStart + static_cast<int64_t>(written + i) * 1000, random() >> 2);
    absl::Status added = writer->AddColumn(tag, ValueType::kFloat64, samples.View());
    while (absl::IsResourceExhausted(added) && !refused()) {
      absl::SleepFor(absl::Milliseconds(1));
      added = writer->AddColumn(tag, ValueType::kFloat64, samples.View());
    }
    if (added.ok()) written += kColumn;
    return added;
  };
  while (!refused() && written * 8 < 2 * kDiskBytes) (void)add();
  ASSERT_TRUE(refused());
  EXPECT_EQ(refusal.code(), absl::StatusCode::kResourceExhausted) << refusal;
  EXPECT_NE(refusal.message().find("disk is full"), std::string::npos) << refusal;

  const auto status = client::Admin(connection).Status();
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->state(), v1::GetStatusResponse::STATE_READ_ONLY);
  EXPECT_NE(status->message().find("disk is full"), std::string::npos) << status->message();
  const client::Reader reader(connection);
  const auto while_full = reader.Raw(tag, kTimestampMin, kTimestampMax).Collect();
  ASSERT_TRUE(while_full.ok()) << while_full.status();
  EXPECT_GT(while_full->samples.size(), 0);
  EXPECT_LT(while_full->samples.size(), written);

  std::filesystem::remove(filler);
  const absl::Status flushed = writer->Flush(absl::Seconds(30));
  EXPECT_TRUE(flushed.ok()) << flushed << "\n" << (*server)->LogTail();
  const auto after = reader.Raw(tag, kTimestampMin, kTimestampMax).Collect();
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(after->samples.size(), written);
}

TEST(FullDisk, AStartWithoutAFreeByteServesReadsAndGoesOnByItself) {
  kv::SmallDisk disk(kDiskBytes);
  if (!disk.mounted()) GTEST_SKIP() << disk.reason();
  const ServerProcess::Options options = {.data_dir = disk / "data"};
  TagId tag = 0;
  const auto samples_of = [](int from, int size) {
    Samples samples;
    for (int i = from; i < from + size; ++i) samples.Add(kStart + i * 1000, BitsOfFloat64(i));
    return samples;
  };
  {
    auto server = ServerProcess::Start(options);
    ASSERT_TRUE(server.ok()) << server.status();
    const auto connection = *client::Connection::Open({.target = (*server)->target()});
    // Some in files, some in RocksDB's log and the journal.
    for (int round = 0; round < 2; ++round) {
      std::vector<Tag> tags;
      for (int i = 0; i < 300; ++i) tags.push_back({.name = absl::StrCat("full/", round, "/", i)});
      const auto ensured = client::Tags(connection).Ensure(tags);
      ASSERT_TRUE(ensured.ok()) << ensured.status();
      tag = (*ensured)[0].id;
      auto writer = *client::Writer::Open(connection, {.producer = absl::StrCat("round ", round)});
      ASSERT_TRUE(writer->AddColumn(tag, ValueType::kFloat64, samples_of(0, 1000).View()).ok());
      ASSERT_TRUE(writer->Flush(absl::Seconds(20)).ok());
      if (round == 0) {
        ASSERT_TRUE(client::Admin(connection).Seal().ok());
      }
    }
    (*server)->Kill();
  }
  disk.Fill();
  auto server = ServerProcess::Start(options);
  ASSERT_TRUE(server.ok()) << server.status();
  const auto connection = *client::Connection::Open({.target = (*server)->target()});
  const client::Reader reader(connection);
  for (const TagId of : {TagId{1}, tag}) {
    const auto read = reader.Raw(of, kTimestampMin, kTimestampMax).Collect();
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->samples.size(), 1000);
  }
  const auto status = client::Admin(connection).Status();
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->state(), v1::GetStatusResponse::STATE_READ_ONLY);
  EXPECT_NE(status->message().find("disk is full"), std::string::npos) << status->message();
  auto writer = *client::Writer::Open(
      connection,
      {.producer = "round 1", .backoff_min = absl::Milliseconds(20), .backoff_max = absl::Milliseconds(200)});
  ASSERT_TRUE(writer->AddColumn(tag, ValueType::kFloat64, samples_of(1000, 1000).View()).ok());
  disk.Empty();
  const absl::Status flushed = writer->Flush(absl::Seconds(30));
  EXPECT_TRUE(flushed.ok()) << flushed << "\n" << (*server)->LogTail();
  EXPECT_TRUE(client::Tags(connection).Ensure({{.name = "full/after"}}).ok());
  EXPECT_TRUE(client::Admin(connection).Seal().ok());
  const auto after = reader.Raw(tag, kTimestampMin, kTimestampMax).Collect();
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(after->samples.size(), 2000);
}

}  // namespace
}  // namespace historian
