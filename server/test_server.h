// File: server/test_server.h
//
// A whole server in process, on a store in memory and a clock that stands still, and stubs to call it with.
#ifndef HISTORIAN_SERVER_TEST_SERVER_H_
#define HISTORIAN_SERVER_TEST_SERVER_H_

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "proto/historian/v1/admin.grpc.pb.h"
#include "proto/historian/v1/ingest.grpc.pb.h"
#include "proto/historian/v1/query.grpc.pb.h"
#include "proto/historian/v1/retention.grpc.pb.h"
#include "proto/historian/v1/tags.grpc.pb.h"
#include "server/config.h"
#include "server/log.h"
#include "server/server.h"
#include "storage/kv/memory_store.h"
#include "storage/model/clock.h"

namespace historian::server {

inline constexpr Timestamp kNow = 1'767'225'600'000'000'000;  // 2026-01-01.
inline constexpr int64_t kSecond = kNanosPerSecond;

using WriteClient = grpc::ClientReaderWriter<v1::WriteRequest, v1::WriteAck>;

class TestServer {
 public:
  // Listens on free ports; the log goes to a file of the test, and tokens to config.data_dir, which must exist if they are made.
  // `wrap` may put another store between the
  // archive and the store in memory.
  using WrapStore = std::function<std::unique_ptr<kv::Store>(std::unique_ptr<kv::Store>)>;
  explicit TestServer(Config config = Config(), WrapStore wrap = nullptr);
  ~TestServer();

  // Ends the server and starts a new one on the same disk, on the given address instead of a free port if there is one.
  // `between` is called while there is none.
  void Restart(const std::string& listen = "", const std::function<void()>& between = nullptr);
  void Stop() { ASSERT_TRUE(server_->Stop().ok()); }
  Server& server() { return *server_; }
  SimulatedClock& clock() { return clock_; }
  std::string LogText() const;
  // What /metrics says.
  std::string Metrics() const;

  std::shared_ptr<grpc::Channel> NewChannel(grpc::ChannelArguments arguments = {});
  // A channel whose one connection comes from this address, such as 127.0.0.2.
  std::shared_ptr<grpc::Channel> NewChannelFrom(const std::string& address,
                                                grpc::ChannelArguments arguments = {});
  v1::Ingest::Stub& ingest() { return *ingest_; }
  v1::Tags::Stub& tags() { return *tags_; }
  v1::Query::Stub& query() { return *query_; }
  v1::Admin::Stub& admin() { return *admin_; }
  v1::Retention::Stub& retention() { return *retention_; }

  // Creates a tag and returns its id; 0 if the call failed, which fails the test.
  uint32_t Create(const std::string& name, v1::ValueType type = v1::VALUE_TYPE_FLOAT64);
  // Stores (time, value) pairs as one frame, and expects all of them to be accepted.
  void Store(uint32_t tag, const std::vector<std::pair<Timestamp, double>>& samples, uint32_t quality = 0);
  // Writes one frame by WriteOnce, under a new producer.
  v1::WriteAck WriteFrame(const v1::Frame& frame);

 private:
  void Open();

  Config config_;
  const WrapStore wrap_;
  std::string log_file_;
  std::unique_ptr<Log> log_;
  SimulatedClock clock_{kNow};
  std::shared_ptr<kv::MemoryDisk> disk_ = std::make_shared<kv::MemoryDisk>();
  std::unique_ptr<Server> server_;
  std::unique_ptr<v1::Ingest::Stub> ingest_;
  std::unique_ptr<v1::Tags::Stub> tags_;
  std::unique_ptr<v1::Query::Stub> query_;
  std::unique_ptr<v1::Admin::Stub> admin_;
  std::unique_ptr<v1::Retention::Stub> retention_;
  int producers_ = 0;
};

// Connects to HOST:PORT, sends the text and returns all that comes until the server closes.
std::string TcpExchange(const std::string& address, const std::string& text);

// Adds a column of float64 samples, given as (time, value) pairs.
void AddColumn(uint32_t tag, const std::vector<std::pair<Timestamp, double>>& samples, v1::Frame* frame);

// Returns the times of a column, whichever form they have.
std::vector<Timestamp> TimesOf(const v1::Times& times, size_t size);

// A call of a method with any bytes, which need not be messages.
struct RawCall {
  std::string method;  // Such as /historian.v1.Query/ReadRaw.
  std::vector<std::string> messages;
  std::string token;  // Empty: none is shown.
  std::optional<std::chrono::milliseconds>
      time;  // Its deadline; it is a failed check if the call goes on long after it.
};
// Returns how it ended. Takes no notice of the answers.
grpc::Status CallWithMessages(const std::shared_ptr<grpc::Channel>& channel, const RawCall& raw);

// The same with one message; with a token unless it is empty.
grpc::Status CallWithBytes(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                           const std::string& bytes, const std::string& token = "");

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_TEST_SERVER_H_
