#include "server/access_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/call.h"
#include "server/tls.h"
#include "storage/model/status_macros.h"

namespace historian::server {
namespace {

template <class Request>
Run OnPool(const Request&) {
  return Run::kOnPool;
}

google::protobuf::RepeatedPtrField<std::string>* PatternsOf(Right right, v1::Permissions* permissions) {
  switch (right) {
    case Right::kRead:
      return permissions->mutable_read();
    case Right::kWrite:
      return permissions->mutable_write();
    case Right::kConfigure:
      return permissions->mutable_configure();
    case Right::kAdminister:
      return permissions->mutable_administer();
  }
  return nullptr;
}

void EntryToWire(const AccessEntry& from, v1::AccessEntry* to) {
  to->set_name(from.name);
  to->set_token_id(from.token_id);
  to->set_certificate(from.certificate);
  for (const Right right : kAllRights) {
    const std::vector<std::string>& patterns = from.permissions.on(right);
    PatternsOf(right, to->mutable_permissions())->Add(patterns.begin(), patterns.end());
  }
  to->mutable_permissions()->mutable_producers()->Add(from.permissions.producers.begin(),
                                                      from.permissions.producers.end());
  to->set_comment(from.comment);
  to->set_created(from.created);
  to->set_expires(from.expires);
  to->set_revoked(from.revoked);
  to->set_created_by(from.created_by);
  to->set_revoked_by(from.revoked_by);
}

AccessEntry EntryFromWire(v1::AccessEntry from) {
  AccessEntry to;
  to.name = from.name();
  for (const Right right : kAllRights) {
    const auto* const patterns = PatternsOf(right, from.mutable_permissions());
    to.permissions.on(right).assign(patterns->begin(), patterns->end());
  }
  to.permissions.producers.assign(from.permissions().producers().begin(),
                                  from.permissions().producers().end());
  to.comment = from.comment();
  to.expires = from.expires();
  return to;
}

}  // namespace

std::string InsecureBecause(const Config& config, bool everyone) {
  if (IsLoopback(config.grpc.listen)) return "";
  const std::string where = absl::StrCat("other machines reach this server at ", config.grpc.listen);
  if (config.tls.cert.empty()) {
    return absl::StrCat(where,
                        everyone ? " and may read and write everything, in plain text, without TLS"
                                 : " in plain text, without TLS: tokens and samples can be read on the way");
  }
  if (everyone && config.tls.client_ca.empty()) {
    return absl::StrCat(where, " and may read and write everything: it asks nobody who they are");
  }
  return "";
}

absl::Status RefuseToBeInsecure(const Config& config, bool everyone) {
  const std::string why = InsecureBecause(config, everyone);
  if (why.empty() || config.access.insecure) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(why,
                                                    ". Listen on 127.0.0.1; or set tls.cert and tls.key, and "
                                                    "make a token (histctl token create, while the server "
                                                    "listens on 127.0.0.1; histctl token create --data-dir, "
                                                    "while it does not run) or set tls.client_ca; or say "
                                                    "--insecure"));
}

grpc::ServerUnaryReactor* AccessService::WhoAmI(Context* context, const Bytes* in, Bytes* out) {
  return ServeUnary<v1::WhoAmIRequest, v1::WhoAmIResponse>(
      env_, context, Method::kWhoAmI, /*is_query=*/false, in, out,
      [](const v1::WhoAmIRequest&) { return Run::kHere; },
      [](const v1::WhoAmIRequest&, const KeepGoing&, CallRecord& record, v1::WhoAmIResponse* to) {
        to->set_everyone(record.caller().is_everyone());
        if (!to->everyone()) {
          EntryToWire(record.caller().entry(), to->mutable_caller());
          to->mutable_caller()->set_name(record.caller().name());
          to->set_certificate(record.caller().certificate());
        }
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* AccessService::CreateToken(Context* context, const Bytes* in, Bytes* out) {
  return ServeUnary<v1::CreateTokenRequest, v1::CreateTokenResponse>(
      env_, context, Method::kCreateToken, /*is_query=*/false, in, out, OnPool<v1::CreateTokenRequest>,
      [this](const v1::CreateTokenRequest& request, const KeepGoing&, CallRecord& record,
             v1::CreateTokenResponse* to) -> absl::Status {
        AccessEntry entry = EntryFromWire(request.token());
        entry.created_by = record.Author(request.token().created_by());
        if (entry.expires != 0 && entry.expires <= env_.clock.Now()) {
          return absl::InvalidArgumentError(
              absl::StrCat("the token would end at ", FormatTimestamp(entry.expires),
                           ", which is over; it is ", FormatTimestamp(env_.clock.Now()), " on the server"));
        }
        ASSIGN_OR_RETURN(*to->mutable_token(), env_.authority.CreateToken(&entry));
        EntryToWire(entry, to->mutable_entry());
        env_.log.Info("token_created",
                      {{"id", entry.token_id},
                       {"name", entry.name},
                       {"expires", entry.expires == 0 ? "never" : FormatTimestamp(entry.expires)},
                       {"by", entry.created_by}});
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* AccessService::ListAccess(Context* context, const Bytes* in, Bytes* out) {
  return ServeUnary<v1::ListAccessRequest, v1::ListAccessResponse>(
      env_, context, Method::kListAccess, /*is_query=*/false, in, out, OnPool<v1::ListAccessRequest>,
      [this](const v1::ListAccessRequest&, const KeepGoing& keep_going, CallRecord& record,
             v1::ListAccessResponse* to) -> absl::Status {
        to->set_everyone(env_.authority.is_open());
        for (const AccessEntry& entry : env_.authority.List()) {
          RETURN_IF_ERROR(keep_going());
          EntryToWire(entry, to->add_entries());
          RETURN_IF_ERROR(record.Grow(to->entries(to->entries_size() - 1).SpaceUsedLong()));
        }
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* AccessService::RevokeToken(Context* context, const Bytes* in, Bytes* out) {
  return ServeUnary<v1::RevokeTokenRequest, v1::RevokeTokenResponse>(
      env_, context, Method::kRevokeToken, /*is_query=*/false, in, out, OnPool<v1::RevokeTokenRequest>,
      [this](const v1::RevokeTokenRequest& request, const KeepGoing&, CallRecord& record,
             v1::RevokeTokenResponse* to) -> absl::Status {
        ASSIGN_OR_RETURN(const AccessEntry entry,
                         env_.authority.Revoke(request.token_id(), record.Author(request.by())));
        EntryToWire(entry, to->mutable_entry());
        env_.log.Info("token_revoked",
                      {{"id", entry.token_id}, {"name", entry.name}, {"by", entry.revoked_by}});
        return absl::OkStatus();
      });
}

}  // namespace historian::server
