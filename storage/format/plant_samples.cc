#include "storage/format/plant_samples.h"

#include <cmath>
#include <cstring>
#include <random>

#include "storage/model/check.h"

namespace historian::format {
namespace {

constexpr Timestamp kStart = 1'796'007'600'000'000'000;  // 2026-11-30T03:00:00Z
constexpr Timestamp kMillisecond = 1'000'000;

using Random = std::mt19937_64;

// From -limit to limit, denser in the middle, as the sum of three even ones.
int64_t Noise(Random& random, int64_t limit) {
  int64_t sum = 0;
  for (int i = 0; i < 3; ++i)
    sum += static_cast<int64_t>(random() % static_cast<uint64_t>(2 * limit + 1)) - limit;
  return sum / 3;
}

// Every second, on the second.
Timestamp Clock(size_t i) { return kStart + static_cast<Timestamp>(i) * kNanosPerSecond; }
// Every second, up to 5 ms early or late, in whole milliseconds.
Timestamp Jittered(size_t i, Random& random) {
  return Clock(i) + (static_cast<Timestamp>(random() % 11) - 5) * kMillisecond;
}

// A temperature that drifts by a few tenths and returns to its level.
class Drift {
 public:
  int64_t Next(Random& random) {
    level_ += Noise(random, 3) - (level_ - 204) / 40;
    return level_;
  }

 private:
  int64_t level_ = 204;
};

template <typename Value>
Samples Regular(size_t size, Value value) {
  Samples samples;
  for (size_t i = 0; i < size; ++i) samples.Add(Clock(i), value(i));
  return samples;
}

// 1 Hz, one decimal: a slow measured value.
Samples DriftRegular(size_t size, uint64_t seed) {
  Random random(seed);
  Drift drift;
  return Regular(size, [&](size_t) { return BitsOfFloat64(static_cast<double>(drift.Next(random)) / 10); });
}

// The same from a source whose clock ticks with the network.
Samples DriftJittered(size_t size, uint64_t seed) {
  Random random(seed);
  Drift drift;
  Samples samples;
  for (size_t i = 0; i < size; ++i) {
    samples.Add(Jittered(i, random), BitsOfFloat64(static_cast<double>(drift.Next(random)) / 10));
  }
  return samples;
}

// The same, one in a hundred lost, and a Bad stretch.
Samples DriftWithGaps(size_t size, uint64_t seed) {
  Random random(seed);
  Drift drift;
  Samples samples;
  for (size_t i = 0; samples.size() < size; ++i) {
    const int64_t level = drift.Next(random);
    if (random() % 100 == 0) continue;
    const size_t at = samples.size();
    const bool bad = at >= size / 3 && at < size / 3 + size / 20;
    samples.Add(Clock(i), bad ? BitsOfFloat64(0) : BitsOfFloat64(static_cast<double>(level) / 10),
                bad ? 0x80310000 : kGood);
  }
  return samples;
}

// Two decimals around a level: a flow.
Samples NoiseRegular(size_t size, uint64_t seed) {
  Random random(seed);
  return Regular(size,
                 [&](size_t) { return BitsOfFloat64(static_cast<double>(5000 + Noise(random, 200)) / 100); });
}

// The same with a drop to zero or a spike now and then.
Samples NoiseWithSpikes(size_t size, uint64_t seed) {
  Random random(seed);
  return Regular(size, [&](size_t) {
    const uint64_t kind = random() % 200;
    const int64_t level = kind == 0 ? 0 : kind == 1 ? 999900 : 5000 + Noise(random, 200);
    return BitsOfFloat64(static_cast<double>(level) / 100);
  });
}

// A PLC's REAL, read by a gateway that makes it a double.
Samples WidenedReal(size_t size, uint64_t seed) {
  Random random(seed);
  Drift drift;
  return Regular(size, [&](size_t) {
    return BitsOfFloat64(
        static_cast<double>(static_cast<float>(static_cast<double>(drift.Next(random)) / 10)));
  });
}

// A PLC's REAL scaled from a 14-bit converter: no decimal.
Samples ScaledReal(size_t size, uint64_t seed) {
  Random random(seed);
  int64_t counts = 9000;
  return Regular(size, [&](size_t) {
    counts += Noise(random, 12);
    return BitsOfFloat32(static_cast<float>(static_cast<double>(counts) * 150.0 / 27648.0));
  });
}

// A computed value with all its 17 digits.
Samples Computed(size_t size, uint64_t seed) {
  Random random(seed);
  Drift drift;
  return Regular(size, [&](size_t) {
    return BitsOfFloat64(
        (static_cast<double>(drift.Next(random)) + static_cast<double>(random() >> 11) * 0x1p-53) / 7.0);
  });
}

// A PLC's REAL, printed with 15 digits by a gateway and read again.
Samples PrintedReal(size_t size, uint64_t seed) {
  Random random(seed);
  Drift drift;
  return Regular(size, [&](size_t) {
    const int64_t level = 100 * drift.Next(random) + static_cast<int64_t>(random() % 100);
    const float real = static_cast<float>(static_cast<double>(level) / 700);
    return BitsOfFloat64(static_cast<double>(std::llround(static_cast<double>(real) * 1e13)) / 1e13);
  });
}

// The sum of three flows with two decimals, as a program adds doubles.
Samples SumOfDecimals(size_t size, uint64_t seed) {
  Random random(seed);
  return Regular(size, [&](size_t) {
    double sum = 0;
    for (int i = 0; i < 3; ++i) sum += static_cast<double>(5000 + Noise(random, 200)) / 100;
    return BitsOfFloat64(sum);
  });
}

// A 12-bit converter's counts times what one is worth.
Samples ScaledCounts(size_t size, uint64_t seed) {
  Random random(seed);
  int64_t counts = 2000;
  return Regular(size, [&](size_t) {
    counts += Noise(random, 12) - (counts - 2000) / 40;
    return BitsOfFloat64(static_cast<double>(counts) * 0.0054);
  });
}

// Seldom changed by the operator.
Samples Setpoint(size_t size, uint64_t seed) {
  Random random(seed);
  int64_t level = 600;
  return Regular(size, [&](size_t) {
    if (random() % 300 == 0) level = static_cast<int64_t>(400 + 5 * (random() % 80));
    return BitsOfFloat64(static_cast<double>(level) / 10);
  });
}

// An energy meter: rises by a little each time.
Samples Totaliser(size_t size, uint64_t seed) {
  Random random(seed);
  int64_t total = 8'812'345;
  return Regular(size, [&](size_t) {
    total += 40 + Noise(random, 6);
    return BitsOfFloat64(static_cast<double>(total) / 100);
  });
}

Samples Counter(size_t size, uint64_t seed) {
  Random random(seed);
  int64_t count = 1'000'000'007;
  return Regular(size, [&](size_t) { return BitsOfInt64(count += static_cast<int64_t>(random() % 7)); });
}

// A pump that runs and stands.
Samples Running(size_t size, uint64_t seed) {
  Random random(seed);
  uint64_t state = 0;
  return Regular(size, [&](size_t) { return state ^= random() % 100 == 0; });
}

// A sequence that steps through its states.
Samples Sequence(size_t size, uint64_t seed) {
  Random random(seed);
  constexpr uint64_t kStates[] = {0, 10, 20, 30, 40, 900, 65535};
  size_t at = 0;
  return Regular(size, [&](size_t) {
    if (random() % 20 == 0) at = (at + 1) % std::size(kStates);
    return kStates[at];
  });
}

// Reported only when it changes by more than the exception deviation, to the microsecond.
Samples ByException(size_t size, uint64_t seed) {
  Random random(seed);
  Samples samples;
  Timestamp time = kStart;
  int64_t level = 7213;
  for (size_t i = 0; i < size; ++i) {
    time += static_cast<Timestamp>(200'000 + random() % 10'000'000) * 1000;
    level +=
        random() % 2 == 0 ? 5 + static_cast<int64_t>(random() % 6) : -5 - static_cast<int64_t>(random() % 6);
    samples.Add(time, BitsOfFloat64(static_cast<double>(level) / 1000));
  }
  return samples;
}

// Batch and alarm texts, most of them said before.
Samples Messages(size_t size, uint64_t seed) {
  Random random(seed);
  Samples samples;
  for (size_t i = 0; i < size; ++i) {
    const uint64_t unit = random() % 12;
    samples.AddString(Jittered(i, random), "Unit " + std::to_string(unit) + ": level of tank " +
                                               std::to_string(100 + unit * 7) + " is high");
  }
  return samples;
}

}  // namespace

const std::vector<PlantKind>& PlantKinds() {
  static const auto* kinds = new std::vector<PlantKind>{
      {"drift_regular", ValueType::kFloat64, DriftRegular},
      {"drift_jittered", ValueType::kFloat64, DriftJittered},
      {"drift_with_gaps", ValueType::kFloat64, DriftWithGaps},
      {"noise_regular", ValueType::kFloat64, NoiseRegular},
      {"noise_with_spikes", ValueType::kFloat64, NoiseWithSpikes},
      {"widened_real", ValueType::kFloat64, WidenedReal},
      {"computed", ValueType::kFloat64, Computed},
      {"printed_real", ValueType::kFloat64, PrintedReal},
      {"sum_of_decimals", ValueType::kFloat64, SumOfDecimals},
      {"scaled_counts", ValueType::kFloat64, ScaledCounts},
      {"setpoint", ValueType::kFloat64, Setpoint},
      {"totaliser", ValueType::kFloat64, Totaliser},
      {"by_exception", ValueType::kFloat64, ByException},
      {"scaled_real", ValueType::kFloat32, ScaledReal},
      {"counter", ValueType::kInt64, Counter},
      {"running", ValueType::kBool, Running},
      {"sequence", ValueType::kDigital, Sequence},
      {"messages", ValueType::kString, Messages},
  };
  return *kinds;
}

const PlantKind& PlantKindNamed(const char* name) {
  for (const PlantKind& kind : PlantKinds()) {
    if (std::strcmp(kind.name, name) == 0) return kind;
  }
  HISTORIAN_CHECK(false && "no such kind of samples");
}

}  // namespace historian::format
