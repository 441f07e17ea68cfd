#include "storage/read/at_times_reader.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/aggregate/at_time.h"
#include "storage/model/status_macros.h"
#include "storage/read/cluster_cursor.h"

namespace historian {
namespace {

// The text that a time is answered with, and the time of its sample: of many times between two samples it is copied once.
struct TextOf {
  std::optional<Timestamp> time;
  std::string text;
};

// Answers for one time after the other; cheapest when they rise.
class AtTimesReader {
 public:
  AtTimesReader(const ReadView& view, Interpolation interpolation, bool uncertain_as_bad)
      : cursor_(view), type_(view.type), interpolation_(interpolation), uncertain_as_bad_(uncertain_as_bad) {}

  // For strings *text becomes the text of the value.
  absl::StatusOr<ValueAtTime> ValueAt(Timestamp t, TextOf* text) {
    Neighbours neighbours;
    RETURN_IF_ERROR(LookBack(t, &neighbours, text));
    const bool answered = neighbours.exact.has_value() && !neighbours.skipped;
    if (!answered) RETURN_IF_ERROR(LookAhead(t, &neighbours));
    return InterpolateAt(type_, interpolation_, t, neighbours, uncertain_as_bad_);
  }

  const absl::Status& head_damage() const { return cursor_.head_damage(); }

 private:
  static Timestamp Behind(Timestamp t) { return t == kTimestampMax ? t : t + 1; }

  bool Counts(const SamplesView& samples, size_t i) const {
    return CountsAsBound(type_, type_ == ValueType::kString ? 0 : samples.values[i], samples.QualityAt(i),
                         uncertain_as_bad_);
  }
  // Nothing in the cluster counts, as far as its summary tells.
  bool NothingCounts(const Summary& summary) const {
    return summary.good + (uncertain_as_bad_ ? 0 : summary.uncertain) == 0;
  }

  // The sample at t itself, and, unless it counts, the nearest before it that does.
  absl::Status LookBack(Timestamp t, Neighbours* neighbours, TextOf* text) {
    ASSIGN_OR_RETURN(ClusterCursor::Position position, cursor_.SeekBefore(Behind(t)));
    while (position.valid() && !neighbours->before.has_value()) {
      const Summary* const summary = position.summary();
      if (summary != nullptr && NothingCounts(*summary) && position.last_time() < t) {
        neighbours->skipped = true;
      } else {
        RETURN_IF_ERROR(Read(position));
        LookBackInCluster(t, neighbours, text);
        if (neighbours->exact.has_value() && !neighbours->skipped) return absl::OkStatus();
      }
      RETURN_IF_ERROR(cursor_.Prev(&position));
    }
    return absl::OkStatus();
  }

  void LookBackInCluster(Timestamp t, Neighbours* neighbours, TextOf* text) const {
    const SamplesView view = samples_->View();
    for (size_t i = std::upper_bound(view.times, view.times + view.size, t) - view.times; i-- > 0;) {
      const bool counts = Counts(view, i);
      if (view.times[i] == t) neighbours->exact = SampleAt(type_, view, i);
      if (!counts) {
        neighbours->skipped = true;
        continue;
      }
      if (view.times[i] != t) neighbours->before = SampleAt(type_, view, i);
      if (type_ == ValueType::kString && text->time != view.times[i]) {
        *text = {view.times[i], std::string(view.StringAt(i))};
      }
      return;
    }
  }

  absl::Status LookAhead(Timestamp t, Neighbours* neighbours) {
    ASSIGN_OR_RETURN(ClusterCursor::Position position, cursor_.Seek(Behind(t)));
    while (position.valid()) {
      RETURN_IF_ERROR(Read(position));
      const SamplesView view = samples_->View();
      for (size_t i = std::upper_bound(view.times, view.times + view.size, t) - view.times; i < view.size;
           ++i) {
        if (Counts(view, i)) {
          neighbours->after = SampleAt(type_, view, i);
          return absl::OkStatus();
        }
        neighbours->skipped = true;
      }
      RETURN_IF_ERROR(cursor_.Next(&position));
    }
    return absl::OkStatus();
  }

  // The cluster around the time before mostly serves the next one too.
  absl::Status Read(const ClusterCursor::Position& position) {
    if (current_ == position) return absl::OkStatus();
    current_ = ClusterCursor::Position();
    RETURN_IF_ERROR(cursor_.Read(position, &samples_));
    current_ = position;
    return absl::OkStatus();
  }

  ClusterCursor cursor_;
  const ValueType type_;
  const Interpolation interpolation_;
  const bool uncertain_as_bad_;
  ClusterCursor::Position current_;  // Whose samples these are.
  std::shared_ptr<const Samples> samples_;
};

absl::StatusOr<Samples> Read(const ReadView& view, absl::Span<const Timestamp> times,
                             Interpolation interpolation, bool uncertain_as_bad) {
  const bool is_text = view.type == ValueType::kString;
  // Answered in order of time, delivered in the caller's order.
  std::vector<size_t> order(times.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return times[a] < times[b]; });
  std::vector<ValueAtTime> values(times.size());
  Samples result;
  TextOf text;
  std::optional<Timestamp> added;  // The sample whose text was added last.
  ValueBits last = 0, none = 0;
  if (is_text) none = result.strings.Add("");
  AtTimesReader reader(view, interpolation, uncertain_as_bad);
  for (const size_t k : order) {
    ASSIGN_OR_RETURN(values[k], reader.ValueAt(times[k], &text));
    if (!is_text) continue;
    if (!values[k].value.has_value()) {
      values[k].value = none;
      continue;
    }
    if (added != text.time) {
      added = text.time;
      if (result.strings.TextBytes() + text.text.size() > kAtTimesTextBytes) {
        return absl::ResourceExhaustedError(
            absl::StrCat("the texts at these times have more than ", kAtTimesTextBytes >> 20,
                         " MiB, which is the limit for one tag: ask for fewer times at once"));
      }
      last = result.strings.Add(text.text);
    }
    values[k].value = last;
  }
  RETURN_IF_ERROR(reader.head_damage());
  for (size_t k = 0; k < times.size(); ++k) {
    result.Add(times[k], values[k].value.value_or(0), values[k].quality);
  }
  return result;
}

}  // namespace

absl::StatusOr<Samples> ReadAtTimes(const ReadView& view, absl::Span<const Timestamp> times,
                                    Interpolation interpolation, bool uncertain_as_bad) {
  return view.Ended(Read(view, times, interpolation, uncertain_as_bad));
}

}  // namespace historian
