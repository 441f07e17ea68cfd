// What IntervalFold costs in the shapes that dashboards ask for: trends of small intervals, and a long range
// of page summaries with a page of samples at every edge.
//
//   bazel run -c opt //storage/aggregate:interval_fold_benchmark
//
// The data are those of a plant: two decimals around a level, 1 Hz; the seed is fixed. Making the fold,
// feeding it and computing the figures asked for are all measured. The label is a checksum of the figures, so
// that nobody makes this fast by making it wrong. As a test it runs each for a moment.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "benchmark/benchmark.h"
#include "storage/aggregate/interval_fold.h"
#include "storage/aggregate/summary.h"

namespace historian {
namespace {

constexpr size_t kPage = 1024;
constexpr size_t kSixHours = 21'600;
constexpr size_t kYearPages = 30'000;
constexpr size_t kYearIntervals = 2'000;
constexpr Timestamp kStart = 1'700'000'000 * kNanosPerSecond;

enum class Data { kRegular, kJittered, kSomeBad };

Samples PlantSamples(ValueType type, size_t size, Data data) {
  std::mt19937_64 random(1);
  Samples samples;
  double level = 50;
  for (size_t i = 0; i < size; ++i) {
    level += (static_cast<double>(random() % 2001) - 1000) / 1000;
    const double value = std::round(level * 100) / 100;
    const ValueBits bits = type == ValueType::kFloat64   ? BitsOfFloat64(value)
                           : type == ValueType::kFloat32 ? BitsOfFloat32(static_cast<float>(value))
                                                         : BitsOfInt64(std::llround(level * 100));
    Timestamp t = kStart + static_cast<Timestamp>(i) * kNanosPerSecond;
    if (data == Data::kJittered) t += static_cast<Timestamp>(random() % 200'000'000);
    samples.Add(t, bits, data == Data::kSomeBad && random() % 1000 == 0 ? kBad : kGood);
  }
  return samples;
}

// Sums of doubles depend on their order; this does not lose a bit.
class Checksum {
 public:
  void Add(double v) {
    uint64_t bits;
    std::memcpy(&bits, &v, sizeof(bits));
    Add(bits);
  }
  void Add(uint64_t bits) { hash_ = (hash_ ^ bits) * 0x9E3779B97F4A7C15 + (hash_ >> 29); }
  std::string Text() const { return std::to_string(hash_); }
  void Clear() { hash_ = 0; }

 private:
  uint64_t hash_ = 0;
};

void AddFigures(ValueType type, const Interval& interval, uint32_t parts, Checksum* checksum) {
  checksum->Add(interval.good_ns);
  if ((parts & kExtremes) != 0) {
    checksum->Add(ToDouble(type, interval.samples.min.value));
    checksum->Add(ToDouble(type, interval.samples.max.value));
  }
  if ((parts & kSums) != 0) checksum->Add(interval.samples.sum.ToDouble());
  if ((parts & kSquares) != 0) checksum->Add(interval.samples.sum_of_squares.ToDouble());
  if ((parts & kAreas) != 0) checksum->Add(interval.area.ToDouble());
}

void Report(benchmark::State& state, const char* unit, size_t size, const Checksum& checksum) {
  state.counters[unit] =
      benchmark::Counter(static_cast<double>(size) * 1e-9,
                         benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.SetLabel(checksum.Text());
}

// A trend of six hours, fed page by page.
void FoldTrend(benchmark::State& state, ValueType type, Data data, uint32_t parts, size_t intervals) {
  const Samples samples = PlantSamples(type, kSixHours, data);
  std::vector<Timestamp> edges;
  for (size_t i = 0; i <= intervals; ++i) {
    edges.push_back(kStart + static_cast<Timestamp>(kSixHours * kNanosPerSecond / intervals * i));
  }
  Checksum checksum;
  for (auto _ : state) {
    checksum.Clear();
    IntervalFold fold(type, Interpolation::kSloped, edges, parts, [&](size_t, const Interval& interval) {
      AddFigures(type, interval, parts, &checksum);
    });
    for (size_t begin = 0; begin < samples.size(); begin += kPage) {
      fold.Add(samples.View().Slice(begin, std::min(kPage, samples.size() - begin)));
    }
    fold.Finish();
  }
  Report(state, "ns_per_interval", intervals, checksum);
}

// The summaries of a year's pages, all alike but for their times.
void MergePages(benchmark::State& state, uint32_t parts) {
  const Samples samples = PlantSamples(ValueType::kFloat64, kPage, Data::kRegular);
  constexpr Timestamp kPageSpan = static_cast<Timestamp>(kPage * kNanosPerSecond);
  std::vector<Summary> pages(kYearPages, Summarize(ValueType::kFloat64, samples.View()));
  for (size_t i = 0; i < pages.size(); ++i) {
    for (Sample* sample : {&pages[i].first, &pages[i].last, &pages[i].min, &pages[i].max}) {
      sample->time += static_cast<Timestamp>(i) * kPageSpan;
    }
  }
  std::vector<Timestamp> edges;
  for (size_t i = 0; i <= kYearIntervals; ++i) {
    edges.push_back(kStart + static_cast<Timestamp>(kYearPages / kYearIntervals * i) * kPageSpan);
  }
  Checksum checksum;
  for (auto _ : state) {
    checksum.Clear();
    IntervalFold fold(ValueType::kFloat64, Interpolation::kSloped, edges, parts,
                      [&](size_t, const Interval& interval) {
                        AddFigures(ValueType::kFloat64, interval, parts, &checksum);
                      });
    for (const Summary& page : pages) {
      if (fold.FitsOneInterval(page.first.time, page.last.time)) fold.AddSummary(page);
    }
    fold.Finish();
  }
  Report(state, "ns_per_page", kYearPages, checksum);
}

// Pages of samples, each split by one edge at another place of it.
void SplitPages(benchmark::State& state, uint32_t parts) {
  constexpr size_t kPages = kYearIntervals;
  const Samples samples = PlantSamples(ValueType::kFloat64, kPages * kPage, Data::kRegular);
  std::vector<Timestamp> edges = {kStart};
  for (size_t i = 0; i < kPages; ++i) edges.push_back(samples.times[i * kPage + (i * 389) % kPage] + 1);
  Checksum checksum;
  for (auto _ : state) {
    checksum.Clear();
    IntervalFold fold(ValueType::kFloat64, Interpolation::kSloped, edges, parts,
                      [&](size_t, const Interval& interval) {
                        AddFigures(ValueType::kFloat64, interval, parts, &checksum);
                      });
    for (size_t i = 0; i < kPages; ++i) fold.Add(samples.View().Slice(i * kPage, kPage));
    fold.Finish();
  }
  Report(state, "ns_per_page", kPages, checksum);
}

#define HISTORIAN_TREND(name, type, data, parts, intervals)                                                \
  BENCHMARK_CAPTURE(FoldTrend, name, ValueType::type, Data::data, static_cast<uint32_t>(parts), intervals) \
      ->Unit(benchmark::kMicrosecond)

HISTORIAN_TREND(min_max_avg_1000, kFloat64, kRegular, kExtremes | kSums, 1000);
HISTORIAN_TREND(min_max_avg_1000_jittered, kFloat64, kJittered, kExtremes | kSums, 1000);
HISTORIAN_TREND(min_max_avg_1000_some_bad, kFloat64, kSomeBad, kExtremes | kSums, 1000);
HISTORIAN_TREND(min_max_avg_1000_float32, kFloat32, kRegular, kExtremes | kSums, 1000);
HISTORIAN_TREND(min_max_avg_1000_int64, kInt64, kRegular, kExtremes | kSums, 1000);
HISTORIAN_TREND(avg_360, kFloat64, kRegular, kSums, 360);
HISTORIAN_TREND(avg_360_jittered, kFloat64, kJittered, kSums, 360);
HISTORIAN_TREND(avg_360_some_bad, kFloat64, kSomeBad, kSums, 360);
HISTORIAN_TREND(avg_360_int64, kInt64, kRegular, kSums, 360);
HISTORIAN_TREND(area_360, kFloat64, kRegular, kAreas, 360);
HISTORIAN_TREND(all_360, kFloat64, kRegular, kAllParts, 360);
HISTORIAN_TREND(all_360_jittered, kFloat64, kJittered, kAllParts, 360);
HISTORIAN_TREND(all_360_some_bad, kFloat64, kSomeBad, kAllParts, 360);
HISTORIAN_TREND(all_100000, kFloat64, kRegular, kAllParts, 100'000);
BENCHMARK_CAPTURE(MergePages, min_max_avg, kExtremes | kSums)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(MergePages, all, kAllParts)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(SplitPages, min_max_avg, kExtremes | kSums)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(SplitPages, all, kAllParts)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace historian

BENCHMARK_MAIN();
