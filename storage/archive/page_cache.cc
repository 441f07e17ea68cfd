#include "storage/archive/page_cache.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "storage/format/block.h"
#include "storage/format/page.h"
#include "storage/model/status_macros.h"

namespace historian {
namespace {

// A week of one tag with a few samples a second.
constexpr size_t kAheadBytesMax = size_t{4} << 20;

}  // namespace

absl::StatusOr<std::shared_ptr<const Samples>> PageReader::Read(const StoredHead& head, size_t i) {
  using Loaded = LruCache<PageCache::Key, Samples>::Loaded;
  const PageCache::Key key = {head.id, static_cast<uint32_t>(i)};
  return cache_.pages_.Get(key, [&]() -> absl::StatusOr<Loaded> {
    ASSIGN_OR_RETURN(Samples samples, Decode(head, i));
    auto shared = std::make_shared<const Samples>(std::move(samples));
    const size_t bytes = sizeof(Samples) + shared->MemoryBytes();
    return Loaded{std::move(shared), bytes, !pass_through_};
  });
}

void PageReader::FetchAhead(int32_t partition, TagId tag, uint64_t seal) {
  ahead_.clear();
  ahead_seal_ = seal;
  size_t bytes = 0;
  const std::unique_ptr<kv::Cursor> cursor = cache_.store_.NewCursor(kv::Space::kPages);
  // An error here shows again where the block is read by itself.
  for (cursor->Seek(format::PagesPrefix(partition, seal, tag)); cursor->Valid(); cursor->Next()) {
    const absl::StatusOr<format::BlockId> id = format::ParsePagesKey(cursor->key());
    if (!id.ok() || id->partition != partition || id->seal != seal || id->tag != tag) break;
    bytes += cursor->value().size();
    if (bytes > kAheadBytesMax) break;
    ahead_[id->first_time] = std::string(cursor->value());
  }
}

absl::StatusOr<Samples> PageReader::Decode(const StoredHead& head, size_t i) {
  const Summary& summary = head.head.pages[i].summary;
  const auto damaged = [&](const absl::Status& status) {
    return Annotate(status,
                    absl::StrCat("tag ", head.id.tag, ", samples from ", FormatTimestamp(summary.first.time),
                                 " to ", FormatTimestamp(summary.last.time)));
  };
  if (payload_.empty() || !(block_ == head.id)) {
    payload_.clear();
    const auto fetched = head.id.seal == ahead_seal_ ? ahead_.find(head.id.first_time) : ahead_.end();
    if (fetched != ahead_.end()) {
      payload_ = std::move(fetched->second);
      ahead_.erase(fetched);
    } else {
      absl::StatusOr<std::optional<std::string>> payload =
          cache_.store_.Get(kv::Space::kPages, format::PagesKey(head.id));
      if (!payload.ok()) return damaged(payload.status());
      if (!payload->has_value()) return damaged(absl::DataLossError("the block's pages are missing"));
      payload_ = *std::move(*payload);
    }
    block_ = head.id;
  }
  const absl::StatusOr<absl::string_view> page = format::PageBytes(head.head, payload_, i);
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
  return samples;
}

}  // namespace historian
