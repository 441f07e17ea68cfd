#include "client/writer.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <ctime>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "client/fake_server.h"
#include "client/wire.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/platform/eventually.h"

namespace historian::client {
namespace {

constexpr Timestamp kNow = 1'790'000'000'000'000'000;
constexpr absl::Duration kPatience = absl::Seconds(20);

// Short pauses and small frames.
WriterOptions Quick() {
  WriterOptions options;
  options.producer = "p";
  options.frame_bytes = 2048;
  options.flush_interval = absl::Milliseconds(5);
  options.backoff_min = absl::Milliseconds(1);
  options.backoff_max = absl::Milliseconds(20);
  return options;
}

std::unique_ptr<Writer> OpenWriter(const Connection& connection, WriterOptions options) {
  absl::StatusOr<std::unique_ptr<Writer>> writer = Writer::Open(connection, std::move(options));
  HISTORIAN_CHECK(writer.ok());
  return *std::move(writer);
}

// Adds samples [begin, end) of `tag`: one a second, its number as its value.
absl::Status AddNumbers(Writer& writer, TagId tag, int begin, int end) {
  for (int i = begin; i < end; ++i) {
    absl::Status status =
        writer.Add(tag, ValueType::kInt64, kNow + i * kNanosPerSecond, static_cast<ValueBits>(i));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// The samples of AddNumbers(0, n) are stored, each once, in order.
void ExpectNumbers(FakeServer& server, TagId tag, int n) {
  const auto stored = server.Stored(tag);
  ASSERT_EQ(stored.size(), static_cast<size_t>(n));
  for (int i = 0; i < n; ++i) {
    ASSERT_EQ(stored[i], std::make_tuple(kNow + i * kNanosPerSecond, static_cast<ValueBits>(i), kGood));
  }
}

TEST(Writer, FlushedSamplesAreOnTheServer) {
  FakeServer server;
  const auto writer = OpenWriter(server.connection(), Quick());
  ASSERT_TRUE(AddNumbers(*writer, 1, 0, 1000).ok());
  ASSERT_TRUE(writer->Flush(kPatience).ok());
  ExpectNumbers(server, 1, 1000);
  EXPECT_GT(server.sequences().size(), 3u);  // 14 KiB in frames of 2 KiB.
  const WriterCounters counters = writer->counters();
  EXPECT_EQ(counters.samples_added, 1000u);
  EXPECT_EQ(counters.samples_acknowledged, 1000u);
  EXPECT_EQ(counters.samples_stored, 1000u);
  EXPECT_EQ(counters.memory_bytes, 0u);
  EXPECT_EQ(counters.frames_waiting, 0u);
}

TEST(Writer, AFrameGoesOutWhenItsFirstSampleIsOldEnough) {
  FakeServer server;
  const auto writer = OpenWriter(server.connection(), Quick());
  ASSERT_TRUE(writer->AddFloat64(1, kNow, 1.5).ok());
  EXPECT_TRUE(Eventually([&] { return server.stored_samples() == 1; }));
}

TEST(Writer, EveryKindOfAddArrives) {
  FakeServer server;
  const auto writer = OpenWriter(server.connection(), Quick());
  ASSERT_TRUE(writer->AddFloat64(1, kNow, -0.0, kBad).ok());
  ASSERT_TRUE(writer->AddString(2, kNow, "text").ok());
  Samples column;
  for (int i = 0; i < 5000; ++i)
    column.Add(kNow + i, static_cast<ValueBits>(i), i % 7 == 0 ? kUncertain : kGood);
  ASSERT_TRUE(writer->AddColumn(3, ValueType::kInt64, column.View()).ok());
  std::vector<TagId> tags;
  std::vector<ValueBits> values;
  for (TagId tag = 10; tag < 1010; ++tag) {
    tags.push_back(tag);
    values.push_back(BitsOfFloat32(static_cast<float>(tag)));
  }
  ASSERT_TRUE(writer->AddSnapshot(kNow, ValueType::kFloat32, tags, values).ok());
  v1::Frame frame;
  frame.set_sequence(99);  // Ignored.
  ColumnToWire(4, ValueType::kInt64, column.View().Slice(0, 10), frame.add_columns());
  ASSERT_TRUE(writer->WriteFrame(frame).ok());
  ASSERT_TRUE(writer->Close(kPatience).ok());
  EXPECT_THAT(server.Stored(1), testing::ElementsAre(std::make_tuple(kNow, BitsOfFloat64(-0.0), kBad)));
  EXPECT_EQ(server.Stored(2).size(), 1u);
  EXPECT_EQ(server.Stored(3).size(), 5000u);
  EXPECT_EQ(std::get<2>(server.Stored(3)[7]), kUncertain);
  EXPECT_THAT(server.Stored(1009),
              testing::ElementsAre(std::make_tuple(kNow, ValueBits{BitsOfFloat32(1009.0f)}, kGood)));
  EXPECT_EQ(server.Stored(4).size(), 10u);
  EXPECT_EQ(writer->counters().samples_stored, 2u + 5000 + 1000 + 10);
}

TEST(Writer, RefusesWhatNoServerCouldStore) {
  FakeServer server;
  const auto writer = OpenWriter(server.connection(), Quick());
  const TagId tags[] = {1, 2};
  const ValueBits values[] = {1, 2};
  StringColumn strings;
  EXPECT_EQ(writer->Add(1, ValueType::kBool, kNow, 2).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(writer->Add(1, ValueType::kString, kNow, 0).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(writer->AddString(1, kNow, std::string(kStringBytesMax + 1, 'x')).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(writer->AddSnapshot(kNow, ValueType::kInt64, tags, absl::MakeConstSpan(values, 1)).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(writer->AddSnapshot(kNow, ValueType::kString, tags, values, {}, &strings).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(writer->AddSnapshot(kNow, ValueType::kBool, tags, values).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(writer->WriteEncodedFrame(std::string(8 << 20, 'x'), 1).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Writer::Open(server.connection(), {}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(writer->counters().samples_added, 0u);
}

TEST(Writer, ALostStreamIsRepeatedWithTheSameNumbersAndStoredOnce) {
  FakeServer server;
  server.Script({.frames = 3, .acknowledge_frames = 1});
  server.Script({.refuse = grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "disk full")});
  server.Script({.frames = 2, .acknowledge_frames = 0});
  server.Script({.refuse = grpc::Status(grpc::StatusCode::UNAVAILABLE, "starting")});
  std::atomic<int> connected{0}, lost{0};
  WriterOptions options = Quick();
  options.on_state = [&](const WriterState& state) {
    ++(state.connected ? connected : lost);
    EXPECT_TRUE(!state.final || state.reason.ok());  // Final only when it is closed at the end.
  };
  const auto writer = OpenWriter(server.connection(), options);
  ASSERT_TRUE(AddNumbers(*writer, 1, 0, 2000).ok());
  ASSERT_TRUE(writer->Flush(kPatience).ok());
  ExpectNumbers(server, 1, 2000);
  // Numbers rise from 1 without gaps, and those of lost streams come again.
  const std::vector<uint64_t> sequences = server.sequences();
  const std::set<uint64_t> distinct(sequences.begin(), sequences.end());
  EXPECT_EQ(*distinct.begin(), 1u);
  EXPECT_EQ(*distinct.rbegin(), distinct.size());
  EXPECT_EQ(server.streams(), 5);
  EXPECT_EQ(connected, 3);
  EXPECT_EQ(lost, 4);
  EXPECT_EQ(writer->counters().samples_acknowledged, 2000u);
}

TEST(Writer, AKilledServerThatComesBackGetsTheRest) {
  auto server = std::make_unique<FakeServer>();
  const int port = server->port();
  const auto writer = OpenWriter(server->connection(), Quick());
  ASSERT_TRUE(AddNumbers(*writer, 1, 0, 500).ok());
  ASSERT_TRUE(writer->Flush(kPatience).ok());
  server.reset();
  ASSERT_TRUE(AddNumbers(*writer, 2, 0, 500).ok());
  EXPECT_EQ(writer->Flush(absl::Milliseconds(30)).code(), absl::StatusCode::kDeadlineExceeded);
  server = std::make_unique<FakeServer>(port);  // It remembers nothing of the producer.
  ASSERT_TRUE(writer->Flush(kPatience).ok());
  ExpectNumbers(*server, 2, 500);
}

TEST(Writer, ANewProcessGoesOnWithTheNumbersOfTheOneBefore) {
  FakeServer server;
  for (int process = 0; process < 3; ++process) {
    const auto writer = OpenWriter(server.connection(), Quick());
    ASSERT_TRUE(AddNumbers(*writer, 1, process * 10, process * 10 + 10).ok());
    ASSERT_TRUE(writer->Close(kPatience).ok());
  }
  ExpectNumbers(server, 1, 30);
  const std::vector<uint64_t> sequences = server.sequences();
  for (size_t i = 0; i < sequences.size(); ++i) EXPECT_EQ(sequences[i], i + 1);
}

TEST(Writer, RejectionsReachTheCallback) {
  FakeServer server;
  server.RejectTag(2);
  absl::Mutex mutex;
  std::vector<WriteRejection> rejections;
  uint64_t stored = 0, rejected = 0;
  size_t latencies = 0;
  WriterOptions options = Quick();
  options.on_ack = [&](const WriteAcknowledgement& ack) {
    absl::MutexLock lock(&mutex);
    rejections.insert(rejections.end(), ack.rejections.begin(), ack.rejections.end());
    stored += ack.samples_stored;
    rejected += ack.samples_rejected;
    latencies += ack.latencies.size();
  };
  const auto writer = OpenWriter(server.connection(), options);
  ASSERT_TRUE(AddNumbers(*writer, 1, 0, 10).ok());
  ASSERT_TRUE(AddNumbers(*writer, 2, 0, 5).ok());
  ASSERT_TRUE(writer->Close(kPatience).ok());
  absl::MutexLock lock(&mutex);
  uint64_t listed = 0;
  for (const WriteRejection& rejection : rejections) {
    EXPECT_EQ(rejection.tag_id, 2u);
    EXPECT_EQ(rejection.reason, v1::REJECTION_REASON_UNKNOWN_TAG);
    listed += rejection.count;
  }
  EXPECT_EQ(rejections[0].time, kNow);
  EXPECT_EQ(listed, 5u);
  EXPECT_EQ(stored, 10u);
  EXPECT_EQ(rejected, 5u);
  EXPECT_GE(latencies, 1u);
}

TEST(Writer, AServerThatStopsReadingHoldsAddBackAtTheMemoryLimit) {
  FakeServer server;
  server.Script({.reads = false});
  WriterOptions options = Quick();
  options.memory_bytes_max = 64 * 1024;
  const auto writer = OpenWriter(server.connection(), options);
  std::atomic<bool> done{false};
  std::thread adder([&] {
    EXPECT_TRUE(AddNumbers(*writer, 1, 0, 20'000).ok());  // 240 KiB.
    done = true;
  });
  ASSERT_TRUE(Eventually([&] { return writer->counters().memory_bytes > 60 * 1024; }));
  for (int i = 0; i < 20; ++i) {
    EXPECT_LE(writer->counters().memory_bytes, options.memory_bytes_max);
    absl::SleepFor(absl::Milliseconds(1));
  }
  EXPECT_FALSE(done);
  server.Release();
  adder.join();
  ASSERT_TRUE(writer->Flush(kPatience).ok());
  ExpectNumbers(server, 1, 20'000);
}

TEST(Writer, RefusesInsteadOfWaitingWhenAskedTo) {
  FakeServer server;
  server.Script({.reads = false});
  WriterOptions options = Quick();
  options.memory_bytes_max = 16 * 1024;
  options.block_when_full = false;
  const auto writer = OpenWriter(server.connection(), options);
  int added = 0;
  absl::Status status;
  while ((status = AddNumbers(*writer, 1, added, added + 1)).ok()) ++added;
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_GT(added, 500);
  Samples column;
  for (int i = 0; i < 500; ++i) column.Add(kNow + i, 0);
  EXPECT_EQ(writer->AddColumn(2, ValueType::kInt64, column.View()).code(),
            absl::StatusCode::kResourceExhausted);
  server.Release();
  ASSERT_TRUE(writer->Flush(kPatience).ok());
  ExpectNumbers(server, 1, added);
  EXPECT_TRUE(server.Stored(2).empty());
}

TEST(Writer, FinalErrorsStopItAndReachEveryCall) {
  const struct {
    const char* what;
    StreamScript script;
    absl::StatusCode code;
  } cases[] = {
      {"a newer writer",
       {.frames = 1, .end = grpc::Status(grpc::StatusCode::ABORTED, "newer"), .acknowledge_frames = 0},
       absl::StatusCode::kAborted},
      {"bad request",
       {.refuse = grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "bad")},
       absl::StatusCode::kInvalidArgument},
      {"no right",
       {.refuse = grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "no")},
       absl::StatusCode::kPermissionDenied},
      {"a number never sent", {.frame_ack = 1'000'000}, absl::StatusCode::kFailedPrecondition},
  };
  for (const auto& c : cases) {
    FakeServer server;
    server.Script(c.script);
    std::atomic<int> finals{0};
    WriterOptions options = Quick();
    options.on_state = [&](const WriterState& state) { finals += state.final; };
    const auto writer = OpenWriter(server.connection(), options);
    (void)AddNumbers(*writer, 1, 0, 10);
    EXPECT_EQ(writer->Flush(kPatience).code(), c.code) << c.what;
    EXPECT_EQ(AddNumbers(*writer, 1, 0, 1).code(), c.code) << c.what;
    EXPECT_EQ(writer->Close(kPatience).code(), c.code) << c.what;
    EXPECT_EQ(writer->status().code(), c.code) << c.what;
    EXPECT_TRUE(Eventually([&] { return finals == 1; })) << c.what;
    EXPECT_EQ(server.streams(), 1) << c.what;
  }
}

TEST(Writer, AnotherProcessWithItsNameIsNoticed) {
  FakeServer server;
  server.Script({.frames = 1});
  server.Script({.first_ack = 77});
  const auto writer = OpenWriter(server.connection(), Quick());
  ASSERT_TRUE(AddNumbers(*writer, 1, 0, 1).ok());
  ASSERT_TRUE(Eventually([&] { return !writer->status().ok(); }));
  EXPECT_EQ(writer->status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(writer->status().message()), testing::HasSubstr("another writer"));
}

TEST(Writer, FlushGivesUpAtItsDeadlineAndLosesNothing) {
  FakeServer server;
  server.Script({.reads = false});
  const auto writer = OpenWriter(server.connection(), Quick());
  ASSERT_TRUE(AddNumbers(*writer, 1, 0, 10).ok());
  EXPECT_EQ(writer->Flush(absl::Milliseconds(20)).code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(writer->Close(absl::Milliseconds(20)).code(), absl::StatusCode::kDeadlineExceeded);
  server.Release();
  ASSERT_TRUE(writer->Close(kPatience).ok());
  EXPECT_EQ(AddNumbers(*writer, 1, 10, 11).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(writer->Close(kPatience).ok());
  ExpectNumbers(server, 1, 10);
}

TEST(Writer, ALinkThatAcknowledgesNothingIsTakenForDead) {
  FakeServer server;
  server.Script({.reads = false});
  WriterOptions options = Quick();
  options.ack_timeout = absl::Milliseconds(50);
  const auto writer = OpenWriter(server.connection(), options);
  ASSERT_TRUE(AddNumbers(*writer, 1, 0, 10).ok());
  ASSERT_TRUE(writer->Flush(kPatience).ok());
  EXPECT_GE(server.streams(), 2);
  ExpectNumbers(server, 1, 10);
}

TEST(Writer, ManyThreadsMayAdd) {
  FakeServer server;
  const auto writer = OpenWriter(server.connection(), Quick());
  std::vector<std::thread> threads;
  for (TagId tag = 1; tag <= 4; ++tag) {
    threads.emplace_back([&, tag] { EXPECT_TRUE(AddNumbers(*writer, tag, 0, 2000).ok()); });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(writer->Flush(kPatience).ok());
  for (TagId tag = 1; tag <= 4; ++tag) ExpectNumbers(server, tag, 2000);
}

TEST(Writer, MayBeDestroyedInAnyState) {
  FakeServer server;
  for (int i = 0; i < 20; ++i) {
    if (i % 4 == 1) server.Script({.frames = 1, .acknowledge_frames = 0});
    if (i % 4 == 2) server.Script({.refuse = grpc::Status(grpc::StatusCode::UNAVAILABLE, "no")});
    const auto writer = OpenWriter(server.connection(), Quick());
    ASSERT_TRUE(AddNumbers(*writer, 1, 0, i * 50).ok());
    if (i % 2 == 0) (void)writer->Flush(absl::Milliseconds(i));
  }
  auto connection = server.connection();
  server.Kill();
  const auto writer = OpenWriter(connection, Quick());
  ASSERT_TRUE(AddNumbers(*writer, 1, 0, 10).ok());
}

TEST(Writer, MayBeDestroyedWhileALossIsBeingTold) {
  FakeServer server;
  server.Script({.refuse = grpc::Status(grpc::StatusCode::UNAVAILABLE, "no")});
  absl::Notification telling;
  absl::Notification never;
  WriterOptions options = Quick();
  options.on_state = [&](const WriterState&) {
    if (telling.HasBeenNotified()) return;
    telling.Notify();
    // Leaves the destructor, which waits for this callback, the time to cancel the stream.
    never.WaitForNotificationWithTimeout(absl::Milliseconds(100));
  };
  auto writer = OpenWriter(server.connection(), options);
  ASSERT_TRUE(AddNumbers(*writer, 1, 0, 10).ok());
  telling.WaitForNotification();
  writer.reset();
}

// The writer has the last share of its channel, and gRPC's threads end with the last channel.
TEST(Writer, MayOutliveEverythingElse) {
  for (int i = 0; i < 20; ++i) {
    auto server = std::make_unique<FakeServer>();
    if (i % 2 == 1) server->Script({.frames = 1, .acknowledge_frames = 0});
    auto writer = OpenWriter(server->connection(), Quick());
    ASSERT_TRUE(AddNumbers(*writer, 1, 0, 10).ok());
    if (i % 4 == 0) {
      ASSERT_TRUE(writer->Flush(kPatience).ok());
    }
    server.reset();
    writer.reset();
  }
}

// What a sample costs the thread that adds it, in columns of 64 as a collector has them. Printed, not judged.
TEST(Writer, CostOfColumns) {
  FakeServer server;
  server.Discard();
  WriterOptions options = Quick();
  options.frame_bytes = 128 * 1024;
  options.flush_interval = absl::Seconds(10);
  const auto writer = OpenWriter(server.connection(), options);
  Samples column;
  for (int i = 0; i < 64; ++i) {
    column.Add(kNow + i * kNanosPerSecond + (i * 37 % 11) * 1'000'000, BitsOfFloat64(i * 0.1));
  }
  const auto thread_nanos = [] {
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
  };
  constexpr int kColumns = 50'000;
  const double begin = thread_nanos();
  for (int i = 0; i < kColumns; ++i) {
    for (Timestamp& t : column.times) t += 64 * kNanosPerSecond;
    ASSERT_TRUE(writer->AddColumn(static_cast<TagId>(1 + i % 1000), ValueType::kFloat64, column.View()).ok());
  }
  std::printf("%.1f ns/sample in columns of 64\n", (thread_nanos() - begin) / (kColumns * 64.0));
  ASSERT_TRUE(writer->Close(kPatience).ok());
  EXPECT_EQ(writer->counters().samples_acknowledged, kColumns * 64u);
}

}  // namespace
}  // namespace historian::client
