#include "server/processed.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "server/call.h"
#include "server/parallel.h"
#include "server/trend_interval.h"
#include "server/wire.h"
#include "storage/aggregate/aggregates.h"
#include "storage/model/aggregate.h"

namespace historian::server {
namespace {

constexpr int kAggregatesMax = 16;

}  // namespace

absl::StatusOr<std::optional<Interpolation>> AskedInterpolation(int interpolation) {
  if (interpolation == v1::INTERPOLATION_UNSPECIFIED) return std::nullopt;
  ASSIGN_OR_RETURN(const Interpolation asked, InterpolationFromWire(interpolation));
  return asked;
}

Interpolation InterpolationFor(const TagTraits& tag, std::optional<Interpolation> asked) {
  if (!IsFloat(tag.type) && tag.type != ValueType::kInt64) return Interpolation::kStepped;
  return asked.value_or(tag.interpolation);
}

absl::Status CheckRange(Timestamp start, Timestamp end) {
  for (const auto& [what, time] : {std::pair("start", start), std::pair("end", end)}) {
    if (time < kTimestampMin || time > kTimestampMax + 1) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, " ", FormatTimestamp(time),
                       " is outside the times samples may have, 1900-01-01 to 2200-01-01"));
    }
  }
  if (start >= end) {
    return absl::InvalidArgumentError(
        absl::StrCat("start ", FormatTimestamp(start), " is not before end ", FormatTimestamp(end)));
  }
  return absl::OkStatus();
}

absl::StatusOr<ProcessedPlan> PlanProcessed(const v1::ReadProcessedRequest& request, size_t tags,
                                            const LimitsConfig& limits) {
  RETURN_IF_ERROR(CheckRange(request.start(), request.end()));
  if (request.aggregates_size() < 1 || request.aggregates_size() > kAggregatesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(request.aggregates_size(), " aggregates: 1 to ", kAggregatesMax, " can be asked for"));
  }
  ProcessedPlan plan;
  for (const int aggregate : request.aggregates()) {
    ASSIGN_OR_RETURN(const Aggregate known, AggregateFromWire(aggregate));
    plan.aggregates.push_back(known);
  }
  ASSIGN_OR_RETURN(plan.interpolation, AskedInterpolation(request.interpolation()));

  Timestamp start = request.start(), end = request.end();
  if (request.interval_ns() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return absl::InvalidArgumentError(
        absl::StrCat("interval_ns ", request.interval_ns(),
                     " is above 2^63 - 1 (a negative number?); 0 is one interval over all"));
  }
  if (request.intervals_max() > 0) {
    if (request.interval_ns() > 0) {
      return absl::InvalidArgumentError("interval_ns and intervals_max: only one of them can be given");
    }
    if (request.intervals_max() == 1) {
      return absl::InvalidArgumentError(
          "intervals_max is 1: at least 2; for one interval over all give neither");
    }
    plan.interval_ns = TrendInterval(start, end, request.intervals_max());
    if (!WidenToMultiples(plan.interval_ns, &start, &end)) {
      return absl::InvalidArgumentError(absl::StrCat(
          FormatTimestamp(start), " to ", FormatTimestamp(end), ", widened to whole intervals of ",
          plan.interval_ns / 1'000'000'000,
          " s, leaves the times samples may have, 1900-01-01 to 2200-01-01: ask for a shorter range, or "
          "more intervals"));
    }
  } else {
    plan.interval_ns = request.interval_ns() == 0 ? Elapsed(start, end) : request.interval_ns();
  }
  const uint64_t span = Elapsed(start, end), interval = plan.interval_ns;
  const uint64_t whole = span / interval;
  plan.last_is_cut = span % interval != 0;
  const uint64_t intervals = whole + (plan.last_is_cut ? 1 : 0);
  RETURN_IF_ERROR(CheckLimit(intervals, limits.intervals, "intervals", "limits.intervals"));
  // Neither factor can carry this beyond 64 bits: intervals and tags are within their limits of at most 10^8.
  RETURN_IF_ERROR(CheckLimit(intervals * plan.aggregates.size() * tags, limits.query_values,
                             absl::StrCat("values (", tags, " tags x ", intervals, " intervals x ",
                                          plan.aggregates.size(), " aggregates)"),
                             "limits.query_values"));
  RETURN_IF_ERROR(CheckLimit(intervals * plan.aggregates.size(), kSeriesValuesMax,
                             "values of a tag (intervals x aggregates)", "fixed"));
  plan.edges.reserve(intervals + 1);
  for (uint64_t i = 0; i <= whole; ++i) {
    plan.edges.push_back(static_cast<Timestamp>(static_cast<uint64_t>(start) + i * interval));
  }
  if (plan.last_is_cut) plan.edges.push_back(end);
  return plan;
}

absl::Status CheckAggregates(const ProcessedPlan& plan, const TagRegistry& tags,
                             const SelectedTags& selected) {
  for (const Aggregate aggregate : plan.aggregates) {
    if (InfoOf(aggregate).for_strings) continue;
    for (size_t i = 0; i < selected.ids.size(); ++i) {
      if (selected.traits[i].type == ValueType::kString) {
        return absl::InvalidArgumentError(absl::StrCat(TagLabel(tags, selected.ids[i]),
                                                       " is of type string and has no ",
                                                       v1::Aggregate_Name(AggregateToWire(aggregate))));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status FiguresInParallel(ServiceEnv& env, TagId tag, absl::Span<const Timestamp> edges,
                               Interpolation interpolation, const FigureMaker& maker, FigureTable to,
                               const KeepGoing& keep_going) {
  // So long that reading it is worth a thread.
  constexpr uint64_t kLongNs = uint64_t{28} * 86'400 * kNanosPerSecond;
  const size_t size = edges.size() - 1, width = ParallelWidth();
  const bool is_long = Elapsed(edges.front(), edges.back()) >= kLongNs &&
                       !env.archive.HasFigures(tag, edges, interpolation, maker);
  const size_t piece = is_long ? (size + width - 1) / width : size;
  return ForEachInParallel(env.pool, (size + piece - 1) / piece, [&](size_t k) {
    const size_t first = k * piece;
    std::vector<FigureColumn> rows;
    for (const FigureColumn& column : to) rows.push_back(column.From(first));
    return env.archive.Figures(tag, edges.subspan(first, piece + 1), interpolation, maker, rows, keep_going);
  });
}

namespace {

FigureMaker MakerFor(const ProcessedPlan& plan, ValueType type) {
  return MakerOf(plan.aggregates, type, AggregateConfig());
}

}  // namespace

bool IsProcessedKept(ServiceEnv& env, const v1::ReadProcessedRequest& request) {
  const absl::StatusOr<SelectedTags> selected =
      SelectTags(env.archive.tags(), request.tags(), env.config.limits.query_tags);
  if (!selected.ok()) return false;
  const absl::StatusOr<ProcessedPlan> plan = PlanProcessed(request, selected->ids.size(), env.config.limits);
  if (!plan.ok()) return false;
  for (size_t i = 0; i < selected->ids.size(); ++i) {
    const TagTraits& traits = selected->traits[i];
    if (!env.archive.HasFigures(selected->ids[i], plan->edges, InterpolationFor(traits, plan->interpolation),
                                MakerFor(*plan, traits.type))) {
      return false;
    }
  }
  return true;
}

absl::Status ComputeProcessed(ServiceEnv& env, const ProcessedPlan& plan, TagId tag, const TagTraits& traits,
                              const KeepGoing& keep_going, v1::ProcessedSeries* series) {
  const size_t size = plan.edges.size() - 1;
  series->set_tag_id(tag);
  series->set_start(plan.edges.front());
  series->set_interval_ns(plan.interval_ns);
  std::vector<FigureColumn> columns;
  std::vector<Quality> statuses(size * plan.aggregates.size());
  for (const Aggregate aggregate : plan.aggregates) {
    v1::ProcessedColumn* column = series->add_columns();
    column->set_aggregate(AggregateToWire(aggregate));
    Quality* const its_statuses = statuses.data() + columns.size() * size;
    if (HasIntegers(aggregate, traits.type)) {
      auto* values = column->mutable_integers()->mutable_values();
      values->Resize(static_cast<int>(size), 0);
      columns.push_back({values->mutable_data(), its_statuses});
    } else {
      auto* values = column->mutable_floats()->mutable_values();
      values->Resize(static_cast<int>(size), 0);
      columns.push_back({values->mutable_data(), its_statuses});
    }
  }
  RETURN_IF_ERROR(FiguresInParallel(env, tag, plan.edges, InterpolationFor(traits, plan.interpolation),
                                    MakerFor(plan, traits.type), columns, keep_going));
  for (size_t k = 0; k < columns.size(); ++k) {
    if (plan.last_is_cut) columns[k].statuses[size - 1] |= kInfoPartial;
    v1::ProcessedColumn* const column = series->mutable_columns(static_cast<int>(k));
    QualitiesToWire(columns[k].statuses, size, column->mutable_status(), kGood | kInfoCalculated);
  }
  return absl::OkStatus();
}

}  // namespace historian::server
