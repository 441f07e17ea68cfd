// What an archive does with what is damaged of it: it opens, tells what is concerned, serves the rest, and lets nothing be
// changed that could hide it.
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/archive/archive_fixture.h"
#include "storage/archive/offline.h"
#include "storage/format/key.h"
#include "storage/format/record_keys.h"
#include "storage/kv/rocksdb_store.h"

namespace historian {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Over a store in memory, whose records are damaged.
class DamagedRecordsTest : public ArchiveTest {
 protected:
  void Fill() {
    for (int i = 0; i < 3; ++i) {
      tags_.push_back(MakeTag("tag" + std::to_string(i), ValueType::kInt64));
      WriteRun(tags_.back(), 0, 5000);
    }
    ASSERT_TRUE(archive_->upkeep().Seal(/*settle=*/true).ok());
    for (const TagId tag : tags_) WriteRun(tag, 5000, 100);
    ASSERT_TRUE(archive_->upkeep().Seal().ok());
  }
  void WriteRun(TagId tag, int from, int size) {
    Samples samples;
    for (int i = from; i < from + size; ++i) samples.Add(kStart + i * kSecond, BitsOfInt64(i));
    ASSERT_TRUE(WriteColumn(tag, ValueType::kInt64, samples).ok());
  }
  // Replaces what is stored under the key by bytes that are no record.
  void Break(kv::Space space, const std::string& key) {
    ASSERT_TRUE(store_->Get(space, key)->has_value());
    const std::string broken = "\x0f broken";
    if (space == kv::Space::kMeta) {
      kv::Batch batch;
      batch.Put(key, broken);
      ASSERT_TRUE(store_->Write(batch).ok());
      return;
    }
    std::vector<std::unique_ptr<kv::RunBuilder>> runs;
    runs.push_back(*store_->NewRun(space));
    ASSERT_TRUE(runs.back()->Add(key, broken).ok());
    ASSERT_TRUE(store_->Ingest(std::move(runs)).ok());
  }
  void ExpectReadOnly(const std::string& why) {
    const ArchiveStats stats = archive_->Stats();
    EXPECT_TRUE(absl::IsUnavailable(stats.read_only)) << stats.read_only;
    EXPECT_THAT(stats.read_only.message(), HasSubstr(why));
    EXPECT_THAT(stats.read_only.message(), HasSubstr("salvage"));
    EXPECT_THAT(stats.damage, Contains(HasSubstr(why)));
    EXPECT_EQ(stats.ingest, stats.read_only);
    EXPECT_EQ(WriteColumn(tags_[1], ValueType::kInt64, OneSample()).status(), stats.read_only);
    EXPECT_FALSE(archive_->upkeep().Seal().ok());
    EXPECT_FALSE(archive_->upkeep().ApplyRetention({}).ok());
    EXPECT_FALSE(archive_->tags().Create({{.name = "new"}})[0].ok());
    EXPECT_FALSE(archive_->MarkVersion("a", "b").ok());
  }
  static Samples OneSample() {
    Samples samples;
    samples.Add(kStart + 86400 * kSecond, BitsOfInt64(1));
    return samples;
  }
  absl::Status EndOf(TagId tag, size_t* size) {
    auto reader = archive_->ReadRaw({.tag = tag, .start = kTimestampMin, .end = kTimestampMax});
    if (!reader.ok()) return reader.status();
    *size = 0;
    for (Samples batch;; *size += batch.size()) {
      const absl::StatusOr<bool> more = (*reader)->Next(&batch);
      if (!more.ok() || !*more) return more.status();
    }
  }

  std::vector<TagId> tags_;
};

TEST_F(DamagedRecordsTest, ATagsDefinition) {
  Fill();
  Break(kv::Space::kMeta, TagKey(tags_[0]));
  Reopen();
  EXPECT_EQ(archive_->tags().Find(tags_[0]), nullptr);
  EXPECT_EQ(ReadAll(tags_[1]).size(), 5100);
  ExpectReadOnly("the record of tag 1 is damaged");
}

TEST_F(DamagedRecordsTest, OpenSamples) {
  Fill();
  Break(kv::Space::kCheckpoint, TailKey(tags_[0]));
  Reopen();
  size_t size = 0;
  const absl::Status status = EndOf(tags_[0], &size);
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr("tag 1"));
  EXPECT_EQ(size, 5100) << "what is in blocks is served";
  EXPECT_TRUE(absl::IsDataLoss(archive_->ReadLatest({tags_[0]}).status()));
  EXPECT_EQ(ReadAll(tags_[1]).size(), 5100);
  EXPECT_EQ((*archive_->ReadLatest({tags_[1]}))[0]->sample.time, kStart + 5099 * kSecond);
  ExpectReadOnly("open samples of tag 'tag0'");
}

TEST_F(DamagedRecordsTest, TheCheckpoint) {
  Fill();
  WriteRun(tags_[2], 5100, 10);
  Break(kv::Space::kCheckpoint, std::string(kCheckpointKey));
  Reopen();
  EXPECT_EQ(ReadAll(tags_[1]).size(), 5100);
  EXPECT_EQ(ReadAll(tags_[2]).size(), 5110) << "the journal is replayed";
  ExpectReadOnly("the checkpoint record is damaged");
}

TEST_F(DamagedRecordsTest, PartitionsVersionsAndProducers) {
  Fill();
  std::vector<std::string> keys;
  {
    const std::unique_ptr<kv::Cursor> cursor = store_->NewCursor(kv::Space::kCheckpoint);
    for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
      const char kind = cursor->key()[0];
      if (kind == 'W' || kind == 'V' || kind == 'P') keys.emplace_back(cursor->key());
    }
  }
  ASSERT_GE(keys.size(), 3);
  for (const std::string& key : keys) {
    const std::string intact = **store_->Get(kv::Space::kCheckpoint, key);
    Break(kv::Space::kCheckpoint, key);
    Reopen();
    for (const TagId tag : tags_) EXPECT_EQ(ReadAll(tag).size(), 5100);
    ExpectReadOnly("is damaged");
    Reopen();  // Its store takes changes, for the archive is not open yet.
    archive_.reset();
    std::unique_ptr<kv::Store> store = kv::OpenMemoryStore(disk_);
    std::vector<std::unique_ptr<kv::RunBuilder>> runs;
    runs.push_back(*store->NewRun(kv::Space::kCheckpoint));
    ASSERT_TRUE(runs.back()->Add(key, intact).ok());
    ASSERT_TRUE(store->Ingest(std::move(runs)).ok());
    store.reset();
    Reopen();
    EXPECT_TRUE(archive_->Stats().read_only.ok());
  }
}

TEST_F(DamagedRecordsTest, ARollupCostsNothing) {
  Fill();
  const std::vector<Timestamp> edges = {kStart, kStart + 3600 * kSecond, kStart + 2 * 3600 * kSecond};
  const auto fold = [&] {
    std::vector<Interval> intervals;
    const absl::Status status = (*archive_->ReadFolded(tags_[0]))
                                    ->Fold(edges, Interpolation::kStepped, kAllParts, AppendTo(&intervals));
    EXPECT_TRUE(status.ok()) << status;
    return intervals;
  };
  const std::vector<Interval> before = fold();
  const std::unique_ptr<kv::Cursor> cursor = store_->NewCursor(kv::Space::kRollups);
  cursor->SeekToFirst();
  ASSERT_TRUE(cursor->Valid());
  ASSERT_TRUE(faults_->DamageValue(kv::Space::kRollups, cursor->key(), cursor->value().size() / 2).ok());
  archive_.reset();
  Reopen();
  const std::vector<Interval> after = fold();
  ASSERT_EQ(after.size(), before.size());
  for (size_t i = 0; i < after.size(); ++i) {
    EXPECT_TRUE(after[i].samples == before[i].samples && after[i].area == before[i].area);
  }
}

// Over files.
class DamagedFilesTest : public ArchiveTest {
 protected:
  DamagedFilesTest() : directory_(std::string(getenv("TEST_TMPDIR")) + "/damaged_files") {
    fs::remove_all(directory_);
    Open();
  }
  void Close() {
    producer_.reset();
    archive_.reset();
  }
  void Open() {
    Close();
    absl::StatusOr<std::unique_ptr<kv::Store>> store = kv::OpenRocksDbStore(
        {.path = directory_, .block_cache_bytes = 1 << 20, .log_segment_bytes = 16 << 10});
    ASSERT_TRUE(store.ok()) << store.status();
    absl::StatusOr<std::unique_ptr<Archive>> archive = Archive::Open(*std::move(store), options_, clock_);
    ASSERT_TRUE(archive.ok()) << archive.status();
    archive_ = *std::move(archive);
    producer_ = *archive_->OpenProducer("gateway-7");
    sequence_ = archive_->DurableSequence("gateway-7");
  }
  // Frames of a sample each, with random bits.
  void WriteFrames(TagId tag, int from, int size) {
    for (int i = from; i < from + size; ++i) {
      Samples samples;
      samples.Add(kStart + i * kSecond, BitsOfInt64(i));
      ASSERT_TRUE(WriteColumn(tag, ValueType::kInt64, samples).ok());
    }
  }
  std::vector<std::string> Segments() const {
    std::vector<std::string> segments;
    for (const auto& entry : fs::directory_iterator(directory_ + "/log/journal")) {
      if (entry.path().extension().string() == ".seg") segments.push_back(entry.path());
    }
    std::sort(segments.begin(), segments.end());
    return segments;
  }
  // Zeroes the last bytes that are not zeros.
  static void ZeroEnd(const std::string& file, size_t size) {
    std::string bytes(fs::file_size(file), '\0');
    std::ifstream(file, std::ios::binary).read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    const size_t end = bytes.find_last_not_of('\0') + 1;
    std::fill(bytes.begin() + static_cast<ptrdiff_t>(end - size), bytes.begin() + static_cast<ptrdiff_t>(end),
              '\0');
    std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
  }
  uint64_t JournalDamages() {
    uint64_t damages = 0;
    const auto counts = archive_->upkeep().Verify(
        {}, {.on_damage = [&](const Damage& damage) { damages += damage.part == StoredPart::kJournal; }});
    EXPECT_TRUE(counts.ok()) << counts.status();
    return damages;
  }

  const std::string directory_;
};

TEST_F(DamagedFilesTest, AnIntactOneHasNoDamage) {
  const TagId tag = MakeTag("a", ValueType::kInt64);
  WriteFrames(tag, 0, 100);
  Open();
  EXPECT_THAT(archive_->Stats().damage, IsEmpty());
  EXPECT_EQ(archive_->Stats().journal_torn_bytes, 0);
  EXPECT_EQ(JournalDamages(), 0);
  EXPECT_EQ(ReadAll(tag).size(), 100);
}

TEST_F(DamagedFilesTest, AnEndOfTheJournalThatWasSyncedAndIsGone) {
  const TagId tag = MakeTag("a", ValueType::kInt64);
  WriteFrames(tag, 0, 100);
  Close();
  ZeroEnd(Segments().back(), 400);
  Open();
  const size_t left = ReadAll(tag).size();
  EXPECT_LT(left, 100);
  EXPECT_GT(left, 85);
  ASSERT_EQ(archive_->Stats().damage.size(), 1);
  EXPECT_THAT(archive_->Stats().damage[0], HasSubstr("journal: "));
  EXPECT_THAT(archive_->Stats().damage[0], testing::Not(HasSubstr("1970")));
  EXPECT_TRUE(archive_->Stats().read_only.ok()) << "writers go on";
  EXPECT_EQ(JournalDamages(), 1) << "until it is sealed";
  WriteFrames(tag, 200, 10);
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  EXPECT_EQ(JournalDamages(), 0);
  Open();
  EXPECT_THAT(archive_->Stats().damage, IsEmpty());
  EXPECT_EQ(ReadAll(tag).size(), left + 10);
}

TEST_F(DamagedFilesTest, ATornEndOfTheJournalIsNoDamage) {
  const TagId tag = MakeTag("a", ValueType::kInt64);
  WriteFrames(tag, 0, 100);
  Close();
  // As if the power had failed in the last commit: how far it was synced is not known then.
  fs::remove(directory_ + "/log/journal/SYNCED");
  std::fstream file(Segments().back(), std::ios::in | std::ios::out | std::ios::binary);
  std::string bytes(fs::file_size(Segments().back()), '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.seekp(static_cast<std::streamoff>(bytes.find_last_not_of('\0') - 3));
  file << "torn";
  file.close();
  Open();
  EXPECT_EQ(ReadAll(tag).size(), 99);
  EXPECT_THAT(archive_->Stats().damage, IsEmpty());
  EXPECT_GT(archive_->Stats().journal_torn_bytes, 20);
  EXPECT_GT(archive_->Stats().journal_torn_position, 1000);
  EXPECT_EQ(JournalDamages(), 0);
}

TEST_F(DamagedFilesTest, SegmentsOfTheJournalThatAreMissing) {
  const TagId tag = MakeTag("a", ValueType::kInt64);
  WriteFrames(tag, 0, 10);
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  WriteFrames(tag, 10, 990);
  Close();
  const std::vector<std::string> segments = Segments();
  ASSERT_GE(segments.size(), 4);
  const std::string kept = directory_ + "_kept";
  fs::remove_all(kept);
  fs::copy(directory_, kept, fs::copy_options::recursive);
  for (size_t missing = 0; missing < segments.size(); ++missing) {
    SCOPED_TRACE(missing);
    Close();
    fs::remove_all(directory_);
    fs::copy(kept, directory_, fs::copy_options::recursive);
    fs::remove(segments[missing]);
    {
      const absl::StatusOr<std::unique_ptr<Archive>> offline = OpenOffline(directory_);
      ASSERT_TRUE(offline.ok()) << offline.status();
      uint64_t damages = 0;
      ASSERT_TRUE(
          (*offline)
              ->upkeep()
              .Verify({}, {.on_damage = [&](const Damage& d) { damages += d.part == StoredPart::kJournal; }})
              .ok());
      EXPECT_GE(damages, 1);
    }
    Open();
    const size_t left = ReadAll(tag).size();
    EXPECT_LT(left, 990);
    EXPECT_GT(left, 400);
    ASSERT_GE(archive_->Stats().damage.size(), 1);
    EXPECT_THAT(archive_->Stats().damage[0], HasSubstr("journal: "));
    if (missing + 1 < segments.size()) {
      EXPECT_THAT(archive_->Stats().damage[0], HasSubstr("of producer 'gateway-7'"));
    }
    EXPECT_GE(JournalDamages(), 1);
  }
  fs::remove_all(kept);
}

TEST_F(DamagedFilesTest, ALostFileOfSamplesIsToldByTagsAndTimes) {
  std::vector<TagId> tags;
  for (int i = 0; i < 12; ++i) {
    tags.push_back(MakeTag("tag" + std::to_string(i), ValueType::kInt64));
    Samples samples;
    for (int k = 0; k < 3000; ++k) samples.Add(kStart + k * kSecond, BitsOfInt64(k * 7919 % 10007));
    ASSERT_TRUE(WriteColumn(tags.back(), ValueType::kInt64, samples).ok());
  }
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
  Close();
  fs::path largest;
  for (const auto& entry : fs::directory_iterator(directory_ + "/rocksdb")) {
    if (entry.path().extension().string() != ".sst") continue;
    if (largest.empty() || entry.file_size() > fs::file_size(largest)) largest = entry.path();
  }
  fs::remove(largest);
  Open();
  ASSERT_EQ(archive_->Stats().damage.size(), 1);
  const std::string told = archive_->Stats().damage[0];
  EXPECT_THAT(told, HasSubstr(largest.filename().string()));
  EXPECT_THAT(told, HasSubstr("12 tags (tag"));
  EXPECT_THAT(told, HasSubstr(", ...) from " + FormatTimestamp(kStart)));
  EXPECT_TRUE(archive_->Stats().read_only.ok());
  WriteFrames(tags[0], 5000, 10);
  ASSERT_TRUE(archive_->upkeep().Seal().ok());
}

TEST_F(DamagedFilesTest, SalvageKeepsAllThatIsThere) {
  const TagId tag = MakeTag("a", ValueType::kFloat64), text = MakeTag("b", ValueType::kString);
  for (int round = 0; round < 2; ++round) {
    Samples samples, texts;
    for (int k = 0; k < 3000; ++k) {
      samples.Add(kStart + (k + round * 2000) * kSecond, BitsOfFloat64(k * 0.1 + round));
      texts.AddString(kStart + (k + round * 2000) * kSecond, "text " + std::to_string(k % 5));
    }
    ASSERT_TRUE(WriteColumn(tag, ValueType::kFloat64, samples).ok());
    ASSERT_TRUE(WriteColumn(text, ValueType::kString, texts).ok());
    ASSERT_TRUE(archive_->upkeep().Seal(/*settle=*/round == 0).ok());
  }
  ASSERT_TRUE(archive_->MarkVersion("me", "before").ok());
  const Version before = archive_->versions().open() - 1;
  WriteFrames(MakeTag("c", ValueType::kInt64), 0, 20);
  Samples change;
  change.Add(kStart + 5 * kSecond, BitsOfFloat64(-1));
  ASSERT_TRUE(WriteColumn(tag, ValueType::kFloat64, change).ok());
  const Samples a = ReadAll(tag), b = ReadAll(text), c = ReadAll(text + 1);
  const Samples a_before =
      *ReadAll({.tag = tag, .start = kTimestampMin, .end = kTimestampMax, .as_of = before});
  const uint64_t sequence = archive_->DurableSequence("gateway-7");
  const std::string to = directory_ + "_new";
  fs::remove_all(to);
  EXPECT_FALSE(SalvageDirectory(directory_, to, {}).ok()) << "a server runs on it";
  Close();
  const auto counts = SalvageDirectory(directory_, to, {});
  ASSERT_TRUE(counts.ok()) << counts.status();
  EXPECT_EQ(counts->losses, 0);
  EXPECT_EQ(SalvageDirectory(directory_, to, {}).status().code(), absl::StatusCode::kAlreadyExists);

  absl::StatusOr<std::unique_ptr<kv::Store>> store = kv::OpenRocksDbStore({.path = to});
  ASSERT_TRUE(store.ok()) << store.status();
  archive_ = *Archive::Open(*std::move(store), options_, clock_);
  ExpectSame(ValueType::kFloat64, ReadAll(tag), a, "a");
  ExpectSame(ValueType::kString, ReadAll(text), b, "b");
  ExpectSame(ValueType::kInt64, ReadAll(text + 1), c, "c");
  ExpectSame(ValueType::kFloat64,
             *ReadAll({.tag = tag, .start = kTimestampMin, .end = kTimestampMax, .as_of = before}), a_before,
             "as of a version");
  EXPECT_EQ(archive_->DurableSequence("gateway-7"), sequence);
  std::vector<std::string> found;
  ASSERT_TRUE(archive_->upkeep()
                  .Verify({}, {.on_damage = [&](const Damage& d) { found.push_back(DescribeDamage(d)); }})
                  .ok());
  EXPECT_THAT(found, IsEmpty());
  // It lives on.
  producer_ = *archive_->OpenProducer("gateway-7");
  sequence_ = archive_->DurableSequence("gateway-7");
  WriteFrames(text + 1, 100, 20);
  ASSERT_TRUE(archive_->upkeep().Seal(/*settle=*/true).ok());
  EXPECT_EQ(ReadAll(text + 1).size(), 40);
  ExpectSame(ValueType::kFloat64, ReadAll(tag), a, "a, settled");
  Close();
  fs::remove_all(to);
}

// What a week has is later than what its long partition has, although that was settled later.
TEST_F(DamagedFilesTest, SalvageTakesTheNewestOfAWeekBeforeThatOfItsLongPartition) {
  const TagId tag = MakeTag("a", ValueType::kFloat64);
  const Timestamp start = format::PartitionStart(format::FirstWeek(format::LongPartitionOf(kStart)));
  const auto write = [&](Timestamp time, int count, double value) {
    Samples samples;
    for (int k = 0; k < count; ++k) samples.Add(time + k * kSecond, BitsOfFloat64(value));
    ASSERT_TRUE(WriteColumn(tag, ValueType::kFloat64, samples).ok());
    ASSERT_TRUE(archive_->upkeep().Seal(/*settle=*/true).ok());
  };
  // It goes to the long partition, and when it becomes a fast tag, it stays there.
  write(start + format::kPartitionNanos + 9000 * kSecond, 1, 1);
  write(start + format::kPartitionNanos, 9001, 2);
  write(start, 1, 3);  // Now the long partition is settled anew.
  const Samples all = ReadAll(tag);
  ASSERT_EQ(all.values.back(), BitsOfFloat64(2));
  Close();
  // Without its record of a tail the tag's newest is looked for in blocks.
  {
    absl::StatusOr<std::unique_ptr<kv::Store>> store = kv::OpenRocksDbStore({.path = directory_});
    ASSERT_TRUE(store.ok()) << store.status();
    ASSERT_TRUE((*store)->DeleteRange(kv::Space::kCheckpoint, TailKey(tag), TailKey(tag + 1)).ok());
  }
  const std::string to = directory_ + "_new";
  fs::remove_all(to);
  const auto counts = SalvageDirectory(directory_, to, {});
  ASSERT_TRUE(counts.ok()) << counts.status();
  absl::StatusOr<std::unique_ptr<kv::Store>> store = kv::OpenRocksDbStore({.path = to});
  ASSERT_TRUE(store.ok()) << store.status();
  archive_ = *Archive::Open(*std::move(store), options_, clock_);
  EXPECT_EQ((*archive_->ReadLatest({&tag, 1}))[0]->sample.value, BitsOfFloat64(2));
  ExpectSame(ValueType::kFloat64, ReadAll(tag), all, "salvaged");
  Close();
  fs::remove_all(to);
}

}  // namespace
}  // namespace historian
