#include "storage/read/head_cache.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/format/block.h"
#include "storage/model/status_macros.h"
#include "storage/platform/heap_bytes.h"

namespace historian {

namespace {

// Leaves the head with those of its pages that have something of the week, and finds out what that is of a page that
// reaches out of it.
absl::Status KeepWeek(int32_t week, absl::string_view bytes, PageFetcher& fetcher, StoredHead* stored,
                      size_t index, StoredHeads* heads) {
  const Timestamp start = format::PartitionStart(week), end = format::PartitionEnd(week);
  std::vector<format::PageInfo>& pages = stored->head.pages;
  const auto first = std::partition_point(pages.begin(), pages.end(), [start](const format::PageInfo& page) {
    return page.summary.last.time < start;
  });
  const auto behind = std::partition_point(
      first, pages.end(), [end](const format::PageInfo& page) { return page.summary.first.time < end; });
  if (first != pages.begin() || behind != pages.end()) stored->whole = std::string(bytes);
  stored->first_page = static_cast<size_t>(first - pages.begin());
  stored->head.pages = std::vector<format::PageInfo>(first, behind);
  absl::Status damage;
  for (size_t i = 0; i < pages.size(); ++i) {
    const Summary& summary = pages[i].summary;
    if (summary.first.time >= start && summary.last.time < end) continue;
    const absl::StatusOr<std::shared_ptr<const Samples>> samples = fetcher.Read(*stored, i);
    if (!samples.ok()) {
      if (!absl::IsDataLoss(samples.status())) return samples.status();
      damage = samples.status();
      continue;
    }
    const std::vector<Timestamp>& times = (*samples)->times;
    const auto from = std::lower_bound(times.begin(), times.end(), start);
    const auto to = std::lower_bound(from, times.end(), end);
    if (from != to) heads->parts[{index, i}] = {*from, *(to - 1)};
  }
  return damage;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const TagHeads>> HeadCache::Get(int32_t week, TagId tag, PageFetcher& pages) {
  return heads_.Get({week, tag}, [&] { return Load(week, tag, pages); });
}

absl::StatusOr<HeadCache::Heads::Loaded> HeadCache::Load(int32_t week, TagId tag, PageFetcher& pages) {
  auto heads = std::make_shared<StoredHeads>();
  std::vector<std::pair<StoredHead, std::string>> of_week, found;
  const auto load = [&](const std::string& prefix,
                        std::vector<std::pair<StoredHead, std::string>>* to) -> absl::Status {
    const std::unique_ptr<kv::Cursor> cursor =
        store_.NewCursor(kv::Space::kHeads, format::BehindPrefix(prefix));
    for (cursor->Seek(prefix); cursor->Valid(); cursor->Next()) {
      ASSIGN_OR_RETURN(const format::BlockId id, format::ParseHeadKey(cursor->key()));
      absl::StatusOr<format::BlockHead> head = format::DecodeBlockHead(cursor->value());
      if (!head.ok()) {
        heads->damage = Annotate(
            head.status(), absl::StrCat("block of tag ", tag, " from ", FormatTimestamp(id.first_time)));
        continue;
      }
      const bool is_long = format::IsLongPartition(id.partition);
      if (is_long && (head->last_time() < format::PartitionStart(week) ||
                      head->first_time() >= format::PartitionEnd(week))) {
        continue;
      }
      to->push_back({{id, *std::move(head), cursor->value().size()},
                     is_long ? std::string(cursor->value()) : std::string()});
    }
    const absl::Status status = cursor->status();
    if (status.ok()) return status;
    const absl::Status annotated =
        Annotate(status, absl::StrCat("reading the blocks of tag ", tag, " in the week from ",
                                      FormatTimestamp(format::PartitionStart(week))));
    if (!absl::IsDataLoss(status)) return annotated;
    heads->damage = annotated;  // Those that can be read are here.
    return absl::OkStatus();
  };
  // In this order: settling moves blocks from the week to the long partition. What is seen in both says the same.
  RETURN_IF_ERROR(load(format::HeadPrefix(week, tag), &of_week));
  RETURN_IF_ERROR(load(format::HeadPrefix(format::LongPartitionOfWeek(week), tag), &found));
  const auto by_seal = [](const auto& a, const auto& b) { return a.first.id.seal < b.first.id.seal; };
  std::stable_sort(found.begin(), found.end(), by_seal);
  std::stable_sort(of_week.begin(), of_week.end(), by_seal);
  std::move(of_week.begin(), of_week.end(), std::back_inserter(found));
  for (auto& [stored, bytes] : found) {
    if (format::IsLongPartition(stored.id.partition)) {
      const absl::Status status = KeepWeek(week, bytes, pages, &stored, heads->heads.size(), heads.get());
      if (!status.ok() && !absl::IsDataLoss(status)) return status;
      if (!status.ok()) heads->damage = status;
      if (stored.head.pages.empty()) continue;
    }
    heads->heads.push_back(std::move(stored));
  }
  const ValueType type = heads->heads.empty() ? ValueType::kFloat64 : heads->heads[0].head.type;
  const bool whole = heads->damage.ok();
  auto of_tag = std::make_shared<TagHeads>();
  of_tag->number = last_number_.fetch_add(1, std::memory_order_relaxed) + 1;
  of_tag->view = std::make_shared<const PartitionView>(tag, type, week, heads, nullptr);
  size_t bytes =
      sizeof(TagHeads) + sizeof(StoredHeads) + of_tag->view->MemoryBytes() + TableBytes(heads->parts);
  for (const StoredHead& head : heads->heads) {
    bytes +=
        sizeof(StoredHead) + head.head.pages.capacity() * sizeof(format::PageInfo) + HeapBytesOf(head.whole);
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
