// File: server/raw_read.h
//
// The samples of a tag as they are stored, as proto/historian/v1/query.proto promises of ReadRaw: between two times, or as OPC UA
// asks for them.
// Source: OPC 10000-11, 6.5.3 ReadRawModifiedDetails.
#ifndef HISTORIAN_SERVER_RAW_READ_H_
#define HISTORIAN_SERVER_RAW_READ_H_

#include <memory>

#include "absl/status/statusor.h"
#include "proto/historian/v1/query.pb.h"
#include "server/call.h"
#include "server/service_env.h"
#include "storage/model/keep_going.h"

namespace historian::server {

// The codes of states in one filter.
inline constexpr size_t kFilterStatesMax = 1'000;

// Where it may be opened.
Run WhereToReadRaw(const v1::ReadRawRequest& request);

// Errors: InvalidArgument, the request is wrong; NotFound, no such tag; those of Archive::ReadRaw.
absl::StatusOr<std::unique_ptr<FrameSource>> OpenRawRead(ServiceEnv& env, const v1::ReadRawRequest& request,
                                                         const KeepGoing& keep_going, CallRecord& record);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_RAW_READ_H_
