// The engine without a network: samples per second through Write (validated, journaled, synced, in tails,
// sealed), and reads of what was written.
//
//   archive_benchmark --benchmark_filter=Write     on RocksDB in a scratch directory ($TEST_TMPDIR or /tmp)
//
// 1,000 tags of plant-like data at 1 Hz, frames of 250 tags x 64 s, time-ordered; four producers in turn.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "storage/archive/archive.h"
#include "storage/format/plant_samples.h"
#include "storage/kv/rocksdb_store.h"
#include "storage/model/check.h"

namespace historian {
namespace {

constexpr int kTags = 1000;
constexpr int kTagsPerFrame = 250;
constexpr int kSecondsPerFrame = 64;
constexpr const char* kKinds[] = {"drift_regular", "drift_jittered", "noise_regular",
                                  "setpoint",      "totaliser",      "running"};

class ScratchArchive {
 public:
  explicit ScratchArchive(int seconds) : seconds_(seconds) {
    const char* scratch = std::getenv("TEST_TMPDIR");
    path_ = absl::StrCat(scratch == nullptr ? "/tmp" : scratch, "/archive_benchmark.", getpid());
    std::filesystem::remove_all(path_);
    kv::RocksDbOptions options;
    options.path = path_;
    auto store = kv::OpenRocksDbStore(options);
    HISTORIAN_CHECK(store.ok());
    auto archive = Archive::Open(*std::move(store), ArchiveOptions(), clock_);
    HISTORIAN_CHECK(archive.ok());
    archive_ = *std::move(archive);
    std::vector<Tag> tags;
    for (int i = 0; i < kTags; ++i) {
      const format::PlantKind& kind = format::PlantKindNamed(kKinds[i % std::size(kKinds)]);
      tags.push_back({.name = absl::StrCat("tag ", i),
                      .type = kind.type,
                      .interpolation = DefaultInterpolation(kind.type)});
      samples_.push_back(kind.make(seconds, i));
    }
    for (const auto& created : archive_->tags().Create(tags)) {
      HISTORIAN_CHECK(created.ok());
      tags_.push_back(*created);
    }
  }
  ~ScratchArchive() {
    archive_.reset();
    std::filesystem::remove_all(path_);
  }

  Archive& archive() { return *archive_; }
  TagId tag(int i) const { return tags_[i]->id; }
  uint64_t samples() const { return uint64_t{kTags} * seconds_; }

  std::vector<Frame> MakeFrames() const {
    std::vector<Frame> frames;
    for (int second = 0; second < seconds_; second += kSecondsPerFrame) {
      for (int first = 0; first < kTags; first += kTagsPerFrame) {
        Frame& frame = frames.emplace_back();
        frame.sequence = frames.size();
        for (int i = first; i < first + kTagsPerFrame; ++i) {
          FrameColumn& column = frame.columns.emplace_back();
          column.tag = tags_[i]->id;
          column.type = tags_[i]->type;
          column.samples.Append(column.type, samples_[i].View(), second,
                                std::min(kSecondsPerFrame, seconds_ - second));
        }
      }
    }
    return frames;
  }

  void WriteAll(std::vector<Frame> frames) {
    const std::shared_ptr<Producer> producer = *archive_->OpenProducer("benchmark");
    absl::BlockingCounter acknowledged(static_cast<int>(frames.size()));
    for (Frame& frame : frames) {
      absl::Notification taken;
      archive_->Write(
          producer, std::move(frame),
          [&](absl::StatusOr<WriteResult> result) {
            HISTORIAN_CHECK(result.ok() && result->rejected == 0);
            acknowledged.DecrementCount();
          },
          [&] { taken.Notify(); });
      taken.WaitForNotification();
    }
    acknowledged.Wait();
  }

 private:
  const int seconds_;
  std::string path_;
  const SimulatedClock clock_{2'000'000'000 * kNanosPerSecond};  // After all samples.
  std::unique_ptr<Archive> archive_;
  std::vector<std::shared_ptr<const Tag>> tags_;
  std::vector<Samples> samples_;
};

void BM_Write(benchmark::State& state) {
  const int seconds = static_cast<int>(state.range(0));
  for (auto _ : state) {
    state.PauseTiming();
    ScratchArchive scratch(seconds);
    std::vector<Frame> frames = scratch.MakeFrames();
    state.ResumeTiming();
    scratch.WriteAll(std::move(frames));
    state.PauseTiming();
    HISTORIAN_CHECK(scratch.archive().upkeep().Seal().ok());
    const ArchiveStats stats = scratch.archive().Stats();
    HISTORIAN_CHECK(stats.samples_sealed == scratch.samples());
    state.counters["samples/s"] =
        benchmark::Counter(scratch.samples(), benchmark::Counter::kIsIterationInvariantRate);
    state.counters["B/sample"] = static_cast<double>(stats.block_bytes) / scratch.samples();
    state.counters["commits"] = stats.journal_commits;
    state.ResumeTiming();
  }
}
BENCHMARK(BM_Write)
    ->Arg(128)
    ->Arg(6400)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->MeasureProcessCPUTime();

// One tag's range in so many intervals, minimum, maximum and average; settled. The tags in turn: with all of
// them what is remembered from visit to visit counts, with as many as are visited it does not.
void BM_Fold(benchmark::State& state) {
  const int seconds = static_cast<int>(state.range(0)), size = static_cast<int>(state.range(1));
  ScratchArchive scratch(seconds);
  std::vector<Frame> frames = scratch.MakeFrames();
  const Timestamp start = frames.front().columns.front().samples.times.front();
  scratch.WriteAll(std::move(frames));
  HISTORIAN_CHECK(scratch.archive().upkeep().Seal(/*settle=*/true).ok());
  std::vector<Timestamp> edges;
  for (int i = 0; i <= size; ++i) edges.push_back(start + int64_t{seconds} * kNanosPerSecond / size * i);
  int tag = 0;
  uint64_t count = 0;
  for (auto _ : state) {
    const auto reader = scratch.archive().ReadFolded(scratch.tag(tag++ % kTags));
    HISTORIAN_CHECK(reader.ok());
    HISTORIAN_CHECK((*reader)
                        ->Fold(edges, Interpolation::kSloped, kExtremes | kSums,
                               [&](size_t, const Interval& interval) { count += interval.samples.count; })
                        .ok());
  }
  state.counters["samples"] = static_cast<double>(count) / state.iterations();
}
BENCHMARK(BM_Fold)->Args({128, 128})->Args({21600, 1000})->Args({21600, 360})->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_Fold)
    ->Name("BM_FoldFirstVisit")
    ->Args({21600, 1000})
    ->Args({21600, 360})
    ->Iterations(kTags)
    ->Unit(benchmark::kMicrosecond);

void BM_ReadRawHour(benchmark::State& state) {
  const int seconds = static_cast<int>(state.range(0));
  ScratchArchive scratch(seconds);
  scratch.WriteAll(scratch.MakeFrames());
  HISTORIAN_CHECK(scratch.archive().upkeep().Seal().ok());
  int tag = 0;
  uint64_t count = 0;
  for (auto _ : state) {
    const TagId id = scratch.tag(tag++ % kTags);
    const Timestamp end = (*scratch.archive().ReadLatest({&id, 1}))[0]->sample.time + 1;
    auto reader = scratch.archive().ReadRaw({.tag = id, .start = end - 3600 * kNanosPerSecond, .end = end});
    Samples batch;
    while (*(*reader)->Next(&batch)) count += batch.size();
  }
  state.counters["samples"] = static_cast<double>(count) / state.iterations();
}
BENCHMARK(BM_ReadRawHour)->Arg(128)->Arg(21600)->Unit(benchmark::kMicrosecond);

// A hundred tags on a grid of seconds, or of ten, in between their samples, as ReadJoined reads them: 1,024 times at once.
void BM_Joined(benchmark::State& state) {
  const int seconds = static_cast<int>(state.range(0));
  const int64_t step = state.range(1) * kNanosPerSecond;
  constexpr int kJoinedTags = 100;
  ScratchArchive scratch(seconds);
  std::vector<Frame> frames = scratch.MakeFrames();
  const Timestamp start = frames.front().columns.front().samples.times.front() + kNanosPerSecond / 2;
  scratch.WriteAll(std::move(frames));
  HISTORIAN_CHECK(scratch.archive().upkeep().Seal(/*settle=*/true).ok());
  uint64_t values = 0;
  for (auto _ : state) {
    std::vector<std::unique_ptr<JoinedReader>> readers;
    for (int i = 0; i < kJoinedTags; ++i) {
      const bool stepped = std::string_view(kKinds[i % std::size(kKinds)]) == "running";
      readers.push_back(*scratch.archive().ReadJoined(
          scratch.tag(i), stepped ? Interpolation::kStepped : Interpolation::kSloped, false));
    }
    const Timestamp end = start + seconds * kNanosPerSecond;
    std::vector<Timestamp> times;
    Samples row;
    for (Timestamp t = start; t < end;) {
      times.clear();
      for (; times.size() < 1024 && t < end; t += step) times.push_back(t);
      for (const auto& reader : readers) {
        row.Clear();
        HISTORIAN_CHECK(*reader->Read(times, SIZE_MAX, &row) == times.size());
        benchmark::DoNotOptimize(row.values.data());
        values += row.size();
      }
    }
  }
  state.counters["values/s"] = benchmark::Counter(static_cast<double>(values), benchmark::Counter::kIsRate);
}
BENCHMARK(BM_Joined)->Args({128, 1})->Args({21600, 1})->Args({21600, 10})->Unit(benchmark::kMillisecond);

// The week in which all samples lie expires and is dropped.
void BM_DropWeek(benchmark::State& state) {
  const int seconds = static_cast<int>(state.range(0));
  for (auto _ : state) {
    state.PauseTiming();
    ScratchArchive scratch(seconds);
    Archive& archive = scratch.archive();
    scratch.WriteAll(scratch.MakeFrames());
    HISTORIAN_CHECK(archive.upkeep().Seal(/*settle=*/true).ok());
    HISTORIAN_CHECK(
        archive.retention()
            .SetRule(
                {.name = "all", .pattern = "*", .keep_raw = absl::Hours(24), .keep_rollups = absl::Hours(24)})
            .ok());
    state.ResumeTiming();
    const absl::StatusOr<RetentionResult> dropped = archive.upkeep().ApplyRetention({});
    state.PauseTiming();
    HISTORIAN_CHECK(dropped.ok() && dropped->samples == scratch.samples());
    const ArchiveStats stats = archive.Stats();
    state.counters["samples"] = static_cast<double>(dropped->samples);
    state.counters["bytes"] = static_cast<double>(dropped->bytes);
    state.counters["pages_left"] =
        static_cast<double>(stats.store.spaces[static_cast<int>(kv::Space::kPages)].bytes_on_disk);
    state.ResumeTiming();
  }
}
BENCHMARK(BM_DropWeek)->Arg(128)->Arg(6400)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace historian

BENCHMARK_MAIN();
