#include "storage/calendar/zones.h"

#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace historian {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;

std::string MessageOf(absl::string_view name) { return std::string(FindZone(name).status().message()); }

TEST(Zones, AreThoseOfTheDatabase) {
  const std::vector<std::string>& zones = ZoneNames();
  EXPECT_THAT(zones, Contains("Europe/Berlin"));
  EXPECT_THAT(zones, Contains("America/Argentina/Buenos_Aires"));
  EXPECT_THAT(zones, Contains("UTC"));
  EXPECT_TRUE(std::is_sorted(zones.begin(), zones.end()));
  for (const std::string& zone : zones) {
    EXPECT_THAT(zone, Not(HasSubstr(".")));
    EXPECT_THAT(zone, Not(HasSubstr("posix")));
    EXPECT_TRUE(FindZone(zone).ok()) << FindZone(zone).status();
  }
}

TEST(Zones, HaveTheVersionOfTheirRules) {
  const auto berlin = FindZone("Europe/Berlin");
  ASSERT_TRUE(berlin.ok()) << berlin.status();
  EXPECT_EQ(berlin->zone.name(), "Europe/Berlin");
  EXPECT_THAT(berlin->tz_version, MatchesRegex("20[0-9][0-9][a-z]+.*"));
  EXPECT_EQ(FindZone("UTC")->zone, absl::UTCTimeZone());
}

TEST(Zones, AnUnknownOneIsToldWithTheNearest) {
  EXPECT_THAT(MessageOf("Europe/Berln"), testing::AllOf(HasSubstr("unknown time zone 'Europe/Berln'"),
                                                        HasSubstr("did you mean Europe/Berlin?")));
  EXPECT_THAT(MessageOf("europe/berlin"), HasSubstr("did you mean Europe/Berlin?"));
  EXPECT_THAT(MessageOf(""), HasSubstr("unknown time zone ''"));
  EXPECT_THAT(MessageOf("Mordor/Barad-dur"), Not(HasSubstr("did you mean")));
}

// What absl would have opened, or kept for ever.
TEST(Zones, NamesThatLeadElsewhereAreNone) {
  for (const char* const name : {"/etc/passwd", "/usr/share/zoneinfo/Europe/Berlin", "../../../etc/passwd",
                                 "Europe/../UTC", "file:Europe/Berlin", "Fixed/UTC+01:00:00", "Europe",
                                 "localtime", "posix/Europe/Berlin", "tzdata.zi", "CON\n"}) {
    EXPECT_THAT(MessageOf(name), HasSubstr("unknown time zone '")) << name;
  }
  EXPECT_LT(MessageOf(std::string(100'000, 'E')).size(), 300u);
}

TEST(NearZones, AreOfTheCityOrNearest) {
  EXPECT_THAT(NearZones("Berlin"), ElementsAre("Europe/Berlin"));
  EXPECT_THAT(NearZones("europe/berlin"), ElementsAre("Europe/Berlin"));
  EXPECT_THAT(NearZones("new york"), ElementsAre("America/New_York"));
  EXPECT_THAT(NearZones("Europe/Berln"), ElementsAre("Europe/Berlin"));
  EXPECT_THAT(NearZones("Mordor/Barad-dur"), IsEmpty());
}

TEST(LocalZoneName, IsThatOfTheEnvironment) {
  setenv("TZ", ":America/Bogota", 1);
  EXPECT_EQ(LocalZoneName(), "America/Bogota");
  setenv("TZ", "CET-1CEST", 1);
  EXPECT_EQ(LocalZoneName(), std::nullopt);
  unsetenv("TZ");
}

class DatabaseTest : public testing::Test {
 protected:
  DatabaseTest() {
    std::filesystem::create_directories(root_);
    setenv("TZDIR", root_.c_str(), 1);
  }
  ~DatabaseTest() override {
    unsetenv("TZDIR");
    std::filesystem::remove_all(root_);
  }
  void Write(const char* name, const char* text) { std::ofstream(root_ / name) << text; }

  const std::filesystem::path root_ = std::filesystem::path(testing::TempDir()) / "zoneinfo";
};

TEST_F(DatabaseTest, SaysItsVersion) {
  EXPECT_EQ(TzDatabaseVersion(), "unknown");
  Write("tzdata.zi", "# this is no version\n");
  EXPECT_EQ(TzDatabaseVersion(), "unknown");
  Write("tzdata.zi", "# version 2031c\n# This zic input file is in the public domain.\n");
  EXPECT_EQ(TzDatabaseVersion(), "2031c");
  Write("+VERSION", "2031d\n");
  EXPECT_EQ(TzDatabaseVersion(), "2031d");
}

TEST_F(DatabaseTest, OneThatIsNotThereIsSaidToBe) {
  std::filesystem::remove_all(root_);
  EXPECT_THAT(MessageOf("Nowhere/Else"), HasSubstr("there is no tz database at "));
  EXPECT_TRUE(FindZone("UTC").ok());
}

}  // namespace
}  // namespace historian
