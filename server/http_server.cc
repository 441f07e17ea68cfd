#include "server/http_server.h"

#include <chrono>
#include <deque>
#include <optional>
#include <set>
#include <utility>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include "server/listener.h"
#include "storage/model/status_macros.h"
#include "storage/platform/monotonic.h"

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
  Acceptor(asio::io_context& context, HttpHandler handler, Notes notes)
      : context_(context), handler_(std::move(handler)), notes_(std::move(notes)) {}

  void Start(std::shared_ptr<Listener> listener) {
    listener_ = std::move(listener);
    // Not shared: the listener is a part of this, and when the context is stopped first nobody takes the handlers from it.
    listener_->Start({.take =
                          [weak = weak_from_this()](tcp::socket socket, bool) {
                            if (const auto self = weak.lock()) self->Take(std::move(socket));
                          },
                      .make_room =
                          [weak = weak_from_this()] {
                            const auto self = weak.lock();
                            return self != nullptr && self->MakeRoom();
                          },
                      .failed = notes_.failed,
                      .dead = notes_.dead});
  }

  void Stop() {
    asio::post(context_, [self = shared_from_this()] {
      self->listener_->Stop();
      // Closing one may end it, and so change the set.
      const std::set<Connection*> connections = self->connections_;
      for (Connection* connection : connections) connection->Close();
    });
  }

 private:
  class Connection : public std::enable_shared_from_this<Connection> {
   public:
    // What a connection does, the one that gives way first at the top.
    enum class State { kSilent, kIdle, kAnswered };

    Connection(std::shared_ptr<Acceptor> acceptor, tcp::socket socket)
        : acceptor_(std::move(acceptor)), stream_(std::move(socket)) {}
    ~Connection() { acceptor_->connections_.erase(this); }

    State state() const { return state_; }
    MonotonicTime since() const { return since_; }

    void Read() {
      state_ = answered_ ? State::kIdle : State::kSilent;
      since_ = MonotonicTime::Now();
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

    void AnswerPath() {
      const auto& request = parser_->get();
      const auto authorization = request[http::field::authorization];
      Answer(acceptor_->handler_.answer({.path = Path(),
                                         .authorization = {authorization.data(), authorization.size()},
                                         .from = From()}),
             request.version(), request.keep_alive(), request.method() == http::verb::head);
    }

    bool is_open() const { return stream_.socket().is_open(); }

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
      if (acceptor_->handler_.is_quick(Path())) {
        AnswerPath();
      } else {
        state_ = State::kAnswered;
        since_ = MonotonicTime::Now();
        acceptor_->Queue(shared_from_this());
      }
    }

    asio::ip::address From() const {
      boost::system::error_code error;
      return AddressOf(stream_.socket().remote_endpoint(error));
    }

    absl::string_view Path() const {
      const auto target = parser_->get().target();
      return absl::string_view(target.data(), target.size()).substr(0, target.find('?'));
    }

    void Answer(HttpAnswer answer, unsigned version, bool keep_alive, bool head) {
      state_ = State::kAnswered;
      since_ = MonotonicTime::Now();
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
    State state_ = State::kSilent;
    MonotonicTime since_;
  };

  void Take(tcp::socket socket) {
    if (connections_.size() >= kConnectionsMax) MakeRoom();
    auto connection = std::make_shared<Connection>(shared_from_this(), std::move(socket));
    connections_.insert(connection.get());
    connection->Read();
  }

  // The connection has a request whose answer takes some time to make.
  void Queue(std::shared_ptr<Connection> connection) {
    queue_.push_back(std::move(connection));
    if (queue_.size() == 1) AnswerNextLater();
  }

  void AnswerNextLater() {
    asio::post(context_, [self = shared_from_this()] {
      const std::shared_ptr<Connection> connection = std::move(self->queue_.front());
      self->queue_.pop_front();
      if (connection->is_open()) connection->AnswerPath();
      if (!self->queue_.empty()) self->AnswerNextLater();
    });
  }

  bool MakeRoom() {
    Connection* spared = nullptr;
    for (Connection* connection : connections_) {
      if (spared == nullptr ||
          std::pair(connection->state(), connection->since()) < std::pair(spared->state(), spared->since())) {
        spared = connection;
      }
    }
    if (spared == nullptr) return false;
    // It is destroyed when its handler has run, but holds neither place nor descriptor from here.
    connections_.erase(spared);
    spared->Close();
    notes_.shed();
    return true;
  }

  asio::io_context& context_;
  const HttpHandler handler_;
  const Notes notes_;
  std::shared_ptr<Listener> listener_;
  std::deque<std::shared_ptr<Connection>> queue_;  // Those whose answers are to be made.
  std::set<Connection*> connections_;
};

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Listen(asio::io_context& context,
                                                               const std::string& listen, HttpHandler handler,
                                                               Notes notes) {
  ASSIGN_OR_RETURN(std::shared_ptr<Listener> listener, Listener::Open(context, "http.listen", listen));
  const int port = listener->port();
  auto acceptor = std::make_shared<Acceptor>(context, std::move(handler), std::move(notes));
  acceptor->Start(std::move(listener));
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(acceptor), port));
}

HttpServer::~HttpServer() { acceptor_->Stop(); }

}  // namespace historian::server
