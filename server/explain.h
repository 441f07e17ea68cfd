// File: server/explain.h
//
// How one value of ReadProcessed comes about, as Explain in proto/historian/v1/query.proto promises: the value as it is read, the
// same from the samples one by one by definition, and where they are stored. All of one view of the tag.
#ifndef HISTORIAN_SERVER_EXPLAIN_H_
#define HISTORIAN_SERVER_EXPLAIN_H_

#include <cstdint>

#include "absl/status/status.h"
#include "proto/historian/v1/query.pb.h"
#include "server/call.h"
#include "server/service_env.h"
#include "storage/model/keep_going.h"

namespace historian::server {

inline constexpr uint32_t kExplainListedDefault = 100;
inline constexpr uint32_t kExplainListedMax = 10'000;
// Of an interval with more samples, or more than limits.query_values, or than calls have memory for, none is looked at.
inline constexpr uint64_t kExplainSamplesMax = 1'000'000;
// What each takes while it is looked at, its text apart: samples, points and regions.
inline constexpr uint64_t kExplainSampleBytes = 400;

// Errors: those of PlanProcessed and FoldReader. InvalidArgument also: more samples asked for than are listed.
absl::Status ServeExplain(ServiceEnv& env, const v1::ExplainRequest& request, const KeepGoing& keep_going,
                          CallRecord& record, v1::ExplainResponse* response);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_EXPLAIN_H_
