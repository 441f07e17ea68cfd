// Strategy: the input is a unit. Invariants: parsing ends, with a unit or InvalidArgument; what a unit is in UCUM is the same
// unit, and is written the same; it converts to itself and to its coherent unit; everything that derives from it can be asked for.
#include <string>
#include <vector>

#include "storage/model/check.h"
#include "storage/units/unit.h"
#include "storage/units/unit_meaning.h"
#include "storage/units/unit_table.h"
#include "tests/fuzz/driver.h"

using namespace historian;  // NOLINT: a program of its own.

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  UnitOfDifference(text);
  UnitOfVariance(text);
  HISTORIAN_CHECK(UnitOfTotal(text).ok());
  const absl::StatusOr<Unit> unit = Unit::Parse(text);
  HISTORIAN_CHECK(MeaningOfUnit(text)->known == unit.ok());
  if (!unit.ok()) {
    HISTORIAN_CHECK(unit.status().code() == absl::StatusCode::kInvalidArgument);
    return 0;
  }
  HISTORIAN_CHECK(UnitConversion::Between(*unit, *unit)->is_identity());
  if (unit->ucum().size() > kUnitBytesMax) return 0;
  const absl::StatusOr<Unit> again = Unit::Parse(unit->ucum());
  HISTORIAN_CHECK(again.ok() && again->IsSame(*unit) && again->ucum() == unit->ucum());
  const absl::StatusOr<Unit> coherent = Unit::Parse(unit->coherent());
  HISTORIAN_CHECK(!coherent.ok() || UnitConversion::Between(*unit, *coherent).ok());
  return 0;
}

std::vector<std::string> historian::fuzz::FuzzSeeds() {
  std::vector<std::string> seeds = {
      "m3/h",   "kW.h",  "J/(kg.K)", "10*-6.[Nm3]/h", "\u00B0C/min", "m\u00B3{dry}/h", "1000 lb/hr",
      "kNm3/h", "a.b/c", "Ym99",     "g99.g99",       "s99.s/s",     "Cel.m/s"};
  for (const UnitAtom& atom : UnitAtoms()) seeds.emplace_back(atom.code);
  for (const UnitSpelling& one : UnitSpellings()) seeds.emplace_back(one.spelling);
  for (const UnitSpelling& one : UnitTexts()) seeds.emplace_back(one.spelling);
  return seeds;
}
