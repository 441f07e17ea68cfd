// Peers that are slow, silent, too many or gone, against a server that may open few files.
//
// Strategy    Rounds. In each, attackers with addresses of their own do one to four of the things below at once, each
//             in an amount between a few and twice what the server has room for. While they hold what they have, a
//             client at another address and the health checks are served. Then the attackers let go, and new clients
//             at every address are served at once.
// Invariants  No call of an honest client fails. Health checks are answered. Nothing acknowledged is lost. The log
//             stays short. The server stops well when it is told to.
//
//   bazel test //tests:slow_peers_test                               seconds
//   bazel run //tests:slow_peers_test -- --seconds=3600 --seed=7     an hour, another run
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpcpp/create_channel_posix.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "proto/historian/v1/admin.grpc.pb.h"
#include "proto/historian/v1/ingest.grpc.pb.h"
#include "proto/historian/v1/query.grpc.pb.h"
#include "proto/historian/v1/tags.grpc.pb.h"
#include "storage/platform/monotonic.h"
#include "tests/campaign.h"
#include "tests/raw_peer.h"
#include "tests/server_process.h"

namespace historian {
namespace {

using testing::ScratchDirectory;
using testing::ServerProcess;

constexpr int kDescriptors = 512;
constexpr const char* kHonest = "127.0.0.1";
constexpr int64_t kStart = 1'700'000'000'000'000'000;
// An honest call waits no longer: far above what it takes, far below any of the server's time limits.
constexpr absl::Duration kAtOnce = absl::Seconds(4);

const std::string kHello("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);

class Peer : public testing::RawPeer {
 public:
  using RawPeer::RawPeer;
  bool connected() const { return was_taken(); }
  void Send(const std::string& bytes) { send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT); }
  std::shared_ptr<grpc::Channel> Channel(grpc::ChannelArguments arguments = {}) && {
    fcntl(fd(), F_SETFL, O_NONBLOCK);
    arguments.SetMaxReceiveMessageSize(INT_MAX);
    return grpc::CreateCustomInsecureChannelFromFd("server", Release(), arguments);
  }
};

void SetDeadline(grpc::ClientContext* context) {
  context->set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(kAtOnce));
}

class SlowPeersTest : public ::testing::Test {
 protected:
  void StartServer() {
    auto server = ServerProcess::Start({.data_dir = data_dir_, .flags = {}, .descriptors = kDescriptors});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    ASSERT_TRUE(
        absl::SimpleAtoi(server_->http_address().substr(server_->http_address().rfind(':') + 1), &http_));
    grpc_ = server_->grpc_port();
  }

  std::shared_ptr<grpc::Channel> NewChannel(const std::string& from) { return Peer(from, grpc_).Channel(); }

  void MakeTag() {
    const auto channel = NewChannel(kHonest);
    v1::CreateTagsRequest create;
    create.add_tags()->set_name("slow/peers");
    create.mutable_tags(0)->set_type(v1::VALUE_TYPE_FLOAT64);
    v1::TagsResponse tags;
    grpc::ClientContext context;
    ASSERT_TRUE(v1::Tags::NewStub(channel)->CreateTags(&context, create, &tags).ok());
    tag_ = tags.results(0).tag().id();
    // More than what is on its way to a client that reads nothing.
    for (int part = 0; part < 10; ++part) {
      v1::WriteOnceRequest request = FrameOf("history", part + 1);
      v1::Column* column = request.mutable_frame()->mutable_columns(0);
      column->Clear();
      column->set_tag_id(tag_);
      for (int i = 0; i < 100'000; ++i) {
        column->mutable_times()->mutable_explicit_()->add_at(kStart + (part * 100'000 + i) * 1'000'000LL +
                                                             i % 7);
        column->mutable_values()->mutable_float64()->add_values(i * 1.25);
      }
      Write(v1::Ingest::NewStub(channel).get(), request);
    }
  }

  v1::WriteOnceRequest FrameOf(const std::string& producer, uint64_t sequence) {
    v1::WriteOnceRequest request;
    request.set_producer(producer);
    request.mutable_frame()->set_sequence(sequence);
    v1::Column* column = request.mutable_frame()->add_columns();
    column->set_tag_id(tag_);
    column->mutable_times()->mutable_explicit_()->add_at(kStart + 10'000'000'000'000 + ++written_);
    column->mutable_values()->mutable_float64()->add_values(static_cast<double>(written_));
    return request;
  }

  void Write(v1::Ingest::Stub* stub, const v1::WriteOnceRequest& request) {
    v1::WriteAck ack;
    grpc::ClientContext context;
    SetDeadline(&context);
    const grpc::Status status = stub->WriteOnce(&context, request, &ack);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }

  // Everything that an honest client at this address wants.
  void BeServed(const std::string& from) {
    const MonotonicTime begin = MonotonicTime::Now();
    const auto channel = NewChannel(from);
    {
      v1::GetStatusResponse response;
      grpc::ClientContext context;
      SetDeadline(&context);
      const grpc::Status status = v1::Admin::NewStub(channel)->GetStatus(&context, {}, &response);
      EXPECT_TRUE(status.ok()) << "GetStatus from " << from << ": " << status.error_message();
    }
    const auto ingest = v1::Ingest::NewStub(channel);
    Write(ingest.get(), FrameOf(absl::StrCat("once ", from), ++sequence_));
    {
      v1::WriteRequest request;
      request.set_producer(absl::StrCat("stream ", from));
      *request.mutable_frame() = FrameOf("", ++sequence_).frame();
      uint64_t acknowledged = 0;
      grpc::Status status;
      // Among many that open streams and say nothing it may give way before its name is heard: a writer repeats that.
      for (const MonotonicTime asked = MonotonicTime::Now();
           MonotonicTime::Now() - asked < absl::Seconds(5);) {
        grpc::ClientContext context;
        SetDeadline(&context);
        const auto stream = ingest->Write(&context);
        stream->Write(request);
        stream->WritesDone();
        v1::WriteAck ack;
        while (stream->Read(&ack)) acknowledged = ack.acknowledged();
        status = stream->Finish();
        if (status.error_code() != grpc::StatusCode::RESOURCE_EXHAUSTED) break;
        absl::SleepFor(absl::Milliseconds(20));
      }
      EXPECT_TRUE(status.ok()) << "Write from " << from << ": " << status.error_message();
      EXPECT_EQ(acknowledged, sequence_);
    }
    const auto query = v1::Query::NewStub(channel);
    {
      v1::ReadLatestRequest request;
      request.mutable_tags()->add_ids(tag_);
      v1::ReadLatestResponse response;
      grpc::ClientContext context;
      SetDeadline(&context);
      const grpc::Status status = query->ReadLatest(&context, request, &response);
      ASSERT_TRUE(status.ok()) << "ReadLatest from " << from << ": " << status.error_message();
      ASSERT_EQ(response.samples_size(), 1);
      EXPECT_EQ(response.samples(0).values().float64().values(0), static_cast<double>(written_));
    }
    {
      v1::ReadRawRequest request;
      request.set_tag_id(tag_);
      request.set_start(kStart + 10'000'000'000'000);
      request.set_end(kStart + 20'000'000'000'000);
      uint64_t samples = 0;
      grpc::Status status;
      // Several attackers may have all places. Those who take nothing give way after a second.
      for (const MonotonicTime asked = MonotonicTime::Now();
           MonotonicTime::Now() - asked < absl::Seconds(5);) {
        grpc::ClientContext context;
        SetDeadline(&context);
        const auto stream = query->ReadRaw(&context, request);
        v1::RawFrame frame;
        samples = 0;
        while (stream->Read(&frame)) samples += frame.samples().values().float64().values_size();
        status = stream->Finish();
        if (status.error_code() != grpc::StatusCode::RESOURCE_EXHAUSTED) break;
        absl::SleepFor(absl::Milliseconds(100));
      }
      EXPECT_TRUE(status.ok()) << "ReadRaw from " << from << ": " << status.error_message();
      EXPECT_EQ(samples, written_ - kHistoryFrames);
    }
    worst_call_ = std::max(worst_call_, MonotonicTime::Now() - begin);
  }

  void CheckHealth() {
    for (const char* path : {"/healthz", "/readyz"}) {
      const MonotonicTime begin = MonotonicTime::Now();
      Peer probe(kHonest, http_);
      probe.Send(absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
      const std::string answer = probe.ReadAll(kAtOnce);
      EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 200") << path << ": '" << answer << "'";
      worst_health_ = std::max(worst_health_, MonotonicTime::Now() - begin);
    }
  }

  // What attackers hold. Goes in this order: calls before their channels.
  struct Held {
    std::vector<Peer> peers;
    std::vector<std::shared_ptr<grpc::Channel>> channels;
    std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
    std::vector<std::unique_ptr<grpc::ClientReaderWriter<v1::WriteRequest, v1::WriteAck>>> streams;
    std::vector<std::unique_ptr<grpc::ClientReader<v1::RawFrame>>> reads;

    void LetGo() {
      peers.clear();
      for (auto& context : contexts) context->TryCancel();
      v1::WriteAck ack;
      v1::RawFrame frame;
      for (auto& stream : streams) {
        while (stream->Read(&ack)) {
        }
        stream->Finish();
      }
      for (auto& read : reads) {
        while (read->Read(&frame)) {
        }
        read->Finish();
      }
    }
  };

  int Below(int n) { return static_cast<int>(random_() % static_cast<uint64_t>(n)); }

  void Connect(const std::string& from, int port, int count, const std::function<std::string()>& words,
               Held* held) {
    for (int i = 0; i < count; ++i) {
      Peer peer(from, port);
      if (!peer.connected()) continue;
      if (const std::string text = words(); !text.empty()) peer.Send(text);
      held->peers.push_back(std::move(peer));
    }
  }

  void Attack(const std::string& from, Held* held) {
    switch (Below(9)) {
      case 0:
        return Connect(
            from, grpc_, 1 + Below(2 * kDescriptors), [] { return std::string(); }, held);
      case 1:  // A part of the first words.
        return Connect(
            from, grpc_, 1 + Below(kDescriptors), [this] { return kHello.substr(0, Below(24)); }, held);
      case 2:  // Said everything, and wants nothing.
        return Connect(
            from, grpc_, 1 + Below(kDescriptors), [] { return kHello; }, held);
      case 3:
        return Connect(
            from, http_, 1 + Below(200),
            [this] { return std::string("GET /healthz HTTP/1.1\r\nHo").substr(0, Below(24)); }, held);
      case 4:  // Asks for much and takes nothing.
        return Connect(
            from, http_, 1 + Below(80),
            [] {
              std::string many;
              for (int i = 0; i < 50; ++i) many += "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
              return many;
            },
            held);
      case 5: {  // Write streams that say nothing.
        held->channels.push_back(NewChannel(from));
        const auto stub = v1::Ingest::NewStub(held->channels.back());
        for (int i = 1 + Below(150); i > 0; --i) {
          held->contexts.push_back(std::make_unique<grpc::ClientContext>());
          held->streams.push_back(stub->Write(held->contexts.back().get()));
        }
        return;
      }
      case 6: {  // Reads whose client takes nothing.
        grpc::ChannelArguments arguments;
        arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
        held->channels.push_back(Peer(from, grpc_).Channel(arguments));
        const auto stub = v1::Query::NewStub(held->channels.back());
        v1::ReadRawRequest request;
        request.set_tag_id(tag_);
        request.set_start(kStart);
        request.set_end(kStart + 1'000'000'000'000);
        for (int i = 1 + Below(100); i > 0; --i) {
          held->contexts.push_back(std::make_unique<grpc::ClientContext>());
          held->reads.push_back(stub->ReadRaw(held->contexts.back().get(), request));
        }
        return;
      }
      case 7:  // Resets.
        for (int i = Below(300); i > 0; --i) {
          Peer peer(from, Below(2) == 0 ? grpc_ : http_);
          peer.Send(kHello.substr(0, Below(34)));
          peer.Reset();
        }
        return;
      case 8: {  // Noise.
        return Connect(
            from, Below(2) == 0 ? grpc_ : http_, 1 + Below(100),
            [this] {
              std::string noise(Below(200), '\0');
              for (char& byte : noise) byte = static_cast<char>(random_());
              return noise;
            },
            held);
      }
    }
  }

  static constexpr uint64_t kHistoryFrames = 10;  // Of `written_`, those whose column MakeTag replaced.

  const std::string data_dir_ = ScratchDirectory("slow_peers");
  std::unique_ptr<ServerProcess> server_;
  int grpc_ = 0, http_ = 0;
  uint32_t tag_ = 0;
  uint64_t written_ = 0;
  uint64_t sequence_ = 0;
  std::mt19937_64 random_;
  absl::Duration worst_call_ = absl::ZeroDuration();
  absl::Duration worst_health_ = absl::ZeroDuration();
};

TEST_F(SlowPeersTest, HonestClientsAreServedDuringAndAfter) {
  StartServer();
  ASSERT_NE(server_, nullptr);
  MakeTag();
  BeServed(kHonest);
  const MonotonicTime begin = MonotonicTime::Now();
  const absl::Duration run_time = testing::CampaignLength(absl::Seconds(8));
  const uint64_t first_seed = testing::CampaignSeed(1);
  uint64_t rounds = 0;
  for (uint64_t seed = first_seed; MonotonicTime::Now() - begin < run_time && !HasFailure();
       ++seed, ++rounds) {
    SCOPED_TRACE(absl::StrCat("--seed=", seed));
    random_.seed(seed);
    Held held;
    std::vector<std::string> attackers;
    for (int i = 1 + Below(4); i > 0; --i) {
      attackers.push_back(absl::StrCat("127.0.0.", 2 + Below(8)));
      Attack(attackers.back(), &held);
    }
    CheckHealth();
    BeServed(kHonest);
    CheckHealth();
    held.LetGo();
    BeServed(kHonest);
    BeServed(attackers[0]);
  }
  std::printf(
      "%llu rounds from seed %llu; all calls of an honest client took %s at worst, a health check %s\n",
      static_cast<unsigned long long>(rounds), static_cast<unsigned long long>(first_seed),
      absl::FormatDuration(worst_call_).c_str(), absl::FormatDuration(worst_health_).c_str());
  EXPECT_TRUE(server_->Terminate()) << server_->LogTail();
  // 50 lines in 10 s for all that clients cause, and what a start and a stop have to say.
  const std::string log = server_->LogText();
  const auto lines = std::count(log.begin(), log.end(), '\n');
  EXPECT_LT(lines, 200 + 6 * absl::ToInt64Seconds(MonotonicTime::Now() - begin)) << server_->LogTail();
  EXPECT_EQ(log.find(" unreachable "), std::string::npos) << server_->LogTail();
}

}  // namespace
}  // namespace historian
