// File: tools/plant/sensor.h
//
// An instrument with its clock and its troubles: samples as functions of a seed and a sample's number.
//
//   sample i   time     i * period, give or take jitter
//              value    tools/plant/signal.h
//              quality  Good, but for bursts of up to 40 samples, about 0.1 % of all
#ifndef HISTORIAN_TOOLS_PLANT_SENSOR_H_
#define HISTORIAN_TOOLS_PLANT_SENSOR_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "storage/model/samples.h"
#include "storage/model/tag.h"
#include "tools/plant/signal.h"

namespace historian::plant {

struct Sensor {
  Tag tag;  // Its id is the server's to give: 0 here.
  Signal signal;
  int64_t period = kNanosPerSecond;  // ns.
  int64_t jitter = 0;                // ns; times are whole milliseconds, up to so much early or late.
  double sticks = 0;                 // The share of two-hour spans in which the value freezes for a while.
  int area = 0;                      // Whose gateway delivers it.
};

// Appends samples [first, first + count). Cheapest when first and count are multiples of kRunSamples.
void MakeSamples(const Sensor& sensor, int64_t first, size_t count, Samples* out);

// The samples of [start, end) by nominal time i * period: the first number, and one behind the last.
struct SampleRange {
  int64_t first = 0;
  int64_t last = 0;
  size_t size() const { return static_cast<size_t>(last - first); }
};
SampleRange SamplesIn(const Sensor& sensor, Timestamp start, Timestamp end);

// The plant of histbench: of every 20 sensors 8 drifting analogs with 1 or 2 decimals, 4 noisy analogs with
// 3, 3 setpoints, 3 totalisers, 2 states; every second one jitters by up to 5 ms. One sample a second each.
// Names are bench/SEED/NUMBER.
std::vector<Sensor> BenchPlant(uint64_t seed, size_t count);

// The plant of plantsim: areas of 50 tags each, with pumps, tanks, heat exchangers and motors whose tags have
// names, units, descriptions, states and attributes as an engineer would give them. Some instruments stick
// now and then.
std::vector<Sensor> SimulatedPlant(uint64_t seed, size_t count);

}  // namespace historian::plant

#endif  // HISTORIAN_TOOLS_PLANT_SENSOR_H_
