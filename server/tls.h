// File: server/tls.h
//
// gRPC's credentials from certificate files.
#ifndef HISTORIAN_SERVER_TLS_H_
#define HISTORIAN_SERVER_TLS_H_

#include <memory>

#include "absl/status/statusor.h"
#include "grpcpp/security/server_credentials.h"
#include "server/config.h"

namespace historian::server {

// Returns credentials for plain text if no certificate is configured. With client_ca, clients must show a
// certificate. Errors name the setting, the file and what is wrong with it: it cannot be read, holds no
// certificate or key, or holds a key that is not the certificate's. (gRPC itself would accept connections and
// fail each one's handshake.)
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeCredentials(const TlsConfig& config);

// Whether the address can only be reached from this machine. Requires HOST:PORT.
bool IsLoopback(absl::string_view listen);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_TLS_H_
