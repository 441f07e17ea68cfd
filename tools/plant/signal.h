// File: tools/plant/signal.h
//
// What the instruments of a plant say: values as functions of a seed and a sample's number, so that any
// sample of any instrument is made without those before it, on any machine, the same.
//
// How a random walk can be had without walking: numbers are cut into runs of kRunSamples. The level at each
// run's start is noise in octaves, a function of the run's number; within a run hashed steps are summed and
// the sum bent on a straight line so that it ends at the next run's level. Making a whole run costs a few
// nanoseconds a sample; asking for one sample costs the whole run.
#ifndef HISTORIAN_TOOLS_PLANT_SIGNAL_H_
#define HISTORIAN_TOOLS_PLANT_SIGNAL_H_

#include <cstddef>
#include <cstdint>

#include "storage/model/value.h"

namespace historian::plant {

inline constexpr int kRunSamples = 256;

// 64 bits that look random, a function of its arguments.
constexpr uint64_t Hash(uint64_t seed, uint64_t a, uint64_t b = 0) {
  uint64_t x = seed + a * 0x9E3779B97F4A7C15 + b * 0xC2B2AE3D27D4EB4F;
  x = (x ^ (x >> 32)) * 0xD6E8FEB86659FD93;
  x = (x ^ (x >> 29)) * 0x9FB21C651E98DF25;
  return x ^ (x >> 32);
}
// The same in [0, 1).
constexpr double Share(uint64_t seed, uint64_t a, uint64_t b = 0) {
  return static_cast<double>(Hash(seed, a, b) >> 11) * 0x1p-53;
}

enum class SignalKind : uint8_t {
  kDrifting,   // Analog that wanders: a random walk of a few quanta a sample.
  kNoisy,      // Analog that trembles around a slow drift.
  kSetpoint,   // Steps, minutes to hours apart.
  kTotaliser,  // Rises.
  kState,      // Codes of a digital state, minutes to hours apart.
};

// Numbers are in quanta: the last decimal that the instrument shows.
struct Signal {
  SignalKind kind = SignalKind::kDrifting;
  ValueType type = ValueType::kFloat64;  // kState: digital or bool. kTotaliser: also int64.
  uint64_t seed = 0;
  int decimals = 1;     // 0 to 3.
  int64_t centre = 0;   // Around which analogs move.
  int64_t spread = 0;   // How far, about; setpoints lie in centre +- spread; states are 0 to spread.
  double step = 1;      // Standard deviation of a step, or of the trembling; of totalisers the mean rise.
  int64_t dwell = 600;  // Samples between two steps of setpoints and states, on average.
};

// The values of samples [first, first + count), as bits of signal.type.
void MakeValues(const Signal& signal, int64_t first, size_t count, ValueBits* out);

}  // namespace historian::plant

#endif  // HISTORIAN_TOOLS_PLANT_SIGNAL_H_
