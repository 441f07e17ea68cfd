#include "storage/checksum/checksum.h"

#include <xxhash.h>

namespace historian {

uint32_t Checksum(absl::string_view bytes) {
  return static_cast<uint32_t>(XXH3_64bits(bytes.data(), bytes.size()));
}

}  // namespace historian
