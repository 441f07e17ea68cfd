#include "storage/tags/id_ranges.h"

#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "gtest/gtest.h"

namespace historian {
namespace {

TEST(ForEachIdRange, CoversAllIdsOnce) {
  for (const TagId last : {0u, 1u, 9'999u, 20'000u, 123'457u, 4'294'967'295u}) {
    absl::Mutex mu;
    std::set<std::pair<uint64_t, uint64_t>> ranges;
    const absl::Status status = ForEachIdRange(last, [&](uint64_t begin, uint64_t end) {
      absl::MutexLock lock(&mu);
      EXPECT_LT(begin, end);
      EXPECT_TRUE(ranges.emplace(begin, end).second);
      return absl::OkStatus();
    });
    ASSERT_TRUE(status.ok());
    uint64_t next = 0;
    for (const auto& [begin, end] : ranges) {
      EXPECT_EQ(begin, next) << "of ids to " << last;
      next = end;
    }
    EXPECT_EQ(next, uint64_t{1} << 32) << "of ids to " << last;
  }
}

TEST(ForEachIdRange, GivesTheFirstRangesError) {
  const absl::Status status = ForEachIdRange(
      1'000'000, [](uint64_t begin, uint64_t) { return absl::DataLossError(absl::StrCat("from ", begin)); });
  EXPECT_EQ(status, absl::DataLossError("from 0"));
}

}  // namespace
}  // namespace historian
