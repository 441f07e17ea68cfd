// Strategy: the input is a record of the journal: of a frame, a producer's reset or a version's mark. Invariants: decoding
// ends with a record or with DataLoss (of a kind that is not known: FailedPrecondition); a decoded frame keeps what
// frame.h promises of each column and snapshot, its head alone says the same, and encoded again it comes back the same.
#include <map>
#include <random>
#include <string>
#include <vector>

#include "google/protobuf/stubs/logging.h"
#include "storage/format/hostile_samples.h"
#include "storage/format/plant_samples.h"
#include "storage/model/check.h"
#include "storage/versions/version_mark.h"
#include "storage/write/frame_checksum.h"
#include "storage/write/frame_record.h"
#include "storage/write/producer_reset.h"
#include "tests/fuzz/driver.h"

namespace {

using namespace historian;  // NOLINT: a program of its own.

void CheckError(const absl::Status& status) {
  HISTORIAN_CHECK(status.code() == absl::StatusCode::kDataLoss ||
                  status.code() == absl::StatusCode::kFailedPrecondition);
}

void CheckValues(ValueType type, const std::vector<ValueBits>& values, const StringColumn& strings) {
  for (const ValueBits value : values) {
    HISTORIAN_CHECK(type == ValueType::kString ? value < strings.size() : IsCanonical(type, value));
  }
}

void CheckFrame(const Frame& frame) {
  for (const FrameColumn& column : frame.columns) {
    const Samples& samples = column.samples;
    HISTORIAN_CHECK(!samples.empty() && samples.values.size() == samples.size());
    HISTORIAN_CHECK(samples.qualities.empty() || samples.qualities.size() == samples.size());
    HISTORIAN_CHECK(IsStrictlyAscending(samples.times.data(), samples.size()));
    CheckValues(column.type, samples.values, samples.strings);
  }
  for (const FrameSnapshot& snapshot : frame.snapshots) {
    HISTORIAN_CHECK(!snapshot.tags.empty() && snapshot.values.size() == snapshot.tags.size());
    HISTORIAN_CHECK(snapshot.qualities.empty() || snapshot.qualities.size() == snapshot.tags.size());
    HISTORIAN_CHECK(std::adjacent_find(snapshot.tags.begin(), snapshot.tags.end(), std::greater_equal<>()) ==
                    snapshot.tags.end());
    CheckValues(snapshot.type, snapshot.values, snapshot.strings);
  }
}

// The samples of the columns one after another, whatever columns they are in.
std::vector<std::pair<TagId, Samples>> Joined(const Frame& frame) {
  std::vector<std::pair<TagId, Samples>> joined;
  for (const FrameColumn& column : frame.columns) {
    if (joined.empty() || joined.back().first != column.tag) joined.push_back({column.tag, {}});
    joined.back().second.Append(column.type, column.samples.View());
  }
  return joined;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A line for each text that is not UTF-8 is too many.
  [[maybe_unused]] static const auto usual = google::protobuf::SetLogHandler(nullptr);
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto mark = DecodeVersionMark(bytes);
  if (mark.ok()) {
    HISTORIAN_CHECK(IsVersionMark(bytes));
    HISTORIAN_CHECK(DecodeVersionMark(EncodeVersionMark(*mark))->version == mark->version);
  } else {
    CheckError(mark.status());
  }
  const auto reset = DecodeProducerReset(bytes);
  if (reset.ok()) {
    HISTORIAN_CHECK(IsProducerReset(bytes) && EncodeProducerReset(*reset) == bytes);
  } else {
    CheckError(reset.status());
  }

  const absl::StatusOr<FrameRecord> record = DecodeFrameRecord(bytes);
  if (!record.ok()) {
    CheckError(record.status());
    return 0;
  }
  CheckFrame(record->frame);
  const absl::StatusOr<FrameRecord> head = DecodeFrameRecordHead(bytes);
  HISTORIAN_CHECK(head.ok() && head->producer == record->producer && head->checksum == record->checksum &&
                  head->frame.sequence == record->frame.sequence);
  const absl::StatusOr<FrameRecord> without = DecodeFrameRecord(bytes, [](TagId) { return false; });
  HISTORIAN_CHECK(without.ok() && without->frame.columns.empty());
  (void)FrameChecksum(record->frame);

  // Columns of one tag are of one type, or no frame could have had them.
  std::map<TagId, ValueType> types;
  for (const FrameColumn& column : record->frame.columns) {
    if (!types.emplace(column.tag, column.type).second && types[column.tag] != column.type) return 0;
  }
  std::vector<format::EncodeHint> hints(record->frame.columns.size() + record->frame.snapshots.size());
  const absl::StatusOr<FrameRecord> again = DecodeFrameRecord(
      EncodeFrameRecord(record->producer, record->frame, record->checksum.value_or(0), &hints));
  HISTORIAN_CHECK(again.ok() && again->producer == record->producer);
  HISTORIAN_CHECK(again->frame.sequence == record->frame.sequence);
  const auto before = Joined(record->frame), after = Joined(again->frame);
  HISTORIAN_CHECK(before.size() == after.size());
  for (size_t i = 0; i < before.size(); ++i) {
    const SamplesView a = before[i].second.View(), b = after[i].second.View();
    HISTORIAN_CHECK(before[i].first == after[i].first && a.size == b.size);
    for (size_t k = 0; k < a.size; ++k) HISTORIAN_CHECK(SameSample(types[before[i].first], a, k, b, k));
  }
  HISTORIAN_CHECK(again->frame.snapshots.size() >= record->frame.snapshots.size());
  return 0;
}

std::vector<std::string> historian::fuzz::FuzzSeeds() {
  std::vector<std::string> seeds;
  const auto add = [&seeds](const std::vector<std::pair<ValueType, Samples>>& columns) {
    Frame frame;
    frame.sequence = seeds.size() + 1;
    for (const auto& [type, samples] : columns) {
      const TagId tag = static_cast<TagId>(frame.columns.size() + 3);
      frame.columns.push_back({.tag = tag, .type = type, .samples = samples});
      FrameSnapshot& snapshot = frame.snapshots.emplace_back();
      snapshot.type = type;
      snapshot.time = samples.times.back();
      for (size_t i = 0; i < samples.size(); ++i) snapshot.tags.push_back(static_cast<TagId>(1 + i));
      snapshot.values = samples.values;
      snapshot.qualities = samples.qualities;
      snapshot.strings = samples.strings;
    }
    std::vector<format::EncodeHint> hints(frame.columns.size() + frame.snapshots.size());
    seeds.push_back(EncodeFrameRecord("gateway-7", frame, FrameChecksum(frame), &hints));
  };
  for (const format::PlantKind& kind : format::PlantKinds()) {
    for (const size_t size : {1, 40}) add({{kind.type, kind.make(size, 1)}});
  }
  std::mt19937_64 random(1);
  for (int round = 0; round < 20; ++round) {
    std::vector<std::pair<ValueType, Samples>> columns;
    for (int i = 0; i <= round % 3; ++i) {
      const ValueType type = static_cast<ValueType>(1 + (round + i) % 6);
      columns.push_back({type, format::HostileSamples(type, 1 + random() % 60, random)});
    }
    add(columns);
  }
  // Of the kinds that are no longer written.
  for (size_t i = 0; i < 8; ++i) {
    for (char kind = 1; kind <= 3; ++kind) seeds.push_back(std::string(1, kind) + seeds[i].substr(1));
  }
  seeds.push_back(EncodeProducerReset("gateway-7"));
  seeds.push_back(EncodeVersionMark({.version = 3, .time = 5, .clock = 6, .author = "a", .comment = "b"}));
  return seeds;
}
