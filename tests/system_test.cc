// The whole system, over loopback gRPC and through the client: random samples of all types go in, out of
// order, repeated and contradicting; every kind of read must give what a plain model gives, and as of versions
// that were marked what it gave then, while the server seals, is killed and restarts.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <set>

#include "absl/strings/str_cat.h"
#include "client/client.h"
#include "gtest/gtest.h"
#include "storage/aggregate/direct_aggregates.h"
#include "storage/aggregate/direct_interval.h"
#include "storage/archive/archive_model.h"
#include "tests/server_process.h"

namespace historian {
namespace {

using testing::ScratchDirectory;
using testing::ServerProcess;

constexpr Timestamp kStart = 1'700'000'000 * kNanosPerSecond;
constexpr Timestamp kPeriod = kNanosPerSecond;

class SystemTest : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    data_dir_ = ScratchDirectory("system");
    StartServer(0);
    ASSERT_NE(server_, nullptr);
    connection_ = *client::Connection::Open({.target = server_->target()});
    std::vector<Tag> wanted;
    for (uint8_t type = 1; IsKnownValueType(type); ++type) {
      wanted.push_back({.name = absl::StrCat("system/", ValueTypeName(static_cast<ValueType>(type))),
                        .type = static_cast<ValueType>(type),
                        .interpolation = DefaultInterpolation(static_cast<ValueType>(type))});
    }
    auto tags = client::Tags(*connection_).Ensure(wanted);
    ASSERT_TRUE(tags.ok()) << tags.status();
    tags_ = *tags;
    writer_ = *client::Writer::Open(*connection_, {.producer = "system test",
                                                   .backoff_min = absl::Milliseconds(10),
                                                   .backoff_max = absl::Milliseconds(100)});
  }

  void StartServer(int port) {
    auto server = ServerProcess::Start(
        {.data_dir = data_dir_, .grpc_port = port, .flags = {"--archive-journal-bytes-max=1MiB"}});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  void Restart(bool kill) {
    const int port = server_->grpc_port();
    if (kill) {
      server_->Kill();
    } else {
      ASSERT_TRUE(server_->Terminate()) << server_->LogTail();
    }
    StartServer(port);
    ASSERT_TRUE(connection_->WaitUntilConnected(absl::Seconds(20)).ok());
  }

  void WriteSome() {
    const Tag& tag = tags_[random_() % tags_.size()];
    Timestamp& now = now_.emplace(tag.id, kStart).first->second;
    const bool late = random_() % 4 == 0;
    Timestamp t = late ? now - static_cast<int64_t>(random_() % 5000) * kPeriod : now;
    FrameColumn column{.tag = tag.id, .type = tag.type};
    const size_t count = 1 + random_() % (random_() % 6 == 0 ? 4000 : 60);
    for (size_t i = 0; i < count; ++i) {
      t += random_() % 3 == 0 ? 1 + static_cast<int64_t>(random_() % kPeriod) : kPeriod;
      const Quality quality = random_() % 50 == 0 ? 0x80310000 : random_() % 50 == 0 ? kUncertain : kGood;
      if (tag.type == ValueType::kString) {
        column.samples.AddString(t, std::string(random_() % 9, 'x'), quality);
        continue;
      }
      ValueBits value = random_() % 3;
      if (tag.type == ValueType::kFloat64) {
        value = random_() % 40 == 0 ? random_() : BitsOfFloat64(static_cast<double>(random_() % 1000) / 10);
      } else if (tag.type == ValueType::kFloat32) {
        value = BitsOfFloat32(static_cast<float>(random_() % 1000) / 10);
      } else if (tag.type == ValueType::kInt64) {
        value = random_() % 40 == 0 ? random_() : random_() % 1000;
      } else if (tag.type == ValueType::kBool) {
        value &= 1;
      }
      column.samples.Add(t, value, quality);
    }
    if (!late) now = t;
    const absl::Status added = writer_->AddColumn(tag.id, tag.type, column.samples.View());
    ASSERT_TRUE(added.ok()) << added;
    Frame frame;
    frame.columns.push_back(std::move(column));
    model_.Apply(frame);
  }

  void Check(const Tag& tag) {
    const std::string where = absl::StrCat("seed ", GetParam(), ", ", tag.name,
                                           seen_ == &model_ ? "" : absl::StrCat(" as of ", as_of_.version));
    const client::Reader reader(*connection_, as_of_);
    const ArchiveModel::TagSamples& stored = seen_->Of(tag.id);
    if (stored.empty()) return;
    const Timestamp begin = stored.begin()->first, end = stored.rbegin()->first + 1;
    const auto random_time = [&] { return begin + static_cast<int64_t>(random_() % Elapsed(begin, end)); };

    Timestamp a = random_time(), b = random_time() + 1;
    if (a > b) std::swap(a, b);
    auto raw = reader.Raw(tag.id, a, b).Collect();
    ASSERT_TRUE(raw.ok()) << raw.status();
    const Samples expected = seen_->Raw(tag.id, tag.type, a, b);
    ASSERT_EQ(raw->samples.size(), expected.size()) << where;
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_TRUE(SameSample(tag.type, raw->samples.View(), i, expected.View(), i))
          << where << ", sample " << i;
    }

    // Reading in pieces by limit and continuation gives the same, in both directions.
    for (const bool reverse : {false, true}) {
      client::RawOptions options{.reverse = reverse, .limit = 1 + expected.size() / 3};
      std::vector<Timestamp> times;
      do {
        client::RawSamples piece = reader.Raw(tag.id, a, b, options);
        for (const client::SampleBatch& batch : piece) {
          times.insert(times.end(), batch.samples.times.begin(), batch.samples.times.end());
        }
        ASSERT_TRUE(piece.status().ok()) << piece.status();
        options.continuation = piece.continuation();
      } while (!options.continuation.empty());
      if (reverse) std::reverse(times.begin(), times.end());
      ASSERT_EQ(times, expected.times) << where << (reverse ? ", reversed" : "");
    }

    auto latest = reader.ReadLatest({.ids = {tag.id}});
    ASSERT_TRUE(latest.ok()) << latest.status();
    ASSERT_EQ(latest->groups.size(), 1) << where;
    EXPECT_EQ(latest->groups[0].samples.times[0], stored.rbegin()->first) << where;
    if (seen_ != &model_) {
      EXPECT_EQ(latest->version, as_of_.version);
    }

    if (tag.type == ValueType::kString || a == b) return;
    CheckProcessed(tag, a, b, where);
    if (HasFatalFailure()) return;
    CheckPlot(tag, a, b, where);
  }

  void CheckProcessed(const Tag& tag, Timestamp a, Timestamp b, const std::string& where) {
    const int64_t interval = 1 + static_cast<int64_t>(Elapsed(a, b) / (1 + random_() % 40));
    std::vector<Timestamp> edges;
    for (Timestamp t = a; t < b; t += interval) edges.push_back(t);
    edges.push_back(b);
    std::vector<client::ProcessedColumn> columns;
    std::vector<Aggregate> all;
    for (const AggregateInfo& info : kAggregates) all.push_back(info.id);
    AggregateConfig config;
    config.treat_uncertain_as_bad = random_() % 2 == 0;
    config.use_sloped_extrapolation = random_() % 2 == 0;
    config.stepped = tag.interpolation == Interpolation::kStepped;
    const size_t cut = 1 + random_() % (all.size() - 1);
    for (const auto& part : {std::vector<Aggregate>(all.begin(), all.begin() + cut),
                             std::vector<Aggregate>(all.begin() + cut, all.end())}) {
      auto processed = client::Reader(*connection_, as_of_)
                           .Processed({.ids = {tag.id}}, {.start = a,
                                                          .end = b,
                                                          .interval = absl::Nanoseconds(interval),
                                                          .aggregates = part,
                                                          .config = config});
      ASSERT_TRUE(processed.ok()) << processed.status();
      ASSERT_EQ(processed->size(), 1);
      for (client::ProcessedColumn& column : (*processed)[0].columns) columns.push_back(std::move(column));
    }
    const Samples stored = seen_->Raw(tag.id, tag.type, kTimestampMin, kTimestampMax + 1);
    const SamplesView view = stored.View();
    const DirectSamples samples(tag.type, view, ExtentOf(view, config.resolution_ns), config);
    for (const client::ProcessedColumn& column : columns) {
      const std::string what = absl::StrCat(where, ", ", InfoOf(column.aggregate).name);
      ASSERT_EQ(column.size(), edges.size() - 1) << what;
      const auto* const floats = std::get_if<std::vector<double>>(&column.values);
      ASSERT_EQ(floats == nullptr, HasIntegers(column.aggregate, tag.type)) << what;
      const ValueType result = ResultTypeOf(column.aggregate, tag.type);
      for (size_t i = 0; i + 1 < edges.size(); ++i) {
        const StandardValue expected = ComputeDirectly(column.aggregate, samples, edges[i], edges[i + 1]);
        ValueBits value = 0;
        if (floats != nullptr) {
          value = BitsOfFloat64(expected.value.has_value() ? ToDouble(result, *expected.value)
                                                           : std::numeric_limits<double>::quiet_NaN());
        } else if (expected.value.has_value()) {
          value = *expected.value;
        }
        const ValueBits got = floats != nullptr
                                  ? BitsOfFloat64((*floats)[i])
                                  : BitsOfInt64(std::get<std::vector<int64_t>>(column.values)[i]);
        EXPECT_EQ(got, value) << what << " " << i;
        const bool is_cut = Elapsed(edges[i], edges[i + 1]) < static_cast<uint64_t>(interval);
        const bool is_partial =
            is_cut && InfoOf(column.aggregate).sets_partial && expected.status != kBadNoData;
        EXPECT_EQ(column.StatusAt(i), expected.status | (is_partial ? kInfoPartial : 0)) << what << " " << i;
        if (!column.times.empty()) {
          EXPECT_EQ(column.times[i], expected.time) << what << " " << i;
        }
      }
    }
  }

  void CheckPlot(const Tag& tag, Timestamp a, Timestamp b, const std::string& where) {
    const uint32_t pixels = 1 + random_() % 50;
    auto plot = client::Reader(*connection_, as_of_).Plot({.ids = {tag.id}}, a, b, pixels);
    ASSERT_TRUE(plot.ok()) << plot.status();
    const std::vector<Timestamp>& times = (*plot)[0].samples.times;
    const std::set<Timestamp> drawn(times.begin(), times.end());
    std::vector<Timestamp> edges;
    for (uint32_t k = 0; k <= pixels; ++k) {
      const Timestamp edge =
          a + static_cast<int64_t>(static_cast<unsigned __int128>(Elapsed(a, b)) * k / pixels);
      if (edges.empty() || edge > edges.back()) edges.push_back(edge);
    }
    std::set<Timestamp> empty;  // The edges they begin at.
    for (const client::ColumnRun& run : (*plot)[0].empty_columns) {
      for (uint32_t k = run.first; k < run.first + run.count; ++k) {
        empty.insert(a + static_cast<int64_t>(static_cast<unsigned __int128>(Elapsed(a, b)) * k / pixels));
      }
    }
    size_t at = 0;
    for (const Interval& column : seen_->Fold(tag.id, tag.type, edges, tag.interpolation)) {
      // Of columns of fewer nanoseconds than there are columns some have no width, and begin where another does.
      if (edges.size() == pixels + size_t{1}) {
        EXPECT_EQ(empty.contains(edges[at]), column.samples.count == 0) << where << " " << edges[at];
      }
      ++at;
      if (column.samples.count == 0) continue;
      EXPECT_TRUE(drawn.count(column.samples.first.time)) << where;
      EXPECT_TRUE(drawn.count(column.samples.last.time)) << where;
      if (column.samples.good == 0) continue;
      EXPECT_TRUE(drawn.count(column.samples.min.time)) << where;
      EXPECT_TRUE(drawn.count(column.samples.max.time)) << where;
    }
  }

  std::mt19937_64 random_{static_cast<uint64_t>(GetParam())};
  std::string data_dir_;
  std::unique_ptr<ServerProcess> server_;
  std::optional<client::Connection> connection_;
  std::vector<Tag> tags_;
  std::unique_ptr<client::Writer> writer_;
  std::map<TagId, Timestamp> now_;
  ArchiveModel model_;
  std::map<uint64_t, ArchiveModel> closed_;  // What each version saw that was marked.
  // What is checked.
  ArchiveModel* seen_ = &model_;
  AsOf as_of_;
};

TEST_P(SystemTest, EveryReadEqualsTheModel) {
  for (int round = 0; round < 6; ++round) {
    for (int i = 0; i < 60; ++i) {
      WriteSome();
      if (HasFatalFailure()) return;
    }
    if (round == 1 || round == 4) {
      Restart(/*kill=*/round == 4);  // With frames on their way.
      if (HasFatalFailure()) return;
    }
    const absl::Status flushed = writer_->Flush(absl::Seconds(30));
    ASSERT_TRUE(flushed.ok()) << flushed << "\n" << server_->LogTail();
    if (round == 2) {
      const auto sealed = client::Admin(*connection_).Seal();
      ASSERT_TRUE(sealed.ok()) << sealed.status();
    }
    const auto marked = client::Admin(*connection_).MarkVersion("round", "test");
    ASSERT_TRUE(marked.ok()) << marked.status();
    closed_[marked->version()] = model_;
    for (const Tag& tag : tags_) {
      for (int i = 0; i < 3; ++i) {
        Check(tag);
        if (HasFatalFailure()) return;
      }
    }
    for (auto& [version, model] : closed_) {
      seen_ = &model;
      as_of_.version = version;
      for (const Tag& tag : tags_) {
        Check(tag);
        if (HasFatalFailure()) return;
      }
    }
    seen_ = &model_;
    as_of_ = AsOf();
  }
  EXPECT_EQ(writer_->counters().samples_rejected, 0);
}

INSTANTIATE_TEST_SUITE_P(Seeds, SystemTest, ::testing::Values(1, 2, 3));

}  // namespace
}  // namespace historian
