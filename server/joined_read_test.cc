// Many tags on one axis of time. What the values are, ReadAtTimes says.
#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/test_server.h"

namespace historian::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class JoinedReadTest : public ::testing::Test {
 protected:
  explicit JoinedReadTest(Config config = Config()) : server_(std::move(config)) {}

  std::pair<std::vector<v1::JoinedFrame>, grpc::Status> Read(const v1::ReadJoinedRequest& request) {
    grpc::ClientContext context;
    const auto stream = server_.query().ReadJoined(&context, request);
    std::vector<v1::JoinedFrame> frames(1);
    while (stream->Read(&frames.back())) frames.emplace_back();
    frames.pop_back();
    return {std::move(frames), stream->Finish()};
  }

  static std::vector<Timestamp> TimesOfAll(const std::vector<v1::JoinedFrame>& frames) {
    std::vector<Timestamp> times;
    for (const v1::JoinedFrame& frame : frames)
      times.insert(times.end(), frame.times().begin(), frame.times().end());
    return times;
  }

  void StoreTexts(uint32_t tag, const std::vector<std::pair<Timestamp, std::string>>& samples) {
    v1::Frame frame;
    v1::Column* const column = frame.add_columns();
    column->set_tag_id(tag);
    for (const auto& [time, text] : samples) {
      column->mutable_times()->mutable_explicit_()->add_at(time);
      column->mutable_values()->mutable_string()->add_values(text);
    }
    ASSERT_EQ(server_.WriteFrame(frame).samples_stored(), samples.size());
  }

  TestServer server_;
};

TEST_F(JoinedReadTest, AGridHasTheValuesOfEachTagAtItsTimes) {
  const uint32_t a = server_.Create("plant/a"), b = server_.Create("plant/b");
  server_.Store(a, {{kNow - 30, 1}, {kNow - 10, 3}});
  server_.Store(b, {{kNow - 20, 5}}, 0x40000000);
  v1::ReadJoinedRequest request;
  request.mutable_tags()->add_ids(b);
  request.mutable_tags()->add_ids(a);
  request.mutable_grid()->set_start(kNow - 30);
  request.mutable_grid()->set_end(kNow - 9);
  request.mutable_grid()->set_step_ns(10);
  const auto [frames, status] = Read(request);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(frames.size(), 1);
  EXPECT_THAT(frames[0].times(), ElementsAre(kNow - 30, kNow - 20, kNow - 10));
  ASSERT_EQ(frames[0].tags_size(), 2);
  EXPECT_EQ(frames[0].tags(0).tag_id(), b);
  EXPECT_THAT(frames[0].tags(0).values().float64().values(), ElementsAre(0, 5, 5));
  EXPECT_THAT(frames[0].tags(1).values().float64().values(), ElementsAre(1, 2, 3));
  EXPECT_THAT(frames[0].tags(1).qualities().first(), ElementsAre(1));
  // An Uncertain sample is passed over when that is asked for.
  request.set_uncertain_as_bad(true);
  EXPECT_THAT(Read(request).first[0].tags(0).values().float64().values(), ElementsAre(0, 0, 0));
  request.set_interpolation(v1::INTERPOLATION_STEPPED);
  EXPECT_THAT(Read(request).first[0].tags(1).values().float64().values(), ElementsAre(1, 1, 3));
  request.set_limit(2);
  EXPECT_THAT(TimesOfAll(Read(request).first), ElementsAre(kNow - 30, kNow - 20));
}

TEST_F(JoinedReadTest, ChangesAreTheTimesOfTheSamplesOfAllTagsEachOnce) {
  const uint32_t a = server_.Create("plant/a"), b = server_.Create("plant/b");
  server_.Create("plant/c");
  server_.Store(a, {{kNow - 30, 1}, {kNow - 10, 3}});
  server_.Store(b, {{kNow - 40, 4}, {kNow - 20, 5}, {kNow - 10, 6}, {kNow - 5, 7}});
  v1::ReadJoinedRequest request;
  request.mutable_tags()->set_pattern("plant/*");
  request.mutable_changes()->set_start(kNow - 30);
  request.mutable_changes()->set_end(kNow - 5);
  const auto [frames, status] = Read(request);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(TimesOfAll(frames), ElementsAre(kNow - 30, kNow - 20, kNow - 10));
  EXPECT_THAT(frames[0].tags(1).values().float64().values(), ElementsAre(4.5, 5, 6));
  // A pattern without a match is no error, and has no times.
  request.mutable_tags()->set_pattern("other/*");
  EXPECT_TRUE(Read(request).second.ok());
  EXPECT_THAT(Read(request).first, IsEmpty());
}

TEST_F(JoinedReadTest, ValuesAreInTheUnitThatIsAskedForAndAsOfAVersion) {
  v1::CreateTagsRequest create;
  create.add_tags()->set_name("plant/pressure");
  create.mutable_tags(0)->set_type(v1::VALUE_TYPE_FLOAT64);
  create.mutable_tags(0)->set_unit("bar");
  v1::TagsResponse created;
  grpc::ClientContext context;
  ASSERT_TRUE(server_.tags().CreateTags(&context, create, &created).ok());
  const uint32_t tag = created.results(0).tag().id();
  server_.Store(tag, {{kNow - 10, 2}});
  v1::MarkVersionResponse closed;
  grpc::ClientContext mark_context;
  ASSERT_TRUE(server_.admin().MarkVersion(&mark_context, v1::MarkVersionRequest(), &closed).ok());
  server_.Store(tag, {{kNow - 10, 3}});
  v1::ReadJoinedRequest request;
  request.mutable_tags()->add_ids(tag);
  request.mutable_times()->add_at(kNow - 20);
  request.mutable_times()->add_at(kNow - 10);
  request.set_unit("kPa");
  EXPECT_THAT(Read(request).first[0].tags(0).values().float64().values(), ElementsAre(0, 300));
  EXPECT_EQ(Read(request).first[0].unit(), "kPa");
  request.mutable_as_of()->set_version(closed.version().version());
  EXPECT_THAT(Read(request).first[0].tags(0).values().float64().values(), ElementsAre(0, 200));
  EXPECT_EQ(Read(request).first[0].version(), closed.version().version());
}

TEST_F(JoinedReadTest, LongTextsMakeShorterFrames) {
  const uint32_t text = server_.Create("plant/text", v1::VALUE_TYPE_STRING),
                 number = server_.Create("plant/number");
  const std::string longest(64 * 1024, 'x');
  StoreTexts(text, {{kNow - 1000, "short"}, {kNow - 500, longest}});
  server_.Store(number, {{kNow - 1000, 0}, {kNow, 1000}});
  v1::ReadJoinedRequest request;
  request.mutable_tags()->add_ids(text);
  request.mutable_tags()->add_ids(number);
  request.mutable_grid()->set_start(kNow - 1001);
  request.mutable_grid()->set_end(kNow);
  request.mutable_grid()->set_step_ns(1);
  request.set_limit(701);
  const auto [frames, status] = Read(request);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_GT(frames.size(), 2);
  Timestamp next = kNow - 1001;
  for (const v1::JoinedFrame& frame : frames) {
    EXPECT_LT(frame.ByteSizeLong(), 4 << 20);
    ASSERT_EQ(frame.times_size(), frame.tags(0).values().string().values_size());
    ASSERT_EQ(frame.times_size(), frame.tags(1).values().float64().values_size());
    for (int i = 0; i < frame.times_size(); ++i, ++next) {
      ASSERT_EQ(frame.times(i), next);
      ASSERT_EQ(frame.tags(0).values().string().values(i) == (next < kNow - 1000  ? ""
                                                              : next < kNow - 500 ? "short"
                                                                                  : longest),
                true)
          << next - kNow;
      ASSERT_EQ(frame.tags(1).values().float64().values(i),
                next < kNow - 1000 ? 0 : static_cast<double>(next - (kNow - 1000)));
    }
  }
  EXPECT_EQ(next, kNow - 1001 + 701);
}

// In several frames, of tags of all kinds of periods.
TEST_F(JoinedReadTest, EqualsReadAtTimesForRandomTags) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  v1::ReadJoinedRequest request;
  std::set<Timestamp> changes;
  const Timestamp start = kNow - 100'000, end = kNow - 10'000;
  for (int i = 0; i < 20; ++i) {
    const uint32_t tag = server_.Create("plant/" + std::to_string(i));
    request.mutable_tags()->add_ids(tag);
    for (const uint32_t quality : {0x00000000u, 0x40000000u, 0x80000000u}) {
      std::set<Timestamp> times;
      const size_t count = quality == 0 ? random() % 2'000 : random() % 20;
      while (times.size() < count) times.insert(kNow - static_cast<Timestamp>(1 + random() % 120'000));
      std::vector<std::pair<Timestamp, double>> samples;
      for (const Timestamp time : times) {
        samples.emplace_back(time, static_cast<double>(random() % 1000));
        if (time >= start && time < end) changes.insert(time);
      }
      if (!samples.empty()) server_.Store(tag, samples, quality);
    }
  }
  for (const bool on_change : {false, true}) {
    request.set_uncertain_as_bad(random() % 2 == 0);
    request.clear_axis();
    if (on_change) {
      request.mutable_changes()->set_start(start);
      request.mutable_changes()->set_end(end);
    } else {
      request.mutable_grid()->set_start(start);
      request.mutable_grid()->set_end(end);
      request.mutable_grid()->set_step_ns(7);
    }
    const auto [frames, status] = Read(request);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_GT(frames.size(), 1);
    if (on_change) {
      EXPECT_EQ(TimesOfAll(frames), std::vector<Timestamp>(changes.begin(), changes.end()));
    } else {
      EXPECT_EQ(TimesOfAll(frames).size(), (90'000 + 6) / 7);
    }
    for (const v1::JoinedFrame& frame : frames) {
      v1::ReadAtTimesRequest at;
      *at.mutable_tags() = request.tags();
      *at.mutable_times() = frame.times();
      at.set_uncertain_as_bad(request.uncertain_as_bad());
      v1::ReadAtTimesResponse expected;
      grpc::ClientContext context;
      ASSERT_TRUE(server_.query().ReadAtTimes(&context, at, &expected).ok());
      ASSERT_EQ(frame.tags_size(), expected.tags_size());
      for (int i = 0; i < frame.tags_size(); ++i) {
        const v1::AtTimes &actual = frame.tags(i), &its_expected = expected.tags(i);
        ASSERT_EQ(actual.tag_id(), its_expected.tag_id());
        ASSERT_EQ(actual.values().SerializeAsString(), its_expected.values().SerializeAsString()) << i;
        ASSERT_EQ(actual.qualities().SerializeAsString(), its_expected.qualities().SerializeAsString()) << i;
      }
    }
  }
}

class SmallJoinedReadTest : public JoinedReadTest {
 protected:
  static Config Small() {
    Config config;
    config.limits.joined_tags = 2;
    return config;
  }
  SmallJoinedReadTest() : JoinedReadTest(Small()) {}
};

TEST_F(SmallJoinedReadTest, WrongRequestsAreToldWhatIsWrong) {
  const uint32_t a = server_.Create("plant/a"), b = server_.Create("plant/b"), c = server_.Create("plant/c");
  const auto of = [](std::initializer_list<uint32_t> tags) {
    v1::ReadJoinedRequest request;
    request.mutable_tags()->mutable_ids()->Add(tags.begin(), tags.end());
    request.mutable_grid()->set_start(kNow - 10);
    request.mutable_grid()->set_end(kNow);
    request.mutable_grid()->set_step_ns(1);
    return request;
  };
  v1::ReadJoinedRequest without = of({a}), still = of({a}), backwards = of({a}), outside = of({a}),
                        unknown = of({99}), order = of({a}), changes = of({a}), unit = of({a});
  without.clear_axis();
  still.mutable_grid()->set_step_ns(0);
  backwards.mutable_grid()->set_end(kNow - 11);
  outside.mutable_times()->add_at(kTimestampMax + 1);
  order.mutable_times()->add_at(kNow);
  order.mutable_times()->add_at(kNow);
  changes.mutable_changes()->set_start(5);
  changes.mutable_changes()->set_end(5);
  unit.set_unit("kPa");
  const struct {
    v1::ReadJoinedRequest request;
    grpc::StatusCode code;
    const char* message;
  } kTable[] = {
      {without, grpc::StatusCode::INVALID_ARGUMENT, "the request has no axis: times, a grid or changes"},
      {still, grpc::StatusCode::INVALID_ARGUMENT, "the grid's step_ns is 0"},
      {backwards, grpc::StatusCode::INVALID_ARGUMENT, "is not before end"},
      {outside, grpc::StatusCode::INVALID_ARGUMENT, "is outside the times samples may have"},
      {order, grpc::StatusCode::INVALID_ARGUMENT,
       "time 1, 2026-01-01T00:00:00Z, is not after the one before it"},
      {changes, grpc::StatusCode::INVALID_ARGUMENT, "is not before end"},
      {unit, grpc::StatusCode::INVALID_ARGUMENT, "tag 1 'plant/a' has no unit: it cannot be read in kPa"},
      {unknown, grpc::StatusCode::NOT_FOUND, "no tag has the id 99"},
      {of({a, b, c}), grpc::StatusCode::RESOURCE_EXHAUSTED,
       "3 tags of a joined read: the limit is 2 (limits.joined_tags)"},
  };
  for (const auto& row : kTable) {
    const grpc::Status status = Read(row.request).second;
    EXPECT_EQ(status.error_code(), row.code) << row.message;
    EXPECT_THAT(status.error_message(), HasSubstr(row.message));
  }
}

// A read that would go on for years ends when its caller has enough.
TEST_F(JoinedReadTest, CanBeCancelled) {
  v1::ReadJoinedRequest request;
  request.mutable_tags()->add_ids(server_.Create("plant/a"));
  request.mutable_grid()->set_start(kTimestampMin);
  request.mutable_grid()->set_end(kTimestampMax);
  request.mutable_grid()->set_step_ns(1);
  grpc::ClientContext context;
  const auto stream = server_.query().ReadJoined(&context, request);
  v1::JoinedFrame frame;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(stream->Read(&frame));
  context.TryCancel();
  while (stream->Read(&frame)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

}  // namespace
}  // namespace historian::server
