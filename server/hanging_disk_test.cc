// A disk that answers nothing for a while. What needs no disk is answered as ever: the state, the newest values, figures
// that are cached, tags, probes, new connections. Readers and writers wait, or repeat what they were refused. The state says
// what is the matter, and when the disk answers again everything goes on by itself.
//
// The disk hangs until the test says otherwise, so whatever is answered meanwhile did not wait for it, however slow the machine.
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/test_server.h"
#include "storage/kv/faulty_store.h"
#include "storage/platform/eventually.h"

namespace historian::server {
namespace {

using ::testing::HasSubstr;

constexpr int kColdTags = 24;
constexpr int kWriters = 24;
// Samples of a frame: as large as 64 streams may have it without filling gRPC's buffers, which would end readers, too.
constexpr int kLarge = 30'000;

class HangingDiskTest : public ::testing::Test {
 protected:
  HangingDiskTest() {
    for (int i = 0; i < kColdTags; ++i) cold_.push_back(server_.Create(absl::StrCat("cold/", i)));
    std::vector<std::pair<Timestamp, double>> samples;
    for (int i = 0; i < 3600; ++i) samples.push_back({kNow - (3600 - i) * kSecond, i});
    server_.Store(warm_, samples);
    for (const uint32_t tag : cold_) server_.Store(tag, samples);
    v1::SealRequest request;
    v1::SealResponse response;
    grpc::ClientContext context;
    EXPECT_TRUE(server_.admin().Seal(&context, request, &response).ok());
    server_.Restart();  // Nothing is cached.
    ExpectAnswer("figures", [this] { return ReadFigures(); });
  }
  ~HangingDiskTest() override { faults_->Hang(false); }

  static Config SmallConfig() {
    Config config;
    config.limits.memory_budget = uint64_t{256} << 20;
    config.limits.query_timeout = absl::InfiniteDuration();
    return config;
  }

  // So that the test tells what it was that waited.
  static void SetDeadline(grpc::ClientContext* context) {
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  }

  grpc::Status ReadFigures() {
    v1::ReadProcessedRequest request;
    request.mutable_tags()->add_ids(warm_);
    request.set_start(kNow - 3600 * kSecond);
    request.set_end(kNow);
    request.set_interval_ns(60 * kSecond);
    request.add_aggregates(v1::AGGREGATE_AVERAGE);
    grpc::ClientContext context;
    SetDeadline(&context);
    auto reader = server_.query().ReadProcessed(&context, request);
    v1::ProcessedFrame frame;
    while (reader->Read(&frame)) {
    }
    return reader->Finish();
  }
  template <class Stub, class Request, class Response>
  static grpc::Status Call(Stub& stub,
                           grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                           const Request& request, Response* response) {
    grpc::ClientContext context;
    SetDeadline(&context);
    return (stub.*method)(&context, request, response);
  }
  grpc::Status ReadNewest() {
    v1::ReadLatestRequest request;
    request.mutable_tags()->add_ids(warm_);
    v1::ReadLatestResponse response;
    return Call(server_.query(), &v1::Query::Stub::ReadLatest, request, &response);
  }
  grpc::Status GetTags() {
    v1::GetTagsRequest request;
    request.add_keys()->set_id(warm_);
    v1::TagsResponse response;
    return Call(server_.tags(), &v1::Tags::Stub::GetTags, request, &response);
  }
  grpc::Status ListTags() {
    v1::ListTagsResponse response;
    return Call(server_.tags(), &v1::Tags::Stub::ListTags, v1::ListTagsRequest(), &response);
  }
  v1::GetStatusResponse Status() {
    v1::GetStatusResponse response;
    const grpc::Status status =
        Call(server_.admin(), &v1::Admin::Stub::GetStatus, v1::GetStatusRequest(), &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  grpc::Status Connect() {
    const auto stub = v1::Admin::NewStub(server_.NewChannel());
    v1::GetStatusResponse response;
    return Call(*stub, &v1::Admin::Stub::GetStatus, v1::GetStatusRequest(), &response);
  }
  std::string Get(const std::string& path) {
    namespace asio = boost::asio;
    asio::io_context io;
    asio::ip::tcp::socket socket(io);
    const std::string& address = server_.server().http_address();
    const size_t colon = address.rfind(':');
    socket.connect({asio::ip::make_address(address.substr(0, colon)),
                    static_cast<uint16_t>(std::stoi(address.substr(colon + 1)))});
    asio::write(socket, asio::buffer(
                            absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")));
    std::string answer;
    boost::system::error_code error;
    asio::read(socket, asio::dynamic_buffer(answer), error);
    return answer;
  }

  template <class Call>
  void ExpectAnswer(const std::string& what, Call call) {
    for (int i = 0; i < 5; ++i) {
      const grpc::Status status = call();
      EXPECT_TRUE(status.ok()) << what << ": " << status.error_message();
    }
  }

  v1::WriteRequest LargeRequest(uint64_t sequence) {
    v1::WriteRequest request;
    request.mutable_frame()->set_sequence(sequence);
    v1::Column* column = request.mutable_frame()->add_columns();
    column->set_tag_id(warm_);
    column->mutable_times()->mutable_regular()->set_first(kNow - static_cast<int64_t>(sequence) * kLarge);
    column->mutable_times()->mutable_regular()->set_step_ns(1);
    for (int i = 0; i < kLarge; ++i) column->mutable_values()->mutable_float64()->add_values(i);
    return request;
  }

  std::shared_ptr<kv::Faults> faults_ = std::make_shared<kv::Faults>();
  TestServer server_{SmallConfig(), [this](std::unique_ptr<kv::Store> store) {
                       return kv::NewFaultyStore(std::move(store), faults_);
                     }};
  const uint32_t warm_ = server_.Create("warm");
  std::vector<uint32_t> cold_;
};

TEST_F(HangingDiskTest, HoldsUpOnlyWhatNeedsIt) {
  faults_->Hang(true);
  std::vector<std::thread> threads;
  // Readers of what is not cached hold threads of the pool.
  std::atomic<int> read{0};
  for (const uint32_t tag : cold_) {
    threads.emplace_back([this, tag, &read] {
      v1::ReadRawRequest request;
      request.set_tag_id(tag);
      request.set_start(kNow - 3600 * kSecond);
      request.set_end(kNow);
      grpc::ClientContext context;
      auto reader = server_.query().ReadRaw(&context, request);
      v1::RawFrame frame;
      while (reader->Read(&frame)) {
      }
      const grpc::Status status = reader->Finish();
      EXPECT_TRUE(status.ok()) << status.error_message();
      ++read;
    });
  }
  // Writers send more than there is memory for.
  std::atomic<uint64_t> acknowledged{0};
  constexpr uint64_t kFrames = 8;
  for (int w = 0; w < kWriters; ++w) {
    threads.emplace_back([this, w, &acknowledged] {
      uint64_t last = 0;
      while (last < kFrames) {
        grpc::ClientContext context;
        auto stream = server_.ingest().Write(&context);
        for (uint64_t sequence = last + 1; sequence <= kFrames; ++sequence) {
          v1::WriteRequest request = LargeRequest(sequence);
          if (sequence == last + 1) request.set_producer(absl::StrCat("writer ", w));
          if (!stream->Write(request)) break;
        }
        stream->WritesDone();
        v1::WriteAck ack;
        while (stream->Read(&ack)) last = ack.acknowledged();
        const grpc::Status status = stream->Finish();
        // A frame waits for memory for some seconds, and a stream for its first words.
        EXPECT_TRUE(status.ok() || status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED ||
                    status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED)
            << status.error_message();
      }
      acknowledged += last;
    });
  }
  // Whoever changes definitions waits, and holds up no reader of them.
  threads.emplace_back([this] { server_.Create("new"); });
  threads.emplace_back([this] {
    v1::MarkVersionRequest request;
    v1::MarkVersionResponse response;
    grpc::ClientContext context;
    const grpc::Status status = server_.admin().MarkVersion(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
  });

  EXPECT_TRUE(Eventually([this] { return Status().state() == v1::GetStatusResponse::STATE_READ_ONLY; }));
  EXPECT_THAT(Status().message(), HasSubstr("the disk has not"));
  ExpectAnswer("status", [this] {
    Status();
    return grpc::Status::OK;
  });
  ExpectAnswer("newest value", [this] { return ReadNewest(); });
  ExpectAnswer("figures that are cached", [this] { return ReadFigures(); });
  ExpectAnswer("a tag", [this] { return GetTags(); });
  ExpectAnswer("a list of tags", [this] { return ListTags(); });
  ExpectAnswer("a new connection", [this] { return Connect(); });
  for (const char* path : {"/healthz", "/readyz", "/metrics"}) {
    ExpectAnswer(path, [&] {
      EXPECT_THAT(Get(path), HasSubstr("200 OK"));
      return grpc::Status::OK;
    });
  }
  EXPECT_THAT(Get("/metrics"), HasSubstr("historian_ingest_accepting 0"));
  EXPECT_EQ(read.load(), 0);
  EXPECT_EQ(acknowledged.load(), 0);

  faults_->Hang(false);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(read.load(), kColdTags);
  EXPECT_EQ(acknowledged.load(), kWriters * kFrames);
  EXPECT_TRUE(Eventually([this] { return Status().state() == v1::GetStatusResponse::STATE_SERVING; }));
}

}  // namespace
}  // namespace historian::server
