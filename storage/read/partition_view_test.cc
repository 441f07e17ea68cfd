// Clusters against a plain map: whatever overlaps whatever, each sample that is visible is in one cluster.
#include "storage/read/partition_view.h"

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "storage/format/key.h"
#include "storage/kv/memory_store.h"
#include "storage/sealed/planned_block.h"

namespace historian {
namespace {

constexpr ValueType kType = ValueType::kInt64;
constexpr TagId kTag = 7;
constexpr int32_t kPartition = 2800;
constexpr Timestamp kStart = format::PartitionStart(kPartition);
constexpr int64_t kSecond = kNanosPerSecond;

// What is stored of a tag in a week: layers of pages, and what a reader should see of them.
class Week {
 public:
  explicit Week(uint64_t seed) : random_(seed) {}

  uint64_t Below(uint64_t n) { return random_() % n; }

  // Samples at start, start + step and so on, in pages of so many, as one seal writes them.
  void AddLayer(Timestamp start, Timestamp step, int count, int page_samples) {
    const uint64_t seal = ++seal_;
    std::vector<EncodedPagePtr> pages;
    Samples samples;
    const auto end_page = [&] {
      if (samples.empty()) return;
      pages.push_back(MakeEncodedPage(kType, samples.View(), nullptr));
      samples.Clear();
    };
    for (int i = 0; i < count; ++i) {
      const Timestamp t = start + i * step;
      const ValueBits value = BitsOfInt64(static_cast<int64_t>(seal * 1'000'000) + i);
      samples.Add(t, value);
      visible_[t] = value;
      if (samples.size() == static_cast<size_t>(page_samples)) end_page();
    }
    end_page();
    std::vector<PlannedBlock> blocks;
    PlanBlocks(kTag, kType, seal, std::move(pages), &blocks);
    for (const PlannedBlock& block : blocks) {
      std::vector<std::unique_ptr<kv::RunBuilder>> runs;
      runs.push_back(*store_->NewRun(kv::Space::kPages));
      ASSERT_TRUE(runs.back()->Add(format::PagesKey(block.id), PayloadOf(block.pages)).ok());
      ASSERT_TRUE(store_->Ingest(std::move(runs)).ok());
      heads_->heads.push_back({block.id, HeadOf(kType, block.pages), 0});
    }
  }

  PartitionView View() const { return PartitionView(kTag, kType, kPartition, heads_, nullptr); }
  PageFetcher NewReader() { return PageFetcher(cache_); }
  const VersionTable& versions() const { return versions_; }
  const std::map<Timestamp, ValueBits>& visible() const { return visible_; }

 private:
  std::mt19937_64 random_;
  uint64_t seal_ = 0;
  std::unique_ptr<kv::Store> store_ = kv::OpenMemoryStore(std::make_shared<kv::MemoryDisk>());
  PageCache cache_{*store_, size_t{1} << 24};
  VersionTable versions_{*store_};
  std::shared_ptr<StoredHeads> heads_ = std::make_shared<StoredHeads>();
  std::map<Timestamp, ValueBits> visible_;
};

void ExpectAllInOrder(Week& week) {
  const PartitionView view = week.View();
  PageFetcher pages = week.NewReader();
  std::map<Timestamp, ValueBits> seen;
  for (size_t c = 0; c < view.clusters(); ++c) {
    std::shared_ptr<const Samples> samples;
    ASSERT_TRUE(view.Read(c, pages, &samples).ok());
    ASSERT_FALSE(samples->empty());
    ASSERT_EQ(samples->times.front(), view.first_time(c));
    ASSERT_LE(samples->times.back(), view.last_time(c));
    if (c + 1 < view.clusters()) {
      ASSERT_LT(view.last_time(c), view.first_time(c + 1));
      if (samples->times.back() != view.last_time(c)) {
        ASSERT_EQ(view.last_time(c) + 1, view.first_time(c + 1));
      }
    } else {
      ASSERT_EQ(samples->times.back(), view.last_time(c));
    }
    ASSERT_EQ(view.FirstEndingAtOrAfter(view.first_time(c)), c);
    ASSERT_EQ(view.FirstEndingAtOrAfter(view.last_time(c)), c);
    for (size_t i = 0; i < samples->size(); ++i) seen[samples->times[i]] = samples->values[i];
    if (const Summary* summary = view.summary(c); summary != nullptr) {
      ASSERT_EQ(summary->count, samples->size());
      ASSERT_EQ(summary->first.time, samples->times.front());
      ASSERT_EQ(summary->last.time, samples->times.back());
    }
    // A layer statement for every visible one, the visible one last.
    const absl::StatusOr<std::vector<PartitionView::Layer>> layers =
        view.ReadLayers(c, week.versions(), pages);
    ASSERT_TRUE(layers.ok());
    std::map<Timestamp, ValueBits> merged;
    for (const PartitionView::Layer& layer : *layers) {
      for (size_t i = 0; i < layer.samples.size; ++i) {
        merged[layer.samples.times[i]] = layer.samples.values[i];
      }
    }
    ASSERT_EQ(merged.size(), samples->size());
    for (size_t i = 0; i < samples->size(); ++i) ASSERT_EQ(merged[samples->times[i]], samples->values[i]);
    if (const size_t whole = view.whole_block(c); whole > 0) {
      const StoredHead* const block = view.block_page(c).block;
      ASSERT_EQ(whole, block->head.pages.size());
      for (size_t i = 0; i < whole; ++i) {
        ASSERT_EQ(view.block_page(c + i).block, block);
        ASSERT_EQ(view.block_page(c + i).index, i);
      }
    }
  }
  ASSERT_EQ(seen, week.visible());
}

TEST(PartitionView, EverySampleIsInOneClusterWhateverOverlaps) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Week week(seed);
    const int layers = 1 + static_cast<int>(week.Below(12));
    for (int layer = 0; layer < layers; ++layer) {
      const auto start = kStart + static_cast<Timestamp>(week.Below(3000)) * kSecond;
      const auto step = static_cast<Timestamp>(1 + week.Below(week.Below(2) == 0 ? 3 : 40)) * kSecond;
      ASSERT_NO_FATAL_FAILURE(week.AddLayer(start, step, 1 + static_cast<int>(week.Below(900)),
                                            1 + static_cast<int>(week.Below(30))));
    }
    ASSERT_NO_FATAL_FAILURE(ExpectAllInOrder(week));
  }
}

// Every other sample comes a day late: each page overlaps two others, all week long.
TEST(PartitionView, AChainOfOverlapsIsReadInPieces) {
  Week week(1);
  constexpr int kPage = 64, kSize = 64 * 1000;
  ASSERT_NO_FATAL_FAILURE(week.AddLayer(kStart, 2 * kSecond, kSize, kPage));
  ASSERT_NO_FATAL_FAILURE(week.AddLayer(kStart + kPage * kSecond + 1, 2 * kSecond, kSize, kPage));
  const PartitionView view = week.View();
  PageFetcher pages = week.NewReader();
  EXPECT_GT(view.clusters(), 2 * 1000 / 8);
  for (size_t c = 0; c < view.clusters(); ++c) {
    std::shared_ptr<const Samples> samples;
    ASSERT_TRUE(view.Read(c, pages, &samples).ok());
    EXPECT_LE(samples->size(), 8 * kPage);
  }
  ASSERT_NO_FATAL_FAILURE(ExpectAllInOrder(week));
}

// Late samples join two pages of a block to one cluster, and others stand by themselves in a gap behind it:
// as many clusters as the block has pages, but they are not its pages.
TEST(PartitionView, ABlockIsWholeOnlyWhenEveryOneOfItsPagesStandsAlone) {
  Week week(1);
  ASSERT_NO_FATAL_FAILURE(week.AddLayer(kStart, kSecond, 100, 10));
  ASSERT_EQ(week.View().whole_block(0), 10);
  ASSERT_NO_FATAL_FAILURE(week.AddLayer(kStart + 18 * kSecond + 1, kSecond, 3, 3));
  ASSERT_NO_FATAL_FAILURE(week.AddLayer(kStart + 49 * kSecond + 1, 1, 2, 2));
  EXPECT_EQ(week.View().clusters(), 10);
  EXPECT_EQ(week.View().whole_block(0), 0);
  ASSERT_NO_FATAL_FAILURE(ExpectAllInOrder(week));
}

}  // namespace
}  // namespace historian
