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
#include "storage/model/tag_pattern.h"
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
    auto tags = TagRegistry::Open(*store_, *versions_, clock_);
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
  Version closed_ = 0;  // The last that has.
  std::shared_ptr<kv::Faults> faults_;
  std::unique_ptr<kv::Store> store_;
  std::unique_ptr<VersionTable> versions_;
  std::unique_ptr<TagRegistry> tags_;
};

TEST_F(TagRegistryTest, NewTagsTakeTheirPlaceInTheList) {
  tags_->Create({Tag{.name = "b"}, Tag{.name = "d"}});
  EXPECT_THAT(NamesOf({}), ElementsAre("b", "d"));
  tags_->Create({Tag{.name = "e"}, Tag{.name = "a"}, Tag{.name = "c"}});
  EXPECT_THAT(NamesOf({}), ElementsAre("a", "b", "c", "d", "e"));
  EXPECT_THAT(NamesOf({.after = "b", .limit = 2}), ElementsAre("c", "d"));
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
        const auto changed =
            tags_->Update(known->second.id, {.description = std::string(random() % 3000, 'd')});
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

}  // namespace
}  // namespace historian
