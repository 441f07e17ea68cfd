// File: storage/sealed/retention.h
//
// How long what is kept: rules per pattern of tags, legal holds that win over them, and what has expired.
//
//   rules    in order; the first whose pattern matches a tag's name decides for it. None matches: for ever.
//   holds    nothing of a matching tag expires in a partition that a hold touches
//   expired  what the rules have been applied to: decided once, durably, and never taken back
//
// Rules and holds are definitions: each change of them belongs to a version, and what they said before it is kept.
//
// A rule acts on whole partitions (a week, storage/format/key.md): a partition of a tag expires when its end
// is older than the rule keeps. First what is raw expires, then, perhaps later, the rollups.
//
// Expired is expired: readers see nothing of it from then on, samples for it are rejected, and neither a rule
// that keeps longer, nor a hold, nor a clock that goes back brings it again. So dropping it from the disk may
// take its time, and be interrupted.
//
// Threads: any number, but nobody changes rules and holds on the threads of the journal and the shards. Changes come one
// at a time, and each waits for the store; readers never wait for a change. Calls with `keep_going` ask it while they wait
// for a change and between their steps, and end with what it says.
// Errors: InvalidArgument, a rule or hold is not valid (the message says which limit); NotFound, no such one;
// ResourceExhausted, there are as many as may be, or DefinitionMemory has no room for another one; those of the store.
#ifndef HISTORIAN_STORAGE_SEALED_RETENTION_H_
#define HISTORIAN_STORAGE_SEALED_RETENTION_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "storage/kv/store.h"
#include "storage/model/clock.h"
#include "storage/model/data_version.h"
#include "storage/model/definition_memory.h"
#include "storage/model/keep_going.h"
#include "storage/model/tag.h"
#include "storage/model/turn.h"
#include "storage/platform/monotonic.h"
#include "storage/sealed/partition_set.h"
#include "storage/sealed/retention_policies.h"
#include "storage/tags/tag_registry.h"
#include "storage/versions/version_table.h"

namespace historian {

inline constexpr size_t kRetentionRulesMax = 1000;
inline constexpr size_t kLegalHoldsMax = 10'000;             // Those released too.
inline constexpr size_t kRetentionNameBytesMax = 128;        // Of a rule or hold, or of a person.
inline constexpr size_t kRetentionTextBytesMax = 4096;       // A comment or a reason.
inline constexpr absl::Duration kKeepMin = absl::Hours(24);  // Less is a slip of the unit.

// What has expired of a tag. Disjoint.
struct Expired {
  PartitionSet all;  // Everything.
  PartitionSet raw;  // Raw samples; rollups are there.

  // Readers see no raw samples, and writes of raw samples are rejected.
  bool HasRaw(int32_t partition) const { return all.Contains(partition) || raw.Contains(partition); }
  bool HasAll(int32_t partition) const { return all.Contains(partition); }
  // As HasRaw, of any of these partitions.
  bool HasAnyRaw(const PartitionSet& partitions) const {
    return all.Intersects(partitions) || raw.Intersects(partitions);
  }
  // One past the last partition of which anything expired.
  int32_t end() const;

  friend auto operator<=>(const Expired&, const Expired&) = default;
};

// What has expired of all tags, at one moment. Immutable.
class ExpiredTable {
 public:
  // Null: nothing.
  const Expired* Of(TagId tag) const {
    return tag >= group_of_.size() || group_of_[tag] == 0 ? nullptr : &groups_[group_of_[tag] - 1];
  }
  bool empty() const { return groups_.empty(); }
  // Four bytes a tag, and what the groups take.
  size_t MemoryBytes() const { return memory_bytes_; }
  // Something of the partition has expired of some tag; all of it of every tag up to `last`.
  bool HasAny(int32_t partition) const;
  bool HasAllTags(int32_t partition, TagId last) const;
  // One past the last partition of which anything expired of any tag; the lowest int32 when nothing did.
  int32_t end() const { return end_; }

 private:
  friend class Retention;
  // When groups_ and group_of_ are complete: finds the others.
  void Complete();

  // The same for most tags: said once.
  std::vector<Expired> groups_;
  std::vector<uint32_t> group_of_;  // [tag]; 0: nothing expired, else 1 + an index into groups_.
  int32_t end_ = INT32_MIN;
  size_t memory_bytes_ = 0;
};

// What new samples are refused for their age, at one moment: what has expired, and what expires when the rules in force are
// next applied. So nothing that is acknowledged vanishes at that.
class TooOld {
 public:
  // The rules judge as of `now`. The tags must outlive it.
  TooOld(std::shared_ptr<const ExpiredTable> expired, std::shared_ptr<const RetentionPolicies> policies,
         const TagRegistry& tags, Timestamp now)
      : expired_(std::move(expired)),
        policies_(std::move(policies)),
        tags_(tags),
        now_(now),
        rules_end_(policies_->ExpiresBefore(now)) {}

  // Nothing of a partition from this one on is too old, whatever the tag.
  int32_t end() const { return std::max(expired_->end(), rules_end_); }
  bool HasExpired(TagId tag, int32_t partition) const {
    const Expired* const of_tag = expired_->Of(tag);
    return of_tag != nullptr && of_tag->HasRaw(partition);
  }
  // The rule by which a partition that has not expired would; null: none.
  const RetentionRule* RuleAgainst(TagId tag, int32_t partition) const;
  bool Is(TagId tag, int32_t partition) const {
    return partition < end() && (HasExpired(tag, partition) || RuleAgainst(tag, partition) != nullptr);
  }

 private:
  const std::shared_ptr<const ExpiredTable> expired_;
  const std::shared_ptr<const RetentionPolicies> policies_;
  const TagRegistry& tags_;
  const Timestamp now_;
  const int32_t rules_end_;
};

class Retention {
 public:
  // Reads rules, holds and what has expired. The store, the versions, the clock and the memory must outlive it. DataLoss, some
  // of that is damaged, goes to *damage, and it has the rest; then nothing may be changed or applied. Null: it is an error.
  static absl::StatusOr<std::unique_ptr<Retention>> Open(
      kv::Store& store, const VersionTable& versions, const Clock& clock, absl::Status* damage = nullptr,
      DefinitionMemory& memory = DefinitionMemory::Unbounded());

  // ---- Rules, in order.

  std::vector<RetentionRule> Rules() const { return policies()->rules(); }
  // Those of a version that has closed, from the store; of kVersionNow, from memory. Changes from before they were kept are not known: it is then
  // those from before the first that is. DataLoss: a record is damaged.
  absl::StatusOr<std::vector<RetentionRule>> RulesAsOf(Version version) const;
  // Adds the rule, or changes the one of its name. At `position` (from 0; past the end: the end); without one
  // a new rule comes last and a changed one stays where it is. Setting a rule as it is changes nothing.
  absl::StatusOr<RetentionRule> SetRule(RetentionRule rule, std::optional<size_t> position = {},
                                        const KeepGoing& keep_going = nullptr);
  absl::Status RemoveRule(absl::string_view name, const KeepGoing& keep_going = nullptr);
  // When rules last changed, by the machine's clock; the lowest Timestamp when there never was one.
  Timestamp rules_changed() const;
  // How long ago they did, in time that has passed; an infinite duration when they have not since Open.
  absl::Duration SinceRulesChanged() const;

  // ---- Legal holds. One that is placed is in force when this returns.

  std::vector<LegalHold> Holds(bool with_released) const;
  // Those of a version that has closed, from the store, those that had been released by then included; of kVersionNow, from
  // memory. DataLoss: a record is damaged.
  absl::StatusOr<std::vector<LegalHold>> HoldsAsOf(Version version,
                                                   const KeepGoing& keep_going = nullptr) const;
  absl::StatusOr<LegalHold> PlaceHold(LegalHold hold, const KeepGoing& keep_going = nullptr);
  // FailedPrecondition: it was released before.
  absl::StatusOr<LegalHold> ReleaseHold(uint64_t id, LegalHold::Release release,
                                        const KeepGoing& keep_going = nullptr);

  // Says again what all of it takes: what is kept for those who ask again comes and goes.
  void NoteMemory() const ABSL_LOCKS_EXCLUDED(mu_);

  // Rules and holds as they are now. Never null.
  std::shared_ptr<const RetentionPolicies> policies() const;

  // ---- What has expired.

  // Never null.
  std::shared_ptr<const ExpiredTable> expired() const;
  // What is too old to be written as of `now`.
  TooOld too_old(const TagRegistry& tags, Timestamp now) const;
  // When Apply last said so; the lowest Timestamp when it never did.
  Timestamp applied() const;

  struct Outcome {
    std::shared_ptr<const ExpiredTable> expired;
    std::shared_ptr<const ExpiredTable> before;  // What had expired until then.
    std::shared_ptr<const RetentionPolicies> policies;
    uint64_t tags = 0;  // Of which something expires that had not, whether they have samples or not.

    // Of the tag, the partition's raw samples expire, which had not.
    bool ExpiresNow(TagId tag, int32_t partition) const {
      const Expired* const was = before->Of(tag);
      const Expired* const is = expired->Of(tag);
      return is != nullptr && is->HasRaw(partition) && (was == nullptr || !was->HasRaw(partition));
    }
  };
  // What has expired when the rules are applied as of `now`. With `commit` it has, from before this returns:
  // durably, for new readers, and for new samples. before_commit is called first when anything expires; may be null.
  absl::StatusOr<Outcome> Apply(const TagRegistry& tags, Timestamp now, bool commit,
                                const KeepGoing& keep_going = nullptr,
                                const std::function<absl::Status()>& before_commit = nullptr);

 private:
  Retention(kv::Store& store, const VersionTable& versions, const Clock& clock, DefinitionMemory& memory)
      : store_(store), versions_(versions), clock_(clock), memory_(memory) {}
  absl::Status Load();
  absl::Status LoadExpired();
  // Whether there is room for these instead of those that are there. For a moment there are both.
  absl::Status CheckRoom(const RetentionPolicies& changed, absl::string_view what) const;
  // The rules become these, for `author`. Requires the turn, as the next one.
  absl::Status WriteRules(std::vector<RetentionRule> rules, const std::string& author);
  // The hold takes the place of `old`, which is kept; null: it is a new one. Returns it as it is then.
  absl::StatusOr<LegalHold> WriteHold(const LegalHold* old, LegalHold hold);
  absl::StatusOr<std::vector<LegalHold>> ReadHolds(Version version, const KeepGoing& keep_going) const;

  kv::Store& store_;
  const VersionTable& versions_;
  const Clock& clock_;
  DefinitionMemory& memory_;

  Turns changes_;  // One change at a time, over the store's write too.
  mutable absl::Mutex mu_;
  std::shared_ptr<const RetentionPolicies> policies_ ABSL_GUARDED_BY(mu_) =
      std::make_shared<const RetentionPolicies>();
  Timestamp rules_changed_ ABSL_GUARDED_BY(mu_) = INT64_MIN;
  MonotonicTime rules_changed_here_ ABSL_GUARDED_BY(mu_) = MonotonicTime::InfinitePast();
  std::shared_ptr<const ExpiredTable> expired_ ABSL_GUARDED_BY(mu_) = std::make_shared<const ExpiredTable>();
  Timestamp applied_ ABSL_GUARDED_BY(mu_) = INT64_MIN;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_SEALED_RETENTION_H_
