// File: server/listener.h
//
// Takes TCP connections on one address, and goes on doing so whatever happens to a single one.
//
// Out of descriptors (EMFILE, ENFILE) and other errors that pass: it makes room if it can, else it waits kPause, so that
// no thread spins. A descriptor is kept in reserve: with it a connection for which there is no room is still taken,
// and answered by being closed, where it would otherwise wait without a word.
//
// Threads: the io_context's, which must be one. The handlers are called there.
#ifndef HISTORIAN_SERVER_LISTENER_H_
#define HISTORIAN_SERVER_LISTENER_H_

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace historian::server {

// The address of a connection's other end. One of IPv4 is said as such, also where a socket of IPv6 took it.
boost::asio::ip::address AddressOf(const boost::asio::ip::tcp::endpoint& peer);

class Listener : public std::enable_shared_from_this<Listener> {
 public:
  static constexpr std::chrono::milliseconds kPause{100};

  struct Handlers {
    // A connection. `in_reserve`: it has the last descriptor, and must be closed, or handed on to where it is soon closed.
    std::function<void(boost::asio::ip::tcp::socket socket, bool in_reserve)> take;
    // Closes a connection that can be spared. Returns false if there is no such connection.
    std::function<bool()> make_room;
    // An error that passes.
    std::function<void(const boost::system::error_code& error)> failed;
    // An error after which this address is never heard again. Called once.
    std::function<void(const absl::Status& why)> dead;
  };

  // Listens on HOST:PORT, on each address that the host name stands for; port 0 takes a free one. 0.0.0.0 is every
  // address of IPv4, [::] every one of IPv4 and IPv6. Connections wait until Start. `setting` is named in errors.
  // Errors: InvalidArgument, there is no such host. AlreadyExists, the address is in use. FailedPrecondition, it does not
  // belong to this machine, or this process may not have it.
  static absl::StatusOr<std::shared_ptr<Listener>> Open(boost::asio::io_context& context,
                                                        absl::string_view setting, const std::string& listen);
  ~Listener();

  void Start(Handlers handlers);
  // Takes no more, and lets go of the handlers. To be called on the context's thread, or when it does not run.
  void Stop();

  int port() const;
  // Where a connection of our own reaches it.
  boost::asio::ip::tcp::endpoint OwnEndpoint() const;

 private:
  using Acceptor = boost::asio::ip::tcp::acceptor;
  explicit Listener(boost::asio::io_context& context);

  void Accept(Acceptor& acceptor);
  void OnError(Acceptor& acceptor, const boost::system::error_code& error);
  void TakeWithReserve(Acceptor& acceptor);
  void Wait(Acceptor& acceptor);
  void FillReserve();

  boost::asio::io_context& context_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::vector<std::unique_ptr<boost::asio::steady_timer>> pauses_;  // One for each.
  Handlers handlers_;
  bool stopped_ = false;
  int reserve_ = -1;
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_LISTENER_H_
