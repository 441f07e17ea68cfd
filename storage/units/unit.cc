#include "storage/units/unit.h"

#include <algorithm>
#include <array>
#include <boost/multiprecision/cpp_bin_float.hpp>
#include <boost/multiprecision/cpp_int.hpp>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "storage/model/check.h"
#include "storage/model/nearest_name.h"
#include "storage/model/status_macros.h"
#include "storage/model/tag.h"
#include "storage/units/unit_table.h"

namespace historian {
namespace {

using boost::multiprecision::cpp_int;
using Fraction = boost::multiprecision::cpp_rational;
// More digits than two doubles have.
using Wide = boost::multiprecision::cpp_bin_float_100;

constexpr int kFractionBitsMax = 1024;
constexpr int kExponentMax = 99;
constexpr size_t kDigitsMax = 15;  // Of a whole number among the factors.
// What is shorter is near to everything.
constexpr size_t kGuessBytesMin = 3;

constexpr std::array<absl::string_view, 7> kBase = {"m", "s", "g", "rad", "K", "C", "cd"};
constexpr size_t kGram = 2;

struct Dimension {
  std::array<int, kBase.size()> base = {};
  std::map<std::string, int> own;  // By the atom that has it; none of them 0.

  friend bool operator==(const Dimension&, const Dimension&) = default;
  friend bool operator<(const Dimension& a, const Dimension& b) {
    return std::tie(a.base, a.own) < std::tie(b.base, b.own);
  }
};

// A factor of a unit as it is written: "cm3{gas}".
struct Term {
  std::string code;  // Empty: an annotation alone.
  int exponent = 1;
  std::string annotation;  // With its braces.
};

cpp_int PowerOfTen(int exponent) {
  return boost::multiprecision::pow(cpp_int(10), static_cast<unsigned>(exponent));
}

// Of a decimal number in the table.
Fraction FractionOf(absl::string_view text) {
  int exponent = 0;
  if (const size_t e = text.find('e'); e != absl::string_view::npos) {
    HISTORIAN_CHECK(absl::SimpleAtoi(text.substr(e + 1), &exponent));
    text = text.substr(0, e);
  }
  cpp_int digits = 0;
  bool behind_point = false;
  for (const char c : text) {
    if (c == '.') {
      behind_point = true;
      continue;
    }
    HISTORIAN_CHECK(absl::ascii_isdigit(c));
    digits = digits * 10 + (c - '0');
    exponent -= behind_point;
  }
  return exponent < 0 ? Fraction(digits, PowerOfTen(-exponent)) : Fraction(digits * PowerOfTen(exponent));
}

size_t BitsOf(const Fraction& fraction) {
  return std::max(msb(numerator(fraction)), msb(denominator(fraction)));
}

// False if the result were too long. Requires a base above 0.
bool Power(const Fraction& base, int exponent, Fraction* result) {
  const unsigned times = static_cast<unsigned>(std::abs(exponent));
  if (BitsOf(base) * times > kFractionBitsMax) return false;
  const cpp_int up = boost::multiprecision::pow(cpp_int(numerator(base)), times);
  const cpp_int down = boost::multiprecision::pow(cpp_int(denominator(base)), times);
  *result = exponent > 0 ? Fraction(up, down) : Fraction(down, up);
  return true;
}

// What is known of a symbol.
struct Symbol {
  Dimension dimension;
  Fraction factor = 1;
  // Of a degree: its zero in the coherent unit, where it stands alone, and what it is as a factor of others; empty: none.
  bool has_offset = false;
  Fraction offset = 0;
  std::string difference;
};

}  // namespace

struct Unit::Parts {
  std::vector<Term> terms;
  Dimension dimension;
  // A value in the coherent unit, but with the gram for the kilogram, is value * factor + offset.
  Fraction factor = 1;
  Fraction offset = 0;
  bool has_offset = false;
  std::string ucum;
};

namespace {

using Parts = Unit::Parts;

bool IsTen(absl::string_view code) { return code == "10*" || code == "10^"; }

std::string TextOf(const std::vector<Term>& terms) {
  std::string text;
  for (const bool above : {true, false}) {
    for (const Term& term : terms) {
      // Powers of ten stay above: 10*-6.
      if ((term.exponent > 0 || IsTen(term.code)) != above) continue;
      if (!above) {
        text.push_back('/');
      } else if (!text.empty()) {
        text.push_back('.');
      }
      const int exponent = IsTen(term.code) ? term.exponent : std::abs(term.exponent);
      absl::StrAppend(&text, term.code);
      if (IsTen(term.code) || exponent != 1) absl::StrAppend(&text, exponent);
      absl::StrAppend(&text, term.annotation);
    }
  }
  return text.empty() ? "1" : text;
}

// The symbols of UCUM and Historian's own.
class Atoms {
 public:
  static const Atoms& Get() {
    static const Atoms& atoms = *new Atoms;
    return atoms;
  }

  // A symbol, perhaps with a prefix. False: there is none.
  bool Find(absl::string_view code, Symbol* symbol) const {
    if (const auto found = atoms_.find(code); found != atoms_.end()) {
      *symbol = found->second.symbol;
      return true;
    }
    for (const auto& [prefix, factor] : prefixes_) {
      absl::string_view rest = code;
      if (!absl::ConsumePrefix(&rest, prefix)) continue;
      const auto found = atoms_.find(rest);
      if (found == atoms_.end() || !found->second.metric) continue;
      *symbol = found->second.symbol;
      symbol->factor *= factor;
      if (!symbol->difference.empty()) symbol->difference = absl::StrCat(prefix, symbol->difference);
      return true;
    }
    return false;
  }

 private:
  struct Entry {
    Symbol symbol;
    bool metric = false;
  };

  Atoms();

  std::vector<std::pair<absl::string_view, Fraction>> prefixes_;
  absl::flat_hash_map<absl::string_view, Entry> atoms_;
};

// What can be printed.
std::string Shown(absl::string_view text) {
  return absl::StrReplaceAll(IsValidUtf8(text) ? absl::Utf8SafeCHexEscape(text) : absl::CHexEscape(text),
                             {{"\\'", "'"}});
}

absl::Status Unknown(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("'", Shown(text), "' is no unit that is known: ", Shown(why)));
}

// Takes a text apart, factor by factor. Spellings become what they stand for. Errors name `written`.
class Parser {
 public:
  Parser(const Atoms& atoms, absl::string_view text, absl::string_view written)
      : atoms_(atoms), written_(written), rest_(text) {}

  absl::StatusOr<std::vector<Term>> Parse() {
    RETURN_IF_ERROR(ParseTerm(1));
    if (!rest_.empty()) return Wrong(absl::StrCat("'", rest_, "' is too much"));
    return std::move(terms_);
  }

 private:
  absl::Status Wrong(absl::string_view why) const { return Unknown(written_, why); }

  // Factors with their signs, that of the parentheses around them among them.
  absl::Status ParseTerm(int sign) {
    int its_sign = absl::ConsumePrefix(&rest_, "/") ? -sign : sign;
    for (;;) {
      RETURN_IF_ERROR(ParseComponent(its_sign));
      if (absl::ConsumePrefix(&rest_, ".")) {
        its_sign = sign;
      } else if (absl::ConsumePrefix(&rest_, "/")) {
        its_sign = -sign;
      } else {
        return absl::OkStatus();
      }
    }
  }

  absl::Status ParseComponent(int sign) {
    if (absl::ConsumePrefix(&rest_, "(")) {
      RETURN_IF_ERROR(ParseTerm(sign));
      if (!absl::ConsumePrefix(&rest_, ")")) return Wrong("a parenthesis is not closed");
      return absl::OkStatus();
    }
    if (!rest_.empty() && absl::ascii_isdigit(rest_[0]) && !IsTen(rest_.substr(0, 3)))
      return ParseNumber(sign);
    const absl::string_view symbol = TakeSymbol();
    ASSIGN_OR_RETURN(const int exponent, TakeExponent());
    ASSIGN_OR_RETURN(std::string annotation, TakeAnnotation());
    if (!symbol.empty()) return AddSymbol(symbol, exponent, sign, std::move(annotation));
    if (annotation.empty()) return Wrong("a unit is missing");
    if (exponent != 0) return Wrong("an exponent has no unit before it");
    terms_.push_back({"", sign, std::move(annotation)});
    return absl::OkStatus();
  }

  absl::Status ParseNumber(int sign) {
    const size_t size = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
    uint64_t number = 0;
    if (size > kDigitsMax || !absl::SimpleAtoi(rest_.substr(0, size), &number)) {
      return Wrong(absl::StrCat("a factor has more than ", kDigitsMax, " digits"));
    }
    rest_.remove_prefix(size);
    if (number == 0) return Wrong("a factor is 0");
    ASSIGN_OR_RETURN(std::string annotation, TakeAnnotation());
    if (number != 1) {
      terms_.push_back({absl::StrCat(number), sign, std::move(annotation)});
    } else if (!annotation.empty()) {
      terms_.push_back({"", sign, std::move(annotation)});
    }
    return absl::OkStatus();
  }

  // Letters and signs, and what brackets enclose.
  absl::string_view TakeSymbol() {
    size_t size = 0;
    if (IsTen(rest_.substr(0, 3))) {
      size = 3;
    } else {
      while (size < rest_.size() && !absl::StrContains("0123456789./(){}+-", rest_.substr(size, 1))) {
        if (rest_[size] == '[') size = std::min(rest_.find(']', size), rest_.size() - 1);
        ++size;
      }
    }
    const absl::string_view symbol = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return symbol;
  }

  // 0: there is none.
  absl::StatusOr<int> TakeExponent() {
    const bool is_signed = !rest_.empty() && (rest_[0] == '-' || rest_[0] == '+');
    const size_t size = std::min(rest_.find_first_not_of("0123456789", is_signed ? 1 : 0), rest_.size());
    absl::string_view digits = rest_.substr(0, size);
    rest_.remove_prefix(size);
    if (size == 0) return 0;
    absl::ConsumePrefix(&digits, "+");
    int exponent = 0;
    if (!absl::SimpleAtoi(digits, &exponent) || exponent == 0 || std::abs(exponent) > kExponentMax) {
      return Wrong(
          absl::StrCat("'", digits, "' is no exponent: 1 to ", kExponentMax, ", perhaps with a minus sign"));
    }
    return exponent;
  }

  absl::StatusOr<std::string> TakeAnnotation() {
    if (!absl::StartsWith(rest_, "{")) return std::string();
    const size_t end = rest_.find('}');
    if (end == absl::string_view::npos) return Wrong("a brace is not closed");
    std::string annotation(rest_.substr(0, end + 1));
    rest_.remove_prefix(end + 1);
    return annotation;
  }

  absl::Status AddSymbol(absl::string_view code, int exponent, int sign, std::string annotation) {
    for (const UnitSpelling& one : UnitSpellingsFirst()) {
      if (one.spelling == code) return AddSpelling(one, "", exponent, sign, annotation);
    }
    if (Symbol symbol; atoms_.Find(code, &symbol)) {
      if (IsTen(code) && exponent == 0) return Wrong(absl::StrCat(code, " has no exponent"));
      terms_.push_back({std::string(code), sign * (exponent == 0 ? 1 : exponent), std::move(annotation)});
      return absl::OkStatus();
    }
    const auto find = [](absl::string_view spelling, bool prefixed) -> const UnitSpelling* {
      for (const UnitSpelling& one : UnitSpellings()) {
        if (one.spelling == spelling && (one.metric || !prefixed)) return &one;
      }
      return nullptr;
    };
    std::vector<absl::string_view> prefixes = {""};
    for (const UnitPrefix& prefix : UnitPrefixes()) prefixes.push_back(prefix.code);
    for (const absl::string_view prefix : prefixes) {
      absl::string_view rest = code;
      if (!absl::ConsumePrefix(&rest, prefix)) continue;
      // The 3 of Nm3 is a part of it.
      if (const UnitSpelling* one = find(absl::StrCat(rest, exponent), !prefix.empty()); one != nullptr) {
        return AddSpelling(*one, prefix, 0, sign, annotation);
      }
      if (const UnitSpelling* one = find(rest, !prefix.empty()); one != nullptr) {
        return AddSpelling(*one, prefix, exponent, sign, annotation);
      }
    }
    std::vector<std::string> names;
    if (code.size() >= kGuessBytesMin) {
      for (const UnitAtom& atom : UnitAtoms()) names.emplace_back(atom.code);
      for (const UnitSpelling& one : UnitSpellings()) names.emplace_back(one.spelling);
    }
    const std::string meant = DidYouMean(code, names);
    if (code == written_) {
      return absl::InvalidArgumentError(absl::StrCat("'", Shown(code), "' is no unit that is known", meant));
    }
    return Wrong(absl::StrCat("there is no '", code, "'", meant));
  }

  absl::Status AddSpelling(const UnitSpelling& spelling, absl::string_view prefix, int exponent, int sign,
                           const std::string& annotation) {
    const std::string ucum = absl::StrCat(prefix, spelling.ucum);
    ASSIGN_OR_RETURN(const std::vector<Term> meant, Parser(atoms_, ucum, written_).Parse());
    if (exponent != 0 && (meant.size() > 1 || meant[0].code.empty())) {
      return Wrong(absl::StrCat("'", spelling.spelling, "' stands for ", ucum, ", which takes no exponent"));
    }
    for (const Term& term : meant) {
      terms_.push_back(term);
      terms_.back().exponent *= sign * (exponent == 0 ? 1 : exponent);
    }
    if (!annotation.empty() && terms_.back().annotation.empty()) terms_.back().annotation = annotation;
    return absl::OkStatus();
  }

  const Atoms& atoms_;
  const absl::string_view written_;
  absl::string_view rest_;
  std::vector<Term> terms_;
};

// What the factors make together. Errors name `written`.
absl::StatusOr<Parts> Evaluate(const Atoms& atoms, std::vector<Term> terms, absl::string_view written) {
  Parts parts;
  const bool is_alone = terms.size() == 1 && terms[0].exponent == 1;
  for (Term& term : terms) {
    if (term.code.empty()) continue;
    Symbol symbol;
    if (absl::ascii_isdigit(term.code[0]) && !IsTen(term.code)) {
      symbol.factor = Fraction(cpp_int(term.code));
    } else {
      HISTORIAN_CHECK(atoms.Find(term.code, &symbol));
    }
    if (symbol.has_offset && is_alone) {
      parts.offset = symbol.offset;
      parts.has_offset = true;
    } else if (symbol.has_offset) {
      if (symbol.difference.empty()) {
        return Unknown(written, absl::StrCat(term.code, " has a zero of its own and is no factor of a unit"));
      }
      term.code = symbol.difference;
    }
    Fraction power;
    const bool fits = Power(symbol.factor, term.exponent, &power);
    if (fits) parts.factor *= power;
    if (!fits || BitsOf(parts.factor) > kFractionBitsMax) {
      return Unknown(written, "it is too large, too small or a fraction of too many digits");
    }
    for (size_t i = 0; i < kBase.size(); ++i)
      parts.dimension.base[i] += symbol.dimension.base[i] * term.exponent;
    for (const auto& [code, of_symbol] : symbol.dimension.own) {
      int& sum = parts.dimension.own[code];
      sum += of_symbol * term.exponent;
      if (sum == 0) parts.dimension.own.erase(code);
    }
  }
  const auto is_beyond = [](int exponent) { return std::abs(exponent) > kExponentMax; };
  if (std::any_of(parts.dimension.base.begin(), parts.dimension.base.end(), is_beyond) ||
      std::any_of(parts.dimension.own.begin(), parts.dimension.own.end(),
                  [&](const auto& own) { return is_beyond(own.second); })) {
    return Unknown(written, absl::StrCat("a dimension has an exponent beyond ", kExponentMax));
  }
  parts.ucum = TextOf(terms);
  parts.terms = std::move(terms);
  return parts;
}

Atoms::Atoms() {
  for (const UnitPrefix& prefix : UnitPrefixes())
    prefixes_.emplace_back(prefix.code, FractionOf(prefix.factor));
  for (const UnitAtom& atom : UnitAtoms()) {
    Entry entry;
    entry.metric = atom.metric;
    Symbol& symbol = entry.symbol;
    switch (atom.kind) {
      case UnitKind::kBase:
        symbol.dimension.base[std::find(kBase.begin(), kBase.end(), atom.code) - kBase.begin()] = 1;
        break;
      case UnitKind::kOwn:
        symbol.dimension.own[std::string(atom.code)] = 1;
        break;
      case UnitKind::kRatio:
      case UnitKind::kOffset: {
        absl::StatusOr<std::vector<Term>> terms = Parser(*this, atom.of, atom.of).Parse();
        HISTORIAN_CHECK(terms.ok());
        const absl::StatusOr<Parts> of = Evaluate(*this, *std::move(terms), atom.of);
        HISTORIAN_CHECK(of.ok());
        symbol.dimension = of->dimension;
        symbol.factor = of->factor * FractionOf(atom.factor);
        if (atom.kind == UnitKind::kOffset) {
          symbol.has_offset = true;
          symbol.offset = FractionOf(atom.zero) * symbol.factor;
          symbol.difference = std::string(atom.difference);
        }
      }
    }
    atoms_.emplace(atom.code, std::move(entry));
  }
}

// Signs that UCUM writes otherwise in its way, and what has a digit inside.
std::string WithoutSigns(absl::string_view text) {
  return absl::StrReplaceAll(
      text,
      {{"\u00B2", "2"},        {"\u00B3", "3"},   {"\u2074", "4"},      {"\u00B9", "1"},   {"\u207B", "-"},
       {"\u00B5", "u"},        {"\u03BC", "u"},   {"\u2126", "Ohm"},    {"\u03A9", "Ohm"}, {"\u2103", "degC"},
       {"\u2109", "degF"},     {"\u00B0", "deg"}, {"\u00B7", "."},      {"\u22C5", "."},   {"\u00D7", "."},
       {"\u2219", "."},        {"\u2212", "-"},   {"\u2030", "[ppth]"}, {"\u00C5", "Ao"},  {"\u2215", "/"},
       {"\u2044", "/"},        {"\u00A0", " "},   {"\u202F", " "},      {"\u2009", " "},   {"mH2O", "m[H2O]"},
       {"inH2O", "[in_i'H2O]"}});
}

// Spaces multiply or go, m^3 and kg*m become m3 and kg.m; powers of ten and annotations stay.
std::string Packed(absl::string_view text) {
  std::string out;
  bool space = false, annotated = false;
  for (const char c : text) {
    const bool at_ten =
        absl::EndsWith(out, "10") && (out.size() == 2 || !absl::ascii_isdigit(out[out.size() - 3]));
    if (annotated) {
      annotated = c != '}';
      out.push_back(c);
    } else if (c == ' ') {
      space = true;
    } else if (c == '^' && !at_ten) {
      space = false;
    } else {
      if (space && !out.empty() && !absl::StrContains("./(", out.substr(out.size() - 1)) &&
          !absl::StrContains("./(){*", absl::string_view(&c, 1))) {
        out.push_back('.');
      }
      space = false;
      annotated = c == '{';
      out.push_back(c == '*' && !at_ten ? '.' : c);
    }
  }
  return out;
}

absl::StatusOr<Parts> PartsOf(absl::string_view text) {
  if (text.empty()) return absl::InvalidArgumentError("a unit is empty");
  if (text.size() > kUnitBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("a unit has ", text.size(), " bytes; the limit is ", kUnitBytesMax));
  }
  const std::string plain = WithoutSigns(text);
  const std::string together = absl::StrReplaceAll(plain, {{" ", ""}});
  std::string meant = Packed(plain);
  for (const UnitSpelling& one : UnitTexts()) {
    if (one.spelling == together) meant = std::string(one.ucum);
  }
  const Atoms& atoms = Atoms::Get();
  ASSIGN_OR_RETURN(std::vector<Term> terms, Parser(atoms, meant, text).Parse());
  return Evaluate(atoms, std::move(terms), text);
}

Parts KnownParts(std::vector<Term> terms) {
  absl::StatusOr<Parts> parts = Evaluate(Atoms::Get(), std::move(terms), "");
  HISTORIAN_CHECK(parts.ok());
  return *std::move(parts);
}

std::vector<Term> TermsOfDifference(const Parts& parts) {
  if (!parts.has_offset) return parts.terms;
  Symbol symbol;
  HISTORIAN_CHECK(Atoms::Get().Find(parts.terms[0].code, &symbol));
  // No other unit is as long as a degree of Reaumur.
  if (symbol.difference.empty()) return {{"K", 1, ""}, {"5", 1, ""}, {"4", -1, ""}};
  return {{symbol.difference, 1, parts.terms[0].annotation}};
}

const std::map<Dimension, const UnitQuantity*>& Quantities() {
  static const auto& quantities = *[] {
    auto* all = new std::map<Dimension, const UnitQuantity*>;
    for (const UnitQuantity& quantity : UnitQuantities()) {
      const absl::StatusOr<Parts> parts = PartsOf(quantity.unit);
      HISTORIAN_CHECK(parts.ok());
      all->emplace(parts->dimension, &quantity);
    }
    return all;
  }();
  return quantities;
}

// A sum of two doubles. Requires that the number is far from the largest double.
void Split(const Fraction& fraction, double* value, double* rest) {
  const Wide wide = Wide(cpp_int(numerator(fraction))) / Wide(cpp_int(denominator(fraction)));
  *value = wide.convert_to<double>();
  *rest = std::isfinite(*value) ? Wide(wide - Wide(*value)).convert_to<double>() : 0;
}

}  // namespace

absl::StatusOr<Unit> Unit::Parse(absl::string_view text) {
  ASSIGN_OR_RETURN(Parts parts, PartsOf(text));
  return Unit(std::make_shared<const Parts>(std::move(parts)));
}

const std::string& Unit::ucum() const { return parts_->ucum; }
bool Unit::has_offset() const { return parts_->has_offset; }
bool Unit::IsLike(const Unit& other) const { return parts_->dimension == other.parts_->dimension; }
bool Unit::IsSame(const Unit& other) const {
  return IsLike(other) && parts_->factor == other.parts_->factor && parts_->offset == other.parts_->offset;
}

std::string Unit::quantity() const {
  const auto found = Quantities().find(parts_->dimension);
  return found == Quantities().end() ? "" : std::string(found->second->name);
}

std::string Unit::coherent() const {
  const Dimension& dimension = parts_->dimension;
  if (const auto found = Quantities().find(dimension); found != Quantities().end()) {
    return std::string(found->second->unit);
  }
  std::vector<Term> terms;
  for (size_t i = 0; i < kBase.size(); ++i) {
    if (dimension.base[i] != 0)
      terms.push_back({i == kGram ? "kg" : std::string(kBase[i]), dimension.base[i], ""});
  }
  for (const auto& [code, exponent] : dimension.own) terms.push_back({code, exponent, ""});
  return TextOf(terms);
}

UnitConversion Unit::ToCoherent() const {
  Parts coherent{.dimension = parts_->dimension};
  // The gram is a thousandth of SI's unit.
  HISTORIAN_CHECK(Power(1000, coherent.dimension.base[kGram], &coherent.factor));
  const absl::StatusOr<UnitConversion> conversion =
      UnitConversion::Between(*this, Unit(std::make_shared<const Parts>(std::move(coherent))));
  HISTORIAN_CHECK(conversion.ok());
  return *conversion;
}

std::string Unit::Describe() const {
  const std::string name = quantity();
  return absl::StrCat(ucum(), " (", name.empty() ? absl::StrCat("of the dimension of ", coherent()) : name,
                      ")");
}

Unit Unit::Difference() const {
  if (!has_offset()) return *this;
  return Unit(std::make_shared<const Parts>(KnownParts(TermsOfDifference(*parts_))));
}

absl::StatusOr<Unit> Unit::Square() const {
  std::vector<Term> terms = Difference().parts_->terms;
  for (Term& term : terms) {
    if (!term.code.empty() && absl::ascii_isdigit(term.code[0]) && !IsTen(term.code)) {
      // Numbers have no exponents.
      term.code = cpp_int(cpp_int(term.code) * cpp_int(term.code)).str();
    } else if (!term.code.empty()) {
      term.exponent *= 2;
    }
  }
  ASSIGN_OR_RETURN(Parts parts,
                   Evaluate(Atoms::Get(), std::move(terms), absl::StrCat("the square of ", ucum())));
  return Unit(std::make_shared<const Parts>(std::move(parts)));
}

absl::StatusOr<UnitConversion> UnitConversion::Between(const Unit& from, const Unit& to) {
  if (!from.IsLike(to)) {
    return absl::InvalidArgumentError(
        absl::StrCat(from.Describe(), " cannot be converted to ", to.Describe()));
  }
  UnitConversion conversion;
  if (from.IsSame(to)) return conversion;
  conversion.is_identity_ = false;
  const Fraction factor = from.parts_->factor / to.parts_->factor;
  const Fraction offset = (from.parts_->offset - to.parts_->offset) / to.parts_->factor;
  Split(factor, &conversion.factor_, &conversion.factor_rest_);
  Split(offset, &conversion.offset_, &conversion.offset_rest_);
  return conversion;
}

double UnitConversion::operator()(double value) const {
  if (is_identity_) return value;
  const double product = value * factor_;
  // Also a zero, which keeps its sign.
  if (!std::isfinite(product) || (product == 0 && offset_ == 0)) return product;
  const double product_rest = std::fma(value, factor_, -product) + value * factor_rest_;
  if (offset_ == 0) return product + product_rest;
  // What the sum of the two leaves over, whichever is larger.
  const double sum = product + offset_;
  const double of_offset = sum - product;
  const double sum_rest = (product - (sum - of_offset)) + (offset_ - of_offset);
  return sum + (sum_rest + (product_rest + offset_rest_));
}

std::string UnitMistakenFor(absl::string_view text) {
  for (const UnitSpelling& one : UnitMistakes()) {
    if (one.spelling == text) return std::string(one.ucum);
  }
  return "";
}

std::string UnitOfDifference(absl::string_view unit) {
  const absl::StatusOr<Unit> known = Unit::Parse(unit);
  return known.ok() && known->has_offset() ? known->Difference().ucum() : std::string(unit);
}

std::string UnitOfVariance(absl::string_view unit) {
  if (unit.empty()) return "";
  const absl::StatusOr<Unit> known = Unit::Parse(unit);
  if (known.ok()) {
    if (const absl::StatusOr<Unit> square = known->Square(); square.ok()) return square->ucum();
  }
  return absl::StrCat("(", unit, ")2");
}

namespace {

// The length of a unit of time, in seconds. False: it is none.
bool SecondsOf(const Parts& parts, Fraction* seconds) {
  Dimension time;
  time.base[1] = 1;
  if (!(parts.dimension == time)) return false;
  *seconds = parts.factor;
  return true;
}

double DoubleOf(const Fraction& fraction) {
  double value = 0, rest = 0;
  Split(fraction, &value, &rest);
  return value;
}

}  // namespace

absl::StatusOr<TotalUnit> UnitOfTotal(absl::string_view unit, absl::string_view time) {
  const absl::StatusOr<Parts> known = PartsOf(unit);
  absl::string_view chosen = time;
  if (chosen.empty()) {
    chosen = "s";
    if (known.ok()) {
      const auto quantity = Quantities().find(known->dimension);
      const absl::string_view name = quantity == Quantities().end() ? "" : quantity->second->unit;
      if (name == "W" || name == "A" || name == "[var]") chosen = "h";
    }
  }
  ASSIGN_OR_RETURN(const Parts of_time, PartsOf(chosen));
  Fraction seconds;
  if (!SecondsOf(of_time, &seconds)) {
    return absl::InvalidArgumentError(absl::StrCat("'", Shown(chosen), "' is no unit of time"));
  }
  if (!known.ok()) {
    return TotalUnit{unit.empty() ? of_time.ucum : absl::StrCat(unit, ".", of_time.ucum), DoubleOf(seconds)};
  }
  // What flows, where there is a time to divide by.
  std::vector<Term> terms = known->terms;
  for (auto term = terms.begin(); term != terms.end(); ++term) {
    if (term->exponent >= 0 || term->code.empty()) continue;
    Symbol symbol;
    Parts one;
    if (!Atoms::Get().Find(term->code, &symbol)) continue;
    one.dimension = symbol.dimension;
    one.factor = symbol.factor;
    if (!SecondsOf(one, &seconds)) continue;
    if (++term->exponent == 0) terms.erase(term);
    return TotalUnit{TextOf(terms), DoubleOf(seconds)};
  }
  if (known->has_offset) terms = TermsOfDifference(*known);
  terms.insert(terms.end(), of_time.terms.begin(), of_time.terms.end());
  return TotalUnit{TextOf(terms), DoubleOf(seconds)};
}

}  // namespace historian
