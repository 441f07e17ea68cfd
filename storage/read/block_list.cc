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
  const auto add = [&](const format::BlockId& id, const format::BlockHead& head, size_t head_bytes) {
    if (head.first_time() >= end || head.last_time() < start) return;
    blocks.push_back({id, head.first_time(), head.last_time(), head.count(),
                      static_cast<uint32_t>(head.pages.size()), head_bytes, head.payload_size()});
  };
  PageFetcher pages(view.caches.pages);
  int32_t last_long = INT32_MIN;
  for (int32_t week = format::PartitionOf(start); week <= format::PartitionOf(end - 1); ++week) {
    if (view.HasExpired(week)) continue;
    RETURN_IF_ERROR(view.GoOn());
    ASSIGN_OR_RETURN(const std::shared_ptr<const TagHeads> of_tag,
                     view.caches.heads.Get(week, view.tag, pages));
    RETURN_IF_ERROR(of_tag->stored->damage);
    bool has_long = false;
    for (const StoredHead& stored : of_tag->stored->heads) {
      if (format::IsLongPartition(stored.id.partition)) {
        has_long = true;
      } else {
        add(stored.id, stored.head, stored.head_bytes);
      }
    }
    const int32_t of_week = format::LongPartitionOfWeek(week);
    if (!has_long || last_long == of_week) continue;
    last_long = of_week;
    const std::string prefix = format::HeadPrefix(of_week, view.tag);
    const std::unique_ptr<kv::Cursor> cursor =
        view.store.NewCursor(kv::Space::kHeads, format::BehindPrefix(prefix));
    for (cursor->Seek(prefix); cursor->Valid(); cursor->Next()) {
      ASSIGN_OR_RETURN(const format::BlockId id, format::ParseHeadKey(cursor->key()));
      ASSIGN_OR_RETURN(const format::BlockHead head, format::DecodeBlockHead(cursor->value()));
      add(id, head, cursor->value().size());
    }
    RETURN_IF_ERROR(cursor->status());
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
  bool has_expired = of_tag != nullptr;  // All of it has.
  if (has_expired && head.has_value()) {
    const absl::StatusOr<format::BlockHead> decoded = format::DecodeBlockHead(*head);
    const int32_t last =
        decoded.ok() ? format::PartitionOf(decoded->last_time()) : format::EndWeek(id.partition) - 1;
    for (int32_t week = format::PartitionOf(id.first_time); week <= last; ++week) {
      has_expired &= of_tag->HasRaw(week);
    }
  }
  if (!head.has_value() || !payload.has_value() || has_expired) {
    return absl::NotFoundError(absl::StrCat("tag ", id.tag, " has no block from ",
                                            FormatTimestamp(id.first_time), " of seal ", id.seal));
  }
  return BlockBytes{*std::move(head), *std::move(payload), tag.type};
}

}  // namespace historian
