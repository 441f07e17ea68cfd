#include "storage/read/joined_reader.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "storage/aggregate/at_time.h"
#include "storage/aggregate/summary.h"
#include "storage/model/status_macros.h"
#include "storage/read/cluster_cursor.h"
#include "storage/read/read_view.h"

namespace historian {
namespace {

// A read of so many clusters is a scan, which must not push out of the cache what screens look at.
constexpr size_t kLongRead = 64;
// The next time is mostly within so many samples.
constexpr size_t kNear = 16;

Timestamp Behind(Timestamp t) { return t == kTimestampMax ? t : t + 1; }

class ClusterJoinedReader final : public JoinedReader {
 public:
  ClusterJoinedReader(ReadView view, Interpolation interpolation, bool uncertain_as_bad)
      : view_(std::move(view)),
        cursor_(view_),
        interpolation_(interpolation),
        uncertain_as_bad_(uncertain_as_bad) {}

  absl::StatusOr<size_t> Read(absl::Span<const Timestamp> times, size_t text_max, Samples* to) override {
    return view_.Ended(Values(times, text_max, to));
  }

  absl::Status AppendTimes(Timestamp start, Timestamp end, size_t max, std::vector<Timestamp>* to) override {
    return view_.Ended(Times(start, end, max, to));
  }

 private:
  // The samples of a cluster. The cluster around one time mostly serves the next one too.
  struct Cluster {
    ClusterCursor::Position position;
    std::shared_ptr<const Samples> samples;
  };

  ValueType type() const { return view_.type; }
  bool is_text() const { return type() == ValueType::kString; }

  absl::Status Load(const ClusterCursor::Position& position, Cluster* cluster) {
    if (cluster->position == position) return absl::OkStatus();
    cluster->position = ClusterCursor::Position();
    if (++loaded_ == kLongRead) cursor_.pages().PassThrough();
    RETURN_IF_ERROR(cursor_.Read(position, &cluster->samples));
    cluster->position = position;
    return absl::OkStatus();
  }

  bool Counts(const SamplesView& samples, size_t i) const {
    return CountsAsBound(type(), is_text() ? 0 : samples.values[i], samples.QualityAt(i), uncertain_as_bad_);
  }
  // Nothing in the cluster counts, as far as its summary tells.
  bool NothingCounts(const ClusterCursor::Position& position) const {
    const Summary* const summary = position.summary();
    return summary != nullptr && summary->good + (uncertain_as_bad_ ? 0 : summary->uncertain) == 0;
  }

  // ---- Values

  absl::StatusOr<size_t> Values(absl::Span<const Timestamp> times, size_t text_max, Samples* to) {
    const size_t first = to->size();
    to->values.resize(first + times.size());
    to->qualities.resize(first + times.size());
    size_t done = 0, text_bytes = 0;
    while (done < times.size() && (!is_text() || text_bytes < text_max || done == 0)) {
      if (!found_ || (after_.has_value() && after_->time <= times[done])) RETURN_IF_ERROR(Find(times[done]));
      // Those that lie in the stretch; of texts as many as fit.
      size_t end =
          after_.has_value()
              ? std::lower_bound(times.begin() + done, NearEnd(times, done), after_->time) - times.begin()
              : times.size();
      if (is_text() && !text_.empty()) {
        end = std::min(end, done + (text_max - std::min(text_max, text_bytes)) / text_.size() + 1);
        text_bytes += (end - done) * text_.size();
      }
      Answer(times.subspan(done, end - done), to->values.data() + first + done,
             to->qualities.data() + first + done, to);
      done = end;
    }
    to->times.insert(to->times.end(), times.begin(), times.begin() + done);
    to->values.resize(first + done);
    to->qualities.resize(first + done);
    RETURN_IF_ERROR(cursor_.head_damage());
    return done;
  }

  // Behind the last of the times that lie in the stretch, or some of those behind it.
  absl::Span<const Timestamp>::iterator NearEnd(absl::Span<const Timestamp> times, size_t done) const {
    size_t reach = 1;
    while (done + reach < times.size() && times[done + reach] < after_->time) reach *= 2;
    return times.begin() + std::min(times.size(), done + reach + 1);
  }

  // Of times in the stretch. They become values, of texts indexes into to->strings.
  void Answer(absl::Span<const Timestamp> times, ValueBits* values, Quality* qualities, Samples* to) const {
    if (!before_.has_value()) {
      std::fill_n(values, times.size(), is_text() ? to->strings.Add("") : 0);
      std::fill_n(qualities, times.size(), kBadNoData);
      return;
    }
    const ValueBits at_before = is_text() ? to->strings.Add(text_) : before_->value;
    size_t k = 0;
    for (; k < times.size() && times[k] == before_->time; ++k) {
      values[k] = at_before;
      qualities[k] = before_->quality;
    }
    if (k == times.size()) return;
    const Neighbours neighbours{.before = before_, .after = after_, .skipped = skipped_};
    // In a stretch all have one quality.
    const Quality quality =
        InterpolateAt(type(), interpolation_, times[k], neighbours, uncertain_as_bad_).quality;
    std::fill(qualities + k, qualities + times.size(), quality);
    if (interpolation_ == Interpolation::kStepped || !CanSlope(type()) || !after_.has_value()) {
      std::fill(values + k, values + times.size(), at_before);
    } else if (type() == ValueType::kFloat64) {
      const double from = Float64OfBits(before_->value), to_value = Float64OfBits(after_->value);
      for (; k < times.size(); ++k) {
        values[k] = BitsOfFloat64(OnLine(before_->time, from, after_->time, to_value, times[k]));
      }
    } else {
      for (; k < times.size(); ++k) {
        values[k] = *InterpolateAt(type(), interpolation_, times[k], neighbours, uncertain_as_bad_).value;
      }
    }
  }

  // ---- The stretch around a time

  absl::Status Find(Timestamp t) {
    found_ = false;
    before_.reset();
    after_.reset();
    skipped_ = false;
    text_.clear();
    if (!current_.position.valid() || t < current_.position.first_time() ||
        t > current_.position.last_time()) {
      ASSIGN_OR_RETURN(const ClusterCursor::Position position, cursor_.SeekBefore(Behind(t)));
      if (!position.valid()) {
        ASSIGN_OR_RETURN(const ClusterCursor::Position behind, cursor_.Seek(Behind(t)));
        RETURN_IF_ERROR(LookAhead(behind));
        found_ = true;
        return absl::OkStatus();
      }
      if (!(current_.position == position)) next_ = 0;
      RETURN_IF_ERROR(Load(position, &current_));
    }
    const size_t behind = FirstBehind(t);
    if (!LookBackIn(*current_.samples, behind)) RETURN_IF_ERROR(LookBack(current_.position));
    if (!LookAheadFrom(behind)) {
      ClusterCursor::Position ahead = current_.position;
      RETURN_IF_ERROR(cursor_.Next(&ahead));
      RETURN_IF_ERROR(LookAhead(std::move(ahead)));
    }
    found_ = true;
    return absl::OkStatus();
  }

  // The first sample of the cluster behind t. Times rise, so it is not before the last one found.
  size_t FirstBehind(Timestamp t) const {
    const std::vector<Timestamp>& times = current_.samples->times;
    const size_t near = std::min(next_ + kNear, times.size());
    for (size_t i = next_; i < near; ++i) {
      if (times[i] > t) return i;
    }
    return std::upper_bound(times.begin() + near, times.end(), t) - times.begin();
  }

  // The nearest that counts before the sample `end`. False: there is none.
  bool LookBackIn(const Samples& samples, size_t end) {
    const SamplesView view = samples.View();
    for (size_t i = end; i-- > 0;) {
      if (Counts(view, i)) {
        before_ = SampleAt(type(), view, i);
        if (is_text()) text_ = std::string(view.StringAt(i));
        return true;
      }
      skipped_ = true;
    }
    return false;
  }

  // The same, in the clusters before this one.
  absl::Status LookBack(ClusterCursor::Position position) {
    Cluster back;
    RETURN_IF_ERROR(cursor_.Prev(&position));
    while (position.valid()) {
      if (NothingCounts(position)) {
        skipped_ = true;
      } else {
        RETURN_IF_ERROR(Load(position, &back));
        if (LookBackIn(*back.samples, back.samples->size())) break;
      }
      RETURN_IF_ERROR(cursor_.Prev(&position));
    }
    return absl::OkStatus();
  }

  // The first that counts, from this one of the cluster on. False: there is none.
  bool LookAheadFrom(size_t begin) {
    const SamplesView view = current_.samples->View();
    for (next_ = begin; next_ < view.size; ++next_) {
      if (Counts(view, next_)) {
        after_ = SampleAt(type(), view, next_);
        return true;
      }
      skipped_ = true;
    }
    return false;
  }

  // The same, from the cluster on, which lies behind the time.
  absl::Status LookAhead(ClusterCursor::Position position) {
    while (position.valid()) {
      if (NothingCounts(position)) {
        skipped_ = true;
      } else {
        RETURN_IF_ERROR(Load(position, &current_));
        if (LookAheadFrom(0)) break;
      }
      RETURN_IF_ERROR(cursor_.Next(&position));
    }
    return absl::OkStatus();
  }

  // ---- Times

  absl::Status Times(Timestamp start, Timestamp end, size_t max, std::vector<Timestamp>* to) {
    if (max == 0 || start >= end) return absl::OkStatus();
    const size_t full = to->size() + max;
    ASSIGN_OR_RETURN(ClusterCursor::Position position, cursor_.Seek(start));
    while (position.valid() && position.first_time() < end) {
      RETURN_IF_ERROR(Load(position, &of_times_));
      const std::vector<Timestamp>& times = of_times_.samples->times;
      for (auto t = std::lower_bound(times.begin(), times.end(), start); t != times.end() && *t < end; ++t) {
        to->push_back(*t);
        if (to->size() == full) return cursor_.head_damage();
      }
      RETURN_IF_ERROR(cursor_.Next(&position));
    }
    return cursor_.head_damage();
  }

  const ReadView view_;
  ClusterCursor cursor_;
  const Interpolation interpolation_;
  const bool uncertain_as_bad_;
  size_t loaded_ = 0;

  // The stretch, once it was found. Without an end it lasts for ever, without a beginning it has no values.
  bool found_ = false;
  std::optional<Sample> before_;
  std::optional<Sample> after_;
  bool skipped_ = false;  // A sample that does not count lies in it.
  std::string text_;      // Of `before_`.

  Cluster current_;
  size_t next_ = 0;   // In it: the sample at the end of the stretch, or where to look on.
  Cluster of_times_;  // For AppendTimes, which is ahead.
};

}  // namespace

std::unique_ptr<JoinedReader> NewJoinedReader(ReadView view, Interpolation interpolation,
                                              bool uncertain_as_bad) {
  return std::make_unique<ClusterJoinedReader>(std::move(view), interpolation, uncertain_as_bad);
}

}  // namespace historian
