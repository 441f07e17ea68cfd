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
// Threads: any number, but nobody changes rules and holds on the threads of the journal and the shards.
// Errors: InvalidArgument, a rule or hold is not valid (the message says which limit); NotFound, no such one;
// those of the store.
#ifndef HISTORIAN_STORAGE_SEALED_RETENTION_H_
#define HISTORIAN_STORAGE_SEALED_RETENTION_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
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
#include "storage/model/tag.h"
#include "storage/platform/monotonic.h"
#include "storage/sealed/partition_set.h"
#include "storage/tags/tag_registry.h"
#include "storage/versions/version_table.h"

namespace historian {

inline constexpr size_t kRetentionRulesMax = 1000;
inline constexpr size_t kLegalHoldsMax = 10'000;             // Those released too.
inline constexpr size_t kRetentionNameBytesMax = 128;        // Of a rule or hold, or of a person.
inline constexpr size_t kRetentionTextBytesMax = 4096;       // A comment or a reason.
inline constexpr absl::Duration kKeepMin = absl::Hours(24);  // Less is a slip of the unit.

struct RetentionRule {
  std::string name;     // Unique.
  std::string pattern;  // A glob over tag names (MatchesGlob).
  // How long raw samples and rollups are kept; whole seconds, kKeepMin at least, or InfiniteDuration: for
  // ever. Rollups as long as raw samples at least; they are all there is of a partition in between.
  absl::Duration keep_raw = absl::InfiniteDuration();
  absl::Duration keep_rollups = absl::InfiniteDuration();
  std::string comment;
  std::string changed_by;  // As the caller says.
  Timestamp changed = 0;   // Set by Retention.

  friend bool operator==(const RetentionRule&, const RetentionRule&) = default;
};

struct LegalHold {
  uint64_t id = 0;  // Set by Retention, from 1; never reused.
  std::string name;
  std::string pattern;
  Timestamp start = 0;  // start <= time < end. Whatever partition it touches is kept.
  Timestamp end = 0;
  std::string reason;
  std::string placed_by;
  // Set by Retention: when it was placed, and in which version (0: before definitions kept theirs).
  Timestamp placed = 0;
  Version placed_in = 0;
  // Once it is released; holds stay listed.
  struct Release {
    std::string reason;
    std::string by;
    Timestamp at = 0;
  };
  std::optional<Release> released;
};

// What has expired of a tag. Disjoint.
struct Expired {
  PartitionSet all;  // Everything.
  PartitionSet raw;  // Raw samples; rollups are there.

  // Readers see no raw samples, and writes of raw samples are rejected.
  bool HasRaw(int32_t partition) const { return all.Contains(partition) || raw.Contains(partition); }
  bool HasAll(int32_t partition) const { return all.Contains(partition); }
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
  // Something of the partition has expired of some tag; all of it of every tag up to `last`.
  bool HasAny(int32_t partition) const;
  bool HasAllTags(int32_t partition, TagId last) const;
  // One past the last partition of which anything expired of any tag; the lowest int32 when nothing did.
  int32_t end() const { return end_; }

 private:
  friend class Retention;
  // The same for most tags: said once.
  std::vector<Expired> groups_;
  std::vector<uint32_t> group_of_;  // [tag]; 0: nothing expired, else 1 + an index into groups_.
  int32_t end_ = INT32_MIN;
};

class Retention {
 public:
  // Reads rules, holds and what has expired. The store, the versions and the clock must outlive it. DataLoss, some of that
  // is damaged, goes to *damage, and it has the rest; then nothing may be changed or applied. Null: it is an error.
  static absl::StatusOr<std::unique_ptr<Retention>> Open(kv::Store& store, const VersionTable& versions,
                                                         const Clock& clock, absl::Status* damage = nullptr);

  // ---- Rules, in order.

  std::vector<RetentionRule> Rules() const;
  // Those of a version that has closed, from the store. Changes from before they were kept are not known: it is then
  // those from before the first that is. DataLoss: a record is damaged.
  absl::StatusOr<std::vector<RetentionRule>> RulesAsOf(Version version) const;
  // Adds the rule, or changes the one of its name. At `position` (from 0; past the end: the end); without one
  // a new rule comes last and a changed one stays where it is. Setting a rule as it is changes nothing.
  absl::StatusOr<RetentionRule> SetRule(RetentionRule rule, std::optional<size_t> position = {});
  absl::Status RemoveRule(absl::string_view name);
  // When rules last changed, by the machine's clock; the lowest Timestamp when there never was one.
  Timestamp rules_changed() const;
  // How long ago they did, in time that has passed; an infinite duration when they have not since Open.
  absl::Duration SinceRulesChanged() const;

  // ---- Legal holds. One that is placed is in force when this returns.

  std::vector<LegalHold> Holds(bool with_released) const;
  // Those of a version that has closed, from the store, those that had been released by then included. DataLoss: a
  // record is damaged.
  absl::StatusOr<std::vector<LegalHold>> HoldsAsOf(Version version) const;
  absl::StatusOr<LegalHold> PlaceHold(LegalHold hold);
  // FailedPrecondition: it was released before.
  absl::StatusOr<LegalHold> ReleaseHold(uint64_t id, LegalHold::Release release);

  // ---- What has expired.

  // Never null.
  std::shared_ptr<const ExpiredTable> expired() const;
  // When Apply last said so; the lowest Timestamp when it never did.
  Timestamp applied() const;

  struct Outcome {
    std::shared_ptr<const ExpiredTable> expired;
    uint64_t tags = 0;  // Of which something expires that had not.
  };
  // What has expired when the rules are applied as of `now`. With `commit` it has, from before this returns:
  // durably, for new readers, and for new samples.
  absl::StatusOr<Outcome> Apply(const TagRegistry& tags, Timestamp now, bool commit);

  // What the rules say of a tag.
  struct Policy {
    std::optional<RetentionRule> rule;  // Nothing: for ever.
    std::vector<LegalHold> holds;       // In force.
  };
  Policy PolicyOf(absl::string_view tag_name) const;

 private:
  Retention(kv::Store& store, const VersionTable& versions, const Clock& clock)
      : store_(store), versions_(versions), clock_(clock) {}
  absl::Status Load();
  absl::Status LoadExpired();
  // The rules become these, for `author`.
  absl::Status WriteRules(std::vector<RetentionRule> rules, const std::string& author)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu_);
  // The hold takes the place of `old`, which is kept; null: it is a new one. Returns it as it is then.
  absl::StatusOr<LegalHold> WriteHold(const LegalHold* old, LegalHold hold)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu_);

  kv::Store& store_;
  const VersionTable& versions_;
  const Clock& clock_;

  absl::Mutex write_mu_;  // One change at a time, held across the store's write.
  mutable absl::Mutex mu_ ABSL_ACQUIRED_AFTER(write_mu_);
  std::vector<RetentionRule> rules_ ABSL_GUARDED_BY(mu_);
  Timestamp rules_changed_ ABSL_GUARDED_BY(mu_) = INT64_MIN;
  MonotonicTime rules_changed_here_ ABSL_GUARDED_BY(mu_) = MonotonicTime::InfinitePast();
  std::map<uint64_t, LegalHold> holds_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<const ExpiredTable> expired_ ABSL_GUARDED_BY(mu_) = std::make_shared<const ExpiredTable>();
  Timestamp applied_ ABSL_GUARDED_BY(mu_) = INT64_MIN;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_SEALED_RETENTION_H_
