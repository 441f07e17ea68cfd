#include "storage/sealed/retention.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/record/v1/records.pb.h"
#include "storage/format/key.h"
#include "storage/format/record_keys.h"
#include "storage/model/status_macros.h"
#include "storage/platform/heap_bytes.h"
#include "storage/versions/kept_definitions.h"

namespace historian {
namespace {

// Tags that Apply judges before it asks whether to go on. A tag may have many patterns to match, and then it asks itself.
constexpr TagId kTagsAtOnce = 1024;
// Where tags differ in many ways, verdicts are forgotten when they speak of more holds than this together.
constexpr size_t kHeldAtOnce = 100'000;
// Written down that often although nothing expires, so that it is known when rules were last looked at.
constexpr absl::Duration kNoteAppliedEvery = absl::Hours(24);

const int32_t kFirstPartition = format::PartitionOf(kTimestampMin);

uint64_t SecondsOf(absl::Duration keep) {
  return keep == absl::InfiniteDuration() ? 0 : static_cast<uint64_t>(absl::ToInt64Seconds(keep));
}
absl::Duration KeepOf(uint64_t seconds) {
  return seconds == 0 ? absl::InfiniteDuration() : absl::Seconds(seconds);
}

absl::Status CheckText(absl::string_view what, absl::string_view text, size_t bytes_min, size_t bytes_max) {
  if (text.size() < bytes_min) return absl::InvalidArgumentError(absl::StrCat("the ", what, " is missing"));
  if (text.size() > bytes_max) {
    return absl::InvalidArgumentError(
        absl::StrCat("the ", what, " has ", text.size(), " bytes; the limit is ", bytes_max));
  }
  if (!IsValidUtf8(text)) return absl::InvalidArgumentError(absl::StrCat("the ", what, " is no UTF-8"));
  return absl::OkStatus();
}

absl::Status CheckPattern(absl::string_view pattern) {
  if (pattern.empty()) return absl::InvalidArgumentError("the pattern is missing");
  return TagPattern::Compile(pattern).status();
}

absl::Status CheckKeep(absl::string_view what, absl::Duration keep) {
  if (keep == absl::InfiniteDuration()) return absl::OkStatus();
  if (keep < kKeepMin) {
    return absl::InvalidArgumentError(absl::StrCat(what, " are kept for ", absl::FormatDuration(keep),
                                                   "; the least is ", absl::FormatDuration(kKeepMin)));
  }
  if (keep != absl::Trunc(keep, absl::Seconds(1))) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " are kept for ", absl::FormatDuration(keep), ", which is no whole seconds"));
  }
  return absl::OkStatus();
}

absl::Status CheckRule(const RetentionRule& rule) {
  RETURN_IF_ERROR(CheckText("rule's name", rule.name, 1, kRetentionNameBytesMax));
  const absl::Status status = [&] {
    RETURN_IF_ERROR(CheckPattern(rule.pattern));
    RETURN_IF_ERROR(CheckText("comment", rule.comment, 0, kRetentionTextBytesMax));
    RETURN_IF_ERROR(CheckText("name of who changes it", rule.changed_by, 0, kRetentionNameBytesMax));
    RETURN_IF_ERROR(CheckKeep("raw samples", rule.keep_raw));
    RETURN_IF_ERROR(CheckKeep("rollups", rule.keep_rollups));
    if (rule.keep_rollups >= rule.keep_raw) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("rollups cannot be kept for less time (", absl::FormatDuration(rule.keep_rollups),
                     ") than raw samples (", absl::FormatDuration(rule.keep_raw), ")"));
  }();
  return Annotate(status, absl::StrCat("retention rule '", rule.name, "'"));
}

absl::Status CheckHold(const LegalHold& hold) {
  RETURN_IF_ERROR(CheckText("hold's name", hold.name, 1, kRetentionNameBytesMax));
  const absl::Status status = [&] {
    RETURN_IF_ERROR(CheckPattern(hold.pattern));
    RETURN_IF_ERROR(CheckText("reason", hold.reason, 1, kRetentionTextBytesMax));
    RETURN_IF_ERROR(CheckText("name of who places it", hold.placed_by, 1, kRetentionNameBytesMax));
    if (IsValidTimestamp(hold.start) && hold.end <= kTimestampMax + 1 && hold.start < hold.end) {
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(absl::StrCat("from ", FormatTimestamp(hold.start), " to ",
                                                   FormatTimestamp(hold.end),
                                                   " is no range of time between 1900 and 2200"));
  }();
  return Annotate(status, absl::StrCat("legal hold '", hold.name, "'"));
}

record::v1::LegalHoldRecord ToRecord(const LegalHold& hold) {
  record::v1::LegalHoldRecord record;
  record.set_id(hold.id);
  record.set_name(hold.name);
  record.set_pattern(hold.pattern);
  record.set_start(hold.start);
  record.set_end(hold.end);
  record.set_reason(hold.reason);
  record.set_placed_by(hold.placed_by);
  record.set_placed(hold.placed);
  record.set_placed_in(hold.placed_in);
  if (hold.released.has_value()) {
    record.mutable_release()->set_reason(hold.released->reason);
    record.mutable_release()->set_by(hold.released->by);
    record.mutable_release()->set_at(hold.released->at);
  }
  return record;
}

LegalHold FromRecord(const record::v1::LegalHoldRecord& record) {
  LegalHold hold{.id = record.id(),
                 .name = record.name(),
                 .pattern = record.pattern(),
                 .start = record.start(),
                 .end = record.end(),
                 .reason = record.reason(),
                 .placed_by = record.placed_by(),
                 .placed = record.placed(),
                 .placed_in = record.placed_in()};
  if (record.has_release()) {
    hold.released = {record.release().reason(), record.release().by(), record.release().at()};
  }
  return hold;
}

std::vector<RetentionRule> FromRecord(const record::v1::RetentionRulesRecord& record) {
  std::vector<RetentionRule> rules;
  for (const record::v1::RetentionRulesRecord::Rule& rule : record.rules()) {
    rules.push_back({.name = rule.name(),
                     .pattern = rule.pattern(),
                     .keep_raw = KeepOf(rule.keep_raw_s()),
                     .keep_rollups = KeepOf(rule.keep_rollups_s()),
                     .comment = rule.comment(),
                     .changed_by = rule.changed_by(),
                     .changed = rule.changed()});
  }
  return rules;
}

// The record of the rules as of a version; nothing if there never were any.
absl::StatusOr<std::optional<record::v1::RetentionRulesRecord>> ReadRules(kv::Store& store, Version version) {
  ASSIGN_OR_RETURN(const std::optional<std::string> bytes, ReadAsOf(store, kRetentionRulesKey, version));
  if (!bytes.has_value()) return std::nullopt;
  record::v1::RetentionRulesRecord record;
  if (!record.ParseFromString(*bytes)) {
    return absl::DataLossError("the record of the retention rules is damaged");
  }
  return record;
}

// The partitions that are over for longer than `keep`.
PartitionSet OlderThan(absl::Duration keep, Timestamp now) {
  return PartitionSet(kFirstPartition, ExpiryEnd(keep, now));
}

// What expires of a tag.
Expired Judge(const RetentionPolicies::Decision& decision, Timestamp now) {
  Expired expired;
  if (decision.rule == nullptr) return expired;
  expired.all = OlderThan(decision.rule->keep_rollups, now);
  expired.raw = OlderThan(decision.rule->keep_raw, now);
  for (const LegalHold* hold : decision.holds) {
    const PartitionSet held(format::PartitionOf(hold->start), format::PartitionOf(hold->end - 1) + 1);
    expired.all.Remove(held);
    expired.raw.Remove(held);
  }
  expired.raw.Remove(expired.all);
  return expired;
}

template <typename Record>
void PutStretches(const PartitionSet& partitions, Record* record) {
  for (const PartitionSet::Stretch& stretch : partitions.stretches()) {
    record->Add(stretch.begin);
    record->Add(stretch.end);
  }
}

// False when the numbers are no stretches.
template <typename Record>
bool GetStretches(const Record& record, PartitionSet* partitions) {
  if (record.size() % 2 != 0) return false;
  for (int i = 0; i < record.size(); i += 2) {
    if (record[i] >= record[i + 1]) return false;
    partitions->Add(PartitionSet(record[i], record[i + 1]));
  }
  return true;
}

}  // namespace

int32_t Expired::end() const {
  return std::max(all.empty() ? INT32_MIN : all.end(), raw.empty() ? INT32_MIN : raw.end());
}

void ExpiredTable::Complete() {
  memory_bytes_ = HeapBytesOf(groups_) + HeapBytesOf(group_of_);
  for (const Expired& group : groups_) {
    end_ = std::max(end_, group.end());
    memory_bytes_ += group.all.MemoryBytes() + group.raw.MemoryBytes();
  }
}

bool ExpiredTable::HasAny(int32_t partition) const {
  return std::any_of(groups_.begin(), groups_.end(),
                     [partition](const Expired& group) { return group.HasRaw(partition); });
}

bool ExpiredTable::HasAllTags(int32_t partition, TagId last) const {
  if (group_of_.size() <= last) return false;
  if (!std::all_of(groups_.begin(), groups_.end(),
                   [partition](const Expired& group) { return group.HasAll(partition); })) {
    return false;
  }
  return std::find(group_of_.begin() + 1, group_of_.begin() + last + 1, 0u) == group_of_.begin() + last + 1;
}

// ---- Opening

absl::StatusOr<std::unique_ptr<Retention>> Retention::Open(kv::Store& store, const VersionTable& versions,
                                                           const Clock& clock, absl::Status* damage,
                                                           DefinitionMemory& memory) {
  auto retention = std::unique_ptr<Retention>(new Retention(store, versions, clock, memory));
  const absl::Status loaded = retention->Load();
  retention->NoteMemory();
  if (damage == nullptr || !absl::IsDataLoss(loaded)) {
    RETURN_IF_ERROR(loaded);
  } else {
    *damage = loaded;
  }
  return retention;
}

absl::Status Retention::Load() {
  const absl::Status expired = LoadExpired();
  const auto rules = ReadRules(store_, kVersionNow);
  const absl::StatusOr<std::vector<LegalHold>> holds = ReadHolds(kVersionNow, nullptr);
  std::map<uint64_t, LegalHold> by_id;
  if (holds.ok()) {
    for (const LegalHold& hold : *holds) by_id.emplace(hold.id, hold);
  }
  const bool has_rules = rules.ok() && rules->has_value();
  absl::StatusOr<std::shared_ptr<const RetentionPolicies>> policies = RetentionPolicies::Make(
      has_rules ? FromRecord(**rules) : std::vector<RetentionRule>(), std::move(by_id));
  absl::Status compiled;
  if (!policies.ok()) {
    compiled = absl::DataLossError(absl::StrCat("a stored record is damaged: ", policies.status().message()));
  }
  absl::MutexLock lock(&mu_);
  if (policies.ok()) policies_ = *std::move(policies);
  if (has_rules) rules_changed_ = (*rules)->changed();
  absl::Status damage;
  for (const absl::Status& status : {expired, rules.status(), holds.status(), compiled}) {
    if (!status.ok() && !absl::IsDataLoss(status)) return status;
    damage.Update(status);
  }
  return damage;
}

absl::Status Retention::LoadExpired() {
  ASSIGN_OR_RETURN(const std::optional<std::string> bytes, store_.Get(kv::Space::kMeta, kExpiredKey));
  if (!bytes.has_value()) return absl::OkStatus();
  const absl::Status damaged = absl::DataLossError("the record of what has expired is damaged");
  record::v1::ExpiredRecord record;
  if (!record.ParseFromString(*bytes)) return damaged;
  auto table = std::make_shared<ExpiredTable>();
  for (const record::v1::ExpiredRecord::Group& stored : record.groups()) {
    Expired& group = table->groups_.emplace_back();
    if (!GetStretches(stored.all(), &group.all) || !GetStretches(stored.raw(), &group.raw) ||
        stored.tags_size() % 2 != 0) {
      return damaged;
    }
    uint64_t tag = 0;
    for (int i = 0; i < stored.tags_size(); i += 2) {
      tag += stored.tags(i);
      const uint64_t end = tag + stored.tags(i + 1);
      if (end > UINT32_MAX) return damaged;
      if (table->group_of_.size() < end) table->group_of_.resize(end);
      for (; tag < end; ++tag) table->group_of_[tag] = static_cast<uint32_t>(table->groups_.size());
    }
  }
  table->Complete();
  absl::MutexLock lock(&mu_);
  expired_ = std::move(table);
  applied_ = record.applied();
  return absl::OkStatus();
}

// ---- Rules

std::shared_ptr<const RetentionPolicies> Retention::policies() const {
  absl::MutexLock lock(&mu_);
  return policies_;
}

void Retention::NoteMemory() const {
  std::shared_ptr<const RetentionPolicies> policies;
  std::shared_ptr<const ExpiredTable> expired;
  {
    absl::MutexLock lock(&mu_);
    policies = policies_;
    expired = expired_;
  }
  memory_.Set(DefinitionKind::kRetention, policies->MemoryBytes() + expired->MemoryBytes());
}

absl::Status Retention::CheckRoom(const RetentionPolicies& changed, absl::string_view what) const {
  const size_t after = changed.definition_bytes();
  return after <= policies()->definition_bytes() ? absl::OkStatus() : memory_.CheckRoom(after, what);
}

absl::StatusOr<std::vector<RetentionRule>> Retention::RulesAsOf(Version version) const {
  if (version == kVersionNow) return Rules();
  ASSIGN_OR_RETURN(const auto record, ReadRules(store_, version));
  return record.has_value() ? FromRecord(*record) : std::vector<RetentionRule>();
}

absl::Duration Retention::SinceRulesChanged() const {
  absl::MutexLock lock(&mu_);
  return clock_.Monotonic() - rules_changed_here_;
}

Timestamp Retention::rules_changed() const {
  absl::MutexLock lock(&mu_);
  return rules_changed_;
}

absl::Status Retention::WriteRules(std::vector<RetentionRule> rules, const std::string& author) {
  const Timestamp now = clock_.Now();
  ASSIGN_OR_RETURN(std::shared_ptr<const RetentionPolicies> changed,
                   RetentionPolicies::Make(rules, policies()->holds()));
  RETURN_IF_ERROR(CheckRoom(*changed, "the retention rules"));
  record::v1::RetentionRulesRecord record;
  record.set_changed(now);
  for (const RetentionRule& rule : rules) {
    record::v1::RetentionRulesRecord::Rule& stored = *record.add_rules();
    stored.set_name(rule.name);
    stored.set_pattern(rule.pattern);
    stored.set_keep_raw_s(SecondsOf(rule.keep_raw));
    stored.set_keep_rollups_s(SecondsOf(rule.keep_rollups));
    stored.set_comment(rule.comment);
    stored.set_changed_by(rule.changed_by);
    stored.set_changed(rule.changed);
  }
  absl::ReaderMutexLock stays_open(&versions_.closing_mu());
  const absl::Status written = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(std::optional<std::string> before, store_.Get(kv::Space::kMeta, kRetentionRulesKey));
    kv::Batch batch;
    RETURN_IF_ERROR(Keep(store_, kRetentionRulesKey,
                         {.record = std::move(before).value_or(""),
                          .until = versions_.open(),
                          .changed = now,
                          .author = author},
                         &batch));
    batch.Put(kRetentionRulesKey, record.SerializeAsString());
    return store_.Write(batch);
  }();
  RETURN_IF_ERROR(Annotate(written, "writing the retention rules"));
  {
    absl::MutexLock lock(&mu_);
    policies_ = std::move(changed);
    rules_changed_ = now;
    rules_changed_here_ = clock_.Monotonic();
  }
  NoteMemory();
  return absl::OkStatus();
}

absl::StatusOr<RetentionRule> Retention::SetRule(RetentionRule rule, std::optional<size_t> position,
                                                 const KeepGoing& keep_going) {
  RETURN_IF_ERROR(CheckRule(rule));
  ASSIGN_OR_RETURN(const Turns::Turn turn, changes_.Take(keep_going));
  std::vector<RetentionRule> rules = Rules();
  const auto old = std::find_if(rules.begin(), rules.end(),
                                [&](const RetentionRule& other) { return other.name == rule.name; });
  size_t at = static_cast<size_t>(old - rules.begin());
  if (old != rules.end()) {
    rule.changed = old->changed;
    if (rule == *old && std::min(position.value_or(at), rules.size() - 1) == at) return rule;
    rules.erase(old);
  }
  if (rules.size() >= kRetentionRulesMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("there are ", rules.size(), " retention rules, the most there can be"));
  }
  if (position.has_value()) at = *position;
  rule.changed = clock_.Now();
  rules.insert(rules.begin() + std::min(at, rules.size()), rule);
  RETURN_IF_ERROR(WriteRules(std::move(rules), rule.changed_by));
  return rule;
}

absl::Status Retention::RemoveRule(absl::string_view name, const KeepGoing& keep_going) {
  ASSIGN_OR_RETURN(const Turns::Turn turn, changes_.Take(keep_going));
  std::vector<RetentionRule> rules = Rules();
  if (std::erase_if(rules, [&](const RetentionRule& rule) { return rule.name == name; }) == 0) {
    return absl::NotFoundError(absl::StrCat("there is no retention rule '", name, "'"));
  }
  return WriteRules(std::move(rules), "");
}

// ---- Legal holds

std::vector<LegalHold> Retention::Holds(bool with_released) const {
  const std::shared_ptr<const RetentionPolicies> now = policies();
  std::vector<LegalHold> holds;
  for (const auto& [id, hold] : now->holds()) {
    if (with_released || !hold.released.has_value()) holds.push_back(hold);
  }
  return holds;
}

absl::StatusOr<std::vector<LegalHold>> Retention::HoldsAsOf(Version version,
                                                            const KeepGoing& keep_going) const {
  if (version == kVersionNow) return Holds(/*with_released=*/true);
  return ReadHolds(version, keep_going);
}

absl::StatusOr<std::vector<LegalHold>> Retention::ReadHolds(Version version,
                                                            const KeepGoing& keep_going) const {
  std::vector<LegalHold> holds;
  const std::unique_ptr<kv::Cursor> cursor = store_.NewCursor(kv::Space::kMeta);
  for (cursor->Seek(kLegalHoldKeyPrefix); cursor->Valid(); cursor->Next()) {
    if (cursor->key().substr(0, kLegalHoldKeyPrefix.size()) != kLegalHoldKeyPrefix) break;
    RETURN_IF_ERROR(GoOn(keep_going));
    ASSIGN_OR_RETURN(const std::optional<std::string> bytes, ReadAsOf(store_, cursor->key(), version));
    record::v1::LegalHoldRecord record;
    if (!bytes.has_value() || !record.ParseFromString(*bytes) || LegalHoldKey(record.id()) != cursor->key()) {
      return absl::DataLossError(absl::StrCat("the record of legal hold '", record.name(), "' is damaged"));
    }
    if (record.placed_in() <= version) holds.push_back(FromRecord(record));
  }
  RETURN_IF_ERROR(cursor->status());
  return holds;
}

absl::StatusOr<LegalHold> Retention::WriteHold(const LegalHold* old, LegalHold hold) {
  absl::ReaderMutexLock stays_open(&versions_.closing_mu());
  if (old == nullptr) hold.placed_in = versions_.open();
  const std::shared_ptr<const RetentionPolicies> before = policies();
  std::map<uint64_t, LegalHold> holds = before->holds();
  holds[hold.id] = hold;
  ASSIGN_OR_RETURN(std::shared_ptr<const RetentionPolicies> changed,
                   RetentionPolicies::Make(before->rules(), std::move(holds)));
  if (old == nullptr) RETURN_IF_ERROR(CheckRoom(*changed, absl::StrCat("legal hold '", hold.name, "'")));
  const absl::Status written = [&]() -> absl::Status {
    const std::string key = LegalHoldKey(hold.id);
    kv::Batch batch;
    if (old != nullptr) {
      RETURN_IF_ERROR(Keep(store_, key,
                           {.record = ToRecord(*old).SerializeAsString(),
                            .until = versions_.open(),
                            .changed = hold.released->at,
                            .author = hold.released->by},
                           &batch));
    }
    batch.Put(key, ToRecord(hold).SerializeAsString());
    return store_.Write(batch);
  }();
  RETURN_IF_ERROR(Annotate(written, absl::StrCat("writing legal hold '", hold.name, "'")));
  {
    absl::MutexLock lock(&mu_);
    policies_ = std::move(changed);
  }
  NoteMemory();
  return hold;
}

absl::StatusOr<LegalHold> Retention::PlaceHold(LegalHold hold, const KeepGoing& keep_going) {
  RETURN_IF_ERROR(CheckHold(hold));
  ASSIGN_OR_RETURN(const Turns::Turn turn, changes_.Take(keep_going));
  const std::shared_ptr<const RetentionPolicies> before = policies();
  if (before->holds().size() >= kLegalHoldsMax) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "there are ", before->holds().size(), " legal holds, those released too: the most there can be"));
  }
  hold.id = before->holds().empty() ? 1 : before->holds().rbegin()->first + 1;
  hold.placed = clock_.Now();
  hold.released.reset();
  return WriteHold(nullptr, std::move(hold));
}

absl::StatusOr<LegalHold> Retention::ReleaseHold(uint64_t id, LegalHold::Release release,
                                                 const KeepGoing& keep_going) {
  RETURN_IF_ERROR(CheckText("reason", release.reason, 1, kRetentionTextBytesMax));
  RETURN_IF_ERROR(CheckText("name of who releases it", release.by, 1, kRetentionNameBytesMax));
  ASSIGN_OR_RETURN(const Turns::Turn turn, changes_.Take(keep_going));
  const std::shared_ptr<const RetentionPolicies> before = policies();
  const auto found = before->holds().find(id);
  if (found == before->holds().end()) return absl::NotFoundError(absl::StrCat("there is no legal hold ", id));
  const LegalHold& old = found->second;
  if (old.released.has_value()) {
    return absl::FailedPreconditionError(absl::StrCat("legal hold ", id, " '", old.name, "' was released on ",
                                                      FormatTimestamp(old.released->at)));
  }
  LegalHold hold = old;
  release.at = clock_.Now();
  hold.released = std::move(release);
  return WriteHold(&old, std::move(hold));
}

// ---- What has expired

std::shared_ptr<const ExpiredTable> Retention::expired() const {
  absl::MutexLock lock(&mu_);
  return expired_;
}

TooOld Retention::too_old(const TagRegistry& tags, Timestamp now) const {
  absl::MutexLock lock(&mu_);
  return TooOld(expired_, policies_, tags, std::clamp(now, kTimestampMin, kTimestampMax));
}

const RetentionRule* TooOld::RuleAgainst(TagId tag, int32_t partition) const {
  if (partition >= rules_end_) return nullptr;
  const std::shared_ptr<const RetentionPolicies::Decision> decision =
      policies_->KeptDecisionOf(tag, tags_.NameOf(tag));
  return decision->ExpiresRaw(partition, now_) ? decision->rule : nullptr;
}

Timestamp Retention::applied() const {
  absl::MutexLock lock(&mu_);
  return applied_;
}

absl::StatusOr<Retention::Outcome> Retention::Apply(const TagRegistry& tags, Timestamp now, bool commit,
                                                    const KeepGoing& keep_going,
                                                    const std::function<absl::Status()>& before_commit) {
  now = std::clamp(now, kTimestampMin, kTimestampMax);
  // A hold placed meanwhile waits, and is then in force.
  ASSIGN_OR_RETURN(const Turns::Turn turn, changes_.Take(keep_going));
  const std::shared_ptr<const RetentionPolicies> policies = this->policies();
  const std::shared_ptr<const ExpiredTable> before = expired();
  Outcome outcome;
  outcome.expired = outcome.before = before;
  outcome.policies = policies;
  if (policies->rules().empty()) return outcome;

  // Tags differ in few ways: by the rule and the holds that match, and by what has expired already.
  std::map<RetentionPolicies::Decision, Expired> verdicts;
  std::map<std::pair<const Expired*, const Expired*>, uint32_t> group_of;
  std::map<Expired, uint32_t> groups;
  size_t held = 0;  // Holds in verdicts.
  auto table = std::make_shared<ExpiredTable>();
  const TagId last = tags.last_id();
  table->group_of_.resize(size_t{last} + 1);
  bool changed = false;
  for (TagId id = 1; id <= last; ++id) {
    if (id % kTagsAtOnce == 0) RETURN_IF_ERROR(GoOn(keep_going));
    const absl::string_view name = tags.NameOf(id);
    if (name.empty()) continue;
    ASSIGN_OR_RETURN(RetentionPolicies::Decision decision, policies->DecisionOf(name, keep_going));
    auto verdict = verdicts.find(decision);
    if (verdict == verdicts.end()) {
      if ((held += decision.holds.size()) > kHeldAtOnce) {
        verdicts.clear();
        group_of.clear();
        held = decision.holds.size();
      }
      Expired judged = Judge(decision, now);
      verdict = verdicts.emplace(std::move(decision), std::move(judged)).first;
    }
    const Expired* const old = before->Of(id);
    const auto [group, is_new] = group_of.emplace(std::pair(&verdict->second, old), 0);
    if (is_new) {
      Expired expired = old == nullptr ? Expired() : *old;
      expired.all.Add(verdict->second.all);
      expired.raw.Add(verdict->second.raw);
      expired.raw.Remove(expired.all);
      if (expired != Expired()) {
        const auto [interned, unknown] = groups.emplace(expired, static_cast<uint32_t>(groups.size() + 1));
        if (unknown) table->groups_.push_back(expired);
        group->second = interned->second;
      }
    }
    table->group_of_[id] = group->second;
    const Expired* const after = table->Of(id);
    if (after != nullptr && (old == nullptr || *after != *old)) {
      ++outcome.tags;
      changed = true;
    }
  }
  if (changed) {
    table->Complete();
    outcome.expired = table;
  }
  if (!commit) return outcome;
  if (changed && before_commit != nullptr) RETURN_IF_ERROR(before_commit());
  if (!changed && applied() != INT64_MIN && now >= applied() &&
      Elapsed(applied(), now) < static_cast<uint64_t>(absl::ToInt64Nanoseconds(kNoteAppliedEvery))) {
    return outcome;
  }

  record::v1::ExpiredRecord record;
  record.set_applied(std::max(now, applied()));
  const ExpiredTable& expired = *outcome.expired;
  std::vector<uint32_t> end_of_run(expired.groups_.size());  // Of tags, per group.
  for (const Expired& group : expired.groups_) {
    record::v1::ExpiredRecord::Group& stored = *record.add_groups();
    PutStretches(group.all, stored.mutable_all());
    PutStretches(group.raw, stored.mutable_raw());
  }
  for (uint32_t id = 0; id < expired.group_of_.size(); ++id) {
    if (expired.group_of_[id] == 0) continue;
    const uint32_t g = expired.group_of_[id] - 1;
    record::v1::ExpiredRecord::Group& stored = *record.mutable_groups(static_cast<int>(g));
    if (stored.tags_size() > 0 && end_of_run[g] == id) {
      stored.set_tags(stored.tags_size() - 1, stored.tags(stored.tags_size() - 1) + 1);
    } else {
      stored.add_tags(id - end_of_run[g]);
      stored.add_tags(1);
    }
    end_of_run[g] = id + 1;
  }
  kv::Batch batch;
  batch.Put(kExpiredKey, record.SerializeAsString());
  RETURN_IF_ERROR(Annotate(store_.Write(batch), "writing down what has expired"));
  {
    absl::MutexLock lock(&mu_);
    expired_ = outcome.expired;
    applied_ = record.applied();
  }
  NoteMemory();
  return outcome;
}

}  // namespace historian
