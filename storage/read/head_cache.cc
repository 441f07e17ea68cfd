#include "storage/read/head_cache.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/format/block.h"
#include "storage/model/status_macros.h"

namespace historian {

absl::StatusOr<std::shared_ptr<const TagHeads>> HeadCache::Get(int32_t partition, TagId tag) {
  return heads_.Get({partition, tag}, [&] { return Load(partition, tag); });
}

absl::StatusOr<HeadCache::Heads::Loaded> HeadCache::Load(int32_t partition, TagId tag) {
  auto heads = std::make_shared<StoredHeads>();
  const std::string prefix = format::HeadPrefix(partition, tag);
  const std::unique_ptr<kv::Cursor> cursor =
      store_.NewCursor(kv::Space::kHeads, format::BehindPrefix(prefix));
  for (cursor->Seek(prefix); cursor->Valid(); cursor->Next()) {
    ASSIGN_OR_RETURN(const format::BlockId id, format::ParseHeadKey(cursor->key()));
    absl::StatusOr<format::BlockHead> head = format::DecodeBlockHead(cursor->value());
    if (!head.ok()) {
      heads->damage = Annotate(head.status(),
                               absl::StrCat("block of tag ", tag, " from ", FormatTimestamp(id.first_time)));
      continue;
    }
    heads->heads.push_back({id, *std::move(head), cursor->value().size()});
  }
  if (const absl::Status status = cursor->status(); !status.ok()) {
    const absl::Status annotated =
        Annotate(status, absl::StrCat("reading the blocks of tag ", tag, " in the week from ",
                                      FormatTimestamp(format::PartitionStart(partition))));
    if (!absl::IsDataLoss(status)) return annotated;
    heads->damage = annotated;  // Those that can be read are here.
  }
  std::stable_sort(heads->heads.begin(), heads->heads.end(),
                   [](const StoredHead& a, const StoredHead& b) { return a.id.seal < b.id.seal; });
  const ValueType type = heads->heads.empty() ? ValueType::kFloat64 : heads->heads[0].head.type;
  const bool whole = heads->damage.ok();
  auto of_tag = std::make_shared<TagHeads>();
  of_tag->number = last_number_.fetch_add(1, std::memory_order_relaxed) + 1;
  of_tag->view = std::make_shared<const PartitionView>(tag, type, partition, heads, nullptr);
  size_t bytes = sizeof(TagHeads) + sizeof(StoredHeads) + of_tag->view->MemoryBytes();
  for (const StoredHead& head : heads->heads) {
    bytes += sizeof(StoredHead) + head.head.pages.capacity() * sizeof(format::PageInfo);
    of_tag->highest_version = std::max(of_tag->highest_version, head.head.highest_version());
  }
  of_tag->stored = std::move(heads);
  return Heads::Loaded{std::move(of_tag), bytes, whole};
}

absl::StatusOr<std::shared_ptr<const TagHeadsAsOf>> HeadCache::AsOf(
    const TagHeads& heads, TagId tag, ValueType type, int32_t partition, Version version,
    absl::FunctionRef<absl::StatusOr<PagesAsOf>(absl::Status* damage)> read, absl::Status* damage) {
  using Loaded = HeadsAsOf::Loaded;
  return as_of_.Get({heads.number, version}, [&]() -> absl::StatusOr<Loaded> {
    absl::Status missing;
    ASSIGN_OR_RETURN(PagesAsOf pages, read(&missing));
    auto as_of = std::make_shared<TagHeadsAsOf>();
    as_of->pages = std::make_shared<const PagesAsOf>(std::move(pages));
    as_of->view =
        std::make_shared<const PartitionView>(tag, type, partition, heads.stored, nullptr, as_of->pages);
    const size_t bytes = sizeof(TagHeadsAsOf) + as_of->pages->MemoryBytes() + as_of->view->MemoryBytes();
    damage->Update(missing);
    return Loaded{std::move(as_of), bytes, missing.ok()};
  });
}

absl::StatusOr<std::shared_ptr<const format::Rollup>> HeadCache::Rollup(int32_t partition, TagId tag) {
  using Loaded = Rollups::Loaded;
  return rollups_.Get({partition, tag}, [&]() -> absl::StatusOr<Loaded> {
    ASSIGN_OR_RETURN(const std::optional<std::string> bytes,
                     store_.Get(kv::Space::kRollups, format::RollupKey({partition, tag})));
    if (!bytes.has_value()) return Loaded{};
    absl::StatusOr<format::Rollup> rollup = format::DecodeRollup(*bytes);
    if (!rollup.ok()) {
      return Annotate(rollup.status(), absl::StrCat("tag ", tag, ", week from ",
                                                    FormatTimestamp(format::PartitionStart(partition))));
    }
    auto shared = std::make_shared<const format::Rollup>(*std::move(rollup));
    const size_t size = shared->MemoryBytes();
    return Loaded{std::move(shared), size};
  });
}

}  // namespace historian
