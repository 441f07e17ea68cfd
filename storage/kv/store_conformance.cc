#include "storage/kv/store_conformance.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gmock/gmock.h"

namespace historian::kv {

void StoreConformance::Reopen() {
  store_.reset();
  auto store = place_->Open();
  ASSERT_TRUE(store.ok()) << store.status();
  store_ = *std::move(store);
}

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

using Pairs = std::vector<std::pair<std::string, std::string>>;

constexpr Space kAllSpaces[] = {Space::kMeta,       Space::kHeads,   Space::kPages,
                                Space::kCheckpoint, Space::kRollups, Space::kSuperseded};
constexpr Space kRunSpaces[] = {Space::kHeads, Space::kPages, Space::kCheckpoint, Space::kRollups,
                                Space::kSuperseded};

absl::Status Ingest(Store& store, Space space, const Pairs& pairs) {
  auto run = store.NewRun(space);
  if (!run.ok()) return run.status();
  for (const auto& [key, value] : pairs) {
    if (absl::Status status = (*run)->Add(key, value); !status.ok()) return status;
  }
  std::vector<std::unique_ptr<RunBuilder>> runs;
  runs.push_back(*std::move(run));
  return store.Ingest(std::move(runs));
}

// By a batch or a run, as the space wants it. Keys must ascend.
absl::Status Put(Store& store, Space space, const Pairs& pairs) {
  if (space != Space::kMeta) return Ingest(store, space, pairs);
  Batch batch;
  for (const auto& [key, value] : pairs) batch.Put(key, value);
  return store.Write(batch);
}

Pairs Contents(Store& store, Space space) {
  Pairs pairs;
  const auto cursor = store.NewCursor(space);
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next())
    pairs.emplace_back(cursor->key(), cursor->value());
  EXPECT_TRUE(cursor->status().ok()) << cursor->status();
  return pairs;
}

std::string GetOr(Store& store, Space space, absl::string_view key, std::string absent) {
  const auto value = store.Get(space, key);
  EXPECT_TRUE(value.ok()) << value.status();
  return value.ok() && value->has_value() ? **value : absent;
}

absl::StatusCode CodeOf(const absl::Status& status) { return status.code(); }

// Everything a log holds that was written: what follows `end` must be zeros.
std::string Written(const Log& log, uint64_t end) {
  const auto bytes = log.Read(log.begin(), log.end() - log.begin());
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  if (!bytes.ok() || log.end() < end) return "too short";
  const size_t size = end - log.begin();
  EXPECT_EQ(bytes->find_first_not_of('\0', size), std::string::npos);
  return bytes->substr(0, size);
}

std::string RandomBytes(std::mt19937_64& random, size_t size) {
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>('a' + random() % 26);
  return bytes;
}

#define ASSERT_OK(expression)                               \
  do {                                                      \
    const absl::Status assert_ok_status = (expression);     \
    ASSERT_TRUE(assert_ok_status.ok()) << assert_ok_status; \
  } while (false)

TEST_P(StoreConformance, AbsentKeysAreAnAnswer) {
  for (const Space space : kAllSpaces) {
    const auto value = store_->Get(space, "nothing");
    ASSERT_TRUE(value.ok()) << value.status();
    EXPECT_EQ(*value, std::nullopt);
    EXPECT_THAT(Contents(*store_, space), IsEmpty());
  }
}

TEST_P(StoreConformance, KeysAreOrderedAsUnsignedBytes) {
  const Pairs pairs = {{"", "empty"},
                       {std::string("\0", 1), "zero"},
                       {std::string("\0\0", 2), "zeros"},
                       {"A", ""},
                       {"a", "1"},
                       {"a\x7f", "2"},
                       {"a\x80", "3"},
                       {"b", "4"},
                       {"\xff", "5"},
                       {"\xff\xff", "6"}};
  for (const Space space : kAllSpaces) {
    ASSERT_OK(Put(*store_, space, pairs));
    EXPECT_EQ(Contents(*store_, space), pairs);
    for (const auto& [key, value] : pairs) EXPECT_EQ(GetOr(*store_, space, key, "absent"), value);
  }
}

TEST_P(StoreConformance, SpacesAreApart) {
  ASSERT_OK(Put(*store_, Space::kPages, {{"key", "page"}}));
  ASSERT_OK(Put(*store_, Space::kMeta, {{"key", "meta"}}));
  EXPECT_EQ(GetOr(*store_, Space::kPages, "key", "absent"), "page");
  EXPECT_EQ(GetOr(*store_, Space::kMeta, "key", "absent"), "meta");
  EXPECT_EQ(GetOr(*store_, Space::kHeads, "key", "absent"), "absent");
}

TEST_P(StoreConformance, CursorsBeginNowhereAndFindTheirWay) {
  for (const Space space : kAllSpaces) {
    ASSERT_OK(Put(*store_, space, {{"b", "1"}, {"d", "2"}, {"f", "3"}}));
    const auto cursor = store_->NewCursor(space);
    EXPECT_FALSE(cursor->Valid());
    const struct {
      const char* target;
      const char* at_or_after;
      const char* at_or_before;
    } cases[] = {{"a", "b", ""}, {"b", "b", "b"}, {"c", "d", "b"}, {"f", "f", "f"}, {"g", "", "f"}};
    for (const auto& c : cases) {
      cursor->Seek(c.target);
      EXPECT_EQ(cursor->Valid() ? cursor->key() : "", c.at_or_after) << c.target;
      cursor->SeekForPrev(c.target);
      EXPECT_EQ(cursor->Valid() ? cursor->key() : "", c.at_or_before) << c.target;
    }
    cursor->SeekToFirst();
    EXPECT_EQ(cursor->value(), "1");
    cursor->Next();
    cursor->Next();
    EXPECT_EQ(cursor->key(), "f");
    cursor->Prev();
    EXPECT_EQ(cursor->key(), "d");
    EXPECT_EQ(cursor->value(), "2");
    cursor->Prev();
    cursor->Prev();
    EXPECT_FALSE(cursor->Valid());
    EXPECT_TRUE(cursor->status().ok());
  }
}

TEST_P(StoreConformance, CursorsDoNotSeeLaterChanges) {
  for (const Space space : kAllSpaces) {
    ASSERT_OK(Put(*store_, space, {{"a", "old"}, {"b", "old"}, {"c", "old"}}));
    auto cursor = store_->NewCursor(space);
    ASSERT_OK(Put(*store_, space, {{"a", "new"}, {"aa", "new"}}));
    ASSERT_OK(store_->DeleteRange(space, "b", "d"));
    Pairs seen;
    for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next())
      seen.emplace_back(cursor->key(), cursor->value());
    EXPECT_THAT(seen, ElementsAre(Pair("a", "old"), Pair("b", "old"), Pair("c", "old")));
    cursor.reset();
    EXPECT_THAT(Contents(*store_, space), ElementsAre(Pair("a", "new"), Pair("aa", "new")));
  }
}

TEST_P(StoreConformance, BatchesApplyInOrder) {
  ASSERT_OK(Put(*store_, Space::kMeta, {{"gone", "1"}, {"kept", "1"}}));
  Batch batch;
  batch.Delete("gone");
  batch.Delete("never there");
  batch.Put("twice", "1");
  batch.Put("twice", "2");
  batch.Put("back", "1");
  batch.Delete("back");
  ASSERT_OK(store_->Write(batch));
  EXPECT_THAT(Contents(*store_, Space::kMeta), ElementsAre(Pair("kept", "1"), Pair("twice", "2")));
  ASSERT_OK(store_->Write(Batch()));
}

TEST_P(StoreConformance, RunsOfSeveralSpacesAreTakenInTogether) {
  std::vector<std::unique_ptr<RunBuilder>> runs;
  for (const Space space : kRunSpaces) {
    for (const char* key : {"a", "b"}) {
      auto run = store_->NewRun(space);
      ASSERT_TRUE(run.ok()) << run.status();
      EXPECT_EQ((*run)->space(), space);
      ASSERT_OK((*run)->Add(key, "value"));
      EXPECT_EQ((*run)->size_bytes(), 6);
      runs.push_back(*std::move(run));
    }
    runs.push_back(*store_->NewRun(space));  // Empty.
  }
  ASSERT_OK(store_->Ingest(std::move(runs)));
  for (const Space space : kRunSpaces) {
    EXPECT_THAT(Contents(*store_, space), ElementsAre(Pair("a", "value"), Pair("b", "value")));
  }
  ASSERT_OK(store_->Ingest({}));
}

class StrangersRun : public RunBuilder {
 public:
  Space space() const override { return Space::kPages; }
  absl::Status Replace(absl::string_view, absl::string_view) override { return absl::OkStatus(); }
  absl::Status Add(absl::string_view, absl::string_view) override { return absl::OkStatus(); }
  uint64_t size_bytes() const override { return 0; }
};

TEST_P(StoreConformance, ABatchIsTakenInWithItsRuns) {
  for (int round = 0; round < 3; ++round) {
    // Some of it was written by a batch of its own just now, some by the ingestion before.
    ASSERT_OK(Put(*store_, Space::kMeta, {{"gone", "old"}, {"kept", "old"}, {"replaced", "old"}}));
    std::vector<std::unique_ptr<RunBuilder>> runs;
    runs.push_back(*store_->NewRun(Space::kHeads));
    ASSERT_OK(runs.back()->Add("head", absl::StrCat(round)));
    Batch batch;
    batch.Put("replaced", "first");
    batch.Delete("gone");
    batch.Delete("never there");
    batch.Put("replaced", absl::StrCat(round));
    batch.Put(absl::StrCat("added", round), "new");
    ASSERT_OK(store_->Ingest(std::move(runs), batch));
    EXPECT_THAT(Contents(*store_, Space::kHeads), ElementsAre(Pair("head", absl::StrCat(round))));
    EXPECT_EQ(GetOr(*store_, Space::kMeta, "gone", "absent"), "absent");
    EXPECT_EQ(GetOr(*store_, Space::kMeta, "kept", "absent"), "old");
    EXPECT_EQ(GetOr(*store_, Space::kMeta, "replaced", "absent"), absl::StrCat(round));
  }
  Batch alone;
  alone.Delete("kept");
  ASSERT_OK(store_->Ingest({}, alone));
  Reopen();
  EXPECT_THAT(Contents(*store_, Space::kMeta), ElementsAre(Pair("added0", "new"), Pair("added1", "new"),
                                                           Pair("added2", "new"), Pair("replaced", "2")));
}

TEST_P(StoreConformance, NoBatchIsAppliedWhenARunIsRefused) {
  ASSERT_OK(Put(*store_, Space::kMeta, {{"a", "old"}}));
  Batch batch;
  batch.Put("a", "new");
  std::vector<std::unique_ptr<RunBuilder>> runs;
  runs.push_back(std::make_unique<StrangersRun>());
  EXPECT_EQ(CodeOf(store_->Ingest(std::move(runs), batch)), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(GetOr(*store_, Space::kMeta, "a", "absent"), "old");
  batch.Put(std::string(kKeyBytesMax + 1, 'k'), "too long a key");
  EXPECT_EQ(CodeOf(store_->Ingest({}, batch)), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(GetOr(*store_, Space::kMeta, "a", "absent"), "old");
}

TEST_P(StoreConformance, NothingIsTakenInWhenOneRunIsRefused) {
  std::vector<std::unique_ptr<RunBuilder>> runs;
  for (const Space space : kRunSpaces) {
    runs.push_back(*store_->NewRun(space));
    ASSERT_OK(runs.back()->Add("a", "1"));
  }
  runs.push_back(std::make_unique<StrangersRun>());
  EXPECT_EQ(CodeOf(store_->Ingest(std::move(runs))), absl::StatusCode::kInvalidArgument);
  for (const Space space : kRunSpaces) EXPECT_THAT(Contents(*store_, space), IsEmpty());
}

TEST_P(StoreConformance, IngestionReplacesKeys) {
  for (const Space space : kRunSpaces) {
    for (int round = 0; round < 6; ++round) {
      ASSERT_OK(Ingest(*store_, space, {{"a", absl::StrCat(round)}, {absl::StrCat("b", round), "own"}}));
      EXPECT_EQ(GetOr(*store_, space, "a", "absent"), absl::StrCat(round));
    }
    EXPECT_EQ(Contents(*store_, space).size(), 7);
  }
}

TEST_P(StoreConformance, ARunReplacesARangeInOneStep) {
  for (const Space space : kRunSpaces) {
    for (int round = 0; round < 6; ++round) {
      ASSERT_OK(Ingest(*store_, space, {{"a", "out"}, {"b", "old"}, {"c", "old"}, {"e", "out"}}));
      auto run = store_->NewRun(space);
      ASSERT_OK((*run)->Replace("b", "e"));
      ASSERT_OK((*run)->Add("c", absl::StrCat(round)));
      ASSERT_OK((*run)->Add("d", "new"));
      std::vector<std::unique_ptr<RunBuilder>> runs;
      runs.push_back(*std::move(run));
      ASSERT_OK(store_->Ingest(std::move(runs)));
      EXPECT_THAT(Contents(*store_, space), ElementsAre(Pair("a", "out"), Pair("c", absl::StrCat(round)),
                                                        Pair("d", "new"), Pair("e", "out")));
    }
    // By nothing.
    auto run = store_->NewRun(space);
    ASSERT_OK((*run)->Replace("a", "d"));
    std::vector<std::unique_ptr<RunBuilder>> runs;
    runs.push_back(*std::move(run));
    ASSERT_OK(store_->Ingest(std::move(runs)));
    EXPECT_THAT(Contents(*store_, space), ElementsAre(Pair("d", "new"), Pair("e", "out")));
  }
}

TEST_P(StoreConformance, ARunReplacesOneRangeAndStaysInIt) {
  auto run = store_->NewRun(Space::kHeads);
  EXPECT_EQ(CodeOf((*run)->Replace("b", "b")), absl::StatusCode::kInvalidArgument);
  ASSERT_OK((*run)->Replace("b", "e"));
  EXPECT_EQ(CodeOf((*run)->Replace("f", "g")), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf((*run)->Add("a", "")), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf((*run)->Add("e", "")), absl::StatusCode::kInvalidArgument);
  ASSERT_OK((*run)->Add("b", "1"));
}

TEST_P(StoreConformance, RunsThatOverlapAreTakenInOneAfterAnother) {
  for (const Space space : kRunSpaces) {
    ASSERT_OK(Ingest(*store_, space, {{"a", "old"}, {"b", "old"}, {"d", "old"}}));
    std::vector<std::unique_ptr<RunBuilder>> runs;
    runs.push_back(*store_->NewRun(space));
    ASSERT_OK(runs.back()->Add("c", "1"));
    runs.push_back(*store_->NewRun(space));
    ASSERT_OK(runs.back()->Replace("b", "e"));
    ASSERT_OK(runs.back()->Add("b", "2"));
    ASSERT_OK(runs.back()->Add("d", "2"));
    runs.push_back(*store_->NewRun(space));
    ASSERT_OK(runs.back()->Add("bb", "3"));
    ASSERT_OK(runs.back()->Add("d", "3"));
    ASSERT_OK(store_->Ingest(std::move(runs)));
    EXPECT_THAT(Contents(*store_, space),
                ElementsAre(Pair("a", "old"), Pair("b", "2"), Pair("bb", "3"), Pair("d", "3")));
  }
}

TEST_P(StoreConformance, UnsortedKeysOfARunAreRefused) {
  for (const char* second : {"b", "a", ""}) {
    auto run = store_->NewRun(Space::kPages);
    ASSERT_TRUE(run.ok());
    ASSERT_OK((*run)->Add("b", "1"));
    const absl::Status status = (*run)->Add(second, "2");
    EXPECT_EQ(CodeOf(status), absl::StatusCode::kInvalidArgument) << second;
    EXPECT_THAT(status.message(), HasSubstr("ascend"));
    // What was there before stays good.
    ASSERT_OK((*run)->Add("c", "3"));
    std::vector<std::unique_ptr<RunBuilder>> runs;
    runs.push_back(*std::move(run));
    ASSERT_OK(store_->Ingest(std::move(runs)));
    EXPECT_THAT(Contents(*store_, Space::kPages), ElementsAre(Pair("b", "1"), Pair("c", "3")));
  }
}

TEST_P(StoreConformance, MetaTakesNoRuns) {
  EXPECT_EQ(CodeOf(store_->NewRun(Space::kMeta).status()), absl::StatusCode::kInvalidArgument);
}

TEST_P(StoreConformance, ADroppedRunLeavesNothing) {
  {
    auto run = store_->NewRun(Space::kHeads);
    ASSERT_TRUE(run.ok());
    ASSERT_OK((*run)->Add("a", std::string(100000, 'x')));
  }
  EXPECT_THAT(Contents(*store_, Space::kHeads), IsEmpty());
  Reopen();
  EXPECT_THAT(Contents(*store_, Space::kHeads), IsEmpty());
  EXPECT_EQ(store_->Stats().spaces[static_cast<int>(Space::kHeads)].bytes_on_disk, 0);
}

TEST_P(StoreConformance, LimitsAreNamedWhenPassed) {
  const std::string long_key(kKeyBytesMax, 'k');
  const std::string longer_key(kKeyBytesMax + 1, 'k');
  const std::string big_value(kValueBytesMax + 1, 'v');
  for (const Space space : kAllSpaces) {
    ASSERT_OK(Put(*store_, space, {{long_key, "value"}}));
    EXPECT_EQ(GetOr(*store_, space, long_key, "absent"), "value");
    const struct {
      absl::Status status;
      std::string limit;
    } cases[] = {{Put(*store_, space, {{longer_key, "value"}}), absl::StrCat(kKeyBytesMax)},
                 {Put(*store_, space, {{"key", big_value}}), absl::StrCat(kValueBytesMax)},
                 {store_->Get(space, longer_key).status(), absl::StrCat(kKeyBytesMax)},
                 {store_->DeleteRange(space, "a", longer_key), absl::StrCat(kKeyBytesMax)}};
    for (const auto& c : cases) {
      EXPECT_EQ(CodeOf(c.status), absl::StatusCode::kInvalidArgument);
      EXPECT_THAT(c.status.message(), HasSubstr(c.limit));
      EXPECT_LT(c.status.message().size(), 500);
    }
    EXPECT_EQ(Contents(*store_, space).size(), 1);
  }
  Batch batch;
  batch.Put("good", "value");
  batch.Delete(longer_key);
  EXPECT_EQ(CodeOf(store_->Write(batch)), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(GetOr(*store_, Space::kMeta, "good", "absent"), "absent");
}

TEST_P(StoreConformance, RangesAreHalfOpen) {
  for (const Space space : kAllSpaces) {
    ASSERT_OK(Put(*store_, space, {{"a", "1"}, {"b", "1"}, {"c", "1"}, {"d", "1"}}));
    ASSERT_OK(store_->DeleteRange(space, "b", "d"));
    EXPECT_THAT(Contents(*store_, space), ElementsAre(Pair("a", "1"), Pair("d", "1")));
    ASSERT_OK(store_->DeleteRange(space, "d", "d"));
    ASSERT_OK(store_->DeleteRange(space, "z", "a"));
    EXPECT_EQ(Contents(*store_, space).size(), 2);
    ASSERT_OK(Put(*store_, space, {{"b", "2"}}));
    EXPECT_THAT(Contents(*store_, space), ElementsAre(Pair("a", "1"), Pair("b", "2"), Pair("d", "1")));
    ASSERT_OK(store_->DeleteRange(space, "", "\xff"));
    EXPECT_THAT(Contents(*store_, space), IsEmpty());
  }
  Reopen();
  for (const Space space : kAllSpaces) EXPECT_THAT(Contents(*store_, space), IsEmpty());
}

TEST_P(StoreConformance, DeletingWholeRunsGivesTheirRoomBack) {
  const std::string page(1000, 'p');
  for (int partition = 0; partition < 5; ++partition) {
    Pairs pairs;
    for (int i = 0; i < 100; ++i) pairs.emplace_back(absl::StrFormat("%d/%03d", partition, i), page);
    ASSERT_OK(Ingest(*store_, Space::kPages, pairs));
  }
  const uint64_t before = store_->Stats().spaces[static_cast<int>(Space::kPages)].bytes_on_disk;
  ASSERT_OK(store_->DeleteRange(Space::kPages, "", "4"));
  EXPECT_EQ(Contents(*store_, Space::kPages).size(), 100);
  EXPECT_LT(store_->Stats().spaces[static_cast<int>(Space::kPages)].bytes_on_disk, before / 4);
}

// The same random changes to the store and to a map; they must come to the same.
TEST_P(StoreConformance, RandomChangesComeToTheSameAsInAMap) {
  constexpr uint64_t kSeed = 20240607;
  SCOPED_TRACE(absl::StrCat("seed ", kSeed));
  std::mt19937_64 random(kSeed);
  const auto key = [&random] { return absl::StrFormat("%02d", random() % 100); };
  std::map<Space, std::map<std::string, std::string>> expected;
  for (int step = 0; step < 120; ++step) {
    const Space space = kAllSpaces[random() % 4];
    auto& map = expected[space];
    if (random() % 4 == 0) {
      const std::string begin = key();
      const std::string end = key();
      ASSERT_OK(store_->DeleteRange(space, begin, end));
      if (begin < end) map.erase(map.lower_bound(begin), map.lower_bound(end));
    } else {
      std::map<std::string, std::string> pairs;
      for (int i = random() % 10; i >= 0; --i) pairs[key()] = absl::StrCat("step ", step);
      ASSERT_OK(Put(*store_, space, Pairs(pairs.begin(), pairs.end())));
      for (const auto& [k, v] : pairs) map[k] = v;
    }
    if (step == 60) Reopen();
    ASSERT_EQ(Contents(*store_, space), Pairs(map.begin(), map.end())) << "step " << step;
  }
}

TEST_P(StoreConformance, ContentsOutliveTheStore) {
  for (const Space space : kAllSpaces) ASSERT_OK(Put(*store_, space, {{"key", "value"}}));
  for (int round = 0; round < 2; ++round) {
    Reopen();
    for (const Space space : kAllSpaces)
      EXPECT_THAT(Contents(*store_, space), ElementsAre(Pair("key", "value")));
  }
}

TEST_P(StoreConformance, ASecondStoreIsRefused) {
  const auto second = place_->Open();
  EXPECT_EQ(CodeOf(second.status()), absl::StatusCode::kFailedPrecondition) << second.status();
  ASSERT_OK(Put(*store_, Space::kMeta, {{"key", "value"}}));
}

TEST_P(StoreConformance, LogsKeepWhatTheyAreGiven) {
  auto log = store_->OpenLog("journal");
  ASSERT_TRUE(log.ok()) << log.status();
  EXPECT_EQ((*log)->begin(), 0);
  EXPECT_EQ((*log)->end(), 0);
  ASSERT_OK((*log)->Sync());
  ASSERT_OK((*log)->Append("hello "));
  ASSERT_OK((*log)->Append(""));
  ASSERT_OK((*log)->Append("world"));
  EXPECT_EQ((*log)->end(), 11);
  EXPECT_EQ(*(*log)->Read(0, 100), "hello world");
  ASSERT_OK((*log)->Sync());
  EXPECT_EQ(*(*log)->Read(6, 3), "wor");
  EXPECT_EQ(*(*log)->Read(11, 3), "");
  EXPECT_EQ(*(*log)->Read(100, 3), "");
  EXPECT_GE(store_->Stats().log_bytes, 11);
}

TEST_P(StoreConformance, LogsAreReadAndTruncatedAfterReopening) {
  std::mt19937_64 random(3);
  std::string expected;
  for (int round = 0; round < 4; ++round) {
    auto log = store_->OpenLog("journal");
    ASSERT_TRUE(log.ok()) << log.status();
    ASSERT_EQ(Written(**log, expected.size()), expected);
    ASSERT_OK((*log)->Truncate(expected.size()));
    EXPECT_EQ((*log)->end(), expected.size());
    for (int i = 0; i < 20; ++i) {
      const std::string bytes = RandomBytes(random, random() % 3000);
      ASSERT_OK((*log)->Append(bytes));
      expected += bytes;
      if (i % 5 == 0) ASSERT_OK((*log)->Sync());
      const uint64_t from = random() % (expected.size() + 1);
      ASSERT_EQ(*(*log)->Read(from, 5000), expected.substr(from, 5000));
    }
    ASSERT_OK((*log)->Sync());
    log->reset();
    Reopen();
  }
}

TEST_P(StoreConformance, BytesOfATruncatedTailNeverComeBack) {
  auto log = store_->OpenLog("journal");
  ASSERT_TRUE(log.ok());
  ASSERT_OK((*log)->Append(std::string(20000, 'o')));
  ASSERT_OK((*log)->Sync());
  EXPECT_EQ(CodeOf((*log)->Truncate(20001)), absl::StatusCode::kOutOfRange);
  ASSERT_OK((*log)->Truncate(5000));
  EXPECT_EQ((*log)->end(), 5000);
  ASSERT_OK((*log)->Append("new"));
  ASSERT_OK((*log)->Sync());
  const std::string expected = std::string(5000, 'o') + "new";
  EXPECT_EQ(*(*log)->Read(0, 30000), expected);
  log->reset();
  Reopen();
  log = store_->OpenLog("journal");
  ASSERT_TRUE(log.ok());
  EXPECT_EQ(Written(**log, 5003), expected);
  ASSERT_OK((*log)->Truncate(0));
  EXPECT_EQ((*log)->end(), 0);
  ASSERT_OK((*log)->Append("again"));
  EXPECT_EQ(*(*log)->Read(0, 30000), "again");
}

TEST_P(StoreConformance, TrimmingKeepsPositions) {
  auto log = store_->OpenLog("journal");
  ASSERT_TRUE(log.ok());
  std::mt19937_64 random(4);
  const std::string bytes = RandomBytes(random, 30000);
  ASSERT_OK((*log)->Append(bytes));
  ASSERT_OK((*log)->Sync());
  for (const uint64_t position : {uint64_t{1}, uint64_t{15000}, uint64_t{100}, uint64_t{29999}}) {
    const uint64_t before = (*log)->begin();
    ASSERT_OK((*log)->Trim(position));
    EXPECT_LE((*log)->begin(), std::max(before, position));
    EXPECT_LT(position, (*log)->begin() + place_->log_segment_bytes());
    EXPECT_EQ(*(*log)->Read(position < before ? before : position, 10),
              bytes.substr(position < before ? before : position, 10));
  }
  EXPECT_EQ(CodeOf((*log)->Read(0, 1).status()), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(CodeOf((*log)->Truncate(0)), absl::StatusCode::kOutOfRange);
  ASSERT_OK((*log)->Trim(30000));
  EXPECT_EQ((*log)->end(), 30000);
  log->reset();
  Reopen();
  log = store_->OpenLog("journal");
  ASSERT_TRUE(log.ok());
  EXPECT_GE((*log)->end(), 30000);
  ASSERT_OK((*log)->Truncate(30000));
  ASSERT_OK((*log)->Append("more"));
  EXPECT_EQ(*(*log)->Read(30000, 10), "more");
}

TEST_P(StoreConformance, LogsOfTwoNamesAreApart) {
  auto first = store_->OpenLog("first");
  auto second = store_->OpenLog("second_2");
  ASSERT_TRUE(first.ok() && second.ok());
  ASSERT_OK((*first)->Append("1"));
  ASSERT_OK((*second)->Append("22"));
  EXPECT_EQ(*(*first)->Read(0, 10), "1");
  EXPECT_EQ(*(*second)->Read(0, 10), "22");
  EXPECT_EQ(CodeOf(store_->OpenLog("first").status()), absl::StatusCode::kFailedPrecondition);
  first->reset();
  first = store_->OpenLog("first");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(Written(**first, 1), "1");
}

TEST_P(StoreConformance, LogNamesAreChecked) {
  for (const std::string& name :
       {std::string(), std::string("Journal"), std::string("a/b"), std::string(".."), std::string("a b"),
        std::string(33, 'a'), std::string("a\0", 2)}) {
    EXPECT_EQ(CodeOf(store_->OpenLog(name).status()), absl::StatusCode::kInvalidArgument) << name;
  }
  EXPECT_TRUE(store_->OpenLog(std::string(32, 'a')).ok());
}

TEST_P(StoreConformance, ACheckpointHoldsEverythingAsItWas) {
  for (const Space space : kAllSpaces) ASSERT_OK(Put(*store_, space, {{"a", "old"}, {"b", "old"}}));
  auto log = store_->OpenLog("journal");
  ASSERT_TRUE(log.ok());
  const std::string old_bytes(10000, 'o');
  ASSERT_OK((*log)->Append(old_bytes));
  ASSERT_OK((*log)->Sync());
  const std::string path = place_->CheckpointPath();
  ASSERT_OK(store_->Checkpoint(path));
  EXPECT_EQ(CodeOf(store_->Checkpoint(path)), absl::StatusCode::kAlreadyExists);

  for (const Space space : kAllSpaces) {
    ASSERT_OK(Put(*store_, space, {{"a", "new"}, {"c", "new"}}));
    ASSERT_OK(store_->DeleteRange(space, "b", "c"));
  }
  ASSERT_OK((*log)->Truncate(5000));
  ASSERT_OK((*log)->Append("new"));
  ASSERT_OK((*log)->Trim(5000));

  auto copy = place_->OpenCheckpoint(path);
  ASSERT_TRUE(copy.ok()) << copy.status();
  for (const Space space : kAllSpaces) {
    EXPECT_THAT(Contents(**copy, space), ElementsAre(Pair("a", "old"), Pair("b", "old")));
  }
  auto log_copy = (*copy)->OpenLog("journal");
  ASSERT_TRUE(log_copy.ok()) << log_copy.status();
  EXPECT_EQ(Written(**log_copy, old_bytes.size()), old_bytes);
  // And it is a store like any other.
  ASSERT_OK((*log_copy)->Truncate(old_bytes.size()));
  ASSERT_OK((*log_copy)->Append("copy"));
  for (const Space space : kAllSpaces) ASSERT_OK(Put(**copy, space, {{"d", "copy"}}));
}

TEST_P(StoreConformance, StatsCountKeys) {
  ASSERT_OK(Put(*store_, Space::kHeads, {{"a", std::string(5000, 'x')}, {"b", "2"}}));
  const StoreStats stats = store_->Stats();
  const SpaceStats& heads = stats.spaces[static_cast<int>(Space::kHeads)];
  EXPECT_EQ(heads.keys_estimate, 2);
  EXPECT_GE(heads.bytes_on_disk, 5000);
  EXPECT_GT(stats.memory_bytes, 0);
  EXPECT_GT(stats.free_bytes, 0);
  EXPECT_GE(stats.capacity_bytes, stats.free_bytes);
}

// Every ingestion puts one number under a key of each space; readers must never see half of it, nor time go
// back.
TEST_P(StoreConformance, ReadersAndAppendersGoOnWhileRunsAreTakenIn) {
  constexpr int kRounds = 40;
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      int last = 0;
      while (!done) {
        // Heads are read first: pages of the same ingestion must then be there.
        const int heads = std::stoi(GetOr(*store_, Space::kHeads, "number", "0"));
        const int pages = std::stoi(GetOr(*store_, Space::kPages, "number", "0"));
        if (heads < last || pages < heads) ++wrong;
        last = heads;
        const auto cursor = store_->NewCursor(Space::kHeads);
        std::string value;
        for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
          if (!value.empty() && cursor->value() != value) ++wrong;
          value = std::string(cursor->value());
        }
      }
    });
  }
  threads.emplace_back([&] {
    auto log = store_->OpenLog("journal");
    if (!log.ok()) ++wrong;
    for (int i = 0; log.ok() && !done; ++i) {
      const uint64_t end = (*log)->end();
      if (!(*log)->Append("record").ok() || !(*log)->Sync().ok() || *(*log)->Read(end, 100) != "record" ||
          !(*log)->Trim(end).ok()) {
        ++wrong;
      }
    }
  });
  for (int round = 1; round <= kRounds; ++round) {
    std::vector<std::unique_ptr<RunBuilder>> runs;
    for (const Space space : {Space::kHeads, Space::kPages}) {
      runs.push_back(*store_->NewRun(space));
      for (const char* key : {"another", "number"})
        EXPECT_TRUE(runs.back()->Add(key, absl::StrCat(round)).ok());
    }
    const absl::Status status = store_->Ingest(std::move(runs));
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_TRUE(Put(*store_, Space::kMeta, {{"round", absl::StrCat(round)}}).ok());
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace historian::kv
