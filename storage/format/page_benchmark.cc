// Benchmarks the page codec for each kind of plant data.
//
//   bazel run -c opt //storage/format:page_benchmark
//
// Decode is times and values, Aggregate that and a page's whole summary: extremes, sums, areas. Items are
// samples. B/sample is the page's size; sum is a checksum of what was decoded, so that nobody makes this fast
// by making it wrong. Seeds are fixed. As a test it runs each benchmark for a moment.
#include <string>
#include <vector>

#include "benchmark/benchmark.h"
#include "storage/aggregate/summary.h"
#include "storage/format/page.h"
#include "storage/format/plant_samples.h"
#include "storage/model/check.h"

namespace historian::format {
namespace {

constexpr uint64_t kSeed = 1;
// Pages of the same tag, one after another, so that the branch predictor does not learn one by heart.
constexpr size_t kPages = 64;

std::vector<Samples> Pages(const PlantKind& kind, size_t size) {
  const Samples all = kind.make(size * kPages, kSeed);
  std::vector<Samples> pages(kPages);
  for (size_t i = 0; i < kPages; ++i) pages[i].Append(kind.type, all.View(), i * size, size);
  return pages;
}

void Report(benchmark::State& state, size_t size, size_t bytes) {
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(size));
  state.counters["B/sample"] = static_cast<double>(bytes) / static_cast<double>(size * kPages);
}

void Encode(benchmark::State& state, const PlantKind& kind, Density density) {
  const size_t size = static_cast<size_t>(state.range(0));
  const std::vector<Samples> pages = Pages(kind, size);
  EncodeHint hint;
  std::string bytes;
  size_t total = 0;
  for (const Samples& page : pages) EncodePage(kind.type, page.View(), &bytes, &hint, density);
  total = bytes.size();
  size_t i = 0;
  for (auto _ : state) {
    bytes.clear();
    EncodePage(kind.type, pages[i++ % kPages].View(), &bytes, &hint, density);
    benchmark::DoNotOptimize(bytes.data());
  }
  Report(state, size, total);
}

enum class Task { kValues, kTimesAndValues, kAggregate };

void Decode(benchmark::State& state, const PlantKind& kind, Task task, Density density) {
  const size_t size = static_cast<size_t>(state.range(0));
  std::vector<std::string> encoded(kPages);
  size_t total = 0;
  const std::vector<Samples> pages = Pages(kind, size);
  for (size_t i = 0; i < kPages; ++i) {
    EncodePage(kind.type, pages[i].View(), &encoded[i], nullptr, density);
    total += encoded[i].size();
  }
  std::vector<Timestamp> times(size);
  std::vector<ValueBits> values(size);
  StringColumn strings;
  uint64_t sum = 0;
  size_t i = 0;
  for (auto _ : state) {
    strings.Clear();
    const absl::StatusOr<PageReader> page = PageReader::Open(kind.type, encoded[i++ % kPages]);
    HISTORIAN_CHECK(page.ok());
    if (task != Task::kValues) HISTORIAN_CHECK(page->ReadTimes(times.data()).ok());
    HISTORIAN_CHECK(page->ReadValues(values.data(), &strings).ok());
    benchmark::DoNotOptimize(values.data());
    if (task == Task::kAggregate) {
      benchmark::DoNotOptimize(Summarize(kind.type, {times.data(), values.data(), nullptr, nullptr, size}));
    }
    if (i <= kPages) {
      for (const ValueBits v : values) sum = sum * 31 + v;
    }
  }
  Report(state, size, total);
  state.counters["sum"] = static_cast<double>(sum >> 40);
}

void RegisterAll() {
  for (const PlantKind& kind : PlantKinds()) {
    for (const Density density : {Density::kFast, Density::kDense}) {
      const std::string name = kind.name + std::string(density == Density::kDense ? "/dense" : "");
      const auto add = [&](const char* what, auto run) {
        for (const int64_t size : {1, 16, 64, 1024}) {
          if (density == Density::kDense && size < 64) continue;  // Too short for the dense form.
          benchmark::RegisterBenchmark((what + name).c_str(), run)->Arg(size);
        }
      };
      add("Encode/", [&kind, density](benchmark::State& s) { Encode(s, kind, density); });
      add("DecodeValues/",
          [&kind, density](benchmark::State& s) { Decode(s, kind, Task::kValues, density); });
      add("Decode/",
          [&kind, density](benchmark::State& s) { Decode(s, kind, Task::kTimesAndValues, density); });
      if (kind.type == ValueType::kString) continue;
      add("Aggregate/",
          [&kind, density](benchmark::State& s) { Decode(s, kind, Task::kAggregate, density); });
    }
  }
}

}  // namespace
}  // namespace historian::format

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  historian::format::RegisterAll();
  return benchmark::RunSpecifiedBenchmarks() > 0 ? 0 : 1;
}
