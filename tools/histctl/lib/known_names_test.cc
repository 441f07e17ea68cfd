#include "tools/histctl/lib/known_names.h"

#include <algorithm>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace historian::histctl {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

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

TEST(ZoneNames, AreThoseOfTheDatabase) {
  const std::vector<std::string> zones = ZoneNames();
  EXPECT_THAT(zones, Contains("Europe/Berlin"));
  EXPECT_THAT(zones, Contains("America/Argentina/Buenos_Aires"));
  EXPECT_THAT(zones, Contains("UTC"));
  EXPECT_TRUE(std::is_sorted(zones.begin(), zones.end()));
  for (const std::string& zone : zones) {
    EXPECT_EQ(zone.find('.'), std::string::npos) << zone;
    EXPECT_EQ(zone.find("posix"), std::string::npos) << zone;
  }
}

TEST(NearZones, AreOfTheCityOrNearest) {
  EXPECT_THAT(NearZones("Berlin"), ElementsAre("Europe/Berlin"));
  EXPECT_THAT(NearZones("europe/berlin"), ElementsAre("Europe/Berlin"));
  EXPECT_THAT(NearZones("new york"), ElementsAre("America/New_York"));
  EXPECT_THAT(NearZones("Europe/Berln"), ElementsAre("Europe/Berlin"));
  EXPECT_THAT(NearZones("Mordor/Barad-dur"), IsEmpty());
}

}  // namespace
}  // namespace historian::histctl
