// File: tests/partial_messages.h
//
// Clients that send all of a large message but its last byte, on many streams of many connections: what they sent stays in the
// server's buffers. gRPC's own clients cannot do that, so these speak HTTP/2 themselves, as far as it takes.
//
// Threads: one.
#ifndef HISTORIAN_TESTS_PARTIAL_MESSAGES_H_
#define HISTORIAN_TESTS_PARTIAL_MESSAGES_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace historian::testing {

class PartialMessages {
 public:
  struct Options {
    int port = 0;
    std::string from = "127.0.0.1";  // The address of this machine that they come from.
    std::string method;              // Such as Ingest/Write.
    int connections = 1;
    int streams = 1;                   // Of each connection.
    uint32_t message_bytes = 1 << 20;  // Of each message, as it is announced.
  };

  explicit PartialMessages(const Options& options);
  ~PartialMessages();

  // Sends as much as the server takes, for so long. What the server ends is begun anew.
  void Run(absl::Duration duration);
  // Bytes of messages that the server has taken and that are not complete, as far as the clients know.
  uint64_t held_bytes() const;
  uint64_t streams_ended() const { return streams_ended_; }  // By the server,
  uint64_t connections_ended() const { return connections_ended_; }

 private:
  struct Stream {
    int64_t window = 0;
    uint32_t sent = 0;
  };
  struct Connection {
    int fd = -1;
    std::string out, in;
    int64_t window = 65'535;
    int64_t stream_window = 65'535;  // Of new streams.
    uint32_t next_stream = 1;
    std::map<uint32_t, Stream> streams;
  };

  void Connect(Connection* connection);
  void Open(Connection* connection);
  void Fill(Connection* connection);
  // False: the connection is over.
  bool Flush(Connection* connection);
  bool Receive(Connection* connection);
  void Handle(Connection* connection, uint8_t type, uint8_t flags, uint32_t stream,
              const std::string& payload);

  const Options options_;
  std::vector<Connection> connections_;
  uint64_t streams_ended_ = 0;
  uint64_t connections_ended_ = 0;
};

}  // namespace historian::testing

#endif  // HISTORIAN_TESTS_PARTIAL_MESSAGES_H_
