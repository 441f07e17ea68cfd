// File: server/grpc_log.h
//
// What gRPC itself has to say goes to our log, in its form, while one of these is there. What protobuf has to say, which
// is a line on standard error for each text of a client that is not UTF-8, goes nowhere: the client is told.
//
// Clients can make it say much, so a line for each place in its code and each Log::kLimitInterval is enough. Failed TLS
// handshakes, of which gRPC does not say whose they were, are left to server/handshakes.h.
#ifndef HISTORIAN_SERVER_GRPC_LOG_H_
#define HISTORIAN_SERVER_GRPC_LOG_H_

#include "server/log.h"

namespace historian::server {

// One at a time in a process.
class GrpcLog {
 public:
  explicit GrpcLog(Log& log);
  ~GrpcLog();
  GrpcLog(const GrpcLog&) = delete;
  GrpcLog& operator=(const GrpcLog&) = delete;
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_GRPC_LOG_H_
