#include "storage/checksum/checksum.h"

#include <xxhash.h>

namespace historian {

uint32_t Checksum(absl::string_view bytes) {
  return static_cast<uint32_t>(XXH3_64bits(bytes.data(), bytes.size()));
}

uint64_t ChainedChecksum(uint64_t before, absl::string_view bytes) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), before);
}

}  // namespace historian
