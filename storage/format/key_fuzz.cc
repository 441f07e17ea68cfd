// Strategy: the input is a key, and two block names made of its bytes. Invariants: parsing ends with a name or DataLoss;
// a name is of one key only; keys sort as their names do.
#include <cstring>
#include <string>
#include <tuple>
#include <vector>

#include "storage/format/key.h"
#include "storage/format/record_keys.h"
#include "storage/model/check.h"
#include "tests/fuzz/driver.h"

namespace {

using namespace historian;  // NOLINT: a program of its own.
using format::BlockId;

template <class Id>
void CheckParsed(const absl::StatusOr<Id>& id, absl::string_view key, std::string (*make)(const Id&)) {
  if (!id.ok()) {
    HISTORIAN_CHECK(id.status().code() == absl::StatusCode::kDataLoss);
    return;
  }
  HISTORIAN_CHECK(make(*id) == key);
}

template <class Number>
Number Take(absl::string_view* bytes) {
  Number number = 0;
  const size_t size = std::min(sizeof(number), bytes->size());
  if (size > 0) std::memcpy(&number, bytes->data(), size);
  bytes->remove_prefix(size);
  return number;
}

BlockId TakeId(absl::string_view* bytes) {
  BlockId id;
  id.first_time = Take<int64_t>(bytes);
  id.partition =
      id.first_time % 2 == 0 ? format::PartitionOf(id.first_time) : format::LongPartitionOf(id.first_time);
  id.tag = Take<uint32_t>(bytes);
  id.seal = Take<uint64_t>(bytes);
  return id;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  CheckParsed(format::ParseHeadKey(bytes), bytes, &format::HeadKey);
  CheckParsed(format::ParsePagesKey(bytes), bytes, &format::PagesKey);
  CheckParsed(format::ParseRollupKey(bytes), bytes, &format::RollupKey);
  if (IsKeptKey(bytes)) HISTORIAN_CHECK(KeptKey(DefinitionOfKeptKey(bytes), ChangeOfKeptKey(bytes)) == bytes);

  const BlockId a = TakeId(&bytes), b = TakeId(&bytes);
  HISTORIAN_CHECK((format::HeadKey(a) < format::HeadKey(b)) ==
                  (std::tie(a.partition, a.tag, a.first_time, a.seal) <
                   std::tie(b.partition, b.tag, b.first_time, b.seal)));
  HISTORIAN_CHECK((format::PagesKey(a) < format::PagesKey(b)) ==
                  (std::tie(a.partition, a.seal, a.tag, a.first_time) <
                   std::tie(b.partition, b.seal, b.tag, b.first_time)));
  for (const BlockId& id : {a, b}) {
    if (id.tag == 0) continue;
    HISTORIAN_CHECK(format::ParseHeadKey(format::HeadKey(id)).value() == id);
    HISTORIAN_CHECK(format::ParsePagesKey(format::PagesKey(id)).value() == id);
  }
  return 0;
}

std::vector<std::string> historian::fuzz::FuzzSeeds() {
  std::vector<std::string> seeds;
  for (const Timestamp time : {kTimestampMin, Timestamp{-1}, Timestamp{0}, 1'700'000'000 * kNanosPerSecond}) {
    const BlockId id = {
        .partition = format::PartitionOf(time), .tag = 7, .first_time = time, .seal = 0x1'0000'0002};
    seeds.push_back(format::HeadKey(id));
    seeds.push_back(format::PagesKey(id));
    seeds.push_back(format::RollupKey({.partition = id.partition, .tag = id.tag}));
  }
  seeds.push_back(KeptKey(TagKey(5), 3));
  seeds.push_back(std::string(40, '\xff'));
  return seeds;
}
