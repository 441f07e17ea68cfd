#include "server/caller/authority.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "storage/model/status_macros.h"

namespace historian::server {
namespace {

// Certificates whose callers are kept.
constexpr size_t kCertificatesMax = 1000;

// Differs when the file was changed or replaced; empty when there is none.
std::string LookOf(const std::string& file) {
  struct stat info;
  if (file.empty() || stat(file.c_str(), &info) != 0) return "";
  return absl::StrCat(info.st_dev, " ", info.st_ino, " ", info.st_size, " ", info.st_mtim.tv_sec, ".",
                      info.st_mtim.tv_nsec, " ", info.st_ctim.tv_sec, ".", info.st_ctim.tv_nsec);
}

bool IsInForce(const AccessEntry& token, Timestamp now) {
  return token.revoked == 0 && (token.expires == 0 || token.expires > now);
}

bool AdministersAll(const AccessEntry& entry) {
  const std::vector<std::string>& patterns = entry.permissions.on(Right::kAdminister);
  return std::find(patterns.begin(), patterns.end(), "*") != patterns.end();
}

absl::Status NobodyCouldAdminister(absl::string_view what) {
  return absl::FailedPreconditionError(absl::StrCat(
      what,
      ", nobody could administer the server (make tokens, for example) any more: first make a token that "
      "administers every tag, without a time at which it ends (histctl token create NAME --administer '*')"));
}

}  // namespace

absl::string_view TokenOfHeader(absl::string_view authorization) {
  constexpr absl::string_view kBearer = "bearer ";
  if (absl::StartsWithIgnoreCase(authorization, kBearer)) authorization.remove_prefix(kBearer.size());
  return absl::StripAsciiWhitespace(authorization);
}

Authority::Authority(Options options, const Clock& clock, OnReload on_reload)
    : options_(std::move(options)), clock_(clock), on_reload_(std::move(on_reload)) {
  principals_.file = options_.access_file;
  tokens_.file = options_.tokens_file;
}

absl::StatusOr<std::unique_ptr<Authority>> Authority::Open(Options options, const Clock& clock,
                                                           OnReload on_reload) {
  std::unique_ptr<Authority> authority(new Authority(std::move(options), clock, std::move(on_reload)));
  absl::MutexLock lock(&authority->changing_);
  {
    absl::MutexLock in_force(&authority->mu_);
    authority->table_ = std::make_shared<const Table>();
  }
  for (Watched* const watched : {&authority->principals_, &authority->tokens_}) {
    if (watched->file.empty()) continue;
    size_t entries = 0;
    const absl::Status status = authority->ReadAgain(watched, &entries);
    // No tokens yet.
    if (absl::IsNotFound(status) && watched == &authority->tokens_) continue;
    if (!status.ok()) return Annotate(status, watched == &authority->tokens_ ? "tokens" : "access.file");
  }
  return authority;
}

std::shared_ptr<const Authority::Table> Authority::table() const {
  absl::MutexLock lock(&mu_);
  return table_;
}

absl::Status Authority::Enforce(std::vector<AccessEntry> tokens, std::vector<AccessEntry> principals) {
  const std::shared_ptr<const Table> before = table();
  auto next = std::make_shared<Table>();
  next->tokens = std::move(tokens);
  next->principals = std::move(principals);
  // Once somebody was to be asked who they are, a list without entries lets in nobody.
  next->open = before->open && options_.access_file.empty() && next->tokens.empty();
  for (const AccessEntry& token : next->tokens) {
    if (token.revoked != 0) continue;
    const auto was = before->by_token_hash.find(token.token_sha256);
    if (was != before->by_token_hash.end() && was->second->entry() == token) {
      next->by_token_hash[token.token_sha256] = was->second;
      continue;
    }
    ASSIGN_OR_RETURN(next->by_token_hash[token.token_sha256], Caller::Make(token, "", remembered_));
  }
  for (const AccessEntry& principal : next->principals) {
    ASSIGN_OR_RETURN(TagPattern pattern, TagPattern::Compile(principal.certificate));
    next->by_certificate.push_back({std::move(pattern), &principal});
  }
  for (const auto& [hash, caller] : before->by_token_hash) {
    const auto is = next->by_token_hash.find(hash);
    if (is == next->by_token_hash.end() || is->second != caller) caller->MarkStale();
  }
  absl::MutexLock lock(&mu_);
  if (next->principals != before->principals) {
    for (const auto& [name, caller] : certificates_) caller->MarkStale();
    certificates_.clear();
  }
  open_.store(next->open, std::memory_order_release);
  table_ = std::move(next);
  return absl::OkStatus();
}

absl::Status Authority::ReadAgain(Watched* watched, size_t* entries) {
  const std::string look = LookOf(watched->file);
  ASSIGN_OR_RETURN(std::vector<AccessEntry> read, ReadAccessList(watched->file));
  *entries = read.size();
  const bool of_tokens = watched == &tokens_;
  for (const AccessEntry& entry : read) {
    if (entry.is_token() == of_tokens) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(watched->file, of_tokens ? ": principals belong in access.file"
                                              : ": tokens are made with 'histctl token create'"));
  }
  const std::shared_ptr<const Table> now = table();
  RETURN_IF_ERROR(of_tokens ? Enforce(std::move(read), now->principals)
                            : Enforce(now->tokens, std::move(read)));
  watched->in_force = watched->last = look;
  return absl::OkStatus();
}

void Authority::LookAt(Watched* watched, bool asked) {
  const std::string look = LookOf(watched->file);
  const bool settled = look == std::exchange(watched->last, look);
  if (look == watched->in_force || (!settled && !asked)) return;
  size_t entries = 0;
  const absl::Status status = look.empty() ? absl::NotFoundError(absl::StrCat(watched->file, " is gone"))
                                           : ReadAgain(watched, &entries);
  // Told once for each change.
  watched->in_force = watched->last;
  on_reload_(watched->file, status, entries);
}

void Authority::Look(bool asked) {
  absl::MutexLock lock(&changing_);
  for (Watched* const watched : {&principals_, &tokens_}) {
    if (!watched->file.empty()) LookAt(watched, asked);
  }
}

absl::StatusOr<std::shared_ptr<const Caller>> Authority::ResolveToken(const Table& table,
                                                                      absl::string_view hash) const {
  const auto found = table.by_token_hash.find(hash);
  if (found == table.by_token_hash.end()) {
    return absl::UnauthenticatedError("the token is not known here, or was revoked");
  }
  const AccessEntry& entry = found->second->entry();
  if (!IsInForce(entry, clock_.Now())) {
    return absl::UnauthenticatedError(absl::StrCat("the token '", entry.name, "' (", entry.token_id,
                                                   ") has expired: it was good until ",
                                                   FormatTimestamp(entry.expires)));
  }
  return found->second;
}

absl::StatusOr<std::shared_ptr<const Caller>> Authority::ResolveCertificate(
    const Table& table, const std::vector<std::string>& names) const {
  for (const std::string& name : names) {
    {
      absl::MutexLock lock(&mu_);
      const auto found = certificates_.find(name);
      if (found != certificates_.end() && !found->second->is_stale()) return found->second;
    }
    for (const auto& [pattern, entry] : table.by_certificate) {
      if (!pattern.Matches(name)) continue;
      ASSIGN_OR_RETURN(const std::shared_ptr<const Caller> caller, Caller::Make(*entry, name, remembered_));
      absl::MutexLock lock(&mu_);
      // The table may have been replaced meanwhile: then this one is of one call only.
      if (table_.get() == &table) {
        if (certificates_.size() >= kCertificatesMax) certificates_.clear();
        certificates_[name] = caller;
      }
      return caller;
    }
  }
  return absl::PermissionDeniedError(absl::StrCat(
      "the certificate's name '", absl::Utf8SafeCHexEscape(names.front()),
      "' has no permissions here: add a [[principal]] with it to ",
      options_.access_file.empty() ? "a file, and set access.file to that" : options_.access_file));
}

absl::StatusOr<std::shared_ptr<const Caller>> Authority::Resolve(const Credentials& credentials) const {
  const std::shared_ptr<const Table> now = table();
  if (now->open) return everyone_;
  if (credentials.token.has_value()) return ResolveToken(*now, TokenHash(*credentials.token));
  if (!credentials.certificate_names.empty()) {
    return ResolveCertificate(*now, credentials.certificate_names);
  }
  return absl::UnauthenticatedError(
      "this server asks who you are: show a token (histctl --token-file FILE; 'authorization: Bearer TOKEN') "
      "or a "
      "client certificate");
}

absl::StatusOr<std::shared_ptr<const Caller>> Authority::Renew(
    const std::shared_ptr<const Caller>& caller) const {
  if (caller->is_everyone() && is_open()) return caller;
  const AccessEntry& entry = caller->entry();
  const std::shared_ptr<const Table> now = table();
  if (caller->is_everyone()) {
    return absl::UnauthenticatedError("this server asks who you are since a moment ago: show a token");
  }
  if (entry.is_token()) return ResolveToken(*now, entry.token_sha256);
  return ResolveCertificate(*now, {caller->certificate()});
}

std::vector<AccessEntry> Authority::List() const {
  const std::shared_ptr<const Table> now = table();
  std::vector<AccessEntry> all = now->tokens;
  all.insert(all.end(), now->principals.begin(), now->principals.end());
  return all;
}

bool Authority::HasAdministrator(const std::vector<AccessEntry>& tokens,
                                 const std::vector<AccessEntry>& principals) const {
  const auto lasts = [](const AccessEntry& entry) {
    return AdministersAll(entry) && entry.revoked == 0 && entry.expires == 0;
  };
  return std::any_of(tokens.begin(), tokens.end(), lasts) ||
         std::any_of(principals.begin(), principals.end(), lasts);
}

absl::StatusOr<std::string> Authority::CreateToken(AccessEntry* entry) {
  absl::MutexLock lock(&changing_);
  const std::shared_ptr<const Table> now = table();
  std::vector<AccessEntry> tokens = now->tokens;
  tokens.push_back(*entry);
  if (!HasAdministrator(tokens, now->principals)) return NobodyCouldAdminister("with this token");
  ASSIGN_OR_RETURN(std::string token, AddToken(tokens_.file, clock_.Now(), entry));
  size_t entries = 0;
  RETURN_IF_ERROR(ReadAgain(&tokens_, &entries));
  return token;
}

absl::StatusOr<AccessEntry> Authority::Revoke(const std::string& id, const std::string& by) {
  absl::MutexLock lock(&changing_);
  const std::shared_ptr<const Table> now = table();
  std::vector<AccessEntry> left = now->tokens;
  left.erase(std::remove_if(left.begin(), left.end(),
                            [&id](const AccessEntry& entry) { return entry.token_id == id; }),
             left.end());
  if (left.size() < now->tokens.size() && HasAdministrator(now->tokens, now->principals) &&
      !HasAdministrator(left, now->principals)) {
    return NobodyCouldAdminister("without this token");
  }
  ASSIGN_OR_RETURN(const AccessEntry revoked, RevokeToken(tokens_.file, id, clock_.Now(), by));
  size_t entries = 0;
  RETURN_IF_ERROR(ReadAgain(&tokens_, &entries));
  return revoked;
}

}  // namespace historian::server
