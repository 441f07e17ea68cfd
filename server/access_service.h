// File: server/access_service.h
//
// The Access service: who the caller is; tokens. And how the server stands towards other machines.
#ifndef HISTORIAN_SERVER_ACCESS_SERVICE_H_
#define HISTORIAN_SERVER_ACCESS_SERVICE_H_

#include <string>

#include "absl/status/status.h"
#include "grpcpp/grpcpp.h"
#include "proto/historian/v1/access.grpc.pb.h"
#include "server/config.h"
#include "server/service_env.h"

namespace historian::server {

// Why other machines are served without protection; empty if they are not. `everyone`: the server asks nobody who they
// are.
std::string InsecureBecause(const Config& config, bool everyone);
// Errors: FailedPrecondition, they would be served so, and access.insecure does not ask for it; says what to do.
absl::Status RefuseToBeInsecure(const Config& config, bool everyone);

class AccessService final
    : public v1::Access::WithRawCallbackMethod_WhoAmI<
          v1::Access::WithRawCallbackMethod_CreateToken<v1::Access::WithRawCallbackMethod_ListAccess<
              v1::Access::WithRawCallbackMethod_RevokeToken<v1::Access::Service>>>> {
 public:
  explicit AccessService(ServiceEnv& env) : env_(env) {}

  using Context = grpc::CallbackServerContext;
  using Bytes = grpc::ByteBuffer;
  grpc::ServerUnaryReactor* WhoAmI(Context* context, const Bytes* in, Bytes* out) override;
  grpc::ServerUnaryReactor* CreateToken(Context* context, const Bytes* in, Bytes* out) override;
  grpc::ServerUnaryReactor* ListAccess(Context* context, const Bytes* in, Bytes* out) override;
  grpc::ServerUnaryReactor* RevokeToken(Context* context, const Bytes* in, Bytes* out) override;

 private:
  ServiceEnv& env_;
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_ACCESS_SERVICE_H_
