// File: storage/backup/digest.h
//
// SHA-256, by which a repository names its files and tells whether they are whole.
#ifndef HISTORIAN_STORAGE_BACKUP_DIGEST_H_
#define HISTORIAN_STORAGE_BACKUP_DIGEST_H_

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace historian::backup {

inline constexpr size_t kDigestDigits = 64;

// Takes bytes piece by piece. Threads: one.
class Digester {
 public:
  Digester();
  ~Digester();

  void Add(absl::string_view bytes);
  // In 64 hexadecimal digits, lower case. Nothing may be added after it.
  std::string Finish();

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

std::string DigestOf(absl::string_view bytes);
bool IsDigest(absl::string_view text);

}  // namespace historian::backup

#endif  // HISTORIAN_STORAGE_BACKUP_DIGEST_H_
