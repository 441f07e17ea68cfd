// File: storage/checksum/checksum.h
//
// The checksum of everything Historian stores.
#ifndef HISTORIAN_STORAGE_CHECKSUM_CHECKSUM_H_
#define HISTORIAN_STORAGE_CHECKSUM_CHECKSUM_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace historian {

// Returns the low 32 bits of XXH3 (64 bits, seed 0) of the bytes.
uint32_t Checksum(absl::string_view bytes);

// Returns XXH3 (64 bits) of the bytes, with the one of what comes before them as its seed.
uint64_t ChainedChecksum(uint64_t before, absl::string_view bytes);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_CHECKSUM_CHECKSUM_H_
