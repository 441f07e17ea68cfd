#include "client/reader.h"

#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/wire.h"
#include "google/protobuf/arena.h"
#include "grpcpp/client_context.h"
#include "proto/historian/v1/query.grpc.pb.h"
#include "storage/model/status_macros.h"

namespace historian::client {
namespace {

// "3 tags and those like 'area-1/*'".
std::string ToString(const TagSelection& tags) {
  if (tags.names.empty() && tags.pattern.empty() && tags.ids.size() == 1)
    return absl::StrCat("tag ", tags.ids[0]);
  if (tags.ids.empty() && tags.pattern.empty() && tags.names.size() == 1) {
    return absl::StrCat("tag '", tags.names[0], "'");
  }
  const size_t count = tags.ids.size() + tags.names.size();
  const std::string matches = tags.pattern.empty() ? "" : absl::StrCat("tags like '", tags.pattern, "'");
  if (count == 0 && !matches.empty()) return matches;
  return absl::StrCat(count, " tags", matches.empty() ? "" : " and ", matches);
}

std::string Asked(absl::string_view what, absl::string_view of, Timestamp start, Timestamp end) {
  return absl::StrCat(what, " ", of, " from ", FormatTimestamp(start), " to ", FormatTimestamp(end));
}

void ToWire(const SampleFilter& filter, v1::SampleFilter* wire) {
  wire->set_good(filter.good);
  wire->set_uncertain(filter.uncertain);
  wire->set_bad(filter.bad);
  if (filter.minimum.has_value()) wire->set_minimum(*filter.minimum);
  if (filter.maximum.has_value()) wire->set_maximum(*filter.maximum);
  wire->mutable_states()->Add(filter.states.begin(), filter.states.end());
}

void ToWire(const AggregateConfig& config, v1::AggregateConfig* wire) {
  wire->set_treat_uncertain_as_bad(config.treat_uncertain_as_bad);
  wire->set_percent_data_bad(static_cast<uint32_t>(config.percent_data_bad));
  wire->set_percent_data_good(static_cast<uint32_t>(config.percent_data_good));
  wire->set_use_sloped_extrapolation(config.use_sloped_extrapolation);
  wire->set_resolution_ns(config.resolution_ns);
}

template <typename Request>
void SetTag(const TagKey& tag, Request* request) {
  if (const TagId* id = std::get_if<TagId>(&tag)) {
    request->set_tag_id(*id);
  } else {
    request->set_tag_name(std::get<std::string>(tag));
  }
}

// Reads a whole stream whose frames hold `series`; complete(frame, series) adds what frames say of all of them. The call's
// message names `asked`.
template <typename Series, typename Frame>
absl::StatusOr<std::vector<Series>> CollectSeries(
    grpc::ClientReaderInterface<Frame>& stream, grpc::ClientContext* context, absl::string_view asked,
    absl::FunctionRef<absl::Status(const Frame&, Series*)> complete) {
  std::vector<Series> all;
  absl::Status malformed;
  while (malformed.ok()) {
    // In one piece of memory: a series may have thousands of small messages, such as runs of qualities.
    google::protobuf::Arena arena;
    Frame* const frame = google::protobuf::Arena::CreateMessage<Frame>(&arena);
    if (!stream.Read(frame)) break;
    for (const auto& wire : frame->series()) {
      absl::StatusOr<Series> series = FromWire(wire);
      const absl::Status status = series.ok() ? complete(*frame, &*series) : series.status();
      if (!status.ok()) {
        malformed = Annotate(status, asked);
        context->TryCancel();
        break;
      }
      series->version = frame->version();
      if constexpr (requires { series->unit = frame->unit(); }) series->unit = frame->unit();
      all.push_back(*std::move(series));
    }
  }
  const grpc::Status status = stream.Finish();
  RETURN_IF_ERROR(malformed);
  RETURN_IF_ERROR(FromGrpc(status, asked));
  return all;
}

}  // namespace

struct RawSamples::Stream {
  std::string asked;
  std::unique_ptr<v1::Query::Stub> stub;
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReader<v1::RawFrame>> reader;
  v1::RawFrame frame;
  SampleBatch batch;
  std::string continuation;
  bool ended = false;
  absl::Status status;

  void End(absl::Status why) {
    ended = true;
    if (!why.ok()) context.TryCancel();
    const grpc::Status finished = reader->Finish();
    status = why.ok() ? FromGrpc(finished, asked) : std::move(why);
  }

  ~Stream() {
    if (!ended) End(absl::CancelledError("destroyed before its end"));
  }
};

RawSamples::RawSamples(std::unique_ptr<Stream> stream) : stream_(std::move(stream)) {}
RawSamples::RawSamples(RawSamples&&) noexcept = default;
RawSamples& RawSamples::operator=(RawSamples&&) noexcept = default;
RawSamples::~RawSamples() = default;

const SampleBatch* RawSamples::Next() {
  Stream& s = *stream_;
  while (!s.ended) {
    if (!s.reader->Read(&s.frame)) {
      s.End(absl::OkStatus());
      break;
    }
    if (!s.frame.continuation().empty()) s.continuation = s.frame.continuation();
    if (absl::Status status = FromWire(s.frame.samples(), &s.batch); !status.ok()) {
      s.End(Annotate(status, s.asked));
      break;
    }
    s.batch.version = s.frame.version();
    s.batch.unit = s.frame.unit();
    if (!s.batch.samples.empty()) return &s.batch;
  }
  return nullptr;
}

absl::StatusOr<SampleBatch> RawSamples::Collect() {
  SampleBatch all;
  while (const SampleBatch* batch = Next()) {
    if (!all.samples.empty() && batch->type != all.type) {
      stream_->End(absl::InternalError(
          absl::StrCat(stream_->asked, ": the server's reply is malformed: the type changes within a tag")));
      return stream_->status;
    }
    all.tag_id = batch->tag_id;
    all.type = batch->type;
    all.version = batch->version;
    all.unit = batch->unit;
    all.samples.Append(all.type, batch->samples.View());
  }
  RETURN_IF_ERROR(status());
  return all;
}

const absl::Status& RawSamples::status() const { return stream_->status; }
const std::string& RawSamples::continuation() const { return stream_->continuation; }
void RawSamples::Cancel() { stream_->context.TryCancel(); }

RawSamples Reader::Raw(const TagKey& tag, Timestamp start, Timestamp end, RawOptions options) const {
  v1::ReadRawRequest request;
  request.set_start(start);
  request.set_end(end);
  return Read(Asked("reading", client::ToString(tag), start, end), std::move(request), tag,
              std::move(options));
}

RawSamples Reader::RawByOpcUa(const TagKey& tag, std::optional<Timestamp> start, std::optional<Timestamp> end,
                              RawOptions options) const {
  v1::ReadRawRequest request;
  request.set_opc_ua(true);
  std::string asked = absl::StrCat("reading ", client::ToString(tag));
  if (start.has_value()) {
    request.set_start(*start);
    absl::StrAppend(&asked, " from ", FormatTimestamp(*start));
  }
  if (end.has_value()) {
    request.set_end(*end);
    absl::StrAppend(&asked, " to ", FormatTimestamp(*end));
  }
  return Read(std::move(asked), std::move(request), tag, std::move(options));
}

RawSamples Reader::Read(std::string asked, v1::ReadRawRequest request, const TagKey& tag,
                        RawOptions options) const {
  auto stream = std::make_unique<RawSamples::Stream>();
  stream->asked = std::move(asked);
  SetTag(tag, &request);
  request.set_bounds(options.bounds);
  request.set_reverse(options.reverse);
  request.set_limit(options.limit);
  request.set_continuation(std::move(options.continuation));
  request.set_unit(std::move(options.unit));
  if (options.filter.has_value()) ToWire(*options.filter, request.mutable_filter());
  SetAsOf(as_of_, &request);
  connection_.Prepare(&stream->context, options.deadline);
  stream->stub = v1::Query::NewStub(connection_.channel());
  stream->reader = stream->stub->ReadRaw(&stream->context, request);
  return RawSamples(std::move(stream));
}

absl::StatusOr<Latest> Reader::ReadLatest(const TagSelection& tags, absl::string_view unit) const {
  const std::string asked = absl::StrCat("reading the newest samples of ", ToString(tags));
  v1::ReadLatestRequest request;
  ToWire(tags, request.mutable_tags());
  request.set_unit(std::string(unit));
  SetAsOf(as_of_, &request);
  grpc::ClientContext context;
  connection_.Prepare(&context);
  v1::ReadLatestResponse response;
  RETURN_IF_ERROR(
      FromGrpc(v1::Query::NewStub(connection_.channel())->ReadLatest(&context, request, &response), asked));
  absl::StatusOr<Latest> latest = FromWire(response);
  if (!latest.ok()) return Annotate(latest.status(), asked);
  latest->version = response.version();
  latest->unit = response.unit();
  return latest;
}

absl::StatusOr<std::vector<SampleBatch>> Reader::AtTimes(const TagSelection& tags,
                                                         absl::Span<const Timestamp> times,
                                                         std::optional<Interpolation> interpolation,
                                                         bool uncertain_as_bad,
                                                         absl::string_view unit) const {
  const std::string asked = absl::StrCat("reading ", ToString(tags), " at ", times.size(), " times");
  v1::ReadAtTimesRequest request;
  ToWire(tags, request.mutable_tags());
  request.mutable_times()->Add(times.begin(), times.end());
  request.set_interpolation(ToWire(interpolation));
  request.set_uncertain_as_bad(uncertain_as_bad);
  request.set_unit(std::string(unit));
  SetAsOf(as_of_, &request);
  grpc::ClientContext context;
  connection_.Prepare(&context);
  v1::ReadAtTimesResponse response;
  RETURN_IF_ERROR(
      FromGrpc(v1::Query::NewStub(connection_.channel())->ReadAtTimes(&context, request, &response), asked));
  std::vector<SampleBatch> batches;
  for (const v1::AtTimes& wire : response.tags()) {
    absl::StatusOr<SampleBatch> batch = FromWire(wire, times);
    if (!batch.ok()) return Annotate(batch.status(), asked);
    batch->version = response.version();
    batch->unit = response.unit();
    batches.push_back(*std::move(batch));
  }
  return batches;
}

absl::Status Reader::Joined(const TagSelection& tags, const JoinedRequest& request,
                            absl::FunctionRef<absl::Status(const JoinedRows& rows)> take) const {
  const std::string asked =
      request.times.empty()
          ? Asked("joining", ToString(tags), request.start, request.end)
          : absl::StrCat("joining ", ToString(tags), " at ", request.times.size(), " times");
  if (request.step < absl::ZeroDuration() ||
      request.step != absl::Floor(request.step, absl::Nanoseconds(1))) {
    return absl::InvalidArgumentError(absl::StrCat(asked, ": a step of ", absl::FormatDuration(request.step),
                                                   " is not a whole number of nanoseconds"));
  }
  v1::ReadJoinedRequest wire;
  ToWire(tags, wire.mutable_tags());
  if (!request.times.empty()) {
    wire.mutable_times()->mutable_at()->Add(request.times.begin(), request.times.end());
  } else if (request.step > absl::ZeroDuration()) {
    wire.mutable_grid()->set_start(request.start);
    wire.mutable_grid()->set_end(request.end);
    wire.mutable_grid()->set_step_ns(static_cast<uint64_t>(absl::ToInt64Nanoseconds(request.step)));
  } else {
    wire.mutable_changes()->set_start(request.start);
    wire.mutable_changes()->set_end(request.end);
  }
  wire.set_limit(request.limit);
  wire.set_interpolation(ToWire(request.interpolation));
  wire.set_uncertain_as_bad(request.uncertain_as_bad);
  wire.set_unit(request.unit);
  SetAsOf(as_of_, &wire);
  grpc::ClientContext context;
  connection_.Prepare(&context);
  const auto stub = v1::Query::NewStub(connection_.channel());
  const auto stream = stub->ReadJoined(&context, wire);
  absl::Status ended;
  v1::JoinedFrame frame;
  while (ended.ok() && stream->Read(&frame)) {
    JoinedRows rows{.times = {frame.times().begin(), frame.times().end()},
                    .version = frame.version(),
                    .unit = frame.unit()};
    for (const v1::AtTimes& tag : frame.tags()) {
      absl::StatusOr<SampleBatch> batch = FromWire(tag, rows.times);
      if (!batch.ok()) {
        ended = Annotate(batch.status(), asked);
        break;
      }
      batch->version = rows.version;
      batch->unit = rows.unit;
      rows.tags.push_back(*std::move(batch));
    }
    if (ended.ok()) ended = take(rows);
  }
  if (!ended.ok()) context.TryCancel();
  const grpc::Status status = stream->Finish();
  RETURN_IF_ERROR(ended);
  return FromGrpc(status, asked);
}

absl::StatusOr<std::vector<ProcessedSeries>> Reader::Processed(const TagSelection& tags,
                                                               const ProcessedRequest& request) const {
  const std::string asked = Asked("aggregating", ToString(tags), request.start, request.end);
  if (request.interval < absl::ZeroDuration() ||
      request.interval != absl::Floor(request.interval, absl::Nanoseconds(1))) {
    return absl::InvalidArgumentError(absl::StrCat(asked, ": an interval of ",
                                                   absl::FormatDuration(request.interval),
                                                   " is not a whole number of nanoseconds"));
  }
  v1::ReadProcessedRequest wire;
  ToWire(tags, wire.mutable_tags());
  wire.set_start(request.start);
  wire.set_end(request.end);
  wire.set_interval_ns(static_cast<uint64_t>(absl::ToInt64Nanoseconds(request.interval)));
  wire.set_intervals_max(request.intervals_max);
  for (const Aggregate aggregate : request.aggregates)
    wire.add_aggregates(static_cast<v1::Aggregate>(aggregate));
  wire.set_interpolation(ToWire(request.interpolation));
  RETURN_IF_ERROR(Annotate(ValidateConfig(request.config), asked));
  ToWire(request.config, wire.mutable_config());
  if (request.calendar.has_value()) *wire.mutable_calendar() = *request.calendar;
  wire.set_window(request.window);
  wire.set_unit(request.unit);
  wire.set_total_time(request.total_time);
  SetAsOf(as_of_, &wire);
  grpc::ClientContext context;
  connection_.Prepare(&context);
  const auto stub = v1::Query::NewStub(connection_.channel());
  const auto stream = stub->ReadProcessed(&context, wire);
  const bool is_listed = request.calendar.has_value() || request.window > 1;
  std::shared_ptr<const ProcessedIntervals> intervals;  // Of the first frame.
  return CollectSeries<ProcessedSeries, v1::ProcessedFrame>(
      *stream, &context, asked,
      [&](const v1::ProcessedFrame& frame, ProcessedSeries* series) -> absl::Status {
        if (!is_listed) {
          const size_t size = series->columns.empty() ? 0 : series->columns[0].size();
          series->end = request.intervals_max == 0 ? request.end : series->BeginOf(size);
          return absl::OkStatus();
        }
        if (frame.has_intervals()) {
          ASSIGN_OR_RETURN(ProcessedIntervals found, FromWire(frame.intervals()));
          intervals = std::make_shared<const ProcessedIntervals>(std::move(found));
        }
        return SetIntervals(intervals, series);
      });
}

absl::StatusOr<std::vector<PlotSeries>> Reader::Plot(const TagSelection& tags, Timestamp start, Timestamp end,
                                                     uint32_t columns, absl::string_view unit) const {
  v1::PlotRequest request;
  ToWire(tags, request.mutable_tags());
  request.set_start(start);
  request.set_end(end);
  request.set_columns(columns);
  request.set_unit(std::string(unit));
  SetAsOf(as_of_, &request);
  grpc::ClientContext context;
  connection_.Prepare(&context);
  const auto stub = v1::Query::NewStub(connection_.channel());
  const auto stream = stub->Plot(&context, request);
  return CollectSeries<PlotSeries, v1::PlotFrame>(
      *stream, &context, Asked("plotting", ToString(tags), start, end),
      [](const v1::PlotFrame&, PlotSeries*) { return absl::OkStatus(); });
}

absl::StatusOr<v1::ExplainResponse> Reader::Explain(const TagKey& tag, const ExplainRequest& request) const {
  const std::string asked = Asked("explaining", client::ToString(tag), request.start, request.end);
  RETURN_IF_ERROR(Annotate(ValidateConfig(request.config), asked));
  v1::ExplainRequest wire;
  SetTag(tag, &wire);
  wire.set_start(request.start);
  wire.set_end(request.end);
  wire.set_aggregate(static_cast<v1::Aggregate>(request.aggregate));
  wire.set_interpolation(ToWire(request.interpolation));
  ToWire(request.config, wire.mutable_config());
  wire.set_samples_max(request.samples_max);
  SetAsOf(as_of_, &wire);
  grpc::ClientContext context;
  connection_.Prepare(&context);
  v1::ExplainResponse response;
  RETURN_IF_ERROR(
      FromGrpc(v1::Query::NewStub(connection_.channel())->Explain(&context, wire, &response), asked));
  return response;
}

}  // namespace historian::client
