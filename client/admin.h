// File: client/admin.h
//
// The server's state and its storage. Answers are the wire messages themselves:
// proto/historian/v1/admin.proto says what each field means.
//
// Threads: any number.
#ifndef HISTORIAN_CLIENT_ADMIN_H_
#define HISTORIAN_CLIENT_ADMIN_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/connection.h"
#include "client/tag_items.h"
#include "proto/historian/v1/admin.pb.h"
#include "storage/model/timestamp.h"

namespace historian::client {

class Admin {
 public:
  explicit Admin(Connection connection) : connection_(std::move(connection)) {}

  absl::StatusOr<v1::GetStatusResponse> Status() const;
  // The totals, and the figures of each selected tag.
  // Errors: NotFound, an unknown tag is selected.
  absl::StatusOr<v1::GetStorageResponse> Storage(const TagSelection& tags = {}) const;
  // Turns everything open into blocks; with `settle` also merges the blocks and encodes them densely. May
  // take minutes; fails with DeadlineExceeded after `deadline`.
  absl::StatusOr<v1::SealResponse> Seal(bool settle = false,
                                        absl::Duration deadline = absl::Minutes(10)) const;
  // The blocks of a tag that have samples in [start, end), in time order.
  absl::StatusOr<std::vector<v1::BlockInfo>> ListBlocks(const TagKey& tag, Timestamp start,
                                                        Timestamp end) const;
  // Reads and checks what the request names (proto/historian/v1/admin.proto). Each answer goes to on_answer,
  // which may return false to end the call early. Returns the last answer; its `done` is false if the call
  // was ended early. Has no deadline.
  absl::StatusOr<v1::VerifyResponse> Verify(
      const v1::VerifyRequest& request,
      const std::function<bool(const v1::VerifyResponse&)>& on_answer) const;
  // The versions that have closed, the newest first, as the request names them (proto/historian/v1/admin.proto).
  absl::StatusOr<v1::ListVersionsResponse> ListVersions(const v1::ListVersionsRequest& request) const;
  // Closes the open version. Everything that was acknowledged before is in it or in an earlier one.
  // Errors: InvalidArgument, a text is too long.
  absl::StatusOr<v1::Version> MarkVersion(const std::string& comment, const std::string& author) const;
  // The producers that have written, as the request names them (proto/historian/v1/admin.proto).
  absl::StatusOr<v1::ListProducersResponse> ListProducers(const v1::ListProducersRequest& request) const;
  // Lets a producer begin anew. Returns the number of its last frame until then. Errors: NotFound, it has not written.
  absl::StatusOr<uint64_t> ResetProducer(const std::string& name, const std::string& author) const;
  // The stored bytes of one block. Errors: NotFound; DataLoss.
  absl::StatusOr<v1::ReadBlockResponse> ReadBlock(const v1::BlockKey& key) const;

 private:
  Connection connection_;
};

}  // namespace historian::client

#endif  // HISTORIAN_CLIENT_ADMIN_H_
