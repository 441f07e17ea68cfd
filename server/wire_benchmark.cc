// What it costs to turn frames from wire messages into the engine's, and samples back. Columns of 64 samples,
// 64 columns a frame, as collectors send them; the parsing of the bytes is measured apart.
#include <cstdint>
#include <string>

#include "benchmark/benchmark.h"
#include "google/protobuf/arena.h"
#include "proto/historian/v1/ingest.pb.h"
#include "server/wire.h"

namespace historian::server {
namespace {

constexpr int kColumns = 64;

v1::Frame MakeFrame(int samples) {
  v1::Frame frame;
  frame.set_sequence(1);
  for (int c = 0; c < kColumns; ++c) {
    v1::Column* column = frame.add_columns();
    column->set_tag_id(c + 1);
    auto* offsets = column->mutable_times()->mutable_offsets();
    offsets->set_first(1'767'225'600'000'000'000);
    offsets->set_unit_ns(1'000'000);
    for (int i = 0; i < samples; ++i) {
      offsets->add_offsets(i * 1000 + i % 3);
      column->mutable_values()->mutable_float64()->add_values(c + i * 0.25);
    }
  }
  return frame;
}

void BM_FrameFromWire(benchmark::State& state) {
  const v1::Frame wire = MakeFrame(static_cast<int>(state.range(0)));
  uint64_t checksum = 0;
  Frame frame;  // Its memory goes from one to the next, as in a write stream.
  FrameNotes notes;
  for (auto _ : state) {
    FrameFromWire(wire, &frame, &notes);
    checksum += frame.columns.back().samples.values.back();
    benchmark::DoNotOptimize(frame);
  }
  state.SetItemsProcessed(state.iterations() * kColumns * state.range(0));
  state.counters["checksum"] = static_cast<double>(checksum / state.iterations());
}
BENCHMARK(BM_FrameFromWire)->Arg(1)->Arg(64)->Arg(1024);

void BM_ParseFrame(benchmark::State& state) {
  v1::WriteRequest request;
  *request.mutable_frame() = MakeFrame(static_cast<int>(state.range(0)));
  const std::string bytes = request.SerializeAsString();
  std::string block(256 * 1024, '\0');
  google::protobuf::ArenaOptions options;
  options.initial_block = block.data();
  options.initial_block_size = block.size();
  google::protobuf::Arena arena(options);
  for (auto _ : state) {
    arena.Reset();
    auto* parsed = google::protobuf::Arena::CreateMessage<v1::WriteRequest>(&arena);
    if (!parsed->ParseFromString(bytes)) state.SkipWithError("no message");
    benchmark::DoNotOptimize(parsed);
  }
  state.SetItemsProcessed(state.iterations() * kColumns * state.range(0));
}
BENCHMARK(BM_ParseFrame)->Arg(1)->Arg(64)->Arg(1024);

void BM_ColumnToWire(benchmark::State& state) {
  Samples samples;
  for (int i = 0; i < state.range(0); ++i)
    samples.Add(1'767'225'600'000'000'000 + i * 1'000'000'000LL + i % 3 * 1'000'000, i);
  v1::Column column;
  for (auto _ : state) {
    ColumnToWire(1, ValueType::kFloat64, samples.View(), &column);
    benchmark::DoNotOptimize(column);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_ColumnToWire)->Arg(64)->Arg(16384);

}  // namespace
}  // namespace historian::server

BENCHMARK_MAIN();
