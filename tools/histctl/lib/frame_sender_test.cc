#include "tools/histctl/lib/frame_sender.h"

#include <atomic>
#include <string>
#include <vector>

#include "client/fake_server.h"
#include "client/wire.h"
#include "gtest/gtest.h"
#include "storage/model/samples.h"
#include "tools/histctl/exit_code.h"

namespace historian::histctl {
namespace {

using client::FakeServer;

// Frame n has one sample at time n.
ImportFrame FrameOf(uint64_t n, size_t string_bytes = 0) {
  ImportFrame frame;
  frame.request.mutable_frame()->set_sequence(n);
  Samples samples;
  if (string_bytes > 0) {
    samples.AddString(static_cast<Timestamp>(n), std::string(string_bytes, 'x'));
  } else {
    samples.Add(static_cast<Timestamp>(n), n);
  }
  client::ColumnToWire(1, string_bytes > 0 ? ValueType::kString : ValueType::kInt64, samples.View(),
                       frame.request.mutable_frame()->add_columns());
  frame.samples = 1;
  frame.first_line = 10 * n;
  frame.lines = {{5}};
  return frame;
}

FrameSenderOptions Options() { return {.producer = "import", .retry_for = absl::Seconds(30)}; }

// Sends frames up to `last` behind what the server has.
absl::Status SendAll(const client::Connection& connection, FrameSenderOptions options, uint64_t last,
                     FrameSenderCounts* counts = nullptr) {
  FrameSender sender(connection, std::move(options));
  uint64_t acknowledged = 0;
  if (absl::Status status = sender.Open(&acknowledged); !status.ok()) return status;
  for (uint64_t n = acknowledged + 1; n <= last; ++n) {
    if (absl::Status status = sender.Send(FrameOf(n)); !status.ok()) return status;
  }
  const absl::Status status = sender.Finish();
  if (counts != nullptr) *counts = sender.counts();
  return status;
}

TEST(FrameSender, EveryFrameIsStoredUnderItsNumber) {
  FakeServer server;
  FrameSenderCounts counts;
  ASSERT_TRUE(SendAll(server.connection(), Options(), 200, &counts).ok());
  EXPECT_EQ(server.stored_samples(), 200);
  EXPECT_EQ(counts.samples_acknowledged, 200);
  EXPECT_EQ(counts.samples_stored, 200);
  std::vector<uint64_t> numbers = server.sequences();
  for (size_t i = 0; i < numbers.size(); ++i) EXPECT_EQ(numbers[i], i + 1);
}

TEST(FrameSender, LostLinksStoreNothingTwice) {
  FakeServer server;
  server.Script({.frames = 30, .acknowledge_frames = 10});
  server.Script({.refuse = grpc::Status(grpc::StatusCode::UNAVAILABLE, "starting")});
  server.Script({.refuse = grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "the disk is full")});
  server.Script({.frames = 40, .acknowledge_frames = 0});
  FrameSenderCounts counts;
  std::atomic<int> notices{0};
  FrameSenderOptions options = Options();
  options.on_notice = [&](absl::string_view) { ++notices; };
  ASSERT_TRUE(SendAll(server.connection(), options, 150, &counts).ok());
  EXPECT_EQ(server.stored_samples(), 150);
  EXPECT_EQ(counts.samples_acknowledged, 150);
  EXPECT_EQ(counts.reconnects, 2);
  EXPECT_GE(notices, 4);
}

TEST(FrameSender, ASecondRunGoesOnBehindTheFirst) {
  FakeServer server;
  ASSERT_TRUE(SendAll(server.connection(), Options(), 70).ok());
  FrameSenderCounts counts;
  ASSERT_TRUE(SendAll(server.connection(), Options(), 100, &counts).ok());
  EXPECT_EQ(server.stored_samples(), 100);
  EXPECT_EQ(counts.samples_acknowledged, 30);
}

TEST(FrameSender, FinalErrorsEndIt) {
  for (const grpc::StatusCode code : {grpc::StatusCode::ABORTED, grpc::StatusCode::INVALID_ARGUMENT}) {
    FakeServer server;
    server.Script({.frames = 5, .end = grpc::Status(code, "no more")});
    const absl::Status status = SendAll(server.connection(), Options(), 100);
    EXPECT_EQ(static_cast<int>(status.code()), static_cast<int>(code)) << status;
    EXPECT_EQ(ExitCodeOf(status), kExitRefused);
  }
}

TEST(FrameSender, AServerThatIsNotThereIsUnreachableAtOnce) {
  FakeServer server;
  const client::Connection connection = server.connection();
  server.Kill();
  const absl::Status status = SendAll(connection, Options(), 1);
  EXPECT_EQ(ExitCodeOf(status), kExitUnreachable) << status;
}

TEST(FrameSender, AServerThatStaysAwayIsGivenUp) {
  FakeServer server;
  for (int i = 0; i < 20; ++i) server.Script({.frames = 0});
  server.Script({.frames = 0});
  FrameSenderOptions options = Options();
  options.retry_for = absl::Milliseconds(300);
  FakeServer* const doomed = &server;
  int notices = 0;
  options.on_notice = [&](absl::string_view) {
    if (++notices == 1) doomed->Kill();
  };
  const absl::Status status = SendAll(server.connection(), options, 100);
  EXPECT_EQ(ExitCodeOf(status), kExitUnreachable) << status;
}

TEST(FrameSender, RefusedSamplesAreFoundInTheirRows) {
  FakeServer server;
  server.RejectTag(1);
  std::vector<uint64_t> lines;
  FrameSenderOptions options = Options();
  options.on_rejection = [&](const v1::Rejection& rejection, const ImportFrame& frame) {
    lines.push_back(frame.LineOf(rejection.column(), rejection.first()));
  };
  FrameSenderCounts counts;
  ASSERT_TRUE(SendAll(server.connection(), options, 3, &counts).ok());
  EXPECT_EQ(lines, (std::vector<uint64_t>{15, 25, 35}));
  EXPECT_EQ(counts.samples_rejected, 3);
}

TEST(FrameSender, InterruptionEndsAWaitOnASilentServer) {
  FakeServer server;
  server.Script({.reads = false});
  std::atomic<bool> interrupted{false};
  FrameSenderOptions options = Options();
  options.interrupted = &interrupted;
  FrameSender sender(server.connection(), options);
  uint64_t acknowledged = 0;
  ASSERT_TRUE(sender.Open(&acknowledged).ok());
  ASSERT_TRUE(sender.Send(FrameOf(1)).ok());
  interrupted = true;
  EXPECT_EQ(ExitCodeOf(sender.Finish()), kExitInterrupted);
}

TEST(FrameSender, ASilentServerIsTakenForDead) {
  FakeServer server;
  server.Script({.reads = false});
  FrameSenderOptions options = Options();
  options.ack_timeout = absl::Milliseconds(300);
  FrameSenderCounts counts;
  ASSERT_TRUE(SendAll(server.connection(), options, 10, &counts).ok());
  EXPECT_EQ(counts.reconnects, 1);
  EXPECT_EQ(server.stored_samples(), 10);
}

TEST(FrameSender, MemoryInFlightIsBounded) {
  FakeServer server;
  FrameSenderOptions options = Options();
  options.bytes_in_flight_max = 100'000;
  FrameSender sender(server.connection(), options);
  uint64_t acknowledged = 0;
  ASSERT_TRUE(sender.Open(&acknowledged).ok());
  for (uint64_t n = 1; n <= 50; ++n) ASSERT_TRUE(sender.Send(FrameOf(n, 40'000)).ok());
  ASSERT_TRUE(sender.Finish().ok());
  EXPECT_EQ(server.stored_samples(), 50);
}

}  // namespace
}  // namespace historian::histctl
