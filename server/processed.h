// File: server/processed.h
//
// Aggregates over intervals: what ReadProcessed asks for, planned and computed.
// Source: proto/historian/v1/query.proto; OPC 10000-13.
#ifndef HISTORIAN_SERVER_PROCESSED_H_
#define HISTORIAN_SERVER_PROCESSED_H_

#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "proto/historian/v1/query.pb.h"
#include "server/config.h"
#include "server/selection.h"
#include "server/service_env.h"
#include "storage/archive/archive.h"
#include "storage/model/aggregate.h"

namespace historian::server {

// The interpolation in force for a tag: what is asked for, else the tag's own; types that are always stepped
// stay so.
absl::StatusOr<std::optional<Interpolation>> AskedInterpolation(int interpolation);
Interpolation InterpolationFor(const TagTraits& tag, std::optional<Interpolation> asked);

// InvalidArgument unless both are times a sample may have (end may be one past) and start < end.
absl::Status CheckRange(Timestamp start, Timestamp end);

// Intervals x aggregates of one tag, which travel in one message: 8 MB.
inline constexpr uint64_t kSeriesValuesMax = 1'000'000;

struct ProcessedPlan {
  std::vector<Timestamp> edges;
  uint64_t interval_ns = 0;
  bool last_is_cut = false;
  std::vector<Aggregate> aggregates;
  std::optional<Interpolation> interpolation;
};

// Errors: InvalidArgument, the request is wrong; ResourceExhausted, above limits.intervals or
// limits.query_values; names the limit.
absl::StatusOr<ProcessedPlan> PlanProcessed(const v1::ReadProcessedRequest& request, size_t tags,
                                            const LimitsConfig& limits);

// InvalidArgument: an aggregate that strings do not have.
absl::Status CheckAggregates(const ProcessedPlan& plan, const TagRegistry& tags,
                             const SelectedTags& selected);

// Figures as Archive::Figures makes them; of long ranges that are to be read on several threads.
absl::Status FiguresInParallel(ServiceEnv& env, TagId tag, absl::Span<const Timestamp> edges,
                               Interpolation interpolation, const FigureMaker& maker, FigureTable to,
                               const KeepGoing& keep_going);

// Whether the answer would come from memory, as far as is known at once. For requests of few tags and values.
bool IsProcessedKept(ServiceEnv& env, const v1::ReadProcessedRequest& request);

absl::Status ComputeProcessed(ServiceEnv& env, const ProcessedPlan& plan, TagId tag, const TagTraits& traits,
                              const KeepGoing& keep_going, v1::ProcessedSeries* series);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_PROCESSED_H_
