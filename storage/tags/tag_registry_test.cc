#include "storage/tags/tag_registry.h"

#include <map>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/kv/memory_store.h"

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
    store_.reset();
    store_ = kv::OpenMemoryStore(disk_);
    auto tags = TagRegistry::Open(*store_, clock_);
    ASSERT_TRUE(tags.ok()) << tags.status();
    tags_ = *std::move(tags);
  }

  std::vector<std::string> NamesOf(const std::vector<std::shared_ptr<const Tag>>& tags) {
    std::vector<std::string> names;
    for (const auto& tag : tags) names.push_back(tag->name);
    return names;
  }

  const std::shared_ptr<kv::MemoryDisk> disk_;
  SimulatedClock clock_;
  std::unique_ptr<kv::Store> store_;
  std::unique_ptr<TagRegistry> tags_;
};

TEST_F(TagRegistryTest, NewTagsTakeTheirPlaceInTheList) {
  tags_->Create({Tag{.name = "b"}, Tag{.name = "d"}});
  EXPECT_THAT(NamesOf(tags_->List("", "", "", 10, false)), ElementsAre("b", "d"));
  tags_->Create({Tag{.name = "e"}, Tag{.name = "a"}, Tag{.name = "c"}});
  EXPECT_THAT(NamesOf(tags_->List("", "", "", 10, false)), ElementsAre("a", "b", "c", "d", "e"));
  EXPECT_THAT(NamesOf(tags_->List("", "", "b", 2, false)), ElementsAre("c", "d"));
}

// Against a map of tags, through every kind of change and reopening.
TEST_F(TagRegistryTest, IsWhatWasSaidOfItsTags) {
  const uint64_t seed = 42;
  std::mt19937_64 random(seed);
  std::map<std::string, Tag> expected;
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
              (retired || !tag.retired) && (pattern.empty() || MatchesGlob(pattern, name))) {
            want.push_back(name);
          }
        }
        EXPECT_EQ(NamesOf(tags_->List(pattern, prefix, after, limit, retired)), want);
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
    if (round % 500 == 499) Reopen();
  }
  EXPECT_EQ(tags_->size(), expected.size());
  EXPECT_EQ(tags_->Find(0), nullptr);
  EXPECT_EQ(tags_->Find(tags_->last_id() + 1), nullptr);
}

}  // namespace
}  // namespace historian
