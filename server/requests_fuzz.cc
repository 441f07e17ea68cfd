// Strategy: a server in process, with tags, samples, rules, holds, versions, and a repository of backups. The first byte
// chooses a method, the second how the bytes behind it are cut into messages: 0 sends them as one, other values as messages
// of that many bytes (streams of writes take several; of other calls the first counts). Invariants: every call ends within
// its time, with an answer or an error that means something to a client; after it the server answers the next.
//
// Every thousand inputs a new server begins, so that what they leave behind stays small.
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "server/request_seeds.h"
#include "server/test_server.h"
#include "storage/model/check.h"
#include "tests/fuzz/driver.h"

namespace {

using namespace historian;          // NOLINT: a program of its own.
using namespace historian::server;  // NOLINT

constexpr std::chrono::milliseconds kCallTime(250);
constexpr int kCallsOfAServer = 1000;

class Fixture {
 public:
  Fixture() : server_(ConfigOf()), channel_(server_.NewChannel()) {
    for (int type = 1; type <= 6; ++type) {
      const uint32_t tag = server_.Create("tag" + std::to_string(type - 1), static_cast<v1::ValueType>(type));
      HISTORIAN_CHECK(tag == static_cast<uint32_t>(type));
      if (type != v1::VALUE_TYPE_FLOAT64) continue;
      std::vector<std::pair<Timestamp, double>> samples;
      for (int i = 0; i < 500; ++i) samples.push_back({kNow - (500 - i) * 60 * kSecond, i * 0.5});
      server_.Store(tag, samples);
    }
    HISTORIAN_CHECK(server_.server().archive().upkeep().Seal().ok());
    HISTORIAN_CHECK(CallWithBytes(channel_, "/historian.v1.Backup/Init", "").ok());
  }

  grpc::Status Call(const std::string& method, const std::vector<std::string>& messages) {
    return CallWithMessages(channel_, {.method = method, .messages = messages, .time = kCallTime});
  }

 private:
  static Config ConfigOf() {
    Config config;
    config.limits.memory_budget = uint64_t{256} << 20;
    config.limits.query_timeout = absl::Milliseconds(200);
    config.log.level = "error";
    config.backup.target = absl::StrCat(::testing::TempDir(), "requests_fuzz_repository");
    config.backup.at = "never";
    std::filesystem::remove_all(config.backup.target);
    return config;
  }

  TestServer server_;
  const std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static std::optional<Fixture>& fixture = *new std::optional<Fixture>;
  static int calls = 0;
  if (size < 2) return 0;
  if (!fixture.has_value() || ++calls > kCallsOfAServer) {
    fixture.reset();
    fixture.emplace();
    calls = 0;
  }
  const RequestType& request = Requests()[data[0] % Requests().size()];
  const std::string bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  std::vector<std::string> messages;
  if (data[1] == 0) messages.push_back(bytes);
  for (size_t at = 0; data[1] != 0 && at < bytes.size() && messages.size() < 16; at += data[1]) {
    messages.push_back(bytes.substr(at, data[1]));
  }
  const grpc::Status status = fixture->Call(request.method, messages);
  switch (status.error_code()) {
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::UNKNOWN:
    case grpc::StatusCode::DATA_LOSS:
    case grpc::StatusCode::UNAVAILABLE:
      // gRPC says INTERNAL of a call with one answer that was given no message, or several.
      if (messages.size() != 1 && status.error_code() == grpc::StatusCode::INTERNAL) break;
      std::fprintf(stderr, "%s: %d %s\n", request.method.c_str(), status.error_code(),
                   status.error_message().c_str());
      HISTORIAN_CHECK(false && "an error that means nothing to a client");
    default:
      break;
  }
  if (calls % 50 == 0) {
    HISTORIAN_CHECK(fixture->Call("/historian.v1.Admin/GetStatus", {""}).ok());
  }
  return 0;
}

std::vector<std::string> historian::fuzz::FuzzSeeds() {
  std::vector<std::string> seeds;
  for (size_t i = 0; i < Requests().size(); ++i) {
    for (const std::string& bytes : SeedsOf(Requests()[i])) {
      seeds.push_back(std::string(1, static_cast<char>(i)) + std::string(1, '\0') + bytes);
    }
  }
  return seeds;
}
