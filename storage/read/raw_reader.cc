#include "storage/read/raw_reader.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "storage/aggregate/summary.h"
#include "storage/model/status_macros.h"
#include "storage/read/cluster_cursor.h"
#include "storage/read/read_view.h"

namespace historian {
namespace {

// A read of this many samples is a scan, which must not push out of the cache what screens look at.
constexpr uint64_t kLongRead = 4 * kRawBatchMax;
// A batch ends with the page that brings its text to this.
constexpr size_t kBatchTextBytes = size_t{1} << 20;

bool Passes(const SampleFilter& filter, ValueType type, ValueBits value, Quality quality) {
  if (!(IsGood(quality) ? filter.good : IsUncertain(quality) ? filter.uncertain : filter.bad)) return false;
  if (filter.values.has_value()) {
    const double number = ToDouble(type, value);
    if (!(number >= filter.values->first && number <= filter.values->second)) return false;
  }
  return filter.states.empty() ||
         std::binary_search(filter.states.begin(), filter.states.end(), static_cast<uint32_t>(value));
}

// Whether a sample of these may pass, as far as their summary tells.
bool MayPass(const SampleFilter& filter, ValueType type, const Summary& summary) {
  const bool all_usable = summary.good == summary.count;
  // A Good sample of a float that is not usable counts as Bad in a summary.
  const bool has_good = summary.good > 0 || (IsFloat(type) && summary.bad() > 0);
  if (!(filter.good && has_good) && !(filter.uncertain && summary.uncertain > 0) &&
      !(filter.bad && summary.bad() > 0)) {
    return false;
  }
  if (!all_usable || type == ValueType::kString) return true;
  if (filter.values.has_value() && (ToDouble(type, summary.max.value) < filter.values->first ||
                                    ToDouble(type, summary.min.value) > filter.values->second)) {
    return false;
  }
  return filter.states.empty() ||
         (filter.states.front() <= summary.max.value && filter.states.back() >= summary.min.value);
}

// Delivers [bound before] range [bound behind], or the same from the other end.
class ClusterRawReader : public RawReader {
 public:
  ClusterRawReader(ReadView view, const RawRequest& request)
      : view_(std::move(view)), request_(request), passes_all_(request_.filter.PassesAll()), cursor_(view_) {}

  absl::StatusOr<bool> Next(Samples* batch) override { return view_.Ended(FillBatch(batch)); }

  bool AtEnd() const override {
    return started_ && at_ == end_ && (!position_.valid() || Passed()) && damage_.ok() &&
           cursor_.head_damage().ok();
  }

 private:
  ValueType type() const { return view_.type; }

  absl::StatusOr<bool> FillBatch(Samples* batch) {
    batch->Clear();
    if (!started_) {
      started_ = true;
      RETURN_IF_ERROR(Start());
    }
    while (batch->size() < kRawBatchMax && batch->strings.TextBytes() < kBatchTextBytes) {
      if (at_ == end_) {
        if (!position_.valid() || Passed()) break;
        RETURN_IF_ERROR(Load());
        continue;
      }
      const size_t count = std::min(end_ - at_, kRawBatchMax - batch->size());
      scanned_ += count;
      if (!passes_all_) {
        // What has passed is fewer, and the batch goes on.
        for (size_t i = 0; i < count; ++i) {
          const size_t next = request_.reverse ? --end_ : at_++;
          if (Passes(next)) batch->AddFrom(type(), cluster_->View(), next);
        }
      } else if (request_.reverse) {
        for (size_t i = 0; i < count; ++i) batch->AddFrom(type(), cluster_->View(), end_ - 1 - i);
        end_ -= count;
      } else {
        batch->Append(type(), cluster_->View(), at_, count);
        at_ += count;
      }
    }
    if (scanned_ >= kLongRead) cursor_.pages().PassThrough();
    if (!batch->empty()) return true;
    RETURN_IF_ERROR(damage_);
    RETURN_IF_ERROR(cursor_.head_damage());
    return false;
  }

  // Settles the first and last time to deliver (inclusive), bounds among them, and where to begin.
  absl::Status Start() {
    if (request_.start >= request_.end && !request_.bounds) return absl::OkStatus();
    from_ = request_.start;
    to_ = request_.end - 1;
    if (request_.bounds) {
      ASSIGN_OR_RETURN(const bool has_outer, HasSampleWhereItBegins());
      if (!has_outer || request_.reverse) {
        ASSIGN_OR_RETURN(from_, TimeBefore(request_.start));
      }
      if (!has_outer || !request_.reverse) {
        ASSIGN_OR_RETURN(to_, TimeAtOrAfter(request_.end));
      }
    }
    if (const std::optional<Timestamp> last = request_.resume_after; last.has_value()) {
      // A client may have made it up: it may be any number.
      if (request_.reverse ? *last <= from_ : *last >= to_) return absl::OkStatus();
      if (request_.reverse) {
        to_ = std::min(to_, *last - 1);
      } else {
        from_ = std::max(from_, *last + 1);
      }
    }
    if (from_ > to_) return absl::OkStatus();
    if (request_.reverse) {
      ASSIGN_OR_RETURN(position_, cursor_.SeekBefore(to_ + 1));
    } else {
      ASSIGN_OR_RETURN(position_, cursor_.Seek(from_));
    }
    return absl::OkStatus();
  }

  // Whether the read needs no bound where it begins.
  absl::StatusOr<bool> HasSampleWhereItBegins() {
    if (!request_.outer_bound_if_needed) return false;
    ASSIGN_OR_RETURN(const std::optional<Timestamp> first,
                     request_.reverse ? Before(request_.end) : AtOrAfter(request_.start));
    return first == (request_.reverse ? request_.end - 1 : request_.start);
  }

  // Where the range begins and ends with its bounds.
  absl::StatusOr<Timestamp> TimeBefore(Timestamp start) {
    ASSIGN_OR_RETURN(const std::optional<Timestamp> time, Before(start));
    return time.value_or(start);
  }
  absl::StatusOr<Timestamp> TimeAtOrAfter(Timestamp end) {
    ASSIGN_OR_RETURN(const std::optional<Timestamp> time, AtOrAfter(end));
    return time.value_or(end - 1);
  }

  // The newest sample before t that passes, and the first at or after it.
  absl::StatusOr<std::optional<Timestamp>> Before(Timestamp t) {
    if (passes_all_) {
      ASSIGN_OR_RETURN(const std::optional<Sample> sample, cursor_.SampleBefore(t));
      return sample.has_value() ? std::optional<Timestamp>(sample->time) : std::nullopt;
    }
    ASSIGN_OR_RETURN(ClusterCursor::Position position, cursor_.SeekBefore(t));
    while (position.valid()) {
      RETURN_IF_ERROR(Read(position));
      const std::vector<Timestamp>& times = cluster_->times;
      for (size_t i = std::lower_bound(times.begin(), times.end(), t) - times.begin(); i-- > 0;) {
        if (Passes(i)) return std::optional<Timestamp>(times[i]);
      }
      RETURN_IF_ERROR(cursor_.Prev(&position));
    }
    return std::optional<Timestamp>();
  }
  absl::StatusOr<std::optional<Timestamp>> AtOrAfter(Timestamp t) {
    if (passes_all_) {
      ASSIGN_OR_RETURN(const std::optional<Sample> sample, cursor_.SampleAtOrAfter(t));
      return sample.has_value() ? std::optional<Timestamp>(sample->time) : std::nullopt;
    }
    ASSIGN_OR_RETURN(ClusterCursor::Position position, cursor_.Seek(t));
    while (position.valid()) {
      RETURN_IF_ERROR(Read(position));
      const std::vector<Timestamp>& times = cluster_->times;
      for (size_t i = std::lower_bound(times.begin(), times.end(), t) - times.begin(); i < times.size();
           ++i) {
        if (Passes(i)) return std::optional<Timestamp>(times[i]);
      }
      RETURN_IF_ERROR(cursor_.Next(&position));
    }
    return std::optional<Timestamp>();
  }

  // Of the cluster.
  bool Passes(size_t i) const {
    const SamplesView view = cluster_->View();
    return historian::Passes(request_.filter, type(), view.values[i], view.QualityAt(i));
  }

  // Makes *cluster_ what is at the position: nothing if none of it passes.
  absl::Status Read(const ClusterCursor::Position& position) {
    const Summary* const summary = passes_all_ ? nullptr : position.summary();
    if (summary != nullptr && !MayPass(request_.filter, type(), *summary)) {
      static const auto& nothing = *new std::shared_ptr<const Samples>(std::make_shared<Samples>());
      cluster_ = nothing;
      return absl::OkStatus();
    }
    const absl::Status status = cursor_.Read(position, &cluster_);
    if (!absl::IsDataLoss(status)) return status;
    damage_ = status;
    return absl::OkStatus();
  }

  bool Passed() const {
    return request_.reverse ? position_.last_time() < from_ : position_.first_time() > to_;
  }

  absl::Status Load() {
    RETURN_IF_ERROR(Read(position_));
    // With an empty range between two bounds, only the bounds are asked for, and nothing lies between them.
    const std::vector<Timestamp>& times = cluster_->times;
    at_ = std::lower_bound(times.begin(), times.end(), from_) - times.begin();
    end_ = std::upper_bound(times.begin(), times.end(), to_) - times.begin();
    return request_.reverse ? cursor_.Prev(&position_) : cursor_.Next(&position_);
  }

  const ReadView view_;
  const RawRequest request_;
  const bool passes_all_;
  ClusterCursor cursor_;
  bool started_ = false;
  Timestamp from_ = 0;
  Timestamp to_ = -1;
  ClusterCursor::Position position_;
  uint64_t scanned_ = 0;
  std::shared_ptr<const Samples> cluster_;
  size_t at_ = 0;  // [at_, end_) of cluster_ is still to be delivered.
  size_t end_ = 0;
  absl::Status damage_;
};

}  // namespace

std::unique_ptr<RawReader> NewRawReader(ReadView view, const RawRequest& request) {
  return std::make_unique<ClusterRawReader>(std::move(view), request);
}

}  // namespace historian
