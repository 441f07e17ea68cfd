#include "server/authorize.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/caller/authority.h"
#include "server/peer.h"
#include "storage/model/status_macros.h"

namespace historian::server {
namespace {

// What a call needs of whoever makes it.
struct Needs {
  enum class On { kNothing, kSomeTags, kEveryTag } on = On::kNothing;
  Right right = Right::kRead;
};

Needs NeedsOf(Method method) {
  switch (method) {
    case Method::kWhoAmI:
    case Method::kGetStatus:
    case Method::kListVersions:
    case Method::kGetTags:
    case Method::kListTags:
      return {};
    case Method::kReadRaw:
    case Method::kReadLatest:
    case Method::kReadAtTimes:
    case Method::kReadJoined:
    case Method::kReadProcessed:
    case Method::kPlot:
    case Method::kExplain:
    case Method::kWhatIsKept:
      return {Needs::On::kSomeTags, Right::kRead};
    case Method::kWrite:
    case Method::kWriteOnce:
    case Method::kGetProducer:
      return {Needs::On::kSomeTags, Right::kWrite};
    case Method::kCreateTags:
    case Method::kUpdateTags:
    case Method::kRetireTags:
      return {Needs::On::kSomeTags, Right::kConfigure};
    case Method::kGetStorage:
    case Method::kListBlocks:
    case Method::kReadBlock:
    case Method::kVerify:
      return {Needs::On::kSomeTags, Right::kAdminister};
    case Method::kSeal:
    case Method::kListRules:
    case Method::kSetRule:
    case Method::kRemoveRule:
    case Method::kListHolds:
    case Method::kPlaceHold:
    case Method::kReleaseHold:
    case Method::kApplyRetention:
    case Method::kMarkVersion:
    case Method::kListProducers:
    case Method::kResetProducer:
    case Method::kCreateToken:
    case Method::kListAccess:
    case Method::kRevokeToken:
    case Method::kInitBackups:
    case Method::kCreateBackup:
    case Method::kListBackups:
    case Method::kVerifyBackups:
    case Method::kPruneBackups:
    case Method::kDrillBackup:
      break;
  }
  return {Needs::On::kEveryTag, Right::kAdminister};
}

// The names of a certificate that gRPC has verified: those of the first kind that it has.
std::vector<std::string> NamesOfCertificate(const grpc::AuthContext& context) {
  if (!context.IsPeerAuthenticated()) return {};
  for (const char* const kind : {"peer_uri", "peer_email", "peer_dns", "x509_common_name", "x509_subject"}) {
    std::vector<std::string> names;
    for (const grpc::string_ref& name : context.FindPropertyValues(kind)) {
      if (!name.empty()) names.emplace_back(name.data(), name.size());
    }
    if (!names.empty()) return names;
  }
  return {};
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Caller>> Authorize(ServiceEnv& env,
                                                        const grpc::CallbackServerContext& context,
                                                        Method method) {
  if (env.authority.is_open()) return env.authority.Everyone();
  Credentials credentials;
  const auto& metadata = context.client_metadata();
  if (const auto header = metadata.find("authorization"); header != metadata.end()) {
    credentials.token = TokenOfHeader({header->second.data(), header->second.size()});
  } else {
    credentials.certificate_names = NamesOfCertificate(*context.auth_context());
  }
  ASSIGN_OR_RETURN(std::shared_ptr<const Caller> caller, env.authority.Resolve(credentials));
  const Needs needs = NeedsOf(method);
  if (needs.on == Needs::On::kEveryTag) {
    RETURN_IF_ERROR(caller->CheckOnAll(needs.right, MethodName(method)));
  } else if (needs.on == Needs::On::kSomeTags && !caller->HasOnSome(needs.right)) {
    return caller->NoRight(needs.right, "any tag");
  }
  return caller;
}

void NoteRefusal(Metrics& metrics, Log& log, const absl::Status& status, const Refused& refused) {
  if (!absl::IsUnauthenticated(status) && !absl::IsPermissionDenied(status)) return;
  const std::string caller = refused.caller == nullptr ? "" : refused.caller->Label();
  metrics.CountAccessRefused(absl::IsUnauthenticated(status) ? "unauthenticated" : "permission_denied");
  log.WriteLimited(
      LogLevel::kWarning, "access_refused",
      absl::StrCat(refused.what, " ", caller, " ", PeerAddress(refused.peer)),
      {{"method", refused.what}, {"caller", caller}, {"peer", refused.peer}, {"message", status.message()}});
}

}  // namespace historian::server
