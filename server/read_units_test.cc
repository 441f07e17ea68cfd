// Reads in other units than the tags' own, and what tags say of theirs.
#include <cmath>
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

class ReadUnitsTest : public ::testing::Test {
 protected:
  uint32_t Create(const std::string& name, const std::string& unit,
                  v1::ValueType type = v1::VALUE_TYPE_FLOAT64) {
    v1::CreateTagsRequest request;
    v1::Tag* const tag = request.add_tags();
    tag->set_name(name);
    tag->set_type(type);
    tag->set_unit(unit);
    v1::TagsResponse response;
    grpc::ClientContext context;
    EXPECT_TRUE(server_.tags().CreateTags(&context, request, &response).ok());
    created_ = response.results(0).tag();
    return created_.id();
  }

  void SetUnit(uint32_t tag, const std::string& unit) {
    v1::UpdateTagsRequest request;
    request.add_updates()->mutable_key()->set_id(tag);
    request.mutable_updates(0)->set_unit(unit);
    v1::TagsResponse response;
    grpc::ClientContext context;
    ASSERT_TRUE(server_.tags().UpdateTags(&context, request, &response).ok());
    ASSERT_EQ(response.results(0).status().code(), 0);
  }

  // Stores integers at kNow - 3 s, - 2 s, - 1 s.
  void StoreIntegers(uint32_t tag, const std::vector<int64_t>& values) {
    v1::Frame frame;
    v1::Column* const column = frame.add_columns();
    column->set_tag_id(tag);
    column->mutable_times()->mutable_regular()->set_first(kNow - 3 * kSecond);
    column->mutable_times()->mutable_regular()->set_step_ns(kSecond);
    column->mutable_values()->mutable_int64()->mutable_values()->Add(values.begin(), values.end());
    ASSERT_EQ(server_.WriteFrame(frame).samples_stored(), values.size());
  }

  // The only frame: the answers are short.
  std::pair<v1::RawFrame, grpc::Status> ReadRaw(const v1::ReadRawRequest& request) {
    grpc::ClientContext context;
    const auto stream = server_.query().ReadRaw(&context, request);
    v1::RawFrame frame, other;
    if (stream->Read(&frame)) {
      EXPECT_FALSE(stream->Read(&other));
    }
    return {frame, stream->Finish()};
  }

  // The only series.
  std::pair<v1::ProcessedSeries, grpc::Status> ReadProcessed(const v1::ReadProcessedRequest& request) {
    grpc::ClientContext context;
    const auto stream = server_.query().ReadProcessed(&context, request);
    v1::ProcessedFrame frame, other;
    if (stream->Read(&frame)) {
      EXPECT_FALSE(stream->Read(&other));
    }
    return {frame.series_size() > 0 ? frame.series(0) : v1::ProcessedSeries(), stream->Finish()};
  }

  // From kNow - 4 s to kNow - 2 s, with no aggregates yet.
  static v1::ReadProcessedRequest ProcessedOf(uint32_t tag, const std::string& unit) {
    v1::ReadProcessedRequest request;
    request.mutable_tags()->add_ids(tag);
    request.set_start(kNow - 4 * kSecond);
    request.set_end(kNow - 2 * kSecond);
    request.set_unit(unit);
    return request;
  }

  // The first value of each column; 0 where they are integers.
  static std::vector<double> FloatsOf(const v1::ProcessedSeries& series) {
    std::vector<double> values;
    for (const v1::ProcessedColumn& column : series.columns()) {
      values.push_back(column.has_floats() ? column.floats().values(0) : 0);
    }
    return values;
  }
  static std::vector<std::string> UnitsOf(const v1::ProcessedSeries& series) {
    std::vector<std::string> units;
    for (const v1::ProcessedColumn& column : series.columns()) units.push_back(column.unit());
    return units;
  }

  static v1::ReadRawRequest RawIn(uint32_t tag, const std::string& unit) {
    v1::ReadRawRequest request;
    request.set_tag_id(tag);
    request.set_start(kNow - 100 * kSecond);
    request.set_end(kNow);
    request.set_unit(unit);
    return request;
  }

  TestServer server_;
  v1::Tag created_;
};

TEST_F(ReadUnitsTest, RawSamplesWithTheZeroInItsPlace) {
  const uint32_t tag = Create("plant/temperature", "°C");
  server_.Store(tag, {{kNow - 3, 20}, {kNow - 2, -40}, {kNow - 1, 100}});
  const auto [frame, status] = ReadRaw(RawIn(tag, "degF"));
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(frame.samples().values().float64().values(), ElementsAre(68, -40, 212));
  EXPECT_EQ(frame.unit(), "degF");
  // Without a unit: as stored, and in which unit that is.
  EXPECT_EQ(ReadRaw(RawIn(tag, "")).first.unit(), "°C");
  EXPECT_THAT(ReadRaw(RawIn(tag, "")).first.samples().values().float64().values(), ElementsAre(20, -40, 100));
}

TEST_F(ReadUnitsTest, IntegersBecomeFloatsUnlessTheUnitIsTheirs) {
  const uint32_t tag = Create("plant/level", "cm", v1::VALUE_TYPE_INT64);
  StoreIntegers(tag, {150, 9'007'199'254'740'993, -7});
  EXPECT_THAT(ReadRaw(RawIn(tag, "m")).first.samples().values().float64().values(),
              ElementsAre(1.5, 90'071'992'547'409.92, -0.07));
  EXPECT_THAT(ReadRaw(RawIn(tag, "cm")).first.samples().values().int64().values(),
              ElementsAre(150, 9'007'199'254'740'993, -7));
}

TEST_F(ReadUnitsTest, LimitsOfAFilterAreInTheUnitOfTheAnswer) {
  const uint32_t tag = Create("plant/temperature", "Cel");
  server_.Store(tag, {{kNow - 3, 20}, {kNow - 2, 30}, {kNow - 1, 40}});
  v1::ReadRawRequest request = RawIn(tag, "[degF]");
  request.mutable_filter()->set_minimum(86);
  EXPECT_THAT(ReadRaw(request).first.samples().values().float64().values(), ElementsAre(86, 104));
  // The filter's limits in another unit are another filter.
  request.set_limit(1);
  const std::string continuation = ReadRaw(request).first.continuation();
  request.set_continuation(continuation);
  EXPECT_TRUE(ReadRaw(request).second.ok());
  request.set_unit("K");
  EXPECT_THAT(ReadRaw(request).second.error_message(), HasSubstr("one with another filter"));
}

TEST_F(ReadUnitsTest, BoundsThatDoNotExistHaveNoValueInAnyUnit) {
  const uint32_t tag = Create("plant/temperature", "Cel");
  server_.Store(tag, {{kNow - 2, 20}});
  v1::ReadRawRequest request = RawIn(tag, "[degF]");
  request.set_opc_ua(true);
  request.set_bounds(true);
  EXPECT_THAT(ReadRaw(request).first.samples().values().float64().values(), ElementsAre(0, 68, 0));
}

TEST_F(ReadUnitsTest, NewestSamplesOfManyTags) {
  const uint32_t celsius = Create("plant/a", "Cel");
  const uint32_t kelvin = Create("plant/b", "K");
  const uint32_t count = Create("plant/c", "degC", v1::VALUE_TYPE_INT64);
  const uint32_t empty = Create("plant/d", "degF");
  server_.Store(celsius, {{kNow - 1, 25}});
  server_.Store(kelvin, {{kNow - 1, 300}});
  StoreIntegers(count, {1, 2, 3});
  v1::ReadLatestRequest request;
  request.mutable_tags()->set_pattern("plant/*");
  request.set_unit("K");
  v1::ReadLatestResponse response;
  grpc::ClientContext context;
  const grpc::Status status = server_.query().ReadLatest(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(response.samples_size(), 1);
  EXPECT_THAT(response.samples(0).tag_ids(), ElementsAre(celsius, kelvin, count));
  EXPECT_THAT(response.samples(0).values().float64().values(), ElementsAre(298.15, 300, 276.15));
  EXPECT_THAT(response.empty(), ElementsAre(empty));
  EXPECT_EQ(response.unit(), "K");
}

TEST_F(ReadUnitsTest, ValuesAtTimesAndPlots) {
  const uint32_t tag = Create("plant/pressure", "bar");
  server_.Store(tag, {{kNow - 20, 1}, {kNow - 10, 2}});
  v1::ReadAtTimesRequest at;
  at.mutable_tags()->add_ids(tag);
  at.add_times(kNow - 30);  // Before the first: no value.
  at.add_times(kNow - 15);
  at.set_unit("kPa");
  v1::ReadAtTimesResponse values;
  grpc::ClientContext at_context;
  ASSERT_TRUE(server_.query().ReadAtTimes(&at_context, at, &values).ok());
  EXPECT_THAT(values.tags(0).values().float64().values(), ElementsAre(0, 150));
  EXPECT_EQ(values.unit(), "kPa");

  v1::PlotRequest plot;
  plot.mutable_tags()->add_ids(tag);
  plot.set_start(kNow - 100);
  plot.set_end(kNow);
  plot.set_columns(10);
  plot.set_unit("kPa");
  grpc::ClientContext plot_context;
  const auto stream = server_.query().Plot(&plot_context, plot);
  v1::PlotFrame frame;
  ASSERT_TRUE(stream->Read(&frame));
  EXPECT_THAT(frame.series(0).samples().values().float64().values(), ElementsAre(100, 200));
  EXPECT_EQ(frame.unit(), "kPa");
}

TEST_F(ReadUnitsTest, AggregatesAreConvertedByWhatTheyAre) {
  const uint32_t tag = Create("plant/temperature", "Cel");
  server_.Store(tag, {{kNow - 4 * kSecond, 20}, {kNow - 3 * kSecond, 40}, {kNow - 2 * kSecond, 70}});
  v1::ReadProcessedRequest request = ProcessedOf(tag, "[degF]");
  for (const auto aggregate :
       {v1::AGGREGATE_AVERAGE, v1::AGGREGATE_MINIMUM_ACTUAL_TIME, v1::AGGREGATE_RANGE,
        v1::AGGREGATE_DELTA_BOUNDS, v1::AGGREGATE_STANDARD_DEVIATION_POPULATION,
        v1::AGGREGATE_VARIANCE_POPULATION, v1::AGGREGATE_COUNT, v1::AGGREGATE_PERCENT_GOOD,
        v1::AGGREGATE_DURATION_GOOD, v1::AGGREGATE_WORST_QUALITY}) {
    request.add_aggregates(aggregate);
  }
  const auto [series, status] = ReadProcessed(request);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(FloatsOf(series), ElementsAre(86, 68, 36, 90, 18, 324, 0, 100, 2000, 0));
  EXPECT_THAT(UnitsOf(series),
              ElementsAre("[degF]", "[degF]", "[degR]", "[degR]", "[degR]", "[degR]2", "", "%", "ms", ""));
  EXPECT_EQ(series.columns(1).times(0), kNow - 4 * kSecond);
  EXPECT_EQ(series.columns(6).integers().values(0), 2);
  EXPECT_EQ(series.columns(9).integers().values(0), 0);
  request.clear_unit();
  const v1::ProcessedSeries own = ReadProcessed(request).first;
  EXPECT_THAT(FloatsOf(own), ElementsAre(30, 20, 20, 50, 10, 100, 0, 100, 2000, 0));
  EXPECT_THAT(UnitsOf(own), ElementsAre("Cel", "Cel", "K", "K", "K", "K2", "", "%", "ms", ""));
}

TEST_F(ReadUnitsTest, AggregatesOfIntegersBecomeFloatsUnlessTheUnitIsTheirs) {
  const uint32_t tag = Create("plant/level", "cm", v1::VALUE_TYPE_INT64);
  StoreIntegers(tag, {150, 250, -7});
  v1::ReadProcessedRequest request = ProcessedOf(tag, "m");
  request.set_start(kNow - 5 * kSecond);  // The first interval has no sample.
  request.set_end(kNow - kSecond);
  request.set_interval_ns(2 * kSecond);
  request.add_aggregates(v1::AGGREGATE_MAXIMUM);
  request.add_aggregates(v1::AGGREGATE_RANGE);
  request.add_aggregates(v1::AGGREGATE_COUNT);
  const v1::ProcessedSeries series = ReadProcessed(request).first;
  EXPECT_THAT(series.columns(0).floats().values(), ElementsAre(::testing::IsNan(), 2.5));
  EXPECT_THAT(series.columns(1).floats().values(), ElementsAre(::testing::IsNan(), 1));
  EXPECT_THAT(series.columns(2).integers().values(), ElementsAre(0, 2));
  request.set_unit("cm");
  EXPECT_THAT(ReadProcessed(request).first.columns(0).integers().values(), ElementsAre(0, 250));
}

TEST_F(ReadUnitsTest, TotalsAreInTheUnitOfTimeThatIsAskedFor) {
  const uint32_t power = Create("plant/power", "kW");
  const uint32_t flow = Create("plant/flow", "m3/h");
  const uint32_t rides = Create("plant/rides", "rides");
  const uint32_t none = Create("plant/none", "");
  const struct {
    uint32_t tag;
    const char* unit;
    const char* total_time;
    double total;
    const char* total_unit;
  } kTable[] = {
      {power, "", "", 7200, "kW.s"},    {power, "", "h", 2, "kW.h"},    {power, "MW", "h", 0.002, "MW.h"},
      {power, "W", "", 7.2e6, "W.s"},   {flow, "", "", 7200, "m3/h.s"}, {flow, "", "h", 2, "m3"},
      {flow, "", "min", 2, "m3"},       {flow, "L/s", "s", 2000, "L"},  {rides, "", "min", 120, "rides.min"},
      {rides, "", "", 7200, "rides.s"}, {none, "", "h", 2, "h"},        {none, "", "", 7200, "s"},
  };
  for (const uint32_t tag : {power, flow, rides, none}) {
    server_.Store(tag, {{kNow - 4 * kSecond, 3600}, {kNow - kSecond, 3600}});
  }
  for (const auto& row : kTable) {
    v1::ReadProcessedRequest request = ProcessedOf(row.tag, row.unit);
    request.set_total_time(row.total_time);
    request.add_aggregates(v1::AGGREGATE_TOTAL);
    request.add_aggregates(v1::AGGREGATE_TOTAL2);
    const auto [series, status] = ReadProcessed(request);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_THAT(FloatsOf(series), ::testing::Each(::testing::DoubleEq(row.total))) << row.total_unit;
    EXPECT_THAT(UnitsOf(series), ::testing::Each(row.total_unit));
  }
}

TEST_F(ReadUnitsTest, WhatAggregatesCannotBeConvertedToIsTold) {
  const uint32_t temperature = Create("plant/temperature", "Cel");
  const uint32_t none = Create("plant/none", "");
  const uint32_t state = Create("plant/state", "", v1::VALUE_TYPE_DIGITAL);
  const struct {
    uint32_t tag;
    v1::Aggregate aggregate;
    const char* unit;
    const char* total_time;
    const char* message;
  } kTable[] = {
      {temperature, v1::AGGREGATE_COUNT, "bar", "", "tag 1 'plant/temperature': Cel"},
      {temperature, v1::AGGREGATE_TOTAL, "", "kW", "total_time: 'kW' is no unit of time"},
      {temperature, v1::AGGREGATE_AVERAGE, "", "rides", "total_time: 'rides' is no unit that is known"},
      {temperature, v1::AGGREGATE_AVERAGE, "rides", "", "'rides' is no unit that is known"},
      {temperature, v1::AGGREGATE_SUM, "K", "",
       "tag 1 'plant/temperature' has no Sum in K: the zeros of Cel and K differ"},
      {temperature, v1::AGGREGATE_TOTAL2, "[degF]", "h",
       "tag 1 'plant/temperature' has no Total2 in [degF]: the zeros of Cel and [degF] differ"},
      {none, v1::AGGREGATE_AVERAGE, "kPa", "", "tag 2 'plant/none' has no unit: it cannot be read in kPa"},
      {state, v1::AGGREGATE_COUNT, "s", "",
       "tag 3 'plant/state' is of type digital, which has no unit: it cannot be read in s"},
  };
  for (const auto& row : kTable) {
    v1::ReadProcessedRequest request = ProcessedOf(row.tag, row.unit);
    request.set_total_time(row.total_time);
    request.add_aggregates(row.aggregate);
    const grpc::Status status = ReadProcessed(request).second;
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << row.message;
    EXPECT_THAT(status.error_message(), HasSubstr(row.message));
  }
}

TEST_F(ReadUnitsTest, WhatCannotBeConvertedIsRefusedWithTheTagAndBothUnits) {
  const uint32_t flow = Create("plant/flow", "m3/h");
  const uint32_t none = Create("plant/none", "");
  const uint32_t rides = Create("plant/rides", "rides");
  const uint32_t state = Create("plant/state", "", v1::VALUE_TYPE_DIGITAL);
  const uint32_t text = Create("plant/text", "m", v1::VALUE_TYPE_STRING);
  const struct {
    uint32_t tag;
    const char* unit;
    const char* message;
  } kTable[] = {
      {flow, "kg/s", "tag 1 'plant/flow': m3/h (volume flow) cannot be converted to kg/s (mass flow)"},
      {flow, "rides", "'rides' is no unit that is known"},
      {none, "kPa", "tag 2 'plant/none' has no unit: it cannot be read in kPa"},
      {rides, "kPa", "the unit of tag 3 'plant/rides': 'rides' is no unit that is known"},
      {state, "kPa", "tag 4 'plant/state' is of type digital, which has no unit: it cannot be read in kPa"},
      {text, "km", "tag 5 'plant/text' is of type string, which has no unit: it cannot be read in km"},
  };
  for (const auto& row : kTable) {
    const auto expect = [&](const grpc::Status& status) {
      EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << row.message;
      EXPECT_THAT(status.error_message(), HasSubstr(row.message));
    };
    expect(ReadRaw(RawIn(row.tag, row.unit)).second);
    v1::ReadLatestRequest latest;
    latest.mutable_tags()->add_ids(row.tag);
    latest.set_unit(row.unit);
    v1::ReadLatestResponse latest_response;
    grpc::ClientContext latest_context;
    expect(server_.query().ReadLatest(&latest_context, latest, &latest_response));
    v1::ReadAtTimesRequest at;
    at.mutable_tags()->add_ids(row.tag);
    at.add_times(kNow);
    at.set_unit(row.unit);
    v1::ReadAtTimesResponse at_response;
    grpc::ClientContext at_context;
    expect(server_.query().ReadAtTimes(&at_context, at, &at_response));
    if (row.tag == text) continue;  // Has no plot.
    v1::PlotRequest plot;
    plot.mutable_tags()->add_ids(row.tag);
    plot.set_end(5);
    plot.set_columns(1);
    plot.set_unit(row.unit);
    grpc::ClientContext plot_context;
    expect(server_.query().Plot(&plot_context, plot)->Finish());
  }
}

// The answer as of a version stays the same for ever.
TEST_F(ReadUnitsTest, AsOfAVersionTheUnitIsTheOneOfThen) {
  const uint32_t tag = Create("plant/pressure", "bar");
  server_.Store(tag, {{kNow - 1, 2}});
  v1::MarkVersionRequest mark;
  v1::MarkVersionResponse closed;
  grpc::ClientContext context;
  const grpc::Status status = server_.admin().MarkVersion(&context, mark, &closed);
  ASSERT_TRUE(status.ok()) << status.error_message();
  SetUnit(tag, "psi");
  v1::ReadRawRequest request = RawIn(tag, "kPa");
  EXPECT_NEAR(ReadRaw(request).first.samples().values().float64().values(0), 13.789514586336722, 1e-12);
  request.mutable_as_of()->set_version(closed.version().version());
  EXPECT_THAT(ReadRaw(request).first.samples().values().float64().values(), ElementsAre(200));
  request.clear_unit();
  EXPECT_EQ(ReadRaw(request).first.unit(), "bar");
}

TEST_F(ReadUnitsTest, TagsSayWhatTheirUnitMeans) {
  Create("plant/flow", "m³/h");
  EXPECT_EQ(created_.unit(), "m³/h");
  EXPECT_TRUE(created_.unit_info().known());
  EXPECT_EQ(created_.unit_info().ucum(), "m3/h");
  EXPECT_EQ(created_.unit_info().quantity(), "volume flow");
  EXPECT_EQ(created_.unit_info().si_unit(), "m3/s");
  EXPECT_EQ(created_.unit_info().factor(), 1 / 3600.0);
  EXPECT_EQ(created_.unit_info().offset(), 0);
  EXPECT_EQ(created_.unit_info().note(), "");
  Create("plant/temperature", "degF");
  EXPECT_DOUBLE_EQ(created_.unit_info().offset(), 459.67 * 5 / 9);
  Create("plant/charge", "C");
  EXPECT_EQ(created_.unit_info().note(), "'C' means C (charge); was it meant as Cel?");
  Create("plant/rides", "rides");
  EXPECT_EQ(created_.unit(), "rides");
  EXPECT_FALSE(created_.unit_info().known());
  EXPECT_THAT(created_.unit_info().note(), HasSubstr("'rides' is no unit that is known"));
  Create("plant/none", "");
  EXPECT_FALSE(created_.has_unit_info());
}

}  // namespace
}  // namespace historian::server
