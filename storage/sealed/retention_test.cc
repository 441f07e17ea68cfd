// How long what is kept: which rule decides, what holds keep, and that expired stays expired.
#include "storage/sealed/retention.h"

#include <algorithm>
#include <random>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/record/v1/records.pb.h"
#include "storage/format/key.h"
#include "storage/format/record_keys.h"
#include "storage/kv/faulty_store.h"
#include "storage/kv/memory_store.h"
#include "storage/model/definition_memory.h"
#include "storage/platform/heap_in_use.h"
#include "storage/versions/kept_definitions.h"
#include "storage/versions/version_table.h"

namespace historian {
namespace {

using format::PartitionOf;
using format::PartitionStart;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr int64_t kDay = 86400 * kNanosPerSecond;
constexpr int32_t kThisWeek = 2900;
// A Thursday morning.
constexpr Timestamp kNow = PartitionStart(kThisWeek) + 8 * 3600 * kNanosPerSecond;

std::string ErrorOf(const absl::Status& status) { return std::string(status.message()); }

class RetentionTest : public testing::Test {
 protected:
  RetentionTest() : disk_(std::make_shared<kv::MemoryDisk>()), clock_(kNow) { Reopen(); }

  void Reopen() {
    retention_.reset();
    tags_.reset();
    versions_.reset();
    store_.reset();
    faults_ = std::make_shared<kv::Faults>();
    store_ = kv::NewFaultyStore(kv::OpenMemoryStore(disk_), faults_);
    versions_ = std::make_unique<VersionTable>(*store_);
    if (closed_ > 0) versions_->Add({.version = closed_});
    tags_ = *TagRegistry::Open(*store_, *versions_, clock_);
    memory_ = std::make_unique<DefinitionMemory>(bytes_max_);
    heap_before_ = HeapInUse();
    retention_ = *Retention::Open(*store_, *versions_, clock_, nullptr, *memory_);
  }

  // Closes the open version, and returns its number.
  Version Close() {
    versions_->Add({.version = ++closed_});
    return closed_;
  }
  // Names and patterns of the rules, and patterns of the holds with who released them.
  std::vector<std::string> RulesAsOf(Version version) {
    const absl::StatusOr<std::vector<RetentionRule>> rules = retention_->RulesAsOf(version);
    EXPECT_TRUE(rules.ok()) << rules.status();
    std::vector<std::string> texts;
    for (const RetentionRule& rule : *rules) texts.push_back(absl::StrCat(rule.name, " ", rule.pattern));
    return texts;
  }
  std::vector<std::string> HoldsAsOf(Version version) {
    const absl::StatusOr<std::vector<LegalHold>> holds = retention_->HoldsAsOf(version);
    EXPECT_TRUE(holds.ok()) << holds.status();
    std::vector<std::string> texts;
    for (const LegalHold& hold : *holds) {
      texts.push_back(
          absl::StrCat(hold.pattern, " ", hold.released.has_value() ? hold.released->by : "in force"));
    }
    return texts;
  }

  TagId MakeTag(const std::string& name) { return (*tags_->Create({Tag{.name = name}})[0])->id; }

  void Set(const std::string& name, const std::string& pattern, absl::Duration raw, absl::Duration rollups,
           std::optional<size_t> position = {}) {
    const auto set = retention_->SetRule(
        {.name = name, .pattern = pattern, .keep_raw = raw, .keep_rollups = rollups}, position);
    ASSERT_TRUE(set.ok()) << set.status();
  }
  void Set(const std::string& name, const std::string& pattern, absl::Duration keep) {
    Set(name, pattern, keep, keep);
  }
  LegalHold Hold(const std::string& pattern, Timestamp start, Timestamp end) {
    return *retention_->PlaceHold({.name = "case 7",
                                   .pattern = pattern,
                                   .start = start,
                                   .end = end,
                                   .reason = "the authority asked",
                                   .placed_by = "ann"});
  }

  uint64_t Apply() {
    const auto outcome = retention_->Apply(*tags_, clock_.Now(), /*commit=*/true);
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return outcome.ok() ? outcome->tags : 0;
  }
  RetentionPolicies::Decision DecisionOf(const std::string& name) {
    policies_ = retention_->policies();
    return *policies_->DecisionOf(name);
  }
  // Whether "kept", "rollups" or "gone".
  std::string StateOf(TagId tag, int32_t partition) {
    const std::shared_ptr<const ExpiredTable> table = retention_->expired();
    const Expired* const expired = table->Of(tag);
    if (expired == nullptr || !expired->HasRaw(partition)) return "kept";
    return expired->HasAll(partition) ? "gone" : "rollups";
  }

  std::shared_ptr<kv::MemoryDisk> disk_;
  std::shared_ptr<kv::Faults> faults_;
  SimulatedClock clock_;
  Version closed_ = 0;  // The last that has.
  std::unique_ptr<kv::Store> store_;
  std::unique_ptr<VersionTable> versions_;
  std::unique_ptr<TagRegistry> tags_;
  uint64_t bytes_max_ = UINT64_MAX;  // Of definitions; for Reopen.
  int64_t heap_before_ = 0;
  std::unique_ptr<DefinitionMemory> memory_;
  std::unique_ptr<Retention> retention_;
  std::shared_ptr<const RetentionPolicies> policies_;  // Of the last DecisionOf.
};

TEST_F(RetentionTest, WhatManyPatternsSayCanBeEnded) {
  std::string stars;
  while (stars.size() + 8 < kTagPatternBytesMax) stars += "*a";
  for (int i = 0; i < 200; ++i) {
    Hold(absl::StrCat(stars, i), kNow - kDay, kNow);
  }
  const TagId tag = MakeTag(std::string(kTagNameBytesMax, 'a'));
  Set("all", "*", absl::Hours(24 * 7));
  int calls = 0;
  const auto impatient = [&] { return ++calls > 1 ? absl::CancelledError("gone") : absl::OkStatus(); };
  EXPECT_EQ(retention_->policies()->DecisionOf(tags_->NameOf(tag), impatient).status(),
            absl::CancelledError("gone"));
  calls = 0;
  EXPECT_EQ(retention_->Apply(*tags_, clock_.Now(), /*commit=*/true, impatient).status(),
            absl::CancelledError("gone"));
  EXPECT_EQ(StateOf(tag, kThisWeek - 10), "kept");
}

TEST_F(RetentionTest, ReadersDoNotWaitForAChangeThatWaitsForTheDisk) {
  Set("all", "*", absl::Hours(24 * 7));
  faults_->HoldWrites(true);
  std::thread changes([&] { Set("second", "*", absl::Hours(24 * 14)); });
  while (faults_->waiting() == 0) std::this_thread::yield();
  EXPECT_THAT(retention_->Rules(), SizeIs(1));
  EXPECT_THAT(*retention_->RulesAsOf(kVersionNow), SizeIs(1));
  EXPECT_THAT(*retention_->HoldsAsOf(kVersionNow), IsEmpty());
  EXPECT_EQ(DecisionOf("a").rule->name, "all");
  int calls = 0;
  const auto impatient = [&] { return ++calls > 2 ? absl::CancelledError("gone") : absl::OkStatus(); };
  EXPECT_EQ(retention_->RemoveRule("all", impatient), absl::CancelledError("gone"));
  faults_->HoldWrites(false);
  changes.join();
  EXPECT_THAT(retention_->Rules(), SizeIs(2));
}

TEST_F(RetentionTest, WithoutRulesEverythingIsKept) {
  const TagId tag = MakeTag("a");
  EXPECT_EQ(Apply(), 0);
  EXPECT_EQ(StateOf(tag, PartitionOf(kTimestampMin)), "kept");
  EXPECT_TRUE(retention_->expired()->empty());
}

TEST_F(RetentionTest, APartitionExpiresWhenItsEndIsOlderThanWhatIsKept) {
  const TagId tag = MakeTag("a");
  Set("all", "*", absl::Hours(24 * 7));
  clock_.Set(PartitionStart(kThisWeek) - 1);
  EXPECT_EQ(Apply(), 1);
  EXPECT_EQ(StateOf(tag, kThisWeek - 3), "gone");
  EXPECT_EQ(StateOf(tag, kThisWeek - 2), "kept");  // Its end is 1 ns short of a week old.
  clock_.Advance(1);
  EXPECT_EQ(Apply(), 1);
  EXPECT_EQ(StateOf(tag, kThisWeek - 2), "gone");
  EXPECT_EQ(StateOf(tag, kThisWeek - 1), "kept");
  EXPECT_EQ(Apply(), 0) << "nothing new";
}

TEST_F(RetentionTest, TheFirstRuleThatMatchesDecides) {
  const TagId a = MakeTag("site/a"), b = MakeTag("site/b"), c = MakeTag("other");
  Set("short", "site/*", absl::Hours(24 * 7));
  Set("b", "site/b", absl::InfiniteDuration(), absl::InfiniteDuration(), 0);
  Apply();
  EXPECT_EQ(StateOf(a, kThisWeek - 10), "gone");
  EXPECT_EQ(StateOf(b, kThisWeek - 10), "kept");
  EXPECT_EQ(StateOf(c, kThisWeek - 10), "kept");
  EXPECT_EQ(DecisionOf("site/b").rule->name, "b");
  EXPECT_EQ(DecisionOf("site/a").rule->name, "short");
  EXPECT_EQ(DecisionOf("other").rule, nullptr);
}

TEST_F(RetentionTest, RollupsMayOutliveRawSamples) {
  const TagId tag = MakeTag("a");
  Set("all", "*", absl::Hours(24 * 14), absl::Hours(24 * 70));
  Apply();
  EXPECT_EQ(StateOf(tag, kThisWeek - 2), "kept");
  EXPECT_EQ(StateOf(tag, kThisWeek - 3), "rollups");
  EXPECT_EQ(StateOf(tag, kThisWeek - 10), "rollups");
  EXPECT_EQ(StateOf(tag, kThisWeek - 11), "gone");
  clock_.Advance(7 * kDay);
  Apply();
  EXPECT_EQ(StateOf(tag, kThisWeek - 10), "gone");
}

TEST_F(RetentionTest, AHoldKeepsEveryPartitionItTouches) {
  const TagId held = MakeTag("site/a"), other = MakeTag("b");
  Set("all", "*", absl::Hours(24 * 7));
  const LegalHold hold = Hold("site/*", PartitionStart(2800) - 1, PartitionStart(2801) + 1);
  Apply();
  for (const auto& [partition, state] :
       {std::pair(2798, "gone"), std::pair(2799, "kept"), std::pair(2801, "kept"), std::pair(2802, "gone")}) {
    EXPECT_EQ(StateOf(held, partition), state) << partition;
    EXPECT_EQ(StateOf(other, partition), "gone") << partition;
  }
  ASSERT_TRUE(retention_->ReleaseHold(hold.id, {.reason = "closed", .by = "bob"}).ok());
  Apply();
  EXPECT_EQ(StateOf(held, 2800), "gone");
  EXPECT_THAT(retention_->Holds(false), SizeIs(0));
  ASSERT_THAT(retention_->Holds(true), SizeIs(1));
  EXPECT_EQ(retention_->Holds(true)[0].released->by, "bob");
  EXPECT_EQ(retention_->ReleaseHold(hold.id, {.reason = "again", .by = "bob"}).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(retention_->ReleaseHold(99, {.reason = "x", .by = "bob"}).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(RetentionTest, ExpiredStaysExpired) {
  const TagId tag = MakeTag("a");
  Set("all", "*", absl::Hours(24 * 7));
  Apply();
  ASSERT_EQ(StateOf(tag, kThisWeek - 5), "gone");
  Set("all", "*", absl::Hours(24 * 365));
  Hold("*", PartitionStart(kThisWeek - 5), PartitionStart(kThisWeek));
  clock_.Advance(-100 * kDay);
  for (int i = 0; i < 2; ++i) {
    Apply();
    EXPECT_EQ(StateOf(tag, kThisWeek - 5), "gone");
    EXPECT_EQ(StateOf(tag, kThisWeek - 1), "kept");
    Reopen();
  }
  ASSERT_TRUE(retention_->RemoveRule("all").ok());
  Apply();
  EXPECT_EQ(StateOf(tag, kThisWeek - 5), "gone");
  EXPECT_EQ(StateOf(MakeTag("new"), kThisWeek - 5), "kept");
}

TEST_F(RetentionTest, ATrialChangesNothing) {
  const TagId tag = MakeTag("a");
  Set("all", "*", absl::Hours(24 * 7));
  const uint64_t changes = faults_->changes();
  const auto outcome = retention_->Apply(*tags_, kNow, /*commit=*/false);
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->tags, 1);
  EXPECT_TRUE(outcome->expired->Of(tag)->HasAll(kThisWeek - 5));
  EXPECT_EQ(StateOf(tag, kThisWeek - 5), "kept");
  EXPECT_EQ(faults_->changes(), changes);
}

TEST_F(RetentionTest, WhatCannotBeWrittenDownHasNotHappened) {
  const TagId tag = MakeTag("a");
  Set("all", "*", absl::Hours(24 * 7));
  faults_->SetFull(true);
  EXPECT_FALSE(retention_->Apply(*tags_, kNow, true).ok());
  EXPECT_FALSE(retention_->SetRule({.name = "b", .pattern = "*"}).ok());
  EXPECT_FALSE(retention_->RemoveRule("all").ok());
  EXPECT_FALSE(
      retention_
          ->PlaceHold({.name = "h", .pattern = "*", .start = 0, .end = 1, .reason = "r", .placed_by = "p"})
          .ok());
  EXPECT_EQ(StateOf(tag, kThisWeek - 5), "kept");
  EXPECT_THAT(retention_->Rules(), SizeIs(1));
  EXPECT_THAT(retention_->Holds(true), SizeIs(0));
  faults_->SetFull(false);
  EXPECT_EQ(Apply(), 1);
}

TEST_F(RetentionTest, RulesKeepTheirOrderAndSurviveReopening) {
  for (const char* name : {"a", "b", "c"}) Set(name, absl::StrCat(name, "/*"), absl::Hours(24 * 30));
  Set("b", "changed", absl::Hours(24), absl::InfiniteDuration());  // Stays in place.
  Set("c", "c/*", absl::Hours(48), absl::Hours(48), 0);
  Set("d", "d/*", absl::InfiniteDuration(), absl::InfiniteDuration(), 99);
  for (int i = 0; i < 2; ++i) {
    std::vector<std::string> names;
    for (const RetentionRule& rule : retention_->Rules()) names.push_back(rule.name);
    EXPECT_THAT(names, testing::ElementsAre("c", "a", "b", "d"));
    EXPECT_EQ(retention_->Rules()[2].pattern, "changed");
    EXPECT_EQ(retention_->Rules()[2].keep_raw, absl::Hours(24));
    EXPECT_EQ(retention_->Rules()[2].keep_rollups, absl::InfiniteDuration());
    EXPECT_EQ(retention_->Rules()[2].changed, kNow);
    Reopen();
  }
  EXPECT_EQ(retention_->RemoveRule("e").code(), absl::StatusCode::kNotFound);
}

TEST_F(RetentionTest, HoldsSurviveReopening) {
  Hold("x", 5, 10);
  Hold("y", 0, 10);
  ASSERT_TRUE(retention_->ReleaseHold(2, {.reason = "closed", .by = "bob"}).ok());
  Reopen();
  const std::vector<LegalHold> holds = retention_->Holds(true);
  ASSERT_THAT(holds, SizeIs(2));
  EXPECT_EQ(holds[0].pattern, "x");
  EXPECT_EQ(holds[0].start, 5);
  EXPECT_EQ(holds[0].placed_by, "ann");
  EXPECT_EQ(holds[0].placed, kNow);
  EXPECT_EQ(holds[1].released->reason, "closed");
  EXPECT_EQ(Hold("z", 0, 1).id, 3);
}

TEST_F(RetentionTest, AsOfAVersionRulesAreAsTheyWereThen) {
  const Version before = Close();
  Set("all", "*", absl::Hours(48));
  const Version one = Close();
  Set("all", "site/*", absl::Hours(48));
  Set("b", "b", absl::Hours(48), absl::Hours(48), 0);
  const Version two = Close();
  ASSERT_TRUE(retention_->RemoveRule("all").ok());
  const Version removed = Close();
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(RulesAsOf(before), IsEmpty());
    EXPECT_THAT(RulesAsOf(one), ElementsAre("all *"));
    EXPECT_THAT(RulesAsOf(two), ElementsAre("b b", "all site/*"));
    EXPECT_THAT(RulesAsOf(removed), ElementsAre("b b"));
    EXPECT_THAT(RulesAsOf(kVersionNow), ElementsAre("b b"));
    Reopen();
  }
}

TEST_F(RetentionTest, AsOfAVersionHoldsAreAsTheyWereThen) {
  const Version before = Close();
  const LegalHold x = Hold("x", 0, 1);
  EXPECT_EQ(x.placed_in, versions_->open());
  const Version one = Close();
  Hold("y", 0, 1);
  ASSERT_TRUE(retention_->ReleaseHold(x.id, {.reason = "closed", .by = "bob"}).ok());
  const Version two = Close();
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(HoldsAsOf(before), IsEmpty());
    EXPECT_THAT(HoldsAsOf(one), ElementsAre("x in force"));
    EXPECT_THAT(HoldsAsOf(two), ElementsAre("x bob", "y in force"));
    EXPECT_THAT(HoldsAsOf(kVersionNow), ElementsAre("x bob", "y in force"));
    Reopen();
  }
  EXPECT_EQ(retention_->Holds(true)[0].placed_in, x.placed_in);
}

TEST_F(RetentionTest, WhatIsKeptOfAChangeSaysInWhichVersionWhenAndByWhom) {
  ASSERT_TRUE(retention_->SetRule({.name = "all", .pattern = "*", .changed_by = "ann"}).ok());
  const LegalHold hold = Hold("x", 0, 1);
  Close();
  clock_.Advance(kDay);
  ASSERT_TRUE(retention_->SetRule({.name = "all", .pattern = "*", .changed_by = "bob"}).ok());
  ASSERT_TRUE(retention_->ReleaseHold(hold.id, {.reason = "closed", .by = "eve"}).ok());
  for (const auto& [key, author] : {std::pair(KeptKey(kRetentionRulesKey, 2), "bob"),
                                    std::pair(KeptKey(LegalHoldKey(hold.id), 1), "eve")}) {
    const auto kept = ReadKeptRecord(**store_->Get(kv::Space::kMeta, key));
    ASSERT_TRUE(kept.ok()) << kept.status();
    EXPECT_EQ(kept->until, versions_->open());
    EXPECT_EQ(kept->changed, clock_.Now());
    EXPECT_EQ(kept->author, author);
  }
}

TEST_F(RetentionTest, ARuleThatIsSetAsItIsChangesNothing) {
  Set("a", "a/*", absl::Hours(48));
  Set("b", "b/*", absl::Hours(48));
  const uint64_t writes = faults_->changes();
  clock_.Advance(kDay);
  Set("a", "a/*", absl::Hours(48));
  Set("a", "a/*", absl::Hours(48), absl::Hours(48), 0);
  Set("b", "b/*", absl::Hours(48), absl::Hours(48), 99);
  EXPECT_EQ(faults_->changes(), writes);
  EXPECT_EQ(retention_->rules_changed(), kNow);
  EXPECT_EQ(retention_->Rules()[0].changed, kNow);
  Set("b", "b/*", absl::Hours(48), absl::Hours(48), 0);
  EXPECT_EQ(faults_->changes(), writes + 1) << "its place has changed";
}

TEST_F(RetentionTest, AnArchiveFromBeforeKnowsItsOldestRulesAndHolds) {
  closed_ = 7;
  record::v1::RetentionRulesRecord rules;
  rules.add_rules()->set_name("all");
  rules.mutable_rules(0)->set_pattern("*");
  record::v1::LegalHoldRecord hold;
  hold.set_id(1);
  hold.set_pattern("x");
  kv::Batch batch;
  batch.Put(kRetentionRulesKey, rules.SerializeAsString());
  batch.Put(LegalHoldKey(1), hold.SerializeAsString());
  ASSERT_TRUE(store_->Write(batch).ok());
  Reopen();
  ASSERT_TRUE(retention_->RemoveRule("all").ok());
  ASSERT_TRUE(retention_->ReleaseHold(1, {.reason = "closed", .by = "bob"}).ok());
  const Version changed = Close();
  for (const Version version : {3, 7}) {
    EXPECT_THAT(RulesAsOf(version), ElementsAre("all *"));
    EXPECT_THAT(HoldsAsOf(version), ElementsAre("x in force"));
  }
  EXPECT_THAT(RulesAsOf(changed), IsEmpty());
  EXPECT_THAT(HoldsAsOf(changed), ElementsAre("x bob"));
}

TEST_F(RetentionTest, RefusesRulesAndHoldsThatAreNone) {
  const struct {
    RetentionRule rule;
    const char* says;
  } rules[] = {
      {{.pattern = "*"}, "name is missing"},
      {{.name = "r"}, "pattern is missing"},
      {{.name = "r", .pattern = "*", .keep_raw = absl::Hours(23)}, "the least is 24h"},
      {{.name = "r", .pattern = "*", .keep_raw = absl::Hours(24) + absl::Milliseconds(1)}, "whole seconds"},
      {{.name = "r", .pattern = "*", .keep_rollups = absl::Hours(48)}, "less time"},
      {{.name = std::string(129, 'x'), .pattern = "*"}, "the limit is 128"},
      {{.name = "r", .pattern = "\xff"}, "not UTF-8"},
  };
  for (const auto& [rule, says] : rules) {
    const absl::Status status = retention_->SetRule(rule).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(ErrorOf(status), HasSubstr(says));
  }
  const LegalHold good = {.name = "h", .pattern = "*", .start = 0, .end = 1, .reason = "r", .placed_by = "p"};
  const struct {
    void (*spoil)(LegalHold*);
    const char* says;
  } holds[] = {
      {[](LegalHold* h) { h->name = ""; }, "name is missing"},
      {[](LegalHold* h) { h->reason = ""; }, "reason is missing"},
      {[](LegalHold* h) { h->placed_by = ""; }, "who places it is missing"},
      {[](LegalHold* h) { h->end = 0; }, "no range of time"},
      {[](LegalHold* h) { h->start = INT64_MIN; }, "no range of time"},
  };
  for (const auto& [spoil, says] : holds) {
    LegalHold hold = good;
    spoil(&hold);
    EXPECT_THAT(ErrorOf(retention_->PlaceHold(hold).status()), HasSubstr(says));
  }
  EXPECT_TRUE(retention_->PlaceHold(good).ok());
}

// Against the obvious way: a flag for every tag and week, over random rules, holds and times.
TEST_F(RetentionTest, EqualsTheObviousWayOverRandomHistories) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937_64 random(seed);
  constexpr int kWeeks = 60, kTags = 12;
  std::vector<TagId> ids;
  std::vector<std::string> names;
  for (int i = 0; i < kTags; ++i) {
    names.push_back(absl::StrCat(std::string(1, 'a' + i % 3), "/", i / 3));
    ids.push_back(MakeTag(names.back()));
  }
  const char* patterns[] = {"*", "a/*", "b/*", "?/1", "c/2", "[ab]/3"};
  std::map<std::pair<int, int>, std::string> states;
  clock_.Set(PartitionStart(kThisWeek - kWeeks));
  for (int step = 0; step < 60; ++step) {
    clock_.Advance(static_cast<int64_t>(random() % (10 * kDay)));
    const char* pattern = patterns[random() % std::size(patterns)];
    switch (random() % 6) {
      case 0: {
        const absl::Duration raw = absl::Hours(24 * (7 + random() % 100));
        Set(absl::StrCat(random() % 4), pattern, raw, raw + absl::Hours(24 * (random() % 200)), random() % 4);
        break;
      }
      case 1:
        (void)retention_->RemoveRule(absl::StrCat(random() % 4));
        break;
      case 2: {
        const Timestamp start = PartitionStart(kThisWeek - kWeeks - 10) + random() % (400 * kDay);
        Hold(pattern, start, start + 1 + random() % (50 * kDay));
        break;
      }
      case 3:
        (void)retention_->ReleaseHold(1 + random() % 10, {.reason = "r", .by = "b"});
        break;
      default:
        break;
    }
    Apply();
    if (random() % 5 == 0) Reopen();
    for (int i = 0; i < kTags; ++i) {
      const RetentionPolicies::Decision decision = DecisionOf(names[i]);
      for (int p = kThisWeek - kWeeks - 20; p < kThisWeek + 60; ++p) {
        std::string& state = states.emplace(std::pair(i, p), "kept").first->second;
        bool held = decision.rule == nullptr;
        for (const LegalHold* hold : decision.holds) {
          held |= hold->start < PartitionStart(p + 1) && hold->end > PartitionStart(p);
        }
        const auto older = [&](absl::Duration keep) {
          return absl::Nanoseconds(clock_.Now()) - absl::Nanoseconds(PartitionStart(p + 1)) >= keep;
        };
        if (!held && older(decision.rule->keep_rollups)) {
          state = "gone";
        } else if (!held && older(decision.rule->keep_raw) && state == "kept") {
          state = "rollups";
        }
        ASSERT_EQ(StateOf(ids[i], p), state) << names[i] << " week " << p - kThisWeek << " step " << step;
      }
    }
  }
}

TEST(PartitionSetTest, EqualsASetOfNumbers) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 200; ++round) {
    PartitionSet partitions;
    std::set<int> expected;
    for (int step = 0; step < 10; ++step) {
      PartitionSet other;
      std::set<int> numbers;
      for (int k = 0; k < 3; ++k) {
        const int begin = static_cast<int>(random() % 40) - 20, end = begin + static_cast<int>(random() % 8);
        other.Add(PartitionSet(begin, end));
        for (int p = begin; p < end; ++p) numbers.insert(p);
      }
      const bool add = random() % 2 == 0;
      if (add) {
        partitions.Add(other);
        expected.insert(numbers.begin(), numbers.end());
      } else {
        partitions.Remove(other);
        for (const int p : numbers) expected.erase(p);
      }
      for (int p = -25; p < 35; ++p) ASSERT_EQ(partitions.Contains(p), expected.count(p) == 1) << p;
      for (size_t i = 1; i < partitions.stretches().size(); ++i) {
        ASSERT_LT(partitions.stretches()[i - 1].end, partitions.stretches()[i].begin);
      }
      ASSERT_EQ(partitions.empty(), expected.empty());
      ASSERT_EQ(partitions.Intersects(other),
                std::any_of(numbers.begin(), numbers.end(), [&](int p) { return expected.count(p) == 1; }));
    }
  }
}

// ---- Memory

TEST_F(RetentionTest, SaysOfItsMemoryWhatTheHeapSays) {
  if (!kHeapIsKnown) GTEST_SKIP();
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(retention_
                    ->SetRule({.name = absl::StrCat("rule ", i),
                               .pattern = absl::StrCat("area-", i, "/[a-f]*/", std::string(i, 'x')),
                               .keep_raw = absl::Hours(24 * 400),
                               .comment = std::string(i * 10, 'c'),
                               .changed_by = "somebody"})
                    .ok());
  }
  for (int i = 0; i < 500; ++i) {
    const auto hold = retention_->PlaceHold({.name = absl::StrCat("hold ", i),
                                             .pattern = absl::StrCat("area-", i, "/*/[a-z0-9]*"),
                                             .start = kNow - kDay,
                                             .end = kNow,
                                             .reason = std::string(1 + i * 5, 'r'),
                                             .placed_by = "somebody"});
    ASSERT_TRUE(hold.ok());
    if (i % 2 == 0) {
      ASSERT_TRUE(retention_->ReleaseHold(hold->id, {.reason = "over", .by = "somebody"}).ok());
    }
  }
  Reopen();
  const int64_t in_use = HeapInUse() - heap_before_;
  EXPECT_TRUE(IsAbout(memory_->bytes(), in_use)) << "counted " << memory_->bytes() << ", in use " << in_use;
}

TEST_F(RetentionTest, WhatEachTagHasExpiredIsCounted) {
  if (!kHeapIsKnown) GTEST_SKIP();
  std::vector<Tag> create;
  for (int i = 0; i < 100'000; ++i) create.push_back({.name = absl::StrCat("area-", i % 7, "/", i)});
  tags_->Create(std::move(create));
  ASSERT_TRUE(retention_->SetRule({.name = "a", .pattern = "*", .keep_raw = absl::Hours(24 * 30)}).ok());
  ASSERT_TRUE(retention_->Apply(*tags_, kNow, true).ok());
  EXPECT_GT(memory_->bytes(), 400'000u);
  Reopen();
  const int64_t in_use = HeapInUse() - heap_before_;
  EXPECT_TRUE(IsAbout(memory_->bytes(), in_use)) << "counted " << memory_->bytes() << ", in use " << in_use;
}

TEST_F(RetentionTest, RulesAndHoldsForWhichThereIsNoMemoryAreRefused) {
  bytes_max_ = size_t{1} << 20;
  Reopen();
  const auto hold = [&] {
    return retention_
        ->PlaceHold({.name = "hold",
                     .pattern = "*",
                     .start = kNow - kDay,
                     .end = kNow,
                     .reason = std::string(4'000, 'r'),
                     .placed_by = "somebody"})
        .status();
  };
  const auto rule = [&](int i) {
    return retention_
        ->SetRule({.name = absl::StrCat("rule ", i), .pattern = "*", .comment = std::string(4'000, 'c')})
        .status();
  };
  ASSERT_TRUE(rule(0).ok());
  ASSERT_TRUE(rule(1).ok());
  absl::Status refused;
  for (int i = 0; i < 1'000 && refused.ok(); ++i) refused = hold();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(ErrorOf(refused), HasSubstr("limits.memory_budget"));
  EXPECT_LE(memory_->bytes(), bytes_max_);
  EXPECT_EQ(rule(2).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(retention_->Rules(), SizeIs(2));
  // What makes them fewer, or no more, is done.
  EXPECT_TRUE(retention_->ReleaseHold(1, {.reason = "over", .by = "somebody"}).ok());
  EXPECT_TRUE(retention_->SetRule({.name = "rule 0", .pattern = "a*"}).ok());
  EXPECT_TRUE(retention_->RemoveRule("rule 1").ok());
  bytes_max_ = 1000;
  Reopen();
  EXPECT_THAT(retention_->Rules(), SizeIs(1));
  EXPECT_EQ(hold().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(RetentionTest, DecisionsThatAreKeptAreBounded) {
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(retention_
                    ->PlaceHold({.name = "hold",
                                 .pattern = absl::StrCat("*", i, "*"),
                                 .start = kNow - kDay,
                                 .end = kNow,
                                 .reason = "r",
                                 .placed_by = "p"})
                    .ok());
  }
  ASSERT_TRUE(retention_->SetRule({.name = "a", .pattern = "*", .keep_raw = absl::Hours(24 * 30)}).ok());
  const std::shared_ptr<const RetentionPolicies> policies = retention_->policies();
  std::mt19937_64 random(1);
  for (TagId id = 1; id < 50'000; ++id) {
    const std::string name = absl::StrCat(random(), "/", random(), "/", random());
    const auto kept = policies->KeptDecisionOf(id, name);
    ASSERT_EQ(*kept, *policies->DecisionOf(name));
    ASSERT_LE(policies->MemoryBytes(), policies->definition_bytes() + RetentionPolicies::kKeptBytesMax);
  }
}

}  // namespace
}  // namespace historian
