#include "storage/upkeep/expiry.h"

#include <memory>
#include <set>
#include <string>

#include "storage/format/block.h"
#include "storage/format/key.h"
#include "storage/model/status_macros.h"

namespace historian {
namespace {

// A partition is rewritten when one byte in this many has expired: less would be much
// writing for little space.
constexpr uint64_t kExpiredShareWorthRewriting = 4;
// Records that are looked at before it is asked whether to go on.
constexpr uint64_t kRecordsAtOnce = 1024;

}  // namespace

absl::StatusOr<std::optional<RetentionResult::Partition>> JudgePartition(kv::Store& store, int32_t partition,
                                                                         const PartitionState& state,
                                                                         const ExpiredTable& expired,
                                                                         TagId last_tag,
                                                                         const KeepGoing& keep_going) {
  using Action = RetentionResult::Action;
  const std::optional<RetentionResult::Partition> nothing;
  if (state.bytes == 0 || !expired.HasAny(partition)) return nothing;
  RetentionResult::Partition judged{.partition = partition};
  if (expired.HasAllTags(partition, last_tag)) {
    judged.action = Action::kDrop;
    judged.samples = state.samples;
    judged.bytes = state.bytes;
    return std::optional(judged);
  }

  const std::string begin = format::PartitionPrefix(partition), end = format::PartitionPrefix(partition + 1);
  uint64_t bytes = 0, looked = 0;
  bool all = true;
  const std::unique_ptr<kv::Cursor> heads = store.NewCursor(kv::Space::kHeads);
  for (heads->Seek(begin); heads->Valid() && heads->key() < end; heads->Next()) {
    if (++looked % kRecordsAtOnce == 0) RETURN_IF_ERROR(GoOn(keep_going));
    ASSIGN_OR_RETURN(const format::BlockId id, format::ParseHeadKey(heads->key()));
    const absl::StatusOr<format::BlockHead> head = format::DecodeBlockHead(heads->value());
    const uint64_t size = heads->value().size() + (head.ok() ? head->payload_size() : 0);
    bytes += size;
    const Expired* const of_tag = expired.Of(id.tag);
    all &= of_tag != nullptr && of_tag->HasAll(partition);
    if (of_tag == nullptr || !of_tag->HasRaw(partition)) continue;
    judged.bytes += size;
    judged.samples += head.ok() ? head->count() : 0;
  }
  RETURN_IF_ERROR(heads->status());
  const std::unique_ptr<kv::Cursor> rollups = store.NewCursor(kv::Space::kRollups);
  for (rollups->Seek(begin); rollups->Valid() && rollups->key() < end; rollups->Next()) {
    if (++looked % kRecordsAtOnce == 0) RETURN_IF_ERROR(GoOn(keep_going));
    ASSIGN_OR_RETURN(const format::RollupId id, format::ParseRollupKey(rollups->key()));
    bytes += rollups->value().size();
    const Expired* const of_tag = expired.Of(id.tag);
    const bool has_expired = of_tag != nullptr && of_tag->HasAll(partition);
    all &= has_expired;
    if (has_expired) judged.bytes += rollups->value().size();
  }
  RETURN_IF_ERROR(rollups->status());
  if (judged.bytes == 0) return nothing;
  judged.action = all                                                   ? Action::kDrop
                  : judged.bytes >= bytes / kExpiredShareWorthRewriting ? Action::kRewrite
                                                                        : Action::kWait;
  return std::optional(judged);
}

// ---- What expires

void ExpiringSamples::Add(absl::string_view rule, TagId tag, int32_t partition, uint64_t samples) {
  if (samples == 0) return;
  auto of_rule = rules_.find(rule);
  if (of_rule == rules_.end()) of_rule = rules_.emplace(std::string(rule), OfRule()).first;
  of_rule->second.tags.insert(tag);
  of_rule->second.samples[partition] += samples;
}

uint64_t ExpiringSamples::SamplesOf(int32_t partition) const {
  uint64_t samples = 0;
  for (const auto& [rule, of_rule] : rules_) {
    if (const auto found = of_rule.samples.find(partition); found != of_rule.samples.end())
      samples += found->second;
  }
  return samples;
}

std::vector<int32_t> ExpiringSamples::Partitions() const {
  std::set<int32_t> partitions;
  for (const auto& [rule, of_rule] : rules_) {
    for (const auto& [partition, samples] : of_rule.samples) partitions.insert(partition);
  }
  return {partitions.begin(), partitions.end()};
}

void ExpiringSamples::Sum(RetentionResult* result) const {
  absl::flat_hash_set<TagId>
      tags;  // A tag has one rule, but the rules may have changed since it was counted.
  for (const auto& [rule, of_rule] : rules_) {
    RetentionResult::ByRule& sum = result->rules.emplace_back();
    sum.rule = rule;
    sum.tags = of_rule.tags.size();
    for (const auto& [partition, samples] : of_rule.samples) {
      sum.samples += samples;
      sum.partitions.push_back(partition);
    }
    tags.insert(of_rule.tags.begin(), of_rule.tags.end());
  }
  result->tags = tags.size();
}

namespace {

// The name of the rule that decides for the tag.
absl::string_view RuleOf(const Retention::Outcome& outcome, const TagRegistry& tags, TagId tag) {
  const RetentionRule* const rule = outcome.policies->KeptDecisionOf(tag, tags.NameOf(tag))->rule;
  return rule == nullptr ? absl::string_view() : absl::string_view(rule->name);
}

}  // namespace

absl::Status AddExpiring(kv::Store& store, int32_t partition, const Retention::Outcome& outcome,
                         const TagRegistry& tags, const KeepGoing& keep_going, ExpiringSamples* expiring) {
  if (outcome.tags == 0 || !outcome.expired->HasAny(partition)) return absl::OkStatus();
  const std::string begin = format::PartitionPrefix(partition), end = format::PartitionPrefix(partition + 1);
  uint64_t looked = 0;
  const std::unique_ptr<kv::Cursor> heads = store.NewCursor(kv::Space::kHeads);
  for (heads->Seek(begin); heads->Valid() && heads->key() < end; heads->Next()) {
    if (++looked % kRecordsAtOnce == 0) RETURN_IF_ERROR(GoOn(keep_going));
    ASSIGN_OR_RETURN(const format::BlockId id, format::ParseHeadKey(heads->key()));
    if (!outcome.ExpiresNow(id.tag, partition)) continue;
    if (const absl::StatusOr<format::BlockHead> head = format::DecodeBlockHead(heads->value()); head.ok()) {
      expiring->Add(RuleOf(outcome, tags, id.tag), id.tag, partition, head->count());
    }
  }
  return heads->status();
}

void AddExpiring(const TagSources& open, const Retention::Outcome& outcome, const TagRegistry& tags,
                 ExpiringSamples* expiring) {
  if (open.tail == nullptr || format::PartitionOf(open.oldest) >= outcome.expired->end()) return;
  const auto add = [&](int32_t partition, uint64_t samples) {
    if (!outcome.ExpiresNow(open.tag, partition)) return;
    expiring->Add(RuleOf(outcome, tags, open.tag), open.tag, partition, samples);
  };
  const auto add_run = [&](const PageRun& run) {
    for (const EncodedPagePtr& page : run.pages) {
      add(format::PartitionOf(page->summary.first.time), page->summary.count);
    }
    for (const Timestamp time : run.raw.times) add(format::PartitionOf(time), 1);
  };
  if (open.tail->frozen != nullptr) {
    for (const PageRun& run : open.tail->frozen->runs) add_run(run);
  }
  for (const PageRun& run : open.tail->runs) add_run(run);
}

}  // namespace historian
