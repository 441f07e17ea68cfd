#include "storage/write/time_limits.h"

#include <algorithm>

#include "storage/model/status_macros.h"

namespace historian {

absl::StatusOr<TimeLimits> TimeLimits::Make(const std::vector<FutureLimit>& limits, absl::Duration otherwise,
                                            const TagRegistry& tags) {
  TimeLimits made(tags);
  made.otherwise_ = made.least_ = made.most_ = otherwise;
  for (const FutureLimit& limit : limits) {
    ASSIGN_OR_RETURN(TagPattern pattern, TagPattern::Compile(limit.pattern));
    made.limits_.emplace_back(std::move(pattern), limit.limit);
    made.least_ = std::min(made.least_, limit.limit);
    made.most_ = std::max(made.most_, limit.limit);
  }
  return made;
}

Timestamp TimeLimits::Add(Timestamp now, absl::Duration limit) {
  const int64_t ahead = absl::ToInt64Nanoseconds(limit);
  return now > kTimestampMax - ahead ? kTimestampMax : now + ahead;
}

absl::Duration TimeLimits::LimitOf(TagId tag) const {
  if (limits_.empty()) return otherwise_;
  {
    absl::MutexLock lock(&kept_->mu);
    if (const auto found = kept_->limits.find(tag); found != kept_->limits.end()) return found->second;
  }
  const absl::string_view name = tags_.NameOf(tag);
  const auto match = std::find_if(limits_.begin(), limits_.end(),
                                  [name](const auto& limit) { return limit.first.Matches(name); });
  const absl::Duration limit = match == limits_.end() ? otherwise_ : match->second;
  if (name.empty()) return limit;  // No such tag: nothing to keep.
  absl::MutexLock lock(&kept_->mu);
  kept_->limits[tag] = limit;
  return limit;
}

Timestamp TimeLimits::MaxOf(TagId tag, Timestamp now) const { return Add(now, LimitOf(tag)); }

}  // namespace historian
