// Long reads: one that nobody waits for any more ends, and one that is taken slowly costs no one else.
#include <malloc.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "server/test_server.h"
#include "storage/kv/in_memory_only.h"

namespace historian::server {
namespace {

constexpr int kSamplesAtOnce = 100'000;

// Where a test stops who reads blocks, and counts how many are read.
class Gate {
 public:
  // The nth reading from now, counted from 1, waits for Open().
  void CloseAt(int n) {
    absl::MutexLock lock(&mu_);
    closed_at_ = passed_ + n;
  }
  void Open() {
    absl::MutexLock lock(&mu_);
    closed_at_ = 0;
  }
  void WaitUntilSomebodyWaits() {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(&waiting_));
  }
  int passed() {
    absl::MutexLock lock(&mu_);
    return passed_;
  }

  void Pass() {
    absl::MutexLock lock(&mu_);
    waiting_ = ++passed_ == closed_at_;
    const auto open = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return passed_ != closed_at_; };
    mu_.Await(absl::Condition(&open));
    waiting_ = false;
  }

 private:
  absl::Mutex mu_;
  int passed_ ABSL_GUARDED_BY(mu_) = 0;
  int closed_at_ ABSL_GUARDED_BY(mu_) = 0;
  bool waiting_ ABSL_GUARDED_BY(mu_) = false;
};

// A store of which blocks are read through the gate.
class GatedStore : public kv::Store {
 public:
  GatedStore(std::unique_ptr<kv::Store> store, Gate& gate) : store_(std::move(store)), gate_(gate) {}

  absl::StatusOr<std::optional<std::string>> Get(kv::Space space, absl::string_view key) override {
    if (space == kv::Space::kPages && kv::InMemoryOnly::here()) return kv::NotInMemory();
    if (space == kv::Space::kPages) gate_.Pass();
    return store_->Get(space, key);
  }
  std::unique_ptr<kv::Cursor> NewCursor(kv::Space space, absl::string_view end) override {
    return store_->NewCursor(space, end);
  }
  absl::Status Write(const kv::Batch& batch) override { return store_->Write(batch); }
  absl::StatusOr<std::unique_ptr<kv::RunBuilder>> NewRun(kv::Space space) override {
    return store_->NewRun(space);
  }
  absl::Status Ingest(std::vector<std::unique_ptr<kv::RunBuilder>> runs, const kv::Batch& batch) override {
    return store_->Ingest(std::move(runs), batch);
  }
  absl::Status DeleteRange(kv::Space space, absl::string_view begin, absl::string_view end) override {
    return store_->DeleteRange(space, begin, end);
  }
  absl::StatusOr<std::unique_ptr<kv::Log>> OpenLog(absl::string_view name) override {
    return store_->OpenLog(name);
  }
  absl::Status Checkpoint(const std::string& path) override { return store_->Checkpoint(path); }
  kv::StoreStats Stats() override { return store_->Stats(); }

 private:
  const std::unique_ptr<kv::Store> store_;
  Gate& gate_;
};

// A sample a second, `count` of them until kNow.
void Fill(TestServer& server, uint32_t tag, int count) {
  std::vector<std::pair<Timestamp, double>> samples;
  for (int i = 0; i < count; ++i) {
    samples.push_back({kNow - (count - i) * kSecond, i % 1000 * 0.25});
    if (samples.size() < kSamplesAtOnce && i + 1 < count) continue;
    server.Store(tag, samples);
    samples.clear();
  }
}

uint64_t QueriesRunning(TestServer& server) {
  grpc::ClientContext context;
  v1::GetStatusResponse state;
  EXPECT_TRUE(server.admin().GetStatus(&context, {}, &state).ok());
  return state.queries_running();
}

int64_t ResidentBytes() {
  malloc_trim(0);
  std::ifstream statm("/proc/self/statm");
  int64_t size = 0, resident = 0;
  statm >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

TEST(LongReadsTest, AnAggregateThatTheClientCancelledReadsNoFurther) {
  Gate gate;
  TestServer server({}, [&gate](std::unique_ptr<kv::Store> store) {
    return std::make_unique<GatedStore>(std::move(store), gate);
  });
  const uint32_t tag = server.Create("plant/flow");
  constexpr int kCount = 2'000'000;
  Fill(server, tag, kCount);
  server.Restart();  // What was open is sealed.
  v1::ReadProcessedRequest request;
  request.mutable_tags()->add_ids(tag);
  request.set_start(kNow - kCount * kSecond);
  request.set_end(kNow);
  request.set_interval_ns(701 * kSecond);
  request.add_aggregates(v1::AGGREGATE_AVERAGE);
  const auto read = [&](grpc::ClientContext& context) {
    auto stream = server.query().ReadProcessed(&context, request);
    v1::ProcessedFrame frame;
    while (stream->Read(&frame)) {
    }
    return stream->Finish();
  };
  grpc::ClientContext whole;
  ASSERT_TRUE(read(whole).ok());
  const int blocks = gate.passed();
  ASSERT_GE(blocks, 20);

  server.Restart();  // Nothing is cached.
  gate.CloseAt(3);
  grpc::ClientContext cancelled;
  std::thread client([&] { EXPECT_EQ(read(cancelled).error_code(), grpc::StatusCode::CANCELLED); });
  gate.WaitUntilSomebodyWaits();
  cancelled.TryCancel();
  client.join();
  while (QueriesRunning(server) > 0) absl::SleepFor(absl::Milliseconds(1));
  gate.Open();
  server.Stop();  // Waits for whoever still reads.
  EXPECT_EQ(gate.passed() - blocks, 3) << "of " << blocks;
}

TEST(LongReadsTest, ReadersThatTakeNothingHoldUpNobodyAndNoMemory) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP()
      << "tsan looks at every byte of messages of gRPC, which is not instrumented, and suppresses each";
#endif
  TestServer server;
  const uint32_t tag = server.Create("plant/flow"), other = server.Create("plant/other");
  constexpr int kCount = 3'000'000, kReaders = 40;
  Fill(server, tag, kCount);
  v1::ReadRawRequest all;
  all.set_tag_id(tag);
  all.set_start(kTimestampMin);
  all.set_end(kTimestampMax);
  [[maybe_unused]] const int64_t resident_before = ResidentBytes();  // A sanitizer's memory says nothing.
  // Each has taken the first frame of some 30 MB.
  struct Reader {
    std::unique_ptr<v1::Query::Stub> stub;
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::RawFrame>> stream;
  };
  std::vector<std::unique_ptr<Reader>> readers;
  v1::RawFrame frame;
  for (int i = 0; i < kReaders; ++i) {
    Reader& reader = *readers.emplace_back(std::make_unique<Reader>());
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);  // A window that stays small.
    reader.stub = v1::Query::NewStub(server.NewChannel(arguments));
    reader.stream = reader.stub->ReadRaw(&reader.context, all);
    ASSERT_TRUE(reader.stream->Read(&frame));
  }
  EXPECT_EQ(QueriesRunning(server), kReaders);
  // Others are served: ten times all that there is of one, and every frame written.
  for (int round = 0; round < 10; ++round) {
    grpc::ClientContext context;
    auto stream = server.query().ReadRaw(&context, all);
    int samples = 0;
    while (stream->Read(&frame)) samples += frame.samples().values().float64().values_size();
    EXPECT_TRUE(stream->Finish().ok());
    EXPECT_EQ(samples, kCount);
    server.Store(other, {{kNow - kSecond + round, round}});
  }
  EXPECT_EQ(QueriesRunning(server), kReaders) << "they were not slow";
#ifndef HISTORIAN_SANITIZED
  EXPECT_LT(ResidentBytes() - resident_before, int64_t{kReaders} * (4 << 20));
#endif
  for (const std::unique_ptr<Reader>& reader : readers) reader->context.TryCancel();
  for (const std::unique_ptr<Reader>& reader : readers) {
    while (reader->stream->Read(&frame)) {
    }
    EXPECT_EQ(reader->stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
}

}  // namespace
}  // namespace historian::server
