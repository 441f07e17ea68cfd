// File: storage/model/nearest_name.h
//
// Which name somebody meant who mistyped it: a setting, a command, a tag, a time zone.
//
// Threads: any number.
#ifndef HISTORIAN_STORAGE_MODEL_NEAREST_NAME_H_
#define HISTORIAN_STORAGE_MODEL_NEAREST_NAME_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace historian {

// How many bytes to insert, remove, change or swap with their neighbour to make b of a; upper and lower case are the same.
// Above `most` it is most + 1. Takes most * size steps.
// Source: the optimal string alignment of Damerau, "A technique for computer detection and correction of spelling errors",
// CACM 1964.
size_t EditDistance(absl::string_view a, absl::string_view b, size_t most);

// How far a name may be from what was typed to be what was meant.
size_t NearEnough(absl::string_view typed);

// The known names that are nearest to `typed`, all equally near, in their order; none if none is near enough.
std::vector<std::string> NearestNames(absl::string_view typed, absl::Span<const std::string> known,
                                      size_t most = 3);

// "; did you mean a, b or c?" Empty if there are none.
std::string DidYouMean(absl::Span<const std::string> names);
// The same of those of `known` that are nearest.
std::string DidYouMean(absl::string_view typed, absl::Span<const std::string> known);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_MODEL_NEAREST_NAME_H_
