// The program historiand: its exit codes, its port file, its signals, and a data directory that cannot be
// used.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "proto/historian/v1/admin.grpc.pb.h"
#include "proto/historian/v1/ingest.grpc.pb.h"

namespace historian::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string PathOf(const std::string& name) { return absl::StrCat(::testing::TempDir(), name); }

std::string ReadAll(const std::string& path) {
  std::ifstream in(path);
  return std::string((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
}

class Process {
 public:
  // What the child does before it becomes the server.
  using Prepare = std::function<void()>;

  // Standard output and error go to a file of this name, unless `prepare` sets them up.
  Process(const std::string& name, std::vector<std::string> arguments, Prepare prepare = nullptr)
      : output_(PathOf(name + ".out")) {
    pid_ = fork();
    if (pid_ == 0) {
      const int out = open(output_.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
      dup2(out, 1);
      dup2(out, 2);
      if (prepare) prepare();
      std::vector<char*> argv;
      arguments.insert(arguments.begin(), "server/historiand");
      for (std::string& argument : arguments) argv.push_back(argument.data());
      argv.push_back(nullptr);
      execv(argv[0], argv.data());
      _exit(127);
    }
  }
  ~Process() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
  }
  void Signal(int signal) { kill(pid_, signal); }
  pid_t pid() const { return pid_; }
  int Wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  std::string Output() const { return ReadAll(output_); }

 private:
  const std::string output_;
  pid_t pid_ = -1;
};

// What stands in the port file, once it is there.
std::map<std::string, std::string> WaitForPorts(const std::string& path) {
  for (int i = 0; i < 1000 && access(path.c_str(), R_OK) != 0; ++i) usleep(10'000);
  std::map<std::string, std::string> ports;
  for (const auto line : absl::StrSplit(ReadAll(path), '\n', absl::SkipEmpty())) {
    ports.insert(absl::StrSplit(line, absl::MaxSplits('=', 1)));
  }
  return ports;
}

std::vector<std::string> ServeOn(const std::string& data, const std::string& ports) {
  return {"--data-dir",    PathOf(data),  "--grpc-listen", "127.0.0.1:0",
          "--http-listen", "127.0.0.1:0", "--port-file",   PathOf(ports)};
}

TEST(HistoriandTest, ServesUntilItIsToldToStop) {
  Process server("serve", ServeOn("data", "ports"));
  auto ports = WaitForPorts(PathOf("ports"));
  ASSERT_THAT(ports["grpc"], HasSubstr("127.0.0.1:")) << server.Output();
  ASSERT_THAT(ports["http"], HasSubstr("127.0.0.1:"));
  auto stub = v1::Admin::NewStub(grpc::CreateChannel(ports["grpc"], grpc::InsecureChannelCredentials()));
  v1::GetStatusResponse response;
  grpc::ClientContext context;
  const grpc::Status status = stub->GetStatus(&context, {}, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.data_directory(), PathOf("data"));

  // The directory is taken.
  Process second("second", ServeOn("data", "ports2"));
  EXPECT_EQ(second.Wait(), 1);
  EXPECT_THAT(second.Output(), HasSubstr("start_failed"));
  EXPECT_THAT(second.Output(), HasSubstr(PathOf("data")));

  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0);
  EXPECT_THAT(server.Output(), HasSubstr("stopped took_ms="));
}

grpc::Status GetStatus(const std::string& address) {
  auto stub = v1::Admin::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  v1::GetStatusResponse response;
  grpc::ClientContext context;
  return stub->GetStatus(&context, {}, &response);
}

// A frame with a sample of a tag that does not exist, which is worth a line in the log.
void CauseALogLine(const std::string& address, const std::string& producer) {
  auto stub = v1::Ingest::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  v1::WriteOnceRequest request;
  request.set_producer(producer);
  request.mutable_frame()->set_sequence(1);
  v1::Column* column = request.mutable_frame()->add_columns();
  column->set_tag_id(77);
  column->mutable_times()->mutable_explicit_()->add_at(1'700'000'000'000'000'000);
  column->mutable_values()->mutable_float64()->add_values(1);
  v1::WriteAck ack;
  grpc::ClientContext context;
  const grpc::Status status = stub->WriteOnce(&context, request, &ack);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(ack.samples_rejected(), 1u);
}

// Waits until the file has this text.
bool HasSoon(const std::string& path, const std::string& text) {
  for (int i = 0; i < 1000; ++i) {
    if (ReadAll(path).find(text) != std::string::npos) return true;
    usleep(10'000);
  }
  return false;
}

TEST(HistoriandTest, LivesOnWhenTheReaderOfItsLogIsGone) {
  int log[2];
  ASSERT_EQ(pipe(log), 0);
  Process server("sigpipe", ServeOn("sigpipe", "sigpipe.ports"), [&log] {
    dup2(log[1], 2);
    close(log[0]);
    close(log[1]);
  });
  close(log[1]);
  auto ports = WaitForPorts(PathOf("sigpipe.ports"));
  close(log[0]);
  for (int i = 0; i < 3; ++i) CauseALogLine(ports["grpc"], absl::StrCat("producer ", i));
  EXPECT_TRUE(GetStatus(ports["grpc"]).ok());
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0);
}

TEST(HistoriandTest, ServesWhileNobodyReadsItsLog) {
  int log[2];
  ASSERT_EQ(pipe(log), 0);
  // Full from the beginning.
  fcntl(log[1], F_SETFL, O_NONBLOCK);
  const std::string page(4096, 'x');
  while (write(log[1], page.data(), page.size()) > 0) {
  }
  fcntl(log[1], F_SETFL, 0);
  Process server("full", ServeOn("full", "full.ports"), [&log] { dup2(log[1], 2); });
  auto ports = WaitForPorts(PathOf("full.ports"));
  for (int i = 0; i < 100; ++i) CauseALogLine(ports["grpc"], absl::StrCat("producer ", i));
  EXPECT_TRUE(GetStatus(ports["grpc"]).ok());
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0);
  close(log[0]);
  close(log[1]);
}

TEST(HistoriandTest, JournalIsToldTheLevelOfALine) {
  const auto is_the_journal = [](ino_t other) {
    struct stat info;
    fstat(2, &info);
    setenv("JOURNAL_STREAM", absl::StrCat(info.st_dev, ":", info.st_ino + other).c_str(), 1);
  };
  for (const ino_t other : {0, 1}) {
    Process server("journal", ServeOn("journal", "journal.ports"), [&] { is_the_journal(other); });
    WaitForPorts(PathOf("journal.ports"));
    server.Signal(SIGTERM);
    EXPECT_EQ(server.Wait(), 0);
    EXPECT_THAT(server.Output(), ::testing::StartsWith(other == 0 ? "<" : "20"));
    EXPECT_EQ(server.Output().find("\n<6>") != std::string::npos, other == 0) << server.Output();
    unlink(PathOf("journal.ports").c_str());
  }
}

TEST(HistoriandTest, HangupOpensTheLogFileAnew) {
  const std::string file = PathOf("hangup.log");
  std::vector<std::string> arguments = ServeOn("hangup", "hangup.ports");
  arguments.insert(arguments.end(), {"--log-file", file});
  Process server("hangup", arguments);
  auto ports = WaitForPorts(PathOf("hangup.ports"));
  for (int round = 1; round <= 3; ++round) {
    const std::string old = absl::StrCat(file, ".", round);
    ASSERT_EQ(rename(file.c_str(), old.c_str()), 0);
    server.Signal(SIGHUP);
    ASSERT_TRUE(HasSoon(file, " log_reopened"));
    CauseALogLine(ports["grpc"], absl::StrCat("producer ", round));
    EXPECT_TRUE(HasSoon(file, absl::StrCat("producer=\"producer ", round)));
  }
  EXPECT_TRUE(GetStatus(ports["grpc"]).ok());
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0);
  EXPECT_THAT(ReadAll(file), HasSubstr("stopped took_ms="));
}

// A pair that does not fit is told once, and once more to whoever asks.
TEST(HistoriandTest, HangupRereadsCertificates) {
  std::ofstream(PathOf("hangup.cnf")) << "[req]\ndistinguished_name = name\n[name]\n";
  for (const std::string name : {"hangup", "other"}) {
    const std::string command = absl::StrCat(
        "cd '", ::testing::TempDir(), "' && OPENSSL_CONF=hangup.cnf openssl req -x509 -nodes -newkey ec ",
        "-pkeyopt ec_paramgen_curve:P-256 -subj /CN=", name, " -keyout ", name, ".key -out ", name,
        ".pem 2>&1");
    ASSERT_EQ(std::system(command.c_str()), 0);
  }
  const std::string file = PathOf("certificates.log");
  std::vector<std::string> arguments = ServeOn("certificates", "certificates.ports");
  arguments.insert(arguments.end(), {"--log-file", file, "--tls-cert", PathOf("hangup.pem"), "--tls-key",
                                     PathOf("hangup.key")});
  Process server("certificates", arguments);
  WaitForPorts(PathOf("certificates.ports"));
  ASSERT_EQ(rename(PathOf("other.key").c_str(), PathOf("hangup.key").c_str()), 0);
  ASSERT_TRUE(HasSoon(file, "certificate_refused setting=tls.cert"));
  ASSERT_EQ(rename(file.c_str(), PathOf("certificates.old").c_str()), 0);
  server.Signal(SIGHUP);
  EXPECT_TRUE(HasSoon(file, "certificate_refused setting=tls.cert"));
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0);
}

void MakeCertificate(const std::string& name) {
  std::ofstream(PathOf("req.cnf")) << "[req]\ndistinguished_name = name\n[name]\n";
  const std::string command = absl::StrCat("cd '", ::testing::TempDir(),
                                           "' && OPENSSL_CONF=req.cnf openssl req -x509 -nodes -newkey ec ",
                                           "-pkeyopt ec_paramgen_curve:P-256 -subj /CN=", name, " -keyout ",
                                           name, ".key -out ", name, ".pem 2>&1");
  ASSERT_EQ(std::system(command.c_str()), 0);
}

TEST(HistoriandTest, HangupTakesARenewedCertificate) {
  MakeCertificate("before");
  MakeCertificate("renewed");
  const std::string file = PathOf("renewed.log");
  std::vector<std::string> arguments = ServeOn("renewed", "renewed.ports");
  arguments.insert(arguments.end(), {"--log-file", file, "--tls-cert", PathOf("before.pem"), "--tls-key",
                                     PathOf("before.key")});
  Process server("renewed", arguments);
  WaitForPorts(PathOf("renewed.ports"));
  ASSERT_TRUE(HasSoon(file, "subject=\"CN=before\""));
  for (const std::string end : {".pem", ".key"}) {
    ASSERT_EQ(rename(PathOf("renewed" + end).c_str(), PathOf("before" + end).c_str()), 0);
  }
  server.Signal(SIGHUP);
  EXPECT_TRUE(HasSoon(file, "subject=\"CN=renewed\"")) << ReadAll(file);
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0);
}

TEST(HistoriandTest, LivesOnWhenItsTerminalIsClosed) {
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  ASSERT_GE(terminal, 0);
  ASSERT_EQ(grantpt(terminal), 0);
  ASSERT_EQ(unlockpt(terminal), 0);
  const std::string name = ptsname(terminal);
  const std::string file = PathOf("terminal.log");
  std::vector<std::string> arguments = ServeOn("terminal", "terminal.ports");
  arguments.insert(arguments.end(), {"--log-file", file});
  // Its session's leader, as a terminal's only program is.
  Process server("terminal", arguments, [&name] {
    setsid();
    const int fd = open(name.c_str(), O_RDWR);
    ioctl(fd, TIOCSCTTY, 0);
    for (const int stream : {0, 1, 2}) dup2(fd, stream);
  });
  auto ports = WaitForPorts(PathOf("terminal.ports"));
  close(terminal);
  EXPECT_TRUE(HasSoon(file, " log_reopened"));
  EXPECT_TRUE(GetStatus(ports["grpc"]).ok());
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0);
  EXPECT_THAT(ReadAll(file), HasSubstr("sealed_on_stop"));
}

TEST(HistoriandTest, StraySignalsAreToldAndNothingElse) {
  const std::string file = PathOf("stray.log");
  std::vector<std::string> arguments = ServeOn("stray", "stray.ports");
  arguments.insert(arguments.end(), {"--log-file", file});
  Process server("stray", arguments);
  auto ports = WaitForPorts(PathOf("stray.ports"));
  for (const int signal : {SIGPIPE, SIGXFSZ}) server.Signal(signal);
  for (const int signal :
       {SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGSTKFLT, SIGRTMIN, SIGRTMAX}) {
    server.Signal(signal);
    EXPECT_TRUE(HasSoon(file, absl::StrCat(" signal_ignored number=", signal, " "))) << signal;
  }
  EXPECT_TRUE(GetStatus(ports["grpc"]).ok());
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0);
}

TEST(HistoriandTest, SignalsThatAskForTheEndGetASeal) {
  for (const int signal : {SIGINT, SIGQUIT, SIGTERM, SIGPWR, SIGXCPU}) {
    const std::string name = absl::StrCat("end", signal);
    Process server(name, ServeOn(name, name + ".ports"));
    auto ports = WaitForPorts(PathOf(name + ".ports"));
    CauseALogLine(ports["grpc"], "producer");
    server.Signal(signal);
    // These come again and again; they ask for nothing more.
    if (signal == SIGXCPU) {
      for (int i = 0; i < 3; ++i) server.Signal(signal);
    }
    EXPECT_EQ(server.Wait(), 0) << signal;
    EXPECT_THAT(server.Output(), HasSubstr("sealed_on_stop")) << signal;
    EXPECT_THAT(server.Output(), HasSubstr("stopped took_ms=")) << signal;
  }
}

// What systemd does for a unit with Type=notify.
class NotifySocket {
 public:
  NotifySocket() : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un here = {};
    here.sun_family = AF_UNIX;
    const std::string abstract = absl::StrCat("historiand-test-", getpid());
    abstract.copy(here.sun_path + 1, sizeof(here.sun_path) - 1);
    size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + abstract.size());
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&here), size_), 0);
    const timeval patience = {.tv_sec = 60, .tv_usec = 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    name_ = "@" + abstract;
  }
  ~NotifySocket() { close(fd_); }

  const std::string& name() const { return name_; }
  // The next message that says this, or nothing if none comes.
  std::string Await(const std::string& word) {
    std::string message(4096, '\0');
    for (;;) {
      const ssize_t size = recv(fd_, message.data(), message.size(), 0);
      if (size < 0) return "";
      const std::string text = message.substr(0, static_cast<size_t>(size));
      if (text.find(word) != std::string::npos) return text;
    }
  }

 private:
  const int fd_;
  socklen_t size_ = 0;
  std::string name_;
};

TEST(HistoriandTest, SupervisorIsToldHowItIs) {
  NotifySocket supervisor;
  Process server("notify", ServeOn("notify", "notify.ports"), [&supervisor] {
    setenv("NOTIFY_SOCKET", supervisor.name().c_str(), 1);
    setenv("WATCHDOG_USEC", "60000000", 1);
    unsetenv("WATCHDOG_PID");
  });
  EXPECT_THAT(supervisor.Await("STATUS=starting"), HasSubstr(PathOf("notify")));
  EXPECT_THAT(supervisor.Await("READY=1"), HasSubstr("STATUS=serving gRPC on 127.0.0.1:"));
  server.Signal(SIGHUP);
  EXPECT_THAT(supervisor.Await("RELOADING=1"), HasSubstr("MONOTONIC_USEC="));
  EXPECT_THAT(supervisor.Await("READY=1"), HasSubstr("STATUS=serving"));
  // From the first probe of its own port.
  EXPECT_EQ(supervisor.Await("WATCHDOG=1"), "WATCHDOG=1");
  server.Signal(SIGTERM);
  EXPECT_THAT(supervisor.Await("STOPPING=1"), HasSubstr("STATUS=sealing"));
  EXPECT_EQ(server.Wait(), 0);
  EXPECT_THAT(server.Output(), Not(HasSubstr("watchdog_short")));
}

TEST(HistoriandTest, DataAreForTheirOwnerAndGroup) {
  std::vector<std::string> arguments = ServeOn("private", "private.ports");
  arguments.insert(arguments.end(), {"--log-file", PathOf("private.log")});
  Process server("private", arguments, [] { umask(0); });
  auto ports = WaitForPorts(PathOf("private.ports"));
  CauseALogLine(ports["grpc"], "producer");
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0);
  namespace fs = std::filesystem;
  std::vector<fs::path> paths = {PathOf("private"), PathOf("private.log")};
  for (const auto& entry : fs::recursive_directory_iterator(PathOf("private"))) paths.push_back(entry.path());
  EXPECT_GT(paths.size(), 8u);
  for (const fs::path& path : paths) {
    const fs::perms open = fs::perms::others_all | fs::perms::group_write;
    EXPECT_EQ(fs::status(path).permissions() & open, fs::perms::none) << path;
  }
  EXPECT_EQ(fs::status(PathOf("private")).permissions(), static_cast<fs::perms>(0750));
  EXPECT_THAT(ReadAll(PathOf("private.log")), Not(HasSubstr("data_directory_open")));
}

TEST(HistoriandTest, DataDirectoryThatOthersCanReadIsWarnedOf) {
  ASSERT_EQ(mkdir(PathOf("open").c_str(), 0700), 0);
  ASSERT_EQ(chmod(PathOf("open").c_str(), 0755), 0);
  Process server("open", ServeOn("open", "open.ports"));
  WaitForPorts(PathOf("open.ports"));
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0);
  EXPECT_THAT(server.Output(),
              HasSubstr(absl::StrCat("data_directory_open data_dir=", PathOf("open"), " mode=0755")));
}

void SetDescriptors(rlim_t soft, rlim_t hard) {
  const rlimit limit = {soft, hard};
  setrlimit(RLIMIT_NOFILE, &limit);
}

TEST(HistoriandTest, RaisesItsDescriptorsAndSaysWhenTheyAreFew) {
  {
    Process server("raised", ServeOn("raised", "raised.ports"), [] { SetDescriptors(64, 4096); });
    WaitForPorts(PathOf("raised.ports"));
    EXPECT_THAT(ReadAll(absl::StrCat("/proc/", server.pid(), "/limits")),
                ::testing::ContainsRegex("Max open files +4096 +4096"));
    EXPECT_THAT(server.Output(), Not(HasSubstr("descriptors_few")));
  }
  Process server("few", ServeOn("few", "few.ports"), [] { SetDescriptors(256, 256); });
  WaitForPorts(PathOf("few.ports"));
  EXPECT_TRUE(HasSoon(PathOf("few.out"), "descriptors_few descriptors=256 connections="));
}

// CVE-2023-4785: gRPC's own listener ends for good when it is out of descriptors once.
TEST(HistoriandTest, ServesNewClientsDuringAndAfterMoreConnectionsThanDescriptors) {
  Process server("flood", ServeOn("flood", "flood.ports"), [] { SetDescriptors(256, 256); });
  auto ports = WaitForPorts(PathOf("flood.ports"));
  int port = 0;
  ASSERT_TRUE(absl::SimpleAtoi(ports["grpc"].substr(ports["grpc"].rfind(':') + 1), &port));
  std::vector<int> silent;
  for (int i = 0; i < 400; ++i) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
    silent.push_back(fd);
  }
  const auto status_from_new_client = [&] {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    auto stub = v1::Admin::NewStub(
        grpc::CreateCustomChannel(ports["grpc"], grpc::InsecureChannelCredentials(), arguments));
    v1::GetStatusResponse response;
    grpc::ClientContext context;
    return stub->GetStatus(&context, {}, &response);
  };
  grpc::Status status = status_from_new_client();
  EXPECT_TRUE(status.ok()) << status.error_message();
  for (const int fd : silent) close(fd);
  status = status_from_new_client();
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST(HistoriandTest, PortThatNobodyHearsEndsItWithOne) {
  Process server("deaf", ServeOn("deaf", "deaf.ports"));
  auto ports = WaitForPorts(PathOf("deaf.ports"));
  int port = 0;
  ASSERT_TRUE(absl::SimpleAtoi(ports["grpc"].substr(ports["grpc"].rfind(':') + 1), &port));
  // Takes the server's listening socket, and ends it.
  const int process = static_cast<int>(syscall(SYS_pidfd_open, server.pid(), 0));
  if (process < 0) GTEST_SKIP() << "this system has no pidfd_open";
  bool found = false;
  for (int fd = 0; fd < 256 && !found; ++fd) {
    const int theirs = static_cast<int>(syscall(SYS_pidfd_getfd, process, fd, 0));
    if (theirs < 0 && errno == EPERM)
      GTEST_SKIP() << "this system lets nobody take another process's descriptors";
    int listens = 0;
    socklen_t size = sizeof(listens);
    sockaddr_in here = {};
    socklen_t here_size = sizeof(here);
    found = getsockopt(theirs, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens != 0 &&
            getsockname(theirs, reinterpret_cast<sockaddr*>(&here), &here_size) == 0 &&
            ntohs(here.sin_port) == port;
    if (found) shutdown(theirs, SHUT_RDWR);
    close(theirs);
  }
  close(process);
  ASSERT_TRUE(found);
  EXPECT_EQ(server.Wait(), 1);
  EXPECT_THAT(server.Output(), HasSubstr("unreachable port=grpc.listen"));
  EXPECT_THAT(server.Output(), HasSubstr("sealed_on_stop"));
}

TEST(HistoriandTest, DataDirectoryThatCannotBeWrittenIsToldPlainly) {
  // A file in its place: that stops root as well.
  std::ofstream(PathOf("file")) << "x";
  Process server("unwritable", ServeOn("file/data", "ports3"));
  EXPECT_EQ(server.Wait(), 1);
  EXPECT_THAT(server.Output(), HasSubstr("start_failed"));
  EXPECT_THAT(server.Output(), HasSubstr(PathOf("file")));
}

TEST(HistoriandTest, ConfigurationWithMistakesEndsWithTwo) {
  std::ofstream(PathOf("bad.toml")) << "[limits]\nquerys = 3\n";
  Process server("bad", {"--config", PathOf("bad.toml"), "--data-dir", PathOf("x"), "--check-config"});
  EXPECT_EQ(server.Wait(), 2);
  EXPECT_THAT(server.Output(),
              HasSubstr("bad.toml:2: limits.querys: no such setting; did you mean limits.queries?"));
  EXPECT_THAT(server.Output(), HasSubstr("1 mistake in the configuration"));
  Process unknown("unknown", {"--data-dri=/d"});
  EXPECT_EQ(unknown.Wait(), 2);
  EXPECT_THAT(unknown.Output(), HasSubstr("--data-dri: no such flag; did you mean --data-dir?"));
}

// The output of a process that ends by itself, and its exit code in front of it.
std::string RunToItsEnd(std::vector<std::string> arguments) {
  Process process("run", std::move(arguments));
  const int code = process.Wait();
  return absl::StrCat(code, ": ", process.Output());
}

TEST(HistoriandTest, CheckLooksAtWhatTheConfigurationNames) {
  MakeCertificate("good");
  MakeCertificate("another");
  std::ofstream(PathOf("junk.pem")) << "junk";
  std::ofstream(PathOf("access.toml")) << "[[principle]]\n";
  mkdir(PathOf("foreign").c_str(), 0700);
  std::ofstream(PathOf("foreign/thesis.tex")) << "x";
  const struct {
    std::vector<std::string> arguments;
    std::string said;
  } kTable[] = {
      {{}, "the configuration is good"},
      {{"--tls-cert", PathOf("good.pem"), "--tls-key", PathOf("good.key"), "--tls-client-ca",
        PathOf("another.pem")},
       "the configuration is good"},
      {{"--tls-cert", "/nonexistent", "--tls-key", PathOf("good.key")},
       "--tls-cert: tls.cert: /nonexistent cannot be read"},
      {{"--tls-cert", PathOf("good.pem"), "--tls-key", PathOf("another.key")}, "--tls-key: tls.key: "},
      {{"--tls-cert", PathOf("junk.pem"), "--tls-key", PathOf("good.key")}, "holds no PEM certificate"},
      {{"--tls-cert", PathOf("good.pem"), "--tls-key", PathOf("good.key"), "--tls-client-ca",
        PathOf("junk.pem")},
       "--tls-client-ca: tls.client_ca: "},
      {{"--access-file", PathOf("access.toml")}, "--access-file: access.file: "},
      {{"--log-file", "/nonexistent/log"}, "--log-file: log.file: /nonexistent is no directory"},
      {{"--log-file", PathOf("foreign")}, "is a directory"},
      {{"--data-dir", PathOf("foreign")}, "--data-dir: data_dir: "},
      {{"--data-dir", PathOf("junk.pem/data")}, "--data-dir: data_dir: "},
      {{"--grpc-listen", "no.such.host.invalid:7720"}, "--grpc-listen: grpc.listen: "},
      {{"--grpc-listen", "192.0.2.1:7720"}, "no interface of this machine has that address"},
      {{"--grpc-listen", "0.0.0.0:0"}, "without TLS"},
  };
  for (const auto& row : kTable) {
    std::vector<std::string> arguments = {"--check-config"};
    const auto given = [&row](const std::string& flag) {
      return std::find(row.arguments.begin(), row.arguments.end(), flag) != row.arguments.end();
    };
    if (!given("--data-dir")) arguments.insert(arguments.end(), {"--data-dir", PathOf("checked")});
    if (!given("--grpc-listen")) arguments.insert(arguments.end(), {"--grpc-listen", "127.0.0.1:0"});
    arguments.insert(arguments.end(), {"--http-listen", "127.0.0.1:0"});
    arguments.insert(arguments.end(), row.arguments.begin(), row.arguments.end());
    const std::string said = RunToItsEnd(arguments);
    EXPECT_THAT(said, HasSubstr(row.said));
    EXPECT_THAT(said, ::testing::StartsWith(row.said == "the configuration is good" ? "0: " : "2: "));
  }
  // It has looked, and nothing else.
  EXPECT_FALSE(std::filesystem::exists(PathOf("checked")));
  EXPECT_FALSE(std::filesystem::exists(PathOf("foreign/LOCK")));
}

TEST(HistoriandTest, CheckKnowsItsOwnServerFromAnother) {
  Process server("own", ServeOn("own", "own.ports"));
  auto ports = WaitForPorts(PathOf("own.ports"));
  const auto check = [&ports](const std::string& data) {
    return RunToItsEnd({"--check-config", "--data-dir", PathOf(data), "--grpc-listen", ports["grpc"],
                        "--http-listen", ports["http"]});
  };
  EXPECT_THAT(check("own"), ::testing::StartsWith("0: "));
  EXPECT_THAT(check("somebody-elses"), HasSubstr("grpc.listen: cannot listen on "));
  EXPECT_THAT(check("somebody-elses"), HasSubstr("another program has that port"));
  EXPECT_THAT(check("somebody-elses"), HasSubstr("2 mistakes in the configuration"));
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0);
}

TEST(HistoriandTest, NewArchiveIsMadeWithAConfigurationThatServesIt) {
  const std::string dir = PathOf("plant");
  EXPECT_THAT(RunToItsEnd({"--init", dir, "--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"}),
              HasSubstr(absl::StrCat("historiand --config ", dir, "/historian.toml")));
  namespace fs = std::filesystem;
  EXPECT_EQ(fs::status(dir).permissions(), static_cast<fs::perms>(0750));
  EXPECT_EQ(fs::status(dir + "/historian.toml").permissions(), static_cast<fs::perms>(0640));
  EXPECT_THAT(RunToItsEnd({"--config", dir + "/historian.toml", "--check-config"}),
              "0: the configuration is good\n");
  // Once more: it harms nothing.
  EXPECT_THAT(RunToItsEnd({"--init", dir}), HasSubstr("holds an archive already"));
  {
    Process server("plant", {"--config", dir + "/historian.toml", "--port-file", PathOf("plant.ports")});
    auto ports = WaitForPorts(PathOf("plant.ports"));
    EXPECT_TRUE(GetStatus(ports["grpc"]).ok());
    server.Signal(SIGTERM);
    EXPECT_EQ(server.Wait(), 0);
    EXPECT_THAT(server.Output(), Not(HasSubstr("new_archive")));
  }
  EXPECT_THAT(RunToItsEnd({"--init", PathOf("slash/")}), HasSubstr(PathOf("slash/historian.toml")));
  // With a configuration elsewhere, and with one that is there.
  mkdir(PathOf("etc").c_str(), 0755);
  const std::string file = PathOf("etc/plant.toml");
  EXPECT_THAT(RunToItsEnd({"--init", PathOf("plant2"), "--config", file}),
              HasSubstr("wrote the configuration " + file));
  std::ofstream(file) << "data_dir = \"" << PathOf("plant3") << "\"\n";
  EXPECT_THAT(RunToItsEnd({"--init", "--config", file}),
              HasSubstr("left as it is: the configuration " + file));
  EXPECT_TRUE(fs::exists(PathOf("plant3/FORMAT")));
  EXPECT_THAT(RunToItsEnd({"--init"}), ::testing::StartsWith("2: configuration: data_dir: must be given"));
  EXPECT_THAT(RunToItsEnd({"--init", PathOf("plant4"), "--config", PathOf("nowhere/plant.toml")}),
              HasSubstr("there is no directory"));
  EXPECT_FALSE(fs::exists(PathOf("plant4")));
}

TEST(HistoriandTest, DirectoryWithoutAnArchiveIsToldBeforeItGetsOne) {
  Process server("mistyped", ServeOn("mistyped", "mistyped.ports"));
  WaitForPorts(PathOf("mistyped.ports"));
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0);
  EXPECT_THAT(server.Output(), HasSubstr(absl::StrCat("new_archive data_dir=", PathOf("mistyped"))));
}

TEST(HistoriandTest, DirectoryOfSomebodyElseIsLeftAsItIs) {
  mkdir(PathOf("theirs").c_str(), 0700);
  std::ofstream(PathOf("theirs/file")) << "x";
  Process server("theirs", ServeOn("theirs", "theirs.ports"));
  EXPECT_EQ(server.Wait(), 1);
  EXPECT_THAT(server.Output(), HasSubstr("not a store of Historian and not empty: it holds file"));
  EXPECT_THAT(RunToItsEnd({"--init", PathOf("theirs")}), HasSubstr("it holds file"));
  EXPECT_FALSE(std::filesystem::exists(PathOf("theirs/LOCK")));
}

TEST(HistoriandTest, RootDoesNotServeADirectoryOfAnotherUser) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can make one";
  mkdir(PathOf("nobodys").c_str(), 0750);
  if (chown(PathOf("nobodys").c_str(), 65534, 65534) != 0)
    GTEST_SKIP() << "this root may not give files away";
  Process server("nobodys", ServeOn("nobodys", "nobodys.ports"));
  EXPECT_EQ(server.Wait(), 1);
  EXPECT_THAT(server.Output(), HasSubstr("belongs to the user "));
  EXPECT_THAT(RunToItsEnd({"--check-config", "--data-dir", PathOf("nobodys"), "--grpc-listen", "127.0.0.1:0",
                           "--http-listen", "127.0.0.1:0"}),
              HasSubstr("belongs to the user "));
  EXPECT_TRUE(std::filesystem::is_empty(PathOf("nobodys")));
}

TEST(HistoriandTest, PrintedConfigurationIsAFileToStartFrom) {
  Process print("printed", {"--print-config"});
  EXPECT_EQ(print.Wait(), 0);
  const std::string line = "#data_dir = \"/var/lib/historian\"\n";
  ASSERT_THAT(print.Output(), HasSubstr(line));
  std::ofstream(PathOf("printed.toml")) << absl::StrReplaceAll(
      print.Output(), {{line, absl::StrCat("data_dir = \"", PathOf("printed"), "\"\n")},
                       {"#listen = \"127.0.0.1:7720\"", "listen = \"127.0.0.1:0\""},
                       {"#listen = \"127.0.0.1:7721\"", "listen = \"127.0.0.1:0\""}});
  EXPECT_THAT(RunToItsEnd({"--config", PathOf("printed.toml"), "--check-config"}),
              ::testing::StartsWith("0: "));
}

TEST(HistoriandTest, MistypedFlagsAreAnsweredWithTheRightOnes) {
  EXPECT_THAT(RunToItsEnd({"--limits-querys", "7"}),
              HasSubstr("--limits-querys: no such flag; did you mean --limits-queries?"));
  EXPECT_THAT(RunToItsEnd({"--check-confg"}), HasSubstr("did you mean --check-config?"));
}

TEST(HistoriandTest, PrintsWhatIsAskedFor) {
  Process version("version", {"--version"});
  EXPECT_EQ(version.Wait(), 0);
  EXPECT_THAT(version.Output(), HasSubstr("historiand "));
  Process help("help", {"--help"});
  EXPECT_EQ(help.Wait(), 0);
  EXPECT_THAT(help.Output(), HasSubstr("--limits-query-timeout"));
  Process print("print", {"--print-config", "--data-dir", "/d", "--limits-queries", "7"});
  EXPECT_EQ(print.Wait(), 0);
  EXPECT_THAT(print.Output(), HasSubstr("queries = 7\n"));
}

}  // namespace
}  // namespace historian::server
