// File: server/grpc_door.h
//
// The door before gRPC: takes its connections and hands them on. When places become few, it hands on only those whose
// client has begun to speak.
//
//   taken -> (half of the places are taken: waiting for the client's first words) -> handed to gRPC -> gone
//
// Why not gRPC's own listener: that of 1.51 ends for good when accept fails once (CVE-2023-4785), bounds nothing, and
// keeps connections that say nothing for two minutes.
//
//   Plenty        While less than half of the places, and of those of the client's address, are taken, a connection is
//                 handed on at once. gRPC's blocking clients connect only while a call polls, and find the server's first
//                 words sooner that way: a program whose calls fail at once, with pauses between, would else never
//                 connect. gRPC itself ends silent clients after kHelloTime.
//   First words   Plain text: the 24 bytes with which HTTP/2 begins (RFC 9113, 3.4). TLS: the whole first record.
//                 A client that has not sent them within kHelloTime, or sends something else, is closed. What follows
//                 them has gRPC's own limit of kHelloTime (TLS handshake and HTTP/2 settings).
//   Limits        `connections` handed on at once, `per_peer` of one address, and a quarter of `connections`
//                 waiting. A connection for which gRPC has no place waits for one up to kPlaceTime. When there is no room,
//                 the connection that has waited longest without a word gives way, so that silent ones cannot keep
//                 others out.
//   Memory        gRPC takes what comes, and its own quota is a wish: clients that send parts of large messages, or open
//                 calls and let go of them again, take gigabytes before it has ended their streams. When the process has
//                 more memory than it may, those connections are closed over which most has come lately.
//   Gone          gRPC does not say when it closes a connection. The door looks: a descriptor that is closed, or is
//                 another file by now, was one. So it needs no second descriptor for each connection.
//
// Threads: one of its own. The methods may be called on any.
#ifndef HISTORIAN_SERVER_GRPC_DOOR_H_
#define HISTORIAN_SERVER_GRPC_DOOR_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/ip/tcp.hpp>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/server_builder.h"
#include "server/log.h"
#include "server/metrics.h"

namespace historian::server {

class GrpcDoor {
 public:
  static constexpr absl::Duration kHelloTime = absl::Seconds(10);
  static constexpr absl::Duration kPlaceTime = absl::Seconds(2);

  struct Options {
    std::string listen;  // HOST:PORT.
    bool tls = false;    // What clients begin with.
    uint64_t connections = 0;
    uint64_t per_peer = 0;
    absl::Duration hello_time = kHelloTime;
    // By how many bytes the process has too much memory. Asked some fifty times a second, on the door's thread. May be null.
    std::function<uint64_t()> memory_excess;
    // The address is never heard again: the listening socket is gone. Called once at most, on the door's thread.
    std::function<void(const absl::Status& why)> dead;
  };

  // Listens. Connections wait until Start. metrics and log must outlive the door.
  // Errors: those of Listener::Open.
  static absl::StatusOr<std::unique_ptr<GrpcDoor>> Open(Options options, Metrics& metrics, Log& log);
  // Stops, if Stop() was not called.
  ~GrpcDoor();

  void Start(std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> to);
  // Takes and hands on nothing more, and closes what waits. To be called before gRPC shuts down, which from then on
  // would not close what it is handed.
  void Stop();

  int port() const;
  // Where a connection of our own reaches the door.
  boost::asio::ip::tcp::endpoint OwnEndpoint() const;
  // A connection of our own comes from this port: it passes whatever the limits say. 0: none.
  void ExpectOwn(unsigned short port);

 private:
  class Impl;
  explicit GrpcDoor(std::shared_ptr<Impl> impl);

  const std::shared_ptr<Impl> impl_;
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_GRPC_DOOR_H_
