// File: server/selection.h
//
// Which tags a request speaks of, and as of when; and whether its caller may do with them what it asks for.
//
// A tag on which the caller has no right is answered as one that does not exist.
#ifndef HISTORIAN_SERVER_SELECTION_H_
#define HISTORIAN_SERVER_SELECTION_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/historian/v1/samples.pb.h"
#include "proto/historian/v1/tags.pb.h"
#include "server/caller/caller.h"
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

// Of the pattern's matches those on which the caller has the right.
// Errors: NotFound, no tag has an id or name; names it. PermissionDenied, the caller has not the right on a tag that is named.
// InvalidArgument, the pattern is none. ResourceExhausted, more than `limit` tags (limits.query_tags). Those of keep_going,
// which is asked between the steps.
absl::StatusOr<SelectedTags> SelectTags(const SeenTags& tags, Right right, const v1::TagSelection& selection,
                                        uint64_t limit, const KeepGoing& keep_going);

// Tags on which the caller has any right.
absl::StatusOr<std::shared_ptr<const Tag>> FindTag(const SeenTags& tags, TagId id);
absl::StatusOr<std::shared_ptr<const Tag>> FindTag(const SeenTags& tags, absl::string_view name);
// Errors: NotFound; InvalidArgument, the key has neither an id nor a name.
absl::StatusOr<std::shared_ptr<const Tag>> FindTag(const SeenTags& tags, const v1::TagKey& key);
// Errors: also PermissionDenied, the caller has not the right on it.
template <class Key>
absl::StatusOr<std::shared_ptr<const Tag>> FindTag(const SeenTags& tags, Right right, const Key& key);

// The ids of the tags that the query asks for and on which the caller has any right, in order of their names.
// Errors: those of TagRegistry::ListIds.
absl::StatusOr<std::vector<TagId>> ListSeen(const SeenTags& tags, TagQuery query,
                                            const KeepGoing& keep_going);

// The tag as it was then. Errors: also NotFound, it was created later; those of TagRegistry::FindAsOf.
absl::StatusOr<std::shared_ptr<const Tag>> FindTagAsOf(const SeenTags& tags, const v1::TagKey& key,
                                                       Version as_of);

// For requests with `oneof tag { tag_id, tag_name }`.
template <class Request>
absl::StatusOr<std::shared_ptr<const Tag>> FindTagOf(const SeenTags& tags, Right right,
                                                     const Request& request) {
  switch (request.tag_case()) {
    case Request::kTagId:
      return FindTag<TagId>(tags, right, request.tag_id());
    case Request::kTagName:
      return FindTag<absl::string_view>(tags, right, request.tag_name());
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
std::string TagLabel(const Tag& tag);

// ---- Definitions

template <class Key>
absl::StatusOr<std::shared_ptr<const Tag>> FindTag(const SeenTags& tags, Right right, const Key& key) {
  ASSIGN_OR_RETURN(std::shared_ptr<const Tag> tag, FindTag(tags, key));
  if ((tags.caller.On(tags.registry, tag->id) & BitOf(right)) == 0) {
    return tags.caller.NoRight(right, TagLabel(*tag));
  }
  return tag;
}

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_SELECTION_H_
