#include "server/caller/access_list.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <iomanip>
#include <map>
#include <set>
#include <sstream>
#include <toml.hpp>
#include <utility>

#include <openssl/rand.h>
#include <openssl/sha.h>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "storage/model/check.h"
#include "storage/model/status_macros.h"
#include "storage/model/tag.h"
#include "storage/model/tag_pattern.h"
#include "storage/platform/monotonic.h"

namespace historian::server {
namespace {

constexpr size_t kFileBytesMax = size_t{16} << 20;
constexpr size_t kCommentBytesMax = 1024;
constexpr size_t kPatternsMax = 1000;
constexpr int kFormat = 1;
constexpr size_t kIdBytes = 8;
constexpr size_t kSecretBytes = 32;
constexpr size_t kMistakesMax = 20;
constexpr absl::Duration kLockTime = absl::Seconds(1);

absl::Status ErrnoStatus(absl::string_view what, const std::string& path) {
  const int error = errno;
  return absl::ErrnoToStatus(error, absl::StrCat(what, " ", path));
}

absl::Status CheckText(absl::string_view what, const std::string& text, size_t max) {
  if (text.size() > max) {
    return absl::InvalidArgumentError(absl::StrCat(what, " has ", text.size(), " bytes; the limit is ", max));
  }
  if (!IsValidUtf8(text)) return absl::InvalidArgumentError(absl::StrCat(what, " is not UTF-8"));
  return absl::OkStatus();
}

absl::Status CheckPatterns(absl::string_view what, const std::vector<std::string>& patterns) {
  if (patterns.size() > kPatternsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " has ", patterns.size(), " patterns; the limit is ", kPatternsMax));
  }
  for (const std::string& pattern : patterns) {
    if (pattern.empty()) return absl::InvalidArgumentError(absl::StrCat(what, " has an empty pattern"));
    if (const auto compiled = TagPattern::Compile(pattern); !compiled.ok()) {
      return Annotate(compiled.status(), what);
    }
  }
  return absl::OkStatus();
}

bool IsHex(absl::string_view text, size_t digits) {
  return text.size() == digits && std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
         });
}

// Reads one file, and gathers what is wrong with it.
class ListReader {
 public:
  explicit ListReader(std::string file) : file_(std::move(file)) {}

  absl::StatusOr<std::vector<AccessEntry>> Read(const std::string& text) {
    try {
      std::istringstream in(text);
      const toml::value root = toml::parse(in, file_);
      for (const auto& [key, value] : root.as_table()) {
        if (key == "principal" || key == "token") {
          ReadEntries(key, value);
        } else if (key == "format") {
          if (!value.is_integer() || value.as_integer() != kFormat) {
            Mistake(value,
                    absl::StrCat("format: expected ", kFormat, "; a newer version has written the file"));
          }
        } else {
          Mistake(value, absl::StrCat(key, ": expected [[principal]] or [[token]]"));
        }
      }
    } catch (const toml::syntax_error& error) {
      const std::vector<std::string> lines = absl::StrSplit(error.what(), '\n');
      mistakes_.insert(
          {static_cast<uint32_t>(error.location().line()), absl::StrCat("not TOML: ", lines[0])});
    } catch (const std::exception& error) {
      mistakes_.insert({0, absl::StrCat("not TOML: ", error.what())});
    }
    CheckTogether();
    if (mistakes_.empty()) return Take();
    std::vector<std::string> said;
    for (const auto& [line, what] : mistakes_) {
      if (said.size() == kMistakesMax) {
        said.push_back(absl::StrCat("and ", mistakes_.size() - kMistakesMax, " more"));
        break;
      }
      said.push_back(absl::StrCat(file_, ":", line, ": ", what));
    }
    return absl::InvalidArgumentError(absl::StrJoin(said, "\n"));
  }

 private:
  struct Found {
    uint32_t line;
    AccessEntry entry;
  };

  void Mistake(const toml::value& at, const std::string& what) {
    mistakes_.insert({static_cast<uint32_t>(at.location().line()), what});
  }

  void ReadEntries(const std::string& kind, const toml::value& value) {
    if (!value.is_array()) {
      Mistake(value, absl::StrCat(kind, ": expected [[", kind, "]] with two brackets"));
      return;
    }
    for (const toml::value& item : value.as_array()) {
      if (!item.is_table()) {
        Mistake(item, absl::StrCat(kind, ": expected a table"));
        continue;
      }
      ReadEntry(kind, item);
    }
  }

  void ReadText(const std::string& key, const toml::value& value, std::string* to) {
    if (value.is_string()) {
      *to = value.as_string().str;
    } else {
      Mistake(value, absl::StrCat(key, ": expected text in quotes"));
    }
  }

  void ReadTime(const std::string& key, const toml::value& value, Timestamp* to) {
    std::string text;
    ReadText(key, value, &text);
    if (text.empty()) return;
    const absl::StatusOr<Timestamp> time = ParseTimestamp(text);
    if (time.ok()) {
      *to = *time;
    } else {
      Mistake(value, absl::StrCat(key, ": ", time.status().message()));
    }
  }

  void ReadPatterns(const std::string& key, const toml::value& value, std::vector<std::string>* to) {
    bool good = value.is_array();
    if (good) {
      for (const toml::value& pattern : value.as_array()) {
        good = good && pattern.is_string();
        if (good) to->push_back(pattern.as_string().str);
      }
    }
    if (!good) Mistake(value, absl::StrCat(key, ": expected patterns, such as [\"unit-1/*\"]"));
  }

  void ReadEntry(const std::string& kind, const toml::value& item) {
    AccessEntry entry;
    const size_t mistakes_before = mistakes_.size();
    const bool token = kind == "token";
    std::map<std::string, std::string*> texts = {{"name", &entry.name}, {"comment", &entry.comment}};
    std::map<std::string, Timestamp*> times;
    std::map<std::string, std::vector<std::string>*> patterns = {{"producers", &entry.permissions.producers}};
    for (const Right right : kAllRights) patterns[RightName(right)] = &entry.permissions.on(right);
    if (token) {
      texts.insert({{"id", &entry.token_id},
                    {"sha256", &entry.token_sha256},
                    {"created_by", &entry.created_by},
                    {"revoked_by", &entry.revoked_by}});
      times = {{"created", &entry.created}, {"expires", &entry.expires}, {"revoked", &entry.revoked}};
    } else {
      texts["certificate"] = &entry.certificate;
    }
    for (const auto& [key, value] : item.as_table()) {
      if (const auto text = texts.find(key); text != texts.end()) {
        ReadText(key, value, text->second);
      } else if (const auto time = times.find(key); time != times.end()) {
        ReadTime(key, value, time->second);
      } else if (const auto list = patterns.find(key); list != patterns.end()) {
        ReadPatterns(key, value, list->second);
      } else {
        Mistake(value, absl::StrCat(key, ": a ", kind, " has no such field"));
      }
    }
    if (!token && entry.certificate.empty()) entry.certificate = entry.name;
    if (mistakes_.size() > mistakes_before) return;
    if (absl::Status status = token && !IsHex(entry.token_id, 2 * kIdBytes)
                                  ? absl::InvalidArgumentError("id: expected 16 hexadecimal digits")
                              : token && !IsHex(entry.token_sha256, 2 * SHA256_DIGEST_LENGTH)
                                  ? absl::InvalidArgumentError("sha256: expected 64 hexadecimal digits")
                                  : CheckAccessEntry(entry);
        !status.ok()) {
      Mistake(item, std::string(status.message()));
      return;
    }
    found_.push_back({static_cast<uint32_t>(item.location().line()), std::move(entry)});
  }

  void CheckTogether() {
    std::set<std::string> seen;
    for (const Found& found : found_) {
      const AccessEntry& entry = found.entry;
      const std::string key =
          entry.is_token() ? entry.token_id : absl::StrCat("certificate ", entry.certificate);
      if (seen.insert(key).second) continue;
      mistakes_.insert(
          {found.line,
           absl::StrCat(entry.is_token() ? "another token has the id " : "another principal has the ", key)});
    }
    if (found_.size() > kAccessEntriesMax) {
      mistakes_.insert({0, absl::StrCat(found_.size(), " entries; the limit is ", kAccessEntriesMax)});
    }
  }

  // In the order of the file.
  std::vector<AccessEntry> Take() {
    std::stable_sort(found_.begin(), found_.end(),
                     [](const Found& a, const Found& b) { return a.line < b.line; });
    std::vector<AccessEntry> entries;
    for (Found& found : found_) entries.push_back(std::move(found.entry));
    return entries;
  }

  const std::string file_;
  std::vector<Found> found_;
  std::set<std::pair<uint32_t, std::string>> mistakes_;
};

toml::value ToToml(const AccessEntry& entry) {
  toml::table table;
  const auto text = [&table](const char* key, const std::string& value) {
    if (!value.empty()) table[key] = value;
  };
  const auto time = [&table](const char* key, Timestamp value) {
    if (value != 0) table[key] = FormatTimestamp(value);
  };
  table["id"] = entry.token_id;
  table["sha256"] = entry.token_sha256;
  table["name"] = entry.name;
  for (const Right right : kAllRights) {
    if (!entry.permissions.on(right).empty()) table[RightName(right)] = entry.permissions.on(right);
  }
  if (!entry.permissions.producers.empty()) table["producers"] = entry.permissions.producers;
  text("comment", entry.comment);
  time("created", entry.created);
  text("created_by", entry.created_by);
  time("expires", entry.expires);
  time("revoked", entry.revoked);
  text("revoked_by", entry.revoked_by);
  return table;
}

absl::Status WriteAll(int fd, const std::string& text, const std::string& path) {
  for (size_t written = 0; written < text.size();) {
    const ssize_t n = write(fd, text.data() + written, text.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus("writing", path);
    written += static_cast<size_t>(n);
  }
  if (fsync(fd) != 0) return ErrnoStatus("writing", path);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<AccessEntry>> ReadTokens(const std::string& file) {
  absl::StatusOr<std::vector<AccessEntry>> tokens = ReadAccessList(file);
  if (absl::IsNotFound(tokens.status())) return std::vector<AccessEntry>();
  return tokens;
}

}  // namespace

absl::Status CheckAccessEntry(const AccessEntry& entry) {
  // A principal without a name has that of its certificate.
  if (entry.name.empty() && (entry.is_token() || entry.certificate.empty())) {
    return absl::InvalidArgumentError(entry.is_token() ? "the token has no name"
                                                       : "the principal has neither name nor certificate");
  }
  RETURN_IF_ERROR(CheckText("the name", entry.name, kPrincipalBytesMax));
  RETURN_IF_ERROR(CheckText("the comment", entry.comment, kCommentBytesMax));
  RETURN_IF_ERROR(CheckText("created_by", entry.created_by, kPrincipalBytesMax));
  RETURN_IF_ERROR(CheckText("revoked_by", entry.revoked_by, kPrincipalBytesMax));
  for (const Right right : kAllRights) {
    RETURN_IF_ERROR(CheckPatterns(RightName(right), entry.permissions.on(right)));
  }
  RETURN_IF_ERROR(CheckPatterns("producers", entry.permissions.producers));
  if (!entry.is_token()) RETURN_IF_ERROR(CheckPatterns("certificate", {entry.certificate}));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<AccessEntry>> ParseAccessList(const std::string& text, const std::string& file) {
  if (text.size() > kFileBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, " has ", text.size(), " bytes; the limit is ", kFileBytesMax));
  }
  return ListReader(file).Read(text);
}

absl::StatusOr<std::vector<AccessEntry>> ReadAccessList(const std::string& file) {
  const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return ErrnoStatus("reading", file);
  std::string text;
  std::array<char, 1 << 16> buffer;
  ssize_t n = 0;
  do {
    n = read(fd, buffer.data(), buffer.size());
    if (n > 0) text.append(buffer.data(), static_cast<size_t>(n));
  } while ((n > 0 && text.size() <= kFileBytesMax) || (n < 0 && errno == EINTR));
  const absl::Status status = n < 0 ? ErrnoStatus("reading", file) : absl::OkStatus();
  close(fd);
  RETURN_IF_ERROR(status);
  return ParseAccessList(text, file);
}

absl::Status WriteTokens(const std::string& file, const std::vector<AccessEntry>& tokens) {
  toml::array items;
  for (const AccessEntry& token : tokens) items.push_back(ToToml(token));
  std::ostringstream out;
  out << "# Tokens of this server. Written by historiand and histctl: change it with 'histctl token'.\n"
      << "format = " << kFormat << "\n";
  if (!items.empty()) out << std::setw(0) << toml::value(toml::table{{"token", items}}) << "\n";
  const std::string text = out.str();
  // A file that could not be read again is not written.
  RETURN_IF_ERROR(Annotate(ParseAccessList(text, file).status(), "writing tokens"));
  const std::string temporary = absl::StrCat(file, ".new");
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (fd < 0) return ErrnoStatus("writing", temporary);
  // Whoever runs histctl, the server's own user is to read it.
  const std::string directory = file.substr(0, file.rfind('/') + 1);
  struct stat owner;
  if (stat(directory.empty() ? "." : directory.c_str(), &owner) == 0) {
    [[maybe_unused]] const int ignored = fchown(fd, owner.st_uid, owner.st_gid);
  }
  const absl::Status written = WriteAll(fd, text, temporary);
  close(fd);
  RETURN_IF_ERROR(written);
  if (rename(temporary.c_str(), file.c_str()) != 0) return ErrnoStatus("writing", file);
  if (const int d = open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      d >= 0) {
    fsync(d);
    close(d);
  }
  return absl::OkStatus();
}

absl::StatusOr<AccessListLock> AccessListLock::Take(const std::string& file) {
  const std::string path = absl::StrCat(file, ".lock");
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (fd < 0) return ErrnoStatus("locking", path);
  AccessListLock lock(fd);
  const MonotonicTime deadline = MonotonicTime::Now() + kLockTime;
  while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK || MonotonicTime::Now() > deadline) return ErrnoStatus("locking", path);
    absl::SleepFor(absl::Milliseconds(10));
  }
  return lock;
}

AccessListLock::AccessListLock(AccessListLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
AccessListLock::~AccessListLock() {
  if (fd_ >= 0) close(fd_);
}

std::string TokensFileOf(const std::string& data_dir) { return absl::StrCat(data_dir, "/tokens.toml"); }

std::string TokenHash(absl::string_view token) {
  std::array<uint8_t, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const uint8_t*>(token.data()), token.size(), digest.data());
  return absl::BytesToHexString({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::string MakeToken(AccessEntry* entry) {
  std::array<uint8_t, kIdBytes + kSecretBytes> random;
  HISTORIAN_CHECK(RAND_bytes(random.data(), random.size()) == 1);
  const absl::string_view bytes(reinterpret_cast<const char*>(random.data()), random.size());
  entry->token_id = absl::BytesToHexString(bytes.substr(0, kIdBytes));
  const std::string token =
      absl::StrCat("hst_", entry->token_id, "_", absl::BytesToHexString(bytes.substr(kIdBytes)));
  entry->token_sha256 = TokenHash(token);
  return token;
}

absl::StatusOr<std::string> AddToken(const std::string& file, Timestamp now, AccessEntry* entry) {
  const std::string token = MakeToken(entry);
  entry->created = now;
  RETURN_IF_ERROR(CheckAccessEntry(*entry));
  ASSIGN_OR_RETURN(const AccessListLock lock, AccessListLock::Take(file));
  ASSIGN_OR_RETURN(std::vector<AccessEntry> tokens, ReadTokens(file));
  if (tokens.size() >= kAccessEntriesMax) {
    const auto ended = std::find_if(tokens.begin(), tokens.end(), [now](const AccessEntry& token) {
      return token.revoked != 0 || (token.expires != 0 && token.expires <= now);
    });
    if (ended == tokens.end()) {
      return absl::ResourceExhaustedError(
          absl::StrCat("there are ", tokens.size(), " tokens in force, which is the limit: revoke some"));
    }
    tokens.erase(ended);
  }
  tokens.push_back(*entry);
  RETURN_IF_ERROR(WriteTokens(file, tokens));
  return token;
}

absl::StatusOr<AccessEntry> RevokeToken(const std::string& file, absl::string_view id, Timestamp now,
                                        const std::string& by) {
  ASSIGN_OR_RETURN(const AccessListLock lock, AccessListLock::Take(file));
  ASSIGN_OR_RETURN(std::vector<AccessEntry> tokens, ReadTokens(file));
  const auto token = std::find_if(tokens.begin(), tokens.end(),
                                  [id](const AccessEntry& entry) { return entry.token_id == id; });
  if (token == tokens.end()) {
    return absl::NotFoundError(
        absl::StrCat("no token has the id '", id, "'; 'histctl token list' lists them"));
  }
  if (token->revoked == 0) {
    token->revoked = now;
    token->revoked_by = by;
    RETURN_IF_ERROR(CheckAccessEntry(*token));
    RETURN_IF_ERROR(WriteTokens(file, tokens));
  }
  return *token;
}

}  // namespace historian::server
