// Benchmarks block heads: full ones of 16 pages, of each kind of plant data. Items are pages.
//
//   bazel run -c opt //storage/format:block_benchmark
//
// As a test it runs each benchmark for a moment.
#include <string>

#include "benchmark/benchmark.h"
#include "storage/aggregate/summary.h"
#include "storage/format/block.h"
#include "storage/format/page.h"
#include "storage/format/plant_samples.h"
#include "storage/model/check.h"

namespace historian::format {
namespace {

BlockHead FullHead(const PlantKind& kind) {
  const Samples samples = kind.make(kBlockPagesMax * kPageSamples, 1);
  BlockHead head;
  head.type = kind.type;
  uint32_t offset = 0;
  for (size_t i = 0; i < kBlockPagesMax; ++i) {
    const SamplesView page = samples.View().Slice(i * kPageSamples, kPageSamples);
    std::string bytes;
    EncodePage(kind.type, page, &bytes);
    const uint32_t size = static_cast<uint32_t>(bytes.size());
    head.pages.push_back({offset, size, Checksum(bytes), Summarize(kind.type, page)});
    offset += size;
  }
  return head;
}

void Report(benchmark::State& state, size_t bytes) {
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kBlockPagesMax));
  state.counters["B/page"] = static_cast<double>(bytes) / kBlockPagesMax;
}

void Encode(benchmark::State& state, const PlantKind& kind) {
  const BlockHead head = FullHead(kind);
  std::string bytes;
  for (auto _ : state) {
    bytes.clear();
    EncodeBlockHead(head, &bytes);
    benchmark::DoNotOptimize(bytes.data());
  }
  Report(state, bytes.size());
}

void Decode(benchmark::State& state, const PlantKind& kind) {
  std::string bytes;
  EncodeBlockHead(FullHead(kind), &bytes);
  for (auto _ : state) {
    const absl::StatusOr<BlockHead> head = DecodeBlockHead(bytes);
    HISTORIAN_CHECK(head.ok());
    benchmark::DoNotOptimize(head->pages.data());
  }
  Report(state, bytes.size());
}

void RegisterAll() {
  for (const PlantKind& kind : PlantKinds()) {
    const std::string name = kind.name;
    benchmark::RegisterBenchmark(("EncodeHead/" + name).c_str(),
                                 [&kind](benchmark::State& s) { Encode(s, kind); });
    benchmark::RegisterBenchmark(("DecodeHead/" + name).c_str(),
                                 [&kind](benchmark::State& s) { Decode(s, kind); });
  }
}

}  // namespace
}  // namespace historian::format

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  historian::format::RegisterAll();
  return benchmark::RunSpecifiedBenchmarks() > 0 ? 0 : 1;
}
