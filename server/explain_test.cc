// How values come about, over the wire.
#include "server/explain.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/test_server.h"
#include "storage/model/aggregate.h"
#include "storage/model/quality.h"

namespace historian::server {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Pairs = std::vector<std::pair<Timestamp, double>>;

constexpr int64_t kMinute = 60 * kSecond;
constexpr int64_t kDay = 86'400 * kSecond;

class ExplainTest : public ::testing::Test {
 protected:
  explicit ExplainTest(Config config = Config()) : server_(std::move(config)) {}

  static v1::ExplainRequest RequestOf(uint32_t tag, v1::Aggregate aggregate, Timestamp start, Timestamp end) {
    v1::ExplainRequest request;
    request.set_tag_id(tag);
    request.set_aggregate(aggregate);
    request.set_start(start);
    request.set_end(end);
    return request;
  }
  grpc::Status Explain(const v1::ExplainRequest& request, v1::ExplainResponse* response) {
    grpc::ClientContext context;
    return server_.query().Explain(&context, request, response);
  }
  v1::ExplainResponse Explained(const v1::ExplainRequest& request) {
    v1::ExplainResponse response;
    const grpc::Status status = Explain(request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  // What ReadProcessed says of the same interval.
  v1::ProcessedSeries Processed(const v1::ExplainRequest& from) {
    v1::ReadProcessedRequest request;
    request.mutable_tags()->add_ids(from.tag_id());
    request.set_start(from.start());
    request.set_end(from.end());
    request.add_aggregates(from.aggregate());
    request.set_interpolation(from.interpolation());
    *request.mutable_config() = from.config();
    grpc::ClientContext context;
    auto stream = server_.query().ReadProcessed(&context, request);
    v1::ProcessedFrame frame, last;
    while (stream->Read(&frame)) last = frame;
    EXPECT_TRUE(stream->Finish().ok());
    return last.series_size() == 1 ? last.series(0) : v1::ProcessedSeries();
  }
  void Seal(bool settle = false) { ASSERT_TRUE(server_.server().archive().upkeep().Seal(settle).ok()); }
  // Six samples of ten minutes from kNow - 1 h on, one of them Bad, one Uncertain; one before, one behind.
  uint32_t StoreExample() {
    const uint32_t tag = server_.Create("plant/flow");
    const Timestamp start = kNow - 60 * kMinute;
    server_.Store(tag, {{start - 2 * kMinute, 10},
                        {start + kMinute, 12},
                        {start + 3 * kMinute, 16},
                        {start + 7 * kMinute, 8},
                        {start + 9 * kMinute, 14},
                        {start + 11 * kMinute, 18}});
    server_.Store(tag, {{start + 5 * kMinute, 99}}, kBad);
    server_.Store(tag, {{start + 6 * kMinute, 40}}, kUncertain);
    return tag;
  }
  static v1::ExplainRequest OfExample(uint32_t tag, v1::Aggregate aggregate) {
    return RequestOf(tag, aggregate, kNow - 60 * kMinute, kNow - 50 * kMinute);
  }

  TestServer server_;
};

TEST_F(ExplainTest, FollowsAValueToItsSamples) {
  const uint32_t tag = StoreExample();
  const v1::ExplainResponse answer = Explained(OfExample(tag, v1::AGGREGATE_AVERAGE));
  EXPECT_EQ(answer.tag_name(), "plant/flow");
  EXPECT_EQ(answer.aggregate_name(), "Average");
  EXPECT_EQ(answer.value().status_name(), "UncertainDataSubNormal, Calculated");
  EXPECT_EQ(answer.value().number(), 12.5);
  EXPECT_EQ(answer.value().time(), kNow - 60 * kMinute);
  EXPECT_TRUE(answer.agrees());
  EXPECT_FALSE(answer.has_by_definition());
  EXPECT_THAT(answer.samples_left_out(), IsEmpty());
  EXPECT_EQ(answer.figures(), "(12 + 16 + 8 + 14) / 4 = 12.5");
  EXPECT_EQ(answer.shares(), "4 of 6 members are Good, 2 count as Bad");
  EXPECT_THAT(answer.formula(), HasSubstr("Sum of the Good members"));
  EXPECT_THAT(answer.status_rule(), HasSubstr("PercentDataGood"));
  EXPECT_EQ(answer.bounds_kind(), "none");
  EXPECT_EQ(answer.samples_count(), 6);
  ASSERT_THAT(answer.samples(), SizeIs(6));
  EXPECT_EQ(answer.samples(2).number(), 99);
  EXPECT_EQ(answer.samples(2).quality_name(), "Bad");
  EXPECT_EQ(answer.samples(2).role(), "counts as Bad: its quality is Bad");
  EXPECT_EQ(answer.samples(3).role(), "counts as Bad: it is Uncertain, and TreatUncertainAsBad is set");
  EXPECT_EQ(answer.samples(5).time(), kNow - 51 * kMinute);
  EXPECT_EQ(answer.good_ns() + answer.uncertain_ns() + answer.bad_ns() + answer.no_data_ns(), 10 * kMinute);
  EXPECT_TRUE(answer.complete());
  EXPECT_TRUE(answer.config().treat_uncertain_as_bad());
  EXPECT_EQ(answer.interpolation(), v1::INTERPOLATION_SLOPED);
  EXPECT_EQ(answer.interpolation_from(), "the tag's");

  const v1::ExplainResponse end = Explained(OfExample(tag, v1::AGGREGATE_END_BOUND));
  ASSERT_THAT(end.bounds(), SizeIs(2));
  EXPECT_EQ(end.bounds(1).value().number(), 16);
  EXPECT_THAT(end.bounds(1).how(), HasSubstr("(14 + (18 - 14) x 60 / 120)"));
  v1::ExplainRequest stepped = OfExample(tag, v1::AGGREGATE_END_BOUND);
  stepped.set_interpolation(v1::INTERPOLATION_STEPPED);
  const v1::ExplainResponse held = Explained(stepped);
  EXPECT_EQ(held.bounds(1).value().number(), 14);
  EXPECT_EQ(held.interpolation_from(), "the request's");
}

TEST_F(ExplainTest, TellsWhereSamplesAreStored) {
  const uint32_t tag = StoreExample();
  const v1::ExplainRequest request = OfExample(tag, v1::AGGREGATE_TIME_AVERAGE2);
  const v1::ExplainResponse open = Explained(request);
  ASSERT_THAT(open.partitions(), SizeIs(1));
  EXPECT_TRUE(open.partitions(0).tail());
  EXPECT_THAT(open.blocks(), IsEmpty());

  Seal();
  const v1::ExplainResponse sealed = Explained(request);
  ASSERT_THAT(sealed.partitions(), SizeIs(1));
  EXPECT_FALSE(sealed.partitions(0).tail());
  EXPECT_LE(sealed.partitions(0).start(), request.start());
  EXPECT_GE(sealed.partitions(0).end(), request.end());
  uint64_t samples = 0;
  for (const v1::ExplainedBlock& block : sealed.blocks()) {
    samples += block.samples();
    EXPECT_GE(block.pages_in_interval(), 1);
    EXPECT_LE(block.first_page() + block.pages_in_interval(), block.pages());
    EXPECT_LE(block.lowest_version(), block.highest_version());
    EXPECT_GT(block.bytes(), 0);
  }
  EXPECT_EQ(samples, 8);

  Seal(/*settle=*/true);
  const v1::ExplainResponse settled = Explained(request);
  samples = 0;
  for (const v1::ExplainedBlock& block : settled.blocks()) samples += block.samples();
  EXPECT_EQ(samples, 8);
  EXPECT_EQ(settled.value().number(), open.value().number());
}

// Each aggregate, configuration and type, with Bad, Uncertain and infinite samples, at any edges.
TEST_F(ExplainTest, AgreesWithTheDefinitionAndWithReadProcessed) {
  const uint64_t seed = 20'260'101;
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937_64 random(seed);
  const uint32_t tag = server_.Create("random");
  const Timestamp begin = kNow - kDay;
  const uint32_t qualities[] = {kGood, kGood, kGood, kUncertain, kBad, kBadNoData};
  for (int i = 0; i < 60; ++i) {
    const Timestamp time = begin + static_cast<int64_t>(random() % 120) * 7 * kMinute;
    const double value =
        i % 20 == 19 ? std::numeric_limits<double>::infinity() : static_cast<double>(random() % 5);
    server_.Store(tag, {{time, value}}, qualities[random() % 6]);
    if (i == 30) Seal();
  }
  for (int round = 0; round < 6; ++round) {
    if (round == 3) Seal(/*settle=*/true);
    Timestamp a = begin - 60 * kMinute + static_cast<int64_t>(random() % 160) * 7 * kMinute;
    Timestamp b = a + static_cast<int64_t>(1 + random() % 100) * 5 * kMinute;
    for (const AggregateInfo& info : kAggregates) {
      v1::ExplainRequest request = RequestOf(tag, static_cast<v1::Aggregate>(info.id), a, b);
      request.set_interpolation(random() % 2 == 0 ? v1::INTERPOLATION_STEPPED : v1::INTERPOLATION_SLOPED);
      request.mutable_config()->set_treat_uncertain_as_bad(random() % 2 == 0);
      request.mutable_config()->set_use_sloped_extrapolation(random() % 2 == 0);
      const v1::ExplainResponse answer = Explained(request);
      ASSERT_TRUE(answer.has_agrees());
      EXPECT_TRUE(answer.agrees()) << info.name << ": " << answer.value().DebugString()
                                   << answer.by_definition().DebugString();
      const v1::ProcessedSeries series = Processed(request);
      ASSERT_THAT(series.columns(), SizeIs(1));
      const v1::ProcessedColumn& column = series.columns(0);
      if (column.has_floats() && !std::isnan(column.floats().values(0))) {
        EXPECT_EQ(answer.value().number(), column.floats().values(0)) << info.name;
      }
      if (column.has_integers() && !IsBad(answer.value().status())) {
        EXPECT_EQ(answer.value().integer(), column.integers().values(0)) << info.name;
      }
      if (info.has_own_time) {
        EXPECT_EQ(answer.value().time(), column.times(0)) << info.name;
      }
    }
  }
}

TEST_F(ExplainTest, TellsWhatWasStatedLater) {
  const uint32_t tag = StoreExample();
  v1::MarkVersionRequest mark;
  v1::MarkVersionResponse marked;
  grpc::ClientContext context;
  ASSERT_TRUE(server_.admin().MarkVersion(&context, mark, &marked).ok());
  const Timestamp start = kNow - 60 * kMinute;
  server_.Store(tag, {{start + kMinute, 20}, {start + 2 * kMinute, 30}});
  v1::ExplainRequest request = OfExample(tag, v1::AGGREGATE_AVERAGE);
  request.mutable_as_of()->set_version(marked.version().version());
  for (int i = 0; i < 2; ++i) {
    const v1::ExplainResponse answer = Explained(request);
    EXPECT_EQ(answer.value().number(), 12.5);
    EXPECT_TRUE(answer.agrees());
    EXPECT_EQ(answer.version(), marked.version().version());
    EXPECT_EQ(answer.since().added(), 1);
    EXPECT_EQ(answer.since().replaced(), 1);
    EXPECT_EQ(answer.since().value().number(), (20 + 30 + 16 + 8 + 14) / 5.0);
    Seal();
  }
  request.clear_as_of();
  EXPECT_FALSE(Explained(request).has_since());
}

TEST_F(ExplainTest, SaysThatSamplesHaveExpired) {
  const uint32_t tag = server_.Create("old");
  Pairs samples;
  for (int i = 0; i < 7 * 24; ++i) samples.push_back({kNow - 100 * kDay + i * 60 * kMinute, i});
  samples.push_back({kNow - kDay, 1});
  server_.Store(tag, samples);
  Seal(/*settle=*/true);
  const Timestamp day = (kNow - 98 * kDay) / kDay * kDay;
  const v1::ExplainRequest request = RequestOf(tag, v1::AGGREGATE_AVERAGE, day, day + kDay);
  const v1::ExplainResponse before = Explained(request);
  EXPECT_TRUE(before.agrees());
  v1::SetRuleRequest rule;
  rule.mutable_rule()->set_name("short");
  rule.mutable_rule()->set_pattern("*");
  rule.mutable_rule()->set_keep_raw_s(30 * 86'400);
  v1::RetentionRule set;
  grpc::ClientContext setting, applying;
  ASSERT_TRUE(server_.retention().SetRule(&setting, rule, &set).ok());
  v1::ApplyRetentionResponse applied;
  ASSERT_TRUE(server_.retention().Apply(&applying, v1::ApplyRetentionRequest(), &applied).ok());
  const v1::ExplainResponse answer = Explained(request);
  EXPECT_EQ(answer.value().number(), before.value().number());
  EXPECT_FALSE(answer.has_agrees());
  EXPECT_THAT(answer.samples_left_out(), HasSubstr("have expired"));
  EXPECT_THAT(answer.samples(), IsEmpty());
  ASSERT_THAT(answer.partitions(), SizeIs(1));
  EXPECT_TRUE(answer.partitions(0).raw_expired());
  EXPECT_FALSE(answer.partitions(0).all_expired());
  EXPECT_GT(answer.partitions(0).rollup_slot_ns(), 0);
}

TEST_F(ExplainTest, ListsNoMoreSamplesThanAskedFor) {
  const uint32_t tag = server_.Create("many");
  Pairs samples;
  for (int i = 0; i < 500; ++i) samples.push_back({kNow - (500 - i) * kSecond, i});
  server_.Store(tag, samples);
  v1::ExplainRequest request = RequestOf(tag, v1::AGGREGATE_AVERAGE, kNow - 500 * kSecond, kNow);
  const v1::ExplainResponse usual = Explained(request);
  EXPECT_EQ(usual.samples_count(), 500);
  ASSERT_THAT(usual.samples(), SizeIs(kExplainListedDefault));
  EXPECT_EQ(usual.samples(49).number(), 49);
  EXPECT_EQ(usual.samples(50).number(), 450);
  EXPECT_THAT(usual.figures(), HasSubstr("+ ... +"));
  EXPECT_THAT(usual.figures(), HasSubstr("/ 500 = 124750 / 500 = 249.5"));
  request.set_samples_max(10'000);
  EXPECT_THAT(Explained(request).samples(), SizeIs(500));
}

TEST_F(ExplainTest, TextsAndStatesAreListed) {
  const uint32_t tag = server_.Create("batch", v1::VALUE_TYPE_STRING);
  v1::Frame frame;
  v1::Column& column = *frame.add_columns();
  column.set_tag_id(tag);
  column.mutable_times()->mutable_explicit_()->add_at(kNow - 2 * kMinute);
  column.mutable_times()->mutable_explicit_()->add_at(kNow - kMinute);
  column.mutable_values()->mutable_string()->add_values("B-17");
  column.mutable_values()->mutable_string()->add_values(std::string(2000, 'x'));
  ASSERT_EQ(server_.WriteFrame(frame).samples_stored(), 2);
  const v1::ExplainResponse answer = Explained(RequestOf(tag, v1::AGGREGATE_COUNT, kNow - 5 * kMinute, kNow));
  EXPECT_TRUE(answer.agrees());
  ASSERT_THAT(answer.samples(), SizeIs(2));
  EXPECT_EQ(answer.samples(0).text(), "B-17");
  EXPECT_EQ(answer.samples(1).text().size(), 1000);
  EXPECT_EQ(answer.interpolation_from(), "its type is always stepped");
}

TEST_F(ExplainTest, RefusesWhatItCannotExplain) {
  const uint32_t tag = StoreExample();
  const uint32_t text = server_.Create("text", v1::VALUE_TYPE_STRING);
  const auto expect = [&](v1::ExplainRequest request, grpc::StatusCode code, const std::string& message) {
    v1::ExplainResponse response;
    const grpc::Status status = Explain(request, &response);
    EXPECT_EQ(status.error_code(), code) << message;
    EXPECT_THAT(status.error_message(), HasSubstr(message));
  };
  v1::ExplainRequest request = OfExample(tag, v1::AGGREGATE_AVERAGE);
  request.set_samples_max(10'001);
  expect(request, grpc::StatusCode::INVALID_ARGUMENT, "samples_max is 10001: at most 10000");
  request = OfExample(tag, v1::AGGREGATE_AVERAGE);
  request.clear_tag();
  expect(request, grpc::StatusCode::INVALID_ARGUMENT, "names no tag");
  request.set_tag_name("plant/flaw");
  expect(request, grpc::StatusCode::NOT_FOUND, "plant/flaw");
  expect(OfExample(tag, v1::AGGREGATE_UNSPECIFIED), grpc::StatusCode::INVALID_ARGUMENT, "aggregate");
  expect(OfExample(text, v1::AGGREGATE_AVERAGE), grpc::StatusCode::INVALID_ARGUMENT, "not defined for texts");
  request = OfExample(tag, v1::AGGREGATE_AVERAGE);
  request.set_end(request.start());
  expect(request, grpc::StatusCode::INVALID_ARGUMENT, "start");
  request = OfExample(tag, v1::AGGREGATE_AVERAGE);
  request.mutable_config()->set_percent_data_good(101);
  expect(request, grpc::StatusCode::INVALID_ARGUMENT, "101");
  request = OfExample(tag, v1::AGGREGATE_AVERAGE);
  request.mutable_as_of()->set_version(1000);
  expect(request, grpc::StatusCode::FAILED_PRECONDITION, "1000");
}

class ExplainLimitTest : public ExplainTest {
 protected:
  ExplainLimitTest() : ExplainTest(ConfigOf()) {}
  static Config ConfigOf() {
    Config config;
    config.limits.query_values = 5;
    return config;
  }
};

TEST_F(ExplainLimitTest, OfTooManySamplesTheValueIsToldAndWhereItIsStored) {
  const uint32_t tag = StoreExample();
  for (int i = 0; i < 2; ++i) {
    const v1::ExplainResponse answer = Explained(OfExample(tag, v1::AGGREGATE_AVERAGE));
    EXPECT_EQ(answer.value().number(), 12.5);
    EXPECT_FALSE(answer.has_agrees());
    EXPECT_THAT(answer.samples(), IsEmpty());
    EXPECT_THAT(answer.samples_left_out(), HasSubstr("more than 5 samples"));
    EXPECT_THAT(answer.partitions(), SizeIs(1));
    Seal();
  }
}

class ExplainMemoryTest : public ExplainTest {
 protected:
  ExplainMemoryTest() : ExplainTest(ConfigOf()) {}
  static Config ConfigOf() {
    Config config;
    config.limits.memory_budget = uint64_t{256} << 20;
    return config;
  }
};

TEST_F(ExplainMemoryTest, SamplesThatCallsHaveNoMemoryForAreLeftOut) {
  const uint32_t tag = server_.Create("many");
  constexpr int kSamples = 100'000;
  for (int begin = 0; begin < kSamples; begin += 10'000) {
    Pairs samples;
    for (int i = begin; i < begin + 10'000; ++i) samples.push_back({kNow - (kSamples - i) * kSecond, 1});
    server_.Store(tag, samples);
  }
  const v1::ExplainResponse answer =
      Explained(RequestOf(tag, v1::AGGREGATE_COUNT, kNow - kSamples * kSecond, kNow));
  EXPECT_EQ(answer.value().integer(), kSamples);
  EXPECT_FALSE(answer.has_agrees());
  EXPECT_THAT(answer.samples_left_out(), HasSubstr("limits.memory_budget"));
  EXPECT_TRUE(Explained(RequestOf(tag, v1::AGGREGATE_COUNT, kNow - 1000 * kSecond, kNow)).agrees());
}

}  // namespace
}  // namespace historian::server
