#include "server/selection.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace historian::server {
namespace {

// Looked up before it is asked whether to go on. A Tag is made of each.
constexpr int kNamesAtOnce = 256;
// Listed for a caller that sees some of all tags.
constexpr size_t kListedAtOnce = 10'000;

absl::Status TooMany(uint64_t limit) {
  return absl::ResourceExhaustedError(
      absl::StrCat("the selection has more than ", limit, " tags, which is the limit (limits.query_tags)"));
}

absl::Status NoTag(TagId id) { return absl::NotFoundError(absl::StrCat("no tag has the id ", id)); }
absl::Status NoTag(absl::string_view name) {
  return absl::NotFoundError(
      absl::StrCat("no tag has the name '", absl::Utf8SafeCHexEscape(name.substr(0, 600)), "'"));
}

// Errors: NotFound and PermissionDenied, of the first that the caller does not see, or has not the right on.
absl::Status CheckRights(const SeenTags& seen, Right right, const std::vector<TagId>& ids) {
  if (seen.caller.HasOnAll(right)) return absl::OkStatus();
  std::vector<RightBits> rights(ids.size());
  seen.caller.On(seen.registry, ids, rights.data());
  for (size_t i = 0; i < ids.size(); ++i) {
    if (rights[i] == 0) return NoTag(ids[i]);
    if ((rights[i] & BitOf(right)) == 0) {
      return seen.caller.NoRight(right, TagLabel(seen.registry, ids[i]));
    }
  }
  return absl::OkStatus();
}

// Takes out of `ids` those on which the caller has none of these rights.
void LeaveThoseWith(const SeenTags& seen, RightBits any_of, std::vector<TagId>* ids) {
  std::vector<RightBits> rights(ids->size());
  seen.caller.On(seen.registry, *ids, rights.data());
  size_t kept = 0;
  for (size_t i = 0; i < ids->size(); ++i) {
    if ((rights[i] & any_of) != 0) (*ids)[kept++] = (*ids)[i];
  }
  ids->resize(kept);
}

template <class Key>
absl::StatusOr<std::shared_ptr<const Tag>> FindSeen(const SeenTags& seen, Key key) {
  std::shared_ptr<const Tag> tag = seen.registry.Find(key);
  if (tag == nullptr || seen.caller.On(seen.registry, tag->id) == 0) return NoTag(key);
  return tag;
}

}  // namespace

absl::StatusOr<SelectedTags> SelectTags(const SeenTags& seen, Right right, const v1::TagSelection& selection,
                                        uint64_t limit, const KeepGoing& keep_going) {
  const TagRegistry& tags = seen.registry;
  // Before anything is allocated for them. Repeated ones count here: who sends so many gets what he asked
  // for.
  if (static_cast<uint64_t>(selection.ids_size()) + selection.names_size() > limit) return TooMany(limit);
  SelectedTags selected;
  selected.ids.reserve(selection.ids_size() + selection.names_size());

  // Ids in ascending order, which is what programs send, need no set to be told apart.
  bool ascending = selection.names_size() == 0 && selection.pattern().empty();
  for (int i = 1; ascending && i < selection.ids_size(); ++i)
    ascending = selection.ids(i - 1) < selection.ids(i);
  if (ascending) {
    selected.ids.assign(selection.ids().begin(), selection.ids().end());
    RETURN_IF_ERROR(CheckRights(seen, right, selected.ids));
  } else {
    absl::flat_hash_set<TagId> known;
    known.reserve(selected.ids.capacity());
    for (const TagId id : selection.ids()) {
      if (known.insert(id).second) selected.ids.push_back(id);
    }
    for (int i = 0; i < selection.names_size(); ++i) {
      if (i % kNamesAtOnce == 0) RETURN_IF_ERROR(GoOn(keep_going));
      const std::string& name = selection.names(i);
      ASSIGN_OR_RETURN(const std::shared_ptr<const Tag> tag, FindTag(seen, name));
      if (known.insert(tag->id).second) selected.ids.push_back(tag->id);
    }
    RETURN_IF_ERROR(CheckRights(seen, right, selected.ids));
    if (!selection.pattern().empty()) {
      const bool on_all = seen.caller.HasOnAll(right);
      ASSIGN_OR_RETURN(std::vector<TagId> matches, tags.ListIds({.pattern = selection.pattern(),
                                                                 .limit = on_all ? limit + 1 : SIZE_MAX,
                                                                 .include_retired = true},
                                                                keep_going));
      if (!on_all) LeaveThoseWith(seen, BitOf(right), &matches);
      for (const TagId id : matches) {
        if (known.insert(id).second) selected.ids.push_back(id);
      }
    }
    if (selected.ids.size() > limit) return TooMany(limit);
  }

  selected.traits.resize(selected.ids.size());
  tags.GetTraits(selected.ids.data(), selected.ids.size(), selected.traits.data());
  for (size_t i = 0; i < selected.ids.size(); ++i) {
    if (!selected.traits[i].exists) return FindTag(seen, selected.ids[i]).status();
  }
  return selected;
}

absl::StatusOr<std::vector<TagId>> ListSeen(const SeenTags& tags, TagQuery query,
                                            const KeepGoing& keep_going) {
  const size_t limit = query.limit;
  if (tags.caller.SeesAll()) return tags.registry.ListIds(query, keep_going);
  std::vector<TagId> seen;
  // More at once when few of them are seen.
  query.limit = std::max(limit, kListedAtOnce);
  while (true) {
    ASSIGN_OR_RETURN(std::vector<TagId> ids, tags.registry.ListIds(query, keep_going));
    const bool last = ids.size() < query.limit;
    if (!last) query.after = tags.registry.NameOf(ids.back());
    LeaveThoseWith(tags, kEveryRight, &ids);
    ids.resize(std::min(ids.size(), limit - seen.size()));
    seen.insert(seen.end(), ids.begin(), ids.end());
    if (last || seen.size() == limit) return seen;
  }
}

absl::StatusOr<Version> ResolveAsOf(const VersionTable& versions, const v1::AsOf& as_of) {
  switch (as_of.at_case()) {
    case v1::AsOf::kVersion:
      // kVersionNow and above are what a caller in this program means by "now".
      return versions.Resolve({.version = std::min<Version>(as_of.version(), kVersionMax)});
    case v1::AsOf::kTime:
      return versions.Resolve({.time = as_of.time()});
    default:
      return absl::InvalidArgumentError("as_of names neither a version nor a time");
  }
}

absl::StatusOr<std::shared_ptr<const Tag>> FindTag(const SeenTags& tags, TagId id) {
  return FindSeen(tags, id);
}

absl::StatusOr<std::shared_ptr<const Tag>> FindTag(const SeenTags& tags, absl::string_view name) {
  return FindSeen(tags, name);
}

absl::StatusOr<std::shared_ptr<const Tag>> FindTag(const SeenTags& tags, const v1::TagKey& key) {
  switch (key.key_case()) {
    case v1::TagKey::kId:
      return FindTag(tags, key.id());
    case v1::TagKey::kName:
      return FindTag(tags, absl::string_view(key.name()));
    case v1::TagKey::KEY_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("the key has neither an id nor a name");
}

absl::StatusOr<std::shared_ptr<const Tag>> FindTagAsOf(const SeenTags& tags, const v1::TagKey& key,
                                                       Version as_of) {
  ASSIGN_OR_RETURN(const std::shared_ptr<const Tag> now, FindTag(tags, key));
  ASSIGN_OR_RETURN(std::shared_ptr<const Tag> then, tags.registry.FindAsOf(now->id, as_of));
  if (then != nullptr) return then;
  return absl::NotFoundError(
      absl::StrCat("tag ", now->id, " '", now->name, "' was created after version ", as_of));
}

std::string TagLabel(const TagRegistry& tags, TagId id) {
  const auto tag = tags.Find(id);
  return tag == nullptr ? absl::StrCat("tag ", id) : TagLabel(*tag);
}

std::string TagLabel(const Tag& tag) { return absl::StrCat("tag ", tag.id, " '", tag.name, "'"); }

}  // namespace historian::server
