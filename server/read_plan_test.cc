// What a plan promises: made once, of everything that the answer costs, and used for the answer.
#include "server/read_plan.h"

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "server/plot.h"
#include "server/processed.h"
#include "server/query_service.h"
#include "server/test_server.h"
#include "server/work_pool.h"
#include "storage/archive/archive.h"
#include "storage/kv/memory_store.h"

namespace historian::server {
namespace {

constexpr int64_t kDay = 86'400 * kSecond;

// A reader that counts how often it is asked what it would have to fold.
class CountingReader : public FoldReader {
 public:
  CountingReader(std::unique_ptr<FoldReader> reader, std::atomic<int>& asked)
      : reader_(std::move(reader)), asked_(asked) {}

  absl::Status Fold(absl::Span<const Timestamp> edges, const FoldConfig& config, uint32_t parts,
                    IntervalSink sink) const override {
    return reader_->Fold(edges, config, parts, std::move(sink));
  }
  absl::Status Figures(absl::Span<const Timestamp> edges, const FoldConfig& config, const FigureMaker& maker,
                       FigureTable to) const override {
    return reader_->Figures(edges, config, maker, to);
  }
  uint64_t NanosToFold(absl::Span<const Timestamp> edges, const FoldConfig& config,
                       const FigureMaker& maker) const override {
    ++asked_;
    return reader_->NanosToFold(edges, config, maker);
  }
  absl::StatusOr<std::optional<Sample>> SampleBefore(Timestamp t) const override {
    return reader_->SampleBefore(t);
  }
  absl::StatusOr<std::optional<Sample>> SampleAtOrAfter(Timestamp t) const override {
    return reader_->SampleAtOrAfter(t);
  }
  absl::StatusOr<std::optional<Timestamp>> NewestTime() const override { return reader_->NewestTime(); }
  absl::StatusOr<Evidence> Gather(const EvidenceRequest& request) const override {
    return reader_->Gather(request);
  }

 private:
  const std::unique_ptr<FoldReader> reader_;
  std::atomic<int>& asked_;
};

// An archive that counts how often tags are looked up, readers made, and readers asked what they would have to fold.
class CountingArchive : public Archive {
 public:
  explicit CountingArchive(std::unique_ptr<Archive> archive) : archive_(std::move(archive)) {}

  std::atomic<int> folds{0};
  std::atomic<int> looks{0};
  std::atomic<int> asked{0};

  TagRegistry& tags() override {
    ++looks;
    return archive_->tags();
  }
  Retention& retention() override { return archive_->retention(); }
  Upkeep& upkeep() override { return archive_->upkeep(); }
  using Archive::OpenProducer;
  void OpenProducer(absl::string_view name, OpenDone done) override {
    archive_->OpenProducer(name, std::move(done));
  }
  uint64_t DurableSequence(absl::string_view producer) override {
    return archive_->DurableSequence(producer);
  }
  std::vector<ProducerInfo> ListProducers(absl::string_view after, size_t limit) override {
    return archive_->ListProducers(after, limit);
  }
  std::optional<ProducerInfo> FindProducer(absl::string_view name) override {
    return archive_->FindProducer(name);
  }
  absl::StatusOr<uint64_t> ResetProducer(absl::string_view name, const KeepGoing& keep_going) override {
    return archive_->ResetProducer(name, keep_going);
  }
  void Write(const std::shared_ptr<Producer>& producer, Frame frame, WriteDone done,
             WriteTaken taken = nullptr, const WriteFilter* filter = nullptr) override {
    archive_->Write(producer, std::move(frame), std::move(done), std::move(taken), filter);
  }
  absl::StatusOr<std::unique_ptr<RawReader>> ReadRaw(const RawRequest& request,
                                                     KeepGoing keep_going) override {
    return archive_->ReadRaw(request, std::move(keep_going));
  }
  absl::StatusOr<std::vector<std::optional<LatestSample>>> ReadLatest(absl::Span<const TagId> tags,
                                                                      Version as_of,
                                                                      const KeepGoing& keep_going) override {
    return archive_->ReadLatest(tags, as_of, keep_going);
  }
  absl::StatusOr<Samples> ReadAtTimes(TagId tag, absl::Span<const Timestamp> times,
                                      Interpolation interpolation, bool uncertain_as_bad,
                                      KeepGoing keep_going, Version as_of) override {
    return archive_->ReadAtTimes(tag, times, interpolation, uncertain_as_bad, std::move(keep_going), as_of);
  }
  absl::StatusOr<std::unique_ptr<JoinedReader>> ReadJoined(TagId tag, Interpolation interpolation,
                                                           bool uncertain_as_bad, KeepGoing keep_going,
                                                           Version as_of) override {
    return archive_->ReadJoined(tag, interpolation, uncertain_as_bad, std::move(keep_going), as_of);
  }
  absl::StatusOr<std::unique_ptr<FoldReader>> ReadFolded(TagId tag, KeepGoing keep_going,
                                                         Version as_of) override {
    ++folds;
    absl::StatusOr<std::unique_ptr<FoldReader>> reader =
        archive_->ReadFolded(tag, std::move(keep_going), as_of);
    if (!reader.ok()) return reader;
    return std::make_unique<CountingReader>(*std::move(reader), asked);
  }
  const VersionTable& versions() const override { return archive_->versions(); }
  absl::StatusOr<ClosedVersion> MarkVersion(absl::string_view author, absl::string_view comment) override {
    return archive_->MarkVersion(author, comment);
  }
  absl::StatusOr<std::string> Id() override { return archive_->Id(); }
  absl::StatusOr<ClosedVersion> WriteCheckpoint(const std::string& path, absl::string_view author,
                                                absl::string_view comment) override {
    return archive_->WriteCheckpoint(path, author, comment);
  }
  ArchiveStats Stats() override { return archive_->Stats(); }
  AheadOfClock FindAheadOfClock() override { return archive_->FindAheadOfClock(); }
  absl::StatusOr<TagStorage> StorageOf(TagId tag, KeepGoing keep_going) override {
    return archive_->StorageOf(tag, std::move(keep_going));
  }
  absl::StatusOr<std::vector<BlockInfo>> ListBlocks(TagId tag, Timestamp start, Timestamp end,
                                                    KeepGoing keep_going) override {
    return archive_->ListBlocks(tag, start, end, std::move(keep_going));
  }
  absl::StatusOr<BlockBytes> ReadBlock(const format::BlockId& id) override { return archive_->ReadBlock(id); }

 private:
  const std::unique_ptr<Archive> archive_;
};

// 60 days of two tags, a sample a minute, settled.
class ReadPlanTest : public testing::Test {
 protected:
  static constexpr Timestamp kBegin = kNow - 60 * kDay;

  ReadPlanTest()
      : log_(*Log::Open(testing::TempDir() + "read_plan.log", "debug", "text")),
        clock_(kNow),
        archive_(*Archive::Open(kv::OpenMemoryStore(std::make_shared<kv::MemoryDisk>()), {}, clock_)),
        pool_(2) {
    for (const std::string name : {"plant/flow", "plant/level"}) {
      const auto created = archive_.tags().Create({Tag{.name = name, .type = ValueType::kFloat64}});
      ids_.push_back((*created[0])->id);
      Samples samples;
      for (Timestamp t = kBegin; t < kNow; t += 60 * kSecond) {
        samples.Add(t, BitsOfFloat64(static_cast<double>(t / (60 * kSecond) % 100)));
      }
      Store(ids_.back(), std::move(samples));
    }
    EXPECT_TRUE(archive_.upkeep().Seal(/*settle=*/true).ok());
  }

  void Store(TagId tag, Samples samples) {
    const auto producer = *archive_.OpenProducer("test");
    Frame frame{.sequence = archive_.DurableSequence("test") + 1};
    frame.columns.push_back({.tag = tag, .type = ValueType::kFloat64, .samples = std::move(samples)});
    absl::Notification done;
    archive_.Write(producer, std::move(frame), [&done](const absl::StatusOr<WriteResult>& result) {
      EXPECT_TRUE(result.ok()) << result.status();
      done.Notify();
    });
    done.WaitForNotification();
  }

  // Both tags over all the time, in intervals of a day, which is what rollups of a sample a minute have.
  v1::ReadProcessedRequest Days() const {
    v1::ReadProcessedRequest request;
    for (const TagId id : ids_) request.mutable_tags()->add_ids(id);
    request.set_start(kBegin);
    request.set_end(kNow);
    request.set_interval_ns(kDay);
    request.add_aggregates(v1::AGGREGATE_AVERAGE);
    return request;
  }

  // Whether the request would be answered on the thread that it came on.
  bool IsQuick(const v1::ReadProcessedRequest& request) {
    const auto plan = PlanProcessed(env_, {archive_.tags(), *authority_->Everyone()}, request, nullptr);
    EXPECT_TRUE(plan.ok()) << plan.status();
    return plan.ok() && plan->read.is_quick();
  }
  // Computes all of it, so that its figures are cached.
  void Compute(const v1::ReadProcessedRequest& request) {
    auto plan = PlanProcessed(env_, {archive_.tags(), *authority_->Everyone()}, request, nullptr);
    ASSERT_TRUE(plan.ok()) << plan.status();
    for (size_t i = 0; i < plan->read.tags(); ++i) {
      const auto read = plan->read.Take(i);
      ASSERT_TRUE(read.ok()) << read.status();
      v1::ProcessedSeries series;
      ASSERT_TRUE(ComputeProcessed(env_, *plan, *read, &series).ok());
    }
  }

  const Config config_;
  const std::unique_ptr<Log> log_;
  SimulatedClock clock_;
  CountingArchive archive_;
  Metrics metrics_;
  WorkPool pool_{4};
  StreamRegistry streams_;
  ClockWatch clock_watch_{clock_};
  CallMemory call_memory_{uint64_t{128} << 20, [](absl::AnyInvocable<void()> ready) { ready(); }};
  const std::unique_ptr<Authority> authority_ = *Authority::Open({}, clock_, nullptr);
  PeerCounts queries_, short_queries_;
  ServiceEnv env_{archive_, config_,      clock_,       metrics_,    *log_,    pool_,
                  streams_, clock_watch_, call_memory_, *authority_, queries_, short_queries_};
  std::vector<TagId> ids_;
};

TEST_F(ReadPlanTest, ARequestIsSelectedAndPlannedOnceAndEachTagHasOneReader) {
  QueryService service(env_);
  grpc::ServerBuilder builder;
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  const auto query = v1::Query::NewStub(server->InProcessChannel({}));

  v1::PlotRequest plot;
  *plot.mutable_tags() = Days().tags();
  plot.set_start(kBegin);
  plot.set_end(kNow);
  plot.set_columns(700);
  for (const char* state : {"from the store", "cached"}) {
    SCOPED_TRACE(state);
    archive_.folds = archive_.looks = 0;
    {
      grpc::ClientContext context;
      const auto stream = query->ReadProcessed(&context, Days());
      v1::ProcessedFrame frame;
      int series = 0;
      while (stream->Read(&frame)) series += frame.series_size();
      EXPECT_TRUE(stream->Finish().ok());
      EXPECT_EQ(series, 2);
    }
    EXPECT_EQ(archive_.looks, 2) << "to select the tags, and to check that they have the aggregate";
    EXPECT_EQ(archive_.folds, 2) << "one for each tag";

    archive_.folds = archive_.looks = 0;
    {
      grpc::ClientContext context;
      const auto stream = query->Plot(&context, plot);
      v1::PlotFrame frame;
      int series = 0;
      while (stream->Read(&frame)) series += frame.series_size();
      EXPECT_TRUE(stream->Finish().ok());
      EXPECT_EQ(series, 2);
    }
    EXPECT_EQ(archive_.looks, 2);
    EXPECT_EQ(archive_.folds, 2);
  }
  server->Shutdown();
}

TEST_F(ReadPlanTest, WhatIsCachedIsQuick) {
  EXPECT_FALSE(IsQuick(Days()));
  Compute(Days());
  EXPECT_TRUE(IsQuick(Days()));
  v1::ReadProcessedRequest other = Days();
  other.set_aggregates(0, v1::AGGREGATE_MAXIMUM);
  EXPECT_FALSE(IsQuick(other)) << "other figures";
  other = Days();
  other.set_start(kBegin + kSecond);
  EXPECT_FALSE(IsQuick(other)) << "other intervals";
}

TEST_F(ReadPlanTest, AShortRangeIsQuickAlthoughNothingIsCached) {
  v1::ReadProcessedRequest request = Days();
  request.set_start(kNow - 2 * kDay);
  EXPECT_TRUE(IsQuick(request));
  request.set_interval_ns(0);
  EXPECT_TRUE(IsQuick(request));
  request.set_start(kNow - 3 * kDay);
  EXPECT_FALSE(IsQuick(request));
}

TEST_F(ReadPlanTest, WhatARangeCostsIsAskedOnlyWhereItMatters) {
  v1::ReadProcessedRequest request = Days();
  request.set_start(kNow - 2 * kDay);
  Compute(request);
  EXPECT_EQ(archive_.asked, 0) << "quick, whatever there is to fold";
  request.set_start(kNow - 3 * kDay);
  Compute(request);
  EXPECT_EQ(archive_.asked, 2) << "quick or not";

  for (int i = 0; i < 3; ++i) {
    const auto created = archive_.tags().Create({Tag{.name = "more/" + std::to_string(i)}});
    request.mutable_tags()->add_ids((*created[0])->id);
  }
  archive_.asked = 0;
  request.set_start(kNow - 28 * kDay + 1);
  Compute(request);
  EXPECT_EQ(archive_.asked, 0) << "on the pool, and too short for a second thread";
  request.set_start(kNow - 28 * kDay);
  Compute(request);
  EXPECT_EQ(archive_.asked, 5) << "on one thread or on several";
}

TEST_F(ReadPlanTest, TagsCountByNameAsTheyDoById) {
  v1::ReadProcessedRequest request = Days();
  request.clear_tags();
  for (const char* name : {"plant/flow", "plant/level"}) request.mutable_tags()->add_names(name);
  EXPECT_FALSE(IsQuick(request)) << "nothing is cached";
  Compute(Days());
  EXPECT_TRUE(IsQuick(request));

  // So many intervals of a day that of one tag they are few, of two they are not.
  request.set_start(kNow - kDay);
  request.set_interval_ns(kDay / (kQuickValues * 3 / 4));
  EXPECT_FALSE(IsQuick(request));
  request.mutable_tags()->mutable_names()->RemoveLast();
  EXPECT_TRUE(IsQuick(request));
}

TEST_F(ReadPlanTest, AggregatesCount) {
  v1::ReadProcessedRequest request = Days();
  request.set_start(kNow - kDay);
  request.set_interval_ns(kDay / (kQuickValues / 4));
  request.add_aggregates(v1::AGGREGATE_MAXIMUM);
  EXPECT_TRUE(IsQuick(request));
  request.add_aggregates(v1::AGGREGATE_MINIMUM);
  EXPECT_FALSE(IsQuick(request));
}

TEST_F(ReadPlanTest, ManyTagsAreOpenedOneByOne) {
  v1::ReadProcessedRequest request = Days();
  for (int i = 0; i < 10; ++i) {
    const auto created = archive_.tags().Create({Tag{.name = "more/" + std::to_string(i)}});
    request.mutable_tags()->add_ids((*created[0])->id);
  }
  EXPECT_FALSE(NamesFewTags(request.tags()));
  EXPECT_TRUE(NamesFewTags(Days().tags()));
  archive_.folds = 0;
  auto plan = PlanProcessed(env_, {archive_.tags(), *authority_->Everyone()}, request, nullptr);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(archive_.folds, 0);
  EXPECT_FALSE(plan->read.is_quick());
  const auto read = plan->read.Take(0);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->tag, ids_[0]);
  EXPECT_EQ(read->nanos_to_fold, static_cast<uint64_t>(60 * kDay - 60 * kSecond + 1)) << "up to the newest";
  EXPECT_EQ(archive_.folds, 1);
}

}  // namespace
}  // namespace historian::server
