// File: server/server.h
//
// The server: the archive, the gRPC services on it, and the HTTP page about it. In process, so that tests
// have it too.
//
//   start   HTTP (alive, not ready) -> store -> archive, its journal replayed -> gRPC -> ready
//   fail    a port is no longer heard (server/grpc_door.h, self_probe.h) -> not ready -> on_failure
//   stop    not ready -> write streams acknowledge and end with UNAVAILABLE -> calls finish, for kDrain at
//           most, then they are cancelled -> seal -> close
//
// Threads: Start and Stop from one thread.
#ifndef HISTORIAN_SERVER_SERVER_H_
#define HISTORIAN_SERVER_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/config.h"
#include "server/log.h"
#include "storage/archive/archive.h"
#include "storage/kv/store.h"
#include "storage/model/clock.h"

namespace historian::server {

// How long calls may go on once the server is told to stop.
inline constexpr absl::Duration kDrain = absl::Seconds(5);

class Server {
 public:
  using OpenStore = std::function<absl::StatusOr<std::unique_ptr<kv::Store>>()>;

  // Called when clients can no longer reach the server, so that it must be started anew. Once, on any thread, which
  // must not stop the server itself.
  using OnFailure = std::function<void()>;
  // Called whenever a probe of the own gRPC port was answered (server/self_probe.h): every 5 s. On the HTTP thread, which it
  // must not hold up.
  using OnAnswered = std::function<void()>;

  // Returns a server that is serving. The configuration must have no mistakes; clock and log must outlive the
  // server. Errors: those of the store, the archive, the certificates and of listening; each says which.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const Config& config, OpenStore open_store,
                                                       const Clock& clock, Log& log,
                                                       OnFailure on_failure = nullptr,
                                                       OnAnswered on_answered = nullptr);
  // Stops, if Stop() was not called.
  ~Server();

  // Ends everything within seconds.
  // Errors: sealing failed. Nothing acknowledged is lost by that, as the journal has it.
  absl::Status Stop();

  // Rereads at once the files that are reread when they change: certificates, keys, authorities,
  // principals, tokens. Does not wait for it.
  void Reread();

  // HOST:PORT, with the actual port if port 0 was configured.
  const std::string& grpc_address() const;
  const std::string& http_address() const;
  Archive& archive();

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_SERVER_H_
