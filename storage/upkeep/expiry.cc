#include "storage/upkeep/expiry.h"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "storage/format/block.h"
#include "storage/format/key.h"
#include "storage/model/status_macros.h"
#include "storage/read/page_cache.h"

namespace historian {
namespace {

// A partition is rewritten when one byte in this many has expired: less would be much
// writing for little space.
constexpr uint64_t kExpiredShareWorthRewriting = 4;
// Records that are looked at before it is asked whether to go on.
constexpr uint64_t kRecordsAtOnce = 1024;

bool HasAllWeeks(const ExpiredTable& expired, int32_t partition, TagId last_tag) {
  for (int32_t week = format::FirstWeek(partition); week < format::EndWeek(partition); ++week) {
    if (!expired.HasAllTags(week, last_tag)) return false;
  }
  return true;
}

// What of a page lies in weeks of which `in` is true, as a share of 0 to 1, as if its samples were spread evenly.
double ShareOf(const Summary& summary, absl::FunctionRef<bool(int32_t week)> in) {
  const Timestamp first = summary.first.time, end = summary.last.time + 1;
  Timestamp inside = 0;
  for (int32_t week = format::PartitionOf(first); week <= format::PartitionOf(end - 1); ++week) {
    if (!in(week)) continue;
    inside += std::min(end, format::PartitionEnd(week)) - std::max(first, format::PartitionStart(week));
  }
  return inside == end - first ? 1 : static_cast<double>(inside) / static_cast<double>(end - first);
}

// Calls visit(week, samples) for each week in which the block has some. Pages that reach from week to week are read; what of
// them is damaged counts as nothing.
absl::Status ForEachWeek(const StoredHead& block, PageFetcher& fetcher,
                         absl::FunctionRef<void(int32_t week, uint64_t samples)> visit) {
  for (size_t i = 0; i < block.head.pages.size(); ++i) {
    const Summary& summary = block.head.pages[i].summary;
    const int32_t first = format::PartitionOf(summary.first.time);
    if (first == format::PartitionOf(summary.last.time)) {
      visit(first, summary.count);
      continue;
    }
    const absl::StatusOr<std::shared_ptr<const Samples>> page = fetcher.Read(block, i);
    if (absl::IsDataLoss(page.status())) continue;
    RETURN_IF_ERROR(page.status());
    const std::vector<Timestamp>& times = (*page)->times;
    for (auto at = times.begin(); at != times.end();) {
      const int32_t week = format::PartitionOf(*at);
      const auto behind = std::lower_bound(at, times.end(), format::PartitionEnd(week));
      visit(week, static_cast<uint64_t>(behind - at));
      at = behind;
    }
  }
  return absl::OkStatus();
}

}  // namespace

bool HasAnyWeek(const ExpiredTable& expired, int32_t partition) {
  for (int32_t week = format::FirstWeek(partition); week < format::EndWeek(partition); ++week) {
    if (expired.HasAny(week)) return true;
  }
  return false;
}

absl::StatusOr<std::optional<RetentionResult::Partition>> JudgePartition(kv::Store& store, int32_t partition,
                                                                         const PartitionState& state,
                                                                         const ExpiredTable& expired,
                                                                         TagId last_tag,
                                                                         const KeepGoing& keep_going) {
  using Action = RetentionResult::Action;
  const std::optional<RetentionResult::Partition> nothing;
  if (state.bytes == 0 || !HasAnyWeek(expired, partition)) return nothing;
  RetentionResult::Partition judged{.partition = partition};
  if (HasAllWeeks(expired, partition, last_tag)) {
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
    if (of_tag == nullptr) {
      all = false;
      continue;
    }
    if (!head.ok()) {  // It counts where its key says.
      const int32_t week = format::PartitionOf(id.first_time);
      all &= of_tag->HasAll(week);
      if (of_tag->HasRaw(week)) judged.bytes += size;
      continue;
    }
    const auto has_raw = [of_tag](int32_t week) { return of_tag->HasRaw(week); };
    const auto has_all = [of_tag](int32_t week) { return of_tag->HasAll(week); };
    double samples = 0;
    for (const format::PageInfo& page : head->pages) {
      all &= ShareOf(page.summary, has_all) == 1;
      samples += static_cast<double>(page.summary.count) * ShareOf(page.summary, has_raw);
    }
    const double share = samples / static_cast<double>(head->count());
    judged.bytes += static_cast<uint64_t>(static_cast<double>(size) * share);
    judged.samples += static_cast<uint64_t>(samples);
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
  // Those of slow tags are here while their blocks are in the long partition.
  const std::unique_ptr<kv::Cursor> superseded = store.NewCursor(kv::Space::kSuperseded, end);
  for (superseded->Seek(begin); all && superseded->Valid();) {
    if (++looked % kRecordsAtOnce == 0) RETURN_IF_ERROR(GoOn(keep_going));
    ASSIGN_OR_RETURN(const format::BlockId id, format::ParseHeadKey(superseded->key()));
    const Expired* const of_tag = expired.Of(id.tag);
    all &= of_tag != nullptr && of_tag->HasAll(partition);
    superseded->Seek(format::BehindPrefix(format::HeadPrefix(partition, id.tag)));
  }
  RETURN_IF_ERROR(superseded->status());
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
  if (outcome.tags == 0 || !HasAnyWeek(*outcome.expired, partition)) return absl::OkStatus();
  const std::string begin = format::PartitionPrefix(partition), end = format::PartitionPrefix(partition + 1);
  uint64_t looked = 0;
  PageCache no_cache(store, 0);  // Each page is read once.
  PageFetcher fetcher(no_cache);
  const std::unique_ptr<kv::Cursor> heads = store.NewCursor(kv::Space::kHeads);
  for (heads->Seek(begin); heads->Valid() && heads->key() < end; heads->Next()) {
    if (++looked % kRecordsAtOnce == 0) RETURN_IF_ERROR(GoOn(keep_going));
    ASSIGN_OR_RETURN(const format::BlockId id, format::ParseHeadKey(heads->key()));
    const auto expires = [&](int32_t week) { return outcome.ExpiresNow(id.tag, week); };
    bool any = false;
    for (int32_t week = format::FirstWeek(partition); week < format::EndWeek(partition); ++week)
      any |= expires(week);
    if (!any) continue;
    absl::StatusOr<format::BlockHead> head = format::DecodeBlockHead(heads->value());
    if (!head.ok()) continue;
    RETURN_IF_ERROR(ForEachWeek({id, *std::move(head)}, fetcher, [&](int32_t week, uint64_t samples) {
      if (expires(week)) expiring->Add(RuleOf(outcome, tags, id.tag), id.tag, week, samples);
    }));
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
