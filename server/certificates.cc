#include "server/certificates.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>
#include <utility>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "storage/model/status_macros.h"

namespace historian::server {
namespace {

using BioPtr = std::unique_ptr<BIO, decltype(&BIO_free)>;
using X509Ptr = std::unique_ptr<X509, decltype(&X509_free)>;
using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using ContextPtr = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

absl::Status Wrong(const PemFile& file, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(file.setting, ": ", file.path, " ", what));
}

BioPtr BioOf(const std::string& bytes) {
  return BioPtr(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())), &BIO_free);
}

// OpenSSL's reason for its last failure. Forgets all of them.
std::string TakeReason() {
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  std::string result = reason == nullptr ? "OpenSSL refuses it" : reason;
  ERR_clear_error();
  return result;
}

std::string NameOf(const X509_NAME* name) {
  const BioPtr out(BIO_new(BIO_s_mem()), &BIO_free);
  // Without ASN1_STRFLGS_ESC_MSB: UTF-8 stays what it is. Control characters are escaped.
  X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253 & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB));
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(out.get(), &bytes);
  return size > 0 ? std::string(bytes, static_cast<size_t>(size)) : "";
}

absl::Time TimeOf(const ASN1_TIME* time, absl::Time otherwise) {
  std::tm fields = {};
  return ASN1_TIME_to_tm(time, &fields) == 1 ? absl::FromTM(fields, absl::UTCTimeZone()) : otherwise;
}

Certificate Describe(X509* x509) {
  Certificate result;
  result.subject = NameOf(X509_get_subject_name(x509));
  result.issuer = NameOf(X509_get_issuer_name(x509));
  if (BIGNUM* const number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x509), nullptr)) {
    if (char* const digits = BN_bn2hex(number)) {
      result.serial = digits;
      OPENSSL_free(digits);
    }
    BN_free(number);
  }
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int digest_size = 0;
  if (X509_digest(x509, EVP_sha256(), digest, &digest_size) == 1) {
    result.fingerprint =
        absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), digest_size));
  }
  // A time that cannot be read makes a certificate that is never good.
  result.not_before = TimeOf(X509_get0_notBefore(x509), absl::InfiniteFuture());
  result.not_after = TimeOf(X509_get0_notAfter(x509), absl::InfinitePast());
  ERR_clear_error();
  return result;
}

// All of them. OpenSSL, and gRPC with it, takes what comes before a broken one for the whole.
absl::StatusOr<std::vector<X509Ptr>> ParseAll(const PemFile& file, const std::string& pem) {
  ERR_clear_error();
  const BioPtr in = BioOf(pem);
  std::vector<X509Ptr> result;
  for (;;) {
    X509Ptr x509(PEM_read_bio_X509_AUX(in.get(), nullptr, nullptr, nullptr), &X509_free);
    if (x509 == nullptr) break;
    result.push_back(std::move(x509));
  }
  const unsigned long error = ERR_peek_last_error();
  const bool at_end = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  const std::string reason = TakeReason();
  if (!at_end) {
    return Wrong(file, absl::StrCat("is broken: certificate ", result.size() + 1, " of it cannot be read (",
                                    reason, ")"));
  }
  if (result.empty()) return Wrong(file, "holds no PEM certificate");
  return result;
}

std::vector<Certificate> DescribeAll(const std::vector<X509Ptr>& certificates) {
  std::vector<Certificate> result;
  for (const X509Ptr& certificate : certificates) result.push_back(Describe(certificate.get()));
  return result;
}

absl::StatusOr<KeyPtr> ParseKey(const PemFile& file, const std::string& pem) {
  // No password is asked for: a server starts without people.
  bool has_password = false;
  ERR_clear_error();
  KeyPtr key(PEM_read_bio_PrivateKey(
                 BioOf(pem).get(), nullptr,
                 [](char*, int, int, void* asked) {
                   *static_cast<bool*>(asked) = true;
                   return -1;
                 },
                 &has_password),
             &EVP_PKEY_free);
  const unsigned long error = ERR_peek_last_error();
  const bool missing = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  const std::string reason = TakeReason();
  if (key != nullptr) return key;
  if (has_password) return Wrong(file, "holds a key with a password; a server needs one without");
  if (missing) return Wrong(file, "holds no PEM private key");
  return Wrong(file, absl::StrCat("holds no PEM private key that can be read (", reason, ")"));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

}  // namespace

absl::StatusOr<std::string> ReadPemFile(const PemFile& file) {
  const auto unreadable = [&file](int error) {
    return Wrong(file, absl::StrCat("cannot be read: ", std::strerror(error)));
  };
  // Without O_NONBLOCK, a pipe would keep us waiting for its writer.
  const Descriptor fd(open(file.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat info;
  if (fd.get() < 0 || fstat(fd.get(), &info) != 0) return unreadable(errno);
  if (S_ISDIR(info.st_mode)) return unreadable(EISDIR);
  if (!S_ISREG(info.st_mode))
    return Wrong(file, "is not a regular file, which can be read again when it changes");
  std::string bytes(kPemBytesMax + 1, '\0');
  size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t got = read(fd.get(), &bytes[size], bytes.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return unreadable(errno);
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  if (size > kPemBytesMax) return Wrong(file, absl::StrCat("is longer than ", kPemBytesMax, " bytes"));
  if (size == 0) return Wrong(file, "is empty");
  bytes.resize(size);
  bytes.shrink_to_fit();
  return bytes;
}

absl::StatusOr<std::vector<Certificate>> CheckPair(const PemFile& cert, const std::string& cert_pem,
                                                   const PemFile& key, const std::string& key_pem) {
  ASSIGN_OR_RETURN(const std::vector<X509Ptr> chain, ParseAll(cert, cert_pem));
  ASSIGN_OR_RETURN(const KeyPtr private_key, ParseKey(key, key_pem));
  const bool match = X509_check_private_key(chain[0].get(), private_key.get()) == 1;
  ERR_clear_error();
  if (!match) {
    return Wrong(key, absl::StrCat("is not the key of the certificate in ", cert.setting, ": ", cert.path));
  }
  // As gRPC does it. OpenSSL refuses what is too weak for its security level.
  const ContextPtr context(SSL_CTX_new(TLS_method()), &SSL_CTX_free);
  if (context == nullptr) return Wrong(cert, TakeReason());
  if (SSL_CTX_use_certificate(context.get(), chain[0].get()) != 1) {
    return Wrong(cert, absl::StrCat("holds a certificate that cannot be used: ", TakeReason()));
  }
  for (size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context.get(), chain[i].get()) != 1) {
      return Wrong(cert, absl::StrCat("holds a certificate that cannot be used, the ", i + 1,
                                      "th of its chain: ", TakeReason()));
    }
  }
  if (SSL_CTX_use_PrivateKey(context.get(), private_key.get()) != 1 ||
      SSL_CTX_check_private_key(context.get()) != 1) {
    return Wrong(key, absl::StrCat("holds a key that cannot be used: ", TakeReason()));
  }
  return DescribeAll(chain);
}

absl::StatusOr<std::vector<Certificate>> CheckAuthorities(const PemFile& file, const std::string& pem) {
  ASSIGN_OR_RETURN(const std::vector<X509Ptr> authorities, ParseAll(file, pem));
  return DescribeAll(authorities);
}

}  // namespace historian::server
