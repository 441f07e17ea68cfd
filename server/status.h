// File: server/status.h
//
// The one place that turns absl::Status into grpc::Status and back. The codes have the same names and numbers
// in both, so nothing is translated: the engine says what a client is to hear.
//
// Messages are cut to kStatusMessageBytesMax: they travel in HTTP/2 trailers, and a peer may refuse larger
// ones.
#ifndef HISTORIAN_SERVER_STATUS_H_
#define HISTORIAN_SERVER_STATUS_H_

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

namespace historian::server {

inline constexpr size_t kStatusMessageBytesMax = 2048;

grpc::Status ToGrpcStatus(const absl::Status& status);
absl::Status FromGrpcStatus(const grpc::Status& status);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_STATUS_H_
