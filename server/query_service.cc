#include "server/query_service.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/arena.h"
#include "server/call.h"
#include "server/continuation.h"
#include "server/parallel.h"
#include "server/plot.h"
#include "server/processed.h"
#include "server/read_plan.h"
#include "server/selection.h"
#include "server/wire.h"

namespace historian::server {
namespace {

// Frames of answers end when they have reached so much: large enough to be cheap, small enough to be on their
// way soon.
constexpr size_t kFrameBytes = 256 * 1024;
// The same for frames of series, which all processors make together.
constexpr size_t kSeriesFrameBytes = 1024 * 1024;
// Answers of one message hold no more: a client could not take much more either.
constexpr size_t kAnswerBytesMax = size_t{64} << 20;
// Newest samples are asked for in so many tags at once, so that long strings are noticed before they are too
// many.
constexpr size_t kLatestAtOnce = 8192;
// What the newest sample of a tag takes on its way into an answer, with its share of what is looked up for it.
constexpr size_t kLatestBytes = 128;
// The newest samples of this many tags are quick to read.
constexpr int kQuickLatest = 10'000;

absl::Status AnswerTooLarge(absl::string_view what) {
  return absl::ResourceExhaustedError(absl::StrCat(what, " needs more than ", kAnswerBytesMax >> 20,
                                                   " MiB, which is the limit of one answer"));
}

std::string DescribeRange(Timestamp start, Timestamp end) {
  return absl::StrCat(FormatTimestamp(start), " to ", FormatTimestamp(end));
}

// ---- ReadRaw

class RawSource final : public FrameSource {
 public:
  RawSource(TagId tag, ValueType type, RawRequest request, uint64_t limit, uint64_t version,
            std::unique_ptr<RawReader> reader)
      : tag_(tag),
        type_(type),
        request_(std::move(request)),
        left_(limit == 0 ? UINT64_MAX : limit),
        reader_(std::move(reader)) {
    frame_.set_version(version);
  }

  absl::StatusOr<Step> Next(grpc::ByteBuffer* frame) override {
    if (next_ == batch_.size()) {
      ASSIGN_OR_RETURN(const bool more, Refill());
      if (!more) return Step::kEnd;
    }
    const size_t count = std::min<uint64_t>({batch_.size() - next_, left_, CountThatFits()});
    ColumnToWire(tag_, type_, batch_.View().Slice(next_, count), frame_.mutable_samples());
    const Timestamp last = batch_.times[next_ + count - 1];
    next_ += count;
    left_ -= count;
    if (left_ > 0) {
      *frame = SerializeMessage(frame_);
      // The status then travels with the frame, which spares a short answer a second one.
      return next_ == batch_.size() && reader_->AtEnd() ? Step::kLastFrame : Step::kFrame;
    }
    // The limit ended it; only if something follows is there a way to go on.
    bool more = next_ < batch_.size();
    if (!more) {
      ASSIGN_OR_RETURN(more, Refill());
    }
    if (more) frame_.set_continuation(EncodeContinuation(request_, last));
    *frame = SerializeMessage(frame_);
    return Step::kLastFrame;
  }

 private:
  absl::StatusOr<bool> Refill() {
    next_ = 0;
    while (true) {
      batch_.Clear();
      ASSIGN_OR_RETURN(const bool more, reader_->Next(&batch_));
      if (!more || !batch_.empty()) return more;
    }
  }

  // Strings may be long: fewer of them make a frame, but at least one does.
  size_t CountThatFits() const {
    if (type_ != ValueType::kString) return kRawBatchMax;
    const SamplesView view = batch_.View();
    size_t bytes = 0;
    size_t count = 0;
    while (next_ + count < view.size && count < kRawBatchMax) {
      bytes += view.StringAt(next_ + count).size() + 16;
      if (count > 0 && bytes > kFrameBytes) break;
      ++count;
    }
    return count;
  }

  const TagId tag_;
  const ValueType type_;
  const RawRequest request_;
  uint64_t left_;
  const std::unique_ptr<RawReader> reader_;
  Samples batch_;
  size_t next_ = 0;  // In batch_.
  v1::RawFrame frame_;
};

absl::StatusOr<std::unique_ptr<FrameSource>> OpenRaw(ServiceEnv& env, const v1::ReadRawRequest& request,
                                                     const KeepGoing& keep_going, CallRecord& record) {
  ASSIGN_OR_RETURN(const std::shared_ptr<const Tag> tag, FindTagOf(record.tags(), Right::kRead, request));
  record.Describe([tag, start = request.start(), end = request.end()] {
    return absl::StrCat("tag ", tag->id, " '", tag->name, "' ", DescribeRange(start, end));
  });
  if (request.start() > request.end()) {
    return absl::InvalidArgumentError(absl::StrCat("start ", FormatTimestamp(request.start()),
                                                   " is after end ", FormatTimestamp(request.end())));
  }
  RawRequest raw{.tag = tag->id,
                 .start = request.start(),
                 .end = request.end(),
                 .bounds = request.bounds(),
                 .reverse = request.reverse()};
  ASSIGN_OR_RETURN(raw.as_of, AsOfOf(env.archive.versions(), request));
  if (!request.continuation().empty()) {
    ASSIGN_OR_RETURN(const Continuation continuation, DecodeContinuation(request.continuation(), raw));
    const bool goes_on = request.as_of().at_case() == v1::AsOf::kTime && continuation.as_of != kVersionNow;
    if (goes_on) {
      ASSIGN_OR_RETURN(raw.as_of, env.archive.versions().Resolve({.version = continuation.as_of}));
    } else if (raw.as_of != continuation.as_of) {
      return absl::InvalidArgumentError(
          continuation.as_of == kVersionNow
              ? "the continuation belongs to another request: one without as_of"
              : absl::StrCat("the continuation belongs to another request: as of version ",
                             continuation.as_of));
    }
    raw.resume_after = continuation.last;
  }
  // "From the beginning to the end of time" may be said with any numbers.
  RawRequest clamped = raw;
  clamped.start = std::clamp(raw.start, kTimestampMin, kTimestampMax + 1);
  clamped.end = std::clamp(raw.end, kTimestampMin, kTimestampMax + 1);
  ASSIGN_OR_RETURN(std::unique_ptr<RawReader> reader, env.archive.ReadRaw(clamped, keep_going));
  const uint64_t version = AnsweredVersion(env.archive.versions(), raw.as_of);
  return std::make_unique<RawSource>(tag->id, tag->type, std::move(raw), request.limit(), version,
                                     std::move(reader));
}

// ---- ReadLatest

absl::Status ServeLatest(ServiceEnv& env, const v1::ReadLatestRequest& request, const KeepGoing& keep_going,
                         CallRecord& record, v1::ReadLatestResponse* response) {
  ASSIGN_OR_RETURN(const SelectedTags selected, SelectTags(record.tags(), Right::kRead, request.tags(),
                                                           env.config.limits.query_tags, keep_going));
  record.Describe([tags = selected.ids.size()] { return absl::StrCat(tags, " tags"); });

  struct Group {
    std::vector<TagId> tags;
    Samples samples;
  };
  ASSIGN_OR_RETURN(const Version as_of, AsOfOf(env.archive.versions(), request));
  std::array<Group, 7> groups;  // By value type.
  size_t string_bytes = 0;
  RETURN_IF_ERROR(record.Grow(selected.ids.size() * kLatestBytes));
  for (size_t begin = 0; begin < selected.ids.size(); begin += kLatestAtOnce) {
    if (begin > 0) RETURN_IF_ERROR(keep_going());
    const size_t count = std::min(kLatestAtOnce, selected.ids.size() - begin);
    ASSIGN_OR_RETURN(
        const std::vector<std::optional<LatestSample>> latest,
        env.archive.ReadLatest(absl::MakeConstSpan(selected.ids).subspan(begin, count), as_of, keep_going));
    for (size_t i = 0; i < count; ++i) {
      const TagId tag = selected.ids[begin + i];
      if (!latest[i].has_value()) {
        response->add_empty(tag);
        continue;
      }
      const ValueType type = selected.traits[begin + i].type;
      Group& group = groups[static_cast<int>(type)];
      group.tags.push_back(tag);
      const Sample& sample = latest[i]->sample;
      if (type == ValueType::kString) {
        group.samples.AddString(sample.time, latest[i]->text, sample.quality);
        string_bytes += latest[i]->text.size();
        if (string_bytes > kAnswerBytesMax) return AnswerTooLarge("the newest samples of these tags");
        RETURN_IF_ERROR(record.Grow(2 * latest[i]->text.size()));
      } else {
        group.samples.Add(sample.time, sample.value, sample.quality);
      }
    }
  }
  for (size_t type = 0; type < groups.size(); ++type) {
    const Group& group = groups[type];
    if (group.tags.empty()) continue;
    v1::TagSamples* to = response->add_samples();
    to->mutable_tag_ids()->Add(group.tags.begin(), group.tags.end());
    to->mutable_times()->Add(group.samples.times.begin(), group.samples.times.end());
    const SamplesView view = group.samples.View();
    ValuesToWire(static_cast<ValueType>(type), view.values, view.size, view.strings, to->mutable_values());
    SetQualities(view.qualities, view.size, to);
  }
  response->set_version(AnsweredVersion(env.archive.versions(), as_of));
  return absl::OkStatus();
}

// ---- ReadAtTimes

absl::Status ServeAtTimes(ServiceEnv& env, const v1::ReadAtTimesRequest& request, const KeepGoing& keep_going,
                          CallRecord& record, v1::ReadAtTimesResponse* response) {
  ASSIGN_OR_RETURN(const std::optional<Interpolation> interpolation,
                   AskedInterpolation(request.interpolation()));
  for (const Timestamp time : request.times()) {
    if (!IsValidTimestamp(time)) {
      return absl::InvalidArgumentError(
          absl::StrCat("time ", FormatTimestamp(time),
                       " is outside the times samples may have, 1900-01-01 to 2200-01-01"));
    }
  }
  ASSIGN_OR_RETURN(const SelectedTags selected, SelectTags(record.tags(), Right::kRead, request.tags(),
                                                           env.config.limits.query_tags, keep_going));
  const uint64_t times = request.times_size();
  record.Describe(
      [tags = selected.ids.size(), times] { return absl::StrCat(tags, " tags at ", times, " times"); });
  RETURN_IF_ERROR(CheckLimit(selected.ids.size() * times, env.config.limits.at_times,
                             absl::StrCat("values (", selected.ids.size(), " tags x ", times, " times)"),
                             "limits.at_times"));
  ASSIGN_OR_RETURN(const Version as_of, AsOfOf(env.archive.versions(), request));
  std::atomic<size_t> bytes{0};
  const absl::Span<const Timestamp> at(request.times().data(), request.times_size());
  RETURN_IF_ERROR(record.Grow(selected.ids.size() * kLatestBytes));
  std::vector<v1::AtTimes*> answers;
  for (const TagId tag : selected.ids) {
    answers.push_back(response->add_tags());
    answers.back()->set_tag_id(tag);
  }
  RETURN_IF_ERROR(ForEachInParallel(env.pool, selected.ids.size(), [&](size_t i) -> absl::Status {
    RETURN_IF_ERROR(keep_going());
    const TagTraits& traits = selected.traits[i];
    ASSIGN_OR_RETURN(const Samples samples,
                     env.archive.ReadAtTimes(selected.ids[i], at, InterpolationFor(traits, interpolation),
                                             request.uncertain_as_bad(), keep_going, as_of));
    const SamplesView view = samples.View();
    size_t its_bytes = view.size * 8;
    if (traits.type == ValueType::kString) {
      for (size_t k = 0; k < view.size; ++k) its_bytes += view.StringAt(k).size();
    }
    if ((bytes += its_bytes) > kAnswerBytesMax) {
      return AnswerTooLarge("the values of these tags at these times");
    }
    RETURN_IF_ERROR(record.Grow(2 * its_bytes));
    ValuesToWire(traits.type, view.values, view.size, view.strings, answers[i]->mutable_values());
    SetQualities(view.qualities, view.size, answers[i]);
    return absl::OkStatus();
  }));
  response->set_version(AnsweredVersion(env.archive.versions(), as_of));
  return absl::OkStatus();
}

// ---- ReadProcessed and Plot: whole tags, gathered into frames.

// `Plan` has a ReadPlan `read`; describe(plan, frame) is called for the first frame, compute(env, plan, TagRead, series) on
// several threads at once.
template <class Frame, class Plan, class Describe, class Compute>
class SeriesSource final : public FrameSource {
 public:
  // A series has about so many bytes.
  SeriesSource(ServiceEnv& env, Plan plan, size_t series_bytes, Describe describe, Compute compute)
      : env_(env),
        plan_(std::move(plan)),
        series_of_frame_(std::max<size_t>(1, kSeriesFrameBytes / (series_bytes + 1))),
        describe_(std::move(describe)),
        compute_(std::move(compute)) {}

  bool IsQuick() const override { return plan_.read.is_quick(); }

  absl::StatusOr<Step> Next(grpc::ByteBuffer* frame) override {
    if (next_ == plan_.read.tags()) return Step::kEnd;
    // In one piece of memory: a series may have thousands of small messages, such as runs of qualities.
    google::protobuf::Arena arena;
    Frame& made = *google::protobuf::Arena::CreateMessage<Frame>(&arena);
    if (next_ == 0) describe_(plan_, &made);
    const size_t count = std::min(series_of_frame_, plan_.read.tags() - next_);
    for (size_t k = 0; k < count; ++k) made.add_series();
    RETURN_IF_ERROR(ForEachInParallel(env_.pool, count, [&](size_t k) -> absl::Status {
      ASSIGN_OR_RETURN(const TagRead read, plan_.read.Take(next_ + k));
      return compute_(env_, plan_, read, made.mutable_series(static_cast<int>(k)));
    }));
    next_ += count;
    made.set_version(plan_.read.version());
    *frame = SerializeMessage(made);
    return next_ == plan_.read.tags() ? Step::kLastFrame : Step::kFrame;
  }

 private:
  ServiceEnv& env_;
  Plan plan_;
  const size_t series_of_frame_;
  Describe describe_;
  Compute compute_;
  size_t next_ = 0;
};

template <class Frame, class Plan, class Describe, class Compute>
std::unique_ptr<FrameSource> MakeSeriesSource(ServiceEnv& env, Plan plan, size_t series_bytes,
                                              Describe describe, Compute compute) {
  return std::make_unique<SeriesSource<Frame, Plan, Describe, Compute>>(
      env, std::move(plan), series_bytes, std::move(describe), std::move(compute));
}

absl::StatusOr<std::unique_ptr<FrameSource>> OpenProcessed(ServiceEnv& env,
                                                           const v1::ReadProcessedRequest& request,
                                                           const KeepGoing& keep_going, CallRecord& record) {
  const TakeMemory take = [&record](uint64_t bytes) { return record.Grow(bytes, "its intervals"); };
  ASSIGN_OR_RETURN(ProcessedPlan plan, PlanProcessed(env, record.tags(), request, keep_going, take));
  const size_t tags = plan.read.tags(), intervals = plan.intervals.size();
  record.Describe([tags, intervals, start = request.start(), end = request.end()] {
    return absl::StrCat(tags, " tags, ", intervals, " intervals, ", DescribeRange(start, end));
  });
  const size_t series_bytes = intervals * plan.aggregates.size() * sizeof(double);
  return MakeSeriesSource<v1::ProcessedFrame>(env, std::move(plan), series_bytes, DescribeProcessed,
                                              ComputeProcessed);
}

absl::StatusOr<std::unique_ptr<FrameSource>> OpenPlot(ServiceEnv& env, const v1::PlotRequest& request,
                                                      const KeepGoing& keep_going, CallRecord& record) {
  ASSIGN_OR_RETURN(PlotPlan plan, PlanPlot(env, record.tags(), request, keep_going));
  record.Describe(
      [tags = plan.read.tags(), columns = request.columns(), start = request.start(), end = request.end()] {
        return absl::StrCat(tags, " tags, ", columns, " columns, ", DescribeRange(start, end));
      });
  const size_t series_bytes = plan.columns.size() * kDrawnOfColumn * (sizeof(Timestamp) + sizeof(double));
  return MakeSeriesSource<v1::PlotFrame>(
      env, std::move(plan), series_bytes, [](const PlotPlan&, v1::PlotFrame*) {}, ComputePlot);
}

// Where a read of figures is planned; where it is done the plan says.
template <class Request>
Run WhereToPlan(const Request& request) {
  return NamesFewTags(request.tags()) && !request.has_as_of() ? Run::kHere : Run::kOnPool;
}

}  // namespace

grpc::ServerWriteReactor<grpc::ByteBuffer>* QueryService::ReadRaw(grpc::CallbackServerContext* context,
                                                                  const grpc::ByteBuffer* bytes) {
  return ServeStream<v1::ReadRawRequest>(
      env_, context, Method::kReadRaw, /*is_query=*/true, bytes,
      [](const v1::ReadRawRequest& r) {
        // A range the wrong way round is refused, which is quick.
        return !r.has_as_of() && (r.start() >= r.end() || Elapsed(r.start(), r.end()) <= kQuickNanos)
                   ? Run::kHere
                   : Run::kOnPool;
      },
      [this](const v1::ReadRawRequest& r, const KeepGoing& keep_going, CallRecord& record) {
        return OpenRaw(env_, r, keep_going, record);
      });
}

grpc::ServerUnaryReactor* QueryService::ReadLatest(grpc::CallbackServerContext* context,
                                                   const grpc::ByteBuffer* request,
                                                   grpc::ByteBuffer* response) {
  return ServeUnary<v1::ReadLatestRequest, v1::ReadLatestResponse>(
      env_, context, Method::kReadLatest, /*is_query=*/true, request, response,
      [](const v1::ReadLatestRequest& r) {
        return r.tags().ids_size() + r.tags().names_size() <= kQuickLatest && r.tags().pattern().empty() &&
                       !r.has_as_of()
                   ? Run::kHere
                   : Run::kOnPool;
      },
      [this](const v1::ReadLatestRequest& r, const KeepGoing& keep_going, CallRecord& record,
             v1::ReadLatestResponse* to) { return ServeLatest(env_, r, keep_going, record, to); });
}

grpc::ServerUnaryReactor* QueryService::ReadAtTimes(grpc::CallbackServerContext* context,
                                                    const grpc::ByteBuffer* request,
                                                    grpc::ByteBuffer* response) {
  return ServeUnary<v1::ReadAtTimesRequest, v1::ReadAtTimesResponse>(
      env_, context, Method::kReadAtTimes, /*is_query=*/true, request, response,
      [](const v1::ReadAtTimesRequest&) { return Run::kOnPool; },
      [this](const v1::ReadAtTimesRequest& r, const KeepGoing& keep_going, CallRecord& record,
             v1::ReadAtTimesResponse* to) { return ServeAtTimes(env_, r, keep_going, record, to); });
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* QueryService::ReadProcessed(grpc::CallbackServerContext* context,
                                                                        const grpc::ByteBuffer* bytes) {
  return ServeStream<v1::ReadProcessedRequest>(
      env_, context, Method::kReadProcessed, /*is_query=*/true, bytes,
      [](const v1::ReadProcessedRequest& r) {
        // A calendar may have a million edges, and its zone may have to be read.
        return r.has_calendar() ? Run::kOnPool : WhereToPlan(r);
      },
      [this](const v1::ReadProcessedRequest& r, const KeepGoing& keep_going, CallRecord& record) {
        return OpenProcessed(env_, r, keep_going, record);
      });
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* QueryService::Plot(grpc::CallbackServerContext* context,
                                                               const grpc::ByteBuffer* bytes) {
  return ServeStream<v1::PlotRequest>(
      env_, context, Method::kPlot, /*is_query=*/true, bytes, WhereToPlan<v1::PlotRequest>,
      [this](const v1::PlotRequest& r, const KeepGoing& keep_going, CallRecord& record) {
        return OpenPlot(env_, r, keep_going, record);
      });
}

}  // namespace historian::server
