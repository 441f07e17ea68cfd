#include "server/query_service.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/arena.h"
#include "server/answer_unit.h"
#include "server/call.h"
#include "server/explain.h"
#include "server/joined_read.h"
#include "server/parallel.h"
#include "server/plot.h"
#include "server/processed.h"
#include "server/raw_read.h"
#include "server/read_plan.h"
#include "server/selection.h"
#include "server/wire.h"

namespace historian::server {
namespace {

// Frames of series, which all processors make together, end when they have reached so much: large enough to be cheap, small
// enough to be on their way soon.
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

// ---- ReadLatest

// When the version closed.
absl::StatusOr<Timestamp> WhenClosed(const VersionTable& versions, Version version) {
  ASSIGN_OR_RETURN(const std::vector<ClosedVersion> closed,
                   versions.List(kTimestampMin, kTimestampMax, version + 1, 1));
  if (closed.empty() || closed[0].version != version) {
    return absl::DataLossError(absl::StrCat("the record of version ", version, " is lost"));
  }
  return closed[0].time;
}

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
  ASSIGN_OR_RETURN(AnswerUnits units, AnswerUnits::Make(env.archive.tags(), as_of, request.unit()));
  Timestamp now = 0;
  if (as_of != kVersionNow) {
    ASSIGN_OR_RETURN(now, WhenClosed(env.archive.versions(), as_of));
  }
  std::array<Group, 7> groups;  // By value type.
  size_t string_bytes = 0;
  RETURN_IF_ERROR(record.Grow(selected.ids.size() * kLatestBytes));
  for (size_t begin = 0; begin < selected.ids.size(); begin += kLatestAtOnce) {
    if (begin > 0) RETURN_IF_ERROR(keep_going());
    const size_t count = std::min(kLatestAtOnce, selected.ids.size() - begin);
    ASSIGN_OR_RETURN(
        const std::vector<std::optional<LatestSample>> latest,
        env.archive.ReadLatest(absl::MakeConstSpan(selected.ids).subspan(begin, count), as_of, keep_going));
    if (as_of == kVersionNow) now = env.clock.Now();
    for (size_t i = 0; i < count; ++i) {
      const TagId tag = selected.ids[begin + i];
      ASSIGN_OR_RETURN(const AnswerUnit unit, units.For(tag, selected.traits[begin + i].type));
      if (!latest[i].has_value()) {
        response->add_empty(tag);
        continue;
      }
      uint64_t stale_after_s = selected.traits[begin + i].stale_after_s;
      if (as_of != kVersionNow) {
        ASSIGN_OR_RETURN(const std::shared_ptr<const Tag> then, units.Then(tag));
        stale_after_s = absl::ToInt64Seconds(then->stale_after);
      }
      const Timestamp time = latest[i]->sample.time;
      if (stale_after_s > 0 && time < now && Elapsed(time, now) > stale_after_s * kNanosPerSecond) {
        response->add_stale(tag);
      }
      const ValueType type = unit.type();
      Group& group = groups[static_cast<int>(type)];
      group.tags.push_back(tag);
      const Sample& sample = latest[i]->sample;
      if (type == ValueType::kString) {
        group.samples.AddString(sample.time, latest[i]->text, sample.quality);
        string_bytes += latest[i]->text.size();
        if (string_bytes > kAnswerBytesMax) return AnswerTooLarge("the newest samples of these tags");
        RETURN_IF_ERROR(record.Grow(2 * latest[i]->text.size()));
      } else {
        group.samples.Add(sample.time, unit.Of(sample.value), sample.quality);
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
  response->set_unit(request.unit());
  response->set_now(now);
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
  ASSIGN_OR_RETURN(AnswerUnits units, AnswerUnits::Make(env.archive.tags(), as_of, request.unit()));
  std::vector<v1::AtTimes*> answers;
  std::vector<AnswerUnit> its_unit;
  for (size_t i = 0; i < selected.ids.size(); ++i) {
    if (i % kLatestAtOnce == 0) RETURN_IF_ERROR(keep_going());
    answers.push_back(response->add_tags());
    answers.back()->set_tag_id(selected.ids[i]);
    ASSIGN_OR_RETURN(its_unit.emplace_back(selected.traits[i].type),
                     units.For(selected.ids[i], selected.traits[i].type));
  }
  RETURN_IF_ERROR(ForEachInParallel(env.pool, selected.ids.size(), [&](size_t i) -> absl::Status {
    RETURN_IF_ERROR(keep_going());
    const TagTraits& traits = selected.traits[i];
    ASSIGN_OR_RETURN(Samples samples,
                     env.archive.ReadAtTimes(selected.ids[i], at, InterpolationFor(traits, interpolation),
                                             request.uncertain_as_bad(), keep_going, as_of));
    its_unit[i].Convert(&samples);
    const SamplesView view = samples.View();
    size_t its_bytes = view.size * 8;
    if (traits.type == ValueType::kString) {
      for (size_t k = 0; k < view.size; ++k) its_bytes += view.StringAt(k).size();
    }
    if ((bytes += its_bytes) > kAnswerBytesMax) {
      return AnswerTooLarge("the values of these tags at these times");
    }
    RETURN_IF_ERROR(record.Grow(2 * its_bytes));
    ValuesToWire(its_unit[i].type(), view.values, view.size, view.strings, answers[i]->mutable_values());
    SetQualities(view.qualities, view.size, answers[i]);
    return absl::OkStatus();
  }));
  response->set_version(AnsweredVersion(env.archive.versions(), as_of));
  response->set_unit(request.unit());
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
    if constexpr (requires { made.set_unit(plan_.unit); }) made.set_unit(plan_.unit);
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
      env_, context, Method::kReadRaw, /*is_query=*/true, bytes, WhereToReadRaw,
      [this](const v1::ReadRawRequest& r, const KeepGoing& keep_going, CallRecord& record) {
        return OpenRawRead(env_, r, keep_going, record);
      });
}

grpc::ServerUnaryReactor* QueryService::ReadLatest(grpc::CallbackServerContext* context,
                                                   const grpc::ByteBuffer* request,
                                                   grpc::ByteBuffer* response) {
  return ServeUnary<v1::ReadLatestRequest, v1::ReadLatestResponse>(
      env_, context, Method::kReadLatest, /*is_query=*/true, request, response,
      [](const v1::ReadLatestRequest& r) {
        return r.tags().ids_size() + r.tags().names_size() <= kQuickLatest && r.tags().pattern().empty() &&
                       !r.has_as_of() && r.unit().empty()
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

grpc::ServerWriteReactor<grpc::ByteBuffer>* QueryService::ReadJoined(grpc::CallbackServerContext* context,
                                                                     const grpc::ByteBuffer* bytes) {
  return ServeStream<v1::ReadJoinedRequest>(
      env_, context, Method::kReadJoined, /*is_query=*/true, bytes,
      [](const v1::ReadJoinedRequest&) { return Run::kOnPool; },
      [this](const v1::ReadJoinedRequest& r, const KeepGoing& keep_going, CallRecord& record) {
        return OpenJoinedRead(env_, r, keep_going, record);
      });
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

grpc::ServerUnaryReactor* QueryService::Explain(grpc::CallbackServerContext* context,
                                                const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::ExplainRequest, v1::ExplainResponse>(
      env_, context, Method::kExplain, /*is_query=*/true, request, response,
      [](const v1::ExplainRequest&) { return Run::kOnPool; },
      [this](const v1::ExplainRequest& r, const KeepGoing& keep_going, CallRecord& record,
             v1::ExplainResponse* to) { return ServeExplain(env_, r, keep_going, record, to); });
}

}  // namespace historian::server
