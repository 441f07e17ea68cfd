#include "tools/histctl/lib/known_names.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace historian::histctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ParseAggregates, TakesThemAsPeopleWriteThem) {
  const auto parsed = [](absl::string_view text) {
    const auto aggregates = ParseAggregates(text);
    EXPECT_TRUE(aggregates.ok()) << text << ": " << aggregates.status();
    return aggregates.value_or(std::vector<Aggregate>());
  };
  EXPECT_THAT(parsed("avg"), ElementsAre(Aggregate::kAverage));
  EXPECT_THAT(parsed("min, max"), ElementsAre(Aggregate::kMinimum, Aggregate::kMaximum));
  EXPECT_THAT(parsed("MIN,Mean"), ElementsAre(Aggregate::kMinimum, Aggregate::kAverage));
  EXPECT_THAT(parsed("percent_good, TimeAverage2"),
              ElementsAre(Aggregate::kPercentGood, Aggregate::kTimeAverage2));
  for (const AggregateInfo& one : kAggregates) EXPECT_THAT(parsed(one.name), ElementsAre(one.id));
}

TEST(ParseAggregates, SaysWhatMayHaveBeenMeant) {
  EXPECT_THAT(ParseAggregates("avreage").status().message(), HasSubstr("'avreage'; did you mean average?"));
  EXPECT_THAT(ParseAggregates("min,,max").status().message(), HasSubstr("''; there are interpolative, average"));
  EXPECT_THAT(ParseAggregates("entropy").status().message(), HasSubstr("there are interpolative, average"));
}

}  // namespace
}  // namespace historian::histctl
