// File: server/authorize.h
//
// Whether a call may be made at all, by whoever makes it; what it asks of single tags is asked later (server/selection.h).
// access.proto says what each call needs.
//
// Threads: any number.
#ifndef HISTORIAN_SERVER_AUTHORIZE_H_
#define HISTORIAN_SERVER_AUTHORIZE_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "grpcpp/grpcpp.h"
#include "server/caller/caller.h"
#include "server/log.h"
#include "server/metrics.h"
#include "server/service_env.h"

namespace historian::server {

// Returns who makes the call.
// Errors: those of Authority::Resolve. PermissionDenied: says which right is missing.
absl::StatusOr<std::shared_ptr<const Caller>> Authorize(ServiceEnv& env,
                                                        const grpc::CallbackServerContext& context,
                                                        Method method);

// What was refused, and to whom.
struct Refused {
  absl::string_view what;  // A method, or a path of HTTP.
  absl::string_view peer;
  const Caller* caller = nullptr;  // Null: not known.
};
// Counts and logs the refusal, if it is because of who asked; does nothing else.
void NoteRefusal(Metrics& metrics, Log& log, const absl::Status& status, const Refused& refused);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_AUTHORIZE_H_
