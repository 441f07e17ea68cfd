// File: server/http_server.h
//
// A small HTTP/1.1 server for probes and metrics: GET and HEAD, no bodies, plain text answers.
//
// Limits: 64 connections at once (the next ones are closed), 8 KiB of request header, no request body, 10 s
// for a request to arrive and for its answer to be taken, 60 s between requests of a connection.
// Threads: one, the io_context's.
#ifndef HISTORIAN_SERVER_HTTP_SERVER_H_
#define HISTORIAN_SERVER_HTTP_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace historian::server {

struct HttpAnswer {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

// Returns the answer to a path (without its query).
using HttpHandler = std::function<HttpAnswer(absl::string_view path)>;

class HttpServer {
 public:
  // Listens on HOST:PORT (a name or an address); port 0 takes a free one. Serves while the context runs.
  // Errors: InvalidArgument, there is no such host. FailedPrecondition, the address is in use or does not
  // belong to this machine.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Listen(boost::asio::io_context& context,
                                                            const std::string& listen, HttpHandler handler);
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
