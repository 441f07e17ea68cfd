#include "storage/read/page_cache.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "storage/format/block.h"
#include "storage/format/page.h"
#include "storage/model/status_macros.h"
#include "storage/tail/page_run.h"

namespace historian {

absl::StatusOr<std::shared_ptr<const Samples>> PageFetcher::Read(const StoredHead& head, size_t i) {
  using Loaded = LruCache<PageCache::Key, Samples>::Loaded;
  const PageCache::Key key = {head.id, static_cast<uint32_t>(head.first_page + i)};
  return cache_.pages_.Get(key, [&]() -> absl::StatusOr<Loaded> {
    ASSIGN_OR_RETURN(Samples samples, Decode(head, i, nullptr));
    auto shared = std::make_shared<const Samples>(std::move(samples));
    const size_t bytes = sizeof(Samples) + shared->MemoryBytes();
    return Loaded{std::move(shared), bytes, !pass_through_ && !IsAhead(head.id)};
  });
}

absl::StatusOr<Samples> PageFetcher::ReadStated(const StoredHead& head, size_t i,
                                                const VersionTable& versions) {
  if (head.has_all_pages()) return Decode(head, i, &versions);
  // Where the columns of versions lie, all pages say together.
  ASSIGN_OR_RETURN(format::BlockHead whole, format::DecodeBlockHead(head.whole));
  return Decode({.id = head.id, .head = std::move(whole)}, head.first_page + i, &versions);
}

void PageFetcher::WalkAhead(int32_t partition, TagId tag, uint64_t seal) {
  Forget();
  ahead_ = {.partition = partition, .tag = tag, .seal = seal};
}

void PageFetcher::Forget() {
  ahead_ = {};
  if (cursor_ == nullptr) return;
  cursor_.reset();
  block_.reset();
}

bool PageFetcher::IsAhead(const format::BlockId& block) const {
  return ahead_.seal != 0 && block.seal == ahead_.seal && block.tag == ahead_.tag &&
         block.partition == ahead_.partition;
}

absl::StatusOr<absl::string_view> PageFetcher::Payload(const format::BlockId& block) {
  if (block_.has_value() && *block_ == block) return payload_;
  block_.reset();
  if (IsAhead(block)) {
    const std::string key = format::PagesKey(block);
    if (cursor_ == nullptr) {
      cursor_ = cache_.store_.NewCursor(kv::Space::kPages);
      cursor_->Seek(key);
    }
    while (cursor_->Valid() && cursor_->key() < key) cursor_->Next();
    // An error here shows again where the block is read by itself.
    if (cursor_->Valid() && cursor_->key() == key) {
      block_ = block;
      payload_ = cursor_->value();
      return payload_;
    }
  }
  ASSIGN_OR_RETURN(std::optional<std::string> payload,
                   cache_.store_.Get(kv::Space::kPages, format::PagesKey(block)));
  if (!payload.has_value()) return absl::DataLossError("the block's pages are missing");
  fetched_ = *std::move(payload);
  block_ = block;
  payload_ = fetched_;
  return payload_;
}

absl::StatusOr<Samples> PageFetcher::Decode(const StoredHead& head, size_t i, const VersionTable* versions) {
  const Summary& summary = head.head.pages[i].summary;
  const auto damaged = [&](const absl::Status& status) {
    return Annotate(status,
                    absl::StrCat("tag ", head.id.tag, ", samples from ", FormatTimestamp(summary.first.time),
                                 " to ", FormatTimestamp(summary.last.time)));
  };
  const absl::StatusOr<absl::string_view> payload = Payload(head.id);
  if (!payload.ok()) return damaged(payload.status());
  const absl::StatusOr<absl::string_view> page = format::PageBytes(head.head, *payload, i);
  if (!page.ok()) return damaged(page.status());
  Samples samples;
  samples.times.reserve(summary.count);
  samples.values.reserve(summary.count);
  if (absl::Status status = format::DecodePage(head.head.type, *page, &samples); !status.ok()) {
    return damaged(status);
  }
  // A page that decodes to something else than its head says must not pass for data.
  if (samples.size() != summary.count || samples.times.front() != summary.first.time ||
      samples.times.back() != summary.last.time) {
    return damaged(absl::DataLossError("the page contradicts its head"));
  }
  if (versions == nullptr) return samples;
  const format::PageInfo& info = head.head.pages[i];
  const absl::StatusOr<absl::string_view> column = format::VersionBytes(head.head, *payload, i);
  if (!column.ok()) return damaged(column.status());
  if (absl::Status status =
          ReadVersions(info.lowest_version, info.highest_version, *column, *versions, &samples);
      !status.ok()) {
    return damaged(status);
  }
  return samples;
}

}  // namespace historian
