#include "storage/read/cluster_cursor.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "storage/format/key.h"
#include "storage/model/status_macros.h"
#include "storage/read/pages_as_of.h"
#include "storage/sealed/stored_heads.h"

namespace historian {
namespace {

// False if the summary tells that there is no such sample.
bool MayHave(const Summary* summary, FoldSource::Kind kind) {
  if (summary == nullptr) return true;
  switch (kind) {
    case FoldSource::Kind::kUsable:
      return summary->good > 0;
    case FoldSource::Kind::kCounted:
      return summary->good + summary->uncertain > 0;
    case FoldSource::Kind::kAny:
    case FoldSource::Kind::kData:
      return true;
  }
  return true;
}

}  // namespace

Sample SampleAt(ValueType type, const SamplesView& samples, size_t i) {
  return {samples.times[i], type == ValueType::kString ? 0 : samples.values[i], samples.QualityAt(i)};
}

absl::StatusOr<std::shared_ptr<const PartitionView>> ClusterCursor::In(int32_t partition) {
  if (last_ != nullptr && last_partition_ == partition) return last_;
  RETURN_IF_ERROR(view_.GoOn());
  const bool expired = view_.HasAllExpired(partition);
  std::shared_ptr<const TagHeads> heads;
  if (!expired) {
    ASSIGN_OR_RETURN(heads, view_.caches.heads.Get(partition, view_.tag, pages_));
    if (!heads->stored->damage.ok()) head_damage_ = heads->stored->damage;
  }
  const bool has_tail = !expired && view_.TailReaches(partition);
  // What the version saw, where that is not all there is.
  std::shared_ptr<const TagHeadsAsOf> as_of;
  if (heads != nullptr && heads->highest_version > view_.as_of) {
    ASSIGN_OR_RETURN(as_of, view_.caches.heads.AsOf(
                                *heads, view_.tag, view_.type, partition, view_.as_of,
                                [&](absl::Status* damage) {
                                  return ReadPagesAsOf(view_, partition, heads->stored, pages_, damage);
                                },
                                &head_damage_));
  }
  if (heads != nullptr && !has_tail) {
    last_ = as_of == nullptr ? heads->view : as_of->view;
  } else {
    last_ = std::make_shared<const PartitionView>(
        view_.tag, view_.type, partition,
        heads == nullptr ? std::make_shared<const StoredHeads>() : heads->stored,
        has_tail ? view_.tail : nullptr, as_of == nullptr ? nullptr : as_of->pages);
  }
  last_partition_ = partition;
  return last_;
}

absl::Status ClusterCursor::Forward(Position* position, int32_t partition) {
  *position = Position();
  if (view_.empty()) return absl::OkStatus();
  const int32_t last = format::PartitionOf(view_.newest);
  for (partition = std::max(partition, format::PartitionOf(view_.oldest)); partition <= last; ++partition) {
    if (view_.HasExpired(partition)) continue;
    ASSIGN_OR_RETURN(std::shared_ptr<const PartitionView> in, In(partition));
    if (in->clusters() == 0) continue;
    position->partition_ = partition;
    position->in_ = std::move(in);
    position->cluster_ = 0;
    break;
  }
  return absl::OkStatus();
}

absl::Status ClusterCursor::Backward(Position* position, int32_t partition) {
  *position = Position();
  if (view_.empty()) return absl::OkStatus();
  const int32_t first = format::PartitionOf(view_.oldest);
  for (partition = std::min(partition, format::PartitionOf(view_.newest)); partition >= first; --partition) {
    if (view_.HasExpired(partition)) continue;
    ASSIGN_OR_RETURN(std::shared_ptr<const PartitionView> in, In(partition));
    if (in->clusters() == 0) continue;
    position->partition_ = partition;
    position->cluster_ = in->clusters() - 1;
    position->in_ = std::move(in);
    break;
  }
  return absl::OkStatus();
}

absl::StatusOr<ClusterCursor::Position> ClusterCursor::Seek(Timestamp t) {
  Position position;
  RETURN_IF_ERROR(Forward(&position, format::PartitionOf(t)));
  while (position.valid() && position.last_time() < t) {
    position.cluster_ = position.in_->FirstEndingAtOrAfter(t);
    if (position.cluster_ == position.in_->clusters()) {
      RETURN_IF_ERROR(Forward(&position, position.partition_ + 1));
    }
  }
  return position;
}

absl::StatusOr<ClusterCursor::Position> ClusterCursor::SeekBefore(Timestamp t) {
  ASSIGN_OR_RETURN(Position position, Seek(t));
  if (position.valid() && position.first_time() < t) return position;
  if (position.valid()) {
    RETURN_IF_ERROR(Prev(&position));
  } else {
    RETURN_IF_ERROR(Backward(&position, format::PartitionOf(t)));
  }
  return position;
}

absl::Status ClusterCursor::Next(Position* position) {
  if (++position->cluster_ < position->in_->clusters()) return absl::OkStatus();
  return Forward(position, position->partition_ + 1);
}

absl::Status ClusterCursor::Prev(Position* position) {
  if (position->cluster_-- > 0) return absl::OkStatus();
  return Backward(position, position->partition_ - 1);
}

absl::Status ClusterCursor::Read(const Position& position, std::shared_ptr<const Samples>* samples) {
  RETURN_IF_ERROR(view_.GoOn());
  return position.in_->Read(position.cluster_, pages_, samples);
}

// ---- The nearest sample

absl::StatusOr<std::optional<Sample>> ClusterCursor::LastBefore(const Position& position, Timestamp t) {
  if (const Summary* summary = position.summary(); summary != nullptr && position.last_time() < t) {
    return std::optional<Sample>(summary->last);
  }
  std::shared_ptr<const Samples> samples;
  RETURN_IF_ERROR(Read(position, &samples));
  const std::vector<Timestamp>& times = samples->times;
  const size_t at = std::lower_bound(times.begin(), times.end(), t) - times.begin();
  return std::optional<Sample>(SampleAt(view_.type, samples->View(), at - 1));
}

absl::StatusOr<std::optional<Sample>> ClusterCursor::FirstAtOrAfter(const Position& position, Timestamp t) {
  if (const Summary* summary = position.summary(); summary != nullptr && position.first_time() >= t) {
    return std::optional<Sample>(summary->first);
  }
  std::shared_ptr<const Samples> samples;
  RETURN_IF_ERROR(Read(position, &samples));
  const std::vector<Timestamp>& times = samples->times;
  const size_t at = std::lower_bound(times.begin(), times.end(), t) - times.begin();
  if (at < times.size()) return std::optional<Sample>(SampleAt(view_.type, samples->View(), at));
  // A cluster that was cut may have no sample up to the cut; the next begins with one.
  Position next = position;
  RETURN_IF_ERROR(Next(&next));
  if (!next.valid()) return std::optional<Sample>();
  RETURN_IF_ERROR(Read(next, &samples));
  return std::optional<Sample>(SampleAt(view_.type, samples->View(), 0));
}

absl::StatusOr<std::optional<Sample>> ClusterCursor::SampleBefore(Timestamp t, Kind kind) {
  ASSIGN_OR_RETURN(Position position, SeekBefore(t));
  if (!position.valid()) return std::optional<Sample>();
  ASSIGN_OR_RETURN(std::optional<Sample> nearest, LastBefore(position, t));
  if (!nearest.has_value() || FoldSource::Is(kind, view_.type, *nearest)) return nearest;
  while (position.valid()) {
    if (MayHave(position.summary(), kind)) {
      std::shared_ptr<const Samples> samples;
      RETURN_IF_ERROR(Read(position, &samples));
      const std::vector<Timestamp>& times = samples->times;
      for (size_t i = std::lower_bound(times.begin(), times.end(), t) - times.begin(); i > 0; --i) {
        const Sample sample = SampleAt(view_.type, samples->View(), i - 1);
        if (FoldSource::Is(kind, view_.type, sample)) return std::optional<Sample>(sample);
      }
    }
    RETURN_IF_ERROR(Prev(&position));
  }
  return std::optional<Sample>();
}

absl::StatusOr<std::optional<Sample>> ClusterCursor::SampleAtOrAfter(Timestamp t, Kind kind) {
  ASSIGN_OR_RETURN(Position position, Seek(t));
  if (!position.valid()) return std::optional<Sample>();
  ASSIGN_OR_RETURN(std::optional<Sample> nearest, FirstAtOrAfter(position, t));
  if (!nearest.has_value() || FoldSource::Is(kind, view_.type, *nearest)) return nearest;
  while (position.valid()) {
    if (MayHave(position.summary(), kind)) {
      std::shared_ptr<const Samples> samples;
      RETURN_IF_ERROR(Read(position, &samples));
      const std::vector<Timestamp>& times = samples->times;
      for (size_t i = std::lower_bound(times.begin(), times.end(), t) - times.begin(); i < times.size();
           ++i) {
        const Sample sample = SampleAt(view_.type, samples->View(), i);
        if (FoldSource::Is(kind, view_.type, sample)) return std::optional<Sample>(sample);
      }
    }
    RETURN_IF_ERROR(Next(&position));
  }
  return std::optional<Sample>();
}

absl::StatusOr<std::optional<Sample>> ClusterCursor::SampleBeforeIn(int32_t partition, Timestamp t) {
  Position position;
  position.partition_ = partition;
  ASSIGN_OR_RETURN(position.in_, In(partition));
  position.cluster_ = position.in_->FirstEndingAtOrAfter(t);
  if (position.cluster_ == position.in_->clusters() || position.first_time() >= t) {
    if (position.cluster_-- == 0) return std::optional<Sample>();
  }
  return LastBefore(position, t);
}

absl::StatusOr<std::optional<Sample>> ClusterCursor::SampleAtOrAfterIn(int32_t partition, Timestamp t) {
  Position position;
  position.partition_ = partition;
  ASSIGN_OR_RETURN(position.in_, In(partition));
  position.cluster_ = position.in_->FirstEndingAtOrAfter(t);
  if (position.cluster_ == position.in_->clusters()) return std::optional<Sample>();
  return FirstAtOrAfter(position, t);
}

}  // namespace historian
