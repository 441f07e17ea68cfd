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
#include "grpc/support/time.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"

namespace historian::client {

// PEM files.
struct TlsFiles {
  std::string ca;           // Authorities to trust. Empty: the system's list.
  std::string cert;         // Our certificate, for a server that asks for one. Given together with `key`.
  std::string key;          // The private key of `cert`.
  std::string server_name;  // The host in the server's certificate, if it is not that of the target.
};

// The deadline of a call that begins now, as gRPC takes it; it keeps to monotonic time.
gpr_timespec DeadlineIn(absl::Duration time);

struct ConnectionOptions {
  std::string target = "127.0.0.1:7720";  // HOST:PORT, or any other gRPC target.
  std::optional<TlsFiles> tls;            // Unset: plain text.
  std::string token;  // Shown with every call (proto/historian/v1/access.proto). Empty: none is.
  absl::Duration deadline = absl::Seconds(30);  // Of every call with one answer. Calls are not retried.
  std::string client_name = "historian-cpp";    // What the server's log calls us.
  int message_bytes_max = 16 * 1024 * 1024;     // A larger reply is ResourceExhausted.
};

class Connection {
 public:
  // Does not wait for the server: if it is not there, calls fail with Unavailable.
  // Errors: InvalidArgument, an option is out of range, or a token would go to another machine in plain text, where it can be
  // read. NotFound and the like: a TLS file cannot be read.
  static absl::StatusOr<Connection> Open(ConnectionOptions options);

  // Waits until the server answers at all. Errors: Unavailable, it did not within that time.
  absl::Status WaitUntilConnected(absl::Duration timeout) const;

  const ConnectionOptions& options() const { return *options_; }

  // For calls that this package does not wrap, and for the other headers of this package.
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  // To be called for every call: shows the token. The deadline is options().deadline from now, or as given;
  // InfiniteDuration for none.
  void Prepare(grpc::ClientContext* context) const { Prepare(context, options_->deadline); }
  void Prepare(grpc::ClientContext* context, absl::Duration deadline) const;

 private:
  Connection(std::shared_ptr<const ConnectionOptions> options, std::shared_ptr<grpc::Channel> channel)
      : options_(std::move(options)), channel_(std::move(channel)) {}

  std::shared_ptr<const ConnectionOptions> options_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace historian::client

#endif  // HISTORIAN_CLIENT_CONNECTION_H_
