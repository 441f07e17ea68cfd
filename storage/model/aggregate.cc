#include "storage/model/aggregate.h"

#include <string>

#include "absl/strings/ascii.h"
#include "storage/model/check.h"

namespace historian {
namespace {

// In lower case, without hyphens and underscores.
std::string Plain(absl::string_view text) {
  std::string plain;
  for (const char c : text) {
    if (c != '-' && c != '_') plain.push_back(absl::ascii_tolower(static_cast<unsigned char>(c)));
  }
  return plain;
}

}  // namespace

const AggregateInfo* FindAggregate(absl::string_view text) {
  const std::string plain = Plain(text);
  if (plain.empty()) return nullptr;
  for (const AggregateInfo& info : kAggregates) {
    for (const absl::string_view name : {info.name, info.short_name, info.standard_name}) {
      if (plain == Plain(name)) return &info;
    }
  }
  return nullptr;
}

const AggregateInfo& InfoOf(Aggregate aggregate) {
  const AggregateInfo* const info = FindAggregate(static_cast<int64_t>(aggregate));
  HISTORIAN_CHECK(info != nullptr);
  return *info;
}

bool IsDefinedFor(Aggregate aggregate, ValueType type) {
  return type != ValueType::kString || InfoOf(aggregate).for_strings;
}

ValueType ResultTypeOf(Aggregate aggregate, ValueType type) {
  switch (InfoOf(aggregate).result) {
    case AggregateResult::kSource:
      return type;
    case AggregateResult::kDifference:
      return IsFloat(type) ? type : ValueType::kInt64;
    case AggregateResult::kNumber:
    case AggregateResult::kVariance:
    case AggregateResult::kTotal:
    case AggregateResult::kDuration:
    case AggregateResult::kPercent:
      return ValueType::kFloat64;
    case AggregateResult::kCount:
    case AggregateResult::kQuality:
      return ValueType::kInt64;
  }
  return type;
}

bool HasIntegers(Aggregate aggregate, ValueType type) { return !IsFloat(ResultTypeOf(aggregate, type)); }

}  // namespace historian
