#include "server/process.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/log.h"

namespace historian::server {
namespace {

namespace fs = std::filesystem;

class MemoryLimitTest : public ::testing::Test {
 protected:
  MemoryLimitTest() { fs::create_directories(groups_ + "/system.slice/historiand.service"); }
  ~MemoryLimitTest() override { fs::remove_all(groups_); }

  uint64_t Of(const std::string& process) {
    std::ofstream(file_) << process;
    return MemoryLimit(file_, groups_);
  }
  void Set(const std::string& file, const std::string& limit) {
    std::ofstream(absl::StrCat(groups_, "/", file)) << limit << "\n";
  }

  const std::string groups_ = ::testing::TempDir() + "groups";
  const std::string file_ = ::testing::TempDir() + "cgroup";
};

TEST_F(MemoryLimitTest, IsTheLeastOfAllGroupsAbove) {
  const std::string mine = "0::/system.slice/historiand.service\n";
  EXPECT_EQ(Of(mine), UINT64_MAX);
  Set("system.slice/historiand.service/memory.max", "max");
  EXPECT_EQ(Of(mine), UINT64_MAX);
  Set("system.slice/historiand.service/memory.max", "2147483648");
  EXPECT_EQ(Of(mine), 2147483648u);
  Set("system.slice/historiand.service/memory.high", "1610612736");
  EXPECT_EQ(Of(mine), 1610612736u);
  Set("system.slice/memory.max", "1073741824");
  EXPECT_EQ(Of(mine), 1073741824u);
  EXPECT_EQ(Of("0::/\n"), UINT64_MAX);
  // A container sees its own group as the root.
  Set("memory.max", "1000");
  EXPECT_EQ(Of("0::/\n"), 1000u);
  EXPECT_EQ(Of("5:memory:/docker/x\n"), UINT64_MAX);
  EXPECT_EQ(MemoryLimit("/nonexistent", groups_), UINT64_MAX);
}

TEST_F(MemoryLimitTest, LessThanIsNeededIsWarnedOf) {
  const std::string file = ::testing::TempDir() + "limit.log";
  auto log = Log::Open(file, "info", "text");
  ASSERT_TRUE(log.ok());
  WarnOfMemoryLimit(1000, 1000, **log);
  WarnOfMemoryLimit(uint64_t{5} << 28, uint64_t{1} << 30, **log);
  ASSERT_TRUE((*log)->Flush(absl::Seconds(60)));
  std::ifstream in(file);
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  EXPECT_THAT(text, ::testing::HasSubstr("warn  memory_limit_low limit=1GiB needed=1280MiB "));
  EXPECT_EQ(text.find("memory_limit_low"), text.rfind("memory_limit_low"));
}

}  // namespace
}  // namespace historian::server
