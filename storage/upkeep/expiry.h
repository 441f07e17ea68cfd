// File: storage/upkeep/expiry.h
//
// What retention leaves of one partition on the disk: all of it, a part, or nothing.
#ifndef HISTORIAN_STORAGE_UPKEEP_EXPIRY_H_
#define HISTORIAN_STORAGE_UPKEEP_EXPIRY_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/kv/store.h"
#include "storage/model/keep_going.h"
#include "storage/model/tag.h"
#include "storage/sealed/partitions.h"
#include "storage/sealed/results.h"
#include "storage/sealed/retention.h"
#include "storage/tags/tag_registry.h"
#include "storage/tail/tag_sources.h"

namespace historian {

// Something has expired in one of the weeks of the partition, which may be long.
bool HasAnyWeek(const ExpiredTable& expired, int32_t partition);

// What is to be done about the partition, given what has expired. Nothing when nothing in it has. `state` is
// its present one, of before the call; last_tag the highest id there is.
//
// Cost: nothing when it has expired of all tags; else a walk over the heads of its blocks. Damaged heads
// count as bytes and no samples. Of a long partition's pages that reach from week to week, samples and bytes are counted as if
// they were spread evenly. Errors: those of the store, and of keep_going.
absl::StatusOr<std::optional<RetentionResult::Partition>> JudgePartition(kv::Store& store, int32_t partition,
                                                                         const PartitionState& state,
                                                                         const ExpiredTable& expired,
                                                                         TagId last_tag,
                                                                         const KeepGoing& keep_going);

// Samples that expire: of which rule, tag and partition.
class ExpiringSamples {
 public:
  void Add(absl::string_view rule, TagId tag, int32_t partition, uint64_t samples);
  // Those in the partition.
  uint64_t SamplesOf(int32_t partition) const;
  std::vector<int32_t> Partitions() const;  // Ascending.
  // Fills in `tags` and `rules`.
  void Sum(RetentionResult* result) const;

 private:
  struct OfRule {
    absl::flat_hash_set<TagId> tags;
    std::map<int32_t, uint64_t> samples;
  };
  std::map<std::string, OfRule, std::less<>> rules_;
};

// Adds the samples in blocks of the partition that the outcome lets expire, by week. What is damaged counts as nothing.
// Cost: a walk over the heads of the partition; of a long one, pages too that reach from week to week. Errors:
// those of the store, and of keep_going.
absl::Status AddExpiring(kv::Store& store, int32_t partition, const Retention::Outcome& outcome,
                         const TagRegistry& tags, const KeepGoing& keep_going, ExpiringSamples* expiring);
// The same of what is open of a tag.
void AddExpiring(const TagSources& open, const Retention::Outcome& outcome, const TagRegistry& tags,
                 ExpiringSamples* expiring);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_UPKEEP_EXPIRY_H_
