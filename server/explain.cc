#include "server/explain.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/answer_unit.h"
#include "server/processed.h"
#include "server/read_plan.h"
#include "server/selection.h"
#include "server/wire.h"
#include "storage/aggregate/direct_aggregates.h"
#include "storage/aggregate/explanation.h"
#include "storage/aggregate/semantics.h"
#include "storage/format/key.h"
#include "storage/model/aggregate.h"
#include "storage/model/quality.h"
#include "storage/model/status_macros.h"

namespace historian::server {
namespace {

constexpr size_t kTextBytesMax = 1000;

// A value as answers have it: an integer or a double, whatever the tag's type; none if its status is Bad.
struct Answered {
  std::optional<ValueBits> bits;
  Quality status = kBadNoData;
  Timestamp time = 0;

  friend bool operator==(const Answered&, const Answered&) = default;
};

void ValueToWire(const Answered& value, bool is_integer, v1::ExplainedValue* to) {
  if (value.bits.has_value() && is_integer) to->set_integer(Int64OfBits(*value.bits));
  if (value.bits.has_value() && !is_integer) to->set_number(ToDouble(ValueType::kFloat64, *value.bits));
  to->set_status(value.status);
  to->set_status_name(QualityName(value.status));
  to->set_time(value.time);
}

Answered AnsweredOf(const StandardValue& value, Aggregate aggregate, ValueType type) {
  Answered answered{.status = value.status, .time = value.time};
  if (!value.value.has_value() || IsBad(value.status)) return answered;
  answered.bits = HasIntegers(aggregate, type)
                      ? *value.value
                      : BitsOfFloat64(ToDouble(ResultTypeOf(aggregate, type), *value.value));
  return answered;
}

// A part of a tag's range, as ReadProcessed answers it.
absl::StatusOr<Answered> ReadValue(ServiceEnv& env, const ProcessedPlan& plan, const TagRead& read,
                                   double* good_share = nullptr) {
  ValueBits value = 0, time = 0;
  double share = 0;
  Quality statuses[3];
  const bool own_time = InfoOf(plan.aggregates[0]).has_own_time;
  std::vector<FigureColumn> columns = {{&value, &statuses[0]}};
  if (own_time) columns.push_back({&time, &statuses[1]});
  columns.push_back({&share, &statuses[2]});
  RETURN_IF_ERROR(FiguresInParallel(env.pool, read, plan.intervals.edges, columns));
  if (good_share != nullptr) *good_share = share;
  Answered answered{.status = statuses[0], .time = own_time ? Int64OfBits(time) : plan.intervals.edges[0]};
  if (!IsBad(answered.status)) answered.bits = value;
  return answered;
}

std::string Shortened(absl::string_view text) {
  if (text.size() <= kTextBytesMax) return std::string(text);
  size_t end = kTextBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return std::string(text.substr(0, end));
}

v1::ReadProcessedRequest AsProcessed(const v1::ExplainRequest& from, TagId tag) {
  v1::ReadProcessedRequest request;
  request.mutable_tags()->add_ids(tag);
  request.set_start(from.start());
  request.set_end(from.end());
  request.add_aggregates(from.aggregate());
  request.set_interpolation(from.interpolation());
  *request.mutable_config() = from.config();
  if (from.has_as_of()) *request.mutable_as_of() = from.as_of();
  return request;
}

void ConfigToWire(const AggregateConfig& config, v1::AggregateConfig* to) {
  to->set_treat_uncertain_as_bad(config.treat_uncertain_as_bad);
  to->set_percent_data_bad(static_cast<uint32_t>(config.percent_data_bad));
  to->set_percent_data_good(static_cast<uint32_t>(config.percent_data_good));
  to->set_use_sloped_extrapolation(config.use_sloped_extrapolation);
  to->set_resolution_ns(config.resolution_ns);
}

void SourcesToWire(const Evidence& evidence, v1::ExplainResponse* to) {
  for (const EvidencePartition& from : evidence.partitions) {
    v1::ExplainedPartition& in = *to->add_partitions();
    in.set_partition(from.partition);
    in.set_start(format::PartitionStart(from.partition));
    in.set_end(format::PartitionEnd(from.partition));
    in.set_raw_expired(from.raw_has_expired);
    in.set_all_expired(from.all_has_expired);
    in.set_tail(from.has_tail);
    in.set_rollup_slot_ns(from.finest_slot_ns);
    in.set_rollup_version(from.rollup_version);
  }
  to->set_partitions_left_off(evidence.partitions_left_off);
  for (const EvidenceBlock& from : evidence.blocks) {
    v1::ExplainedBlock& block = *to->add_blocks();
    block.set_first_time(from.first_time);
    block.set_seal(from.id.seal);
    block.set_last_time(from.last_time);
    block.set_samples(from.samples);
    block.set_pages(from.pages);
    block.set_bytes(from.bytes);
    block.set_first_page(from.first_page_read);
    block.set_pages_in_interval(from.pages_read);
    block.set_lowest_version(from.lowest_version);
    block.set_highest_version(from.highest_version);
  }
  to->set_blocks_left_off(evidence.blocks_left_off);
}

void SampleToWire(ValueType type, const DirectSamples& samples, const SamplesView& all, size_t offset,
                  const Explanation::Member& member, v1::ExplainedSample* to) {
  const Quality quality = samples.QualityAt(member.index);
  const size_t i = member.index + offset;
  to->set_time(samples.TimeAt(member.index));
  if (type == ValueType::kString) {
    to->set_text(Shortened(all.StringAt(i)));
  } else if (IsFloat(type)) {
    to->set_number(ToDouble(type, all.values[i]));
  } else {
    to->set_integer(Int64OfBits(all.values[i]));
  }
  to->set_quality(quality);
  to->set_quality_name(QualityName(quality));
  to->set_role(member.role);
}

void ExplanationToWire(ValueType type, const Explanation& from, const DirectSamples& samples,
                       const SamplesView& all, v1::ExplainResponse* to) {
  to->set_figures(from.figures);
  to->set_shares(from.shares);
  for (const Explanation::Bound& bound : from.bounds) {
    v1::ExplainedBound& wire = *to->add_bounds();
    const bool has_number = bound.point.has_value && type != ValueType::kString;
    const bool is_integer = !IsFloat(type);
    Answered value{.status = bound.point.quality, .time = bound.point.time};
    if (has_number) {
      value.bits = is_integer ? bound.point.bits : BitsOfFloat64(ToDouble(type, bound.point.bits));
    }
    ValueToWire(value, is_integer, wire.mutable_value());
    wire.set_how(bound.how);
  }
  to->set_samples_count(from.members);
  // The samples that are seen begin where data do.
  const size_t offset = std::lower_bound(all.times, all.times + all.size, samples.extent().start) - all.times;
  for (const Explanation::Member& member : from.listed) {
    SampleToWire(type, samples, all, offset, member, to->add_samples());
  }
  to->set_good_ns(from.good_ns);
  to->set_uncertain_ns(from.uncertain_ns);
  to->set_bad_ns(from.bad_ns);
  to->set_no_data_ns(from.no_data_ns);
  to->set_usual_distance_ns(from.usual_ns);
  to->set_gaps_count(from.gaps);
  for (const Explanation::Gap& gap : from.listed_gaps) {
    v1::ExplainedGap& wire = *to->add_gaps();
    wire.set_from(gap.from);
    wire.set_to(gap.to);
  }
}

// What differs in the interval between then and now.
void CountChanges(ValueType type, const v1::ExplainRequest& request, const SamplesView& then,
                  const SamplesView& now, v1::ExplainResponse::Since* to) {
  size_t k = std::lower_bound(then.times, then.times + then.size, request.start()) - then.times;
  uint64_t added = 0, replaced = 0;
  for (size_t i = 0; i < now.size; ++i) {
    const Timestamp time = now.times[i];
    if (time < request.start() || time >= request.end()) continue;
    while (k < then.size && then.times[k] < time) ++k;
    if (k == then.size || then.times[k] != time) {
      ++added;
    } else if (!SameSample(type, then, k, now, i)) {
      ++replaced;
    }
  }
  to->set_added(added);
  to->set_replaced(replaced);
}

std::string WhyLeftOut(const Evidence& evidence, uint64_t members_max, bool out_of_memory) {
  if (evidence.raw_has_expired) {
    return "raw samples of the interval, or of a part of it, have expired: what is left of them is in "
           "rollups";
  }
  if (out_of_memory) {
    return "the samples of the interval take more memory than calls may have (limits.memory_budget): ask for "
           "a "
           "shorter one";
  }
  return absl::StrCat("the interval has more than ", members_max,
                      " samples, which is the limit of what is looked at one by one: ask for a shorter one");
}

}  // namespace

absl::Status ServeExplain(ServiceEnv& env, const v1::ExplainRequest& request, const KeepGoing& keep_going,
                          CallRecord& record, v1::ExplainResponse* response) {
  if (request.samples_max() > kExplainListedMax) {
    return absl::InvalidArgumentError(absl::StrCat("samples_max is ", request.samples_max(), ": at most ",
                                                   kExplainListedMax, " samples are listed"));
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<const Tag> tag, FindTagOf(record.tags(), Right::kRead, request));
  record.Describe([tag, start = request.start(), end = request.end()] {
    return absl::StrCat("tag ", tag->id, " '", tag->name, "' ", FormatTimestamp(start), " to ",
                        FormatTimestamp(end));
  });
  v1::ReadProcessedRequest processed = AsProcessed(request, tag->id);
  ASSIGN_OR_RETURN(ProcessedPlan plan, PlanProcessed(env, record.tags(), processed, keep_going));
  ASSIGN_OR_RETURN(const Version as_of, AsOfOf(env.archive.versions(), request));
  ASSIGN_OR_RETURN(AnswerUnits units, AnswerUnits::Make(env.archive.tags(), as_of, ""));
  ASSIGN_OR_RETURN(const std::shared_ptr<const Tag> then, units.Then(tag->id));
  ASSIGN_OR_RETURN(const TagRead read, plan.read.Take(0));
  const Aggregate aggregate = plan.aggregates[0];
  const AggregateInfo& info = InfoOf(aggregate);
  const ValueType type = read.traits.type;
  const bool is_integer = HasIntegers(aggregate, type);

  response->set_tag_id(tag->id);
  response->set_tag_name(tag->name);
  response->set_unit(then->unit);
  response->set_start(request.start());
  response->set_end(request.end());
  response->set_aggregate(request.aggregate());
  response->set_aggregate_name(std::string(info.standard_name));
  for (const AggregateText& text : AggregateTexts()) {
    if (text.id != aggregate) continue;
    response->set_formula(std::string(text.formula));
    response->set_status_rule(std::string(text.status));
  }
  response->set_bounds_kind(info.bounds == AggregateBounds::kSimple         ? "simple"
                            : info.bounds == AggregateBounds::kInterpolated ? "interpolated"
                                                                            : "none");
  AggregateConfig config = plan.config;
  config.stepped = read.fold.config.interpolation == Interpolation::kStepped;
  ConfigToWire(config, response->mutable_config());
  response->set_interpolation(InterpolationToWire(read.fold.config.interpolation));
  response->set_interpolation_from(!CanSlope(type)                ? "its type is always stepped"
                                   : request.interpolation() != 0 ? "the request's"
                                                                  : "the tag's");

  double good_share = 0;
  ASSIGN_OR_RETURN(const Answered value, ReadValue(env, plan, read, &good_share));
  response->set_good_share(good_share);
  ASSIGN_OR_RETURN(const std::optional<Timestamp> newest, read.reader->NewestTime());
  response->set_complete(newest.has_value() && request.end() <= std::min(*newest, env.clock.Now()));
  ValueToWire(value, is_integer, response->mutable_value());

  bool out_of_memory = false;
  EvidenceRequest wanted{.start = request.start(),
                         .end = request.end(),
                         .config = read.fold.config,
                         .members_max = std::min(env.config.limits.query_values, kExplainSamplesMax)};
  wanted.take = [&](uint64_t samples, uint64_t text_bytes) {
    out_of_memory =
        !record.Grow(samples * kExplainSampleBytes + 2 * text_bytes, "the samples of the interval").ok();
    return !out_of_memory;
  };
  ASSIGN_OR_RETURN(const Evidence evidence, read.reader->Gather(wanted));
  SourcesToWire(evidence, response);
  response->set_version(plan.read.version());
  if (!evidence.has_members) {
    response->set_samples_left_out(WhyLeftOut(evidence, wanted.members_max, out_of_memory));
    return absl::OkStatus();
  }
  const SamplesView all = evidence.samples.View();
  const DirectSamples samples(type, all, ExtentOf(all, config.resolution_ns), config);
  const uint32_t listed = request.samples_max() == 0 ? kExplainListedDefault : request.samples_max();
  RETURN_IF_ERROR(keep_going());
  const Explanation explanation = Explain(aggregate, samples, request.start(), request.end(), listed);
  RETURN_IF_ERROR(keep_going());
  const Answered by_definition = AnsweredOf(explanation.value, aggregate, type);
  response->set_agrees(value == by_definition);
  if (!response->agrees()) ValueToWire(by_definition, is_integer, response->mutable_by_definition());
  ExplanationToWire(type, explanation, samples, all, response);
  if (as_of == kVersionNow) return absl::OkStatus();

  processed.clear_as_of();
  ASSIGN_OR_RETURN(ProcessedPlan now_plan, PlanProcessed(env, record.tags(), processed, keep_going));
  ASSIGN_OR_RETURN(const TagRead now, now_plan.read.Take(0));
  ASSIGN_OR_RETURN(const Evidence evidence_now, now.reader->Gather(wanted));
  if (!evidence_now.has_members) return absl::OkStatus();
  ASSIGN_OR_RETURN(const Answered value_now, ReadValue(env, now_plan, now));
  CountChanges(type, request, all, evidence_now.samples.View(), response->mutable_since());
  ValueToWire(value_now, is_integer, response->mutable_since()->mutable_value());
  return absl::OkStatus();
}

}  // namespace historian::server
