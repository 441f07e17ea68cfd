// File: server/continuation.h
//
// Where a raw read that its limit ended goes on. Opaque to clients; it names the request it belongs to and
// the time of the last entry sent, so it never expires.
//
//   byte 0      format: 1; 2 when the read is as of a version; 3 for what these do not hold
//   byte 1      bit 0: reverse, bit 1: bounds; in format 3, bit 2: by OPC UA's rules, bit 3: with a start, bit 4: with an end
//   bytes 2-5   tag, little-endian, like all that follows
//   8 bytes     start, as asked for
//   8 bytes     end
//   8 bytes     time of the last entry sent
//   8 bytes     the version, in formats 2 and 3; in 3 it is kVersionNow when the read is not as of one
//   8 bytes     the checksum of the filter, in format 3
#ifndef HISTORIAN_SERVER_CONTINUATION_H_
#define HISTORIAN_SERVER_CONTINUATION_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/model/data_version.h"
#include "storage/model/tag.h"
#include "storage/model/timestamp.h"

namespace historian::server {

// A read as it was asked for.
struct AskedRead {
  TagId tag = 0;
  std::optional<Timestamp> start;
  std::optional<Timestamp> end;
  bool bounds = false;
  bool reverse = false;
  bool opc_ua = false;
  uint64_t filter = 0;  // Its checksum; 0: there is none.
  Version as_of = kVersionNow;
};

struct Continuation {
  Timestamp last = 0;           // The time to go on behind.
  Version as_of = kVersionNow;  // Of the first part.
};

std::string EncodeContinuation(const AskedRead& read, Timestamp last);
// Ignores read.as_of.
// Errors: InvalidArgument, the bytes are not a continuation, or belong to another read; says which.
absl::StatusOr<Continuation> DecodeContinuation(absl::string_view bytes, const AskedRead& read);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_CONTINUATION_H_
