// File: server/handshakes.h
//
// Finds out whose TLS handshakes fail, and why. A client only hears that its connection was closed, and gRPC's log names
// no client.
//
// How: the thread that hands a connection to gRPC makes OpenSSL's object for it, within that call. So the object gets the
// peer's address there (OpenSSL's ex_data). OpenSSL tells when the object goes: one that has begun its
// handshake and not finished it by then has failed. The thread on which it failed has just written the reason to gRPC's log, which is
// read along.
//
// Logs handshake_failed (Log::WriteLimited, by peer) and counts (Metrics::CountHandshakeFailure), by reason:
//   no_certificate        the client shows none, and must (tls.client_ca)
//   certificate_refused   the client's certificate is not good, or of no authority of tls.client_ca
//   refused_by_client     the client ended it, and told why; mostly it does not trust our certificate
//   closed                the client closed the connection, or was too slow. Clients of gRPC do so, too, when they do not trust
//                         our certificate
//   other                 such as a version of TLS that is too old
//
// Threads: any number.
#ifndef HISTORIAN_SERVER_HANDSHAKES_H_
#define HISTORIAN_SERVER_HANDSHAKES_H_

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "server/log.h"
#include "server/metrics.h"

namespace historian::server {

class HandshakeWatch {
 public:
  struct Sink;

  // metrics and log must be there until Stop.
  HandshakeWatch(Metrics& metrics, Log& log);
  ~HandshakeWatch();  // Stops.
  HandshakeWatch(const HandshakeWatch&) = delete;
  HandshakeWatch& operator=(const HandshakeWatch&) = delete;

  // Handshakes that end from now on are nobody's concern. Returns when nothing is being logged any more.
  void Stop();

  // While one is there, the TLS connections that this thread makes are those of this peer. Not to be nested.
  class Peer {
   public:
    Peer(const HandshakeWatch& watch, std::string address);
    ~Peer();
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;
  };

 private:
  const std::shared_ptr<Sink> sink_;
};

// Returns whether this line of gRPC's log is the reason of a failed handshake and will be logged with its peer.
bool TakeHandshakeReason(absl::string_view line);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_HANDSHAKES_H_
