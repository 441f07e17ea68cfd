// File: server/request_seeds.h
//
// For fuzz targets: the methods of proto/historian/v1, their requests, and messages to begin with.
#ifndef HISTORIAN_SERVER_REQUEST_SEEDS_H_
#define HISTORIAN_SERVER_REQUEST_SEEDS_H_

#include <string>
#include <vector>

#include "google/protobuf/message.h"

namespace historian::server {

struct RequestType {
  std::string method;  // As gRPC names it: /historian.v1.Query/ReadRaw.
  const google::protobuf::Message* prototype = nullptr;
};

// All methods of all services but Access, as the descriptors list them: once there is a token, made by chance, nobody could call
// anything any more. A method that is added stands at the end of its service, and
// moves those of later services: inputs that name one by its number then mean another, which hurts no corpus.
const std::vector<RequestType>& Requests();

// Encoded messages of the type: an empty one; each field alone, with small and extreme values and with a few elements; all
// fields at once. Nested messages are filled likewise.
std::vector<std::string> SeedsOf(const RequestType& request);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_REQUEST_SEEDS_H_
