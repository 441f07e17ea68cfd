// File: server/selection.h
//
// Which tags a request speaks of, and as of when.
#ifndef HISTORIAN_SERVER_SELECTION_H_
#define HISTORIAN_SERVER_SELECTION_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/historian/v1/samples.pb.h"
#include "proto/historian/v1/tags.pb.h"
#include "storage/model/keep_going.h"
#include "storage/model/status_macros.h"
#include "storage/tags/tag_registry.h"
#include "storage/versions/version_table.h"

namespace historian::server {

// Each tag once: ids first, then names, then the pattern's matches in name order.
struct SelectedTags {
  std::vector<TagId> ids;
  std::vector<TagTraits> traits;  // Of ids[i].
};

// Errors: NotFound, no tag has an id or name; names it. InvalidArgument, the pattern is none. ResourceExhausted, more than
// `limit` tags (limits.query_tags). Those of keep_going, which is asked between the steps.
absl::StatusOr<SelectedTags> SelectTags(const TagRegistry& tags, const v1::TagSelection& selection,
                                        uint64_t limit, const KeepGoing& keep_going);

absl::StatusOr<std::shared_ptr<const Tag>> FindTag(const TagRegistry& tags, TagId id);
absl::StatusOr<std::shared_ptr<const Tag>> FindTag(const TagRegistry& tags, absl::string_view name);
// Errors: NotFound; InvalidArgument, the key has neither an id nor a name.
absl::StatusOr<std::shared_ptr<const Tag>> FindTag(const TagRegistry& tags, const v1::TagKey& key);

// The tag as it was then. Errors: also NotFound, it was created later; those of TagRegistry::FindAsOf.
absl::StatusOr<std::shared_ptr<const Tag>> FindTagAsOf(const TagRegistry& tags, const v1::TagKey& key,
                                                       Version as_of);

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

// Errors: InvalidArgument, it names neither a version nor a time. FailedPrecondition: see VersionTable::Resolve.
absl::StatusOr<Version> ResolveAsOf(const VersionTable& versions, const v1::AsOf& as_of);
// The version that a request with `as_of` reads; kVersionNow without. Errors: those of ResolveAsOf.
template <class Request>
absl::StatusOr<Version> AsOfOf(const VersionTable& versions, const Request& request) {
  if (!request.has_as_of()) return kVersionNow;
  return ResolveAsOf(versions, request.as_of());
}
// What the answer says: as_of, or the version that is open.
inline uint64_t AnsweredVersion(const VersionTable& versions, Version as_of) {
  return as_of == kVersionNow ? versions.open() : as_of;
}

// Returns "tag 7 'site/flow'", for messages.
std::string TagLabel(const TagRegistry& tags, TagId id);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_SELECTION_H_
