// File: server/plot.h
//
// What a trend of so many pixel columns needs: first, last, smallest and largest sample of each column, and
// the samples that the line comes from and goes to. Drawn, it is the picture of all samples. Source: Jugel et
// al., M4: A Visualization-Oriented Time Series Data Aggregation, VLDB 2014.
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
  std::vector<uint32_t> columns;  // Of the interval between edges[i] and edges[i + 1].
};

// Errors: InvalidArgument; ResourceExhausted, above limits.plot_columns.
absl::StatusOr<PlotPlan> PlanPlot(const v1::PlotRequest& request, const LimitsConfig& limits);
// InvalidArgument: a string tag.
absl::Status CheckPlottable(const TagRegistry& tags, const SelectedTags& selected);

absl::Status ComputePlot(ServiceEnv& env, const PlotPlan& plan, TagId tag, const TagTraits& traits,
                         const KeepGoing& keep_going, v1::PlotSeries* series);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_PLOT_H_
