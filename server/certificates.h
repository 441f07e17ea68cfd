// File: server/certificates.h
//
// Certificates, keys and authorities in PEM: reads their files, and checks all that gRPC would stumble over, so that what
// passes here makes handshakes that succeed. (gRPC itself accepts connections and fails each one's handshake.)
//
// Errors name the setting, the file and what is wrong with it, and have the code InvalidArgument. They never hold a part
// of a key.
//
// Threads: any number.
#ifndef HISTORIAN_SERVER_CERTIFICATES_H_
#define HISTORIAN_SERVER_CERTIFICATES_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace historian::server {

// A file of TLS and the setting that names it, such as tls.cert.
struct PemFile {
  std::string setting;
  std::string path;
};

// The longest file that is read: more than any bundle of authorities takes.
inline constexpr size_t kPemBytesMax = size_t{1} << 20;

// What there is to say of a certificate. Names are written as in RFC 2253 (CN=server,O=Plant).
struct Certificate {
  std::string subject;
  std::string issuer;
  std::string serial;       // Hexadecimal.
  std::string fingerprint;  // SHA-256 of it, hexadecimal.
  absl::Time not_before;
  absl::Time not_after;  // It is good up to this moment, and at it.
};

// Returns what is in the file. Follows symbolic links.
// Errors: it cannot be read, is not a regular file, is empty, or is longer than kPemBytesMax.
absl::StatusOr<std::string> ReadPemFile(const PemFile& file);

// Returns the certificates of a server: its own, then those that lead to an authority. Whether they are good at present is
// not looked at.
// Errors: no certificate, or one of them is broken; the key is missing, broken, has a password, belongs to another
//         certificate, or is too weak for OpenSSL.
absl::StatusOr<std::vector<Certificate>> CheckPair(const PemFile& cert, const std::string& cert_pem,
                                                   const PemFile& key, const std::string& key_pem);

// Returns the authorities.
// Errors: no certificate, or one of them is broken.
absl::StatusOr<std::vector<Certificate>> CheckAuthorities(const PemFile& file, const std::string& pem);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_CERTIFICATES_H_
