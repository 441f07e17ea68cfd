// File: tools/plantsim/simulation.h
//
// A plant behind gateways, run through time: instruments measure (tools/plant/sensor.h), their area's gateway
// stamps what they say with its own clock, sometimes a wrong one, and delivers it, after an outage all at
// once (tools/plant/troubles.h).
//
// The samples delivered in all depend on the seed and the range of time alone, not on the steps in which
// Advance is called; steps decide only when each is delivered.
//
// Threads: one.
#ifndef HISTORIAN_TOOLS_PLANTSIM_SIMULATION_H_
#define HISTORIAN_TOOLS_PLANTSIM_SIMULATION_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "storage/model/samples.h"
#include "storage/model/timestamp.h"
#include "tools/plant/sensor.h"

namespace historian::plantsim {

// The time between two samples at `rate` samples a second, in ns; from a second on in whole milliseconds, so that
// 0.000277777778 is an hour.
int64_t SamplePeriod(double rate);

class Simulation {
 public:
  // Takes samples of sensors()[sensor]; times need not ascend where a gateway's clock was set.
  using Sink = std::function<absl::Status(size_t sensor, const SamplesView& samples)>;

  Simulation(std::vector<plant::Sensor> sensors, uint64_t seed, Timestamp start);

  const std::vector<plant::Sensor>& sensors() const { return sensors_; }
  Timestamp now() const { return now_; }
  // Gateways that hold back samples now.
  int outages() const;

  // Delivers what is measured up to `to`, but for what a gateway must hold. Does nothing when `to` is not
  // after now(). Errors: the sink's; the simulation cannot go on then.
  absl::Status Advance(Timestamp to, const Sink& sink);
  // All links come back: delivers what is held.
  absl::Status DeliverHeld(const Sink& sink);

 private:
  struct Gateway {
    int area = 0;
    Timestamp delivered = 0;  // Everything before it.
    std::vector<size_t> sensors;
  };
  absl::Status Deliver(Gateway& gateway, Timestamp to, const Sink& sink);

  const std::vector<plant::Sensor> sensors_;
  const uint64_t seed_;
  Timestamp now_;
  std::vector<Gateway> gateways_;
  Samples samples_;
};

}  // namespace historian::plantsim

#endif  // HISTORIAN_TOOLS_PLANTSIM_SIMULATION_H_
