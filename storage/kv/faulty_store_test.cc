#include "storage/kv/faulty_store.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/kv/memory_store.h"
#include "storage/kv/store_conformance.h"

namespace historian::kv {
namespace {

using ::testing::HasSubstr;

class FaultyPlace : public StorePlace {
 public:
  absl::StatusOr<std::unique_ptr<Store>> Open() override { return OpenOn(disk_, faults_); }
  std::string CheckpointPath() override { return absl::StrCat("checkpoint ", checkpoints_++); }
  absl::StatusOr<std::unique_ptr<Store>> OpenCheckpoint(const std::string& path) override {
    return OpenOn(disk_->checkpoint(path), std::make_shared<Faults>());
  }

 private:
  static absl::StatusOr<std::unique_ptr<Store>> OpenOn(std::shared_ptr<MemoryDisk> disk,
                                                       std::shared_ptr<Faults> faults) {
    auto store = TryOpenMemoryStore(std::move(disk));
    if (!store.ok()) return store.status();
    return NewFaultyStore(*std::move(store), std::move(faults));
  }

  const std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  const std::shared_ptr<Faults> faults_ = std::make_shared<Faults>();
  int checkpoints_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Faulty, StoreConformance,
                         testing::Values(StoreKind{"Quiet", [] { return std::make_unique<FaultyPlace>(); }}),
                         StoreKindName);

class FaultyStoreTest : public testing::Test {
 protected:
  void Open(uint64_t seed = 1) {
    faults_ = std::make_shared<Faults>(seed);
    store_ = NewFaultyStore(OpenMemoryStore(disk_), faults_);
  }
  // As a server would after a crash: a new store on the same disk before the old one is forgotten.
  void Restart() { store_ = NewFaultyStore(OpenMemoryStore(disk_), faults_); }

  absl::Status Put(absl::string_view key) {
    Batch batch;
    batch.Put(key, "value");
    return store_->Write(batch);
  }
  absl::Status IngestOne(absl::string_view key) {
    std::vector<std::unique_ptr<RunBuilder>> runs;
    for (const Space space : {Space::kHeads, Space::kPages}) {
      auto run = store_->NewRun(space);
      if (!run.ok()) return run.status();
      if (absl::Status status = (*run)->Add(key, "value"); !status.ok()) return status;
      runs.push_back(*std::move(run));
    }
    return store_->Ingest(std::move(runs));
  }
  bool Has(Space space, absl::string_view key) { return store_->Get(space, key)->has_value(); }

  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  std::shared_ptr<Faults> faults_;
  std::unique_ptr<Store> store_;
};

TEST_F(FaultyStoreTest, TheNthChangeFailsAndDoesNothing) {
  Open();
  faults_->FailNth(2, absl::DataLossError("as told"));
  EXPECT_TRUE(Put("a").ok());
  EXPECT_EQ(IngestOne("b"), absl::DataLossError("as told"));
  EXPECT_FALSE(Has(Space::kHeads, "b"));
  EXPECT_TRUE(IngestOne("b").ok());
  EXPECT_TRUE(Has(Space::kHeads, "b"));
  EXPECT_EQ(faults_->changes(), 3);
}

TEST_F(FaultyStoreTest, ASyncThatIsHeldWaitsAndNothingElseDoes) {
  Open();
  auto log = *store_->OpenLog("journal");
  ASSERT_TRUE(log->Append("bytes").ok());
  faults_->HoldSyncs(true);
  std::atomic<bool> synced{false};
  std::thread syncing([&] {
    EXPECT_TRUE(log->Sync().ok());
    synced = true;
  });
  EXPECT_TRUE(Put("a").ok());
  EXPECT_TRUE(Has(Space::kMeta, "a"));
  EXPECT_FALSE(synced);
  faults_->HoldSyncs(false);
  syncing.join();
  EXPECT_TRUE(synced);
}

TEST_F(FaultyStoreTest, AHeldWriteWaitsAndReadsGoOn) {
  Open();
  ASSERT_TRUE(Put("a").ok());
  faults_->HoldWrites(true);
  std::thread writing([&] { EXPECT_TRUE(Put("b").ok()); });
  EXPECT_TRUE(Has(Space::kMeta, "a"));
  EXPECT_FALSE(Has(Space::kMeta, "b"));
  faults_->HoldWrites(false);
  writing.join();
  EXPECT_TRUE(Has(Space::kMeta, "b"));
}

TEST_F(FaultyStoreTest, AFullDiskTakesNothingButGivesRoom) {
  Open();
  auto log = *store_->OpenLog("journal");
  ASSERT_TRUE(log->Append("before").ok());
  ASSERT_TRUE(Put("a").ok());
  auto run = *store_->NewRun(Space::kHeads);
  faults_->SetFull(true);
  EXPECT_EQ(store_->Stats().free_bytes, 0);
  for (const absl::Status& status :
       {Put("b"), IngestOne("c"), log->Append("more"), run->Add("d", "value"), store_->Checkpoint("copy")}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  }
  EXPECT_EQ(log->end(), 6);
  EXPECT_TRUE(log->Sync().ok());
  EXPECT_TRUE(log->Trim(3).ok());
  EXPECT_TRUE(store_->DeleteRange(Space::kMeta, "a", "b").ok());
  faults_->SetFull(false);
  EXPECT_TRUE(Put("b").ok());
  EXPECT_TRUE(log->Append("more").ok());
}

TEST_F(FaultyStoreTest, AfterACrashNothingAnswersUntilReopened) {
  Open();
  ASSERT_TRUE(Put("a").ok());
  auto log = *store_->OpenLog("journal");
  auto cursor = store_->NewCursor(Space::kMeta);
  auto run = *store_->NewRun(Space::kHeads);
  faults_->Crash();
  EXPECT_TRUE(faults_->crashed());
  cursor->SeekToFirst();
  EXPECT_FALSE(cursor->Valid());
  for (const absl::Status& status :
       {Put("b"), run->Add("c", "value"), log->Append("x"), log->Sync(), log->Trim(0), log->Truncate(0),
        log->Read(0, 1).status(), store_->Get(Space::kMeta, "a").status(), store_->OpenLog("other").status(),
        cursor->status(), store_->NewCursor(Space::kMeta)->status(), store_->NewRun(Space::kHeads).status(),
        store_->DeleteRange(Space::kMeta, "a", "b"), store_->Checkpoint("copy")}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  }
  Restart();
  EXPECT_FALSE(faults_->crashed());
  EXPECT_TRUE(Has(Space::kMeta, "a"));
  // What was left over of the old store stays dead.
  EXPECT_EQ(log->Append("x").code(), absl::StatusCode::kUnavailable);
  log.reset();
  EXPECT_TRUE(store_->OpenLog("journal").ok());
}

TEST_F(FaultyStoreTest, ACrashTearsWhatALogWasNotSynced) {
  const std::string synced(1000, 's');
  const std::string unsynced(5000, 'u');
  for (const Faults::Torn torn : {Faults::Torn::kNothing, Faults::Torn::kPrefix, Faults::Torn::kSectors}) {
    bool some_lost = false;
    bool some_kept = false;
    bool holes = false;
    for (uint64_t seed = 1; seed <= 20; ++seed) {
      disk_ = std::make_shared<MemoryDisk>();
      Open(seed);
      auto log = *store_->OpenLog("journal");
      ASSERT_TRUE(log->Append(synced).ok() && log->Sync().ok() && log->Append(unsynced).ok());
      EXPECT_EQ(*log->Read(0, 10000), synced + unsynced);
      faults_->Crash(torn);
      log.reset();
      Restart();
      log = *store_->OpenLog("journal");
      const std::string found = *log->Read(0, 10000);
      ASSERT_EQ(found.substr(0, 1000), synced) << "seed " << seed;
      const std::string tail = found.substr(1000);
      some_kept |= !tail.empty();
      some_lost |= tail.size() < unsynced.size();
      holes |= tail.find('\0') != std::string::npos;
      for (size_t i = 0; i < tail.size(); ++i)
        ASSERT_TRUE(tail[i] == 'u' || tail[i] == '\0') << "seed " << seed;
    }
    EXPECT_TRUE(some_lost);
    EXPECT_EQ(some_kept, torn != Faults::Torn::kNothing);
    EXPECT_EQ(holes, torn == Faults::Torn::kSectors);
  }
}

TEST_F(FaultyStoreTest, AClosedLogKeepsWhatWasNotSynced) {
  Open();
  auto log = *store_->OpenLog("journal");
  ASSERT_TRUE(log->Append("all of it").ok());
  log.reset();
  store_.reset();
  Restart();
  EXPECT_EQ(*(*store_->OpenLog("journal"))->Read(0, 100), "all of it");
}

TEST_F(FaultyStoreTest, AFailedSyncWantsATruncate) {
  Open();
  auto log = *store_->OpenLog("journal");
  ASSERT_TRUE(log->Append("good").ok() && log->Sync().ok() && log->Append("doubtful").ok());
  faults_->FailNth(1, absl::UnavailableError("as told"));
  EXPECT_EQ(log->Sync(), absl::UnavailableError("as told"));
  EXPECT_EQ(log->Append("more").code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(log->Truncate(4).ok());
  ASSERT_TRUE(log->Append(" again").ok() && log->Sync().ok());
  EXPECT_EQ(*log->Read(0, 100), "good again");
}

// Crashes in every change of a small workload, with many seeds: whatever returned OK must be there, and what
// did not must be there whole or not at all.
TEST_F(FaultyStoreTest, EveryCrashKeepsWhatReturnedOk) {
  bool applied_in_the_crash = false;
  bool lost_in_the_crash = false;
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    for (uint64_t nth = 1; nth <= 8; ++nth) {
      SCOPED_TRACE(absl::StrCat("seed ", seed, " change ", nth));
      disk_ = std::make_shared<MemoryDisk>();
      Open(seed);
      faults_->CrashNth(nth, Faults::Torn::kPrefix);
      int written = 0;
      int ingested = 0;
      uint64_t synced = 0;
      auto log = *store_->OpenLog("journal");
      for (int i = 0; i < 2; ++i) {
        if (Put(absl::StrCat(i)).ok()) written = i + 1;
        if (IngestOne(absl::StrCat(i)).ok()) ingested = i + 1;
        if (log->Append("record").ok() && log->Sync().ok()) synced = 6 * (i + 1);
      }
      ASSERT_TRUE(faults_->crashed());
      log.reset();
      Restart();
      for (int i = 0; i < written; ++i) EXPECT_TRUE(Has(Space::kMeta, absl::StrCat(i)));
      for (int i = 0; i < 2; ++i) {
        const bool heads = Has(Space::kHeads, absl::StrCat(i));
        EXPECT_EQ(heads, Has(Space::kPages, absl::StrCat(i)));
        EXPECT_TRUE(heads || i >= ingested);
        if (i == ingested) (heads ? applied_in_the_crash : lost_in_the_crash) = true;
      }
      EXPECT_GE((*store_->OpenLog("journal"))->end(), synced);
    }
  }
  EXPECT_TRUE(applied_in_the_crash && lost_in_the_crash);
}

TEST_F(FaultyStoreTest, DamageFlipsOneByteForGood) {
  Open();
  ASSERT_TRUE(Put("a").ok() && IngestOne("b").ok());
  auto log = *store_->OpenLog("journal");
  ASSERT_TRUE(log->Append("record").ok());
  ASSERT_TRUE(faults_->DamageValue(Space::kMeta, "a", 0).ok());
  ASSERT_TRUE(faults_->DamageValue(Space::kPages, "b", 4).ok());
  ASSERT_TRUE(faults_->DamageLog("journal", 2).ok());
  EXPECT_EQ(faults_->DamageValue(Space::kPages, "b", 5).code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(faults_->DamageValue(Space::kPages, "c", 0).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(faults_->DamageLog("journal", 6).code(), absl::StatusCode::kOutOfRange);
  log.reset();
  store_.reset();
  Restart();
  EXPECT_EQ(**store_->Get(Space::kMeta, "a"), "falue");
  EXPECT_EQ(**store_->Get(Space::kPages, "b"), "valuu");
  EXPECT_EQ(**store_->Get(Space::kHeads, "b"), "value");
  EXPECT_EQ(*(*store_->OpenLog("journal"))->Read(0, 100), "resord");
}

}  // namespace
}  // namespace historian::kv
