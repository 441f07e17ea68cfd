// File: server/retention_service.h
//
// Retention rules and legal holds, as proto/historian/v1/retention.proto promises.
// Threads: gRPC's; everything moves to env.pool.
#ifndef HISTORIAN_SERVER_RETENTION_SERVICE_H_
#define HISTORIAN_SERVER_RETENTION_SERVICE_H_

#include "proto/historian/v1/retention.grpc.pb.h"
#include "server/service_env.h"

namespace historian::server {

using RawRetention = v1::Retention::WithRawCallbackMethod_ListRules<
    v1::Retention::WithRawCallbackMethod_SetRule<v1::Retention::WithRawCallbackMethod_RemoveRule<
        v1::Retention::WithRawCallbackMethod_ListHolds<v1::Retention::WithRawCallbackMethod_PlaceHold<
            v1::Retention::WithRawCallbackMethod_ReleaseHold<v1::Retention::WithRawCallbackMethod_Apply<
                v1::Retention::WithRawCallbackMethod_WhatIsKept<v1::Retention::Service>>>>>>>>;

class RetentionService final : public RawRetention {
 public:
  explicit RetentionService(ServiceEnv& env) : env_(env) {}

  using Context = grpc::CallbackServerContext;
  using Bytes = grpc::ByteBuffer;
  grpc::ServerUnaryReactor* ListRules(Context* context, const Bytes* request, Bytes* response) override;
  grpc::ServerUnaryReactor* SetRule(Context* context, const Bytes* request, Bytes* response) override;
  grpc::ServerUnaryReactor* RemoveRule(Context* context, const Bytes* request, Bytes* response) override;
  grpc::ServerUnaryReactor* ListHolds(Context* context, const Bytes* request, Bytes* response) override;
  grpc::ServerUnaryReactor* PlaceHold(Context* context, const Bytes* request, Bytes* response) override;
  grpc::ServerUnaryReactor* ReleaseHold(Context* context, const Bytes* request, Bytes* response) override;
  grpc::ServerUnaryReactor* Apply(Context* context, const Bytes* request, Bytes* response) override;
  grpc::ServerUnaryReactor* WhatIsKept(Context* context, const Bytes* request, Bytes* response) override;

 private:
  ServiceEnv& env_;
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_RETENTION_SERVICE_H_
