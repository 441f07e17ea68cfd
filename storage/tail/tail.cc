#include "storage/tail/tail.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "storage/format/key.h"
#include "storage/format/page.h"
#include "storage/format/scratch.h"
#include "storage/model/check.h"

namespace historian {
namespace {

// Late samples are sorted into runs when so many have come.
constexpr size_t kLateMax = format::kPageSamples;

bool AllGood(const SamplesView& samples) {
  if (samples.qualities == nullptr) return true;
  Quality any = kGood;
  for (size_t i = 0; i < samples.size; ++i) any |= samples.qualities[i];
  return any == kGood;
}

}  // namespace

// What few tails have.
struct Tail::Rest {
  TailRun in_order;
  std::vector<TailRun> late_runs;
  Samples late;  // In order of arrival.
  std::string latest_text;
  std::shared_ptr<const FrozenTail> frozen;
  size_t samples = 0;  // Of in_order and the late ones.

  size_t MemoryBytes() const {
    size_t bytes = sizeof(Rest) + in_order.MemoryBytes() + late.MemoryBytes();
    for (const TailRun& run : late_runs) bytes += run.MemoryBytes();
    return bytes + (frozen == nullptr ? 0 : frozen->memory_bytes);
  }
};

Tail::Tail() = default;
Tail::Tail(ValueType type) : type_(type), exists_(true) {}
Tail::Tail(Tail&&) = default;
Tail& Tail::operator=(Tail&&) = default;
Tail::~Tail() = default;

size_t Tail::samples() const {
  if (rest_ == nullptr) return waiting_size_;
  return waiting_size_ + rest_->samples + (rest_->frozen == nullptr ? 0 : rest_->frozen->samples);
}

size_t Tail::MemoryBytes() const {
  return waiting_capacity_ * sizeof(Waiting) + (rest_ == nullptr ? 0 : rest_->MemoryBytes());
}

std::optional<LatestSample> Tail::latest() const {
  if (!has_latest_) return std::nullopt;
  return LatestSample{{latest_time_, latest_value_, latest_quality_},
                      type_ == ValueType::kString ? rest_->latest_text : std::string()};
}

Tail::Rest& Tail::MakeRest() {
  if (rest_ == nullptr) {
    rest_ = std::make_unique<Rest>();
    rest_->in_order.hint = hint_;
  }
  return *rest_;
}

Tail::Rest& Tail::Unfold() {
  MakeRest();
  if (waiting_size_ > 0) {
    Samples& rest = rest_->in_order.rest;
    rest.times.resize(waiting_size_);
    rest.values.resize(waiting_size_);
    for (size_t i = 0; i < waiting_size_; ++i) {
      rest.times[i] = waiting_[i].time;
      rest.values[i] = waiting_[i].value;
    }
    rest_->samples += waiting_size_;
  }
  waiting_.reset();
  waiting_size_ = waiting_capacity_ = 0;
  unfolded_ = true;
  return *rest_;
}

void Tail::Fold() {
  TailRun& in_order = rest_->in_order;
  if (type_ == ValueType::kString || !in_order.rest.qualities.empty() ||
      in_order.rest.size() >= format::kPageSamples) {
    return;
  }
  const size_t size = in_order.rest.size();
  if (size > 0) {
    waiting_.reset(static_cast<Waiting*>(std::malloc(size * sizeof(Waiting))));
    HISTORIAN_CHECK(waiting_ != nullptr);
    waiting_size_ = waiting_capacity_ = static_cast<uint16_t>(size);
    for (size_t i = 0; i < size; ++i) waiting_[i] = {in_order.rest.times[i], in_order.rest.values[i]};
    rest_->samples -= size;
  }
  in_order.rest = Samples();
  unfolded_ = false;
  hint_ = in_order.hint;
  if (in_order.pages.empty() && rest_->late_runs.empty() && rest_->late.empty() && rest_->frozen == nullptr) {
    rest_.reset();
  }
}

Tail::Change Tail::Append(const SamplesView& samples, Superseded* superseded) {
  if (samples.size == 0) return {};
  dirty_ = true;
  const bool can_wait = CanWait(samples);
  const size_t capacity_before = waiting_capacity_;
  if (can_wait && AppendInOrder(samples)) {
    const size_t grown = waiting_capacity_ - capacity_before;
    return {static_cast<int64_t>(samples.size), static_cast<int64_t>(grown * sizeof(Waiting))};
  }
  const size_t samples_before = this->samples(), bytes_before = MemoryBytes();
  if (!can_wait || !AppendWaiting(samples, superseded)) AppendAny(samples, superseded);
  SettleMuchLate();
  return {static_cast<int64_t>(this->samples() - samples_before),
          static_cast<int64_t>(MemoryBytes() - bytes_before)};
}

bool Tail::CanWait(const SamplesView& samples) const {
  return !unfolded_ && type_ != ValueType::kString && AllGood(samples);
}

bool Tail::AppendInOrder(const SamplesView& samples) {
  if (waiting_size_ + samples.size >= format::kPageSamples) return false;
  const Timestamp first = samples.times[0], last = samples.times[samples.size - 1];
  if (has_frontier_ && first <= frontier_) return false;
  const Timestamp before = waiting_size_ == 0 ? first : waiting_[waiting_size_ - 1].time;
  if (waiting_size_ > 0 && first <= before) return false;
  if (format::PartitionOf(before) != format::PartitionOf(last)) return false;
  ExtendWaiting(samples);
  return true;
}

bool Tail::AppendWaiting(const SamplesView& samples, Superseded* superseded) {
  // First what is late, then what lies between what waits, then what follows all.
  const Timestamp* const times_end = samples.times + samples.size;
  const size_t late =
      has_frontier_ ? std::upper_bound(samples.times, times_end, frontier_) - samples.times : 0;
  size_t in_order = late;
  if (waiting_size_ > 0) {
    const Timestamp oldest = waiting_[0].time, newest = waiting_[waiting_size_ - 1].time;
    in_order = std::upper_bound(samples.times + late, times_end, newest) - samples.times;
    // As many as the array can count, and of one partition.
    if (waiting_size_ + (in_order - late) > 2 * format::kPageSamples) return false;
    if (late < samples.size && format::PartitionOf(std::min(oldest, samples.times[late])) !=
                                   format::PartitionOf(std::max(newest, times_end[-1]))) {
      return false;
    }
  } else if (late < samples.size &&
             format::PartitionOf(samples.times[late]) != format::PartitionOf(times_end[-1])) {
    return false;
  }
  if (late > 0) {
    MakeRest();
    AddLate(samples.Slice(0, late));
  }
  for (size_t i = late; i < in_order; ++i) InsertWaiting(samples, i, superseded);
  const SamplesView run = samples.Slice(in_order, samples.size - in_order);
  if (waiting_size_ + run.size >= format::kPageSamples) {
    CutWaiting(run);
  } else if (run.size > 0) {
    ExtendWaiting(run);
  }
  return true;
}

void Tail::ReserveWaiting(size_t size) {
  if (size <= waiting_capacity_) return;
  // Sizes that leave little of what malloc gives unused: 3, 7, 15, then half as much again.
  const size_t more = waiting_capacity_ < 15 ? waiting_capacity_ + 1 : waiting_capacity_ / 2;
  const size_t capacity = std::max<size_t>({size, size_t{waiting_capacity_} + more, 3});
  auto* const grown =
      static_cast<Waiting*>(std::realloc(static_cast<void*>(waiting_.get()), capacity * sizeof(Waiting)));
  HISTORIAN_CHECK(grown != nullptr);
  (void)waiting_.release();  // realloc has seen to it.
  waiting_.reset(grown);
  waiting_capacity_ = static_cast<uint16_t>(capacity);
}

void Tail::ExtendWaiting(const SamplesView& run) {
  const size_t size = waiting_size_ + run.size;
  ReserveWaiting(size);
  Waiting* const to = waiting_.get() + waiting_size_;
  for (size_t i = 0; i < run.size; ++i) to[i] = {run.times[i], run.values[i]};
  waiting_size_ = static_cast<uint16_t>(size);
  if (!has_latest_ || run.times[0] < oldest_) oldest_ = run.times[0];
  NoteNewest(run, run.size - 1);
}

void Tail::CutWaiting(const SamplesView& run) {
  const size_t size = waiting_size_ + run.size;
  Timestamp* const times = format::ThreadScratch<Tail, 0, Timestamp>(size);
  ValueBits* const values = format::ThreadScratch<Tail, 1, ValueBits>(size);
  for (size_t i = 0; i < waiting_size_; ++i) {
    times[i] = waiting_[i].time;
    values[i] = waiting_[i].value;
  }
  std::copy_n(run.times, run.size, times + waiting_size_);
  std::copy_n(run.values, run.size, values + waiting_size_);
  if (run.size > 0) {
    if (!has_latest_ || times[0] < oldest_) oldest_ = times[0];
    NoteNewest(run, run.size - 1);
  }
  Rest& rest = MakeRest();
  size_t begin = 0;
  for (; size - begin >= format::kPageSamples; begin += format::kPageSamples) {
    rest.in_order.AddPage(
        MakeOpenPage(type_, {times + begin, values + begin, nullptr, nullptr, format::kPageSamples}, &hint_));
  }
  rest.in_order.hint = hint_;
  rest.samples += begin;
  frontier_ = times[begin - 1];
  has_frontier_ = true;
  // The array stays as large as it was: the next page will want it.
  ReserveWaiting(size - begin);
  waiting_size_ = static_cast<uint16_t>(size - begin);
  for (size_t i = begin; i < size; ++i) waiting_[i - begin] = {times[i], values[i]};
}

void Tail::InsertWaiting(const SamplesView& samples, size_t i, Superseded* superseded) {
  const Timestamp time = samples.times[i];
  Waiting* at = std::lower_bound(waiting_.get(), waiting_.get() + waiting_size_, time,
                                 [](const Waiting& waiting, Timestamp t) { return waiting.time < t; });
  if (at->time == time) {
    MakeRest();
    StateAgain(samples, i, at->value == samples.values[i], superseded);
    return;
  }
  const size_t place = static_cast<size_t>(at - waiting_.get());
  ReserveWaiting(waiting_size_ + size_t{1});
  at = waiting_.get() + place;
  std::copy_backward(at, waiting_.get() + waiting_size_, waiting_.get() + waiting_size_ + 1);
  *at = {time, samples.values[i]};
  ++waiting_size_;
  if (time < oldest_) oldest_ = time;
}

void Tail::AppendAny(const SamplesView& samples, Superseded* superseded) {
  Rest& rest = Unfold();
  Samples& waiting = rest.in_order.rest;
  // What is not after the frontier is late, and what is newer than all that is in order here follows it, each
  // as one run; only between them samples are looked at singly.
  const Timestamp* const times_end = samples.times + samples.size;
  const size_t late =
      has_frontier_ ? std::upper_bound(samples.times, times_end, frontier_) - samples.times : 0;
  if (late > 0) AddLate(samples.Slice(0, late));
  size_t in_order = late;
  if (has_frontier_ || !waiting.empty()) {
    const Timestamp newest = waiting.empty() ? frontier_ : waiting.times.back();
    in_order = std::upper_bound(samples.times + late, times_end, newest) - samples.times;
  }
  for (size_t i = late; i < in_order; ++i) InsertUnfolded(samples, i, superseded);
  if (in_order < samples.size) {
    const SamplesView run = samples.Slice(in_order, samples.size - in_order);
    if (!has_latest_ || run.times[0] < oldest_) oldest_ = run.times[0];
    NoteNewest(run, run.size - 1);
    waiting.Append(type_, run);
    rest.samples += run.size;
  }
  if (waiting.size() >= format::kPageSamples || waiting.strings.MemoryBytes() > kPageTextBytes ||
      (!waiting.empty() &&
       format::PartitionOf(waiting.times.front()) != format::PartitionOf(waiting.times.back()))) {
    CutPages();
    Fold();
  }
}

void Tail::SettleMuchLate() {
  if (rest_ != nullptr &&
      (rest_->late.size() >= kLateMax || rest_->late.strings.MemoryBytes() > kPageTextBytes)) {
    SettleLate();
  }
}

void Tail::CutPages() {
  TailRun& in_order = rest_->in_order;
  in_order.CutPages(type_, false);
  if (in_order.pages.empty()) return;
  const Timestamp last = in_order.pages.back()->summary.last.time;
  frontier_ = has_frontier_ ? std::max(frontier_, last) : last;
  has_frontier_ = true;
}

void Tail::InsertUnfolded(const SamplesView& samples, size_t i, Superseded* superseded) {
  const Timestamp time = samples.times[i];
  Samples& rest = rest_->in_order.rest;
  const size_t at = std::lower_bound(rest.times.begin(), rest.times.end(), time) - rest.times.begin();
  if (rest.times[at] == time) {
    StateAgain(samples, i, SameSample(type_, samples, i, rest.View(), at), superseded);
    return;
  }
  if (time < oldest_) oldest_ = time;
  // To its end, and from there to its place.
  rest.AddFrom(type_, samples, i);
  std::rotate(rest.times.begin() + at, rest.times.end() - 1, rest.times.end());
  std::rotate(rest.values.begin() + at, rest.values.end() - 1, rest.values.end());
  if (!rest.qualities.empty()) {
    std::rotate(rest.qualities.begin() + at, rest.qualities.end() - 1, rest.qualities.end());
  }
  ++rest_->samples;
}

void Tail::StateAgain(const SamplesView& samples, size_t i, bool same, Superseded* superseded) {
  // Repeats what is there: nothing new, unless a later statement of this time stands among the late ones.
  const Timestamp time = samples.times[i];
  const Samples& late = rest_->late;
  const bool restated =
      std::find(late.times.begin(), late.times.end(), time) != late.times.end() ||
      std::any_of(rest_->late_runs.begin(), rest_->late_runs.end(),
                  [&](const TailRun& run) { return run.first_time() <= time && time <= run.last_time(); });
  if (!restated && same) {
    ++superseded->duplicates;
    return;
  }
  ++superseded->replaced;
  AddLate(samples.Slice(i, 1));
}

void Tail::AddLate(const SamplesView& samples) {
  // A late sample at the newest time restates it.
  if (!has_latest_ || samples.times[0] < oldest_) oldest_ = samples.times[0];
  NoteNewest(samples, samples.size - 1);
  rest_->late.Append(type_, samples);
  rest_->samples += samples.size;
}

void Tail::NoteNewest(const SamplesView& samples, size_t i) {
  if (has_latest_ && samples.times[i] < latest_time_) return;
  has_latest_ = true;
  latest_time_ = samples.times[i];
  latest_value_ = type_ == ValueType::kString ? 0 : samples.values[i];
  latest_quality_ = samples.QualityAt(i);
  if (type_ == ValueType::kString) rest_->latest_text = std::string(samples.StringAt(i));
}

void Tail::SettleLate() {
  Samples& late = rest_->late;
  std::vector<TailRun>& late_runs = rest_->late_runs;
  std::vector<Samples> layers;
  if (IsStrictlyAscending(late.times.data(), late.size())) {
    layers.push_back(std::move(late));
  } else {
    // Layer k gets the k-th statement of each time, so that none is lost and each layer's times rise
    // strictly.
    const std::vector<Place> order = PlacesByTime(late.times.data(), late.size());
    const SamplesView from = late.View();
    size_t layer = 0;
    for (size_t k = 0; k < order.size(); ++k) {
      const bool again = k > 0 && order[k].time == order[k - 1].time;
      if (again && SameSample(type_, from, order[k].index, from, order[k - 1].index)) {
        --rest_->samples;  // Said twice in a row.
        continue;
      }
      layer = again ? layer + 1 : 0;
      if (layer == layers.size()) layers.emplace_back().Reserve(layer == 0 ? order.size() : 0);
      layers[layer].AddFrom(type_, from, order[k].index);
    }
  }
  for (Samples& samples : layers) {
    // A backfill comes in order by itself: then it makes one long run instead of many short ones.
    if (late_runs.empty() || late_runs.back().last_time() >= samples.times.front()) late_runs.emplace_back();
    late_runs.back().rest.Append(type_, samples.View());
    late_runs.back().CutPages(type_, false);
  }
  late = Samples();
}

TailView Tail::View(Timestamp start, Timestamp end) const {
  TailView view;
  TailRun& in_order = view.runs.emplace_back();
  if (waiting_size_ > 0 && waiting_[0].time <= end && waiting_[waiting_size_ - 1].time >= start) {
    for (size_t i = 0; i < waiting_size_; ++i) in_order.rest.Add(waiting_[i].time, waiting_[i].value);
  }
  if (rest_ == nullptr) return view;
  view.frozen = rest_->frozen;
  const auto add = [&](const TailRun& run, TailRun* copy) {
    for (const OpenPagePtr& page : run.pages) {
      if (page->summary.first.time <= end && page->summary.last.time >= start) copy->AddPage(page);
    }
    if (!run.rest.empty() && run.rest.times.front() <= end && run.rest.times.back() >= start) {
      copy->rest.Append(type_, run.rest.View());
    }
  };
  add(rest_->in_order, &in_order);
  for (const TailRun& run : rest_->late_runs) add(run, &view.runs.emplace_back());
  // Each late sample restates the ones before it, so equal times need their order of arrival: settle a copy.
  if (!rest_->late.empty()) {
    Samples late;
    late.Append(type_, rest_->late.View());
    SortAndKeepLast(type_, &late);
    if (late.times.front() <= end && late.times.back() >= start) {
      view.runs.emplace_back().rest = std::move(late);
    }
  }
  return view;
}

std::shared_ptr<const FrozenTail> Tail::Freeze() {
  Rest& rest = Unfold();
  HISTORIAN_CHECK(rest.frozen == nullptr);
  if (!rest.late.empty()) SettleLate();
  auto frozen = std::make_shared<FrozenTail>();
  frozen->type = type_;
  if (!rest.in_order.empty()) {
    frontier_ = rest.in_order.last_time();
    has_frontier_ = true;
  }
  hint_ = rest.in_order.hint;
  frozen->runs.reserve(1 + rest.late_runs.size());
  frozen->runs.push_back(std::move(rest.in_order));
  for (TailRun& run : rest.late_runs) frozen->runs.push_back(std::move(run));
  frozen->samples = rest.samples;
  for (const TailRun& run : frozen->runs) frozen->memory_bytes += run.MemoryBytes();
  rest.in_order = TailRun();
  rest.in_order.hint = hint_;
  rest.late_runs = std::vector<TailRun>();
  rest.samples = 0;
  rest.frozen = std::move(frozen);
  unfolded_ = false;
  dirty_ = false;
  return rest.frozen;
}

void Tail::Thaw(const std::vector<TailRun>* left) {
  HISTORIAN_CHECK(rest_ != nullptr && rest_->frozen != nullptr);
  Rest& rest = Unfold();
  if (left == nullptr) {
    left = &rest.frozen->runs;
    dirty_ = true;  // Nothing of it is written down.
  }
  TailRun in_order = left->front();
  in_order.hint = hint_;
  if (rest.in_order.pages.empty()) {
    in_order.rest.Append(type_, rest.in_order.rest.View());
  } else {
    in_order.CutPages(type_, true);
    for (OpenPagePtr& page : rest.in_order.pages) in_order.AddPage(std::move(page));
    in_order.rest = std::move(rest.in_order.rest);
  }
  rest.in_order = std::move(in_order);
  CutPages();
  rest.late_runs.insert(rest.late_runs.begin(), left->begin() + 1, left->end());
  for (const TailRun& run : *left) rest.samples += run.samples();
  rest.frozen.reset();
  Fold();
}

void Tail::Restore(std::vector<TailRun> runs, std::optional<Timestamp> frontier,
                   std::optional<LatestSample> latest, Timestamp oldest) {
  HISTORIAN_CHECK(rest_ == nullptr && samples() == 0);
  has_frontier_ = frontier.has_value();
  frontier_ = frontier.value_or(0);
  has_latest_ = latest.has_value();
  if (latest.has_value()) {
    latest_time_ = latest->sample.time;
    latest_value_ = latest->sample.value;
    latest_quality_ = latest->sample.quality;
  }
  oldest_ = oldest;
  // Most tags are idle: of them there is no more.
  if (runs.empty() && type_ != ValueType::kString) return;
  Rest& rest = Unfold();
  if (latest.has_value()) rest.latest_text = std::move(latest->text);
  if (!runs.empty()) {
    for (const TailRun& run : runs) rest.samples += run.samples();
    rest.in_order = std::move(runs.front());
    rest.late_runs.assign(std::make_move_iterator(runs.begin() + 1), std::make_move_iterator(runs.end()));
  }
  Fold();
}

}  // namespace historian
