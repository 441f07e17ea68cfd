// What a definition says as of a version, against a list of its changes.
#include "storage/versions/kept_definitions.h"

#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/format/record_keys.h"
#include "storage/kv/memory_store.h"

namespace historian {
namespace {

using testing::Optional;

class KeptDefinitionsTest : public testing::Test {
 protected:
  // The definition becomes `after` in the version, in one batch with what it was.
  void Change(const std::string& key, Version version, const std::string& after) {
    kv::Batch batch;
    const std::string before = store_->Get(kv::Space::kMeta, key)->value_or("");
    ASSERT_TRUE(Keep(*store_, key, {.record = before, .until = version}, &batch).ok());
    batch.Put(key, after);
    EXPECT_EQ(batch.ops().size(), 2);
    ASSERT_TRUE(store_->Write(batch).ok());
  }
  std::optional<std::string> AsOf(const std::string& key, Version version) {
    const absl::StatusOr<std::optional<std::string>> record = ReadAsOf(*store_, key, version);
    EXPECT_TRUE(record.ok()) << record.status();
    return record.ok() ? *record : std::nullopt;
  }

  const std::unique_ptr<kv::Store> store_ = kv::NewMemoryStore();
};

TEST_F(KeptDefinitionsTest, AsOfAVersionIsWhatItsLastChangeSaid) {
  EXPECT_EQ(AsOf("a", 1), std::nullopt);
  Change("a", 3, "one");
  Change("a", 5, "two");
  Change("a", 5, "three");
  EXPECT_THAT(AsOf("a", 2), Optional(std::string())) << "nothing stood there";
  EXPECT_THAT(AsOf("a", 3), Optional(std::string("one")));
  EXPECT_THAT(AsOf("a", 4), Optional(std::string("one")));
  EXPECT_THAT(AsOf("a", 5), Optional(std::string("three")));
  EXPECT_THAT(AsOf("a", kVersionNow), Optional(std::string("three")));
}

TEST_F(KeptDefinitionsTest, AreReadAsTheyWereWritten) {
  const KeptDefinition was{.record = "a tag", .until = 7, .changed = 1'796'007'600, .author = "ada"};
  kv::Batch batch;
  ASSERT_TRUE(Keep(*store_, "a", was, &batch).ok());
  ASSERT_EQ(batch.ops().size(), 1);
  EXPECT_EQ(batch.ops()[0].key, std::string("was/a\0\0\0\0\0\0\0\1", 13));
  const absl::StatusOr<KeptDefinition> read = ReadKeptRecord(*batch.ops()[0].value);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->record, was.record);
  EXPECT_EQ(read->until, was.until);
  EXPECT_EQ(read->changed, was.changed);
  EXPECT_EQ(read->author, was.author);
}

TEST_F(KeptDefinitionsTest, EqualAListOfChangesOfManyDefinitions) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  // Ids whose bytes begin or end alike.
  const std::vector<std::string> keys = {TagKey(1),       TagKey(2),       TagKey(256), TagKey(~TagId{0}),
                                         LegalHoldKey(1), LegalHoldKey(2), "rules"};
  constexpr Version kVersions = 40;
  std::vector<std::vector<std::string>> as_of(keys.size(), std::vector<std::string>(kVersions + 1));
  for (const std::string& key : keys) Change(key, 1, "");
  for (Version version = 1; version <= kVersions; ++version) {
    for (size_t k = 0; k < keys.size(); ++k) {
      as_of[k][version] = as_of[k][version - 1];
      for (uint64_t changes = random() % 4 * (random() % 2); changes > 0; --changes) {
        as_of[k][version] = std::to_string(random());
        Change(keys[k], version, as_of[k][version]);
      }
    }
  }
  for (size_t k = 0; k < keys.size(); ++k) {
    for (Version version = 1; version <= kVersions; ++version) {
      EXPECT_THAT(AsOf(keys[k], version), Optional(as_of[k][version])) << k << " as of " << version;
    }
  }
}

TEST_F(KeptDefinitionsTest, DamageIsToldOf) {
  for (Version version = 1; version <= 5; ++version) Change("a", version, std::to_string(version));
  kv::Batch batch;
  batch.Put(KeptKey("a", 3), "\xff");
  batch.Delete(KeptKey("a", 4));
  ASSERT_TRUE(store_->Write(batch).ok());
  for (const Version version : {1, 3}) {
    const absl::Status status = ReadAsOf(*store_, "a", version).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << version;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr("'a' as it was before change"));
  }
  EXPECT_THAT(AsOf("a", kVersionNow), Optional(std::string("5"))) << "what it says now is not damaged";
}

}  // namespace
}  // namespace historian
