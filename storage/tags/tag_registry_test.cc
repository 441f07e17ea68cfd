#include "storage/tags/tag_registry.h"

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/record/v1/records.pb.h"
#include "storage/format/record_keys.h"
#include "storage/kv/faulty_store.h"
#include "storage/kv/memory_store.h"
#include "storage/model/definition_memory.h"
#include "storage/model/tag_pattern.h"
#include "storage/platform/heap_in_use.h"
#include "storage/versions/kept_definitions.h"
#include "storage/versions/version_table.h"

namespace historian {
namespace {

using testing::ElementsAre;

void ExpectSame(const Tag& a, const Tag& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.type, b.type);
  EXPECT_EQ(a.interpolation, b.interpolation);
  EXPECT_EQ(a.unit, b.unit);
  EXPECT_EQ(a.description, b.description);
  EXPECT_EQ(a.states, b.states);
  EXPECT_EQ(a.attributes, b.attributes);
  EXPECT_EQ(a.stale_after, b.stale_after);
  EXPECT_EQ(a.retired, b.retired);
  EXPECT_EQ(a.created, b.created);
  EXPECT_EQ(a.updated, b.updated);
}

class TagRegistryTest : public testing::Test {
 protected:
  TagRegistryTest() : disk_(std::make_shared<kv::MemoryDisk>()), clock_(1'796'007'600'000'000'000) {
    Reopen();
  }

  void Reopen() {
    tags_.reset();
    versions_.reset();
    store_.reset();
    faults_ = std::make_shared<kv::Faults>();
    store_ = kv::NewFaultyStore(kv::OpenMemoryStore(disk_), faults_);
    versions_ = std::make_unique<VersionTable>(*store_);
    if (closed_ > 0) versions_->Add({.version = closed_});
    tags_before_ = HeapInUse();
    memory_ = std::make_unique<DefinitionMemory>(bytes_max_);
    auto tags = TagRegistry::Open(*store_, *versions_, clock_, nullptr, *memory_);
    ASSERT_TRUE(tags.ok()) << tags.status();
    tags_ = *std::move(tags);
  }

  // Closes the open version, and returns its number.
  Version Close() {
    versions_->Add({.version = ++closed_});
    return closed_;
  }
  std::shared_ptr<const Tag> AsOf(TagId id, Version version) {
    const absl::StatusOr<std::shared_ptr<const Tag>> tag = tags_->FindAsOf(id, version);
    EXPECT_TRUE(tag.ok()) << tag.status();
    return tag.ok() ? *tag : nullptr;
  }

  std::vector<std::string> NamesOf(const TagQuery& query) {
    const absl::StatusOr<std::vector<TagId>> ids = tags_->ListIds(query);
    EXPECT_TRUE(ids.ok()) << ids.status();
    std::vector<std::string> names;
    for (const TagId id : *ids) names.emplace_back(tags_->NameOf(id));
    return names;
  }

  const std::shared_ptr<kv::MemoryDisk> disk_;
  SimulatedClock clock_;
  Version closed_ = 0;               // The last that has.
  uint64_t bytes_max_ = UINT64_MAX;  // Of definitions; for Reopen.
  int64_t tags_before_ = 0;          // On the heap.
  std::shared_ptr<kv::Faults> faults_;
  std::unique_ptr<kv::Store> store_;
  std::unique_ptr<VersionTable> versions_;
  std::unique_ptr<DefinitionMemory> memory_;
  std::unique_ptr<TagRegistry> tags_;
};

TEST_F(TagRegistryTest, NewTagsTakeTheirPlaceInTheList) {
  tags_->Create({Tag{.name = "b"}, Tag{.name = "d"}});
  EXPECT_THAT(NamesOf({}), ElementsAre("b", "d"));
  tags_->Create({Tag{.name = "e"}, Tag{.name = "a"}, Tag{.name = "c"}});
  EXPECT_THAT(NamesOf({}), ElementsAre("a", "b", "c", "d", "e"));
  EXPECT_THAT(NamesOf({.after = "b", .limit = 2}), ElementsAre("c", "d"));
}

TEST_F(TagRegistryTest, ATagOfAnotherTypeTakesTheNameAndTheOldOneStays) {
  tags_->Create({Tag{.name = "a"},
                 Tag{.name = "b",
                     .type = ValueType::kDigital,
                     .interpolation = Interpolation::kStepped,
                     .unit = "m",
                     .states = {{1, "on"}}},
                 Tag{.name = "c"}});
  EXPECT_THAT(NamesOf({}), ElementsAre("a", "b", "c"));  // They are sorted.
  const Version before = Close();
  const auto changed = tags_->ChangeType(2, {.type = ValueType::kInt64, .description = "new"});
  ASSERT_TRUE(changed.ok()) << changed.status();
  for (const char* when : {"changed", "reopened"}) {
    SCOPED_TRACE(when);
    const std::shared_ptr<const Tag> tag = tags_->Find("b"), old = tags_->Find(2);
    ASSERT_TRUE(tag != nullptr && old != nullptr);
    ExpectSame(*tag, **changed);
    EXPECT_EQ(tag->id, 4u);
    EXPECT_EQ(tag->type, ValueType::kInt64);
    EXPECT_EQ(tag->interpolation, Interpolation::kStepped);
    EXPECT_EQ(tag->unit, "m");
    EXPECT_EQ(tag->description, "new");
    EXPECT_TRUE(tag->states.empty());
    EXPECT_FALSE(tag->retired);
    EXPECT_EQ(old->name, "b~2");
    EXPECT_EQ(old->type, ValueType::kDigital);
    EXPECT_TRUE(old->retired);
    ExpectSame(*tags_->Find("b~2"), *old);
    EXPECT_EQ(tags_->NameOf(2), "b~2");
    EXPECT_EQ(tags_->size(), 4u);
    EXPECT_THAT(NamesOf({}), ElementsAre("a", "b", "c"));
    EXPECT_THAT(NamesOf({.include_retired = true}), ElementsAre("a", "b", "b~2", "c"));
    EXPECT_THAT(NamesOf({.after = "b", .limit = 2, .include_retired = true}), ElementsAre("b~2", "c"));
    EXPECT_EQ(AsOf(2, before)->name, "b");
    EXPECT_EQ(AsOf(4, before), nullptr);
    TagTraits traits[2];
    const TagId ids[] = {2, 4};
    tags_->GetTraits(ids, 2, traits);
    EXPECT_EQ(traits[0].type, ValueType::kDigital);
    EXPECT_EQ(traits[1].type, ValueType::kInt64);
    Reopen();
  }
  // Again, and what cannot be.
  EXPECT_EQ((*tags_->ChangeType(4, {.type = ValueType::kString}))->id, 5u);
  EXPECT_THAT(NamesOf({.include_retired = true}), ElementsAre("a", "b", "b~2", "b~4", "c"));
  tags_->Create({Tag{.name = "b~5"}});
  EXPECT_EQ(tags_->ChangeType(5, {.type = ValueType::kInt64}).status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(tags_->ChangeType(99, {.type = ValueType::kInt64}).status().code(), absl::StatusCode::kNotFound);
  faults_->FailNth(1, absl::UnavailableError("no"));
  EXPECT_FALSE(tags_->ChangeType(1, {.type = ValueType::kInt64}).ok());
  EXPECT_EQ(tags_->Find("a")->id, 1u);
  EXPECT_EQ(tags_->Find("a~1"), nullptr);
}

TEST_F(TagRegistryTest, AListRefusesAPatternThatIsTooLong) {
  tags_->Create({Tag{.name = "b"}});
  const std::string pattern = absl::StrCat("*[", std::string(300'000, 'a'), "]");
  EXPECT_EQ(tags_->ListIds({.pattern = pattern}).status(),
            absl::InvalidArgumentError("the pattern has 300003 bytes; the limit is 512"));
}

// Many tags, created in an order that is not that of their names.
std::vector<Tag> ManyTags(size_t count) {
  std::vector<Tag> tags;
  for (size_t i = 0; i < count; ++i) {
    tags.push_back({.name = absl::StrCat("site/", (i * 7919) % count, "/", std::string(40, 'a'))});
  }
  return tags;
}

TEST_F(TagRegistryTest, AListThatIsEndedEndsAtOnceAndLosesNoWork) {
  constexpr size_t kTags = 40'000;
  tags_->Create(ManyTags(kTags));
  // Lists that are ended before the names are sorted get there together: what each has sorted is kept.
  int calls = 0;
  size_t ended = 0;
  for (int patience = 1;; ++patience) {
    calls = 0;
    const auto ids = tags_->ListIds(
        {.limit = 1}, [&] { return ++calls > 7 ? absl::CancelledError("enough") : absl::OkStatus(); });
    if (ids.ok()) break;
    ASSERT_EQ(ids.status(), absl::CancelledError("enough"));
    ASSERT_EQ(calls, 8) << "it went on";
    ++ended;
    ASSERT_LT(patience, 1000);
  }
  EXPECT_GT(ended, 1u);
  const std::vector<std::string> names = NamesOf({});
  EXPECT_EQ(names.size(), kTags);
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  // A costly pattern is asked between names.
  std::string stars;
  while (stars.size() + 3 < kTagPatternBytesMax) stars += "*a";
  calls = 0;
  EXPECT_EQ(tags_
                ->ListIds({.pattern = stars + "b"},
                          [&] { return ++calls > 3 ? absl::CancelledError("enough") : absl::OkStatus(); })
                .status(),
            absl::CancelledError("enough"));
  EXPECT_EQ(calls, 4);
}

// A disk that answers nothing holds up the change that waits for it, and nobody else.
TEST_F(TagRegistryTest, ReadersDoNotWaitForAChangeThatWaitsForTheDisk) {
  const TagId id = (*tags_->Create({Tag{.name = "a"}})[0])->id;
  faults_->HoldWrites(true);
  absl::Notification has_turn;
  std::thread creates([&] {
    const auto created = tags_->Create({Tag{.name = "b"}}, [&] {
      if (!has_turn.HasBeenNotified()) has_turn.Notify();
      return absl::OkStatus();
    });
    EXPECT_TRUE(created[0].ok());
  });
  has_turn.WaitForNotification();
  // Other changes wait for their turn until they are told to give up.
  int asked = 0;
  const auto patience = [&] { return ++asked > 3 ? absl::DeadlineExceededError("late") : absl::OkStatus(); };
  EXPECT_EQ(tags_->SetRetired(id, true, patience).status(), absl::DeadlineExceededError("late"));
  EXPECT_EQ(tags_->Create({Tag{.name = "c"}}, patience)[0].status(), absl::DeadlineExceededError("late"));
  EXPECT_EQ(tags_->Find("a")->id, id);
  EXPECT_EQ(tags_->Find("b"), nullptr);
  EXPECT_THAT(NamesOf({.pattern = "?"}), ElementsAre("a"));
  TagTraits traits;
  tags_->GetTraits(&id, 1, &traits);
  EXPECT_TRUE(traits.exists);
  faults_->HoldWrites(false);
  creates.join();
  EXPECT_THAT(NamesOf({.pattern = "?"}), ElementsAre("a", "b"));
}

TEST_F(TagRegistryTest, AsOfAVersionATagIsAsItWasThen) {
  const Version before = Close();
  const auto created = *tags_->Create({Tag{.name = "valve",
                                           .type = ValueType::kDigital,
                                           .interpolation = Interpolation::kStepped,
                                           .states = {{0, "shut"}, {1, "open"}}}})[0];
  const TagId id = created->id;
  const Version first = Close();
  ASSERT_TRUE(tags_->Update(id, {.set_states = {{1, "ajar"}}}).ok());
  const auto changed = *tags_->Update(id, {.unit = "pos", .set_states = {{1, "half"}}});
  const Version second = Close();
  const Version third = Close();
  const auto retired = *tags_->SetRetired(id, true);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(AsOf(id, before), nullptr) << "it had not been created";
    ExpectSame(*AsOf(id, first), *created);
    ExpectSame(*AsOf(id, second), *changed);
    ExpectSame(*AsOf(id, third), *changed);
    ExpectSame(*AsOf(id, kVersionNow), *retired);
    EXPECT_EQ(AsOf(id + 1, third), nullptr) << "there is no such tag";
    Reopen();
  }
}

TEST_F(TagRegistryTest, AChangeIsOneWriteAndOneThatChangesNothingIsNone) {
  const auto tag = *tags_->Create({Tag{.name = "a", .unit = "bar"}})[0];
  const uint64_t writes = faults_->changes();
  clock_.Advance(1);
  ExpectSame(**tags_->Update(tag->id, {.unit = "bar", .remove_attributes = {"none"}}), *tag);
  ExpectSame(**tags_->SetRetired(tag->id, false), *tag);
  EXPECT_EQ(faults_->changes(), writes);
  ASSERT_TRUE(tags_->Update(tag->id, {.unit = "mbar"}).ok());
  EXPECT_EQ(faults_->changes(), writes + 1);
}

TEST_F(TagRegistryTest, AKeptDefinitionSaysInWhichVersionAndWhenItWasReplaced) {
  const auto tag = *tags_->Create({Tag{.name = "a"}})[0];
  Close();
  clock_.Advance(kNanosPerSecond);
  ASSERT_TRUE(tags_->Update(tag->id, {.unit = "mbar"}).ok());
  const auto kept = ReadKeptRecord(**store_->Get(kv::Space::kMeta, KeptKey(TagKey(tag->id), 1)));
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_EQ(kept->until, versions_->open());
  EXPECT_EQ(kept->changed, clock_.Now());
  EXPECT_EQ(kept->author, "");
}

TEST_F(TagRegistryTest, AChangeThatCannotBeWrittenHasNotHappened) {
  const auto tag = *tags_->Create({Tag{.name = "a"}})[0];
  const Version closed = Close();
  faults_->SetFull(true);
  EXPECT_EQ(tags_->Update(tag->id, {.unit = "bar"}).status().code(), absl::StatusCode::kResourceExhausted);
  faults_->SetFull(false);
  ExpectSame(*tags_->Find(tag->id), *tag);
  ExpectSame(*AsOf(tag->id, closed), *tag);
  ExpectSame(*AsOf(tag->id, Close()), *tag);
}

TEST_F(TagRegistryTest, AnArchiveFromBeforeKnowsItsOldestDefinition) {
  closed_ = 7;
  record::v1::TagRecord record;
  record.set_id(1);
  record.set_name("a");
  record.set_type(static_cast<uint32_t>(ValueType::kFloat64));
  record.set_interpolation(static_cast<uint32_t>(Interpolation::kSloped));
  record.set_unit("bar");
  kv::Batch batch;
  batch.Put(TagKey(1), record.SerializeAsString());
  ASSERT_TRUE(store_->Write(batch).ok());
  Reopen();
  EXPECT_EQ(AsOf(1, 3)->unit, "bar");
  ASSERT_TRUE(tags_->Update(1, {.unit = "mbar"}).ok());
  const Version changed = Close();
  Reopen();
  EXPECT_EQ(AsOf(1, 3)->unit, "bar");
  EXPECT_EQ(AsOf(1, 7)->unit, "bar");
  EXPECT_EQ(AsOf(1, changed)->unit, "mbar");
}

// An update does not rename, but what keeps and reads definitions does not depend on that.
TEST_F(TagRegistryTest, AsOfAnEarlierVersionARenamedTagHasItsEarlierName) {
  const auto tag = *tags_->Create({Tag{.name = "old"}})[0];
  const Version closed = Close();
  const std::string key = TagKey(tag->id);
  record::v1::TagRecord record;
  const std::string before = **store_->Get(kv::Space::kMeta, key);
  ASSERT_TRUE(record.ParseFromString(before));
  record.set_name("new");
  kv::Batch batch;
  ASSERT_TRUE(Keep(*store_, key, {.record = before, .until = versions_->open()}, &batch).ok());
  batch.Put(key, record.SerializeAsString());
  ASSERT_TRUE(store_->Write(batch).ok());
  Reopen();
  EXPECT_EQ(tags_->Find(tag->id)->name, "new");
  EXPECT_EQ(AsOf(tag->id, closed)->name, "old");
  EXPECT_EQ(AsOf(tag->id, Close())->name, "new");
}

TEST_F(TagRegistryTest, DamageOfAKeptDefinitionIsToldOf) {
  const auto tag = *tags_->Create({Tag{.name = "a"}})[0];
  const Version closed = Close();
  ASSERT_TRUE(tags_->Update(tag->id, {.unit = "bar"}).ok());
  kv::Batch batch;
  batch.Put(KeptKey(TagKey(tag->id), 1), "\xff");
  ASSERT_TRUE(store_->Write(batch).ok());
  EXPECT_EQ(tags_->FindAsOf(tag->id, closed).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(AsOf(tag->id, kVersionNow)->unit, "bar") << "what it says now is not damaged";
}

// Against a map of tags, through every kind of change and reopening.
TEST_F(TagRegistryTest, IsWhatWasSaidOfItsTags) {
  const uint64_t seed = 42;
  std::mt19937_64 random(seed);
  std::map<std::string, Tag> expected;
  std::vector<std::map<std::string, Tag>> expected_as_of(1);  // [version]
  const auto some_name = [&] { return absl::StrCat("site/", random() % 40, "/unit", random() % 10); };
  for (int round = 0; round < 3000; ++round) {
    SCOPED_TRACE(testing::Message() << "seed " << seed << " round " << round);
    clock_.Advance(1 + random() % 1000);
    switch (random() % 8) {
      case 0:
      case 1: {
        std::vector<Tag> create;
        for (int n = random() % 4; n >= 0; --n) {
          Tag& tag = create.emplace_back();
          tag.name = some_name();
          tag.type = random() % 2 == 0 ? ValueType::kFloat64 : ValueType::kDigital;
          tag.interpolation = DefaultInterpolation(tag.type);
          tag.unit = random() % 2 == 0 ? "degC" : "";
          tag.stale_after = absl::Seconds(random() % 2 * 600);
          if (tag.type == ValueType::kDigital)
            tag.states = {{0, "off"}, {1, std::string(random() % 200, 'x')}};
        }
        const auto results = tags_->Create(create);
        for (size_t i = 0; i < create.size(); ++i) {
          const auto known = expected.find(create[i].name);
          if (known == expected.end()) {
            ASSERT_TRUE(results[i].ok()) << results[i].status();
            expected[create[i].name] = **results[i];
          } else if (results[i].ok()) {
            ExpectSame(**results[i], known->second);
          } else {
            EXPECT_EQ(results[i].status().code(), absl::StatusCode::kAlreadyExists);
          }
        }
        break;
      }
      case 2:
      case 3: {
        const auto known = expected.find(some_name());
        if (known == expected.end()) break;
        TagChange change{.description = std::string(random() % 3000, 'd')};
        if (random() % 2 == 0) change.stale_after = absl::Seconds(random() % 3);
        const auto changed = tags_->Update(known->second.id, change);
        ASSERT_TRUE(changed.ok());
        known->second = **changed;
        break;
      }
      case 4: {
        const auto known = expected.find(some_name());
        if (known == expected.end()) break;
        const auto changed = tags_->SetRetired(known->second.id, random() % 2 == 0);
        ASSERT_TRUE(changed.ok());
        known->second = **changed;
        break;
      }
      case 5: {
        const std::string prefix = random() % 2 == 0 ? "" : absl::StrCat("site/", random() % 5);
        const std::string after = random() % 2 == 0 ? "" : some_name();
        const std::string pattern = random() % 2 == 0 ? "" : "*unit[1-4]";
        const bool retired = random() % 2 == 0;
        const size_t limit = 1 + random() % 50;
        std::vector<std::string> want;
        for (const auto& [name, tag] : expected) {
          if (want.size() < limit && name.substr(0, prefix.size()) == prefix && name > after &&
              (retired || !tag.retired) && (pattern.empty() || TagPattern::Compile(pattern)->Matches(name))) {
            want.push_back(name);
          }
        }
        EXPECT_EQ(NamesOf({.pattern = pattern,
                           .prefix = prefix,
                           .after = after,
                           .limit = limit,
                           .include_retired = retired}),
                  want);
        break;
      }
      default: {
        const std::string name = some_name();
        const auto known = expected.find(name);
        const auto found = tags_->Find(name);
        ASSERT_EQ(found != nullptr, known != expected.end());
        if (found == nullptr) break;
        ExpectSame(*found, known->second);
        ExpectSame(*tags_->Find(found->id), known->second);
        TagTraits traits;
        tags_->GetTraits(&found->id, 1, &traits);
        EXPECT_TRUE(traits.exists);
        EXPECT_EQ(traits.type, known->second.type);
        EXPECT_EQ(traits.retired, known->second.retired);
        EXPECT_EQ(absl::Seconds(traits.stale_after_s), known->second.stale_after);
      }
    }
    if (random() % 50 == 0) {
      Close();
      expected_as_of.push_back(expected);
    }
    if (closed_ > 0 && !expected.empty()) {
      const Version version = 1 + random() % closed_;
      const auto tag = std::next(expected.begin(), random() % expected.size());
      const auto then = expected_as_of[version].find(tag->first);
      const auto found = AsOf(tag->second.id, version);
      ASSERT_EQ(found != nullptr, then != expected_as_of[version].end());
      if (found != nullptr) ExpectSame(*found, then->second);
    }
    if (round % 500 == 499) Reopen();
  }
  EXPECT_EQ(tags_->size(), expected.size());
  EXPECT_EQ(tags_->Find(0), nullptr);
  EXPECT_EQ(tags_->Find(tags_->last_id() + 1), nullptr);
}

// ---- Memory

Tag TagOfStates(size_t i, uint32_t states) {
  Tag tag{.name = absl::StrCat("site-a/area-", i / 10'000, "/unit-", i / 100 % 100, "/valve-", i % 100),
          .type = states > 0 ? ValueType::kDigital : ValueType::kFloat64,
          .interpolation = states > 0 ? Interpolation::kStepped : Interpolation::kSloped,
          .unit = states > 0 ? "" : "degC"};
  for (uint32_t code = 0; code < states; ++code) tag.states[code] = absl::StrCat("state number ", code);
  return tag;
}

TEST_F(TagRegistryTest, SaysOfItsMemoryWhatTheHeapSays) {
  if (!kHeapIsKnown) GTEST_SKIP();
  const struct {
    size_t tags;
    uint32_t states;
  } kCases[] = {{100'000, 0}, {3'000, 100}, {20, 20'000}};
  size_t made = 0;
  for (const auto& [tags, states] : kCases) {
    std::vector<Tag> create;
    for (size_t i = 0; i < tags; ++i) create.push_back(TagOfStates(made++, states));
    for (const auto& created : tags_->Create(std::move(create)))
      ASSERT_TRUE(created.ok()) << created.status();
    const uint64_t counted_when_created = memory_->Of(DefinitionKind::kTags);
    Reopen();
    ASSERT_TRUE(tags_->ListIds({.limit = 1}).ok());  // The sorted names are in it.
    const int64_t in_use = HeapInUse() - tags_before_;
    EXPECT_TRUE(IsAbout(memory_->Of(DefinitionKind::kTags), in_use))
        << states << " states: counted " << memory_->Of(DefinitionKind::kTags) << ", in use " << in_use;
    EXPECT_TRUE(IsAbout(counted_when_created, in_use)) << states << " states, when they were created";
    std::printf("%zu tags so far, the last with %u states: %ld bytes\n", made, states,
                static_cast<long>(in_use));
  }
}

TEST_F(TagRegistryTest, ATagForWhichThereIsNoMemoryIsRefused) {
  bytes_max_ = size_t{2} << 20;
  Reopen();
  size_t made = 0;
  absl::Status refused;
  while (refused.ok() && made < 100) {
    refused = tags_->Create({TagOfStates(made, 2'000)})[0].status();
    if (refused.ok()) ++made;
  }
  EXPECT_GT(made, 10u);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(refused.message(), testing::HasSubstr("limits.memory_budget"));
  EXPECT_THAT(refused.message(), testing::HasSubstr("/valve-"));
  EXPECT_LE(memory_->bytes(), bytes_max_);
  EXPECT_EQ(tags_->size(), made);
  // A small one may have room, and those that are there are what they were.
  EXPECT_TRUE(tags_->Create({TagOfStates(0, 2'000)})[0].ok()) << "it exists";
  EXPECT_TRUE(tags_->SetRetired(1, true).ok());
  EXPECT_TRUE(tags_->Update(2, {.remove_states = {1, 2, 3}}).ok());
  TagChange more;
  for (uint32_t code = 10'000; code < 40'000; ++code) more.set_states[code] = "another state";
  EXPECT_EQ(tags_->Update(3, more).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(tags_->Find(3)->states.size(), 2'000u);
}

TEST_F(TagRegistryTest, OfARequestAsManyTagsAreMadeAsHaveRoom) {
  bytes_max_ = size_t{4} << 20;
  Reopen();
  std::vector<Tag> create;
  for (size_t i = 0; i < 40'000; ++i) create.push_back(TagOfStates(i, 0));
  const auto created = tags_->Create(std::move(create));
  size_t made = 0;
  for (const auto& one : created) {
    if (one.ok()) {
      ++made;
    } else {
      EXPECT_EQ(one.status().code(), absl::StatusCode::kResourceExhausted) << one.status();
    }
  }
  EXPECT_GT(made, 10'000u);
  EXPECT_LT(made, 40'000u);
  EXPECT_LE(memory_->bytes(), bytes_max_ + bytes_max_ / 8) << "a table may grow with the last ones";
}

TEST_F(TagRegistryTest, MoreTagsThanThereIsMemoryForAreReadAllTheSame) {
  std::vector<Tag> create;
  for (size_t i = 0; i < 10'000; ++i) create.push_back(TagOfStates(i, 0));
  for (const auto& created : tags_->Create(std::move(create))) ASSERT_TRUE(created.ok());
  bytes_max_ = size_t{64} << 10;
  Reopen();
  EXPECT_EQ(tags_->size(), 10'000u);
  EXPECT_FALSE(memory_->Shortage().ok());
  EXPECT_EQ(tags_->Find(10'000)->unit, "degC");
  EXPECT_EQ(tags_->Create({Tag{.name = "new"}})[0].status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(tags_->SetRetired(1, true).ok());
}

TEST_F(TagRegistryTest, ChangesLeaveNothingBehind) {
  std::vector<Tag> create;
  for (size_t i = 0; i < 100; ++i) create.push_back(TagOfStates(i, 0));
  tags_->Create(std::move(create));
  const uint64_t before = memory_->Of(DefinitionKind::kTags);
  for (int i = 0; i < 1'000; ++i) {
    const std::string text(static_cast<size_t>(4'000 + i % 7), 'x');
    ASSERT_TRUE(tags_->Update(static_cast<TagId>(1 + i % 100), {.description = text}).ok());
    clock_.Advance(kNanosPerSecond);
  }
  for (TagId id = 1; id <= 100; ++id) ASSERT_TRUE(tags_->Update(id, {.description = ""}).ok());
  EXPECT_LE(memory_->Of(DefinitionKind::kTags), before + (size_t{256} << 10));
}

TEST_F(TagRegistryTest, WhatIsKeptReadyIsBounded) {
  std::vector<Tag> create;
  for (size_t i = 0; i < 300; ++i) create.push_back(TagOfStates(i, 3'000));
  for (const auto& created : tags_->Create(std::move(create))) ASSERT_TRUE(created.ok());
  for (TagId id = 1; id <= 300; ++id) {
    EXPECT_EQ(tags_->Find(id)->states.size(), 3'000u);
    EXPECT_LE(tags_->recent_bytes(), TagRegistry::kRecentBytesMax);
  }
  EXPECT_GT(tags_->recent_bytes(), TagRegistry::kRecentBytesMax / 2);
  EXPECT_EQ(tags_->Find(300), tags_->Find(300));
  tags_->SetRecentBytesMax(size_t{1} << 20);
  EXPECT_LE(tags_->recent_bytes(), size_t{1} << 20);
  EXPECT_EQ(tags_->Find(1)->states.size(), 3'000u);
}

}  // namespace
}  // namespace historian
