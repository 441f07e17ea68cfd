#include <chrono>
#include <cmath>
#include <cstdio>
#include <map>
#include <random>
#include <set>

#include "gtest/gtest.h"
#include "tools/plant/sensor.h"
#include "tools/plant/signal.h"
#include "tools/plant/troubles.h"

namespace historian::plant {
namespace {

constexpr Timestamp kStart = 1'790'000'000 * kNanosPerSecond;

Samples Make(const Sensor& sensor, int64_t first, size_t count) {
  Samples samples;
  MakeSamples(sensor, first, count, &samples);
  return samples;
}

TEST(Plant, AnyPieceIsTheSameAsAPartOfTheWhole) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (std::vector<Sensor> plant : {BenchPlant(seed, 40), SimulatedPlant(seed, 100)}) {
    for (const Sensor& sensor : plant) {
      const int64_t first = 1'790'000'000 + static_cast<int64_t>(random() % 1000) - 500;
      const Samples whole = Make(sensor, first, 20'000);
      for (int k = 0; k < 10; ++k) {
        const size_t begin = random() % 19'000;
        const size_t count = 1 + random() % 1000;
        const Samples piece = Make(sensor, first + static_cast<int64_t>(begin), count);
        for (size_t i = 0; i < count; ++i) {
          ASSERT_TRUE(SameSample(sensor.tag.type, piece.View(), i, whole.View(), begin + i))
              << sensor.tag.name;
        }
      }
    }
  }
}

TEST(Plant, TagsAreValidAndSamplesAscend) {
  for (const std::vector<Sensor>& plant : {BenchPlant(1, 200), SimulatedPlant(1, 400)}) {
    std::set<std::string> names;
    for (const Sensor& sensor : plant) {
      EXPECT_TRUE(ValidateTag(sensor.tag).ok()) << ValidateTag(sensor.tag);
      EXPECT_TRUE(names.insert(sensor.tag.name).second) << sensor.tag.name;
      const Samples samples = Make(sensor, 1'790'000'000, 5000);
      EXPECT_TRUE(IsStrictlyAscending(samples.times.data(), samples.size()));
      for (const ValueBits value : samples.values) ASSERT_TRUE(IsCanonical(sensor.tag.type, value));
    }
  }
}

TEST(Plant, BenchHasItsShares) {
  std::map<SignalKind, int> kinds;
  int jittered = 0;
  size_t not_good = 0, all = 0;
  for (const Sensor& sensor : BenchPlant(1, 1000)) {
    ++kinds[sensor.signal.kind];
    jittered += sensor.jitter > 0;
    const Samples samples = Make(sensor, 1'790'000'000, 21'600);
    all += samples.size();
    for (const Quality quality : samples.qualities) not_good += quality != kGood;
  }
  EXPECT_EQ(kinds[SignalKind::kDrifting], 400);
  EXPECT_EQ(kinds[SignalKind::kNoisy], 200);
  EXPECT_EQ(kinds[SignalKind::kSetpoint], 150);
  EXPECT_EQ(kinds[SignalKind::kTotaliser], 150);
  EXPECT_EQ(kinds[SignalKind::kState], 100);
  EXPECT_EQ(jittered, 500);
  EXPECT_NEAR(static_cast<double>(not_good) / static_cast<double>(all), 0.001, 0.0002);
}

TEST(Plant, TotalsRiseAndAnalogsStayInTheirRange) {
  for (const Sensor& sensor : BenchPlant(3, 40)) {
    const Samples samples = Make(sensor, 1'790'000'000, 100'000);
    const double quantum = std::pow(10, -sensor.signal.decimals);
    double previous = -1e300;
    for (const ValueBits bits : samples.values) {
      const double value = ToDouble(sensor.tag.type, bits);
      if (sensor.signal.kind == SignalKind::kTotaliser) {
        ASSERT_GE(value, previous);
      } else if (sensor.signal.kind != SignalKind::kState) {
        ASSERT_NEAR(value, static_cast<double>(sensor.signal.centre) * quantum,
                    (static_cast<double>(sensor.signal.spread) + 100 * sensor.signal.step) * quantum);
      }
      previous = value;
    }
  }
}

// Order-0 entropy of `numbers`, in bits.
double Entropy(const std::map<int64_t, size_t>& counts, size_t n) {
  double bits = 0;
  for (const auto& [number, count] : counts) {
    bits -= static_cast<double>(count) * std::log2(static_cast<double>(count) / static_cast<double>(n));
  }
  return bits / static_cast<double>(n);
}

// A plant of which encodings can be proud for the right reasons: neither noise nor constants.
TEST(Plant, BenchHasTheEntropyOfAPlant) {
  double bits_of_values = 0, bits_of_times = 0;
  std::map<SignalKind, double> by_kind;
  const std::vector<Sensor> plant = BenchPlant(1, 100);
  for (const Sensor& sensor : plant) {
    const Samples samples = Make(sensor, 1'790'000'000, 21'600);
    const double scale = sensor.tag.type == ValueType::kFloat64 ? std::pow(10, sensor.signal.decimals) : 1;
    std::map<int64_t, size_t> values, times;
    for (size_t i = 1; i < samples.size(); ++i) {
      ++values[std::llround(ToDouble(sensor.tag.type, samples.values[i]) * scale) -
               std::llround(ToDouble(sensor.tag.type, samples.values[i - 1]) * scale)];
      ++times[samples.times[i] - static_cast<Timestamp>(1'790'000'000 + i) * kNanosPerSecond];
    }
    const double bits = Entropy(values, samples.size() - 1);
    bits_of_values += bits;
    by_kind[sensor.signal.kind] += bits;
    bits_of_times += Entropy(times, samples.size() - 1);
  }
  const double n = static_cast<double>(plant.size()) * 8;
  std::printf("entropy: values %.3f, times %.3f bytes a sample\n", bits_of_values / n, bits_of_times / n);
  for (const auto& [kind, bits] : by_kind)
    std::printf("  kind %d: %.3f bits in all\n", static_cast<int>(kind), bits / 100);
  EXPECT_NEAR(bits_of_values / n, 0.456, 0.02);
  EXPECT_NEAR(bits_of_times / n, 0.216, 0.01);
}

TEST(Plant, MakingIsCheap) {
  const std::vector<Sensor> plant = BenchPlant(1, 100);
  Samples samples;
  uint64_t checksum = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (const Sensor& sensor : plant) {
    samples.Clear();
    MakeSamples(sensor, 256 * 7'000'000, 8192, &samples);
    checksum += samples.values.back() + static_cast<uint64_t>(samples.times.back());
  }
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
  std::printf("%.1f ns/sample, checksum %016llx\n", took.count() / (8192.0 * 100),
              static_cast<unsigned long long>(checksum));
}

TEST(Troubles, OutagesDelayAndEndAndClocksAreSet) {
  int64_t delayed = 0, wrong = 0, n = 0;
  for (int area = 1; area <= 20; ++area) {
    for (Timestamp t = kStart; t < kStart + 86'400 * kNanosPerSecond; t += 20 * kNanosPerSecond, ++n) {
      const Timestamp delivered = DeliveredAt(1, area, t);
      ASSERT_GE(delivered, t);
      ASSERT_LE(delivered - t, 900 * kNanosPerSecond);
      ASSERT_EQ(DeliveredAt(1, area, delivered), delivered);
      delayed += delivered != t;
      const int64_t error = ClockError(1, area, t);
      ASSERT_LE(std::abs(error), 90 * kNanosPerSecond);
      wrong += error != 0;
    }
  }
  EXPECT_GT(delayed, n / 200);
  EXPECT_LT(delayed, n / 20);
  EXPECT_GT(wrong, 0);
  EXPECT_LT(wrong, n / 50);
}

}  // namespace
}  // namespace historian::plant
