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
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/historian/v1/query.pb.h"
#include "server/config.h"
#include "server/selection.h"
#include "server/service_env.h"
#include "storage/archive/archive.h"

namespace historian::server {

struct PlotPlan {
  Timestamp start = 0;
  Timestamp end = 0;
  // Edges of the columns that have a width: with fewer nanoseconds than columns, some have none.
  std::vector<Timestamp> edges;
  std::vector<uint32_t> columns;  // columns[i] is the one from edges[i] to edges[i + 1].
};

// Errors: InvalidArgument, the range or the number of columns is not valid. ResourceExhausted, more columns
// than limits.plot_columns.
absl::StatusOr<PlotPlan> PlanPlot(const v1::PlotRequest& request, const LimitsConfig& limits);
// Errors: InvalidArgument, a string tag is among the tags.
absl::Status CheckPlottable(const TagRegistry& tags, const SelectedTags& selected);

absl::Status ComputePlot(ServiceEnv& env, const PlotPlan& plan, TagId tag, const TagTraits& traits,
                         const KeepGoing& keep_going, v1::PlotSeries* series);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_PLOT_H_
