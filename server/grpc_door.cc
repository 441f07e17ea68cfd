#include "server/grpc_door.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <functional>
#include <list>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "absl/container/flat_hash_map.h"
#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "server/handshakes.h"
#include "server/listener.h"
#include "server/received_bytes.h"
#include "storage/model/status_macros.h"
#include "storage/platform/monotonic.h"

namespace historian::server {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr absl::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr size_t kTlsHeaderBytes = 5;
constexpr size_t kTlsRecordBytesMax = (size_t{1} << 14) + 256;
constexpr uint8_t kTlsHandshake = 22;
// How often the door looks for connections that are gone and for clients that said nothing; and while one waits for a
// place.
constexpr auto kLook = std::chrono::milliseconds(500);
constexpr auto kWeigh = std::chrono::milliseconds(20);
// gRPC needs a moment to free what a connection had that was closed.
constexpr auto kWeighAgain = std::chrono::milliseconds(60);
// Connections over which less has come in the last half second are left alone.
constexpr uint64_t kMuch = uint64_t{64} << 10;
constexpr auto kLookForPlace = std::chrono::milliseconds(10);
// gRPC's listener sets the same, as keepalive is on: bytes that a peer never confirms end its connection.
constexpr unsigned kUserTimeoutMillis = 20'000;

// The system wakes us only when so many bytes are there, or the client has closed.
void WakeAt(int fd, size_t bytes) {
  const int count = static_cast<int>(bytes);
  setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &count, sizeof(count));
}

enum class Hello { kMore, kPart, kSaid, kWrong, kClosed };

bool HasHungUp(int fd) {
  pollfd it{.fd = fd, .events = POLLRDHUP, .revents = 0};
  return poll(&it, 1, 0) > 0;
}

// What a client's first words are so far. They stay where they are.
//   kMore   *wanted is how many bytes it takes to go on
//   kPart   as many are wanted as before: the system, short of memory, woke us too early
Hello LookAtHello(int fd, bool tls, size_t* wanted) {
  std::array<uint8_t, kPreface.size()> bytes;
  const ssize_t peeked = recv(fd, bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
  if (peeked < 0 && errno == EAGAIN) return Hello::kPart;
  if (peeked <= 0) return Hello::kClosed;
  const size_t size = static_cast<size_t>(peeked);
  const auto unfinished = [fd] { return HasHungUp(fd) ? Hello::kClosed : Hello::kPart; };
  if (!tls) {
    const absl::string_view said(reinterpret_cast<const char*>(bytes.data()), size);
    if (said != kPreface.substr(0, size)) return Hello::kWrong;
    return size == kPreface.size() ? Hello::kSaid : unfinished();
  }
  if (bytes[0] != kTlsHandshake || (size > 1 && bytes[1] != 3)) return Hello::kWrong;
  if (size < kTlsHeaderBytes) return unfinished();
  const size_t record = size_t{bytes[3]} << 8 | bytes[4];
  if (record == 0 || record > kTlsRecordBytesMax) return Hello::kWrong;
  int there = 0;
  if (ioctl(fd, FIONREAD, &there) != 0) return Hello::kClosed;
  if (static_cast<size_t>(there) >= kTlsHeaderBytes + record) return Hello::kSaid;
  if (*wanted == kTlsHeaderBytes + record) return unfinished();
  *wanted = kTlsHeaderBytes + record;
  return Hello::kMore;
}

}  // namespace

class GrpcDoor::Impl : public std::enable_shared_from_this<GrpcDoor::Impl> {
 public:
  Impl(Options options, Metrics& metrics, Log& log)
      : options_(std::move(options)),
        waiting_max_(std::max<uint64_t>(options_.connections / 4, 1)),
        metrics_(metrics),
        log_(log),
        look_(context_),
        weigh_(context_),
        busy_(asio::make_work_guard(context_)) {
    if (options_.tls) handshakes_.emplace(metrics, log);
  }

  absl::Status Open() {
    ASSIGN_OR_RETURN(listener_, Listener::Open(context_, "grpc.listen", options_.listen));
    return absl::OkStatus();
  }

  void Start(std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> to) {
    to_ = std::move(to);
    asio::post(context_, [self = shared_from_this()] {
      self->listener_->Start(
          {.take = [door = self.get()](tcp::socket socket,
                                       bool in_reserve) { door->Take(std::move(socket), in_reserve); },
           .make_room = [door = self.get()] { return door->MakeRoom(); },
           .failed = [door = self.get()](const error_code& error) { door->NoteFailure(error); },
           .dead =
               [door = self.get()](const absl::Status& why) {
                 if (door->options_.dead) door->options_.dead(why);
               }});
      self->Look();
      if (self->options_.memory_excess != nullptr) self->Weigh();
    });
    thread_ = std::thread([this] { context_.run(); });
  }

  void Stop() {
    if (stopped_.exchange(true)) return;
    if (thread_.joinable()) {
      // The thread ends between two handlers, so that nothing is handed on any more.
      asio::post(context_, [this] {
        listener_->Stop();
        look_.cancel();
        weigh_.cancel();
        while (!waiting_.empty()) Drop(waiting_.begin());
        busy_.reset();
      });
      thread_.join();
    } else {
      listener_->Stop();
    }
    if (handshakes_.has_value()) handshakes_->Stop();
    metrics_.connections.store(0);
  }

  int port() const { return listener_->port(); }
  tcp::endpoint OwnEndpoint() const { return listener_->OwnEndpoint(); }
  void ExpectOwn(unsigned short port) { own_port_.store(port); }

 private:
  // A connection that gRPC does not have yet.
  struct Waiting {
    Waiting(tcp::socket s, std::string address, MonotonicTime since)
        : socket(std::move(s)), address(std::move(address)), since(since) {}
    tcp::socket socket;
    const std::string address;
    MonotonicTime since;  // Of the wait for words, then of that for a place.
    size_t wanted = 0;    // Bytes at which we are woken.
    bool asleep = false;  // Nothing waits for its next bytes until the next look.
    bool said = false;    // It has no place.
    bool own = false;
    bool dropped = false;
  };
  using Place = std::list<std::shared_ptr<Waiting>>::iterator;

  // A connection that gRPC has. It is gone when the descriptor is no longer this socket.
  struct Handed {
    int fd;
    ino_t inode;
    std::string address;
    bool own;
    uint64_t received = 0;  // As of received_noted_.

    // Else gRPC has closed it.
    bool is_open() const {
      struct stat info;
      return fstat(fd, &info) == 0 && info.st_ino == inode && S_ISSOCK(info.st_mode);
    }
  };

  // ---- The door's thread

  void Take(tcp::socket socket, bool in_reserve) {
    error_code error;
    const tcp::endpoint peer = socket.remote_endpoint(error);
    if (error) return;  // Gone already.
    metrics_.CountConnection();
    const bool own = peer.port() == own_port_.load() && peer.address() == listener_->OwnEndpoint().address();
    if (in_reserve && !own) {
      Refuse("descriptors", AddressOf(peer).to_string());
      return;
    }
    if (!own && waiting_.size() >= waiting_max_) MakeRoom();
    const int fd = socket.native_handle();
    socket.native_non_blocking(true, error);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    const int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &kUserTimeoutMillis, sizeof(kUserTimeoutMillis));
    auto connection =
        std::make_shared<Waiting>(std::move(socket), AddressOf(peer).to_string(), MonotonicTime::Now());
    connection->own = own;
    connection->wanted = options_.tls ? kTlsHeaderBytes : kPreface.size();
    waiting_.push_back(connection);
    const Place place = std::prev(waiting_.end());
    if (HasPlenty(*connection)) {
      TryHandOn(place);
      return;
    }
    WakeAt(fd, connection->wanted);
    AwaitHello(place);
  }

  void AwaitHello(Place place) {
    (*place)->socket.async_wait(tcp::socket::wait_read,
                                [self = shared_from_this(), connection = *place, place](error_code error) {
                                  if (connection->dropped) return;
                                  if (error) {
                                    self->Drop(place);
                                  } else {
                                    self->OnHello(place);
                                  }
                                });
  }

  void OnHello(Place place) {
    Waiting& connection = **place;
    const int fd = connection.socket.native_handle();
    switch (LookAtHello(fd, options_.tls, &connection.wanted)) {
      case Hello::kMore:
        WakeAt(fd, connection.wanted);
        AwaitHello(place);
        return;
      case Hello::kPart:
        connection.asleep = true;
        return;
      case Hello::kClosed:
        Drop(place);
        return;
      case Hello::kWrong:
        Refuse(options_.tls ? "not_tls" : "not_http2", connection.address);
        Drop(place);
        return;
      case Hello::kSaid:
        connection.said = true;
        connection.since = MonotonicTime::Now();
        if (TryHandOn(place)) return;
        // A place may be free that nobody has noticed yet.
        if (!placeless_) look_.cancel();
        return;
    }
  }

  bool HasPlace(const Waiting& connection, uint64_t connections, uint64_t per_peer) const {
    if (connection.own) return true;
    const auto it = handed_by_address_.find(connection.address);
    const uint64_t of_address = it == handed_by_address_.end() ? 0 : it->second;
    return handed_.size() < connections && of_address < per_peer;
  }
  bool HasPlace(const Waiting& connection) const {
    return HasPlace(connection, options_.connections, options_.per_peer);
  }
  // Less than half of the places are taken.
  bool HasPlenty(const Waiting& connection) const {
    return HasPlace(connection, options_.connections / 2, options_.per_peer / 2);
  }

  bool TryHandOn(Place place) {
    Waiting& connection = **place;
    if (!HasPlace(connection)) return false;
    const int fd = connection.socket.native_handle();
    struct stat info;
    error_code error;
    if (fstat(fd, &info) == 0) {
      WakeAt(fd, 1);
      connection.socket.release(error);
      if (!error) {
        handed_.push_back({fd, info.st_ino, connection.address, connection.own});
        if (!connection.own) ++handed_by_address_[connection.address];
        metrics_.connections.store(static_cast<int64_t>(handed_.size()));
        grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
        parameters.fd = fd;
        std::optional<HandshakeWatch::Peer> peer;
        if (handshakes_.has_value() && !connection.own) peer.emplace(*handshakes_, connection.address);
        to_->HandleNewConnection(&parameters);
      }
    }
    Drop(place);
    return true;
  }

  // Forgets the connection, and closes it if gRPC does not have it.
  void Drop(Place place) {
    (*place)->dropped = true;
    error_code ignored;
    if ((*place)->socket.is_open()) (*place)->socket.close(ignored);
    waiting_.erase(place);
  }

  // The one that has waited longest gives way: of those that said nothing, else of all.
  bool MakeRoom() {
    auto oldest = std::find_if(waiting_.begin(), waiting_.end(),
                               [](const auto& connection) { return !connection->said && !connection->own; });
    if (oldest == waiting_.end()) {
      oldest = std::find_if(waiting_.begin(), waiting_.end(),
                            [](const auto& connection) { return !connection->own; });
    }
    if (oldest == waiting_.end()) return false;
    Refuse((*oldest)->said ? "no_place" : "gave_way", (*oldest)->address);
    Drop(oldest);
    return true;
  }

  // Once in a while, and more often while somebody waits for a place.
  void Look() {
    ForgetGone();
    const MonotonicTime now = MonotonicTime::Now();
    placeless_ = false;
    for (auto it = waiting_.begin(); it != waiting_.end();) {
      const Place place = it++;
      const Waiting& connection = **place;
      if (connection.said) {
        if (TryHandOn(place)) continue;
        if (now - connection.since < kPlaceTime) {
          placeless_ = true;
          continue;
        }
        Refuse(handed_.size() >= options_.connections ? "connections" : "connections_per_peer",
               connection.address);
        Drop(place);
      } else if (now - connection.since >= options_.hello_time) {
        Refuse("silent", connection.address);
        Drop(place);
      } else if (connection.asleep) {
        (*place)->asleep = false;
        AwaitHello(place);
      }
    }
    look_.expires_after(placeless_ ? kLookForPlace : kLook);
    look_.async_wait([self = shared_from_this()](error_code) {
      if (!self->stopped_.load()) self->Look();
    });
  }

  void ForgetGone() {
    const bool is_time = MonotonicTime::Now() - received_noted_ >= absl::FromChrono(kLook);
    if (is_time) received_noted_ = MonotonicTime::Now();
    for (size_t i = 0; i < handed_.size();) {
      Handed& connection = handed_[i];
      if (connection.is_open()) {
        if (is_time) connection.received = ReceivedBytes(connection.fd);
        ++i;
        continue;
      }
      if (!connection.own) {
        const auto it = handed_by_address_.find(connection.address);
        if (--it->second == 0) handed_by_address_.erase(it);
      }
      connection = std::move(handed_.back());
      handed_.pop_back();
    }
    metrics_.connections.store(static_cast<int64_t>(handed_.size()));
  }

  // Whether there is memory, several times while a fast client fills a tenth of what is left.
  void Weigh() {
    const uint64_t excess = options_.memory_excess();
    if (excess > 0) Shed(excess);
    weigh_.expires_after(excess > 0 ? kWeighAgain : kWeigh);
    weigh_.async_wait([self = shared_from_this()](error_code) {
      if (!self->stopped_.load()) self->Weigh();
    });
  }

  // What came lately is what gRPC has not handed on yet, as far as anybody can tell: enough of it goes to make up for the
  // excess and what comes meanwhile.
  void Shed(uint64_t excess) {
    std::vector<std::pair<uint64_t, const Handed*>> came;
    for (const Handed& connection : handed_) {
      if (connection.own || !connection.is_open()) continue;
      const uint64_t received = ReceivedBytes(connection.fd);
      const uint64_t lately = received > connection.received ? received - connection.received : 0;
      if (lately >= kMuch) came.emplace_back(lately, &connection);
    }
    std::sort(came.begin(), came.end(), std::greater<>());
    uint64_t shed = 0;
    for (const auto& [lately, connection] : came) {
      if (shed > 2 * excess) break;
      shed += lately;
      Refuse("memory", connection->address);
      // gRPC hears of it, and closes it.
      if (connection->is_open()) shutdown(connection->fd, SHUT_RDWR);
    }
  }

  void Refuse(const char* reason, const std::string& address) {
    metrics_.CountConnectionRefused(reason);
    log_.WriteLimited(LogLevel::kWarning, "connection_refused", reason,
                      {{"reason", reason}, {"peer", address}, {"connections", uint64_t{handed_.size()}}});
  }

  void NoteFailure(const error_code& error) {
    metrics_.CountAcceptFailure();
    log_.WriteLimited(LogLevel::kError, "accept_failed", "grpc",
                      {{"listener", "grpc"},
                       {"message", error.message()},
                       {"connections", uint64_t{handed_.size()}},
                       {"waiting", uint64_t{waiting_.size()}}});
  }

  const Options options_;
  const uint64_t waiting_max_;
  Metrics& metrics_;
  Log& log_;
  std::optional<HandshakeWatch> handshakes_;
  std::atomic<bool> stopped_{false};
  std::atomic<unsigned short> own_port_{0};

  // The door's thread.
  asio::io_context context_;
  asio::steady_timer look_;
  asio::steady_timer weigh_;
  asio::executor_work_guard<asio::io_context::executor_type> busy_;
  std::shared_ptr<Listener> listener_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> to_;
  std::list<std::shared_ptr<Waiting>> waiting_;  // The longest waiting first.
  bool placeless_ = false;                       // One of them waits for a place.
  std::vector<Handed> handed_;
  MonotonicTime received_noted_ = MonotonicTime::InfinitePast();
  absl::flat_hash_map<std::string, uint64_t> handed_by_address_;
  std::thread thread_;
};

absl::StatusOr<std::unique_ptr<GrpcDoor>> GrpcDoor::Open(Options options, Metrics& metrics, Log& log) {
  auto impl = std::make_shared<Impl>(std::move(options), metrics, log);
  RETURN_IF_ERROR(impl->Open());
  return absl::WrapUnique(new GrpcDoor(std::move(impl)));
}

GrpcDoor::GrpcDoor(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
GrpcDoor::~GrpcDoor() { impl_->Stop(); }
void GrpcDoor::Start(std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> to) {
  impl_->Start(std::move(to));
}
void GrpcDoor::Stop() { impl_->Stop(); }
int GrpcDoor::port() const { return impl_->port(); }
tcp::endpoint GrpcDoor::OwnEndpoint() const { return impl_->OwnEndpoint(); }
void GrpcDoor::ExpectOwn(unsigned short port) { impl_->ExpectOwn(port); }

}  // namespace historian::server
