#include "tools/plant/signal.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace historian::plant {
namespace {

constexpr std::array<double, 4> kPowersOfTen = {1, 10, 100, 1000};

// Salts, so that one seed gives independent streams of numbers.
enum Salt : uint64_t { kLevelSalt = 1 << 20, kStepSalt = 2 << 20, kWhenSalt = 3 << 20, kWhatSalt = 4 << 20 };

using Run = std::array<int64_t, kRunSamples>;

constexpr int64_t FloorDivide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

// Standard deviation 1, in [-3.5, 3.5]: the sum of four bytes is near enough to a bell.
double Bell(uint64_t hash) {
  const uint64_t sum = (hash & 0xff) + ((hash >> 8) & 0xff) + ((hash >> 16) & 0xff) + ((hash >> 24) & 0xff);
  return (static_cast<double>(sum) - 510.0) * (1 / 147.8);
}

// The level at the start of a run: noise in octaves, each four times as long as the one before and twice as
// high, as a random walk's would be, until the signal's spread is reached.
double Level(const Signal& signal, int64_t run) {
  double level = static_cast<double>(signal.centre);
  double height = signal.step * 16;  // Of a walk over kRunSamples steps.
  double left = static_cast<double>(signal.spread);
  int64_t length = 1;
  for (uint64_t octave = 0; octave < 8 && left > 0; ++octave, length *= 4, height *= 2) {
    const double high = std::min(height, left);
    left -= high;
    const int64_t node = FloorDivide(run, length);
    const double along = static_cast<double>(run - node * length) / static_cast<double>(length);
    const double from = Share(signal.seed, static_cast<uint64_t>(node), kLevelSalt + octave);
    const double to = Share(signal.seed, static_cast<uint64_t>(node + 1), kLevelSalt + octave);
    level += high * 2 * (from + (to - from) * along - 0.5);
  }
  return level;
}

void Drift(const Signal& signal, int64_t run, Run& out) {
  const int64_t from = std::llround(Level(signal, run));
  const int64_t to = std::llround(Level(signal, run + 1));
  // Two steps from one hash.
  int64_t sum = 0;
  for (int i = 0; i < kRunSamples; i += 2) {
    const uint64_t hash = Hash(signal.seed, static_cast<uint64_t>(run), kStepSalt + static_cast<uint64_t>(i));
    out[i] = sum;
    sum += static_cast<int64_t>(std::floor(Bell(hash) * signal.step + 0.5));
    out[i + 1] = sum;
    sum += static_cast<int64_t>(std::floor(Bell(hash >> 32) * signal.step + 0.5));
  }
  const int64_t miss = to - from - sum;
  for (int i = 0; i < kRunSamples; ++i) out[i] += from + ((miss * i) >> 8);
}

void Tremble(const Signal& signal, int64_t run, Run& out) {
  Signal slow = signal;
  slow.step /= 16;
  const double from = Level(slow, run);
  const double slope = (Level(slow, run + 1) - from) / kRunSamples;
  for (int i = 0; i < kRunSamples; i += 2) {
    const uint64_t hash = Hash(signal.seed, static_cast<uint64_t>(run), kStepSalt + static_cast<uint64_t>(i));
    out[i] = static_cast<int64_t>(std::floor(from + slope * i + Bell(hash) * signal.step));
    out[i + 1] = static_cast<int64_t>(std::floor(from + slope * (i + 1) + Bell(hash >> 32) * signal.step));
  }
}

void Rise(const Signal& signal, int64_t run, Run& out) {
  // At each run's start the mean rise, give or take an eighth of a run.
  const double mean = signal.step * kRunSamples;
  const auto at = [&](int64_t r) {
    return static_cast<int64_t>(
        mean * (static_cast<double>(r) + Share(signal.seed, static_cast<uint64_t>(r), kLevelSalt) / 8));
  };
  const int64_t from = at(run);
  const int64_t rise = at(run + 1) - from;
  // Within it in proportion to weights from 56 to 71: a flow that hardly changes.
  std::array<int64_t, kRunSamples + 1> weights;
  weights[0] = 0;
  for (int i = 0; i < kRunSamples; i += 16) {
    uint64_t hash = Hash(signal.seed, static_cast<uint64_t>(run), kStepSalt + static_cast<uint64_t>(i));
    for (int k = 0; k < 16; ++k, hash >>= 4)
      weights[i + k + 1] = weights[i + k] + 56 + static_cast<int64_t>(hash & 15);
  }
  const double share = static_cast<double>(rise) / static_cast<double>(weights[kRunSamples]);
  for (int i = 0; i < kRunSamples; ++i)
    out[i] = from + static_cast<int64_t>(static_cast<double>(weights[i]) * share);
}

// What holds from one change to the next. Time is cut into slots of `dwell` samples, with one change
// somewhere in each.
void Hold(const Signal& signal, int64_t run, Run& out) {
  const auto changes_at = [&](int64_t slot) {
    return slot * signal.dwell +
           static_cast<int64_t>(Hash(signal.seed, static_cast<uint64_t>(slot), kWhenSalt) %
                                static_cast<uint64_t>(signal.dwell));
  };
  const auto value = [&](int64_t slot) -> int64_t {
    const uint64_t hash = Hash(signal.seed, static_cast<uint64_t>(slot), kWhatSalt);
    if (signal.kind == SignalKind::kState)
      return static_cast<int64_t>(hash % static_cast<uint64_t>(signal.spread + 1));
    // Operators like round numbers: twenty places in the range.
    const int64_t place = static_cast<int64_t>(hash % 21) - 10;
    return signal.centre + place * signal.spread / 10;
  };
  const int64_t begin = run * kRunSamples;
  int64_t slot = FloorDivide(begin, signal.dwell);
  for (int i = 0; i < kRunSamples;) {
    // Before its own change a slot still holds the value of the one before.
    const int64_t changes = changes_at(slot) - begin;
    const int64_t ends = (slot + 1) * signal.dwell - begin;
    const int64_t before = value(slot - 1);
    const int64_t after = value(slot);
    for (; i < std::min<int64_t>(ends, kRunSamples); ++i) out[i] = i < changes ? before : after;
    ++slot;
  }
}

}  // namespace

void MakeValues(const Signal& signal, int64_t first, size_t count, ValueBits* out) {
  const int64_t end = first + static_cast<int64_t>(count);
  const double divisor = kPowersOfTen[static_cast<size_t>(signal.decimals)];
  Run quanta;
  for (int64_t at = first; at < end;) {
    const int64_t run = FloorDivide(at, kRunSamples);
    switch (signal.kind) {
      case SignalKind::kDrifting:
        Drift(signal, run, quanta);
        break;
      case SignalKind::kNoisy:
        Tremble(signal, run, quanta);
        break;
      case SignalKind::kTotaliser:
        Rise(signal, run, quanta);
        break;
      case SignalKind::kSetpoint:
      case SignalKind::kState:
        Hold(signal, run, quanta);
        break;
    }
    const int64_t* from = quanta.data() + (at - run * kRunSamples);
    const int64_t n = std::min(end, (run + 1) * kRunSamples) - at;
    switch (signal.type) {
      case ValueType::kFloat64:
        // A division, not a multiplication by 0.1: the nearest double to the decimal that the instrument
        // shows.
        for (int64_t i = 0; i < n; ++i) out[i] = BitsOfFloat64(static_cast<double>(from[i]) / divisor);
        break;
      case ValueType::kFloat32:
        for (int64_t i = 0; i < n; ++i) {
          out[i] = BitsOfFloat32(static_cast<float>(from[i]) / static_cast<float>(divisor));
        }
        break;
      default:
        for (int64_t i = 0; i < n; ++i) out[i] = static_cast<ValueBits>(from[i]);
    }
    out += n;
    at += n;
  }
}

}  // namespace historian::plant
