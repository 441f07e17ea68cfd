#include "tools/histctl/lib/value_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace historian::histctl {
namespace {

template <typename Number>
void AppendNumber(Number value, std::string* out) {
  if constexpr (std::is_floating_point_v<Number>) {
    if (std::isnan(value)) value = std::fabs(value);
  }
  char text[64];
  const std::to_chars_result result = std::to_chars(text, text + sizeof(text), value);
  out->append(text, result.ptr);
}

template <typename Number>
std::errc ReadNumber(absl::string_view text, Number* value) {
  // from_chars knows no plus sign.
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  const std::from_chars_result result = std::from_chars(text.data(), text.data() + text.size(), *value);
  if (result.ec != std::errc()) return result.ec;
  return result.ptr == text.data() + text.size() ? std::errc() : std::errc::invalid_argument;
}

// `text` as from_chars reads it: without thousands separators and with a decimal point. False: it is no number of this style.
// *plain may be in `buffer`.
constexpr size_t kNumberBytesMax = 128;
bool ToPlain(absl::string_view text, const NumberStyle& style, char (&buffer)[kNumberBytesMax],
             absl::string_view* plain) {
  *plain = text;
  if (style == kDecimalPoint) return true;
  char* to = buffer;
  size_t digits = 0;  // Since the last separator.
  bool whole = true, grouped = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (style.thousands == ' ') {
      for (const absl::string_view space : {"\u00a0", "\u202f"}) {
        if (!absl::StartsWith(text.substr(i), space)) continue;
        c = ' ';
        i += space.size() - 1;
      }
    }
    if (to == buffer + kNumberBytesMax) return false;
    if (c == style.thousands && c != 0) {
      if (!whole || digits == 0 || digits > 3 || (grouped && digits != 3)) return false;
      grouped = true;
      digits = 0;
      continue;
    }
    if (whole && absl::ascii_isdigit(c)) ++digits;
    if (whole && (c == style.decimal || c == 'e' || c == 'E')) {
      whole = false;
      if (grouped && digits != 3) return false;
    }
    if (c == '.' && style.decimal != '.') return false;
    *to++ = c == style.decimal ? '.' : c;
  }
  if (whole && grouped && digits != 3) return false;
  *plain = absl::string_view(buffer, static_cast<size_t>(to - buffer));
  return true;
}

template <typename Number>
std::errc ReadStyled(absl::string_view text, const NumberStyle& style, Number* value) {
  char buffer[kNumberBytesMax];
  absl::string_view plain;
  return ToPlain(text, style, buffer, &plain) ? ReadNumber(plain, value) : std::errc::invalid_argument;
}

bool ReadBool(absl::string_view text, bool digits, ValueBits* bits) {
  for (const char* word : {"true", "on", "yes", digits ? "1" : ""}) {
    if (*word != 0 && absl::EqualsIgnoreCase(text, word)) {
      *bits = 1;
      return true;
    }
  }
  for (const char* word : {"false", "off", "no", digits ? "0" : ""}) {
    if (*word != 0 && absl::EqualsIgnoreCase(text, word)) {
      *bits = 0;
      return true;
    }
  }
  return false;
}

bool Explain(std::errc code, absl::string_view kind, std::string* error) {
  if (code == std::errc()) return true;
  *error =
      absl::StrCat(code == std::errc::result_out_of_range ? "too large or too small for " : "not ", kind);
  return false;
}

}  // namespace

void AppendFloat64(double value, std::string* out) { AppendNumber(value, out); }
void AppendFloat32(float value, std::string* out) { AppendNumber(value, out); }

void AppendValue(ValueType type, ValueBits bits, std::string* out) {
  switch (type) {
    case ValueType::kFloat64:
      AppendNumber(Float64OfBits(bits), out);
      return;
    case ValueType::kFloat32:
      AppendNumber(Float32OfBits(bits), out);
      return;
    case ValueType::kInt64:
      AppendNumber(Int64OfBits(bits), out);
      return;
    case ValueType::kBool:
      out->append(bits != 0 ? "true" : "false");
      return;
    default:
      AppendNumber(bits, out);
      return;
  }
}

std::string StateText(const std::map<uint32_t, std::string>& states, ValueBits code) {
  const auto state = states.find(static_cast<uint32_t>(code));
  return state == states.end() || code > UINT32_MAX ? absl::StrCat(code) : state->second;
}

std::string QualityCodeText(Quality quality) {
  return quality == CodeOf(quality) ? QualityName(quality) : absl::StrFormat("0x%08X", quality);
}

bool ParseValue(ValueType type, absl::string_view text, const NumberStyle& style,
                const std::map<uint32_t, std::string>* states, ValueBits* bits, std::string* error) {
  if (type == ValueType::kString) return true;
  text = absl::StripAsciiWhitespace(text);
  switch (type) {
    case ValueType::kFloat64: {
      double value = 0;
      if (!Explain(ReadStyled(text, style, &value), "a float64", error)) return false;
      *bits = BitsOfFloat64(value);
      return true;
    }
    case ValueType::kFloat32: {
      float value = 0;
      if (!Explain(ReadStyled(text, style, &value), "a float32", error)) return false;
      *bits = BitsOfFloat32(value);
      return true;
    }
    case ValueType::kInt64: {
      int64_t value = 0;
      if (!Explain(ReadStyled(text, style, &value), "an int64", error)) return false;
      *bits = BitsOfInt64(value);
      return true;
    }
    case ValueType::kBool: {
      if (ReadBool(text, /*digits=*/true, bits)) return true;
      *error = "not a bool (true, false, 1, 0, on, off, yes, no)";
      return false;
    }
    default: {
      uint32_t code = 0;
      if (ReadNumber(text, &code) == std::errc()) {
        *bits = code;
        return true;
      }
      if (states != nullptr) {
        for (const auto& [state, name] : *states) {
          if (name == text) {
            *bits = state;
            return true;
          }
        }
      }
      *error = "neither a state's code nor the name of a state of the tag";
      return false;
    }
  }
}

bool LooksLikeFloat64(absl::string_view text, const NumberStyle& style) {
  double value = 0;
  return ReadStyled(absl::StripAsciiWhitespace(text), style, &value) == std::errc();
}

bool LooksLikeBool(absl::string_view text) {
  ValueBits bits = 0;
  return ReadBool(absl::StripAsciiWhitespace(text), /*digits=*/false, &bits);
}

}  // namespace historian::histctl
