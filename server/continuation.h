// File: server/continuation.h
//
// Where a raw read that its limit ended goes on. Opaque to clients; it names the request it belongs to and
// the time of the last sample sent, so it never expires.
//
//   byte 0      format: 1; 2 when the read is as of a version
//   byte 1      bit 0: reverse, bit 1: bounds
//   bytes 2-5   tag, little-endian, like all that follows
//   8 bytes     start, as asked for
//   8 bytes     end
//   8 bytes     time of the last sample sent
//   8 bytes     the version, in format 2
#ifndef HISTORIAN_SERVER_CONTINUATION_H_
#define HISTORIAN_SERVER_CONTINUATION_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/archive/archive.h"

namespace historian::server {

struct Continuation {
  Timestamp last = 0;           // The time to go on behind.
  Version as_of = kVersionNow;  // Of the first part.
};

// Ignores request.resume_after.
std::string EncodeContinuation(const RawRequest& request, Timestamp last);
// Ignores request.resume_after and request.as_of.
// Errors: InvalidArgument, the bytes are not a continuation, or belong to another request; says which.
absl::StatusOr<Continuation> DecodeContinuation(absl::string_view bytes, const RawRequest& request);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_CONTINUATION_H_
