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

// "512MiB", "1GiB", "64 KiB", "1.5GB", "4096" (bytes). KiB, MiB, GiB, TiB are powers of 1024; kB, MB, GB, TB
// of 1000; case does not matter. InvalidArgument for anything else; OutOfRange beyond 2^63.
absl::StatusOr<uint64_t> ParseSize(absl::string_view text);
// The largest unit of 1024 that divides it: "512MiB", "1000B".
std::string FormatSize(uint64_t bytes);

// "10s", "1h30m", "250ms"; not negative. InvalidArgument for anything else, so for a number without a unit.
// (absl::FormatDuration writes them.)
absl::StatusOr<absl::Duration> ParseDuration(absl::string_view text);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_UNITS_H_
