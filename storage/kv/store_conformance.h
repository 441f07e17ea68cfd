// File: storage/kv/store_conformance.h
//
// What store.h promises, as tests. A test of an implementation says where its stores live, and names it:
//
//   INSTANTIATE_TEST_SUITE_P(Memory, StoreConformance,
//                            testing::Values(StoreKind{"Plain", [] { return ...; }}), StoreKindName);
#ifndef HISTORIAN_STORAGE_KV_STORE_CONFORMANCE_H_
#define HISTORIAN_STORAGE_KV_STORE_CONFORMANCE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "storage/kv/store.h"

namespace historian::kv {

// A place where stores are opened one after another on the same contents. It begins empty; destroying it
// deletes its contents.
class StorePlace {
 public:
  virtual ~StorePlace() = default;
  virtual absl::StatusOr<std::unique_ptr<Store>> Open() = 0;
  // Returns a fresh path for Store::Checkpoint.
  virtual std::string CheckpointPath() = 0;
  // Opens the store that Store::Checkpoint wrote there.
  virtual absl::StatusOr<std::unique_ptr<Store>> OpenCheckpoint(const std::string& path) = 0;
  // How many bytes too many Log::Trim may keep.
  virtual uint64_t log_segment_bytes() const { return 1; }
};

struct StoreKind {
  std::string name;
  std::function<std::unique_ptr<StorePlace>()> new_place;

  friend void PrintTo(const StoreKind& kind, std::ostream* out) { *out << kind.name; }
};

inline std::string StoreKindName(const testing::TestParamInfo<StoreKind>& info) { return info.param.name; }

class StoreConformance : public testing::TestWithParam<StoreKind> {
 protected:
  // Closes the store, if one is open, and opens it again.
  void Reopen();

  std::unique_ptr<StorePlace> place_ = GetParam().new_place();
  std::unique_ptr<Store> store_;

 private:
  void SetUp() override { Reopen(); }
};

}  // namespace historian::kv

#endif  // HISTORIAN_STORAGE_KV_STORE_CONFORMANCE_H_
