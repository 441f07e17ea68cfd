// File: storage/write/time_limits.h
//
// How far ahead of the clock a sample may lie: for all tags, or as patterns over their names say.
#ifndef HISTORIAN_STORAGE_WRITE_TIME_LIMITS_H_
#define HISTORIAN_STORAGE_WRITE_TIME_LIMITS_H_

#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "storage/model/future_limit.h"
#include "storage/model/tag.h"
#include "storage/model/tag_pattern.h"
#include "storage/model/timestamp.h"
#include "storage/tags/tag_registry.h"

namespace historian {

// Threads: any number.
class TimeLimits {
 public:
  // `limits`: the first whose pattern matches decides; `otherwise`, when none does. The tags must outlive it.
  // Errors: InvalidArgument, a pattern is none.
  static absl::StatusOr<TimeLimits> Make(const std::vector<FutureLimit>& limits, absl::Duration otherwise,
                                         const TagRegistry& tags);

  // At that moment of the clock:
  // a time until which samples of every tag may lie, and one beyond which none may;
  Timestamp MaxOfAll(Timestamp now) const { return Add(now, least_); }
  Timestamp MaxOfAny(Timestamp now) const { return Add(now, most_); }
  // and the last time that one of this tag may have. Cost: a match of each pattern, the first time.
  Timestamp MaxOf(TagId tag, Timestamp now) const;

 private:
  struct Kept {
    absl::Mutex mu;
    absl::flat_hash_map<TagId, absl::Duration> limits ABSL_GUARDED_BY(mu);  // Of tags that were asked for.
  };

  explicit TimeLimits(const TagRegistry& tags) : tags_(tags), kept_(std::make_unique<Kept>()) {}
  static Timestamp Add(Timestamp now, absl::Duration limit);
  absl::Duration LimitOf(TagId tag) const;

  const TagRegistry& tags_;
  std::vector<std::pair<TagPattern, absl::Duration>> limits_;
  absl::Duration otherwise_;
  absl::Duration least_;
  absl::Duration most_;
  std::unique_ptr<Kept> kept_;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_WRITE_TIME_LIMITS_H_
