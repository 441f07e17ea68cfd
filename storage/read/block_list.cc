#include "storage/read/block_list.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/format/key.h"
#include "storage/model/status_macros.h"

namespace historian {

absl::StatusOr<std::vector<BlockInfo>> ListBlocks(const ReadView& view, Timestamp start, Timestamp end) {
  std::vector<BlockInfo> blocks;
  start = std::max(start, view.oldest);
  end = std::min(end, view.newest + 1);
  if (start >= end) return blocks;
  for (int32_t p = format::PartitionOf(start); p <= format::PartitionOf(end - 1); ++p) {
    if (view.HasExpired(p)) continue;
    RETURN_IF_ERROR(view.GoOn());
    ASSIGN_OR_RETURN(const std::shared_ptr<const TagHeads> of_tag, view.caches.heads.Get(p, view.tag));
    RETURN_IF_ERROR(of_tag->stored->damage);
    for (const StoredHead& stored : of_tag->stored->heads) {
      if (stored.head.first_time() >= end || stored.head.last_time() < start) continue;
      blocks.push_back({stored.id, stored.head.first_time(), stored.head.last_time(), stored.head.count(),
                        static_cast<uint32_t>(stored.head.pages.size()), stored.head_bytes,
                        stored.head.payload_size()});
    }
  }
  std::stable_sort(blocks.begin(), blocks.end(),
                   [](const BlockInfo& a, const BlockInfo& b) { return a.first_time < b.first_time; });
  return blocks;
}

absl::Status AddSealed(kv::Store& store, const ReadView& view, TagStorage* storage) {
  if (view.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<BlockInfo> blocks, ListBlocks(view, view.oldest, view.newest + 1));
  for (const BlockInfo& block : blocks) {
    ++storage->blocks;
    storage->samples += block.samples;
    storage->head_bytes += block.head_bytes;
    storage->payload_bytes += block.payload_bytes;
  }
  for (int32_t p = format::PartitionOf(view.oldest); p <= format::PartitionOf(view.newest); ++p) {
    RETURN_IF_ERROR(view.GoOn());
    ASSIGN_OR_RETURN(const std::optional<std::string> rollup,
                     store.Get(kv::Space::kRollups, format::RollupKey({p, view.tag})));
    if (rollup.has_value()) storage->rollup_bytes += rollup->size();
  }
  return absl::OkStatus();
}

absl::StatusOr<BlockBytes> ReadBlockBytes(kv::Store& store, const ExpiredTable& expired, const Tag& tag,
                                          const format::BlockId& id) {
  ASSIGN_OR_RETURN(std::optional<std::string> head, store.Get(kv::Space::kHeads, format::HeadKey(id)));
  ASSIGN_OR_RETURN(std::optional<std::string> payload, store.Get(kv::Space::kPages, format::PagesKey(id)));
  const Expired* const of_tag = expired.Of(id.tag);
  if (!head.has_value() || !payload.has_value() || (of_tag != nullptr && of_tag->HasRaw(id.partition))) {
    return absl::NotFoundError(absl::StrCat("tag ", id.tag, " has no block from ",
                                            FormatTimestamp(id.first_time), " of seal ", id.seal));
  }
  return BlockBytes{*std::move(head), *std::move(payload), tag.type};
}

}  // namespace historian
