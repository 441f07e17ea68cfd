// What folding costs: Summarize by type and parts, small exact operations, and a trend's IntervalFold.
//
//   bazel run -c opt //storage/aggregate:summary_benchmark
//
// The data are those of a plant: two decimals around a level, a sample about every second; the seed is fixed.
// The label is a checksum of the results, so that nobody makes this fast by making it wrong. As a test it
// runs each for a moment.
#include <algorithm>
#include <cmath>
#include <cstdint>
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

Samples PlantSamples(ValueType type, size_t size, bool mixed) {
  std::mt19937_64 random(1);
  Samples samples;
  Timestamp t = 1'700'000'000 * kNanosPerSecond;
  double level = 50;
  for (size_t i = 0; i < size; ++i) {
    level += (static_cast<double>(random() % 2001) - 1000) / 1000;
    const double value = std::round(level * 100) / 100;
    const ValueBits bits = type == ValueType::kFloat64   ? BitsOfFloat64(value)
                           : type == ValueType::kFloat32 ? BitsOfFloat32(static_cast<float>(value))
                           : type == ValueType::kInt64   ? BitsOfInt64(std::llround(level * 100))
                                                         : random() % 2;
    samples.Add(t, bits, mixed && random() % 50 == 0 ? kBad : kGood);
    t += kNanosPerSecond + static_cast<Timestamp>(random() % 2'000'000);
  }
  return samples;
}

std::string Checksum(const Summary& s) {
  std::string bytes;
  for (const ExactSum* sum : {&s.sum, &s.sum_of_squares, &s.area_stepped, &s.area_sloped})
    sum->AppendTo(&bytes);
  uint64_t hash = s.good * 31 + s.min.value + s.max.value;
  for (const char c : bytes) hash = hash * 1099511628211u + static_cast<uint8_t>(c);
  return std::to_string(hash);
}

void SummarizePage(benchmark::State& state, ValueType type, uint32_t parts, bool mixed) {
  const Samples samples = PlantSamples(type, kPage, mixed);
  for (auto _ : state) benchmark::DoNotOptimize(Summarize(type, samples.View(), parts));
  state.SetItemsProcessed(state.iterations() * kPage);
  state.counters["ns_per_sample"] = benchmark::Counter(
      kPage * 1e-9, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.SetLabel(Checksum(Summarize(type, samples.View(), parts)));
}

void MergePages(benchmark::State& state) {
  const Samples samples = PlantSamples(ValueType::kFloat64, 2 * kPage, false);
  const Summary a = Summarize(ValueType::kFloat64, samples.View().Slice(0, kPage));
  const Summary b = Summarize(ValueType::kFloat64, samples.View().Slice(kPage, kPage));
  for (auto _ : state) {
    Summary merged = a;
    Merge(ValueType::kFloat64, b, &merged);
    benchmark::DoNotOptimize(merged);
  }
}

void AddOne(benchmark::State& state) {
  ExactSum sum;
  double v = 20.55;
  for (auto _ : state) {
    sum.Add(v);
    v = -v;
    benchmark::DoNotOptimize(sum);
  }
}

void RoundOne(benchmark::State& state) {
  ExactSum sum;
  for (int i = 0; i < 100; ++i) sum.Add(20.55 + i);
  for (auto _ : state) benchmark::DoNotOptimize(sum.DividedBy(100));
}

void BytesOfOne(benchmark::State& state) {
  ExactSum sum;
  for (int i = 0; i < 100; ++i) sum.AddSquare(20.55 + i);
  std::string bytes;
  for (auto _ : state) {
    bytes.clear();
    sum.AppendTo(&bytes);
    absl::string_view rest = bytes;
    ExactSum parsed;
    benchmark::DoNotOptimize(ExactSum::ParseFrom(&rest, &parsed));
  }
}

// Six hours at about 1 Hz, fed page by page.
void FoldTrend(benchmark::State& state, uint32_t parts, size_t intervals) {
  const Samples samples = PlantSamples(ValueType::kFloat64, kSixHours, false);
  const uint64_t span = Elapsed(samples.times.front(), samples.times.back());
  std::vector<Timestamp> edges;
  for (size_t i = 0; i <= intervals; ++i) {
    edges.push_back(samples.times.front() + static_cast<Timestamp>(span / intervals * i));
  }
  double checksum = 0;
  for (auto _ : state) {
    checksum = 0;
    IntervalFold fold(ValueType::kFloat64, Interpolation::kSloped, edges, parts,
                      [&](size_t, const Interval& interval) {
                        checksum += interval.samples.sum.ToDouble() + interval.area.ToDouble() +
                                    Float64OfBits(interval.samples.max.value);
                      });
    for (size_t begin = 0; begin < samples.size(); begin += kPage) {
      fold.Add(samples.View().Slice(begin, std::min(kPage, samples.size() - begin)));
    }
    fold.Finish();
  }
  state.counters["ns_per_sample"] = benchmark::Counter(
      kSixHours * 1e-9, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.SetLabel(std::to_string(checksum));
}

BENCHMARK_CAPTURE(SummarizePage, float64_counts, ValueType::kFloat64, kCounts, false);
BENCHMARK_CAPTURE(SummarizePage, float64_extremes, ValueType::kFloat64, kExtremes, false);
BENCHMARK_CAPTURE(SummarizePage, float64_extremes_sums, ValueType::kFloat64, kExtremes | kSums, false);
BENCHMARK_CAPTURE(SummarizePage, float64_squares, ValueType::kFloat64, kSquares, false);
BENCHMARK_CAPTURE(SummarizePage, float64_area, ValueType::kFloat64, kAreaSloped, false);
BENCHMARK_CAPTURE(SummarizePage, float64_all, ValueType::kFloat64, kAllParts, false);
BENCHMARK_CAPTURE(SummarizePage, float64_all_some_bad, ValueType::kFloat64, kAllParts, true);
BENCHMARK_CAPTURE(SummarizePage, float32_all, ValueType::kFloat32, kAllParts, false);
BENCHMARK_CAPTURE(SummarizePage, int64_extremes_sums, ValueType::kInt64, kExtremes | kSums, false);
BENCHMARK_CAPTURE(SummarizePage, int64_all, ValueType::kInt64, kAllParts, false);
BENCHMARK_CAPTURE(SummarizePage, int64_all_some_bad, ValueType::kInt64, kAllParts, true);
BENCHMARK_CAPTURE(SummarizePage, digital_all, ValueType::kDigital, kAllParts, false);
BENCHMARK(MergePages);
BENCHMARK(AddOne);
BENCHMARK(RoundOne);
BENCHMARK(BytesOfOne);
BENCHMARK_CAPTURE(FoldTrend, min_max_avg_1000, kExtremes | kSums, 1000)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(FoldTrend, all_1000, kAllParts, 1000)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(FoldTrend, all_10, kAllParts, 10)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(FoldTrend, all_100000, kAllParts, 100'000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace historian

BENCHMARK_MAIN();
