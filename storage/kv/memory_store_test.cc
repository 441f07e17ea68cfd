#include "storage/kv/memory_store.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "storage/kv/store_conformance.h"

namespace historian::kv {
namespace {

class MemoryPlace : public StorePlace {
 public:
  explicit MemoryPlace(uint64_t log_zero_tail_bytes)
      : disk_(std::make_shared<MemoryDisk>(log_zero_tail_bytes)) {}
  absl::StatusOr<std::unique_ptr<Store>> Open() override { return TryOpenMemoryStore(disk_); }
  std::string CheckpointPath() override { return absl::StrCat("checkpoint ", checkpoints_++); }
  absl::StatusOr<std::unique_ptr<Store>> OpenCheckpoint(const std::string& path) override {
    return TryOpenMemoryStore(disk_->checkpoint(path));
  }

 private:
  const std::shared_ptr<MemoryDisk> disk_;
  int checkpoints_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Memory, StoreConformance,
                         testing::Values(StoreKind{"Plain", [] { return std::make_unique<MemoryPlace>(0); }},
                                         StoreKind{"ZeroTail",
                                                   [] { return std::make_unique<MemoryPlace>(777); }}),
                         StoreKindName);

TEST(MemoryStore, ADiskWithoutThatCheckpointSaysSo) {
  const auto disk = std::make_shared<MemoryDisk>();
  EXPECT_EQ(disk->checkpoint("nowhere"), nullptr);
}

TEST(MemoryStore, EveryNewStoreIsEmptyAndAlone) {
  const auto first = NewMemoryStore();
  const auto second = NewMemoryStore();
  Batch batch;
  batch.Put("key", "value");
  ASSERT_TRUE(first->Write(batch).ok());
  EXPECT_TRUE(first->Get(Space::kMeta, "key")->has_value());
  EXPECT_FALSE(second->Get(Space::kMeta, "key")->has_value());
}

}  // namespace
}  // namespace historian::kv
