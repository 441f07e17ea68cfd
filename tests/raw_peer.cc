#include "tests/raw_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace historian::testing {

RawSocket SocketFrom(const std::string& from, int port) {
  RawSocket made{.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in here = {}, there = {};
  here.sin_family = there.sin_family = AF_INET;
  inet_pton(AF_INET, from.c_str(), &here.sin_addr);
  there.sin_port = htons(static_cast<uint16_t>(port));
  there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  made.bound = bind(made.fd, reinterpret_cast<const sockaddr*>(&here), sizeof(here)) == 0;
  made.connected = connect(made.fd, reinterpret_cast<const sockaddr*>(&there), sizeof(there)) == 0;
  return made;
}

RawPeer::RawPeer(const std::string& from, int port) : socket_(SocketFrom(from, port)) {
  EXPECT_TRUE(socket_.bound) << from << ": " << strerror(errno);
}

RawPeer::RawPeer(RawPeer&& other) noexcept : socket_(other.socket_) { other.socket_.fd = -1; }

RawPeer::~RawPeer() {
  if (socket_.fd >= 0) close(socket_.fd);
}

int RawPeer::Release() { return std::exchange(socket_.fd, -1); }

void RawPeer::Reset() {
  const linger none = {1, 0};
  setsockopt(socket_.fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
  close(Release());
}

std::string RawPeer::ReadAll(absl::Duration timeout) {
  const timeval limit = absl::ToTimeval(timeout);
  setsockopt(socket_.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  std::string all;
  char bytes[4096];
  ssize_t n;
  while ((n = recv(socket_.fd, bytes, sizeof(bytes), 0)) > 0) all.append(bytes, static_cast<size_t>(n));
  return all;
}

std::string BigEndian(uint64_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> (8 * i)));
  return out;
}

std::string FrameSaying(uint32_t length, uint8_t type, uint8_t flags, uint32_t stream,
                        absl::string_view payload) {
  return absl::StrCat(BigEndian(length, 3), BigEndian(type, 1), BigEndian(flags, 1), BigEndian(stream, 4),
                      payload);
}

std::string FrameOf(uint8_t type, uint8_t flags, uint32_t stream, absl::string_view payload) {
  return FrameSaying(static_cast<uint32_t>(payload.size()), type, flags, stream, payload);
}

}  // namespace historian::testing
