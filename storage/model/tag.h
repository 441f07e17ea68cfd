// File: storage/model/tag.h
//
// A tag: one measured or computed quantity of the plant, and what its samples mean.
#ifndef HISTORIAN_STORAGE_MODEL_TAG_H_
#define HISTORIAN_STORAGE_MODEL_TAG_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "storage/model/timestamp.h"
#include "storage/model/value.h"

namespace historian {

// Given by the server when the tag is created, from 1; never reused. No tag has the id 0.
using TagId = uint32_t;

// How a value holds between two samples.
enum class Interpolation : uint8_t {
  kStepped = 1,  // It stays until the next sample (setpoints, states, totals).
  kSloped = 2,   // It moves on a straight line to the next sample (measured analogs).
};

inline constexpr size_t kTagNameBytesMax = 512;
inline constexpr size_t kTagTextBytesMax = 4096;  // Description.
inline constexpr size_t kTagUnitBytesMax = 64;
inline constexpr size_t kTagAttributesMax = 64;
inline constexpr size_t kTagAttributeBytesMax = 1024;  // Key or value.
inline constexpr size_t kTagStatesMax = 65536;
inline constexpr size_t kTagStateBytesMax = 256;
inline constexpr absl::Duration kTagStaleAfterMax = absl::Hours(24 * 36'500);

struct Tag {
  TagId id = 0;
  std::string name;  // Path such as site/area/unit/sensor.
  ValueType type = ValueType::kFloat64;
  Interpolation interpolation = Interpolation::kSloped;
  std::string unit;  // Engineering units, as UCUM or as the plant writes them.
  std::string description;
  std::map<uint32_t, std::string> states;  // Code to name; digital tags only.
  std::map<std::string, std::string> attributes;
  // A newest sample that is older is stale: what sent it seems to have stopped. Whole seconds; zero: it never is.
  absl::Duration stale_after = absl::ZeroDuration();
  bool retired = false;  // Keeps its archive, takes no more samples.
  Timestamp created = 0;
  Timestamp updated = 0;

  // About what it takes in memory; a message about it takes no more.
  size_t MemoryBytes() const;
};

// The default for a type: sloped for floats, stepped for all others.
Interpolation DefaultInterpolation(ValueType type);

// Checks that a name has 1 to kTagNameBytesMax bytes of UTF-8 without control characters, and does not begin
// or end with a space. Spaces, dots, slashes, '%', '#' and the like are allowed, as plants use them; '*',
// '?' and '[' are not, as they are for patterns (tag_pattern.h).
absl::Status ValidateTagName(absl::string_view name);

// Checks the name and every other limit above. Errors name the tag, the field and the limit.
absl::Status ValidateTag(const Tag& tag);

bool IsValidUtf8(absl::string_view text);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_MODEL_TAG_H_
