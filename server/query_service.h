// File: server/query_service.h
//
// Reading, as proto/historian/v1/query.proto promises.
// Threads: gRPC's; long work moves to env.pool.
#ifndef HISTORIAN_SERVER_QUERY_SERVICE_H_
#define HISTORIAN_SERVER_QUERY_SERVICE_H_

#include "proto/historian/v1/query.grpc.pb.h"
#include "server/service_env.h"

namespace historian::server {

using RawQuery = v1::Query::WithRawCallbackMethod_ReadRaw<
    v1::Query::WithRawCallbackMethod_ReadLatest<v1::Query::WithRawCallbackMethod_ReadAtTimes<
        v1::Query::WithRawCallbackMethod_ReadJoined<v1::Query::WithRawCallbackMethod_ReadProcessed<
            v1::Query::WithRawCallbackMethod_Plot<
                v1::Query::WithRawCallbackMethod_Explain<v1::Query::Service>>>>>>>;

class QueryService final : public RawQuery {
 public:
  // env must outlive it.
  explicit QueryService(ServiceEnv& env) : env_(env) {}

  grpc::ServerWriteReactor<grpc::ByteBuffer>* ReadRaw(grpc::CallbackServerContext* context,
                                                      const grpc::ByteBuffer* request) override;
  grpc::ServerUnaryReactor* ReadLatest(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ReadAtTimes(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* ReadJoined(grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* request) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* ReadProcessed(grpc::CallbackServerContext* context,
                                                            const grpc::ByteBuffer* request) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* Plot(grpc::CallbackServerContext* context,
                                                   const grpc::ByteBuffer* request) override;
  grpc::ServerUnaryReactor* Explain(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                    grpc::ByteBuffer* response) override;

 private:
  ServiceEnv& env_;
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_QUERY_SERVICE_H_
