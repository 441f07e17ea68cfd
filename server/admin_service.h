// File: server/admin_service.h
//
// Administration, as proto/historian/v1/admin.proto promises.
// Threads: gRPC's; long work moves to env.pool.
#ifndef HISTORIAN_SERVER_ADMIN_SERVICE_H_
#define HISTORIAN_SERVER_ADMIN_SERVICE_H_

#include <atomic>

#include "proto/historian/v1/admin.grpc.pb.h"
#include "server/backups.h"
#include "server/ingest_service.h"
#include "server/service_env.h"
#include "server/verify_source.h"

namespace historian::server {

using RawAdmin = v1::Admin::WithRawCallbackMethod_GetStatus<
    v1::Admin::WithRawCallbackMethod_GetStorage<v1::Admin::WithRawCallbackMethod_Seal<
        v1::Admin::WithRawCallbackMethod_ListBlocks<v1::Admin::WithRawCallbackMethod_ReadBlock<
            v1::Admin::WithRawCallbackMethod_Verify<v1::Admin::WithRawCallbackMethod_ListVersions<
                v1::Admin::WithRawCallbackMethod_MarkVersion<v1::Admin::WithRawCallbackMethod_ListProducers<
                    v1::Admin::WithRawCallbackMethod_ResetProducer<v1::Admin::Service>>>>>>>>>>;

class AdminService final : public RawAdmin {
 public:
  // All must outlive it.
  AdminService(ServiceEnv& env, const OpenStreams& streams, const Backups& backups)
      : env_(env), streams_(streams), backups_(backups), started_(env.clock.Now()) {}

  // From now on GetStatus says that the server is stopping; a running verification ends.
  void Stop() { stopping_.store(true); }

  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetStorage(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* Seal(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                 grpc::ByteBuffer* response) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* ListBlocks(grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* request) override;
  grpc::ServerUnaryReactor* ReadBlock(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* Verify(grpc::CallbackServerContext* context,
                                                     const grpc::ByteBuffer* request) override;
  grpc::ServerUnaryReactor* ListVersions(grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* MarkVersion(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ListProducers(grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* request,
                                          grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ResetProducer(grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* request,
                                          grpc::ByteBuffer* response) override;

 private:
  ServiceEnv& env_;
  const OpenStreams& streams_;
  const Backups& backups_;
  const Timestamp started_;
  std::atomic<bool> stopping_{false};
  NewestVerify newest_verify_;
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_ADMIN_SERVICE_H_
