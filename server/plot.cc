#include "server/plot.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/call.h"
#include "server/processed.h"
#include "server/wire.h"

namespace historian::server {
namespace {

// Three megabytes of tallies.
constexpr size_t kColumnsAtOnce = 16'384;

}  // namespace

absl::StatusOr<PlotPlan> PlanPlot(const v1::PlotRequest& request, const LimitsConfig& limits) {
  RETURN_IF_ERROR(CheckRange(request.start(), request.end()));
  if (request.columns() == 0) return absl::InvalidArgumentError("columns is 0: a picture has at least one");
  RETURN_IF_ERROR(CheckLimit(request.columns(), limits.plot_columns, "columns", "limits.plot_columns"));
  PlotPlan plan{.start = request.start(), .end = request.end()};
  const uint64_t span = Elapsed(request.start(), request.end());
  plan.edges.reserve(request.columns() + 1);
  plan.columns.reserve(request.columns());
  plan.edges.push_back(request.start());
  for (uint32_t k = 0; k < request.columns(); ++k) {
    const uint64_t ahead =
        static_cast<uint64_t>(static_cast<unsigned __int128>(span) * (k + uint64_t{1}) / request.columns());
    const Timestamp edge = static_cast<Timestamp>(static_cast<uint64_t>(request.start()) + ahead);
    if (edge == plan.edges.back()) continue;
    plan.edges.push_back(edge);
    plan.columns.push_back(k);
  }
  return plan;
}

absl::Status CheckPlottable(const TagRegistry& tags, const SelectedTags& selected) {
  for (size_t i = 0; i < selected.ids.size(); ++i) {
    if (selected.traits[i].type == ValueType::kString) {
      return absl::InvalidArgumentError(
          absl::StrCat(TagLabel(tags, selected.ids[i]), " is of type string, which has no plot"));
    }
  }
  return absl::OkStatus();
}

absl::Status ComputePlot(ServiceEnv& env, const PlotPlan& plan, TagId tag, const TagTraits& traits,
                         const KeepGoing& keep_going, v1::PlotSeries* series) {
  ASSIGN_OR_RETURN(const std::optional<Sample> before, env.archive.SampleBefore(tag, plan.start));
  ASSIGN_OR_RETURN(const std::optional<Sample> after, env.archive.SampleAtOrAfter(tag, plan.end));

  Samples samples;
  const auto add = [&](const Sample& sample) {
    if (samples.empty() || samples.times.back() < sample.time)
      samples.Add(sample.time, sample.value, sample.quality);
  };
  if (before.has_value()) add(*before);
  const auto add_column = [&](size_t column, const Tally& tally) {
    if (tally.count == 0) return;
    add(tally.first);
    if (tally.good > 0) {
      const bool min_first = tally.min.time <= tally.max.time;
      add(min_first ? tally.min : tally.max);
      add(min_first ? tally.max : tally.min);
    }
    add(tally.last);
    if (tally.good < tally.count) series->add_not_good_columns(plan.columns[column]);
  };
  // They come in any order: so many at a time are held.
  const absl::Span<const Timestamp> edges = plan.edges;
  std::vector<Tally> tallies(std::min(kColumnsAtOnce, plan.columns.size()));
  for (size_t first = 0; first < plan.columns.size(); first += tallies.size()) {
    const size_t count = std::min(tallies.size(), plan.columns.size() - first);
    RETURN_IF_ERROR(FoldInParallel(
        env, tag, edges.subspan(first, count + 1), InterpolationFor(traits, std::nullopt), kExtremes,
        keep_going, [&](size_t i, const Interval& interval) { tallies[i] = interval.samples; }));
    for (size_t i = 0; i < count; ++i) add_column(first + i, tallies[i]);
  }
  if (after.has_value()) add(*after);
  ColumnToWire(tag, traits.type, samples.View(), series->mutable_samples());
  return absl::OkStatus();
}

}  // namespace historian::server
