#include "client/backups.h"

#include "absl/strings/string_view.h"
#include "client/wire.h"
#include "grpcpp/client_context.h"
#include "proto/historian/v1/backup.grpc.pb.h"
#include "storage/model/status_macros.h"

namespace historian::client {
namespace {

// Gives every answer of the stream to on_answer; the last one.
template <class Answer, class Stream>
absl::StatusOr<Answer> ReadAll(grpc::ClientContext& context, Stream& stream,
                               const std::function<bool(const Answer&)>& on_answer, absl::string_view doing) {
  Answer last;
  bool goes_on = true;
  for (Answer answer; stream.Read(&answer); answer.Clear()) {
    last = answer;
    if (goes_on && !on_answer(answer)) {
      goes_on = false;
      context.TryCancel();
    }
  }
  const absl::Status status = FromGrpc(stream.Finish(), doing);
  if (!goes_on) return absl::CancelledError("ended");
  RETURN_IF_ERROR(status);
  return last;
}

}  // namespace

absl::StatusOr<v1::InitBackupsResponse> Backups::Init() const {
  grpc::ClientContext context;
  connection_.Prepare(&context);
  v1::InitBackupsResponse response;
  RETURN_IF_ERROR(FromGrpc(v1::Backup::NewStub(connection_.channel())->Init(&context, {}, &response),
                           "making a repository"));
  return response;
}

absl::StatusOr<std::vector<v1::ListedBackup>> Backups::List() const {
  grpc::ClientContext context;
  connection_.Prepare(&context);
  const auto stub = v1::Backup::NewStub(connection_.channel());
  const auto stream = stub->List(&context, {});
  std::vector<v1::ListedBackup> listed;
  for (v1::ListedBackup backup; stream->Read(&backup);) listed.push_back(backup);
  RETURN_IF_ERROR(FromGrpc(stream->Finish(), "listing backups"));
  return listed;
}

absl::StatusOr<v1::PruneBackupsResponse> Backups::Prune(const v1::PruneBackupsRequest& request,
                                                        absl::Duration deadline) const {
  grpc::ClientContext context;
  connection_.Prepare(&context, deadline);
  v1::PruneBackupsResponse response;
  RETURN_IF_ERROR(FromGrpc(v1::Backup::NewStub(connection_.channel())->Prune(&context, request, &response),
                           "pruning backups"));
  return response;
}

absl::StatusOr<v1::CreateBackupResponse> Backups::Create(
    const std::function<bool(const v1::CreateBackupResponse&)>& on_answer) const {
  grpc::ClientContext context;
  connection_.Prepare(&context, absl::InfiniteDuration());
  const auto stub = v1::Backup::NewStub(connection_.channel());
  const auto stream = stub->Create(&context, {});
  return ReadAll(context, *stream, on_answer, "taking a backup");
}

absl::StatusOr<v1::VerifyBackupsResponse> Backups::Verify(
    const v1::VerifyBackupsRequest& request,
    const std::function<bool(const v1::VerifyBackupsResponse&)>& on_answer) const {
  grpc::ClientContext context;
  connection_.Prepare(&context, absl::InfiniteDuration());
  const auto stub = v1::Backup::NewStub(connection_.channel());
  const auto stream = stub->Verify(&context, request);
  return ReadAll(context, *stream, on_answer, "verifying backups");
}

absl::StatusOr<v1::DrillBackupResponse> Backups::Drill(
    const v1::DrillBackupRequest& request,
    const std::function<bool(const v1::DrillBackupResponse&)>& on_answer) const {
  grpc::ClientContext context;
  connection_.Prepare(&context, absl::InfiniteDuration());
  const auto stub = v1::Backup::NewStub(connection_.channel());
  const auto stream = stub->Drill(&context, request);
  return ReadAll(context, *stream, on_answer, "drilling");
}

}  // namespace historian::client
