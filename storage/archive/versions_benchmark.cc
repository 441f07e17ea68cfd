// What versions cost: bytes a sample in settled blocks, and reads as of a version beside plain ones. In memory.
//
//   versions_benchmark --benchmark_filter=Bytes
//   versions_benchmark --benchmark_filter='Read|Fold'
#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "storage/archive/archive.h"
#include "storage/format/plant_samples.h"
#include "storage/kv/memory_store.h"
#include "storage/model/check.h"

namespace historian {
namespace {

constexpr Timestamp kStart = format::PartitionStart(2870);
constexpr Timestamp kMinute = 60 * kNanosPerSecond;

// An archive whose clock goes with its samples: a version closes every ten minutes, as they do by themselves.
class LiveArchive {
 public:
  explicit LiveArchive(bool closes_versions) : closes_versions_(closes_versions) {
    ArchiveOptions options;
    options.version_period = absl::InfiniteDuration();
    auto archive = Archive::Open(kv::NewMemoryStore(), options, clock_);
    HISTORIAN_CHECK(archive.ok());
    archive_ = *std::move(archive);
    producer_ = *archive_->OpenProducer("benchmark");
  }

  Archive& archive() { return *archive_; }

  TagId MakeTag(ValueType type) {
    const Tag tag{
        .name = absl::StrCat("tag ", ++tags_), .type = type, .interpolation = DefaultInterpolation(type)};
    return (*archive_->tags().Create({tag})[0])->id;
  }

  void Write(TagId tag, ValueType type, const SamplesView& samples) {
    Frame frame{.sequence = ++sequence_};
    frame.columns.push_back({.tag = tag, .type = type});
    frame.columns[0].samples.Append(type, samples);
    absl::Notification done;
    archive_->Write(producer_, std::move(frame), [&](absl::StatusOr<WriteResult> result) {
      HISTORIAN_CHECK(result.ok() && result->rejected == 0);
      done.Notify();
    });
    done.WaitForNotification();
  }

  // The time has come to `now`.
  void Pass(Timestamp now) {
    if (closes_versions_ && now >= closes_) {
      clock_.Set(closes_);
      HISTORIAN_CHECK(archive_->MarkVersion("", "").ok());
      closes_ += (now - closes_) / (10 * kMinute) * 10 * kMinute + 10 * kMinute;
    }
    clock_.Set(now);
  }

 private:
  const bool closes_versions_;
  Timestamp closes_ = kStart + 10 * kMinute;
  SimulatedClock clock_{kStart};
  std::unique_ptr<Archive> archive_;
  std::shared_ptr<Producer> producer_;
  uint64_t sequence_ = 0;
  int tags_ = 0;
};

struct Arrival {
  Timestamp step = 0;    // Between the samples of a tag.
  int count = 0;         // Samples of a tag.
  double late = 0;       // The share of samples that come late, by up to an hour; the others come after 2 s.
  bool at_once = false;  // All of it is imported afterwards.
};

// Bytes of settled blocks, rollups and heads, a sample.
double BytesASample(const Arrival& arrival, bool closes_versions) {
  LiveArchive live(closes_versions);
  const format::PlantKind& kind = format::PlantKindNamed("drift_regular");
  const TagId tag = live.MakeTag(kind.type);
  const Samples made = kind.make(arrival.count, 7);
  std::mt19937_64 random(3);
  Samples all;
  std::vector<std::pair<Timestamp, size_t>> arrivals;
  for (size_t i = 0; i < made.size(); ++i) {
    const Timestamp time = kStart + static_cast<Timestamp>(i) * arrival.step;
    all.Add(time, made.values[i]);
    const bool is_late = static_cast<double>(random() % 10'000) < arrival.late * 10'000;
    const Timestamp delay =
        is_late ? static_cast<Timestamp>(random() % 3600) * kNanosPerSecond : 2 * kNanosPerSecond;
    arrivals.emplace_back(arrival.at_once ? 0 : time + delay, i);
  }
  std::stable_sort(arrivals.begin(), arrivals.end());
  // What arrives within ten seconds is a frame, so that each is of one version.
  const auto tens = [](Timestamp time) { return time / (10 * kNanosPerSecond); };
  std::vector<size_t> frame;
  for (size_t k = 0; k < arrivals.size(); ++k) {
    frame.push_back(arrivals[k].second);
    const bool goes_on = k + 1 < arrivals.size() && frame.size() < 10'000 &&
                         tens(arrivals[k + 1].first) == tens(arrivals[k].first);
    if (goes_on) continue;
    std::sort(frame.begin(), frame.end());
    Samples samples;
    for (const size_t i : frame) samples.AddFrom(kind.type, all.View(), i);
    frame.clear();
    live.Pass(std::max(arrivals[k].first, samples.times.back()));
    live.Write(tag, kind.type, samples.View());
  }
  HISTORIAN_CHECK(live.archive().upkeep().Seal(/*settle=*/true).ok());
  return static_cast<double>(live.archive().Stats().block_bytes) / static_cast<double>(made.size());
}

void BM_BytesASample(benchmark::State& state, const Arrival& arrival) {
  for (auto _ : state) {
    const double with = BytesASample(arrival, true), without = BytesASample(arrival, false);
    state.counters["B/sample"] = with;
    state.counters["of_versions"] = with - without;
  }
}
#define HISTORIAN_BYTES(name, ...) \
  BENCHMARK_CAPTURE(BM_BytesASample, name, Arrival{__VA_ARGS__})->Iterations(1)->Unit(benchmark::kMillisecond)
HISTORIAN_BYTES(a_second, kNanosPerSecond, 200'000);
HISTORIAN_BYTES(a_second_5_percent_late, kNanosPerSecond, 200'000, 0.05);
HISTORIAN_BYTES(a_minute, kMinute, 40'000);
HISTORIAN_BYTES(an_hour, 60 * kMinute, 8'000);
HISTORIAN_BYTES(imported, kNanosPerSecond, 200'000, 0, true);

// Four weeks of a tag with a sample a second. A version closed after them, then a sample in twenty was said anew, and perhaps
// settled.
struct FourWeeks {
  explicit FourWeeks(bool settled) : live(/*closes_versions=*/true) {
    const format::PlantKind& kind = format::PlantKindNamed("drift_jittered");
    tag = live.MakeTag(kind.type);
    const Samples made = kind.make(kCount, 7);
    Samples samples;
    for (int i = 0; i < kCount; ++i) samples.Add(kStart + i * kNanosPerSecond, made.values[i]);
    for (int i = 0; i < kCount; i += kFrame) {
      live.Pass(samples.times[i] + kFrame * kNanosPerSecond);
      live.Write(tag, kind.type, samples.View().Slice(i, std::min(kFrame, kCount - i)));
    }
    HISTORIAN_CHECK(live.archive().upkeep().Seal(/*settle=*/true).ok());
    version = live.archive().MarkVersion("", "").value().version;
    std::mt19937_64 random(5);
    Samples anew;
    for (int i = 0; i < kCount; ++i) {
      if (random() % 20 == 0) anew.Add(samples.times[i], BitsOfFloat64(1e6 + i));
      if (anew.size() < kFrame && (i + 1 < kCount || anew.empty())) continue;
      live.Write(tag, kind.type, anew.View());
      anew.Clear();
    }
    HISTORIAN_CHECK(live.archive().upkeep().Seal(settled).ok());
    last = live.archive().MarkVersion("", "").value().version;
  }

  static FourWeeks& Get(bool settled) {
    static FourWeeks unsettled_weeks(false), settled_weeks(true);
    return settled ? settled_weeks : unsettled_weeks;
  }

  static constexpr int kCount = 4 * 7 * 86'400, kFrame = 6'000;
  static constexpr Timestamp kEnd = kStart + kCount * kNanosPerSecond;
  LiveArchive live;
  TagId tag = 0;
  Version version = 0;  // Before what was said anew.
  Version last = 0;     // Behind it.
};

enum class When { kNow, kLast, kBefore };
Version VersionOf(const FourWeeks& weeks, When when) {
  return when == When::kNow ? kVersionNow : when == When::kLast ? weeks.last : weeks.version;
}

void BM_ReadRawHour(benchmark::State& state, bool settled, When when) {
  FourWeeks& weeks = FourWeeks::Get(settled);
  uint64_t count = 0;
  for (auto _ : state) {
    const auto reader = weeks.live.archive().ReadRaw({.tag = weeks.tag,
                                                      .start = FourWeeks::kEnd - 3600 * kNanosPerSecond,
                                                      .end = FourWeeks::kEnd,
                                                      .as_of = VersionOf(weeks, when)});
    HISTORIAN_CHECK(reader.ok());
    Samples batch;
    while (*(*reader)->Next(&batch)) count += batch.size();
  }
  HISTORIAN_CHECK(count == 3600 * static_cast<uint64_t>(state.iterations()));
}

// In 1,000 intervals.
void BM_FoldFourWeeks(benchmark::State& state, bool settled, When when) {
  FourWeeks& weeks = FourWeeks::Get(settled);
  std::vector<Timestamp> edges;
  for (int i = 0; i <= 1000; ++i) edges.push_back(kStart + (FourWeeks::kEnd - kStart) / 1000 * i);
  uint64_t count = 0;
  for (auto _ : state) {
    const auto reader = weeks.live.archive().ReadFolded(weeks.tag, nullptr, VersionOf(weeks, when));
    HISTORIAN_CHECK(reader.ok());
    HISTORIAN_CHECK((*reader)
                        ->Fold(edges, Interpolation::kSloped, kExtremes | kSums,
                               [&](size_t, const Interval& interval) { count += interval.samples.count; })
                        .ok());
  }
  HISTORIAN_CHECK(count == static_cast<uint64_t>(FourWeeks::kCount) * state.iterations());
}

#define HISTORIAN_READ(benchmark)                                             \
  BENCHMARK_CAPTURE(benchmark, settled_now, true, When::kNow);                \
  BENCHMARK_CAPTURE(benchmark, settled_as_of_the_last, true, When::kLast);    \
  BENCHMARK_CAPTURE(benchmark, settled_as_of_before, true, When::kBefore);    \
  BENCHMARK_CAPTURE(benchmark, unsettled_now, false, When::kNow);             \
  BENCHMARK_CAPTURE(benchmark, unsettled_as_of_the_last, false, When::kLast); \
  BENCHMARK_CAPTURE(benchmark, unsettled_as_of_before, false, When::kBefore)
HISTORIAN_READ(BM_ReadRawHour);
HISTORIAN_READ(BM_FoldFourWeeks);

}  // namespace
}  // namespace historian

BENCHMARK_MAIN();
