#include "storage/aggregate/explanation.h"

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/model/quality.h"
#include "storage/model/samples.h"

namespace historian {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using A = Aggregate;

constexpr Timestamp kSecond = 1'000'000'000;
constexpr Timestamp kStart = 1'000 * kSecond;

// Samples at seconds from the start of an interval of ten seconds.
class ExplanationTest : public ::testing::Test {
 protected:
  void Add(double second, double value, Quality quality = kGood) {
    samples_.Add(kStart + static_cast<Timestamp>(second * kSecond), BitsOfFloat64(value), quality);
  }
  // The example of docs/semantics.md, with seconds for minutes.
  void AddExample() {
    Add(-2, 10);
    Add(1, 12);
    Add(3, 16);
    Add(5, 99, kBad);
    Add(6, 40, kUncertain);
    Add(7, 8);
    Add(9, 14);
    Add(11, 18);
  }
  Explanation Of(A aggregate, const AggregateConfig& config = {}, size_t listed_max = 100) {
    const DirectSamples direct(ValueType::kFloat64, samples_.View(),
                               ExtentOf(samples_.View(), config.resolution_ns), config);
    return Explain(aggregate, direct, kStart, kStart + 10 * kSecond, listed_max);
  }
  static std::vector<std::string> RolesOf(const Explanation& explanation) {
    std::vector<std::string> roles;
    for (const Explanation::Member& member : explanation.listed) roles.push_back(member.role);
    return roles;
  }

  Samples samples_;
};

TEST_F(ExplanationTest, PutsTheFiguresOfTheIntervalIntoTheFormula) {
  AddExample();
  struct Case {
    A aggregate;
    std::string figures;
  };
  const Case cases[] = {
      {A::kAverage, "(12 + 16 + 8 + 14) / 4 = 12.5"},
      {A::kSum, "12 + 16 + 8 + 14 = 50"},
      {A::kInterpolative, "(10 + (12 - 10) x 2 / 3) = 11.333333333333334"},
      {A::kTimeAverage2,
       "((11.333333333333334 + 12) / 2 x 1 + (12 + 16) / 2 x 2 + 16 x 2 + (8 + 14) / 2 x 2 + (14 + 16) / 2 x "
       "1) "
       "/ 8 = 13.583333333333334"},
      {A::kTotal,
       "(11.333333333333334 + 12) / 2 x 1 + (12 + 16) / 2 x 2 + (16 + 8) / 2 x 4 + (8 + 14) / 2 x 2 + (14 + "
       "16) / 2 x "
       "1 = 124.66666666666667"},
      {A::kMinimum, "the least of 4 Good members = 8"},
      {A::kRange, "16 - 8 = 8"},
      {A::kCount, "Good ones of 6 members = 4"},
      {A::kDelta, "14 - 12 = 2"},
      {A::kEndBound, "(14 + (18 - 14) x 1 / 2) = 16"},
      {A::kDurationGood, "1000 x (1 + 2 + 2 + 2 + 1) = 8000"},
      {A::kPercentBad, "100 x (1 + 1) / 10 = 20"},
      {A::kNumberOfTransitions, "1 + 1 + 1 + 1 = 4"},
      {A::kVariancePopulation, "((12 - 12.5)^2 + (16 - 12.5)^2 + (8 - 12.5)^2 + (14 - 12.5)^2) / 4 = 8.75"},
      {A::kWorstQuality, ""},
  };
  for (const Case& c : cases) EXPECT_EQ(Of(c.aggregate).figures, c.figures) << InfoOf(c.aggregate).name;
}

TEST_F(ExplanationTest, SaysWhatEachSampleWasFor) {
  AddExample();
  const std::string bad = "counts as Bad: its quality is Bad";
  const std::string uncertain = "counts as Bad: it is Uncertain, and TreatUncertainAsBad is set";
  EXPECT_THAT(RolesOf(Of(A::kAverage)),
              ElementsAre("counted", "counted", bad, uncertain, "counted", "counted"));
  EXPECT_THAT(RolesOf(Of(A::kRange)),
              ElementsAre("compared", "the greatest", bad, uncertain, "the least", "compared"));
  EXPECT_THAT(RolesOf(Of(A::kAverage, {.treat_uncertain_as_bad = false}))[3], "not taken: it is Uncertain");
  EXPECT_THAT(RolesOf(Of(A::kDurationBad))[2], bad + ", for 1 s");
  EXPECT_EQ(Of(A::kAverage, {.percent_data_bad = 60, .percent_data_good = 50}).shares,
            "4 of 6 members are Good, 2 count as Bad");
  EXPECT_EQ(Of(A::kTimeAverage2).shares, "6 s of 10 s count as Good, 4 s as Bad");
}

TEST_F(ExplanationTest, SaysHowBoundsAreMade) {
  AddExample();
  const Explanation simple = Of(A::kStartBound);
  ASSERT_EQ(simple.bounds.size(), 2);
  EXPECT_EQ(
      simple.bounds[0].how,
      "on the line from 10 at 1970-01-01T00:16:38Z to 12 at 1970-01-01T00:16:41Z: (10 + (12 - 10) x 2 / 3)");
  EXPECT_EQ(simple.bounds[1].point.number, 16);
  EXPECT_THAT(Of(A::kAverage).bounds, IsEmpty());
  EXPECT_EQ(Of(A::kInterpolative).bounds.size(), 1);
  const Explanation held = Of(A::kStartBound, {.stepped = true});
  EXPECT_EQ(held.bounds[0].how, "the value before is held, from the sample at 1970-01-01T00:16:38Z");
  EXPECT_EQ(held.bounds[0].point.number, 10);

  samples_.Clear();
  Add(1, 12);
  const Explanation none = Of(A::kDeltaBounds);
  EXPECT_EQ(none.bounds[0].how, "none: there is no sample before it");
  EXPECT_EQ(none.bounds[1].how, "none: data have ended, with the sample at 1970-01-01T00:16:41Z");
  EXPECT_EQ(none.figures, "");
}

TEST_F(ExplanationTest, DividesTheTimeOfTheInterval) {
  AddExample();
  const Explanation all = Of(A::kTimeAverage2);
  EXPECT_EQ(all.good_ns, 6 * kSecond);
  EXPECT_EQ(all.uncertain_ns, 2 * kSecond);  // From 16 to what counts as Bad.
  EXPECT_EQ(all.bad_ns, 2 * kSecond);
  EXPECT_EQ(all.no_data_ns, 0);
  samples_.Clear();
  Add(4, 1);
  const Explanation short_one = Of(A::kTimeAverage2);
  EXPECT_EQ(short_one.bad_ns, 4 * kSecond);
  EXPECT_EQ(short_one.good_ns + short_one.uncertain_ns,
            1'000'000);  // The unit of time that the newest sample counts for.
  EXPECT_EQ(short_one.no_data_ns, 6 * kSecond - 1'000'000);
}

TEST_F(ExplanationTest, ListsTheFirstAndTheLastOfManyAndTheirSum) {
  for (int i = 0; i < 100; ++i) Add(i / 10.0, i);
  const Explanation all = Of(A::kAverage, {}, 5);
  EXPECT_EQ(all.members, 100);
  std::vector<size_t> listed;
  for (const Explanation::Member& member : all.listed) listed.push_back(member.index);
  EXPECT_THAT(listed, ElementsAre(0, 1, 2, 98, 99));
  EXPECT_EQ(all.figures,
            "(0 + 1 + 2 + 3 + 4 + 5 + ... + 94 + 95 + 96 + 97 + 98 + 99) / 100 = 4950 / 100 = 49.5");
}

TEST_F(ExplanationTest, FindsDistancesThatAreMuchLongerThanUsual) {
  for (int i = 0; i < 20; ++i) Add(i / 10.0, i);
  Add(8, 1);
  const Explanation all = Of(A::kAverage);
  EXPECT_EQ(all.usual_ns, kSecond / 10);
  ASSERT_EQ(all.gaps, 1);
  EXPECT_EQ(all.listed_gaps[0].from, kStart + 1'900'000'000);
  EXPECT_EQ(all.listed_gaps[0].to, kStart + 8 * kSecond);
}

TEST_F(ExplanationTest, ExplainsEveryAggregateWithAndWithoutSamples) {
  for (const bool stepped : {false, true}) {
    for (const int samples : {0, 1, 8}) {
      samples_.Clear();
      if (samples == 1) Add(3, -1.5);
      if (samples == 8) AddExample();
      for (const AggregateInfo& info : kAggregates) {
        const Explanation all = Of(info.id, {.use_sloped_extrapolation = true, .stepped = stepped});
        EXPECT_EQ(all.listed.size(), all.members);
        EXPECT_EQ(all.good_ns + all.uncertain_ns + all.bad_ns + all.no_data_ns, 10 * kSecond) << info.name;
        if (!all.value.value.has_value()) {
          EXPECT_EQ(all.figures, "") << info.name;
        }
        for (const std::string& role : RolesOf(all)) EXPECT_NE(role, "") << info.name;
      }
    }
  }
}

}  // namespace
}  // namespace historian
