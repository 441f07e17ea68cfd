#include "storage/write/frame_checksum.h"

#include <vector>

#include "absl/strings/string_view.h"
#include "storage/checksum/checksum.h"

namespace historian {
namespace {

template <typename T>
absl::string_view BytesOf(const std::vector<T>& column) {
  return {reinterpret_cast<const char*>(column.data()), column.size() * sizeof(T)};
}

uint64_t AddNumbers(uint64_t sum, uint64_t a, uint64_t b, uint64_t c) {
  const uint64_t numbers[] = {a, b, c};
  return ChainedChecksum(sum, {reinterpret_cast<const char*>(numbers), sizeof(numbers)});
}

uint64_t AddValues(uint64_t sum, ValueType type, const std::vector<ValueBits>& values,
                   const std::vector<Quality>& qualities, const StringColumn& strings) {
  if (type == ValueType::kString) {
    for (const ValueBits value : values) sum = ChainedChecksum(sum, strings[value]);
  } else {
    sum = ChainedChecksum(sum, BytesOf(values));
  }
  return qualities.empty() ? sum : ChainedChecksum(sum, BytesOf(qualities));
}

}  // namespace

uint32_t FrameChecksum(const Frame& frame) {
  uint64_t sum = AddNumbers(0, frame.columns.size(), frame.snapshots.size(), 0);
  for (const FrameColumn& column : frame.columns) {
    sum = AddNumbers(sum, column.tag, static_cast<uint64_t>(column.type), column.samples.size());
    sum = ChainedChecksum(sum, BytesOf(column.samples.times));
    sum =
        AddValues(sum, column.type, column.samples.values, column.samples.qualities, column.samples.strings);
  }
  for (const FrameSnapshot& snapshot : frame.snapshots) {
    sum = AddNumbers(sum, static_cast<uint64_t>(snapshot.time), static_cast<uint64_t>(snapshot.type),
                     snapshot.tags.size());
    sum = ChainedChecksum(sum, BytesOf(snapshot.tags));
    sum = AddValues(sum, snapshot.type, snapshot.values, snapshot.qualities, snapshot.strings);
  }
  return static_cast<uint32_t>(sum);
}

}  // namespace historian
