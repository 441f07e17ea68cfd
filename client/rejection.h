// File: client/rejection.h
//
// What the server says of samples that it refused.
#ifndef HISTORIAN_CLIENT_REJECTION_H_
#define HISTORIAN_CLIENT_REJECTION_H_

#include <cstdint>
#include <string>

#include "proto/historian/v1/ingest.pb.h"
#include "storage/model/tag.h"
#include "storage/model/timestamp.h"

namespace historian::client {

// Samples that the server did not store, and why.
struct WriteRejection {
  TagId tag_id = 0;
  Timestamp time = 0;  // Of the first of them; 0 if it has no time.
  uint32_t count = 0;
  v1::RejectionReason reason = v1::REJECTION_REASON_UNSPECIFIED;
  std::string message;
};

}  // namespace historian::client

#endif  // HISTORIAN_CLIENT_REJECTION_H_
