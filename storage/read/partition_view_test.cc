// Clusters against a plain map: whatever overlaps whatever, each sample that is visible is in one cluster.
#include "storage/read/partition_view.h"

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "storage/format/key.h"
#include "storage/read/layered_tag.h"

namespace historian {
namespace {

constexpr TagId kTag = 7;
constexpr int32_t kPartition = 2800;
constexpr Timestamp kStart = format::PartitionStart(kPartition);
constexpr int64_t kSecond = kNanosPerSecond;

// What is stored of a tag in a week.
class Week {
 public:
  explicit Week(uint64_t seed) : tag_(kTag, seed) {}

  LayeredTag& tag() { return tag_; }
  PartitionView View() const {
    return PartitionView(kTag, LayeredTag::kType, kPartition, tag_.heads(kPartition), nullptr);
  }
  PageFetcher NewReader() { return PageFetcher(cache_); }
  const VersionTable& versions() const { return versions_; }

 private:
  LayeredTag tag_;
  PageCache cache_{tag_.store(), size_t{1} << 24};
  VersionTable versions_{tag_.store()};
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
  ASSERT_EQ(seen, week.tag().visible());
}

TEST(PartitionView, EverySampleIsInOneClusterWhateverOverlaps) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Week week(seed);
    const int layers = 1 + static_cast<int>(week.tag().Below(12));
    for (int layer = 0; layer < layers; ++layer) {
      const auto start = kStart + static_cast<Timestamp>(week.tag().Below(3000)) * kSecond;
      const auto step =
          static_cast<Timestamp>(1 + week.tag().Below(week.tag().Below(2) == 0 ? 3 : 40)) * kSecond;
      week.tag().AddBlocks(start, step, 1 + static_cast<int>(week.tag().Below(900)),
                           1 + static_cast<int>(week.tag().Below(30)));
    }
    ASSERT_NO_FATAL_FAILURE(ExpectAllInOrder(week));
  }
}

// Every other sample comes a day late: each page overlaps two others, all week long.
TEST(PartitionView, AChainOfOverlapsIsReadInPieces) {
  Week week(1);
  constexpr int kPage = 64, kSize = 64 * 1000;
  week.tag().AddBlocks(kStart, 2 * kSecond, kSize, kPage);
  week.tag().AddBlocks(kStart + kPage * kSecond + 1, 2 * kSecond, kSize, kPage);
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
  week.tag().AddBlocks(kStart, kSecond, 100, 10);
  ASSERT_EQ(week.View().whole_block(0), 10);
  week.tag().AddBlocks(kStart + 18 * kSecond + 1, kSecond, 3, 3);
  week.tag().AddBlocks(kStart + 49 * kSecond + 1, 1, 2, 2);
  EXPECT_EQ(week.View().clusters(), 10);
  EXPECT_EQ(week.View().whole_block(0), 0);
  ASSERT_NO_FATAL_FAILURE(ExpectAllInOrder(week));
}

}  // namespace
}  // namespace historian
