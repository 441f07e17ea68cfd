// File: storage/aggregate/random_samples.h
//
// Random runs of samples for the tests of this package: every type, plant-like values among hostile ones, all
// severities, gaps of a nanosecond to centuries.
#ifndef HISTORIAN_STORAGE_AGGREGATE_RANDOM_SAMPLES_H_
#define HISTORIAN_STORAGE_AGGREGATE_RANDOM_SAMPLES_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "storage/model/samples.h"
#include "storage/model/value.h"

namespace historian {

inline constexpr ValueType kAllTypes[] = {ValueType::kFloat64, ValueType::kFloat32, ValueType::kInt64,
                                          ValueType::kBool,    ValueType::kDigital, ValueType::kString};

class RandomSamples {
 public:
  explicit RandomSamples(uint64_t seed) : random_(seed) {}

  uint64_t Below(uint64_t n) { return random_() % n; }

  // The kinds of values, qualities and gaps that a run has.
  struct Flavour {
    bool hostile_values = false;
    bool all_good = true;
    bool long_gaps = false;
  };
  Flavour AnyFlavour() { return {Below(3) == 0, Below(2) == 0, Below(3) == 0}; }

  ValueBits Value(ValueType type, bool hostile) {
    const double u = std::uniform_real_distribution<double>(-1, 1)(random_);
    switch (type) {
      case ValueType::kFloat64:
        return BitsOfFloat64(hostile ? Hostile<double>() : std::round(u * 1000) / 100);
      case ValueType::kFloat32:
        return BitsOfFloat32(hostile ? Hostile<float>() : static_cast<float>(u * 10));
      case ValueType::kInt64:
        return hostile ? Below(2) == 0 ? random_() : uint64_t{1} << 63
                       : BitsOfInt64(static_cast<int64_t>(u * 50));
      case ValueType::kBool:
        return Below(2);
      default:
        return hostile ? random_() >> 32 : Below(4);
    }
  }

  Quality AnyQuality() {
    constexpr Quality kChoices[] = {kGood,      kGood,      kGood, 0x00960000,
                                    kUncertain, 0x40940000, kBad,  kBadNoData};
    return kChoices[Below(std::size(kChoices))];
  }

  Samples Run(ValueType type, size_t size, Flavour flavour) {
    Samples samples;
    Timestamp t = flavour.long_gaps ? kTimestampMin + static_cast<Timestamp>(Below(1000))
                                    : static_cast<Timestamp>(Below(2'000'000'000)) - 1'000'000'000;
    for (size_t i = 0; i < size; ++i) {
      const ValueBits value = Value(type, flavour.hostile_values && Below(4) == 0);
      const Quality quality = flavour.all_good ? kGood : AnyQuality();
      if (type == ValueType::kString) {
        samples.AddString(t, "text", quality);
      } else {
        samples.Add(t, value, quality);
      }
      uint64_t step = Below(4) == 0 ? 1 : 1 + Below(3'000'000'000);
      // As long as what is left of the range allows.
      if (flavour.long_gaps && Below(8) == 0) step = 1 + Below(Elapsed(t, kTimestampMax) / 2);
      if (Elapsed(t, kTimestampMax) <= step) break;
      t = static_cast<Timestamp>(static_cast<uint64_t>(t) + step);
    }
    return samples;
  }

 private:
  template <typename Float>
  Float Hostile() {
    using Limits = std::numeric_limits<Float>;
    const Float choices[] = {Limits::max(),
                             -Limits::max(),
                             Limits::denorm_min(),
                             -Limits::denorm_min(),
                             Limits::infinity(),
                             -Limits::infinity(),
                             Limits::quiet_NaN(),
                             Float{0},
                             -Float{0},
                             Limits::min(),
                             Float{1},
                             Float{-1},
                             Float(0.1),
                             Limits::max() / 3,
                             Float(1e-30),
                             Float(1e30)};
    return choices[Below(std::size(choices))];
  }

  std::mt19937_64 random_;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_RANDOM_SAMPLES_H_
