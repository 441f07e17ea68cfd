#include "server/listener.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include <boost/asio/ip/v6_only.hpp>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "server/config.h"

namespace historian::server {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// Connections that are taken with the reserve, between two pauses.
constexpr int kTakenInReserve = 64;

// The listening socket itself is gone or no longer listens.
bool IsDeath(const error_code& error) {
  switch (error.value()) {
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
    case EOPNOTSUPP:
      return true;
    default:
      return false;
  }
}

bool IsWantOfDescriptors(const error_code& error) {
  return error.value() == EMFILE || error.value() == ENFILE;
}

error_code OpenOn(tcp::acceptor& acceptor, const tcp::endpoint& endpoint) {
  error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error && endpoint.address().is_v6()) {
    acceptor.set_option(asio::ip::v6_only(!endpoint.address().is_unspecified()), error);
  }
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  return error;
}

}  // namespace

boost::asio::ip::address AddressOf(const boost::asio::ip::tcp::endpoint& peer) {
  const boost::asio::ip::address address = peer.address();
  if (!address.is_v6() || !address.to_v6().is_v4_mapped()) return address;
  return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6());
}

Listener::Listener(asio::io_context& context) : context_(context) { FillReserve(); }
Listener::~Listener() {
  if (reserve_ >= 0) close(reserve_);
}

absl::StatusOr<std::shared_ptr<Listener>> Listener::Open(asio::io_context& context, absl::string_view setting,
                                                         const std::string& listen) {
  std::string host;
  int port = 0;
  if (!SplitHostPort(listen, &host, &port)) {
    return absl::InvalidArgumentError(absl::StrCat(setting, ": '", listen, "' is not HOST:PORT"));
  }
  error_code error;
  tcp::resolver resolver(context);
  const auto found = resolver.resolve(host, absl::StrCat(port), tcp::resolver::passive, error);
  if (error || found.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(setting, ": ", listen, ": ", error.message()));
  }
  auto listener = absl::WrapUnique(new Listener(context));
  error_code unusable;
  for (const auto& entry : found) {
    tcp::endpoint endpoint = entry.endpoint();
    // All addresses of a name have the same port.
    if (endpoint.port() == 0 && !listener->acceptors_.empty()) {
      endpoint.port(static_cast<unsigned short>(listener->port()));
    }
    auto acceptor = std::make_unique<tcp::acceptor>(context);
    error = OpenOn(*acceptor, endpoint);
    if (!error) {
      listener->acceptors_.push_back(std::move(acceptor));
      listener->pauses_.push_back(std::make_unique<asio::steady_timer>(context));
    } else if (error == asio::error::address_family_not_supported || error.value() == EADDRNOTAVAIL) {
      unusable = error;  // Such as ::1 of localhost, on a machine without IPv6.
    } else {
      break;
    }
  }
  if (listener->acceptors_.empty() && !error) error = unusable;
  if (error && (listener->acceptors_.empty() || error != unusable)) {
    const std::string what = absl::StrCat(setting, ": cannot listen on ", listen, ": ", error.message());
    switch (error.value()) {
      case EADDRINUSE:
        return absl::AlreadyExistsError(absl::StrCat(
            what, "; another program has that port (ss -ltnp shows which): end it, or choose another port"));
      case EADDRNOTAVAIL:
        return absl::FailedPreconditionError(
            absl::StrCat(what, "; no interface of this machine has that address (ip address shows them)"));
      case EACCES:
        return absl::FailedPreconditionError(absl::StrCat(
            what, "; ports below 1024 are for root, or who has CAP_NET_BIND_SERVICE: choose another port"));
      default:
        return absl::FailedPreconditionError(what);
    }
  }
  return std::shared_ptr<Listener>(std::move(listener));
}

void Listener::Start(Handlers handlers) {
  handlers_ = std::move(handlers);
  for (const auto& acceptor : acceptors_) Accept(*acceptor);
}

void Listener::Stop() {
  stopped_ = true;
  for (size_t i = 0; i < acceptors_.size(); ++i) {
    error_code ignored;
    acceptors_[i]->close(ignored);
    pauses_[i]->cancel();
  }
  handlers_ = {};
}

int Listener::port() const {
  error_code ignored;
  return acceptors_.front()->local_endpoint(ignored).port();
}

tcp::endpoint Listener::OwnEndpoint() const {
  error_code ignored;
  tcp::endpoint endpoint = acceptors_.front()->local_endpoint(ignored);
  if (endpoint.address().is_unspecified()) {
    endpoint.address(endpoint.address().is_v6() ? asio::ip::address(asio::ip::address_v6::loopback())
                                                : asio::ip::address(asio::ip::address_v4::loopback()));
  }
  return endpoint;
}

void Listener::Accept(Acceptor& acceptor) {
  acceptor.async_accept([self = shared_from_this(), &acceptor](error_code error, tcp::socket socket) {
    if (self->stopped_) return;
    if (error) {
      self->OnError(acceptor, error);
      return;
    }
    self->handlers_.take(std::move(socket), /*in_reserve=*/false);
    self->Accept(acceptor);
  });
}

void Listener::OnError(Acceptor& acceptor, const error_code& error) {
  if (IsDeath(error)) {
    const auto dead = std::move(handlers_.dead);
    handlers_.dead = nullptr;
    if (dead)
      dead(absl::UnavailableError(absl::StrCat("connections are no longer accepted: ", error.message())));
    return;
  }
  handlers_.failed(error);
  if (IsWantOfDescriptors(error)) {
    if (handlers_.make_room()) {
      Accept(acceptor);
      return;
    }
    TakeWithReserve(acceptor);
  }
  Wait(acceptor);
}

void Listener::TakeWithReserve(Acceptor& acceptor) {
  if (reserve_ < 0) return;
  close(std::exchange(reserve_, -1));
  error_code error;
  acceptor.non_blocking(true, error);
  // Each is closed before the next is taken, or keeps the reserve, and then this fails.
  for (int i = 0; i < kTakenInReserve && !error && !stopped_; ++i) {
    tcp::socket socket(context_);
    acceptor.accept(socket, error);
    if (!error) handlers_.take(std::move(socket), /*in_reserve=*/true);
  }
  FillReserve();
}

void Listener::Wait(Acceptor& acceptor) {
  for (size_t i = 0; i < acceptors_.size(); ++i) {
    if (acceptors_[i].get() != &acceptor) continue;
    pauses_[i]->expires_after(kPause);
    pauses_[i]->async_wait([self = shared_from_this(), &acceptor](error_code error) {
      if (error || self->stopped_) return;
      if (self->reserve_ < 0) self->FillReserve();
      self->Accept(acceptor);
    });
  }
}

void Listener::FillReserve() { reserve_ = open("/dev/null", O_RDONLY | O_CLOEXEC); }

}  // namespace historian::server
