#include "server/tls.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <boost/asio/ip/address.hpp>

#include "absl/strings/str_cat.h"
#include "storage/model/status_macros.h"

namespace historian::server {
namespace {

absl::StatusOr<std::string> ReadFile(absl::string_view setting, const std::string& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (!in.is_open() || in.bad() || errno == EISDIR) {
    return absl::InvalidArgumentError(
        absl::StrCat(setting, ": ", path, " cannot be read: ", std::strerror(errno)));
  }
  return bytes;
}

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
Bio BioOf(const std::string& bytes) {
  return Bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())), &BIO_free);
}

using X509Ptr = std::unique_ptr<X509, decltype(&X509_free)>;
using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

absl::StatusOr<X509Ptr> ParseCertificate(absl::string_view setting, const std::string& path,
                                         const std::string& pem) {
  X509Ptr certificate(PEM_read_bio_X509(BioOf(pem).get(), nullptr, nullptr, nullptr), &X509_free);
  ERR_clear_error();
  if (certificate == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(setting, ": ", path, " holds no PEM certificate"));
  }
  return certificate;
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeCredentials(const TlsConfig& config) {
  if (config.cert.empty()) return grpc::InsecureServerCredentials();
  ASSIGN_OR_RETURN(const std::string cert_pem, ReadFile("tls.cert", config.cert));
  ASSIGN_OR_RETURN(const std::string key_pem, ReadFile("tls.key", config.key));
  ASSIGN_OR_RETURN(const X509Ptr cert, ParseCertificate("tls.cert", config.cert, cert_pem));
  // No password is asked for: a server starts without people.
  const KeyPtr key(PEM_read_bio_PrivateKey(
                       BioOf(key_pem).get(), nullptr, [](char*, int, int, void*) { return -1; }, nullptr),
                   &EVP_PKEY_free);
  ERR_clear_error();
  if (key == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("tls.key: ", config.key, " holds no PEM private key (or one with a password)"));
  }
  const bool match = X509_check_private_key(cert.get(), key.get()) == 1;
  ERR_clear_error();
  if (!match) {
    return absl::InvalidArgumentError(absl::StrCat(
        "tls.key: ", config.key, " is not the key of the certificate in tls.cert: ", config.cert));
  }
  if (X509_cmp_current_time(X509_get0_notAfter(cert.get())) < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("tls.cert: the certificate in ", config.cert, " has expired"));
  }

  grpc::SslServerCredentialsOptions options(config.client_ca.empty()
                                                ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                                : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_key_cert_pairs.push_back({key_pem, cert_pem});
  if (!config.client_ca.empty()) {
    ASSIGN_OR_RETURN(options.pem_root_certs, ReadFile("tls.client_ca", config.client_ca));
    RETURN_IF_ERROR(ParseCertificate("tls.client_ca", config.client_ca, options.pem_root_certs).status());
  }
  return grpc::SslServerCredentials(options);
}

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
