#include "storage/aggregate/grid_fold.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "storage/aggregate/random_samples.h"
#include "storage/aggregate/summary.h"

namespace historian {
namespace {

constexpr uint32_t kParts[] = {kAllParts,         kCounts,      kExtremes,   kSums,
                               kExtremes | kSums, kAreaStepped, kAreaSloped, kSums | kSquares};

// The summary of the samples of one interval after another, the obvious way.
std::vector<Summary> Reference(ValueType type, const IntervalGrid& grid, const SamplesView& run,
                               uint32_t parts) {
  std::vector<Summary> summaries;
  for (size_t begin = 0; begin < run.size;) {
    size_t end = begin;
    while (end < run.size && grid.IntervalOf(run.times[end]) == grid.IntervalOf(run.times[begin])) ++end;
    summaries.push_back(Summarize(type, run.Slice(begin, end - begin), parts));
    begin = end;
  }
  return summaries;
}

void ExpectHolds(const FoldedRun& folded, const std::vector<Summary>& expected) {
  ASSERT_EQ(folded.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    const Summary got = folded.Get(i);
    ASSERT_EQ(folded.first(i), expected[i].first);
    ASSERT_EQ(folded.last(i), expected[i].last);
    ASSERT_TRUE(got == expected[i]) << "interval " << i << ": " << got.count << " for " << expected[i].count;
  }
}

TEST(GridFold, AnyMixtureOfSamplesAndSummariesEqualsTheReference) {
  for (uint64_t seed = 1; seed <= 1000; ++seed) {
    RandomSamples random(seed);
    const ValueType type = kAllTypes[random.Below(6)];
    const uint32_t parts = kParts[random.Below(std::size(kParts))];
    SCOPED_TRACE(testing::Message() << "seed " << seed << " " << ValueTypeName(type) << " parts " << parts);
    const Samples run = random.Run(type, 1 + random.Below(300), random.AnyFlavour());
    const uint64_t span = Elapsed(run.times.front(), run.times.back()) + 1;
    const uint64_t step = std::min(std::max<uint64_t>(1, span / (1 + random.Below(40))),
                                   Elapsed(kTimestampMin, kTimestampMax) / 2);
    const IntervalGrid grid = {step, random.Below(step)};

    GridFold fold(type, grid, parts);
    for (size_t begin = 0; begin < run.size();) {
      const size_t size = 1 + random.Below(std::min<size_t>(run.size() - begin, 1 + random.Below(100)));
      const SamplesView view = run.View().Slice(begin, size);
      const Timestamp first = view.times[0], last = view.times[size - 1];
      ASSERT_EQ(fold.FitsOneInterval(first, last), grid.IntervalOf(first) == grid.IntervalOf(last));
      if (fold.FitsOneInterval(first, last) && random.Below(2) == 0) {
        fold.AddSummary(Summarize(type, view));
      } else {
        fold.Add(view);
      }
      begin += size;
    }
    ASSERT_NO_FATAL_FAILURE(ExpectHolds(fold.Finish(), Reference(type, grid, run.View(), parts)));
  }
}

TEST(IntervalGrid, AnIntervalEndsWhereTheNextBegins) {
  for (uint64_t seed = 1; seed <= 1000; ++seed) {
    RandomSamples random(seed);
    const uint64_t all = Elapsed(kTimestampMin, kTimestampMax);
    const uint64_t step = 1 + random.Below(random.Below(2) == 0 ? 1000 : all / 2);
    const IntervalGrid grid = {step, random.Below(step)};
    const Timestamp t = static_cast<Timestamp>(static_cast<uint64_t>(kTimestampMin) + random.Below(all));
    const Timestamp end = grid.EndOfInterval(t);
    SCOPED_TRACE(testing::Message() << "seed " << seed << " step " << step << " phase " << grid.phase);
    ASSERT_GT(end, t);
    ASSERT_LE(Elapsed(t, end), step);
    ASSERT_EQ(grid.IntervalOf(end - 1), grid.IntervalOf(t));
    if (end <= kTimestampMax) {
      ASSERT_EQ(grid.IntervalOf(end), grid.IntervalOf(t) + 1);
    }
  }
}

TEST(FoldedRun, PlainSumsTakeSixteenBytes) {
  // Whole numbers before fractions, negative ones among them: the unit changes once.
  std::vector<Summary> summaries;
  for (int i = 0; i < 100; ++i) {
    Samples samples;
    for (int k = 0; k < 20; ++k) {
      const double value = i < 50 ? k - 10 : std::round(k * 12.34 - i) / 100;
      samples.Add((i * 20 + k) * int64_t{1'000'000'000}, BitsOfFloat64(value));
    }
    summaries.push_back(Summarize(ValueType::kFloat64, samples.View(), kExtremes | kSums));
  }
  FoldedRun folded(kExtremes | kSums);
  for (const Summary& summary : summaries) folded.Append(summary);
  folded.ShrinkToFit();
  ASSERT_NO_FATAL_FAILURE(ExpectHolds(folded, summaries));
  EXPECT_EQ(folded.MemoryBytes(), sizeof(FoldedRun) + 100 * (32 + 4 + 32 + 16));
}

}  // namespace
}  // namespace historian
