#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include "absl/time/clock.h"
#include "client/fake_server.h"
#include "client/wire.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/histbench/endless.h"
#include "tools/histbench/ingest.h"
#include "tools/histbench/report.h"
#include "tools/histbench/workload.h"

namespace historian::histbench {
namespace {

Workload MakeWorkload(WorkloadKind kind, size_t tags, int64_t seconds) {
  Workload workload({.kind = kind, .seed = 7, .tags = tags, .seconds = seconds});
  std::vector<Tag> named;
  for (size_t i = 0; i < tags; ++i) named.push_back({.id = static_cast<TagId>(i + 1)});
  workload.SetTags(named);
  return workload;
}

// Every sample of the workload is in exactly one frame; tells how many frames there are.
void ExpectComplete(const Workload& workload, size_t connections, size_t bytes_max) {
  std::map<TagId, Samples> sent;
  Workload::Source source(workload, connections, 0, workload.options().seconds);
  std::vector<std::vector<EncodedFrame>> lanes;
  while (source.Next(bytes_max, &lanes)) {
    ASSERT_EQ(lanes.size(), connections);
    for (const std::vector<EncodedFrame>& lane : lanes) {
      for (const EncodedFrame& encoded : lane) {
        v1::Frame frame;
        ASSERT_TRUE(frame.ParseFromString(encoded.bytes));
        uint64_t samples = 0;
        for (const v1::Column& column : frame.columns()) {
          const auto batch = client::FromWire(column);
          ASSERT_TRUE(batch.ok()) << batch.status();
          ASSERT_TRUE(IsStrictlyAscending(batch->samples.times.data(), batch->samples.size()));
          sent[batch->tag_id].Append(batch->type, batch->samples.View());
          samples += batch->samples.size();
        }
        for (const v1::Snapshot& snapshot : frame.snapshots()) {
          Samples values;
          ASSERT_TRUE(client::ValuesFromWire(snapshot.values(), &values).ok());
          const size_t size = values.values.size();
          ASSERT_TRUE(client::QualitiesFromWire(snapshot.qualities(), size, &values.qualities).ok());
          for (size_t i = 0; i < size; ++i) {
            sent[snapshot.tag_ids(static_cast<int>(i))].Add(
                snapshot.time(), values.values[i], values.qualities.empty() ? kGood : values.qualities[i]);
          }
          samples += size;
        }
        ASSERT_EQ(samples, encoded.samples);
        ASSERT_LE(samples, 32'768u);
      }
    }
  }
  Samples expected;
  for (size_t i = 0; i < workload.sensors().size(); ++i) {
    const ValueType type = workload.sensors()[i].tag.type;
    workload.Expected(i, workload.options().seconds, &expected);
    Samples& got = sent[static_cast<TagId>(i + 1)];
    ASSERT_EQ(got.size(), expected.size()) << "tag " << i;
    SortAndKeepLast(type, &got);
    ASSERT_EQ(got.size(), expected.size()) << "tag " << i;
    for (size_t k = 0; k < got.size(); ++k) ASSERT_TRUE(SameSample(type, got.View(), k, expected.View(), k));
  }
}

TEST(Workload, FramesHoldEverySampleOnce) {
  const struct {
    WorkloadKind kind;
    size_t tags;
    int64_t seconds;
  } cases[] = {
      {WorkloadKind::kPlant, 40, 5000},  {WorkloadKind::kPlant, 3, 100},   {WorkloadKind::kPlant, 999, 131},
      {WorkloadKind::kPlant, 40'000, 3}, {WorkloadKind::kLate, 40, 5000},  {WorkloadKind::kLate, 500, 333},
      {WorkloadKind::kWide, 300, 200},   {WorkloadKind::kSmall, 300, 200}, {WorkloadKind::kWide, 40'000, 16}};
  for (const auto& c : cases) {
    const Workload workload = MakeWorkload(c.kind, c.tags, c.seconds);
    for (const size_t connections : {1, 3}) {
      SCOPED_TRACE(testing::Message()
                   << c.tags << " tags " << c.seconds << " s " << connections << " connections");
      ExpectComplete(workload, connections, size_t{1} << 30);
      ExpectComplete(workload, connections, 100'000);
    }
  }
}

TEST(Workload, LateSamplesComeLate) {
  const Workload workload = MakeWorkload(WorkloadKind::kLate, 100, 4000);
  Workload::Source source(workload, 1, 0, 4000);
  std::vector<std::vector<EncodedFrame>> lanes;
  std::map<TagId, Timestamp> newest;
  uint64_t late = 0, all = 0;
  while (source.Next(size_t{1} << 30, &lanes)) {
    for (const EncodedFrame& encoded : lanes[0]) {
      v1::Frame frame;
      ASSERT_TRUE(frame.ParseFromString(encoded.bytes));
      for (const v1::Column& column : frame.columns()) {
        const auto batch = client::FromWire(column);
        Timestamp& n = newest[batch->tag_id];
        for (const Timestamp t : batch->samples.times) late += t < n;
        n = std::max(n, batch->samples.times.back());
        all += batch->samples.size();
      }
    }
  }
  EXPECT_NEAR(static_cast<double>(late) / static_cast<double>(all), 0.05, 0.01);
}

TEST(Workload, PeriodsAndBeginsAreThoseAskedFor) {
  for (const WorkloadKind kind : {WorkloadKind::kPlant, WorkloadKind::kSmall}) {
    Workload workload(
        {.kind = kind, .tags = 50, .seconds = 200, .first_second = 1'000'000'000, .period_seconds = 10});
    std::vector<Tag> named;
    for (size_t i = 0; i < 50; ++i) named.push_back({.id = static_cast<TagId>(i + 1)});
    workload.SetTags(named);
    ExpectComplete(workload, 2, size_t{1} << 30);
    Samples expected;
    workload.Expected(0, 200, &expected);
    EXPECT_NEAR(static_cast<double>(expected.times.front()), 1e18, 1e7);
    EXPECT_NEAR(static_cast<double>(expected.times.back()), 1e18 + 1990e9, 1e7);
    EXPECT_LT(expected.times.back(), workload.EndOf(200));
  }
}

TEST(Endless, FramesMoveInTimeAndKeepAllElse) {
  constexpr int64_t kLater = 123'456'789'000;
  for (const WorkloadKind kind :
       {WorkloadKind::kPlant, WorkloadKind::kLate, WorkloadKind::kWide, WorkloadKind::kSmall}) {
    const Workload workload = MakeWorkload(kind, 40, 500);
    Workload::Source source(workload, 1, 0, 500);
    std::vector<std::vector<EncodedFrame>> lanes;
    while (source.Next(size_t{1} << 30, &lanes)) {
      for (EncodedFrame& encoded : lanes[0]) {
        v1::Frame before, after;
        ASSERT_TRUE(before.ParseFromString(encoded.bytes));
        const absl::StatusOr<MovableFrame> movable = MakeMovable(std::move(encoded));
        ASSERT_TRUE(movable.ok()) << movable.status();
        ASSERT_TRUE(after.ParseFromString(movable->Moved(kLater)));
        ASSERT_EQ(before.columns_size(), after.columns_size());
        for (int c = 0; c < before.columns_size(); ++c) {
          const auto a = client::FromWire(before.columns(c)), b = client::FromWire(after.columns(c));
          ASSERT_TRUE(a.ok() && b.ok());
          ASSERT_EQ(a->samples.values, b->samples.values);
          for (size_t i = 0; i < a->samples.size(); ++i)
            ASSERT_EQ(a->samples.times[i] + kLater, b->samples.times[i]);
        }
        ASSERT_EQ(before.snapshots_size(), after.snapshots_size());
        for (int s = 0; s < before.snapshots_size(); ++s) {
          v1::Snapshot moved = before.snapshots(s);
          moved.set_time(moved.time() + kLater);
          ASSERT_EQ(moved.SerializeAsString(), after.snapshots(s).SerializeAsString());
        }
      }
    }
  }
}

TEST(Endless, TimesOfTheirOwnAreMovedEach) {
  v1::Frame frame;
  v1::Column* const column = frame.add_columns();
  for (const int64_t time : std::initializer_list<int64_t>{5, 7, 1'000'000'000'007})
    column->mutable_times()->mutable_explicit_()->add_at(time);
  for (const double value : {1.5, 2.5, 3.5}) column->mutable_values()->mutable_float64()->add_values(value);
  const absl::StatusOr<MovableFrame> movable =
      MakeMovable({.bytes = frame.SerializeAsString(), .samples = 3});
  ASSERT_TRUE(movable.ok()) << movable.status();
  v1::Frame moved;
  ASSERT_TRUE(moved.ParseFromString(movable->Moved(10)));
  for (int64_t& time : *column->mutable_times()->mutable_explicit_()->mutable_at()) time += 10;
  EXPECT_EQ(moved.SerializeAsString(), frame.SerializeAsString());
}

TEST(Endless, SendsUntilToldToEnd) {
  client::FakeServer server;
  const Workload workload = MakeWorkload(WorkloadKind::kPlant, 20, 300);
  auto writer =
      EndlessWriter::Begin(workload, {.target = absl::StrCat("127.0.0.1:", server.port()), .connections = 2});
  ASSERT_TRUE(writer.ok()) << writer.status();
  while ((*writer)->acknowledged() < 30'000) absl::SleepFor(absl::Milliseconds(1));
  ASSERT_TRUE((*writer)->End().ok());
  EXPECT_EQ((*writer)->acknowledged(), server.stored_samples());
  EXPECT_GT((*writer)->sent_until(), workload.EndOf(300));
  EXPECT_FALSE((*writer)->TakeAcks().empty());
}

TEST(Ingest, SendsEverythingAndTimesEveryFrame) {
  client::FakeServer server;
  const Workload workload = MakeWorkload(WorkloadKind::kPlant, 20, 3000);
  const auto result = Ingest(
      workload, 0, 3000,
      {.target = absl::StrCat("127.0.0.1:", server.port()), .connections = 3, .memory_bytes = 100'000});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->samples, 60'000u);
  EXPECT_EQ(server.stored_samples(), 60'000u);
  EXPECT_EQ(result->ack_ms.size(), result->frames);
  EXPECT_GT(result->pieces, 1);
  EXPECT_GT(result->rate(), 0);
}

TEST(Report, JsonHasTheKeysThatOthersRead) {
  Report report;
  DescribeMachine(&report);
  report.workload = "plant \"x\"";
  report.connections = {4, 1};
  report.runs.resize(2);
  report.runs[0].ingest.samples = 1000;
  report.runs[0].ingest.seconds = 0.5;
  report.runs[0].queries.push_back({.name = "raw_hour", .p50_ms = 1.25});
  const std::string json = ToJson(report);
  for (const char* part : {"\"connections\": 4", "\"samples_per_second\": 2000", "\"ack_p50_ms\": 0",
                           "\"server_cpu_seconds_per_million\": null", "\"lost\": 0", "\"duplicated\": 0",
                           "\"peak_bytes\": null", "\"bytes_per_sample\": null", "\"p50_ms\": 1.25",
                           "\"restart\": {", "plant \\\"x\\\""}) {
    EXPECT_THAT(json, testing::HasSubstr(part));
  }
  EXPECT_LT(json.find("\"samples_per_second\""), json.find("\"runs\""));
  EXPECT_THAT(ToTable(report), testing::HasSubstr("durable samples/s"));
}

TEST(Report, IngestFiguresAreOfTheSustainedSending) {
  Report report;
  report.connections = {4};
  report.runs.resize(1);
  report.runs[0].ingest.samples = 1000;
  report.runs[0].ingest.seconds = 0.5;
  report.runs[0].verification.lost = 1;
  report.runs[0].sustained.emplace();
  report.runs[0].sustained->ingest.samples = 60'000;
  report.runs[0].sustained->ingest.seconds = 60;
  report.runs[0].sustained->ingest.server_cpu_seconds = 3;
  report.runs[0].sustained->lost = 4;
  const std::string json = ToJson(report);
  for (const char* part :
       {"\"seconds\": 60", "\"samples_per_second\": 1000", "\"sent_once_samples_per_second\": 2000",
        "\"server_cpu_seconds_per_million\": 50", "\"lost\": 5"}) {
    EXPECT_THAT(json, testing::HasSubstr(part));
  }
}

TEST(Quantile, IsTheNearestRank) {
  std::vector<double> values = {4, 1, 3, 2};
  EXPECT_EQ(Quantile(values, 0.5), 2);
  EXPECT_EQ(Quantile(values, 0.99), 4);
  std::vector<double> none;
  EXPECT_EQ(Quantile(none, 0.5), 0);
}

}  // namespace
}  // namespace historian::histbench
