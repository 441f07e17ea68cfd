#include "server/query_service.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/test_server.h"
#include "storage/platform/monotonic.h"

namespace historian::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Pairs = std::vector<std::pair<Timestamp, double>>;

// What a raw read gave.
struct Raw {
  Pairs samples;
  int frames = 0;
  std::string continuation;
  uint64_t version = 0;
  grpc::Status status;
};

Raw ReadRaw(TestServer& server, const v1::ReadRawRequest& request) {
  Raw result;
  grpc::ClientContext context;
  auto stream = server.query().ReadRaw(&context, request);
  v1::RawFrame frame;
  while (stream->Read(&frame)) {
    ++result.frames;
    const auto& values = frame.samples().values().float64().values();
    const std::vector<Timestamp> times = TimesOf(frame.samples().times(), values.size());
    for (int i = 0; i < values.size(); ++i) result.samples.push_back({times[i], values[i]});
    result.continuation = frame.continuation();
    result.version = frame.version();
  }
  result.status = stream->Finish();
  return result;
}

v1::ReadRawRequest RawOf(uint32_t tag, Timestamp start, Timestamp end) {
  v1::ReadRawRequest request;
  request.set_tag_id(tag);
  request.set_start(start);
  request.set_end(end);
  return request;
}

grpc::Status ReadProcessed(TestServer& server, const v1::ReadProcessedRequest& request,
                           std::vector<v1::ProcessedSeries>* series) {
  grpc::ClientContext context;
  auto stream = server.query().ReadProcessed(&context, request);
  v1::ProcessedFrame frame;
  while (stream->Read(&frame)) {
    for (const auto& one : frame.series()) series->push_back(one);
  }
  return stream->Finish();
}

Pairs Ramp(int count, int64_t step) {
  Pairs samples;
  for (int i = 0; i < count; ++i) samples.push_back({kNow - int64_t{count} * step + i * step, i * 0.5});
  return samples;
}

// ---- ReadRaw

TEST(ReadRawTest, GivesWhatWasStoredInEitherDirectionAndInPieces) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  const uint64_t seed = 7;
  std::mt19937_64 random(seed);
  Pairs samples;
  Timestamp time = kNow - int64_t{40'000} * kSecond;
  for (int i = 0; i < 40'000; ++i) {
    time += 1 + static_cast<int64_t>(random() % (2 * kSecond));
    if (time > kNow) break;
    samples.push_back({time, static_cast<double>(random() % 1000)});
  }
  server.Store(tag, samples);
  for (const bool reverse : {false, true}) {
    Pairs expected = samples;
    if (reverse) std::reverse(expected.begin(), expected.end());
    v1::ReadRawRequest request = RawOf(tag, samples.front().first, samples.back().first + 1);
    request.set_reverse(reverse);
    const Raw all = ReadRaw(server, request);
    ASSERT_TRUE(all.status.ok()) << all.status.error_message();
    EXPECT_EQ(all.samples, expected);
    EXPECT_TRUE(all.continuation.empty());

    // In pieces, across a restart.
    Pairs pieces;
    int reads = 0;
    request.set_limit(7001);
    do {
      const Raw piece = ReadRaw(server, request);
      ASSERT_TRUE(piece.status.ok()) << piece.status.error_message();
      pieces.insert(pieces.end(), piece.samples.begin(), piece.samples.end());
      request.set_continuation(piece.continuation);
      if (++reads == 2) server.Restart();
    } while (!request.continuation().empty());
    EXPECT_EQ(pieces, expected) << "seed " << seed;
    EXPECT_EQ(reads, static_cast<int>((samples.size() + 7000) / 7001));
  }
}

TEST(ReadRawTest, LimitThatIsReachedAtTheEndLeavesNothingToGoOnWith) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  server.Store(tag, Ramp(10, kSecond));
  v1::ReadRawRequest request = RawOf(tag, kNow - 100 * kSecond, kNow);
  request.set_limit(10);
  const Raw ten = ReadRaw(server, request);
  EXPECT_THAT(ten.samples, SizeIs(10));
  EXPECT_TRUE(ten.continuation.empty());
  request.set_limit(9);
  EXPECT_FALSE(ReadRaw(server, request).continuation.empty());
}

TEST(ReadRawTest, BoundsAreTheNeighboursOutside) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  server.Store(tag, {{kNow - 30, 1}, {kNow - 20, 2}, {kNow - 10, 3}});
  v1::ReadRawRequest request = RawOf(tag, kNow - 25, kNow - 15);
  EXPECT_THAT(ReadRaw(server, request).samples, ElementsAre(std::pair<Timestamp, double>{kNow - 20, 2}));
  request.set_bounds(true);
  EXPECT_THAT(ReadRaw(server, request).samples, SizeIs(3));
  request.set_start(kNow - 20);
  request.set_end(kNow - 20);
  EXPECT_THAT(ReadRaw(server, request).samples, ElementsAre(std::pair<Timestamp, double>{kNow - 30, 1},
                                                            std::pair<Timestamp, double>{kNow - 20, 2}));
}

TEST(ReadRawTest, AnyNumbersMayStandForAllOfTime) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  server.Store(tag, Ramp(5, kSecond));
  const Raw raw =
      ReadRaw(server, RawOf(tag, std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()));
  EXPECT_THAT(raw.samples, SizeIs(5));
}

TEST(ReadRawTest, LongStringsComeInFramesThatFit) {
  TestServer server;
  const uint32_t tag = server.Create("plant/batch", v1::VALUE_TYPE_STRING);
  v1::Frame frame;
  v1::Column* column = frame.add_columns();
  column->set_tag_id(tag);
  column->mutable_times()->mutable_regular()->set_first(kNow - 100);
  column->mutable_times()->mutable_regular()->set_step_ns(1);
  for (int i = 0; i < 20; ++i)
    column->mutable_values()->mutable_string()->add_values(std::string(60'000, 'a' + i));
  ASSERT_EQ(server.WriteFrame(frame).samples_stored(), 20u);
  grpc::ClientContext context;
  auto stream = server.query().ReadRaw(&context, RawOf(tag, kNow - 100, kNow));
  v1::RawFrame read;
  int texts = 0;
  while (stream->Read(&read)) {
    EXPECT_LE(read.ByteSizeLong(), size_t{300 * 1024});
    for (const std::string& text : read.samples().values().string().values()) {
      EXPECT_EQ(text, std::string(60'000, 'a' + texts++));
    }
  }
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(texts, 20);
}

TEST(ReadRawTest, WrongRequestsAreToldWhatIsWrong) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  server.Store(tag, Ramp(10, kSecond));
  v1::ReadRawRequest limited = RawOf(tag, kNow - 100 * kSecond, kNow);
  limited.set_limit(3);
  const std::string continuation = ReadRaw(server, limited).continuation;
  v1::ReadRawRequest other = RawOf(tag, kNow - 99 * kSecond, kNow);
  other.set_continuation(continuation);
  v1::ReadRawRequest torn = limited;
  torn.set_continuation(continuation.substr(0, 7));
  v1::ReadRawRequest named = limited;
  named.set_tag_name("plant/none");
  v1::ReadRawRequest nothing = limited;
  nothing.clear_tag();
  const struct {
    v1::ReadRawRequest request;
    grpc::StatusCode code;
    const char* message;
  } kTable[] = {
      {RawOf(tag, kNow + 1, kNow), grpc::StatusCode::INVALID_ARGUMENT, "is after end"},
      {RawOf(99, kNow, kNow), grpc::StatusCode::NOT_FOUND, "no tag has the id 99"},
      {named, grpc::StatusCode::NOT_FOUND, "no tag has the name 'plant/none'"},
      {nothing, grpc::StatusCode::INVALID_ARGUMENT, "names no tag"},
      {other, grpc::StatusCode::INVALID_ARGUMENT, "belongs to another request"},
      {torn, grpc::StatusCode::INVALID_ARGUMENT, "the continuation of 7 bytes"},
  };
  for (const auto& row : kTable) {
    const grpc::Status status = ReadRaw(server, row.request).status;
    EXPECT_EQ(status.error_code(), row.code) << row.message << ": " << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(row.message));
  }
  const grpc::Status status =
      CallWithBytes(server.NewChannel(), "/historian.v1.Query/ReadRaw", "\xFF\xFF\xFF");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

// A client that reads one frame of a large answer and then nothing for longer than limits.reader_idle.
TEST(ReadRawTest, ClientThatStopsReadingIsEndedAndToldSo) {
  Config config;
  config.limits.reader_idle = absl::Milliseconds(300);
  config.limits.queries = 1;
  TestServer server(config);
  const uint32_t tag = server.Create("plant/flow");
  for (int part = 0; part < 8; ++part) {
    Pairs samples;
    for (int i = 0; i < 200'000; ++i) {
      samples.push_back({kNow - 10'000'000'000'000 + (part * 200'000 + i) * 3'000'000LL + i % 7, i * 1.25});
    }
    server.Store(tag, samples);
  }
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);  // A window that stays small.
  auto stub = v1::Query::NewStub(server.NewChannel(arguments));
  grpc::ClientContext context;
  auto stream = stub->ReadRaw(&context, RawOf(tag, kTimestampMin, kTimestampMax));
  v1::RawFrame frame;
  ASSERT_TRUE(stream->Read(&frame));
  // The slot comes free without the client doing anything.
  const MonotonicTime give_up = MonotonicTime::Now() + absl::Seconds(10);
  v1::GetStatusResponse state;
  do {
    ASSERT_LT(MonotonicTime::Now(), give_up);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    grpc::ClientContext status_context;
    ASSERT_TRUE(server.admin().GetStatus(&status_context, {}, &state).ok());
  } while (state.queries_running() > 0);
  // What was on its way still comes, then the reason.
  int frames = 1;
  while (stream->Read(&frame)) ++frames;
  EXPECT_LT(frames, 1'600'000 / 16'384);
  const grpc::Status status = stream->Finish();
  EXPECT_TRUE(status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED ||
              status.error_code() == grpc::StatusCode::CANCELLED)
      << status.error_message();
  if (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) {
    EXPECT_THAT(status.error_message(), HasSubstr("limits.reader_idle"));
  }
}

// A tag with more samples than the buffers between server and client hold.
uint32_t CreateLargeTag(TestServer& server) {
  const uint32_t tag = server.Create("plant/flow");
  for (int part = 0; part < 8; ++part) {
    Pairs samples;
    for (int i = 0; i < 200'000; ++i) {
      samples.push_back({kNow - 10'000'000'000'000 + (part * 200'000 + i) * 3'000'000LL + i % 7, i * 1.25});
    }
    server.Store(tag, samples);
  }
  return tag;
}

// Reads of all of a tag whose client takes one frame each and then nothing.
class SlowReads {
 public:
  // From this address.
  SlowReads(TestServer& server, const std::string& address, uint32_t tag) : tag_(tag) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);  // A window that stays small.
    stub_ = v1::Query::NewStub(server.NewChannelFrom(address, arguments));
  }
  ~SlowReads() {
    v1::RawFrame frame;
    for (size_t i = 0; i < streams_.size(); ++i) {
      contexts_[i]->TryCancel();
      while (streams_[i]->Read(&frame)) {
      }
      streams_[i]->Finish();
    }
  }
  // OK: it has begun, and stays.
  grpc::Status Add() {
    auto context = std::make_unique<grpc::ClientContext>();
    auto stream = stub_->ReadRaw(context.get(), RawOf(tag_, kTimestampMin, kTimestampMax));
    v1::RawFrame frame;
    if (!stream->Read(&frame)) return stream->Finish();
    contexts_.push_back(std::move(context));
    streams_.push_back(std::move(stream));
    return grpc::Status::OK;
  }

 private:
  const uint32_t tag_;
  std::unique_ptr<v1::Query::Stub> stub_;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts_;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::RawFrame>>> streams_;
};

TEST(QueryPlacesTest, ShortCallsHavePlacesThatSlowReadersCannotTake) {
  Config config;
  config.limits.queries = 2;
  TestServer server(config);
  const uint32_t tag = CreateLargeTag(server);
  SlowReads readers(server, "127.0.0.1", tag);
  ASSERT_TRUE(readers.Add().ok());
  ASSERT_TRUE(readers.Add().ok());
  EXPECT_THAT(readers.Add().error_message(), HasSubstr("limits.queries"));
  {
    v1::ReadLatestRequest request;
    request.mutable_tags()->add_ids(tag);
    v1::ReadLatestResponse response;
    grpc::ClientContext context;
    const grpc::Status status = server.query().ReadLatest(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
  {
    v1::ReadAtTimesRequest request;
    request.mutable_tags()->add_ids(tag);
    request.add_times(kNow);
    v1::ReadAtTimesResponse response;
    grpc::ClientContext context;
    const grpc::Status status = server.query().ReadAtTimes(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
  v1::GetStatusResponse state;
  grpc::ClientContext status_context;
  EXPECT_TRUE(server.admin().GetStatus(&status_context, {}, &state).ok());
  EXPECT_EQ(state.queries_running(), 2u);
  v1::ListTagsRequest list;
  v1::ListTagsResponse tags;
  grpc::ClientContext list_context;
  EXPECT_TRUE(server.tags().ListTags(&list_context, list, &tags).ok());
}

TEST(QueryPlacesTest, OneClientDoesNotTakeAllPlaces) {
  Config config;
  config.limits.queries = 4;
  config.limits.queries_per_peer = 2;
  TestServer server(config);
  const uint32_t tag = CreateLargeTag(server);
  SlowReads greedy(server, "127.0.0.2", tag), modest(server, "127.0.0.3", tag);
  ASSERT_TRUE(greedy.Add().ok());
  ASSERT_TRUE(greedy.Add().ok());
  const grpc::Status status = greedy.Add();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("limits.queries_per_peer"));
  EXPECT_TRUE(modest.Add().ok());
  EXPECT_THAT(server.Metrics(), HasSubstr("historian_refusals_total{limit=\"limits.queries_per_peer\"} 1"));
}

TEST(ReadRawTest, CancelledReadFreesItsSlot) {
  Config config;
  config.limits.queries = 1;
  TestServer server(config);
  const uint32_t tag = server.Create("plant/flow");
  for (int part = 0; part < 4; ++part) {
    Pairs samples;
    for (int i = 0; i < 100'000; ++i) {
      samples.push_back({kNow - 10'000'000'000'000 + (part * 100'000 + i) * 3'000'000LL + i % 7, i * 1.25});
    }
    server.Store(tag, samples);
  }
  // The one before is ended when the server hears of it, which may be after the client went on.
  int reads = 0;
  for (int attempt = 0; attempt < 1000 && reads < 3; ++attempt) {
    grpc::ClientContext context;
    auto stream = server.query().ReadRaw(&context, RawOf(tag, kTimestampMin, kTimestampMax));
    v1::RawFrame frame;
    const bool read = stream->Read(&frame);
    if (read) context.TryCancel();
    while (stream->Read(&frame)) {
    }
    const grpc::Status status = stream->Finish();
    if (read) {
      ++reads;
    } else {
      EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << status.error_message();
      EXPECT_THAT(status.error_message(),
                  HasSubstr("1 queries are running: that is the limit (limits.queries)"));
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  EXPECT_EQ(reads, 3);
}

// ---- ReadLatest

TEST(ReadLatestTest, GroupsByTypeInTheOrderOfTheSelection) {
  TestServer server;
  const uint32_t a = server.Create("a"), b = server.Create("b"), none = server.Create("none");
  const uint32_t text = server.Create("text", v1::VALUE_TYPE_STRING);
  server.Store(a, {{kNow - 10, 1}, {kNow - 5, 2}});
  server.Store(b, {{kNow - 7, 3}}, 0x80000000);
  v1::Frame frame;
  v1::Column* column = frame.add_columns();
  column->set_tag_id(text);
  column->mutable_times()->mutable_regular()->set_first(kNow);
  column->mutable_values()->mutable_string()->add_values("batch 7");
  server.WriteFrame(frame);

  v1::ReadLatestRequest request;
  request.mutable_tags()->add_ids(b);
  request.mutable_tags()->add_ids(text);
  request.mutable_tags()->add_names("a");
  request.mutable_tags()->set_pattern("*");
  v1::ReadLatestResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(server.query().ReadLatest(&context, request, &response).ok());
  EXPECT_THAT(response.empty(), ElementsAre(none));
  ASSERT_EQ(response.samples_size(), 2);
  EXPECT_THAT(response.samples(0).tag_ids(), ElementsAre(b, a));
  EXPECT_THAT(response.samples(0).times(), ElementsAre(kNow - 7, kNow - 5));
  EXPECT_THAT(response.samples(0).values().float64().values(), ElementsAre(3, 2));
  EXPECT_THAT(response.samples(0).qualities().quality(), ElementsAre(0x80000000u));
  EXPECT_THAT(response.samples(0).qualities().count(), ElementsAre(1u));
  EXPECT_THAT(response.samples(1).tag_ids(), ElementsAre(text));
  EXPECT_THAT(response.samples(1).values().string().values(), ElementsAre("batch 7"));
}

TEST(ReadLatestTest, SaysHowOldSamplesAreAndWhichAreStale) {
  TestServer server;
  v1::CreateTagsRequest create;
  for (const auto& [name, stale_after_s] : std::vector<std::pair<const char*, uint32_t>>{
           {"fast", 10}, {"slow", 3600}, {"any", 0}, {"none", 10}}) {
    v1::Tag* const tag = create.add_tags();
    tag->set_name(name);
    tag->set_type(v1::VALUE_TYPE_FLOAT64);
    tag->set_stale_after_s(stale_after_s);
  }
  v1::TagsResponse created;
  grpc::ClientContext create_context;
  ASSERT_TRUE(server.tags().CreateTags(&create_context, create, &created).ok());
  for (const uint32_t tag : {1, 2, 3}) server.Store(tag, {{kNow - 60 * kSecond, 1}});
  const auto read = [&](uint64_t as_of = 0) {
    v1::ReadLatestRequest request;
    request.mutable_tags()->set_pattern("*");
    if (as_of != 0) request.mutable_as_of()->set_version(as_of);
    v1::ReadLatestResponse response;
    grpc::ClientContext context;
    const grpc::Status status = server.query().ReadLatest(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  };
  EXPECT_EQ(read().now(), kNow);
  EXPECT_THAT(read().stale(), ElementsAre(1));
  v1::MarkVersionResponse closed;
  grpc::ClientContext mark_context;
  ASSERT_TRUE(server.admin().MarkVersion(&mark_context, {}, &closed).ok());
  // Exactly as old as it may be.
  v1::UpdateTagsRequest update;
  update.add_updates()->mutable_key()->set_id(1);
  update.mutable_updates(0)->set_stale_after_s(60);
  v1::TagsResponse updated;
  grpc::ClientContext update_context;
  ASSERT_TRUE(server.tags().UpdateTags(&update_context, update, &updated).ok());
  EXPECT_EQ(updated.results(0).tag().stale_after_s(), 60u);
  EXPECT_THAT(read().stale(), IsEmpty());
  server.clock().Advance(2 * 3600 * kSecond);
  EXPECT_EQ(read().now(), kNow + 2 * 3600 * kSecond);
  EXPECT_THAT(read().stale(), ElementsAre(1, 2));
  // As of the version: as it was then, by the clock of then.
  const v1::ReadLatestResponse then = read(closed.version().version());
  EXPECT_EQ(then.now(), closed.version().time());
  EXPECT_THAT(then.stale(), ElementsAre(1));
  server.Restart();
  EXPECT_THAT(read().stale(), ElementsAre(1, 2));
}

TEST(ReadLatestTest, SelectionsThatCannotBeAreRefused) {
  Config config;
  config.limits.query_tags = 3;
  TestServer server(config);
  for (int i = 0; i < 4; ++i) server.Create(absl::StrCat("tag", i));
  v1::ReadLatestRequest unknown, many, matching;
  unknown.mutable_tags()->add_ids(1);
  unknown.mutable_tags()->add_ids(77);
  for (int i = 1; i <= 4; ++i) many.mutable_tags()->add_ids(i);
  matching.mutable_tags()->set_pattern("tag*");
  const struct {
    v1::ReadLatestRequest request;
    grpc::StatusCode code;
    const char* message;
  } kTable[] = {
      {unknown, grpc::StatusCode::NOT_FOUND, "no tag has the id 77"},
      {many, grpc::StatusCode::RESOURCE_EXHAUSTED,
       "more than 3 tags, which is the limit (limits.query_tags)"},
      {matching, grpc::StatusCode::RESOURCE_EXHAUSTED, "limits.query_tags"},
  };
  for (const auto& row : kTable) {
    v1::ReadLatestResponse response;
    grpc::ClientContext context;
    const grpc::Status status = server.query().ReadLatest(&context, row.request, &response);
    EXPECT_EQ(status.error_code(), row.code) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(row.message));
  }
  v1::ReadLatestRequest nothing;
  nothing.mutable_tags()->set_pattern("other*");
  v1::ReadLatestResponse response;
  grpc::ClientContext context;
  EXPECT_TRUE(server.query().ReadLatest(&context, nothing, &response).ok());
}

// ---- ReadAtTimes

TEST(ReadAtTimesTest, InterpolatesAsTheTagSaysOrAsAsked) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  server.Store(tag, {{kNow - 20, 1}, {kNow - 10, 2}});
  v1::ReadAtTimesRequest request;
  request.mutable_tags()->add_ids(tag);
  for (const Timestamp time : {kNow, kNow - 15, kNow - 30, kNow - 10}) request.add_times(time);
  v1::ReadAtTimesResponse response;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(server.query().ReadAtTimes(&context, request, &response).ok());
  }
  ASSERT_EQ(response.tags_size(), 1);
  EXPECT_THAT(response.tags(0).values().float64().values(), ElementsAre(2, 1.5, 0, 2));
  request.set_interpolation(v1::INTERPOLATION_STEPPED);
  {
    grpc::ClientContext context;
    ASSERT_TRUE(server.query().ReadAtTimes(&context, request, &response).ok());
  }
  EXPECT_THAT(response.tags(0).values().float64().values(), ElementsAre(2, 1, 0, 2));
}

TEST(ReadAtTimesTest, WrongRequestsAreToldWhatIsWrong) {
  Config config;
  config.limits.at_times = 5;
  TestServer server(config);
  const uint32_t tag = server.Create("plant/flow");
  v1::ReadAtTimesRequest many, outside, odd;
  for (auto* request : {&many, &outside, &odd}) request->mutable_tags()->add_ids(tag);
  for (int i = 0; i < 6; ++i) many.add_times(kNow);
  outside.add_times(std::numeric_limits<int64_t>::max());
  odd.set_interpolation(static_cast<v1::Interpolation>(9));
  const struct {
    v1::ReadAtTimesRequest request;
    grpc::StatusCode code;
    const char* message;
  } kTable[] = {
      {many, grpc::StatusCode::RESOURCE_EXHAUSTED,
       "6 values (1 tags x 6 times): the limit is 5 (limits.at_times)"},
      {outside, grpc::StatusCode::INVALID_ARGUMENT, "outside the times samples may have"},
      {odd, grpc::StatusCode::INVALID_ARGUMENT, "interpolation 9"},
  };
  for (const auto& row : kTable) {
    v1::ReadAtTimesResponse response;
    grpc::ClientContext context;
    const grpc::Status status = server.query().ReadAtTimes(&context, row.request, &response);
    EXPECT_EQ(status.error_code(), row.code) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(row.message));
  }
}

// ---- ReadProcessed

v1::ReadProcessedRequest ProcessedOf(std::vector<uint32_t> tags, Timestamp start, Timestamp end,
                                     uint64_t interval, std::vector<v1::Aggregate> aggregates) {
  v1::ReadProcessedRequest request;
  for (const uint32_t tag : tags) request.mutable_tags()->add_ids(tag);
  request.set_start(start);
  request.set_end(end);
  request.set_interval_ns(interval);
  for (const v1::Aggregate aggregate : aggregates) request.add_aggregates(aggregate);
  return request;
}

// Of 10 seconds at 1 Hz, values 1 to 10, in intervals of 4 seconds; the sample at 6 s is Bad.
TEST(ReadProcessedTest, EveryAggregateOfASmallExample) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  const Timestamp start = kNow - 100 * kSecond;
  for (int i = 0; i < 10; ++i) server.Store(tag, {{start + i * kSecond, i + 1.0}}, i == 6 ? 0x80000000 : 0);
  const struct {
    v1::Aggregate aggregate;
    std::vector<double> values;  // Of [0, 4), [4, 8), [8, 10).
  } kTable[] = {
      {v1::AGGREGATE_MINIMUM, {1, 5, 9}},
      {v1::AGGREGATE_MAXIMUM, {4, 8, 10}},
      {v1::AGGREGATE_SUM, {10, 19, 19}},
      {v1::AGGREGATE_AVERAGE, {2.5, 19.0 / 3, 9.5}},
      // The newest sample counts for a millisecond.
      {v1::AGGREGATE_TIME_AVERAGE2, {3, (5.5 + 6 + 8.5) / 3, (9.5 + 10 * 0.001) / 1.001}},
      {v1::AGGREGATE_STANDARD_DEVIATION_SAMPLE, {std::sqrt(5.0 / 3), std::sqrt(14.0 / 6), std::sqrt(0.5)}},
      {v1::AGGREGATE_STANDARD_DEVIATION_POPULATION, {std::sqrt(1.25), std::sqrt(14.0 / 9), 0.5}},
      {v1::AGGREGATE_START, {1, 5, 9}},
      {v1::AGGREGATE_END, {4, 8, 10}},
      {v1::AGGREGATE_RANGE, {3, 3, 1}},
      {v1::AGGREGATE_PERCENT_GOOD, {100, 75, 100}},
  };
  for (const auto& row : kTable) {
    std::vector<v1::ProcessedSeries> series;
    const grpc::Status status = ReadProcessed(
        server, ProcessedOf({tag}, start, start + 10 * kSecond, 4 * kSecond, {row.aggregate}), &series);
    ASSERT_TRUE(status.ok()) << status.error_message();
    ASSERT_EQ(series.size(), 1u);
    const auto& values = series[0].columns(0).floats().values();
    ASSERT_EQ(values.size(), 3) << v1::Aggregate_Name(row.aggregate);
    for (int i = 0; i < 3; ++i) {
      EXPECT_NEAR(values[i], row.values[i], 1e-12) << v1::Aggregate_Name(row.aggregate) << " " << i;
    }
  }
  const struct {
    v1::Aggregate aggregate;
    std::vector<int64_t> values;
  } kIntegers[] = {
      {v1::AGGREGATE_COUNT, {4, 3, 2}},
      {v1::AGGREGATE_SAMPLE_COUNT, {4, 4, 2}},
      {v1::AGGREGATE_WORST_QUALITY, {0, 0x80000000, 0}},
      {v1::AGGREGATE_NUMBER_OF_TRANSITIONS, {4, 3, 2}},
  };
  for (const auto& row : kIntegers) {
    std::vector<v1::ProcessedSeries> series;
    ASSERT_TRUE(ReadProcessed(server,
                              ProcessedOf({tag}, start, start + 10 * kSecond, 4 * kSecond, {row.aggregate}),
                              &series)
                    .ok());
    EXPECT_THAT(series[0].columns(0).integers().values(), ::testing::ElementsAreArray(row.values))
        << v1::Aggregate_Name(row.aggregate);
    EXPECT_EQ(series[0].columns(0).times_size(), 0);
  }
  const struct {
    v1::Aggregate aggregate;
    std::vector<int64_t> times;
  } kTimes[] = {
      {v1::AGGREGATE_MINIMUM_ACTUAL_TIME, {start, start + 4 * kSecond, start + 8 * kSecond}},
      {v1::AGGREGATE_MAXIMUM_ACTUAL_TIME, {start + 3 * kSecond, start + 7 * kSecond, start + 9 * kSecond}},
      {v1::AGGREGATE_START, {start, start + 4 * kSecond, start + 8 * kSecond}},
      {v1::AGGREGATE_END, {start + 3 * kSecond, start + 7 * kSecond, start + 9 * kSecond}},
  };
  for (const auto& row : kTimes) {
    std::vector<v1::ProcessedSeries> series;
    ASSERT_TRUE(ReadProcessed(server,
                              ProcessedOf({tag}, start, start + 10 * kSecond, 4 * kSecond, {row.aggregate}),
                              &series)
                    .ok());
    EXPECT_THAT(series[0].columns(0).times(), ::testing::ElementsAreArray(row.times))
        << v1::Aggregate_Name(row.aggregate);
  }
}

// Of the same: what the configuration makes of a sample in four that is Bad.
TEST(ReadProcessedTest, TheConfigurationDecides) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  const Timestamp start = kNow - 100 * kSecond;
  for (int i = 0; i < 10; ++i) server.Store(tag, {{start + i * kSecond, i + 1.0}}, i == 6 ? 0x40000000 : 0);
  v1::ReadProcessedRequest request =
      ProcessedOf({tag}, start + 4 * kSecond, start + 8 * kSecond, 0, {v1::AGGREGATE_COUNT});
  const auto read = [&] {
    std::vector<v1::ProcessedSeries> series;
    const grpc::Status status = ReadProcessed(server, request, &series);
    EXPECT_TRUE(status.ok()) << status.error_message();
    const v1::Qualities& statuses = series[0].columns(0).status();
    return statuses.quality_size() == 0 ? 0x401u : statuses.quality(0);
  };
  EXPECT_EQ(read(), 0x40A40401u) << "three of four are Good";
  request.mutable_config()->set_percent_data_good(75);
  EXPECT_EQ(read(), 0x401u);
  request.mutable_config()->set_percent_data_good(100);
  request.mutable_config()->set_percent_data_bad(25);
  EXPECT_EQ(read(), 0x80000000u);
  request.mutable_config()->set_treat_uncertain_as_bad(false);
  EXPECT_EQ(read(), 0x40A40401u) << "none is Bad";

  std::vector<v1::ProcessedSeries> series;
  request.mutable_config()->set_percent_data_good(50);
  grpc::Status status = ReadProcessed(server, request, &series);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("must be at least 75"));
  request.mutable_config()->set_percent_data_good(4'000'000'000);
  status = ReadProcessed(server, request, &series);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("PercentDataGood is 1000000"));
}

TEST(ReadProcessedTest, StatusSaysWhatAnIntervalIsWorth) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  const Timestamp start = kNow - 100 * kSecond;
  // Good until 10 s, then nothing until 40 s: held, so Good but without samples; the newest is at 40 s.
  server.Store(tag, {{start, 1}, {start + 10 * kSecond, 2}, {start + 40 * kSecond, 3}});
  std::vector<v1::ProcessedSeries> series;
  ASSERT_TRUE(ReadProcessed(server,
                            ProcessedOf({tag}, start - 10 * kSecond, start + 65 * kSecond, 10 * kSecond,
                                        {v1::AGGREGATE_COUNT, v1::AGGREGATE_MAXIMUM}),
                            &series)
                  .ok());
  // Of each interval: what a count of it, and a maximum, are worth.
  constexpr uint32_t kCalculated = 0x401, kPartial = 0x404;
  std::vector<uint32_t> counts(8, kCalculated), maxima(8, kCalculated);
  for (int column = 0; column < 2; ++column) {
    const v1::Qualities& status = series[0].columns(column).status();
    for (int run = 0; run < status.first_size(); ++run) {
      for (uint32_t i = 0; i < status.count(run); ++i) {
        (column == 0 ? counts : maxima)[status.first(run) + i] = status.quality(run);
      }
    }
  }
  // Data end a millisecond after the sample at 40 s. A maximum at its interval's start is as it was written.
  EXPECT_THAT(counts, ElementsAre(kBadNoData, kCalculated, kCalculated, kCalculated, kCalculated,
                                  kCalculated | kPartial, kBadNoData, kBadNoData));
  EXPECT_THAT(maxima, ElementsAre(kBadNoData, kGood, kGood, kBadNoData, kBadNoData, kGood | kPartial,
                                  kBadNoData, kBadNoData));
  const auto& values = series[0].columns(1).floats().values();
  EXPECT_TRUE(std::isnan(values[0]));
  EXPECT_EQ(values[1], 1);
  EXPECT_TRUE(std::isnan(values[3]));
}

TEST(ReadProcessedTest, ATrendHasRoundIntervalsOfTheServersChoice) {
  TestServer server;
  const TagId tag = server.Create("tag");
  // 12 s in at most 5: 5 s each, from a whole multiple before the first.
  const Timestamp start = Timestamp{1'735'689'600} * kSecond;
  server.Store(tag,
               {{start, 1}, {start + 3 * kSecond, 2}, {start + 11 * kSecond, 4}, {start + 16 * kSecond, 8}});
  v1::ReadProcessedRequest request = ProcessedOf({tag}, start + 2 * kSecond, start + 14 * kSecond, 0,
                                                 {v1::AGGREGATE_SUM, v1::AGGREGATE_COUNT});
  request.set_intervals_max(5);
  std::vector<v1::ProcessedSeries> series;
  ASSERT_TRUE(ReadProcessed(server, request, &series).ok());
  EXPECT_EQ(series[0].start(), start);
  EXPECT_EQ(series[0].interval_ns(), 5u * kSecond);
  const auto& sums = series[0].columns(0).floats().values();
  ASSERT_EQ(sums.size(), 3);
  EXPECT_EQ(sums[0], 3);
  EXPECT_TRUE(std::isnan(sums[1]));
  EXPECT_EQ(sums[2], 4);
  // The same for another range that needs the same intervals; each column has its own status.
  request.clear_aggregates();
  request.add_aggregates(v1::AGGREGATE_COUNT);
  request.add_aggregates(v1::AGGREGATE_SAMPLE_COUNT);
  request.set_start(start + 1);
  series.clear();
  ASSERT_TRUE(ReadProcessed(server, request, &series).ok());
  EXPECT_EQ(series[0].start(), start);
  EXPECT_THAT(series[0].columns(0).integers().values(), ElementsAre(2, 0, 1));
  for (const v1::ProcessedColumn& column : series[0].columns()) {
    EXPECT_EQ(column.status().first_size(), 0) << "all Good, Calculated takes no run";
  }

  request.set_intervals_max(1);
  EXPECT_EQ(ReadProcessed(server, request, &series).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  request.set_intervals_max(5);
  request.set_interval_ns(1);
  EXPECT_EQ(ReadProcessed(server, request, &series).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST(ReadProcessedTest, ManyTagsComeInOrderAndInSeveralFrames) {
  TestServer server;
  std::vector<uint32_t> tags;
  v1::Frame frame;
  for (int i = 0; i < 100; ++i) {
    tags.push_back(server.Create(absl::StrCat("tag", i)));
    AddColumn(tags.back(), {{kNow - 1000 * kSecond, i}, {kNow, i}}, &frame);
  }
  server.WriteFrame(frame);
  std::reverse(tags.begin(), tags.end());
  const auto request =
      ProcessedOf(tags, kNow - 1000 * kSecond, kNow, kSecond, {v1::AGGREGATE_END, v1::AGGREGATE_SUM});
  grpc::ClientContext context;
  auto stream = server.query().ReadProcessed(&context, request);
  v1::ProcessedFrame read;
  std::vector<uint32_t> seen;
  int frames = 0;
  while (stream->Read(&read)) {
    ++frames;
    for (const auto& series : read.series()) seen.push_back(series.tag_id());
  }
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(seen, tags);
  EXPECT_GT(frames, 1);
}

TEST(ReadProcessedTest, WrongRequestsAreToldWhatIsWrong) {
  Config config;
  config.limits.query_values = 1'500'000;
  TestServer server(config);
  const uint32_t tag = server.Create("plant/flow"),
                 text = server.Create("plant/batch", v1::VALUE_TYPE_STRING);
  const Timestamp end = kNow;
  const Timestamp start = kNow - 2000 * kSecond;
  const struct {
    v1::ReadProcessedRequest request;
    grpc::StatusCode code;
    const char* message;
  } kTable[] = {
      {ProcessedOf({tag}, end, start, kSecond, {v1::AGGREGATE_SUM}), grpc::StatusCode::INVALID_ARGUMENT,
       "is not before end"},
      {ProcessedOf({tag}, start, start, kSecond, {v1::AGGREGATE_SUM}), grpc::StatusCode::INVALID_ARGUMENT,
       "is not before end"},
      {ProcessedOf({tag}, start, end, static_cast<uint64_t>(-5), {v1::AGGREGATE_SUM}),
       grpc::StatusCode::INVALID_ARGUMENT, "a negative number?"},
      {ProcessedOf({tag}, start, end, kSecond / 1000, {v1::AGGREGATE_SUM}),
       grpc::StatusCode::RESOURCE_EXHAUSTED, "2000000 intervals: the limit is 1000000 (limits.intervals)"},
      {ProcessedOf({tag}, start, end, 1, {v1::AGGREGATE_SUM}), grpc::StatusCode::RESOURCE_EXHAUSTED,
       "limits.intervals"},
      {ProcessedOf({tag}, start, end, kSecond / 400, {v1::AGGREGATE_END}),
       grpc::StatusCode::RESOURCE_EXHAUSTED,
       "1600000 values (1 tags x 800000 intervals x 2 values and times of aggregates)"},
      {ProcessedOf({tag}, start, end, kSecond, {}), grpc::StatusCode::INVALID_ARGUMENT, "0 aggregates"},
      {ProcessedOf({tag}, start, end, kSecond, std::vector<v1::Aggregate>(41, v1::AGGREGATE_SUM)),
       grpc::StatusCode::INVALID_ARGUMENT, "41 aggregates: 1 to 40"},
      {ProcessedOf({tag}, start, end, kSecond, {static_cast<v1::Aggregate>(99)}),
       grpc::StatusCode::INVALID_ARGUMENT, "unknown aggregate 99; "},
      {ProcessedOf({tag, text}, start, end, kSecond, {v1::AGGREGATE_SUM}), grpc::StatusCode::INVALID_ARGUMENT,
       "'plant/batch' is of type string and has no Sum"},
      {ProcessedOf({tag}, kTimestampMin - 1, end, 0, {v1::AGGREGATE_SUM}), grpc::StatusCode::INVALID_ARGUMENT,
       "outside the times"},
      {ProcessedOf({55}, start, end, kSecond, {v1::AGGREGATE_SUM}), grpc::StatusCode::NOT_FOUND,
       "no tag has the id 55"},
  };
  for (const auto& row : kTable) {
    std::vector<v1::ProcessedSeries> series;
    const grpc::Status status = ReadProcessed(server, row.request, &series);
    EXPECT_EQ(status.error_code(), row.code) << row.message << ": " << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(row.message));
  }
}

TEST(ReadProcessedTest, StringsHaveCountsAndDurations) {
  TestServer server;
  const uint32_t text = server.Create("plant/batch", v1::VALUE_TYPE_STRING);
  v1::Frame frame;
  v1::Column* column = frame.add_columns();
  column->set_tag_id(text);
  column->mutable_times()->mutable_regular()->set_first(kNow - 10);
  column->mutable_times()->mutable_regular()->set_step_ns(5);
  column->mutable_values()->mutable_string()->add_values("a");
  column->mutable_values()->mutable_string()->add_values("b");
  server.WriteFrame(frame);
  std::vector<v1::ProcessedSeries> series;
  const grpc::Status status = ReadProcessed(
      server, ProcessedOf({text}, kNow - 10, kNow, 0, {v1::AGGREGATE_COUNT, v1::AGGREGATE_DURATION_GOOD}),
      &series);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(series[0].columns(0).integers().values(), ElementsAre(2));
  EXPECT_THAT(series[0].columns(1).floats().values(), ElementsAre(10e-6));
}

TEST(ReadProcessedTest, DeadlineOfTheServerEndsIt) {
  Config config;
  config.limits.query_timeout = absl::Milliseconds(100);
  TestServer server(config);
  std::vector<uint32_t> tags;
  v1::Frame frame;
  for (int i = 0; i < 200; ++i) {
    tags.push_back(server.Create(absl::StrCat("tag", i)));
    AddColumn(tags.back(), Ramp(100, kSecond), &frame);
  }
  server.WriteFrame(frame);
  // 200 tags of 40,000 intervals: seconds of work.
  std::vector<v1::ProcessedSeries> series;
  const grpc::Status status = ReadProcessed(
      server, ProcessedOf(tags, kNow - 40'000 * kSecond, kNow, kSecond, {v1::AGGREGATE_AVERAGE}), &series);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_THAT(status.error_message(), HasSubstr("limits.query_timeout"));
}

// ---- Plot

TEST(PlotTest, HasTheFourSamplesOfEachColumnAndTheNeighbours) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  const Timestamp start = kNow - 1000;
  // Two columns of 100 ns; the first has a peak and a pit between its ends.
  server.Store(tag, {{start - 50, 0},
                     {start + 10, 5},
                     {start + 20, 9},
                     {start + 30, 6},
                     {start + 40, 1},
                     {start + 50, 5},
                     {start + 60, 4},
                     {start + 250, 7},
                     {start + 300, 8}});
  server.Store(tag, {{start + 150, 3}}, 0x80000000);
  v1::PlotRequest request;
  request.mutable_tags()->add_ids(tag);
  request.set_start(start);
  request.set_end(start + 200);
  request.set_columns(2);
  grpc::ClientContext context;
  auto stream = server.query().Plot(&context, request);
  v1::PlotFrame frame;
  ASSERT_TRUE(stream->Read(&frame));
  const v1::PlotSeries& series = frame.series(0);
  EXPECT_THAT(
      TimesOf(series.samples().times(), series.samples().values().float64().values_size()),
      ElementsAre(start - 50, start + 10, start + 20, start + 40, start + 60, start + 150, start + 250));
  EXPECT_THAT(series.not_good_columns(), ElementsAre(1));
  EXPECT_THAT(series.empty_first(), IsEmpty());
  EXPECT_FALSE(stream->Read(&frame));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST(PlotTest, MoreColumnsThanNanosecondsIsNoError) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  server.Store(tag, {{kNow - 3, 1}, {kNow - 2, 2}, {kNow - 1, 3}});
  v1::PlotRequest request;
  request.mutable_tags()->add_ids(tag);
  request.set_start(kNow - 3);
  request.set_end(kNow);
  request.set_columns(1000);
  grpc::ClientContext context;
  auto stream = server.query().Plot(&context, request);
  v1::PlotFrame frame;
  ASSERT_TRUE(stream->Read(&frame));
  EXPECT_THAT(frame.series(0).samples().values().float64().values(), ElementsAre(1, 2, 3));
  // Those without a width have no sample.
  EXPECT_THAT(frame.series(0).empty_count(), ElementsAre(333, 332, 332));
  EXPECT_FALSE(stream->Read(&frame));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST(PlotTest, EmptyColumnsAreThoseWithoutASample) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  TestServer server;
  const Timestamp begin = kNow - 100'000 * kSecond;
  for (int round = 0; round < 40; ++round) {
    const uint32_t tag = server.Create(absl::StrCat("plant/", round));
    // Of all densities, in clusters, Good and Bad, sealed and open, late ones too.
    std::set<Timestamp> stored;
    const uint64_t step_max = uint64_t{1} << (random() % 42);
    for (uint64_t part = random() % 4; part > 0; --part) {
      std::vector<std::pair<Timestamp, double>> samples;
      Timestamp t = begin + static_cast<Timestamp>(random() % (90'000 * kSecond));
      for (uint64_t n = random() % 200; n > 0 && t < kNow; --n) {
        samples.push_back({t, 1});
        stored.insert(t);
        t += 1 + static_cast<Timestamp>(random() % step_max);
      }
      if (!samples.empty()) server.Store(tag, samples, random() % 2 == 0 ? 0 : 0x80000000);
    }
    for (int plot = 0; plot < 5; ++plot) {
      v1::PlotRequest request;
      request.mutable_tags()->add_ids(tag);
      const bool narrow = random() % 4 == 0 && !stored.empty();
      request.set_start(narrow ? *stored.begin() - static_cast<Timestamp>(random() % 20)
                               : begin + static_cast<Timestamp>(random() % (50'000 * kSecond)));
      request.set_end(request.start() + 1 +
                      static_cast<Timestamp>(random() % (narrow ? 100 : 50'000 * uint64_t{kSecond})));
      request.set_columns(1 + random() % 300);
      std::vector<uint32_t> expected;
      const auto edge = [&](uint32_t k) {
        return request.start() +
               static_cast<Timestamp>(static_cast<unsigned __int128>(request.end() - request.start()) * k /
                                      request.columns());
      };
      for (uint32_t k = 0; k < request.columns(); ++k) {
        if (stored.lower_bound(edge(k)) == stored.lower_bound(edge(k + 1))) expected.push_back(k);
      }
      grpc::ClientContext context;
      auto stream = server.query().Plot(&context, request);
      v1::PlotFrame frame;
      ASSERT_TRUE(stream->Read(&frame));
      const v1::PlotSeries& series = frame.series(0);
      ASSERT_EQ(series.empty_first_size(), series.empty_count_size());
      std::vector<uint32_t> empty;
      for (int i = 0; i < series.empty_first_size(); ++i) {
        ASSERT_GT(series.empty_count(i), 0u);
        // As few runs as there can be.
        if (i > 0) {
          ASSERT_GT(series.empty_first(i), series.empty_first(i - 1) + series.empty_count(i - 1));
        }
        for (uint32_t k = 0; k < series.empty_count(i); ++k) empty.push_back(series.empty_first(i) + k);
      }
      ASSERT_EQ(empty, expected) << request.ShortDebugString();
      EXPECT_FALSE(stream->Read(&frame));
      EXPECT_TRUE(stream->Finish().ok());
    }
  }
}

TEST(PlotTest, WrongRequestsAreToldWhatIsWrong) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow"),
                 text = server.Create("plant/batch", v1::VALUE_TYPE_STRING);
  const struct {
    uint32_t tag;
    Timestamp start;
    uint32_t columns;
    grpc::StatusCode code;
    const char* message;
  } kTable[] = {
      {tag, kNow - 1, 0, grpc::StatusCode::INVALID_ARGUMENT, "columns is 0"},
      {tag, kNow - 1, 100'001, grpc::StatusCode::RESOURCE_EXHAUSTED, "limits.plot_columns"},
      {tag, kNow, 10, grpc::StatusCode::INVALID_ARGUMENT, "is not before end"},
      {text, kNow - 1, 10, grpc::StatusCode::INVALID_ARGUMENT, "of type string"},
  };
  for (const auto& row : kTable) {
    v1::PlotRequest request;
    request.mutable_tags()->add_ids(row.tag);
    request.set_start(row.start);
    request.set_end(kNow);
    request.set_columns(row.columns);
    grpc::ClientContext context;
    auto stream = server.query().Plot(&context, request);
    v1::PlotFrame frame;
    EXPECT_FALSE(stream->Read(&frame));
    const grpc::Status status = stream->Finish();
    EXPECT_EQ(status.error_code(), row.code) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(row.message));
  }
}

// ---- As of a version

uint64_t Mark(TestServer& server) {
  v1::MarkVersionRequest request;
  v1::MarkVersionResponse response;
  grpc::ClientContext context;
  EXPECT_TRUE(server.admin().MarkVersion(&context, request, &response).ok());
  return response.version().version();
}

// Two statements about one time, a version each, and one more that is open.
class AsOfTest : public testing::Test {
 protected:
  AsOfTest() : tag_(server_.Create("a")) {
    server_.Store(tag_, {{kNow - 20, 1}, {kNow - 10, 2}});
    first_ = Mark(server_);
    first_closed_ = server_.clock().Now();
    server_.clock().Advance(60 * kSecond);
    server_.Store(tag_, {{kNow - 10, 3}});
    second_ = Mark(server_);
    server_.Store(tag_, {{kNow - 5, 4}});
  }

  v1::AsOf Version(uint64_t version) {
    v1::AsOf as_of;
    as_of.set_version(version);
    return as_of;
  }
  v1::AsOf Time(Timestamp time) {
    v1::AsOf as_of;
    as_of.set_time(time);
    return as_of;
  }
  Raw RawAsOf(const v1::AsOf& as_of) {
    v1::ReadRawRequest request = RawOf(tag_, kNow - 100, kNow);
    *request.mutable_as_of() = as_of;
    return ReadRaw(server_, request);
  }

  TestServer server_;
  const uint32_t tag_;
  uint64_t first_ = 0, second_ = 0;
  Timestamp first_closed_ = 0;
};

TEST_F(AsOfTest, RawSamplesAreThoseOfTheVersion) {
  const Pairs first = {{kNow - 20, 1}, {kNow - 10, 2}}, second = {{kNow - 20, 1}, {kNow - 10, 3}};
  EXPECT_EQ(RawAsOf(Version(first_)).samples, first);
  EXPECT_EQ(RawAsOf(Version(first_)).version, first_);
  EXPECT_EQ(RawAsOf(Version(second_)).samples, second);
  EXPECT_EQ(RawAsOf(Time(first_closed_)).samples, first);
  EXPECT_EQ(RawAsOf(Time(first_closed_)).version, first_);
  EXPECT_EQ(RawAsOf(Time(server_.clock().Now() + kSecond)).samples, second);
  const Raw now = ReadRaw(server_, RawOf(tag_, kNow - 100, kNow));
  EXPECT_EQ(now.samples.back(), std::pair(kNow - 5, 4.0));
  EXPECT_EQ(now.version, second_ + 1) << "the open one";
  // Settled, and after a restart.
  v1::SealRequest seal;
  seal.set_settle(true);
  v1::SealResponse sealed;
  grpc::ClientContext context;
  ASSERT_TRUE(server_.admin().Seal(&context, seal, &sealed).ok());
  server_.Restart();
  EXPECT_EQ(RawAsOf(Version(first_)).samples, first);
  EXPECT_EQ(RawAsOf(Version(second_)).samples, second);
}

TEST_F(AsOfTest, NewestAtTimesAggregatesAndPlotsAreThoseOfTheVersion) {
  {
    v1::ReadLatestRequest request;
    request.mutable_tags()->add_ids(tag_);
    *request.mutable_as_of() = Version(first_);
    v1::ReadLatestResponse response;
    grpc::ClientContext context;
    ASSERT_TRUE(server_.query().ReadLatest(&context, request, &response).ok());
    EXPECT_EQ(response.version(), first_);
    ASSERT_EQ(response.samples_size(), 1);
    EXPECT_THAT(response.samples(0).times(), ElementsAre(kNow - 10));
    EXPECT_THAT(response.samples(0).values().float64().values(), ElementsAre(2));
  }
  {
    v1::ReadAtTimesRequest request;
    request.mutable_tags()->add_ids(tag_);
    request.add_times(kNow - 10);
    *request.mutable_as_of() = Version(first_);
    v1::ReadAtTimesResponse response;
    grpc::ClientContext context;
    ASSERT_TRUE(server_.query().ReadAtTimes(&context, request, &response).ok());
    EXPECT_EQ(response.version(), first_);
    EXPECT_THAT(response.tags(0).values().float64().values(), ElementsAre(2));
  }
  {
    v1::ReadProcessedRequest request;
    request.mutable_tags()->add_ids(tag_);
    request.set_start(kNow - 100);
    request.set_end(kNow);
    request.add_aggregates(v1::AGGREGATE_SUM);
    *request.mutable_as_of() = Version(first_);
    v1::ProcessedFrame frame;
    grpc::ClientContext context;
    auto stream = server_.query().ReadProcessed(&context, request);
    ASSERT_TRUE(stream->Read(&frame));
    EXPECT_EQ(frame.version(), first_);
    EXPECT_THAT(frame.series(0).columns(0).floats().values(), ElementsAre(3));
    EXPECT_FALSE(stream->Read(&frame));
    EXPECT_TRUE(stream->Finish().ok());
  }
  {
    v1::PlotRequest request;
    request.mutable_tags()->add_ids(tag_);
    request.set_start(kNow - 100);
    request.set_end(kNow);
    request.set_columns(1);
    *request.mutable_as_of() = Version(first_);
    v1::PlotFrame frame;
    grpc::ClientContext context;
    auto stream = server_.query().Plot(&context, request);
    ASSERT_TRUE(stream->Read(&frame));
    EXPECT_EQ(frame.version(), first_);
    EXPECT_THAT(frame.series(0).samples().values().float64().values(), ElementsAre(1, 2));
    EXPECT_FALSE(stream->Read(&frame));
    EXPECT_TRUE(stream->Finish().ok());
  }
}

TEST_F(AsOfTest, AReadInPiecesStaysWithItsVersion) {
  v1::ReadRawRequest request = RawOf(tag_, kNow - 100, kNow);
  *request.mutable_as_of() = Time(first_closed_ + 3600 * kSecond);  // A time to come: now the second version.
  request.set_limit(1);
  const Raw piece = ReadRaw(server_, request);
  ASSERT_EQ(piece.samples, Pairs({{kNow - 20, 1}}));
  server_.Store(tag_, {{kNow - 10, 9}});
  Mark(server_);
  request.set_continuation(piece.continuation);
  EXPECT_EQ(ReadRaw(server_, request).samples, Pairs({{kNow - 10, 3}}));
  EXPECT_EQ(ReadRaw(server_, request).version, second_);
  *request.mutable_as_of() = Version(first_);
  const grpc::Status other = ReadRaw(server_, request).status;
  EXPECT_EQ(other.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(other.error_message(), HasSubstr(absl::StrCat("as of version ", second_)));
  request.clear_as_of();
  EXPECT_EQ(ReadRaw(server_, request).status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(AsOfTest, WhatCannotBeAnsweredSaysFromWhenOnItCan) {
  const struct {
    v1::AsOf as_of;
    grpc::StatusCode code;
    std::string message;
  } rows[] = {
      {v1::AsOf(), grpc::StatusCode::INVALID_ARGUMENT, "neither a version nor a time"},
      {Version(second_ + 1), grpc::StatusCode::FAILED_PRECONDITION,
       absl::StrCat("version ", second_ + 1, " has not closed; the last is version ", second_)},
      {Version(UINT64_MAX), grpc::StatusCode::FAILED_PRECONDITION, "has not closed"},
      {Version(0), grpc::StatusCode::FAILED_PRECONDITION,
       "the first that can be read as-of is version 1, which closed"},
      {Time(kNow - 3600 * kSecond), grpc::StatusCode::FAILED_PRECONDITION, "no version had closed by"},
  };
  for (const auto& row : rows) {
    const grpc::Status status = RawAsOf(row.as_of).status;
    EXPECT_EQ(status.error_code(), row.code) << row.message;
    EXPECT_THAT(status.error_message(), HasSubstr(row.message));
  }
}

}  // namespace
}  // namespace historian::server
