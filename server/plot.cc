#include "server/plot.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "server/call.h"
#include "server/selection.h"
#include "server/wire.h"

namespace historian::server {
namespace {

// Two megabytes of figures.
constexpr size_t kColumnsAtOnce = 16'384;
// Units of so many tags are looked up in a few milliseconds.
constexpr size_t kUnitsAtOnce = 1'024;

// What is drawn of a column, as figures: the state, then time and value of each of these samples, whose
// quality is the status of both.
constexpr ValueBits kHasSamples = 1, kHasUsable = 2, kHasOthers = 4;
constexpr Sample Tally::*kDrawn[] = {&Tally::first, &Tally::min, &Tally::max, &Tally::last};
static_assert(std::size(kDrawn) == kDrawnOfColumn);
constexpr size_t kFigures = 1 + 2 * std::size(kDrawn);

FigureMaker PlotMaker() {
  return {.id = "plot",
          .columns = kFigures,
          .parts = kExtremes,
          .make = [](const Interval& interval, size_t i, FigureTable to) {
            const Tally& tally = interval.samples;
            to[0].Set(i,
                      (tally.count > 0 ? kHasSamples : 0) | (tally.good > 0 ? kHasUsable : 0) |
                          (tally.good < tally.count ? kHasOthers : 0),
                      kGood);
            for (size_t k = 0; k < std::size(kDrawn); ++k) {
              const Sample& sample = tally.*kDrawn[k];
              to[1 + 2 * k].Set(i, BitsOfInt64(sample.time), sample.quality);
              to[2 + 2 * k].Set(i, sample.value, sample.quality);
            }
          }};
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

}  // namespace

absl::StatusOr<PlotPlan> PlanPlot(ServiceEnv& env, const SeenTags& tags, const v1::PlotRequest& request,
                                  const KeepGoing& keep_going) {
  ASSIGN_OR_RETURN(SelectedTags selected,
                   SelectTags(tags, Right::kRead, request.tags(), env.config.limits.query_tags, keep_going));
  RETURN_IF_ERROR(CheckRange(request.start(), request.end()));
  if (request.columns() == 0) return absl::InvalidArgumentError("columns is 0: a picture has at least one");
  RETURN_IF_ERROR(
      CheckLimit(request.columns(), env.config.limits.plot_columns, "columns", "limits.plot_columns"));
  RETURN_IF_ERROR(CheckPlottable(env.archive.tags(), selected));
  ASSIGN_OR_RETURN(const Version as_of, AsOfOf(env.archive.versions(), request));
  absl::flat_hash_map<TagId, AnswerUnit> units;
  if (!request.unit().empty()) {
    ASSIGN_OR_RETURN(AnswerUnits asked, AnswerUnits::Make(tags.registry, as_of, request.unit()));
    for (size_t i = 0; i < selected.ids.size(); ++i) {
      if (i % kUnitsAtOnce == 0) RETURN_IF_ERROR(GoOn(keep_going));
      ASSIGN_OR_RETURN(const AnswerUnit unit, asked.For(selected.ids[i], selected.traits[i].type));
      units.emplace(selected.ids[i], unit);
    }
  }
  std::vector<Timestamp> edges;
  std::vector<uint32_t> columns;
  const uint64_t span = Elapsed(request.start(), request.end());
  edges.reserve(request.columns() + 1);
  columns.reserve(request.columns());
  edges.push_back(request.start());
  for (uint32_t k = 0; k < request.columns(); ++k) {
    const uint64_t ahead =
        static_cast<uint64_t>(static_cast<unsigned __int128>(span) * (k + uint64_t{1}) / request.columns());
    const Timestamp edge = static_cast<Timestamp>(static_cast<uint64_t>(request.start()) + ahead);
    if (edge == edges.back()) continue;
    edges.push_back(edge);
    columns.push_back(k);
  }
  ReadPlan::Figures figures{.edges = std::move(edges),
                            .fold_of =
                                [](const TagTraits&) {
                                  return TagFold{FoldConfig(), PlotMaker()};
                                },
                            .values_of_tag = columns.size() * kDrawnOfColumn,
                            .as_of = as_of};
  ASSIGN_OR_RETURN(ReadPlan read, ReadPlan::Make(env, std::move(selected), std::move(figures), keep_going));
  return PlotPlan{std::move(read), std::move(columns), request.columns(), request.unit(), std::move(units)};
}

absl::Status ComputePlot(ServiceEnv& env, const PlotPlan& plan, const TagRead& read, v1::PlotSeries* series) {
  const absl::Span<const Timestamp> edges = plan.read.edges();
  ASSIGN_OR_RETURN(const std::optional<Sample> before, read.reader->SampleBefore(edges.front()));
  ASSIGN_OR_RETURN(const std::optional<Sample> after, read.reader->SampleAtOrAfter(edges.back()));

  Samples samples;
  const auto add = [&](const Sample& sample) {
    if (samples.empty() || samples.times.back() < sample.time)
      samples.Add(sample.time, sample.value, sample.quality);
  };
  if (before.has_value()) add(*before);
  // This many at a time are held.
  const size_t rows = std::min(kColumnsAtOnce, plan.columns.size());
  std::vector<ValueBits> values(rows * kFigures);
  std::vector<Quality> qualities(rows * kFigures);
  // Columns before this one are told.
  uint32_t next_column = 0;
  const auto add_empty_until = [&](uint32_t column) {
    if (next_column >= column) return;
    series->add_empty_first(next_column);
    series->add_empty_count(column - next_column);
  };
  std::vector<FigureColumn> table;
  for (size_t k = 0; k < kFigures; ++k) table.push_back({&values[k * rows], &qualities[k * rows]});
  for (size_t first = 0; first < plan.columns.size(); first += rows) {
    const size_t count = std::min(rows, plan.columns.size() - first);
    RETURN_IF_ERROR(FiguresInParallel(env.pool, read, edges.subspan(first, count + 1), table));
    for (size_t i = 0; i < count; ++i) {
      const auto value = [&](size_t k) { return values[k * rows + i]; };
      const ValueBits state = value(0);
      if ((state & kHasSamples) == 0) continue;
      add_empty_until(plan.columns[first + i]);
      next_column = plan.columns[first + i] + 1;
      const auto drawn = [&](size_t k) {
        return Sample{Int64OfBits(value(1 + 2 * k)), value(2 + 2 * k), qualities[(2 + 2 * k) * rows + i]};
      };
      add(drawn(0));
      if ((state & kHasUsable) != 0) {
        const Sample min = drawn(1), max = drawn(2);
        const bool min_first = min.time <= max.time;
        add(min_first ? min : max);
        add(min_first ? max : min);
      }
      add(drawn(3));
      if ((state & kHasOthers) != 0) series->add_not_good_columns(plan.columns[first + i]);
    }
  }
  add_empty_until(plan.picture_columns);
  if (after.has_value()) add(*after);
  const auto asked = plan.units.find(read.tag);
  const AnswerUnit unit = asked == plan.units.end() ? AnswerUnit(read.traits.type) : asked->second;
  unit.Convert(&samples);
  ColumnToWire(read.tag, unit.type(), samples.View(), series->mutable_samples());
  return absl::OkStatus();
}

}  // namespace historian::server
