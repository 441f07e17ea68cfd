// File: server/caller/authority.h
//
// Who may do what, in force: the principals of access.file and the tokens of DATA_DIR/tokens.toml.
//
//   open     neither is there: anyone may do everything. So a new server is, on this machine alone.
//   closed   access.file is set, or a token was ever made: who is not listed may do nothing.
//
// Both files are read again when they change (Look). What is in them takes effect as a whole, once it is found good; until
// then the list before it stays in force, and the log says what is wrong. A file that vanishes takes nothing back.
//
// Calls that go on while permissions change see it: their Caller becomes stale.
//
// Threads: any number.
#ifndef HISTORIAN_SERVER_CALLER_AUTHORITY_H_
#define HISTORIAN_SERVER_CALLER_AUTHORITY_H_

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "server/caller/access_list.h"
#include "server/caller/caller.h"
#include "storage/model/clock.h"

namespace historian::server {

// What a call shows of its caller. The views are of the call.
struct Credentials {
  std::optional<absl::string_view> token;
  // The names of the certificate, the ones that count: see caller.h.
  std::vector<std::string> certificate_names;
};

// Returns the token of an "authorization" header: what stands behind "Bearer ". Without that word the whole is taken
// for an unknown token.
absl::string_view TokenOfHeader(absl::string_view authorization);

class Authority {
 public:
  struct Options {
    std::string access_file;  // Empty: there is none.
    std::string tokens_file;  // Empty: tokens cannot be made.
  };
  // Told of a list that was read again, or could not be: what and why.
  using OnReload = std::function<void(const std::string& file, const absl::Status& status, size_t entries)>;

  // Errors: a file cannot be read, or has mistakes; access_file must exist.
  static absl::StatusOr<std::unique_ptr<Authority>> Open(Options options, const Clock& clock,
                                                         OnReload on_reload);

  bool is_open() const { return open_.load(std::memory_order_acquire); }
  // Who calls while it is open.
  const std::shared_ptr<const Caller>& Everyone() const { return everyone_; }

  // Errors: Unauthenticated, nothing is shown, or the token is not known, was revoked or has expired. PermissionDenied, the
  // certificate has no permissions.
  absl::StatusOr<std::shared_ptr<const Caller>> Resolve(const Credentials& credentials) const
      ABSL_LOCKS_EXCLUDED(mu_);
  // Whether the caller may go on with what it may do.
  bool IsCurrent(const Caller& caller) const {
    if (caller.is_everyone()) return is_open();
    const Timestamp expires = caller.entry().expires;
    return !caller.is_stale() && (expires == 0 || clock_.Now() < expires);
  }
  // The caller as it is now, if it is not current. Errors: those of Resolve.
  absl::StatusOr<std::shared_ptr<const Caller>> Renew(const std::shared_ptr<const Caller>& caller) const
      ABSL_LOCKS_EXCLUDED(mu_);

  // Reads the files again that have changed since, once a change was the same at two looks in a row, as an editor may not
  // have written all of it yet. `asked`: somebody says that it has. Waits for the disk.
  void Look(bool asked = false) ABSL_LOCKS_EXCLUDED(changing_, mu_);

  // All that is listed, tokens first.
  std::vector<AccessEntry> List() const ABSL_LOCKS_EXCLUDED(mu_);

  // Makes a token, and returns it. Waits for the disk.
  // Errors: those of AddToken. FailedPrecondition, nobody could administer the server any more: the first token must
  // administer every tag.
  absl::StatusOr<std::string> CreateToken(AccessEntry* entry) ABSL_LOCKS_EXCLUDED(changing_, mu_);
  // Ends a token. Calls that go on with it end too.
  // Errors: NotFound. FailedPrecondition, nobody could administer the server any more.
  absl::StatusOr<AccessEntry> Revoke(const std::string& id, const std::string& by)
      ABSL_LOCKS_EXCLUDED(changing_, mu_);

 private:
  // Immutable once it is in force.
  struct Table {
    bool open = true;
    std::vector<AccessEntry> tokens, principals;
    absl::flat_hash_map<std::string, std::shared_ptr<const Caller>> by_token_hash;
    // Principals in order, with their patterns.
    std::vector<std::pair<TagPattern, const AccessEntry*>> by_certificate;
  };

  Authority(Options options, const Clock& clock, OnReload on_reload);

  // Puts these lists into force.
  absl::Status Enforce(std::vector<AccessEntry> tokens, std::vector<AccessEntry> principals)
      ABSL_LOCKS_EXCLUDED(mu_);
  // A file, and what it looked like.
  struct Watched {
    std::string file;
    std::string in_force;  // What is in force was read of a file that looked like this.
    std::string last;      // At the last look.
  };
  void LookAt(Watched* watched, bool asked) ABSL_EXCLUSIVE_LOCKS_REQUIRED(changing_) ABSL_LOCKS_EXCLUDED(mu_);
  // Reads the file and puts what it says into force, beside what is in force of the other.
  absl::Status ReadAgain(Watched* watched, size_t* entries) ABSL_EXCLUSIVE_LOCKS_REQUIRED(changing_)
      ABSL_LOCKS_EXCLUDED(mu_);
  std::shared_ptr<const Table> table() const ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<std::shared_ptr<const Caller>> ResolveToken(const Table& table,
                                                             absl::string_view hash) const;
  absl::StatusOr<std::shared_ptr<const Caller>> ResolveCertificate(
      const Table& table, const std::vector<std::string>& names) const ABSL_LOCKS_EXCLUDED(mu_);
  // Whether somebody could administer the server with these lists.
  bool HasAdministrator(const std::vector<AccessEntry>& tokens,
                        const std::vector<AccessEntry>& principals) const;

  const Options options_;
  const Clock& clock_;
  const OnReload on_reload_;
  const std::shared_ptr<const Caller> everyone_ = Caller::Everyone();
  const std::shared_ptr<RememberedRights> remembered_ = std::make_shared<RememberedRights>();

  absl::Mutex changing_ ABSL_ACQUIRED_BEFORE(mu_);  // One change at a time.
  Watched principals_ ABSL_GUARDED_BY(changing_);
  Watched tokens_ ABSL_GUARDED_BY(changing_);

  std::atomic<bool> open_{true};  // As table_ says.
  mutable absl::Mutex mu_;
  std::shared_ptr<const Table> table_ ABSL_GUARDED_BY(mu_);
  // Callers by the names of their certificates, of table_.
  mutable absl::flat_hash_map<std::string, std::shared_ptr<const Caller>> certificates_ ABSL_GUARDED_BY(mu_);
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_CALLER_AUTHORITY_H_
