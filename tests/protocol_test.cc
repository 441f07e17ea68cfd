// A hostile client that speaks HTTP/2 and gRPC wrongly, on sockets of its own, while an honest writer and an honest reader
// go on on theirs.
//
// Strategy    Rounds. In each, some connections from addresses of their own say one of the things below each: words that are
//             no HTTP/2, frames that are broken, too many or at the wrong time, headers that are huge or wrong,
//             messages whose length, compression or content is wrong, in pieces down to a byte, on every method. Some
//             are closed at once, some reset, some held until the round ends.
// Invariants  The server lives. Health checks and the state are answered all the time. The reader reads what is stored;
//             when all is over every sample that the writer was given is there, once. Memory stays within the budget and
//             256 MiB; sockets come back. The log has no crash.
//
//   bazel test //tests:protocol_test                                 seconds
//   bazel run //tests:protocol_test -- --seconds=3600 --seed=7       an hour, another run
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/client.h"
#include "gtest/gtest.h"
#include "server/request_seeds.h"
#include "storage/model/clock.h"
#include "storage/platform/monotonic.h"
#include "tests/campaign.h"
#include "tests/raw_peer.h"
#include "tests/server_process.h"
#include "tools/histbench/server_process.h"

namespace historian {
namespace {

using testing::BigEndian;
using testing::FrameOf;
using testing::FrameSaying;
using testing::kAck;
using testing::kEndHeaders;
using testing::kEndStream;
using testing::kHasPriority;
using testing::kPadded;
using testing::kPreface;
using testing::ScratchDirectory;
using testing::ServerProcess;
using enum testing::FrameType;

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kBudget = 256 * kMiB;
constexpr uint64_t kBeside = 256 * kMiB;
// Between honest samples: they come faster than this, so none is ahead of the clock.
constexpr int64_t kStep = 10'000;
// Far above what an honest call takes, far below any of the server's time limits but its shortest.
constexpr absl::Duration kAtOnce = absl::Seconds(8);

std::string Setting(uint16_t id, uint32_t value) { return BigEndian(id, 2) + BigEndian(value, 4); }

// HPACK, without its tables: RFC 7541, 5.1 and 6.2.2.
std::string PackedLength(size_t size) {
  if (size < 127) return std::string(1, static_cast<char>(size));
  std::string out(1, '\x7f');
  for (size -= 127; size >= 128; size >>= 7) out.push_back(static_cast<char>(size | 128));
  out.push_back(static_cast<char>(size));
  return out;
}
std::string Header(const std::string& name, const std::string& value) {
  return absl::StrCat(std::string(1, '\0'), PackedLength(name.size()), name, PackedLength(value.size()),
                      value);
}
std::string HeadersOf(const std::string& path, const std::string& content_type = "application/grpc") {
  return absl::StrCat(Header(":method", "POST"), Header(":scheme", "http"), Header(":path", path),
                      Header(":authority", "historian"), Header("te", "trailers"),
                      Header("content-type", content_type));
}
// A message as gRPC frames it.
std::string Message(const std::string& bytes) {
  return absl::StrCat(std::string(1, '\0'), BigEndian(bytes.size(), 4), bytes);
}

class Hostile : public testing::RawPeer {
 public:
  Hostile(const std::string& from, int port) : RawPeer(from, port), open_(was_taken()) {
    const timeval limit = {.tv_sec = 0, .tv_usec = 200'000};
    setsockopt(fd(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    const int on = 1;
    setsockopt(fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  // Until the server takes no more for a while, or has closed the connection. Passes over what it says meanwhile.
  void Say(const std::string& bytes) {
    for (size_t at = 0; open_ && at < bytes.size();) {
      const ssize_t sent = send(fd(), bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
      if (sent <= 0) open_ = false;
      if (sent > 0) at += static_cast<size_t>(sent);
      Listen();
    }
  }
  void SendOnly(const std::string& bytes) { send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  // Takes what has come.
  void Listen() {
    char bytes[65536];
    ssize_t got;
    while ((got = recv(fd(), bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
    }
    if (got == 0) open_ = false;
  }
  void CloseOneWay() { shutdown(fd(), SHUT_WR); }

 private:
  bool open_;
};

class ProtocolTest : public ::testing::Test {
 protected:
  void StartServer() {
    auto server = ServerProcess::Start(
        {.data_dir = ScratchDirectory("protocol"),
         .flags = {absl::StrCat("--limits-memory-budget=", kBudget), "--archive-journal-bytes-max=1MiB"}});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    grpc_ = server_->grpc_port();
    ASSERT_TRUE(
        absl::SimpleAtoi(server_->http_address().substr(server_->http_address().rfind(':') + 1), &http_));
    connection_ = client::Connection::Open({.target = server_->target()}).value();
    // Hostile clients may do to a tag what anybody may. They name tags by small numbers, so the honest one has a large one;
    // and its samples are of this week, in which no rule lets anything expire.
    std::vector<Tag> tags;
    for (int i = 0; i < 1000; ++i) tags.push_back({.name = absl::StrCat("protocol/", i)});
    tags.push_back({.name = "honest", .type = ValueType::kInt64, .interpolation = Interpolation::kStepped});
    const auto ensured = client::Tags(*connection_).Ensure(tags);
    ASSERT_TRUE(ensured.ok()) << ensured.status();
    tag_ = ensured->back().id;
    start_ = Clock::System().Now();
  }

  uint64_t Below(uint64_t n) { return n == 0 ? 0 : random_() % n; }
  bool Once(uint64_t in) { return Below(in) == 0; }
  std::string Noise(size_t size) {
    std::string noise(size, '\0');
    for (char& byte : noise) byte = static_cast<char>(random_());
    return noise;
  }
  uint32_t Number32() { return static_cast<uint32_t>(random_() >> (32 + Below(32))); }

  const server::RequestType& AnyMethod() { return server::Requests()[Below(server::Requests().size())]; }

  // Bytes of a request, and what a careless or hostile client makes of them.
  std::string AnyRequest(const server::RequestType& request) {
    std::vector<std::string> seeds = server::SeedsOf(request);
    std::string bytes = Once(10) ? Noise(Below(200)) : seeds[Below(seeds.size())];
    for (uint64_t changes = Below(4); changes > 0; --changes) {
      const size_t at = Below(bytes.size() + 1);
      switch (Below(6)) {
        case 0:
          if (at < bytes.size()) bytes[at] = static_cast<char>(random_());
          break;
        case 1:
          bytes.erase(at, 1 + Below(8));
          break;
        case 2:
          bytes.insert(at, 1 + Below(60), static_cast<char>(Once(2) ? 0 : random_()));
          break;
        case 3:
          bytes.insert(at, bytes.substr(Below(bytes.size() + 1), 1 + Below(40)));
          break;
        case 4:
          bytes += seeds[Below(seeds.size())];
          break;
        default:
          bytes.resize(at);
      }
    }
    return bytes;
  }

  // The payload as DATA frames of any sizes.
  std::string DataOf(uint32_t stream, const std::string& payload, uint8_t flags_of_last) {
    std::string frames;
    const size_t most = Once(3) ? 1 : 1 + Below(64);
    size_t at = 0;
    do {
      const size_t size =
          std::min(payload.size() - at, payload.size() > 4096 ? size_t{16384} : 1 + Below(most));
      const bool last = at + size == payload.size();
      frames += FrameOf(kData, last ? flags_of_last : 0, stream, payload.substr(at, size));
      at += size;
    } while (at < payload.size());
    return frames;
  }

  static std::string Hello() { return absl::StrCat(kPreface, FrameOf(kSettings, 0, 0, "")); }

  // What one connection says.
  std::string Words() {
    switch (Below(14)) {
      case 0: {  // No HTTP/2.
        const std::string kOthers[] = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                                       std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11),
                                       "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r", "\r\n\r\n", Noise(Below(5000))};
        return kOthers[Below(std::size(kOthers))];
      }
      case 1: {  // The first words, cut short or changed.
        std::string words = Hello();
        if (Once(2)) words[Below(words.size())] ^= static_cast<char>(1 << Below(8));
        if (Once(2)) words.resize(Below(words.size()));
        return words + Noise(Below(40));
      }
      case 2: {  // Any frames, with lengths that may not be theirs.
        std::string words = Hello();
        for (uint64_t n = 1 + Below(50); n > 0; --n) {
          const std::string payload = Noise(Below(Once(5) ? 20'000 : 40));
          const uint32_t length = Once(6) ? Number32() : static_cast<uint32_t>(payload.size());
          words += FrameSaying(length & 0xFFFFFF, static_cast<uint8_t>(Below(Once(8) ? 256 : 11)),
                               static_cast<uint8_t>(random_()), Once(2) ? Number32() : 1, payload);
        }
        return words;
      }
      case 3: {  // A flood of settings or pings.
        std::string words = Hello();
        const bool settings = Once(2);
        for (uint64_t n = Below(5000); n > 0; --n) {
          words += settings ? FrameOf(kSettings, Once(9) ? kAck : 0, 0,
                                      Setting(static_cast<uint16_t>(1 + Below(8)), Number32()))
                            : FrameOf(kPing, Once(9) ? kAck : 0, 0, Noise(8));
        }
        return words;
      }
      case 4: {  // Huge headers, in one frame or with continuations that may never end.
        std::string block = HeadersOf(AnyMethod().method);
        for (uint64_t n = Below(300); n > 0; --n) {
          block += Header(absl::StrCat("x-", Below(1000)), std::string(Below(Once(10) ? 60'000 : 300), 'a'));
        }
        std::string words = Hello();
        uint8_t type = kHeaders;
        while (!block.empty()) {
          const std::string part = block.substr(0, 16'384);
          block.erase(0, part.size());
          words += FrameOf(type, block.empty() && !Once(4) ? kEndHeaders : 0, 1, part);
          type = kContinuation;
        }
        if (Once(3)) {
          for (uint64_t n = Below(3000); n > 0; --n) words += FrameOf(kContinuation, 0, 1, "");
        }
        return words;
      }
      case 5: {  // HPACK: entries of the tables over and over, sizes of tables, indexes that nobody has.
        std::string block;
        for (uint64_t n = Below(4000); n > 0; --n) {
          block += Once(20) ? Noise(1 + Below(3)) : std::string(1, static_cast<char>(0x80 | (1 + Below(70))));
        }
        if (Once(2)) {
          block = absl::StrCat(std::string(1, '\x40'), PackedLength(4), "x-big", PackedLength(4000),
                               std::string(4000, 'b'), std::string(Below(8000), '\xbe'));
        }
        return Hello() + FrameOf(kHeaders, kEndHeaders, 1, block.substr(0, 16'384));
      }
      case 6: {  // Calls that are reset at once.
        std::string words = Hello();
        for (uint64_t n = Below(2000), stream = 1; n > 0; --n, stream += 2) {
          words +=
              FrameOf(kHeaders, kEndHeaders, static_cast<uint32_t>(stream), HeadersOf(AnyMethod().method));
          words += FrameOf(kReset, 0, static_cast<uint32_t>(stream), BigEndian(Below(14), 4));
        }
        return words;
      }
      case 7: {  // Streams that are left open, some with the beginning of a message.
        std::string words = Hello();
        for (uint64_t n = Below(300), stream = 1; n > 0; --n, stream += 2) {
          const auto id = static_cast<uint32_t>(stream);
          words += FrameOf(kHeaders, kEndHeaders, id, HeadersOf(AnyMethod().method));
          if (Once(2)) words += FrameOf(kData, 0, id, Message(Noise(40)).substr(0, Below(40)));
        }
        return words;
      }
      case 8: {  // Data without headers, or behind the end; windows that overflow.
        std::string words = Hello();
        const server::RequestType& request = AnyMethod();
        if (Once(2)) {
          words += FrameOf(kHeaders, kEndHeaders | (Once(2) ? kEndStream : 0), 1, HeadersOf(request.method));
        }
        for (uint64_t n = 1 + Below(20); n > 0; --n) {
          const auto stream = static_cast<uint32_t>(Once(3) ? Below(9) : 1);
          words += Once(3) ? FrameOf(kWindow, 0, stream, BigEndian(Once(2) ? 0 : 0x7FFFFFFF, 4))
                           : FrameOf(kData, Once(2) ? kEndStream : 0, stream, Message(AnyRequest(request)));
        }
        return words;
      }
      case 9: {  // A message whose length or flag is wrong.
        const server::RequestType& request = AnyMethod();
        std::string message = Message(AnyRequest(request));
        if (Once(2)) message.replace(1, 4, BigEndian(Number32(), 4));
        if (Once(2)) message[0] = static_cast<char>(Once(2) ? 1 : random_());
        if (Once(3)) message.resize(Below(message.size()));
        std::string headers = HeadersOf(request.method);
        const std::string kEncodings[] = {"gzip", "deflate", "identity", "snappy", "", "gzip, gzip"};
        if (Once(2)) headers += Header("grpc-encoding", kEncodings[Below(std::size(kEncodings))]);
        return absl::StrCat(Hello(), FrameOf(kHeaders, kEndHeaders, 1, headers),
                            DataOf(1, message, Once(2) ? kEndStream : 0));
      }
      case 10: {  // Headers that are wrong.
        const std::string kPaths[] = {"/",
                                      "",
                                      "/historian.v1.Tags/Nothing",
                                      "/nothing",
                                      "*",
                                      "/../../etc",
                                      std::string(10'000, '/'),
                                      Noise(30),
                                      "/historian.v1.Query/ReadRaw/"};
        const std::string kTypes[] = {"application/grpc+proto", "application/json",     "",
                                      "application/grpc-web",   std::string(5000, 't'), Noise(20)};
        std::string headers = HeadersOf(Once(2) ? kPaths[Below(std::size(kPaths))] : AnyMethod().method,
                                        kTypes[Below(std::size(kTypes))]);
        const std::string kMore[] = {Header("grpc-timeout", "99999999H"),
                                     Header("grpc-timeout", "-1S"),
                                     Header("grpc-timeout", Noise(9)),
                                     Header("x-bin", Noise(50)),
                                     Header("grpc-trace-bin", "%%%"),
                                     Header(":path", "/again"),
                                     Header("Upper", "case"),
                                     Header("", ""),
                                     Header("connection", "close"),
                                     Header("content-length", "5"),
                                     Header("te", "gzip"),
                                     Header("grpc-accept-encoding", std::string(3000, ','))};
        for (uint64_t n = Below(4); n > 0; --n) headers += kMore[Below(std::size(kMore))];
        if (Once(4)) headers.erase(0, Below(headers.size()));
        return absl::StrCat(Hello(), FrameOf(kHeaders, kEndHeaders, 1, headers),
                            FrameOf(kData, kEndStream, 1, Message("")));
      }
      case 11: {  // Padding, priorities, promises and goodbyes that should not be.
        std::string words = Hello();
        const std::string headers = HeadersOf(AnyMethod().method);
        words += FrameOf(kHeaders, kEndHeaders | kPadded | kHasPriority, 1,
                         absl::StrCat(std::string(1, static_cast<char>(random_())),
                                      BigEndian(Once(2) ? 1 : Number32(), 4), "\x10", headers));
        words += FrameOf(kPriority, 0, 1, BigEndian(1, 4) + "\x10");
        if (Once(2)) words += FrameOf(kPush, kEndHeaders, 1, BigEndian(2, 4) + headers);
        words += FrameOf(kData, kPadded, 1, absl::StrCat("\xff", Noise(Below(30))));
        if (Once(2)) words += FrameOf(kGoAway, 0, 0, Noise(8 + Below(40)));
        return words + FrameOf(kData, kEndStream, 1, Message(""));
      }
      default: {  // Any bytes on every method, in pieces of any size; several messages at times.
        std::string words = Hello();
        for (uint64_t n = 1 + Below(40), stream = 1; n > 0; --n, stream += 2) {
          const server::RequestType& request = AnyMethod();
          const auto id = static_cast<uint32_t>(stream);
          std::string messages;
          for (uint64_t m = Once(4) ? Below(4) : 1; m > 0; --m) messages += Message(AnyRequest(request));
          words += FrameOf(kHeaders, kEndHeaders, id, HeadersOf(request.method));
          words += DataOf(id, messages, Once(8) ? 0 : kEndStream);
        }
        return words;
      }
    }
  }

  void ExpectWell() {
    const MonotonicTime begin = MonotonicTime::Now();
    for (const char* path : {"/healthz", "/readyz"}) {
      Hostile probe("127.0.0.1", http_);
      probe.SendOnly(absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
      const std::string answer = probe.ReadAll(kAtOnce);
      ASSERT_EQ(answer.substr(0, 12), "HTTP/1.1 200") << path << ": '" << answer << "'\n"
                                                      << server_->LogTail();
    }
    // What others hold of the memory of calls is theirs for a moment; then they give way. And this connection, over which the
    // writer sends, may be closed among theirs when the process has too much memory: its clients repeat.
    auto status = client::Admin(*connection_).Status();
    while ((absl::IsResourceExhausted(status.status()) || absl::IsUnavailable(status.status())) &&
           MonotonicTime::Now() - begin < kAtOnce) {
      absl::SleepFor(absl::Milliseconds(50));
      status = client::Admin(*connection_).Status();
    }
    ASSERT_TRUE(status.ok()) << status.status() << "\n" << server_->LogTail() << server_->Stacks();
    worst_ = std::max(worst_, MonotonicTime::Now() - begin);
    const uint64_t peak = histbench::PeakMemoryBytes(server_->pid()).value();
    ASSERT_LE(peak, kBudget + kBeside) << peak / kMiB << " MiB";
  }

  // Those that the server has open.
  size_t Sockets() const {
    size_t sockets = 0;
    std::error_code error;
    for (const auto& file :
         std::filesystem::directory_iterator(absl::StrCat("/proc/", server_->pid(), "/fd"), error)) {
      sockets += absl::StartsWith(std::filesystem::read_symlink(file, error).string(), "socket:");
    }
    return sockets;
  }

  std::unique_ptr<ServerProcess> server_;
  std::optional<client::Connection> connection_;
  int grpc_ = 0, http_ = 0;
  TagId tag_ = 0;
  Timestamp start_ = 0;  // Of the honest samples.
  std::mt19937_64 random_;
  absl::Duration worst_ = absl::ZeroDuration();
};

TEST_F(ProtocolTest, WhateverIsSaidHonestClientsAreServed) {
  ASSERT_NO_FATAL_FAILURE(StartServer());
  auto writer = *client::Writer::Open(*connection_, {.producer = "protocol test",
                                                     .flush_interval = absl::Milliseconds(5),
                                                     .backoff_min = absl::Milliseconds(10),
                                                     .backoff_max = absl::Milliseconds(200)});
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> written{0}, reads{0};
  std::thread writing([&] {
    while (!stop) {
      const uint64_t i = written.fetch_add(1);
      if (!writer->Add(tag_, ValueType::kInt64, start_ + static_cast<int64_t>(i) * kStep, i).ok()) break;
      if (i % 20 == 0) absl::SleepFor(absl::Milliseconds(1));
    }
  });
  std::thread reading([&] {
    const auto connection = *client::Connection::Open({.target = server_->target()});
    const client::Reader reader(connection);
    while (!stop) {
      const auto latest = reader.Raw(tag_, start_, start_ + 1000 * kStep).Collect();
      EXPECT_TRUE(latest.ok() || absl::IsResourceExhausted(latest.status())) << latest.status();
      if (latest.ok()) reads.fetch_add(1);
      absl::SleepFor(absl::Milliseconds(20));
    }
  });
  auto rest = absl::MakeCleanup([&] {
    stop = true;
    writing.join();
    reading.join();
  });
  ASSERT_NO_FATAL_FAILURE(ExpectWell());
  const size_t sockets = Sockets();

  const MonotonicTime end = MonotonicTime::Now() + testing::CampaignLength(absl::Seconds(10));
  const uint64_t first_seed = testing::CampaignSeed(1);
  uint64_t rounds = 0, connections = 0;
  for (uint64_t seed = first_seed; (rounds == 0 || MonotonicTime::Now() < end) && !HasFailure();
       ++seed, ++rounds) {
    SCOPED_TRACE(absl::StrCat("--seed=", seed));
    random_.seed(seed);
    std::vector<Hostile> held;
    for (uint64_t n = 1 + Below(20); n > 0; --n, ++connections) {
      Hostile hostile(absl::StrCat("127.0.0.", 2 + Below(8)), grpc_);
      hostile.Say(Words());
      switch (Below(4)) {
        case 0:
          break;
        case 1:
          hostile.Reset();
          break;
        case 2:
          hostile.CloseOneWay();
          [[fallthrough]];
        default:
          held.push_back(std::move(hostile));
      }
    }
    for (Hostile& hostile : held) hostile.Listen();
    ASSERT_NO_FATAL_FAILURE(ExpectWell());
  }
  std::printf(
      "%llu rounds from seed %llu, %llu hostile connections; all checks took %s at worst; %llu MiB at most\n",
      static_cast<unsigned long long>(rounds), static_cast<unsigned long long>(first_seed),
      static_cast<unsigned long long>(connections), absl::FormatDuration(worst_).c_str(),
      static_cast<unsigned long long>(histbench::PeakMemoryBytes(server_->pid()).value_or(0) / kMiB));
  std::move(rest).Invoke();
  const absl::Status closed = writer->Close(absl::Seconds(60));
  EXPECT_TRUE(closed.ok()) << closed << "\n" << server_->LogTail();
  EXPECT_EQ(writer->counters().samples_rejected, 0);
  EXPECT_GT(reads.load(), 0);

  const MonotonicTime patience = MonotonicTime::Now() + absl::Seconds(30);
  while (Sockets() > sockets + 4 && MonotonicTime::Now() < patience) absl::SleepFor(absl::Milliseconds(50));
  EXPECT_LE(Sockets(), sockets + 4);

  const auto raw = client::Reader(*connection_)
                       .Raw(tag_, start_, start_ + static_cast<int64_t>(written) * kStep)
                       .Collect();
  ASSERT_TRUE(raw.ok()) << raw.status();
  ASSERT_EQ(raw->samples.size(), written.load());
  for (uint64_t i = 0; i < written; ++i) {
    ASSERT_EQ(raw->samples.times[i], start_ + static_cast<int64_t>(i) * kStep);
    ASSERT_EQ(raw->samples.values[i], i);
  }
  EXPECT_TRUE(server_->Terminate()) << server_->LogTail();
  const std::string log = server_->LogText();
  for (const char* word : {"CHECK failed", "ssertion failed", "panic", "terminate called", "Sanitizer",
                           "runtime error", "libprotobuf"}) {
    EXPECT_FALSE(absl::StrContains(log, word)) << server_->LogTail();
  }
}

}  // namespace
}  // namespace historian
