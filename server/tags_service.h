// File: server/tags_service.h
//
// Creating, finding, changing and retiring tags, as proto/historian/v1/tags.proto promises.
// Threads: gRPC's; what writes moves to env.pool.
#ifndef HISTORIAN_SERVER_TAGS_SERVICE_H_
#define HISTORIAN_SERVER_TAGS_SERVICE_H_

#include "proto/historian/v1/tags.grpc.pb.h"
#include "server/call.h"
#include "server/service_env.h"

namespace historian::server {

using RawTags = v1::Tags::WithRawCallbackMethod_CreateTags<v1::Tags::WithRawCallbackMethod_UpdateTags<
    v1::Tags::WithRawCallbackMethod_GetTags<v1::Tags::WithRawCallbackMethod_ListTags<
        v1::Tags::WithRawCallbackMethod_RetireTags<v1::Tags::Service>>>>>;

class TagsService final : public RawTags {
 public:
  explicit TagsService(ServiceEnv& env) : env_(env) {}

  grpc::ServerUnaryReactor* CreateTags(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* UpdateTags(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetTags(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                    grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ListTags(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* RetireTags(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override;

 private:
  // Errors: ResourceExhausted, more items than limits.tags_per_request.
  absl::Status CheckItems(int items) const;
  // Logs who has changed how many tags, and the first of them, if any was changed. One line for a request.
  void NoteChange(absl::string_view event, const grpc::CallbackServerContext& context,
                  const CallRecord& record, const v1::TagsResponse& response) const;

  ServiceEnv& env_;
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_TAGS_SERVICE_H_
