#include "tools/plantsim/simulation.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "storage/model/status_macros.h"
#include "tools/plant/troubles.h"

namespace historian::plantsim {

int64_t SamplePeriod(double rate) {
  const double period = static_cast<double>(kNanosPerSecond) / rate;
  constexpr int64_t kMilli = 1'000'000;
  return period < static_cast<double>(kNanosPerSecond) ? std::llround(period)
                                                       : std::llround(period / kMilli) * kMilli;
}

Simulation::Simulation(std::vector<plant::Sensor> sensors, uint64_t seed, Timestamp start)
    : sensors_(std::move(sensors)), seed_(seed), now_(start) {
  for (size_t i = 0; i < sensors_.size(); ++i) {
    if (gateways_.empty() || gateways_.back().area != sensors_[i].area) {
      gateways_.push_back({.area = sensors_[i].area, .delivered = start});
    }
    gateways_.back().sensors.push_back(i);
  }
}

int Simulation::outages() const {
  return static_cast<int>(std::count_if(gateways_.begin(), gateways_.end(),
                                        [&](const Gateway& g) { return g.delivered < now_; }));
}

absl::Status Simulation::Advance(Timestamp to, const Sink& sink) {
  if (to <= now_) return absl::OkStatus();
  now_ = to;
  for (Gateway& gateway : gateways_) {
    // In the midst of an outage nothing comes, not even what was measured just before it.
    if (plant::DeliveredAt(seed_, gateway.area, to) > to) continue;
    RETURN_IF_ERROR(Deliver(gateway, to, sink));
  }
  return absl::OkStatus();
}

absl::Status Simulation::DeliverHeld(const Sink& sink) {
  for (Gateway& gateway : gateways_) RETURN_IF_ERROR(Deliver(gateway, now_, sink));
  return absl::OkStatus();
}

absl::Status Simulation::Deliver(Gateway& gateway, Timestamp to, const Sink& sink) {
  for (const size_t i : gateway.sensors) {
    const plant::SampleRange range = plant::SamplesIn(sensors_[i], gateway.delivered, to);
    if (range.size() == 0) continue;
    samples_.Clear();
    plant::MakeSamples(sensors_[i], range.first, range.size(), &samples_);
    for (Timestamp& t : samples_.times) t += plant::ClockError(seed_, gateway.area, t);
    RETURN_IF_ERROR(sink(i, samples_.View()));
  }
  gateway.delivered = to;
  return absl::OkStatus();
}

}  // namespace historian::plantsim
