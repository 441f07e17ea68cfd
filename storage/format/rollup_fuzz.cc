// Strategy: the input is a rollup without its checksum, which is put right here, so that mutations get past it.
// Invariants: decoding ends, with a rollup, DataLoss or FailedPrecondition (a newer version); a decoded rollup keeps
// what rollup.h promises, and encoded again it comes back the same.
#include <algorithm>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "storage/aggregate/summary.h"
#include "storage/format/hostile_samples.h"
#include "storage/format/key.h"
#include "storage/format/plant_samples.h"
#include "storage/format/right_checksums.h"
#include "storage/format/rollup.h"
#include "storage/model/check.h"
#include "tests/fuzz/driver.h"

namespace {

using namespace historian;  // NOLINT: a program of its own.
using format::Rollup;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string body(reinterpret_cast<const char*>(data), size);
  (void)format::DecodeRollup(body).ok();
  const absl::StatusOr<Rollup> rollup = format::DecodeRollup(format::WithChecksum(body));
  if (!rollup.ok()) {
    HISTORIAN_CHECK(rollup.status().code() == absl::StatusCode::kDataLoss ||
                    rollup.status().code() == absl::StatusCode::kFailedPrecondition);
    return 0;
  }
  HISTORIAN_CHECK(!rollup->levels.empty() && rollup->levels.size() <= format::kRollupLevels);
  for (const Rollup::Level& level : rollup->levels) {
    HISTORIAN_CHECK(std::count(std::begin(format::kSlotNs), std::end(format::kSlotNs), level.slot_ns) == 1);
    HISTORIAN_CHECK(!level.slots.empty());
    for (size_t i = 0; i < level.slots.size(); ++i) {
      const Summary& slot = level.slots[i];
      HISTORIAN_CHECK(slot.first.time <= slot.last.time && slot.good + slot.uncertain <= slot.count);
      HISTORIAN_CHECK(i == 0 || level.slots[i - 1].last.time < slot.first.time);
    }
  }
  std::string again;
  format::EncodeRollup(*rollup, &again);
  const absl::StatusOr<Rollup> decoded = format::DecodeRollup(again);
  HISTORIAN_CHECK(decoded.ok());
  HISTORIAN_CHECK(decoded->type == rollup->type && decoded->highest_version == rollup->highest_version);
  HISTORIAN_CHECK(decoded->levels.size() == rollup->levels.size());
  for (size_t k = 0; k < rollup->levels.size(); ++k) {
    HISTORIAN_CHECK(decoded->levels[k].slots == rollup->levels[k].slots);
  }
  return 0;
}

namespace historian::fuzz {

std::vector<std::string> FuzzSeeds() {
  std::vector<std::string> seeds;
  const auto add = [&seeds](ValueType type, const Samples& samples, size_t levels) {
    Rollup rollup{.type = type, .highest_version = static_cast<uint32_t>(levels)};
    const int32_t partition = format::PartitionOf(samples.times.front());
    size_t end = 0;
    while (end < samples.size() && format::PartitionOf(samples.times[end]) == partition) ++end;
    for (size_t k = 0; k < levels; ++k) {
      Rollup::Level& level = rollup.levels.emplace_back();
      level.slot_ns = format::kSlotNs[k];
      for (size_t i = 0; i < end;) {
        size_t j = i;
        while (j < end && format::SlotOf(samples.times[j], level.slot_ns) ==
                              format::SlotOf(samples.times[i], level.slot_ns)) {
          ++j;
        }
        level.slots.push_back(Summarize(type, samples.View().Slice(i, j - i)));
        i = j;
      }
    }
    std::string bytes;
    format::EncodeRollup(rollup, &bytes);
    seeds.push_back(bytes.substr(0, bytes.size() - 4));
  };
  for (const format::PlantKind& kind : format::PlantKinds()) {
    for (const size_t levels : {1, 4}) add(kind.type, kind.make(300, 1), levels);
  }
  std::mt19937_64 random(1);
  for (int round = 0; round < 24; ++round) {
    const ValueType type = static_cast<ValueType>(1 + round % 6);
    add(type, format::HostileSamples(type, 1 + random() % 100, random), 1 + round % 4);
  }
  return seeds;
}

}  // namespace historian::fuzz
