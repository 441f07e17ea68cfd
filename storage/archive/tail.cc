#include "storage/archive/tail.h"

#include <algorithm>
#include <utility>

#include "storage/format/key.h"
#include "storage/format/page.h"
#include "storage/model/check.h"

namespace historian {
namespace {

// Late samples are sorted into runs when so many have come.
constexpr size_t kLateMax = format::kPageSamples;

// Text that one page may hold, so that a block of long strings stays within what the store takes as one
// value.
constexpr size_t kPageTextBytes = size_t{1} << 20;

// End (exclusive index) of the samples of rest from `begin` that one page may hold: a page's worth, one
// partition.
size_t PageEnd(ValueType type, const Samples& rest, size_t begin) {
  size_t end = std::min(begin + format::kPageSamples, rest.size());
  if (type == ValueType::kString) {
    size_t text = 0;
    for (size_t i = begin; i < end; ++i) {
      text += rest.strings[rest.values[i]].size();
      if (text > kPageTextBytes) end = i + 1;
    }
  }
  const int32_t partition = format::PartitionOf(rest.times[begin]);
  if (format::PartitionOf(rest.times[end - 1]) == partition) return end;
  const Timestamp next = format::PartitionStart(partition + 1);
  return std::lower_bound(rest.times.begin() + begin, rest.times.begin() + end, next) - rest.times.begin();
}

Sample SampleAt(ValueType type, const SamplesView& samples, size_t i) {
  return {samples.times[i], type == ValueType::kString ? 0 : samples.values[i], samples.QualityAt(i)};
}

}  // namespace

OpenPagePtr MakeOpenPage(ValueType type, const SamplesView& samples, format::EncodeHint* hint) {
  auto page = std::make_shared<OpenPage>();
  format::EncodePage(type, samples, &page->bytes, hint);
  page->bytes.shrink_to_fit();
  page->summary = Summarize(type, samples);
  return page;
}

size_t TailRun::samples() const {
  size_t samples = rest.size();
  for (const OpenPagePtr& page : pages) samples += page->summary.count;
  return samples;
}

void TailRun::CutPages(ValueType type, bool all) {
  size_t begin = 0;
  while (begin < rest.size()) {
    const size_t end = PageEnd(type, rest, begin);
    const bool full = end - begin >= format::kPageSamples || end < rest.size();
    if (!full && !all) break;
    AddPage(MakeOpenPage(type, rest.View().Slice(begin, end - begin), &hint));
    begin = end;
  }
  if (begin == 0) return;
  Samples left;
  if (begin < rest.size()) left.Append(type, rest.View(), begin, rest.size() - begin);
  rest = std::move(left);
}

void Tail::Append(const SamplesView& samples, Superseded* superseded) {
  if (samples.size == 0) return;
  dirty_ = true;
  const bool in_order = (!frontier_.has_value() || samples.times[0] > *frontier_) &&
                        (in_order_.rest.empty() || samples.times[0] > in_order_.rest.times.back());
  if (in_order) {
    if (!latest_.has_value() || samples.times[0] < oldest_) oldest_ = samples.times[0];
    NoteNewest(samples, samples.size - 1);
    in_order_.rest.Append(type_, samples);
    samples_ += samples.size;
  } else {
    for (size_t i = 0; i < samples.size; ++i) AppendOne(samples, i, superseded);
  }
  if (in_order_.rest.size() >= format::kPageSamples ||
      in_order_.rest.strings.MemoryBytes() > kPageTextBytes ||
      (!in_order_.rest.empty() && format::PartitionOf(in_order_.rest.times.front()) !=
                                      format::PartitionOf(in_order_.rest.times.back()))) {
    in_order_.CutPages(type_, false);
    if (!in_order_.pages.empty()) frontier_ = in_order_.pages.back()->summary.last.time;
  }
  if (late_.size() >= kLateMax || late_.strings.MemoryBytes() > kPageTextBytes) SettleLate();
}

void Tail::AppendOne(const SamplesView& samples, size_t i, Superseded* superseded) {
  const Timestamp time = samples.times[i];
  Samples& rest = in_order_.rest;
  if (!frontier_.has_value() || time > *frontier_) {
    const size_t at = std::lower_bound(rest.times.begin(), rest.times.end(), time) - rest.times.begin();
    if (at == rest.size()) {
      if (!latest_.has_value() || time < oldest_) oldest_ = time;
      NoteNewest(samples, i);
      rest.Append(type_, samples, i, 1);
      ++samples_;
      return;
    }
    if (rest.times[at] != time) {
      if (time < oldest_) oldest_ = time;
      Samples moved;
      moved.Append(type_, rest.View(), 0, at);
      moved.Append(type_, samples, i, 1);
      moved.Append(type_, rest.View(), at, rest.size() - at);
      rest = std::move(moved);
      ++samples_;
      return;
    }
    // Repeats what is there: nothing new, unless a later statement of this time stands among the late ones.
    const bool restated = std::find(late_.times.begin(), late_.times.end(), time) != late_.times.end() ||
                          std::any_of(late_runs_.begin(), late_runs_.end(), [&](const TailRun& run) {
                            return run.first_time() <= time && time <= run.last_time();
                          });
    if (!restated && SameSample(type_, samples, i, rest.View(), at)) {
      ++superseded->duplicates;
      return;
    }
    ++superseded->replaced;
  }
  AddLate(samples, i);
}

void Tail::AddLate(const SamplesView& samples, size_t i) {
  // A late sample at the newest time restates it.
  if (!latest_.has_value() || samples.times[i] < oldest_) oldest_ = samples.times[i];
  NoteNewest(samples, i);
  late_.Append(type_, samples, i, 1);
  ++samples_;
}

void Tail::NoteNewest(const SamplesView& samples, size_t i) {
  if (latest_.has_value() && samples.times[i] < latest_->sample.time) return;
  if (!latest_.has_value()) latest_.emplace();
  latest_->sample = SampleAt(type_, samples, i);
  if (type_ == ValueType::kString) latest_->text = std::string(samples.StringAt(i));
}

void Tail::SettleLate() {
  // Layer k gets the k-th statement of each time, so that none is lost and each layer's times rise strictly.
  std::vector<size_t> order(late_.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return late_.times[a] < late_.times[b]; });
  std::vector<Samples> layers;
  const SamplesView from = late_.View();
  size_t layer = 0;
  for (size_t k = 0; k < order.size(); ++k) {
    const bool again = k > 0 && late_.times[order[k]] == late_.times[order[k - 1]];
    if (again && SameSample(type_, from, order[k], from, order[k - 1])) {
      --samples_;  // Said twice in a row.
      continue;
    }
    layer = again ? layer + 1 : 0;
    if (layer == layers.size()) layers.emplace_back();
    layers[layer].Append(type_, from, order[k], 1);
  }
  for (Samples& samples : layers) {
    // A backfill comes in order by itself: then it makes one long run instead of many short ones.
    if (late_runs_.empty() || late_runs_.back().last_time() >= samples.times.front())
      late_runs_.emplace_back();
    late_runs_.back().rest.Append(type_, samples.View());
    late_runs_.back().CutPages(type_, false);
  }
  late_.Clear();
}

TailView Tail::View(Timestamp start, Timestamp end) const {
  TailView view;
  view.frozen = frozen_;
  const auto add = [&](const TailRun& run) {
    TailRun& copy = view.runs.emplace_back();
    for (const OpenPagePtr& page : run.pages) {
      if (page->summary.first.time <= end && page->summary.last.time >= start) copy.AddPage(page);
    }
    if (!run.rest.empty() && run.rest.times.front() <= end && run.rest.times.back() >= start) {
      copy.rest.Append(type_, run.rest.View());
    }
  };
  add(in_order_);
  for (const TailRun& run : late_runs_) add(run);
  // Each late sample restates the ones before it, so equal times need their order of arrival: settle a copy.
  if (!late_.empty()) {
    Samples late;
    late.Append(type_, late_.View());
    SortAndKeepLast(type_, &late);
    if (late.times.front() <= end && late.times.back() >= start) {
      view.runs.emplace_back().rest = std::move(late);
    }
  }
  return view;
}

std::shared_ptr<const FrozenTail> Tail::Freeze() {
  HISTORIAN_CHECK(frozen_ == nullptr);
  if (!late_.empty()) SettleLate();
  auto frozen = std::make_shared<FrozenTail>();
  frozen->type = type_;
  if (!in_order_.empty()) frontier_ = in_order_.last_time();
  frozen->runs.push_back(std::move(in_order_));
  for (TailRun& run : late_runs_) frozen->runs.push_back(std::move(run));
  frozen->samples = samples_;
  for (const TailRun& run : frozen->runs) frozen->memory_bytes += run.MemoryBytes();
  in_order_ = TailRun();
  in_order_.hint = frozen->runs.front().hint;
  late_runs_.clear();
  samples_ = 0;
  dirty_ = false;
  frozen_ = std::move(frozen);
  return frozen_;
}

void Tail::Thaw(const std::vector<TailRun>* left) {
  HISTORIAN_CHECK(frozen_ != nullptr);
  if (left == nullptr) {
    left = &frozen_->runs;
    dirty_ = true;  // Nothing of it is written down.
  }
  TailRun in_order = left->front();
  if (in_order_.pages.empty()) {
    in_order.rest.Append(type_, in_order_.rest.View());
  } else {
    in_order.CutPages(type_, true);
    for (OpenPagePtr& page : in_order_.pages) in_order.AddPage(std::move(page));
    in_order.rest = std::move(in_order_.rest);
  }
  in_order_ = std::move(in_order);
  in_order_.CutPages(type_, false);
  if (!in_order_.pages.empty()) frontier_ = std::max(*frontier_, in_order_.pages.back()->summary.last.time);
  late_runs_.insert(late_runs_.begin(), left->begin() + 1, left->end());
  for (const TailRun& run : *left) samples_ += run.samples();
  frozen_.reset();
}

void Tail::Restore(std::vector<TailRun> runs, std::optional<Timestamp> frontier,
                   std::optional<LatestSample> latest, Timestamp oldest) {
  HISTORIAN_CHECK(!runs.empty() && samples_ == 0);
  for (const TailRun& run : runs) samples_ += run.samples();
  in_order_ = std::move(runs.front());
  late_runs_.assign(std::make_move_iterator(runs.begin() + 1), std::make_move_iterator(runs.end()));
  frontier_ = frontier;
  latest_ = std::move(latest);
  oldest_ = oldest;
}

size_t Tail::MemoryBytes() const {
  size_t bytes = sizeof(Tail) + late_.MemoryBytes() + in_order_.MemoryBytes();
  for (const TailRun& run : late_runs_) bytes += run.MemoryBytes();
  return bytes + (frozen_ == nullptr ? 0 : frozen_->memory_bytes);
}

}  // namespace historian
