#include "server/joined_read.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <queue>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/arena.h"
#include "server/answer_unit.h"
#include "server/parallel.h"
#include "server/read_plan.h"
#include "server/selection.h"
#include "server/wire.h"
#include "storage/model/status_macros.h"

namespace historian::server {
namespace {

// A frame of numbers has about so many: a megabyte, large enough to be cheap and small enough to be on its way soon.
constexpr size_t kFrameValues = 128 * 1024;
constexpr size_t kFrameTimesMax = 16'384;
// Texts of a frame, divided among its tags of strings; each has one text at least.
constexpr size_t kFrameTextBytes = size_t{2} << 20;
// What a tag has in memory beside its share of a frame: what is known of its blocks, and the samples around a time.
constexpr uint64_t kReaderBytes = 64 * 1024;

// ---- The axis

class Axis {
 public:
  virtual ~Axis() = default;
  // *times become the next ones, at most `max`; none at the end.
  virtual absl::Status Next(size_t max, std::vector<Timestamp>* times) = 0;
};

class ListedAxis final : public Axis {
 public:
  explicit ListedAxis(const v1::Times::Explicit& times) : times_(times.at().begin(), times.at().end()) {}

  absl::Status Next(size_t max, std::vector<Timestamp>* times) override {
    const size_t count = std::min(max, times_.size() - next_);
    times->assign(times_.begin() + next_, times_.begin() + next_ + count);
    next_ += count;
    return absl::OkStatus();
  }

 private:
  const std::vector<Timestamp> times_;
  size_t next_ = 0;
};

class GridAxis final : public Axis {
 public:
  explicit GridAxis(const v1::ReadJoinedRequest::Grid& grid)
      : start_(grid.start()),
        step_(grid.step_ns()),
        size_((Elapsed(grid.start(), grid.end()) - 1) / step_ + 1) {}

  absl::Status Next(size_t max, std::vector<Timestamp>* times) override {
    times->clear();
    for (; next_ < size_ && times->size() < max; ++next_) {
      times->push_back(static_cast<Timestamp>(static_cast<uint64_t>(start_) + next_ * step_));
    }
    return absl::OkStatus();
  }

 private:
  const Timestamp start_;
  const uint64_t step_;
  const uint64_t size_;
  uint64_t next_ = 0;
};

// Merges the times of the samples of all tags.
class ChangesAxis final : public Axis {
 public:
  ChangesAxis(WorkPool& pool, const v1::ReadJoinedRequest::Changes& changes,
              std::vector<JoinedReader*> readers)
      : pool_(pool), end_(changes.end()) {
    for (JoinedReader* const reader : readers) tags_.push_back({.reader = reader, .start = changes.start()});
  }

  absl::Status Next(size_t max, std::vector<Timestamp>* times) override {
    // The next `max` times are among the next `max` of each tag.
    RETURN_IF_ERROR(ForEachInParallel(pool_, tags_.size(), [&](size_t i) { return Fill(max, &tags_[i]); }));
    using Place = std::pair<Timestamp, size_t>;  // And of which tag.
    std::priority_queue<Place, std::vector<Place>, std::greater<>> nearest;
    for (size_t i = 0; i < tags_.size(); ++i) {
      if (!tags_[i].empty()) nearest.emplace(tags_[i].front(), i);
    }
    times->clear();
    while (!nearest.empty()) {
      const auto [time, i] = nearest.top();
      if (times->empty() || times->back() != time) {
        if (times->size() == max) break;
        times->push_back(time);
      }
      nearest.pop();
      if (++tags_[i].taken; !tags_[i].empty()) nearest.emplace(tags_[i].front(), i);
    }
    return absl::OkStatus();
  }

 private:
  struct TagTimes {
    JoinedReader* reader;
    Timestamp start;  // Of what was not read yet.
    bool ended = false;
    std::vector<Timestamp> times;
    size_t taken = 0;  // Of them.

    bool empty() const { return taken == times.size(); }
    Timestamp front() const { return times[taken]; }
  };

  absl::Status Fill(size_t max, TagTimes* tag) const {
    tag->times.erase(tag->times.begin(), tag->times.begin() + static_cast<std::ptrdiff_t>(tag->taken));
    tag->taken = 0;
    if (tag->ended || tag->times.size() >= max) return absl::OkStatus();
    RETURN_IF_ERROR(tag->reader->AppendTimes(tag->start, end_, max - tag->times.size(), &tag->times));
    tag->ended = tag->times.size() < max;
    if (!tag->ended) tag->start = tag->times.back() + 1;
    return absl::OkStatus();
  }

  WorkPool& pool_;
  const Timestamp end_;
  std::vector<TagTimes> tags_;
};

absl::Status CheckTimes(const v1::Times::Explicit& times) {
  for (int i = 0; i < times.at_size(); ++i) {
    if (!IsValidTimestamp(times.at(i))) {
      return absl::InvalidArgumentError(
          absl::StrCat("time ", FormatTimestamp(times.at(i)),
                       " is outside the times samples may have, 1900-01-01 to 2200-01-01"));
    }
    if (i > 0 && times.at(i) <= times.at(i - 1)) {
      return absl::InvalidArgumentError(absl::StrCat("time ", i, ", ", FormatTimestamp(times.at(i)),
                                                     ", is not after the one before it, ",
                                                     FormatTimestamp(times.at(i - 1))));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckAxis(const v1::ReadJoinedRequest& request) {
  switch (request.axis_case()) {
    case v1::ReadJoinedRequest::kTimes:
      return CheckTimes(request.times());
    case v1::ReadJoinedRequest::kGrid:
      if (request.grid().step_ns() == 0) {
        return absl::InvalidArgumentError("the grid's step_ns is 0: at least 1 ns lies between its times");
      }
      return CheckRange(request.grid().start(), request.grid().end());
    case v1::ReadJoinedRequest::kChanges:
      return CheckRange(request.changes().start(), request.changes().end());
    case v1::ReadJoinedRequest::AXIS_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("the request has no axis: times, a grid or changes");
}

std::string DescribeAxis(const v1::ReadJoinedRequest& request) {
  const auto range = [](const auto& axis) {
    return absl::StrCat(FormatTimestamp(axis.start()), " to ", FormatTimestamp(axis.end()));
  };
  if (request.has_times()) return absl::StrCat(request.times().at_size(), " times");
  if (request.has_grid())
    return absl::StrCat("every ", request.grid().step_ns(), " ns, ", range(request.grid()));
  return absl::StrCat("at each change, ", range(request.changes()));
}

// ---- The answer

struct JoinedTag {
  TagId id = 0;
  AnswerUnit unit;
  std::unique_ptr<JoinedReader> reader;
  size_t text_max = 0;
  Samples samples;  // The values that were read, at times of the source from `begin` on.
  size_t begin = 0;
  size_t end() const { return begin + samples.size(); }
};

class JoinedSource final : public FrameSource {
 public:
  JoinedSource(ServiceEnv& env, std::vector<JoinedTag> tags, std::unique_ptr<Axis> axis, uint64_t limit)
      : env_(env),
        tags_(std::move(tags)),
        axis_(std::move(axis)),
        left_(limit == 0 ? std::numeric_limits<uint64_t>::max() : limit),
        times_at_once_(
            std::clamp<size_t>(kFrameValues / std::max<size_t>(1, tags_.size()), 1, kFrameTimesMax)) {}

  void SetAnswered(uint64_t version, const std::string& unit) {
    version_ = version;
    unit_ = unit;
  }

  absl::StatusOr<Step> Next(grpc::ByteBuffer* frame) override {
    if (tags_.empty()) return Step::kEnd;
    if (sent_ == times_.size()) {
      RETURN_IF_ERROR(axis_->Next(std::min<uint64_t>(left_, times_at_once_), &times_));
      if (times_.empty()) return Step::kEnd;
      left_ -= times_.size();
      sent_ = 0;
      for (JoinedTag& tag : tags_) Clear(&tag);
    }
    RETURN_IF_ERROR(ForEachInParallel(env_.pool, tags_.size(), [&](size_t i) { return ReadOn(&tags_[i]); }));
    size_t end = times_.size();
    for (const JoinedTag& tag : tags_) end = std::min(end, tag.end());

    google::protobuf::Arena arena;
    v1::JoinedFrame& made = *google::protobuf::Arena::CreateMessage<v1::JoinedFrame>(&arena);
    made.mutable_times()->Add(times_.begin() + static_cast<std::ptrdiff_t>(sent_),
                              times_.begin() + static_cast<std::ptrdiff_t>(end));
    for (size_t i = 0; i < tags_.size(); ++i) made.add_tags();
    RETURN_IF_ERROR(ForEachInParallel(env_.pool, tags_.size(), [&](size_t i) {
      const JoinedTag& tag = tags_[i];
      const SamplesView view = tag.samples.View().Slice(sent_ - tag.begin, end - sent_);
      v1::AtTimes* const to = made.mutable_tags(static_cast<int>(i));
      to->set_tag_id(tag.id);
      ValuesToWire(tag.unit.type(), view.values, view.size, view.strings, to->mutable_values());
      SetQualities(view.qualities, view.size, to);
      return absl::OkStatus();
    }));
    made.set_version(version_);
    made.set_unit(unit_);
    sent_ = end;
    *frame = SerializeMessage(made);
    return left_ == 0 && sent_ == times_.size() ? Step::kLastFrame : Step::kFrame;
  }

 private:
  void Clear(JoinedTag* tag) const {
    tag->samples.Clear();
    tag->begin = sent_;
  }

  // Unless there is something that was not sent: then other tags have longer texts.
  absl::Status ReadOn(JoinedTag* tag) const {
    if (tag->end() > sent_) return absl::OkStatus();
    Clear(tag);
    RETURN_IF_ERROR(
        tag->reader->Read(absl::MakeConstSpan(times_).subspan(sent_), tag->text_max, &tag->samples).status());
    tag->unit.Convert(&tag->samples);
    return absl::OkStatus();
  }

  ServiceEnv& env_;
  std::vector<JoinedTag> tags_;
  const std::unique_ptr<Axis> axis_;
  uint64_t left_;  // Times that the limit allows.
  const size_t times_at_once_;
  uint64_t version_ = 0;
  std::string unit_;
  std::vector<Timestamp> times_;
  size_t sent_ = 0;  // Of them.
};

}  // namespace

absl::StatusOr<std::unique_ptr<FrameSource>> OpenJoinedRead(ServiceEnv& env,
                                                            const v1::ReadJoinedRequest& request,
                                                            const KeepGoing& keep_going, CallRecord& record) {
  RETURN_IF_ERROR(CheckAxis(request));
  ASSIGN_OR_RETURN(const std::optional<Interpolation> interpolation,
                   AskedInterpolation(request.interpolation()));
  ASSIGN_OR_RETURN(const SelectedTags selected, SelectTags(record.tags(), Right::kRead, request.tags(),
                                                           env.config.limits.query_tags, keep_going));
  const size_t size = selected.ids.size();
  RETURN_IF_ERROR(
      CheckLimit(size, env.config.limits.joined_tags, "tags of a joined read", "limits.joined_tags"));
  record.Describe([size, axis = DescribeAxis(request)] { return absl::StrCat(size, " tags, ", axis); });
  ASSIGN_OR_RETURN(const Version as_of, AsOfOf(env.archive.versions(), request));
  ASSIGN_OR_RETURN(AnswerUnits units, AnswerUnits::Make(env.archive.tags(), as_of, request.unit()));

  const size_t texts =
      std::count_if(selected.traits.begin(), selected.traits.end(),
                    [](const TagTraits& traits) { return traits.type == ValueType::kString; });
  const size_t text_max = kFrameTextBytes / std::max<size_t>(1, texts);
  // Each text may go over its part by one, and is in the frame, too.
  RETURN_IF_ERROR(record.Grow(size * kReaderBytes + texts * 2 * (text_max + kStringBytesMax) +
                                  request.times().at_size() * sizeof(Timestamp),
                              "so many tags"));
  std::vector<JoinedTag> tags;
  std::vector<JoinedReader*> readers;
  for (size_t i = 0; i < size; ++i) {
    RETURN_IF_ERROR(keep_going());
    const TagTraits& traits = selected.traits[i];
    ASSIGN_OR_RETURN(const AnswerUnit unit, units.For(selected.ids[i], traits.type));
    ASSIGN_OR_RETURN(std::unique_ptr<JoinedReader> reader,
                     env.archive.ReadJoined(selected.ids[i], InterpolationFor(traits, interpolation),
                                            request.uncertain_as_bad(), keep_going, as_of));
    readers.push_back(reader.get());
    tags.push_back({.id = selected.ids[i], .unit = unit, .reader = std::move(reader), .text_max = text_max});
  }
  std::unique_ptr<Axis> axis;
  if (request.has_times()) {
    axis = std::make_unique<ListedAxis>(request.times());
  } else if (request.has_grid()) {
    axis = std::make_unique<GridAxis>(request.grid());
  } else {
    axis = std::make_unique<ChangesAxis>(env.pool, request.changes(), std::move(readers));
  }
  auto source = std::make_unique<JoinedSource>(env, std::move(tags), std::move(axis), request.limit());
  source->SetAnswered(AnsweredVersion(env.archive.versions(), as_of), request.unit());
  return source;
}

}  // namespace historian::server
