#include "server/grpc_log.h"

#include <atomic>

#include "absl/strings/str_cat.h"
#include "google/protobuf/stubs/logging.h"
#include "grpc/support/log.h"
#include "server/handshakes.h"

namespace historian::server {
namespace {

std::atomic<Log*> here{nullptr};

}  // namespace

GrpcLog::GrpcLog(Log& log) {
  here.store(&log);
  google::protobuf::SetLogHandler(nullptr);
  gpr_log_verbosity_init();  // Else nothing is logged before gRPC is used for the first time.
  gpr_set_log_function([](gpr_log_func_args* args) {
    Log* const to = here.load();
    if (TakeHandshakeReason(args->message) || to == nullptr) return;
    to->WriteLimited(LogLevel::kWarning, "grpc", absl::StrCat(args->file, ":", args->line),
                     {{"severity", gpr_log_severity_string(args->severity)}, {"message", args->message}});
  });
}

GrpcLog::~GrpcLog() { here.store(nullptr); }

}  // namespace historian::server
