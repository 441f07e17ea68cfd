#include "storage/kv/rocksdb_store.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/kv/in_memory_only.h"
#include "storage/kv/small_disk.h"
#include "storage/kv/store_conformance.h"
#include "storage/platform/monotonic.h"

namespace historian::kv {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// Goes with all it holds.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = absl::StrCat(testing::TempDir(), "kv.XXXXXX");
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  std::string operator/(absl::string_view name) const { return absl::StrCat(path_, "/", name); }

 private:
  std::string path_;
};

// While it lives permissions hold for this thread even if it is root's: the owner's, as root owns what it makes.
class HeldToPermissions {
 public:
  HeldToPermissions() {
    EXPECT_EQ(::syscall(SYS_capget, &header_, before_), 0);
    __user_cap_data_struct without[_LINUX_CAPABILITY_U32S_3] = {before_[0], before_[1]};
    without[0].effective &= ~(1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH);
    EXPECT_EQ(::syscall(SYS_capset, &header_, without), 0);
  }
  ~HeldToPermissions() { EXPECT_EQ(::syscall(SYS_capset, &header_, before_), 0); }
  HeldToPermissions(const HeldToPermissions&) = delete;
  HeldToPermissions& operator=(const HeldToPermissions&) = delete;

 private:
  __user_cap_header_struct header_ = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct before_[_LINUX_CAPABILITY_U32S_3];
};

RocksDbOptions SmallOptions(std::string path) {
  RocksDbOptions options;
  options.path = std::move(path);
  options.block_cache_bytes = uint64_t{1} << 20;
  options.meta_buffer_bytes = uint64_t{1} << 20;
  options.log_segment_bytes = 4096;
  return options;
}

class RocksDbPlace : public StorePlace {
 public:
  absl::StatusOr<std::unique_ptr<Store>> Open() override {
    return OpenRocksDbStore(SmallOptions(directory_ / "store"));
  }
  std::string CheckpointPath() override { return directory_ / absl::StrCat("checkpoint", checkpoints_++); }
  absl::StatusOr<std::unique_ptr<Store>> OpenCheckpoint(const std::string& path) override {
    RocksDbOptions options = SmallOptions(path);
    options.create_if_missing = false;
    return OpenRocksDbStore(options);
  }
  uint64_t log_segment_bytes() const override { return 4096; }

 private:
  TemporaryDirectory directory_;
  int checkpoints_ = 0;
};

INSTANTIATE_TEST_SUITE_P(RocksDb, StoreConformance,
                         testing::Values(StoreKind{"Small", [] { return std::make_unique<RocksDbPlace>(); }}),
                         StoreKindName);

absl::Status Put(Store& store, absl::string_view key, absl::string_view value) {
  Batch batch;
  batch.Put(key, value);
  return store.Write(batch);
}

absl::Status Ingest(Store& store, Space space, absl::string_view key, absl::string_view value) {
  std::vector<std::unique_ptr<RunBuilder>> runs;
  auto run = store.NewRun(space);
  if (!run.ok()) return run.status();
  if (absl::Status status = (*run)->Add(key, value); !status.ok()) return status;
  runs.push_back(*std::move(run));
  return store.Ingest(std::move(runs));
}

void WriteFile(const std::string& path, absl::string_view contents) { std::ofstream(path) << contents; }

std::string ReadFile(const std::string& path) {
  std::stringstream contents;
  contents << std::ifstream(path).rdbuf();
  return contents.str();
}

TEST(RocksDbStore, FormatIsCheckedBeforeAnythingIsTouched) {
  const TemporaryDirectory directory;
  const std::string path = directory / "store";
  ASSERT_TRUE(OpenRocksDbStore(SmallOptions(path)).ok());
  EXPECT_EQ(ReadFile(path + "/FORMAT"), "historian store 1\n");
  const struct {
    const char* contents;
    absl::StatusCode code;
    const char* words;
  } cases[] = {
      {"historian store 2\n", absl::StatusCode::kFailedPrecondition, "newer Historian: its format is 2"},
      {"historian store 999\n", absl::StatusCode::kFailedPrecondition, "newer Historian"},
      {"historian store 0\n", absl::StatusCode::kDataLoss, "damaged"},
      {"historian store 1", absl::StatusCode::kDataLoss, "damaged"},
      {"historian store 1\n\n", absl::StatusCode::kDataLoss, "damaged"},
      {"historian store 1 \n", absl::StatusCode::kDataLoss, "damaged"},
      {"historian store +1\n", absl::StatusCode::kDataLoss, "damaged"},
      {"historian store 01\n", absl::StatusCode::kDataLoss, "damaged"},
      {"historian store \n", absl::StatusCode::kDataLoss, "damaged"},
      {"\x01\xff garbage", absl::StatusCode::kDataLoss, "damaged"},
      {"", absl::StatusCode::kDataLoss, "damaged"}};
  for (const auto& c : cases) {
    WriteFile(path + "/FORMAT", c.contents);
    const absl::Status status = OpenRocksDbStore(SmallOptions(path)).status();
    EXPECT_EQ(status.code(), c.code) << c.contents << status;
    EXPECT_THAT(status.message(), HasSubstr(c.words));
    EXPECT_THAT(status.message(), HasSubstr(path));
  }
  fs::remove(path + "/FORMAT");
  EXPECT_EQ(OpenRocksDbStore(SmallOptions(path)).status().code(), absl::StatusCode::kDataLoss);
  WriteFile(path + "/FORMAT", "historian store 1\n");
  EXPECT_TRUE(OpenRocksDbStore(SmallOptions(path)).ok());
}

TEST(RocksDbStore, PathsThatCannotBeUsedAreNamedWithTheReason) {
  const TemporaryDirectory directory;
  WriteFile(directory / "file", "");
  fs::create_directory(directory / "foreign");
  WriteFile(directory / "foreign/notes.txt", "");
  RocksDbOptions no_create = SmallOptions(directory / "absent");
  no_create.create_if_missing = false;
  const struct {
    RocksDbOptions options;
    absl::StatusCode code;
    const char* words;
  } cases[] = {
      {SmallOptions(directory / "file"), absl::StatusCode::kFailedPrecondition, "Not a directory"},
      {SmallOptions(directory / "file/below"), absl::StatusCode::kFailedPrecondition, "Not a directory"},
      {SmallOptions(directory / std::string(300, 'x')), absl::StatusCode::kFailedPrecondition,
       "File name too long"},
      {SmallOptions(directory / "foreign"), absl::StatusCode::kFailedPrecondition, "holds notes.txt"},
      {SmallOptions(""), absl::StatusCode::kFailedPrecondition, "empty"},
      {no_create, absl::StatusCode::kNotFound, "no store"},
  };
  for (const auto& c : cases) {
    const absl::Status status = OpenRocksDbStore(c.options).status();
    EXPECT_EQ(status.code(), c.code) << c.options.path << ": " << status;
    EXPECT_THAT(status.message(), HasSubstr(c.words));
    EXPECT_THAT(status.message(), HasSubstr(c.options.path));
  }
  EXPECT_FALSE(fs::exists(directory / "absent"));
}

TEST(RocksDbStore, PathsWithoutPermissionAreNamedWithTheReason) {
  const TemporaryDirectory directory;
  fs::create_directory(directory / "read_only");
  fs::permissions(directory / "read_only", fs::perms::owner_read | fs::perms::owner_exec);
  const HeldToPermissions held;
  const absl::Status status = OpenRocksDbStore(SmallOptions(directory / "read_only")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
  EXPECT_THAT(status.message(), HasSubstr(directory / "read_only"));
}

TEST(RocksDbStore, ASecondOpenNamesThePathAndTheHolder) {
  const TemporaryDirectory directory;
  const auto first = OpenRocksDbStore(SmallOptions(directory / "store"));
  ASSERT_TRUE(first.ok());
  const absl::Status status = OpenRocksDbStore(SmallOptions(directory / "store")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr(directory / "store"));
  EXPECT_THAT(status.message(),
              HasSubstr(absl::StrCat("another Historian server holds it (process ", ::getpid(), ")")));
}

TEST(RocksDbStore, LostSpacesAreNotReplacedByEmptyOnes) {
  const TemporaryDirectory directory;
  const std::string path = directory / "store";
  {
    auto store = OpenRocksDbStore(SmallOptions(path));
    ASSERT_TRUE(store.ok() && (*store)->OpenLog("journal").ok());
  }
  fs::remove_all(path + "/rocksdb");
  const absl::Status status = OpenRocksDbStore(SmallOptions(path)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
}

TEST(RocksDbStore, RunsLeftByAKilledServerAreRemoved) {
  const TemporaryDirectory directory;
  const std::string path = directory / "store";
  ASSERT_TRUE(OpenRocksDbStore(SmallOptions(path)).ok());
  WriteFile(path + "/runs/7.sst", "half a run");
  auto store = OpenRocksDbStore(SmallOptions(path));
  ASSERT_TRUE(store.ok());
  EXPECT_TRUE(fs::is_empty(path + "/runs"));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Ingest(**store, Space::kPages, absl::StrCat(i), "value").ok());
  EXPECT_TRUE(fs::is_empty(path + "/runs"));
}

// ---- Damage

std::vector<std::string> FilesOf(const std::string& path, absl::string_view extension) {
  std::vector<std::string> files;
  for (const auto& file : fs::directory_iterator(path)) {
    if (file.path().extension().string() == extension) files.push_back(file.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

void Flip(const std::string& path, uint64_t offset) {
  std::fstream stream(path, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(offset));
  const char byte = static_cast<char>(stream.get() ^ 0x10);
  stream.seekp(static_cast<std::streamoff>(offset));
  stream.put(byte);
}

std::string KeyOf(int i) { return absl::StrCat("key ", 10000 + i); }

// A store with many keys in each space, which is closed.
void MakeStore(const std::string& path, int keys = 2000) {
  auto store = OpenRocksDbStore(SmallOptions(path));
  ASSERT_TRUE(store.ok()) << store.status();
  for (int space = 1; space < kSpaces; ++space) {
    std::vector<std::unique_ptr<RunBuilder>> runs;
    runs.push_back(*(*store)->NewRun(static_cast<Space>(space)));
    for (int i = 0; i < keys; ++i) ASSERT_TRUE(runs.back()->Add(KeyOf(i), std::string(100, 'v')).ok());
    ASSERT_TRUE((*store)->Ingest(std::move(runs)).ok());
  }
  Batch batch;
  for (int i = 0; i < 100; ++i) batch.Put(KeyOf(i), "meta");
  ASSERT_TRUE((*store)->Write(batch).ok());
  ASSERT_TRUE(Put(**store, "last", "meta").ok());
}

// The files of a space, by what the manifest's file numbers say: one of each, in the order of MakeStore.
std::string FileOf(const std::string& path, Space space) {
  return FilesOf(path + "/rocksdb", ".sst")[static_cast<size_t>(space) - 1];
}

int CountKeys(Store& store, Space space, absl::Status* status) {
  const auto cursor = store.NewCursor(space);
  int keys = 0;
  std::string last;
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next(), ++keys) {
    EXPECT_LT(last, cursor->key());
    last = std::string(cursor->key());
  }
  *status = cursor->status();
  return keys;
}

TEST(RocksDbStore, AWalkGoesOnBehindADamagedBlockAndSaysSo) {
  const TemporaryDirectory directory;
  const std::string path = directory / "store";
  MakeStore(path);
  for (const uint64_t part : {2, 3, 10})
    Flip(FileOf(path, Space::kHeads), fs::file_size(FileOf(path, Space::kHeads)) / part);
  auto store = OpenRocksDbStore(SmallOptions(path));
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_TRUE((*store)->refusal().ok());
  absl::Status status;
  const int keys = CountKeys(**store, Space::kHeads, &status);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(status.message(), HasSubstr(path));
  // Three blocks of 8 KiB are some 230 keys.
  EXPECT_GT(keys, 2000 - 3 * 80);
  EXPECT_LT(keys, 2000 - 100);
  int readable = 0;
  for (int i = 0; i < 2000; ++i) {
    const auto value = (*store)->Get(Space::kHeads, KeyOf(i));
    if (value.ok()) {
      EXPECT_TRUE(value->has_value());
      ++readable;
    } else {
      EXPECT_EQ(value.status().code(), absl::StatusCode::kDataLoss);
    }
  }
  EXPECT_EQ(readable, keys);
  // With an end before it, damage is none of a walk's.
  const auto cursor = (*store)->NewCursor(Space::kHeads, KeyOf(50));
  int before = 0;
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) ++before;
  EXPECT_EQ(before, 50);
  EXPECT_TRUE(cursor->status().ok()) << cursor->status();
}

// Runs behind each other, the damage at the beginning of one.
TEST(RocksDbStore, AWalkThatComesToADamagedRunSaysSo) {
  const TemporaryDirectory directory;
  const std::string path = directory / "db";
  constexpr int kRuns = 5, kKeysOfRun = 300;
  std::vector<std::string> files;
  {
    auto store = OpenRocksDbStore(SmallOptions(path));
    ASSERT_TRUE(store.ok()) << store.status();
    for (int r = 0; r < kRuns; ++r) {
      auto run = *(*store)->NewRun(Space::kHeads);
      for (int i = 0; i < kKeysOfRun; ++i) {
        ASSERT_TRUE(run->Add(KeyOf(r * kKeysOfRun + i), std::string(100, 'x')).ok());
      }
      std::vector<std::unique_ptr<RunBuilder>> runs;
      runs.push_back(std::move(run));
      ASSERT_TRUE((*store)->Ingest(std::move(runs)).ok());
    }
  }
  for (const auto& file : fs::directory_iterator(path + "/rocksdb")) {
    if (file.path().extension() == ".sst" && file.file_size() > 20'000) files.push_back(file.path());
  }
  std::sort(files.begin(), files.end());
  ASSERT_EQ(files.size(), static_cast<size_t>(kRuns));
  Flip(files[2], 100);
  auto store = OpenRocksDbStore(SmallOptions(path));
  ASSERT_TRUE(store.ok()) << store.status();
  const std::unique_ptr<Cursor> cursor = (*store)->NewCursor(Space::kHeads);
  int keys = 0;
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) ++keys;
  EXPECT_EQ(cursor->status().code(), absl::StatusCode::kDataLoss) << cursor->status();
  EXPECT_GT(keys, 4 * kKeysOfRun);
}

// RocksDB opens although it cannot read the index of a file, and may walk over it as if it were empty.
TEST(RocksDbStore, AWalkMissesAFileWhoseIndexIsDamaged) {
  const TemporaryDirectory directory;
  const std::string path = directory / "db";
  constexpr int kRuns = 3, kKeysOfRun = 30;
  {
    auto store = OpenRocksDbStore(SmallOptions(path));
    ASSERT_TRUE(store.ok()) << store.status();
    for (int r = 0; r < kRuns; ++r) {
      std::vector<std::unique_ptr<RunBuilder>> runs;
      runs.push_back(*(*store)->NewRun(Space::kHeads));
      for (int i = 0; i < kKeysOfRun; ++i) {
        ASSERT_TRUE(runs[0]->Add(KeyOf(r * kKeysOfRun + i), std::string(100, 'x')).ok());
      }
      ASSERT_TRUE((*store)->Ingest(std::move(runs)).ok());
    }
  }
  std::vector<std::string> files;
  for (const std::string& file : FilesOf(path + "/rocksdb", ".sst")) {
    if (fs::file_size(file) > 3'000) files.push_back(file);
  }
  ASSERT_EQ(files.size(), static_cast<size_t>(kRuns));
  int missed = 0;
  // One in the middle and the last; filter, index, properties, and what tells where they are.
  for (size_t i = 0; i < 2 * 144; ++i) {
    const std::string& file = files[1 + i % 2];
    const uint64_t size = fs::file_size(file), at = size - 9 * (1 + i / 2);
    SCOPED_TRACE(absl::StrCat("file ", 1 + i % 2, ", ", at, " of ", size));
    Flip(file, at);
    RocksDbOptions options = SmallOptions(path);
    options.read_only = i / 2 % 2 == 0;
    const auto store = OpenRocksDbStore(options);
    if (!store.ok()) {  // RocksDB finds no fault with the file, and does not open with it.
      EXPECT_EQ(store.status().code(), absl::StatusCode::kDataLoss) << store.status();
      Flip(file, at);
      continue;
    }
    absl::Status status;
    const int keys = CountKeys(**store, Space::kHeads, &status);
    EXPECT_TRUE(keys == kRuns * kKeysOfRun || status.code() == absl::StatusCode::kDataLoss)
        << keys << " " << status;
    EXPECT_GE(keys, (kRuns - 1) * kKeysOfRun);
    missed += keys < kRuns * kKeysOfRun;
    Flip(file, at);
  }
  EXPECT_GT(missed, 0);
}

TEST(RocksDbStore, AFlippedBitInAPayloadCostsThePayloadOrSmallOnesInFourKiB) {
  for (const size_t bytes : {100, 5000, 20'000}) {
    const TemporaryDirectory directory;
    const std::string path = directory / "store";
    {
      auto store = OpenRocksDbStore(SmallOptions(path));
      ASSERT_TRUE(store.ok()) << store.status();
      std::vector<std::unique_ptr<RunBuilder>> runs;
      runs.push_back(*(*store)->NewRun(Space::kPages));
      for (int i = 0; i < 200; ++i) ASSERT_TRUE(runs[0]->Add(KeyOf(i), std::string(bytes, 'v')).ok());
      ASSERT_TRUE((*store)->Ingest(std::move(runs)).ok());
    }
    for (const auto& file : fs::directory_iterator(path + "/rocksdb")) {
      if (file.path().extension() == ".sst") Flip(file.path(), file.file_size() / 2);
    }
    auto store = OpenRocksDbStore(SmallOptions(path));
    ASSERT_TRUE(store.ok()) << store.status();
    size_t lost = 0;
    for (int i = 0; i < 200; ++i) {
      const auto value = (*store)->Get(Space::kPages, KeyOf(i));
      if (value.ok()) {
        EXPECT_EQ(*value, std::string(bytes, 'v'));
      } else {
        EXPECT_TRUE(absl::IsDataLoss(value.status())) << value.status();
        ++lost;
      }
    }
    EXPECT_GE(lost, 1) << bytes;
    EXPECT_LE(lost, std::max<size_t>(1, 4096 / bytes + 1)) << bytes;
  }
}

TEST(RocksDbStore, WithoutOneOfItsFilesItServesTheRest) {
  for (int lost = 1; lost < kSpaces; ++lost) {
    for (const char* how : {"removed", "cut", "footer", "index"}) {
      SCOPED_TRACE(absl::StrCat(lost, " ", how));
      const TemporaryDirectory directory;
      const std::string path = directory / "store";
      MakeStore(path);
      const Space space = static_cast<Space>(lost);
      const std::string file = FileOf(path, space);
      const uint64_t size = fs::file_size(file);
      if (how == std::string("removed")) fs::remove(file);
      if (how == std::string("cut")) fs::resize_file(file, size / 2);
      if (how == std::string("footer")) Flip(file, size - 5);
      if (how == std::string("index")) Flip(file, size - 1500);
      for (int start = 0; start < 2; ++start) {
        auto store = OpenRocksDbStore(SmallOptions(path));
        ASSERT_TRUE(store.ok()) << store.status();
        if ((*store)->Damages().empty()) {
          EXPECT_EQ(how, std::string("index")) << "which stood elsewhere";
          break;
        }
        EXPECT_THAT((*store)->Damages()[0].what, HasSubstr(fs::path(file).filename().string()));
        EXPECT_EQ((*store)->Damages()[0].first, KeyOf(0));
        EXPECT_EQ((*store)->Damages()[0].last, KeyOf(1999));
        for (int i = 1; i < kSpaces; ++i) {
          absl::Status status;
          EXPECT_EQ(CountKeys(**store, static_cast<Space>(i), &status), i == lost ? 0 : 2000);
          EXPECT_EQ(status.code(), i == lost ? absl::StatusCode::kDataLoss : absl::StatusCode::kOk) << status;
          EXPECT_EQ((*store)->Get(static_cast<Space>(i), KeyOf(7)).ok(), i != lost);
        }
        EXPECT_TRUE((*store)->Get(Space::kMeta, "last")->has_value());
        EXPECT_EQ((*store)->refusal().ok(), space == Space::kPages);
        const absl::Status put = Put(**store, "more", "value");
        EXPECT_EQ(put.ok(), space == Space::kPages) << put;
        if (!put.ok()) {
          EXPECT_THAT(put.message(), HasSubstr("salvage"));
        }
      }
    }
  }
}

TEST(RocksDbStore, AnEarlierRecordDoesNotPassForALostLaterOne) {
  const TemporaryDirectory directory;
  const std::string path = directory / "store";
  {
    auto store = OpenRocksDbStore(SmallOptions(path));
    ASSERT_TRUE(store.ok());
    ASSERT_TRUE(Ingest(**store, Space::kCheckpoint, "b", "earlier").ok());
  }
  const std::vector<std::string> before = FilesOf(path + "/rocksdb", ".sst");
  {
    auto store = OpenRocksDbStore(SmallOptions(path));
    ASSERT_TRUE(Ingest(**store, Space::kCheckpoint, "b", "later").ok());
  }
  for (const std::string& file : FilesOf(path + "/rocksdb", ".sst")) {
    if (std::find(before.begin(), before.end(), file) == before.end()) fs::remove(file);
  }
  auto store = OpenRocksDbStore(SmallOptions(path));
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->Get(Space::kCheckpoint, "b").status().code(), absl::StatusCode::kDataLoss);
  absl::Status status;
  EXPECT_EQ(CountKeys(**store, Space::kCheckpoint, &status), 0);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
}

TEST(RocksDbStore, TheFilesOnWhichAllHangsHaveTwins) {
  for (const char* how : {"flipped", "removed", "cut", "zeroed at the end"}) {
    for (const char* what : {"MANIFEST-", "CURRENT", ".log"}) {
      SCOPED_TRACE(absl::StrCat(what, " ", how));
      const TemporaryDirectory directory;
      const std::string path = directory / "store";
      MakeStore(path, 10);
      std::string victim;
      for (const auto& file : fs::directory_iterator(path + "/rocksdb")) {
        if (file.path().string().find(what) != std::string::npos && file.file_size() > 0)
          victim = file.path();
      }
      ASSERT_FALSE(victim.empty());
      const uint64_t size = fs::file_size(victim);
      if (how == std::string("flipped")) Flip(victim, size / 2);
      if (how == std::string("removed")) fs::remove(victim);
      if (how == std::string("cut")) fs::resize_file(victim, size / 2);
      if (how == std::string("zeroed at the end")) {
        fs::resize_file(victim, size - std::min<uint64_t>(size, 20));
        fs::resize_file(victim, size);
      }
      for (int start = 0; start < 2; ++start) {
        auto store = OpenRocksDbStore(SmallOptions(path));
        ASSERT_TRUE(store.ok()) << store.status();
        EXPECT_EQ((*store)->Damages().empty(), start == 1);
        EXPECT_TRUE((*store)->refusal().ok());
        EXPECT_TRUE((*store)->Get(Space::kMeta, "last")->has_value());
        absl::Status status;
        EXPECT_EQ(CountKeys(**store, Space::kMeta, &status), 101);
        EXPECT_EQ(CountKeys(**store, Space::kHeads, &status), 10);
        EXPECT_TRUE(status.ok()) << status;
        if (start == 0) {
          EXPECT_TRUE(Ingest(**store, Space::kHeads, KeyOf(3), "new").ok());
        }
      }
    }
  }
}

TEST(RocksDbStore, WithItsLogDamagedTwiceItServesTheRest) {
  const TemporaryDirectory directory;
  const std::string path = directory / "store";
  MakeStore(path, 10);
  for (const char* where : {"/rocksdb", "/twins"}) {
    for (const std::string& log : FilesOf(path + where, ".log")) {
      if (fs::file_size(log) > 100) Flip(log, fs::file_size(log) / 2);
    }
  }
  auto store = OpenRocksDbStore(SmallOptions(path));
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->Get(Space::kMeta, "last").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE((*store)->Get(Space::kHeads, KeyOf(1))->has_value());
  EXPECT_EQ(Put(**store, "more", "value").code(), absl::StatusCode::kUnavailable);
}

TEST(RocksDbStore, ACompactionThatMeetsDamageStopsNothingElse) {
  const TemporaryDirectory directory;
  const std::string path = directory / "store";
  MakeStore(path);
  Flip(FileOf(path, Space::kHeads), fs::file_size(FileOf(path, Space::kHeads)) / 2);
  auto store = OpenRocksDbStore(SmallOptions(path));
  ASSERT_TRUE(store.ok()) << store.status();
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  int runs = 0;
  for (; (*store)->Damages().empty() && absl::Now() < deadline; ++runs) {
    std::vector<std::unique_ptr<RunBuilder>> more;
    more.push_back(*(*store)->NewRun(Space::kHeads));
    for (int i = 0; i < 2000; ++i) ASSERT_TRUE(more.back()->Add(KeyOf(i) + "b", "value").ok());
    ASSERT_TRUE((*store)->Ingest(std::move(more)).ok());
  }
  EXPECT_FALSE((*store)->Damages().empty()) << runs;
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(Put(**store, absl::StrCat("after ", i), "value").ok());
    EXPECT_TRUE(Ingest(**store, Space::kHeads, absl::StrCat("after ", i), "value").ok());
  }
}

TEST(RocksDbStore, ItIsReadWithoutBeingChanged) {
  const TemporaryDirectory directory;
  const std::string path = directory / "store";
  MakeStore(path, 10);
  {
    auto store = OpenRocksDbStore(SmallOptions(path));
    auto log = *(*store)->OpenLog("journal");
    ASSERT_TRUE(log->Append("record").ok() && log->Sync().ok());
    ASSERT_TRUE(Put(**store, "in the log", "value").ok());
  }
  WriteFile(path + "/runs/7.sst", "half a run");
  const auto contents = [&path] {
    std::map<std::string, std::string> files;
    for (const auto& file : fs::recursive_directory_iterator(path)) {
      if (file.is_regular_file()) files[file.path()] = ReadFile(file.path());
    }
    return files;
  };
  const auto before = contents();
  RocksDbOptions options = SmallOptions(path);
  options.read_only = true;
  {
    auto store = OpenRocksDbStore(options);
    ASSERT_TRUE(store.ok()) << store.status();
    EXPECT_EQ(OpenRocksDbStore(options).status().code(), absl::StatusCode::kFailedPrecondition)
        << "it is locked";
    EXPECT_TRUE((*store)->Get(Space::kMeta, "in the log")->has_value());
    EXPECT_EQ(*(*(*store)->OpenLog("journal"))->Read(0, 6), "record");
    EXPECT_EQ(Put(**store, "more", "value").code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ((*store)->NewRun(Space::kHeads).status().code(), absl::StatusCode::kFailedPrecondition);
  }
  EXPECT_TRUE(contents() == before);
  options.path = directory / "absent";
  EXPECT_EQ(OpenRocksDbStore(options).status().code(), absl::StatusCode::kNotFound);
}

TEST(RocksDbStore, PagesAreOneFilePerRunAndStaySo) {
  const TemporaryDirectory directory;
  auto store = OpenRocksDbStore(SmallOptions(directory / "store"));
  ASSERT_TRUE(store.ok());
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(Ingest(**store, Space::kPages, absl::StrCat("page ", 10 + i), std::string(1000, 'v')).ok());
  }
  EXPECT_EQ((*store)->Stats().spaces[static_cast<int>(Space::kPages)].files, 30);
}

// It is opened so that nothing is compacted before something changes.
TEST(RocksDbStore, RepeatedStartsDoNotPileUpFiles) {
  const TemporaryDirectory directory;
  constexpr int kStarts = 40;
  const auto files = [](Store& store) {
    return store.Stats().spaces[static_cast<int>(Space::kCheckpoint)].files;
  };
  for (int i = 1; i <= kStarts; ++i) {
    auto store = OpenRocksDbStore(SmallOptions(directory / "store"));
    ASSERT_TRUE(store.ok()) << store.status();
    ASSERT_TRUE(Ingest(**store, Space::kCheckpoint, "a", absl::StrCat("value ", i)).ok());
    if (i < kStarts) continue;
    const MonotonicTime deadline = MonotonicTime::Now() + absl::Seconds(20);
    while (files(**store) > kStarts / 4 && MonotonicTime::Now() < deadline)
      absl::SleepFor(absl::Milliseconds(20));
    EXPECT_LE(files(**store), kStarts / 4);
    EXPECT_EQ((*store)->Get(Space::kCheckpoint, "a")->value(), absl::StrCat("value ", kStarts));
  }
}

TEST(RocksDbStore, RepeatedDeletionDoesNotPileUpFiles) {
  const TemporaryDirectory directory;
  auto store = OpenRocksDbStore(SmallOptions(directory / "store"));
  ASSERT_TRUE(store.ok());
  // One run that reaches over the end of the range.
  std::vector<std::unique_ptr<RunBuilder>> runs;
  runs.push_back(*(*store)->NewRun(Space::kPages));
  for (const char* key : {"a", "b", "c"}) ASSERT_TRUE(runs.back()->Add(key, "value").ok());
  ASSERT_TRUE((*store)->Ingest(std::move(runs)).ok());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE((*store)->DeleteRange(Space::kPages, "a", "c").ok());
  EXPECT_FALSE((*store)->Get(Space::kPages, "b")->has_value());
  EXPECT_TRUE((*store)->Get(Space::kPages, "c")->has_value());
  EXPECT_LE((*store)->Stats().spaces[static_cast<int>(Space::kPages)].files, 2);
  ASSERT_TRUE((*store)->DeleteRange(Space::kPages, "", "d").ok());
  EXPECT_FALSE((*store)->Get(Space::kPages, "c")->has_value());
}

// The child is killed without closing anything; the parent must find all that had returned OK.
TEST(RocksDbStoreDeathTest, AKilledServerKeepsWhatReturnedOk) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  // The child is this program run anew, so the place must have the same name for both.
  const std::string path = absl::StrCat(testing::TempDir(), "kv_killed");
  EXPECT_EXIT(
      {
        fs::remove_all(path);
        auto store = OpenRocksDbStore(SmallOptions(path));
        bool ok = store.ok();
        std::unique_ptr<Log> log = *(*store)->OpenLog("journal");
        for (int i = 0; i < 20; ++i) {
          ok = ok && Put(**store, absl::StrCat("key ", i), "value").ok();
          ok = ok && Ingest(**store, Space::kHeads, absl::StrCat("key ", i), "value").ok();
          ok = ok && log->Append(std::string(1000, 'r')).ok() && log->Sync().ok();
        }
        auto unfinished = (*store)->NewRun(Space::kPages);
        ok = ok && (*unfinished)->Add("key", "value").ok();
        if (ok) std::raise(SIGKILL);
      },
      testing::KilledBySignal(SIGKILL), "");
  {
    auto store = OpenRocksDbStore(SmallOptions(path));
    ASSERT_TRUE(store.ok()) << store.status();
    for (int i = 0; i < 20; ++i) {
      EXPECT_TRUE((*store)->Get(Space::kMeta, absl::StrCat("key ", i))->has_value());
      EXPECT_TRUE((*store)->Get(Space::kHeads, absl::StrCat("key ", i))->has_value());
    }
    EXPECT_FALSE((*store)->Get(Space::kPages, "key")->has_value());
    EXPECT_TRUE(fs::is_empty(path + "/runs"));
    EXPECT_EQ(*(*(*store)->OpenLog("journal"))->Read(0, 20000), std::string(20000, 'r'));
  }
  fs::remove_all(path);
}

TEST(RocksDbStore, AFullDiskRefusesWritesUntilThereIsRoomAgain) {
  SmallDisk disk(uint64_t{64} << 20);
  if (!disk.mounted()) GTEST_SKIP() << disk.reason();
  auto opened = OpenRocksDbStore(SmallOptions(disk / "store"));
  ASSERT_TRUE(opened.ok()) << opened.status();
  Store& store = **opened;
  auto log = *store.OpenLog("journal");
  ASSERT_TRUE(Put(store, "before", "value").ok());
  ASSERT_TRUE(Ingest(store, Space::kPages, "before", std::string(1000, 'v')).ok());
  ASSERT_TRUE(log->Append(std::string(4000, 'r')).ok() && log->Sync().ok());

  for (int round = 0; round < 3; ++round) {
    const uint64_t end = log->end();
    disk.Fill();
    EXPECT_LT(store.Stats().free_bytes, 100000);
    for (const absl::Status& status :
         {Put(store, "refused", "value"), Ingest(store, Space::kPages, "refused", std::string(1000, 'v')),
          log->Append(std::string(5000, 'x')), store.Checkpoint(disk / "copy")}) {
      EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
    }
    EXPECT_EQ(log->end(), end);
    EXPECT_TRUE(store.Get(Space::kPages, "before")->has_value());
    EXPECT_FALSE(store.Get(Space::kMeta, "refused")->has_value());
    EXPECT_FALSE(store.Get(Space::kPages, "refused")->has_value());
    EXPECT_FALSE(fs::exists(disk / "copy"));
    disk.Empty();
    ASSERT_TRUE(Put(store, absl::StrCat("after ", round), "value").ok());
    ASSERT_TRUE(Ingest(store, Space::kPages, absl::StrCat("after ", round), "value").ok());
    ASSERT_TRUE(log->Append(std::string(5000, 'r')).ok() && log->Sync().ok());
    ASSERT_EQ(*log->Read(0, 100000), std::string(end + 5000, 'r'));
  }
}

// Fills the disk by the store's own writing, which leaves the reserve: deleting must then work.
TEST(RocksDbStore, OldRunsCanBeDeletedFromAFullDisk) {
  SmallDisk disk(uint64_t{48} << 20);
  if (!disk.mounted()) GTEST_SKIP() << disk.reason();
  auto opened = OpenRocksDbStore(SmallOptions(disk / "store"));
  ASSERT_TRUE(opened.ok()) << opened.status();
  Store& store = **opened;
  absl::Status status;
  int runs = 0;
  for (; runs < 100 && status.ok(); ++runs) {
    status =
        Ingest(store, Space::kPages, absl::StrCat("page ", 100 + runs), std::string(size_t{1} << 20, 'v'));
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_GT(runs, 10);
  ASSERT_TRUE(Put(store, "still", "there is a reserve").ok());
  ASSERT_TRUE(store.DeleteRange(Space::kPages, "", "page 105").ok());
  EXPECT_FALSE(store.Get(Space::kPages, "page 104")->has_value());
  EXPECT_TRUE(store.Get(Space::kPages, "page 105")->has_value());
  EXPECT_TRUE(Ingest(store, Space::kPages, "page 999", std::string(size_t{1} << 20, 'v')).ok());
}

// Others may take the reserve as well: then RocksDB itself fails in the middle of something, and must go on
// later.
TEST(RocksDbStore, RocksDbResumesAfterItRanOutOfRoomItself) {
  SmallDisk disk(uint64_t{64} << 20);
  if (!disk.mounted()) GTEST_SKIP() << disk.reason();
  RocksDbOptions options = SmallOptions(disk / "store");
  auto opened = OpenRocksDbStore(options);
  ASSERT_TRUE(opened.ok()) << opened.status();
  Store& store = **opened;
  std::mt19937_64 random(1);
  std::vector<std::string> kept;
  int refused = 0;
  for (int round = 0; round < 12; ++round) {
    // Just above the reserve, so that flushes and logs of batches run into the end of it.
    disk.Fill(/*but_bytes=*/(uint64_t{2} << 20) + random() % (uint64_t{2} << 20));
    for (int i = 0; i < 30; ++i) {
      const std::string key = absl::StrCat("key ", round, " ", i);
      const absl::Status status = Put(store, key, std::string(200000, 'v'));
      if (status.ok()) {
        kept.push_back(key);
      } else {
        ++refused;
        ASSERT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
      }
    }
    disk.Empty();
    const absl::Status status = Put(store, absl::StrCat("key ", round), "value");
    ASSERT_TRUE(status.ok()) << status;
    kept.push_back(absl::StrCat("key ", round));
    ASSERT_TRUE(Ingest(store, Space::kHeads, absl::StrCat("key ", round), "value").ok());
    ASSERT_TRUE(store.DeleteRange(Space::kMeta, "key 0 ", "key 0 ~").ok());
  }
  EXPECT_GT(refused, 0);
  opened->reset();
  opened = OpenRocksDbStore(options);
  ASSERT_TRUE(opened.ok()) << opened.status();
  for (const std::string& key : kept) {
    if (key.substr(0, 6) == "key 0 ") continue;
    EXPECT_TRUE((*opened)->Get(Space::kMeta, key)->has_value()) << key;
  }
}

// Another program takes and gives back all room at any moment, also between the look at it and the write.
TEST(RocksDbStore, AnotherProgramMayFillTheDiskAtAnyMoment) {
  SmallDisk disk(uint64_t{64} << 20);
  if (!disk.mounted()) GTEST_SKIP() << disk.reason();
  const RocksDbOptions options = SmallOptions(disk / "store");
  auto opened = OpenRocksDbStore(options);
  ASSERT_TRUE(opened.ok()) << opened.status();
  std::atomic<bool> done{false};
  std::thread other([&] {
    while (!done) {
      disk.Fill();
      disk.Empty();
    }
  });
  std::map<std::string, std::string> kept;
  const MonotonicTime deadline = MonotonicTime::Now() + absl::Seconds(1);
  for (int i = 0; MonotonicTime::Now() < deadline; ++i) {
    const std::string key = absl::StrCat("key ", i % 20);
    const std::string value = absl::StrCat(i, std::string(100000, 'v'));
    // What a refused batch leaves under its key may be old or new.
    kept.erase(key);
    absl::Status status = Put(**opened, key, value);
    if (status.ok()) kept[key] = value;
    EXPECT_TRUE(status.ok() || absl::IsResourceExhausted(status)) << status;
    status = Ingest(**opened, Space::kHeads, key, value);
    EXPECT_TRUE(status.ok() || absl::IsResourceExhausted(status)) << status;
  }
  done = true;
  other.join();
  ASSERT_TRUE(Put(**opened, "after", "value").ok());
  ASSERT_TRUE(Ingest(**opened, Space::kHeads, "after", "value").ok());
  opened->reset();
  opened = OpenRocksDbStore(options);
  ASSERT_TRUE(opened.ok()) << opened.status();
  for (const auto& [key, value] : kept) EXPECT_EQ(*(*opened)->Get(Space::kMeta, key), value) << key;
  EXPECT_TRUE((*opened)->Get(Space::kHeads, "after")->has_value());
}

TEST(RocksDbStore, CompactionGoesOnAfterItRanOutOfRoom) {
  SmallDisk disk(uint64_t{64} << 20);
  if (!disk.mounted()) GTEST_SKIP() << disk.reason();
  auto opened = OpenRocksDbStore(SmallOptions(disk / "store"));
  ASSERT_TRUE(opened.ok()) << opened.status();
  Store& store = **opened;
  const auto ingest_overlapping = [&store](int i, size_t value_bytes) {
    std::vector<std::unique_ptr<RunBuilder>> runs;
    runs.push_back(*store.NewRun(Space::kHeads));
    for (const char* key : {"a", "b"}) {
      EXPECT_TRUE(runs.back()->Add(key, std::string(value_bytes, static_cast<char>('a' + i))).ok());
    }
    EXPECT_TRUE(runs.back()->Add(absl::StrCat("c", i), "value").ok());
    return store.Ingest(std::move(runs));
  };
  const auto files = [&store] { return store.Stats().spaces[static_cast<int>(Space::kHeads)].files; };
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(ingest_overlapping(i, size_t{6} << 20).ok());
  disk.Fill(/*but_bytes=*/uint64_t{6} << 20);
  for (int i = 3; i < 6; ++i) {
    const absl::Status status = ingest_overlapping(i, 1000);
    ASSERT_TRUE(status.ok() || absl::IsResourceExhausted(status)) << status;
  }
  disk.Empty();
  for (int i = 6; i < 9; ++i) {
    const absl::Status status = ingest_overlapping(i, 1000);
    ASSERT_TRUE(status.ok()) << status;
  }
  const MonotonicTime deadline = MonotonicTime::Now() + absl::Seconds(20);
  while (files() > 6 && MonotonicTime::Now() < deadline) absl::SleepFor(absl::Milliseconds(20));
  EXPECT_LE(files(), 6);
  EXPECT_EQ((*store.Get(Space::kHeads, "a"))->front(), 'i');
}

// RocksDB flushes its log when it is opened, for which there is no room here.
TEST(RocksDbStore, OnAFullDiskItOpensForReadingAndGoesOnByItself) {
  SmallDisk disk(uint64_t{64} << 20);
  if (!disk.mounted()) GTEST_SKIP() << disk.reason();
  const RocksDbOptions options = SmallOptions(disk / "store");
  {
    auto store = OpenRocksDbStore(options);
    ASSERT_TRUE(store.ok()) << store.status();
    ASSERT_TRUE(Ingest(**store, Space::kHeads, "key", "value").ok());
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(Put(**store, KeyOf(i), std::string(10000, 'v')).ok());
    disk.Fill();
  }
  disk.Fill();
  auto store = OpenRocksDbStore(options);
  ASSERT_TRUE(store.ok()) << store.status();
  auto cursor = (*store)->NewCursor(Space::kMeta);
  cursor->SeekToFirst();
  for (int round = 0; round < 2; ++round) {
    EXPECT_TRUE((*store)->Get(Space::kHeads, "key")->has_value());
    EXPECT_TRUE((*store)->Get(Space::kMeta, KeyOf(19))->has_value());
    EXPECT_EQ(Put(**store, "refused", "value").code(), absl::StatusCode::kResourceExhausted);
  }
  EXPECT_TRUE((*store)->refusal().ok()) << "it is not for good";
  disk.Empty();
  // Not even the open cursor delays it.
  EXPECT_TRUE(Put(**store, "after", "value").ok());
  EXPECT_TRUE(Ingest(**store, Space::kHeads, "after", "value").ok());
  EXPECT_TRUE((*store)->Get(Space::kMeta, KeyOf(19))->has_value());
  ASSERT_TRUE(cursor->Valid());
  EXPECT_EQ(cursor->key(), KeyOf(0));
  cursor->Next();
  EXPECT_EQ(cursor->key(), KeyOf(1));
}

// Neither the log can be written nor, when RocksDB is opened anew, a file: reads must go on.
TEST(RocksDbStore, ReadsGoOnWhileItCannotBeOpenedAnew) {
  const TemporaryDirectory directory;
  auto store = OpenRocksDbStore(SmallOptions(directory / "store"));
  ASSERT_TRUE(store.ok()) << store.status();
  ASSERT_TRUE(Ingest(**store, Space::kHeads, "key", "value").ok());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(Put(**store, KeyOf(i), std::string(20000, 'v')).ok());
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit small = {8192, limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(Put(**store, "refused", std::string(20000, 'v')).ok());
    const auto head = (*store)->Get(Space::kHeads, "key");
    EXPECT_TRUE(head.ok() && head->has_value()) << head.status();
    const auto meta = (*store)->Get(Space::kMeta, KeyOf(9));
    EXPECT_TRUE(meta.ok() && meta->has_value()) << meta.status();
  }
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  std::signal(SIGXFSZ, before);
  const absl::Status status = Put(**store, "after", "value");
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE((*store)->Get(Space::kMeta, KeyOf(9))->has_value());
}

// A cursor pins RocksDB, so that a change that should reopen it is refused until the cursor is gone.
TEST(RocksDbStore, AnOpenCursorOnlyDelaysGoingOn) {
  SmallDisk disk(uint64_t{64} << 20);
  if (!disk.mounted()) GTEST_SKIP() << disk.reason();
  auto opened = OpenRocksDbStore(SmallOptions(disk / "store"));
  ASSERT_TRUE(opened.ok()) << opened.status();
  Store& store = **opened;
  ASSERT_TRUE(Ingest(store, Space::kPages, "key", "value").ok());
  auto cursor = store.NewCursor(Space::kPages);
  // Until a flush has failed in the background: from then on batches are refused though there is room.
  std::mt19937_64 random(2);
  absl::Status status;
  int rounds = 0;
  for (; rounds < 100 && status.ok(); ++rounds) {
    disk.Fill(/*but_bytes=*/(uint64_t{2} << 20) + random() % (uint64_t{2} << 20));
    for (int i = 0; i < 30; ++i) Put(store, absl::StrCat("key ", i), std::string(200000, 'v')).IgnoreError();
    disk.Empty();
    status = Put(store, "after", "value");
  }
  if (status.ok()) GTEST_SKIP() << "no flush ran out of room";
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status << " round " << rounds;
  EXPECT_THAT(status.message(), HasSubstr("cursors")) << rounds;
  cursor->SeekToFirst();
  EXPECT_TRUE(cursor->Valid());
  EXPECT_TRUE(store.Get(Space::kPages, "key")->has_value());
  cursor.reset();
  status = Put(store, "after", "value");
  EXPECT_TRUE(status.ok()) << status;
}

// A thread that may not wait must never take a part for the whole. RocksDB 7.8 forgets that it could not read a run when the
// run before it, of the same level, has replaced something.
TEST(RocksDbStoreTest, WalkInMemoryNeverTakesAPartForTheWhole) {
  const TemporaryDirectory directory;
  auto store = *OpenRocksDbStore(SmallOptions(directory / "db"));
  int written = 0;
  // As seals and settling do it: new keys behind all others, and now and then one run for all there are.
  for (int round = 0; round < 40; ++round) {
    auto run = *store->NewRun(Space::kHeads);
    if (round % 8 == 3) {
      ASSERT_TRUE(run->Replace("k", "l").ok());
      for (int i = 0; i < written; ++i) ASSERT_TRUE(run->Add(absl::StrCat("k", 1000 + i), "value").ok());
    } else {
      ASSERT_TRUE(run->Add(absl::StrCat("k", 1000 + written++), "value").ok());
    }
    std::vector<std::unique_ptr<RunBuilder>> runs;
    runs.push_back(std::move(run));
    ASSERT_TRUE(store->Ingest(std::move(runs)).ok());
    const auto walk = [&](int* keys) {
      const std::unique_ptr<Cursor> cursor = store->NewCursor(Space::kHeads, "l");
      for (cursor->Seek("k"); cursor->Valid(); cursor->Next()) ++*keys;
      return cursor->status();
    };
    int keys = 0;
    absl::Status status;
    {
      const InMemoryOnly here;
      status = walk(&keys);
    }
    if (!IsNotInMemory(status)) {
      EXPECT_TRUE(status.ok()) << status;
      EXPECT_EQ(keys, written) << "round " << round;
    }
    keys = 0;
    EXPECT_TRUE(walk(&keys).ok());
    EXPECT_EQ(keys, written) << "round " << round;
  }
}

}  // namespace
}  // namespace historian::kv
