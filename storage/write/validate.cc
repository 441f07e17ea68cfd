#include "storage/write/validate.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/format/key.h"

namespace historian {
namespace {

// Collects rejections; runs of samples with one reason become one.
class Rejections {
 public:
  Rejections(uint64_t sequence, WriteResult* result) : sequence_(sequence), result_(result) {}

  template <typename Message>
  void Add(uint32_t index, bool in_snapshot, uint32_t first, uint32_t count, TagId tag, Timestamp time,
           RejectionReason reason, const Message& message) {
    result_->rejected += count;
    if (!result_->rejections.empty()) {
      Rejection& last = result_->rejections.back();
      if (last.index == index && last.in_snapshot == in_snapshot && last.tag == tag &&
          last.reason == reason && last.first + last.count == first) {
        last.count += count;
        return;
      }
    }
    if (result_->rejections.size() >= kRejectionsListedMax) return;
    result_->rejections.push_back(
        {sequence_, index, in_snapshot, first, count, tag, time, reason, message()});
  }

 private:
  const uint64_t sequence_;
  WriteResult* const result_;
};

struct Refusal {
  RejectionReason reason;
  std::string message;
};

// What the filter says of tags; without one they all pass.
class Verdicts {
 public:
  Verdicts(const WriteFilter* filter, const TagRegistry& tags, absl::Span<const TagId> ids)
      : filter_(filter == nullptr || filter->PassesAll() ? nullptr : filter) {
    if (filter_ == nullptr) return;
    verdicts_.resize(ids.size());
    filter_->Check(tags, ids, verdicts_.data());
  }

  std::optional<Refusal> Refuse(size_t i, TagId tag) const {
    if (filter_ == nullptr || verdicts_[i] == WriteFilter::Verdict::kPasses) return std::nullopt;
    if (verdicts_[i] == WriteFilter::Verdict::kUnknown) return Unknown(tag);
    return Refusal{RejectionReason::kNotPermitted,
                   absl::StrCat("'", filter_->who(), "' may not write tag ", tag)};
  }
  static Refusal Unknown(TagId tag) {
    return {RejectionReason::kUnknownTag, absl::StrCat("no tag has id ", tag)};
  }

 private:
  const WriteFilter* const filter_;
  std::vector<WriteFilter::Verdict> verdicts_;
};

// Of the i-th tag of those of which there are verdicts.
std::optional<Refusal> RefuseTag(const Verdicts& verdicts, size_t i, TagId tag, const TagTraits& traits,
                                 ValueType type) {
  if (auto refusal = verdicts.Refuse(i, tag)) return refusal;
  if (!traits.exists) return Verdicts::Unknown(tag);
  if (traits.retired) return Refusal{RejectionReason::kRetiredTag, absl::StrCat("tag ", tag, " is retired")};
  if (traits.type != type) {
    return Refusal{RejectionReason::kWrongType, absl::StrCat("tag ", tag, " is ", ValueTypeName(traits.type),
                                                             ", the values are ", ValueTypeName(type))};
  }
  return std::nullopt;
}

std::optional<RejectionReason> RefuseTime(Timestamp time, Timestamp time_max) {
  if (time < kTimestampMin || time > time_max) return RejectionReason::kTimeOutOfRange;
  return std::nullopt;
}

std::string TimeMessage(Timestamp time, Timestamp time_max) {
  return absl::StrCat("time ", FormatTimestamp(time), " is outside ", FormatTimestamp(kTimestampMin), " to ",
                      FormatTimestamp(time_max), time > time_max ? " (limit on future samples)" : "");
}

std::optional<RejectionReason> RefuseValue(ValueType type, ValueBits value, const StringColumn& strings,
                                           Quality quality) {
  if (!IsKnownQuality(quality)) return RejectionReason::kUnknownQuality;
  if (type == ValueType::kString ? strings[value].size() > kStringBytesMax : !IsCanonical(type, value)) {
    return RejectionReason::kValueTooLarge;
  }
  return std::nullopt;
}

std::string ValueMessage(RejectionReason reason, ValueType type, ValueBits value, const StringColumn& strings,
                         Quality quality) {
  if (reason == RejectionReason::kUnknownQuality) {
    return absl::StrFormat("quality 0x%08X has the reserved severity or reserved bits set", quality);
  }
  if (type == ValueType::kString) {
    return absl::StrCat("string of ", strings[value].size(), " bytes; the limit is ", kStringBytesMax);
  }
  return absl::StrCat("value ", value, " is not one of type ", ValueTypeName(type));
}

std::string TooOldMessage(const TooOld& too_old, TagId tag, Timestamp time) {
  const int32_t partition = format::PartitionOf(time);
  const std::string week = absl::StrCat("from ", FormatTimestamp(format::PartitionStart(partition)), " to ",
                                        FormatTimestamp(format::PartitionStart(partition + 1)));
  const RetentionRule* const rule =
      too_old.HasExpired(tag, partition) ? nullptr : too_old.RuleAgainst(tag, partition);
  if (rule == nullptr) {
    return absl::StrCat("what tag ", tag, " had ", week,
                        " has expired: it is older than the retention of the tag");
  }
  return absl::StrCat("nothing is kept of tag ", tag, " ", week,
                      ": it is older than the retention of the tag (rule '", rule->name, "')");
}

// True when nothing needs a closer look: the common case, in a few vector loops.
bool IsClean(const FrameColumn& column, const TooOld& too_old, const TimeLimits& limits, Timestamp now) {
  const Samples& s = column.samples;
  if (!s.empty() && format::PartitionOf(s.times.front()) < too_old.end()) return false;
  if (s.empty() || s.times.front() < kTimestampMin) return false;
  if (s.times.back() > limits.MaxOfAll(now) && s.times.back() > limits.MaxOf(column.tag, now)) return false;
  if (!IsStrictlyAscending(s.times.data(), s.size())) return false;
  bool clean = true;
  for (Quality q : s.qualities) clean &= IsKnownQuality(q);
  switch (column.type) {
    case ValueType::kString:
      for (ValueBits v : s.values) clean &= s.strings[v].size() <= kStringBytesMax;
      break;
    case ValueType::kBool:
    case ValueType::kDigital:
    case ValueType::kFloat32:
      for (ValueBits v : s.values) clean &= IsCanonical(column.type, v);
      break;
    default:
      break;
  }
  return clean;
}

void FilterColumn(const TooOld& too_old, Timestamp time_max, FrameColumn* column, Rejections* rejections) {
  // Most samples are of the partition of the one before.
  std::optional<int32_t> partition;
  bool is_too_old = false;
  const auto too_old_at = [&](Timestamp time) {
    if (const int32_t its = format::PartitionOf(time); its != partition) {
      partition = its;
      is_too_old = too_old.Is(column->tag, its);
    }
    return is_too_old;
  };
  const SamplesView from = column->samples.View();
  Samples kept;
  std::optional<Timestamp> last;
  for (size_t i = 0; i < from.size; ++i) {
    const Timestamp time = from.times[i];
    const auto reject = [&](RejectionReason reason, const auto& message) {
      rejections->Add(column->index, false, i, 1, column->tag, time, reason, message);
    };
    if (const auto reason = RefuseTime(time, time_max)) {
      reject(*reason, [&] { return TimeMessage(time, time_max); });
    } else if (last.has_value() && time <= *last) {
      reject(RejectionReason::kTimeNotAscending, [&] {
        return absl::StrCat("time ", FormatTimestamp(time), " is not after ", FormatTimestamp(*last),
                            ", the time before it in the column");
      });
    } else if (too_old_at(time)) {
      reject(RejectionReason::kExpired, [&] { return TooOldMessage(too_old, column->tag, time); });
    } else if (const auto reason =
                   RefuseValue(column->type, from.values[i], *from.strings, from.QualityAt(i))) {
      reject(*reason, [&] {
        return ValueMessage(*reason, column->type, from.values[i], *from.strings, from.QualityAt(i));
      });
    } else {
      last = time;
      kept.AddFrom(column->type, from, i);
    }
  }
  column->samples = std::move(kept);
}

void FilterSnapshot(const TagRegistry& tags, const TooOld& too_old, const TimeLimits& limits,
                    const WriteFilter* filter, Timestamp now, FrameSnapshot* snapshot,
                    Rejections* rejections) {
  const size_t size = snapshot->tags.size();
  const auto quality_at = [&](size_t i) {
    return snapshot->qualities.empty() ? kGood : snapshot->qualities[i];
  };
  std::vector<TagTraits> traits(size);
  tags.GetTraits(snapshot->tags.data(), size, traits.data());
  const Verdicts verdicts(filter, tags, snapshot->tags);

  std::vector<bool> refused(size, false);
  bool any_refused = false;
  const auto reject = [&](size_t i, RejectionReason reason, const auto& message) {
    rejections->Add(snapshot->index, true, i, 1, snapshot->tags[i], snapshot->time, reason, message);
    refused[i] = true;
    any_refused = true;
  };
  const Timestamp max_of_any = limits.MaxOfAny(now);
  if (const auto reason = RefuseTime(snapshot->time, max_of_any)) {
    rejections->Add(snapshot->index, true, 0, size, 0, snapshot->time, *reason,
                    [&] { return TimeMessage(snapshot->time, max_of_any); });
    *snapshot = FrameSnapshot{.index = snapshot->index};
    return;
  }
  const int32_t partition = format::PartitionOf(snapshot->time);
  const bool far = snapshot->time > limits.MaxOfAll(now);
  for (size_t i = 0; i < size; ++i) {
    if (auto refusal = RefuseTag(verdicts, i, snapshot->tags[i], traits[i], snapshot->type)) {
      reject(i, refusal->reason, [&] { return refusal->message; });
    } else if (const Timestamp max = far ? limits.MaxOf(snapshot->tags[i], now) : kTimestampMax;
               snapshot->time > max) {
      reject(i, RejectionReason::kTimeOutOfRange, [&] { return TimeMessage(snapshot->time, max); });
    } else if (too_old.Is(snapshot->tags[i], partition)) {
      reject(i, RejectionReason::kExpired,
             [&] { return TooOldMessage(too_old, snapshot->tags[i], snapshot->time); });
    } else if (const auto reason =
                   RefuseValue(snapshot->type, snapshot->values[i], snapshot->strings, quality_at(i))) {
      reject(i, *reason, [&] {
        return ValueMessage(*reason, snapshot->type, snapshot->values[i], snapshot->strings, quality_at(i));
      });
    }
  }
  bool ascending = true;
  for (size_t i = 1; i < size; ++i) ascending &= snapshot->tags[i - 1] < snapshot->tags[i];
  if (ascending && !any_refused) return;

  std::vector<size_t> order(size);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return snapshot->tags[a] < snapshot->tags[b]; });
  FrameSnapshot kept{.time = snapshot->time, .type = snapshot->type, .index = snapshot->index};
  for (size_t i : order) {
    if (refused[i]) continue;
    if (!kept.tags.empty() && kept.tags.back() == snapshot->tags[i]) {
      reject(i, RejectionReason::kTimeNotAscending,
             [&] { return absl::StrCat("tag ", snapshot->tags[i], " is twice in the snapshot"); });
      continue;
    }
    kept.tags.push_back(snapshot->tags[i]);
    kept.values.push_back(snapshot->values[i]);
    if (!snapshot->qualities.empty()) kept.qualities.push_back(snapshot->qualities[i]);
  }
  kept.strings = std::move(snapshot->strings);
  *snapshot = std::move(kept);
}

}  // namespace

absl::Status CheckFrameSize(const Frame& frame) {
  size_t samples = 0, text_bytes = 0;
  for (const FrameColumn& column : frame.columns) {
    samples += column.samples.size();
    text_bytes += column.samples.strings.TextBytes();
  }
  for (const FrameSnapshot& snapshot : frame.snapshots) {
    samples += snapshot.tags.size();
    text_bytes += snapshot.strings.TextBytes();
  }
  if (samples <= kFrameSamplesMax && text_bytes <= kFrameTextBytesMax) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("frame ", frame.sequence, " has ", samples, " samples and ",
                                                 text_bytes, " bytes of text; the limits are ",
                                                 kFrameSamplesMax, " and ", kFrameTextBytesMax));
}

void ValidateFrame(const TagRegistry& tags, const TooOld& too_old, const TimeLimits& limits,
                   const WriteFilter* filter, Timestamp now, Frame* frame, WriteResult* result) {
  Rejections rejections(frame->sequence, result);
  std::vector<TagId> ids;
  ids.reserve(frame->columns.size());
  for (const FrameColumn& column : frame->columns) ids.push_back(column.tag);
  std::vector<TagTraits> traits(ids.size());
  tags.GetTraits(ids.data(), ids.size(), traits.data());
  const Verdicts verdicts(filter, tags, ids);
  for (size_t i = 0; i < frame->columns.size(); ++i) {
    FrameColumn& column = frame->columns[i];
    if (column.samples.empty()) continue;
    if (auto refusal = RefuseTag(verdicts, i, column.tag, traits[i], column.type)) {
      rejections.Add(column.index, false, 0, column.samples.size(), column.tag, column.samples.times.front(),
                     refusal->reason, [&] { return refusal->message; });
      column.samples.Clear();
    } else if (!IsClean(column, too_old, limits, now)) {
      FilterColumn(too_old, limits.MaxOf(column.tag, now), &column, &rejections);
    }
    result->stored += column.samples.size();
  }
  std::erase_if(frame->columns, [](const FrameColumn& column) { return column.samples.empty(); });
  for (FrameSnapshot& snapshot : frame->snapshots) {
    FilterSnapshot(tags, too_old, limits, filter, now, &snapshot, &rejections);
    result->stored += snapshot.tags.size();
  }
  std::erase_if(frame->snapshots, [](const FrameSnapshot& snapshot) { return snapshot.tags.empty(); });
}

}  // namespace historian
