// What patterns cost a frame of a caller who may write some tags: of 20,000 tags, looked up by a frame's ids. The first look at
// each tag matches its name and is remembered; it is measured apart.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"
#include "server/caller/caller.h"
#include "storage/kv/memory_store.h"
#include "storage/model/clock.h"
#include "storage/tags/tag_registry.h"
#include "storage/versions/version_table.h"

namespace historian::server {
namespace {

constexpr int kTags = 20'000;

class Plant {
 public:
  Plant() {
    std::vector<Tag> tags(kTags);
    for (int i = 0; i < kTags; ++i) tags[i].name = absl::StrCat("unit", i % 40, "/area", i % 7, "/sensor", i);
    for (const auto& tag : tags_->Create(std::move(tags))) ids_.push_back((*tag)->id);
  }
  const TagRegistry& tags() const { return *tags_; }
  const std::vector<TagId>& ids() const { return ids_; }
  static std::shared_ptr<const Caller> NewCaller() {
    const Permissions permissions{.tags = {{{}, {"unit1?/*", "unit2/*/sensor*", "unit[3-9]/*"}, {}, {}}}};
    return *Caller::Make({.name = "x", .certificate = "x", .permissions = permissions}, "x",
                         std::make_shared<RememberedRights>());
  }

 private:
  SimulatedClock clock_{0};
  std::unique_ptr<kv::Store> store_ = kv::NewMemoryStore();
  std::unique_ptr<VersionTable> versions_ = std::make_unique<VersionTable>(*store_);
  std::unique_ptr<TagRegistry> tags_ = *TagRegistry::Open(*store_, *versions_, clock_);
  std::vector<TagId> ids_;
};

// By the tags in a frame. A frame of columns has many samples for each of them.
void BM_CheckFrame(benchmark::State& state) {
  const Plant plant;
  const auto caller = Plant::NewCaller();
  const size_t size = static_cast<size_t>(state.range(0));
  std::vector<WriteFilter::Verdict> verdicts(kTags);
  caller->Check(plant.tags(), plant.ids(), verdicts.data());
  size_t at = 0;
  for (auto _ : state) {
    if (at + size > kTags) at = 0;
    caller->Check(plant.tags(), absl::MakeConstSpan(plant.ids()).subspan(at, size), verdicts.data());
    benchmark::DoNotOptimize(verdicts.data());
    benchmark::ClobberMemory();
    at += size;
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_CheckFrame)->Arg(1)->Arg(64)->Arg(1'000)->Arg(kTags);

void BM_FirstLook(benchmark::State& state) {
  const Plant plant;
  std::vector<WriteFilter::Verdict> verdicts(kTags);
  for (auto _ : state) {
    Plant::NewCaller()->Check(plant.tags(), plant.ids(), verdicts.data());
    benchmark::DoNotOptimize(verdicts.data());
  }
  state.SetItemsProcessed(state.iterations() * kTags);
}
BENCHMARK(BM_FirstLook);

}  // namespace
}  // namespace historian::server

BENCHMARK_MAIN();
