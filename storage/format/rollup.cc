#include "storage/format/rollup.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/checksum/checksum.h"
#include "storage/format/bytes.h"
#include "storage/format/key.h"
#include "storage/format/summary_columns.h"
#include "storage/model/check.h"
#include "storage/model/data_version.h"
#include "storage/model/status_macros.h"

namespace historian::format {
namespace {

constexpr size_t kChecksumBytes = 4;
// More than a tag can have in a partition: a sample a nanosecond.
constexpr uint64_t kSlotSamplesMax = static_cast<uint64_t>(kPartitionNanos);

absl::Status Damaged(absl::string_view what) { return absl::DataLossError(absl::StrCat("rollup: ", what)); }

void AppendVarint(uint64_t v, std::string* out) {
  uint8_t bytes[kVarintBytesMax];
  out->append(reinterpret_cast<const char*>(bytes), PutVarint(bytes, v) - bytes);
}

// Each slot's samples lie in one slot, slots rise, and all are of one partition.
bool IsAligned(const Rollup::Level& level) {
  for (size_t i = 0; i < level.slots.size(); ++i) {
    const Summary& s = level.slots[i];
    const int64_t slot = SlotOf(s.first.time, level.slot_ns);
    if (SlotOf(s.last.time, level.slot_ns) != slot) return false;
    if (i > 0 && SlotOf(level.slots[i - 1].first.time, level.slot_ns) >= slot) return false;
  }
  return PartitionOf(level.slots.front().first.time) == PartitionOf(level.slots.back().last.time);
}

}  // namespace

size_t Rollup::MemoryBytes() const {
  size_t bytes = sizeof(Rollup) + levels.capacity() * sizeof(Level);
  for (const Level& level : levels) bytes += level.slots.capacity() * sizeof(Summary);
  return bytes;
}

int64_t SlotOf(Timestamp t, uint64_t slot_ns) {
  const int64_t length = static_cast<int64_t>(slot_ns);
  return t / length - (t % length < 0 ? 1 : 0);
}

void EncodeRollup(const Rollup& rollup, std::string* out) {
  const size_t begin = out->size();
  HISTORIAN_CHECK(!rollup.levels.empty() && rollup.levels.size() <= kRollupLevels);
  for (const size_t byte : {size_t{kRollupFormat}, static_cast<size_t>(rollup.type), rollup.levels.size()}) {
    out->push_back(static_cast<char>(byte));
  }
  AppendVarint(rollup.highest_version, out);
  for (const Rollup::Level& level : rollup.levels) {
    HISTORIAN_CHECK(!level.slots.empty() && IsAligned(level));
    AppendVarint(level.slot_ns / kNanosPerSecond, out);
    AppendVarint(level.slots.size(), out);
    std::vector<const Summary*> summaries;
    for (const Summary& slot : level.slots) summaries.push_back(&slot);
    const SummaryWriter writer(rollup.type, std::move(summaries));
    writer.AppendCounts(out);
    writer.AppendColumns(out);
  }
  uint8_t checksum[kChecksumBytes];
  PutLittleEndian(checksum, Checksum(absl::string_view(*out).substr(begin)), kChecksumBytes);
  out->append(reinterpret_cast<const char*>(checksum), kChecksumBytes);
}

absl::StatusOr<Rollup> DecodeRollup(absl::string_view bytes) {
  if (bytes.size() < 3 + kChecksumBytes) {
    return Damaged(absl::StrCat(bytes.size(), " bytes are too few"));
  }
  const absl::string_view body = bytes.substr(0, bytes.size() - kChecksumBytes);
  ByteReader tail(bytes.substr(body.size()));
  uint64_t stored = 0;
  tail.LittleEndian(kChecksumBytes, &stored);
  if (stored != Checksum(body)) {
    return Damaged(absl::StrCat("the checksum is ", absl::Hex(Checksum(body), absl::kZeroPad8),
                                ", stored is ", absl::Hex(stored, absl::kZeroPad8)));
  }
  ByteReader in(body);
  uint8_t format = 0, type = 0, levels = 0;
  in.Byte(&format);
  in.Byte(&type);
  in.Byte(&levels);
  if (format > kRollupFormat) {
    return absl::FailedPreconditionError(
        absl::StrCat("rollup: format ", format, "; this program reads up to ", kRollupFormat));
  }
  if (format == 0) return Damaged("format 0");
  if (!IsKnownValueType(type)) return Damaged(absl::StrCat("value type ", type, " is not known"));
  if (levels == 0 || levels > kRollupLevels) return Damaged(absl::StrCat(levels, " levels"));

  Rollup rollup;
  rollup.type = static_cast<ValueType>(type);
  uint64_t highest_version = 0;
  if (format > 1 && !in.VarintUpTo(kVersionMax, &highest_version))
    return Damaged("the version is out of range");
  rollup.highest_version = static_cast<uint32_t>(highest_version);
  for (uint8_t k = 0; k < levels; ++k) {
    Rollup::Level& level = rollup.levels.emplace_back();
    uint64_t seconds = 0, slots = 0;
    if (!in.Varint(&seconds) || !in.Varint(&slots)) return Damaged("cut short");
    level.slot_ns = seconds > UINT64_MAX / kNanosPerSecond ? 0 : seconds * kNanosPerSecond;
    if (std::find(std::begin(kSlotNs), std::end(kSlotNs), level.slot_ns) == std::end(kSlotNs) ||
        (level.slot_ns == kQuarterHourSlotNs && format < 3) ||
        (k > 0 && level.slot_ns <= rollup.levels[k - 1].slot_ns)) {
      return Damaged(absl::StrCat("a level of ", seconds, " seconds"));
    }
    if (slots == 0 || slots > kPartitionNanos / level.slot_ns) return Damaged(absl::StrCat(slots, " slots"));
    level.slots.resize(slots);
    std::vector<Summary*> summaries;
    for (Summary& slot : level.slots) summaries.push_back(&slot);
    SummaryReader reader(rollup.type, std::move(summaries), format > 2);
    RETURN_IF_ERROR(Annotate(reader.ReadCounts(&in, kSlotSamplesMax), "rollup"));
    RETURN_IF_ERROR(Annotate(reader.ReadColumns(&in), "rollup"));
    if (!IsAligned(level)) return Damaged("samples outside their slots");
  }
  if (!in.done()) return Damaged("bytes after its end");
  return rollup;
}

}  // namespace historian::format
