#include "storage/sealed/head_walk.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/format/block.h"
#include "storage/format/key.h"
#include "storage/model/status_macros.h"

namespace historian {

HeadWalk::HeadWalk(kv::Store& store, int32_t partition, uint64_t seal_min, uint64_t seal_end)
    : cursor_(store.NewCursor(kv::Space::kHeads)),
      end_(format::PartitionPrefix(partition + 1)),
      seal_min_(seal_min),
      seal_end_(seal_end) {
  cursor_->Seek(format::PartitionPrefix(partition));
}

absl::StatusOr<bool> HeadWalk::Next(StoredHead* head, absl::string_view* bytes) {
  for (; cursor_->Valid() && cursor_->key() < end_; cursor_->Next()) {
    if (!fresh_) {
      fresh_ = true;
      continue;
    }
    ASSIGN_OR_RETURN(head->id, format::ParseHeadKey(cursor_->key()));
    if (head->id.seal < seal_min_ || head->id.seal >= seal_end_) continue;
    absl::StatusOr<format::BlockHead> decoded = format::DecodeBlockHead(cursor_->value());
    if (!decoded.ok()) {
      return Annotate(decoded.status(), absl::StrCat("block of tag ", head->id.tag, " from ",
                                                     FormatTimestamp(head->id.first_time)));
    }
    head->head = *std::move(decoded);
    head->head_bytes = cursor_->value().size();
    if (bytes != nullptr) *bytes = cursor_->value();
    fresh_ = false;
    return true;
  }
  RETURN_IF_ERROR(cursor_->status());
  return false;
}

}  // namespace historian
