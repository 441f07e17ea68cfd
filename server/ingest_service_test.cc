#include "server/ingest_service.h"

#include <atomic>
#include <chrono>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/test_server.h"
#include "storage/kv/faulty_store.h"
#include "storage/platform/monotonic.h"

namespace historian::server {
namespace {

using ::testing::HasSubstr;

v1::WriteRequest RequestOf(const std::string& producer, uint64_t sequence) {
  v1::WriteRequest request;
  request.set_producer(producer);
  request.mutable_frame()->set_sequence(sequence);
  return request;
}

// ---- What is wrong with a frame

void AddQualityRun(uint32_t first, uint32_t count, uint32_t quality, v1::Column* column) {
  column->mutable_qualities()->add_first(first);
  column->mutable_qualities()->add_count(count);
  column->mutable_qualities()->add_quality(quality);
}

struct BadFrame {
  const char* what;
  v1::RejectionReason reason;
  uint64_t stored;
  uint64_t rejected;
  const char* message;
  void (*make)(uint32_t tag, v1::Frame* frame);
};

class RejectionTest : public ::testing::TestWithParam<BadFrame> {};

TEST_P(RejectionTest, IsToldAndTheRestIsStored) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  v1::Frame frame;
  GetParam().make(tag, &frame);
  const v1::WriteAck ack = server.WriteFrame(frame);
  EXPECT_EQ(ack.acknowledged(), 1u);
  EXPECT_EQ(ack.samples_stored(), GetParam().stored);
  EXPECT_EQ(ack.samples_rejected(), GetParam().rejected);
  ASSERT_GE(ack.rejections_size(), 1);
  EXPECT_EQ(ack.rejections(0).reason(), GetParam().reason) << ack.ShortDebugString();
  EXPECT_EQ(ack.rejections(0).sequence(), 1u);
  EXPECT_THAT(ack.rejections(0).message(), HasSubstr(GetParam().message));
}

const BadFrame kBadFrames[] = {
    {"UnknownTag", v1::REJECTION_REASON_UNKNOWN_TAG, 0, 2, "999",
     [](uint32_t, v1::Frame* frame) {
       AddColumn(999, {{kNow, 1}, {kNow + 1, 2}}, frame);
     }},
    {"WrongType", v1::REJECTION_REASON_WRONG_TYPE, 0, 1, "int64",
     [](uint32_t tag, v1::Frame* frame) {
       v1::Column* column = frame->add_columns();
       column->set_tag_id(tag);
       column->mutable_times()->mutable_regular()->set_first(kNow);
       column->mutable_values()->mutable_int64()->add_values(7);
     }},
    {"TimeBefore1900", v1::REJECTION_REASON_TIME_OUT_OF_RANGE, 1, 1, "",
     [](uint32_t tag, v1::Frame* frame) {
       AddColumn(tag, {{kTimestampMin - 1, 1}, {kNow, 2}}, frame);
     }},
    {"TimeBeyondTheFutureLimit", v1::REJECTION_REASON_TIME_OUT_OF_RANGE, 1, 1, "",
     [](uint32_t tag, v1::Frame* frame) {
       AddColumn(tag, {{kNow, 2}, {kNow + 3601 * kSecond, 1}}, frame);
     }},
    {"OffsetsThatOverflow", v1::REJECTION_REASON_TIME_OUT_OF_RANGE, 1, 1, "",
     [](uint32_t tag, v1::Frame* frame) {
       v1::Column* column = frame->add_columns();
       column->set_tag_id(tag);
       auto* offsets = column->mutable_times()->mutable_offsets();
       offsets->set_first(kNow);
       offsets->set_unit_ns(std::numeric_limits<uint64_t>::max());
       offsets->add_offsets(0);
       offsets->add_offsets(3);
       column->mutable_values()->mutable_float64()->add_values(1);
       column->mutable_values()->mutable_float64()->add_values(2);
     }},
    {"UnknownQuality", v1::REJECTION_REASON_UNKNOWN_QUALITY, 1, 1, "",
     [](uint32_t tag, v1::Frame* frame) {
       AddColumn(tag, {{kNow, 1}, {kNow + 1, 2}}, frame);
       AddQualityRun(1, 1, 0xC0000000, frame->mutable_columns(0));
     }},
    {"FewerValuesThanTimes", v1::REJECTION_REASON_LENGTH_MISMATCH, 1, 2,
     "column 0 of tag 1: 2 times and 1 values",
     [](uint32_t tag, v1::Frame* frame) {
       AddColumn(tag, {{kNow, 1}, {kNow + 1, 2}}, frame);
       frame->mutable_columns(0)->mutable_values()->mutable_float64()->mutable_values()->RemoveLast();
       AddColumn(tag, {{kNow, 1}}, frame);
     }},
    {"NoValues", v1::REJECTION_REASON_LENGTH_MISMATCH, 0, 2, "2 times and 0 values (no kind set)",
     [](uint32_t tag, v1::Frame* frame) {
       AddColumn(tag, {{kNow, 1}, {kNow + 1, 2}}, frame);
       frame->mutable_columns(0)->clear_values();
     }},
    {"NoTimes", v1::REJECTION_REASON_LENGTH_MISMATCH, 0, 1, "0 times (no form set) and 1 values",
     [](uint32_t tag, v1::Frame* frame) {
       AddColumn(tag, {{kNow, 1}}, frame);
       frame->mutable_columns(0)->clear_times();
     }},
    {"QualityRunBehindTheEnd", v1::REJECTION_REASON_LENGTH_MISMATCH, 0, 1,
     "quality run covers samples 0 to 2 of 1",
     [](uint32_t tag, v1::Frame* frame) {
       AddColumn(tag, {{kNow, 1}}, frame);
       AddQualityRun(0, 2, 0, frame->mutable_columns(0));
     }},
    {"QualityRunsOfUnequalLengths", v1::REJECTION_REASON_LENGTH_MISMATCH, 0, 1,
     "1 begins, 2 counts and 1 qualities",
     [](uint32_t tag, v1::Frame* frame) {
       AddColumn(tag, {{kNow, 1}}, frame);
       AddQualityRun(0, 1, 0, frame->mutable_columns(0));
       frame->mutable_columns(0)->mutable_qualities()->add_count(1);
     }},
    {"QualityRunsThatOverlap", v1::REJECTION_REASON_LENGTH_MISMATCH, 0, 2, "overlaps",
     [](uint32_t tag, v1::Frame* frame) {
       AddColumn(tag, {{kNow, 1}, {kNow + 1, 1}}, frame);
       AddQualityRun(0, 2, 0, frame->mutable_columns(0));
       AddQualityRun(0, 1, 0, frame->mutable_columns(0));
     }},
    {"OffsetsWithoutUnit", v1::REJECTION_REASON_LENGTH_MISMATCH, 0, 1, "units of 0 ns",
     [](uint32_t tag, v1::Frame* frame) {
       AddColumn(tag, {{kNow, 1}}, frame);
       frame->mutable_columns(0)->mutable_times()->mutable_offsets()->add_offsets(0);
     }},
    {"RegularWithoutStep", v1::REJECTION_REASON_LENGTH_MISMATCH, 0, 2, "step of 0 ns",
     [](uint32_t tag, v1::Frame* frame) {
       AddColumn(tag, {{kNow, 1}, {kNow + 1, 1}}, frame);
       frame->mutable_columns(0)->mutable_times()->mutable_regular()->set_first(kNow);
     }},
    {"UnsortedTimes", v1::REJECTION_REASON_TIME_NOT_ASCENDING, 2, 1, "",
     [](uint32_t tag, v1::Frame* frame) {
       AddColumn(tag, {{kNow, 1}, {kNow - 5, 2}, {kNow + 1, 3}}, frame);
     }},
    {"DuplicateTimes", v1::REJECTION_REASON_TIME_NOT_ASCENDING, 1, 1, "",
     [](uint32_t tag, v1::Frame* frame) {
       AddColumn(tag, {{kNow, 1}, {kNow, 2}}, frame);
     }},
    {"SnapshotOfFewerValuesThanTags", v1::REJECTION_REASON_LENGTH_MISMATCH, 0, 2, "2 tags and 1 values",
     [](uint32_t tag, v1::Frame* frame) {
       v1::Snapshot* snapshot = frame->add_snapshots();
       snapshot->set_time(kNow);
       snapshot->add_tag_ids(tag);
       snapshot->add_tag_ids(tag + 1);
       snapshot->mutable_values()->mutable_float64()->add_values(1);
     }},
};

INSTANTIATE_TEST_SUITE_P(All, RejectionTest, ::testing::ValuesIn(kBadFrames),
                         [](const auto& info) { return info.param.what; });

TEST(IngestServiceTest, RetiredTagTakesNoSamples) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  v1::RetireTagsRequest retire;
  retire.add_keys()->set_id(tag);
  v1::TagsResponse retired;
  grpc::ClientContext context;
  ASSERT_TRUE(server.tags().RetireTags(&context, retire, &retired).ok());
  v1::Frame frame;
  AddColumn(tag, {{kNow, 1}}, &frame);
  const v1::WriteAck ack = server.WriteFrame(frame);
  ASSERT_EQ(ack.rejections_size(), 1);
  EXPECT_EQ(ack.rejections(0).reason(), v1::REJECTION_REASON_RETIRED_TAG);
}

TEST(IngestServiceTest, StringAboveItsLimitIsRejected) {
  TestServer server;
  const uint32_t tag = server.Create("plant/batch", v1::VALUE_TYPE_STRING);
  v1::Frame frame;
  v1::Column* column = frame.add_columns();
  column->set_tag_id(tag);
  column->mutable_times()->mutable_regular()->set_first(kNow);
  column->mutable_values()->mutable_string()->add_values(std::string(kStringBytesMax + 1, 'x'));
  const v1::WriteAck ack = server.WriteFrame(frame);
  ASSERT_EQ(ack.rejections_size(), 1);
  EXPECT_EQ(ack.rejections(0).reason(), v1::REJECTION_REASON_VALUE_TOO_LARGE);
}

// ---- Streams

TEST(IngestServiceTest, FirstAckSaysWhereTheProducerStands) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  for (const uint64_t known : {0u, 5u}) {
    grpc::ClientContext context;
    auto stream = server.ingest().Write(&context);
    v1::WriteRequest hello;
    hello.set_producer("gateway");
    ASSERT_TRUE(stream->Write(hello));
    v1::WriteAck ack;
    ASSERT_TRUE(stream->Read(&ack));
    EXPECT_EQ(ack.acknowledged(), known);
    v1::WriteRequest request = RequestOf("", 5);
    AddColumn(tag, {{kNow, 1}}, request.mutable_frame());
    ASSERT_TRUE(stream->Write(request));
    ASSERT_TRUE(stream->Read(&ack));
    EXPECT_EQ(ack.acknowledged(), 5u);
    EXPECT_EQ(ack.samples_stored(), known == 0 ? 1u : 0u);
    EXPECT_EQ(ack.frames_repeated(), known == 0 ? 0u : 1u);
    stream->WritesDone();
    EXPECT_FALSE(stream->Read(&ack));
    EXPECT_TRUE(stream->Finish().ok());
  }
  v1::GetProducerRequest ask;
  ask.set_producer("gateway");
  v1::GetProducerResponse answer;
  grpc::ClientContext context;
  ASSERT_TRUE(server.ingest().GetProducer(&context, ask, &answer).ok());
  EXPECT_EQ(answer.acknowledged(), 5u);
}

TEST(IngestServiceTest, HalfCloseAcknowledgesEverythingThenEndsWithOk) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  grpc::ClientContext context;
  auto stream = server.ingest().Write(&context);
  constexpr int kFrames = 500;
  for (int i = 1; i <= kFrames; ++i) {
    v1::WriteRequest request = RequestOf(i == 1 ? "gateway" : "", i);
    AddColumn(tag, {{kNow - kFrames + i, i}}, request.mutable_frame());
    ASSERT_TRUE(stream->Write(request));
  }
  stream->WritesDone();
  v1::WriteAck ack;
  uint64_t stored = 0, acknowledged = 0;
  while (stream->Read(&ack)) {
    EXPECT_GE(ack.acknowledged(), acknowledged);
    acknowledged = ack.acknowledged();
    stored += ack.samples_stored();
  }
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(acknowledged, kFrames);
  EXPECT_EQ(stored, kFrames);
}

struct BadStream {
  const char* what;
  grpc::StatusCode code;
  const char* message;
  std::vector<v1::WriteRequest> requests;
};

TEST(IngestServiceTest, StreamsAgainstTheContractEndWithItsCode) {
  const std::vector<BadStream> table = {
      {"no producer", grpc::StatusCode::INVALID_ARGUMENT, "names no producer", {RequestOf("", 1)}},
      {"long name",
       grpc::StatusCode::INVALID_ARGUMENT,
       "the limit is 128",
       {RequestOf(std::string(129, 'p'), 1)}},
      {"no sequence", grpc::StatusCode::INVALID_ARGUMENT, "count from 1", {RequestOf("p", 0)}},
      {"not rising",
       grpc::StatusCode::INVALID_ARGUMENT,
       "frame 7 after frame 7",
       {RequestOf("p", 7), RequestOf("", 7)}},
      {"other producer",
       grpc::StatusCode::INVALID_ARGUMENT,
       "cannot become",
       {RequestOf("p", 8), RequestOf("q", 9)}},
  };
  TestServer server;
  for (const BadStream& row : table) {
    grpc::ClientContext context;
    auto stream = server.ingest().Write(&context);
    for (const v1::WriteRequest& request : row.requests) stream->Write(request);
    v1::WriteAck ack;
    while (stream->Read(&ack)) {
    }
    const grpc::Status status = stream->Finish();
    EXPECT_EQ(status.error_code(), row.code) << row.what << ": " << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(row.message)) << row.what;
  }
}

TEST(IngestServiceTest, BytesThatAreNoMessageAreInvalidArgument) {
  TestServer server;
  for (const char* method : {"/historian.v1.Ingest/Write", "/historian.v1.Ingest/WriteOnce"}) {
    const grpc::Status status = CallWithBytes(server.NewChannel(), method, "\xFF\xFF no message");
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << method;
    EXPECT_THAT(status.error_message(), HasSubstr("are not a historian.v1.Write")) << method;
  }
}

TEST(IngestServiceTest, FrameAboveTheLimitNamesIt) {
  Config config;
  config.limits.message_bytes = 64 * 1024;
  TestServer server(config);
  const uint32_t tag = server.Create("plant/flow");
  v1::WriteRequest request = RequestOf("gateway", 1);
  std::vector<std::pair<Timestamp, double>> samples;
  for (int i = 0; i < 5000; ++i) samples.push_back({kNow - 5000 + i, i});
  AddColumn(tag, samples, request.mutable_frame());
  grpc::ClientContext context;
  auto stream = server.ingest().Write(&context);
  stream->Write(request);
  v1::WriteAck ack;
  EXPECT_FALSE(stream->Read(&ack));
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("the limit is 65536 (limits.message_bytes)"));
}

TEST(IngestServiceTest, NewerStreamOfAProducerWins) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  grpc::ClientContext first_context, second_context;
  auto first = server.ingest().Write(&first_context);
  ASSERT_TRUE(first->Write(RequestOf("gateway", 1)));
  v1::WriteAck ack;
  ASSERT_TRUE(first->Read(&ack));

  auto second = server.ingest().Write(&second_context);
  v1::WriteRequest request = RequestOf("gateway", 2);
  AddColumn(tag, {{kNow, 1}}, request.mutable_frame());
  ASSERT_TRUE(second->Write(request));
  while (first->Read(&ack)) {
  }
  const grpc::Status status = first->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_THAT(status.error_message(), HasSubstr("another stream of producer 'gateway'"));
  second->WritesDone();
  uint64_t acknowledged = 0;
  while (second->Read(&ack)) acknowledged = ack.acknowledged();
  EXPECT_TRUE(second->Finish().ok());
  EXPECT_EQ(acknowledged, 2u);
}

TEST(IngestServiceTest, StreamsAboveTheLimitAreRefused) {
  Config config;
  config.limits.write_streams = 1;
  TestServer server(config);
  grpc::ClientContext first_context, second_context;
  auto first = server.ingest().Write(&first_context);
  v1::WriteAck ack;
  ASSERT_TRUE(first->Write(RequestOf("one", 1)));
  ASSERT_TRUE(first->Read(&ack));
  auto second = server.ingest().Write(&second_context);
  second->Write(RequestOf("two", 1));
  EXPECT_FALSE(second->Read(&ack));
  const grpc::Status status = second->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("limits.write_streams"));
  first->WritesDone();
  while (first->Read(&ack)) {
  }
  EXPECT_TRUE(first->Finish().ok());
}

TEST(IngestServiceTest, StreamThatNamesNoProducerIsEnded) {
  Config config;
  config.limits.naming_time = absl::Milliseconds(200);
  config.limits.reader_idle = absl::Milliseconds(400);  // How often streams are looked at goes by it.
  TestServer server(config);
  grpc::ClientContext context;
  auto silent = server.ingest().Write(&context);
  v1::WriteAck ack;
  EXPECT_FALSE(silent->Read(&ack));
  const grpc::Status status = silent->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_THAT(status.error_message(), HasSubstr("named no producer within 200ms"));
  // It is counted once gRPC is done with it, which may be after its client has heard.
  const char kCounted[] = "historian_write_streams_ended_total{peer=\"ipv4:127.0.0.1\",reason=\"unnamed\"} 1";
  for (int i = 0; i < 1000 && !absl::StrContains(server.Metrics(), kCounted); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_TRUE(absl::StrContains(server.Metrics(), kCounted));
  EXPECT_THAT(server.LogText(), HasSubstr("write_stream_ended reason=unnamed"));
}

TEST(IngestServiceTest, StreamThatNamedItsProducerMayBeSilentForLonger) {
  Config config;
  config.limits.naming_time = absl::Milliseconds(50);
  config.limits.reader_idle = absl::Milliseconds(200);
  TestServer server(config);
  grpc::ClientContext context;
  auto stream = server.ingest().Write(&context);
  v1::WriteRequest name;
  name.set_producer("rare");
  ASSERT_TRUE(stream->Write(name));
  v1::WriteAck ack;
  ASSERT_TRUE(stream->Read(&ack));
  // Until one that named nothing, and was opened later, has ended.
  grpc::ClientContext silent_context;
  auto silent = server.ingest().Write(&silent_context);
  EXPECT_FALSE(silent->Read(&ack));
  EXPECT_FALSE(silent->Finish().ok());
  ASSERT_TRUE(stream->Write(RequestOf("rare", 1)));
  ASSERT_TRUE(stream->Read(&ack));
  EXPECT_EQ(ack.acknowledged(), 1u);
  stream->WritesDone();
  while (stream->Read(&ack)) {
  }
  EXPECT_TRUE(stream->Finish().ok());
}

TEST(IngestServiceTest, SilentStreamsGiveWay) {
  Config config;
  config.limits.write_streams = 4;
  config.limits.naming_time = absl::Hours(1);
  TestServer server(config);
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<WriteClient>> silent;
  for (int i = 0; i < 10; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    silent.push_back(server.ingest().Write(contexts.back().get()));
  }
  // The first ones gave way to the last.
  v1::WriteAck ack;
  EXPECT_FALSE(silent[0]->Read(&ack));
  const grpc::Status status = silent[0]->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("named no producer"));
  // A writer that speaks is served at once.
  grpc::ClientContext context;
  auto stream = server.ingest().Write(&context);
  ASSERT_TRUE(stream->Write(RequestOf("speaks", 1)));
  ASSERT_TRUE(stream->Read(&ack));
  stream->WritesDone();
  while (stream->Read(&ack)) {
  }
  EXPECT_TRUE(stream->Finish().ok());
  for (size_t i = 1; i < silent.size(); ++i) {
    contexts[i]->TryCancel();
    while (silent[i]->Read(&ack)) {
    }
    EXPECT_FALSE(silent[i]->Finish().ok());
  }
}

TEST(IngestServiceTest, OneClientDoesNotTakeAllStreams) {
  Config config;
  config.limits.write_streams = 4;
  config.limits.write_streams_per_peer = 2;
  TestServer server(config);
  auto greedy = v1::Ingest::NewStub(server.NewChannelFrom("127.0.0.2"));
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<WriteClient>> streams;
  v1::WriteAck ack;
  for (int i = 0; i < 3; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    streams.push_back(greedy->Write(contexts.back().get()));
    streams.back()->Write(RequestOf(absl::StrCat("greedy ", i), 1));
    EXPECT_EQ(streams.back()->Read(&ack), i < 2);
  }
  const grpc::Status status = streams[2]->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("limits.write_streams_per_peer"));
  EXPECT_THAT(server.Metrics(),
              HasSubstr("historian_refusals_total{limit=\"limits.write_streams_per_peer\"} 1"));
  EXPECT_THAT(server.LogText(), HasSubstr("write_stream_refused peer=ipv4:127.0.0.2:"));
  // Others are served.
  grpc::ClientContext context;
  auto other = server.ingest().Write(&context);
  ASSERT_TRUE(other->Write(RequestOf("other", 1)));
  EXPECT_TRUE(other->Read(&ack));
  // And so is the greedy one when it has closed one.
  streams[0]->WritesDone();
  while (streams[0]->Read(&ack)) {
  }
  EXPECT_TRUE(streams[0]->Finish().ok());
  bool served = false;
  for (int attempt = 0; attempt < 1000 && !served; ++attempt) {
    grpc::ClientContext again_context;
    auto again = greedy->Write(&again_context);
    again->Write(RequestOf("greedy again", 1));
    served = again->Read(&ack);
    again_context.TryCancel();
    while (again->Read(&ack)) {
    }
    again->Finish();
  }
  EXPECT_TRUE(served);
  for (auto& open : contexts) open->TryCancel();
  context.TryCancel();
  while (other->Read(&ack)) {
  }
  other->Finish();
  while (streams[1]->Read(&ack)) {
  }
  streams[1]->Finish();
}

TEST(IngestServiceTest, FencingAndEndsAreCountedAndLogged) {
  TestServer server;
  v1::WriteAck ack;
  grpc::ClientContext first_context, second_context;
  auto first = server.ingest().Write(&first_context);
  ASSERT_TRUE(first->Write(RequestOf("twice", 1)));
  ASSERT_TRUE(first->Read(&ack));
  auto second = server.ingest().Write(&second_context);
  ASSERT_TRUE(second->Write(RequestOf("twice", 2)));
  while (first->Read(&ack)) {
  }
  EXPECT_EQ(first->Finish().error_code(), grpc::StatusCode::ABORTED);
  second->WritesDone();
  while (second->Read(&ack)) {
  }
  EXPECT_TRUE(second->Finish().ok());
  // The client may see the end before the server counts it.
  std::string metrics;
  const MonotonicTime deadline = MonotonicTime::Now() + absl::Seconds(10);
  do {
    metrics = server.Metrics();
  } while ((!absl::StrContains(metrics, "reason=\"finished\"") ||
            !absl::StrContains(metrics, "reason=\"fenced\"")) &&
           MonotonicTime::Now() < deadline);
  for (const char* line :
       {"historian_producers_fenced_total 1\n",
        "historian_write_streams_ended_total{peer=\"ipv4:127.0.0.1\",reason=\"fenced\"} 1\n",
        "historian_write_streams_ended_total{peer=\"ipv4:127.0.0.1\",reason=\"finished\"} 1\n",
        "historian_calls_total{code=\"ABORTED\",method=\"Write\"} 1\n",
        "historian_calls_total{code=\"OK\",method=\"Write\"} 1\n"}) {
    EXPECT_THAT(metrics, HasSubstr(line));
  }
  EXPECT_THAT(server.LogText(), HasSubstr("producer_fenced producer=twice ended=ipv4:127.0.0.1:"));
}

TEST(IngestServiceTest, WriterThatNeverClosesIsToldThatTheServerStops) {
  TestServer server;
  grpc::ClientContext context;
  auto stream = server.ingest().Write(&context);
  ASSERT_TRUE(stream->Write(RequestOf("gateway", 1)));
  v1::WriteAck ack;
  ASSERT_TRUE(stream->Read(&ack));
  std::thread stop([&server] { server.Stop(); });
  while (stream->Read(&ack)) {
  }
  const grpc::Status status = stream->Finish();
  stop.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("stopping"));
}

// The acks of 20,000 frames, a rejection each, wait for a writer that does not read: they are summed up.
TEST(IngestServiceTest, WriterThatReadsNoAcksGetsThemSummedUp) {
  TestServer server;
  grpc::ClientContext context;
  auto stream = server.ingest().Write(&context);
  constexpr uint64_t kFrames = 20'000;
  for (uint64_t i = 1; i <= kFrames; ++i) {
    v1::WriteRequest request = RequestOf(i == 1 ? "gateway" : "", i);
    AddColumn(999, {{kNow, 1}}, request.mutable_frame());
    ASSERT_TRUE(stream->Write(request));
  }
  stream->WritesDone();
  v1::WriteAck ack;
  uint64_t acks = 0, rejected = 0, acknowledged = 0;
  while (stream->Read(&ack)) {
    ++acks;
    rejected += ack.samples_rejected();
    acknowledged = ack.acknowledged();
    EXPECT_LE(ack.rejections_size(), 1000);
  }
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(acknowledged, kFrames);
  EXPECT_EQ(rejected, kFrames);
  EXPECT_LT(acks, kFrames);
}

TEST(IngestServiceTest, WriteOnceIsExactlyOnceToo) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  v1::WriteOnceRequest request;
  request.set_producer("meter");
  for (uint64_t sequence = 1; sequence <= 4; ++sequence) {
    for (const bool repeated : {false, true}) {
      // The same number a second time: as after a lost answer, of the server or of the one before it.
      if (repeated && sequence % 2 == 0) server.Restart();
      *request.mutable_frame() = v1::Frame();
      request.mutable_frame()->set_sequence(sequence);
      AddColumn(tag, {{kNow + static_cast<int64_t>(sequence), 1}}, request.mutable_frame());
      v1::WriteAck ack;
      grpc::ClientContext context;
      const grpc::Status status = server.ingest().WriteOnce(&context, request, &ack);
      ASSERT_TRUE(status.ok()) << status.error_message();
      EXPECT_EQ(ack.acknowledged(), sequence);
      EXPECT_EQ(ack.samples_stored(), repeated ? 0u : 1u);
      EXPECT_EQ(ack.frames_repeated(), repeated ? 1u : 0u);
    }
  }
}

// Two writers with one name, both of which count from 1: the second is told, and nothing of it is taken for stored.
TEST(IngestServiceTest, AnotherFrameWithAStoredNumberIsNeverASilentOk) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  const auto write = [&](uint64_t sequence, double value, v1::WriteAck* ack) {
    v1::WriteOnceRequest request;
    request.set_producer("shared");
    request.mutable_frame()->set_sequence(sequence);
    AddColumn(tag, {{kNow, value}}, request.mutable_frame());
    grpc::ClientContext context;
    return server.ingest().WriteOnce(&context, request, ack);
  };
  v1::WriteAck ack;
  ASSERT_TRUE(write(1, 1, &ack).ok());
  ASSERT_TRUE(write(1, 1, &ack).ok());
  EXPECT_EQ(ack.frames_repeated(), 1u);
  const grpc::Status other = write(1, 2, &ack);
  EXPECT_EQ(other.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_THAT(other.error_message(), HasSubstr("another frame 1 is stored already"));
  ASSERT_TRUE(write(2, 2, &ack).ok()) << "the producer goes on";
  server.Restart();
  EXPECT_EQ(write(2, 3, &ack).error_code(), grpc::StatusCode::ALREADY_EXISTS);
  // On a stream, too.
  grpc::ClientContext context;
  const auto stream = server.ingest().Write(&context);
  v1::WriteRequest request = RequestOf("shared", 2);
  AddColumn(tag, {{kNow, 9}}, request.mutable_frame());
  ASSERT_TRUE(stream->Write(request));
  while (stream->Read(&ack)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::ALREADY_EXISTS);
}

TEST(IngestServiceTest, NobodyCanPutAProducerOutOfAction) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  const auto write = [&](uint64_t sequence) {
    v1::WriteOnceRequest request;
    request.set_producer("plantsim/1");
    request.mutable_frame()->set_sequence(sequence);
    if (sequence < 100) AddColumn(tag, {{kNow + static_cast<int64_t>(sequence), 1}}, request.mutable_frame());
    grpc::ClientContext context;
    v1::WriteAck ack;
    return server.ingest().WriteOnce(&context, request, &ack);
  };
  ASSERT_TRUE(write(7).ok());
  const grpc::Status refused = write(std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(refused.error_message(), HasSubstr("frame 18446744073709551615 is too far above frame 7"));
  EXPECT_THAT(refused.error_message(), HasSubstr("histctl producer reset"));
  EXPECT_TRUE(write(8).ok());
  // What is far, but may be, is undone by an administrator.
  EXPECT_TRUE(write(uint64_t{1} << 40).ok());
  v1::ListProducersResponse listed;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(server.admin().ListProducers(&context, v1::ListProducersRequest(), &listed).ok());
  }
  ASSERT_EQ(listed.producers_size(), 1);
  EXPECT_EQ(listed.producers(0).name(), "plantsim/1");
  EXPECT_EQ(listed.producers(0).sequence(), uint64_t{1} << 40);
  EXPECT_EQ(listed.producers(0).last_seen(), kNow);
  EXPECT_EQ(listed.producers(0).frames_stored(), 3u);
  EXPECT_FALSE(listed.producers(0).open_stream());
  v1::ResetProducerRequest reset;
  reset.set_name("plantsim/1");
  reset.set_author("ann");
  v1::ResetProducerResponse done;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(server.admin().ResetProducer(&context, reset, &done).ok());
  }
  EXPECT_EQ(done.sequence(), uint64_t{1} << 40);
  EXPECT_THAT(server.LogText(), HasSubstr("producer_reset"));
  EXPECT_TRUE(write(1).ok());
  reset.set_name("nobody");
  grpc::ClientContext context;
  EXPECT_EQ(server.admin().ResetProducer(&context, reset, &done).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST(IngestServiceTest, BeyondTheLimitOfProducersANewOneIsRefused) {
  Config config;
  config.limits.producers = 2;
  TestServer server(config);
  const auto write = [&](const std::string& name) {
    v1::WriteOnceRequest request;
    request.set_producer(name);
    request.mutable_frame()->set_sequence(1);
    grpc::ClientContext context;
    v1::WriteAck ack;
    return server.ingest().WriteOnce(&context, request, &ack);
  };
  EXPECT_TRUE(write("a").ok());
  EXPECT_TRUE(write("b").ok());
  const grpc::Status refused = write("c");
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(refused.error_message(), HasSubstr("limits.producers"));
  EXPECT_TRUE(write("a").ok()) << "those that are known go on";
}

TEST(IngestServiceTest, WriteOnceOfAProducerWithAStreamIsRefused) {
  TestServer server;
  grpc::ClientContext context, once_context;
  auto stream = server.ingest().Write(&context);
  ASSERT_TRUE(stream->Write(RequestOf("gateway", 1)));
  v1::WriteAck ack;
  ASSERT_TRUE(stream->Read(&ack));
  v1::WriteOnceRequest request;
  request.set_producer("gateway");
  request.mutable_frame()->set_sequence(2);
  const grpc::Status status = server.ingest().WriteOnce(&once_context, request, &ack);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("has an open write stream"));
  stream->WritesDone();
  while (stream->Read(&ack)) {
  }
  EXPECT_TRUE(stream->Finish().ok());
}

TEST(IngestServiceTest, FullDiskRefusesWritesUntilThereIsRoom) {
  auto faults = std::make_shared<kv::Faults>();
  TestServer server(Config(), [&faults](std::unique_ptr<kv::Store> store) {
    return kv::NewFaultyStore(std::move(store), faults);
  });
  const uint32_t tag = server.Create("plant/flow");
  faults->SetFull(true);
  grpc::ClientContext context;
  auto stream = server.ingest().Write(&context);
  v1::WriteRequest request = RequestOf("gateway", 1);
  AddColumn(tag, {{kNow, 1}}, request.mutable_frame());
  ASSERT_TRUE(stream->Write(request));
  v1::WriteAck ack;
  while (stream->Read(&ack)) EXPECT_EQ(ack.acknowledged(), 0u);
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("frame 1 of producer 'gateway'"));

  // The same frame, again and again, until there is room: stored once.
  v1::WriteOnceRequest once;
  once.set_producer("gateway");
  *once.mutable_frame() = request.frame();
  const auto write = [&] {
    grpc::ClientContext once_context;
    return server.ingest().WriteOnce(&once_context, once, &ack);
  };
  EXPECT_EQ(write().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  faults->SetFull(false);
  grpc::Status last = write();
  for (int i = 0; i < 2000 && !last.ok(); ++i) {
    EXPECT_EQ(last.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << last.error_message();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    last = write();
  }
  ASSERT_TRUE(last.ok()) << last.error_message();
  EXPECT_EQ(ack.acknowledged(), 1u);
  EXPECT_EQ(ack.samples_stored(), 1u);
}

// ---- Waiting: for the disk, for memory

// A server whose disk may be told to answer nothing.
class StalledDiskTest : public ::testing::Test {
 protected:
  static Config SmallConfig() {
    Config config;
    config.limits.memory_budget = uint64_t{64} << 20;  // Frames on their way have a sixteenth of it.
    config.limits.stream_in_flight_bytes = uint64_t{1} << 30;
    return config;
  }
  ~StalledDiskTest() override { faults_->HoldSyncs(false); }

  // 1.6 MB on its way.
  v1::WriteRequest LargeRequest(const std::string& producer, uint64_t sequence) {
    v1::WriteRequest request = RequestOf(producer, sequence);
    v1::Column* column = request.mutable_frame()->add_columns();
    column->set_tag_id(tag_);
    column->mutable_times()->mutable_regular()->set_first(kNow - static_cast<int64_t>(sequence) * kLarge);
    column->mutable_times()->mutable_regular()->set_step_ns(1);
    for (int i = 0; i < kLarge; ++i) column->mutable_values()->mutable_float64()->add_values(i);
    return request;
  }
  v1::WriteRequest SmallRequest(const std::string& producer, uint64_t sequence) {
    v1::WriteRequest request = RequestOf(producer, sequence);
    AddColumn(tag_, {{kNow, 1}}, request.mutable_frame());
    return request;
  }

  uint64_t InFlightBytes() { return server_.server().archive().Stats().memory.frames; }
  void AwaitInFlight(uint64_t bytes) {
    while (InFlightBytes() < bytes) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  // Brings frames on their way until none more is let in. The disk must be held.
  std::unique_ptr<WriteClient> FillMemory(grpc::ClientContext* context) {
    auto stream = server_.ingest().Write(context);
    for (uint64_t sequence = 1; InFlightBytes() < kFrameBytesMax; ++sequence) {
      const uint64_t before = InFlightBytes();
      EXPECT_TRUE(stream->Write(LargeRequest("filler", sequence)));
      AwaitInFlight(before + 1);
    }
    return stream;
  }
  // Reads acks until the stream ends. Returns the last acknowledged number.
  static uint64_t DrainAcks(WriteClient& stream) {
    v1::WriteAck ack;
    uint64_t acknowledged = 0;
    while (stream.Read(&ack)) acknowledged = ack.acknowledged();
    return acknowledged;
  }
  grpc::Status WriteOnce(const v1::WriteRequest& request, v1::WriteAck* ack) {
    v1::WriteOnceRequest once;
    once.set_producer(request.producer());
    *once.mutable_frame() = request.frame();
    grpc::ClientContext context;
    return server_.ingest().WriteOnce(&context, once, ack);
  }

  static constexpr int kLarge = 100'000;
  static constexpr uint64_t kFrameBytesMax = uint64_t{4} << 20;
  std::shared_ptr<kv::Faults> faults_ = std::make_shared<kv::Faults>();
  TestServer server_{SmallConfig(), [this](std::unique_ptr<kv::Store> store) {
                       return kv::NewFaultyStore(std::move(store), faults_);
                     }};
  const uint32_t tag_ = server_.Create("plant/flow");
};

TEST_F(StalledDiskTest, AProducerThatComesBackHoldsUpNoOther) {
  grpc::ClientContext first_context, again_context, other_context;
  faults_->HoldSyncs(true);
  auto first = server_.ingest().Write(&first_context);
  ASSERT_TRUE(first->Write(SmallRequest("gateway", 1)));
  AwaitInFlight(1);
  auto again = server_.ingest().Write(&again_context);
  ASSERT_TRUE(again->Write(SmallRequest("gateway", 1)));

  // Neither a stream nor a single frame of another producer waits for that. Their openings are done when the
  // first is acknowledged and the second is on its way.
  auto other = server_.ingest().Write(&other_context);
  ASSERT_TRUE(other->Write(RequestOf("other", 1)));
  v1::WriteAck ack;
  ASSERT_TRUE(other->Read(&ack));
  EXPECT_EQ(ack.acknowledged(), 0u);
  const uint64_t before = InFlightBytes();
  grpc::Status once;
  std::thread writer([&] {
    v1::WriteAck once_ack;
    once = WriteOnce(SmallRequest("meter", 1), &once_ack);
  });
  AwaitInFlight(before + 1);

  faults_->HoldSyncs(false);
  writer.join();
  EXPECT_TRUE(once.ok()) << once.error_message();
  DrainAcks(*first);
  EXPECT_EQ(first->Finish().error_code(), grpc::StatusCode::ABORTED);
  for (WriteClient* stream : {again.get(), other.get()}) {
    stream->WritesDone();
    EXPECT_EQ(DrainAcks(*stream), 1u);
    EXPECT_TRUE(stream->Finish().ok());
  }
}

TEST_F(StalledDiskTest, FramesOfOneProducerWrittenOnceWaitForItsOpeningTogether) {
  faults_->HoldSyncs(true);
  std::vector<std::thread> writers;
  std::atomic<int> repeated{0}, stored{0};
  for (int i = 0; i < 4; ++i) {
    writers.emplace_back([&] {
      v1::WriteAck ack;
      const grpc::Status status = WriteOnce(SmallRequest("meter", 7), &ack);
      EXPECT_TRUE(status.ok()) << status.error_message();
      (ack.frames_repeated() > 0 ? repeated : stored) += 1;
    });
  }
  AwaitInFlight(1);
  faults_->HoldSyncs(false);
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(stored, 1);
  EXPECT_EQ(repeated, 3);
}

TEST_F(StalledDiskTest, AStreamThatMeetsTheMemoryLimitGoesOnWhenThereIsRoom) {
  faults_->HoldSyncs(true);
  grpc::ClientContext filler_context, context;
  auto filler = FillMemory(&filler_context);
  auto stream = server_.ingest().Write(&context);
  constexpr uint64_t kFrames = 5;
  for (uint64_t sequence = 1; sequence <= kFrames; ++sequence) {
    ASSERT_TRUE(stream->Write(SmallRequest("gateway", sequence)));
  }
  v1::WriteAck ack;
  ASSERT_TRUE(stream->Read(&ack));  // It is open, and its first frame waits.
  // A single frame is told at once.
  const grpc::Status once = WriteOnce(SmallRequest("meter", 1), &ack);
  EXPECT_EQ(once.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(once.error_message(), HasSubstr("no memory for more samples"));
  EXPECT_THAT(once.error_message(), HasSubstr("the budget is 32 MiB"));

  faults_->HoldSyncs(false);
  filler->WritesDone();
  stream->WritesDone();
  EXPECT_EQ(DrainAcks(*stream), kFrames);
  EXPECT_TRUE(stream->Finish().ok());
  DrainAcks(*filler);
  EXPECT_TRUE(filler->Finish().ok());
  EXPECT_TRUE(WriteOnce(SmallRequest("meter", 1), &ack).ok());
  EXPECT_EQ(InFlightBytes(), 0u);
}

TEST_F(StalledDiskTest, AJournalThatCannotBeWrittenIsAPauseWhateverTheErrorIs) {
  uint64_t sequence = 0, failures = 0;
  for (const absl::Status& error :
       {absl::InternalError("EIO"), absl::DataLossError("EIO"),
        absl::FailedPreconditionError("cannot be repaired"), absl::UnavailableError("gone"),
        absl::ResourceExhaustedError("ENOSPC"), absl::UnknownError("?")}) {
    for (const uint64_t change : {1, 2}) {  // The append, or the sync behind it.
      SCOPED_TRACE(absl::StrCat(error.ToString(), ", change ", change));
      faults_->FailNth(change, error);
      v1::WriteAck ack;
      const v1::WriteRequest request = SmallRequest("meter", ++sequence);
      const grpc::Status failed = WriteOnce(request, &ack);
      EXPECT_EQ(failed.error_code(), absl::IsResourceExhausted(error) ? grpc::StatusCode::RESOURCE_EXHAUSTED
                                                                      : grpc::StatusCode::UNAVAILABLE)
          << failed.error_message();
      const ArchiveStats stats = server_.server().archive().Stats();
      EXPECT_EQ(stats.write_failures, ++failures);
      EXPECT_FALSE(stats.ingest.ok());
      // The writer repeats it, and gets on.
      grpc::Status status;
      while (!(status = WriteOnce(request, &ack)).ok()) {
        ASSERT_TRUE(status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                    status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED)
            << status.error_message();
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
      EXPECT_EQ(ack.acknowledged(), sequence);
      EXPECT_TRUE(server_.server().archive().Stats().ingest.ok());
    }
  }
  EXPECT_THAT(server_.LogText(), HasSubstr("writes_refused"));
}

TEST_F(StalledDiskTest, AStreamWhoseFrameWaitsEndsWhenTheServerStops) {
  faults_->HoldSyncs(true);
  grpc::ClientContext filler_context, context;
  auto filler = FillMemory(&filler_context);
  auto stream = server_.ingest().Write(&context);
  ASSERT_TRUE(stream->Write(SmallRequest("gateway", 1)));
  v1::WriteAck ack;
  ASSERT_TRUE(stream->Read(&ack));
  std::thread stopper([&] { server_.Stop(); });
  std::thread disk([&] { faults_->HoldSyncs(false); });
  DrainAcks(*stream);
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  DrainAcks(*filler);
  EXPECT_EQ(filler->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  disk.join();
  stopper.join();
}

TEST(IngestServiceTest, RejectionsAreLoggedOncePerProducerAndInterval) {
  TestServer server;
  v1::WriteOnceRequest request;
  request.set_producer("broken");
  for (uint64_t sequence = 1; sequence <= 50; ++sequence) {
    request.mutable_frame()->Clear();
    request.mutable_frame()->set_sequence(sequence);
    AddColumn(999, {{kNow, 1}}, request.mutable_frame());
    v1::WriteAck ack;
    grpc::ClientContext context;
    ASSERT_TRUE(server.ingest().WriteOnce(&context, request, &ack).ok());
  }
  const std::string log = server.LogText();
  const size_t first = log.find("samples_rejected");
  ASSERT_NE(first, std::string::npos) << log;
  EXPECT_THAT(log, HasSubstr("producer=broken"));
  EXPECT_EQ(log.find("samples_rejected", first + 1), std::string::npos);
}

}  // namespace
}  // namespace historian::server
