// File: storage/units/unit_meaning.h
//
// What a text means that somebody gave a tag as its unit.
#ifndef HISTORIAN_STORAGE_UNITS_UNIT_MEANING_H_
#define HISTORIAN_STORAGE_UNITS_UNIT_MEANING_H_

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace historian {

struct UnitMeaning {
  bool known = false;  // Else the fields below are empty, but for `note`.
  std::string ucum;    // See Unit.
  std::string quantity;
  std::string coherent;
  // A value is value * factor + offset in the coherent unit.
  double factor = 0;
  double offset = 0;
  std::string note;  // Why it is not known, or what it may be mistaken for.
};

// Kept for the first 1,024 texts that are asked for: a plant has few. Threads: any number.
std::shared_ptr<const UnitMeaning> MeaningOfUnit(absl::string_view text);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_UNITS_UNIT_MEANING_H_
