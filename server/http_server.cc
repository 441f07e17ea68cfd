#include "server/http_server.h"

#include <chrono>
#include <optional>
#include <set>
#include <utility>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include "absl/strings/str_cat.h"
#include "server/config.h"

namespace historian::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;

constexpr size_t kConnectionsMax = 64;
constexpr size_t kHeaderBytesMax = 8 * 1024;
constexpr auto kRequestTime = std::chrono::seconds(10);
constexpr auto kIdleTime = std::chrono::seconds(60);

}  // namespace

class HttpServer::Acceptor : public std::enable_shared_from_this<HttpServer::Acceptor> {
 public:
  Acceptor(tcp::acceptor acceptor, HttpHandler handler)
      : acceptor_(std::move(acceptor)), handler_(std::move(handler)) {}

  void Accept() {
    acceptor_.async_accept([self = shared_from_this()](boost::system::error_code error, tcp::socket socket) {
      if (!self->acceptor_.is_open()) return;
      if (!error) {
        if (self->connections_.size() < kConnectionsMax) {
          auto connection = std::make_shared<Connection>(self, std::move(socket));
          self->connections_.insert(connection.get());
          connection->Read();
        }  // Else it is closed here: the socket goes out of scope.
      }
      self->Accept();
    });
  }

  void Stop() {
    asio::post(acceptor_.get_executor(), [self = shared_from_this()] {
      boost::system::error_code ignored;
      self->acceptor_.close(ignored);
      for (Connection* connection : self->connections_) connection->Close();
    });
  }

 private:
  class Connection : public std::enable_shared_from_this<Connection> {
   public:
    Connection(std::shared_ptr<Acceptor> acceptor, tcp::socket socket)
        : acceptor_(std::move(acceptor)), stream_(std::move(socket)) {}
    ~Connection() { acceptor_->connections_.erase(this); }

    void Read() {
      parser_.emplace();
      parser_->header_limit(kHeaderBytesMax);
      parser_->body_limit(0);
      // The time to the next request is longer only once there was one.
      stream_.expires_after(answered_ ? kIdleTime : kRequestTime);
      http::async_read(
          stream_, buffer_, *parser_, [self = shared_from_this()](beast::error_code error, size_t) {
            if (error == http::error::header_limit) {
              self->Answer({.status = 431, .body = "the request's header is above 8 KiB\n"}, 11, false,
                           false);
            } else if (error == http::error::body_limit || error == http::error::unexpected_body ||
                       error == http::error::buffer_overflow) {
              self->Answer({.status = 413, .body = "a request must not have a body\n"}, 11, false, false);
            } else if (error == http::error::end_of_stream || error == beast::error::timeout ||
                       error == asio::error::operation_aborted || error == asio::error::connection_reset) {
              self->Close();
            } else if (error) {
              self->Answer({.status = 400, .body = "this is not an HTTP request\n"}, 11, false, false);
            } else {
              self->Serve();
            }
          });
    }

    void Close() {
      boost::system::error_code ignored;
      stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
      stream_.close();
    }

   private:
    void Serve() {
      const auto& request = parser_->get();
      const bool head = request.method() == http::verb::head;
      if (!head && request.method() != http::verb::get) {
        Answer({.status = 405, .body = "only GET and HEAD are answered\n"}, request.version(), false, head);
        return;
      }
      const absl::string_view target(request.target().data(), request.target().size());
      Answer(acceptor_->handler_(target.substr(0, target.find('?'))), request.version(), request.keep_alive(),
             head);
    }

    void Answer(HttpAnswer answer, unsigned version, bool keep_alive, bool head) {
      response_ = {};
      response_.version(version);
      response_.result(static_cast<unsigned>(answer.status));
      response_.set(http::field::server, "historiand");
      response_.set(http::field::content_type, answer.content_type);
      response_.set(http::field::cache_control, "no-store");
      if (answer.status == 405) response_.set(http::field::allow, "GET, HEAD");
      response_.keep_alive(keep_alive);
      response_.content_length(answer.body.size());
      if (!head) response_.body() = std::move(answer.body);
      stream_.expires_after(kRequestTime);
      http::async_write(stream_, response_,
                        [self = shared_from_this(), keep_alive](beast::error_code error, size_t) {
                          if (error || !keep_alive) {
                            self->Close();
                            return;
                          }
                          self->answered_ = true;
                          self->Read();
                        });
    }

    const std::shared_ptr<Acceptor> acceptor_;
    beast::tcp_stream stream_;
    beast::flat_buffer buffer_{kHeaderBytesMax * 2};
    std::optional<http::request_parser<http::empty_body>> parser_;
    http::response<http::string_body> response_;
    bool answered_ = false;
  };

  tcp::acceptor acceptor_;
  const HttpHandler handler_;
  std::set<Connection*> connections_;
};

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Listen(asio::io_context& context,
                                                               const std::string& listen,
                                                               HttpHandler handler) {
  std::string host;
  int port = 0;
  if (!SplitHostPort(listen, &host, &port)) {
    return absl::InvalidArgumentError(absl::StrCat("http.listen: '", listen, "' is not HOST:PORT"));
  }
  boost::system::error_code error;
  tcp::resolver resolver(context);
  const auto found = resolver.resolve(host, absl::StrCat(port), tcp::resolver::passive, error);
  if (error || found.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("http.listen: ", listen, ": ", error.message()));
  }
  const tcp::endpoint endpoint = found.begin()->endpoint();
  tcp::acceptor acceptor(context);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    return absl::FailedPreconditionError(
        absl::StrCat("http.listen: cannot listen on ", listen, ": ", error.message()));
  }
  const int actual = acceptor.local_endpoint(error).port();
  auto server = std::make_shared<Acceptor>(std::move(acceptor), std::move(handler));
  server->Accept();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(server), actual));
}

HttpServer::~HttpServer() { acceptor_->Stop(); }

}  // namespace historian::server
