#include "server/surroundings.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <utility>

#include <boost/asio/io_context.hpp>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/access_service.h"
#include "server/caller/access_list.h"
#include "server/caller/authority.h"
#include "server/certificates.h"
#include "server/listener.h"
#include "server/log.h"
#include "server/process.h"
#include "storage/kv/store_directory.h"

namespace historian::server {
namespace {

namespace fs = std::filesystem;

class Look {
 public:
  Look(const LoadedConfig& loaded, const Clock& clock)
      : loaded_(loaded), config_(loaded.config), clock_(clock) {}

  Surroundings Everything() {
    LookAtTls();
    LookAtAccess();
    LookAtLog();
    LookAtDataDirectory();
    LookAtAddresses();
    return std::move(found_);
  }

 private:
  void LookAtTls() {
    if (config_.tls.cert.empty()) return;
    const PemFile cert{"tls.cert", config_.tls.cert}, key{"tls.key", config_.tls.key},
        authorities{"tls.client_ca", config_.tls.client_ca};
    const absl::StatusOr<std::string> cert_pem = ReadPemFile(cert), key_pem = ReadPemFile(key);
    Note("tls.cert", cert_pem.status());
    Note("tls.key", key_pem.status());
    if (cert_pem.ok() && key_pem.ok()) {
      const absl::StatusOr<std::vector<Certificate>> chain = CheckPair(cert, *cert_pem, key, *key_pem);
      Note(absl::StartsWith(chain.status().message(), "tls.key") ? "tls.key" : "tls.cert", chain.status());
      if (chain.ok()) NoteTimes(cert, *chain);
    }
    if (config_.tls.client_ca.empty()) return;
    const absl::StatusOr<std::string> pem = ReadPemFile(authorities);
    Note("tls.client_ca", pem.status());
    if (!pem.ok()) return;
    const absl::StatusOr<std::vector<Certificate>> list = CheckAuthorities(authorities, *pem);
    Note("tls.client_ca", list.status());
    if (list.ok()) NoteTimes(authorities, *list);
  }

  // A server starts with them all the same, as its clock may be wrong.
  void NoteTimes(const PemFile& file, const std::vector<Certificate>& certificates) {
    const absl::Time now = absl::FromUnixNanos(clock_.Now());
    for (const Certificate& certificate : certificates) {
      if (now > certificate.not_after) {
        Warn(file.setting,
             absl::StrCat(file.setting, ": ", file.path, ": the certificate of ", certificate.subject,
                          " has expired, at ", Show(certificate.not_after)));
      } else if (now < certificate.not_before) {
        Warn(file.setting,
             absl::StrCat(file.setting, ": ", file.path, ": the certificate of ", certificate.subject,
                          " is not valid yet, until ", Show(certificate.not_before)));
      }
    }
  }

  void LookAtAccess() {
    const absl::StatusOr<std::unique_ptr<Authority>> authority =
        Authority::Open({.access_file = config_.access.file, .tokens_file = TokensFileOf(config_.data_dir)},
                        clock_, [](const std::string&, const absl::Status&, size_t) {});
    if (!authority.ok()) {
      const bool of_file = !config_.access.file.empty() &&
                           absl::StrContains(authority.status().message(), config_.access.file);
      Note(of_file ? "access.file" : "data_dir", authority.status());
      return;
    }
    Note("grpc.listen", RefuseToBeInsecure(config_, (*authority)->is_open()));
  }

  void LookAtLog() {
    const std::string& file = config_.log.file;
    if (file.empty()) return;
    struct stat info;
    if (stat(file.c_str(), &info) == 0) {
      if (S_ISDIR(info.st_mode)) {
        Mistake("log.file", absl::StrCat("log.file: ", file, " is a directory"));
      } else if (!May(file, W_OK)) {
        Mistake("log.file", absl::StrCat("log.file: ", file, " cannot be written: ", std::strerror(errno)));
      }
      return;
    }
    const std::string directory = fs::absolute(file).parent_path();
    if (stat(directory.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
      Mistake("log.file",
              absl::StrCat("log.file: ", directory, " is no directory; make it, or leave log.file empty for ",
                           "standard error"));
    } else if (!May(directory, W_OK | X_OK)) {
      Mistake("log.file",
              absl::StrCat("log.file: no file can be made in ", directory, ": ", std::strerror(errno)));
    }
  }

  void LookAtDataDirectory() {
    const std::string& path = config_.data_dir;
    const absl::StatusOr<kv::StoreDirectory::State> state = kv::StoreDirectory::Look(path);
    if (!state.ok()) {
      Mistake("data_dir", absl::StrCat("data_dir: ", state.status().message()));
      return;
    }
    if (const std::string owner = OwnerOtherThanRoot(path); !owner.empty()) {
      Warn("data_dir",
           absl::StrCat(
               "data_dir: ", path, " belongs to the user ", owner,
               ", and this is root, who may do more: only as that user the server starts, and this check "
               "finds everything (runuser -u ",
               owner, " -- historiand --check-config ...)"));
    }
    if (*state == kv::StoreDirectory::State::kAbsent) {
      fs::path there = fs::absolute(path);
      std::error_code error;
      while (!fs::exists(there, error) && there.has_relative_path()) there = there.parent_path();
      if (!May(there, W_OK | X_OK)) {
        Mistake("data_dir", absl::StrCat("data_dir: ", path, " does not exist and cannot be made in ",
                                         there.string(), ": ", std::strerror(errno)));
        return;
      }
    } else if (!May(path, R_OK | W_OK | X_OK)) {
      Mistake("data_dir",
              absl::StrCat("data_dir: ", path, " is not for this user to write: ", std::strerror(errno)));
      return;
    }
    if (*state != kv::StoreDirectory::State::kStore) {
      Warn("data_dir",
           absl::StrCat("data_dir: there is no archive at ", path, " yet; a start makes a new, empty one"));
    }
  }

  // Both at once, as a start has them.
  void LookAtAddresses() {
    boost::asio::io_context context;
    std::vector<std::shared_ptr<Listener>> listeners;
    const std::pair<const char*, const std::string*> kAddresses[] = {{"grpc.listen", &config_.grpc.listen},
                                                                     {"http.listen", &config_.http.listen}};
    for (const auto& [setting, address] : kAddresses) {
      absl::StatusOr<std::shared_ptr<Listener>> listener = Listener::Open(context, setting, *address);
      if (listener.ok()) {
        listeners.push_back(*std::move(listener));
      } else if (absl::IsAlreadyExists(listener.status()) && kv::StoreDirectory::IsHeld(config_.data_dir)) {
        Warn(setting, absl::StrCat(setting, ": ", *address, " is in use, and the server of ",
                                   config_.data_dir, " runs: it will be that one"));
      } else {
        Note(setting, listener.status());
      }
    }
    for (const auto& listener : listeners) listener->Stop();
  }

  static bool May(const std::string& path, int what) {
    return faccessat(AT_FDCWD, path.c_str(), what, AT_EACCESS) == 0;
  }
  static std::string Show(absl::Time time) {
    return absl::FormatTime(absl::RFC3339_sec, time, absl::UTCTimeZone());
  }

  std::string At(const std::string& setting, const std::string& what) const {
    const auto it = loaded_.where.find(setting);
    const std::string where = it == loaded_.where.end() ? "configuration" : it->second;
    return absl::StrCat(where, ": ", absl::StartsWith(what, setting) ? "" : absl::StrCat(setting, ": "),
                        what);
  }
  void Mistake(const std::string& setting, const std::string& what) {
    found_.mistakes.push_back(At(setting, what));
  }
  void Warn(const std::string& setting, const std::string& what) {
    found_.warnings.push_back(At(setting, what));
  }
  void Note(const std::string& setting, const absl::Status& status) {
    if (!status.ok()) Mistake(setting, std::string(status.message()));
  }

  const LoadedConfig& loaded_;
  const Config& config_;
  const Clock& clock_;
  Surroundings found_;
};

}  // namespace

Surroundings LookAtSurroundings(const LoadedConfig& loaded, const Clock& clock) {
  return Look(loaded, clock).Everything();
}

}  // namespace historian::server
