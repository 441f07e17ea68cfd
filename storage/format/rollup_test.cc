#include "storage/format/rollup.h"

#include <random>
#include <string>

#include "gtest/gtest.h"
#include "storage/aggregate/summary.h"
#include "storage/checksum/checksum.h"
#include "storage/format/bytes.h"
#include "storage/format/hostile_samples.h"
#include "storage/format/key.h"
#include "storage/model/samples.h"

namespace historian::format {
namespace {

// All levels of samples that lie in one partition.
Rollup RollupOf(ValueType type, const Samples& samples) {
  Rollup rollup;
  rollup.type = type;
  for (const uint64_t slot_ns : kSlotNs) {
    Rollup::Level& level = rollup.levels.emplace_back();
    level.slot_ns = slot_ns;
    for (size_t begin = 0, end = 0; begin < samples.size(); begin = end) {
      while (end < samples.size() &&
             SlotOf(samples.times[end], slot_ns) == SlotOf(samples.times[begin], slot_ns)) {
        ++end;
      }
      level.slots.push_back(Summarize(type, samples.View().Slice(begin, end - begin)));
    }
  }
  return rollup;
}

void ExpectSame(const Rollup& a, const Rollup& b) {
  EXPECT_EQ(a.type, b.type);
  ASSERT_EQ(a.levels.size(), b.levels.size());
  for (size_t k = 0; k < a.levels.size(); ++k) {
    EXPECT_EQ(a.levels[k].slot_ns, b.levels[k].slot_ns);
    EXPECT_EQ(a.levels[k].slots, b.levels[k].slots);
  }
}

// Samples of a plant around the beginning of 1970, where slots of negative numbers meet.
Samples PlantSamples(Timestamp start, size_t size, uint32_t seed) {
  std::mt19937_64 random(seed);
  Samples samples;
  Timestamp t = start;
  for (size_t i = 0; i < size; ++i) {
    t += 1 + static_cast<Timestamp>(random() % (60 * kNanosPerSecond));
    samples.Add(t, BitsOfFloat64(static_cast<double>(static_cast<int64_t>(random() % 2000) - 1000) / 10),
                random() % 50 == 0 ? kUncertain : kGood);
  }
  return samples;
}

TEST(Rollup, ComesBackAsItWas) {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    const Timestamp start = PartitionStart(seed % 2 == 0 ? 2969 : -1);
    const Rollup rollup = RollupOf(ValueType::kFloat64, PlantSamples(start, 1 + seed * 400, seed));
    std::string bytes = "before";
    EncodeRollup(rollup, &bytes);
    ASSERT_EQ(bytes.substr(0, 6), "before");
    const absl::StatusOr<Rollup> decoded = DecodeRollup(bytes.substr(6));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    ExpectSame(*decoded, rollup);
  }
}

TEST(Rollup, HoldsAnyValue) {
  std::mt19937_64 random(7);
  for (const ValueType type : {ValueType::kFloat64, ValueType::kFloat32, ValueType::kInt64, ValueType::kBool,
                               ValueType::kDigital, ValueType::kString}) {
    for (int round = 0; round < 20; ++round) {
      SCOPED_TRACE(round);
      Samples samples = HostileSamples(type, 200, random);
      // Within one partition.
      for (size_t i = 0; i < samples.size(); ++i) {
        samples.times[i] = static_cast<Timestamp>(i) * 997 * kNanosPerSecond;
      }
      const Rollup rollup = RollupOf(type, samples);
      std::string bytes;
      EncodeRollup(rollup, &bytes);
      const absl::StatusOr<Rollup> decoded = DecodeRollup(bytes);
      ASSERT_TRUE(decoded.ok()) << decoded.status();
      ExpectSame(*decoded, rollup);
    }
  }
}

TEST(Rollup, DamageIsFound) {
  std::string bytes;
  EncodeRollup(RollupOf(ValueType::kFloat64, PlantSamples(0, 300, 1)), &bytes);
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    EXPECT_EQ(DecodeRollup(damaged).status().code(), absl::StatusCode::kDataLoss) << i;
    EXPECT_FALSE(DecodeRollup(absl::string_view(bytes).substr(0, i)).ok()) << i;
  }
}

// As a checksum that fits proves nothing of who wrote it.
TEST(Rollup, DamageUnderAGoodChecksumNeverCrashes) {
  std::string bytes;
  EncodeRollup(RollupOf(ValueType::kFloat64, PlantSamples(0, 300, 1)), &bytes);
  std::mt19937_64 random(3);
  for (int round = 0; round < 5000; ++round) {
    std::string damaged = bytes;
    damaged[random() % (bytes.size() - 4)] = static_cast<char>(random());
    const uint32_t checksum = Checksum(absl::string_view(damaged).substr(0, damaged.size() - 4));
    PutLittleEndian(reinterpret_cast<uint8_t*>(damaged.data()) + damaged.size() - 4, checksum, 4);
    const absl::StatusOr<Rollup> decoded = DecodeRollup(damaged);
    if (decoded.ok() || damaged[0] > static_cast<char>(kRollupFormat)) continue;
    EXPECT_TRUE(absl::IsDataLoss(decoded.status())) << decoded.status();
  }
}

TEST(Rollup, ANewerVersionIsRefused) {
  std::string bytes;
  EncodeRollup(RollupOf(ValueType::kInt64, PlantSamples(0, 3, 1)), &bytes);
  bytes[0] = kRollupFormat + 1;
  PutLittleEndian(reinterpret_cast<uint8_t*>(bytes.data()) + bytes.size() - 4,
                  Checksum(absl::string_view(bytes).substr(0, bytes.size() - 4)), 4);
  EXPECT_EQ(DecodeRollup(bytes).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace historian::format
