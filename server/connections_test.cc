// Connections that say nothing, say it slowly or are too many; descriptors that are out; a port that nobody hears.
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/self_probe.h"
#include "server/server.h"
#include "server/test_server.h"
#include "storage/platform/eventually.h"
#include "storage/platform/monotonic.h"

namespace historian::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr absl::Duration kLong = absl::Seconds(20);

int PortOf(const std::string& address) {
  int port = 0;
  EXPECT_TRUE(absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port));
  return port;
}

// A TCP connection of a client.
class Connection {
 public:
  Connection() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  explicit Connection(const std::string& address) : Connection() { Connect(address); }
  Connection(Connection&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Connection() {
    if (fd_ >= 0) close(fd_);
  }
  void Connect(const std::string& address) {
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(PortOf(address)));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0) << strerror(errno);
  }
  void Send(const std::string& bytes) { send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  // What the server sends until it closes, or until `timeout` has passed.
  bool IsClosedWithin(absl::Duration timeout, std::string* said = nullptr) {
    const MonotonicTime deadline = MonotonicTime::Now() + timeout;
    while (true) {
      pollfd it{.fd = fd_, .events = POLLIN, .revents = 0};
      const absl::Duration left = std::max(absl::ZeroDuration(), deadline - MonotonicTime::Now());
      if (poll(&it, 1, static_cast<int>(absl::ToInt64Milliseconds(left))) == 0) return false;
      char bytes[4096];
      const ssize_t n = recv(fd_, bytes, sizeof(bytes), 0);
      if (n <= 0) return true;
      if (said != nullptr) said->append(bytes, static_cast<size_t>(n));
    }
  }

 private:
  int fd_;
};

grpc::Status GetStatus(const std::shared_ptr<grpc::Channel>& channel, absl::Duration timeout = kLong) {
  auto stub = v1::Admin::NewStub(channel);
  v1::GetStatusResponse response;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(timeout));
  return stub->GetStatus(&context, {}, &response);
}

// What /metrics says of this, such as "historian_connections".
double Metric(const TestServer& server, const std::string& name) {
  const std::string text = server.Metrics();
  const size_t at = text.find(absl::StrCat("\n", name, " "));
  double value = -1;
  if (at == std::string::npos) return value;
  const size_t begin = at + name.size() + 2;
  EXPECT_TRUE(absl::SimpleAtod(text.substr(begin, text.find('\n', begin) - begin), &value));
  return value;
}

std::string Get(const std::string& path) {
  return absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
}

// ---- gRPC's port

TEST(GrpcDoorTest, SilentConnectionsKeepNobodyOut) {
  Config config;
  config.limits.connections = 8;
  config.limits.hello_time = absl::Hours(1);
  TestServer server(config);
  std::vector<Connection> silent;
  for (int i = 0; i < 300; ++i) silent.emplace_back(server.server().grpc_address());
  const grpc::Status status = GetStatus(server.NewChannel());
  EXPECT_TRUE(status.ok()) << status.error_message();
  // gRPC has the first four. Of the others the oldest have given way, and the newest wait.
  EXPECT_TRUE(silent[4].IsClosedWithin(kLong));
  EXPECT_GE(Metric(server, "historian_connections_refused_total{reason=\"gave_way\"}"), 290);
  EXPECT_THAT(server.LogText(), HasSubstr("connection_refused reason=gave_way peer=127.0.0.1"));
}

// While places are plenty gRPC has such connections, else the door.
class WhoHasThemTest : public ::testing::TestWithParam<bool> {
 protected:
  WhoHasThemTest() {
    if (!plenty()) config_.limits.connections_per_peer = 1;
    config_.limits.hello_time = absl::Milliseconds(100);
  }
  bool plenty() const { return GetParam(); }

  Config config_;
};
INSTANTIATE_TEST_SUITE_P(GrpcOrTheDoor, WhoHasThemTest, ::testing::Bool());

TEST_P(WhoHasThemTest, ConnectionThatSaysNothingOrTooLittleIsClosed) {
  TestServer server(config_);
  Connection silent(server.server().grpc_address()), slow(server.server().grpc_address()),
      preface_only(server.server().grpc_address());
  slow.Send("PRI * HTTP");
  preface_only.Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");  // gRPC waits for its SETTINGS.
  EXPECT_TRUE(silent.IsClosedWithin(kLong));
  EXPECT_TRUE(slow.IsClosedWithin(kLong));
  EXPECT_TRUE(preface_only.IsClosedWithin(kLong));
  if (!plenty()) {
    EXPECT_EQ(Metric(server, "historian_connections_refused_total{reason=\"silent\"}"), 2);
  }
}

TEST(GrpcDoorTest, FirstWordsInSmallPiecesAreHeard) {
  TestServer server;
  Connection slow(server.server().grpc_address());
  const std::string hello("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);
  for (const char byte : hello) {
    slow.Send(std::string(1, byte));
    usleep(1'000);
  }
  EXPECT_TRUE(
      Eventually([&] { return Metric(server, "historian_connections") == 2; }));  // The stubs' is one.
  std::string said;
  EXPECT_FALSE(slow.IsClosedWithin(absl::Milliseconds(300), &said));
  EXPECT_GE(said.size(), 9u);
  EXPECT_EQ(said[3], 4);  // SETTINGS.
}

TEST_P(WhoHasThemTest, WhatIsNotGrpcIsClosedAtOnce) {
  TestServer server(config_);
  Connection web(server.server().grpc_address()), tls(server.server().grpc_address());
  web.Send("GET / HTTP/1.1\r\nHost: x\r\nAccept: everything\r\n\r\n");
  tls.Send(TlsClientHello());
  EXPECT_TRUE(web.IsClosedWithin(kLong));
  EXPECT_TRUE(tls.IsClosedWithin(kLong));
  if (!plenty()) {
    EXPECT_EQ(Metric(server, "historian_connections_refused_total{reason=\"not_http2\"}"), 2);
  }
}

// gRPC's blocking client connects only while a call polls, and such a call polls for a moment.
TEST(GrpcDoorTest, CallsThatFailAtOnceWithPausesBetweenConnectAgain) {
  TestServer server;
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 100);
  const std::shared_ptr<grpc::Channel> channel = server.NewChannel(arguments);
  server.Restart(server.server().grpc_address(), [&] {
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(GetStatus(channel).ok());
  });
  EXPECT_TRUE(Eventually([&] {
    usleep(200'000);
    return GetStatus(channel).ok();
  }));
}

TEST(GrpcDoorTest, ConnectionsOfOnePeerAreBoundedAndOthersServed) {
  Config config;
  config.limits.connections_per_peer = 3;
  TestServer server(config);  // Its stubs take one, from 127.0.0.1.
  ASSERT_TRUE(GetStatus(server.NewChannelFrom("127.0.0.1")).ok());
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (int i = 0; i < 3; ++i) {
    channels.push_back(server.NewChannelFrom("127.0.0.2"));
    EXPECT_TRUE(GetStatus(channels.back()).ok());
  }
  EXPECT_EQ(GetStatus(server.NewChannelFrom("127.0.0.2")).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Metric(server, "historian_connections_refused_total{reason=\"connections_per_peer\"}"), 1);
  EXPECT_TRUE(GetStatus(server.NewChannelFrom("127.0.0.3")).ok());
  // One that closes makes a place, at once.
  channels.pop_back();
  EXPECT_TRUE(GetStatus(server.NewChannelFrom("127.0.0.2")).ok());
}

TEST(GrpcDoorTest, ConnectionsAreBounded) {
  Config config;
  config.limits.connections = 4;
  TestServer server(config);
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  ASSERT_TRUE(GetStatus(server.NewChannelFrom("127.0.0.1")).ok());
  for (int i = 2; i <= 4; ++i) {
    channels.push_back(server.NewChannelFrom(absl::StrCat("127.0.0.", i)));
    ASSERT_TRUE(GetStatus(channels.back()).ok());
  }
  Connection hello(server.server().grpc_address());
  {
    v1::GetStatusResponse response;
    grpc::ClientContext context;
    ASSERT_TRUE(
        server.admin().GetStatus(&context, {}, &response).ok());  // The stubs' connection is the fourth.
  }
  EXPECT_EQ(GetStatus(server.NewChannelFrom("127.0.0.9")).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Metric(server, "historian_connections_refused_total{reason=\"connections\"}"), 1);
  channels.clear();
  for (int i = 10; i < 13; ++i) {
    EXPECT_TRUE(GetStatus(server.NewChannelFrom(absl::StrCat("127.0.0.", i))).ok());
  }
}

TEST(GrpcDoorTest, ManyShortConnectionsLeaveNothing) {
  Config config;
  config.limits.connections = 16;
  TestServer server(config);
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(GetStatus(server.NewChannel()).ok()) << i;
  EXPECT_TRUE(Eventually([&] { return Metric(server, "historian_connections") <= 1; }));
}

// ---- Descriptors

int OpenDescriptors() {
  int count = 0;
  DIR* directory = opendir("/proc/self/fd");
  while (readdir(directory) != nullptr) ++count;
  closedir(directory);
  return count - 3;  // ".", ".." and the directory.
}

// As many as are open, and a few more. The limit is about numbers, and what is open has the lowest ones.
class FewDescriptors {
 public:
  explicit FewDescriptors(int more) {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit few = before_;
    few.rlim_cur = static_cast<rlim_t>(OpenDescriptors() + more);
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  }
  ~FewDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_;
};

double CpuSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

TEST(DescriptorsTest, WithoutAnyBothPortsWaitAndThenServeAgain) {
  TestServer server;
  ASSERT_TRUE(GetStatus(server.NewChannel()).ok());
  {
    // Its connection is to be an old one below.
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    v1::GetStatusResponse response;
    ASSERT_TRUE(server.admin().GetStatus(&context, {}, &response).ok());
  }
  // Sockets of the clients, as they are of this process too.
  std::vector<Connection> clients(60);
  {
    const FewDescriptors few(4);
    const double before = CpuSeconds();
    for (size_t i = 0; i < clients.size(); ++i) {
      clients[i].Connect(i % 2 == 0 ? server.server().grpc_address() : server.server().http_address());
    }
    // Old connections work.
    v1::GetStatusResponse response;
    for (int i = 0; i < 10; ++i) {
      grpc::ClientContext context;
      EXPECT_TRUE(server.admin().GetStatus(&context, {}, &response).ok());
      usleep(100'000);
    }
    EXPECT_LT(CpuSeconds() - before, 0.5);  // Nobody spins for this second.
  }
  clients.clear();
  const grpc::Status status = GetStatus(server.NewChannel());
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(TcpExchange(server.server().http_address(), Get("/readyz")), StartsWith("HTTP/1.1 200"));
  EXPECT_GT(Metric(server, "historian_accept_failures_total"), 0);
  EXPECT_THAT(server.LogText(), HasSubstr("accept_failed listener="));
}

// ---- A port that nobody hears

// The listening socket of this port.
int ListeningSocket(int port) {
  for (int fd = 0; fd < 4096; ++fd) {
    int listens = 0;
    socklen_t size = sizeof(listens);
    sockaddr_in here = {};
    socklen_t here_size = sizeof(here);
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens != 0 &&
        getsockname(fd, reinterpret_cast<sockaddr*>(&here), &here_size) == 0 &&
        ntohs(here.sin_port) == port) {
      return fd;
    }
  }
  return -1;
}

TEST(UnreachableTest, PortThatDiedIsToldAndNotReady) {
  for (const bool grpc : {true, false}) {
    const std::string file = absl::StrCat(::testing::TempDir(), "unreachable", grpc, ".log");
    auto log = *Log::Open(file, "info", "text");
    Config config;
    config.data_dir = "memory";
    config.grpc.listen = config.http.listen = "127.0.0.1:0";
    SimulatedClock clock(kNow);
    absl::Notification failed;
    auto server = Server::Start(
        config, [] { return kv::NewMemoryStore(); }, clock, *log, [&failed] { failed.Notify(); });
    ASSERT_TRUE(server.ok()) << server.status();
    Connection health((*server)->http_address());
    const std::string& address = grpc ? (*server)->grpc_address() : (*server)->http_address();
    const int listening = ListeningSocket(PortOf(address));
    ASSERT_GE(listening, 0);
    shutdown(listening, SHUT_RDWR);
    ASSERT_TRUE(failed.WaitForNotificationWithTimeout(kLong));
    if (grpc) {
      health.Send(Get("/readyz"));
      std::string said;
      EXPECT_TRUE(health.IsClosedWithin(kLong, &said));
      EXPECT_THAT(said, StartsWith("HTTP/1.1 503"));
      EXPECT_THAT(said, HasSubstr("unreachable"));
    }
    EXPECT_TRUE((*server)->Stop().ok());
    log->Flush(kLong);
    std::ifstream in(file);
    const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    EXPECT_THAT(text, HasSubstr(absl::StrCat("unreachable port=", grpc ? "grpc" : "http", ".listen")));
  }
}

// What a probe says of a port, with a server of a few lines behind it.
class SelfProbeTest : public ::testing::Test {
 protected:
  SelfProbeTest() {
    acceptor_.open(boost::asio::ip::tcp::v4());
    acceptor_.bind({boost::asio::ip::address_v4::loopback(), 0});
    acceptor_.listen();
  }
  ~SelfProbeTest() override {
    probe_.reset();
    context_.stop();
  }

  // Runs until the probe has failed so often, or has been made `probes` times.
  void Run(bool tls, int failures, int probes) {
    probe_.emplace(context_, SelfProbe::Options{.to = acceptor_.local_endpoint(),
                                                .tls = tls,
                                                .interval = absl::Milliseconds(20),
                                                .timeout = absl::Milliseconds(200),
                                                .announce =
                                                    [this, probes](unsigned short port) {
                                                      if (port == 0 && ++probes_ == probes) context_.stop();
                                                    },
                                                .failed =
                                                    [this, failures](const absl::Status& why, bool again) {
                                                      failures_.push_back(absl::StrCat(why.message(), again));
                                                      if (static_cast<int>(failures_.size()) == failures)
                                                        context_.stop();
                                                    }});
    probe_->Start();
    context_.run();
  }

  // Accepts each connection and sends this.
  void AnswerWith(std::string answer) {
    acceptor_.async_accept(
        [this, answer](boost::system::error_code error, boost::asio::ip::tcp::socket socket) {
          if (error) return;
          boost::system::error_code ignored;
          socket.send(boost::asio::buffer(answer), 0, ignored);
          sockets_.push_back(std::move(socket));
          AnswerWith(answer);
        });
  }

  boost::asio::io_context context_;
  boost::asio::ip::tcp::acceptor acceptor_{context_};
  std::vector<boost::asio::ip::tcp::socket> sockets_;
  std::optional<SelfProbe> probe_;
  int probes_ = 0;
  std::vector<std::string> failures_;
};

TEST_F(SelfProbeTest, ConnectionsThatTheKernelMakesAreNoAnswer) {
  Run(/*tls=*/false, /*failures=*/2, /*probes=*/100);  // Nobody accepts.
  EXPECT_THAT(failures_, ::testing::ElementsAre("nobody answered0", "nobody answered1"));
}

TEST_F(SelfProbeTest, OtherBytesAreNoAnswer) {
  AnswerWith("HTTP/1.1 400 Bad Request\r\n\r\n");
  Run(/*tls=*/false, /*failures=*/2, /*probes=*/100);
  EXPECT_THAT(failures_,
              ::testing::ElementsAre("the answer is not that of gRPC0", "the answer is not that of gRPC1"));
}

TEST_F(SelfProbeTest, ClosedPortIsAFailure) {
  AnswerWith("");
  const auto endpoint = acceptor_.local_endpoint();
  Run(/*tls=*/false, 1, 1);
  probe_.reset();
  acceptor_.close();
  context_.restart();
  failures_.clear();
  std::vector<std::string>& failures = failures_;
  probe_.emplace(context_, SelfProbe::Options{.to = endpoint,
                                              .tls = false,
                                              .interval = absl::Milliseconds(20),
                                              .timeout = absl::Seconds(10),
                                              .announce = [](unsigned short) {},
                                              .failed =
                                                  [&](const absl::Status& why, bool again) {
                                                    failures.push_back(absl::StrCat(why.message(), again));
                                                    if (again) context_.stop();
                                                  }});
  probe_->Start();
  context_.run();
  EXPECT_THAT(failures_, ::testing::ElementsAre("Connection refused0", "Connection refused1"));
}

TEST_F(SelfProbeTest, AnswersAreUnderstood) {
  AnswerWith(std::string("\0\0\6\4\0\0\0\0\0......", 15));
  Run(/*tls=*/false, /*failures=*/1, /*probes=*/3);
  EXPECT_EQ(probes_, 3);
  EXPECT_TRUE(failures_.empty());
}

TEST_F(SelfProbeTest, WithoutDescriptorsNothingIsJudged) {
  AnswerWith(std::string("\0\0\6\4\0\0\0\0\0......", 15));
  const FewDescriptors few(4);
  std::vector<Connection> taken(16);  // All there are: not even a reserve is left.
  std::thread giver([&] {
    usleep(300'000);
    boost::asio::post(context_, [&] { taken.clear(); });
  });
  Run(/*tls=*/false, /*failures=*/1, /*probes=*/2);
  giver.join();
  EXPECT_TRUE(failures_.empty()) << failures_[0];
}

TEST(ProbedServerTest, ProbesPassWhateverTheLimitsSayAndDisturbNobody) {
  Config config;
  config.limits.connections = 2;
  config.limits.connections_per_peer = 1;
  config.limits.probe_interval = absl::Milliseconds(20);
  config.limits.hello_time = absl::Hours(1);
  TestServer server(config);
  ASSERT_TRUE(GetStatus(server.NewChannelFrom("127.0.0.2")).ok());
  std::vector<Connection> silent;
  for (int i = 0; i < 20; ++i) silent.emplace_back(server.server().grpc_address());
  const double before = Metric(server, "historian_connections_total");
  EXPECT_TRUE(Eventually([&] { return Metric(server, "historian_connections_total") > before + 10; }));
  EXPECT_THAT(server.LogText(), Not(HasSubstr("probe_failed")));
  EXPECT_THAT(server.LogText(), Not(HasSubstr("unreachable")));
  EXPECT_THAT(TcpExchange(server.server().http_address(), Get("/readyz")), StartsWith("HTTP/1.1 200"));
}

// ---- HTTP

TEST(HttpConnectionsTest, SlowAndSilentOnesGiveWayToHealthChecks) {
  TestServer server;
  const std::string address = server.server().http_address();
  std::vector<Connection> slow;
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 70; ++i) {
      slow.emplace_back(address);
      if (i % 2 == 0) slow.back().Send("GET /healthz HT");
      if (i % 7 == 0) slow.back().Send("TP/1.1\r\nHost: x\r\n\r\n");  // Idle from then on.
    }
    for (const char* path : {"/healthz", "/readyz"}) {
      const MonotonicTime begin = MonotonicTime::Now();
      EXPECT_THAT(TcpExchange(address, Get(path)), StartsWith("HTTP/1.1 200"));
      EXPECT_LT(MonotonicTime::Now() - begin, absl::Seconds(5));  // Not when the slow ones time out.
    }
  }
  EXPECT_TRUE(slow[1].IsClosedWithin(kLong));  // It said nothing.
  // Those that sent the second half only were answered and closed.
  EXPECT_GE(Metric(server, "historian_http_connections_shed_total"), 5 * (70 - 5) - 64);
}

TEST(HttpConnectionsTest, ClientsThatTakeNoAnswerGiveWayToo) {
  TestServer server;
  const std::string address = server.server().http_address();
  std::vector<Connection> slow;
  for (int i = 0; i < 64; ++i) {
    slow.emplace_back(address);
    // Answers of more than the buffers hold.
    std::string many;
    for (int k = 0; k < 200; ++k) many += "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    slow.back().Send(many);
  }
  EXPECT_THAT(TcpExchange(address, Get("/healthz")), StartsWith("HTTP/1.1 200"));
}

}  // namespace
}  // namespace historian::server
