#include "client/reader.h"

#include "client/fake_server.h"
#include "client/wire.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace historian::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

v1::RawFrame Frame(Timestamp first, size_t n) {
  Samples samples;
  for (size_t i = 0; i < n; ++i) samples.Add(first + static_cast<Timestamp>(i), i);
  v1::RawFrame frame;
  if (n == 0) {
    frame.mutable_samples()->set_tag_id(3);
  } else {
    ColumnToWire(3, ValueType::kInt64, samples.View(), frame.mutable_samples());
  }
  return frame;
}

TEST(Raw, WalksBatchesAndSkipsEmptyFrames) {
  FakeServer server;
  server.raw_frames = {Frame(0, 5), Frame(0, 0), Frame(5, 2)};
  server.raw_frames.back().set_continuation("more");
  RawSamples raw =
      Reader(server.connection())
          .Raw("flow", 10, 20, {.bounds = true, .reverse = true, .limit = 7, .continuation = "c"});
  std::vector<size_t> sizes;
  for (const SampleBatch& batch : raw) sizes.push_back(batch.samples.size());
  EXPECT_TRUE(raw.status().ok()) << raw.status();
  EXPECT_THAT(sizes, ElementsAre(5, 2));
  EXPECT_EQ(raw.continuation(), "more");
  EXPECT_EQ(server.raw_request.tag_name(), "flow");
  EXPECT_EQ(server.raw_request.start(), 10);
  EXPECT_EQ(server.raw_request.end(), 20);
  EXPECT_EQ(server.raw_request.limit(), 7u);
  EXPECT_TRUE(server.raw_request.bounds() && server.raw_request.reverse());
  EXPECT_EQ(server.raw_request.continuation(), "c");
}

TEST(Raw, FiltersAndUnitsAreAskedForAndAnswered) {
  FakeServer server;
  server.raw_frames = {Frame(0, 5)};
  server.raw_frames[0].set_unit("kPa");
  const Reader reader(server.connection());
  const auto all =
      reader
          .Raw(TagId{3}, 10, 20,
               {.filter = SampleFilter{.bad = true, .maximum = 2.5, .states = {4}}, .unit = "kPa"})
          .Collect();
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->unit, "kPa");
  EXPECT_FALSE(server.raw_request.opc_ua());
  EXPECT_EQ(server.raw_request.unit(), "kPa");
  const v1::SampleFilter& filter = server.raw_request.filter();
  EXPECT_TRUE(filter.bad() && !filter.good() && !filter.uncertain());
  EXPECT_TRUE(filter.has_maximum() && !filter.has_minimum());
  EXPECT_EQ(filter.maximum(), 2.5);
  EXPECT_THAT(filter.states(), ElementsAre(4));
}

TEST(Raw, ByOpcUaSaysWhichEdgesThereAre) {
  FakeServer server;
  server.raw_frames = {Frame(0, 5)};
  const Reader reader(server.connection());
  EXPECT_TRUE(reader.RawByOpcUa(TagId{3}, 20, std::nullopt, {.bounds = true, .limit = 5}).Collect().ok());
  EXPECT_TRUE(server.raw_request.opc_ua() && server.raw_request.bounds());
  EXPECT_TRUE(server.raw_request.has_start() && !server.raw_request.has_end());
  EXPECT_EQ(server.raw_request.start(), 20);
  EXPECT_EQ(server.raw_request.limit(), 5u);
  EXPECT_FALSE(server.raw_request.has_filter());
  EXPECT_TRUE(reader.RawByOpcUa(TagId{3}, std::nullopt, 0).Collect().ok());
  EXPECT_TRUE(!server.raw_request.has_start() && server.raw_request.has_end());
}

TEST(Raw, CollectsAll) {
  FakeServer server;
  server.raw_frames = {Frame(0, 5), Frame(5, 2)};
  const auto all = Reader(server.connection()).Raw(TagId{3}, 0, 20).Collect();
  ASSERT_TRUE(all.ok());
  EXPECT_EQ(all->tag_id, 3u);
  EXPECT_EQ(all->type, ValueType::kInt64);
  EXPECT_THAT(all->samples.times, ElementsAre(0, 1, 2, 3, 4, 5, 6));
}

TEST(Raw, AnErrorEndsTheWalkAndSaysWhatWasRead) {
  FakeServer server;
  server.raw_frames = {Frame(0, 5)};
  server.query_status = grpc::Status(grpc::StatusCode::DATA_LOSS, "checksum");
  RawSamples raw = Reader(server.connection()).Raw(TagId{3}, 0, 20);
  size_t samples = 0;
  for (const SampleBatch& batch : raw) samples += batch.samples.size();
  EXPECT_EQ(samples, 5u);
  EXPECT_EQ(raw.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(raw.status().message()), HasSubstr("reading tag 3 from 1970"));
}

TEST(Raw, MalformedFramesAreInternal) {
  FakeServer server;
  server.raw_frames = {Frame(0, 5), Frame(5, 2)};
  server.raw_frames[1].mutable_samples()->clear_times();
  RawSamples raw = Reader(server.connection()).Raw(TagId{3}, 0, 20);
  EXPECT_NE(raw.Next(), nullptr);
  EXPECT_EQ(raw.Next(), nullptr);
  EXPECT_EQ(raw.Next(), nullptr);
  EXPECT_EQ(raw.status().code(), absl::StatusCode::kInternal);
}

TEST(Raw, MayBeLeftEarlyMovedAndCancelled) {
  FakeServer server;
  server.raw_frames.assign(2000, Frame(0, 1000));  // More than fits in flight.
  const Reader reader(server.connection());
  {
    RawSamples raw = reader.Raw(TagId{3}, 0, 20);
    EXPECT_NE(raw.Next(), nullptr);
    RawSamples moved = std::move(raw);
    EXPECT_NE(moved.Next(), nullptr);
  }
  RawSamples raw = reader.Raw(TagId{3}, 0, 20);
  EXPECT_NE(raw.Next(), nullptr);
  raw.Cancel();
  while (raw.Next() != nullptr) {
  }
  EXPECT_EQ(raw.status().code(), absl::StatusCode::kCancelled);
}

TEST(Latest, GroupsByType) {
  FakeServer server;
  v1::TagSamples* group = server.latest.add_samples();
  group->add_tag_ids(1);
  group->add_times(5);
  group->mutable_values()->mutable_string()->add_values("on");
  server.latest.add_empty(2);
  const auto latest = Reader(server.connection()).ReadLatest({.ids = {1, 2}});
  ASSERT_TRUE(latest.ok()) << latest.status();
  EXPECT_EQ(latest->groups[0].samples.View().StringAt(0), "on");
  EXPECT_THAT(latest->empty, ElementsAre(2));
}

TEST(AtTimes, HasOneValuePerTime) {
  FakeServer server;
  v1::AtTimes* tag = server.at_times.add_tags();
  tag->set_tag_id(1);
  tag->mutable_values()->mutable_float64()->add_values(1.5);
  const Reader reader(server.connection());
  const Timestamp times[] = {7, 8};
  EXPECT_EQ(reader.AtTimes({.ids = {1}}, times).status().code(), absl::StatusCode::kInternal);
  const auto at = reader.AtTimes({.ids = {1}}, absl::MakeConstSpan(times, 1));
  ASSERT_TRUE(at.ok()) << at.status();
  EXPECT_THAT((*at)[0].samples.times, ElementsAre(7));
}

TEST(Joined, GivesTheRowsOfEachFrame) {
  FakeServer server;
  for (const Timestamp first : {10, 12}) {
    v1::JoinedFrame& frame = server.joined.emplace_back();
    frame.add_times(first);
    frame.add_times(first + 1);
    v1::AtTimes* const tag = frame.add_tags();
    tag->set_tag_id(3);
    tag->mutable_values()->mutable_float64()->add_values(static_cast<double>(first));
    tag->mutable_values()->mutable_float64()->add_values(1.5);
    frame.set_version(7);
    frame.set_unit("kPa");
  }
  const Reader reader(server.connection());
  std::vector<Timestamp> times;
  const auto take = [&](const JoinedRows& rows) {
    EXPECT_EQ(rows.tags.size(), 1);
    EXPECT_EQ(rows.tags[0].tag_id, 3);
    EXPECT_EQ(rows.tags[0].samples.times, rows.times);
    EXPECT_EQ(rows.tags[0].samples.values[0], BitsOfFloat64(static_cast<double>(rows.times[0])));
    EXPECT_EQ(rows.version, 7);
    EXPECT_EQ(rows.unit, "kPa");
    times.insert(times.end(), rows.times.begin(), rows.times.end());
    return absl::OkStatus();
  };
  JoinedRequest request{.start = 10, .end = 14, .step = absl::Nanoseconds(1), .limit = 9, .unit = "kPa"};
  ASSERT_TRUE(reader.Joined({.ids = {3}}, request, take).ok());
  EXPECT_THAT(times, ElementsAre(10, 11, 12, 13));
  EXPECT_EQ(server.joined_request.grid().step_ns(), 1);
  EXPECT_EQ(server.joined_request.limit(), 9);
  EXPECT_EQ(server.joined_request.unit(), "kPa");
  request.step = absl::ZeroDuration();
  ASSERT_TRUE(reader.Joined({.ids = {3}}, request, take).ok());
  EXPECT_EQ(server.joined_request.changes().end(), 14);
  request.times = {5};
  ASSERT_TRUE(reader.Joined({.ids = {3}}, request, take).ok());
  EXPECT_THAT(server.joined_request.times().at(), ElementsAre(5));
  // Who has enough ends it, and says why.
  int taken = 0;
  const absl::Status enough = reader.Joined({.ids = {3}}, request, [&](const JoinedRows&) {
    ++taken;
    return absl::OutOfRangeError("enough");
  });
  EXPECT_EQ(enough, absl::OutOfRangeError("enough"));
  EXPECT_EQ(taken, 1);
  server.joined[1].add_times(14);
  EXPECT_EQ(reader.Joined({.ids = {3}}, request, take).code(), absl::StatusCode::kInternal);
  request.step = absl::Nanoseconds(1) / 2;
  EXPECT_EQ(reader.Joined({.ids = {3}}, request, take).code(), absl::StatusCode::kInvalidArgument);
}

TEST(Processed, ReadsBothKindsOfColumns) {
  FakeServer server;
  v1::ProcessedSeries* series = server.processed.emplace_back().add_series();
  series->set_tag_id(1);
  v1::ProcessedColumn* average = series->add_columns();
  average->set_aggregate(v1::AGGREGATE_AVERAGE);
  average->set_unit("kPa");
  average->mutable_floats()->add_values(1.5);
  average->mutable_floats()->add_values(2.5);
  average->mutable_status()->add_first(1);
  average->mutable_status()->add_count(1);
  average->mutable_status()->add_quality(kBadNoData);
  v1::ProcessedColumn* count = series->add_columns();
  count->set_aggregate(v1::AGGREGATE_COUNT);
  count->mutable_integers()->add_values(3);
  const Reader reader(server.connection());
  const ProcessedRequest request{.start = 0,
                                 .end = 10,
                                 .interval = absl::Nanoseconds(5),
                                 .aggregates = {Aggregate::kAverage, Aggregate::kCount},
                                 .unit = "kPa",
                                 .total_time = "h"};
  const auto processed = reader.Processed({.pattern = "*"}, request);
  ASSERT_TRUE(processed.ok()) << processed.status();
  EXPECT_EQ(server.processed_request.interval_ns(), 5u);
  EXPECT_EQ(server.processed_request.unit(), "kPa");
  EXPECT_EQ(server.processed_request.total_time(), "h");
  EXPECT_EQ((*processed)[0].columns[0].unit, "kPa");
  EXPECT_EQ((*processed)[0].columns[1].unit, "");
  const ProcessedColumn& column = (*processed)[0].columns[0];
  EXPECT_THAT(std::get<0>(column.values), ElementsAre(1.5, 2.5));
  EXPECT_EQ(column.StatusAt(0), kGood | kInfoCalculated);
  EXPECT_EQ(column.StatusAt(1), kBadNoData);
  EXPECT_EQ((*processed)[0].columns[1].AsDouble(0), 3.0);
  EXPECT_EQ((*processed)[0].columns[1].StatusAt(0), kGood | kInfoCalculated);
  series->mutable_columns(1)->clear_kind();
  EXPECT_EQ(reader.Processed({.pattern = "*"}, request).status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(reader.Processed({.ids = {1}}, {.start = 0, .end = 1, .interval = absl::Nanoseconds(1) / 2})
                .status()
                .code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Processed, KnowsWhereEachIntervalBeginsAndEnds) {
  FakeServer server;
  const auto add = [](v1::ProcessedFrame* frame, int values) {
    v1::ProcessedColumn* count = frame->add_series()->add_columns();
    count->set_aggregate(v1::AGGREGATE_COUNT);
    for (int i = 0; i < values; ++i) count->mutable_integers()->add_values(i);
  };
  add(&server.processed.emplace_back(), 3);
  v1::ProcessedSeries* even = server.processed[0].mutable_series(0);
  even->set_start(100);
  even->set_interval_ns(10);
  const Reader reader(server.connection());
  ProcessedRequest request{
      .start = 100, .end = 125, .interval = absl::Nanoseconds(10), .aggregates = {Aggregate::kCount}};
  auto processed = reader.Processed({.ids = {1}}, request);
  ASSERT_TRUE(processed.ok()) << processed.status();
  EXPECT_EQ((*processed)[0].BeginOf(2), 120);
  EXPECT_EQ((*processed)[0].EndOf(1), 120);
  EXPECT_EQ((*processed)[0].EndOf(2), 125);

  request = {
      .start = 100, .end = 125, .aggregates = {Aggregate::kCount}, .calendar = v1::Calendar(), .window = 2};
  request.calendar->set_zone("Europe/Berlin");
  const auto malformed = [&] {
    const absl::Status status = reader.Processed({.ids = {1}}, request).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
    return std::string(status.message());
  };
  EXPECT_THAT(malformed(), HasSubstr("does not say which intervals"));
  v1::ProcessedIntervals* intervals = server.processed[0].mutable_intervals();
  for (const int64_t edge : {90, 100, 111, 130}) intervals->add_edges(edge);
  intervals->set_window(2);
  intervals->set_tz_version("2031c");
  EXPECT_THAT(malformed(), HasSubstr("3 values for 2 intervals"));
  server.processed[0].clear_series();
  add(&server.processed[0], 2);
  add(&server.processed.emplace_back(), 2);
  processed = reader.Processed({.ids = {1, 2}}, request);
  ASSERT_TRUE(processed.ok()) << processed.status();
  EXPECT_EQ(server.processed_request.calendar().zone(), "Europe/Berlin");
  EXPECT_EQ(server.processed_request.window(), 2u);
  for (const ProcessedSeries& one : *processed) {
    EXPECT_EQ(one.BeginOf(1), 100);
    EXPECT_EQ(one.EndOf(0), 111);
    EXPECT_EQ(one.EndOf(1), 130);
    EXPECT_EQ(one.ShiftOf(1), "");
    EXPECT_EQ(one.intervals->tz_version, "2031c");
  }
  intervals->add_shifts(0);
  EXPECT_THAT(malformed(), HasSubstr("1 shifts for 2 intervals"));
  intervals->add_shifts(1);
  intervals->add_shift_names("early");
  EXPECT_THAT(malformed(), HasSubstr("shift 1 has no name"));
  intervals->add_shift_names("late");
  processed = reader.Processed({.ids = {1, 2}}, request);
  ASSERT_TRUE(processed.ok()) << processed.status();
  EXPECT_EQ((*processed)[1].ShiftOf(1), "late");
  intervals->set_window(4);
  EXPECT_THAT(malformed(), HasSubstr("4 edges for windows of 4"));
}

TEST(Plot, HasSamplesAndMarks) {
  FakeServer server;
  v1::PlotSeries* series = server.plot.emplace_back().add_series();
  *series->mutable_samples() = Frame(0, 4).samples();
  series->add_not_good_columns(9);
  series->add_empty_first(10);
  series->add_empty_count(90);
  const auto plot = Reader(server.connection()).Plot({.ids = {3}}, 0, 10, 100);
  ASSERT_TRUE(plot.ok()) << plot.status();
  EXPECT_EQ((*plot)[0].tag_id, 3u);
  EXPECT_EQ((*plot)[0].samples.size(), 4u);
  EXPECT_THAT((*plot)[0].not_good_columns, ElementsAre(9));
  EXPECT_THAT((*plot)[0].empty_columns, ElementsAre(ColumnRun{10, 90}));
  series->add_empty_first(200);
  EXPECT_EQ(Reader(server.connection()).Plot({.ids = {3}}, 0, 10, 100).status().code(),
            absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace historian::client
