// File: server/message_memory.h
//
// How much memory a message takes once it is parsed, found out without parsing it. Two bytes on the wire can be a
// message of hundreds of bytes, or an element of eight, so the size of what arrives says little.
//
// Units: bytes. What is said is an upper bound: arrays are counted with the room in which they grow.
// Threads: any number.
// Source: protobuf's encoding, https://protobuf.dev/programming-guides/encoding/.
#ifndef HISTORIAN_SERVER_MESSAGE_MEMORY_H_
#define HISTORIAN_SERVER_MESSAGE_MEMORY_H_

#include <cstdint>

#include "google/protobuf/descriptor.h"
#include "grpcpp/support/byte_buffer.h"

namespace historian::server {

struct ParsedSize {
  uint64_t bytes = 0;
  uint64_t messages = 0;  // In it.
  uint64_t elements = 0;  // Of arrays of numbers.
  // The bytes are no message: a part is cut short, or reaches beyond the message in which it stands. They need
  // not be parsed, and should not: protobuf believes a length at first, reads on behind the end, and asks for the memory of
  // a text, up to 50 MB, before it looks whether the text is there. The counts hold for what comes before.
  bool malformed = false;
};

// Bytes that are no message of this type count as far as a parser would get, and a little more. Stops counting, and looking for
// what is malformed, when the message has `enough` bytes.
ParsedSize SizeWhenParsed(const grpc::ByteBuffer& bytes, const google::protobuf::Descriptor* type,
                          uint64_t enough = UINT64_MAX);

// The most that any message of this type takes that has `length` bytes on the wire and is not malformed. Told at once, and
// mostly many times as much as SizeWhenParsed says: good enough to decide where memory is plenty.
ParsedSize MostWhenParsed(uint64_t length, const google::protobuf::Descriptor* type);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_MESSAGE_MEMORY_H_
