#include "storage/archive/memory_shares.h"

#include "gtest/gtest.h"

namespace historian {
namespace {

constexpr uint64_t kBudgets[] = {0, 1000, uint64_t{32} << 20, (uint64_t{512} << 20) + 7, uint64_t{1} << 50};
constexpr uint64_t kRounding = 16 + 24;

TEST(MemorySharesTest, AddUpToTheBudgetAndNoMore) {
  for (const uint64_t budget : kBudgets) {
    const MemoryShares shares(budget);
    const uint64_t sum = shares.tail_bytes + shares.frame_bytes + shares.figure_bytes + shares.head_bytes +
                         shares.page_bytes + shares.tag_bytes;
    EXPECT_LE(sum, budget);
    EXPECT_LT(budget - sum, kRounding) << "what rounding leaves";
  }
}

TEST(MemorySharesTest, WithDefinitionsTheyAddUpToTheBudgetUntilThoseHaveTheirMost) {
  for (const uint64_t budget : kBudgets) {
    const uint64_t most = MemoryShares(budget).definition_bytes_max;
    for (int part = 0; part <= 32; ++part) {
      const uint64_t definitions = most / 32 * static_cast<uint64_t>(part);
      const MemoryShares shares(budget, definitions);
      const uint64_t sum = definitions + shares.tail_bytes + shares.frame_bytes + shares.cache_bytes;
      EXPECT_LE(sum, budget);
      // Only the floors are left at the end, and they are all that there is.
      EXPECT_LT(budget - sum, budget / 16 + kRounding) << part;
      EXPECT_LE(shares.figure_bytes + shares.head_bytes + shares.page_bytes + shares.tag_bytes,
                shares.cache_bytes);
    }
  }
}

TEST(MemorySharesTest, DefinitionsShrinkTheCachesFirstAndThenTheTails) {
  constexpr uint64_t kBudget = 1600;
  EXPECT_EQ(MemoryShares(kBudget, 100).cache_bytes, 500u);
  EXPECT_EQ(MemoryShares(kBudget, 100).tail_bytes, 800u);
  EXPECT_EQ(MemoryShares(kBudget, 500).cache_bytes, 100u);
  EXPECT_EQ(MemoryShares(kBudget, 500).tail_bytes, 800u);
  EXPECT_EQ(MemoryShares(kBudget, 700).cache_bytes, 100u);
  EXPECT_EQ(MemoryShares(kBudget, 700).tail_bytes, 600u);
}

TEST(MemorySharesTest, MoreDefinitionsThanTheBudgetLeaveWhatItTakesToWork) {
  constexpr uint64_t kBudget = 1600;
  for (const uint64_t definitions : {900, 1600, 1'000'000}) {
    const MemoryShares shares(kBudget, definitions);
    EXPECT_EQ(shares.tail_bytes, 400u);
    EXPECT_EQ(shares.seal_tail_bytes, 200u);
    EXPECT_EQ(shares.frame_bytes, 200u);
    EXPECT_EQ(shares.cache_bytes, 100u);
  }
}

TEST(MemorySharesTest, ASealBeginsBeforeFramesWaitForTails) {
  for (const uint64_t definitions : {uint64_t{0}, uint64_t{200} << 20, uint64_t{1} << 40}) {
    const MemoryShares shares(uint64_t{512} << 20, definitions);
    EXPECT_GT(shares.seal_tail_bytes, 0u);
    EXPECT_LE(shares.seal_tail_bytes + shares.frame_bytes, shares.tail_bytes)
        << "what was on its way when the seal began";
  }
}

}  // namespace
}  // namespace historian
