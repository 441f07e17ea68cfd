#include "tools/plant/sensor.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace historian::plant {
namespace {

enum Salt : uint64_t {
  kJitterSalt = 5 << 20,
  kBurstSalt = 6 << 20,
  kStickSalt = 7 << 20,
  kShapeSalt = 8 << 20
};

constexpr int64_t kMilli = 1'000'000;

// In one of five spans of 4096 samples there is a burst of 1 to 40: 0.1 %.
constexpr int64_t kBurstSpan = 4096;
constexpr uint64_t kBurstMax = 40;
constexpr Quality kTroubles[] = {
    0x80310000,  // BadNoCommunication
    0x808C0000,  // BadSensorFailure
    0x808D0000,  // BadOutOfService
    0x40900000,  // UncertainLastUsableValue
    0x40930000,  // UncertainSensorNotAccurate
    0x40940000,  // UncertainEngineeringUnitsExceeded
};

constexpr int64_t FloorDivide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

struct Burst {
  int64_t begin = 0;
  int64_t end = 0;  // begin == end: none.
  uint64_t hash = 0;
};

// What happens once in a span of `length` samples with probability `share`, for up to `most` samples.
Burst BurstIn(uint64_t seed, uint64_t salt, int64_t span, int64_t length, double share, uint64_t most) {
  const uint64_t hash = Hash(seed, static_cast<uint64_t>(span), salt);
  if (static_cast<double>(hash >> 32) * 0x1p-32 >= share) return {};
  Burst burst;
  burst.hash = Hash(hash, 1);
  burst.begin =
      span * length + static_cast<int64_t>((hash & 0xffffffff) % (static_cast<uint64_t>(length) - most));
  burst.end = burst.begin + 1 + static_cast<int64_t>(burst.hash % most);
  return burst;
}

}  // namespace

void MakeSamples(const Sensor& sensor, int64_t first, size_t count, Samples* out) {
  if (count == 0) return;
  const size_t at = out->size();
  const int64_t last = first + static_cast<int64_t>(count);
  const uint64_t seed = sensor.signal.seed;

  out->times.resize(at + count);
  Timestamp* times = out->times.data() + at;
  for (size_t i = 0; i < count; ++i) times[i] = (first + static_cast<int64_t>(i)) * sensor.period;
  if (sensor.jitter > 0) {
    const uint64_t places = static_cast<uint64_t>(2 * sensor.jitter / kMilli + 1);
    for (size_t i = 0; i < count; ++i) {
      // The high half of a product is a number below `places` without a division.
      const uint64_t hash = Hash(seed, static_cast<uint64_t>(first) + i, kJitterSalt) >> 32;
      times[i] += static_cast<int64_t>((hash * places) >> 32) * kMilli - sensor.jitter;
    }
  }

  out->values.resize(at + count);
  ValueBits* values = out->values.data() + at;
  MakeValues(sensor.signal, first, count, values);
  if (sensor.sticks > 0) {
    const int64_t span = 2 * 3600;
    for (int64_t s = FloorDivide(first, span); s * span < last; ++s) {
      const Burst stuck = BurstIn(seed, kStickSalt, s, span, sensor.sticks, 1800);
      if (stuck.begin >= last || stuck.end <= first || stuck.begin == stuck.end) continue;
      ValueBits held;
      MakeValues(sensor.signal, stuck.begin, 1, &held);
      std::fill(values + (std::max(stuck.begin, first) - first), values + (std::min(stuck.end, last) - first),
                held);
    }
  }

  if (!out->qualities.empty()) out->qualities.resize(at + count, kGood);
  for (int64_t s = FloorDivide(first, kBurstSpan); s * kBurstSpan < last; ++s) {
    const Burst burst = BurstIn(seed, kBurstSalt, s, kBurstSpan, 0.2, kBurstMax);
    const int64_t begin = std::max(burst.begin, first);
    const int64_t end = std::min(burst.end, last);
    if (begin >= end) continue;
    out->qualities.resize(at + count, kGood);
    std::fill(out->qualities.begin() + static_cast<int64_t>(at) + (begin - first),
              out->qualities.begin() + static_cast<int64_t>(at) + (end - first),
              kTroubles[(burst.hash >> 32) % std::size(kTroubles)]);
  }
}

SampleRange SamplesIn(const Sensor& sensor, Timestamp start, Timestamp end) {
  const auto number = [&](Timestamp t) { return -FloorDivide(-t, sensor.period); };  // Rounded up.
  const int64_t first = number(start);
  return {first, std::max(first, number(end))};
}

std::vector<Sensor> BenchPlant(uint64_t seed, size_t count) {
  std::vector<Sensor> sensors(count);
  for (size_t i = 0; i < count; ++i) {
    Sensor& sensor = sensors[i];
    Signal& signal = sensor.signal;
    signal.seed = Hash(seed, i, kShapeSalt);
    const double any = Share(signal.seed, 0, kShapeSalt);
    sensor.tag.name = absl::StrFormat("bench/%d/%06d", seed, i);
    sensor.jitter = i % 2 == 0 ? 5 * kMilli : 0;
    const size_t place = (i / 2) % 10;  // Jittered and plain ones of each kind.
    if (place < 4) {
      signal.kind = SignalKind::kDrifting;
      signal.decimals = place % 2 == 0 ? 1 : 2;
      signal.centre = 1000 + static_cast<int64_t>(any * 9000);
      signal.spread = signal.centre / 2;
      signal.step = 1 + 3 * any;
    } else if (place < 6) {
      signal.kind = SignalKind::kNoisy;
      signal.decimals = 3;
      signal.centre = 20'000 + static_cast<int64_t>(any * 100'000);
      signal.spread = signal.centre / 4;
      signal.step = 25 + 60 * any;
    } else if (place == 6 || (place == 7 && i % 2 == 0)) {
      signal.kind = SignalKind::kSetpoint;
      signal.decimals = 1;
      signal.centre = 500;
      signal.spread = 500;
      signal.dwell = 900 + static_cast<int64_t>(any * 3600);
    } else if (place < 9) {
      signal.kind = SignalKind::kTotaliser;
      signal.decimals = 2;
      signal.step = 15 + 60 * any;
    } else {
      signal.kind = SignalKind::kState;
      signal.type = ValueType::kDigital;
      signal.spread = 1 + static_cast<int64_t>(any * 3);
      signal.dwell = 300 + static_cast<int64_t>(any * 1800);
      sensor.tag.states = {{0, "stopped"}, {1, "running"}, {2, "starting"}, {3, "tripped"}};
    }
    sensor.tag.type = signal.type;
    sensor.tag.interpolation = signal.kind == SignalKind::kDrifting || signal.kind == SignalKind::kNoisy
                                   ? Interpolation::kSloped
                                   : Interpolation::kStepped;
  }
  return sensors;
}

namespace {

// One tag of a kind of equipment.
struct Instrument {
  const char* name;
  const char* unit;
  const char* description;
  SignalKind kind;
  ValueType type;
  int decimals;
  double centre;  // In engineering units, as are the next two.
  double spread;
  double step;
  int64_t dwell;
  std::map<uint32_t, std::string> states;
};

struct Equipment {
  const char* name;
  const char* description;
  std::vector<Instrument> instruments;
};

const std::vector<Equipment>& Catalogue() {
  using enum SignalKind;
  using enum ValueType;
  static const auto* const catalogue = new std::vector<Equipment>{
      {"pump",
       "Centrifugal pump",
       {{"discharge-pressure",
         "bar",
         "Pressure behind the pump",
         kDrifting,
         kFloat64,
         2,
         6.5,
         2,
         0.02,
         0,
         {}},
        {"flow", "m3/h", "Discharge flow", kNoisy, kFloat64, 3, 42, 12, 0.08, 0, {}},
        {"speed", "rpm", "Shaft speed, from the drive", kNoisy, kFloat32, 0, 1480, 20, 3, 0, {}},
        {"motor-current", "A", "Motor current, from the drive", kNoisy, kFloat32, 1, 31, 6, 0.4, 0, {}},
        {"bearing-temperature", "Cel", "Drive end bearing", kDrifting, kFloat64, 1, 62, 15, 0.1, 0, {}},
        {"state",
         "",
         "Drive state",
         kState,
         kDigital,
         0,
         0,
         3,
         0,
         2400,
         {{0, "stopped"}, {1, "running"}, {2, "starting"}, {3, "tripped"}}},
        {"hours", "h", "Running hours", kTotaliser, kFloat64, 2, 0, 0, 0.03, 0, {}},
        {"total-flow", "m3", "Pumped since commissioning", kTotaliser, kFloat64, 2, 0, 0, 0.35, 0, {}}}},
      {"tank",
       "Storage tank",
       {{"level", "%", "Level, by radar", kDrifting, kFloat64, 1, 55, 35, 0.1, 0, {}},
        {"temperature", "Cel", "Product temperature", kDrifting, kFloat64, 2, 38, 8, 0.02, 0, {}},
        {"level-setpoint", "%", "Level to hold", kSetpoint, kFloat64, 0, 50, 30, 0, 5400, {}},
        {"inlet-open", "", "Inlet valve is open", kState, kBool, 0, 0, 1, 0, 900, {}},
        {"batches", "", "Batches filled since commissioning", kTotaliser, kInt64, 0, 0, 0, 0.02, 0, {}}}},
      {"exchanger",
       "Plate heat exchanger",
       {{"inlet-temperature", "Cel", "Primary inlet", kDrifting, kFloat64, 1, 88, 6, 0.1, 0, {}},
        {"outlet-temperature", "Cel", "Primary outlet", kNoisy, kFloat64, 3, 61, 5, 0.05, 0, {}},
        {"temperature-setpoint",
         "Cel",
         "Secondary outlet to hold",
         kSetpoint,
         kFloat64,
         1,
         70,
         10,
         0,
         7200,
         {}},
        {"valve-position", "%", "Control valve", kDrifting, kFloat32, 1, 45, 40, 0.4, 0, {}},
        {"controller-mode",
         "",
         "Mode of the controller",
         kState,
         kDigital,
         0,
         0,
         2,
         0,
         3600,
         {{0, "manual"}, {1, "automatic"}, {2, "cascade"}}}}},
      {"feeder",
       "Low voltage feeder",
       {{"power", "kW", "Active power", kNoisy, kFloat64, 3, 118, 40, 0.6, 0, {}},
        {"voltage", "V", "Line voltage", kNoisy, kFloat32, 1, 401, 4, 0.5, 0, {}},
        {"energy", "kWh", "Meter reading", kTotaliser, kFloat64, 2, 0, 0, 0.03, 0, {}},
        {"breaker",
         "",
         "Breaker position",
         kState,
         kDigital,
         0,
         0,
         1,
         0,
         20'000,
         {{0, "open"}, {1, "closed"}}}}},
  };
  return *catalogue;
}

}  // namespace

std::vector<Sensor> SimulatedPlant(uint64_t seed, size_t count) {
  constexpr size_t kAreaTags = 50;
  constexpr int64_t kScale[] = {1, 10, 100, 1000};
  std::vector<Sensor> sensors;
  sensors.reserve(count);
  for (size_t unit = 0; sensors.size() < count; ++unit) {
    const Equipment& equipment = Catalogue()[unit % Catalogue().size()];
    const size_t area = 1 + sensors.size() / kAreaTags;
    for (const Instrument& instrument : equipment.instruments) {
      if (sensors.size() == count) break;
      Sensor& sensor = sensors.emplace_back();
      sensor.area = static_cast<int>(area);
      sensor.tag.name =
          absl::StrFormat("plant/area-%d/%s-%d/%s", area, equipment.name, 101 + unit, instrument.name);
      sensor.tag.type = instrument.type;
      sensor.tag.unit = instrument.unit;
      sensor.tag.description =
          absl::StrCat(equipment.description, " ", 101 + unit, ": ", instrument.description);
      sensor.tag.states = instrument.states;
      sensor.tag.attributes = {{"equipment", absl::StrCat(equipment.name, "-", 101 + unit)},
                               {"source", "plantsim"}};
      Signal& signal = sensor.signal;
      signal.kind = instrument.kind;
      signal.type = instrument.type;
      signal.seed = Hash(seed, sensors.size(), kShapeSalt);
      signal.decimals = instrument.decimals;
      const bool state = instrument.kind == SignalKind::kState;
      const double scale = state ? 1 : static_cast<double>(kScale[instrument.decimals]);
      const double any = 0.8 + 0.4 * Share(signal.seed, 1, kShapeSalt);
      signal.centre = static_cast<int64_t>(instrument.centre * scale * any);
      signal.spread = static_cast<int64_t>(instrument.spread * scale);
      signal.step = instrument.step * scale * any;
      signal.dwell = std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(instrument.dwell) * any));
      const bool analog = signal.kind == SignalKind::kDrifting || signal.kind == SignalKind::kNoisy;
      sensor.tag.interpolation =
          analog && IsFloat(instrument.type) ? Interpolation::kSloped : Interpolation::kStepped;
      // What comes over a bus is polled and jitters; what a scanner reads does not.
      sensor.jitter = instrument.type == ValueType::kFloat32 || sensors.size() % 3 == 0 ? 5 * kMilli : 0;
      sensor.sticks = analog && Share(signal.seed, 2, kShapeSalt) < 0.1 ? 0.25 : 0;
    }
  }
  return sensors;
}

}  // namespace historian::plant
