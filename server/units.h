// File: server/units.h
//
// Sizes and durations as people write them in a configuration.
#ifndef HISTORIAN_SERVER_UNITS_H_
#define HISTORIAN_SERVER_UNITS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace historian::server {

// Reads "512MiB", "1GiB", "64 KiB", "1.5GB" or "4096" (bytes). KiB, MiB, GiB, TiB are powers of 1024; kB, MB,
// GB, TB of 1000; case does not matter. Errors: InvalidArgument, any other text; OutOfRange, beyond 2^63.
absl::StatusOr<uint64_t> ParseSize(absl::string_view text);
// Writes a size in the largest unit of 1024 that divides it: "512MiB", "1000B".
std::string FormatSize(uint64_t bytes);

// Reads "10s", "1h30m" or "250ms" (absl::FormatDuration writes them).
// Errors: InvalidArgument, any other text, such as a number without a unit or a negative one.
absl::StatusOr<absl::Duration> ParseDuration(absl::string_view text);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_UNITS_H_
