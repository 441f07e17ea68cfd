#include "tools/plantsim/simulation.h"

#include <map>
#include <random>
#include <tuple>

#include "gtest/gtest.h"

namespace historian::plantsim {
namespace {

constexpr Timestamp kStart = 1'790'000'000 * kNanosPerSecond;
constexpr Timestamp kEnd = kStart + 8 * 3600 * kNanosPerSecond;

// Everything delivered, and how many of it came more than a minute after the newest of its sensor's area.
struct Delivered {
  std::multimap<std::tuple<size_t, Timestamp>, std::pair<ValueBits, Quality>> samples;
  uint64_t late = 0;

  Simulation::Sink Sink(const Simulation& simulation) {
    return [this, &simulation](size_t sensor, const SamplesView& view) {
      for (size_t i = 0; i < view.size; ++i) {
        samples.emplace(std::make_tuple(sensor, view.times[i]),
                        std::make_pair(view.values[i], view.QualityAt(i)));
        late += view.times[i] < simulation.now() - 150 * kNanosPerSecond;
      }
      return absl::OkStatus();
    };
  }
};

std::vector<plant::Sensor> Slow(size_t count) {
  std::vector<plant::Sensor> sensors = plant::SimulatedPlant(5, count);
  for (plant::Sensor& sensor : sensors) sensor.period = 10 * kNanosPerSecond;
  return sensors;
}

TEST(SamplePeriod, IsTheIntervalThatIsMeantAtLowRates) {
  for (const int64_t seconds : {1, 7, 60, 99, 105, 900, 3600, 9990}) {
    EXPECT_EQ(SamplePeriod(1.0 / static_cast<double>(seconds)), seconds * kNanosPerSecond) << seconds;
  }
  EXPECT_EQ(SamplePeriod(0.000277777778), 3600 * kNanosPerSecond);
  EXPECT_EQ(SamplePeriod(0.3), 3'333'000'000);
  EXPECT_EQ(SamplePeriod(300), 3'333'333);
  EXPECT_EQ(SamplePeriod(1000), 1'000'000);
}

TEST(Simulation, SameSeedSameSamplesWhateverTheSteps) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  Delivered whole, steps;
  Simulation one(Slow(120), 5, kStart);
  ASSERT_TRUE(one.Advance(kEnd, whole.Sink(one)).ok());
  ASSERT_TRUE(one.DeliverHeld(whole.Sink(one)).ok());
  Simulation two(Slow(120), 5, kStart);
  while (two.now() < kEnd) {
    const Timestamp to =
        std::min<Timestamp>(kEnd, two.now() + static_cast<int64_t>(random() % (300 * kNanosPerSecond)));
    ASSERT_TRUE(two.Advance(to, steps.Sink(two)).ok());
  }
  ASSERT_TRUE(two.DeliverHeld(steps.Sink(two)).ok());
  EXPECT_EQ(whole.samples.size(), 120u * 8 * 360);
  EXPECT_TRUE(whole.samples == steps.samples);
}

TEST(Simulation, OutagesAreFollowedByLateBackfill) {
  Delivered delivered;
  Simulation simulation(Slow(500), 1, kStart);
  int most = 0;
  while (simulation.now() < kEnd) {
    ASSERT_TRUE(simulation.Advance(simulation.now() + 60 * kNanosPerSecond, delivered.Sink(simulation)).ok());
    most = std::max(most, simulation.outages());
  }
  EXPECT_GT(most, 0);
  EXPECT_LT(most, 10);
  EXPECT_GT(delivered.late, 0u);
  ASSERT_TRUE(simulation.DeliverHeld(delivered.Sink(simulation)).ok());
  EXPECT_EQ(simulation.outages(), 0);
  EXPECT_EQ(delivered.samples.size(), 500u * 8 * 360);
}

TEST(Simulation, TheSinksErrorEndsIt) {
  Simulation simulation(Slow(50), 1, kStart);
  EXPECT_EQ(
      simulation.Advance(kEnd, [](size_t, const SamplesView&) { return absl::AbortedError("no"); }).code(),
      absl::StatusCode::kAborted);
}

}  // namespace
}  // namespace historian::plantsim
