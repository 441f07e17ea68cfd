#include "client/retention.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/wire.h"
#include "grpcpp/client_context.h"
#include "proto/historian/v1/retention.grpc.pb.h"
#include "storage/model/status_macros.h"

namespace historian::client {
namespace {

// One call of the service. Errors say what was being done.
template <class Request, class Response>
absl::StatusOr<Response> Call(const Connection& connection,
                              grpc::Status (v1::Retention::Stub::*method)(grpc::ClientContext*,
                                                                          const Request&, Response*),
                              const Request& request, absl::string_view doing,
                              std::optional<absl::Duration> deadline = std::nullopt) {
  grpc::ClientContext context;
  if (deadline.has_value()) {
    connection.Prepare(&context, *deadline);
  } else {
    connection.Prepare(&context);
  }
  Response response;
  const auto stub = v1::Retention::NewStub(connection.channel());
  RETURN_IF_ERROR(FromGrpc((*stub.*method)(&context, request, &response), doing));
  return response;
}

}  // namespace

absl::StatusOr<v1::ListRulesResponse> Retention::Rules(const AsOf& as_of) const {
  v1::ListRulesRequest request;
  SetAsOf(as_of, &request);
  return Call(connection_, &v1::Retention::Stub::ListRules, request, "asking for the retention rules");
}

absl::StatusOr<v1::RetentionRule> Retention::SetRule(const v1::SetRuleRequest& request) const {
  return Call(connection_, &v1::Retention::Stub::SetRule, request, "setting a retention rule");
}

absl::Status Retention::RemoveRule(const std::string& name) const {
  v1::RemoveRuleRequest request;
  request.set_name(name);
  return Call(connection_, &v1::Retention::Stub::RemoveRule, request, "removing a retention rule").status();
}

absl::StatusOr<v1::ListHoldsResponse> Retention::Holds(bool include_released, const AsOf& as_of) const {
  v1::ListHoldsRequest request;
  SetAsOf(as_of, &request);
  request.set_include_released(include_released);
  return Call(connection_, &v1::Retention::Stub::ListHolds, request, "asking for the legal holds");
}

absl::StatusOr<v1::PlaceHoldResponse> Retention::PlaceHold(const v1::LegalHold& hold) const {
  v1::PlaceHoldRequest request;
  *request.mutable_hold() = hold;
  return Call(connection_, &v1::Retention::Stub::PlaceHold, request, "placing a legal hold");
}

absl::StatusOr<v1::LegalHold> Retention::ReleaseHold(const v1::ReleaseHoldRequest& request) const {
  return Call(connection_, &v1::Retention::Stub::ReleaseHold, request,
              absl::StrCat("releasing legal hold ", request.id()));
}

absl::StatusOr<v1::ApplyRetentionResponse> Retention::Apply(const v1::ApplyRetentionRequest& request,
                                                            absl::Duration deadline) const {
  return Call(connection_, &v1::Retention::Stub::Apply, request, "applying the retention rules", deadline);
}

absl::StatusOr<v1::WhatIsKeptResponse> Retention::WhatIsKept(const TagSelection& tags) const {
  v1::WhatIsKeptRequest request;
  ToWire(tags, request.mutable_tags());
  return Call(connection_, &v1::Retention::Stub::WhatIsKept, request, "asking what is kept");
}

}  // namespace historian::client
