// Benchmarks the page codec for each kind of plant data.
//
//   bazel run -c opt //storage/format:page_benchmark
//
// Items are samples. B/sample is the page's size; sum is a checksum of what was decoded, so that nobody makes
// this fast by making it wrong. Seeds are fixed. As a test it runs each benchmark for a moment.
#include <string>
#include <vector>

#include "benchmark/benchmark.h"
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

void Encode(benchmark::State& state, const PlantKind& kind) {
  const size_t size = static_cast<size_t>(state.range(0));
  const std::vector<Samples> pages = Pages(kind, size);
  EncodeHint hint;
  std::string bytes;
  size_t total = 0;
  for (const Samples& page : pages) EncodePage(kind.type, page.View(), &bytes, &hint);
  total = bytes.size();
  size_t i = 0;
  for (auto _ : state) {
    bytes.clear();
    EncodePage(kind.type, pages[i++ % kPages].View(), &bytes, &hint);
    benchmark::DoNotOptimize(bytes.data());
  }
  Report(state, size, total);
}

void Decode(benchmark::State& state, const PlantKind& kind, bool times_too) {
  const size_t size = static_cast<size_t>(state.range(0));
  std::vector<std::string> encoded(kPages);
  size_t total = 0;
  const std::vector<Samples> pages = Pages(kind, size);
  for (size_t i = 0; i < kPages; ++i) {
    EncodePage(kind.type, pages[i].View(), &encoded[i]);
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
    if (times_too) HISTORIAN_CHECK(page->ReadTimes(times.data()).ok());
    HISTORIAN_CHECK(page->ReadValues(values.data(), &strings).ok());
    benchmark::DoNotOptimize(values.data());
    if (i <= kPages) {
      for (const ValueBits v : values) sum = sum * 31 + v;
    }
  }
  Report(state, size, total);
  state.counters["sum"] = static_cast<double>(sum >> 40);
}

void RegisterAll() {
  for (const PlantKind& kind : PlantKinds()) {
    const std::string name = kind.name;
    for (const int64_t size : {1, 16, 64, 1024}) {
      benchmark::RegisterBenchmark(("Encode/" + name).c_str(), [&kind](benchmark::State& s) {
        Encode(s, kind);
      })->Arg(size);
      benchmark::RegisterBenchmark(("DecodeValues/" + name).c_str(), [&kind](benchmark::State& s) {
        Decode(s, kind, false);
      })->Arg(size);
      benchmark::RegisterBenchmark(("Decode/" + name).c_str(), [&kind](benchmark::State& s) {
        Decode(s, kind, true);
      })->Arg(size);
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
