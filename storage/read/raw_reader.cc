#include "storage/read/raw_reader.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "storage/model/status_macros.h"
#include "storage/read/cluster_cursor.h"
#include "storage/read/read_view.h"

namespace historian {
namespace {

// A read of this many samples is a scan, which must not push out of the cache what screens look at.
constexpr uint64_t kLongRead = 4 * kRawBatchMax;
// A batch ends with the page that brings its text to this.
constexpr size_t kBatchTextBytes = size_t{1} << 20;

// Delivers [bound before] range [bound behind], or the same from the other end.
class ClusterRawReader : public RawReader {
 public:
  ClusterRawReader(ReadView view, const RawRequest& request)
      : view_(std::move(view)), request_(request), cursor_(view_) {}

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
      if (request_.reverse) {
        for (size_t i = 0; i < count; ++i) batch->AddFrom(type(), cluster_->View(), end_ - 1 - i);
        end_ -= count;
      } else {
        batch->Append(type(), cluster_->View(), at_, count);
        at_ += count;
      }
    }
    delivered_ += batch->size();
    if (delivered_ >= kLongRead) cursor_.pages().PassThrough();
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
      ASSIGN_OR_RETURN(const std::optional<Sample> before, cursor_.SampleBefore(request_.start));
      if (before.has_value()) from_ = before->time;
      ASSIGN_OR_RETURN(const std::optional<Sample> behind, cursor_.SampleAtOrAfter(request_.end));
      if (behind.has_value()) to_ = behind->time;
    }
    if (request_.resume_after.has_value()) {
      if (request_.reverse) {
        to_ = std::min(to_, *request_.resume_after - 1);
      } else {
        from_ = std::max(from_, *request_.resume_after + 1);
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

  bool Passed() const {
    return request_.reverse ? position_.last_time() < from_ : position_.first_time() > to_;
  }

  absl::Status Load() {
    const absl::Status status = cursor_.Read(position_, &cluster_);
    if (absl::IsDataLoss(status)) {
      damage_ = status;
    } else {
      RETURN_IF_ERROR(status);
    }
    // With an empty range between two bounds, only the bounds are asked for, and nothing lies between them.
    const std::vector<Timestamp>& times = cluster_->times;
    at_ = std::lower_bound(times.begin(), times.end(), from_) - times.begin();
    end_ = std::upper_bound(times.begin(), times.end(), to_) - times.begin();
    return request_.reverse ? cursor_.Prev(&position_) : cursor_.Next(&position_);
  }

  const ReadView view_;
  const RawRequest request_;
  ClusterCursor cursor_;
  bool started_ = false;
  Timestamp from_ = 0;
  Timestamp to_ = -1;
  ClusterCursor::Position position_;
  uint64_t delivered_ = 0;
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
