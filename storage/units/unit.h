// File: storage/units/unit.h
//
// Units of measurement as UCUM writes them: what one is, and what derives from it.
//
//   m3/h    kW.h    mg/L    J/kg/K    [degF]    10*3/uL    {count}/min    %    [ppm]    kPa    Cel
//
// Grammar, atoms and figures are those of UCUM 2.2, case-sensitive: "." multiplies, "/" divides by what follows it alone
// (J/kg.K is J.K/kg), exponents stand behind ("m-2"), {annotations} mean nothing. Plants write other things as well; these are
// read as what they mean (unit_table.h has the list):
//
//   degC, °C    kWh    m³/h, m^3/h    l/min, lpm    rpm ({rev}/min)    gpm    psi    BTU ([Btu_IT])    hr    ft    lb
//   Nm3, Sm3, scf (gas at a reference state)    barg, psig (pressure above that of the air)
//
// Dimensions are UCUM's: metre, second, gram, radian, kelvin, coulomb, candela; a mole is a number. Some units have one of their
// own, since nothing converts to or from them but their multiples and parts: logarithmic ones (B, dB, B[SPL], Np, [pH]),
// arbitrary ones ([iU], [NTU]), and of Historian's own the gas volumes [Nm3], [Sm3] and [scf], reactive power [var], and
// [gauge], a factor of pressures above that of the air.
//
// Cel, [degF] and [degRe] have a zero of their own where they stand alone. As a factor of something else a degree is a difference:
// Cel/min is K/min (UCUM refuses that).
//
// Factors are exact fractions; [pi] has 64 decimals.
// Source: The Unified Code for Units of Measure, version 2.2, https://ucum.org/ucum.
//
// Threads: any number.
#ifndef HISTORIAN_STORAGE_UNITS_UNIT_H_
#define HISTORIAN_STORAGE_UNITS_UNIT_H_

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace historian {

inline constexpr size_t kUnitBytesMax = 256;

class UnitConversion;

class Unit {
 public:
  // Errors: InvalidArgument, the text is empty, longer than kUnitBytesMax or no unit that is known: says at what it
  // failed, and what may have been meant. Factors and exponents have limits: a fraction of 1,024 bits, exponents of 99.
  static absl::StatusOr<Unit> Parse(absl::string_view text);

  // In UCUM, one text for each way to write it: "m3/h" for "m³/h", "m3.h-1" and "m^3 / hr".
  const std::string& ucum() const;
  // What is measured in it, such as "volume flow". Empty where the dimension has no common name.
  std::string quantity() const;
  // The unit of the same dimension that is made of SI's without a factor: "m3/s". "1" for a number.
  std::string coherent() const;
  UnitConversion ToCoherent() const;
  // "m3/h (volume flow)", for messages.
  std::string Describe() const;
  // Whether the zero is its own: Cel, [degF], [degRe].
  bool has_offset() const;

  // Of the difference of two values: K of Cel, [degR] of [degF]; else itself.
  Unit Difference() const;
  // Of the square of a difference, such as a variance. Errors: InvalidArgument, it is beyond the limits of Parse.
  absl::StatusOr<Unit> Square() const;

  // The dimension, not the size.
  bool IsLike(const Unit& other) const;
  // The same to the last digit: dimension, factor and zero.
  bool IsSame(const Unit& other) const;

  struct Parts;

 private:
  friend class UnitConversion;
  explicit Unit(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}

  std::shared_ptr<const Parts> parts_;
};

// From values in one unit to those in another: value * factor + offset.
//
// A result is the exact one rounded once, to the nearest double. In rare cases (one of 2^40 and fewer) it is its neighbour.
// Infinities and NaN stay what they are; what is too large becomes infinite.
class UnitConversion {
 public:
  // Leaves everything as it is.
  UnitConversion() = default;
  // Errors: InvalidArgument, the dimensions differ: names both units and what each measures.
  static absl::StatusOr<UnitConversion> Between(const Unit& from, const Unit& to);

  bool is_identity() const { return is_identity_; }
  // To the nearest double.
  double factor() const { return factor_; }
  double offset() const { return offset_; }
  double operator()(double value) const;

 private:
  bool is_identity_ = true;
  // Each the sum of two doubles.
  double factor_ = 1, factor_rest_ = 0;
  double offset_ = 0, offset_rest_ = 0;
};

// What a text may have been meant as that means something else in UCUM: Cel for C, the coulomb. Empty if there is no doubt.
std::string UnitMistakenFor(absl::string_view text);

// ---- The units of what is computed from values. A unit that is not known is kept in the text: "rides.s" for a total of rides.
// Texts that do not change come back as they were written.

// Of a difference, range, standard deviation.
std::string UnitOfDifference(absl::string_view unit);
// Of a variance.
std::string UnitOfVariance(absl::string_view unit);

// The unit of an integral over time. One in value x seconds is in it when it has been divided by `seconds`.
struct TotalUnit {
  std::string unit;
  double seconds = 1;
};
// Of a rate what flows: kg of kg/h, m3 of m3/h, whichever `time` is. Else the unit times `time`, which by default is an hour for
// powers and currents (kW.h, A.h) and a second for all others. Of a tag without a unit: `time`.
// Errors: InvalidArgument, `time` is no unit of time.
absl::StatusOr<TotalUnit> UnitOfTotal(absl::string_view unit, absl::string_view time = "");

}  // namespace historian

#endif  // HISTORIAN_STORAGE_UNITS_UNIT_H_
