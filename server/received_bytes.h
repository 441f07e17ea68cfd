// File: server/received_bytes.h
//
// What has come over a TCP connection so far.
#ifndef HISTORIAN_SERVER_RECEIVED_BYTES_H_
#define HISTORIAN_SERVER_RECEIVED_BYTES_H_

#include <cstdint>

namespace historian::server {

// In bytes; 0 if the system does not tell. Apart, as Linux's header for it and the C library's exclude each other.
uint64_t ReceivedBytes(int fd);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_RECEIVED_BYTES_H_
