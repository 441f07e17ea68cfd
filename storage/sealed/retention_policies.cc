#include "storage/sealed/retention_policies.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/format/key.h"
#include "storage/model/check.h"
#include "storage/model/status_macros.h"
#include "storage/platform/heap_bytes.h"

namespace historian {
namespace {

size_t TextBytes(const RetentionRule& rule) {
  return HeapBytesOf(rule.name) + HeapBytesOf(rule.pattern) + HeapBytesOf(rule.comment) +
         HeapBytesOf(rule.changed_by);
}

size_t TextBytes(const LegalHold& hold) {
  size_t bytes = HeapBytesOf(hold.name) + HeapBytesOf(hold.pattern) + HeapBytesOf(hold.reason) +
                 HeapBytesOf(hold.placed_by);
  if (hold.released.has_value()) bytes += HeapBytesOf(hold.released->reason) + HeapBytesOf(hold.released->by);
  return bytes;
}

// Patterns that are matched before it is asked whether to go on: a few hundredths of a second for the worst ones.
constexpr size_t kPatternsAtOnce = 64;

}  // namespace

int32_t ExpiryEnd(absl::Duration keep, Timestamp now) {
  if (keep == absl::InfiniteDuration()) return INT32_MIN;
  const auto keep_ns = static_cast<uint64_t>(absl::ToInt64Nanoseconds(keep));
  if (now <= kTimestampMin || Elapsed(kTimestampMin, now) <= keep_ns) return INT32_MIN;
  return format::PartitionOf(now - static_cast<int64_t>(keep_ns));
}

absl::StatusOr<std::shared_ptr<const RetentionPolicies>> RetentionPolicies::Make(
    std::vector<RetentionRule> rules, std::map<uint64_t, LegalHold> holds) {
  auto policies = std::make_shared<RetentionPolicies>();
  policies->rules_ = std::move(rules);
  policies->holds_ = std::move(holds);
  for (const RetentionRule& rule : policies->rules_) {
    absl::StatusOr<TagPattern> pattern = TagPattern::Compile(rule.pattern);
    if (!pattern.ok()) return Annotate(pattern.status(), absl::StrCat("retention rule '", rule.name, "'"));
    policies->rule_patterns_.push_back(*std::move(pattern));
    policies->keep_min_ = std::min(policies->keep_min_, rule.keep_raw);
  }
  for (const auto& [id, hold] : policies->holds_) {
    if (hold.released.has_value()) continue;
    absl::StatusOr<TagPattern> pattern = TagPattern::Compile(hold.pattern);
    if (!pattern.ok()) return Annotate(pattern.status(), absl::StrCat("legal hold '", hold.name, "'"));
    policies->in_force_.emplace_back(&hold, *std::move(pattern));
  }
  policies->definition_bytes_ = HeapBytes(sizeof(RetentionPolicies)) + HeapBytesOf(policies->rules_) +
                                HeapBytesOf(policies->rule_patterns_) + HeapBytesOf(policies->in_force_) +
                                policies->holds_.size() * MapEntryBytes<std::map<uint64_t, LegalHold>>();
  for (const RetentionRule& rule : policies->rules_) policies->definition_bytes_ += TextBytes(rule);
  for (const TagPattern& pattern : policies->rule_patterns_)
    policies->definition_bytes_ += pattern.MemoryBytes();
  for (const auto& [id, hold] : policies->holds_) policies->definition_bytes_ += TextBytes(hold);
  for (const auto& [hold, pattern] : policies->in_force_)
    policies->definition_bytes_ += pattern.MemoryBytes();
  return policies;
}

absl::StatusOr<RetentionPolicies::Decision> RetentionPolicies::DecisionOf(absl::string_view tag_name,
                                                                          const KeepGoing& keep_going) const {
  Decision decision;
  size_t matched = 0;
  for (size_t i = 0; i < rules_.size(); ++i) {
    if (++matched % kPatternsAtOnce == 0) RETURN_IF_ERROR(GoOn(keep_going));
    if (!rule_patterns_[i].Matches(tag_name)) continue;
    decision.rule = &rules_[i];
    break;
  }
  for (const auto& [hold, pattern] : in_force_) {
    if (++matched % kPatternsAtOnce == 0) RETURN_IF_ERROR(GoOn(keep_going));
    if (pattern.Matches(tag_name)) decision.holds.push_back(hold);
  }
  return decision;
}

std::shared_ptr<const RetentionPolicies::Decision> RetentionPolicies::KeptDecisionOf(
    TagId tag, absl::string_view name) const {
  {
    absl::MutexLock lock(&mu_);
    if (const auto found = kept_.find(tag); found != kept_.end()) return found->second;
  }
  absl::StatusOr<Decision> decision = DecisionOf(name);
  HISTORIAN_CHECK(decision.ok());  // Nobody ends it.
  absl::MutexLock lock(&mu_);
  std::shared_ptr<const Decision>& same = decisions_[*decision];
  if (same == nullptr) {
    // As key and as value.
    decision_bytes_ += MapEntryBytes<decltype(decisions_)>() + HeapBytes(16 + sizeof(Decision)) +
                       2 * HeapBytesOf(decision->holds);
    same = std::make_shared<const Decision>(*std::move(decision));
  }
  const std::shared_ptr<const Decision> kept = same;
  kept_[tag] = kept;
  if (TableBytes(kept_) + decision_bytes_ > kKeptBytesMax) {
    // They are asked for by what writes old samples and by expiry, which go through many tags: the oldest would be as good
    // as any.
    kept_ = {};
    decisions_.clear();
    decision_bytes_ = 0;
  }
  return kept;
}

size_t RetentionPolicies::MemoryBytes() const {
  absl::MutexLock lock(&mu_);
  return definition_bytes_ + TableBytes(kept_) + decision_bytes_;
}

int32_t RetentionPolicies::ExpiresBefore(Timestamp now) const { return ExpiryEnd(keep_min_, now); }

bool RetentionPolicies::Decision::ExpiresRaw(int32_t partition, Timestamp now) const {
  if (rule == nullptr || partition >= ExpiryEnd(rule->keep_raw, now)) return false;
  return std::none_of(holds.begin(), holds.end(), [partition](const LegalHold* hold) {
    return format::PartitionOf(hold->start) <= partition && partition <= format::PartitionOf(hold->end - 1);
  });
}

}  // namespace historian
