// File: tests/raw_peer.h
//
// Peers that speak on sockets of their own what no library says, and the frames of HTTP/2 for them.
// Source of the frames: RFC 9113, 4.1 and 6.
//
// Threads: one for each peer.
#ifndef HISTORIAN_TESTS_RAW_PEER_H_
#define HISTORIAN_TESTS_RAW_PEER_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace historian::testing {

// A TCP socket of an address of this machine, such as 127.0.0.2, towards a port of 127.0.0.1.
struct RawSocket {
  int fd = -1;
  bool bound = false;
  bool connected = false;
};
RawSocket SocketFrom(const std::string& from, int port);

class RawPeer {
 public:
  // Expects that the address is one of this machine.
  RawPeer(const std::string& from, int port);
  RawPeer(RawPeer&& other) noexcept;
  RawPeer& operator=(RawPeer&&) = delete;
  ~RawPeer();

  // Ends without a word: the server gets a reset.
  void Reset();
  // What the other end says until it closes, or says nothing for so long.
  std::string ReadAll(absl::Duration timeout);

 protected:
  int fd() const { return socket_.fd; }
  bool was_taken() const { return socket_.connected; }
  // The descriptor is the caller's from here.
  int Release();

 private:
  RawSocket socket_;
};

// ---- HTTP/2

inline constexpr absl::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

enum FrameType : uint8_t {
  kData,
  kHeaders,
  kPriority,
  kReset,
  kSettings,
  kPush,
  kPing,
  kGoAway,
  kWindow,
  kContinuation,
};
inline constexpr uint8_t kEndStream = 1, kAck = 1, kEndHeaders = 4, kPadded = 8, kHasPriority = 32;

std::string BigEndian(uint64_t value, int bytes);
// The payload may have another length than the one that is said.
std::string FrameSaying(uint32_t length, uint8_t type, uint8_t flags, uint32_t stream,
                        absl::string_view payload);
std::string FrameOf(uint8_t type, uint8_t flags, uint32_t stream, absl::string_view payload);

}  // namespace historian::testing

#endif  // HISTORIAN_TESTS_RAW_PEER_H_
