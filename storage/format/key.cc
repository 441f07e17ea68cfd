#include "storage/format/key.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "storage/model/check.h"

namespace historian::format {
namespace {

constexpr size_t kKeyBytes = 4 + 4 + 8 + 8;

template <typename Unsigned>
void PutBigEndian(Unsigned v, std::string* out) {
  for (int shift = 8 * (sizeof(v) - 1); shift >= 0; shift -= 8) out->push_back(static_cast<char>(v >> shift));
}

template <typename Unsigned>
Unsigned TakeBigEndian(absl::string_view* bytes) {
  Unsigned v = 0;
  for (size_t i = 0; i < sizeof(v); ++i)
    v = static_cast<Unsigned>(v << 8 | static_cast<uint8_t>((*bytes)[i]));
  bytes->remove_prefix(sizeof(v));
  return v;
}

// Numbers and their bits with the sign flipped, so that negative ones sort first.
uint32_t Ordered(int32_t v) { return static_cast<uint32_t>(v) ^ 0x8000'0000u; }
uint64_t Ordered(int64_t v) { return static_cast<uint64_t>(v) ^ 0x8000'0000'0000'0000u; }
int32_t Unordered(uint32_t v) { return static_cast<int32_t>(v ^ 0x8000'0000u); }
int64_t Unordered(uint64_t v) { return static_cast<int64_t>(v ^ 0x8000'0000'0000'0000u); }

absl::Status Check(absl::string_view which, absl::string_view key) {
  if (key.size() == kKeyBytes) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(which, " key of ", key.size(), " bytes, not ", kKeyBytes));
}

absl::StatusOr<BlockId> Checked(absl::string_view which, const BlockId& id) {
  if (id.tag == 0) return absl::DataLossError(absl::StrCat(which, " key of tag 0, which no tag has"));
  if (!IsInPartition(id.first_time, id.partition)) {
    return absl::DataLossError(absl::StrCat(which, " key of tag ", id.tag, " has a first time of ",
                                            FormatTimestamp(id.first_time),
                                            ", which is not in its partition ", id.partition));
  }
  return id;
}

}  // namespace

std::string HeadPrefix(int32_t partition, TagId tag) {
  std::string key;
  key.reserve(kKeyBytes);
  PutBigEndian(Ordered(partition), &key);
  PutBigEndian(tag, &key);
  return key;
}

std::string HeadKey(const BlockId& id) {
  std::string key = HeadPrefix(id.partition, id.tag);
  PutBigEndian(Ordered(id.first_time), &key);
  PutBigEndian(id.seal, &key);
  return key;
}

std::string PagesKey(const BlockId& id) {
  std::string key;
  key.reserve(kKeyBytes);
  PutBigEndian(Ordered(id.partition), &key);
  PutBigEndian(id.seal, &key);
  PutBigEndian(id.tag, &key);
  PutBigEndian(Ordered(id.first_time), &key);
  return key;
}

std::string RollupKey(const RollupId& id) { return HeadPrefix(id.partition, id.tag); }

std::string BehindPrefix(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
  HISTORIAN_CHECK(!prefix.empty());
  ++prefix.back();
  return prefix;
}

std::string PartitionPrefix(int32_t partition) {
  std::string key;
  PutBigEndian(Ordered(partition), &key);
  return key;
}

std::string PagesPrefix(int32_t partition, uint64_t seal) {
  std::string key = PartitionPrefix(partition);
  PutBigEndian(seal, &key);
  return key;
}

std::string PagesPrefix(int32_t partition, uint64_t seal, TagId tag) {
  std::string key = PagesPrefix(partition, seal);
  PutBigEndian(tag, &key);
  return key;
}

absl::StatusOr<RollupId> ParseRollupKey(absl::string_view key) {
  RollupId id;
  if (key.size() != sizeof(id.partition) + sizeof(id.tag)) {
    return absl::DataLossError(absl::StrCat("rollup key of ", key.size(), " bytes, not 8"));
  }
  id.partition = Unordered(TakeBigEndian<uint32_t>(&key));
  id.tag = TakeBigEndian<uint32_t>(&key);
  if (id.tag == 0) return absl::DataLossError("rollup key of tag 0, which no tag has");
  if (id.partition < PartitionOf(std::numeric_limits<Timestamp>::min()) ||
      id.partition > PartitionOf(std::numeric_limits<Timestamp>::max())) {
    return absl::DataLossError(
        absl::StrCat("rollup key of tag ", id.tag, " in partition ", id.partition, ", which is no week"));
  }
  return id;
}

absl::StatusOr<BlockId> ParseHeadKey(absl::string_view key) {
  if (absl::Status s = Check("head", key); !s.ok()) return s;
  BlockId id;
  id.partition = Unordered(TakeBigEndian<uint32_t>(&key));
  id.tag = TakeBigEndian<uint32_t>(&key);
  id.first_time = Unordered(TakeBigEndian<uint64_t>(&key));
  id.seal = TakeBigEndian<uint64_t>(&key);
  return Checked("head", id);
}

absl::StatusOr<BlockId> ParsePagesKey(absl::string_view key) {
  if (absl::Status s = Check("pages", key); !s.ok()) return s;
  BlockId id;
  id.partition = Unordered(TakeBigEndian<uint32_t>(&key));
  id.seal = TakeBigEndian<uint64_t>(&key);
  id.tag = TakeBigEndian<uint32_t>(&key);
  id.first_time = Unordered(TakeBigEndian<uint64_t>(&key));
  return Checked("pages", id);
}

}  // namespace historian::format
