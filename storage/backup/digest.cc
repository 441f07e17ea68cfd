#include "storage/backup/digest.h"

#include <openssl/evp.h>
#include <algorithm>

#include "absl/strings/escaping.h"
#include "storage/model/check.h"

namespace historian::backup {

struct Digester::State {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
};

Digester::Digester() : state_(std::make_unique<State>()) {
  HISTORIAN_CHECK(state_->context != nullptr);
  HISTORIAN_CHECK(EVP_DigestInit_ex(state_->context.get(), EVP_sha256(), nullptr) == 1);
}
Digester::~Digester() = default;

void Digester::Add(absl::string_view bytes) {
  HISTORIAN_CHECK(EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1);
}

std::string Digester::Finish() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HISTORIAN_CHECK(EVP_DigestFinal_ex(state_->context.get(), digest, &size) == 1);
  return absl::BytesToHexString({reinterpret_cast<const char*>(digest), size});
}

std::string DigestOf(absl::string_view bytes) {
  Digester digester;
  digester.Add(bytes);
  return digester.Finish();
}

bool IsDigest(absl::string_view text) {
  return text.size() == kDigestDigits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace historian::backup
