// File: storage/units/unit_table.h
//
// The units that are known: UCUM's prefixes and atoms, and what plants write instead.
#ifndef HISTORIAN_STORAGE_UNITS_UNIT_TABLE_H_
#define HISTORIAN_STORAGE_UNITS_UNIT_TABLE_H_

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace historian {

struct UnitPrefix {
  absl::string_view code;
  absl::string_view factor;  // A decimal number.
};
absl::Span<const UnitPrefix> UnitPrefixes();

enum class UnitKind {
  kBase,    // A dimension.
  kRatio,   // `factor` times `of`.
  kOffset,  // The same, but its zero is `zero` of `of` times `factor` above that.
  kOwn,     // Nothing else converts to it.
};

struct UnitAtom {
  absl::string_view code;
  bool metric = false;  // Takes prefixes.
  absl::string_view factor = "1";
  absl::string_view of = "1";
  UnitKind kind = UnitKind::kRatio;
  absl::string_view zero = "0";
  // Where a degree is a difference.
  absl::string_view difference = "";
};
// Each is made of those before it.
absl::Span<const UnitAtom> UnitAtoms();

// What is read as something else.
struct UnitSpelling {
  absl::string_view spelling;
  absl::string_view ucum;
  bool metric = false;  // Takes prefixes.
};
// Instead of a symbol that UCUM does not have.
absl::Span<const UnitSpelling> UnitSpellings();
// Instead of one that it has, for something that no plant measures in: "ft" is a femtotonne.
absl::Span<const UnitSpelling> UnitSpellingsFirst();
// Instead of a whole text, whose spaces are left out.
absl::Span<const UnitSpelling> UnitTexts();

// Texts that mean something in UCUM, and what they may have been meant as: Cel for C, the coulomb.
absl::Span<const UnitSpelling> UnitMistakes();

// Names of dimensions, each by a unit that has it and is made of SI's without a factor.
struct UnitQuantity {
  absl::string_view unit;
  absl::string_view name;
};
absl::Span<const UnitQuantity> UnitQuantities();

}  // namespace historian

#endif  // HISTORIAN_STORAGE_UNITS_UNIT_TABLE_H_
