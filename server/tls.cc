#include "server/tls.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <openssl/sha.h>
#include <boost/asio/ip/address.hpp>

#include "absl/base/thread_annotations.h"
#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "grpc/grpc.h"
#include "grpc/grpc_security.h"
#include "server/certificates.h"
#include "storage/model/check.h"
#include "storage/model/status_macros.h"
#include "storage/platform/monotonic.h"

namespace historian::server {
namespace {

constexpr absl::Duration kDay = absl::Hours(24);
// Warnings of the log: one when less than this is left, and again at the next.
constexpr std::array<int, 3> kWarnDays = {30, 14, 7};
// Of the authorities' names, in one line of the log.
constexpr size_t kNamesMax = 10;

// What is in the files of a unit, or why they cannot be read.
using Contents = absl::StatusOr<std::vector<std::string>>;

// Tells contents apart. They are not kept for that, since they hold a key.
std::string DigestOf(const Contents& contents) {
  std::string all;
  if (contents.ok()) {
    for (const std::string& bytes : *contents) absl::StrAppend(&all, bytes.size(), ":", bytes);
  } else {
    all = std::string(contents.status().message());
  }
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(all.data()), all.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  std::fill(all.begin(), all.end(), '\0');
  return digest;
}

std::string Show(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

// When the whole chain is good.
absl::Time Begin(const std::vector<Certificate>& chain) {
  absl::Time begin = absl::InfinitePast();
  for (const Certificate& certificate : chain) begin = std::max(begin, certificate.not_before);
  return begin;
}
absl::Time End(const std::vector<Certificate>& chain) {
  absl::Time end = absl::InfiniteFuture();
  for (const Certificate& certificate : chain) end = std::min(end, certificate.not_after);
  return end;
}
bool IsGood(const std::vector<Certificate>& chain, absl::Time now) {
  return Begin(chain) <= now && now <= End(chain);
}

// When the first of those authorities expires that have not; when all have, the last of them.
absl::Time NextEnd(const std::vector<Certificate>& authorities, absl::Time now) {
  absl::Time next = absl::InfiniteFuture(), last = absl::InfinitePast();
  for (const Certificate& authority : authorities) {
    if (authority.not_after >= now) next = std::min(next, authority.not_after);
    last = std::max(last, authority.not_after);
  }
  return next == absl::InfiniteFuture() ? last : next;
}

// What is handed to gRPC.
struct Pems {
  std::string cert;
  std::string key;
  std::string client_ca;
  uint64_t number = 0;  // Of the change that made it.
};

// Between us and gRPC.
class Handover {
 public:
  void Set(Pems pems) ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    pems.number = pems_.number + 1;
    pems_ = std::move(pems);
  }

  // gRPC's callback. gRPC 1.51 frees what it had before while another thread may be about to use it, unless all
  // handshakes begin on one thread: that of the door.
  static grpc_ssl_certificate_config_reload_status Fetch(void* handover,
                                                         grpc_ssl_server_certificate_config** config) {
    return static_cast<Handover*>(handover)->Fetch(config);
  }

 private:
  grpc_ssl_certificate_config_reload_status Fetch(grpc_ssl_server_certificate_config** config)
      ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    if (handed_ > 0) {  // The first time is the server's start.
      if (!handshakes_on_.has_value()) handshakes_on_ = std::this_thread::get_id();
      HISTORIAN_CHECK(*handshakes_on_ == std::this_thread::get_id());
    }
    if (pems_.number == handed_) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    handed_ = pems_.number;
    grpc_ssl_pem_key_cert_pair pair = {pems_.key.c_str(), pems_.cert.c_str()};
    // gRPC wants authorities also where it asks clients for no certificate, and then does nothing with them.
    const std::string& authorities = pems_.client_ca.empty() ? pems_.cert : pems_.client_ca;
    *config = grpc_ssl_server_certificate_config_create(authorities.c_str(), &pair, 1);
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  absl::Mutex mu_;
  Pems pems_ ABSL_GUARDED_BY(mu_);
  uint64_t handed_ ABSL_GUARDED_BY(mu_) = 0;
  std::optional<std::thread::id> handshakes_on_ ABSL_GUARDED_BY(mu_);
};

// gRPC's C++ interface offers no credentials with that callback.
class ReloadedCredentials final : public grpc::ServerCredentials {
 public:
  ReloadedCredentials(Handover& handover, bool ask_clients)
      : credentials_(grpc_ssl_server_credentials_create_with_options(
            grpc_ssl_server_credentials_create_options_using_config_fetcher(
                ask_clients ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                            : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
                &Handover::Fetch, &handover))) {}
  ~ReloadedCredentials() override { grpc_server_credentials_release(credentials_); }

  // Who calls is found out by the server itself.
  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {
    HISTORIAN_CHECK(false);
  }

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  grpc_server_credentials* const credentials_;
};

}  // namespace

class TlsFiles::Impl {
 public:
  Impl(const TlsConfig& config, const Clock& clock, Metrics& metrics, Log& log)
      : clock_(clock),
        metrics_(metrics),
        log_(log),
        pair_({{"tls.cert", config.cert}, {"tls.key", config.key}}),
        authorities_({{"tls.client_ca", config.client_ca}}),
        on_(!config.cert.empty()),
        ask_clients_(!config.client_ca.empty()) {}

  ~Impl() { Stop(); }

  absl::Status Load() ABSL_LOCKS_EXCLUDED(looking_) {
    if (!on_) return absl::OkStatus();
    absl::MutexLock looking(&looking_);
    for (Unit* unit : Units()) {
      const Contents contents = Read(*unit);
      RETURN_IF_ERROR(contents.status());
      ASSIGN_OR_RETURN(std::vector<Certificate> certificates, Check(*unit, *contents));
      Take(*unit, *contents, std::move(certificates));
    }
    HandOver();
    WarnOfExpiry();
    return absl::OkStatus();
  }

  std::shared_ptr<grpc::ServerCredentials> Credentials() {
    if (!on_) return grpc::InsecureServerCredentials();
    return std::make_shared<ReloadedCredentials>(handover_, ask_clients_);
  }

  void Start() {
    if (!on_) return;
    thread_ = std::thread([this] {
      bool asked = false;
      while (Wait(&asked)) Look(asked);
    });
  }

  void Stop() ABSL_LOCKS_EXCLUDED(mu_) {
    {
      absl::MutexLock lock(&mu_);
      stopped_ = true;
      wake_.SignalAll();
    }
    if (thread_.joinable()) thread_.join();
  }

  void LookSoon() ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    asked_ = true;
    wake_.SignalAll();
  }

  void Look(bool asked) ABSL_LOCKS_EXCLUDED(looking_) {
    if (!on_) return;
    absl::MutexLock looking(&looking_);
    bool taken = false;
    for (Unit* unit : Units()) taken |= LookAt(*unit, asked);
    if (taken) HandOver();
    WarnOfExpiry();
  }

  std::vector<CertificateState> States() const ABSL_LOCKS_EXCLUDED(mu_) {
    const absl::Time now = Now();
    std::vector<CertificateState> result;
    absl::MutexLock lock(&mu_);
    for (const Shown& shown : shown_) {
      const absl::Time end = shown.authorities ? NextEnd(shown.certificates, now) : End(shown.certificates);
      result.push_back({.setting = shown.setting,
                        .seconds_left = absl::ToDoubleSeconds(end - now),
                        .refused = shown.refused});
    }
    return result;
  }

 private:
  // Files that are good or bad together. All but the files belongs to whoever looks.
  struct Unit {
    explicit Unit(std::vector<PemFile> of) : files(std::move(of)) {}
    const std::string& setting() const { return files[0].setting; }

    const std::vector<PemFile> files;
    std::string in_force;  // Digests.
    std::string seen;      // At the last look.
    std::vector<std::string> pems;
    std::vector<Certificate> certificates;
    std::optional<MonotonicTime> bad_since;
    // The digest and the reason, at the last look that found the files bad and at the last certificate_refused.
    std::string bad;
    std::string told;  // Empty: nothing bad was told since they were good.
  };

  struct Shown {
    std::string setting;
    bool authorities = false;
    std::vector<Certificate> certificates;
    bool refused = false;
  };

  // What the log was told of a certificate.
  struct Warned {
    int stage = 0;  // As in StageOf.
    MonotonicTime when;
  };

  absl::Time Now() const { return absl::FromUnixNanos(clock_.Now()); }

  std::vector<Unit*> Units() {
    if (!ask_clients_) return {&pair_};
    return {&pair_, &authorities_};
  }

  // Waits for the next look. Returns false at the end.
  bool Wait(bool* asked) ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    const MonotonicTime at = MonotonicTime::Now() + kLookInterval;
    while (!stopped_ && !asked_) {
      const absl::Duration left = at - MonotonicTime::Now();
      if (left <= absl::ZeroDuration()) break;
      wake_.WaitFor(&mu_, left);
    }
    *asked = std::exchange(asked_, false);
    return !stopped_;
  }

  static Contents Read(const Unit& unit) {
    std::vector<std::string> result;
    for (const PemFile& file : unit.files) {
      ASSIGN_OR_RETURN(std::string bytes, ReadPemFile(file));
      result.push_back(std::move(bytes));
    }
    return result;
  }

  absl::StatusOr<std::vector<Certificate>> Check(const Unit& unit,
                                                 const std::vector<std::string>& pems) const {
    if (&unit == &authorities_) return CheckAuthorities(unit.files[0], pems[0]);
    return CheckPair(unit.files[0], pems[0], unit.files[1], pems[1]);
  }

  // Whether certificates may replace those that are in force.
  absl::Status MayReplace(const Unit& unit, const std::vector<Certificate>& by) const {
    const absl::Time now = Now();
    if (&unit == &authorities_ || IsGood(by, now) || !IsGood(unit.certificates, now)) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(unit.setting(), ": the certificate in ", unit.files[0].path,
                     now > End(by) ? " has expired, at " : " is not valid yet, until ",
                     Show(now > End(by) ? End(by) : Begin(by)), "; the one in force is good until ",
                     Show(End(unit.certificates))));
  }

  // Returns whether a change is taken.
  bool LookAt(Unit& unit, bool asked) ABSL_EXCLUSIVE_LOCKS_REQUIRED(looking_) {
    const Contents contents = Read(unit);
    std::string digest = DigestOf(contents);
    const bool settled = asked || digest == unit.seen;
    unit.seen = digest;
    if (digest == unit.in_force) {
      if (!unit.told.empty()) {
        log_.Info("certificate_mended", {{"setting", unit.setting()}, {"file", unit.files[0].path}});
      }
      Forget(unit);
      return false;
    }
    absl::Status status = contents.status();
    std::vector<Certificate> certificates;
    if (status.ok()) {
      absl::StatusOr<std::vector<Certificate>> checked = Check(unit, *contents);
      status = checked.status();
      if (status.ok()) {
        certificates = *std::move(checked);
        status = MayReplace(unit, certificates);
      }
    }
    if (!status.ok()) {
      Complain(unit, absl::StrCat(digest, status.message()), status, asked);
      return false;
    }
    if (!settled) return false;
    Take(unit, *contents, std::move(certificates));
    return true;
  }

  void Complain(Unit& unit, const std::string& what, const absl::Status& why, bool asked)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(looking_) {
    const MonotonicTime now = clock_.Monotonic();
    // Each change has its own time to pass. One that follows another too soon does not put off what is to be told.
    if (!unit.bad_since.has_value() || (what != unit.told && unit.bad == unit.told)) unit.bad_since = now;
    unit.bad = what;
    if (!asked && (what == unit.told || now - *unit.bad_since < kPatience)) return;
    unit.told = what;
    metrics_.CountCertificateChange(unit.setting(), /*taken=*/false);
    log_.Error("certificate_refused", {{"setting", unit.setting()},
                                       {"file", unit.files[0].path},
                                       {"message", why.message()},
                                       {"consequence", "what was loaded before stays in force"}});
    Publish(unit);
  }

  void Forget(Unit& unit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(looking_) {
    unit.bad_since.reset();
    unit.bad.clear();
    if (unit.told.empty()) return;
    unit.told.clear();
    Publish(unit);
  }

  void Take(Unit& unit, std::vector<std::string> pems, std::vector<Certificate> certificates)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(looking_) {
    unit.in_force = unit.seen = DigestOf(pems);
    unit.pems = std::move(pems);
    unit.certificates = std::move(certificates);
    unit.bad_since.reset();
    unit.bad.clear();
    unit.told.clear();
    Publish(unit);
    metrics_.CountCertificateChange(unit.setting(), /*taken=*/true);
    if (&unit == &authorities_) {
      std::vector<std::string> names;
      for (const Certificate& authority : unit.certificates) {
        if (names.size() == kNamesMax) {
          names.push_back("...");
          break;
        }
        names.push_back(authority.subject);
      }
      log_.Info("authorities_loaded", {{"setting", unit.setting()},
                                       {"file", unit.files[0].path},
                                       {"authorities", uint64_t{unit.certificates.size()}},
                                       {"subjects", absl::StrJoin(names, "; ")},
                                       {"expires", Show(NextEnd(unit.certificates, Now()))}});
      return;
    }
    const Certificate& own = unit.certificates[0];
    log_.Info("certificate_loaded", {{"setting", unit.setting()},
                                     {"file", unit.files[0].path},
                                     {"subject", own.subject},
                                     {"issuer", own.issuer},
                                     {"serial", own.serial},
                                     {"expires", Show(End(unit.certificates))},
                                     {"certificates", uint64_t{unit.certificates.size()}}});
  }

  void HandOver() ABSL_EXCLUSIVE_LOCKS_REQUIRED(looking_) {
    handover_.Set({.cert = pair_.pems[0],
                   .key = pair_.pems[1],
                   .client_ca = ask_clients_ ? authorities_.pems[0] : std::string()});
  }

  // For States, which does not wait for whoever looks.
  void Publish(const Unit& unit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(looking_) ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    auto it = std::find_if(shown_.begin(), shown_.end(),
                           [&unit](const Shown& shown) { return shown.setting == unit.setting(); });
    if (it == shown_.end()) it = shown_.insert(it, Shown{.setting = unit.setting(), .certificates = {}});
    it->authorities = &unit == &authorities_;
    it->certificates = unit.certificates;
    it->refused = !unit.told.empty();
  }

  // 0: nothing to be said of it, or else the more the worse. From kDaily on it is said daily.
  static constexpr int kDaily = static_cast<int>(kWarnDays.size());
  static constexpr int kBad = kDaily + 1;
  static int StageOf(const Certificate& certificate, absl::Time now) {
    if (now < certificate.not_before || now > certificate.not_after) return kBad;
    int stage = 0;
    for (const int days : kWarnDays) stage += certificate.not_after - now <= days * kDay;
    return stage;
  }

  void WarnOfExpiry() ABSL_EXCLUSIVE_LOCKS_REQUIRED(looking_) {
    const absl::Time now = Now();
    const MonotonicTime when = clock_.Monotonic();
    std::map<std::string, Warned> kept;
    for (const Unit* unit : Units()) {
      for (const Certificate& certificate : unit->certificates) {
        const std::string id = absl::StrCat(unit->setting(), certificate.fingerprint);
        const int stage = StageOf(certificate, now);
        Warned warned;
        if (const auto it = warned_.find(id); it != warned_.end()) warned = it->second;
        // An authority that has expired may stay beside its successor.
        const bool daily = stage == kDaily || (stage == kBad && unit == &pair_);
        if (stage > warned.stage || (daily && when - warned.when >= kDay)) {
          warned.when = when;
          Warn(*unit, certificate, stage, now);
        }
        warned.stage = stage;
        kept[id] = warned;
      }
    }
    warned_ = std::move(kept);  // Those of certificates that are gone are forgotten.
  }

  void Warn(const Unit& unit, const Certificate& certificate, int stage, absl::Time now) {
    const bool early = now < certificate.not_before;
    const char* const event = stage < kBad ? "certificate_expires"
                              : early      ? "certificate_not_yet_valid"
                                           : "certificate_expired";
    const LogLevel level = stage == kBad && &unit == &pair_ ? LogLevel::kError : LogLevel::kWarning;
    log_.Write(level, event,
               {{"setting", unit.setting()},
                {"file", unit.files[0].path},
                {"subject", certificate.subject},
                {"serial", certificate.serial},
                {early ? "begins" : "expires", Show(early ? certificate.not_before : certificate.not_after)},
                {"days_left", absl::ToInt64Hours(certificate.not_after - now) / 24}});
  }

  const Clock& clock_;
  Metrics& metrics_;
  Log& log_;
  Handover handover_;

  // Held through a look, while files are read.
  absl::Mutex looking_;
  Unit pair_;
  Unit authorities_;
  std::map<std::string, Warned> warned_ ABSL_GUARDED_BY(looking_);

  const bool on_;
  const bool ask_clients_;

  mutable absl::Mutex mu_ ABSL_ACQUIRED_AFTER(looking_);
  CondVar wake_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  bool asked_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<Shown> shown_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;
};

TlsFiles::TlsFiles(const TlsConfig& config, const Clock& clock, Metrics& metrics, Log& log)
    : impl_(std::make_unique<Impl>(config, clock, metrics, log)) {}
TlsFiles::~TlsFiles() = default;
absl::Status TlsFiles::Load() { return impl_->Load(); }
std::shared_ptr<grpc::ServerCredentials> TlsFiles::Credentials() { return impl_->Credentials(); }
void TlsFiles::Start() { impl_->Start(); }
void TlsFiles::Stop() { impl_->Stop(); }
void TlsFiles::LookSoon() { impl_->LookSoon(); }
void TlsFiles::Look(bool asked) { impl_->Look(asked); }
std::vector<CertificateState> TlsFiles::States() const { return impl_->States(); }

bool IsLoopback(absl::string_view listen) {
  std::string host;
  int port = 0;
  if (!SplitHostPort(listen, &host, &port)) return false;
  if (host == "localhost") return true;
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(host, error);
  return !error && address.is_loopback();
}

}  // namespace historian::server
