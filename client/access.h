// File: client/access.h
//
// Who the server takes us for, and the tokens it has. Answers are the wire messages themselves:
// proto/historian/v1/access.proto says what each field means.
//
// Threads: any number.
#ifndef HISTORIAN_CLIENT_ACCESS_H_
#define HISTORIAN_CLIENT_ACCESS_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "client/connection.h"
#include "proto/historian/v1/access.pb.h"

namespace historian::client {

class Access {
 public:
  explicit Access(Connection connection) : connection_(std::move(connection)) {}

  // Errors: Unauthenticated, the server does not know us.
  absl::StatusOr<v1::WhoAmIResponse> WhoAmI() const;
  // Makes a token. The answer is the only place where it ever stands.
  absl::StatusOr<v1::CreateTokenResponse> CreateToken(const v1::AccessEntry& token) const;
  // All tokens, those that have ended too, and the principals of access.file.
  absl::StatusOr<v1::ListAccessResponse> List() const;
  // Ends a token. `by` says who does it, where the server asks nobody who they are. Errors: NotFound.
  absl::StatusOr<v1::AccessEntry> RevokeToken(const std::string& id, const std::string& by) const;

 private:
  Connection connection_;
};

}  // namespace historian::client

#endif  // HISTORIAN_CLIENT_ACCESS_H_
