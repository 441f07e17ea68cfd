// What verification promises: it finds every damage, names it, and finds none where there is none.
#include "storage/upkeep/verify.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/archive/archive_fixture.h"
#include "storage/format/block.h"
#include "storage/format/key.h"
#include "storage/format/record_keys.h"
#include "storage/kv/rocksdb_store.h"

namespace historian {
namespace {

using ::testing::HasSubstr;

class VerifyTest : public ArchiveTest {
 protected:
  // Found by one verification.
  struct Found {
    VerifyCounts counts;
    std::vector<Damage> damages;
    std::set<TagId> tags;
  };
  Found VerifyAll(const VerifyOptions& options = {}) {
    Found found;
    const absl::StatusOr<VerifyCounts> counts =
        archive_->upkeep().Verify(options, {.on_damage = [&](const Damage& damage) {
                                    found.damages.push_back(damage);
                                    found.tags.insert(damage.tag);
                                  }});
    EXPECT_TRUE(counts.ok()) << counts.status();
    if (counts.ok()) found.counts = *counts;
    EXPECT_EQ(found.counts.damages, found.damages.size());
    return found;
  }

  // `size` samples a second apart, from `from` seconds after kStart on.
  void WriteRun(TagId tag, ValueType type, int from, int size, int salt = 0) {
    Samples samples;
    for (int i = from; i < from + size; ++i) {
      const Timestamp t = kStart + i * kSecond;
      const Quality quality = i % 97 == 0 ? kBadNoData : kGood;
      if (type == ValueType::kString) {
        samples.AddString(t, std::to_string(i % 7 + salt), quality);
      } else {
        samples.Add(t, type == ValueType::kFloat64 ? BitsOfFloat64(i * 0.1 + salt) : BitsOfInt64(i + salt),
                    quality);
      }
    }
    const absl::StatusOr<WriteResult> written = WriteColumn(tag, type, samples);
    ASSERT_TRUE(written.ok()) << written.status();
    ASSERT_EQ(written->stored, size);
  }

  std::vector<std::string> Keys(kv::Space space) {
    const std::unique_ptr<kv::Cursor> cursor = store_->NewCursor(space);
    std::vector<std::string> keys;
    for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) keys.emplace_back(cursor->key());
    return keys;
  }
  std::string Stored(kv::Space space, const std::string& key) { return **store_->Get(space, key); }
  // Replaces what is stored under the key, behind the archive's back.
  void Overwrite(kv::Space space, const std::string& key, const std::string& value) {
    std::vector<std::unique_ptr<kv::RunBuilder>> runs;
    runs.push_back(*store_->NewRun(space));
    ASSERT_TRUE(runs.back()->Add(key, value).ok());
    ASSERT_TRUE(store_->Ingest(std::move(runs)).ok());
  }

  // Everything that can be stored: settled and not, late, replaced and open, of all kinds of types.
  void Fill() {
    tags_ = {MakeTag("a", ValueType::kFloat64), MakeTag("b", ValueType::kInt64),
             MakeTag("c", ValueType::kString)};
    for (const TagId tag : tags_) {
      const ValueType type = archive_->tags().Find(tag)->type;
      WriteRun(tag, type, 0, 20'000);
      WriteRun(tag, type, 5000, 3000, 5);  // Replaces what was said.
    }
    ASSERT_TRUE(archive_->upkeep().Seal(/*settle=*/true).ok());
    for (const TagId tag : tags_) {
      const ValueType type = archive_->tags().Find(tag)->type;
      WriteRun(tag, type, 30'000, 10'000);
      WriteRun(tag, type, 20'000, 500);  // Late.
    }
    ASSERT_TRUE(archive_->upkeep().Seal().ok());
    for (const TagId tag : tags_) {
      const ValueType type = archive_->tags().Find(tag)->type;
      WriteRun(tag, type, 40'000, 100);
    }
  }

  std::vector<TagId> tags_;
};

TEST_F(VerifyTest, AnIntactArchiveHasNoDamage) {
  Fill();
  const Found found = VerifyAll();
  EXPECT_THAT(found.damages, testing::IsEmpty()) << (found.damages.empty() ? "" : found.damages.front().what);
  EXPECT_EQ(found.counts.blocks, Keys(kv::Space::kHeads).size());
  EXPECT_EQ(found.counts.rollups, Keys(kv::Space::kRollups).size());
  EXPECT_GT(found.counts.rollups, 0);
  EXPECT_GT(Keys(kv::Space::kSuperseded).size(), 0);
  EXPECT_GE(found.counts.samples, archive_->Stats().samples_sealed);
  EXPECT_GT(found.counts.bytes, archive_->Stats().block_bytes);
}

TEST_F(VerifyTest, AnEmptyArchiveHasNoDamage) { EXPECT_THAT(VerifyAll().damages, testing::IsEmpty()); }

TEST_F(VerifyTest, EveryFlippedBitIsFoundAndNamedAndTheRestIsCheckedAllTheSame) {
  Fill();
  const Found intact = VerifyAll();
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  for (const kv::Space space :
       {kv::Space::kHeads, kv::Space::kPages, kv::Space::kRollups, kv::Space::kSuperseded}) {
    const std::vector<std::string> keys = Keys(space);
    for (int round = 0; round < 12; ++round) {
      const std::string& key = keys[random() % keys.size()];
      const std::string value = Stored(space, key);
      const size_t offset = random() % value.size();
      ASSERT_TRUE(faults_->DamageValue(space, key, offset).ok());
      const TagId tag = space == kv::Space::kPages     ? format::ParsePagesKey(key)->tag
                        : space == kv::Space::kRollups ? format::ParseRollupKey(key)->tag
                                                       : format::ParseHeadKey(key)->tag;
      const Found found = VerifyAll();
      ASSERT_THAT(found.tags, testing::ElementsAre(tag))
          << "space " << static_cast<int>(space) << ", byte " << offset << " of " << value.size();
      ASSERT_LE(found.damages.front().first_time, found.damages.front().last_time);
      ASSERT_GT(found.damages.front().first_time, 0);
      ASSERT_EQ(found.counts.blocks, intact.counts.blocks);
      // Not the newest when it was found before.
      ASSERT_THAT(archive_->Stats().damage, testing::Contains(HasSubstr(found.damages.back().what)));
      ASSERT_TRUE(faults_->DamageValue(space, key, offset).ok());  // Flips it back.
    }
  }
  EXPECT_THAT(VerifyAll().damages, testing::IsEmpty());
}

TEST_F(VerifyTest, DamagedOpenSamplesRecordsAndJournalAreFound) {
  Fill();
  for (const std::string& key : Keys(kv::Space::kCheckpoint)) {
    if (key[0] != 'T') continue;
    const std::string value = Stored(kv::Space::kCheckpoint, key);
    ASSERT_TRUE(faults_->DamageValue(kv::Space::kCheckpoint, key, value.size() / 2).ok());
    const Found found = VerifyAll();
    // A record of nothing but times and the newest sample has no checksum.
    EXPECT_TRUE(value.size() <= 100 || !found.damages.empty()) << value.size();
    ASSERT_TRUE(faults_->DamageValue(kv::Space::kCheckpoint, key, value.size() / 2).ok());
  }
  ASSERT_TRUE(faults_->DamageValue(kv::Space::kMeta, std::string("tag/\0\0\0\1", 8), 0).ok());
  Found found = VerifyAll();
  ASSERT_EQ(found.damages.size(), 1);
  EXPECT_EQ(found.damages[0].part, StoredPart::kRecord);
  ASSERT_TRUE(faults_->DamageValue(kv::Space::kMeta, std::string("tag/\0\0\0\1", 8), 0).ok());

  WriteRun(tags_[0], ValueType::kFloat64, 50'000, 100);
  WriteRun(tags_[0], ValueType::kFloat64, 51'000, 100);
  uint64_t damaged = 0;
  for (uint64_t position = 0; position < 10'000'000 && damaged == 0; position += 40) {
    if (!faults_->DamageLog("journal", position).ok()) continue;
    for (const Damage& damage : VerifyAll().damages) damaged += damage.part == StoredPart::kJournal;
    ASSERT_TRUE(faults_->DamageLog("journal", position).ok());
  }
  EXPECT_GT(damaged, 0);
  EXPECT_THAT(VerifyAll().damages, testing::IsEmpty());
}

TEST_F(VerifyTest, DamagedKeptDefinitionsAreFound) {
  const TagId tag = MakeTag("a", ValueType::kFloat64);
  ASSERT_TRUE(archive_->tags().Update(tag, {.unit = "bar"}).ok());
  ASSERT_TRUE(archive_->retention().SetRule({.name = "all", .pattern = "*"}).ok());
  const LegalHold hold = *archive_->retention().PlaceHold(
      {.name = "h", .pattern = "*", .start = 0, .end = 1, .reason = "r", .placed_by = "p"});
  ASSERT_TRUE(archive_->retention().ReleaseHold(hold.id, {.reason = "r", .by = "b"}).ok());
  EXPECT_THAT(VerifyAll().damages, testing::IsEmpty());
  size_t kept = 0;
  for (const std::string& key : Keys(kv::Space::kMeta)) {
    if (!IsKeptKey(key)) continue;
    ++kept;
    ASSERT_TRUE(faults_->DamageValue(kv::Space::kMeta, key, 0).ok());
    const Found found = VerifyAll();
    ASSERT_EQ(found.damages.size(), 1);
    EXPECT_EQ(found.damages[0].part, StoredPart::kRecord);
    EXPECT_THAT(found.damages[0].what, HasSubstr("from before change 1"));
    ASSERT_TRUE(faults_->DamageValue(kv::Space::kMeta, key, 0).ok());
  }
  EXPECT_EQ(kept, 3);
  // One that is readable, but of another tag.
  kv::Batch batch;
  batch.Put(KeptKey(TagKey(tag + 1), 1), Stored(kv::Space::kMeta, KeptKey(TagKey(tag), 1)));
  ASSERT_TRUE(store_->Write(batch).ok());
  const Found found = VerifyAll();
  ASSERT_EQ(found.damages.size(), 1);
  EXPECT_THAT(found.damages[0].what, HasSubstr("'tag/' 2 from before change 1"));
}

TEST_F(VerifyTest, AHeadThatContradictsItsPageIsFoundFieldByField) {
  Fill();
  const std::vector<std::string> keys = Keys(kv::Space::kHeads);
  std::string key;
  for (const std::string& k : keys) {
    if (format::ParseHeadKey(k)->tag == tags_[0]) key = k;
  }
  const std::string intact = Stored(kv::Space::kHeads, key);
  const struct {
    const char* field;
    std::function<void(Summary&)> change;
  } cases[] = {
      {"minimum", [](Summary& s) { s.min.value = BitsOfFloat64(-5); }},
      {"maximum", [](Summary& s) { s.max.value = BitsOfFloat64(1e9); }},
      {"sum", [](Summary& s) { s.sum.Add(1); }},
      {"sum of squares", [](Summary& s) { s.sum_of_squares.Add(1); }},
      {"area", [](Summary& s) { s.area_sloped.Add(1); }},
  };
  for (const auto& c : cases) {
    format::BlockHead head = *format::DecodeBlockHead(intact);
    c.change(head.pages[0].summary);
    std::string bytes;
    format::EncodeBlockHead(head, &bytes);
    Overwrite(kv::Space::kHeads, key, bytes);
    const Found found = VerifyAll();
    ASSERT_EQ(found.damages.size(), 1) << c.field;
    EXPECT_EQ(found.damages[0].tag, tags_[0]);
    EXPECT_EQ(found.damages[0].part, StoredPart::kPage);
    EXPECT_EQ(found.damages[0].first_time, head.pages[0].summary.first.time);
    EXPECT_THAT(found.damages[0].what, HasSubstr(c.field));
  }
}

TEST_F(VerifyTest, ABlockUnderAnotherKeyAndBlocksWithoutATagAreFound) {
  Fill();
  const std::string key = Keys(kv::Space::kHeads).front();
  format::BlockId id = *format::ParseHeadKey(key);
  const std::string head = Stored(kv::Space::kHeads, key);
  const std::string pages = Stored(kv::Space::kPages, format::PagesKey(id));
  id.tag = 77;
  Overwrite(kv::Space::kHeads, format::HeadKey(id), head);
  Overwrite(kv::Space::kPages, format::PagesKey(id), pages);
  id.tag = tags_[0];
  id.first_time += 1;
  Overwrite(kv::Space::kHeads, format::HeadKey(id), head);
  const Found found = VerifyAll();
  ASSERT_EQ(found.damages.size(), 2);
  EXPECT_THAT(found.damages[0].what, HasSubstr("not where its key says"));
  EXPECT_EQ(found.damages[1].tag, 77);
  EXPECT_THAT(found.damages[1].what, HasSubstr("no record of the tag"));
}

TEST_F(VerifyTest, OnlyTheTagsAndWeeksAskedForAreRead) {
  Fill();
  const std::string key = Keys(kv::Space::kPages).front();
  ASSERT_TRUE(faults_->DamageValue(kv::Space::kPages, key, 5).ok());
  const TagId damaged = format::ParsePagesKey(key)->tag;
  for (const TagId tag : tags_) {
    EXPECT_EQ(VerifyAll({.tags = {tag}}).damages.size(), tag == damaged ? 1 : 0);
  }
  const Timestamp later = kStart + 30 * 86400 * kSecond;
  EXPECT_EQ(VerifyAll({.start = later, .end = later + kSecond}).counts.blocks, 0);
  EXPECT_EQ(VerifyAll({.start = kStart, .end = kStart + kSecond}).damages.size(), 1);
}

TEST_F(VerifyTest, BlocksThatAreReplacedMeanwhileAreNoDamage) {
  Fill();
  int calls = 0;
  std::vector<Damage> damages;
  const absl::StatusOr<VerifyCounts> counts = archive_->upkeep().Verify(
      {}, {.on_damage = [&](const Damage& damage) { damages.push_back(damage); },
           .keep_going =
               [&] {
                 if (++calls % 7 == 0 && calls < 100) {
                   WriteRun(tags_[calls % 3], archive_->tags().Find(tags_[calls % 3])->type,
                            60'000 + calls * 100, 50);
                   EXPECT_TRUE(archive_->upkeep().Seal(/*settle=*/true).ok());
                 }
                 return absl::OkStatus();
               }});
  ASSERT_TRUE(counts.ok()) << counts.status();
  EXPECT_THAT(damages, testing::IsEmpty()) << (damages.empty() ? "" : damages.front().what);
  EXPECT_GT(calls, 20);
}

TEST_F(VerifyTest, EndsWhenToldTo) {
  Fill();
  int calls = 0;
  const auto counts = archive_->upkeep().Verify(
      {},
      {.keep_going = [&calls] { return ++calls < 5 ? absl::OkStatus() : absl::CancelledError("enough"); }});
  EXPECT_EQ(counts.status(), absl::CancelledError("enough"));
  EXPECT_EQ(calls, 5);
}

// Damage beneath the store, where its own checksums find it: files of RocksDB's with a byte changed.
TEST_F(VerifyTest, DamagedFilesOfTheStoreAreFound) {
  const std::string directory = std::string(getenv("TEST_TMPDIR")) + "/damaged";
  const auto close = [&] {
    producer_.reset();
    archive_.reset();
  };
  const auto open = [&] {
    close();
    absl::StatusOr<std::unique_ptr<kv::Store>> store =
        kv::OpenRocksDbStore({.path = directory, .block_cache_bytes = 1 << 20});
    ASSERT_TRUE(store.ok()) << store.status();
    archive_ = *Archive::Open(*std::move(store), options_, clock_);
    producer_ = *archive_->OpenProducer("test");
    sequence_ = archive_->DurableSequence("test");
  };
  open();
  std::vector<TagId> tags;
  for (int i = 0; i < 20; ++i) {
    tags.push_back(MakeTag("tag" + std::to_string(i), ValueType::kFloat64));
    Samples samples;
    std::mt19937_64 random(i);
    for (int k = 0; k < 3000; ++k) {
      samples.Add(kStart + k * kSecond, BitsOfFloat64(static_cast<double>(random()) * 1e-9));
    }
    ASSERT_TRUE(WriteColumn(tags.back(), ValueType::kFloat64, samples).ok());
  }
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  EXPECT_THAT(VerifyAll().damages, testing::IsEmpty());
  close();

  std::filesystem::path largest;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (entry.path().extension() != ".sst") continue;
    if (largest.empty() || entry.file_size() > std::filesystem::file_size(largest)) largest = entry.path();
  }
  ASSERT_FALSE(largest.empty());
  {
    std::fstream file(largest, std::ios::in | std::ios::out | std::ios::binary);
    const auto middle = static_cast<std::streamoff>(std::filesystem::file_size(largest) / 2);
    file.seekg(middle);
    const char byte = static_cast<char>(file.get() ^ 0x10);
    file.seekp(middle);
    file.put(byte);
  }
  open();
  const Found found = VerifyAll();
  EXPECT_FALSE(found.damages.empty());
  EXPECT_LT(found.tags.size(), 5) << "one damaged place in a file is not all of it";
  EXPECT_EQ(found.counts.blocks, tags.size());
  for (const Damage& damage : found.damages) EXPECT_THAT(damage.what, testing::Not(testing::IsEmpty()));
}

}  // namespace
}  // namespace historian
