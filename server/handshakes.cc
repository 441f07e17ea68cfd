#include "server/handshakes.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>

#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "storage/model/check.h"

namespace historian::server {

struct HandshakeWatch::Sink {
  absl::Mutex mu;
  Metrics* metrics ABSL_GUARDED_BY(mu) = nullptr;
  Log* log ABSL_GUARDED_BY(mu) = nullptr;
};

namespace {

// How gRPC's line begins, and what of it is for people: "... SSL_ERROR_SSL: error:0A0000C7:SSL routines::REASON."
constexpr absl::string_view kLine = "Handshake failed with fatal error ";
constexpr absl::string_view kBeforeReason = "SSL routines::";

struct Connection {
  std::shared_ptr<HandshakeWatch::Sink> sink;
  std::string address;
};

std::atomic<int> watches{0};
thread_local const Connection* making = nullptr;
// Not a std::string: connections may end when the thread's objects are gone already.
thread_local std::array<char, 128> reason_here{};

void NoteFailure(const Connection& connection, const SSL* ssl, absl::string_view said) {
  const long verified = SSL_get_verify_result(ssl);
  const char* reason = "other";
  std::string message(said.empty() ? "the handshake failed" : said);
  if (verified != X509_V_OK) {
    reason = "certificate_refused";
    message = absl::StrCat("the client's certificate: ", X509_verify_cert_error_string(verified));
  } else if (absl::StrContains(said, "did not return a certificate")) {
    reason = "no_certificate";
    message = "the client shows no certificate, and tls.client_ca asks for one";
  } else if (absl::StrContains(said, " alert ")) {
    reason = "refused_by_client";
    message = absl::StrCat("the client refuses the server: ", said);
  } else if (said.empty()) {
    reason = "closed";
    message = "the client closed the connection, or was too slow; it may not trust the server's certificate";
  }
  absl::MutexLock lock(&connection.sink->mu);
  if (connection.sink->log == nullptr) return;
  connection.sink->metrics->CountHandshakeFailure(reason);
  connection.sink->log->WriteLimited(
      LogLevel::kWarning, "handshake_failed", connection.address,
      {{"peer", connection.address}, {"reason", reason}, {"message", message}});
}

void OnNew(void*, void*, CRYPTO_EX_DATA* data, int index, long, void*) {
  if (making != nullptr) CRYPTO_set_ex_data(data, index, new Connection(*making));
}

void OnFree(void* parent, void* value, CRYPTO_EX_DATA*, int, long, void*) {
  const std::string said(reason_here.data());
  reason_here[0] = '\0';
  if (value == nullptr) return;
  const std::unique_ptr<Connection> connection(static_cast<Connection*>(value));
  const SSL* const ssl = static_cast<const SSL*>(parent);
  // A client that said nothing, such as a probe of the port, has not begun a handshake.
  if (SSL_is_init_finished(ssl) != 1 && SSL_in_before(ssl) != 1) NoteFailure(*connection, ssl, said);
}

}  // namespace

HandshakeWatch::HandshakeWatch(Metrics& metrics, Log& log) : sink_(std::make_shared<Sink>()) {
  static const int index = CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL, 0, nullptr, &OnNew, nullptr, &OnFree);
  HISTORIAN_CHECK(index >= 0);
  absl::MutexLock lock(&sink_->mu);
  sink_->metrics = &metrics;
  sink_->log = &log;
  ++watches;
}

HandshakeWatch::~HandshakeWatch() { Stop(); }

void HandshakeWatch::Stop() {
  absl::MutexLock lock(&sink_->mu);
  if (sink_->log == nullptr) return;
  sink_->metrics = nullptr;
  sink_->log = nullptr;
  --watches;
}

HandshakeWatch::Peer::Peer(const HandshakeWatch& watch, std::string address) {
  HISTORIAN_CHECK(making == nullptr);
  making = new Connection{watch.sink_, std::move(address)};
}

HandshakeWatch::Peer::~Peer() { delete std::exchange(making, nullptr); }

bool TakeHandshakeReason(absl::string_view line) {
  if (!absl::ConsumePrefix(&line, kLine)) return false;
  if (const size_t at = line.find(kBeforeReason); at != line.npos)
    line.remove_prefix(at + kBeforeReason.size());
  absl::ConsumeSuffix(&line, ".");
  const size_t size = std::min(line.size(), reason_here.size() - 1);
  std::copy_n(line.data(), size, reason_here.data());
  reason_here[size] = '\0';
  return watches.load() > 0;
}

}  // namespace historian::server
