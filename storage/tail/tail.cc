#include "storage/tail/tail.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "storage/format/key.h"
#include "storage/format/page.h"
#include "storage/format/scratch.h"
#include "storage/model/check.h"
#include "storage/model/definition_memory.h"

namespace historian {
namespace {

// Late samples are sorted into runs when there are this many.
constexpr size_t kLateMax = format::kPageSamples;

bool AllGood(const SamplesView& samples) {
  if (samples.qualities == nullptr) return true;
  Quality any = kGood;
  for (size_t i = 0; i < samples.size; ++i) any |= samples.qualities[i];
  return any == kGood;
}

}  // namespace

// What few tails have.
struct Tail::Extra {
  PageRun in_order;
  std::vector<PageRun> late_runs;
  Samples late;  // In order of arrival.
  std::shared_ptr<const FrozenTail> frozen;
  size_t samples = 0;  // Of in_order and the late ones.

  bool empty() const { return in_order.empty() && late_runs.empty() && late.empty() && frozen == nullptr; }
  size_t MemoryBytes() const {
    size_t bytes = sizeof(Extra) + in_order.MemoryBytes() + late.MemoryBytes();
    for (const PageRun& run : late_runs) bytes += run.MemoryBytes();
    return bytes + (frozen == nullptr ? 0 : frozen->memory_bytes);
  }
};

Tail::Tail() = default;
Tail::Tail(ValueType type) : type_(type), exists_(true) {}
Tail::Tail(Tail&&) = default;
Tail& Tail::operator=(Tail&&) = default;
Tail::~Tail() = default;

size_t Tail::samples() const {
  if (extra_ == nullptr) return waiting_size_;
  return waiting_size_ + extra_->samples + (extra_->frozen == nullptr ? 0 : extra_->frozen->samples);
}

size_t Tail::MemoryBytes() const {
  const size_t waiting = type_ == ValueType::kString ? 0 : waiting_capacity_ * sizeof(Waiting);
  return waiting + (extra_ == nullptr ? 0 : extra_->MemoryBytes());
}

std::optional<LatestSample> Tail::latest() const {
  if (!has_latest_) return std::nullopt;
  return LatestSample{{latest_time_, latest_value_, latest_quality_},
                      type_ == ValueType::kString && waiting_capacity_ > 0
                          ? std::string(reinterpret_cast<const char*>(waiting_.get()), waiting_capacity_)
                          : std::string()};
}

std::optional<LatestSample> Tail::WaitingUntil(Timestamp time) const {
  // With an Extra, what is late may be newer than what waits.
  if (extra_ != nullptr) return std::nullopt;
  for (size_t i = waiting_size_; i > 0; --i) {
    const Waiting& waiting = waiting_[i - 1];
    if (waiting.time <= time) return LatestSample{{waiting.time, waiting.value, kGood}, ""};
  }
  return std::nullopt;
}

Tail::Extra& Tail::MakeExtra() {
  if (extra_ == nullptr) {
    extra_ = std::make_unique<Extra>();
    extra_->in_order.hint = hint_;
  }
  return *extra_;
}

Tail::Extra& Tail::Unpack() {
  MakeExtra();
  if (waiting_size_ > 0) {
    Samples& raw = extra_->in_order.raw;
    raw.times.resize(waiting_size_);
    raw.values.resize(waiting_size_);
    for (size_t i = 0; i < waiting_size_; ++i) {
      raw.times[i] = waiting_[i].time;
      raw.values[i] = waiting_[i].value;
    }
    raw.version = version_;
    if (waiting_steps_ > 0) {
      raw.versions.resize(waiting_size_);
      WaitingVersions(raw.versions.data());
    }
    extra_->samples += waiting_size_;
  }
  unpacked_ = true;
  if (type_ == ValueType::kString) return *extra_;
  waiting_.reset();
  waiting_size_ = waiting_steps_ = waiting_capacity_ = 0;
  return *extra_;
}

void Tail::Pack() {
  PageRun& in_order = extra_->in_order;
  if (type_ == ValueType::kString) {
    if (!extra_->empty()) return;
    hint_ = in_order.hint;
    unpacked_ = false;
    extra_.reset();
    return;
  }
  if (!in_order.raw.qualities.empty() || in_order.raw.size() >= format::kPageSamples) {
    return;
  }
  const SamplesView raw = in_order.raw.View();
  size_t steps = 0;
  for (size_t i = 1; i < raw.size; ++i) {
    if (raw.VersionAt(i) < raw.VersionAt(i - 1)) return;  // A late one was inserted.
    steps += raw.VersionAt(i) != raw.VersionAt(i - 1);
  }
  if (steps > kStepsMax) return;
  if (raw.size > 0) {
    ReserveWaiting(raw.size + steps);
    version_ = raw.VersionAt(0);
    for (size_t i = 0; i < raw.size; ++i) {
      if (raw.VersionAt(i) != version_) BeginVersion(raw.VersionAt(i));
      waiting_[i] = {raw.times[i], raw.values[i]};
      ++waiting_size_;
    }
    extra_->samples -= raw.size;
  }
  in_order.raw = Samples();
  unpacked_ = false;
  hint_ = in_order.hint;
  if (extra_->empty()) extra_.reset();
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
  SortMuchLate();
  return {static_cast<int64_t>(this->samples() - samples_before),
          static_cast<int64_t>(MemoryBytes() - bytes_before)};
}

bool Tail::CanWait(const SamplesView& samples) const {
  return !unpacked_ && type_ != ValueType::kString && AllGood(samples) &&
         (samples.version == version_ || waiting_size_ == 0 || waiting_steps_ < kStepsMax);
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
    // As many as the array can count, and of one partition; what stands between must be of the last version.
    if (waiting_size_ + (in_order - late) > 2 * format::kPageSamples) return false;
    if (in_order > late && (samples.version != version_ || samples.times[late] < waiting_[LastStep()].time)) {
      return false;
    }
    if (late < samples.size && format::PartitionOf(std::min(oldest, samples.times[late])) !=
                                   format::PartitionOf(std::max(newest, times_end[-1]))) {
      return false;
    }
  } else if (late < samples.size &&
             format::PartitionOf(samples.times[late]) != format::PartitionOf(times_end[-1])) {
    return false;
  }
  if (late > 0) {
    MakeExtra();
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
  const size_t before = waiting_capacity_;
  if (size <= before) return;
  // Sizes that leave little of what malloc gives unused: 3, 7, 15, then half as much again.
  const size_t more = before < 15 ? before + 1 : before / 2;
  const size_t capacity = std::max<size_t>({size, before + more, 3});
  auto* const grown =
      static_cast<Waiting*>(std::realloc(static_cast<void*>(waiting_.get()), capacity * sizeof(Waiting)));
  HISTORIAN_CHECK(grown != nullptr);
  (void)waiting_.release();  // realloc has seen to it.
  waiting_.reset(grown);
  std::copy_backward(grown + before - waiting_steps_, grown + before, grown + capacity);
  waiting_capacity_ = static_cast<uint32_t>(capacity);
}

void Tail::BeginVersion(uint32_t version) {
  if (waiting_size_ > 0 && version != version_) {
    ReserveWaiting(size_t{waiting_size_} + waiting_steps_ + 1);
    ++waiting_steps_;
    Step(waiting_steps_ - 1) = {static_cast<Timestamp>(waiting_size_), version_};
  }
  version_ = version;
}

void Tail::WaitingVersions(uint32_t* versions) const {
  size_t i = 0;
  for (size_t k = 0; k < waiting_steps_; ++k) {
    for (; i < static_cast<size_t>(Step(k).time); ++i) versions[i] = static_cast<uint32_t>(Step(k).value);
  }
  for (; i < waiting_size_; ++i) versions[i] = version_;
}

void Tail::ExtendWaiting(const SamplesView& run) {
  const size_t size = waiting_size_ + run.size;
  BeginVersion(run.version);
  ReserveWaiting(size + waiting_steps_);
  Waiting* const to = waiting_.get() + waiting_size_;
  for (size_t i = 0; i < run.size; ++i) to[i] = {run.times[i], run.values[i]};
  waiting_size_ = static_cast<uint32_t>(size);
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
  if (waiting_size_ == 0) version_ = run.version;
  uint32_t* versions = nullptr;  // Null: all of version_.
  if (waiting_steps_ > 0 || (run.size > 0 && run.version != version_)) {
    versions = format::ThreadScratch<Tail, 2, uint32_t>(size);
    WaitingVersions(versions);
    std::fill_n(versions + waiting_size_, run.size, run.version);
  }
  if (run.size > 0) {
    if (!has_latest_ || times[0] < oldest_) oldest_ = times[0];
    NoteNewest(run, run.size - 1);
  }
  Extra& extra = MakeExtra();
  size_t begin = 0;
  for (; size - begin >= format::kPageSamples; begin += format::kPageSamples) {
    const uint32_t* const of_page = versions == nullptr ? nullptr : versions + begin;
    extra.in_order.AddPage(MakeEncodedPage(
        type_, {times + begin, values + begin, nullptr, nullptr, format::kPageSamples, of_page, version_},
        &hint_));
  }
  extra.in_order.hint = hint_;
  extra.samples += begin;
  frontier_ = times[begin - 1];
  has_frontier_ = true;
  // The array stays as large as it was: the next page will want it.
  waiting_size_ = waiting_steps_ = 0;
  ReserveWaiting(size - begin);
  if (versions != nullptr && begin < size) version_ = versions[begin];
  for (size_t i = begin; i < size; ++i) {
    if (versions != nullptr && versions[i] != version_) {
      BeginVersion(versions[i]);
      ReserveWaiting(size - begin + waiting_steps_);
    }
    waiting_[i - begin] = {times[i], values[i]};
    ++waiting_size_;
  }
  if (run.size > 0) version_ = run.version;
}

void Tail::InsertWaiting(const SamplesView& samples, size_t i, Superseded* superseded) {
  const Timestamp time = samples.times[i];
  Waiting* at = std::lower_bound(waiting_.get(), waiting_.get() + waiting_size_, time,
                                 [](const Waiting& waiting, Timestamp t) { return waiting.time < t; });
  if (at->time == time) {
    MakeExtra();
    StateAgain(samples, i, at->value == samples.values[i], superseded);
    return;
  }
  const size_t place = static_cast<size_t>(at - waiting_.get());
  ReserveWaiting(size_t{waiting_size_} + waiting_steps_ + 1);
  at = waiting_.get() + place;
  std::copy_backward(at, waiting_.get() + waiting_size_, waiting_.get() + waiting_size_ + 1);
  *at = {time, samples.values[i]};
  ++waiting_size_;
  if (time < oldest_) oldest_ = time;
}

void Tail::AppendAny(const SamplesView& samples, Superseded* superseded) {
  Extra& extra = Unpack();
  Samples& waiting = extra.in_order.raw;
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
  for (size_t i = late; i < in_order; ++i) InsertUnpacked(samples, i, superseded);
  if (in_order < samples.size) {
    const SamplesView run = samples.Slice(in_order, samples.size - in_order);
    if (!has_latest_ || run.times[0] < oldest_) oldest_ = run.times[0];
    NoteNewest(run, run.size - 1);
    waiting.Append(type_, run);
    extra.samples += run.size;
  }
  if (waiting.size() >= format::kPageSamples || waiting.strings.MemoryBytes() > kPageTextBytes ||
      (!waiting.empty() &&
       format::PartitionOf(waiting.times.front()) != format::PartitionOf(waiting.times.back()))) {
    CutPages();
    Pack();
  }
}

void Tail::SortMuchLate() {
  if (extra_ != nullptr &&
      (extra_->late.size() >= kLateMax || extra_->late.strings.MemoryBytes() > kPageTextBytes)) {
    SortLate();
  }
}

void Tail::CutPages() {
  PageRun& in_order = extra_->in_order;
  in_order.CutPages(type_, false);
  if (in_order.pages.empty()) return;
  const Timestamp last = in_order.pages.back()->summary.last.time;
  frontier_ = has_frontier_ ? std::max(frontier_, last) : last;
  has_frontier_ = true;
}

void Tail::InsertUnpacked(const SamplesView& samples, size_t i, Superseded* superseded) {
  const Timestamp time = samples.times[i];
  Samples& raw = extra_->in_order.raw;
  const size_t at = std::lower_bound(raw.times.begin(), raw.times.end(), time) - raw.times.begin();
  if (raw.times[at] == time) {
    StateAgain(samples, i, SameSample(type_, samples, i, raw.View(), at), superseded);
    return;
  }
  if (time < oldest_) oldest_ = time;
  // To its end, and from there to its place.
  raw.AddFrom(type_, samples, i);
  std::rotate(raw.times.begin() + at, raw.times.end() - 1, raw.times.end());
  std::rotate(raw.values.begin() + at, raw.values.end() - 1, raw.values.end());
  if (!raw.qualities.empty()) {
    std::rotate(raw.qualities.begin() + at, raw.qualities.end() - 1, raw.qualities.end());
  }
  if (!raw.versions.empty()) {
    std::rotate(raw.versions.begin() + at, raw.versions.end() - 1, raw.versions.end());
  }
  ++extra_->samples;
}

void Tail::StateAgain(const SamplesView& samples, size_t i, bool same, Superseded* superseded) {
  // Repeats what is there: nothing new, unless a later statement of this time stands among the late ones.
  const Timestamp time = samples.times[i];
  const Samples& late = extra_->late;
  const bool restated =
      std::find(late.times.begin(), late.times.end(), time) != late.times.end() ||
      std::any_of(extra_->late_runs.begin(), extra_->late_runs.end(),
                  [&](const PageRun& run) { return run.first_time() <= time && time <= run.last_time(); });
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
  extra_->late.Append(type_, samples);
  extra_->samples += samples.size;
}

void Tail::NoteNewest(const SamplesView& samples, size_t i) {
  if (has_latest_ && samples.times[i] < latest_time_) return;
  has_latest_ = true;
  latest_time_ = samples.times[i];
  latest_value_ = type_ == ValueType::kString ? 0 : samples.values[i];
  latest_quality_ = samples.QualityAt(i);
  if (type_ == ValueType::kString) KeepText(samples.StringAt(i));
}

void Tail::KeepText(absl::string_view text) {
  text_is_long_ = text.size() > kNewestTextBytes;
  if (text_is_long_) text = absl::string_view();
  if (text.size() != waiting_capacity_) {
    waiting_.reset(text.empty() ? nullptr : static_cast<Waiting*>(std::malloc(text.size())));
    HISTORIAN_CHECK(text.empty() || waiting_ != nullptr);
    waiting_capacity_ = static_cast<uint32_t>(text.size());
  }
  if (!text.empty()) std::memcpy(static_cast<void*>(waiting_.get()), text.data(), text.size());
}

void Tail::SortLate() {
  Samples& late = extra_->late;
  std::vector<PageRun>& late_runs = extra_->late_runs;
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
        --extra_->samples;  // Said twice in a row.
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
    late_runs.back().raw.Append(type_, samples.View());
    late_runs.back().CutPages(type_, false);
  }
  late = Samples();
}

TailView Tail::View(Timestamp start, Timestamp end, Version as_of) const {
  TailView view;
  PageRun& in_order = view.runs.emplace_back();
  size_t waiting = waiting_size_;
  if (version_ > as_of) waiting = LastStep();
  for (size_t k = waiting_steps_; k > 0 && Step(k - 1).value > as_of; --k) {
    waiting = k == 1 ? 0 : static_cast<size_t>(Step(k - 2).time);
  }
  if (waiting > 0 && waiting_[0].time <= end && waiting_[waiting - 1].time >= start) {
    for (size_t i = 0; i < waiting; ++i) in_order.raw.Add(waiting_[i].time, waiting_[i].value);
  }
  if (extra_ == nullptr) return view;
  view.frozen = extra_->frozen;
  const auto add = [&](const PageRun& run, PageRun* copy) {
    for (const EncodedPagePtr& page : run.pages) {
      if (page->summary.first.time <= end && page->summary.last.time >= start &&
          page->versions.lowest <= as_of) {
        copy->AddPage(page);
      }
    }
    if (!run.raw.empty() && run.raw.times.front() <= end && run.raw.times.back() >= start) {
      AppendAsOf(type_, run.raw.View(), as_of, &copy->raw);
    }
  };
  add(extra_->in_order, &in_order);
  for (const PageRun& run : extra_->late_runs) add(run, &view.runs.emplace_back());
  // Each late sample restates the ones before it, so equal times need their order of arrival: settle a copy.
  if (!extra_->late.empty()) {
    Samples late;
    AppendAsOf(type_, extra_->late.View(), as_of, &late);
    SortAndKeepLast(type_, &late);
    if (!late.empty() && late.times.front() <= end && late.times.back() >= start) {
      view.runs.emplace_back().raw = std::move(late);
    }
  }
  return view;
}

std::shared_ptr<const FrozenTail> Tail::Freeze() {
  Extra& extra = Unpack();
  HISTORIAN_CHECK(extra.frozen == nullptr);
  if (!extra.late.empty()) SortLate();
  auto frozen = std::make_shared<FrozenTail>();
  frozen->type = type_;
  if (!extra.in_order.empty()) {
    frontier_ = extra.in_order.last_time();
    has_frontier_ = true;
  }
  hint_ = extra.in_order.hint;
  frozen->runs.reserve(1 + extra.late_runs.size());
  frozen->runs.push_back(std::move(extra.in_order));
  for (PageRun& run : extra.late_runs) frozen->runs.push_back(std::move(run));
  frozen->samples = extra.samples;
  for (const PageRun& run : frozen->runs) frozen->memory_bytes += run.MemoryBytes();
  extra.in_order = PageRun();
  extra.in_order.hint = hint_;
  extra.late_runs = std::vector<PageRun>();
  extra.samples = 0;
  extra.frozen = std::move(frozen);
  unpacked_ = false;
  dirty_ = false;
  return extra.frozen;
}

void Tail::Thaw(const std::vector<PageRun>* left) {
  HISTORIAN_CHECK(extra_ != nullptr && extra_->frozen != nullptr);
  Extra& extra = Unpack();
  if (left == nullptr) {
    left = &extra.frozen->runs;
    dirty_ = true;  // Nothing of it is written down.
  }
  PageRun in_order = left->front();
  in_order.hint = hint_;
  if (extra.in_order.pages.empty()) {
    in_order.raw.Append(type_, extra.in_order.raw.View());
  } else {
    in_order.CutPages(type_, true);
    for (EncodedPagePtr& page : extra.in_order.pages) in_order.AddPage(std::move(page));
    in_order.raw = std::move(extra.in_order.raw);
  }
  extra.in_order = std::move(in_order);
  CutPages();
  extra.late_runs.insert(extra.late_runs.begin(), left->begin() + 1, left->end());
  for (const PageRun& run : *left) extra.samples += run.samples();
  extra.frozen.reset();
  Pack();
}

void Tail::Restore(std::vector<PageRun> runs, std::optional<Timestamp> frontier,
                   std::optional<LatestSample> latest, bool latest_text_is_long, Timestamp oldest) {
  HISTORIAN_CHECK(extra_ == nullptr && samples() == 0);
  has_frontier_ = frontier.has_value();
  frontier_ = frontier.value_or(0);
  has_latest_ = latest.has_value();
  if (latest.has_value()) {
    latest_time_ = latest->sample.time;
    latest_value_ = latest->sample.value;
    latest_quality_ = latest->sample.quality;
    if (type_ == ValueType::kString) {
      KeepText(latest->text);
      text_is_long_ |= latest_text_is_long;
    }
  }
  oldest_ = oldest;
  // Most tags are idle: of them there is no more.
  if (runs.empty()) return;
  Extra& extra = Unpack();
  for (const PageRun& run : runs) extra.samples += run.samples();
  extra.in_order = std::move(runs.front());
  extra.late_runs.assign(std::make_move_iterator(runs.begin() + 1), std::make_move_iterator(runs.end()));
  Pack();
}

}  // namespace historian
