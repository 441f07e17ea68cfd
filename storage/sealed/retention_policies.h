// File: storage/sealed/retention_policies.h
//
// Retention rules and legal holds as they are at one moment, and what they say of a tag.
//
// Immutable: a change of rules or holds makes a new one, with all patterns compiled, and nobody who asks the old one
// waits for it.
//
// A rule or hold takes about a kilobyte with short texts, and 13 KB with the longest: its compiled pattern up to 8 KB, comment or
// reason 4 KB. What is kept for those who ask again takes kKeptBytesMax at most.
#ifndef HISTORIAN_STORAGE_SEALED_RETENTION_POLICIES_H_
#define HISTORIAN_STORAGE_SEALED_RETENTION_POLICIES_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "storage/model/data_version.h"
#include "storage/model/keep_going.h"
#include "storage/model/tag.h"
#include "storage/model/tag_pattern.h"
#include "storage/model/timestamp.h"

namespace historian {

struct RetentionRule {
  std::string name;     // Unique.
  std::string pattern;  // Over tag names (tag_pattern.h).
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

// Threads: any number.
class RetentionPolicies {
 public:
  // Errors: InvalidArgument, a pattern is none (tag_pattern.h); names the rule or the hold.
  static absl::StatusOr<std::shared_ptr<const RetentionPolicies>> Make(std::vector<RetentionRule> rules,
                                                                       std::map<uint64_t, LegalHold> holds);
  RetentionPolicies() = default;  // Without rules and holds.

  const std::vector<RetentionRule>& rules() const { return rules_; }
  const std::map<uint64_t, LegalHold>& holds() const { return holds_; }  // Those released too.

  // What the rules and holds say of a tag. The pointers are good as long as the policies.
  struct Decision {
    const RetentionRule* rule = nullptr;  // Null: for ever.
    std::vector<const LegalHold*> holds;  // In force.

    // Whether raw samples of the partition expire, or have, when it is `now`.
    bool ExpiresRaw(int32_t partition, Timestamp now) const;

    friend auto operator<=>(const Decision&, const Decision&) = default;
  };
  // Cost: a match of each pattern; ten thousand of the worst ones take seconds. Errors: those of keep_going.
  absl::StatusOr<Decision> DecisionOf(absl::string_view tag_name,
                                      const KeepGoing& keep_going = nullptr) const;
  // The same. It is kept for those who ask again, of the tags asked for lately: up to kKeptBytesMax.
  std::shared_ptr<const Decision> KeptDecisionOf(TagId tag, absl::string_view name) const
      ABSL_LOCKS_EXCLUDED(mu_);

  // What rules and holds take; and with it what is kept for those who ask again.
  size_t definition_bytes() const { return definition_bytes_; }
  size_t MemoryBytes() const ABSL_LOCKS_EXCLUDED(mu_);
  static constexpr size_t kKeptBytesMax = size_t{2} << 20;

  // No partition from this one on expires of any tag, when it is `now`; the lowest int32 when nothing ever does.
  int32_t ExpiresBefore(Timestamp now) const;

 private:
  std::vector<RetentionRule> rules_;
  std::vector<TagPattern> rule_patterns_;  // As rules_.
  std::map<uint64_t, LegalHold> holds_;
  std::vector<std::pair<const LegalHold*, TagPattern>> in_force_;
  absl::Duration keep_min_ = absl::InfiniteDuration();  // What any rule keeps at least.
  size_t definition_bytes_ = 0;                         // Of all the above.

  mutable absl::Mutex mu_;
  // Of tags that were asked for. Tags have few different ones.
  mutable absl::flat_hash_map<TagId, std::shared_ptr<const Decision>> kept_ ABSL_GUARDED_BY(mu_);
  mutable std::map<Decision, std::shared_ptr<const Decision>> decisions_ ABSL_GUARDED_BY(mu_);
  mutable size_t decision_bytes_ ABSL_GUARDED_BY(mu_) = 0;  // Of decisions_.
};

// One past the last partition that is over for longer than `keep`; the lowest int32 when no partition is.
int32_t ExpiryEnd(absl::Duration keep, Timestamp now);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_SEALED_RETENTION_POLICIES_H_
