// File: client/connection.h
//
// A server, and how to reach it. Tags, Writer, Reader and Admin are each made from a Connection.
//
// Threads: any number. Copies share one channel and are cheap; the channel goes with the last of them.
#ifndef HISTORIAN_CLIENT_CONNECTION_H_
#define HISTORIAN_CLIENT_CONNECTION_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"

namespace historian::client {

// PEM files. The ca file says whom to believe (empty: the system's list); cert and key, both or neither, say
// who we are to a server that wants to know.
struct TlsFiles {
  std::string ca;
  std::string cert;
  std::string key;
  std::string server_name;  // When the certificate names another host than the target.
};

struct ConnectionOptions {
  std::string target = "127.0.0.1:7720";        // HOST:PORT, or any other gRPC target.
  std::optional<TlsFiles> tls;                  // Unset: plain text.
  absl::Duration deadline = absl::Seconds(30);  // Of every call that answers once, retries none.
  std::string client_name = "historian-cpp";    // What the server's log calls us.
  int message_bytes_max = 16 * 1024 * 1024;     // A larger reply is ResourceExhausted.
};

class Connection {
 public:
  // Does not wait for the server: a call to one that is not there fails with Unavailable.
  // Errors: InvalidArgument, options that cannot be. NotFound and the like: a TLS file that cannot be read.
  static absl::StatusOr<Connection> Open(ConnectionOptions options);

  // Waits until the server answers at all. Errors: Unavailable, not within that time.
  absl::Status WaitUntilConnected(absl::Duration timeout) const;

  const ConnectionOptions& options() const { return *options_; }

  // For the calls that have no function here, and for the other headers of this package.
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  // Sets options().deadline from now on.
  void SetDeadline(grpc::ClientContext* context) const;

 private:
  Connection(std::shared_ptr<const ConnectionOptions> options, std::shared_ptr<grpc::Channel> channel)
      : options_(std::move(options)), channel_(std::move(channel)) {}

  std::shared_ptr<const ConnectionOptions> options_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace historian::client

#endif  // HISTORIAN_CLIENT_CONNECTION_H_
