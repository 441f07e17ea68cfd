// File: server/tls.h
//
// gRPC's credentials from the files of tls.cert, tls.key and tls.client_ca, which may change while the server runs.
//
//   file changes -> read -> the same at the next look -> checked (server/certificates.h) -> in force for new handshakes
//                                                    -> bad: the old ones stay in force; told if that lasts
//
//   Two units     The pair (tls.cert and tls.key), and the authorities (tls.client_ca). One of them may be bad while
//                 the other is taken.
//   Change        What a file holds is compared, not its time, size or inode. So it does not matter how it is replaced: in
//                 place, by rename, or by a symbolic link somewhere on its path (certbot, Kubernetes).
//   Half-written  A change is taken only when it was the same at two looks in a row, since a chain that is cut between two
//                 certificates looks whole. A bad one is told only after kPatience: mostly the other file of the
//                 pair is still to come.
//   Expired       At the start it is taken, as a server whose clock is wrong must go on storing. Later a pair that is not
//                 good at present (expired, or not yet valid) does not replace one that is. Whether it is good is
//                 looked at again and again.
//   Connections   keep the certificates with which they began.
//
// How gRPC gets them: it asks for them at the beginning of each handshake, within the call that hands it the connection
// (grpc_ssl_server_certificate_config_callback of its stable interface). So a change is in force for the very next
// handshake, certificate, key and authorities change in one step, and no other file, thread or descriptor is needed.
// Why not gRPC's own watcher of files: docs/decisions/2026-11-29-certificates-are-reread.md.
//
// Logs
//   certificate_loaded     a pair is in force: subject, issuer, serial, when it expires
//   authorities_loaded     authorities are in force: how many, their names, when the first of them expires
//   certificate_refused    the files changed, but cannot be taken: setting, file, reason. Once for each change
//   certificate_mended     after certificate_refused, the files are again those in force
//   certificate_expires    30, 14 and 7 days before, then daily
//   certificate_expired, certificate_not_yet_valid    daily
//
// Threads: any number, but the gRPC server must be handed all its connections by one thread (server/grpc_door.h).
#ifndef HISTORIAN_SERVER_TLS_H_
#define HISTORIAN_SERVER_TLS_H_

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "grpcpp/security/server_credentials.h"
#include "server/config.h"
#include "server/log.h"
#include "server/metrics.h"
#include "storage/model/clock.h"

namespace historian::server {

class TlsFiles {
 public:
  // How often Start's thread looks.
  static constexpr absl::Duration kLookInterval = absl::Seconds(1);
  // How long files may be bad before that is told.
  static constexpr absl::Duration kPatience = absl::Seconds(5);

  // Reads nothing yet. clock, metrics and log must outlive it.
  TlsFiles(const TlsConfig& config, const Clock& clock, Metrics& metrics, Log& log);
  // Stops, if Stop() was not called.
  ~TlsFiles();
  TlsFiles(const TlsFiles&) = delete;
  TlsFiles& operator=(const TlsFiles&) = delete;

  // Reads the files for the first time. Does nothing if no certificate is configured.
  // Errors: InvalidArgument, what is in them cannot be used; names the setting, the file and the reason.
  absl::Status Load();

  // Returns credentials for plain text if no certificate is configured. With client_ca, clients must show a
  // certificate. To be called after Load. The files must outlive the gRPC server that gets them.
  std::shared_ptr<grpc::ServerCredentials> Credentials();

  // Looks on a thread of its own from now on, so that a disk that hangs holds up nobody else.
  void Start();
  void Stop();
  // Somebody asks for it (SIGHUP): the thread looks at once, and a change is taken, or told to be bad, without waiting.
  void LookSoon();
  // Looks now, on this thread. `asked`: as by LookSoon.
  void Look(bool asked);

  // What /metrics shows: one for tls.cert, with tls.client_ca another one.
  std::vector<CertificateState> States() const;

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

// Whether the address can only be reached from this machine. Requires HOST:PORT.
bool IsLoopback(absl::string_view listen);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_TLS_H_
