#include "server/tls.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "proto/historian/v1/admin.grpc.pb.h"
#include "server/server.h"
#include "server/test_server.h"

namespace historian::server {
namespace {

using ::testing::HasSubstr;

std::string PathOf(const std::string& name) { return absl::StrCat(::testing::TempDir(), name); }

std::string ReadAll(const std::string& path) {
  std::ifstream in(path);
  return std::string((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
}

// With a configuration of its own, so that the machine's has no say.
void Shell(const std::string& command) {
  std::ofstream(PathOf("openssl.cnf"))
      << "[req]\ndistinguished_name = name\nx509_extensions = authority\n[name]\n"
         "[authority]\nbasicConstraints = critical,CA:true\n";
  ASSERT_EQ(std::system(absl::StrCat("cd '", ::testing::TempDir(), "' && OPENSSL_CONF=openssl.cnf ", command,
                                     " >openssl.log 2>&1")
                            .c_str()),
            0)
      << command << "\n"
      << ReadAll(PathOf("openssl.log"));
}

// An authority, certificates of a server and a client signed by it, and a stranger's.
class TlsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    const std::string key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes ";
    Shell("openssl req -x509 " + key + "-keyout ca.key -out ca.pem -days 2 -subj /CN=ca");
    Shell("openssl req -x509 " + key + "-keyout stranger.key -out stranger.pem -days 2 -subj /CN=stranger");
    std::ofstream(PathOf("names")) << "subjectAltName=DNS:localhost,IP:127.0.0.1\n";
    for (const std::string name : {"server", "client"}) {
      Shell("openssl req " + key + "-keyout " + name + ".key -out " + name + ".csr -subj /CN=" + name);
      Shell("openssl x509 -req -in " + name +
            ".csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out " + name + ".pem");
    }
    std::ofstream(PathOf("noise.pem")) << "no certificate\n";
  }

  static Config ConfigOf(bool mutual) {
    Config config;
    config.tls.cert = PathOf("server.pem");
    config.tls.key = PathOf("server.key");
    if (mutual) config.tls.client_ca = PathOf("ca.pem");
    return config;
  }

  // GetStatus with the certificate of this name; none when it is empty.
  static grpc::Status Call(const std::string& address, const std::string& name) {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = ReadAll(PathOf("ca.pem"));
    if (!name.empty()) {
      options.pem_private_key = ReadAll(PathOf(name + ".key"));
      options.pem_cert_chain = ReadAll(PathOf(name + ".pem"));
    }
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    auto stub =
        v1::Admin::NewStub(grpc::CreateCustomChannel(address, grpc::SslCredentials(options), arguments));
    v1::GetStatusResponse response;
    grpc::ClientContext context;
    return stub->GetStatus(&context, {}, &response);
  }
};

class TlsServer {
 public:
  explicit TlsServer(Config config) {
    config.data_dir = "memory";
    config.grpc.listen = "127.0.0.1:0";
    config.http.listen = "127.0.0.1:0";
    auto log = Log::Open(PathOf("tls.log"), "info", "text");
    EXPECT_TRUE(log.ok());
    log_ = *std::move(log);
    server_ = Server::Start(
        config, [] { return kv::NewMemoryStore(); }, clock_, *log_);
  }
  const absl::StatusOr<std::unique_ptr<Server>>& server() const { return server_; }

 private:
  SimulatedClock clock_{kNow};
  std::unique_ptr<Log> log_;
  absl::StatusOr<std::unique_ptr<Server>> server_;
};

TEST_F(TlsTest, ClientThatTrustsTheAuthorityIsServed) {
  const TlsServer server(ConfigOf(/*mutual=*/false));
  ASSERT_TRUE(server.server().ok()) << server.server().status();
  const std::string address = (*server.server())->grpc_address();
  const grpc::Status status = Call(address, "");
  EXPECT_TRUE(status.ok()) << status.error_message();
  // Plain text is not.
  auto stub = v1::Admin::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  v1::GetStatusResponse response;
  grpc::ClientContext context;
  EXPECT_EQ(stub->GetStatus(&context, {}, &response).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TlsTest, MutualTlsServesOnlyClientsOfTheAuthority) {
  const TlsServer server(ConfigOf(/*mutual=*/true));
  ASSERT_TRUE(server.server().ok()) << server.server().status();
  const std::string address = (*server.server())->grpc_address();
  const grpc::Status status = Call(address, "client");
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(Call(address, "").error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Call(address, "stranger").error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TlsTest, FilesThatDoNotFitAreNamed) {
  const struct {
    const char* cert;
    const char* key;
    const char* client_ca;
    std::string message;
  } kTable[] = {
      {"none.pem", "server.key", "",
       absl::StrCat("tls.cert: ", PathOf("none.pem"), " cannot be read: No such file")},
      {"server.pem", "none.key", "",
       absl::StrCat("tls.key: ", PathOf("none.key"), " cannot be read: No such file")},
      {"noise.pem", "server.key", "",
       absl::StrCat("tls.cert: ", PathOf("noise.pem"), " holds no PEM certificate")},
      {"server.pem", "noise.pem", "",
       absl::StrCat("tls.key: ", PathOf("noise.pem"), " holds no PEM private key")},
      {"server.pem", "client.key", "", "is not the key of the certificate in tls.cert"},
      {"server.pem", "server.key", "none.pem", "tls.client_ca: "},
      {"server.pem", "server.key", "noise.pem", "holds no PEM certificate"},
  };
  for (const auto& row : kTable) {
    const auto credentials =
        MakeCredentials({.cert = PathOf(row.cert),
                         .key = PathOf(row.key),
                         .client_ca = row.client_ca[0] == '\0' ? "" : PathOf(row.client_ca)});
    EXPECT_EQ(credentials.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(credentials.status().message()), HasSubstr(row.message));
  }
}

TEST(LoopbackTest, Addresses) {
  for (const char* here : {"127.0.0.1:1", "localhost:1", "[::1]:1", "127.9.9.9:1"})
    EXPECT_TRUE(IsLoopback(here)) << here;
  for (const char* there : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "plant:1"})
    EXPECT_FALSE(IsLoopback(there)) << there;
}

}  // namespace
}  // namespace historian::server
