// File: server/backup_service.h
//
// Backups, as proto/historian/v1/backup.proto promises.
// Threads: gRPC's; what waits for a target waits on env.pool, until its call ends.
#ifndef HISTORIAN_SERVER_BACKUP_SERVICE_H_
#define HISTORIAN_SERVER_BACKUP_SERVICE_H_

#include "proto/historian/v1/backup.grpc.pb.h"
#include "server/backups.h"
#include "server/service_env.h"

namespace historian::server {

using RawBackup = v1::Backup::WithRawCallbackMethod_Init<
    v1::Backup::WithRawCallbackMethod_Create<v1::Backup::WithRawCallbackMethod_List<
        v1::Backup::WithRawCallbackMethod_Verify<v1::Backup::WithRawCallbackMethod_Prune<
            v1::Backup::WithRawCallbackMethod_Drill<v1::Backup::Service>>>>>>;

class BackupService final : public RawBackup {
 public:
  // Both must outlive it.
  BackupService(ServiceEnv& env, Backups& backups) : env_(env), backups_(backups) {}

  using Context = grpc::CallbackServerContext;
  using Bytes = grpc::ByteBuffer;
  grpc::ServerUnaryReactor* Init(Context* context, const Bytes* request, Bytes* response) override;
  grpc::ServerWriteReactor<Bytes>* Create(Context* context, const Bytes* request) override;
  grpc::ServerWriteReactor<Bytes>* List(Context* context, const Bytes* request) override;
  grpc::ServerWriteReactor<Bytes>* Verify(Context* context, const Bytes* request) override;
  grpc::ServerUnaryReactor* Prune(Context* context, const Bytes* request, Bytes* response) override;
  grpc::ServerWriteReactor<Bytes>* Drill(Context* context, const Bytes* request) override;

 private:
  ServiceEnv& env_;
  Backups& backups_;
};

// In the words of the wire.
void BackupStateToWire(const BackupState& state, v1::BackupStatus* to);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_BACKUP_SERVICE_H_
