#include "server/status.h"

#include <string>

#include "absl/strings/string_view.h"

namespace historian::server {

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  absl::string_view message = status.message();
  if (message.size() > kStatusMessageBytesMax) {
    size_t size = kStatusMessageBytesMax - 3;
    // Not within a character: some clients refuse text that is not UTF-8.
    while (size > 0 && (static_cast<unsigned char>(message[size]) & 0xC0) == 0x80) --size;
    return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                        std::string(message.substr(0, size)) + "...");
  }
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(message));
}

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

}  // namespace historian::server
