// File: server/caller/access_list.h
//
// Who may do what, as it is written down: principals and tokens with their permissions (right.h). Two files have this form.
//
//   access.file            written by people: principals, which show certificates
//   DATA_DIR/tokens.toml   written by historiand and histctl: tokens
//
//   [[principal]]
//   name = "scada-1"          who it is, in logs and as an author; without: the name of its certificate
//   certificate = "scada-1.plant.example"
//                             pattern of the names of the certificates that it shows (server/caller/caller.h); without: name
//   read = ["*"]              the tags that it may read, write, configure, administer: patterns; without: none
//   write = ["unit-1/*"]
//   producers = ["scada-1*"]  the producers that it may write as; without: its name, and all that begin with that and '/'
//   comment = ""
//
//   [[token]]
//   id = "9f2c51d07ab34e86"   16 hexadecimal digits
//   sha256 = "..."            of the token, which is kept nowhere: 64 hexadecimal digits
//   name, read, write, configure, administer, producers, comment: as above
//   created = "2026-11-29T08:00:00Z"
//   created_by = "anna"
//   expires, revoked, revoked_by: without, it is for ever, and in force
//
// Files of tokens begin with "format = 1".
//
// A token is 256 random bits, so a fast hash of it is enough: guessing is hopeless, and a stolen file tells nothing.
//
// Limits: 10,000 entries and 16 MiB a file; names of 1 to 128 bytes, comments of 1,024 bytes; 1,000 patterns a list, each of at
// most kTagPatternBytesMax.
#ifndef HISTORIAN_SERVER_CALLER_ACCESS_LIST_H_
#define HISTORIAN_SERVER_CALLER_ACCESS_LIST_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/caller/right.h"
#include "storage/model/timestamp.h"

namespace historian::server {

inline constexpr size_t kAccessEntriesMax = 10'000;
inline constexpr size_t kPrincipalBytesMax = 128;

struct AccessEntry {
  std::string name;
  std::string certificate;   // Of a principal.
  std::string token_id;      // Of a token; empty: it is a principal.
  std::string token_sha256;  // Lower-case hexadecimal.
  Permissions permissions;
  std::string comment;
  // Of a token. 0: never.
  Timestamp created = 0;
  Timestamp expires = 0;
  Timestamp revoked = 0;
  std::string created_by;
  std::string revoked_by;

  bool is_token() const { return !token_id.empty(); }
  friend bool operator==(const AccessEntry&, const AccessEntry&) = default;
};

// Errors: InvalidArgument, a name, comment or pattern is too long, is not UTF-8, or is missing; says which.
absl::Status CheckAccessEntry(const AccessEntry& entry);

// Reads what such a file holds. `file` is its name, for messages.
// Errors: InvalidArgument, every mistake with its line; nothing is taken of a file that has one.
absl::StatusOr<std::vector<AccessEntry>> ParseAccessList(const std::string& text, const std::string& file);

// Errors: NotFound, there is no such file. PermissionDenied and the like: it cannot be read. Those of ParseAccessList.
absl::StatusOr<std::vector<AccessEntry>> ReadAccessList(const std::string& file);

// Writes a file of tokens: all of it or nothing, durably, for its owner alone. Errors: those of the file system.
absl::Status WriteTokens(const std::string& file, const std::vector<AccessEntry>& tokens);

// A lock on the file over reading and writing it, between programs. Errors: it cannot be taken within a second.
class AccessListLock {
 public:
  static absl::StatusOr<AccessListLock> Take(const std::string& file);
  AccessListLock(AccessListLock&& other) noexcept;
  AccessListLock& operator=(AccessListLock&&) = delete;
  ~AccessListLock();

 private:
  explicit AccessListLock(int fd) : fd_(fd) {}
  int fd_;
};

// Where a server keeps its tokens.
std::string TokensFileOf(const std::string& data_dir);

// Makes a token, "hst_ID_SECRET", and fills in the entry's id and hash.
std::string MakeToken(AccessEntry* entry);
// The hash of a token as entries have it.
std::string TokenHash(absl::string_view token);

// Adds a token to the file. Returns it; it is shown once, and kept nowhere.
// Errors: those of CheckAccessEntry, ReadAccessList and WriteTokens. ResourceExhausted, there are kAccessEntriesMax; ended
// ones make room, the oldest first.
absl::StatusOr<std::string> AddToken(const std::string& file, Timestamp now, AccessEntry* entry);
// Ends a token; entries stay listed. Errors: NotFound, no token has this id; those of reading and writing.
absl::StatusOr<AccessEntry> RevokeToken(const std::string& file, absl::string_view id, Timestamp now,
                                        const std::string& by);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_CALLER_ACCESS_LIST_H_
