#include "tools/histctl/lib/header_unit.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace historian::histctl {
namespace {

// Symbols as they are written in headers, in order of their bytes.
constexpr absl::string_view kSymbols[] = {
    "%",   "A",    "Ah",    "BTU",     "Bq",   "Btu",   "C",     "CFM",  "DegC",   "DegF",   "EUR",  "F",
    "GB",  "GHz",  "GJ",    "GPM",     "GW",   "GWh",   "Hz",    "J",    "K",      "KW",     "KWh",  "L",
    "MB",  "MHz",  "MJ",    "MMBtu",   "MPa",  "MSCFD", "MVA",   "MVAr", "MW",     "MWh",    "Mvar", "N",
    "NTU", "Nl",   "Nm",    "Nm3",     "Nm³",  "Pa",    "PSI",   "RH",   "RPM",    "SCFM",   "Sm3",  "T",
    "TWh", "USD",  "V",     "VA",      "VAr",  "W",     "Wh",    "a",    "atm",    "bar",    "barg", "bara",
    "bbl", "btu",  "cP",    "cSt",     "cfm",  "cm",    "cm2",   "cm3",  "d",      "dB",     "dBA",  "day",
    "deg", "degC", "degF",  "degrees", "dm3",  "ft",    "ft2",   "ft3",  "g",      "gal",    "gpm",  "h",
    "hPa", "hour", "hours", "hp",      "hr",   "hrs",   "in",    "inHg", "inH2O",  "inWC",   "kA",   "kB",
    "kHz", "kJ",   "kN",    "kNm",     "kPa",  "kPag",  "kV",    "kVA",  "kVAr",   "kW",     "kWh",  "kg",
    "km",  "kmol", "kt",    "kts",     "kvar", "l",     "lb",    "lbs",  "liters", "litres", "lux",  "lx",
    "m",   "m2",   "m3",    "mA",      "mAh",  "mS",    "mV",    "mW",   "mbar",   "mg",     "mi",   "min",
    "ml",  "mm",   "mmBtu", "mmHg",    "mmol", "mol",   "mph",   "ms",   "mSv",    "m²",     "m³",   "ng",
    "nm",  "ohm",  "pH",    "ppb",     "ppm",  "ppmv",  "ppmvd", "ppt",  "psi",    "psia",   "psig", "rad",
    "rev", "rh",   "rpm",   "s",       "scfm", "sec",   "t",     "tons", "tph",    "uS",     "ug",   "um",
    "us",  "var",  "vol%",  "°",       "°C",   "°F",    "µS",    "µg",   "µm",     "μg",     "μm",   "Ω",
    "℃",   "℉",
};

bool IsSymbol(absl::string_view text) {
  // m2, s-1, h^-1: a power behind.
  while (!text.empty() && absl::ascii_isdigit(text.back())) {
    if (std::find(std::begin(kSymbols), std::end(kSymbols), text) != std::end(kSymbols)) return true;
    text.remove_suffix(1);
  }
  while (!text.empty() && (text.back() == '-' || text.back() == '^')) text.remove_suffix(1);
  return std::find(std::begin(kSymbols), std::end(kSymbols), text) != std::end(kSymbols);
}

// What is in the brackets or parentheses at the end of a header; taken away from `name`.
bool TakeLast(char open, char close, bool (*accept)(absl::string_view), std::string* name,
              std::string* unit) {
  if (name->empty() || name->back() != close) return false;
  size_t depth = 0, at = name->size();
  do {
    --at;
    depth += (*name)[at] == close;
    depth -= (*name)[at] == open;
  } while (depth > 0 && at > 0);
  if (depth > 0 || at == 0) return false;
  const absl::string_view inside =
      absl::StripAsciiWhitespace(absl::string_view(*name).substr(at + 1, name->size() - at - 2));
  if (!accept(inside)) return false;
  *unit = std::string(inside);
  name->resize(at);
  absl::StripTrailingAsciiWhitespace(name);
  return true;
}

}  // namespace

bool IsUnit(absl::string_view text) {
  size_t symbols = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of(" /*()"), text.size());
    absl::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (!part.empty()) {
      // A dot, a middle dot between symbols.
      size_t cut = std::min(part.find('.'), part.find("·"));
      cut = std::min(cut, part.size());
      const absl::string_view symbol = part.substr(0, cut);
      part.remove_prefix(std::min(part.size(), cut + (absl::StartsWith(part.substr(cut), "·") ? 2 : 1)));
      if (symbol.empty()) continue;
      if (std::all_of(symbol.begin(), symbol.end(), absl::ascii_isdigit)) continue;  // 1000 lb, 15 min
      if (!IsSymbol(symbol)) return false;
      ++symbols;
    }
  }
  return symbols > 0;
}

bool TakeUnit(std::string* name, std::string* unit) {
  if (TakeLast(
          '[', ']', [](absl::string_view) { return true; }, name, unit))
    return false;
  return TakeLast('(', ')', IsUnit, name, unit);
}

}  // namespace historian::histctl
