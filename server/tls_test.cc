// The certificates of these tests are made by the openssl program when they begin. They are good from then on, so a clock
// that a test moves starts at the real time.
#include "server/tls.h"

#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "proto/historian/v1/access.grpc.pb.h"
#include "proto/historian/v1/admin.grpc.pb.h"
#include "server/certificates.h"
#include "server/grpc_log.h"
#include "server/server.h"
#include "server/test_server.h"
#include "storage/platform/eventually.h"

namespace historian::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::Duration kLong = absl::Seconds(60);
constexpr int64_t kDay = 24 * 3600 * kSecond;

std::string PathOf(const std::string& name) { return absl::StrCat(::testing::TempDir(), name); }

std::string ReadAll(const std::string& path) {
  std::ifstream in(path);
  return std::string((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
}

void Write(const std::string& name, const std::string& bytes) {
  std::ofstream(PathOf(name), std::ios::trunc) << bytes;
}

// As tools do that replace a file: by another one.
void Replace(const std::string& name, const std::string& by) {
  Write(name + ".new", ReadAll(PathOf(by)));
  std::filesystem::rename(PathOf(name + ".new"), PathOf(name));
}

int CountOf(const std::string& text, const std::string& what) {
  return static_cast<int>(std::vector<std::string>(absl::StrSplit(text, what)).size()) - 1;
}

std::vector<std::string> LinesWith(const std::string& text, const std::string& what) {
  std::vector<std::string> lines;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (absl::StrContains(line, what)) lines.emplace_back(line);
  }
  return lines;
}

// With a configuration of its own, so that the machine's has no say.
void Shell(const std::string& command) {
  Write("openssl.cnf",
        "[req]\ndistinguished_name = name\nx509_extensions = authority\n[name]\n"
        "[authority]\nbasicConstraints = critical,CA:true\n");
  ASSERT_EQ(std::system(absl::StrCat("cd '", ::testing::TempDir(), "' && OPENSSL_CONF=openssl.cnf ", command,
                                     " >openssl.log 2>&1")
                            .c_str()),
            0)
      << command << "\n"
      << ReadAll(PathOf("openssl.log"));
}

constexpr char kEc[] = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes ";

// NAME.pem and NAME.key of an authority that signs itself.
void MakeAuthority(const std::string& name, const std::string& key = kEc) {
  Shell(absl::StrCat("openssl req -x509 ", key, "-keyout ", name, ".key -out ", name,
                     ".pem -days 400 -subj /CN=", name));
}

// NAME.pem and NAME.key, signed by an authority.
void MakeCertificate(const std::string& name, const std::string& authority, int days = 100,
                     const std::string& key = kEc, const std::string& extensions = "names") {
  Shell(absl::StrCat("openssl req ", key, "-keyout ", name, ".key -out ", name, ".csr -subj /CN=", name));
  Shell(absl::StrCat("openssl x509 -req -in ", name, ".csr -CA ", authority, ".pem -CAkey ", authority,
                     ".key -CAcreateserial -days ", days, " -extfile ", extensions, " -out ", name, ".pem"));
}

// Two authorities, with a server and a client of each, and a stranger.
class TlsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    Write("names", "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
    Write("authority", "basicConstraints=critical,CA:true\n");
    Write("noise.pem", "no certificate\n");
    for (const std::string name : {"ca", "ca2", "stranger"}) MakeAuthority(name);
    MakeCertificate("server", "ca");
    MakeCertificate("client", "ca");
    MakeCertificate("server2", "ca2");
    MakeCertificate("client2", "ca2");
  }

  static Config ConfigOf(bool mutual) {
    Config config;
    config.tls.cert = PathOf("server.pem");
    config.tls.key = PathOf("server.key");
    if (mutual) config.tls.client_ca = PathOf("ca.pem");
    return config;
  }

  // live.pem, live.key and live_ca.pem, which a test replaces.
  static Config LiveConfig(bool mutual) {
    Replace("live.pem", "server.pem");
    Replace("live.key", "server.key");
    Replace("live_ca.pem", "ca.pem");
    Config config;
    config.tls.cert = PathOf("live.pem");
    config.tls.key = PathOf("live.key");
    if (mutual) config.tls.client_ca = PathOf("live_ca.pem");
    return config;
  }

  static std::shared_ptr<grpc::Channel> ChannelOf(const std::string& address, const std::string& name,
                                                  const std::string& authorities) {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = authorities;
    if (!name.empty()) {
      options.pem_private_key = ReadAll(PathOf(name + ".key"));
      options.pem_cert_chain = ReadAll(PathOf(name + ".pem"));
    }
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(address, grpc::SslCredentials(options), arguments);
  }

  // GetStatus on a new connection, with the certificate of this name if it is not empty.
  static grpc::Status Call(const std::string& address, const std::string& name,
                           const std::string& authorities = ReadAll(PathOf("ca.pem"))) {
    auto stub = v1::Admin::NewStub(ChannelOf(address, name, authorities));
    v1::GetStatusResponse response;
    grpc::ClientContext context;
    return stub->GetStatus(&context, {}, &response);
  }
};

class TlsServer {
 public:
  explicit TlsServer(Config config, int64_t ahead = 0) : clock_(Clock::System().Now() + ahead) {
    config.data_dir = "memory";
    config.grpc.listen = "127.0.0.1:0";
    config.http.listen = "127.0.0.1:0";
    std::filesystem::remove(PathOf("tls.log"));
    auto log = Log::Open(PathOf("tls.log"), "info", "text");
    EXPECT_TRUE(log.ok());
    log_ = *std::move(log);
    grpc_log_.emplace(*log_);
    server_ = Server::Start(
        config, [] { return kv::NewMemoryStore(); }, clock_, *log_);
  }
  const absl::StatusOr<std::unique_ptr<Server>>& server() const { return server_; }
  std::string address() const { return (*server_)->grpc_address(); }
  void Reread() { (*server_)->Reread(); }
  std::string LogText() const {
    EXPECT_TRUE(log_->Flush(kLong));
    return ReadAll(PathOf("tls.log"));
  }
  std::string Metrics() const {
    return TcpExchange((*server_)->http_address(),
                       "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  }

 private:
  SimulatedClock clock_;
  std::unique_ptr<Log> log_;
  std::optional<GrpcLog> grpc_log_;
  absl::StatusOr<std::unique_ptr<Server>> server_;
};

TEST_F(TlsTest, ClientThatTrustsTheAuthorityIsServed) {
  const TlsServer server(ConfigOf(/*mutual=*/false));
  ASSERT_TRUE(server.server().ok()) << server.server().status();
  const std::string address = server.address();
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
  const std::string address = server.address();
  const grpc::Status status = Call(address, "client");
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(Call(address, "").error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Call(address, "stranger").error_code(), grpc::StatusCode::UNAVAILABLE);
}

// ---- What is in the files

TEST_F(TlsTest, FilesThatDoNotFitAreNamed) {
  const std::string cert = ReadAll(PathOf("server.pem")), key = ReadAll(PathOf("server.key"));
  const std::string chain = cert + ReadAll(PathOf("ca.pem"));
  Write("empty.pem", "");
  Write("long.pem", cert + std::string(kPemBytesMax, '\n'));
  Write("cut.pem", cert.substr(0, cert.size() / 2));
  Write("cut_chain.pem", chain.substr(0, chain.size() - 30));
  Write("cut.key", key.substr(0, key.size() / 2));
  Write("noise_inside.pem", absl::StrReplaceAll(chain, {{"MII", "???"}}));
  std::filesystem::create_directory(PathOf("directory.pem"));
  std::filesystem::remove(PathOf("pipe.pem"));
  ASSERT_EQ(mkfifo(PathOf("pipe.pem").c_str(), 0600), 0);
  Shell("openssl ec -in server.key -aes128 -passout pass:secret -out password.key");
  Shell("openssl pkcs8 -topk8 -in server.key -passout pass:secret -out password8.key");
  MakeCertificate("weak", "ca", 100, "-newkey rsa:1024 -nodes ");
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
      {"server.pem", "server.key", "cut_chain.pem", "certificate 2 of it cannot be read"},
      {"server.pem", "server.key", "empty.pem", "is empty"},
      {"empty.pem", "server.key", "", absl::StrCat("tls.cert: ", PathOf("empty.pem"), " is empty")},
      {"server.pem", "empty.pem", "", absl::StrCat("tls.key: ", PathOf("empty.pem"), " is empty")},
      {"long.pem", "server.key", "", "long.pem is longer than 1048576 bytes"},
      {"directory.pem", "server.key", "", "cannot be read: Is a directory"},
      {"pipe.pem", "server.key", "", "is not a regular file"},
      {"cut.pem", "server.key", "", "cut.pem is broken: certificate 1 of it cannot be read"},
      {"cut_chain.pem", "server.key", "", "cut_chain.pem is broken: certificate 2 of it cannot be read"},
      {"noise_inside.pem", "server.key", "", "is broken: certificate 1 of it cannot be read"},
      {"server.pem", "cut.key", "", "cut.key holds no PEM private key that can be read"},
      {"server.pem", "password.key", "", "password.key holds a key with a password"},
      {"server.pem", "password8.key", "", "password8.key holds a key with a password"},
      {"weak.pem", "weak.key", "", "weak.pem holds a certificate that cannot be used: ee key too small"},
  };
  const auto log = *Log::Open(PathOf("files.log"), "info", "text");
  Metrics metrics;
  for (const auto& row : kTable) {
    const TlsConfig config = {.cert = PathOf(row.cert),
                              .key = PathOf(row.key),
                              .client_ca = row.client_ca[0] == '\0' ? "" : PathOf(row.client_ca)};
    TlsFiles files(config, Clock::System(), metrics, *log);
    const absl::Status status = files.Load();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << row.message;
    EXPECT_THAT(std::string(status.message()), HasSubstr(row.message));
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("BEGIN")));
  }
}

TEST_F(TlsTest, FileThatMayNotBeReadIsNamed) {
  Write("secret.key", ReadAll(PathOf("server.key")));
  ASSERT_EQ(chmod(PathOf("secret.key").c_str(), 0), 0);
  absl::StatusOr<std::string> read;
  // On a thread of its own that gives up what lets the superuser read everything.
  std::thread([&read] {
    __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    __user_cap_data_struct no_capabilities[_LINUX_CAPABILITY_U32S_3] = {};
    EXPECT_EQ(syscall(SYS_capset, &header, no_capabilities), 0);
    read = ReadPemFile({"tls.key", PathOf("secret.key")});
  }).join();
  EXPECT_EQ(read.status().message(),
            absl::StrCat("tls.key: ", PathOf("secret.key"), " cannot be read: Permission denied"));
}

TEST_F(TlsTest, KeysOfAllKindsAndChainsServe) {
  MakeCertificate("rsa", "ca", 100, "-newkey rsa:2048 -nodes ");
  MakeCertificate("ec384", "ca", 100, "-newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes ");
  Shell("openssl rsa -in rsa.key -traditional -out rsa1.key");
  Replace("rsa1.pem", "rsa.pem");
  // With the curve before the key, as `openssl ecparam -genkey` writes it.
  Shell("openssl ecparam -name prime256v1 -genkey -out curve.key");
  Shell("openssl req -new -key curve.key -out curve.csr -subj /CN=curve");
  Shell("openssl x509 -req -in curve.csr -CA ca.pem -CAkey ca.key -days 9 -extfile names -out curve.pem");
  // The client knows only the root.
  MakeCertificate("middle", "ca", 100, kEc, "authority");
  MakeCertificate("leaf", "middle");
  Write("leaf.pem", absl::StrCat("subject=leaf\n", ReadAll(PathOf("leaf.pem")), "\nissuer:\n",
                                 ReadAll(PathOf("middle.pem")), "\n"));
  // Everything in one file, the key first.
  Write("all.pem", ReadAll(PathOf("leaf.key")) + ReadAll(PathOf("leaf.pem")));
  Replace("all.key", "all.pem");
  for (const std::string name : {"rsa", "rsa1", "ec384", "curve", "leaf", "all"}) {
    Config config;
    config.tls.cert = PathOf(name + ".pem");
    config.tls.key = PathOf(name + ".key");
    const TlsServer server(config);
    ASSERT_TRUE(server.server().ok()) << name << " " << server.server().status();
    const grpc::Status status = Call(server.address(), "");
    EXPECT_TRUE(status.ok()) << name << " " << status.error_message();
  }
}

TEST_F(TlsTest, ExpiredCertificateServesAndIsAnError) {
  // The clock of the server is wrong, that of the client is right.
  const TlsServer server(ConfigOf(/*mutual=*/true), 101 * kDay);
  ASSERT_TRUE(server.server().ok()) << server.server().status();
  const grpc::Status status = Call(server.address(), "client");
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(server.LogText(), HasSubstr("error certificate_expired setting=tls.cert"));
  EXPECT_THAT(server.Metrics(), HasSubstr("historian_certificate_seconds_left{setting=\"tls.cert\"} -"));
}

// ---- Changes, look by look

class TlsFilesTest : public TlsTest {
 protected:
  void Open(const TlsConfig& config) {
    std::filesystem::remove(PathOf("look.log"));
    log_ = *Log::Open(PathOf("look.log"), "info", "text");
    files_ = std::make_unique<TlsFiles>(config, clock_, metrics_, *log_);
    const absl::Status status = files_->Load();
    ASSERT_TRUE(status.ok()) << status;
    TakeLog();
  }
  void Look(absl::Duration after = TlsFiles::kLookInterval, bool asked = false) {
    clock_.Advance(absl::ToInt64Nanoseconds(after));
    files_->Look(asked);
  }
  // What was logged since the last call.
  std::string TakeLog() {
    EXPECT_TRUE(log_->Flush(kLong));
    const std::string all = ReadAll(PathOf("look.log"));
    const std::string result = all.substr(taken_);
    taken_ = all.size();
    return result;
  }
  bool refused(size_t unit = 0) const { return files_->States()[unit].refused; }
  double days_left(size_t unit = 0) const { return files_->States()[unit].seconds_left / 86'400; }
  void TearDown() override {
    files_.reset();
    taken_ = 0;
  }

  SimulatedClock clock_{Clock::System().Now() + 60 * kSecond};
  Metrics metrics_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<TlsFiles> files_;
  size_t taken_ = 0;
};

TEST_F(TlsFilesTest, ChangeIsTakenWhenItWasTheSameTwice) {
  ASSERT_NO_FATAL_FAILURE(Open(LiveConfig(/*mutual=*/true).tls));
  Look();
  EXPECT_EQ(TakeLog(), "");
  Replace("live.pem", "server2.pem");
  Replace("live.key", "server2.key");
  Look();
  EXPECT_EQ(TakeLog(), "");
  Look();
  EXPECT_THAT(TakeLog(),
              AllOf(HasSubstr("certificate_loaded setting=tls.cert"), HasSubstr("subject=\"CN=server2\""),
                    HasSubstr("issuer=\"CN=ca2\""), HasSubstr("serial="), HasSubstr("expires=20")));
  Replace("live_ca.pem", "ca2.pem");
  Look();
  Look();
  EXPECT_THAT(TakeLog(), HasSubstr("authorities_loaded setting=tls.client_ca"));
  for (int i = 0; i < 20; ++i) Look();
  EXPECT_EQ(TakeLog(), "");
}

TEST_F(TlsFilesTest, WhoAsksNeedNotWait) {
  ASSERT_NO_FATAL_FAILURE(Open(LiveConfig(/*mutual=*/false).tls));
  Replace("live.pem", "server2.pem");
  Look(absl::ZeroDuration(), /*asked=*/true);
  EXPECT_THAT(TakeLog(), HasSubstr("certificate_refused"));
  Look(absl::ZeroDuration(), /*asked=*/true);  // Somebody who asks again is told again.
  EXPECT_THAT(TakeLog(), HasSubstr("certificate_refused"));
  Replace("live.key", "server2.key");
  Look(absl::ZeroDuration(), /*asked=*/true);
  EXPECT_THAT(TakeLog(), HasSubstr("certificate_loaded"));
}

TEST_F(TlsFilesTest, HalfOfAPairWaitsForTheOther) {
  ASSERT_NO_FATAL_FAILURE(Open(LiveConfig(/*mutual=*/false).tls));
  Replace("live.pem", "server2.pem");
  for (int i = 0; i < 4; ++i) Look();
  EXPECT_EQ(TakeLog(), "");
  EXPECT_FALSE(refused());
  Replace("live.key", "server2.key");
  Look();
  Look();
  EXPECT_THAT(TakeLog(), HasSubstr("certificate_loaded"));
}

TEST_F(TlsFilesTest, WhatStaysBadIsToldOnceAndTheOldStaysInForce) {
  ASSERT_NO_FATAL_FAILURE(Open(LiveConfig(/*mutual=*/false).tls));
  const std::string cert = ReadAll(PathOf("server2.pem"));
  const std::vector<std::pair<std::function<void()>, std::string>> kinds = {
      {[] { Replace("live.key", "client.key"); }, "is not the key of the certificate"},
      {[&] { Write("live.pem", cert.substr(0, cert.size() / 2)); }, "certificate 1 of it cannot be read"},
      {[] { Write("live.pem", ""); }, "is empty"},
      {[] { std::filesystem::remove(PathOf("live.pem")); }, "No such file"},
      {[] { std::filesystem::create_directory(PathOf("live.pem")); }, "Is a directory"},
  };
  for (const auto& [spoil, message] : kinds) {
    spoil();
    for (int i = 0; i < 5; ++i) Look();
    EXPECT_EQ(TakeLog(), "") << message;
    Look();
    EXPECT_THAT(TakeLog(),
                AllOf(HasSubstr("error certificate_refused setting=tls.cert"), HasSubstr(message)));
    EXPECT_TRUE(refused());
    EXPECT_GT(days_left(), 99);
    for (int i = 0; i < 20; ++i) Look();
    EXPECT_EQ(TakeLog(), "") << message;
  }
  std::filesystem::remove(PathOf("live.pem"));
  Replace("live.pem", "server.pem");
  Replace("live.key", "server.key");
  Look();
  EXPECT_THAT(TakeLog(), HasSubstr("certificate_mended"));
  EXPECT_FALSE(refused());
  EXPECT_THAT(
      metrics_.Render(nullptr, true, {.certificates = files_->States()}),
      AllOf(HasSubstr("historian_certificate_changes_total{result=\"refused\",setting=\"tls.cert\"} 5"),
            HasSubstr("historian_certificate_refused{setting=\"tls.cert\"} 0")));
}

TEST_F(TlsFilesTest, BadPairDoesNotHoldUpAuthorities) {
  ASSERT_NO_FATAL_FAILURE(Open(LiveConfig(/*mutual=*/true).tls));
  Replace("live.pem", "noise.pem");
  Replace("live_ca.pem", "ca2.pem");
  Look();
  Look();
  EXPECT_THAT(TakeLog(), HasSubstr("authorities_loaded setting=tls.client_ca"));
  Replace("live_ca.pem", "noise.pem");
  for (int i = 0; i < 7; ++i) Look();
  EXPECT_THAT(TakeLog(), AllOf(HasSubstr("certificate_refused setting=tls.cert"),
                               HasSubstr("certificate_refused setting=tls.client_ca")));
  EXPECT_TRUE(refused(0) && refused(1));
}

TEST_F(TlsFilesTest, ChangeOfSameSizeAndTimesIsSeen) {
  // Two certificates of equal length, as their serial numbers and signatures may be a byte longer or shorter.
  std::string a = ReadAll(PathOf("server.pem")), b = ReadAll(PathOf("server2.pem"));
  a.append(std::max(a.size(), b.size()) - a.size(), '\n');
  b.append(a.size() - b.size(), '\n');
  Config config = LiveConfig(/*mutual=*/false);
  Write("live.pem", a);
  ASSERT_NO_FATAL_FAILURE(Open(config.tls));
  const auto cert_time = std::filesystem::last_write_time(PathOf("live.pem"));
  Write("live.pem", b);  // In place.
  Write("live.key", ReadAll(PathOf("server2.key")));
  std::filesystem::last_write_time(PathOf("live.pem"), cert_time);
  Look();
  Look();
  EXPECT_THAT(TakeLog(), HasSubstr("subject=\"CN=server2\""));
}

// ..data is a link to a directory, and each file is a link through it, so that all change in one step.
TEST_F(TlsFilesTest, LinksThatAreSwappedAreSeen) {
  namespace fs = std::filesystem;
  const fs::path secret = PathOf("secret");
  fs::remove_all(secret);
  for (const std::string name : {"server", "server2"}) {
    fs::create_directories(secret / name);
    fs::copy(PathOf(name + ".pem"), secret / name / "tls.crt");
    fs::copy(PathOf(name + ".key"), secret / name / "tls.key");
  }
  fs::create_directory_symlink("server", secret / "..data");
  fs::create_symlink("..data/tls.crt", secret / "tls.crt");
  fs::create_symlink("..data/tls.key", secret / "tls.key");
  ASSERT_NO_FATAL_FAILURE(Open({.cert = secret / "tls.crt", .key = secret / "tls.key", .client_ca = ""}));
  fs::create_directory_symlink("server2", secret / "..tmp");
  fs::rename(secret / "..tmp", secret / "..data");
  Look();
  Look();
  EXPECT_THAT(TakeLog(), HasSubstr("subject=\"CN=server2\""));
}

TEST_F(TlsFilesTest, PairThatIsNotGoodDoesNotReplaceOneThatIs) {
  MakeCertificate("short", "ca", 1);
  ASSERT_NO_FATAL_FAILURE(Open(LiveConfig(/*mutual=*/false).tls));
  clock_.Advance(3 * kDay);
  Replace("live.pem", "short.pem");
  Replace("live.key", "short.key");
  for (int i = 0; i < 7; ++i) Look();
  EXPECT_THAT(TakeLog(), AllOf(HasSubstr("certificate_refused"), HasSubstr("has expired, at 20"),
                               HasSubstr("the one in force is good until 20")));
  EXPECT_GT(days_left(), 90);
  // Before the time of all of them, neither is good: what somebody has put there is taken.
  clock_.Set(clock_.Now() - 1000 * kDay);
  Look();
  EXPECT_THAT(TakeLog(), AllOf(HasSubstr("certificate_loaded"), HasSubstr("certificate_not_yet_valid")));
  // When both have expired, likewise.
  Replace("live.pem", "server.pem");
  Replace("live.key", "server.key");
  clock_.Set(clock_.Now() + 2000 * kDay);
  Look();
  Look();
  EXPECT_THAT(TakeLog(), AllOf(HasSubstr("certificate_loaded"), HasSubstr("certificate_expired")));
}

TEST_F(TlsFilesTest, PairThatIsGoodOnlyLaterIsTakenThen) {
  MakeCertificate("before", "ca");
  usleep(1'100'000);  // A certificate's times have whole seconds.
  MakeCertificate("after", "ca");
  Config config = LiveConfig(/*mutual=*/false);
  Replace("live.pem", "before.pem");
  Replace("live.key", "before.key");
  const auto begin =
      CheckPair({"", ""}, ReadAll(PathOf("after.pem")), {"", ""}, ReadAll(PathOf("after.key")));
  ASSERT_TRUE(begin.ok()) << begin.status();
  clock_.Set(absl::ToUnixNanos((*begin)[0].not_before) - kSecond);
  ASSERT_NO_FATAL_FAILURE(Open(config.tls));
  Replace("live.pem", "after.pem");
  Replace("live.key", "after.key");
  Look(absl::ZeroDuration());
  Look(absl::ZeroDuration());
  EXPECT_THAT(TakeLog(), Not(HasSubstr("certificate_loaded")));
  Look();
  EXPECT_THAT(TakeLog(), HasSubstr("certificate_loaded"));
}

TEST_F(TlsFilesTest, ExpiryIsToldEarlyAndThenDaily) {
  ASSERT_NO_FATAL_FAILURE(Open(LiveConfig(/*mutual=*/true).tls));  // 100 days; the authority has 400.
  std::vector<int> told;
  for (int day = 1; day <= 103; ++day) {
    for (int look = 0; look < 24; ++look) Look(absl::Hours(1));
    const std::string log = TakeLog();
    EXPECT_LE(CountOf(log, "certificate_"), 1) << log;
    if (CountOf(log, "warn  certificate_expires setting=tls.cert") == 1) told.push_back(100 - day);
    if (day > 101) {
      EXPECT_THAT(log, HasSubstr("error certificate_expired setting=tls.cert"));
    }
  }
  ASSERT_GE(told.size(), 9u);
  EXPECT_THAT(told[0], ::testing::AnyOf(29, 30));
  EXPECT_THAT(told[1], ::testing::AnyOf(13, 14));
  for (size_t i = 2; i < 9; ++i) EXPECT_NEAR(told[i], 8.5 - static_cast<double>(i), 1);
  EXPECT_LT(days_left(0), -1);
  EXPECT_NEAR(days_left(1), 297, 1);
  // The successor ends it.
  MakeCertificate("long", "ca", 399);
  Replace("live.pem", "long.pem");
  Replace("live.key", "long.key");
  Look();
  Look();
  TakeLog();
  for (int i = 0; i < 50; ++i) Look(absl::Hours(1));
  EXPECT_EQ(TakeLog(), "");
}

// ---- A server that runs

TEST_F(TlsTest, NewPairServesNewConnectionsAndOldOnesStay) {
  TlsServer server(LiveConfig(/*mutual=*/false));
  ASSERT_TRUE(server.server().ok()) << server.server().status();
  const std::string ca = ReadAll(PathOf("ca.pem")), ca2 = ReadAll(PathOf("ca2.pem"));
  const auto channel = ChannelOf(server.address(), "", ca);
  auto tags = v1::Tags::NewStub(channel);
  v1::CreateTagsRequest create;
  create.add_tags()->set_name("tag");
  create.mutable_tags(0)->set_type(v1::VALUE_TYPE_FLOAT64);
  v1::TagsResponse created;
  grpc::ClientContext create_context;
  ASSERT_TRUE(tags->CreateTags(&create_context, create, &created).ok());
  auto ingest = v1::Ingest::NewStub(channel);
  grpc::ClientContext context;
  auto stream = ingest->Write(&context);
  uint64_t frames = 0;
  const auto write = [&] {
    v1::WriteRequest request;
    if (frames == 0) request.set_producer("producer");
    request.mutable_frame()->set_sequence(++frames);
    AddColumn(created.results(0).tag().id(), {{kNow + static_cast<int64_t>(frames), 1}},
              request.mutable_frame());
    if (!stream->Write(request)) return false;
    v1::WriteAck ack;
    while (ack.acknowledged() < frames && stream->Read(&ack)) {
    }
    return ack.acknowledged() == frames;
  };
  ASSERT_TRUE(write());
  EXPECT_FALSE(Call(server.address(), "", ca2).ok());
  Replace("live.pem", "server2.pem");
  Replace("live.key", "server2.key");
  // Nobody asks for it. The stream goes on meanwhile.
  EXPECT_TRUE(Eventually([&] { return write() && Call(server.address(), "", ca2).ok(); }));
  EXPECT_FALSE(Call(server.address(), "", ca).ok());
  EXPECT_TRUE(write());
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_THAT(server.LogText(), HasSubstr("certificate_loaded setting=tls.cert"));
}

TEST_F(TlsTest, NewAuthorityIsAcceptedAndTheOldRefused) {
  TlsServer server(LiveConfig(/*mutual=*/true));
  ASSERT_TRUE(server.server().ok()) << server.server().status();
  EXPECT_TRUE(Call(server.address(), "client").ok());
  EXPECT_FALSE(Call(server.address(), "client2").ok());
  // Both for a while, then only the new one.
  Write("both.pem", ReadAll(PathOf("ca.pem")) + ReadAll(PathOf("ca2.pem")));
  Replace("live_ca.pem", "both.pem");
  server.Reread();
  EXPECT_TRUE(Eventually([&] { return Call(server.address(), "client2").ok(); }));
  EXPECT_TRUE(Call(server.address(), "client").ok());
  Replace("live_ca.pem", "ca2.pem");
  server.Reread();
  EXPECT_TRUE(Eventually([&] { return !Call(server.address(), "client").ok(); }));
  EXPECT_TRUE(Call(server.address(), "client2").ok());
}

TEST_F(TlsTest, NoHandshakeFailsWhileFilesAreSwappedAgainAndAgain) {
  TlsServer server(LiveConfig(/*mutual=*/true));
  ASSERT_TRUE(server.server().ok()) << server.server().status();
  const std::string both = ReadAll(PathOf("ca.pem")) + ReadAll(PathOf("ca2.pem"));
  Write("both.pem", both);
  Write("both_too.pem", ReadAll(PathOf("ca2.pem")) + ReadAll(PathOf("ca.pem")));
  Replace("live_ca.pem", "both.pem");
  server.Reread();
  ASSERT_TRUE(Eventually([&] { return Call(server.address(), "client2").ok(); }));
  // Those before the authorities were there.
  const std::vector<std::string> failures =
      LinesWith(server.Metrics(), "historian_handshake_failures_total{");
  std::atomic<bool> stop{false};
  std::atomic<int> calls{0};
  std::vector<std::thread> clients;
  for (const std::string name : {"client", "client2", "client"}) {
    clients.emplace_back([&, name] {
      while (!stop.load()) {
        const grpc::Status status = Call(server.address(), name, both);
        EXPECT_TRUE(status.ok()) << status.error_message();
        ++calls;
      }
    });
  }
  // Certificate and key are never replaced in one step, and somebody asks in between.
  int swaps = 0;
  for (; swaps < 200 || calls.load() < 300; ++swaps) {
    const std::string name = swaps % 2 == 0 ? "server2" : "server";
    Replace("live.pem", name + ".pem");
    if (swaps % 3 == 0) server.Reread();
    Replace("live_ca.pem", swaps % 2 == 0 ? "both_too.pem" : "both.pem");
    usleep(2'000);
    Replace("live.key", name + ".key");
    server.Reread();
    usleep(5'000);
  }
  stop.store(true);
  for (std::thread& client : clients) client.join();
  const std::string log = server.LogText();
  EXPECT_GT(CountOf(log, "certificate_loaded"), 20);
  EXPECT_EQ(LinesWith(server.Metrics(), "historian_handshake_failures_total{"), failures);
  EXPECT_THAT(log, Not(HasSubstr("Handshaker factory creation failed")));
}

TEST_F(TlsTest, FailedHandshakeIsLoggedWithPeerAndReason) {
  const struct {
    std::string client;
    std::string authorities;
    std::string reason;
  } kTable[] = {
      {"", "ca", "no_certificate"},
      {"stranger", "ca", "certificate_refused"},
      {"client2", "ca", "certificate_refused"},
      {"client", "ca2", "closed"},
  };
  for (const auto& row : kTable) {
    const TlsServer server(ConfigOf(/*mutual=*/true));
    ASSERT_TRUE(server.server().ok()) << server.server().status();
    EXPECT_TRUE(Call(server.address(), "client").ok());
    EXPECT_FALSE(Call(server.address(), row.client, ReadAll(PathOf(row.authorities + ".pem"))).ok());
    const std::string line = absl::StrCat("warn  handshake_failed peer=127.0.0.1 reason=", row.reason);
    EXPECT_TRUE(Eventually([&] { return CountOf(server.LogText(), line) > 0; }))
        << row.reason << server.LogText();
    EXPECT_THAT(server.Metrics(),
                HasSubstr(absl::StrCat("historian_handshake_failures_total{reason=\"", row.reason, "\"}")));
    EXPECT_EQ(CountOf(server.LogText(), "Handshake failed"), 0);
  }
}

// The server's own probe ends after the first words, those of others before them. Clients that are well served are no
// failures either.
TEST_F(TlsTest, ProbesAndServedClientsAreNoFailedHandshakes) {
  Config config = ConfigOf(/*mutual=*/true);
  config.limits.probe_interval = absl::Milliseconds(20);
  const TlsServer server(config);
  ASSERT_TRUE(server.server().ok()) << server.server().status();
  const auto taken = [&] {
    const std::string metrics = server.Metrics();
    const size_t at = metrics.find("\nhistorian_connections_total ");
    double value = 0;
    EXPECT_TRUE(absl::SimpleAtod(metrics.substr(at + 29, metrics.find('\n', at + 1) - at - 29), &value));
    return value;
  };
  const size_t colon = server.address().rfind(':');
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(Call(server.address(), "client").ok());
    boost::asio::io_context context;
    boost::asio::ip::tcp::socket socket(context);
    boost::asio::connect(socket, boost::asio::ip::tcp::resolver(context).resolve(
                                     server.address().substr(0, colon), server.address().substr(colon + 1)));
    if (i > 1) usleep(20'000);  // gRPC may have it already, and waits for its first words.
  }
  EXPECT_TRUE(Eventually([&] { return taken() > 25; }));
  EXPECT_THAT(server.LogText(), Not(HasSubstr("handshake_failed")));
}

TEST(LoopbackTest, Addresses) {
  for (const char* here : {"127.0.0.1:1", "localhost:1", "[::1]:1", "127.9.9.9:1"})
    EXPECT_TRUE(IsLoopback(here)) << here;
  for (const char* there : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "plant:1"})
    EXPECT_FALSE(IsLoopback(there)) << there;
}

// ---- Who a certificate makes its owner

TEST_F(TlsTest, PrincipalIsTheFirstNameThatACertificateHas) {
  Write("uri", "subjectAltName=DNS:gateway.plant.example,URI:spiffe://plant/gateway,email:g@plant.example\n");
  Write("email", "subjectAltName=DNS:gateway.plant.example,email:g@plant.example\n");
  Write("dns", "subjectAltName=DNS:gateway.plant.example,DNS:other.plant.example\n");
  Write("nothing", "basicConstraints=CA:false\n");
  for (const std::string kind : {"uri", "email", "dns", "nothing"}) {
    MakeCertificate(absl::StrCat("by_", kind), "ca", 100, kEc, kind);
  }
  Config config = ConfigOf(/*mutual=*/true);
  config.access.file = PathOf("access.toml");
  Write("access.toml", R"(
[[principal]]
name = "of the uri"
certificate = "spiffe://plant/gateway"
read = ["*"]
[[principal]]
name = "of the email"
certificate = "g@plant.example"
read = ["*"]
[[principal]]
name = "of the dns"
certificate = "other.plant.example"
read = ["*"]
[[principal]]
certificate = "by_*"
read = ["*"]
)");
  TlsServer server(config);
  ASSERT_TRUE(server.server().ok()) << server.server().status();
  const auto who = [&](const std::string& name) {
    auto stub = v1::Access::NewStub(ChannelOf(server.address(), name, ReadAll(PathOf("ca.pem"))));
    v1::WhoAmIResponse response;
    grpc::ClientContext context;
    const grpc::Status status = stub->WhoAmI(&context, {}, &response);
    return status.ok() ? response.caller().name() : absl::StrCat(status.error_code(), status.error_message());
  };
  EXPECT_EQ(who("by_uri"), "of the uri");
  EXPECT_EQ(who("by_email"), "of the email");
  EXPECT_EQ(who("by_dns"), "of the dns");
  EXPECT_EQ(who("by_nothing"), "by_nothing");
  // Its DNS names count, not its common name: localhost is not listed.
  EXPECT_THAT(who("client"), HasSubstr("'localhost' has no permissions here"));
}

}  // namespace
}  // namespace historian::server
