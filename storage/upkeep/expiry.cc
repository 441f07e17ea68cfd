#include "storage/upkeep/expiry.h"

#include <memory>
#include <string>

#include "storage/format/block.h"
#include "storage/format/key.h"
#include "storage/model/status_macros.h"

namespace historian {
namespace {

// A partition is rewritten when one byte in this many has expired: less would be much
// writing for little space.
constexpr uint64_t kExpiredShareWorthRewriting = 4;

}  // namespace

absl::StatusOr<std::optional<RetentionResult::Partition>> JudgePartition(kv::Store& store, int32_t partition,
                                                                         const PartitionState& state,
                                                                         const ExpiredTable& expired,
                                                                         TagId last_tag) {
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
  uint64_t bytes = 0;
  bool all = true;
  const std::unique_ptr<kv::Cursor> heads = store.NewCursor(kv::Space::kHeads);
  for (heads->Seek(begin); heads->Valid() && heads->key() < end; heads->Next()) {
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

}  // namespace historian
