// Which backups are kept: a table of times and rules.
#include "storage/backup/prune.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace historian::backup {
namespace {

struct Row {
  const char* what;
  KeepRules rules;
  std::vector<std::pair<const char*, bool>> taken;  // When, and whether it is kept.
};

absl::TimeZone Berlin() {
  absl::TimeZone zone;
  EXPECT_TRUE(absl::LoadTimeZone("Europe/Berlin", &zone));
  return zone;
}

TEST(KeptBy, Table) {
  const std::vector<Row> rows = {
      {"nothing is always the newest",
       {.last = 0, .daily = 0, .weekly = 0, .monthly = 0},
       {{"2026-11-28T02:00:00Z", false}, {"2026-11-29T02:00:00Z", true}}},
      {"the last ones",
       {.last = 2, .daily = 0, .weekly = 0, .monthly = 0},
       {{"2026-11-27T02:00:00Z", false}, {"2026-11-28T02:00:00Z", true}, {"2026-11-29T02:00:00Z", true}}},
      {"of each day the newest",
       {.last = 1, .daily = 3, .weekly = 0, .monthly = 0},
       {{"2026-11-20T02:00:00Z", false},
        {"2026-11-25T02:00:00Z", true},
        {"2026-11-28T02:00:00Z", false},
        {"2026-11-28T14:00:00Z", true},
        {"2026-11-29T02:00:00Z", false},
        {"2026-11-29T03:00:00Z", true}}},
      {"a week begins on Monday",
       {.last = 1, .daily = 0, .weekly = 2, .monthly = 0},
       {{"2026-11-15T23:00:00Z", false},
        {"2026-11-16T00:00:00Z", false},
        {"2026-11-22T23:59:59Z", true},
        {"2026-11-23T00:00:00Z", false},
        {"2026-11-29T23:00:00Z", true}}},
      {"of months and years",
       {.last = 1, .daily = 0, .weekly = 0, .monthly = 2, .yearly = 2},
       {{"2024-12-31T00:00:00Z", false},
        {"2025-06-30T00:00:00Z", false},
        {"2025-12-31T00:00:00Z", true},
        {"2026-09-30T00:00:00Z", false},
        {"2026-10-01T00:00:00Z", false},
        {"2026-10-31T00:00:00Z", true},
        {"2026-11-01T00:00:00Z", true}}},
      {"a day is that of the zone",
       {.last = 1, .daily = 2, .weekly = 0, .monthly = 0, .zone = Berlin()},
       {{"2026-11-27T22:30:00Z", false}, {"2026-11-28T22:30:00Z", true}, {"2026-11-28T23:30:00Z", true}}},
      {"rules add up",
       {.last = 2, .daily = 2, .weekly = 2, .monthly = 2},
       {{"2026-09-02T02:00:00Z", false},
        {"2026-10-02T02:00:00Z", true},
        {"2026-11-21T02:00:00Z", true},
        {"2026-11-27T02:00:00Z", false},
        {"2026-11-28T02:00:00Z", true},
        {"2026-11-29T02:00:00Z", true},
        {"2026-11-29T03:00:00Z", true}}},
      {"none", {}, {}},
  };
  for (const Row& row : rows) {
    std::vector<Timestamp> taken;
    for (const auto& [time, kept] : row.taken) taken.push_back(*ParseTimestamp(time));
    const std::vector<bool> kept = KeptBy(row.rules, taken);
    ASSERT_EQ(kept.size(), taken.size());
    for (size_t i = 0; i < taken.size(); ++i)
      EXPECT_EQ(kept[i], row.taken[i].second) << row.what << ": " << row.taken[i].first;
    // The order in which they are given does not matter.
    const std::vector<Timestamp> reversed(taken.rbegin(), taken.rend());
    const std::vector<bool> kept_reversed = KeptBy(row.rules, reversed);
    EXPECT_EQ(std::vector<bool>(kept_reversed.rbegin(), kept_reversed.rend()), kept) << row.what;
  }
}

}  // namespace
}  // namespace historian::backup
