#include "tools/histctl/lib/type_inference.h"

#include "absl/strings/ascii.h"
#include "tools/histctl/lib/value_text.h"

namespace historian::histctl {

void TypeInference::Add(absl::string_view text, bool decimal_comma) {
  text = absl::StripAsciiWhitespace(text);
  absl::string_view digits = text;
  if (!digits.empty() && (digits[0] == '-' || digits[0] == '+')) digits.remove_prefix(1);
  const bool leading_zero = digits.size() > 1 && digits[0] == '0' && absl::ascii_isdigit(digits[1]);
  if (LooksLikeInt64(text)) {
    ++(leading_zero ? texts_ : integers_);
  } else if (LooksLikeFloat64(text, decimal_comma)) {
    ++fractions_;
  } else if (LooksLikeBool(text)) {
    ++bools_;
  } else {
    ++texts_;
  }
}

void TypeInference::Merge(const TypeInference& other) {
  integers_ += other.integers_;
  fractions_ += other.fractions_;
  bools_ += other.bools_;
  texts_ += other.texts_;
}

std::optional<ValueType> TypeInference::Type() const {
  const uint64_t numbers = integers_ + fractions_;
  const uint64_t all = numbers + bools_ + texts_;
  if (all == 0) return std::nullopt;
  if (bools_ * 10 >= all * 9) return ValueType::kBool;
  if (numbers * 10 >= all * 9) return fractions_ > 0 ? ValueType::kFloat64 : ValueType::kInt64;
  return ValueType::kString;
}

}  // namespace historian::histctl
