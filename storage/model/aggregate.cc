#include "storage/model/aggregate.h"

#include "storage/model/check.h"

namespace historian {

const AggregateInfo* FindAggregate(absl::string_view text) {
  for (const AggregateInfo& info : kAggregates) {
    if (text == info.name || (!info.short_name.empty() && text == info.short_name)) return &info;
  }
  return nullptr;
}

const AggregateInfo& InfoOf(Aggregate aggregate) {
  const AggregateInfo* const info = FindAggregate(static_cast<int64_t>(aggregate));
  HISTORIAN_CHECK(info != nullptr);
  return *info;
}

bool HasIntegers(Aggregate aggregate, ValueType type) {
  switch (InfoOf(aggregate).kind) {
    case AggregateKind::kTime:
    case AggregateKind::kCount:
      return true;
    case AggregateKind::kSampleValue:
      return !IsFloat(type);
    case AggregateKind::kShare:
    case AggregateKind::kNumber:
      return false;
  }
  return false;
}

}  // namespace historian
