#include "server/config.h"

#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace historian::server {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string FileOf(const std::string& text) {
  const std::string path = absl::StrCat(::testing::TempDir(), "historian.toml");
  std::ofstream(path) << text;
  return path;
}

// Mistakes of the file; the path is cut to its name.
std::vector<std::string> MistakesOf(const std::string& text) {
  const std::string path = FileOf(text);
  std::vector<std::string> mistakes = LoadConfig(path, {}, {{"data_dir", "/d"}}).mistakes;
  for (std::string& mistake : mistakes) {
    if (mistake.rfind(path, 0) == 0) mistake = absl::StrCat("historian.toml", mistake.substr(path.size()));
  }
  return mistakes;
}

TEST(ConfigTest, EachMistakeIsToldWithItsLineAndWhatWasExpected) {
  const struct {
    const char* file;
    const char* mistake;
  } kTable[] = {
      {"\n[limits]\nquerys = 3\n",
       "historian.toml:3: limits.querys: no such setting; did you mean limits.queries?"},
      {"[limit]\nqueries = 3\n", "historian.toml:1: [limit]: no such section; did you mean limits?"},
      {"queries = 3\n", "historian.toml:1: queries: no such setting; did you mean limits.queries?"},
      {"zzzzzz = 3\n", "historian.toml:1: zzzzzz: no such setting"},
      {"limits = 3\n", "historian.toml:1: limits: expected a table, [limits]"},
      {"[limits]\nqueries = \"many\"\n",
       "historian.toml:2: limits.queries: expected a whole number from 1 to 100000, not \"many\""},
      {"[limits]\n\nqueries = 0\n",
       "historian.toml:3: limits.queries: expected a whole number from 1 to 100000, not '0'"},
      {"[limits]\nqueries = -4\n",
       "historian.toml:2: limits.queries: expected a whole number from 1 to 100000, not '-4'"},
      {"[limits]\nmessage_bytes = \"8 MegaBytes\"\n",
       "historian.toml:2: limits.message_bytes: expected a size such as \"512MiB\" from 64KiB to 32MiB, not "
       "'8 MegaBytes'"},
      {"[limits]\nquery_timeout = 60\n",
       "historian.toml:2: limits.query_timeout: expected a duration such as \"10s\" from 100ms to 1d, not "
       "60"},
      {"[limits]\nquery_timeout = \"60\"\n",
       "historian.toml:2: limits.query_timeout: expected a duration such as \"10s\" from 100ms to 1d, not "
       "'60'"},
      {"[grpc]\nlisten = \"localhost\"\n",
       "historian.toml:2: grpc.listen: expected HOST:PORT with a port from 0 to 65535, not 'localhost'"},
      {"[grpc]\nlisten = \"localhost:70000\"\n",
       "historian.toml:2: grpc.listen: expected HOST:PORT with a port from 0 to 65535, not "
       "'localhost:70000'"},
      {"[log]\nlevel = \"loud\"\n",
       "historian.toml:2: log.level: expected one of debug, info, warn, error, not 'loud'"},
      {"data_dir = 5\n", "historian.toml:1: data_dir: expected text in quotes, not 5"},
      {"[tls]\ncert = \"a.pem\"\n",
       "historian.toml:2: tls.cert: expected tls.cert and tls.key together, and tls.key is not given"},
      {"[tls]\nclient_ca = \"a.pem\"\n",
       "historian.toml:2: tls.client_ca: expected tls.cert and tls.key with it"},
      {"[limits]\nmessage_bytes = \"32MiB\"\nstream_in_flight_bytes = \"16MiB\"\n",
       "historian.toml:3: limits.stream_in_flight_bytes: expected at least limits.message_bytes (32MiB), not "
       "16MiB"},
      {"[http]\nlisten = \"127.0.0.1:7720\"\n",
       "historian.toml:2: http.listen: expected another address than grpc.listen (127.0.0.1:7720)"},
      {"[backup]\ntarget = \"backups\"\n",
       "historian.toml:2: backup.target: expected a path that begins with / or s3://BUCKET/PREFIX, not "
       "'backups'"},
      {"[backup]\ntarget = \"/d/backups\"\n",
       "historian.toml:2: backup.target: expected a place apart from data_dir (/d), not '/d/backups'"},
      {"[backup]\nat = \"2:30\"\n", "historian.toml:2: backup.at: expected HH:MM or never, not '2:30'"},
      {"[backup]\nzone = \"Mars\"\n",
       "historian.toml:2: backup.zone: expected a time zone such as Europe/Berlin, not 'Mars'"},
      {"[backup]\nkeep_last = 0\n",
       "historian.toml:2: backup.keep_last: expected a whole number from 1 to 100000, not '0'"},
  };
  for (const auto& row : kTable) EXPECT_THAT(MistakesOf(row.file), ElementsAre(row.mistake)) << row.file;
}

TEST(ConfigTest, TextThatIsNoTomlIsToldWithItsLine) {
  const std::vector<std::string> mistakes = MistakesOf("[limits]\nqueries = 3\nquery_tags = = 4\n");
  ASSERT_EQ(mistakes.size(), 1u);
  EXPECT_THAT(mistakes[0], HasSubstr("historian.toml:3: not TOML"));
}

TEST(ConfigTest, AllMistakesAreToldAtOnce) {
  const std::string path = FileOf("[limits]\nqueries = 0\n[log]\nformat = \"xml\"\n");
  const LoadedConfig loaded =
      LoadConfig(path, {{"HISTORIAN_LIMITS_INTERVALS", "x"}, {"HOME", "/"}}, {{"http.listen", "nowhere"}});
  EXPECT_THAT(loaded.mistakes,
              ElementsAre(HasSubstr(":2: limits.queries"), HasSubstr(":4: log.format"),
                          HasSubstr("HISTORIAN_LIMITS_INTERVALS: limits.intervals: expected a whole number"),
                          HasSubstr("--http-listen: http.listen: expected HOST:PORT"),
                          HasSubstr("data_dir: must be given")));
}

TEST(ConfigTest, MissingFileIsAMistake) {
  const std::string path = absl::StrCat(::testing::TempDir(), "missing.toml");
  EXPECT_THAT(LoadConfig(path, {}, {{"data_dir", "/d"}}).mistakes,
              ElementsAre(HasSubstr(absl::StrCat(path, ": cannot be read: No such file"))));
}

TEST(ConfigTest, FlagsWinOverTheEnvironmentAndThatOverTheFile) {
  const std::string path =
      FileOf("data_dir = \"/file\"\n[limits]\nqueries = 1\nwrite_streams = 1\nquery_tags = 1\n");
  const LoadedConfig loaded =
      LoadConfig(path, {{"HISTORIAN_LIMITS_QUERIES", "2"}, {"HISTORIAN_LIMITS_WRITE_STREAMS", "2"}},
                 {{"limits.queries", "3"}});
  EXPECT_THAT(loaded.mistakes, IsEmpty());
  EXPECT_EQ(loaded.config.data_dir, "/file");
  EXPECT_EQ(loaded.config.limits.queries, 3u);
  EXPECT_EQ(loaded.config.limits.write_streams, 2u);
  EXPECT_EQ(loaded.config.limits.query_tags, 1u);
}

TEST(ConfigTest, UnknownVariablesOfOursAreWarnedOf) {
  const LoadedConfig loaded = LoadConfig(
      "", {{"HISTORIAN_LIMITS_QUERYS", "2"}, {"HISTORIAN_COLOUR", "x"}, {"PATH", "x"}}, {{"data_dir", "/d"}});
  EXPECT_THAT(loaded.mistakes, IsEmpty());
  EXPECT_THAT(
      loaded.warnings,
      ElementsAre("the environment has HISTORIAN_COLOUR, which is not a setting; ignored",
                  "the environment has HISTORIAN_LIMITS_QUERYS, which is not a setting; ignored; did you "
                  "mean HISTORIAN_LIMITS_QUERIES?"));
}

TEST(ConfigTest, VariablesOfHistctlAreNoneOfOurs) {
  const LoadedConfig loaded = LoadConfig("",
                                         {{"HISTORIAN_SERVER", "x:1"},
                                          {"HISTORIAN_TZ", "UTC"},
                                          {"HISTORIAN_TOKEN", "x"},
                                          {"HISTORIAN_TOKEN_FILE", "x"}},
                                         {{"data_dir", "/d"}});
  EXPECT_THAT(loaded.mistakes, IsEmpty());
  EXPECT_THAT(loaded.warnings, IsEmpty());
}

TEST(ConfigTest, PrintedConfigurationReadsBackAsTheSame) {
  Config config;
  config.data_dir = "/var/lib/\"odd\" name";
  config.limits.message_bytes = 100'000;
  config.limits.query_timeout = absl::Milliseconds(1500);
  config.log.format = "json";
  const std::string printed = PrintConfig(config);
  const LoadedConfig loaded = LoadConfig(FileOf(printed), {}, {});
  EXPECT_THAT(loaded.mistakes, IsEmpty());
  EXPECT_EQ(PrintConfig(loaded.config), printed);
  EXPECT_EQ(loaded.config.data_dir, config.data_dir);
  EXPECT_EQ(loaded.config.limits.message_bytes, 100'000u);
}

TEST(ConfigTest, EverySettingHasAFlagAndAVariable) {
  std::vector<std::string> flags, variables;
  for (const SettingInfo& setting : Settings()) {
    flags.push_back(setting.flag);
    variables.push_back(setting.environment);
    EXPECT_FALSE(setting.help.empty()) << setting.name;
  }
  EXPECT_THAT(flags, Contains("--limits-query-timeout"));
  EXPECT_THAT(flags, Contains("--data-dir"));
  EXPECT_THAT(variables, Contains("HISTORIAN_DATA_DIR"));
  EXPECT_THAT(variables, Contains("HISTORIAN_ARCHIVE_JOURNAL_BYTES_MAX"));
}

TEST(ConfigTest, MemoryBudgetIsNotSpentTwice) {
  const Config config;
  EXPECT_LT(config.engine_bytes() + config.block_cache_bytes() + config.grpc_quota_bytes(),
            config.limits.memory_budget);
}

TEST(ConfigTest, LimitsOnFutureSamplesMayBeOfPatterns) {
  const LoadedConfig loaded = LoadConfig("", {},
                                         {{"data_dir", "/x"},
                                          {"archive.future_limit", "5s"},
                                          {"archive.future_limits", "a=b/*=240h; lab/*=0s;"}});
  ASSERT_THAT(loaded.mistakes, ::testing::IsEmpty());
  EXPECT_EQ(loaded.config.archive.future_limit, absl::Seconds(5));
  const std::vector<FutureLimit> expected = {{"a=b/*", absl::Hours(240)}, {"lab/*", absl::ZeroDuration()}};
  EXPECT_EQ(loaded.config.archive.future_limits, expected);
  EXPECT_THAT(PrintConfig(loaded.config), ::testing::HasSubstr("future_limits = \"a=b/*=10d; lab/*=0s\""));
  for (const char* text : {"10h", "=10h", "a=soon", "a=-1s"}) {
    EXPECT_EQ(LoadConfig("", {}, {{"data_dir", "/x"}, {"archive.future_limits", text}}).mistakes.size(), 1u)
        << text;
  }
}

}  // namespace
}  // namespace historian::server
