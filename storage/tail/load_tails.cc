#include "storage/tail/load_tails.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "storage/format/record_keys.h"
#include "storage/model/status_macros.h"
#include "storage/tags/id_ranges.h"
#include "storage/tail/tail_record.h"

namespace historian {
namespace {

// Restored at a time, so that the lock costs little.
constexpr size_t kTailsAtOnce = 256;
constexpr uint64_t kTraitsAtOnce = 1024;

// The traits of tags that are asked for in order.
class TraitsInOrder {
 public:
  explicit TraitsInOrder(const TagRegistry& tags)
      : tags_(tags), ids_(kTraitsAtOnce), traits_(kTraitsAtOnce) {}

  const TagTraits& Of(TagId id) {
    if (!any_ || id - ids_[0] >= kTraitsAtOnce) {
      any_ = true;
      std::iota(ids_.begin(), ids_.end(), id);
      tags_.GetTraits(ids_.data(), ids_.size(), traits_.data());
    }
    return traits_[id - ids_[0]];
  }

 private:
  const TagRegistry& tags_;
  bool any_ = false;
  std::vector<TagId> ids_;
  std::vector<TagTraits> traits_;
};

absl::Status LoadRange(kv::Store& store, const TagRegistry& tags, const VersionTable& versions,
                       const std::vector<std::unique_ptr<Shard>>& shards, uint64_t begin, uint64_t end,
                       std::vector<TagId>* lost) {
  absl::Status damage;
  std::vector<bool> has_tail;  // Of the ids from begin on.
  TraitsInOrder traits(tags);
  std::vector<std::vector<std::pair<TagId, Tail>>> loaded(shards.size());
  const std::unique_ptr<kv::Cursor> cursor = store.NewCursor(kv::Space::kCheckpoint);
  for (cursor->Seek(TailKey(static_cast<TagId>(begin))); cursor->Valid(); cursor->Next()) {
    const absl::string_view key = cursor->key();
    if (key.substr(0, 1) != kTailKeyPrefix || key.size() != 5) break;
    const TagId id = IdOfKey(key, kTailKeyPrefix);
    if (id >= end) break;
    const TagTraits& its = traits.Of(id);
    if (!its.exists) {
      damage.Update(absl::DataLossError(absl::StrCat("tag ", id, " has samples but no record")));
      continue;
    }
    absl::StatusOr<Tail> tail = ReadTailRecord(its.type, cursor->value(), versions);
    if (!tail.ok()) {
      const absl::Status status =
          Annotate(tail.status(), absl::StrCat("open samples of tag '", tags.Find(id)->name, "'"));
      if (!absl::IsDataLoss(status)) return status;
      damage.Update(status);
      lost->push_back(id);
      continue;
    }
    has_tail.resize(id - begin + 1);
    has_tail.back() = true;
    auto& same_shard = loaded[id % shards.size()];
    same_shard.emplace_back(id, *std::move(tail));
    if (same_shard.size() == kTailsAtOnce) shards[id % shards.size()]->Restore(std::exchange(same_shard, {}));
  }
  for (size_t s = 0; s < shards.size(); ++s) shards[s]->Restore(std::move(loaded[s]));
  const absl::Status status = cursor->status();
  if (!absl::IsDataLoss(status)) return status.ok() ? damage : status;
  // Which tags had a record is not known.
  lost->clear();
  for (uint64_t id = std::max<uint64_t>(begin, 1); id <= tags.last_id() && id < end; ++id) {
    const bool loaded_one = id - begin < has_tail.size() && has_tail[id - begin];
    if (!loaded_one && traits.Of(static_cast<TagId>(id)).exists) lost->push_back(static_cast<TagId>(id));
  }
  return status;
}

}  // namespace

absl::Status LoadTails(kv::Store& store, const TagRegistry& tags, const VersionTable& versions,
                       const std::vector<std::unique_ptr<Shard>>& shards, std::vector<TagId>* lost) {
  absl::Mutex mu;
  absl::Status damage;
  lost->clear();
  RETURN_IF_ERROR(ForEachIdRange(tags.last_id(), [&](uint64_t begin, uint64_t end) {
    std::vector<TagId> lost_here;
    const absl::Status status = LoadRange(store, tags, versions, shards, begin, end, &lost_here);
    if (!absl::IsDataLoss(status)) return status;
    absl::MutexLock lock(&mu);
    damage.Update(status);
    lost->insert(lost->end(), lost_here.begin(), lost_here.end());
    return absl::OkStatus();
  }));
  std::sort(lost->begin(), lost->end());
  return damage;
}

}  // namespace historian
