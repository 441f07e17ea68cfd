#include "client/admin.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/wire.h"
#include "grpcpp/client_context.h"
#include "proto/historian/v1/admin.grpc.pb.h"
#include "storage/model/status_macros.h"

namespace historian::client {

absl::StatusOr<v1::GetStatusResponse> Admin::Status() const {
  grpc::ClientContext context;
  connection_.Prepare(&context);
  v1::GetStatusResponse response;
  RETURN_IF_ERROR(FromGrpc(v1::Admin::NewStub(connection_.channel())->GetStatus(&context, {}, &response),
                           "asking for the status"));
  return response;
}

absl::StatusOr<v1::GetStorageResponse> Admin::Storage(const TagSelection& tags) const {
  grpc::ClientContext context;
  connection_.Prepare(&context);
  v1::GetStorageRequest request;
  ToWire(tags, request.mutable_tags());
  v1::GetStorageResponse response;
  RETURN_IF_ERROR(
      FromGrpc(v1::Admin::NewStub(connection_.channel())->GetStorage(&context, request, &response),
               "asking for the storage"));
  return response;
}

absl::StatusOr<v1::SealResponse> Admin::Seal(bool settle, absl::Duration deadline) const {
  grpc::ClientContext context;
  connection_.Prepare(&context, deadline);
  v1::SealRequest request;
  request.set_settle(settle);
  v1::SealResponse response;
  RETURN_IF_ERROR(
      FromGrpc(v1::Admin::NewStub(connection_.channel())->Seal(&context, request, &response), "sealing"));
  return response;
}

absl::StatusOr<std::vector<v1::BlockInfo>> Admin::ListBlocks(const TagKey& tag, Timestamp start,
                                                             Timestamp end) const {
  grpc::ClientContext context;
  connection_.Prepare(&context);
  v1::ListBlocksRequest request;
  if (const TagId* id = std::get_if<TagId>(&tag)) {
    request.set_tag_id(*id);
  } else {
    request.set_tag_name(std::get<std::string>(tag));
  }
  request.set_start(start);
  request.set_end(end);
  const auto stub = v1::Admin::NewStub(connection_.channel());
  const auto stream = stub->ListBlocks(&context, request);
  std::vector<v1::BlockInfo> blocks;
  for (v1::BlockInfo block; stream->Read(&block);) blocks.push_back(block);
  RETURN_IF_ERROR(FromGrpc(stream->Finish(), absl::StrCat("listing the blocks of ", ToString(tag))));
  return blocks;
}

absl::StatusOr<v1::ReadBlockResponse> Admin::ReadBlock(const v1::BlockKey& key) const {
  grpc::ClientContext context;
  connection_.Prepare(&context);
  v1::ReadBlockRequest request;
  *request.mutable_key() = key;
  v1::ReadBlockResponse response;
  RETURN_IF_ERROR(FromGrpc(
      v1::Admin::NewStub(connection_.channel())->ReadBlock(&context, request, &response),
      absl::StrCat("reading a block of tag ", key.tag_id(), " at ", FormatTimestamp(key.first_time()))));
  return response;
}

absl::StatusOr<v1::ListVersionsResponse> Admin::ListVersions(const v1::ListVersionsRequest& request) const {
  grpc::ClientContext context;
  connection_.Prepare(&context);
  v1::ListVersionsResponse response;
  RETURN_IF_ERROR(
      FromGrpc(v1::Admin::NewStub(connection_.channel())->ListVersions(&context, request, &response),
               "listing the versions"));
  return response;
}

absl::StatusOr<v1::Version> Admin::MarkVersion(const std::string& comment, const std::string& author) const {
  grpc::ClientContext context;
  connection_.Prepare(&context);
  v1::MarkVersionRequest request;
  request.set_comment(comment);
  request.set_author(author);
  v1::MarkVersionResponse response;
  RETURN_IF_ERROR(
      FromGrpc(v1::Admin::NewStub(connection_.channel())->MarkVersion(&context, request, &response),
               "marking a version"));
  return response.version();
}

absl::StatusOr<v1::ListProducersResponse> Admin::ListProducers(
    const v1::ListProducersRequest& request) const {
  grpc::ClientContext context;
  connection_.Prepare(&context);
  v1::ListProducersResponse response;
  RETURN_IF_ERROR(
      FromGrpc(v1::Admin::NewStub(connection_.channel())->ListProducers(&context, request, &response),
               "listing the producers"));
  return response;
}

absl::StatusOr<uint64_t> Admin::ResetProducer(const std::string& name, const std::string& author) const {
  grpc::ClientContext context;
  connection_.Prepare(&context);
  v1::ResetProducerRequest request;
  request.set_name(name);
  request.set_author(author);
  v1::ResetProducerResponse response;
  RETURN_IF_ERROR(
      FromGrpc(v1::Admin::NewStub(connection_.channel())->ResetProducer(&context, request, &response),
               absl::StrCat("resetting producer '", name, "'")));
  return response.sequence();
}

absl::StatusOr<v1::VerifyResponse> Admin::Verify(
    const v1::VerifyRequest& request, const std::function<bool(const v1::VerifyResponse&)>& on_answer) const {
  grpc::ClientContext context;
  connection_.Prepare(&context, absl::InfiniteDuration());
  const auto stub = v1::Admin::NewStub(connection_.channel());
  const auto stream = stub->Verify(&context, request);
  v1::VerifyResponse answer;
  while (stream->Read(&answer)) {
    if (on_answer(answer)) continue;
    context.TryCancel();
    stream->Finish().ok();  // Whatever it is: nobody wants it any more.
    return answer;
  }
  RETURN_IF_ERROR(FromGrpc(stream->Finish(), "verifying"));
  return answer;
}

}  // namespace historian::client
