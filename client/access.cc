#include "client/access.h"

#include "absl/strings/str_cat.h"
#include "client/wire.h"
#include "grpcpp/client_context.h"
#include "proto/historian/v1/access.grpc.pb.h"
#include "storage/model/status_macros.h"

namespace historian::client {

absl::StatusOr<v1::WhoAmIResponse> Access::WhoAmI() const {
  grpc::ClientContext context;
  connection_.Prepare(&context);
  v1::WhoAmIResponse response;
  RETURN_IF_ERROR(FromGrpc(v1::Access::NewStub(connection_.channel())->WhoAmI(&context, {}, &response),
                           "asking who we are"));
  return response;
}

absl::StatusOr<v1::CreateTokenResponse> Access::CreateToken(const v1::AccessEntry& token) const {
  grpc::ClientContext context;
  connection_.Prepare(&context);
  v1::CreateTokenRequest request;
  *request.mutable_token() = token;
  v1::CreateTokenResponse response;
  RETURN_IF_ERROR(
      FromGrpc(v1::Access::NewStub(connection_.channel())->CreateToken(&context, request, &response),
               absl::StrCat("making a token for '", token.name(), "'")));
  return response;
}

absl::StatusOr<v1::ListAccessResponse> Access::List() const {
  grpc::ClientContext context;
  connection_.Prepare(&context);
  v1::ListAccessResponse response;
  RETURN_IF_ERROR(FromGrpc(v1::Access::NewStub(connection_.channel())->ListAccess(&context, {}, &response),
                           "listing tokens"));
  return response;
}

absl::StatusOr<v1::AccessEntry> Access::RevokeToken(const std::string& id, const std::string& by) const {
  grpc::ClientContext context;
  connection_.Prepare(&context);
  v1::RevokeTokenRequest request;
  request.set_token_id(id);
  request.set_by(by);
  v1::RevokeTokenResponse response;
  RETURN_IF_ERROR(
      FromGrpc(v1::Access::NewStub(connection_.channel())->RevokeToken(&context, request, &response),
               absl::StrCat("revoking token ", id)));
  return response.entry();
}

}  // namespace historian::client
