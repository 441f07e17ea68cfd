// Very many tags, most of them idle: what one costs in memory, how fast they are made, and how long a restart
// takes with them.
//
//   many_tags_benchmark --benchmark_filter=/1000000     on RocksDB in a scratch directory ($TEST_TMPDIR or
//   /tmp)
//
// Each tag gets one sample; all is sealed; that is the state whose memory is told. Then every tag gets three
// more, which stay in the journal, and the archive is closed and opened. Memory is what the process is given
// by the system beyond what it had before the archive was opened, RocksDB's own included.
#include <benchmark/benchmark.h>
#include <malloc.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "storage/archive/archive.h"
#include "storage/kv/rocksdb_store.h"
#include "storage/model/check.h"
#include "storage/platform/monotonic.h"

namespace historian {
namespace {

constexpr Timestamp kStart = 1'796'007'600'000'000'000;
constexpr size_t kCreatedAtOnce = 1000;
constexpr size_t kSnapshotTags = 16384;

int64_t ResidentBytes() {
  malloc_trim(0);
  std::ifstream statm("/proc/self/statm");
  int64_t size = 0, resident = 0;
  statm >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

double SecondsSince(MonotonicTime then) { return absl::ToDoubleSeconds(MonotonicTime::Now() - then); }

std::unique_ptr<Archive> OpenArchive(const std::string& path, const Clock& clock,
                                     const ArchiveOptions& archive_options = {}) {
  kv::RocksDbOptions options;
  options.path = path;
  auto store = kv::OpenRocksDbStore(options);
  HISTORIAN_CHECK(store.ok());
  auto archive = Archive::Open(*std::move(store), archive_options, clock);
  HISTORIAN_CHECK(archive.ok());
  return *std::move(archive);
}

void WriteScan(Archive& archive, const std::shared_ptr<Producer>& producer, size_t tags, int scan,
               uint64_t* sequence) {
  absl::BlockingCounter acknowledged(static_cast<int>((tags + kSnapshotTags - 1) / kSnapshotTags));
  for (size_t begin = 0; begin < tags; begin += kSnapshotTags) {
    Frame frame;
    frame.sequence = ++*sequence;
    FrameSnapshot& snapshot = frame.snapshots.emplace_back();
    snapshot.time = kStart + scan * kNanosPerSecond;
    for (size_t i = begin; i < std::min(begin + kSnapshotTags, tags); ++i) {
      snapshot.tags.push_back(static_cast<TagId>(i + 1));
      snapshot.values.push_back(BitsOfFloat64(static_cast<double>(i % 1000 + scan) / 10));
    }
    archive.Write(producer, std::move(frame), [&](absl::StatusOr<WriteResult> result) {
      HISTORIAN_CHECK(result.ok() && result->rejected == 0);
      acknowledged.DecrementCount();
    });
  }
  acknowledged.Wait();
}

void BM_ManyTags(benchmark::State& state) {
  const size_t tags = static_cast<size_t>(state.range(0));
  const char* scratch = std::getenv("TEST_TMPDIR");
  const std::string path =
      absl::StrCat(scratch == nullptr ? "/tmp" : scratch, "/many_tags_benchmark.", getpid());
  const SimulatedClock clock(kStart + 3600 * kNanosPerSecond);
  for (auto _ : state) {
    std::filesystem::remove_all(path);
    const int64_t before = ResidentBytes();
    std::unique_ptr<Archive> archive = OpenArchive(path, clock);
    const MonotonicTime creating = MonotonicTime::Now();
    for (size_t begin = 0; begin < tags; begin += kCreatedAtOnce) {
      std::vector<Tag> create;
      for (size_t i = begin; i < std::min(begin + kCreatedAtOnce, tags); ++i) {
        create.push_back(
            {.name = absl::StrCat("site-a/area-", i / 10'000, "/unit-", i / 100 % 100, "/sensor-", i % 100),
             .unit = "degC"});
      }
      for (const auto& created : archive->tags().Create(std::move(create))) HISTORIAN_CHECK(created.ok());
    }
    state.counters["created/s"] = static_cast<double>(tags) / SecondsSince(creating);
    uint64_t sequence = 0;
    std::shared_ptr<Producer> producer = *archive->OpenProducer("benchmark");
    WriteScan(*archive, producer, tags, 0, &sequence);
    const MonotonicTime sealing = MonotonicTime::Now();
    HISTORIAN_CHECK(archive->upkeep().Seal().ok());
    state.counters["seal s"] = SecondsSince(sealing);
    state.counters["B/tag idle"] = static_cast<double>(ResidentBytes() - before) / static_cast<double>(tags);
    const MonotonicTime listing = MonotonicTime::Now();
    HISTORIAN_CHECK(archive->tags().ListIds({.limit = 1000})->size() == std::min<size_t>(tags, 1000));
    state.counters["first list s"] = SecondsSince(listing);
    for (int scan = 1; scan <= 3; ++scan) WriteScan(*archive, producer, tags, scan, &sequence);
    state.counters["journal MiB"] = static_cast<double>(archive->Stats().journal_bytes) / (1 << 20);
    producer.reset();
    archive.reset();

    const int64_t closed = ResidentBytes();
    const MonotonicTime opening = MonotonicTime::Now();
    archive = OpenArchive(path, clock);
    state.counters["open s"] = SecondsSince(opening);
    HISTORIAN_CHECK(archive->tags().size() == tags);
    const TagId last = static_cast<TagId>(tags);
    HISTORIAN_CHECK((*archive->ReadLatest({&last, 1}))[0]->sample.time == kStart + 3 * kNanosPerSecond);
    HISTORIAN_CHECK(archive->upkeep().Seal().ok());
    state.counters["B/tag opened"] =
        static_cast<double>(ResidentBytes() - closed) / static_cast<double>(tags);
  }
  std::filesystem::remove_all(path);
}
BENCHMARK(BM_ManyTags)
    ->Arg(2048)
    ->Arg(1'000'000)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

// What definitions take in memory: tags with so many states, an archive that is opened with them.
void BM_TagsWithStates(benchmark::State& state) {
  const size_t tags = static_cast<size_t>(state.range(0));
  const char* scratch = std::getenv("TEST_TMPDIR");
  const std::string path =
      absl::StrCat(scratch == nullptr ? "/tmp" : scratch, "/many_tags_benchmark.", getpid());
  const SimulatedClock clock(kStart + 3600 * kNanosPerSecond);
  const ArchiveOptions options{.memory_budget_bytes = uint64_t{16} << 30};
  for (auto _ : state) {
    std::filesystem::remove_all(path);
    {
      std::unique_ptr<Archive> archive = OpenArchive(path, clock, options);
      for (size_t begin = 0; begin < tags; begin += kCreatedAtOnce) {
        std::vector<Tag> create;
        for (size_t i = begin; i < std::min(begin + kCreatedAtOnce, tags); ++i) {
          Tag& tag = create.emplace_back();
          tag.name = absl::StrCat("site-a/area-", i / 10'000, "/unit-", i / 100 % 100, "/valve-", i % 100);
          tag.type = ValueType::kDigital;
          tag.interpolation = Interpolation::kStepped;
          for (uint32_t code = 0; code < state.range(1); ++code) {
            tag.states[code] = absl::StrCat("state ", code, " of it");
          }
        }
        for (const auto& created : archive->tags().Create(std::move(create))) HISTORIAN_CHECK(created.ok());
      }
    }
    const int64_t closed = ResidentBytes();
    const MonotonicTime opening = MonotonicTime::Now();
    const std::unique_ptr<Archive> archive = OpenArchive(path, clock, options);
    state.counters["open s"] = SecondsSince(opening);
    const double all = static_cast<double>(tags);
    const ArchiveMemory memory = archive->Stats().memory;
    state.counters["B/tag counted"] = static_cast<double>(memory.tags) / all;
    state.counters["B/tag states"] = static_cast<double>(memory.tag_states) / all;
    state.counters["B/tag resident"] = static_cast<double>(ResidentBytes() - closed) / all;
  }
  std::filesystem::remove_all(path);
}
BENCHMARK(BM_TagsWithStates)
    ->Args({2048, 1})
    ->Args({1'000'000, 1})
    ->Args({1'000'000, 100})
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace historian

BENCHMARK_MAIN();
