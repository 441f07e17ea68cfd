// File: server/processed.h
//
// Aggregates over intervals: what ReadProcessed asks for, planned and computed.
// Source: proto/historian/v1/query.proto; OPC 10000-13.
#ifndef HISTORIAN_SERVER_PROCESSED_H_
#define HISTORIAN_SERVER_PROCESSED_H_

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/historian/v1/query.pb.h"
#include "server/caller/caller.h"
#include "server/figure_units.h"
#include "server/intervals.h"
#include "server/read_plan.h"
#include "server/service_env.h"
#include "storage/model/aggregate.h"
#include "storage/model/aggregate_config.h"

namespace historian::server {

// Intervals x aggregates of one tag, which travel in one message: 8 MB.
inline constexpr uint64_t kSeriesValuesMax = 1'000'000;

struct ProcessedPlan {
  ReadPlan read;
  Intervals intervals;
  std::vector<Aggregate> aggregates;
  absl::flat_hash_map<TagId, UnitsOfFigures> units;
  AggregateConfig config;  // But for `stepped`, which is each tag's.
};

// `take` is asked for the memory that the intervals need.
// Errors: InvalidArgument, the request is wrong, or asks for an aggregate that strings do not have, or for a unit that a tag's
// does not convert into.
// ResourceExhausted, above limits.query_tags, limits.intervals or limits.query_values; names the limit. NotFound, no such tag.
absl::StatusOr<ProcessedPlan> PlanProcessed(ServiceEnv& env, const SeenTags& tags,
                                            const v1::ReadProcessedRequest& request,
                                            const KeepGoing& keep_going, const TakeMemory& take = nullptr);

// What the first frame of an answer says of all its series.
void DescribeProcessed(const ProcessedPlan& plan, v1::ProcessedFrame* frame);
// Errors: those of FoldReader.
absl::Status ComputeProcessed(ServiceEnv& env, const ProcessedPlan& plan, const TagRead& read,
                              v1::ProcessedSeries* series);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_PROCESSED_H_
