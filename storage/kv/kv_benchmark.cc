// What the store costs, on the disk of TMPDIR (as a test: in TEST_TMPDIR):
//
//   TMPDIR=/var/lib/historian kv_benchmark
//
// Data comes from a fixed seed; the counter "sum" is the same in every run of the same build that did its
// work right.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "benchmark/benchmark.h"
#include "storage/kv/rocksdb_store.h"
#include "storage/kv/store.h"

namespace historian::kv {
namespace {

constexpr size_t kPageBytes = 12 << 10;
constexpr size_t kRunBytes = size_t{32} << 20;
constexpr uint64_t kLogBytesKept = uint64_t{64} << 20;

class TemporaryStore {
 public:
  TemporaryStore() {
    const char* own = std::getenv("TEST_TMPDIR");
    const std::filesystem::path directory = own != nullptr ? own : std::filesystem::temp_directory_path();
    path_ = (directory / "kv_benchmark.XXXXXX").string();
    if (::mkdtemp(path_.data()) == nullptr) return;
    RocksDbOptions options;
    options.path = path_ + "/store";
    if (auto store = OpenRocksDbStore(options); store.ok()) store_ = *std::move(store);
  }
  ~TemporaryStore() {
    store_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Store* get() const { return store_.get(); }

 private:
  std::string path_;
  std::unique_ptr<Store> store_;
};

std::string RandomBytes(size_t size) {
  std::mt19937_64 random(1);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

std::string PageKey(int run, int page) { return absl::StrFormat("%08d%08d", run, page); }

absl::Status IngestPages(Store& store, int run, const std::string& page) {
  auto builder = store.NewRun(Space::kPages);
  if (!builder.ok()) return builder.status();
  for (size_t i = 0; i < kRunBytes / kPageBytes; ++i) {
    if (absl::Status status = (*builder)->Add(PageKey(run, i), page); !status.ok()) return status;
  }
  std::vector<std::unique_ptr<RunBuilder>> runs;
  runs.push_back(*std::move(builder));
  return store.Ingest(std::move(runs));
}

void LogAppendAndSync(benchmark::State& state) {
  const TemporaryStore store;
  if (store.get() == nullptr) return state.SkipWithError("cannot open a store");
  auto log = store.get()->OpenLog("journal");
  if (!log.ok()) return state.SkipWithError("cannot open a log");
  const std::string bytes = RandomBytes(state.range(0));
  for (auto _ : state) {
    if (!(*log)->Append(bytes).ok() || !(*log)->Sync().ok()) return state.SkipWithError("append failed");
    if ((*log)->end() - (*log)->begin() > 2 * kLogBytesKept &&
        !(*log)->Trim((*log)->end() - kLogBytesKept).ok()) {
      return state.SkipWithError("trim failed");
    }
  }
  state.SetBytesProcessed(static_cast<int64_t>((*log)->end()));
  const auto last = (*log)->Read((*log)->end() - bytes.size(), bytes.size());
  state.counters["sum"] = last.ok() && *last == bytes ? 1 : 0;
}
BENCHMARK(LogAppendAndSync)->Arg(4 << 10)->Arg(64 << 10)->Arg(1 << 20)->UseRealTime();

void IngestRunOf32MiB(benchmark::State& state) {
  const TemporaryStore store;
  if (store.get() == nullptr) return state.SkipWithError("cannot open a store");
  const std::string page = RandomBytes(kPageBytes);
  int run = 0;
  for (auto _ : state) {
    if (!IngestPages(*store.get(), run, page).ok()) return state.SkipWithError("ingestion failed");
    ++run;
    // Old partitions go, so that the disk holds any number of rounds.
    if (run > 8 && !store.get()->DeleteRange(Space::kPages, "", PageKey(run - 8, 0)).ok()) {
      return state.SkipWithError("deletion failed");
    }
  }
  state.SetBytesProcessed(static_cast<int64_t>(run) * kRunBytes);
  state.counters["sum"] = **store.get()->Get(Space::kPages, PageKey(run - 1, 7)) == page ? 1 : 0;
}
BENCHMARK(IngestRunOf32MiB)->UseRealTime()->Unit(benchmark::kMillisecond);

void GetPage(benchmark::State& state) {
  const TemporaryStore store;
  if (store.get() == nullptr) return state.SkipWithError("cannot open a store");
  const std::string page = RandomBytes(kPageBytes);
  // Twice the block cache: half of the gets go to the file.
  for (int run = 0; run < 4; ++run) {
    if (!IngestPages(*store.get(), run, page).ok()) return state.SkipWithError("ingestion failed");
  }
  std::mt19937_64 random(2);
  uint64_t bytes = 0;
  for (auto _ : state) {
    const auto value =
        store.get()->Get(Space::kPages, PageKey(random() % 4, random() % (kRunBytes / kPageBytes)));
    if (!value.ok() || !value->has_value()) return state.SkipWithError("get failed");
    bytes += (*value)->size();
  }
  state.SetBytesProcessed(static_cast<int64_t>(bytes));
  state.counters["sum"] = bytes == state.iterations() * kPageBytes ? 1 : 0;
}
BENCHMARK(GetPage)->Unit(benchmark::kMicrosecond);

void WriteBatch(benchmark::State& state) {
  const TemporaryStore store;
  if (store.get() == nullptr) return state.SkipWithError("cannot open a store");
  const std::string value = RandomBytes(200);
  int i = 0;
  for (auto _ : state) {
    Batch batch;
    batch.Put(absl::StrCat("tag ", i++), value);
    if (!store.get()->Write(batch).ok()) return state.SkipWithError("write failed");
  }
  state.counters["sum"] = **store.get()->Get(Space::kMeta, "tag 0") == value ? 1 : 0;
}
BENCHMARK(WriteBatch)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace historian::kv

BENCHMARK_MAIN();
