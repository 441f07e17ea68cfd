// File: server/plot.h
//
// The samples that a trend of a given number of pixel columns needs: first, last, smallest and largest of
// each column, and the samples that the line comes from and goes to. Drawn, they give the picture of all
// samples.
//
// Source: Jugel et al., M4: A Visualization-Oriented Time Series Data Aggregation, VLDB 2014.
#ifndef HISTORIAN_SERVER_PLOT_H_
#define HISTORIAN_SERVER_PLOT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/historian/v1/query.pb.h"
#include "server/answer_unit.h"
#include "server/caller/caller.h"
#include "server/read_plan.h"
#include "server/service_env.h"

namespace historian::server {

struct PlotPlan {
  // Its edges are those of the columns that have a width: with fewer nanoseconds than columns, not
  // all have one.
  ReadPlan read;
  std::vector<uint32_t> columns;                 // columns[i] is the one from edges[i] to edges[i + 1].
  uint32_t picture_columns;                      // Those without a width, too.
  std::string unit;                              // Asked for; empty: each tag's own.
  absl::flat_hash_map<TagId, AnswerUnit> units;  // Of each tag, if one was asked for.
};

// Errors: InvalidArgument, the range or the number of columns is not valid, a string tag is among the
// tags, or one that has no values in the unit that was asked for. ResourceExhausted, above limits.query_tags or limits.plot_columns. NotFound, no such tag.
absl::StatusOr<PlotPlan> PlanPlot(ServiceEnv& env, const SeenTags& tags, const v1::PlotRequest& request,
                                  const KeepGoing& keep_going);

// Up to this many samples are drawn of a column.
inline constexpr size_t kDrawnOfColumn = 4;

// Errors: those of FoldReader.
absl::Status ComputePlot(ServiceEnv& env, const PlotPlan& plan, const TagRead& read, v1::PlotSeries* series);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_PLOT_H_
