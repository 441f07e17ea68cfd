#include "client/connection.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"
#include "storage/model/status_macros.h"

namespace historian::client {
namespace {

// gRPC's own pause between attempts to connect. Its default grows to two minutes: too long to notice that a
// server is back.
constexpr int kReconnectMillisMin = 100;
constexpr int kReconnectMillisMax = 5000;

absl::StatusOr<std::string> ReadPem(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) return absl::NotFoundError(absl::StrCat("TLS file ", path, " cannot be opened"));
  std::string text;
  char buffer[4096];
  for (size_t n; (n = std::fread(buffer, 1, sizeof(buffer), file)) > 0;) text.append(buffer, n);
  const bool failed = std::ferror(file) != 0;
  std::fclose(file);
  if (failed || text.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("TLS file ", path, failed ? " cannot be read" : " is empty"));
  }
  return text;
}

bool IsHeaderValue(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > ' ' && c < 127; });
}

// Whether a target surely stays on this machine.
bool IsThisMachine(absl::string_view target) {
  for (const absl::string_view scheme : {"dns:///", "ipv4:", "ipv6:"}) absl::ConsumePrefix(&target, scheme);
  return absl::StartsWith(target, "unix:") || absl::StartsWith(target, "127.") ||
         absl::StartsWith(target, "localhost:") || absl::StartsWith(target, "[::1]:") ||
         target == "localhost";
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> Credentials(const ConnectionOptions& options) {
  if (!options.tls) return grpc::InsecureChannelCredentials();
  if (options.tls->cert.empty() != options.tls->key.empty()) {
    return absl::InvalidArgumentError("TLS: a cert file needs a key file, and the other way round");
  }
  grpc::SslCredentialsOptions ssl;
  if (!options.tls->ca.empty()) {
    ASSIGN_OR_RETURN(ssl.pem_root_certs, ReadPem(options.tls->ca));
  }
  if (!options.tls->cert.empty()) {
    ASSIGN_OR_RETURN(ssl.pem_cert_chain, ReadPem(options.tls->cert));
    ASSIGN_OR_RETURN(ssl.pem_private_key, ReadPem(options.tls->key));
  }
  return grpc::SslCredentials(ssl);
}

}  // namespace

absl::StatusOr<Connection> Connection::Open(ConnectionOptions options) {
  if (options.target.empty()) return absl::InvalidArgumentError("the target is empty; expected HOST:PORT");
  if (options.deadline <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the deadline is ", absl::FormatDuration(options.deadline), "; it must be above zero"));
  }
  if (options.message_bytes_max <= 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("message_bytes_max is ", options.message_bytes_max, "; it must be above zero"));
  }
  if (!options.token.empty()) {
    if (!IsHeaderValue(options.token)) {
      return absl::InvalidArgumentError("the token has characters that no token has");
    }
    if (!options.tls && !IsThisMachine(options.target)) {
      return absl::InvalidArgumentError(
          absl::StrCat("the token would go to ", options.target,
                       " in plain text, where it can be read on the way: use TLS"));
    }
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ChannelCredentials> credentials, Credentials(options));
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(options.message_bytes_max);
  arguments.SetUserAgentPrefix(options.client_name);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMillisMin);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kReconnectMillisMax);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMillisMax);
  // Two connections with the same options are two links, not one shared behind the scenes.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // A writer repeats by itself what it must; a query that failed is the caller's to repeat.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  if (options.tls && !options.tls->server_name.empty()) {
    arguments.SetSslTargetNameOverride(options.tls->server_name);
  }
  std::shared_ptr<grpc::Channel> channel = grpc::CreateCustomChannel(options.target, credentials, arguments);
  return Connection(std::make_shared<const ConnectionOptions>(std::move(options)), std::move(channel));
}

gpr_timespec DeadlineIn(absl::Duration time) {
  if (time == absl::InfiniteDuration()) return gpr_inf_future(GPR_CLOCK_MONOTONIC);
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_nanos(absl::ToInt64Nanoseconds(time), GPR_TIMESPAN));
}

absl::Status Connection::WaitUntilConnected(absl::Duration timeout) const {
  if (channel_->WaitForConnected(DeadlineIn(timeout))) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("no connection to ", options_->target, " within ", absl::FormatDuration(timeout)));
}

void Connection::Prepare(grpc::ClientContext* context, absl::Duration deadline) const {
  context->set_deadline(DeadlineIn(deadline));
  if (!options_->token.empty()) {
    context->AddMetadata("authorization", absl::StrCat("Bearer ", options_->token));
  }
}

}  // namespace historian::client
