// File: server/joined_read.h
//
// ReadJoined: the values of many tags on one axis of time.
//
//   axis      the next times, some thousand at once
//   readers   one of each tag, which walks its samples once; all of them read the values at these times, in parallel
//   frames    the times and all values at them; fewer at once when their texts are long
//
// Source: proto/historian/v1/query.proto.
#ifndef HISTORIAN_SERVER_JOINED_READ_H_
#define HISTORIAN_SERVER_JOINED_READ_H_

#include <memory>

#include "absl/status/statusor.h"
#include "proto/historian/v1/query.pb.h"
#include "server/call.h"
#include "server/service_env.h"
#include "storage/model/keep_going.h"

namespace historian::server {

// Errors: InvalidArgument, the request is wrong; says what of it. NotFound, no such tag. ResourceExhausted, above limits.joined_tags, or
// there is no memory for so many tags.
absl::StatusOr<std::unique_ptr<FrameSource>> OpenJoinedRead(ServiceEnv& env,
                                                            const v1::ReadJoinedRequest& request,
                                                            const KeepGoing& keep_going, CallRecord& record);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_JOINED_READ_H_
