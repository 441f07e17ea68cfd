#include "tests/partial_messages.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/platform/monotonic.h"
#include "tests/raw_peer.h"

namespace historian::testing {
namespace {

constexpr uint16_t kInitialWindowSize = 4;
constexpr size_t kFrameBytesMax = 16'384;
constexpr size_t kOutBytesMax = 256 << 10;

uint32_t NumberAt(const std::string& bytes, size_t at, int size) {
  uint32_t value = 0;
  for (int i = 0; i < size; ++i)
    value = value << 8 | static_cast<uint8_t>(bytes[at + static_cast<size_t>(i)]);
  return value;
}

// RFC 7541, 6.2.2: a literal that is not indexed, its name by number in the static table or in letters.
std::string Header(const std::string& name, const std::string& value) {
  return absl::StrCat(name, BigEndian(value.size(), 1), value);
}

}  // namespace

PartialMessages::PartialMessages(const Options& options)
    : options_(options), connections_(static_cast<size_t>(options.connections)) {
  for (Connection& connection : connections_) Connect(&connection);
}

PartialMessages::~PartialMessages() {
  for (Connection& connection : connections_) close(connection.fd);
}

void PartialMessages::Connect(Connection* connection) {
  if (connection->fd >= 0) close(connection->fd);
  *connection = Connection();
  connection->fd = SocketFrom(options_.from, options_.port).fd;  // Errors show when it is used.
  fcntl(connection->fd, F_SETFL, O_NONBLOCK);
  connection->out = absl::StrCat(kPreface, FrameOf(kSettings, 0, 0, ""));
  for (int i = 0; i < options_.streams; ++i) Open(connection);
}

void PartialMessages::Open(Connection* connection) {
  const uint32_t stream = std::exchange(connection->next_stream, connection->next_stream + 2);
  const std::string headers =
      absl::StrCat("\x83\x86", Header("\x04", absl::StrCat("/historian.v1.", options_.method)),
                   Header("\x01", "localhost"), Header("\x0f\x10", "application/grpc"),
                   Header(absl::StrCat(BigEndian(0, 1), BigEndian(2, 1), "te"), "trailers"));
  absl::StrAppend(&connection->out, FrameOf(kHeaders, kEndHeaders, stream, headers));
  connection->streams[stream].window = connection->stream_window;
}

void PartialMessages::Fill(Connection* connection) {
  for (auto& [number, stream] : connection->streams) {
    while (connection->out.size() < kOutBytesMax) {
      // gRPC puts a byte and the length before the message. All but the last byte of it is sent.
      const uint32_t all = 5 + options_.message_bytes - 1;
      const int64_t size = std::min<int64_t>(
          {static_cast<int64_t>(kFrameBytesMax), all - stream.sent, stream.window, connection->window});
      if (size <= 0) break;
      std::string payload(static_cast<size_t>(size), '\x01');
      if (stream.sent == 0) {
        const std::string head = absl::StrCat(BigEndian(0, 1), BigEndian(options_.message_bytes, 4));
        payload.replace(0, std::min(head.size(), payload.size()), head, 0, payload.size());
      }
      absl::StrAppend(&connection->out, FrameOf(kData, 0, number, payload));
      stream.sent += static_cast<uint32_t>(size);
      stream.window -= size;
      connection->window -= size;
    }
  }
}

bool PartialMessages::Flush(Connection* connection) {
  while (!connection->out.empty()) {
    const ssize_t sent = send(connection->fd, connection->out.data(), connection->out.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
    connection->out.erase(0, static_cast<size_t>(sent));
  }
  return true;
}

bool PartialMessages::Receive(Connection* connection) {
  char bytes[16'384];
  ssize_t received;
  while ((received = recv(connection->fd, bytes, sizeof(bytes), 0)) > 0) {
    connection->in.append(bytes, static_cast<size_t>(received));
  }
  const bool is_over = received == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
  while (connection->in.size() >= 9) {
    const std::string& in = connection->in;
    const size_t size = NumberAt(in, 0, 3);
    if (in.size() < 9 + size) break;
    if (NumberAt(in, 3, 1) == kGoAway) return false;
    Handle(connection, static_cast<uint8_t>(in[3]), static_cast<uint8_t>(in[4]), NumberAt(in, 5, 4),
           in.substr(9, size));
    connection->in.erase(0, 9 + size);
  }
  return !is_over;
}

void PartialMessages::Handle(Connection* connection, uint8_t type, uint8_t flags, uint32_t number,
                             const std::string& payload) {
  if (type == kSettings && (flags & kAck) == 0) {
    for (size_t at = 0; at + 6 <= payload.size(); at += 6) {
      if (NumberAt(payload, at, 2) != kInitialWindowSize) continue;
      const int64_t window = NumberAt(payload, at + 2, 4);
      for (auto& [unused, stream] : connection->streams) stream.window += window - connection->stream_window;
      connection->stream_window = window;
    }
    absl::StrAppend(&connection->out, FrameOf(kSettings, kAck, 0, ""));
  } else if (type == kPing && (flags & kAck) == 0) {
    absl::StrAppend(&connection->out, FrameOf(kPing, kAck, 0, payload));
  } else if (type == kWindow) {
    const int64_t more = NumberAt(payload, 0, 4);
    if (number == 0) {
      connection->window += more;
    } else if (const auto stream = connection->streams.find(number); stream != connection->streams.end()) {
      stream->second.window += more;
    }
  } else if ((type == kReset || (type == kHeaders && (flags & kEndStream) != 0)) &&
             connection->streams.erase(number) > 0) {
    // Refused or ended: another one takes its place.
    ++streams_ended_;
    Open(connection);
  }
}

void PartialMessages::Run(absl::Duration duration) {
  const MonotonicTime end = MonotonicTime::Now() + duration;
  std::vector<pollfd> polled(connections_.size());
  while (MonotonicTime::Now() < end) {
    for (size_t i = 0; i < connections_.size(); ++i) {
      Fill(&connections_[i]);
      polled[i] = {.fd = connections_[i].fd,
                   .events = static_cast<short>(POLLIN | (connections_[i].out.empty() ? 0 : POLLOUT)),
                   .revents = 0};
    }
    poll(polled.data(), polled.size(), 100);
    for (size_t i = 0; i < connections_.size(); ++i) {
      if (polled[i].revents == 0) continue;
      if (!Receive(&connections_[i]) || !Flush(&connections_[i])) {
        ++connections_ended_;
        Connect(&connections_[i]);
      }
    }
  }
}

uint64_t PartialMessages::held_bytes() const {
  uint64_t bytes = 0;
  for (const Connection& connection : connections_) {
    for (const auto& [number, stream] : connection.streams) bytes += stream.sent;
    bytes -= std::min<uint64_t>(bytes, connection.out.size());
  }
  return bytes;
}

}  // namespace historian::testing
