#include "tools/histctl/lib/type_inference.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tools/histctl/lib/quality_text.h"

namespace historian::histctl {
namespace {

constexpr size_t kExampleBytes = 40;

// The whole part of a number in groups of three digits: how long it is, and how many separators it has. Size 0: it is none, or
// begins with a zero, as no grouped number does.
struct Groups {
  size_t size = 0;
  int separators = 0;
};

Groups GroupsOf(absl::string_view text, char separator) {
  Groups groups;
  size_t digits = 0;
  while (digits < text.size() && absl::ascii_isdigit(text[digits])) ++digits;
  if (digits == 0 || digits > 3 || text[0] == '0') return groups;
  size_t at = digits;
  const auto is_group = [&] {
    if (at + 4 > text.size() || text[at] != separator) return false;
    for (size_t i = at + 1; i < at + 4; ++i) {
      if (!absl::ascii_isdigit(text[i])) return false;
    }
    return at + 4 == text.size() || !absl::ascii_isdigit(text[at + 4]);
  };
  while (is_group()) {
    at += 4;
    ++groups.separators;
  }
  groups.size = at;
  return groups;
}

// What follows the groups: nothing, or a fraction.
bool IsFraction(absl::string_view rest, char decimal) {
  return rest.size() > 1 && rest[0] == decimal &&
         std::all_of(rest.begin() + 1, rest.end(), [](char c) { return absl::ascii_isdigit(c); });
}

}  // namespace

void TypeVotes::Merge(const TypeVotes& other) {
  numbers += other.numbers;
  integers += other.integers;
  long_integers += other.long_integers;
  bools += other.bools;
  texts += other.texts;
  states += other.states;
  valueless += other.valueless;
  for (const std::string& text : other.text_examples) {
    if (text_examples.size() < kExamples &&
        std::find(text_examples.begin(), text_examples.end(), text) == text_examples.end()) {
      text_examples.push_back(text);
    }
  }
}

std::optional<ValueType> TypeVotes::Type() const {
  if (all() == 0) return std::nullopt;
  // Nobody can tell what there would be instead of these.
  if (numbers == 0 && states == all()) return std::nullopt;
  if (numbers == 0) return bools * 10 >= all() * 9 ? ValueType::kBool : ValueType::kString;
  if (numbers * 10 >= all() * 9) {
    return long_integers > 0 && integers == numbers ? ValueType::kInt64 : ValueType::kFloat64;
  }
  return std::nullopt;
}

uint64_t TypeVotes::Usable(ValueType type) const {
  switch (type) {
    case ValueType::kFloat64:
    case ValueType::kFloat32:
    case ValueType::kInt64:
      return numbers + states + valueless;
    case ValueType::kBool:
      return numbers + bools + states + valueless;
    default:
      return numbers + bools + texts + states + valueless;
  }
}

TypeInference::Form TypeInference::FormOf(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  absl::string_view number = text;
  if (!number.empty() && (number[0] == '-' || number[0] == '+')) number.remove_prefix(1);
  if (LooksLikeFloat64(text, kDecimalPoint)) {
    const bool leading_zero = number.size() > 1 && number[0] == '0' && absl::ascii_isdigit(number[1]);
    if (!absl::StrContains(number, '.')) return leading_zero ? kText : kWhole;
    const Groups groups = GroupsOf(number, '.');
    return groups.size == number.size() && groups.separators > 0 ? kPointGroup : kPoint;
  }
  const bool has_comma = absl::StrContains(number, ','), has_point = absl::StrContains(number, '.');
  if (has_comma) {
    const Groups groups = GroupsOf(number, ',');
    if (groups.separators > 0 && groups.size == number.size()) {
      return groups.separators > 1 ? kGroupPoint : kCommaGroup;
    }
    if (groups.separators > 0 && IsFraction(number.substr(groups.size), '.')) return kGroupPoint;
  }
  if (has_point) {
    const Groups groups = GroupsOf(number, '.');
    if (groups.separators > 1 && groups.size == number.size()) return kGroupComma;
    if (groups.separators > 0 && IsFraction(number.substr(groups.size), ',')) return kGroupComma;
  }
  if (has_comma && !has_point && LooksLikeFloat64(text, {.decimal = ','})) return kComma;
  if (LooksLikeBool(text)) return kBool;
  return QualityOfState(text) ? kState : kText;
}

bool TypeInference::Add(absl::string_view text, uint64_t line, const std::optional<NumberStyle>& style,
                        bool state) {
  Form form = kText;
  if (style.has_value() && LooksLikeFloat64(text, *style)) {
    const Form unasked = FormOf(text);
    form = unasked < kBool ? unasked : kWhole;
  } else if (form = FormOf(text); style.has_value() && form < kBool) {
    form = kText;
  }
  if (state) form = kState;
  if (counts_[form]++ == 0) {
    first_[form] = {std::string(absl::StripAsciiWhitespace(text).substr(0, kExampleBytes)), line};
  }
  if (form == kWhole) {
    constexpr int64_t kExactMax = int64_t{1} << 53;
    ValueBits bits = 0;
    std::string error;
    if (ParseValue(ValueType::kInt64, text, style.value_or(kDecimalPoint), nullptr, &bits, &error)) {
      ++integers_;
      const int64_t value = Int64OfBits(bits);
      if (value > kExactMax || value < -kExactMax) ++long_integers_;
    }
  }
  if (form < kState || texts_.size() == TypeVotes::kExamples) return form == kState;
  const absl::string_view cut = absl::StripAsciiWhitespace(text).substr(0, kExampleBytes);
  if (std::find(texts_.begin(), texts_.end(), cut) == texts_.end()) texts_.emplace_back(cut);
  return form == kState;
}

TypeVotes TypeInference::Votes(const NumberStyle& style) const {
  TypeVotes votes{.integers = integers_,
                  .long_integers = long_integers_,
                  .bools = counts_[kBool],
                  .texts = counts_[kText],
                  .states = counts_[kState],
                  .valueless = valueless_,
                  .text_examples = texts_};
  for (size_t form = 0; form < kBool; ++form) {
    if (counts_[form] == 0) continue;
    // All of a form are numbers, or none is: the first one tells.
    if (LooksLikeFloat64(first_[form].text, style)) {
      votes.numbers += counts_[form];
    } else {
      votes.texts += counts_[form];
      if (votes.text_examples.size() < TypeVotes::kExamples) votes.text_examples.push_back(first_[form].text);
    }
  }
  return votes;
}

absl::StatusOr<NumberStyle> FindNumberStyle(const std::vector<const TypeInference*>& columns,
                                            const std::vector<std::string>& names, char separator) {
  using Inference = TypeInference;
  std::array<uint64_t, Inference::kForms> counts{};
  std::array<std::string, Inference::kForms> first;
  for (size_t c = 0; c < columns.size(); ++c) {
    const TypeInference& column = *columns[c];
    uint64_t numbers = 0, all = 0;
    for (size_t form = 0; form < Inference::kForms; ++form) {
      if (form != Inference::kState) all += column.counts_[form];
      if (form < Inference::kBool) numbers += column.counts_[form];
    }
    if (numbers * 2 < all) continue;
    for (size_t form = 0; form < Inference::kBool; ++form) {
      if (counts[form] == 0 && column.counts_[form] > 0) {
        first[form] = absl::StrCat("line ", column.first_[form].line, ", '", names[c], "': '",
                                   column.first_[form].text, "'");
      }
      counts[form] += column.counts_[form];
    }
  }
  const auto first_of = [&](Inference::Form a, Inference::Form b) {
    return counts[a] > 0 ? first[a] : first[b];
  };
  const bool comma = counts[Inference::kComma] + counts[Inference::kGroupComma] > 0;
  const bool point = counts[Inference::kPoint] + counts[Inference::kGroupPoint] > 0;
  if (comma && point) {
    return absl::InvalidArgumentError(absl::StrCat(
        "some numbers have a decimal comma (", first_of(Inference::kComma, Inference::kGroupComma),
        "), others a decimal point (", first_of(Inference::kPoint, Inference::kGroupPoint),
        "): say --decimal comma or --decimal point, and what is written otherwise is a bad value"));
  }
  if (comma) return kDecimalComma;
  const NumberStyle grouped{.decimal = '.', .thousands = ','};
  if (counts[Inference::kGroupPoint] > 0) return grouped;
  if (counts[Inference::kCommaGroup] > 0) {
    if (point) return grouped;
    if (separator == ';') return kDecimalComma;
    return absl::InvalidArgumentError(
        absl::StrCat(first[Inference::kCommaGroup],
                     ": the comma may be a decimal one or separate thousands: say --decimal comma or "
                     "--thousands ','"));
  }
  if (separator == ';' && counts[Inference::kPointGroup] > 0 && counts[Inference::kPoint] == 0 &&
      counts[Inference::kWhole] > 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(first[Inference::kPointGroup],
                     ": the point may be a decimal one or separate thousands: say --decimal point or "
                     "--decimal comma"));
  }
  return kDecimalPoint;
}

}  // namespace historian::histctl
