#include "storage/units/unit.h"

#include <bit>
#include <boost/multiprecision/cpp_bin_float.hpp>
#include <boost/multiprecision/cpp_int.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/units/unit_meaning.h"
#include "storage/units/unit_table.h"

namespace historian {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Fraction = boost::multiprecision::cpp_rational;
using boost::multiprecision::cpp_int;

Unit UnitOf(absl::string_view text) {
  const absl::StatusOr<Unit> unit = Unit::Parse(text);
  EXPECT_TRUE(unit.ok()) << unit.status();
  return unit.ok() ? *unit : *Unit::Parse("1");
}

UnitConversion Between(absl::string_view from, absl::string_view to) {
  const absl::StatusOr<UnitConversion> conversion = UnitConversion::Between(UnitOf(from), UnitOf(to));
  EXPECT_TRUE(conversion.ok()) << conversion.status();
  return conversion.ok() ? *conversion : UnitConversion();
}

TEST(UnitTest, IsWrittenInUcumAndMeasuresSomething) {
  const struct {
    const char* text;
    const char* ucum;
    const char* quantity;
    const char* coherent;
  } kTable[] = {
      {"m3/h", "m3/h", "volume flow", "m3/s"},
      {"m³/h", "m3/h", "volume flow", "m3/s"},
      {"m^3/hr", "m3/h", "volume flow", "m3/s"},
      {"m3.h-1", "m3/h", "volume flow", "m3/s"},
      {" m3 / h ", "m3/h", "volume flow", "m3/s"},
      {"l/min", "l/min", "volume flow", "m3/s"},
      {"lpm", "L/min", "volume flow", "m3/s"},
      {"°C", "Cel", "temperature", "K"},
      {"degC", "Cel", "temperature", "K"},
      {"deg C", "Cel", "temperature", "K"},
      {"℃", "Cel", "temperature", "K"},
      {"°F", "[degF]", "temperature", "K"},
      {"K", "K", "temperature", "K"},
      {"°C/min", "K/min", "change of temperature", "K/s"},
      {"W/m²/°C", "W/m2/K", "heat transfer coefficient", "W/m2/K"},
      {"kWh", "kW.h", "energy or torque", "J"},
      {"kW h", "kW.h", "energy or torque", "J"},
      {"kW·h", "kW.h", "energy or torque", "J"},
      {"kW*h", "kW.h", "energy or torque", "J"},
      {"MWh/d", "MW.h/d", "power", "W"},
      {"t/h", "t/h", "mass flow", "kg/s"},
      {"kg/s", "kg/s", "mass flow", "kg/s"},
      {"klb/hr", "1000.[lb_av]/h", "mass flow", "kg/s"},
      {"1000 lb/hr", "1000.[lb_av]/h", "mass flow", "kg/s"},
      {"bar", "bar", "pressure", "Pa"},
      {"[psi]", "[psi]", "pressure", "Pa"},
      {"psia", "[psi]", "pressure", "Pa"},
      {"barg", "bar.[gauge]", "pressure above that of the air", "Pa.[gauge]"},
      {"mbar(g)", "mbar.[gauge]", "pressure above that of the air", "Pa.[gauge]"},
      {"mmHg", "mm[Hg]", "pressure", "Pa"},
      {"inH2O", "[in_i'H2O]", "pressure", "Pa"},
      {"[gal_us]/min", "[gal_us]/min", "volume flow", "m3/s"},
      {"gpm", "[gal_us]/min", "volume flow", "m3/s"},
      {"Nm3/h", "[Nm3]/h", "gas flow at 0 Cel and 1 atm", "[Nm3]/s"},
      {"kNm³/h", "k[Nm3]/h", "gas flow at 0 Cel and 1 atm", "[Nm3]/s"},
      {"mg/Nm3", "mg/[Nm3]", "mass per gas volume at 0 Cel and 1 atm", "kg/[Nm3]"},
      {"Nm", "N.m", "energy or torque", "J"},
      {"rpm", "{rev}/min", "frequency", "s-1"},
      {"1/min", "/min", "frequency", "s-1"},
      {"/min", "/min", "frequency", "s-1"},
      {"{count}", "{count}", "number or ratio", "1"},
      {"1", "1", "number or ratio", "1"},
      {"-", "1", "number or ratio", "1"},
      {"%", "%", "number or ratio", "1"},
      {"% RH", "%{RH}", "number or ratio", "1"},
      {"ppm", "[ppm]", "number or ratio", "1"},
      {"pH", "[pH]", "pH", "[pH]"},
      {"dB", "dB", "level, a logarithm", "B"},
      {"mg/L", "mg/L", "density", "kg/m3"},
      {"µg/m³", "ug/m3", "density", "kg/m3"},
      {"10*3/uL", "10*3/uL", "concentration of a number", "m-3"},
      {"10^6/ml", "10^6/ml", "concentration of a number", "m-3"},
      {"J/kg.K", "J.K/kg", "", "m2.K/s2"},
      {"J/(kg.K)", "J/kg/K", "specific heat capacity", "J/kg/K"},
      {"mm/s2", "mm/s2", "acceleration", "m/s2"},
      {"uS/cm", "uS/cm", "conductivity", "S/m"},
      {"cP", "cP", "dynamic viscosity", "Pa.s"},
      {"ft", "[ft_i]", "length", "m"},
      {"mph", "[mi_i]/h", "speed", "m/s"},
      {"kvarh", "k[var].h", "reactive energy", "[var].s"},
      {"daN", "daN", "force", "N"},
      {"cd", "cd", "luminous intensity", "cd"},
      {"min", "min", "time", "s"},
      {"Pa", "Pa", "pressure", "Pa"},
      {"m3{dry gas}/h", "m3{dry gas}/h", "volume flow", "m3/s"},
      {"kat", "kat", "frequency", "s-1"},
  };
  for (const auto& row : kTable) {
    const Unit unit = UnitOf(row.text);
    EXPECT_EQ(unit.ucum(), row.ucum) << row.text;
    EXPECT_EQ(unit.quantity(), row.quantity) << row.text;
    EXPECT_EQ(unit.coherent(), row.coherent) << row.text;
  }
}

TEST(UnitTest, WhatIsNoUnitIsToldWhatIsWrong) {
  const struct {
    std::string text;
    const char* message;
  } kTable[] = {
      {"", "a unit is empty"},
      {std::string(257, 'm'), "a unit has 257 bytes; the limit is 256"},
      {"rides", "'rides' is no unit that is known"},
      {"Barr", "'Barr' is no unit that is known; did you mean bar"},
      {"kg/Barr", "there is no 'Barr'; did you mean bar"},
      {"kg/", "a unit is missing"},
      {"m..s", "a unit is missing"},
      {"(m/s", "a parenthesis is not closed"},
      {"m)", "')' is too much"},
      {"m{x", "a brace is not closed"},
      {"m100", "'100' is no exponent"},
      {"m0", "'0' is no exponent"},
      {"m-", "'-' is no exponent"},
      {"10*", "10* has no exponent"},
      {"0.m", "a factor is 0"},
      {"1234567890123456.m", "a factor has more than 15 digits"},
      {"g99.g", "a dimension has an exponent beyond 99"},
      {"Ym50", "it is too large, too small or a fraction of too many digits"},
      {"kWh2", "'Wh' stands for kW.h, which takes no exponent"},
      {"[degRe]/h", "[degRe] has a zero of its own"},
      {"m\xFF", "'m\\xff' is no unit that is known"},
      {"[", "'[' is no unit that is known"},
      {"bar(x)", "is too much"},
      {"MD", "'MD' is no unit that is known"},
      {"kmin", "'kmin' is no unit that is known; did you mean min?"},  // A minute takes no prefix.
      {"CEL", "'CEL' is no unit that is known; did you mean Cel?"},
  };
  for (const auto& row : kTable) {
    const absl::Status status = Unit::Parse(row.text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << row.text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(row.message));
  }
}

TEST(UnitTest, NestedParenthesesEnd) {
  std::string text(127, '(');
  text += "m" + std::string(127, ')');
  EXPECT_EQ(UnitOf(text).ucum(), "m");
}

// Figures from the definitions of the units.
TEST(UnitConversionTest, WellKnownFigures) {
  const struct {
    double value;
    const char* from;
    double expected;
    const char* to;
  } kTable[] = {
      {100, "Cel", 212, "[degF]"},
      {-40, "Cel", -40, "[degF]"},
      {98.6, "[degF]", 37, "Cel"},
      {20, "°C", 68, "°F"},
      {0, "Cel", 273.15, "K"},
      {0, "K", -273.15, "Cel"},
      {0, "K", -459.67, "[degF]"},
      {20, "mK", -273.13, "Cel"},
      {80, "[degRe]", 100, "Cel"},
      {0, "[degR]", -273.15, "Cel"},
      {1, "bar", 100, "kPa"},
      {1, "bar", 14.503773773020923, "[psi]"},
      {1, "[psi]", 6.894757293168361, "kPa"},
      {1, "atm", 101.325, "kPa"},
      {1, "att", 98.0665, "kPa"},
      {1, "mm[H2O]", 9.80665, "Pa"},
      {760, "torr", 1, "atm"},
      {2.5, "barg", 250, "kPa(g)"},
      {36, "t/h", 10, "kg/s"},
      {1, "kg/s", 3.6, "t/h"},
      {60, "m3/h", 1000, "l/min"},
      {1, "[gal_us]", 3.785411784, "L"},
      {1, "[gal_us]", 231, "[in_i]3"},
      {1, "[gal_br]", 4.54609, "L"},
      {1, "[bbl_us]", 42, "[gal_us]"},
      {1, "[ft_i]3", 28.316846592, "L"},
      {1, "kWh", 3.6, "MJ"},
      {1, "MWh", 3600000, "kJ"},
      {1, "kW", 1, "kJ/s"},
      {1, "[HP]", 745.69987158227022, "W"},
      {1, "[Btu_IT]", 1055.05585262, "J"},
      {1, "cal_th", 4.184, "J"},
      {1, "[lb_av]", 0.45359237, "kg"},
      {1, "[ston_av]", 2000, "lb"},
      {1, "[in_i]", 25.4, "mm"},
      {1, "[mi_i]", 1.609344, "km"},
      {1, "[nmi_i]", 1852, "m"},
      {1, "[kn_i]", 1.852, "km/h"},
      {60, "mph", 96.56064, "km/h"},
      {3000, "rpm", 50, "Hz"},
      {1, "circ", 6.283185307179586, "rad"},
      {180, "deg", 3.141592653589793, "rad"},
      {400, "gon", 360, "deg"},
      {1, "%", 10000, "[ppm]"},
      {1, "mg/L", 1, "g/m3"},
      {1, "mg/L", 1000, "ug/L"},
      {1, "mS/cm", 0.1, "S/m"},
      {1, "cP", 1, "mPa.s"},
      {1, "cSt", 1, "mm2/s"},
      {1, "mol/L", 1000, "mol/m3"},
      {1, "kNm3/h", 1000, "Nm3/h"},
      {10, "dB", 1, "B"},
      {1, "d", 86400, "s"},
      {1, "wk", 168, "h"},
      {1, "a", 31557600, "s"},
      {1, "KiBy", 8192, "bit"},
      {9, "K/min", 16.2, "[degF]/min"},
      {1, "J/(g.K)", 1, "kJ/(kg.Cel)"},
      {1, "eV", 1.602176634e-19, "J"},
  };
  for (const auto& row : kTable) {
    EXPECT_DOUBLE_EQ(Between(row.from, row.to)(row.value), row.expected)
        << row.value << " " << row.from << " in " << row.to;
    EXPECT_NEAR(Between(row.to, row.from)(row.expected), row.value, 1e-12 * (1 + std::abs(row.value)))
        << row.expected << " " << row.to << " in " << row.from;
  }
}

TEST(UnitConversionTest, OtherDimensionsAreRefusedAndBothAreNamed) {
  const struct {
    const char* from;
    const char* to;
    const char* message;
  } kTable[] = {
      {"m3/h", "kg/s", "m3/h (volume flow) cannot be converted to kg/s (mass flow)"},
      {"Nm3/h", "m3/h", "[Nm3]/h (gas flow at 0 Cel and 1 atm) cannot be converted to m3/h (volume flow)"},
      {"barg", "bar", "bar.[gauge] (pressure above that of the air) cannot be converted to bar (pressure)"},
      {"dB", "W", "dB (level, a logarithm) cannot be converted to W (power)"},
      {"pH", "mol/L", "[pH] (pH) cannot be converted to mol/L (concentration of a number)"},
      {"kvar", "kW", "k[var] (reactive power) cannot be converted to kW (power)"},
      {"C", "K", "C (charge) cannot be converted to K (temperature)"},
      {"m5", "m", "m5 (of the dimension of m5) cannot be converted to m (length)"},
      {"[NTU]", "[FNU]", "[NTU] (turbidity) cannot be converted to [FNU] (turbidity)"},
  };
  for (const auto& row : kTable) {
    const absl::Status status = UnitConversion::Between(UnitOf(row.from), UnitOf(row.to)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(status.message(), row.message);
  }
}

TEST(UnitConversionTest, ValuesThatAreNoNumbersStay) {
  const UnitConversion to_fahrenheit = Between("Cel", "[degF]");
  const UnitConversion to_kilo = Between("Pa", "kPa");
  const double infinity = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const UnitConversion& conversion : {to_fahrenheit, to_kilo}) {
    EXPECT_EQ(conversion(infinity), infinity);
    EXPECT_EQ(conversion(-infinity), -infinity);
    EXPECT_TRUE(std::isnan(conversion(nan)));
  }
  EXPECT_EQ(Between("km", "mm")(1e305), infinity);
  EXPECT_TRUE(std::signbit(to_kilo(-0.0)));
  // The same unit leaves every bit as it is.
  const UnitConversion same = Between("kg/m3", "g/L");
  EXPECT_TRUE(same.is_identity());
  EXPECT_TRUE(std::signbit(same(-0.0)));
}

Fraction FractionOf(double value) {
  int exponent = 0;
  const auto digits = static_cast<int64_t>(std::ldexp(std::frexp(value, &exponent), 53));
  exponent -= 53;
  const cpp_int power = boost::multiprecision::pow(cpp_int(2), static_cast<unsigned>(std::abs(exponent)));
  return exponent < 0 ? Fraction(cpp_int(digits), power) : Fraction(cpp_int(digits) * power);
}

double Rounded(const Fraction& fraction) {
  using Wide = boost::multiprecision::cpp_bin_float_100;
  return Wide(Wide(cpp_int(numerator(fraction))) / Wide(cpp_int(denominator(fraction)))).convert_to<double>();
}

// Against the same in fractions, which do not round.
TEST(UnitConversionTest, IsTheExactResultRoundedOnce) {
  const struct {
    const char* from;
    const char* to;
    Fraction factor;
    Fraction offset;
  } kTable[] = {
      {"Cel", "[degF]", Fraction(9, 5), 32},
      {"[degF]", "Cel", Fraction(5, 9), Fraction(-160, 9)},
      {"[degF]", "K", Fraction(5, 9), Fraction(45967, 180)},
      {"K", "Cel", 1, Fraction(-27315, 100)},
      {"[psi]", "bar", Fraction(cpp_int("8896443230521"), cpp_int("129032000000000")), 0},
      {"t/h", "kg/s", Fraction(5, 18), 0},
      {"m3/h", "[gal_us]/min", Fraction(cpp_int("25000000000000"), cpp_int("5678117676000")), 0},
      {"kW.h", "[Btu_IT]", Fraction(cpp_int("360000000000000"), cpp_int("105505585262")), 0},
  };
  const uint64_t seed = 17;
  std::mt19937_64 random(seed);
  for (const auto& row : kTable) {
    const UnitConversion conversion = Between(row.from, row.to);
    for (int i = 0; i < 2'000; ++i) {
      double value = static_cast<double>(static_cast<int64_t>(random() % 2'000'001) - 1'000'000) / 1000;
      if (i % 4 == 1)
        value = std::ldexp(static_cast<double>(random() >> 11), static_cast<int>(random() % 100) - 103);
      if (i % 4 == 2)
        value = std::bit_cast<double>((random() & 0x000F'FFFF'FFFF'FFFF) | 0xC030'0000'0000'0000);
      const double expected = Rounded(FractionOf(value) * row.factor + row.offset);
      EXPECT_EQ(conversion(value), expected)
          << value << " " << row.from << " in " << row.to << ", seed " << seed;
    }
  }
}

std::vector<std::string> SomeUnits() {
  return {"m",      "km",     "[ft_i]", "s",   "min", "h",   "g",     "t",     "[lb_av]", "K",      "Cel",
          "[degF]", "mol",    "Pa",     "bar", "psi", "kW",  "[HP]",  "J",     "kWh",     "A",      "V",
          "Ohm",    "m3/h",   "gpm",    "t/h", "%",   "ppm", "mg/L",  "Nm3/h", "rpm",     "deg/s",  "cP",
          "uS/cm",  "W/m2.K", "dB",     "pH",  "lx",  "{x}", "[var]", "10*6",  "barg",    "J/kg/K", "m/s2"};
}

TEST(UnitPropertyTest, ThereAndBack) {
  const uint64_t seed = 5;
  std::mt19937_64 random(seed);
  int pairs = 0;
  for (const std::string& from : SomeUnits()) {
    for (const std::string& to : SomeUnits()) {
      const Unit a = UnitOf(from), b = UnitOf(to);
      EXPECT_EQ(a.IsLike(b), b.IsLike(a));
      EXPECT_EQ(a.IsLike(b), UnitConversion::Between(a, b).ok());
      EXPECT_EQ(a.IsLike(b), a.coherent() == b.coherent());
      if (!a.IsLike(b)) continue;
      ++pairs;
      const UnitConversion there = Between(from, to), back = Between(to, from);
      EXPECT_EQ(there.is_identity(), a.IsSame(b));
      for (int i = 0; i < 200; ++i) {
        const double value = static_cast<double>(static_cast<int64_t>(random() % 200'001) - 100'000) / 100;
        const double zero = std::abs(back(0.0));
        EXPECT_NEAR(back(there(value)), value, 4e-16 * (std::abs(value) + zero))
            << from << " " << to << ", seed " << seed;
      }
    }
  }
  EXPECT_GT(pairs, 60);
}

TEST(UnitPropertyTest, ProductsOfUnitsAreProductsOfFigures) {
  for (const std::string& left : SomeUnits()) {
    for (const std::string& right : SomeUnits()) {
      const Unit a = UnitOf(left).Difference(), b = UnitOf(right).Difference();
      const std::string product = absl::StrCat("(", a.ucum(), ").(", b.ucum(), ")");
      const Unit ab = UnitOf(product);
      EXPECT_TRUE(ab.IsSame(UnitOf(absl::StrCat("(", b.ucum(), ").(", a.ucum(), ")")))) << product;
      EXPECT_TRUE(a.IsSame(UnitOf(absl::StrCat("(", ab.ucum(), ")/(", b.ucum(), ")")))) << product;
      EXPECT_TRUE(UnitOf(absl::StrCat("(", a.ucum(), ")/(", a.ucum(), ")")).IsSame(UnitOf("1"))) << left;
      EXPECT_TRUE(UnitOf(absl::StrCat("(", a.ucum(), ").(", a.ucum(), ")")).IsSame(*a.Square())) << left;
      // By the coherent unit of each.
      const double expected = Between(a.ucum(), a.coherent())(2) * Between(b.ucum(), b.coherent())(3);
      const double got = Between(product, absl::StrCat("(", a.coherent(), ").(", b.coherent(), ")"))(6);
      EXPECT_NEAR(got, expected, 1e-15 * std::abs(expected)) << product;
    }
  }
}

TEST(UnitTableTest, EveryAtomIsReadAndWrittenAsItself) {
  for (const UnitAtom& atom : UnitAtoms()) {
    const std::string code = absl::StrCat(atom.code, atom.code == "10*" || atom.code == "10^" ? "2" : "");
    EXPECT_EQ(UnitOf(code).ucum(), code);
    EXPECT_EQ(Unit::Parse(absl::StrCat("k", code)).ok(), atom.metric) << code;
    EXPECT_TRUE(UnitOf(UnitOf(code).coherent()).IsLike(UnitOf(code))) << code;
  }
}

TEST(UnitTableTest, EverySpellingIsReadAsWhatItStandsFor) {
  for (const auto& [spelling, ucum, metric] : UnitSpellings()) {
    EXPECT_TRUE(UnitOf(spelling).IsSame(UnitOf(ucum))) << spelling << " is " << UnitOf(spelling).ucum();
    EXPECT_EQ(UnitOf(spelling).ucum(), UnitOf(ucum).ucum()) << spelling;
    if (metric) {
      EXPECT_TRUE(UnitOf(absl::StrCat("k", spelling)).IsSame(UnitOf(absl::StrCat("k", ucum)))) << spelling;
    }
  }
  for (const auto& [spelling, ucum, metric] : UnitSpellingsFirst()) {
    EXPECT_EQ(UnitOf(spelling).ucum(), UnitOf(ucum).ucum()) << spelling;
    EXPECT_FALSE(metric);
  }
  for (const auto& [spelling, ucum, metric] : UnitTexts()) {
    EXPECT_EQ(UnitOf(spelling).ucum(), UnitOf(ucum).ucum()) << spelling;
    EXPECT_FALSE(metric);
  }
}

TEST(UnitTableTest, UcumIsReadAsItIsWritten) {
  for (const std::string& text : SomeUnits()) {
    EXPECT_TRUE(UnitOf(UnitOf(text).ucum()).IsSame(UnitOf(text))) << text;
    EXPECT_EQ(UnitOf(UnitOf(text).ucum()).ucum(), UnitOf(text).ucum());
  }
}

TEST(UnitTableTest, EachDimensionHasOneName) {
  for (const UnitQuantity& quantity : UnitQuantities()) {
    EXPECT_EQ(UnitOf(quantity.unit).coherent(), quantity.unit);
  }
}

TEST(UnitTableTest, WhatIsMistakenIsAUnitAndSoIsWhatWasMeant) {
  for (const char* text : {"C", "F", "T", "kg/cm2"}) {
    EXPECT_THAT(std::string(UnitMistakenFor(text)), Not(""));
    EXPECT_FALSE(UnitOf(text).IsLike(UnitOf(UnitMistakenFor(text)))) << text;
  }
  EXPECT_EQ(UnitMistakenFor("m3/h"), "");
}

TEST(UnitMeaningTest, SaysWhatIsKnown) {
  const std::shared_ptr<const UnitMeaning> flow = MeaningOfUnit("t/h");
  EXPECT_TRUE(flow->known);
  EXPECT_EQ(flow->coherent, "kg/s");
  EXPECT_DOUBLE_EQ(flow->factor, 1 / 3.6);
  EXPECT_EQ(flow->note, "");
  EXPECT_EQ(MeaningOfUnit("t/h"), flow);  // Kept.
  const std::shared_ptr<const UnitMeaning> celsius = MeaningOfUnit("°C");
  EXPECT_EQ(celsius->ucum, "Cel");
  EXPECT_EQ(celsius->factor, 1);
  EXPECT_EQ(celsius->offset, 273.15);
  EXPECT_EQ(MeaningOfUnit("T")->note, "'T' means T (magnetic flux density); was it meant as t?");
  EXPECT_FALSE(MeaningOfUnit("rides")->known);
  EXPECT_THAT(MeaningOfUnit("rides")->note, HasSubstr("'rides' is no unit that is known"));
  for (int i = 0; i < 2'000; ++i) EXPECT_TRUE(MeaningOfUnit(absl::StrCat(i + 1, ".m"))->known);
  EXPECT_EQ(MeaningOfUnit("t/h"), flow);
}

TEST(DerivedUnitTest, DifferencesAndVariances) {
  const struct {
    const char* unit;
    const char* difference;
    const char* variance;
  } kTable[] = {
      {"Cel", "K", "K2"},
      {"°C", "K", "K2"},
      {"[degF]", "[degR]", "[degR]2"},
      {"K", "K", "K2"},
      {"mCel", "mK", "mK2"},
      {"bar", "bar", "bar2"},
      {"m³/h", "m³/h", "m6/h2"},
      {"kWh", "kWh", "kW2.h2"},
      {"%", "%", "%2"},
      {"{count}", "{count}", "{count}"},
      {"rides", "rides", "(rides)2"},
      {"", "", ""},
      {"1000.kg", "1000.kg", "1000000.kg2"},
      {"10*3", "10*3", "10*6"},
  };
  for (const auto& row : kTable) {
    EXPECT_EQ(UnitOfDifference(row.unit), row.difference) << row.unit;
    EXPECT_EQ(UnitOfVariance(row.unit), row.variance) << row.unit;
  }
}

TEST(DerivedUnitTest, Totals) {
  const struct {
    const char* unit;
    const char* time;
    const char* total;
    double seconds;
  } kTable[] = {
      {"kW", "", "kW.h", 3600},        {"kW", "h", "kW.h", 3600},
      {"MW", "d", "MW.d", 86400},      {"W", "s", "W.s", 1},
      {"A", "", "A.h", 3600},          {"kg/h", "", "kg", 3600},
      {"t/d", "", "t", 86400},         {"m³/h", "", "m3", 3600},
      {"m3/h", "min", "m3", 3600},     {"l/min", "", "l", 60},
      {"gpm", "", "[gal_us]", 60},     {"Nm3/h", "", "[Nm3]", 3600},
      {"rpm", "", "{rev}", 60},        {"m/s2", "", "m/s", 1},
      {"Cel", "", "K.s", 1},           {"Cel", "d", "K.d", 86400},
      {"bar", "h", "bar.h", 3600},     {"kWh", "", "kW.h.s", 1},
      {"/min", "", "1", 60},           {"rides", "", "rides.s", 1},
      {"rides", "h", "rides.h", 3600}, {"", "", "s", 1},
      {"", "min", "min", 60},          {"MWh/d", "", "MW.h", 86400},
      {"kvar", "", "k[var].h", 3600},  {"s99.s-1.s", "", "s99.s", 1},
  };
  for (const auto& row : kTable) {
    const absl::StatusOr<TotalUnit> total = UnitOfTotal(row.unit, row.time);
    ASSERT_TRUE(total.ok()) << total.status();
    EXPECT_EQ(total->unit, row.total) << row.unit;
    EXPECT_EQ(total->seconds, row.seconds) << row.unit;
  }
  EXPECT_EQ(UnitOfTotal("kW", "kg").status().message(), "'kg' is no unit of time");
  EXPECT_EQ(UnitOfTotal("kW", "x").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace historian
