// The program historiand: its exit codes, its port file, its signals, and a data directory that cannot be
// used.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "proto/historian/v1/admin.grpc.pb.h"

namespace historian::server {
namespace {

using ::testing::HasSubstr;

std::string PathOf(const std::string& name) { return absl::StrCat(::testing::TempDir(), name); }

std::string ReadAll(const std::string& path) {
  std::ifstream in(path);
  return std::string((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
}

class Process {
 public:
  // Standard output and error go to a file of this name.
  Process(const std::string& name, std::vector<std::string> arguments) : output_(PathOf(name + ".out")) {
    pid_ = fork();
    if (pid_ == 0) {
      const int out = open(output_.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
      dup2(out, 1);
      dup2(out, 2);
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
  Process unknown("unknown", {"--no-such-flag"});
  EXPECT_EQ(unknown.Wait(), 2);
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
