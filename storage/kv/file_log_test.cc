#include "storage/kv/file_log.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace historian::kv {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr uint64_t kSegment = 4096;

class FileLogTest : public testing::Test {
 protected:
  FileLogTest() {
    std::string name = absl::StrCat(testing::TempDir(), "/log.XXXXXX");
    if (::mkdtemp(name.data()) != nullptr) directory_ = name;
  }
  ~FileLogTest() override {
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
  }

  absl::StatusOr<std::unique_ptr<FileLog>> TryOpen(uint64_t reserve_bytes = 0) {
    return FileLog::Open(directory_, kSegment, reserve_bytes);
  }
  std::unique_ptr<FileLog> Open(uint64_t reserve_bytes = 0) {
    auto log = TryOpen(reserve_bytes);
    EXPECT_TRUE(log.ok()) << log.status();
    return log.ok() ? *std::move(log) : nullptr;
  }
  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory_)) {
      if (entry.path().filename().string() != "SYNCED") names.push_back(entry.path().filename());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  std::string PathOf(uint64_t start) const {
    std::string digits = absl::StrCat(start);
    return absl::StrCat(directory_, "/", std::string(20 - digits.size(), '0'), digits, ".seg");
  }

  std::string directory_;
};

TEST_F(FileLogTest, SegmentsAreNamedByTheirFirstPositionAndAllocatedWhole) {
  auto log = Open();
  EXPECT_THAT(Files(), ElementsAre());
  ASSERT_TRUE(log->Append(std::string(kSegment, 'a')).ok());
  EXPECT_THAT(Files(), ElementsAre("00000000000000000000.seg"));
  ASSERT_TRUE(log->Append("b").ok());
  EXPECT_THAT(Files(), ElementsAre("00000000000000000000.seg", "00000000000000004096.seg"));
  EXPECT_EQ(fs::file_size(PathOf(kSegment)), kSegment);
}

TEST_F(FileLogTest, OneAppendMaySpanManySegments) {
  auto log = Open();
  std::string bytes;
  for (int i = 0; i < 30000; ++i) bytes += static_cast<char>('a' + i % 26);
  ASSERT_TRUE(log->Append("x").ok() && log->Append(bytes).ok() && log->Sync().ok());
  EXPECT_EQ(Files().size(), 8);
  EXPECT_EQ(*log->Read(1, 100000), bytes);
  log = Open();
  EXPECT_EQ(log->Read(1, 100000)->substr(0, bytes.size()), bytes);
}

TEST_F(FileLogTest, AfterReopeningTheRestOfTheLastSegmentReadsAsZeros) {
  ASSERT_TRUE(Open()->Append("record").ok());
  const auto log = Open();
  EXPECT_EQ(log->end(), kSegment);
  EXPECT_EQ(*log->Read(0, kSegment), "record" + std::string(kSegment - 6, '\0'));
}

TEST_F(FileLogTest, TrimmingUnlinksWholeSegmentsButTheLast) {
  auto log = Open();
  ASSERT_TRUE(log->Append(std::string(3 * kSegment, 'a')).ok());
  ASSERT_TRUE(log->Trim(kSegment - 1).ok());
  EXPECT_EQ(log->begin(), 0);
  ASSERT_TRUE(log->Trim(kSegment).ok());
  EXPECT_EQ(log->begin(), kSegment);
  ASSERT_TRUE(log->Trim(uint64_t{1} << 60).ok());
  EXPECT_EQ(log->begin(), 2 * kSegment);
  EXPECT_THAT(Files(), ElementsAre("00000000000000008192.seg"));
  log = Open();
  EXPECT_EQ(log->begin(), 2 * kSegment);
  EXPECT_EQ(log->end(), 3 * kSegment);
}

TEST_F(FileLogTest, TruncatingZeroesWhatFollows) {
  for (const uint64_t position :
       {uint64_t{0}, uint64_t{1}, kSegment - 1, kSegment, kSegment + 1, 3 * kSegment}) {
    SCOPED_TRACE(position);
    auto log = Open();
    ASSERT_TRUE(log->Truncate(0).ok());
    ASSERT_TRUE(log->Append(std::string(3 * kSegment, 'a')).ok());
    ASSERT_TRUE(log->Truncate(position).ok());
    EXPECT_EQ(log->end(), position);
    log = Open();
    const std::string all = *log->Read(0, log->end());
    EXPECT_EQ(all, std::string(position, 'a') + std::string(log->end() - position, '\0'));
  }
}

TEST_F(FileLogTest, WithoutRoomNothingOfAnAppendIsKept) {
  auto log = Open();
  ASSERT_TRUE(log->Append("record").ok());
  log = Open(/*reserve_bytes=*/uint64_t{1} << 60);
  ASSERT_TRUE(log->Truncate(6).ok());
  const absl::Status status = log->Append(std::string(kSegment, 'x'));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_THAT(status.message(), HasSubstr(directory_));
  EXPECT_EQ(log->end(), 6);
  // There is still room in the segment.
  ASSERT_TRUE(log->Append(" more").ok() && log->Sync().ok());
  EXPECT_EQ(*log->Read(0, 100), "record more");
}

TEST_F(FileLogTest, DamagedDirectories) {
  {
    auto log = Open();
    ASSERT_TRUE(log->Append(std::string(3 * kSegment, 'a')).ok());
  }
  std::ofstream(PathOf(3 * kSegment) + ".new") << "half a segment";
  std::ofstream(directory_ + "/notes.txt") << "not ours";
  ASSERT_NE(Open(), nullptr);
  EXPECT_FALSE(fs::exists(PathOf(3 * kSegment) + ".new"));

  fs::resize_file(PathOf(kSegment), kSegment + 1);
  const absl::Status status = TryOpen().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr(PathOf(2 * kSegment)));
}

TEST_F(FileLogTest, WhatIsMissingInTheMiddleReadsAsZeros) {
  const auto expect = [&](uint64_t from, uint64_t to) {
    auto log = Open();
    ASSERT_NE(log, nullptr);
    std::string bytes(3 * kSegment, 'a');
    std::fill(bytes.begin() + static_cast<ptrdiff_t>(from), bytes.begin() + static_cast<ptrdiff_t>(to), '\0');
    EXPECT_EQ(*log->Read(0, 4 * kSegment), bytes);
  };
  {
    auto log = Open();
    ASSERT_TRUE(log->Append(std::string(3 * kSegment, 'a')).ok());
  }
  fs::resize_file(PathOf(kSegment), kSegment - 100);
  expect(2 * kSegment - 100, 2 * kSegment);
  fs::remove(PathOf(kSegment));
  expect(kSegment, 2 * kSegment);
  // It is trimmed and truncated like any other.
  auto log = Open();
  const std::string copy = directory_ + "/copy";
  fs::create_directory(copy);
  ASSERT_TRUE(log->CopyTo(log->TakeCapture(), copy).ok());
  EXPECT_EQ((*FileLog::Open(copy, kSegment, 0))->end(), 3 * kSegment);
  fs::remove_all(copy);
  ASSERT_TRUE(log->Truncate(kSegment).ok());
  ASSERT_TRUE(log->Append(std::string(2 * kSegment, 'b')).ok() && log->Sync().ok());
  log.reset();
  log = Open();
  EXPECT_EQ(*log->Read(0, 4 * kSegment), std::string(kSegment, 'a') + std::string(2 * kSegment, 'b'));
  log.reset();
  fs::remove(PathOf(kSegment));
  log = Open();
  ASSERT_TRUE(log->Trim(2 * kSegment).ok());
  EXPECT_EQ(log->begin(), 2 * kSegment);
}

TEST_F(FileLogTest, ItIsKnownUpToWhereItWasSynced) {
  {
    auto log = Open();
    EXPECT_EQ(log->synced_end(), 0);
    ASSERT_TRUE(log->Append(std::string(100, 'a')).ok() && log->Sync().ok());
    ASSERT_TRUE(log->Append(std::string(50, 'b')).ok());
  }
  {
    auto log = Open();
    EXPECT_EQ(log->synced_end(), 100);
    ASSERT_TRUE(log->Truncate(60).ok());
  }
  EXPECT_EQ(Open()->synced_end(), 60);
  std::ofstream(directory_ + "/SYNCED") << std::string(16, 'x');
  EXPECT_EQ(Open()->synced_end(), 0) << "it was damaged itself";
}

TEST_F(FileLogTest, OpenForReadingItChangesNothing) {
  {
    auto log = Open();
    ASSERT_TRUE(log->Append("record").ok() && log->Sync().ok());
  }
  std::ofstream(PathOf(kSegment) + ".new") << "half a segment";
  auto log = FileLog::Open(directory_, kSegment, 0, /*read_only=*/true);
  ASSERT_TRUE(log.ok()) << log.status();
  EXPECT_EQ(*(*log)->Read(0, 6), "record");
  for (const absl::Status& status :
       {(*log)->Append("x"), (*log)->Sync(), (*log)->Trim(6), (*log)->Truncate(0)}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  }
  EXPECT_TRUE(fs::exists(PathOf(kSegment) + ".new"));
  log = FileLog::Open(directory_ + "/absent", kSegment, 0, /*read_only=*/true);
  ASSERT_TRUE(log.ok()) << log.status();
  EXPECT_EQ((*log)->end(), 0);
}

TEST_F(FileLogTest, ASegmentThatShrinksUnderneathIsDataLoss) {
  auto log = Open();
  ASSERT_TRUE(log->Append(std::string(2 * kSegment, 'a')).ok());
  fs::resize_file(PathOf(0), 100);
  EXPECT_EQ(log->Read(0, kSegment).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(FileLogTest, ACaptureIsCopiedAsItWasThoughTheLogGoesOn) {
  auto log = Open();
  const std::string bytes(2 * kSegment + 100, 'a');
  ASSERT_TRUE(log->Append(bytes).ok());
  const FileLog::Capture capture = log->TakeCapture();
  ASSERT_TRUE(log->Append(std::string(2 * kSegment, 'b')).ok());
  ASSERT_TRUE(log->Trim(log->end()).ok());
  const std::string copy_path = directory_ + "/copy";
  fs::create_directory(copy_path);
  ASSERT_TRUE(log->CopyTo(capture, copy_path).ok());
  auto copy = *FileLog::Open(copy_path, kSegment, 0);
  EXPECT_EQ(*copy->Read(0, 100000), bytes);
  // The copy's last segment is short, and grows.
  ASSERT_TRUE(copy->Append(std::string(kSegment, 'c')).ok());
  EXPECT_EQ(*copy->Read(0, 100000), bytes + std::string(kSegment, 'c'));
  EXPECT_EQ(fs::file_size(copy_path + PathOf(2 * kSegment).substr(directory_.size())), kSegment);
}

TEST_F(FileLogTest, ACaptureThatWasTruncatedIsNotCopied) {
  auto log = Open();
  ASSERT_TRUE(log->Append(std::string(100, 'a')).ok());
  const FileLog::Capture capture = log->TakeCapture();
  ASSERT_TRUE(log->Truncate(50).ok());
  fs::create_directory(directory_ + "/copy");
  EXPECT_EQ(log->CopyTo(capture, directory_ + "/copy").code(), absl::StatusCode::kAborted);
}

TEST_F(FileLogTest, RandomCallsComeToTheSameAsInAString) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::mt19937_64 random(seed);
    auto log = Open();
    ASSERT_TRUE(log->Truncate(log->begin()).ok());
    const uint64_t base = log->begin();
    uint64_t begin = base;
    std::string expected;  // From base on.
    for (int step = 0; step < 150; ++step) {
      const uint64_t end = base + expected.size();
      switch (random() % 8) {
        case 0:
          ASSERT_TRUE(log->Sync().ok());
          break;
        case 1: {
          const uint64_t position = begin + random() % (end - begin + 1);
          ASSERT_TRUE(log->Trim(position).ok());
          EXPECT_LE(log->begin(), position);
          EXPECT_GE(log->begin(), begin);
          begin = log->begin();
          break;
        }
        case 2: {
          const uint64_t position = random() % 3 == 0 ? begin + random() % (end - begin + 1) : end;
          ASSERT_TRUE(log->Truncate(position).ok());
          expected.resize(position - base);
          break;
        }
        case 3:
          log = Open();
          ASSERT_EQ(log->Read(end, kSegment)->find_first_not_of('\0'), std::string::npos);
          ASSERT_TRUE(log->Truncate(end).ok());
          break;
        default: {
          const std::string bytes(random() % 3000, static_cast<char>('a' + random() % 26));
          ASSERT_TRUE(log->Append(bytes).ok());
          expected += bytes;
        }
      }
      ASSERT_EQ(log->end(), base + expected.size()) << "step " << step;
      ASSERT_EQ(*log->Read(begin, 1000000), expected.substr(begin - base)) << "step " << step;
    }
  }
}

TEST_F(FileLogTest, AppendingGoesOnDuringSyncsReadsAndTrims) {
  auto log = Open();
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      while (!done) {
        const uint64_t end = log->end();
        if (!log->Sync().ok()) ++wrong;
        if (end > 100 && !log->Trim(end - 100).ok()) ++wrong;
        const auto bytes = log->Read(log->begin(), 1000);
        // Below begin() after all: the other thread has trimmed meanwhile.
        if (!bytes.ok() && bytes.status().code() != absl::StatusCode::kOutOfRange) ++wrong;
        if (bytes.ok() && bytes->find_first_not_of('r') != std::string::npos) ++wrong;
      }
    });
  }
  for (int i = 0; i < 500; ++i) EXPECT_TRUE(log->Append(std::string(300, 'r')).ok());
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(log->end(), 150000);
}

}  // namespace
}  // namespace historian::kv
