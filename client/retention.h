// File: client/retention.h
//
// Retention rules and legal holds. Requests and answers are the wire messages themselves:
// proto/historian/v1/retention.proto says what each field means.
//
// Threads: any number.
#ifndef HISTORIAN_CLIENT_RETENTION_H_
#define HISTORIAN_CLIENT_RETENTION_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/connection.h"
#include "client/tag_items.h"
#include "proto/historian/v1/retention.pb.h"
#include "storage/model/data_version.h"

namespace historian::client {

class Retention {
 public:
  explicit Retention(Connection connection) : connection_(std::move(connection)) {}

  absl::StatusOr<v1::ListRulesResponse> Rules(const AsOf& as_of = {}) const;
  absl::StatusOr<v1::RetentionRule> SetRule(const v1::SetRuleRequest& request) const;
  // Errors: NotFound, no such rule.
  absl::Status RemoveRule(const std::string& name) const;

  absl::StatusOr<v1::ListHoldsResponse> Holds(bool include_released, const AsOf& as_of = {}) const;
  absl::StatusOr<v1::PlaceHoldResponse> PlaceHold(const v1::LegalHold& hold) const;
  // Errors: NotFound, no such hold. FailedPrecondition, it was released before.
  absl::StatusOr<v1::LegalHold> ReleaseHold(const v1::ReleaseHoldRequest& request) const;

  // May take minutes; fails with DeadlineExceeded after `deadline`.
  // Errors: InvalidArgument, the witness does not agree with the server's clock.
  absl::StatusOr<v1::ApplyRetentionResponse> Apply(const v1::ApplyRetentionRequest& request,
                                                   absl::Duration deadline = absl::Hours(1)) const;
  absl::StatusOr<v1::WhatIsKeptResponse> WhatIsKept(const TagSelection& tags) const;

 private:
  Connection connection_;
};

}  // namespace historian::client

#endif  // HISTORIAN_CLIENT_RETENTION_H_
