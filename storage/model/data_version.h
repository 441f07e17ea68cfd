// File: storage/model/data_version.h
//
// The numbers of versions (storage/versions/closed_version.h tells what they are).
#ifndef HISTORIAN_STORAGE_MODEL_DATA_VERSION_H_
#define HISTORIAN_STORAGE_MODEL_DATA_VERSION_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/functional/function_ref.h"
#include "storage/model/timestamp.h"

namespace historian {

// From 1. 0: none, or from before versions were kept.
using Version = uint64_t;

// The highest number that a version may get: one a second takes 136 years. Columns of samples hold 32 bits.
inline constexpr Version kVersionMax = UINT32_MAX - 1;
// As of this the archive says what it says now, of versions still open as well.
inline constexpr Version kVersionNow = UINT32_MAX;

// As of when the archive is read: by default, as it is now.
struct AsOf {
  Version version = kVersionNow;
  std::optional<Timestamp> time;  // Instead of a version: as of this moment.
};

// Fills in, for each of the times, which ascend, the version that was open at that time: the first that closed later.
using OpenAt = absl::FunctionRef<void(const Timestamp* times, size_t size, uint32_t* versions)>;

}  // namespace historian

#endif  // HISTORIAN_STORAGE_MODEL_DATA_VERSION_H_
