#include "storage/archive/memory_shares.h"

#include "gtest/gtest.h"

namespace historian {
namespace {

TEST(MemorySharesTest, AddUpToTheBudgetAndNoMore) {
  for (const uint64_t budget :
       {uint64_t{0}, uint64_t{1000}, uint64_t{32} << 20, (uint64_t{512} << 20) + 7, uint64_t{1} << 50}) {
    const MemoryShares shares(budget);
    const uint64_t sum =
        shares.tail_bytes + shares.frame_bytes + shares.figure_bytes + shares.head_bytes + shares.page_bytes;
    EXPECT_LE(sum, budget);
    EXPECT_LT(budget - sum, 16u) << "what rounding leaves";
  }
}

TEST(MemorySharesTest, ASealBeginsBeforeFramesWaitForTails) {
  const MemoryShares shares(uint64_t{512} << 20);
  EXPECT_GT(shares.seal_tail_bytes, 0u);
  EXPECT_LE(shares.seal_tail_bytes + shares.frame_bytes, shares.tail_bytes)
      << "what was on its way when the seal began";
}

}  // namespace
}  // namespace historian
