#include "tools/histbench/workload.h"

#include <algorithm>
#include <bit>

#include "absl/strings/str_format.h"
#include "client/wire.h"
#include "storage/model/check.h"

namespace historian::histbench {
namespace {

constexpr int64_t kFrameSamples = 16'384;
constexpr int64_t kSmallFrameSamples = 20;
constexpr int64_t kWindowMax = 1024;
constexpr double kLateShare = 0.05;
constexpr int64_t kLateSecondsMax = 3600;
constexpr uint64_t kLateSalt = 11 << 20;
// Samples held as numbers while frames are made of them, 20 bytes each.
constexpr int64_t kPieceSamples = 8 << 20;

}  // namespace

Workload::Workload(WorkloadOptions options)
    : options_(std::move(options)), sensors_(plant::BenchPlant(options_.seed, options_.tags)) {
  for (size_t i = 0; i < sensors_.size(); ++i) {
    sensors_[i].tag.name = absl::StrFormat("%s/%06d", options_.prefix, i);
    sensors_[i].period = options_.period_seconds * kNanosPerSecond;
    if (IsSnapshots()) sensors_[i].jitter = 0;  // A snapshot has one time.
  }
}

void Workload::SetTags(const std::vector<Tag>& tags) {
  HISTORIAN_CHECK(tags.size() == sensors_.size());
  for (size_t i = 0; i < tags.size(); ++i) sensors_[i].tag.id = tags[i].id;
}

void Workload::Expected(size_t sensor, int64_t seconds, Samples* out) const {
  out->Clear();
  plant::MakeSamples(sensors_[sensor], FirstSample(), static_cast<size_t>(seconds), out);
}

Workload::Source::Source(const Workload& workload, size_t connections, int64_t begin, int64_t end)
    : workload_(workload), connections_(connections), end_(end), at_(begin) {
  if (!workload.IsSnapshots()) {
    const int64_t tags = std::max<int64_t>(1, static_cast<int64_t>(workload.options_.tags / connections));
    window_ = static_cast<int64_t>(
        std::bit_floor(static_cast<uint64_t>(std::clamp<int64_t>(kFrameSamples / tags, 1, kWindowMax))));
  }
  first_window_ = begin / window_;
  if (workload.options_.kind == WorkloadKind::kLate) {
    late_.resize(connections * static_cast<size_t>((end + kLateSecondsMax) / window_ - first_window_ + 2));
  }
  samples_.resize(workload.options_.tags);
  used_.resize(workload.options_.tags);
}

bool Workload::Source::Next(size_t bytes_max, std::vector<std::vector<EncodedFrame>>* frames) {
  frames->assign(connections_, {});
  const size_t estimate = 16;  // Bytes a sample, headers included.
  const int64_t tags = static_cast<int64_t>(workload_.options_.tags);
  size_t bytes = 0;
  bool any = false;
  while (at_ < end_ && bytes < bytes_max) {
    // Whole windows, and whole runs of the signals where that is not too much.
    const int64_t unit = std::max<int64_t>(window_, std::min<int64_t>(kWindowMax, 64));
    const int64_t length = std::max(unit, std::min<int64_t>(kWindowMax, kPieceSamples / tags) / unit * unit);
    const int64_t end = std::min(end_, (at_ / length + 1) * length);
    MakePiece(at_, end, frames);
    bytes += static_cast<size_t>((end - at_) * tags) * estimate;
    at_ = end;
    any = true;
  }
  if (any && at_ == end_ && workload_.options_.kind == WorkloadKind::kLate) {
    for (size_t c = 0; c < connections_; ++c) LateTail(c, &(*frames)[c]);
  }
  return any;
}

void Workload::Source::MakePiece(int64_t begin, int64_t end, std::vector<std::vector<EncodedFrame>>* frames) {
  piece_first_ = begin;
  for (size_t i = 0; i < samples_.size(); ++i) {
    samples_[i].Clear();
    plant::MakeSamples(workload_.sensors_[i], workload_.FirstSample() + begin,
                       static_cast<size_t>(end - begin), &samples_[i]);
    if (!late_.empty()) SetAsideLate(i);
    used_[i] = 0;
  }
  for (size_t c = 0; c < connections_; ++c) {
    if (workload_.IsSnapshots()) {
      for (int64_t second = begin; second < end; ++second) Snapshots(c, second, &(*frames)[c]);
    } else {
      for (int64_t window = begin / window_; window * window_ < end; ++window)
        Columns(c, window, &(*frames)[c]);
    }
  }
}

// Takes the samples of a piece that come late out of it.
void Workload::Source::SetAsideLate(size_t sensor) {
  const uint64_t seed = workload_.sensors_[sensor].signal.seed;
  size_t connection = 0;
  while (connection + 1 < connections_ && FirstOf(connection + 1) <= sensor) ++connection;
  const SamplesView from = samples_[sensor].View();
  Samples kept;
  for (size_t i = 0; i < from.size; ++i) {
    const int64_t second = piece_first_ + static_cast<int64_t>(i);
    const uint64_t hash = plant::Hash(seed, static_cast<uint64_t>(second), kLateSalt);
    if (static_cast<double>(hash >> 32) * 0x1p-32 >= kLateShare) {
      kept.Add(from.times[i], from.values[i], from.QualityAt(i));
      continue;
    }
    const int64_t arrival = second + 1 + static_cast<int64_t>((hash & 0xffffffff) % kLateSecondsMax);
    // Not in the window of its own time: there it would not be late.
    const int64_t window = std::max(arrival / window_, second / window_ + 1) - first_window_;
    late_[static_cast<size_t>(window) * connections_ + connection].push_back(
        {static_cast<uint32_t>(sensor), from.QualityAt(i), from.times[i], from.values[i]});
  }
  samples_[sensor] = std::move(kept);
}

void Workload::Source::Columns(size_t connection, int64_t window, std::vector<EncodedFrame>* frames) {
  // Samples before this time belong to this window or an earlier one; jitter is far below a second.
  const Timestamp until = workload_.EndOf(std::min(end_, (window + 1) * window_));
  std::vector<Late> late;
  if (!late_.empty()) {
    late = std::move(late_[static_cast<size_t>(window - first_window_) * connections_ + connection]);
    std::sort(late.begin(), late.end(), [](const Late& a, const Late& b) {
      return std::tie(a.sensor, a.time) < std::tie(b.sensor, b.time);
    });
  }
  client::FrameEncoder encoder;
  Samples mixed;
  size_t l = 0;
  const size_t last = FirstOf(connection + 1);
  for (size_t i = FirstOf(connection); i < last; ++i) {
    const Samples& samples = samples_[i];
    const size_t begin = used_[i];
    const size_t end = static_cast<size_t>(
        std::lower_bound(samples.times.begin() + static_cast<int64_t>(begin), samples.times.end(), until) -
        samples.times.begin());
    used_[i] = end;
    const plant::Sensor& sensor = workload_.sensors_[i];
    SamplesView view = samples.View().Slice(begin, end - begin);
    if (l < late.size() && late[l].sensor == i) {
      mixed.Clear();
      for (; l < late.size() && late[l].sensor == i; ++l)
        mixed.Add(late[l].time, late[l].value, late[l].quality);
      mixed.Append(sensor.tag.type, view);
      view = mixed.View();
    }
    if (view.size > 0) encoder.AddColumn(sensor.tag.id, sensor.tag.type, view);
    if (encoder.samples() >= kFrameSamples * 5 / 4 || (i + 1 == last && encoder.samples() > 0)) {
      EncodedFrame& frame = frames->emplace_back();
      frame.samples = encoder.samples();
      frame.bytes = encoder.Take();
      frame.bytes.shrink_to_fit();
    }
  }
}

void Workload::Source::Snapshots(size_t connection, int64_t second, std::vector<EncodedFrame>* frames) {
  client::FrameEncoder encoder;
  const size_t at = static_cast<size_t>(second - piece_first_);
  const size_t last = FirstOf(connection + 1);
  const size_t tags = workload_.options_.kind == WorkloadKind::kSmall ? kSmallFrameSamples : kFrameSamples;
  for (size_t begin = FirstOf(connection); begin < last; begin += tags) {
    const size_t end = std::min<size_t>(last, begin + tags);
    for (const ValueType type : {ValueType::kFloat64, ValueType::kDigital}) {
      std::vector<TagId> ids;
      std::vector<ValueBits> values;
      std::vector<Quality> qualities;
      for (size_t i = begin; i < end; ++i) {
        const plant::Sensor& sensor = workload_.sensors_[i];
        if (sensor.tag.type != type) continue;
        ids.push_back(sensor.tag.id);
        values.push_back(samples_[i].values[at]);
        qualities.push_back(samples_[i].View().QualityAt(at));
      }
      if (!ids.empty()) {
        encoder.AddSnapshot(workload_.start() + second * workload_.options_.period_seconds * kNanosPerSecond,
                            type, ids, values, qualities, nullptr);
      }
    }
    EncodedFrame& frame = frames->emplace_back();
    frame.samples = encoder.samples();
    frame.bytes = encoder.Take();
    frame.bytes.shrink_to_fit();
  }
}

// What is still late when the workload ends.
void Workload::Source::LateTail(size_t connection, std::vector<EncodedFrame>* frames) {
  std::vector<Late> rest;
  const auto flush = [&] {
    std::sort(rest.begin(), rest.end(), [](const Late& a, const Late& b) {
      return std::tie(a.sensor, a.time) < std::tie(b.sensor, b.time);
    });
    client::FrameEncoder encoder;
    for (size_t l = 0; l < rest.size();) {
      const size_t sensor = rest[l].sensor;
      Samples samples;
      for (; l < rest.size() && rest[l].sensor == sensor; ++l) {
        samples.Add(rest[l].time, rest[l].value, rest[l].quality);
      }
      const Tag& tag = workload_.sensors_[sensor].tag;
      encoder.AddColumn(tag.id, tag.type, samples.View());
    }
    rest.clear();
    if (encoder.samples() == 0) return;
    EncodedFrame& frame = frames->emplace_back();
    frame.samples = encoder.samples();
    frame.bytes = encoder.Take();
  };
  for (size_t slot = connection; slot < late_.size(); slot += connections_) {
    rest.insert(rest.end(), late_[slot].begin(), late_[slot].end());
    late_[slot].clear();
    if (rest.size() >= kFrameSamples) flush();
  }
  flush();
}

}  // namespace historian::histbench
