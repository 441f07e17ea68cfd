#include "client/gatherer.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace historian::client {
namespace {

// A column of its own costs some 40 bytes on the wire: smaller ones are gathered per tag first.
constexpr size_t kColumnSamplesMin = 64;

// What a sample and a column take on the wire; times are mostly 4 bytes, sometimes 8.
constexpr size_t kSampleBytes = 14;
constexpr size_t kColumnBytes = 40;

// Open columns that are kept for the next frame.
constexpr size_t kKeptColumnsMax = 4096;

}  // namespace

Gatherer::OpenColumn& Gatherer::Open(TagId tag, ValueType type) {
  const auto [it, inserted] = newest_.try_emplace(tag, open_count_);
  if (!inserted && open_[it->second].type == type) return open_[it->second];
  it->second = open_count_;
  if (open_count_ == open_.size()) open_.emplace_back();
  OpenColumn& column = open_[open_count_++];
  column.tag = tag;
  column.type = type;
  column.samples.Clear();
  open_bytes_ += kColumnBytes;
  return column;
}

void Gatherer::Add(TagId tag, ValueType type, Timestamp time, ValueBits value, Quality quality) {
  Open(tag, type).samples.Add(time, value, quality);
  open_bytes_ += kSampleBytes;
  ++open_samples_;
}

void Gatherer::AddString(TagId tag, Timestamp time, absl::string_view value, Quality quality) {
  Open(tag, ValueType::kString).samples.AddString(time, value, quality);
  open_bytes_ += kSampleBytes + value.size();
  ++open_samples_;
}

void Gatherer::AddColumn(TagId tag, ValueType type, const SamplesView& samples) {
  if (samples.size >= kColumnSamplesMin && (newest_.empty() || !newest_.contains(tag)) &&
      IsStrictlyAscending(samples.times, samples.size)) {
    encoder_.AddColumn(tag, type, samples);
    return;
  }
  Samples& open = Open(tag, type).samples;
  const size_t string_bytes = open.strings.MemoryBytes();
  open.Append(type, samples);
  open_bytes_ += samples.size * kSampleBytes + (open.strings.MemoryBytes() - string_bytes);
  open_samples_ += samples.size;
}

void Gatherer::AddSnapshot(Timestamp time, ValueType type, absl::Span<const TagId> tags,
                           absl::Span<const ValueBits> values, absl::Span<const Quality> qualities,
                           const StringColumn* strings) {
  encoder_.AddSnapshot(time, type, tags, values, qualities, strings);
  has_snapshots_ = true;
}

void Gatherer::EncodeUnsorted(OpenColumn& column) {
  const SamplesView from = column.samples.View();
  std::vector<size_t> order(from.size);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return from.times[a] < from.times[b]; });
  // Within a column times rise strictly: the second sample of one time begins the next column.
  Samples run;
  for (const size_t i : order) {
    if (!run.empty() && run.times.back() == from.times[i]) {
      encoder_.AddColumn(column.tag, column.type, run.View());
      run.Clear();
    }
    run.AddFrom(column.type, from, i);
  }
  encoder_.AddColumn(column.tag, column.type, run.View());
}

std::string Gatherer::Take(std::string next) {
  for (size_t i = 0; i < open_count_; ++i) {
    const SamplesView samples = open_[i].samples.View();
    if (IsStrictlyAscending(samples.times, samples.size)) {
      encoder_.AddColumn(open_[i].tag, open_[i].type, samples);
    } else {
      EncodeUnsorted(open_[i]);
    }
  }
  open_count_ = 0;
  if (open_.size() > kKeptColumnsMax) open_.resize(kKeptColumnsMax);
  newest_.clear();
  open_bytes_ = 0;
  open_samples_ = 0;
  has_snapshots_ = false;
  return encoder_.Take(std::move(next));
}

}  // namespace historian::client
