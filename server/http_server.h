// File: server/http_server.h
//
// A small HTTP/1.1 server for probes and metrics: GET and HEAD, no bodies, plain text answers.
//
// Limits: 64 connections at once, 8 KiB of request header, no request body, 10 s for a request to arrive and for its
// answer to be taken, 60 s between requests of a connection. When there is no place for a new connection, or no
// descriptor, one gives way: the oldest that has sent no whole request, else the longest idle, else the one that has
// been taking its answer for longest. So slow and silent clients do not keep health checks out.
// Threads: one, the io_context's.
#ifndef HISTORIAN_SERVER_HTTP_SERVER_H_
#define HISTORIAN_SERVER_HTTP_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace historian::server {

struct HttpAnswer {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

struct HttpRequest {
  absl::string_view path;           // Without its query.
  absl::string_view authorization;  // The header; empty if there is none.
  boost::asio::ip::address from;    // Not known: 0.0.0.0.
};

// Returns the answer to a request. Health checks must be quick; of the other paths one answer is made
// at a time, and what has come meanwhile is looked at in between: clients that ask for many do not hold up a health
// check.
struct HttpHandler {
  std::function<HttpAnswer(const HttpRequest& request)> answer;
  std::function<bool(absl::string_view path)> is_quick;
};

class HttpServer {
 public:
  // Listens on HOST:PORT (a name or an address); port 0 takes a free one. Serves while the context runs.
  // Errors: InvalidArgument, there is no such host. FailedPrecondition, the address is in use or does not
  // belong to this machine.
  // `shed` is called for each connection that gave way, `failed` when accepting failed.
  struct Notes {
    std::function<void()> shed;
    std::function<void(const boost::system::error_code& error)> failed;
    std::function<void(const absl::Status& why)> dead;  // No connection is accepted any more.
  };
  static absl::StatusOr<std::unique_ptr<HttpServer>> Listen(boost::asio::io_context& context,
                                                            const std::string& listen, HttpHandler handler,
                                                            Notes notes);
  // Closes all connections and takes no more, as soon as the context runs again.
  ~HttpServer();

  int port() const { return port_; }

 private:
  class Acceptor;
  HttpServer(std::shared_ptr<Acceptor> acceptor, int port) : acceptor_(std::move(acceptor)), port_(port) {}

  const std::shared_ptr<Acceptor> acceptor_;
  const int port_;
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_HTTP_SERVER_H_
