// File: server/selection.h
//
// Which tags a request speaks of.
#ifndef HISTORIAN_SERVER_SELECTION_H_
#define HISTORIAN_SERVER_SELECTION_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/historian/v1/samples.pb.h"
#include "proto/historian/v1/tags.pb.h"
#include "storage/model/status_macros.h"
#include "storage/tags/tag_registry.h"

namespace historian::server {

// Each tag once: ids first, then names, then the pattern's matches in name order.
struct SelectedTags {
  std::vector<TagId> ids;
  std::vector<TagTraits> traits;  // Of ids[i].
};

// Errors: NotFound, no tag has an id or name; names it. ResourceExhausted, more than `limit` tags
// (limits.query_tags).
absl::StatusOr<SelectedTags> SelectTags(const TagRegistry& tags, const v1::TagSelection& selection,
                                        uint64_t limit);

absl::StatusOr<std::shared_ptr<const Tag>> FindTag(const TagRegistry& tags, TagId id);
absl::StatusOr<std::shared_ptr<const Tag>> FindTag(const TagRegistry& tags, absl::string_view name);
// Errors: NotFound; InvalidArgument, the key has neither an id nor a name.
absl::StatusOr<std::shared_ptr<const Tag>> FindTag(const TagRegistry& tags, const v1::TagKey& key);

// For requests with `oneof tag { tag_id, tag_name }`.
template <class Request>
absl::StatusOr<std::shared_ptr<const Tag>> FindTagOf(const TagRegistry& tags, const Request& request) {
  switch (request.tag_case()) {
    case Request::kTagId:
      return FindTag(tags, request.tag_id());
    case Request::kTagName:
      return FindTag(tags, request.tag_name());
    default:
      return absl::InvalidArgumentError("the request names no tag");
  }
}

// Returns "tag 7 'site/flow'", for messages.
std::string TagLabel(const TagRegistry& tags, TagId id);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_SELECTION_H_
