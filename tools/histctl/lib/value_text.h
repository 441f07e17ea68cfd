// File: tools/histctl/lib/value_text.h
//
// Values as text and back, exactly: what is printed is the shortest text that reads back as the same bits.
//
//   float64, float32  1.5, 1e+300, -0, nan, inf, -inf      (which NaN it was is not kept)
//   int64             -42
//   bool              true, false; read also 1 0, on off, yes no, in any case
//   digital           its code; read also the name of a state of the tag
//   string            as it is
#ifndef HISTORIAN_TOOLS_HISTCTL_LIB_VALUE_TEXT_H_
#define HISTORIAN_TOOLS_HISTCTL_LIB_VALUE_TEXT_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/strings/string_view.h"
#include "storage/model/quality.h"
#include "storage/model/value.h"

namespace historian::histctl {

// How numbers are written. Groups of three digits of their whole part may be separated, all of them or none: 1.234.567,5.
struct NumberStyle {
  char decimal = '.';  // Or ','.
  char thousands =
      0;  // 0: nothing separates them. ' ' is also the space that does not break, wide or narrow.

  friend bool operator==(const NumberStyle&, const NumberStyle&) = default;
};
// Where the decimal comma is usual the dot separates thousands.
inline constexpr NumberStyle kDecimalPoint{}, kDecimalComma{.decimal = ',', .thousands = '.'};

void AppendFloat64(double value, std::string* out);
void AppendFloat32(float value, std::string* out);
// Not for strings.
void AppendValue(ValueType type, ValueBits bits, std::string* out);

// The state's name, or its code when it has none.
std::string StateText(const std::map<uint32_t, std::string>& states, ValueBits code);

// Its name, or, with information bits, 0x and eight digits: never a comma, so that it is a field of a CSV file as it is.
std::string QualityCodeText(Quality quality);

// For strings nothing is done. Surrounding spaces are ignored. False: *error says why, without the text.
// `states` is only for digital values and may be null.
bool ParseValue(ValueType type, absl::string_view text, const NumberStyle& style,
                const std::map<uint32_t, std::string>* states, ValueBits* bits, std::string* error);

// What kind of value a text could be, for finding a column's type.
bool LooksLikeFloat64(absl::string_view text, const NumberStyle& style);
// The words only, not 0 and 1.
bool LooksLikeBool(absl::string_view text);

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_LIB_VALUE_TEXT_H_
