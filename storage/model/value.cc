#include "storage/model/value.h"

namespace historian {

absl::string_view ValueTypeName(ValueType type) {
  switch (type) {
    case ValueType::kFloat64:
      return "float64";
    case ValueType::kFloat32:
      return "float32";
    case ValueType::kInt64:
      return "int64";
    case ValueType::kBool:
      return "bool";
    case ValueType::kDigital:
      return "digital";
    case ValueType::kString:
      return "string";
  }
  return "unknown";
}

bool ParseValueType(absl::string_view text, ValueType* type) {
  for (uint8_t i = 1; IsKnownValueType(i); ++i) {
    if (ValueTypeName(static_cast<ValueType>(i)) == text) {
      *type = static_cast<ValueType>(i);
      return true;
    }
  }
  return false;
}

}  // namespace historian
